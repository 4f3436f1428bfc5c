"""The environment as its users meet it."""

import json
import multiprocessing
import os
import pickle
import shutil
import subprocess
import sys
import warnings
from typing import Any

import gymnasium
import numpy as np
import pytest
from examples import (
    ADD,
    ADD_PUBLIC_ONLY,
    ADD_WRONG,
    SECRET,
    BrokenJudge,
    SharedJudge,
    add_problem,
    fenced,
)
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env

import codefeedback_env
from codefeedback_env import (
    CodeFeedbackEnv,
    ConfigError,
    EnvClosedError,
    Episode,
    FullTranscript,
    Problem,
    ProblemFilter,
    ProblemSet,
    RecordEpisodes,
    RewardConfig,
    SandboxError,
    TestCase,
    UnknownNameError,
    UnknownProblemError,
    Verdict,
    read_episodes,
)
from codefeedback_env.problem import FunctionStyle, FunctionTask

pytestmark = pytest.mark.sandbox

RETRY = (
    "Give it another try.\nYour code should be enclosed in triple backticks like so: "
    "```python YOUR CODE HERE ```. Use the backticks for your code only."
)


@pytest.fixture
def make(judge, add_set):
    """Makes an environment over the small set; the judge is shared and stays open."""
    envs = []

    def make_(**options: Any) -> gymnasium.Env[str, str]:
        options = {"dataset": add_set, "sandbox": SharedJudge(judge), **options}
        envs.append(gymnasium.make("CodeFeedback-v0", **options))
        return envs[-1]

    yield make_
    for env in envs:
        env.close()


def play(env: gymnasium.Env[str, str], *replies: str, seed: int | None = 0) -> list[Any]:
    """Reset and step through the replies; all that was returned."""
    returned: list[Any] = [env.reset(seed=seed)]
    for reply in replies:
        returned.append(env.step(reply))
    return returned


# How episodes go


def test_right_first_reply_ends_the_episode_with_reward_one(make):
    _, (observation, reward, terminated, truncated, info) = play(make(), fenced(ADD))
    assert (observation, reward, terminated, truncated) == ("", 1.0, True, False)
    assert info["public_verdicts"] == {"accepted": 2}
    assert info["private_passed"] is True


def test_program_that_passes_public_tests_only_ends_the_episode_with_reward_minus_one(make):
    _, (observation, reward, terminated, _, info) = play(make(), fenced(ADD_PUBLIC_ONLY))
    assert (observation, reward, terminated) == ("", -1.0, True)
    assert info["private_passed"] is False


def test_failing_public_tests_come_back_as_feedback_and_the_episode_goes_on(make):
    _, (observation, reward, terminated, truncated, info) = play(make(), fenced(ADD_WRONG))
    assert observation == (
        "Your code failed the following tests:\n\n"
        "- input `2 2\n` failed:\nExpected output `4\n` but got `3\n`\n\n" + RETRY
    )
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert info["public_verdicts"] == {"wrong answer": 1, "accepted": 1}
    assert "private_passed" not in info


def test_last_turn_is_graded_whatever_it_is(make):
    steps = play(make(turn_limit=2), fenced(ADD_WRONG), fenced(ADD_WRONG))
    assert steps[2][:4] == ("", -1.0, True, False)
    steps = play(make(turn_limit=2), fenced(ADD_WRONG), fenced(ADD))
    assert steps[2][:4] == ("", 1.0, True, False)
    assert steps[2][4]["turn"] == 2


@pytest.mark.parametrize(
    ("reply", "feedback"),
    [
        ("no code", "Could not parse your code.\n" + RETRY),
        ("", "Could not parse your code.\n" + RETRY),
        (
            fenced("print("),
            "Your code failed the following tests:\n\n"
            + "\n".join(
                f"- input `{stdin}\n` failed:\n"
                '  File "solution.py", line 1\n    print(\n         ^\n'
                "SyntaxError: '(' was never closed"
                for stdin in ("1 2", "2 2")
            )
            + "\n\n"
            + RETRY,
        ),
    ],
)
def test_invalid_code_before_the_last_turn_costs_a_fifth(make, reply, feedback):
    _, step = play(make(), reply)
    assert step[:4] == (feedback, -0.2, False, False)


def test_invalid_code_in_the_last_turn_is_just_wrong(make):
    _, step = play(make(turn_limit=1), "no code")
    assert step[:4] == ("", -1.0, True, False)
    assert step[4]["private_passed"] is False


