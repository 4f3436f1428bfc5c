"""Tests that compare a function with a reference program, for HumanEval+ and MBPP+.

These datasets store inputs, and no outputs: the right result is what the reference program gives.
It runs within the trusted test code, never beside the program that is judged.
"""

import ast
from collections.abc import Sequence
from typing import Any

from codefeedback_env.datasets.assert_tests import assert_test, parse_source
from codefeedback_env.problem import TestCase

INPUTS_PER_TEST = 100
"""Inputs in one test, which share its time limit."""

_SETUP = """\
inf, nan = float("inf"), float("nan")


def same_result(result, expected, atol):
    if isinstance(expected, (float, complex)):
        if not isinstance(result, (int, float, complex)):
            return False
        if result == expected or (result != result and expected != expected):
            return True
        try:
            # Nothing is near an infinite number or one that is not a number.
            return abs(result - expected) <= max(atol, 1e-6) + 1e-7 * abs(expected) < inf
        except OverflowError:  # an integer beyond all floats
            return False
    if isinstance(expected, (list, tuple)):
        return (
            isinstance(result, list if isinstance(expected, list) else tuple)
            and len(result) == len(expected)
            and all(same_result(r, e, atol) for r, e in zip(result, expected))
        )
    if isinstance(expected, dict):
        return (
            isinstance(result, dict)
            and result.keys() == expected.keys()
            and all(same_result(result[key], expected[key], atol) for key in expected)
        )
    return bool(result == expected)


reference_names = {{"__name__": "reference", "math": __import__("math")}}
exec({program!r}, reference_names)


def is_right(result, expected, arguments):
    return {condition}


def check_result(function, arguments):
    check_results(function, [arguments])


def check_results(function, inputs):
    from copy import deepcopy

    num_known = 0
    for arguments in inputs:
        try:
            expected = reference_names[{name!r}](*deepcopy(arguments))
            is_known = is_right(expected, expected, arguments)
        except Exception:
            is_known = False
        if is_known:
            num_known += 1
            result = function(*deepcopy(arguments))
            assert is_right(result, expected, arguments), (
                f"returned {{result!r}}, expected {{expected!r}}"
            )
    assert num_known, "{nothing_known}"
"""

NOTHING_KNOWN = "the reference program fails on every input of this test, so no program can pass"
"""What such a test says of every program, the reference program too."""


def reference_setup(program: str, name: str, atol: float, condition: str | None = None) -> str:
    """The trusted source that the tests below need: ``check_result`` and ``check_results``.

    An input at which the reference program fails, or gives what is not right, judges nothing; a
    test without any other input is passed by no program, since it would be passed by all.

    Args:
        program: the reference program.
        name: of the function in it.
        atol: absolute tolerance where the expected number is a finite float or complex; less than
            1e-6 counts as 1e-6. Whatever else is expected must be equal.
        condition: an expression over ``result``, ``expected`` and ``arguments`` that says whether a
            result is right; ``reference_names`` has what else the reference program defines. None
            compares result and expected.
    """
    return _SETUP.format(
        program=program,
        name=name,
        condition=condition or f"same_result(result, expected, {atol!r})",
        nothing_known=NOTHING_KNOWN,
    )


def single_tests(name: str, inputs: Sequence[Sequence[Any]]) -> tuple[TestCase, ...]:
    """One test for each list of arguments."""
    return tuple(
        assert_test(f"check_result({name}, {python_literal(list(arguments))})")
        for arguments in inputs
    )


def joint_tests(name: str, inputs: Sequence[Sequence[Any]]) -> tuple[TestCase, ...]:
    """As few tests as hold all lists of arguments, ``INPUTS_PER_TEST`` each."""
    tests = []
    for start in range(0, len(inputs), INPUTS_PER_TEST):
        part = inputs[start : start + INPUTS_PER_TEST]
        lines = "".join(f"    {python_literal(list(arguments))},\n" for arguments in part)
        tests.append(assert_test(f"check_results({name}, [\n{lines}])"))
    return tuple(tests)


