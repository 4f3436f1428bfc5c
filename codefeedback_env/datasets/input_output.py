"""What APPS and TACO share: tests and programs in JSON columns, read from stdin or called."""

from typing import Any

from codefeedback_env.datasets.call_tests import call_test, with_starter_code
from codefeedback_env.datasets.fields import Fields
from codefeedback_env.datasets.hidden_tests import clean_hidden_tests
from codefeedback_env.datasets.json_columns import json_column
from codefeedback_env.datasets.statement_examples import public_tests
from codefeedback_env.problem import FunctionStyle, FunctionTask, Problem, TestCase

_FIELD = "input_output"


def read_input_output(fields: Fields, problem_id: str, **others: Any) -> Problem:
    """The problem whose statement and tests stand in ``question`` and ``input_output``.

    ``input_output`` is JSON: ``inputs`` and ``outputs``, as many, and ``fn_name`` where the tests
    call a function with the list that an input then is. It may be blank.

    Args:
        fields: of the row; ``question`` must be there.
        problem_id: as stored.
        others: further fields of the problem.
    """
    statement = fields.required_text("question")
    stored = json_column(fields, _FIELD)
    if stored is None:
        stored = {"inputs": [], "outputs": []}
    if not isinstance(stored, dict):
        raise fields.error(_FIELD, "its JSON is not an object with inputs and outputs.")
    inputs, outputs = (_list(fields, stored, key) for key in ("inputs", "outputs"))
    if len(inputs) != len(outputs):
        raise fields.error(
            _FIELD, f"has {len(inputs)} inputs, but {len(outputs)} outputs; they must be as many."
        )
    name = stored.get("fn_name")
    if name is not None and not (isinstance(name, str) and name.isidentifier()):
        raise fields.error(_FIELD, f"fn_name is {name!r}; it must be the name of a function.")
    tests = tuple(
        _test(fields, number, one_input, output, called=name is not None)
        for number, (one_input, output) in enumerate(zip(inputs, outputs, strict=True), 1)
    )
    starter_code = fields.text("starter_code") or ""
    function = None
    if name is not None:
        function = FunctionTask(name=name, style=FunctionStyle.CALL, rule="apps")
    return problem_of_one_pool(
        fields, problem_id, statement, tests, function, starter_code, **others
    )


def problem_of_one_pool(
    fields: Fields,
    problem_id: str,
    statement: str,
    tests: tuple[TestCase, ...],
    function: FunctionTask | None = None,
    starter_code: str = "",
    source: dict[str, str] | None = None,
    checker: str | None = None,
    **others: Any,
) -> Problem:
    """A problem whose tests are in one list: those that the statement shows become public."""
    public, origin = public_tests(statement, tests)
    hidden = clean_hidden_tests(public, tests, (), several_right_outputs=checker is not None)
    # The public tests were in the list, so that they are not hidden is nothing to report.
    num_dropped = hidden.num_dropped - (len(public) if len(tests) > len(public) else 0)
    if function is not None:
        statement = with_starter_code(statement, starter_code, function.name)
    return Problem(
        id=problem_id,
        statement=statement,
        public_tests=public,
        private_tests=hidden.private_tests,
        function=function,
        checker=checker,
        source={
            **(source or {}),
            "checker": "overlay" if checker else "",
            "public_tests": origin,
            "dropped_tests": str(max(num_dropped, 0) or ""),
        },
        **others,
    )


def _list(fields: Fields, stored: dict[str, Any], key: str) -> list[Any]:
    values = stored.get(key)
    if not isinstance(values, list):
        raise fields.error(_FIELD, f"{key!r} is missing or no list.")
    return values


def _test(fields: Fields, number: int, stored_input: Any, output: Any, *, called: bool) -> TestCase:
    if called:
        if not isinstance(stored_input, list):
            raise fields.error(
                _FIELD,
                f"input {number} is a {type(stored_input).__name__}; with fn_name it must be the "
                "list of arguments.",
            )
        return call_test(stored_input, output)
    stdin, expected_stdout = _text(stored_input), _text(output)
    if stdin is None or expected_stdout is None:
        raise fields.error(
            _FIELD, f"input and output {number} must be strings or lists of strings, the lines."
        )
    return TestCase(stdin, expected_stdout)


def _text(value: Any) -> str | None:
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "\n".join(value) + "\n"
    return value if isinstance(value, str) else None