def test_runtime_error_shows_the_programs_own_traceback_with_its_lines(make):
    _, step = play(make(), fenced("def f(x):\n    return 1 // x\n\nf(0)"))
    assert (
        "- input `1 2\n` failed:\nTraceback (most recent call last):\n"
        '  File "solution.py", line 4, in <module>\n    f(0)\n'
        '  File "solution.py", line 2, in f\n    return 1 // x\n'
        "ZeroDivisionError: integer division or modulo by zero\n"
    ) in step[0]


@pytest.mark.parametrize(
    "reply",
    [
        "\ud800",
        "\x00",
        fenced("\ud800"),
        fenced("x = '\x00'"),
        "```python\ncut",
        "````\n```python\nprint(1)\n```\n````",
        "x" * (1 << 20),
        fenced("#" + "x" * (1 << 20)),
        fenced("# coding: utf-7\n"),
        "```\n```\n```",
        np.str_("hello"),
    ],
)
def test_any_string_is_a_reply(make, reply):
    _, step = play(make(), reply)
    assert step[1] in (-0.2, 0.0)
    assert isinstance(step[0], str)
    assert step[2:4] == (False, False)


# Feedback sources


def test_feedback_none_asks_again_and_never_stops_early(make):
    env = make(feedback="none")
    steps = play(env, fenced(ADD), "no code", fenced(ADD))
    assert steps[1][:4] == (RETRY, 0.0, False, False)
    assert steps[2][:4] == (RETRY, -0.2, False, False)
    assert steps[3][:4] == ("", 1.0, True, False)
    assert steps[1][4]["public_verdicts"] == {}


def test_feedback_none_still_tells_code_that_does_not_compile(make):
    assert play(make(feedback="none"), fenced("print("))[1][1] == -0.2


def test_feedback_random_is_another_problems_but_own_public_tests_end_the_episode(judge):
    other = Problem(
        id="other",
        statement="Print x",
        public_tests=(TestCase("other input\n", "x\n"),),
        private_tests=(TestCase("", "x\n"),),
    )
    problems = ProblemSet.from_problems(
        [add_problem("add"), other], wrong_programs={"other": ["print('decoy')"]}
    )
    env = gymnasium.make(
        "CodeFeedback-v0", dataset=problems, feedback="random", sandbox=SharedJudge(judge)
    )
    env.reset(seed=0, options={"problem": "add"})
    step = env.step(fenced(ADD_WRONG))
    assert step[0] == (
        "Your code failed the following tests:\n\n"
        "- input `other input\n` failed:\nExpected output `x\n` but got `decoy\n`\n\n" + RETRY
    )
    assert env.step(fenced(ADD))[1:4] == (1.0, True, False)


def test_feedback_random_falls_back_to_a_program_that_raises(judge):
    problems = ProblemSet.from_problems([add_problem("a"), add_problem("b")])
    env = gymnasium.make(
        "CodeFeedback-v0", dataset=problems, feedback="random", sandbox=SharedJudge(judge)
    )
    env.reset(seed=0, options={"problem": "a"})
    step = env.step(fenced(ADD_WRONG))
    assert "    raise NotImplementedError()\nNotImplementedError" in step[0]


def test_feedback_private_shows_at_most_eight_failing_hidden_tests_and_ends_when_all_pass(judge):
    many = Problem(
        id="many",
        statement="Print 1",
        public_tests=(TestCase("public\n", "1\n"),),
        private_tests=tuple(TestCase(f"hidden {i}\n", "1\n") for i in range(12)),
    )
    env = gymnasium.make(
        "CodeFeedback-v0",
        dataset=ProblemSet.from_problems([many]),
        feedback="private",
        sandbox=SharedJudge(judge),
    )
    env.reset(seed=0)
    public_only = "print(1 if input() == 'public' else 2)"
    observation, reward, terminated, _, _ = env.step(fenced(public_only))
    assert observation.count("- input `hidden ") == 8
    assert "public" not in observation
    assert (reward, terminated) == (0.0, False)
    assert env.step(fenced("print(1)"))[1:3] == (1.0, True)


