"""The pages of the site: tutorials run, commands exist, every public name is described."""

import functools
import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from test_readme import MACHINE_PATHS, NOT_RUN, PACKAGE_HOSTS, anchors

import codefeedback_env

CHECKOUT = Path(codefeedback_env.__file__).parents[1]
DOCS = CHECKOUT / "docs"
TUTORIAL = sorted((DOCS / "tutorial").glob("*.md"))
BELOW_DOCS = [*sorted(DOCS.glob("*/*.md")), CHECKOUT / "examples" / "README.md"]
BLOCK = re.compile(
    r"^(?P<mark><!-- [^\n]* -->\n)?```(?P<language>\w+)\n(?P<text>.*?)^```$", re.M | re.S
)

RUN_BLOCKS = """\
import json, subprocess, sys
names = {"__name__": "tutorial"}
for language, text in json.load(open(sys.argv[1], encoding="utf-8")):
    print(f"--- {language}\\n{text}", flush=True)
    if language == "sh":
        subprocess.run(["sh", "-e", "-c", text], check=True)
    else:
        exec(compile(text, "block", "exec"), names)
"""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    text: str
    is_run: bool


def blocks(page: Path) -> list[Block]:
    return [
        Block(match["language"], match["text"], (match["mark"] or "").strip() != NOT_RUN)
        for match in BLOCK.finditer(page.read_text("utf-8"))
    ]


