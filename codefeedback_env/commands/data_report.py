"""``codefeedback data report``: what is wrong with a dataset, as pages and an exclusion list."""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codefeedback_env import __version__
from codefeedback_env.commands.arguments import (
    DATASET_NAMES,
    add_judge_arguments,
    add_problem_arguments,
    open_judge,
    open_problems,
)
from codefeedback_env.commands.console import PlainConsole, counted
from codefeedback_env.commands.in_flight import collect_in_order
from codefeedback_env.commands.progress import progress
from codefeedback_env.data_quality.journal import Journal
from codefeedback_env.data_quality.markdown import markdown_page
from codefeedback_env.data_quality.overlap import Overlap, Signature, find_overlaps, signatures
from codefeedback_env.data_quality.page import html_page
from codefeedback_env.data_quality.problem_report import ProblemReport, start_problem
from codefeedback_env.data_quality.report import DataReport, make_report
from codefeedback_env.datasets.exclusions.lists import format_exclusions
from codefeedback_env.datasets.fetch import HUB_DATASETS
from codefeedback_env.datasets.inspection import leaving_out_unreadable_rows
from codefeedback_env.datasets.mbpp import SPLITS as MBPP_SPLITS
from codefeedback_env.datasets.problem_set import ProblemSet
from codefeedback_env.errors import ConfigError, DatasetError, DatasetNotFoundError
from codefeedback_env.judge.judge import Judge
from codefeedback_env.lookup import look_up
from codefeedback_env.make import load_problems

HELP = "find what is wrong with a dataset, and write an exclusion list"
DESCRIPTION = (
    "Look at every problem's statement and tests, run the dataset's own right and wrong programs, "
    "compare with the dataset's other splits, and write report.json, report.html, report.md and "
    "exclusions.toml. A run that was ended goes on where it was. Exit status 1 if rows or files "
    "cannot be read, so that the report lacks them, else 0, whatever was found."
)

MAX_PROGRAMS = 10
MAX_UNREADABLE_SHOWN = 40
FILES = ("report.json", "report.html", "report.md", "exclusions.toml")

_SPLITS = {
    "code_contests": HUB_DATASETS["code_contests"].splits,
    **dict.fromkeys(("apps", "taco"), ("train", "test")),
    "mbpp": tuple(MBPP_SPLITS),
}
"""Splits that must not share problems; those of other datasets hold each other, or are one."""