def test_feedback_self_runs_the_tests_the_reply_proposes(make):
    env = make(feedback="self")
    (prompt, _), step = play(
        env, fenced(ADD_WRONG) + "```\nInput:\n5 5\nOutput:\n10\nInput:\n1 2\nOutput:\n3\n```"
    )
    assert "propose tests in a second block" in prompt
    assert step[0] == (
        "Your code failed the following tests:\n\n"
        "- input `5 5\n` failed:\nExpected output `10\n` but got `3\n`\n\n" + RETRY
    )
    step = env.step(fenced(ADD_WRONG) + "```\nInput:\n1 2\nOutput:\n3\n```")
    assert step[0] == "Your code passed all of your own tests.\n\n" + RETRY
    assert env.step(fenced(ADD))[1:3] == (1.0, True)


def test_feedback_self_without_tests_says_so(make):
    step = play(make(feedback="self"), fenced(ADD_WRONG))[1]
    assert step[0] == "No tests of yours could be parsed.\n\n" + RETRY


# Options


def test_reward_fraction_is_the_share_of_all_tests_passed(make):
    env = make(reward="fraction", turn_limit=1)
    # ADD_WRONG prints 3: right on one of two public tests, wrong on the two hidden ones.
    assert play(env, fenced(ADD_WRONG))[1][1] == 0.25
    # ADD_PUBLIC_ONLY: both public tests; 10 20 -> 0 is wrong, -1 1 -> 0 is right.
    assert play(env, fenced(ADD_PUBLIC_ONLY))[1][1] == 0.75


def test_reward_config_holds_the_numbers(make):
    env = make(reward=RewardConfig(success=5, failure=-7, invalid_code=-3))
    assert play(env, "x", fenced(ADD))[1][1] == -3
    assert play(env, fenced(ADD))[1][1] == 5
    assert play(env, fenced(ADD_PUBLIC_ONLY))[1][1] == -7


def test_feedback_format_by_name(make):
    step = play(make(feedback_format="count"), fenced(ADD_WRONG))[1]
    assert step[0] == "Your code failed 1 of 2 tests.\n\n" + RETRY


def test_judging_deepmind_ignores_the_exit_status_and_strict_does_not(make):
    crashing = fenced(ADD + "\nraise SystemExit(1)")
    assert play(make(judging="deepmind"), crashing)[1][1] == 1.0
    assert play(make(judging="strict"), crashing)[1][1] == 0.0


def test_checker_option_decides_on_outputs(make):
    env = make(checker=lambda stdin, expected, output: output == b"anything\n")
    assert play(env, fenced("print('anything')"))[1][1] == 1.0


def test_time_factor_multiplies_the_limit(make):
    # The problem's limit is 2 CPU seconds; a tenth of a second of work is too much for 0.02.
    slow = fenced("import time\nwhile time.process_time() < 0.3: pass\n" + ADD)
    assert play(make(), slow)[1][1] == 1.0
    step = play(make(time_factor=0.05), slow)[1]
    assert step[4]["public_verdicts"] == {"time limit exceeded": 2}
    assert "failed:\nExecution took too long\n" in step[0]


def test_max_private_tests_judges_by_fewer_hidden_tests():
    problem = Problem(
        id="p",
        statement="",
        public_tests=(TestCase("0", "0"),),
        private_tests=tuple(TestCase(str(i), str(i)) for i in range(1, 20)),
        generated_tests=tuple(TestCase(str(i), str(i)) for i in range(20, 40)),
    )
    env = gymnasium.make(
        "CodeFeedback-v0", dataset=ProblemSet.from_problems([problem]), max_private_tests=5
    )
    dialogues = []
    for _ in range(2):
        env.reset(seed=0)
        dialogues.append(env.unwrapped._dialogue.problem)
    assert dialogues[0] == dialogues[1]
    assert len(dialogues[0].private_tests) + len(dialogues[0].generated_tests) == 5
    env.close()


