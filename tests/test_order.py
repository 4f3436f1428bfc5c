import json
import subprocess
import sys

import numpy as np
import pytest

from codefeedback_env.order import ProblemOrder, random_state, restored_random


def test_every_problem_comes_up_once_before_any_comes_again() -> None:
    order = ProblemOrder(7, seed=3)
    epochs = [[order.next() for _ in range(7)] for _ in range(3)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(7))] * 3
    assert epochs[0] != epochs[1] != epochs[2]


def test_an_order_goes_on_from_its_state_as_json_has_it() -> None:
    order = ProblemOrder(5, seed=2**62 + 1)
    for _ in range(8):  # into the second epoch
        order.next()
    state = json.loads(json.dumps(order.state()))
    again = ProblemOrder.from_state(state, 5)
    assert [again.next() for _ in range(12)] == [order.next() for _ in range(12)]
    assert state == {"num_problems": 5, "seed": 2**62 + 1, "num_visited": 8}


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({}, "is no place in an order"),
        ({"num_problems": 5, "seed": 1, "num_visited": -1}, "is no place in an order"),
        ({"num_problems": 5, "seed": 1, "num_visited": True}, "is no place in an order"),
        ({"num_problems": 5, "seed": 1, "num_visited": 0, "more": 1}, "is no place in an order"),
        ({"num_problems": 6, "seed": 1, "num_visited": 0}, "among 6 problems, and here are 5"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(state: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ProblemOrder.from_state(state, 5)


def test_a_generator_goes_on_from_its_state_as_json_has_it() -> None:
    generator = np.random.default_rng(4)
    generator.random(3)
    again = restored_random(json.loads(json.dumps(random_state(generator))))
    assert again.random(5).tolist() == generator.random(5).tolist()


@pytest.mark.parametrize("state", [{}, {"bit_generator": "MT19937"}, {"bit_generator": "PCG64"}])
def test_another_generators_state_is_refused(state: dict[str, object]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - numpy says which part is wrong
        restored_random(state)


SCRIPT = """
import json
from codefeedback_env.datasets.sampling import limit_hidden_tests
from codefeedback_env.order import ProblemOrder
from codefeedback_env.problem import Problem, TestCase

order = ProblemOrder(50, seed=11)
tests = tuple(TestCase(str(i), "") for i in range(40))
chosen = []
for name in ("a", "b"):
    problem = Problem(id=name, statement="s", private_tests=tests[:20], generated_tests=tests[20:])
    part = limit_hidden_tests(problem, 7)
    chosen.append([t.stdin for t in (*part.private_tests, *part.generated_tests)])
print(json.dumps([[order.next() for _ in range(100)], chosen]))
"""


def test_two_processes_visit_the_same_problems_and_judge_by_the_same_tests() -> None:
    outputs = []
    for hash_seed in ("1", "2"):  # sets and dictionaries of strings come in another order
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        outputs.append(json.loads(done.stdout))
    assert outputs[0] == outputs[1]
    order, (a, b) = outputs[0]
    assert sorted(order[:50]) == sorted(order[50:]) == list(range(50))
    assert len(a) == len(b) == 7
    assert a != b
