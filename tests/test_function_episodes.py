"""Whole episodes on problems that ask for a function: every message, byte for byte."""

from collections.abc import Iterator
from dataclasses import replace

import gymnasium
import pytest
from examples import SECRET, SharedJudge, fenced

from codefeedback_env import (
    ConfigError,
    FunctionStyle,
    FunctionTask,
    Problem,
    ProblemSet,
    TestCase,
)
from codefeedback_env.parsing import find_program

FORMAT = (
    "Your code should be enclosed in triple backticks like so: ```python YOUR CODE HERE ```. "
    "Use the backticks for your code only."
)
PREFIX = 'from typing import List\n\n\ndef total(numbers: List[int]) -> int:\n    """Sum."""\n'
HUMAN_EVAL = Problem(
    id="HumanEval/x",
    statement=PREFIX,
    public_tests=(
        TestCase("assert candidate([1, 2]) == 3", ""),
        TestCase("assert candidate([]) == 0", ""),
    ),
    private_tests=(TestCase(f"assert candidate([5] * 5) == 25, {SECRET!r}", ""),),
    time_limit_s=0.5,
    function=FunctionTask(name="total", style=FunctionStyle.ASSERTS, reply_prefix=PREFIX),
)
MBPP = Problem(
    id="Mbpp/x",
    statement="Write a function to sum numbers.",
    public_tests=(TestCase("assert total([1, 2]) == 3", ""), TestCase("assert total([]) == 0", "")),
    time_limit_s=0.5,
    function=FunctionTask(name="total", style=FunctionStyle.ASSERTS),
)
CALL = Problem(
    id="call",
    statement="Return the sum",
    public_tests=(TestCase("[1, 2]", "3"), TestCase("[]", "0")),
    time_limit_s=0.5,
    function=FunctionTask(name="total", style=FunctionStyle.CALL),
)
RIGHT = "def total(numbers):\n    return sum(numbers)"


@pytest.fixture
def make(judge) -> Iterator[object]:
    envs = []

    def make(problem: Problem, **options: object) -> gymnasium.Env[str, str]:
        problems = ProblemSet.from_problems([problem])
        options = {"sandbox": SharedJudge(judge), **options}
        envs.append(gymnasium.make("CodeFeedback-v0", dataset=problems, **options))
        return envs[-1]

    yield make
    for env in envs:
        env.close()


@pytest.mark.sandbox
def test_human_eval_episode_in_the_papers_words(make):
    env = make(HUMAN_EVAL, turn_limit=6)
    prompt, info = env.reset(seed=0)
    assert prompt == (
        "Write a solution to the following problem and make sure that it passes the tests:\n"
        + PREFIX
    )
    assert info["reply_prefix"] == PREFIX
    feedback, *_ = env.step("    return len(numbers) + 1\n")
    assert feedback == (
        "Your code failed some test cases:\n\n"
        "- Success: `assert candidate([1, 2]) == 3`\n"
        "- Failure: `assert candidate([]) == 0`:\n`1 != 0`\n\n"
        "Give it another try."
    )
    feedback, *_ = env.step("    return sum(numbers) // len(numbers) * 2\n```\nDone.")
    assert feedback == (
        "Your code failed some test cases:\n\n"
        "- Failure: `assert candidate([1, 2]) == 3`:\n`2 != 3`\n"
        "- Failure: `assert candidate([]) == 0`:\n"
        'Traceback (most recent call last):\n  File "solution.py", line 6, in total\n'
        "    return sum(numbers) // len(numbers) * 2\n"
        "ZeroDivisionError: integer division or modulo by zero\n\n"
        "Give it another try."
    )
    feedback, reward, *_ = env.step("I do not know.")
    assert (feedback, reward) == ("Could not parse your code.\nGive it another try.", -0.2)
    feedback, reward, *_ = env.step("    while True: pass\n")
    assert (feedback, reward) == (
        "Your code failed some test cases:\n\n"
        "- Failure: `assert candidate([1, 2]) == 3`:\nExecution took too long.\n"
        "- Failure: `assert candidate([]) == 0`:\nExecution took too long.\n\n"
        "Give it another try.",
        0,
    )
    observation, reward, terminated, _, info = env.step(fenced(RIGHT))
    assert (observation, reward, terminated, info["private_passed"]) == ("", 1, True, True)
    assert info["reply_prefix"] == PREFIX


@pytest.mark.sandbox
def test_mbpp_episode_in_the_papers_words(make):
    env = make(MBPP)
    prompt, info = env.reset(seed=0)
    assert prompt == (
        "Provide a Python solution for the following problem: Write a function to sum numbers.\n"
        "Your code should pass these tests:\n\nassert total([1, 2]) == 3\n\n" + FORMAT
    )
    assert "reply_prefix" not in info
    feedback, *_ = env.step(fenced("def total(numbers):\n    return numbers and 3"))
    assert feedback == (
        "Your code failed some test cases:\n\n"
        "- Success: `assert total([1, 2]) == 3`\n"
        "- Failure: `assert total([]) == 0`:\n`[] != 0`\n\n"
        "Give it another try.\n" + FORMAT
    )
    feedback, *_ = env.step("nothing")
    assert feedback == "Could not parse your code.\nGive it another try.\n" + FORMAT
    assert env.step(fenced(RIGHT))[1] == 1


