"""Keeping the place in the order of problems, and going on there."""

import json

import gymnasium
import pytest

from codefeedback_env import ConfigError, ProblemFilter
from codefeedback_env.make import make_env, make_vector_env

NUM = 7


def ids(env, number=NUM):
    return [env.reset()[1]["problem_id"] for _ in range(number)]


def batches(vec, number=NUM):
    return [list(vec.reset()[1]["problem_id"]) for _ in range(number)]


@pytest.mark.parametrize("num_before", [0, 1, 65])
def test_an_environment_goes_on_where_it_was(num_before):
    env = make_env(dataset="bundled")
    if num_before:
        env.reset(seed=5)
        ids(env, num_before - 1)
    state = json.loads(json.dumps(env.get_state()))
    other = make_env(dataset="bundled")
    other.reset(seed=99)
    other.set_state(state)
    assert ids(other) == ids(env)
    assert other.np_random.random() == env.np_random.random()


def test_a_vector_environment_goes_on_where_it_was():
    vec = make_vector_env(3, dataset="bundled")
    vec.reset(seed=5)
    batches(vec, 2)
    state = json.loads(json.dumps(vec.get_state()))
    other = make_vector_env(3, dataset="bundled")
    other.reset(seed=1)
    other.set_state(state)
    assert batches(other) == batches(vec)


def test_the_episode_under_way_is_dropped():
    env = make_env(dataset="bundled")
    env.reset(seed=0)
    env.set_state(env.get_state())
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step("nothing")


def test_a_state_of_other_problems_is_refused():
    env = make_env(dataset="bundled")
    env.reset(seed=0)
    few = make_env(dataset="bundled", problem_filter=ProblemFilter(difficulties=("easy",)))
    with pytest.raises(ConfigError, match="use the dataset, filter and shard"):
        few.set_state(env.get_state())
    with pytest.raises(ConfigError, match="cannot be taken up"):
        env.set_state({"problems": env.get_state()["problems"]})
    with pytest.raises(ConfigError, match="a state of 2 environments, and here are 3"):
        make_vector_env(3, dataset="bundled").set_state(
            make_vector_env(2, dataset="bundled").get_state()
        )
