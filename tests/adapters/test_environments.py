"""Environments for libraries that make many."""

import copy
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import gymnasium
import pytest
from examples import BrokenJudge, add_problem
from played import ENV_ID

from codefeedback_env import ConfigError, EnvClosedError, ProblemFilter, ProblemSet
from codefeedback_env.adapters.environments import (
    EnvironmentPool,
    make_environment,
    shared_problems,
)


def test_an_environment_is_as_gymnasium_makes_it():
    options = {"problem_filter": ProblemFilter(min_public_tests=2), "shard": (1, 2)}

    plain = gymnasium.make(ENV_ID, turn_limit=5, **options)
    ours = make_environment(ENV_ID, turn_limit=5, **options)

    assert ours.rules.problems.ids == plain.unwrapped.rules.problems.ids
    assert len(ours.rules.problems) < len(shared_problems(ENV_ID))
    assert ours.rules.describe() == plain.unwrapped.rules.describe()
    assert ours.reset(seed=3) == plain.reset(seed=3)


def test_environments_with_the_same_options_share_their_problems():
    first, second = (make_environment(ENV_ID, shard=(0, 2)) for _ in range(2))

    assert first.rules.problems is second.rules.problems
    assert make_environment(ENV_ID, shard=(1, 2)).rules.problems is not first.rules.problems


def test_threads_that_come_at_once_read_the_problems_once():
    @dataclass
    class SlowFilter:
        num_calls: int = 0
        __hash__ = object.__hash__

        def __call__(self, summary: object) -> bool:
            self.num_calls += 1
            return threading.Event().wait(0.001) or True

    keep = SlowFilter()
    with ThreadPoolExecutor(8) as pool:
        sets = list(pool.map(lambda _: shared_problems(ENV_ID, problem_filter=keep), range(8)))

    assert len({id(problems) for problems in sets}) == 1
    assert keep.num_calls == len(sets[0])


def test_options_that_no_table_can_hold_work_too():
    only = ProblemSet.from_problems([add_problem("add-1"), add_problem("add-2")])

    env = make_environment("CodeFeedback-v0", dataset=only, shard=[0, 2], sandbox=BrokenJudge(0))

    assert env.rules.problems.ids == ("add-1",)


def test_a_wrong_option_is_named():
    with pytest.raises(ConfigError, match="turn_limit=0"):
        make_environment(ENV_ID, turn_limit=0)


def test_a_pool_hands_environments_out_again_and_lets_go_of_them():
    pool = EnvironmentPool(ENV_ID, sandbox=BrokenJudge(0))
    first, other = pool.take(), pool.take()
    assert first is not other

    pool.give_back(first)
    assert pool.take(turn_limit=1).rules.turn_limit == 1
    assert pool.take() is first

    pool.give_back(first)
    pool.close()
    with pytest.raises(EnvClosedError):
        first.reset()
    assert pool.take().reset()[1]["turn"] == 0
    assert copy.deepcopy(pool) is pool
