"""Which outputs count as right."""

import pytest

from codefeedback_env.checkers import (
    Comparison,
    Judging,
    check_checker,
    checker_for,
    comparison_for,
    deepmind_comparison,
    register_checker,
)
from codefeedback_env.errors import ConfigError, UnknownNameError
from codefeedback_env.problem import Problem, TestCase
from codefeedback_env.problem_checkers import PROBLEM_CHECKERS


def problem(*expected: str, statement: str = "", checker: str | None = None) -> Problem:
    tests = tuple(TestCase("", text) for text in expected)
    return Problem(id="p", statement=statement, private_tests=tests, checker=checker)


@pytest.mark.parametrize(
    ("expected", "output", "strict", "deepmind"),
    [
        (b"1 2\n", b"1 2\n", True, True),
        (b"1 2\n", b"1 2", True, True),
        (b"1 2\n", b" 1\r\n\r\n2 \f", True, True),
        (b"1 2\n", b"1 3", False, False),
        (b"1 2\n", b"12", False, False),
        (b"1\n", b"1 1", False, False),
        (b"", b"", True, True),
        (b"", b"x", False, False),
        (b"10000000000000001", b"10000000000000000", False, True),
        (b"1", b"1.000001", False, True),
        (b"1", b"1.0", False, True),
        (b"1", b"01", False, True),
        (b"Word", b"word", False, True),
        (b"5", b"nan", False, False),
        (b"5", b"\xd9\xa5", False, False),  # Arabic-Indic five
        (b"10", b"1_0", False, False),
        (b"1 2", b"1\xc2\xa02", False, False),  # no-break space
        (b"7", b"7\x00", False, False),
        (b"\xff", b"\xfe", False, False),
    ],
)
def test_integers_and_words_compare_byte_for_byte_where_the_original_harness_is_lenient(
    expected, output, strict, deepmind
):
    assert Comparison()(b"", expected, output) is strict
    assert deepmind_comparison(b"", expected, output) is deepmind


@pytest.mark.parametrize(
    ("expected", "output", "right"),
    [
        (b"0.5", b"0.5000005", True),
        (b"0.5", b"0.500002", False),
        (b"1000000.0", b"1000000.5", True),  # 1e-6 of a million is one
        (b"1000000.0", b"1000002", False),
        (b"1.0", b"1", True),
        (b"1.0", b"1e0", True),
        (b"-0.0", b"0", True),
        (b"1.0", b"nan", False),
        (b"1.0", b"inf", False),
        (b"1.0", b"1e400", False),
        (b"1.0", b"0x1", False),
        (b"1.0", b"1_0", False),
        (b"1.0", b"1" + b"0" * 100, False),
        (b"x 1.5", b"x 1.50000001", True),
        (b"x 1.5", b"y 1.5", False),
        # integers on both sides have no tolerance, however large; one that stands for a real has
        (b"3.50 123456789", b"3.5 123456789", True),
        (b"3.50 123456789", b"3.5 123456880", False),
        (b"3.50 123456789", b"3.5 123456880.0", True),
        (b"3.50 1", b"3.5 0.9999999", True),
        (b"0", b"-0", True),
        (b"7", b"+07", True),
        (b"9007199254740993", b"9007199254740992", False),
        (b"1" * 70, b"1" * 69 + b"2", False),
    ],
)
def test_numbers_compare_with_tolerance_in_problems_about_real_numbers(expected, output, right):
    assert Comparison(tolerance=1e-6)(b"", expected, output) is right


def test_tolerance_is_decided_by_the_problem_and_not_by_the_output():
    assert comparison_for(problem("1\n", "2\n")).tolerance is None
    assert comparison_for(problem("1\n", "2.5\n")).tolerance == 1e-6
    assert comparison_for(problem("v1.2\n")).tolerance is None
    assert comparison_for(problem("1.2.3\n")).tolerance is None


@pytest.mark.parametrize(
    ("statement", "tolerance"),
    [
        ("absolute or relative error does not exceed 10^{-4}.", 1e-4),
        ("relative error must not exceed 10 - 9.", 1e-9),
        ("error at most 1e-3", 1e-3),
        ("precision of 10^-5", 1e-5),
        ("n <= 10^5, and 10 - 4 apples remain", 1e-6),
        ("", 1e-6),
    ],
)
def test_tolerance_comes_from_the_statement(statement, tolerance):
    found = comparison_for(problem("0.25\n", statement=statement)).tolerance
    assert found == pytest.approx(tolerance)


@pytest.mark.parametrize(
    ("expected", "statement", "fold"),
    [
        (("YES\n", "NO\n"), "", True),
        (("Yes\n",), "", True),
        (("YES 1\n", "NO\n"), "", True),
        (("MAYBE\n", "NO\n"), "", False),
        (("word\n",), "", False),
        (("1\n",), "", False),
        (("abc\n",), "You can print each letter in any case.", True),
    ],
)
def test_case_is_folded_for_yes_and_no_or_where_the_statement_allows_it(expected, statement, fold):
    assert comparison_for(problem(*expected, statement=statement)).fold_case is fold


def test_problems_own_checker_wins_and_the_override_wins_over_it(monkeypatch):
    def even(stdin: bytes, expected: bytes, output: bytes) -> bool:
        return int(output) % 2 == 0

    monkeypatch.setitem(PROBLEM_CHECKERS, "even", even)
    assert checker_for(problem("1", checker="even"), Judging.STRICT) is even
    assert checker_for(problem("1"), Judging.STRICT, "even") is even
    assert checker_for(problem("1", checker="even"), Judging.STRICT, deepmind_comparison) is (
        deepmind_comparison
    )
    assert checker_for(problem("1", checker="even"), Judging.DEEPMIND) is deepmind_comparison


def test_unknown_checker_is_refused_with_a_suggestion():
    with pytest.raises(UnknownNameError, match="did you mean 'topological-order'"):
        checker_for(problem("1", checker="topological-ordr"), Judging.STRICT)


@pytest.mark.parametrize(
    "check", [lambda output: True, lambda a, b, c, d: True, lambda *, output: True, 5]
)
def test_checker_that_cannot_take_three_arguments_is_refused_at_once(check, monkeypatch):
    monkeypatch.setattr("codefeedback_env.checkers.PROBLEM_CHECKERS", {})
    with pytest.raises(ConfigError, match=r"check\(stdin, expected, output\)"):
        checker_for(problem("1"), Judging.STRICT, check)
    with pytest.raises(ConfigError, match=r"check\(stdin, expected, output\)"):
        register_checker("mine", check)


@pytest.mark.parametrize(
    "check", [lambda *arguments: True, lambda a, b, c, d=1: True, Comparison(), max]
)
def test_any_callable_of_three_arguments_may_be_a_checker(check):
    assert checker_for(problem("1"), Judging.STRICT, check) is check


def test_every_registered_checker_takes_three_arguments():
    for check in PROBLEM_CHECKERS.values():
        check_checker(check)


def test_a_checkers_name_cannot_be_taken_twice(monkeypatch):
    monkeypatch.setattr("codefeedback_env.checkers.PROBLEM_CHECKERS", {})
    register_checker("mine", deepmind_comparison)
    register_checker("mine", deepmind_comparison)
    with pytest.raises(ConfigError, match="exists already"):
        register_checker("mine", Comparison())
