"""``codefeedback judge --replay``: recorded episodes judged once more, and what differs."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import lru_cache

from codefeedback_env.checkers import Judging, checker_for
from codefeedback_env.commands.arguments import open_judge, open_problems, unknown_problem
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
from codefeedback_env.datasets.sampling import limit_hidden_tests
from codefeedback_env.episode import EndedBy, Episode, Turn
from codefeedback_env.errors import CodeFeedbackError, RecordError, SandboxUnavailableError
from codefeedback_env.judge.judge import Judge
from codefeedback_env.judge.protocol import (
    JudgeReport,
    PackedProblem,
    Plan,
    Stage,
    WorkerInfo,
    pack,
)
from codefeedback_env.lookup import look_up
from codefeedback_env.make import CUSTOM_SPLIT, load_problems
from codefeedback_env.problem import Pool
from codefeedback_env.verdicts import TestReport

EPISODES_PER_WORKER = 4
CACHED_PROBLEMS = 16
CUSTOM_CHECKER = "custom"
"""What a record says of a checker that was given as a function."""

_PUBLIC = Plan(stages=(Stage(pool=Pool.PUBLIC),))
_ALL = Plan(
    stages=(
        Stage(pool=Pool.PUBLIC),
        *(Stage(pool=pool, max_failures=1) for pool in (Pool.PRIVATE, Pool.GENERATED)),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something that came out otherwise than recorded."""

    turn: int
    """1 for the first."""

    what: str
    """``public_tests[index]``, ``public_tests`` (their number) or ``private_passed``."""

    recorded: str
    judged: str

    def __str__(self) -> str:
        """One line."""
        return f"turn {self.turn}, {self.what}: recorded {self.recorded}, judged {self.judged}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What judging one record again gave; the fields are those of the JSON lines."""

    line: int
    problem_id: str | None = None
    num_turns: int = 0
    differences: tuple[Difference, ...] = ()
    error: str | None = None
    """Why the record could not be judged again."""

    skipped: bool = False
    """The sandbox had failed, so there is nothing to compare with."""

    recorded_on: str | None = None
    """Sandbox and interpreter."""


@dataclass(frozen=True, slots=True)
class _Rules:
    """What a record's settings say of judging."""

    judging: Judging
    checker: str | None
    max_private_tests: int | None
    time_factor: float


def run(arguments: argparse.Namespace) -> int:
    """Judge the episodes in ``--replay`` again; 0 if all came out as recorded, else 1."""
    given_problems = open_problems(arguments)
    source, target = arguments.replay, arguments.json
    totals = _Totals()
    with open_input(source) as lines, closing(open_judge(arguments)) as judge:
        machine = judge.info()
        num_workers = judge.settings.num_workers
        print(
            f"Judging again in {machine.sandbox}, Python {machine.python_version}, "
            f"{counted(num_workers, 'worker')}.",
            file=sys.stderr,
        )
        replay = _Replay(judge, given_problems, arguments.ignore_fingerprint)
        started = (replay.start(number, line) for number, line in numbered_lines(lines))
        with (
            open_output(target, source) as output,
            progress("episodes", num_lines(source), prints_rows=True) as advance,
        ):
            for outcome in collect_in_order(started, EPISODES_PER_WORKER * num_workers):
                if target is not None:
                    print(json.dumps(asdict(outcome)), file=output)
                totals.add(outcome)
                _print_outcome(outcome)
                advance()
    totals.print(machine)
    return 0 if totals.all_equal else 1


