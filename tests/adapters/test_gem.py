"""The environment in GEM."""

import json
import random
from functools import partial

import pytest

gem = pytest.importorskip("gem")

from examples import ADD, ADD_WRONG, SECRET, BrokenJudge, SharedJudge, add_problem, fenced
from gem.wrappers.episode_tracking_wrapper import EpisodeTrackingWrapper
from gem.wrappers.observation_wrapper import ObservationWrapper
from pages import run_page

from codefeedback_env import ConfigError, ProblemSet
from codefeedback_env.adapters.environments import make_environment
from codefeedback_env.adapters.gem import GemEnv, register

ID = "codefeedback:CodeFeedback-v0"
NO_CODE = "I do not know."


def test_every_environment_of_the_package_is_registered_once():
    register()

    env = gem.make("codefeedback:CodeContests-v0", turn_limit=2)
    assert isinstance(env, GemEnv)
    assert isinstance(env, gem.Env)
    assert env.env_id == "codefeedback:CodeContests-v0"
    assert "2 turns" in repr(env)


def test_options_reach_the_environment_and_typing_errors_do_not_pass(add_set):
    with pytest.raises(ConfigError, match="turn_limits"):
        gem.make(ID, dataset=add_set, turn_limits=2)
    with pytest.raises(ConfigError, match="turn_limit=0"):
        gem.make(ID, dataset=add_set, turn_limit=0)


def test_a_seed_fixes_the_problems_and_leaves_the_global_generator_alone(add_set):
    env = gem.make(ID, dataset=add_set, sandbox=BrokenJudge(0))
    plain = make_environment("CodeFeedback-v0", dataset=add_set, sandbox=BrokenJudge(0))
    random.seed(5)
    before = random.getstate()

    assert env.reset(seed=7) == plain.reset(seed=7)
    assert [env.reset()[1] for _ in range(4)] == [plain.reset()[1] for _ in range(4)]
    assert random.getstate() == before


@pytest.mark.sandbox
@pytest.mark.parametrize("async_mode", [False, True])
def test_a_vector_of_environments_with_wrappers(add_set, judge, async_mode: bool):
    envs = gem.make_vec(
        [ID] * 3,
        wrappers=[
            partial(ObservationWrapper, include_action=True, include_chat_template=False),
            EpisodeTrackingWrapper,
        ],
        async_mode=async_mode,
        seed=11,
        dataset=add_set,
        sandbox=SharedJudge(judge),
    )
    plain = [make_environment("CodeFeedback-v0", dataset=add_set) for _ in range(3)]
    firsts = [env.reset(seed=11 + i) for i, env in enumerate(plain)]

    observations, infos = envs.reset()
    assert [text.strip() for text in observations] == [text for text, _ in firsts]
    assert [info["problem_id"] for info in infos] == [info["problem_id"] for _, info in firsts]

    wrong, right = fenced(ADD_WRONG), fenced(ADD)
    observations, rewards, terminated, truncated, infos = envs.step([right, wrong, NO_CODE])
    nexts = [plain[0].reset()[0]]  # GEM resets at once
    assert rewards.tolist() == [1, 0, -0.2]
    assert terminated.tolist() == [True, False, False]
    assert not truncated.any()
    assert observations[0].strip() == nexts[0]
    assert "Expected output `4\n` but got `3\n`" in observations[1]
    assert wrong in observations[1]
    assert infos[1]["public_verdicts"] == {"accepted": 1, "wrong answer": 1}

    # A part of the environments, as GEM has it.
    _, rewards, terminated, _, _ = envs.step({1: right, 2: right})
    assert (rewards.tolist(), terminated.tolist()) == ([1, 1], [True, True])


@pytest.mark.sandbox
@pytest.mark.parametrize("same_state", [True, False])
def test_a_spawned_environment_goes_on_in_the_middle_of_an_episode(add_set, judge, same_state):
    env = gem.make(ID, dataset=add_set, sandbox=SharedJudge(judge), seed=3)
    first, _ = env.reset()
    env.step(fenced(ADD_WRONG))
    state = json.loads(json.dumps(env.get_state()))

    child = env.spawn(same_state=same_state)
    if not same_state:
        assert child.reset()[0] == first  # the constructor's seed again
        child.set_state(state)

    assert child.step(NO_CODE) == env.step(NO_CODE)
    ended = child.step(fenced(ADD))
    assert ended == env.step(fenced(ADD))
    assert ended[1:4] == (1, True, False)
    assert ended[4]["turn"] == 3
    assert [child.reset()[1]["problem_id"] for _ in range(5)] == [
        env.reset()[1]["problem_id"] for _ in range(5)
    ]


def test_a_state_before_the_first_reset_keeps_the_seed(add_set):
    env = gem.make(ID, dataset=add_set, sandbox=BrokenJudge(0), seed=4)
    child = env.spawn(same_state=True, seed=5)
    assert child.reset() == env.reset()


def test_what_is_no_state_is_refused(add_set):
    env = gem.make(ID, dataset=add_set, sandbox=BrokenJudge(0))
    with pytest.raises(ConfigError, match="first_seed"):
        env.set_state({"start": {}, "problem_id": None, "replies": []})
    other = ProblemSet.from_problems([add_problem("other")])
    state = gem.make(ID, dataset=other, sandbox=BrokenJudge(0)).get_state()
    with pytest.raises(ConfigError, match="fingerprint"):
        env.set_state(state)


def test_a_failing_sandbox_truncates_with_reward_zero(add_set):
    env = gem.make(ID, dataset=add_set, sandbox=BrokenJudge(1))
    env.reset(seed=0)
    observation, reward, terminated, truncated, info = env.step(fenced(ADD))
    assert (observation, reward, terminated, truncated) == ("", 0.0, False, True)
    assert info["sandbox_error"] == "the jail fell over"


@pytest.mark.sandbox
def test_hidden_tests_stay_hidden(judge):
    problems = ProblemSet.from_problems([add_problem(secret=True)])
    env = gem.make(ID, dataset=problems, sandbox=SharedJudge(judge), turn_limit=2)
    seen = [env.reset(seed=0), env.step(fenced("print(input())")), env.get_state()]
    seen += [env.step(fenced(ADD)), env.get_state(), env.last_episode(), env]
    assert SECRET not in repr(seen)


@pytest.mark.sandbox
def test_the_page_is_true():
    assert run_page("gem")["reward"] == -0.2