def test_problem_filter_and_shard_choose_problems(make):
    assert make(shard=(0, 2)).unwrapped.rules.problems.ids == ("add-0", "add-2")
    assert make(shard=(1, 2)).unwrapped.rules.problems.ids == ("add-1",)
    chosen = make(problem_filter=ProblemFilter(ids=("add-1",)))
    assert chosen.unwrapped.rules.problems.ids == ("add-1",)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"turn_limit": 0}, ConfigError, "turn_limit=0 must be at least 1"),
        ({"time_factor": 0}, ConfigError, "time_factor=0 must be positive"),
        ({"max_private_tests": 0}, ConfigError, "max_private_tests=0"),
        ({"num_workers": 0, "sandbox": "auto"}, ConfigError, "num_workers=0"),
        ({"shard": (2, 2)}, ConfigError, "0 <= i < n"),
        ({"feedback": "pubic"}, UnknownNameError, "did you mean 'public'"),
        ({"feedback_format": "papr"}, UnknownNameError, "did you mean 'paper'"),
        ({"reward": "papr"}, UnknownNameError, "did you mean 'paper'"),
        ({"judging": "srict"}, UnknownNameError, "did you mean 'strict'"),
        ({"checker": "nope"}, UnknownNameError, "unknown checker 'nope'"),
        ({"sandbox": "bubblewrap-pertest"}, UnknownNameError, "did you mean 'bubblewrap-per-test'"),
        ({"dataset": "code_contest"}, UnknownNameError, "did you mean 'code_contests'"),
        ({"dataset": None}, ConfigError, "no dataset"),
        ({"problem_filter": "papr"}, UnknownNameError, "did you mean 'paper'"),
        ({"problem_filter": ProblemFilter(ids=())}, ConfigError, "is empty"),
        ({"render_mode": "human"}, ConfigError, "render_mode='human'"),
    ],
)
def test_option_that_cannot_work_is_refused_with_what_to_do(add_set, options, error, message):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(error, match=message):
            gymnasium.make("CodeFeedback-v0", **{"dataset": add_set, **options})


def test_problem_without_public_tests_is_refused_under_public_feedback_only():
    problems = ProblemSet.from_problems(
        [Problem(id="hidden-only", statement="", private_tests=(TestCase("", ""),))]
    )
    with pytest.raises(ConfigError, match="'hidden-only'"):
        gymnasium.make("CodeFeedback-v0", dataset=problems)
    gymnasium.make("CodeFeedback-v0", dataset=problems, feedback="none").close()


def test_problem_without_any_test_is_refused():
    problems = ProblemSet.from_problems([Problem(id="untested", statement="")])
    with pytest.raises(ConfigError, match="no tests, such as 'untested'"):
        gymnasium.make("CodeFeedback-v0", dataset=problems, feedback="none")


def test_own_problems_need_ten_lines(judge):
    problem = codefeedback_env.Problem(
        id="double",
        statement="Read an integer and print its double",
        public_tests=(codefeedback_env.TestCase("2\n", "4\n"),),
        private_tests=(codefeedback_env.TestCase("21\n", "42\n"),),
    )
    problems = codefeedback_env.ProblemSet.from_problems([problem])
    env = gymnasium.make("CodeFeedback-v0", dataset=problems, sandbox=SharedJudge(judge))
    env.reset(seed=0)
    assert env.step("```python\nprint(2 * int(input()))\n```")[1] == 1.0


# Order and seeds


def test_reset_visits_every_problem_once_before_any_twice(make):
    env = make()
    ids = [env.reset(seed=5)[1]["problem_id"]]
    ids += [env.reset()[1]["problem_id"] for _ in range(5)]
    assert sorted(ids[:3]) == sorted(ids[3:]) == ["add-0", "add-1", "add-2"]


def test_problem_by_id_leaves_the_order_alone(make):
    env, other = make(), make()
    expected = [env.reset(seed=1)[1]["problem_id"], env.reset()[1]["problem_id"]]
    seen = [other.reset(seed=1)[1]["problem_id"]]
    assert other.reset(options={"problem": "add-2"})[1]["problem_id"] == "add-2"
    seen.append(other.reset()[1]["problem_id"])
    assert seen == expected


def test_equal_seeds_and_actions_give_equal_episodes(make):
    replies = (fenced(ADD_WRONG), "no code", fenced(ADD))
    first = play(make(feedback="random"), *replies, seed=11)
    second = play(make(feedback="random"), *replies, seed=11)
    assert first == second


def test_nothing_returned_is_shared_between_calls(make):
    env = make()
    _, info = env.reset(seed=0)
    info["public_verdicts"]["spoiled"] = 1
    info["problem_id"] = "spoiled"
    _, _, _, _, first = env.step(fenced(ADD_WRONG))
    first["public_verdicts"].clear()
    _, _, _, _, second = env.step(fenced(ADD_WRONG))
    assert second["public_verdicts"] == {"wrong answer": 1, "accepted": 1}
    assert second["problem_id"] != "spoiled"


# Misuse