def python_literal(value: Any) -> str:
    """Source of a value; ``inf`` and ``nan`` are names that ``reference_setup`` defines."""
    match value:
        case bool() | None | str() | bytes():
            return repr(value)
        case int():
            # Decimal integers of more than 4,300 digits are refused; others have no limit.
            return hex(value) if abs(value).bit_length() > 10_000 else repr(value)
        case float():
            return repr(value)
        case complex():
            return repr(value)
        case list():
            return f"[{', '.join(map(python_literal, value))}]"
        case tuple():
            return f"({''.join(f'{python_literal(part)}, ' for part in value)})"
        case set():
            return f"set([{', '.join(sorted(map(python_literal, value)))}])"
        case dict():
            pairs = (f"{python_literal(k)}: {python_literal(v)}" for k, v in value.items())
            return f"{{{', '.join(pairs)}}}"
    raise ValueError(f"a {type(value).__name__} has no literal")


def call_arguments(assertions: str, name: str) -> list[list[Any]]:
    """The arguments of the first call of ``name`` in each assert, where they are literals.

    Raises:
        ValueError: the source is not valid Python.
    """
    found = []
    for statement in parse_source(assertions).body:
        calls = (
            node
            for node in ast.walk(statement)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == name
        )
        call = next(calls, None)
        if isinstance(statement, ast.Assert) and call is not None:
            try:
                found.append([ast.literal_eval(argument) for argument in call.args])
            except (ValueError, TypeError):
                continue  # built by code; the others tell the types
    return found


def compared_as(assertions: str, name: str) -> str | None:
    """The function that every assert applies to a result before it compares it, such as ``set``.

    ``bool`` where the asserts only ask whether results are true; None where they compare the
    results as they are, or differ.

    Raises:
        ValueError: the source is not valid Python.
    """
    forms: set[str | None] = set()
    for statement in parse_source(assertions).body:
        if isinstance(statement, ast.Assert):
            test = statement.test
            if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
                test = test.operand
            forms.add("bool" if _is_call_of(test, name) else _applied(test, name))
    return forms.pop() if len(forms) == 1 else None


def with_types_of(values: Sequence[Any], examples: Sequence[Sequence[Any]]) -> list[Any]:
    """Arguments that passed through JSON, with the container types that ``examples`` show.

    JSON knows no tuples, sets and complex numbers; the calls in a problem's asserts do.
    """
    return [
        _typed(value, [example[position] for example in examples if position < len(example)])
        for position, value in enumerate(values)
    ]


def _typed(value: Any, examples: Sequence[Any]) -> Any:
    kinds = {type(example) for example in examples}
    if isinstance(value, list):
        containers = kinds & {list, tuple, set, frozenset}
        inner = [
            part for e in examples if isinstance(e, list | tuple | set | frozenset) for part in e
        ]
        parts = [_typed(part, inner) for part in value]
        if len(containers) != 1:
            return parts
        (container,) = containers
        try:
            return container(parts)
        except TypeError:  # a set of lists
            return parts
    if isinstance(value, dict):
        inner = [part for e in examples if isinstance(e, dict) for part in e.values()]
        keys = {type(key) for e in examples if isinstance(e, dict) for key in e}
        return {_key(key, keys): _typed(part, inner) for key, part in value.items()}
    if isinstance(value, str) and kinds == {complex}:
        try:
            return complex(value)
        except ValueError:
            return value
    return value


def _key(key: Any, kinds: set[type]) -> Any:
    """A key of a JSON object, which is a string, as a number where the examples have numbers."""
    if kinds == {int} and isinstance(key, str):
        try:
            return int(key)
        except ValueError:
            return key
    return key


def _is_call_of(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name


def _applied(test: ast.expr, name: str) -> str | None:
    """``set`` for ``set(f(1)) == set([2])``."""
    left = test.left if isinstance(test, ast.Compare) else test
    if (
        isinstance(left, ast.Call)
        and isinstance(left.func, ast.Name)
        and left.func.id in ("set", "sorted", "list", "tuple", "len", "bool", "str")
        and len(left.args) == 1
        and _is_call_of(left.args[0], name)
    ):
        return left.func.id
    return None