@dataclass(frozen=True, slots=True)
class _Other:
    """A split or dataset that shall not share problems with the one looked at."""

    name: str
    problems: ProblemSet | None
    """None where it cannot be opened at all."""

    num_unreadable: int
    """Rows and files."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``run``."""
    parser.set_defaults(run=run)
    add_problem_arguments(parser)
    add = parser.add_argument
    add("--out", type=Path, metavar="DIR", required=True, help="where the report is written")
    add("--limit", type=int, metavar="N", help="only the first N problems")
    add("--no-programs", action="store_true", help="look at the data, run nothing")
    add(
        "--max-programs",
        type=int,
        metavar="N",
        default=MAX_PROGRAMS,
        help="so many right and so many wrong programs of a problem at most "
        f"(default: {MAX_PROGRAMS})",
    )
    add(
        "--against",
        action="append",
        default=[],
        metavar="PROBLEMS",
        help="another dataset that must not share problems with this one: NAME, NAME:SPLIT, a "
        "file or directory, or FORMAT=PATH; may be given several times",
    )
    add_judge_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write the report and print its counts."""
    for option in ("limit", "max_programs"):
        value = getattr(arguments, option)
        if value is not None and value < 1:
            raise ConfigError(f"--{option.replace('_', '-')} {value} must be at least 1.")
    with leaving_out_unreadable_rows() as unreadable_rows:
        problems = open_problems(arguments)
    if problems is None:
        raise ConfigError("no dataset: name one, or give a file or directory of one.")
    others = [*_other_splits(arguments, problems), *map(_open_other, arguments.against)]
    judge = None if arguments.no_programs else open_judge(arguments)
    with closing(judge) if judge is not None else nullcontext():
        settings = _settings(problems, judge, arguments)
        reports = _report_problems(problems, judge, settings, arguments)
    overlaps: list[Overlap] = []
    compared_with: list[str] = []
    num_lost_elsewhere = 0
    for other in others:
        found, num_lost = _compare(reports, other)
        overlaps += found
        without = f", without {num_lost} rows or files that cannot be read" if num_lost else ""
        compared_with.append(other.name + without)
        num_lost_elsewhere += num_lost
    report = make_report(
        dataset=problems.name,
        split=problems.split,
        settings=settings | {"limit": arguments.limit},
        problems=reports,
        unreadable_rows=unreadable_rows,
        compared_with=compared_with,
        overlaps=overlaps,
    )
    _write(report, arguments.out)
    _print(report, arguments.out, num_lost_elsewhere)
    return 1 if report.unreadable_rows or num_lost_elsewhere else 0


def _settings(
    problems: ProblemSet, judge: Judge | None, arguments: argparse.Namespace
) -> dict[str, Any]:
    """What decides on the report of a problem."""
    settings: dict[str, Any] = {
        "dataset": problems.name,
        "split": problems.split,
        "fingerprint": problems.data_fingerprint,
        "codefeedback": __version__,
    }
    if judge is None:
        return {**settings, "programs": "not run"}
    machine = judge.info()
    return {
        **settings,
        "programs": f"at most {arguments.max_programs} of each kind",
        "sandbox": machine.sandbox,
        "python": machine.python_version,
        "numpy": machine.numpy_version,
    }


def _report_problems(
    problems: ProblemSet,
    judge: Judge | None,
    settings: dict[str, Any],
    arguments: argparse.Namespace,
) -> list[ProblemReport]:
    """The reports of the problems asked for, in order; those in the journal are taken from it."""
    ids = problems.ids[: arguments.limit]
    with closing(Journal(arguments.out, settings)) as journal:
        left = [problem_id for problem_id in ids if problem_id not in journal.done]
        resumed = f", {len(ids) - len(left)} of them done before" if len(left) < len(ids) else ""
        machine = "" if judge is None else f" in {settings['sandbox']}"
        print(
            f"Looking at {counted(len(ids), 'problem')} of {problems.name} ({problems.split})"
            f"{machine}{resumed}.",
            file=sys.stderr,
        )
        started = (start_problem(problems, i, judge, arguments.max_programs) for i in left)
        num_in_flight = 1 if judge is None else judge.settings.num_workers + 1
        not_judged: dict[str, ProblemReport] = {}
        with progress("problems", len(left)) as advance:
            for report in collect_in_order(started, num_in_flight):
                if report.was_judged:
                    journal.add(report)
                else:  # another run may succeed
                    not_judged[report.id] = report
                advance()
        return [not_judged.get(i) or journal.done[i] for i in ids]


def _other_splits(arguments: argparse.Namespace, problems: ProblemSet) -> Iterator[_Other]:
    """The other splits of the dataset that are on this machine."""
    place = arguments.problems
    if place is not None and place not in DATASET_NAMES and not Path(place).is_dir():
        return  # one file holds one split
    dataset = place if place in DATASET_NAMES else arguments.dataset
    path = None if place in DATASET_NAMES else place
    for split in _SPLITS.get(problems.name, ()):
        if split == problems.split or problems.split not in _SPLITS[problems.name]:
            continue
        name = f"{problems.name} ({split})"
        try:
            with leaving_out_unreadable_rows() as unreadable_rows:
                other = load_problems(dataset, path=path, split=split, exclude=None)
        except DatasetNotFoundError:
            continue
        except DatasetError as error:
            print(f"not compared with {name}: {error}", file=sys.stderr)
            yield _Other(name, None, 1)
        else:
            if other.data_fingerprint != problems.data_fingerprint:  # else there is but one split
                yield _Other(name, other, len(unreadable_rows))


def _open_other(text: str) -> _Other:
    """The problems that a value of ``--against`` names."""
    dataset: str | None = None
    split: str | None = None
    path: str | None = text
    if "=" in text and not Path(text).exists():
        dataset, _, path = text.partition("=")
        look_up("dataset", dataset, DATASET_NAMES)
    elif not Path(text).exists() or text in DATASET_NAMES:
        dataset, _, split = text.partition(":")
        look_up("dataset, file or directory", dataset, DATASET_NAMES)
        path = None
    with leaving_out_unreadable_rows() as unreadable_rows:
        problems = load_problems(dataset, path=path, split=split or None, exclude=None)
    where = f", {path}" if path else ""
    name = f"{problems.name} ({problems.split}{where})"
    return _Other(name, problems, len(unreadable_rows))


def _compare(reports: list[ProblemReport], other: _Other) -> tuple[list[Overlap], int]:
    """What comes up in another split too, and how many rows or files of it cannot be read."""
    if other.problems is None:
        return [], other.num_unreadable
    compared = list(_watched(other.problems, other.name))
    num_unreadable = other.num_unreadable + len(other.problems) - len(compared)
    return find_overlaps(reports, compared, other.name), num_unreadable


def _watched(problems: ProblemSet, name: str) -> Iterator[Signature]:
    with progress(f"problems of {name}", len(problems)) as advance:
        for signature in signatures(problems):
            advance()
            yield signature


def _write(report: DataReport, directory: Path) -> None:
    exclusions = format_exclusions(
        report.exclusions,
        [f"Problems of {report.dataset} ({report.split}) to leave out, found by `data report`."],
    )
    pages = (
        json.dumps(report.to_json(), indent=1),
        html_page(report),
        markdown_page(report),
        exclusions,
    )
    for name, text in zip(FILES, pages, strict=True):
        try:
            # Lone surrogates of broken statements have no UTF-8.
            (directory / name).write_text(text, encoding="utf-8", errors="replace")
        except OSError as error:
            raise ConfigError(f"cannot write {directory / name}: {error.strerror}.") from error


def _print(report: DataReport, directory: Path, num_lost_elsewhere: int) -> None:
    console = PlainConsole(soft_wrap=True)
    for row in report.unreadable_rows[:MAX_UNREADABLE_SHOWN]:
        console.print(f"unreadable: {row}")
    if (more := len(report.unreadable_rows) - MAX_UNREADABLE_SHOWN) > 0:
        console.print(f"... and {more} more unreadable ones; report.json lists all.")
    for name, count in report.totals().items():
        console.print(f"{count:8,} {name}")
    for flag, count in report.num_flagged.items():
        console.print(f"{count:8,} {'! ' if report.excludes(flag) else ''}{flag.value}")
    console.print(f"Written: {', '.join(str(directory / name) for name in FILES)}")
    if num_lost := len(report.unreadable_rows):
        console.print(
            f"Damaged: {num_lost} rows or files cannot be read, and the report is about the rest."
        )
    if num_lost_elsewhere:
        console.print(
            f"Damaged: {num_lost_elsewhere} rows or files of other splits or datasets cannot be "
            "read, so problems that are also there may be missed."
        )
