"""How programs ended on tests."""

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

from codefeedback_env.problem import Pool


class Verdict(StrEnum):
    """How one test ended; the first that applies, in this order, wins.

    A program that does not compile never runs, so COMPILE_ERROR is all it can get. There is no
    "internal error": a failing sandbox is a SandboxError.
    """

    SECURITY_VIOLATION = "security violation"
    TIME_LIMIT = "time limit exceeded"
    MEMORY_LIMIT = "memory limit exceeded"
    OUTPUT_LIMIT = "output limit exceeded"
    COMPILE_ERROR = "compile error"
    RUNTIME_ERROR = "runtime error"
    WRONG_ANSWER = "wrong answer"
    ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True, kw_only=True)
class TestResult:
    """One program on one test.

    ``stdout`` and ``stderr`` are empty for tests whose output nobody may see.
    """

    __test__ = False

    index: int
    """Position of the test in its pool."""

    verdict: Verdict
    stdout: str = ""
    stderr: str = ""
    cpu_time_s: float = 0.0
    wall_time_s: float = 0.0
    peak_memory_mib: float = 0.0
    exit_code: int | None = None
    """None where a signal ended the program or it did not compile."""

    signal: int | None = None
    """The signal that ended the program, None where it ended by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestReport:
    """The results of one pool, in the order of its tests.

    Judging may stop early, so ``results`` can be shorter than ``num_tests``.
    """

    __test__ = False

    pool: Pool
    num_tests: int
    results: tuple[TestResult, ...] = ()

    @property
    def verdict(self) -> Verdict | None:
        """The first failing test's verdict; ACCEPTED where all passed; None where none ran.

        Of a pool that was left early without a failure, the verdict so far.
        """
        failure = self.first_failure
        if failure is not None:
            return failure.verdict
        return Verdict.ACCEPTED if self.results or not self.num_tests else None

    @property
    def num_passed(self) -> int:
        """How many of the tests run were passed."""
        return sum(result.verdict is Verdict.ACCEPTED for result in self.results)

    @property
    def all_ran(self) -> bool:
        """Every test of the pool ran (true of an empty pool)."""
        return len(self.results) == self.num_tests

    @property
    def all_passed(self) -> bool:
        """Every test of the pool ran and was passed (true of an empty pool)."""
        return self.num_passed == self.num_tests

    @property
    def pass_fraction(self) -> float | None:
        """Passed tests over all tests in [0, 1]; None unless all ran, 1.0 for an empty pool."""
        if not self.all_ran:
            return None
        return self.num_passed / self.num_tests if self.num_tests else 1.0

    @property
    def first_failure(self) -> TestResult | None:
        """The failing test with the lowest index among those run."""
        return next((r for r in self.results if r.verdict is not Verdict.ACCEPTED), None)

    def verdict_counts(self) -> dict[str, int]:
        """How often each verdict came up among the tests run, in the order of Verdict."""
        counts = Counter(result.verdict for result in self.results)
        return {verdict.value: counts[verdict] for verdict in Verdict if counts[verdict]}
