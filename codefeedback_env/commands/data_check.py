"""``codefeedback data check``: whether a dataset's tests and programs agree with each other."""

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO

from rich.table import Table
from rich.text import Text

from codefeedback_env.checkers import Judging, checker_for
from codefeedback_env.commands.arguments import (
    add_judge_arguments,
    add_problem_arguments,
    open_judge,
    open_problems,
)
from codefeedback_env.commands.console import PlainConsole, counted
from codefeedback_env.commands.in_flight import collect_in_order
from codefeedback_env.commands.json_lines import open_output
from codefeedback_env.commands.progress import progress
from codefeedback_env.datasets.inspection import leaving_out_unreadable_rows
from codefeedback_env.datasets.problem_set import ProblemSet
from codefeedback_env.datasets.several_answers import has_unused_checker
from codefeedback_env.errors import (
    CodeFeedbackError,
    ConfigError,
    SandboxError,
    SandboxUnavailableError,
)
from codefeedback_env.judge.judge import Judge
from codefeedback_env.judge.protocol import JudgeReport, Plan, Stage, pack
from codefeedback_env.make import BUNDLED, DATASETS, DEFAULT_DATASET, load_problems
from codefeedback_env.problem import Pool, Problem, TestCase
from codefeedback_env.problem_checkers import Checker
from codefeedback_env.verdicts import Verdict

HELP = "run a dataset's own programs and look at its tests"
DESCRIPTION = (
    "Run every reference program, which must pass all tests, and every wrong program, which must "
    "fail in the way the data says, and look for tests that repeat or contradict each other. "
    "Without PROBLEMS the bundled ones are checked. Exit status 1 if something was found."
)

MAX_ROWS_SHOWN = 40
MAX_CHARS_SHOWN = 40

_TO_FIRST_FAILURE = Plan(stages=tuple(Stage(pool=pool, max_failures=1) for pool in Pool))


class Kind(StrEnum):
    """What can be wrong with a problem."""

    UNREADABLE = "unreadable"
    NO_PUBLIC_TESTS = "no public tests"
    NO_HIDDEN_TESTS = "no hidden tests"
    DROPPED_TESTS = "hidden tests dropped"
    """Loading left them out: they repeat or contradict others, or are shown by a public test."""

    CHECKER_NOT_USED = "checker of the dataset not used"
    """Its own judge may take other answers than the stored one, which alone counts here."""

    DUPLICATED_INPUT = "duplicated input"
    CONTRADICTORY_TESTS = "contradictory tests"
    REFERENCE_FAILS = "reference program fails"
    WRONG_PASSES = "wrong program passes"
    OTHER_VERDICT = "other verdict than expected"
    SANDBOX_FAILED = "sandbox failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something wrong with a problem; the fields are those of the JSON lines."""

    problem_id: str
    """Of a row that cannot be read, its file and number."""

    kind: Kind
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemCheck:
    """What checking one problem gave."""

    findings: list[Finding]
    num_reference_programs: int = 0
    num_wrong_programs: int = 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``run``."""
    parser.set_defaults(run=run)
    add_problem_arguments(parser)
    parser.add_argument(
        "--limit",
        type=int,
        metavar="N",
        help="only the first N problems, and as many unreadable rows",
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the findings here, one line of JSON each"
    )
    add_judge_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Check a dataset and print what was found; 1 if there is something, else 0."""
    if arguments.limit is not None and arguments.limit < 1:
        raise ConfigError(f"--limit {arguments.limit} must be at least 1.")
    with leaving_out_unreadable_rows() as unreadable_rows:
        problems = open_problems(arguments)
    if problems is None:
        problems = load_problems(BUNDLED)
    ids = problems.ids[: arguments.limit]
    unreadable = [
        Finding(problem_id=row.place, kind=Kind.UNREADABLE, detail=row.fault)
        for row in unreadable_rows[: arguments.limit]
    ]
    summary = _Summary(num_unreadable_left_out=len(unreadable_rows) - len(unreadable))
    with closing(open_judge(arguments)) as judge:
        machine = judge.info()
        num_workers = judge.settings.num_workers
        print(
            f"Checking {counted(len(ids), 'problem')} of {problems.name} ({problems.split}) in "
            f"{machine.sandbox}, Python {machine.python_version}, "
            f"{counted(num_workers, 'worker')}.",
            file=sys.stderr,
        )
        started = (start_check(problems, problem_id, judge) for problem_id in ids)
        with (
            open_output(arguments.json) as output,
            progress("problems", len(ids)) as advance,
        ):
            if unreadable:
                summary.add(ProblemCheck(findings=unreadable), num_problems=0)
                _write(unreadable, output, arguments)
            for check in collect_in_order(started, num_workers + 1):
                summary.add(check)
                _write(check.findings, output, arguments)
                advance()
    summary.print(arguments.json)
    names_dataset = arguments.dataset is not None or arguments.problems in (None, *DATASETS)
    if unreadable and not ids and not names_dataset:
        print(
            f"No row was read as one of {DEFAULT_DATASET}; for the rows of another dataset give "
            f"--dataset, one of {', '.join(DATASETS)}.",
            file=sys.stderr,
        )
    return 1 if summary.num_findings else 0


