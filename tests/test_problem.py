"""What a problem made in Python may hold."""

import pytest
from examples import add_problem

from codefeedback_env import ConfigError, FunctionStyle, FunctionTask, Problem, TestCase
from codefeedback_env.judge.function_rules import RULES
from codefeedback_env.problem import FUNCTION_RULES

TEST = TestCase("1\n", "2\n")


def problem(**fields: object) -> Problem:
    return Problem(**{"id": "p", "statement": "s", "public_tests": (TEST,), **fields})


@pytest.mark.parametrize("problem_id", [3, True, None, "", b"p", ("p",)])
def test_an_id_is_a_string_that_is_not_empty(problem_id):
    with pytest.raises(ConfigError, match="must be a string that is not empty") as caught:
        problem(id=problem_id)
    assert f"id={problem_id!r}" in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"statement": None}, "problem 'p': statement=None must be a string"),
        ({"public_tests": TEST}, r"public_tests=TestCase.* must be a tuple of TestCase"),
        ({"public_tests": "1 2"}, "public_tests='1 2' must be a tuple of TestCase"),
        (
            {"public_tests": (("1\n", "2\n"),)},
            r"problem 'p': public_tests\[0\]=\('1\\n', '2\\n'\) must be a TestCase",
        ),
        (
            {"private_tests": (TEST, TestCase(b"1\n", "2\n"))},
            r"private_tests\[1\].stdin=b'1\\n' must be a string",
        ),
        (
            {"generated_tests": (TestCase("1\n", None),)},
            r"generated_tests\[0\].expected_stdout=None must be a string",
        ),
        ({"time_limit_s": -1}, "time_limit_s=-1 must be a number above 0, or None"),
        ({"time_limit_s": 0}, "time_limit_s=0 must be"),
        ({"time_limit_s": float("nan")}, "time_limit_s=nan must be"),
        ({"time_limit_s": float("inf")}, "time_limit_s=inf must be"),
        ({"time_limit_s": "1"}, "time_limit_s='1' must be"),
        ({"memory_limit_mib": 0}, "memory_limit_mib=0 must be a whole number above 0"),
        ({"memory_limit_mib": 1.5}, "memory_limit_mib=1.5 must be"),
        ({"checker": len}, "checker=<built-in function len> must be the name of a checker"),
        ({"function": "add"}, "function='add' must be a FunctionTask"),
    ],
)
def test_a_field_of_another_type_is_refused_with_id_and_field(fields, message):
    with pytest.raises(ConfigError, match=message):
        problem(**fields)


def test_a_list_of_tests_becomes_a_tuple():
    made = problem(private_tests=[TEST, TEST])
    assert made.private_tests == (TEST, TEST)
    assert made == problem(private_tests=(TEST, TEST))


def test_a_tuple_of_tests_is_kept_and_not_copied():
    tests = add_problem().public_tests
    assert problem(public_tests=tests).public_tests is tests


@pytest.mark.parametrize("style", ["call", "asserts"])
def test_a_style_by_name_is_the_style(style):
    task = FunctionTask(name="add", style=style)
    assert task.style is FunctionStyle(style)
    assert task == FunctionTask(name="add", style=FunctionStyle(style))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"style": "calls"}, "'add': style='calls' is unknown; known: 'call', 'asserts'"),
        ({"style": None}, "style=None is unknown"),
        ({"rule": "x"}, "'add': rule='x' is unknown; known: 'equal', 'apps'"),
        ({"name": ""}, "name='' must be the function's name"),
        ({"name": len}, "must be the function's name"),
    ],
)
def test_a_function_task_that_no_judge_knows_is_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        FunctionTask(**{"name": "add", "style": "call", **fields})


def test_the_rules_named_are_those_the_judge_has():
    assert set(FUNCTION_RULES) == set(RULES)