def test_step_before_reset_and_after_the_end_asks_for_a_reset(make):
    env = make()
    with pytest.raises(ResetNeeded):
        env.step("x")
    env.unwrapped.reset(seed=0)
    with pytest.raises(ResetNeeded, match=r"call reset\(\)"):
        make().unwrapped.step("x")
    play(env, fenced(ADD))
    with pytest.raises(ResetNeeded, match="after the episode's end"):
        env.step(fenced(ADD))


@pytest.mark.parametrize("action", [None, 3, b"bytes", ["list"]])
def test_action_that_is_no_string_is_a_type_error(make, action):
    env = make()
    env.reset(seed=0)
    with pytest.raises(TypeError, match="an action is a reply, a str, but got"):
        env.unwrapped.step(action)


def test_unknown_problem_and_unknown_reset_option_are_refused(make):
    env = make().unwrapped
    with pytest.raises(UnknownProblemError, match="no problem 'nope'"):
        env.reset(options={"problem": "nope"})
    with pytest.raises(UnknownProblemError, match=r"no problem 'ad-2' .*; did you mean 'add-2'\?"):
        env.reset(options={"problem": "ad-2"})
    with pytest.raises(ConfigError, match=r"unknown reset options \['problm'\]"):
        env.reset(options={"problm": "add-0"})


@pytest.mark.parametrize("problem", [3, 0, -1, True, ["add-0"], b"add-0"])
def test_a_problem_is_asked_for_by_its_id_only(make, problem):
    env = make()
    before = env.reset(seed=0)[1]["problem_id"]
    expected = env.reset()[1]["problem_id"]
    with pytest.raises(ConfigError, match="must be a problem's id, a str"):
        env.reset(seed=1, options={"problem": problem})
    env.reset(seed=0, options={"problem": before})
    assert env.reset()[1]["problem_id"] == before  # nothing of the order was used up
    assert env.reset()[1]["problem_id"] == expected


def test_closed_environment_says_so(make):
    env = make().unwrapped
    env.reset(seed=0)
    env.close()
    with pytest.raises(EnvClosedError):
        env.step("x")
    with pytest.raises(EnvClosedError):
        env.reset()


# Sandbox failures


def test_sandbox_failure_truncates_with_reward_zero_and_the_third_in_a_row_is_raised(add_set):
    env = gymnasium.make("CodeFeedback-v0", dataset=add_set, sandbox=BrokenJudge(3)).unwrapped
    for _ in range(2):
        env.reset(seed=0)
        observation, reward, terminated, truncated, info = env.step(fenced(ADD))
        assert (observation, reward, terminated, truncated) == ("", 0.0, False, True)
        assert info["sandbox_error"] == "the jail fell over"
        assert env.last_episode.ended_by == "sandbox failure"
    env.reset(seed=0)
    with pytest.raises(SandboxError, match="3 times in a row"):
        env.step(fenced(ADD))


def test_success_in_between_forgives_sandbox_failures(add_set):
    broken = BrokenJudge(2)
    env = gymnasium.make("CodeFeedback-v0", dataset=add_set, sandbox=broken).unwrapped
    for _ in range(3):
        for _ in range(2):
            env.reset(seed=0)
            assert env.step(fenced(ADD))[3] is True
        env.reset(seed=0)
        env.step("no code")
        broken.num_failures = 2


# Gymnasium


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("turn_limit", [1, 3])
def test_gymnasiums_env_checker_has_nothing_to_complain_about(judge, turn_limit):
    env = gymnasium.make("CodeContests-v0", turn_limit=turn_limit, render_mode="ansi")
    check_env(env.unwrapped)
    env.close()


@pytest.mark.parametrize("render_mode", [None, "ansi"])
def test_env_spec_and_pickle_make_the_same_environment_again(judge, render_mode):
    env = gymnasium.make("CodeContests-v0", turn_limit=2, render_mode=render_mode)
    for other in (gymnasium.make(env.spec), pickle.loads(pickle.dumps(env))):
        assert repr(other) == repr(env)
        assert other.spec == env.spec
        assert other.reset(seed=3) == env.reset(seed=3)
        other.close()
    env.close()


def test_pickle_keeps_the_episode_under_way(judge):
    env = gymnasium.make("CodeContests-v0")
    env.reset(seed=2)
    env.step("no code")
    copy = pickle.loads(pickle.dumps(env))
    assert copy.step("no code") == env.step("no code")
    assert copy.reset() == env.reset()
    for each in (env, copy):
        each.close()


