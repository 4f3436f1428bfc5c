"""Whether a program's output is right."""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from codefeedback_env.errors import ConfigError
from codefeedback_env.lookup import look_up
from codefeedback_env.problem import Pool, Problem
from codefeedback_env.problem_checkers import PROBLEM_CHECKERS, Checker

MAX_LITERAL_BYTES = 64
DEFAULT_TOLERANCE = 1e-6
DEEPMIND_TOLERANCE = 1e-5  # absolute, google-deepmind/code_contests, OutputsMatch

_DECIMAL = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?")
_INTEGER = re.compile(rb"[+-]?\d{1,%d}" % (MAX_LITERAL_BYTES - 1))
_POWER_OF_TEN = re.compile(r"(?<![\d.])(?:10\s*\^?\s*\{?\s*[-\u2212]\s*(\d+)|1e-(\d+))")
_ABOUT_ERRORS = re.compile(r"error|precision|toleran|accura|differ|deviat", re.IGNORECASE)
_ERROR_CONTEXT = 160  # characters around a bound in which a statement speaks of errors
_ANY_CASE = re.compile(
    r"(any|either|upper or lower|arbitrary)\s+(letter\s+)?case|case[- ]insensitive", re.IGNORECASE
)
_YES_NO = frozenset({b"yes", b"no"})


class Judging(StrEnum):
    """How outputs and exit statuses become verdicts."""

    STRICT = "strict"
    """Exit status 0 and equal tokens; numbers leniently only in problems about real numbers."""

    DEEPMIND = "deepmind"
    """The comparison of the original CodeContests harness.

    Right output counts whatever came after it: a bad exit status, or a limit. Only a hostile
    system call still rejects.

    Source: google-deepmind/code_contests, execution/solve_example.cc and tester."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How one problem's outputs are compared; fixed by the problem, never by the submission.

    Source of the modes: the faults listed for the CodeContests matcher, see docs/sandbox.md.
    """

    tolerance: float | None = None
    """Allowed error of numbers, relative to max(1, expected); None compares bytes.

    Two integers have none: a large one would else match its neighbours."""

    fold_case: bool = False

    def __call__(self, stdin: bytes, expected: bytes, output: bytes) -> bool:
        """Whether ``output`` is as good as ``expected``; ``stdin`` is not looked at."""
        if output.rstrip() == expected.rstrip():
            return True
        if self.fold_case:
            output, expected = output.lower(), expected.lower()
        wanted = expected.split()
        given = output.split(None, len(wanted))  # of an endless output no more than that
        if len(given) != len(wanted):
            return False
        tolerance = self.tolerance
        if tolerance is None:
            return given == wanted
        return all(a == b or _close(a, b, tolerance) for a, b in zip(given, wanted, strict=True))


def deepmind_comparison(stdin: bytes, expected: bytes, output: bytes) -> bool:
    """Tokens equal without case, or both numbers within 1e-5 of each other.

    Integers go through double precision, so large ones compare approximately: kept for parity.
    """
    wanted = expected.lower().split()
    given = output.lower().split(None, len(wanted))
    if len(given) != len(wanted):
        return False
    for a, b in zip(given, wanted, strict=True):
        if a == b:
            continue
        x, y = _number(a), _number(b)
        if x is None or y is None or not abs(x - y) < DEEPMIND_TOLERANCE:
            return False
    return True


def comparison_for(problem: Problem) -> Comparison:
    """The mode that the problem's own data asks for.

    Numbers are compared with a tolerance where an expected token of any test is a decimal literal
    with a point, the tolerance taken from the statement or 1e-6. Case is ignored where every
    word in the expected outputs is yes or no, or the statement says that any case will do.
    """
    words: set[bytes] = set()
    has_decimals = False
    for pool in Pool:
        for test in problem.tests(pool):
            for token in set(test.expected_stdout.encode("utf-8", "surrogatepass").split()):
                if token.isalpha():
                    words.add(token.lower())
                elif b"." in token and len(token) <= MAX_LITERAL_BYTES:
                    has_decimals = has_decimals or _DECIMAL.fullmatch(token) is not None
    fold_case = (bool(words) and words <= _YES_NO) or _ANY_CASE.search(
        problem.statement
    ) is not None
    tolerance = _stated_tolerance(problem.statement) if has_decimals else None
    return Comparison(tolerance=tolerance, fold_case=fold_case)


