"""The dataset's own programs, judged: reference programs shall pass and wrong ones shall not."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from codefeedback_env.checkers import Judging, checker_for
from codefeedback_env.data_quality.failures import FailureKind, explain_failure
from codefeedback_env.errors import SandboxError, SandboxUnavailableError
from codefeedback_env.judge.judge import Judge
from codefeedback_env.judge.protocol import JudgeReport, Plan, Stage, pack
from codefeedback_env.languages import Submission
from codefeedback_env.problem import Pool, Problem
from codefeedback_env.verdicts import TestResult, Verdict

_PASSES_OR_NOT = Plan(
    stages=tuple(Stage(pool=pool, max_failures=1, in_any_order=True) for pool in Pool)
)
_FIRST_FAILURE = Plan(
    stages=tuple(Stage(pool=pool, max_failures=1, keep_output=True) for pool in Pool)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramOutcome:
    """How one program came out; what is about a failure is None for a program that passes."""

    verdict: Verdict | None
    """ACCEPTED where all tests passed; None where it could not be judged."""

    passed_public: bool = False
    pool: Pool | None = None
    index: int | None = None
    """The first failing test in the order of the pools; of a wrong program any failing test."""

    kind: FailureKind | None = None
    excerpt: str = ""
    output: str | None = None
    """What a reference program printed on that test; not kept in a report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramOutcomes:
    """How the programs of one problem came out."""

    references: tuple[ProgramOutcome, ...] = ()
    wrong: tuple[ProgramOutcome, ...] = ()

    @property
    def was_judged(self) -> bool:
        """No sandbox failed, so that doing it again would give the same."""
        return all(outcome.verdict is not None for outcome in (*self.references, *self.wrong))


def start_programs(
    judge: Judge,
    problem: Problem,
    references: Sequence[Submission],
    wrong: Sequence[Submission],
    *,
    takes_any_answer: bool,
) -> Callable[[], ProgramOutcomes]:
    """Begin to judge the programs of a problem; the function given waits for the outcomes.

    Whether a program passes is found out with the tests first that failed before; a reference
    program that fails then runs again, in order and with its output kept.

    Raises:
        SandboxUnavailableError: this machine cannot judge.
    """
    if not any(problem.tests(pool) for pool in Pool):
        return ProgramOutcomes
    packed = pack(problem, judging=Judging.STRICT, checker=checker_for(problem, Judging.STRICT))
    right_futures = [judge.submit(packed, program, _PASSES_OR_NOT) for program in references]
    wrong_futures = [judge.submit(packed, program, _PASSES_OR_NOT) for program in wrong]

    def wait() -> ProgramOutcomes:
        again = {
            number: judge.submit(packed, references[number], _FIRST_FAILURE)
            for number, future in enumerate(right_futures)
            if _fails(future)
        }
        return ProgramOutcomes(
            references=tuple(
                _outcome(
                    again.get(number, future),
                    problem,
                    references[number],
                    takes_any_answer=takes_any_answer,
                )
                for number, future in enumerate(right_futures)
            ),
            wrong=tuple(_outcome(future) for future in wrong_futures),
        )

    return wait


def _fails(future: "Future[JudgeReport]") -> bool:
    try:
        return not future.result().all_passed
    except SandboxUnavailableError:
        raise
    except SandboxError:
        return False


def _outcome(
    future: "Future[JudgeReport]",
    problem: Problem | None = None,
    program: Submission | None = None,
    *,
    takes_any_answer: bool = False,
) -> ProgramOutcome:
    """With the failure explained where problem and program are given."""
    try:
        report = future.result()
    except SandboxUnavailableError:
        raise
    except SandboxError as error:
        return ProgramOutcome(verdict=None, excerpt=f"not judged: {error}")
    failed = first_failure(report)
    if failed is None:
        return ProgramOutcome(verdict=Verdict.ACCEPTED, passed_public=True)
    pool, failure = failed
    if problem is None or program is None:
        return ProgramOutcome(
            verdict=failure.verdict,
            passed_public=pool is not Pool.PUBLIC,
            pool=pool,
            index=failure.index,
        )
    test = problem.tests(pool)[failure.index] if report.compiled else None
    kind, excerpt = explain_failure(
        failure, test, program.source_code, takes_any_answer=takes_any_answer
    )
    return ProgramOutcome(
        verdict=failure.verdict,
        passed_public=pool is not Pool.PUBLIC,
        pool=pool,
        index=failure.index,
        kind=kind,
        excerpt=excerpt,
        output=failure.stdout,
    )


def first_failure(report: JudgeReport) -> tuple[Pool, TestResult] | None:
    """Pool and result of the first test that failed, in the order of the pools."""
    return next(
        (
            (pool, pool_report.first_failure)
            for pool, pool_report in report.reports.items()
            if pool_report.first_failure is not None
        ),
        None,
    )
