"""Many episodes at once."""

import time
from typing import Any

import gymnasium
import numpy as np
import pytest
from examples import ADD, ADD_PUBLIC_ONLY, ADD_WRONG, BrokenJudge, SharedJudge, fenced
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode

from codefeedback_env import (
    CodeFeedbackVectorEnv,
    ConfigError,
    EnvClosedError,
    SandboxError,
)
from codefeedback_env.vector import stack_infos

pytestmark = pytest.mark.sandbox

SLOW = fenced("import time\nwhile time.process_time() < 1.2: pass\nprint(0)")


@pytest.fixture
def make(judge, add_set):
    envs = []

    def make_(num_envs: int = 3, **options: Any) -> CodeFeedbackVectorEnv:
        options = {"dataset": add_set, "sandbox": SharedJudge(judge), **options}
        envs.append(gymnasium.make_vec("CodeFeedback-v0", num_envs=num_envs, **options))
        return envs[-1]

    yield make_
    for env in envs:
        env.close()


def test_make_vec_gives_our_vector_environment(make):
    envs = make()
    assert isinstance(envs, CodeFeedbackVectorEnv)
    assert envs.num_envs == 3
    assert envs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    observations, _ = envs.reset(seed=0)
    assert observations in envs.observation_space
    assert envs.action_space.sample() in envs.action_space


def test_batch_step_gives_what_single_environments_give(make, judge, add_set):
    envs = make()
    single = gymnasium.make("CodeFeedback-v0", dataset=add_set, sandbox=SharedJudge(judge))
    replies = [fenced(ADD), fenced(ADD_WRONG), "no code"]
    observations, infos = envs.reset(seed=7)
    stepped = envs.step(replies)
    for i, reply in enumerate(replies):
        observation, info = single.reset(seed=7 + i)
        assert observation == observations[i]
        assert info["problem_id"] == infos["problem_id"][i]
        observation, reward, terminated, truncated, info = single.step(reply)
        assert observation == stepped[0][i]
        assert (reward, terminated, truncated) == tuple(part[i] for part in stepped[1:4])
        assert info["turn"] == stepped[4]["turn"][i]
    assert stepped[4]["_private_passed"].tolist() == [True, False, False]
    assert stepped[4]["public_verdicts"]["accepted"].tolist() == [2, 1, 0]


def test_next_step_mode_resets_with_the_step_after_the_end(make):
    envs = make(2)
    envs.reset(seed=0)
    _, rewards, terminations, _, _ = envs.step([fenced(ADD), fenced(ADD_WRONG)])
    assert rewards.tolist() == [1.0, 0.0]
    assert terminations.tolist() == [True, False]
    observations, rewards, terminations, _, infos = envs.step(["ignored", fenced(ADD)])
    assert observations[0].startswith("Provide a Python solution")
    assert rewards.tolist() == [0.0, 1.0]
    assert terminations.tolist() == [False, True]
    assert infos["turn"].tolist() == [0, 2]


def test_same_step_mode_resets_at_once_and_keeps_the_final_info(make):
    envs = make(2, autoreset_mode="SameStep")
    envs.reset(seed=0)
    observations, rewards, terminations, _, infos = envs.step(
        [fenced(ADD_PUBLIC_ONLY), fenced(ADD_WRONG)]
    )
    assert rewards.tolist() == [-1.0, 0.0]
    assert terminations.tolist() == [True, False]
    assert observations[0].startswith("Provide a Python solution")
    assert infos["final_obs"].tolist() == ["", None]
    assert infos["final_info"]["private_passed"].tolist() == [False, False]
    assert infos["_final_info"].tolist() == [True, False]
    assert infos["turn"].tolist() == [0, 1]


def test_disabled_mode_waits_for_a_reset_by_mask(make):
    envs = make(2, autoreset_mode=AutoresetMode.DISABLED)
    envs.reset(seed=0)
    envs.step([fenced(ADD), fenced(ADD_WRONG)])
    with pytest.raises(ResetNeeded):
        envs.step([fenced(ADD), fenced(ADD)])
    envs.reset(seed=0)
    stepped = envs.step([fenced(ADD), fenced(ADD_WRONG)])
    mask = np.array([True, False])
    observations, infos = envs.reset(options={"reset_mask": mask, "problem": ["add-1", None]})
    assert infos["problem_id"].tolist() == ["add-1", None]
    assert observations[1] == stepped[0][1]
    _, rewards, _, _, _ = envs.step([fenced(ADD), fenced(ADD)])
    assert rewards.tolist() == [1.0, 1.0]


