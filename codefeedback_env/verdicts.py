"""How programs ended on tests."""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any

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


_VERDICTS = tuple(Verdict)
_CODES = {verdict: code for code, verdict in enumerate(_VERDICTS)}
_ACCEPTED = _CODES[Verdict.ACCEPTED]
_DETAILS = tuple(field.name for field in fields(TestResult) if field.name != "verdict")


PackedResults = tuple[bytes, bytes]
"""Results as they travel between processes.

First the verdict of each result, as its position in Verdict; then a pickle of the other fields, a
tuple of builtin values for each field. One object for each result takes longer to read than all
else a report needs, and nobody reads most results one by one.
"""


def pack_results(results: Sequence[TestResult]) -> PackedResults:
    """Results in columns."""
    verdicts = bytes(_CODES[result.verdict] for result in results)
    columns = [tuple(getattr(result, name) for result in results) for name in _DETAILS]
    return verdicts, pickle.dumps(columns, pickle.HIGHEST_PROTOCOL)


def unpack_results(packed: PackedResults) -> tuple[TestResult, ...]:
    """The results that were packed."""
    verdicts = [_VERDICTS[code] for code in packed[0]]
    columns = pickle.loads(packed[1])
    return tuple(
        TestResult(verdict=verdict, **dict(zip(_DETAILS, row, strict=True)))
        for verdict, *row in zip(verdicts, *columns, strict=True)
    )


class _MaybePacked:
    """The slot that a report has besides its fields."""

    __slots__ = ("_packed",)
    _packed: PackedResults | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TestReport(_MaybePacked):
    """The results of one pool, in the order of its tests.

    Judging may stop early, so ``results`` can be shorter than ``num_tests``.
    """

    __test__ = False

    pool: Pool
    num_tests: int
    results: tuple[TestResult, ...] = ()

    @classmethod
    def from_packed(cls, pool: Pool, num_tests: int, packed: PackedResults) -> "TestReport":
        """A report that makes its results when somebody reads them."""
        report = cls.__new__(cls)
        object.__setattr__(report, "pool", pool)
        object.__setattr__(report, "num_tests", num_tests)
        object.__setattr__(report, "_packed", packed)
        return report

    if not TYPE_CHECKING:  # a type checker would take it that reports have every attribute

        def __getattr__(self, name: str) -> Any:
            """Called for slots that are empty: the results of a packed report, made here."""
            if name == "_packed":
                return None
            packed = self._packed
            if name == "results" and packed is not None:
                # Threads that come here together make equal results, and the last one's stay.
                object.__setattr__(self, "results", unpack_results(packed))
                object.__setattr__(self, "_packed", None)
            # Either another thread was quicker, or there is no such attribute.
            return object.__getattribute__(self, name)

    @property
    def verdict(self) -> Verdict | None:
        """The first failing test's verdict; ACCEPTED where all passed; None where none ran.

        Of a pool that was left early without a failure, the verdict so far.
        """
        failure = self._first_failed(codes := self._codes())
        if failure is not None:
            return _VERDICTS[codes[failure]]
        return Verdict.ACCEPTED if codes or not self.num_tests else None

    @property
    def num_passed(self) -> int:
        """How many of the tests run were passed."""
        return self._codes().count(_ACCEPTED)

    @property
    def all_ran(self) -> bool:
        """Every test of the pool ran (true of an empty pool)."""
        return len(self._codes()) == self.num_tests

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
        failure = self._first_failed(self._codes())
        return None if failure is None else self.results[failure]

    def verdict_counts(self) -> dict[str, int]:
        """How often each verdict came up among the tests run, in the order of Verdict."""
        codes = self._codes()
        return {_VERDICTS[code].value: codes.count(code) for code in sorted(set(codes))}

    def _codes(self) -> bytes:
        """The verdicts of the results as their positions in Verdict; needs no results made."""
        packed = self._packed
        if packed is not None:
            return packed[0]
        return bytes(_CODES[result.verdict] for result in self.results)

    @staticmethod
    def _first_failed(codes: bytes) -> int | None:
        return next((i for i, code in enumerate(codes) if code != _ACCEPTED), None)