def checker_for(
    problem: Problem,
    judging: Judging,
    override: Checker | str | None = None,
    known: Mapping[str, Checker] = PROBLEM_CHECKERS,
) -> Checker:
    """The function that decides on outputs of this problem.

    Args:
        problem: whose own checker wins over comparing outputs.
        judging: DEEPMIND knows no checkers and compares as the original harness does.
        override: a checker, or a name, for every problem.
        known: checkers by name.

    Raises:
        UnknownNameError: no checker has the name asked for.
        ConfigError: ``override`` is neither name nor function, or takes other arguments.
    """
    if isinstance(override, str):
        return look_up("checker", override, known)
    if override is not None:
        check_checker(override)
        return override
    if judging is Judging.DEEPMIND:
        return deepmind_comparison
    if problem.checker is not None:
        return look_up("checker", problem.checker, known)
    return comparison_for(problem)


def register_checker(name: str, check: Callable[[bytes, bytes, bytes], bool]) -> None:
    """Make ``check`` known to problems that name it.

    Args:
        name: what ``Problem.checker`` says; must be new.
        check: ``check(stdin, expected, output) -> bool`` over bytes. Trusted: it runs outside the
            sandbox, in the judge's own processes, so keep it linear and evaluate nothing.

    Raises:
        ConfigError: the name is taken, or ``check`` takes other arguments.
    """
    check_checker(check)
    if PROBLEM_CHECKERS.get(name, check) is not check:
        raise ConfigError(f"a checker named {name!r} exists already; choose another name.")
    PROBLEM_CHECKERS[name] = check


def check_checker(check: object) -> None:
    """See that a checker can be called, before all it judges would count as wrong.

    Raises:
        ConfigError: it is no function, or cannot take three arguments.
    """
    wanted = "check(stdin, expected, output) -> bool over bytes"
    if not callable(check):
        raise ConfigError(f"checker={check!r} is neither a name nor a function {wanted}.")
    try:
        signature = inspect.signature(check)
    except ValueError:  # written in C, and silent about its arguments
        return
    try:
        signature.bind(b"", b"", b"")
    except TypeError as error:
        raise ConfigError(
            f"checker={check!r} cannot be called with three arguments ({error}); it must be "
            f"{wanted}."
        ) from error


def _close(a: bytes, b: bytes, tolerance: float) -> bool:
    if _INTEGER.fullmatch(a) and _INTEGER.fullmatch(b):
        return int(a) == int(b)
    x, y = _number(a), _number(b)
    return x is not None and y is not None and abs(x - y) <= tolerance * max(1.0, abs(y))


def _number(token: bytes) -> float | None:
    """A plain ASCII decimal literal as a finite float, else None."""
    if len(token) > MAX_LITERAL_BYTES or _DECIMAL.fullmatch(token) is None:
        return None
    value = float(token)
    return value if abs(value) < float("inf") else None


def _stated_tolerance(statement: str) -> float:
    """The loosest error bound that the statement names, such as 10^{-6}, 1e-6 or "10 - 6"."""
    exponents = []
    for match in _POWER_OF_TEN.finditer(statement):
        around = statement[max(match.start() - _ERROR_CONTEXT, 0) : match.end() + _ERROR_CONTEXT]
        exponent = int(match[1] or match[2])
        if 2 <= exponent <= 18 and _ABOUT_ERRORS.search(around):
            exponents.append(exponent)
    return 10.0 ** -min(exponents) if exponents else DEFAULT_TOLERANCE