def test_spec_round_trips_through_json(judge):
    env = gymnasium.make("CodeContests-v0", feedback="none")
    spec = gymnasium.envs.registration.EnvSpec.from_json(env.spec.to_json())
    again = gymnasium.make(spec)
    assert repr(again) == repr(env)
    for each in (env, again):
        each.close()


def test_repr_names_the_bundled_split(judge):
    env = gymnasium.make("CodeContests-v0")
    assert "split 'bundled'" in repr(env)
    assert env.reset(seed=0)[1]["split"] == "bundled"
    env.close()


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_gymnasiums_own_vector_environments_work(judge, mode):
    options = {"shared_memory": False} if mode == "async" else {}
    envs = gymnasium.make_vec(
        "CodeContests-v0",
        num_envs=2,
        vectorization_mode=mode,
        vector_kwargs=options,
        num_workers=1,
        turn_limit=1,
    )
    observations, infos = envs.reset(seed=1)
    assert len(observations) == 2
    assert all(isinstance(observation, str) for observation in observations)
    _, rewards, terminations, _, infos = envs.step((fenced("print(1)"), "no code"))
    assert rewards.tolist() == [-1.0, -1.0]
    assert terminations.tolist() == [True, True]
    assert infos["private_passed"].tolist() == [False, False]
    envs.close()


def test_gymnasiums_async_environment_with_shared_memory_says_what_to_do(judge):
    with pytest.raises(ValueError, match="shared_memory=False"):
        gymnasium.make_vec("CodeContests-v0", num_envs=2, vectorization_mode="async")


def test_python_and_sandbox_options_choose_what_runs_the_programs(judge, add_set, tmp_path):
    chosen = judge.info()
    python = shutil.which("python3", path="/usr/bin") or sys.executable
    env = gymnasium.make(
        "CodeFeedback-v0", dataset=add_set, sandbox=chosen.sandbox, python=python, num_workers=1
    )
    assert play(env, fenced(ADD))[1][1] == 1.0
    settings = env.unwrapped.last_episode.settings
    assert settings["sandbox"] == chosen.sandbox
    done = subprocess.run([python, "-V"], capture_output=True, text=True, check=True)
    assert settings["python"] == done.stdout.split()[1]
    env.close()


@pytest.mark.parametrize(
    ("options", "name", "split", "ids"),
    [
        ({"dataset": "bundled"}, "bundled", "bundled", None),
        ({"dataset": "code_contests", "split": "bundled"}, "bundled", "bundled", None),
        ({"path": True}, None, "custom", ("one",)),
        ({"dataset": True}, "custom", "custom", ("one",)),
        ({"path": True, "split": "valid"}, None, "valid", ("one",)),
    ],
)
def test_dataset_by_name_and_by_path(tmp_path, options, name, split, ids):
    row = {
        "name": "one",
        "description": "d",
        "public_tests": {"input": ["1"], "output": ["1"]},
        "private_tests": {"input": ["2"], "output": ["2"]},
        "generated_tests": {"input": [], "output": []},
    }
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(row) + "\n")
    options = {key: str(file) if value is True else value for key, value in options.items()}
    for env_id, own_name in (("CodeFeedback-v0", "custom"), ("CodeContests-v0", "code_contests")):
        env = gymnasium.make(env_id, **options)
        problems = env.unwrapped.rules.problems
        assert (problems.name, problems.split) == (name or own_name, split)
        assert ids is None or problems.ids == ids
        env.close()


def test_environment_in_a_forked_child_works_and_disturbs_nobody(make):
    env = make()
    env.reset(seed=0)
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()

    def in_child() -> None:
        theirs.send(env.step(fenced(ADD_WRONG)))
        env.close()
        os._exit(0)

    child = context.Process(target=in_child)
    child.start()
    assert ours.poll(60)
    from_child = ours.recv()
    child.join(60)
    assert from_child == env.step(fenced(ADD_WRONG))
    assert env.step(fenced(ADD))[1] == 1.0


# Transcripts and records


def test_render_is_a_readable_transcript(make):
    env = make(render_mode="ansi")
    play(env, fenced(ADD_WRONG), fenced(ADD))
    text = env.render()
    for part in (
        "=== Problem ",
        "Print the sum of two integers",
        "=== Reply 1 ",
        "=== Feedback 1 (reward +0) ",
        "Expected output `4\n` but got `3\n`",
        "=== Reply 2 ",
        "ended by: tests passed",
        "passed all tests: yes",
        "reward: +1",
    ):
        assert part in text


