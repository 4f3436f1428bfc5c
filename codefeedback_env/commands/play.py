"""``codefeedback play``: a person in place of the model."""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gymnasium

from codefeedback_env.commands.arguments import (
    DATASET_NAMES,
    add_judge_arguments,
    unknown_problem,
)
from codefeedback_env.datasets.problem_set import PROBLEM_FILTERS
from codefeedback_env.env import CodeFeedbackEnv
from codefeedback_env.errors import ConfigError
from codefeedback_env.lookup import look_up

HELP = "solve a problem yourself, with the feedback a model gets"
DESCRIPTION = (
    "Solve a problem in the terminal: you see exactly what a model sees, edit a file, and the "
    "file is your reply. After each editing, Enter submits, e edits again, q quits."
)

CODE_CONTESTS_ENV = "CodeContests-v0"
ANY_DATASET_ENV = "CodeFeedback-v0"
_WIDTH = 80


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``run``."""
    parser.set_defaults(run=run)
    parser.add_argument(
        "--env",
        metavar="ID",
        help=f"environment (default: {CODE_CONTESTS_ENV}, or {ANY_DATASET_ENV} with --dataset or "
        "--path)",
    )
    parser.add_argument("--problem", metavar="ID", help="which problem (default: one by chance)")
    parser.add_argument("--dataset", metavar="NAME", help="a dataset, by name")
    parser.add_argument("--path", metavar="PATH", help="file or directory of the dataset")
    parser.add_argument("--split", help="split of the dataset")
    parser.add_argument(
        "--problem-filter", metavar="NAME", help=f"one of: {', '.join(PROBLEM_FILTERS)}"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="decides which problem comes first")
    parser.add_argument("--turns", type=int, metavar="N", help="replies at most (default: 3)")
    parser.add_argument(
        "--file", type=Path, metavar="FILE", help="your program (default: a temporary file)"
    )
    parser.add_argument(
        "--editor",
        metavar="COMMAND",
        help="opens the file (default: $VISUAL or $EDITOR, on a terminal)",
    )
    add_judge_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Play one episode; 0 also where the player gives up."""
    env = _make_env(arguments)
    try:
        return _play(env, arguments)
    finally:
        env.close()


def reply_with(program: str) -> str:
    """A reply whose block of code is the program, whatever backticks it holds."""
    longest = max((len(ticks) for ticks in re.findall("`+", program)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}python\n{program.rstrip()}\n{fence}"


def _make_env(arguments: argparse.Namespace) -> "gymnasium.Env[str, str]":
    is_any = arguments.dataset is not None or arguments.path is not None
    env_id = arguments.env or (ANY_DATASET_ENV if is_any else CODE_CONTESTS_ENV)
    ours = {
        spec.id: spec
        for spec in gymnasium.registry.values()
        if str(spec.entry_point).startswith("codefeedback_env.")
    }
    look_up("environment", env_id, ours)
    if arguments.dataset is not None:
        look_up("dataset", arguments.dataset, DATASET_NAMES)
    if arguments.workers is not None and arguments.workers < 1:
        raise ConfigError(f"--workers {arguments.workers} must be at least 1.")
    if arguments.seed is not None and arguments.seed < 0:
        raise ConfigError(f"--seed {arguments.seed} must be at least 0.")
    options: dict[str, Any] = {
        "problem_filter": arguments.problem_filter,
        "dataset": arguments.dataset,
        "path": arguments.path,
        "split": arguments.split,
        "turn_limit": arguments.turns,
        "num_workers": arguments.workers or 1,  # one program at a time
        "python": arguments.python,
        "sandbox": arguments.sandbox,
    }
    given = {key: value for key, value in options.items() if value is not None}
    return gymnasium.make(env_id, **given)


def _play(env: "gymnasium.Env[str, str]", arguments: argparse.Namespace) -> int:
    bare = env.unwrapped
    assert isinstance(bare, CodeFeedbackEnv)
    problems = bare.rules.problems
    if arguments.problem is not None and arguments.problem not in problems:
        raise unknown_problem(problems, arguments.problem)
    options = None if arguments.problem is None else {"problem": arguments.problem}
    observation, info = env.reset(seed=arguments.seed, options=options)
    editor = _editor(arguments.editor)
    turn_limit = bare.rules.turn_limit
    title = f"Problem {info['problem_id']}"
    with _solution_file(arguments.file, f"# {info['problem_id']}\n") as path:
        while True:
            print(f"{_heading(title)}\n{observation}\n{_heading('')}")
            turn = info["turn"] + 1
            if not _edit(path, editor, f"Turn {turn} of {turn_limit}"):
                print("Stopped; nothing more was judged.")
                return 0
            observation, reward, terminated, truncated, info = env.step(reply_with(_read(path)))
            title = f"Feedback {turn} (reward {reward:+g})"
            if terminated or truncated:
                break
        print(_heading("End"))
        print(_result(float(reward), info))
    return 0


def _result(reward: float, info: dict[str, Any]) -> str:
    if "sandbox_error" in info:
        return f"The sandbox failed, so nothing was graded: {info['sandbox_error']}"
    counts = info["public_verdicts"]
    public = ", ".join(f"{count} {verdict}" for verdict, count in counts.items()) or "none run"
    everything = "yes" if info["private_passed"] else "no"
    return (
        f"Reward: {reward:+g}\nPublic tests: {public}\nPassed all tests, hidden ones too: "
        f"{everything}"
    )


@contextmanager
def _solution_file(path: Path | None, template: str) -> Iterator[Path]:
    """The file to edit, a temporary one without ``path``, which goes if nobody has edited it."""
    folder: str | None = None
    if path is None:
        folder = tempfile.mkdtemp(prefix="codefeedback-")
        path = Path(folder) / "solution.py"
    if not path.exists():
        try:
            path.write_text(template, encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"cannot write --file {path}: {error.strerror}.") from error
    try:
        yield path
    finally:
        if folder is not None and path.is_file() and path.read_bytes() == template.encode():
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print(f"Your program stays in {path}.")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}.") from error


def _editor(command: str | None) -> list[str]:
    """The editor's command line, empty where the player edits elsewhere."""
    if command is None and sys.stdin.isatty():
        command = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    try:
        return shlex.split(command or "")
    except ValueError as error:
        raise ConfigError(f"--editor {command!r} cannot be split into words: {error}.") from error


def _edit(path: Path, editor: list[str], title: str) -> bool:
    """Let the player edit until the program is handed in (True) or given up (False)."""
    wants_editor = True
    while True:
        if editor and wants_editor:
            try:
                subprocess.run([*editor, str(path)], check=False)
            except OSError as error:
                raise ConfigError(f"the editor {editor[0]!r} does not start: {error}.") from error
        again = ", e edits again" if editor else ""
        print(f"{title}: edit {path}; Enter submits{again}, q quits: ", end="", flush=True)
        answer = sys.stdin.readline()
        if not sys.stdin.isatty():
            print()
        word = answer.strip().lower()
        if not answer or word in ("q", "quit"):
            return False
        if not word:
            return True
        wants_editor = word in ("e", "edit")
        if not wants_editor:
            print(f"{word!r} is no answer.")


def _heading(title: str) -> str:
    return f"=== {title} ".ljust(_WIDTH, "=") if title else "=" * _WIDTH