def test_nobody_waits_for_the_slowest_program(make):
    envs = make(4)
    envs.async_reset(seed=0)
    observations, _, _, _, infos = envs.recv(4)
    assert sorted(infos["env_id"]) == [0, 1, 2, 3]
    assert len(observations) == 4
    start = time.monotonic()
    envs.send([SLOW, fenced(ADD), fenced(ADD), fenced(ADD)], [0, 1, 2, 3])
    first: list[int] = []
    while len(first) < 3:
        _, rewards, _, _, infos = envs.recv(1)
        assert rewards.tolist() == [1.0] * len(rewards)
        first += infos["env_id"].tolist()
    assert sorted(first) == [1, 2, 3]
    envs.send([fenced(ADD)], [1])  # NEXT_STEP: this one resets, and needs no judging
    while 1 not in (received := envs.recv(1)[4]["env_id"].tolist()):
        pass
    assert 0 not in received
    assert envs.recv(1)[4]["env_id"].tolist() == [0]
    assert time.monotonic() - start > 1.2  # it took its time, but only its own


def test_send_and_recv_refuse_what_cannot_be(make):
    envs = make(2)
    with pytest.raises(ConfigError, match="0 environments have a step under way"):
        envs.recv(1)
    envs.reset(seed=0)
    with pytest.raises(ConfigError, match=r"env_ids \[5\] are out of range"):
        envs.send(["x"], [5])
    with pytest.raises(ConfigError, match="1 actions for 2 environments"):
        envs.send(["x"], [0, 1])
    with pytest.raises(ConfigError, match="have a step under way"):
        envs.send(["x", "x"], [0, 0])
    envs.send(["x"], [0])
    with pytest.raises(ConfigError, match="have a step under way"):
        envs.send(["x"], [0])
    with pytest.raises(ConfigError, match=r"min_envs=2"):
        envs.recv(2)
    assert envs.recv()[1].tolist() == [-0.2]


def test_reset_in_mid_step_abandons_the_step(make):
    envs = make(2)
    envs.reset(seed=0)
    envs.send([SLOW, SLOW], [0, 1])
    observations, _ = envs.reset(seed=0)
    assert len(observations) == 2
    _, rewards, _, _, _ = envs.step([fenced(ADD), fenced(ADD)])
    assert rewards.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda envs: envs.step(["x"]), "needs 3 actions but got 1"),
        (lambda envs: envs.reset(seed=[1, 2]), "seed has 2 values for 3 environments"),
        (
            lambda envs: envs.reset(options={"reset_mask": np.zeros(3, dtype=bool)}),
            "at least one of them true",
        ),
    ],
)
def test_wrong_lengths_are_refused(make, call, message):
    envs = make(3)
    envs.reset(seed=0)
    with pytest.raises(ConfigError, match=message):
        call(envs)


def test_unknown_autoreset_mode_and_no_environments_are_refused(make):
    with pytest.raises(ConfigError, match="autoreset_mode='Never'"):
        make(1, autoreset_mode="Never")
    with pytest.raises(ConfigError, match="num_envs=0"):
        make(0)


def test_step_before_reset_asks_for_one(make):
    with pytest.raises(ResetNeeded):
        make(1).step(["x"])


def test_action_that_is_no_string_is_a_type_error(make):
    envs = make(1)
    envs.reset(seed=0)
    with pytest.raises(TypeError, match="an action is a reply"):
        envs.step([3])


@pytest.mark.parametrize("bad", [3, None, b"x"])
def test_a_batch_with_one_wrong_action_is_not_begun(make, bad):
    envs = make()
    envs.reset(seed=0)
    with pytest.raises(TypeError, match="an action is a reply"):
        envs.step([fenced(ADD), bad, "x"])
    with pytest.raises(TypeError, match="an action is a reply"):
        envs.send(["x", bad], [0, 2])
    assert envs.recv(0)[0] == ()
    assert envs.step(["x"] * 3)[4]["turn"].tolist() == [1, 1, 1]


