"""Fixtures that many tests share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from codefeedback_env import Problem, ProblemSet, TestCase
from codefeedback_env.errors import SandboxUnavailableError
from codefeedback_env.judge.judge import Judge

SECRET = "SECRET-MARKER-71c9"


@pytest.fixture(scope="session")
def judge() -> Iterator[Judge]:
    """A judge over two workers and the sandbox this machine prefers."""
    judge = Judge(num_workers=2)
    try:
        judge.info()
    except SandboxUnavailableError as error:
        pytest.skip(f"no sandbox works here: {error}")
    yield judge
    judge.close()


@pytest.fixture(scope="session")
def sample_rows() -> Path:
    """The folder with real dataset rows."""
    folder = os.environ.get("CODEFEEDBACK_SAMPLE_DATA")
    if not folder:
        pytest.skip("CODEFEEDBACK_SAMPLE_DATA is not set: no real dataset rows to test with")
    return Path(folder)


def add_problem(problem_id: str = "add", secret: bool = False) -> Problem:
    """Print the sum of two numbers; hidden tests may hold a marker nobody may ever see."""
    marked = (TestCase(f"5 6 {SECRET}\n", f"11 {SECRET}\n"),) if secret else ()
    return Problem(
        id=problem_id,
        statement="Print the sum of two integers",
        public_tests=(TestCase("1 2\n", "3\n"), TestCase("2 2\n", "4\n")),
        private_tests=(TestCase("10 20\n", "30\n"), *marked),
        generated_tests=(TestCase("-1 1\n", "0\n"), *marked),
        time_limit_s=2.0,
        memory_limit_mib=256,
    )


ADD = "a, b = map(int, input().split()[:2])\nprint(a + b)"
ADD_PUBLIC_ONLY = "a, b = map(int, input().split()[:2])\nprint(a + b if a < 5 and b != 1 else 0)"
ADD_WRONG = "print(3)"


@pytest.fixture
def add_set() -> ProblemSet:
    """Three problems, all the same but for their ids, with right and wrong programs."""
    return ProblemSet.from_problems(
        [add_problem(f"add-{i}") for i in range(3)],
        reference_programs={f"add-{i}": [ADD] for i in range(3)},
        wrong_programs={f"add-{i}": [ADD_WRONG] for i in range(3)},
    )


def fenced(program: str) -> str:
    """A reply that holds a program."""
    return f"Here it is:\n```python\n{program}\n```\n"