def _write(findings: list[Finding], output: IO[str], arguments: argparse.Namespace) -> None:
    if arguments.json is not None:
        for finding in findings:
            print(json.dumps(asdict(finding)), file=output)


def start_check(problems: ProblemSet, problem_id: str, judge: Judge) -> Callable[[], ProblemCheck]:
    """Begin with the programs of one problem; the function given waits for what was found.

    Raises:
        SandboxUnavailableError: this machine cannot judge.
    """
    findings: list[Finding] = []
    futures: list[tuple[str, Verdict | None, Future[JudgeReport]]] = []

    def found(kind: Kind, detail: str) -> None:
        findings.append(Finding(problem_id=problem_id, kind=kind, detail=detail))

    try:
        problem = problems[problem_id]
        checker = checker_for(problem, Judging.STRICT)
        reference_programs = problems.reference_programs(problem_id)
        wrong_programs = problems.wrong_programs(problem_id)
    except CodeFeedbackError as error:
        found(Kind.UNREADABLE, str(error))
        return lambda: ProblemCheck(findings=findings)
    for kind, detail in check_tests(problem, checker):
        found(kind, detail)
    if any(problem.tests(pool) for pool in Pool):
        packed = pack(problem, judging=Judging.STRICT, checker=checker)
        for number, submission in enumerate(reference_programs):
            future = judge.submit(packed, submission, _TO_FIRST_FAILURE)
            futures.append((f"reference program {number}", Verdict.ACCEPTED, future))
        for number, wrong in enumerate(wrong_programs):
            future = judge.submit(packed, wrong.submission, _TO_FIRST_FAILURE)
            futures.append((f"wrong program {number}", wrong.verdict, future))

    def wait() -> ProblemCheck:
        for program, expected, future in futures:
            try:
                result = check_outcome(program, expected, future.result())
            except SandboxUnavailableError:
                raise
            except SandboxError as error:
                result = (Kind.SANDBOX_FAILED, f"{program}: {error}")
            if result is not None:
                found(*result)
        return ProblemCheck(
            findings=findings,
            num_reference_programs=len(reference_programs),
            num_wrong_programs=len(wrong_programs),
        )

    return wait


def check_tests(problem: Problem, checker: Checker) -> Iterator[tuple[Kind, str]]:
    """What is wrong with a problem's tests.

    Inputs are the same if they differ only in blanks at the ends of lines. Outputs contradict each
    other if ``checker`` does not take one for the other; where a problem has a checker of its own,
    several outputs are right, so nothing contradicts.
    """
    if not problem.public_tests:
        yield Kind.NO_PUBLIC_TESTS, "so there is no feedback on it"
    if not problem.private_tests and not problem.generated_tests:
        yield Kind.NO_HIDDEN_TESTS, "so the reward is decided by public tests"
    if num_dropped := problem.source.get("dropped_tests"):
        yield (
            Kind.DROPPED_TESTS,
            f"{num_dropped} left out when loaded: they repeat or contradict other tests",
        )
    if has_unused_checker(problem):
        yield Kind.CHECKER_NOT_USED, "outputs are compared with the stored one instead"
    tests_of: defaultdict[str, list[tuple[str, TestCase]]] = defaultdict(list)
    for pool in Pool:
        for index, test in enumerate(problem.tests(pool)):
            key = "\n".join(line.rstrip() for line in test.stdin.split("\n")).rstrip("\n")
            tests_of[key].append((f"{pool}[{index}]", test))
    for (place, test), *others in tests_of.values():
        for other_place, other in others:
            places = f"{place} and {other_place}"
            if problem.checker is None and not _agree(test, other, checker):
                outputs = f"{_shown(test.expected_stdout)} and {_shown(other.expected_stdout)}"
                yield Kind.CONTRADICTORY_TESTS, f"{places}: same input, outputs {outputs}"
            else:
                yield Kind.DUPLICATED_INPUT, places


