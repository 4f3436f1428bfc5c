"""The wrappers, also where an episode does not go its usual way."""

import gymnasium
import pytest
from examples import BrokenJudge, add_problem, fenced

from codefeedback_env import (
    FullTranscript,
    ProblemSet,
    RecordEpisodes,
    UnknownProblemError,
    read_episodes,
)

PROBLEMS = ProblemSet.from_problems([add_problem("a"), add_problem("b")])


class InterruptedJudge(BrokenJudge):
    """A judge over which somebody loses patience, once."""

    def judge(self, problem, submission, plan):
        if self.num_failures:
            self.num_failures -= 1
            raise KeyboardInterrupt
        return super().judge(problem, submission, plan)


def make(**options):
    options = {"dataset": PROBLEMS, "sandbox": BrokenJudge(0), **options}
    return gymnasium.make("CodeFeedback-v0", **options)


def roles(messages):
    return [message["role"] for message in messages]


def test_a_reply_that_was_no_string_is_not_in_the_conversation():
    env = FullTranscript(make())
    env.reset(seed=0)
    with pytest.raises(TypeError):
        env.step({"content": "x"})
    messages = env.step("no code")[0]
    assert roles(messages) == ["user", "assistant", "user"]
    assert messages[1]["content"] == "no code"


def test_a_reply_whose_judging_was_interrupted_is_not_in_the_conversation():
    env = FullTranscript(make(sandbox=InterruptedJudge(1)))
    env.reset(seed=0)
    with pytest.raises(KeyboardInterrupt):
        env.step(fenced("while True: pass"))
    assert roles(env.step("no code")[0]) == ["user", "assistant", "user"]


def test_a_reset_that_is_refused_leaves_the_conversation():
    env = FullTranscript(make())
    env.reset(seed=0)
    with pytest.raises(UnknownProblemError):
        env.reset(options={"problem": "nope"})
    assert roles(env.step("no code")[0]) == ["user", "assistant", "user"]


def test_an_episode_cut_by_a_time_limit_is_not_recorded_and_none_is_twice(tmp_path):
    path = tmp_path / "episodes.jsonl"
    env = RecordEpisodes(make(sandbox=BrokenJudge(1), max_episode_steps=2), path)
    env.reset(options={"problem": "a"})
    assert env.step(fenced("print(1)"))[3]  # the sandbox failed, which ends the episode
    env.reset(options={"problem": "b"})
    assert not env.step("no code")[3]
    assert env.step("no code")[3]  # cut
    assert [episode.problem_id for episode in read_episodes(path)] == ["a"]


def test_equal_episodes_in_a_row_are_each_recorded(tmp_path):
    path = tmp_path / "episodes.jsonl"
    env = RecordEpisodes(make(turn_limit=1), path)
    for _ in range(2):
        env.reset(seed=0)
        env.step("no code")
    first, second = read_episodes(str(path))
    assert first == second


@pytest.mark.parametrize(
    ("other", "name"),
    [
        (lambda: gymnasium.make("CartPole-v1"), "CartPoleEnv"),
        (
            lambda: gymnasium.make_vec("CodeFeedback-v0", num_envs=2, dataset=PROBLEMS),
            "CodeFeedbackVectorEnv",
        ),
    ],
)
def test_only_a_single_environment_of_this_package_is_recorded(tmp_path, other, name):
    with pytest.raises(TypeError, match=f"takes a CodeFeedbackEnv but got a {name}"):
        RecordEpisodes(other(), tmp_path / "episodes.jsonl")