def environment() -> dict[str, str]:
    """As in the checkout's own environment: its commands on PATH, its packages to import."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "PYTHONPATH": str(CHECKOUT)}


def commands() -> list[tuple[str, ...]]:
    """What a shell is told to do on the pages of the tutorial and is not run there."""
    lines = {
        line
        for page in TUTORIAL
        for block in blocks(page)
        if block.language == "sh" and not block.is_run
        for line in block.text.splitlines()
    }
    return [tuple(shlex.split(line)) for line in sorted(lines)]


@functools.cache
def known_options(command: tuple[str, ...]) -> set[str]:
    """The options that a command's help names."""
    done = subprocess.run(
        [*command, "--help"],
        cwd=CHECKOUT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return set(re.findall(r"--[\w-]+", done.stdout))


def test_the_tutorial_has_four_pages_with_programs():
    assert [page.stem for page in TUTORIAL] == ["evaluate", "extend", "play", "train"]
    for page in TUTORIAL:
        assert any(block.language == "python" and block.is_run for block in blocks(page)), page.name


@pytest.mark.sandbox
@pytest.mark.usefixtures("judge")
@pytest.mark.parametrize("page", TUTORIAL, ids=lambda page: page.stem)
def test_a_page_of_the_tutorial_runs_from_top_to_bottom(page, tmp_path):
    listed = [(block.language, block.text) for block in blocks(page) if block.is_run]
    (tmp_path / "blocks.json").write_text(json.dumps(listed), "utf-8")
    done = subprocess.run(
        [sys.executable, "-c", RUN_BLOCKS, "blocks.json"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}{done.stderr[-3000:]}"


@pytest.mark.sandbox
@pytest.mark.usefixtures("judge")
def test_the_program_that_writes_records_runs_a_second_time(tmp_path):
    (source,) = (b.text for b in blocks(DOCS / "environment.md") if "RecordEpisodes" in b.text)
    for num_records in (1, 2):
        done = subprocess.run(
            [sys.executable, "-c", source],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        records = (tmp_path / "runs" / "episodes.jsonl").read_text("utf-8")
        assert len(records.splitlines()) == num_records


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_a_command_of_the_tutorial_exists_with_its_options(command):
    options = {word.partition("=")[0] for word in command if word.startswith("--")}
    if not options:
        assert command[0] == "python"
        assert (CHECKOUT / command[1]).is_file()
        return
    before = command[: next(i for i, word in enumerate(command) if word.startswith("--"))]
    assert options <= known_options(before)


def test_the_reference_describes_every_public_name_once():
    described = [
        name
        for page in (DOCS / "reference").glob("*.md")
        for name in re.findall(r"^::: codefeedback_env\.(\w+)$", page.read_text("utf-8"), re.M)
    ]
    assert sorted(described) == sorted(codefeedback_env.__all__)


def test_the_index_of_the_reference_links_every_public_name():
    index = (DOCS / "reference" / "index.md").read_text("utf-8")
    linked = re.findall(r"\[`(\w+)`\]\((\w+\.md)#codefeedback_env\.(\w+)\)", index)
    assert sorted(name for name, _, _ in linked) == sorted(codefeedback_env.__all__)
    for name, page, anchor in linked:
        assert anchor == name
        assert f"::: codefeedback_env.{name}\n" in (DOCS / "reference" / page).read_text("utf-8")


def test_every_adapter_has_a_row():
    index = (DOCS / "adapters" / "index.md").read_text("utf-8")
    linked = set(re.findall(r"\]\((\w+\.md)\)", index))
    assert linked == {page.name for page in (DOCS / "adapters").glob("*.md")} - {"index.md"}


@pytest.mark.parametrize("page", BELOW_DOCS, ids=lambda page: page.relative_to(CHECKOUT).as_posix())
def test_relative_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if re.match(r"\w+:", target):
            continue
        file, _, anchor = target.partition("#")
        linked = (page.parent / file).resolve() if file else page
        assert linked.is_relative_to(CHECKOUT), target
        assert linked.exists(), target
        if anchor and not anchor.startswith("codefeedback_env."):
            assert anchor in anchors(linked), target


@pytest.mark.parametrize("page", BELOW_DOCS, ids=lambda page: page.relative_to(CHECKOUT).as_posix())
def test_page_names_no_package_registry_and_no_path_of_a_machine(page):
    text = page.read_text("utf-8")
    for pattern in (PACKAGE_HOSTS, MACHINE_PATHS):
        found = pattern.search(text)
        assert found is None, found[0] if found else ""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built as `make docs` builds it; warnings are errors."""
    for package in ("mkdocs", "material", "mkdocstrings"):
        pytest.importorskip(package, reason=f"{package} is missing; install the extra docs")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=CHECKOUT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_the_site_loads_nothing_from_other_hosts(site):
    loads = re.compile(
        r"<(?:script|img|iframe|source|link(?![^>]*rel=\"?canonical))[^>]+(?:src|href)=\"?https?:[^\s>]*"
        r"|@import[^;]*https?:[^;]*|url\([\"']?https?:[^)]*"
    )
    pages = [path for path in site.rglob("*") if path.suffix in (".html", ".css")]
    assert len(pages) > 40
    for page in pages:
        found = loads.search(page.read_text("utf-8"))
        assert found is None, f"{page.name}: {found[0] if found else ''}"


def test_links_of_the_site_lead_somewhere_also_to_files_outside_docs(site):
    for page in site.rglob("*.html"):
        if page.name == "404.html":
            continue  # served from anywhere, so its links are absolute
        for href in re.findall(r"<a [^>]*?href=\"([^\"#?]+)", page.read_text("utf-8")):
            if not re.match(r"\w+:", href):
                target = Path(os.path.normpath(page.parent / href))
                assert target.is_file(), f"{page.relative_to(site)} links to {href}"


def test_docstrings_are_on_the_pages_of_the_reference(site):
    page = (site / "reference" / "environments.html").read_text("utf-8")
    assert 'id="codefeedback_env.CodeFeedbackEnv.step"' in page
    assert "gymnasium.error.ResetNeeded" in page  # a section Raises
    problems = (site / "reference" / "problems.html").read_text("utf-8")
    assert "CPU seconds for one test" in problems  # the text under a field


def test_a_linked_file_of_code_has_a_page_with_its_source(site):
    page = (site / "repository" / "examples" / "reinforce.py.html").read_text("utf-8")
    assert "NUM_FEATURES" in page
    assert "../../tutorial/play.html" in page  # the navigation


UNDER_A_HARD_LIMIT = """\
import resource

resource.setrlimit(resource.RLIMIT_AS, (768 << 20, 768 << 20))
import gymnasium, codefeedback_env

env = gymnasium.make("CodeContests-v0", turn_limit=1, num_workers=1)  # limits of 256 MiB and slack
right = codefeedback_env.load_problems("bundled").reference_programs("stamp-sheets")[0].source_code
for program in (right, "bytearray(2 << 30)"):
    env.reset(options={"problem": "stamp-sheets"})
    _, reward, *_, info = env.step(f"```python\\n{program}\\n```")
    print(reward, *info["public_verdicts"])
env.close()
"""


@pytest.mark.sandbox
@pytest.mark.usefixtures("judge")
def test_a_lowered_hard_limit_changes_no_verdict(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", UNDER_A_HARD_LIMIT],
        cwd=tmp_path,
        env={**environment(), "OPENBLAS_NUM_THREADS": "1"},  # whose threads reserve address space
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout == "1.0 accepted\n-1.0 memory limit exceeded\n", done.stderr
