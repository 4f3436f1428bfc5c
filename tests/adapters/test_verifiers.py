"""The environment in verifiers 0.4."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("verifiers", minversion="0.4")

from chat_server import Messages, chat_server, num_replies
from examples import ADD, ADD_WRONG, SECRET, BrokenJudge, SharedJudge, add_problem, fenced
from pages import BLOCK, FOLDER
from played import NO_CODE, right
from players.verifiers import evaluate

from codefeedback_env import ProblemSet, load_problems
from codefeedback_env.adapters import verifiers as adapter
from codefeedback_env.adapters.environments import EnvironmentPool

SCRIPTS = Path(sys.executable).parent
PROBLEMS = load_problems("bundled")


@pytest.fixture
def use_pool(monkeypatch):
    """Lets the adapter play in environments that no JSON can describe."""

    def use(**options: Any) -> None:
        pool = EnvironmentPool("CodeFeedback-v0", **options)
        monkeypatch.setattr(adapter, "pool_of", lambda env_id, options: pool)

    return use


def second_time_right(messages: Messages) -> str:
    """A model that has nothing to say at first, and then solves a bundled problem."""
    if not num_replies(messages):
        return NO_CODE
    prompt = next(message["content"] for message in messages if message["role"] == "user")
    (problem,) = (problem for problem in PROBLEMS if problem.statement in prompt)
    return right(problem.id)


def run(folder: Path, verb: str, *arguments: str) -> str:
    """What a command of verifiers prints, with the page's package beside it."""
    package = next(p for _, p in BLOCK.findall((FOLDER / "verifiers.md").read_text("utf-8")))
    (folder / "my_problems.py").write_text(package, "utf-8")
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / verb), "my_problems", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "NO_KEY": "x"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.sandbox
def test_an_evaluation_by_the_command_line(tmp_path: Path):
    with chat_server(second_time_right) as url:
        run(
            tmp_path,
            "vf-eval",
            *("--env.taskset.options", '{"shard": [0, 2], "turn_limit": 2}'),
            *("-n", "3", "-r", "2", "-m", "scripted", "--client.base-url", url),
            *("--client.api-key-var", "NO_KEY", "--no-push", "--no-rich", "-o", str(tmp_path)),
        )
    (path,) = tmp_path.rglob("traces.jsonl")
    traces = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    traces = [trace for line in traces for trace in line.get("traces", [line])]
    assert len(traces) == 6
    ids = sorted(trace["task"]["data"]["id"] for trace in traces)
    assert ids == sorted(PROBLEMS.ids[:6:2] * 2)
    for trace in traces:
        assert trace["rewards"]["episode"]["score"] == pytest.approx(0.8)
        assert trace["metrics"] == {"solved": 1.0, "turns": 2.0, "cut_off": 0.0}
        assert [turn["reward"] for turn in trace["info"]["turns"]] == [-0.2, 1.0]
        assert trace["task"]["key"] == f"CodeContests-v0/bundled/{trace['task']['data']['id']}"
        assert "public_tests" not in json.dumps(trace["task"])


@pytest.mark.sandbox
def test_the_tasks_are_validated_by_their_reference_programs(tmp_path: Path):
    run(
        tmp_path,
        "vf-validate",
        *("--only-gold", "--runtime.type", "subprocess", "-n", "2", "--no-rich"),
        *("-o", str(tmp_path)),
    )
    (path,) = tmp_path.rglob("results.jsonl")
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert [row["valid"] for row in rows] == [True, True]


@pytest.mark.sandbox
def test_a_limit_of_verifiers_cuts_an_episode_off(tmp_path: Path, use_pool, add_set, judge):
    use_pool(dataset=add_set, sandbox=SharedJudge(judge))
    with chat_server(lambda messages: fenced(ADD_WRONG)) as url:
        config = {"env": {"player": {"max_turns": 2}}, "select": {"limit": 1}}
        (episode,) = evaluate(url, str(tmp_path), {}, **config)
    assert episode.ok
    (trace,) = episode.traces
    assert trace.metrics == {"solved": 0.0, "turns": 2.0, "cut_off": 1.0}
    assert trace.reward == 0.0


def test_a_failing_sandbox_is_an_error_without_reward_that_resume_does_again(
    tmp_path: Path, use_pool, add_set
):
    use_pool(dataset=add_set, sandbox=BrokenJudge(1))
    replies = [fenced(ADD), NO_CODE, NO_CODE, NO_CODE]
    with chat_server(lambda messages: replies.pop(0)) as url:
        config: dict[str, Any] = {"select": {"limit": 1}, "run": {"name": "again"}}
        (failed,) = evaluate(url, str(tmp_path), {}, **config)
        (resumed,) = evaluate(url, str(tmp_path), {}, **config, resume=True)
    assert not failed.ok
    assert "the jail fell over" in failed.errors[-1].message
    assert all(not trace.ok and not trace.rewards for trace in failed.traces)
    assert resumed.ok
    assert resumed.traces[0].reward == pytest.approx(-1.4)


@pytest.mark.sandbox
def test_many_episodes_at_once_and_no_hidden_test_in_their_traces(tmp_path, use_pool, judge):
    problems = ProblemSet.from_problems([add_problem(f"add-{i}", secret=True) for i in range(4)])
    use_pool(dataset=problems, sandbox=SharedJudge(judge))
    replies = (NO_CODE, fenced("print(input())"), fenced(ADD))
    with chat_server(lambda messages: replies[num_replies(messages)]) as url:
        episodes = evaluate(url, str(tmp_path), {}, num_rollouts=6)
    assert len(episodes) == 24
    for episode in episodes:
        assert episode.ok
        assert [turn["reward"] for turn in episode.traces[0].info["turns"]] == [-0.2, 0.0, -1.0]
    texts = [episode.model_dump_json() for episode in episodes]
    texts += [path.read_text("utf-8") for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(SECRET in text for text in texts)


@pytest.mark.sandbox
def test_replies_reach_the_environment_as_they_are(tmp_path: Path, use_pool, add_set, judge):
    use_pool(dataset=add_set, sandbox=SharedJudge(judge), turn_limit=1)
    reply = f"\n\n  ```python\n{ADD}\n```  \n\n"
    with chat_server(lambda messages: reply) as url:
        (episode,) = evaluate(url, str(tmp_path), {}, select={"limit": 1})
    pool = adapter.pool_of("", {})
    assert episode.traces[0].reward == 1.0
    assert pool.take().last_episode.turns[0].reply == reply


def test_tasks_have_durable_keys_and_the_prompts_of_the_environment():
    taskset = adapter.CodeTaskset(adapter.CodeTasksetConfig(id="codefeedback_task"))
    tasks = list(taskset.take(3))
    assert [task.key for task in tasks] == [
        f"CodeContests-v0/bundled/{i}" for i in PROBLEMS.ids[:3]
    ]
    assert all(PROBLEMS[task.data.id].statement in task.data.prompt for task in tasks)