@pytest.mark.sandbox
def test_call_episode_is_worded_as_code_contests(make):
    env = make(CALL)
    prompt, _ = env.reset(seed=0)
    assert prompt == (
        "Provide a Python solution for the following competitive programming question: "
        "Return the sum.\n" + FORMAT
    )
    feedback, *_ = env.step(fenced("def total(numbers):\n    return [numbers[0]]"))
    assert feedback == (
        "Your code failed the following tests:\n\n"
        "- input `[1, 2]` failed:\nExpected output `3` but got `[1]`\n"
        "- input `[]` failed:\n"
        'Traceback (most recent call last):\n  File "solution.py", line 2, in total\n'
        "    return [numbers[0]]\nIndexError: list index out of range\n\n"
        "Give it another try.\n" + FORMAT
    )
    assert env.step(fenced("class Solution:\n    def total(self, n: List[int]): return sum(n)"))[1]


@pytest.mark.sandbox
def test_a_style_by_name_is_judged_as_the_style(make):
    problem = replace(CALL, function=FunctionTask(name="total", style="call"))
    for program, reward in ((RIGHT, 1.0), (RIGHT.replace("sum", "len"), -1.0)):
        env = make(problem, turn_limit=1)
        env.reset()
        assert env.step(fenced(program))[1] == reward


def test_formats_other_than_the_papers_use_the_same_last_lines(make):
    for name, expected in (
        ("count", "Your code failed 1 of 2 tests.\n\nGive it another try."),
        ("wrong", "This solution was wrong.\n\nGive it another try."),
    ):
        env = make(HUMAN_EVAL, feedback_format=name)
        env.reset(seed=0)
        assert env.step("    return len(numbers) + 1\n")[0] == expected
    env = make(HUMAN_EVAL, feedback="none")
    env.reset(seed=0)
    assert env.step("    return 1\n")[0] == "Give it another try."


@pytest.mark.sandbox
def test_hidden_test_code_reaches_nobody(make):
    env = make(HUMAN_EVAL, turn_limit=1)
    env.reset(seed=0)
    step = env.step("    return sum(numbers) if len(numbers) < 5 else 0\n")
    assert step[1] == -1
    assert SECRET not in repr(step) + env.unwrapped.last_episode.to_json()


def test_options_that_cannot_work_are_refused(make):
    for problem in (MBPP, CALL):
        with pytest.raises(ConfigError, match="checker"):
            make(problem, checker=lambda *_: True).reset(seed=0)
    with pytest.raises(ConfigError, match="'self'"):
        make(MBPP, feedback="self").reset(seed=0)


@pytest.mark.parametrize(
    ("reply", "program"),
    [
        ("    return 1\n", PREFIX + "    return 1\n"),
        ("    return 1\n```\nThat is it.", PREFIX + "    return 1\n"),
        ("    return 1\n```\nUse:\n```\ntotal([])\n```\n", PREFIX + "    return 1\n"),
        ("\n    return 1", PREFIX + "\n    return 1"),
        ("```python\n    return 1\n```", PREFIX + "    return 1\n"),
        (fenced(RIGHT), f"{PREFIX}\n{RIGHT}\n"),
        (fenced("class Solution:\n  def total(self): 0"), None),
        (PREFIX + "    return 1\n", PREFIX + "    return 1\n"),
        (PREFIX + "    return 1\n```\nDone.", PREFIX + "    return 1\n"),
        (fenced(PREFIX + "    return 1"), PREFIX + "    return 1\n"),
        (fenced("from __future__ import annotations\n" + RIGHT), ...),
        (fenced("return 1"), PREFIX + "return 1\n"),
        ("Sure, here it is", ...),
        ("", ...),
        ("    but why so?", ...),
        ("Sure\n" + fenced(RIGHT), f"{PREFIX}\n{RIGHT}\n"),
    ],
)
def test_reply_may_repeat_the_prefix_or_go_on_from_it(reply, program):
    found = find_program(reply, HUMAN_EVAL.function)
    if program is ...:
        assert found is None or found.source_code.startswith("from __future__")
    elif program is None:
        assert found.source_code.startswith(PREFIX + "\nclass Solution")
    else:
        assert found.source_code == program


def test_prefix_without_a_body_gets_one():
    task = FunctionTask(name="f", style=FunctionStyle.ASSERTS, reply_prefix="def f(x):\n")
    found = find_program(fenced("def f(x): return x"), task)
    assert found.source_code == "def f(x):\n    pass\n\ndef f(x): return x\n"
