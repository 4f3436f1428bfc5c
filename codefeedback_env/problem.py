"""Problems and their tests, as every dataset delivers them."""

import math
from dataclasses import dataclass, field
from enum import StrEnum

from codefeedback_env.errors import ConfigError

FUNCTION_RULES = ("equal", "apps")
"""Names of the ways to compare a call's result, which ``judge/function_rules.py`` defines."""


class Pool(StrEnum):
    """Where a test comes from; the order in which pools are judged."""

    PUBLIC = "public"
    PRIVATE = "private"
    GENERATED = "generated"


@dataclass(frozen=True, slots=True)
class TestCase:
    """One run of a program: what it reads and what it must print."""

    __test__ = False

    stdin: str
    expected_stdout: str


class FunctionStyle(StrEnum):
    """How the tests of a function-style problem are written."""

    CALL = "call"
    """One call: ``stdin`` holds the arguments, one JSON value on each line, ``expected_stdout`` the
    JSON value to be returned."""

    ASSERTS = "asserts"
    """Test code: ``stdin`` holds Python source that calls the function and asserts something about
    the results, ``expected_stdout`` is empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionTask:
    """What a program must define where tests call a function instead of running the program."""

    name: str
    """Of the function; it may also be a method of a class ``Solution`` without arguments."""

    style: FunctionStyle

    rule: str = "equal"
    """How a call's result is compared, for ``CALL``: "equal" (by ``==``, tuples as lists) or "apps"
    (floats within 1e-9, and the result may be the only item of the expected list)."""

    test_setup: str = ""
    """For ``ASSERTS``: trusted source that runs before each test, beside the test."""

    program_setup: str = ""
    """Source that is put after every program, such as MBPP's ``test_setup_code``."""

    reply_prefix: str = ""
    """Source with which every program begins (HumanEval's prompt); replies may repeat it."""

    def __post_init__(self) -> None:
        """Take the style by its name too, and refuse what no judge knows.

        Raises:
            ConfigError: the name is no string or empty, or style or rule are none of the known.
        """
        if not isinstance(self.name, str) or not self.name:
            raise ConfigError(f"FunctionTask: name={self.name!r} must be the function's name.")
        try:
            style = FunctionStyle(self.style)
        except ValueError as error:
            known = ", ".join(repr(style.value) for style in FunctionStyle)
            raise ConfigError(
                f"FunctionTask {self.name!r}: style={self.style!r} is unknown; known: {known}."
            ) from error
        object.__setattr__(self, "style", style)
        if self.rule not in FUNCTION_RULES:
            known = ", ".join(map(repr, FUNCTION_RULES))
            raise ConfigError(
                f"FunctionTask {self.name!r}: rule={self.rule!r} is unknown; known: {known}."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A programming task with its tests.

    ``private_tests`` and ``generated_tests`` are hidden: nothing of them may reach an agent.
    """

    id: str
    """Unique within its ProblemSet; not empty."""

    statement: str
    """The task as the dataset words it; inserted verbatim into the prompt."""

    public_tests: tuple[TestCase, ...] = ()
    private_tests: tuple[TestCase, ...] = ()
    generated_tests: tuple[TestCase, ...] = ()

    time_limit_s: float | None = None
    """CPU seconds for one test, None where the dataset does not say."""

    memory_limit_mib: int | None = None
    """None where the dataset does not say."""

    checker: str | None = None
    """Name of a checker for problems with several right answers, None to compare outputs."""

    difficulty: str | None = None
    """The dataset's own word, lower case."""

    tags: tuple[str, ...] = ()

    function: FunctionTask | None = None
    """None where tests run the program with an input and compare what it prints."""

    source: dict[str, str] = field(default_factory=dict, compare=False)
    """Where the problem and its fields come from."""

    def __post_init__(self) -> None:
        """Refuse types that would fail in the middle of an episode; lists of tests become tuples.

        Raises:
            ConfigError: a field has another type, or a limit is not positive.
        """
        if not isinstance(self.id, str) or not self.id:
            raise ConfigError(f"Problem: id={self.id!r} must be a string that is not empty.")
        if not isinstance(self.statement, str):
            raise self._error("statement", self.statement, "a string")
        for pool in Pool:
            self._check_tests(f"{pool}_tests")
        if self.time_limit_s is not None and not _is_positive(self.time_limit_s):
            raise self._error("time_limit_s", self.time_limit_s, "a number above 0, or None")
        limit = self.memory_limit_mib
        if limit is not None and (not _is_positive(limit) or not isinstance(limit, int)):
            raise self._error("memory_limit_mib", limit, "a whole number above 0, or None")
        if not isinstance(self.checker, str | None):
            raise self._error("checker", self.checker, "the name of a checker, or None")
        if not isinstance(self.function, FunctionTask | None):
            raise self._error("function", self.function, "a FunctionTask, or None")

    def _check_tests(self, name: str) -> None:
        tests = getattr(self, name)
        if isinstance(tests, list):
            tests = tuple(tests)
            object.__setattr__(self, name, tests)
        if not isinstance(tests, tuple):
            raise self._error(name, tests, "a tuple of TestCase")
        for number, test in enumerate(tests):
            if not isinstance(test, TestCase):
                raise self._error(f"{name}[{number}]", test, "a TestCase(stdin, expected_stdout)")
            if not isinstance(test.stdin, str):
                raise self._error(f"{name}[{number}].stdin", test.stdin, "a string")
            if not isinstance(test.expected_stdout, str):
                raise self._error(
                    f"{name}[{number}].expected_stdout", test.expected_stdout, "a string"
                )

    def _error(self, field_name: str, value: object, wanted: str) -> ConfigError:
        return ConfigError(f"problem {self.id!r}: {field_name}={value!r:.80} must be {wanted}.")

    def tests(self, pool: Pool) -> tuple[TestCase, ...]:
        """The tests of one pool."""
        match pool:
            case Pool.PUBLIC:
                return self.public_tests
            case Pool.PRIVATE:
                return self.private_tests
            case Pool.GENERATED:
                return self.generated_tests


def _is_positive(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 < value < math.inf  # type: ignore[operator]  # a number, as just seen