def check_outcome(
    program: str, expected: Verdict | None, report: JudgeReport
) -> tuple[Kind, str] | None:
    """What is wrong with how a program came out; ``expected`` None means any failure will do."""
    pool, failure = next(
        (
            (pool, pool_report.first_failure)
            for pool, pool_report in report.reports.items()
            if pool_report.first_failure is not None
        ),
        (Pool.PUBLIC, None),
    )
    if failure is None:
        if expected is Verdict.ACCEPTED:
            return None
        return Kind.WRONG_PASSES, f"{program} passes all tests"
    where = f"{program}: {failure.verdict} on {pool}[{failure.index}]"
    if expected is Verdict.ACCEPTED:
        return Kind.REFERENCE_FAILS, where
    if expected not in (None, failure.verdict):
        return Kind.OTHER_VERDICT, f"{where}, expected {expected}"
    return None


def _agree(test: TestCase, other: TestCase, checker: Checker) -> bool:
    stdin, expected, output = (
        text.encode("utf-8", "surrogatepass")
        for text in (test.stdin, test.expected_stdout, other.expected_stdout)
    )
    return checker(stdin, expected, output)


def _shown(text: str) -> str:
    return repr(text if len(text) <= MAX_CHARS_SHOWN else text[:MAX_CHARS_SHOWN] + "[...]")


class _Summary:
    """Counts, and the first findings for the table."""

    def __init__(self, num_unreadable_left_out: int) -> None:
        self._num_unreadable_left_out = num_unreadable_left_out
        self._kinds: Counter[Kind] = Counter()
        self._shown: list[Finding] = []
        self._num_problems = self._num_without_reference = 0
        self._num_reference_programs = self._num_wrong_programs = 0

    @property
    def num_findings(self) -> int:
        return self._kinds.total()

    def add(self, check: ProblemCheck, num_problems: int = 1) -> None:
        self._kinds.update(finding.kind for finding in check.findings)
        self._shown += check.findings[: MAX_ROWS_SHOWN - len(self._shown)]
        self._num_problems += num_problems
        self._num_reference_programs += check.num_reference_programs
        self._num_wrong_programs += check.num_wrong_programs
        if not check.num_reference_programs:
            self._num_without_reference += num_problems

    def print(self, json_path: Path | None) -> None:
        console = PlainConsole()
        if self._shown:
            table = Table("problem", "finding", "detail")
            for column in table.columns:
                column.overflow = "fold"
            for finding in self._shown:
                table.add_row(Text(finding.problem_id), finding.kind.value, Text(finding.detail))
            console.print(table)
        if hidden := self.num_findings - len(self._shown):
            where = f"see {json_path}" if json_path else "--json FILE writes all of them"
            console.print(f"... and {hidden} more; {where}.")
        for kind in Kind:
            if self._kinds[kind]:
                console.print(f"{self._kinds[kind]:6} {kind.value}")
        console.print(
            f"{counted(self._num_problems, 'problem')}, "
            f"{counted(self._num_reference_programs, 'reference program')}, "
            f"{counted(self._num_wrong_programs, 'wrong program')}, "
            f"{counted(self.num_findings, 'finding')}"
        )
        if self._num_unreadable_left_out:
            console.print(
                f"--limit left out {counted(self._num_unreadable_left_out, 'more row')} that "
                "cannot be read."
            )
        if self._num_without_reference:
            have = "has" if self._num_without_reference == 1 else "have"
            console.print(
                f"{counted(self._num_without_reference, 'problem')} {have} no reference program "
                "that can be run."
            )