class _Replay:
    """Starts judging records again; problem sets and packed problems are kept for the next ones."""

    def __init__(
        self, judge: Judge, given_problems: ProblemSet | None, ignore_fingerprint: bool
    ) -> None:
        self._judge = judge
        self._given_problems = given_problems
        self._ignore_fingerprint = ignore_fingerprint
        self._load = lru_cache(None)(_load)
        self._pack = lru_cache(CACHED_PROBLEMS)(_pack)

    def start(self, number: int, line: bytes) -> Callable[[], Outcome]:
        """Begin with one record; the function given waits for its outcome."""
        problem_id: str | None = None
        try:
            episode = _episode(line)
            problem_id = episode.problem_id
            if episode.ended_by is EndedBy.SANDBOX_FAILURE:
                skipped = Outcome(line=number, problem_id=problem_id, skipped=True)
                return lambda: skipped
            waits = list(self._start_turns(episode))
        except SandboxUnavailableError:
            raise
        except CodeFeedbackError as error:
            failure = Outcome(line=number, problem_id=problem_id, error=str(error))
            return lambda: failure

        def wait() -> Outcome:
            try:
                differences = tuple(d for wait_turn in waits for d in wait_turn())
            except SandboxUnavailableError:
                raise
            except CodeFeedbackError as error:
                return Outcome(line=number, problem_id=problem_id, error=str(error))
            return Outcome(
                line=number,
                problem_id=problem_id,
                num_turns=len(episode.turns),
                differences=differences,
                recorded_on=_recorded_on(episode),
            )

        return wait

    def _start_turns(self, episode: Episode) -> Iterator[Callable[[], list[Difference]]]:
        problems = self._problems(episode)
        if episode.problem_id not in problems:
            raise unknown_problem(problems, episode.problem_id)
        packed = self._pack(problems, episode.problem_id, _rules(episode))
        for number, turn in enumerate(episode.turns, start=1):
            is_last = number == len(episode.turns)
            if is_last:
                yield self._start_turn(packed, number, turn, _ALL, episode.private_passed)
            elif turn.public_report is not None:
                yield self._start_turn(packed, number, turn, _PUBLIC, None)

    def _start_turn(
        self,
        packed: PackedProblem,
        number: int,
        turn: Turn,
        plan: Plan,
        private_passed: bool | None,
    ) -> Callable[[], list[Difference]]:
        """``private_passed`` is what the record says of the final turn, None for another."""
        if turn.submission is None:
            return lambda: list(_compare(number, turn, None, private_passed))
        future = self._judge.submit(packed, turn.submission, plan)
        return lambda: list(_compare(number, turn, future.result(), private_passed))

    def _problems(self, episode: Episode) -> ProblemSet:
        """The problems the record was made with, or those given instead."""
        settings = episode.settings
        problems = self._given_problems
        if problems is None:
            dataset, split = settings.get("dataset"), settings.get("split")
            if not isinstance(dataset, str) or not isinstance(split, str):
                raise RecordError("the record names no dataset and split; give PROBLEMS.")
            problems = self._load(dataset, split)
        fingerprint = settings.get("fingerprint")
        if not self._ignore_fingerprint and fingerprint != problems.data_fingerprint:
            raise RecordError(
                f"the record belongs to other problems: its fingerprint is {fingerprint}, that of "
                f"{problems.name} ({problems.split}) is {problems.data_fingerprint}. Give the same "
                "problems, or --ignore-fingerprint where their tests are known to be the same."
            )
        return problems


def _compare(
    number: int, turn: Turn, report: JudgeReport | None, private_passed: bool | None
) -> Iterator[Difference]:
    recorded = turn.public_report
    if report is None and recorded is not None:
        raise RecordError(f"turn {number} has test results but no program.")
    if report is not None and recorded is not None:
        yield from _compare_tests(number, recorded, report.reports[Pool.PUBLIC])
    passed = report is not None and report.all_passed
    if private_passed is not None and private_passed != passed:
        yield Difference(
            turn=number,
            what="private_passed",
            recorded=str(private_passed).lower(),
            judged=str(passed).lower(),
        )


def _compare_tests(number: int, recorded: TestReport, judged: TestReport) -> Iterator[Difference]:
    if recorded.num_tests != judged.num_tests:
        yield Difference(
            turn=number,
            what="public_tests",
            recorded=f"{recorded.num_tests} tests",
            judged=f"{judged.num_tests} tests",
        )
    verdicts = {result.index: result.verdict.value for result in judged.results}
    before = {result.index: result.verdict.value for result in recorded.results}
    for index in sorted(verdicts.keys() | before.keys()):
        if before.get(index) != verdicts.get(index):
            yield Difference(
                turn=number,
                what=f"public_tests[{index}]",
                recorded=before.get(index, "no result"),
                judged=verdicts.get(index, "no result"),
            )


def _episode(line: bytes) -> Episode:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RecordError(f"not an episode record: {error}.") from error
    episode = Episode.from_json(text)
    if not isinstance(episode.problem_id, str) or not isinstance(episode.settings, dict):
        raise RecordError("not an episode record: its problem_id or settings are of a wrong type.")
    if not episode.turns and episode.ended_by is not EndedBy.SANDBOX_FAILURE:
        raise RecordError("the record has no turns.")
    return episode


