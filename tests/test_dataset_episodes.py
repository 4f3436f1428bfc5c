"""Whole episodes on real rows of every dataset, through ``gymnasium.make`` alone."""

import os
from pathlib import Path

import gymnasium
import pytest

import codefeedback_env  # noqa: F401 - registers

pytestmark = pytest.mark.sandbox

FILES = {
    "CodeContests-v0": "codecontests_test_sample",
    "APPS-v0": "apps_sample",
    "TACO-v0": "taco_sample",
    "LiveCodeBench-v0": "livecodebench_sample",
    "HumanEvalPlus-v0": "humanevalplus_sample",
    "MBPPPlus-v0": "mbppplus_sample",
}
WITHOUT_REFERENCES = {"LiveCodeBench-v0"}
EXIT = "```python\nimport sys\nsys.exit(0)\n```"


@pytest.fixture(params=FILES)
def env(request):
    folder = os.environ.get("CODEFEEDBACK_SAMPLE_DATA")
    if not folder:
        pytest.skip("CODEFEEDBACK_SAMPLE_DATA does not name the folder with samples of real rows")
    env = gymnasium.make(request.param, path=Path(folder) / f"{FILES[request.param]}.jsonl.gz")
    yield env
    env.close()


def reply(program):
    return f"```python\n{program.source_code}\n```"


def chosen(problems):
    """A problem of each kind: for stdin, for calls and for asserts."""
    by_kind = {}
    for problem in problems:
        if problem.public_tests:
            kind = problem.function and problem.function.style
            by_kind.setdefault(kind, problem)
    return list(by_kind.values())


def test_a_reference_program_wins_at_once(env):
    if env.spec.id in WITHOUT_REFERENCES:
        pytest.skip("its rows hold no programs")
    problems = env.unwrapped.rules.problems
    for problem in chosen(problems):
        env.reset(options={"problem": problem.id})
        program = problems.reference_programs(problem.id)[0]
        observation, reward, terminated, truncated, info = env.step(reply(program))
        assert (reward, terminated, truncated) == (1.0, True, False), problem.id
        assert info["private_passed"]
        assert observation == ""


def test_a_program_that_just_ends_never_wins_and_is_told_why(env):
    for problem in chosen(env.unwrapped.rules.problems):
        env.reset(options={"problem": problem.id})
        first, *_ = env.step(EXIT)
        second, *_ = env.step("I do not know.")
        last, reward, terminated, _, info = env.step(EXIT)
        is_function = problem.function is not None
        assert first.startswith("Your code failed")
        assert ("before `" in first) == is_function, first
        assert second.startswith("Could not parse your code.")
        assert (last, reward, terminated, info["private_passed"]) == ("", -1.0, True, False)


def test_a_hidden_test_is_never_shown(env):
    for problem in chosen(env.unwrapped.rules.problems):
        prompt, _ = env.reset(options={"problem": problem.id})
        feedback, *_ = env.step(EXIT)
        shown = {test.stdin for test in problem.public_tests}
        hidden = [*problem.private_tests, *problem.generated_tests]
        long = [t.stdin for t in hidden if t.stdin not in shown and len(t.stdin) > 40]
        assert not any(text in feedback or text in prompt for text in long), problem.id
