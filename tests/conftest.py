"""Fixtures that many tests share."""

from collections.abc import Iterator

import pytest
from examples import ADD, ADD_WRONG, add_problem

from codefeedback_env import ProblemSet, SandboxUnavailableError
from codefeedback_env.judge.judge import Judge


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


@pytest.fixture
def add_set() -> ProblemSet:
    """Three problems, all the same but for their ids, with right and wrong programs."""
    return ProblemSet.from_problems(
        [add_problem(f"add-{i}") for i in range(3)],
        reference_programs={f"add-{i}": [ADD] for i in range(3)},
        wrong_programs={f"add-{i}": [ADD_WRONG] for i in range(3)},
    )