def _rules(episode: Episode) -> _Rules:
    settings = episode.settings
    try:
        judging, checker = settings["judging"], settings["checker"]
        max_private_tests, time_factor = settings["max_private_tests"], settings["time_factor"]
    except KeyError as error:
        raise RecordError(f"the record's settings do not say {error}.") from error
    if checker == CUSTOM_CHECKER:
        raise RecordError(
            "the record was judged by a checker given as a function, which a record cannot hold; "
            "give checkers a name with register_checker."
        )
    if not (
        isinstance(checker, str | None)
        and isinstance(max_private_tests, int | None)
        and isinstance(time_factor, int | float)
        and time_factor > 0
    ):
        raise RecordError(
            f"the record's settings are of a wrong type: checker={checker!r}, "
            f"max_private_tests={max_private_tests!r}, time_factor={time_factor!r}."
        )
    profiles = {profile.value: profile for profile in Judging}
    return _Rules(
        look_up("judging profile", str(judging), profiles), checker, max_private_tests, time_factor
    )


def _load(dataset: str, split: str) -> ProblemSet:
    if split == CUSTOM_SPLIT:
        raise RecordError(
            f"the record's problems ({dataset}, split {split!r}) are those of a file or program of "
            "your own, which a record does not name; give the problems' file as PROBLEMS."
        )
    try:
        return load_problems(dataset, split=split, exclude=None)
    except CodeFeedbackError as error:
        raise RecordError(
            f"the problems of the record cannot be loaded: {error} Give PROBLEMS where they lie "
            "elsewhere."
        ) from error


def _pack(problems: ProblemSet, problem_id: str, rules: _Rules) -> PackedProblem:
    """As an environment packs it: all tests decide on the comparison, also where only some run."""
    problem = problems[problem_id]
    checker = checker_for(problem, rules.judging, rules.checker)
    limited = limit_hidden_tests(problem, rules.max_private_tests)
    return pack(limited, judging=rules.judging, checker=checker, time_factor=rules.time_factor)


def _recorded_on(episode: Episode) -> str:
    sandbox, python, numpy = (episode.settings.get(key) for key in ("sandbox", "python", "numpy"))
    return _machine(sandbox, python, numpy)


def _machine(sandbox: object, python: object, numpy: object) -> str:
    return f"{sandbox}, Python {python}, {f'numpy {numpy}' if numpy else 'no numpy'}"


def _print_outcome(outcome: Outcome) -> None:
    place = f"line {outcome.line}"
    if outcome.problem_id is not None:
        place += f", problem {outcome.problem_id}"
    if outcome.error is not None:
        print(f"{place}: {outcome.error}")
    for difference in outcome.differences:
        print(f"{place}: {difference}")


class _Totals:
    """Counts what came out, without keeping it."""

    def __init__(self) -> None:
        self.num_episodes = self.num_turns = self.num_differences = 0
        self.num_errors = self.num_skipped = 0
        self._recorded_on: set[str] = set()

    @property
    def all_equal(self) -> bool:
        return not self.num_differences and not self.num_errors

    def add(self, outcome: Outcome) -> None:
        self.num_skipped += outcome.skipped
        self.num_errors += outcome.error is not None
        self.num_episodes += not outcome.skipped and outcome.error is None
        self.num_turns += outcome.num_turns
        self.num_differences += len(outcome.differences)
        if outcome.differences and outcome.recorded_on is not None:
            self._recorded_on.add(outcome.recorded_on)

    def print(self, machine: WorkerInfo) -> None:
        here = _machine(machine.sandbox, machine.python_version, machine.numpy_version)
        for there in sorted(self._recorded_on - {here}):
            print(f"Some that differ were recorded in {there}; judged here in {here}.")
        parts = [
            f"{counted(self.num_episodes, 'episode')}, {counted(self.num_turns, 'turn')}, "
            f"{counted(self.num_differences, 'difference')}"
        ]
        if self.num_errors:
            parts.append(f"{counted(self.num_errors, 'record')} could not be judged")
        if self.num_skipped:
            parts.append(f"{self.num_skipped} skipped, whose sandbox had failed")
        print("; ".join(parts))