def test_a_batch_with_an_ended_episode_is_not_begun(make):
    envs = make(autoreset_mode="Disabled")
    envs.reset(seed=0)
    envs.step(["x", fenced(ADD), "x"])
    with pytest.raises(ResetNeeded):
        envs.step(["x"] * 3)
    envs.reset(options={"reset_mask": np.array([False, True, False])})
    assert envs.step(["x"] * 3)[4]["turn"].tolist() == [2, 1, 2]


def test_one_reply_is_no_batch(make):
    envs = make()
    envs.reset(seed=0)
    with pytest.raises(TypeError, match="must be a sequence of replies but is one: 'abc'"):
        envs.step("abc")


@pytest.mark.parametrize("problem", [1, [0, 1, 2], 2.5, ["add-0", "add-1", True]])
def test_problems_are_asked_for_by_id_only(make, problem):
    envs = make()
    for reset in (envs.reset, envs.async_reset):
        with pytest.raises(ConfigError, match=r"options\['problem'\]"):
            reset(options={"problem": problem})


def test_async_reset_refuses_options_it_does_not_have(make):
    with pytest.raises(ConfigError, match="unknown reset options"):
        make().async_reset(options={"reset_mask": np.array([True] * 3)})


def test_recv_and_send_after_close_say_so(make):
    envs = make()
    envs.reset(seed=0)
    envs.close()
    with pytest.raises(EnvClosedError):
        envs.recv()
    with pytest.raises(EnvClosedError):
        envs.send(["x"], [0])


def test_sandbox_failure_truncates_its_own_episode_and_the_third_in_a_row_is_raised(add_set):
    envs = gymnasium.make_vec(
        "CodeFeedback-v0", num_envs=1, dataset=add_set, sandbox=BrokenJudge(3)
    )
    envs.reset(seed=0)
    for _ in range(2):
        _, rewards, terminations, truncations, infos = envs.step([fenced(ADD)])
        assert (rewards[0], terminations[0], truncations[0]) == (0.0, False, True)
        assert infos["sandbox_error"][0] == "the jail fell over"
        envs.reset(seed=0)
    with pytest.raises(SandboxError, match="3 times in a row"):
        envs.step([fenced(ADD)])


def test_judge_that_takes_no_submission_truncates_the_episode(add_set):
    class RefusingJudge(BrokenJudge):
        def submit(self, problem, submission, plan):
            self.judge(problem, submission, plan)
            return super().submit(problem, submission, plan)

    envs = gymnasium.make_vec(
        "CodeFeedback-v0", num_envs=1, dataset=add_set, sandbox=RefusingJudge(1)
    )
    envs.reset(seed=0)
    _, _, _, truncations, infos = envs.step([fenced(ADD)])
    assert truncations[0]
    assert infos["sandbox_error"][0] == "the jail fell over"
    assert envs.recv(0)[0] == ()


def test_last_episode_of_each_environment_is_at_hand(make):
    envs = make(2)
    envs.reset(seed=0)
    assert envs.last_episode(0) is None
    envs.step([fenced(ADD), fenced(ADD_PUBLIC_ONLY)])
    assert [envs.last_episode(i).private_passed for i in range(2)] == [True, False]


def test_render_gives_a_transcript_for_each(make):
    envs = make(2, render_mode="ansi")
    envs.reset(seed=0)
    assert all("=== Problem" in text for text in envs.render())


def test_stacked_infos_have_gymnasiums_layout():
    stacked = stack_infos([{"a": 1, "d": {"x": 2}}, {"b": "t"}, {"a": 3, "d": {"y": 4}}])
    assert stacked["a"].tolist() == [1, 0, 3]
    assert stacked["_a"].tolist() == [True, False, True]
    assert stacked["b"].tolist() == [None, "t", None]
    assert stacked["d"]["x"].tolist() == [2, 0, 0]
    assert stacked["d"]["_y"].tolist() == [False, False, True]
    assert stacked["_d"].tolist() == [True, False, True]


def test_recv_of_no_results_does_not_wait(make):
    envs = make(2)
    envs.reset(seed=0)
    start = time.monotonic()
    envs.send([SLOW], [0])
    observations, rewards, terminations, truncations, infos = envs.recv(0)
    assert time.monotonic() - start < 1
    assert observations == ()
    assert rewards.shape == terminations.shape == truncations.shape == (0,)
    assert infos["env_id"].shape == (0,)
    assert envs.recv(1)[4]["env_id"].tolist() == [0]
