"""The environment as an OpenEnv server, and its client."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("openenv")

import requests
from examples import ADD, ADD_WRONG, SECRET, BrokenJudge, SharedJudge, add_problem, fenced
from openenv.validation.parsers.openenv_yaml import OpenEnvYamlParser
from openenv_server import serving
from pages import FOLDER, run_page
from played import ENV_ID, right

import codefeedback_env
from codefeedback_env import ConfigError, ProblemSet, SandboxError, UnknownProblemError
from codefeedback_env.adapters import openenv
from codefeedback_env.adapters.environments import EnvironmentPool
from codefeedback_env.adapters.openenv import CodeAction, CodeClient, CodeEnvironment

PACKAGE = Path(openenv.__file__).parent
NO_CODE = "I do not know."


def session(**options: Any) -> CodeEnvironment:
    return CodeEnvironment(EnvironmentPool("CodeFeedback-v0", render_mode="ansi", **options))


@pytest.fixture(scope="module")
def url():
    with serving(env_id=ENV_ID, turn_limit=2, max_sessions=3) as address:
        yield address


@pytest.mark.sandbox
def test_a_client_plays_an_episode_over_the_network(url: str):
    with CodeClient(url).sync() as client:
        result = client.reset(problem="bus-convoy", episode_id="mine")
        assert (result.reward, result.done) == (None, False)
        assert result.observation.info["problem_id"] == "bus-convoy"

        result = client.step(CodeAction(reply=NO_CODE))
        assert (result.reward, result.done) == (-0.2, False)
        assert result.observation.text.startswith("Could not parse your code.")
        state = client.state()
        assert (state.episode_id, state.step_count, state.problem_id) == ("mine", 1, "bus-convoy")
        assert (state.split, state.turn_limit) == ("bundled", 2)

        result = client.step(CodeAction(reply=right("bus-convoy")))
        assert (result.reward, result.done, result.observation.text) == (1.0, True, "")
        assert result.observation.info["private_passed"] is True
        assert not result.observation.truncated


@pytest.mark.sandbox
def test_sessions_go_on_at_once_and_more_than_allowed_are_refused(url: str):
    async def episode(client: CodeClient) -> float:
        await client.reset(problem="car-park")
        await client.step(CodeAction(reply=NO_CODE))
        return (await client.step(CodeAction(reply=right("car-park")))).reward

    async def run() -> None:
        clients = [CodeClient(url) for _ in range(3)]
        assert await asyncio.gather(*map(episode, clients)) == [1.0] * 3
        with pytest.raises(RuntimeError, match="CAPACITY_REACHED"):
            await CodeClient(url).reset()
        await clients[0].close()
        for _ in range(50):  # the server notices in its own time
            try:
                await clients[0].reset()
                break
            except RuntimeError:
                await asyncio.sleep(0.1)
        assert (await clients[0].state()).step_count == 0
        for client in clients:
            await client.close()

    asyncio.run(run())


def test_tasks_are_listed_and_played_by_index(url: str):
    def post(what: str, **body: Any) -> Any:
        return requests.post(f"{url}/codefeedback/{what}", json=body, timeout=60)

    problems = codefeedback_env.load_problems("bundled")
    assert requests.get(f"{url}/list_environments", timeout=60).json() == ["codefeedback"]
    splits = requests.get(f"{url}/codefeedback/splits", timeout=60).json()
    assert [split["name"] for split in splits] == ["bundled"]
    assert post("num_tasks", split="bundled").json() == {"num_tasks": len(problems)}
    tasks = post("tasks", split="bundled").json()["tasks"]
    assert [task["id"] for task in tasks] == list(problems.ids)
    assert post("task", split="bundled", index=4).json()["task"] == tasks[4]
    assert post("task_range", split="bundled", start=2, stop=5).json()["tasks"] == tasks[2:5]
    for wrong in ({"split": "train", "index": 0}, {"split": "bundled", "index": len(problems)}):
        assert post("task", **wrong).status_code == 400

    with CodeClient(url).sync() as client:
        result = client.reset(split="bundled", index=4)
        assert result.observation.info["problem_id"] == tasks[4]["id"]
        with pytest.raises(RuntimeError, match="no split 'train'"):
            client.reset(split="train")


def test_a_seed_fixes_the_order(url: str):
    def order(seed: int) -> list[str]:
        with CodeClient(url).sync() as client:
            first = client.reset(seed=seed).observation.info["problem_id"]
            return [first, *(client.reset().observation.info["problem_id"] for _ in range(3))]

    assert order(7) == order(7) != order(8)


def test_a_running_server_meets_the_standard(url: str):
    from openenv.cli._validation import validate_running_environment

    report = validate_running_environment(url, timeout_s=60)
    assert report["passed"], report


def test_the_manifest_is_true():
    manifest = OpenEnvYamlParser().parse(PACKAGE)
    assert (manifest.name, manifest.version) == ("codefeedback", codefeedback_env.__version__)
    assert manifest.capabilities.task_api


@pytest.mark.sandbox
def test_the_page_for_people_shows_the_conversation_as_text():
    hostile = "<img src=x onerror=alert(1)>"
    with serving(is_web=True, env_id=ENV_ID) as address:
        assert requests.get(f"{address}/web/", timeout=60).status_code == 200
        requests.post(f"{address}/web/reset", json={}, timeout=60).raise_for_status()
        body = {"action": {"reply": hostile}}
        answer = requests.post(f"{address}/web/step", json=body, timeout=60)
        assert answer.json()["reward"] == -0.2

    env = session(dataset=ProblemSet.from_problems([add_problem()]), sandbox=BrokenJudge(0))
    env.reset()
    observation = env.step(CodeAction(reply=hostile))
    drawing = env.render_web(observation.model_dump())
    assert drawing is not None
    assert "=== Problem" in drawing
    assert "&lt;img src=x onerror=alert(1)&gt;" in drawing
    assert "<img" not in drawing


def test_a_failing_sandbox_gives_no_reward(add_set):
    env = session(dataset=add_set, sandbox=BrokenJudge(3))
    for is_raised in (False, False, True):
        env.reset()
        if is_raised:
            with pytest.raises(SandboxError, match="3 times in a row"):
                env.step(CodeAction(reply=fenced(ADD)))
            return
        observation = env.step(CodeAction(reply=fenced(ADD)))
        assert (observation.reward, observation.done, observation.truncated) == (None, True, True)
        assert observation.info["sandbox_error"] == "the jail fell over"


def test_mistakes_are_named(add_set, monkeypatch):
    env = session(dataset=add_set, sandbox=BrokenJudge(0))
    with pytest.raises(ConfigError, match=r"before reset"):
        env.step(CodeAction(reply=NO_CODE))
    with pytest.raises(ConfigError, match="give one"):
        env.reset(index=0, problem="add-0")
    with pytest.raises(ConfigError, match="sede"):
        env.reset(sede=3)
    with pytest.raises(IndexError, match="no task 3"):
        env.reset(index=3)
    with pytest.raises(UnknownProblemError, match="nowhere"):
        env.reset(problem="nowhere")
    with pytest.raises(ConfigError, match="turn_limit=0"):
        openenv.make_app(ENV_ID, turn_limit=0)

    monkeypatch.setenv("ENABLE_WEB_INTERFACE", "false")
    from codefeedback_env.adapters.openenv.app import arguments

    assert arguments({}) == {}
    assert arguments({"CODEFEEDBACK_OPENENV": '{"shard": [0, 2]}'}) == {"shard": (0, 2)}
    for wrong in ("{", "[]"):
        with pytest.raises(ConfigError, match="CODEFEEDBACK_OPENENV"):
            arguments({"CODEFEEDBACK_OPENENV": wrong})


@pytest.mark.sandbox
def test_hidden_tests_stay_hidden(judge):
    problems = ProblemSet.from_problems([add_problem(secret=True)])
    env = session(dataset=problems, sandbox=SharedJudge(judge), turn_limit=2)
    seen: list[Any] = [env.reset(), env.state]
    for program in ("print(input())", ADD):
        observation = env.step(CodeAction(reply=fenced(program)))
        seen += [observation, env.state, env.render_web(observation.model_dump())]
    seen += [env.list_tasks("custom"), env.get_metadata()]
    assert observation.done
    assert SECRET not in repr(seen)


@pytest.mark.sandbox
def test_sessions_in_threads_have_environments_of_their_own(add_set, judge):
    pool = EnvironmentPool("CodeFeedback-v0", dataset=add_set, sandbox=SharedJudge(judge))

    def play(number: int) -> tuple[str, list[float | None]]:
        env = CodeEnvironment(pool)
        env.reset(index=number % 3)
        rewards = [env.step(CodeAction(reply=fenced(p))).reward for p in (ADD_WRONG, ADD)]
        problem_id = env.state.problem_id
        env.close()
        assert problem_id is not None
        return problem_id, rewards

    with ThreadPoolExecutor(6) as threads:
        played = list(threads.map(play, range(18)))
    assert played == [(f"add-{number % 3}", [0.0, 1.0]) for number in range(18)]


@pytest.mark.sandbox
def test_output_that_is_no_text_can_be_sent(add_set, judge):
    env = session(dataset=add_set, sandbox=SharedJudge(judge))
    env.reset()
    program = "import sys\nsys.stdout.buffer.write(b'\\xff\\xed\\xa0\\x80')"
    observation = env.step(CodeAction(reply=fenced(program)))
    assert json.loads(observation.model_dump_json())["text"] == observation.text


@pytest.mark.sandbox
def test_the_page_is_true(url: str):
    page = (FOLDER / "openenv.md").read_text("utf-8")
    assert "http://127.0.0.1:8000" in page
    assert run_page("openenv", {"http://127.0.0.1:8000": url})["result"].reward == -0.2
