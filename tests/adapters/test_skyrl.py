"""The environment in SkyRL-gym."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

skyrl_gym = pytest.importorskip("skyrl_gym")

from examples import ADD, ADD_WRONG, SECRET, BrokenJudge, SharedJudge, add_problem, fenced
from pages import run_page
from skyrl_gym.metrics import aggregate_for_environment

from codefeedback_env import ConfigError, ProblemSet, SandboxError, UnknownProblemError
from codefeedback_env.adapters import skyrl

NO_CODE = "I do not know."


def registered(**options: Any) -> str:
    """A name that nobody else has: the registry outlives a test."""
    name = f"codefeedback_{uuid4().hex}"
    skyrl.register(name, "CodeFeedback-v0", **options)
    return name


def made(name: str, problem_id: str = "add-0", max_turns: int | None = 3) -> Any:
    extras: dict[str, Any] = {"reward_spec": {"method": "rule", "ground_truth": problem_id}}
    if max_turns is not None:
        extras["max_turns"] = max_turns
    return skyrl_gym.make(name, env_config={}, extras=extras)


@pytest.mark.sandbox
def test_an_episode_with_its_metadata_and_metrics(add_set, judge):
    name = registered(dataset=add_set, sandbox=SharedJudge(judge))
    env = made(name, "add-1")

    history, info = env.init([])
    assert [message["role"] for message in history] == ["user"]
    assert info["problem_id"] == "add-1"

    output = env.step(fenced(ADD_WRONG))
    assert (output["reward"], output["done"]) == (0.0, False)
    assert output["metadata"]["public_verdicts"] == {"accepted": 1, "wrong answer": 1}
    assert [message["role"] for message in output["observations"]] == ["user"]
    assert env.get_metrics() == {
        "solved": False,
        "turns": 1,
        "cut_off": True,
        "sandbox_failed": False,
    }

    output = env.step(fenced(ADD))
    assert (output["reward"], output["done"], output["observations"]) == (1.0, True, [])
    assert output["metadata"]["private_passed"] is True
    assert env.get_metrics() == {
        "solved": True,
        "turns": 2,
        "cut_off": False,
        "sandbox_failed": False,
    }


@pytest.mark.parametrize(("max_turns", "limit"), [(1, 1), (5, 5), (None, 3)])
def test_max_turns_of_the_generator_is_the_turn_limit(add_set, max_turns, limit):
    env = made(registered(dataset=add_set, sandbox=BrokenJudge(0)), max_turns=max_turns)
    env.init([])
    assert env.max_turns == limit
    assert [env.step(NO_CODE)["done"] for _ in range(limit)] == [False] * (limit - 1) + [True]


def test_two_different_turn_limits_are_refused(add_set):
    name = registered(dataset=add_set, sandbox=BrokenJudge(0), turn_limit=3)
    with pytest.raises(ConfigError, match=r"turn_limit=3 .*max_turns=1"):
        made(name, max_turns=1)
    assert made(name, max_turns=3) is not made(name, max_turns=None)


def test_rows_that_do_not_fit_are_refused(add_set):
    name = registered(dataset=add_set, sandbox=BrokenJudge(0))
    with pytest.raises(ConfigError, match=r"reward_spec\.ground_truth"):
        skyrl_gym.make(name, env_config={}, extras={"max_turns": 3})
    with pytest.raises(ConfigError, match="register"):
        skyrl_gym.make(name, env_config={"split": "train"}, extras={})
    with pytest.raises(UnknownProblemError, match="nowhere"):
        made(name, "nowhere").init([])
    with pytest.raises(ConfigError, match="asks something else"):
        made(name).init([{"role": "user", "content": "Print the difference."}])
    with pytest.raises(ConfigError, match="before init"):
        made(name).step(NO_CODE)


def test_a_failing_sandbox_ends_the_episode_and_counts_as_nothing_else(add_set):
    name = registered(dataset=add_set, sandbox=BrokenJudge(1))
    failed, wrong = made(name), made(name)
    failed.init([])
    output = failed.step(fenced(ADD))
    assert (output["reward"], output["done"], output["observations"]) == (0.0, True, [])
    assert output["metadata"]["sandbox_error"] == "the jail fell over"
    wrong.init([])
    while not wrong.step(NO_CODE)["done"]:
        pass

    metrics = [env.get_metrics() for env in (failed, wrong)]
    assert aggregate_for_environment(name, metrics) == {
        "solved": 0.0,
        "turns": 3.0,
        "cut_off": 0.0,
        "sandbox_failed": 0.5,
    }
    assert aggregate_for_environment(name, metrics[:1]) == {"sandbox_failed": 1.0}
    assert aggregate_for_environment(name, []) == {}


def test_a_sandbox_that_keeps_failing_stops_the_run(add_set):
    name = registered(dataset=add_set, sandbox=BrokenJudge(99))

    def trajectory() -> None:
        env = made(name)
        env.init([])
        env.step(fenced(ADD))
        env.close()

    trajectory()
    trajectory()
    with pytest.raises(SandboxError, match="3 times in a row"):
        trajectory()


@pytest.mark.sandbox
def test_trajectories_in_a_thread_pool(add_set, judge):
    name = registered(dataset=add_set, sandbox=SharedJudge(judge))

    def trajectory(number: int) -> tuple[list[float], str]:
        env = made(name, f"add-{number % 3}")
        env.init([])
        replies = [NO_CODE, fenced(ADD_WRONG), fenced(ADD)][number % 3 :]
        outputs = [env.step(reply) for reply in replies]
        env.close()
        assert [output["done"] for output in outputs] == [False] * (len(outputs) - 1) + [True]
        return [output["reward"] for output in outputs], outputs[-1]["metadata"]["problem_id"]

    with ThreadPoolExecutor(8) as pool:
        played = list(pool.map(trajectory, range(24)))
    for number, (rewards, problem_id) in enumerate(played):
        assert rewards == [-0.2, 0.0, 1.0][number % 3 :]
        assert problem_id == f"add-{number % 3}"


def test_rows_name_problems_and_hold_no_tests(tmp_path: Path):
    parquet = pytest.importorskip("pyarrow.parquet")
    problems = ProblemSet.from_problems([add_problem(f"add-{i}", secret=True) for i in range(3)])
    path = tmp_path / "train.parquet"

    count = skyrl.write_rows(
        path, "CodeFeedback-v0", dataset=problems, env_class="mine", system_prompt="Be brief."
    )

    table = parquet.read_table(path).to_pylist()
    assert count == len(table) == 3
    assert [row["reward_spec"]["ground_truth"] for row in table] == ["add-0", "add-1", "add-2"]
    assert {row["env_class"] for row in table} == {"mine"}
    assert [message["role"] for message in table[0]["prompt"]] == ["system", "user"]
    assert "Print the sum of two integers" in table[0]["prompt"][1]["content"]
    assert SECRET.encode() not in path.read_bytes()
    assert SECRET not in repr(table)

    env = made(registered(dataset=problems, sandbox=BrokenJudge(0)), "add-2")
    history, _ = env.init(table[2]["prompt"])
    assert history == table[2]["prompt"]


@pytest.mark.sandbox
def test_hidden_tests_stay_hidden(judge):
    problems = ProblemSet.from_problems([add_problem("add-0", secret=True)])
    env = made(registered(dataset=problems, sandbox=SharedJudge(judge)), max_turns=2)
    seen = [env.init([]), env.step(fenced("print(input())")), env.step(fenced(ADD))]
    assert SECRET not in repr([*seen, env.get_metrics(), env.spec])


@pytest.mark.sandbox
def test_the_page_is_true(tmp_path: Path, monkeypatch):
    pytest.importorskip("pyarrow")
    monkeypatch.chdir(tmp_path)
    assert run_page("skyrl")["output"]["reward"] == -0.2
