"""When what a function returned is what it should have returned."""

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

TOLERANCE = 1e-9  # of floats under "apps", absolute and relative

Rule = Callable[[Any, Any], bool]
"""``rule(returned, expected)``; both hold values of builtin types, ``expected`` those of JSON."""


def equal(returned: Any, expected: Any) -> bool:
    """Equal by ``==``, where tuples count as lists.

    So 2.0 is 2 and True is 1, floats have no tolerance, and a set or an iterator is no list.

    Source: LiveCodeBench, lcb_runner/evaluation/testing_util.py, whose prediction == expected
    turns an outermost tuple into a list; here inner ones too, since JSON has none.
    """
    return bool(_without_tuples(returned) == _without_tuples(expected))


def apps(returned: Any, expected: Any) -> bool:
    """As ``expected``, or as the only item of the list ``expected``.

    Tuples count as lists, floats may differ by 1e-9 absolutely or relatively, and keys of
    dictionaries may be integers where JSON has their digits.

    Source: hendrycks/apps, eval/testing_util.py, whose data has expected values bare and wrapped.
    It compares floats by ``==`` and takes the first item of longer lists for the expected value as
    well; neither is wanted.
    """
    if _alike(returned, expected):
        return True
    return isinstance(expected, list) and len(expected) == 1 and _alike(returned, expected[0])


def _rejects_where_it_raises(rule: Rule) -> Rule:
    """A value that a rule cannot compare is not what was expected."""

    @wraps(rule)
    def total_rule(returned: Any, expected: Any) -> bool:
        try:
            return rule(returned, expected)
        except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError):
            return False

    return total_rule


RULES: dict[str, Rule] = {
    "equal": _rejects_where_it_raises(equal),
    "apps": _rejects_where_it_raises(apps),
}


def _without_tuples(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_without_tuples(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_tuples(item) for key, item in value.items()}
    return value


def _alike(a: Any, b: Any) -> bool:
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(_alike, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        a, b = _with_text_keys(a), _with_text_keys(b)
        return a.keys() == b.keys() and all(_alike(item, b[key]) for key, item in a.items())
    if isinstance(a, int | float) and isinstance(b, int | float):
        if isinstance(a, float) or isinstance(b, float):
            try:
                return math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
            except OverflowError:  # an integer beyond all floats
                return False
        return a == b
    return bool(a == b)


def _with_text_keys(value: dict[Any, Any]) -> dict[Any, Any]:
    return {_as_text(key) if type(key) is int else key: item for key, item in value.items()}


def _as_text(key: int) -> str | int:
    try:
        return str(key)
    except ValueError:  # more digits than Python writes; such a key equals none of JSON
        return key
