"""``codefeedback judge``: verdicts on many submissions, or on recorded episodes once more."""

import argparse
import json
import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from codefeedback_env.checkers import Judging, checker_for
from codefeedback_env.commands import replay
from codefeedback_env.commands.arguments import (
    DATASET_NAMES,
    add_judge_arguments,
    add_problem_arguments,
    open_judge,
    open_problems,
    unknown_problem,
)
from codefeedback_env.commands.console import counted
from codefeedback_env.commands.in_flight import collect_in_order
from codefeedback_env.commands.json_lines import (
    num_lines,
    numbered_lines,
    open_input,
    open_output,
)
from codefeedback_env.commands.progress import progress
from codefeedback_env.datasets.problem_set import ProblemSet
from codefeedback_env.errors import (
    CodeFeedbackError,
    ConfigError,
    RecordError,
    SandboxError,
    SandboxUnavailableError,
)
from codefeedback_env.judge.judge import Judge
from codefeedback_env.judge.protocol import JudgeReport, PackedProblem, Plan, Stage, pack
from codefeedback_env.languages import LANGUAGES, PYTHON3, Submission
from codefeedback_env.lookup import look_up
from codefeedback_env.problem import Pool
from codefeedback_env.verdicts import Verdict

HELP = "verdicts on many submissions, or on recorded episodes once more"
DESCRIPTION = (
    "Judge submissions: lines of JSON with name (a problem's id), code and, optionally, language. "
    "Results are lines of JSON in the same order, on standard output or in --json FILE. With "
    "--replay, judge recorded episodes again, by the rules in the records, and report every "
    "verdict that differs. Exit status 1 if a line could not be judged, or verdicts differ."
)

SUBMISSIONS_PER_WORKER = 4  # under way or waiting, so that one slow program leaves nobody idle
CACHED_PROBLEMS = 16

Row = dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``run``."""
    parser.set_defaults(run=run)
    add_problem_arguments(parser)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--submissions", type=Path, metavar="FILE", help="JSON lines to judge")
    what.add_argument("--replay", type=Path, metavar="FILE", help="recorded episodes to compare")
    parser.add_argument(
        "--judging",
        metavar="PROFILE",
        help=f"{' or '.join(Judging)}: how outputs are compared (default: {Judging.STRICT})",
    )
    parser.add_argument(
        "--time-factor", type=float, metavar="X", help="multiplies time limits (default: 1)"
    )
    parser.add_argument(
        "--all-tests",
        action="store_true",
        help="run every test of every pool instead of stopping at the first failure",
    )
    parser.add_argument(
        "--ignore-fingerprint",
        action="store_true",
        help="with --replay: go on where the problems are not those of the record",
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the results here, one line of JSON each"
    )
    add_judge_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Judge; 1 if a line could not be judged or verdicts differ, else 0."""
    _check(arguments)
    if arguments.replay is not None:
        return replay.run(arguments)
    problems = open_problems(arguments)
    if problems is None:
        raise ConfigError(
            f"no problems: give a dataset ({', '.join(sorted(DATASET_NAMES))}), a file or "
            "a directory."
        )
    profiles = {profile.value: profile for profile in Judging}
    rules = _Rules(
        judging=look_up("judging profile", arguments.judging or "strict", profiles),
        time_factor=1.0 if arguments.time_factor is None else arguments.time_factor,
        all_tests=arguments.all_tests,
    )
    summary = _Summary()
    source, target = arguments.submissions, arguments.json
    with open_input(source) as lines, closing(open_judge(arguments)) as judge:
        machine = judge.info()
        num_workers = judge.settings.num_workers
        print(
            f"Judging {problems.name} ({problems.split}) in {machine.sandbox}, Python "
            f"{machine.python_version}, {counted(num_workers, 'worker')}.",
            file=sys.stderr,
        )
        started = _start_all(numbered_lines(lines), problems, judge, rules)
        with (
            open_output(target, source) as output,
            progress("submissions", num_lines(source), prints_rows=target is None) as advance,
        ):
            for row in collect_in_order(started, SUBMISSIONS_PER_WORKER * num_workers):
                print(json.dumps(row), file=output)
                summary.add(row)
                advance()
    summary.print()
    return 1 if summary.num_errors else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rules:
    judging: Judging
    time_factor: float
    all_tests: bool

    @property
    def plan(self) -> Plan:
        max_failures = None if self.all_tests else 1
        return Plan(
            stages=tuple(Stage(pool=pool, max_failures=max_failures) for pool in Pool),
            stop_after_failed_pool=not self.all_tests,
        )


