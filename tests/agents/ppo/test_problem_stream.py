from collections import Counter
from itertools import chain

import pytest

from agents.ppo.problem_stream import ProblemStream, again
from codefeedback_env import ConfigError

IDS = [f"problem-{number}" for number in range(7)]


def take(stream, number):
    return [stream.next_group() for _ in range(number)]


def test_every_problem_comes_up_once_before_any_comes_again():
    groups = take(ProblemStream(IDS, seed=3), 14)
    names = [group[0].problem_id for group in groups]
    assert sorted(names[:7]) == sorted(names[7:]) == IDS
    assert names[:7] != names[7:]


def test_order_is_a_function_of_the_seed_and_goes_on_from_a_position():
    whole = take(ProblemStream(IDS, seed=3, group_size=2), 10)
    assert whole == take(ProblemStream(IDS, seed=3, group_size=2), 10)
    assert whole != take(ProblemStream(IDS, seed=4, group_size=2), 10)
    resumed = ProblemStream(IDS, seed=3, group_size=2)
    resumed.position = 6
    assert take(resumed, 4) == whole[6:]


def test_processes_share_the_stream_without_overlap():
    whole = take(ProblemStream(IDS, seed=3), 12)
    shares = [take(ProblemStream(IDS, 3, 1, rank, 3), 4) for rank in range(3)]
    assert list(chain.from_iterable(zip(*shares, strict=True))) == whole


def test_members_of_a_group_have_one_problem_and_different_seeds():
    for group in take(ProblemStream(IDS, seed=0, group_size=4), 20):
        assert len({rollout.problem_id for rollout in group}) == 1
        assert len({rollout.group for rollout in group}) == 1
        assert len({rollout.seed for rollout in group}) == 4


def test_seeds_do_not_repeat():
    groups = take(ProblemStream(IDS, seed=0, group_size=2), 2_000)
    counts = Counter(rollout.seed for group in groups for rollout in group)
    assert max(counts.values()) <= 2  # 4,000 of 2^32: hardly any collision


def test_a_failed_rollout_is_replaced_by_another_of_its_problem_and_group():
    (rollout,) = ProblemStream(IDS, seed=0).next_group()
    other = again(rollout)
    assert (other.problem_id, other.group) == (rollout.problem_id, rollout.group)
    assert len({rollout.seed, other.seed, again(other).seed}) == 3


def test_no_problems_are_refused():
    with pytest.raises(ConfigError, match="no problem to train on"):
        ProblemStream([], seed=0)
