"""Problems and their tests, as every dataset delivers them."""

from dataclasses import dataclass, field
from enum import StrEnum


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
    """How a call's result is compared, for ``CALL``: a name in ``function_rules.RULES``."""

    test_setup: str = ""
    """For ``ASSERTS``: trusted source that runs before each test, beside the test."""

    program_setup: str = ""
    """Source that is put after every program, such as MBPP's ``test_setup_code``."""

    reply_prefix: str = ""
    """Source with which every program begins (HumanEval's prompt); replies may repeat it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A programming task with its tests.

    ``private_tests`` and ``generated_tests`` are hidden: nothing of them may reach an agent.
    """

    id: str
    """Unique within its ProblemSet."""

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

    def tests(self, pool: Pool) -> tuple[TestCase, ...]:
        """The tests of one pool."""
        match pool:
            case Pool.PUBLIC:
                return self.public_tests
            case Pool.PRIVATE:
                return self.private_tests
            case Pool.GENERATED:
                return self.generated_tests
