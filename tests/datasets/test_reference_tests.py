"""When a result is as good as that of the reference program."""

import math
from typing import Any

import pytest

from codefeedback_env.datasets.reference_tests import reference_setup

INF = math.inf
FIB_90 = 2880067194370816120
HUGE = 10**400


def is_right(result: Any, expected: Any, atol: float = 0) -> bool:
    names: dict[str, Any] = {}
    exec(reference_setup("def f(): pass", "f", atol), names)
    return bool(names["is_right"](result, expected, []))


@pytest.mark.parametrize(
    ("result", "expected", "right"),
    [
        (0.3, 0.1 + 0.2, True),
        (1e9 + 100, 1e9, True),  # 1e-7 of it and 1e-6
        (1e9 + 101, 1e9, False),
        (1 + 1e-6j, 1 + 0j, True),
        (2, 2.0, True),
        ([1.0000001, "a"], [1.0, "a"], True),
        ({"x": (0.5000001,)}, {"x": (0.5,)}, True),
        ("1.0", 1.0, False),
        (None, 1.0, False),
        pytest.param(HUGE, 1.0, False, id="huge"),
    ],
)
def test_a_float_may_differ_a_little(result, expected, right):
    assert is_right(result, expected) is right


@pytest.mark.parametrize(
    ("result", "right"),
    [
        (INF, True),
        (-INF, False),
        (0, False),
        (1e308, False),
        pytest.param(HUGE, False, id="huge"),
        (math.nan, False),
    ],
)
def test_only_an_infinite_number_is_an_infinite_one(result, right):
    assert is_right(result, INF) is right
    assert is_right([-result], [-INF], atol=0.1) is right


def test_only_nan_is_nan():
    assert is_right(math.nan, math.nan)
    assert not is_right(1.0, math.nan)
    assert not is_right(INF, math.nan)
    assert not is_right(math.nan, 1.0)


@pytest.mark.parametrize(
    ("result", "expected", "right"),
    [
        (FIB_90, FIB_90, True),
        (2.880067194370816e18, FIB_90, False),  # 120 below; 2.5 * 10 ** 11 would be 1e-7 of it
        (3 + 5e-8, 3, False),
        (3.0, 3, True),
        ([1 + 5e-8], [1], False),
        ({"x": 1 + 5e-8, "y": 0.5}, {"x": 1, "y": 0.5}, False),
        (1e-9, None, False),
        (1e-9, False, False),
    ],
)
def test_an_integer_must_be_equal(result, expected, right):
    assert is_right(result, expected, atol=0.1) is right
