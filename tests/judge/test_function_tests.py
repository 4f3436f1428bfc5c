"""Tests that cannot be run are found before they are."""

from dataclasses import replace

import pytest

from codefeedback_env import ConfigError, Judging, Problem, ProblemSet, TestCase
from codefeedback_env.checkers import checker_for
from codefeedback_env.judge.function_tests import fault_of
from codefeedback_env.judge.protocol import pack
from codefeedback_env.make import make_env
from codefeedback_env.problem import FunctionStyle, FunctionTask

DIGITS = "9" * 5000


@pytest.mark.parametrize(
    ("stdin", "expected", "fault"),
    [
        ('[1, 2]\n"a"', "3", None),
        ("", "null", None),
        (DIGITS, DIGITS, None),
        ("1\nhello", "3", "line 2 of its stdin, an argument, is no JSON: 'hello'"),
        ("1", "three", "its expected result is no JSON: 'three'"),
        ("1", "", "its expected result is no JSON: ''"),
        ("[" * 100_000, "1", "line 1 of its stdin"),
    ],
)
def test_calls_are_of_json(stdin, expected, fault):
    found = fault_of(TestCase(stdin, expected), FunctionStyle.CALL)
    assert found is None if fault is None else found.startswith(fault)


@pytest.mark.parametrize("source", ["assert f(1 == 2", "assert f(1)\0"])
def test_asserts_are_source_that_compiles(source):
    found = fault_of(TestCase(source, ""), FunctionStyle.ASSERTS)
    assert found is not None
    assert found.startswith("its source cannot be compiled")


def test_asserts_that_compile_are_fine():
    assert fault_of(TestCase("assert f(1) == 2", ""), FunctionStyle.ASSERTS) is None


def broken() -> Problem:
    return Problem(
        id="twice",
        statement="Double it.",
        public_tests=(TestCase("1", "2"), TestCase("two", "4")),
        private_tests=(TestCase("3", "6"),),
        function=FunctionTask(name="twice", style=FunctionStyle.CALL),
    )


def test_a_problem_with_a_broken_test_is_refused_by_name():
    problem = broken()
    checker = checker_for(problem, Judging.STRICT)
    with pytest.raises(ConfigError, match="problem 'twice', public test 2: line 1 of its stdin"):
        pack(problem, judging=Judging.STRICT, checker=checker)


@pytest.mark.sandbox
def test_tests_that_a_model_proposes_and_that_cannot_be_run_are_left_out():
    problem = replace(broken(), public_tests=(TestCase("1", "2"),))
    problems = ProblemSet.from_problems([problem])
    env = make_env(dataset=problems, feedback="self")
    env.reset()
    reply = "```python\ndef twice(n):\n    return n\n```\n```\nInput: {}\nOutput: {}\n```"
    observation, *_ = env.step(reply.format("two", "four"))
    assert observation.startswith("No tests of yours could be parsed.")
    observation, *_ = env.step(reply.format("5", "10"))
    assert "Expected output `10\n` but got `5`" in observation
    env.close()