def test_full_transcript_gives_the_conversation(make):
    env = FullTranscript(make())
    first, _ = env.reset(seed=0)
    assert [message["role"] for message in first] == ["user"]
    second = env.step(fenced(ADD_WRONG))[0]
    assert [message["role"] for message in second] == ["user", "assistant", "user"]
    assert second[1]["content"] == fenced(ADD_WRONG)
    assert second in env.observation_space
    third = env.step(fenced(ADD))[0]
    assert [message["role"] for message in third] == ["user", "assistant", "user", "assistant"]
    assert first == second[:1]


def test_record_of_an_episode_survives_json(make, tmp_path):
    path = tmp_path / "deep" / "episodes.jsonl"
    env = RecordEpisodes(make(), path)
    play(env, fenced(ADD_WRONG) + "\ud800", "no code", fenced(ADD))
    play(env, fenced(ADD_PUBLIC_ONLY))
    first, second = read_episodes(path)
    assert first.reward == pytest.approx(0.8)
    assert [turn.reward for turn in first.turns] == [0.0, -0.2, 1.0]
    assert first.turns[0].reply == fenced(ADD_WRONG) + "\ud800"
    assert first.turns[0].public_report.results[1].verdict is Verdict.WRONG_ANSWER
    assert first.turns[1].submission is None
    assert (first.private_passed, second.private_passed) == (True, False)
    assert first.settings["split"] == "custom"
    assert second == env.unwrapped.last_episode
    assert Episode.from_json(second.to_json()) == second


# Leaks


@pytest.mark.parametrize("feedback", ["public", "random", "none", "self"])
def test_hidden_tests_show_in_nothing_an_agent_or_a_log_can_see(
    judge, tmp_path, capfd, caplog, feedback
):
    problems = ProblemSet.from_problems(
        [add_problem(f"add-{i}", secret=True) for i in range(2)],
        wrong_programs={f"add-{i}": ["print(input())"] for i in range(2)},
    )
    env = RecordEpisodes(
        gymnasium.make(
            "CodeFeedback-v0",
            dataset=problems,
            feedback=feedback,
            sandbox=SharedJudge(judge),
            render_mode="ansi",
        ),
        tmp_path / "episodes.jsonl",
    )
    # Programs that pass public tests and then say what they read, in all ways they have.
    echo = (
        "import sys\nline = input()\na, b = map(int, line.split()[:2])\n"
        "if a < 5 and b != 1:\n    print(a + b)\nelse:\n    "
    )
    programs = [
        echo + end
        for end in (
            "print(line)",
            "sys.stderr.write(line * 9); raise ValueError(line)",
            "sys.exit(line)",
            "print(line * 10**6)",
            "while True: print(line)",
        )
    ]
    seen: list[Any] = [repr(env), repr(problems)]
    for program in programs:
        seen.append(env.reset(seed=0))
        for _ in range(3):
            step = env.step(fenced(program) + "```\nInput:\n1 1\nOutput:\n3\n```")
            seen += [step, env.render()]
            if step[2]:
                break
        assert step[2] is True
        assert step[4]["private_passed"] is False
    seen += [(tmp_path / "episodes.jsonl").read_text(), caplog.text, *capfd.readouterr()]
    assert SECRET not in repr(seen)


def test_documented_info_keys_are_the_real_ones(make):
    env = make()
    infos = [env.reset(seed=0)[1], env.step("x")[4], env.step(fenced(ADD))[4]]
    broken = gymnasium.make(
        "CodeFeedback-v0", dataset=env.unwrapped.rules.problems, sandbox=BrokenJudge(1)
    )
    broken.reset(seed=0)
    infos.append(broken.step(fenced(ADD))[4])
    task = FunctionTask(name="f", style=FunctionStyle.ASSERTS, reply_prefix="def f():\n")
    public = (TestCase("assert f()", ""),)
    problem = Problem(id="f", statement="f", public_tests=public, function=task)
    with_prefix = gymnasium.make(
        "CodeFeedback-v0", dataset=ProblemSet.from_problems([problem]), sandbox=BrokenJudge(0)
    )
    infos.append(with_prefix.reset(seed=0)[1])
    real = set().union(*infos)
    text = CodeFeedbackEnv.__doc__.split("**Info**:")[1].split("**Reset**")[0]
    documented = {part for part in text.split("``")[1::2]}
    assert documented == real