def _start_all(
    lines: Iterator[tuple[int, bytes]], problems: ProblemSet, judge: Judge, rules: _Rules
) -> Iterator[Callable[[], Row]]:
    """Start judging each line when it is asked for; the functions given wait for its row."""

    @lru_cache(CACHED_PROBLEMS)
    def packed(problem_id: str) -> PackedProblem:
        problem = problems[problem_id]
        if not any(problem.tests(pool) for pool in Pool):
            raise ConfigError(f"problem {problem_id!r} has no tests.")
        checker = checker_for(problem, rules.judging)
        return pack(problem, judging=rules.judging, checker=checker, time_factor=rules.time_factor)

    def start(number: int, line: bytes) -> Callable[[], Row]:
        name: str | None = None
        try:
            row = _object(number, line)
            name = _text(number, row, "name")
            submission = _submission(number, row)
            if name not in problems:
                raise unknown_problem(problems, name)
            future = judge.submit(packed(name), submission, rules.plan)
        except SandboxUnavailableError:
            raise
        except CodeFeedbackError as error:
            failure = _error_row(name, error)
            return lambda: failure
        known_name = name

        def wait() -> Row:
            try:
                return _result_row(known_name, future.result())
            except SandboxUnavailableError:
                raise
            except SandboxError as error:
                return _error_row(known_name, error)

        return wait

    for number, line in lines:
        yield start(number, line)


def _object(number: int, line: bytes) -> Row:
    """The JSON object in line ``number`` of a file.

    Raises:
        RecordError: there is none.
    """
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"line {number} is not JSON: {error}") from error
    if not isinstance(row, dict):
        raise RecordError(f"line {number} is a JSON {type(row).__name__}, not an object.")
    return row


def _result_row(name: str, report: JudgeReport) -> Row:
    """What the results say of one judged submission."""
    ran = [pool_report for pool_report in report.reports.values() if pool_report.results]
    failed = next((r for r in ran if r.first_failure is not None), None)
    failure = None if failed is None else failed.first_failure
    return {
        "name": name,
        "verdict": (Verdict.ACCEPTED if failure is None else failure.verdict).value,
        "pools": {r.pool.value: {"passed": r.num_passed, "total": r.num_tests} for r in ran},
        "first_failure": None
        if failed is None or failure is None
        else {"pool": failed.pool.value, "index": failure.index, "verdict": failure.verdict.value},
        "cpu_time_s": round(sum(result.cpu_time_s for r in ran for result in r.results), 6),
    }


def _error_row(name: str | None, error: Exception) -> Row:
    return {"error": str(error)} if name is None else {"name": name, "error": str(error)}


def _text(number: int, row: Row, key: str) -> str:
    if key not in row:
        raise RecordError(f"line {number} has no key {key!r}; it needs name and code.")
    if not isinstance(row[key], str):
        raise RecordError(
            f"line {number}: {key!r} must be a string, but is {type(row[key]).__name__}."
        )
    return str(row[key])


def _submission(number: int, row: Row) -> Submission:
    language = _text(number, {"language": PYTHON3.name, **row}, "language")
    look_up("language", language, LANGUAGES)
    return Submission(language, _text(number, row, "code"))


def _check(arguments: argparse.Namespace) -> None:
    if arguments.time_factor is not None and not 0 < arguments.time_factor < math.inf:
        raise ConfigError(f"--time-factor {arguments.time_factor} must be positive.")
    if arguments.replay is not None:
        from_record = {
            "--judging": arguments.judging is not None,
            "--time-factor": arguments.time_factor is not None,
            "--all-tests": arguments.all_tests,
        }
        if given := [option for option, is_given in from_record.items() if is_given]:
            raise ConfigError(f"{given[0]} does not go with --replay: the record says it.")
    elif arguments.ignore_fingerprint:
        raise ConfigError("--ignore-fingerprint goes with --replay only.")


class _Summary:
    """Counts what came out, without keeping it."""

    def __init__(self) -> None:
        self.num_errors = 0
        self._verdicts: Counter[str] = Counter()
        self._start = time.monotonic()

    def add(self, row: Row) -> None:
        if "error" in row:
            self.num_errors += 1
        else:
            self._verdicts[row["verdict"]] += 1

    def print(self) -> None:
        num_judged = self._verdicts.total()
        seconds = time.monotonic() - self._start
        title = f"{num_judged} submissions judged in {seconds:.1f} s"
        table = Table("verdict", title=title, title_justify="left")
        table.add_column("submissions", justify="right")
        table.add_column("share", justify="right")
        for verdict in reversed(Verdict):
            if count := self._verdicts[verdict.value]:
                table.add_row(verdict.value, str(count), f"{count / num_judged:.1%}")
        if self.num_errors:
            table.add_row("(not judged: errors)", str(self.num_errors), "")
        Console(stderr=True).print(table)
