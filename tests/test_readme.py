"""The README and the pages in docs/: their programs run, their tables and links are true."""

import ast
import inspect
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import pytest

import codefeedback_env  # registers the environments
from agents.generation.scripted import SCRIPTED_POLICIES
from codefeedback_env import feedback
from codefeedback_env.cli import VERBS
from codefeedback_env.dialogue import FeedbackSource
from codefeedback_env.feedback import FEEDBACK_FORMATS
from codefeedback_env.make import make_env, make_rules
from codefeedback_env.rewards import REWARDS
from codefeedback_env.sandbox.catalog import SANDBOXES
from codefeedback_env.verdicts import Verdict

CHECKOUT = Path(codefeedback_env.__file__).parents[1]
PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
NOT_RUN = "<!-- not run -->"
OPTIONS = "<!-- options -->"
PACKAGE_HOSTS = re.compile(
    r"pypi\.org|pythonhosted\.org|anaconda\.(org|com)|npmjs\.|crates\.io|docker\.(io|com)|proxy\.golang"
)
MACHINE_PATHS = re.compile(r"(?<![\w.])/(work|root|home|Users|tmp/bash)\b")


@dataclass(frozen=True)
class Block:
    """A fenced block of Python."""

    page: Path
    line: int
    source: str
    is_run: bool

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def python_blocks(page: Path) -> list[Block]:
    blocks: list[Block] = []
    lines = page.read_text("utf-8").split("\n")
    start: int | None = None
    for number, line in enumerate(lines):
        if start is None and line == "```python":
            start = number + 1
        elif start is not None and line == "```":
            before = next((text for text in reversed(lines[: start - 1]) if text.strip()), "")
            source = "\n".join(lines[start:number]) + "\n"
            blocks.append(Block(page, start + 1, source, before.strip() != NOT_RUN))
            start = None
    assert start is None, f"{page}:{start}: a block is not closed"
    return blocks


def table_after(page: Path, mark: str) -> list[list[str]]:
    """The cells of the table after a mark, without its heading."""
    lines = page.read_text("utf-8").partition(mark + "\n")[2].split("\n")
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().strip("`") for cell in line.strip("|").split("|")])
    return rows[2:]


def anchors(page: Path) -> set[str]:
    """The names GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


def env_options() -> dict[str, Any]:
    """Options and their defaults, as the functions behind ``gymnasium.make`` take them."""
    parameters = [
        parameter
        for function in (make_rules, make_env)
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    return {parameter.name: parameter.default for parameter in parameters}


BLOCKS = [block for page in PAGES for block in python_blocks(page)]


@pytest.mark.sandbox
@pytest.mark.usefixtures("judge")  # which skips where no sandbox works
@pytest.mark.parametrize("block", [block for block in BLOCKS if block.is_run], ids=str)
def test_program_on_a_page_runs(block, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:__main__", "-c", block.source],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},  # agents are run from a checkout
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, f"{block}:\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("name", ["README.md", "docs/environment.md"])
def test_table_of_options_lists_exactly_the_options_and_their_defaults(name):
    rows = table_after(CHECKOUT / name, OPTIONS)
    listed = {option: ast.literal_eval(default) for option, default, *_ in rows}
    assert len(listed) == len(rows)
    assert listed == env_options()


def test_readme_lists_exactly_the_registered_environments():
    ours = {
        env_id
        for env_id, spec in gymnasium.registry.items()
        if str(spec.entry_point).startswith("codefeedback_env.")
    }
    readme = (CHECKOUT / "README.md").read_text("utf-8")
    assert set(re.findall(r"^\| `([\w-]+-v\d+)` \|", readme, re.MULTILINE)) == ours


def test_readme_names_what_each_id_sets():
    readme = (CHECKOUT / "README.md").read_text("utf-8")
    for env_id in re.findall(r"^\| `([\w-]+-v\d+)` \|", readme, re.MULTILINE):
        (row,) = re.findall(rf"^\| `{env_id}` \|.*$", readme, re.MULTILINE)
        last_cell = row.rstrip(" |").rpartition("|")[2]
        set_by_id = {key: ast.literal_eval(v) for key, v in re.findall(r"`(\w+)=(.+?)`", last_cell)}
        assert set_by_id == gymnasium.spec(env_id).kwargs


@pytest.mark.parametrize(
    ("name", "heading", "known"),
    [
        ("docs/environment.md", "`feedback`", set(FeedbackSource)),
        ("docs/environment.md", "`feedback_format`", set(FEEDBACK_FORMATS) - {"paper"}),
        ("docs/sandbox.md", "sandbox", set(SANDBOXES)),
        ("docs/sandbox.md", "verdict", set(Verdict)),
        ("docs/agents.md", "`--agent`", set(SCRIPTED_POLICIES)),
    ],
)
def test_table_lists_exactly_the_known_names(name, heading, known):
    text = (CHECKOUT / name).read_text("utf-8")
    _, mark, _ = text.partition(f"| {heading} | ")
    assert mark, f"{name} has no table of {heading}"
    lines = text[text.index(mark) :].split("\n")[2:]
    rows = lines[: next(i for i, line in enumerate(lines) if not line.startswith("|"))]
    listed = [cell for row in rows for cell in re.findall(r"`\"?([^`\"]+)\"?`", row.split("|")[1])]
    assert sorted(listed) == sorted(known)


def test_messages_stand_in_the_page_byte_for_byte():
    page = (CHECKOUT / "docs/environment.md").read_text("utf-8")
    in_cells = {
        feedback.PROMPT.replace(feedback.FORMAT, "{FORMAT}"),
        feedback.NO_CODE.replace(feedback.FORMAT, "{FORMAT}"),
        feedback.RETRY.replace(feedback.FORMAT, "{FORMAT}"),
        feedback.NO_SELF_TESTS + feedback.RETRY.replace(feedback.FORMAT, "{FORMAT}"),
        feedback.SELF_TESTS_PASSED + feedback.RETRY.replace(feedback.FORMAT, "{FORMAT}"),
        feedback.TIME_LIMIT_INFO,
        feedback.MEMORY_LIMIT_INFO,
        feedback.OUTPUT_LIMIT_INFO,
        feedback.SECURITY_INFO,
    }
    for message in in_cells:
        assert f"`{message}`".replace("\n", "\\n") in page, message
    for message in (feedback.FORMAT, feedback.SELF_TESTS):
        assert f"    {message}\n" in page, message


def test_readme_shows_every_verb_of_the_command_line():
    readme = (CHECKOUT / "README.md").read_text("utf-8")
    assert set(re.findall(r"^    codefeedback (\w+)", readme, re.MULTILINE)) == set(VERBS)


@pytest.mark.parametrize("reward", REWARDS)
def test_every_reward_has_its_column(reward):
    assert f'reward, `"{reward}"`' in (CHECKOUT / "docs/environment.md").read_text("utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_somewhere(page):
    text = page.read_text("utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"\w+:", target):
            continue
        file, _, anchor = target.partition("#")
        linked = (page.parent / file).resolve() if file else page
        assert linked.is_relative_to(CHECKOUT), f"{page.name} links to {target}"
        assert linked.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in anchors(linked), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_names_no_package_registry_and_no_path_of_a_machine(page):
    text = page.read_text("utf-8")
    for pattern in (PACKAGE_HOSTS, MACHINE_PATHS):
        found = pattern.search(text)
        assert found is None, f"{page.name}: {found[0] if found else ''}"
    assert str(CHECKOUT) not in text
