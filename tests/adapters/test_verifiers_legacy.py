"""The environment in verifiers before 0.4."""

import asyncio
import importlib
from typing import Any

import pytest

verifiers = pytest.importorskip("verifiers")
if int(verifiers.__version__.split(".")[1]) >= 4:
    pytest.skip("verifiers 0.4 has another interface", allow_module_level=True)

from chat_server import chat_server, num_replies
from examples import ADD, ADD_WRONG, SECRET, BrokenJudge, SharedJudge, add_problem, fenced
from played import CASES, ENV_ID, NO_CODE, Case, Played

from codefeedback_env import ProblemFilter, ProblemSet
from codefeedback_env.adapters.verifiers_legacy import load_environment, vf


def evaluate(environment: Any, url: str, **options: Any) -> list[dict[str, Any]]:
    """The outputs of an evaluation by verifiers."""
    results = asyncio.run(
        environment.evaluate(
            client=vf.ClientConfig(api_base_url=url, api_key_var="NO_KEY"),
            model="scripted",
            state_columns=["turn_rewards", "turn_infos"],
            **options,
        )
    )
    return list(results["outputs"])


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("NO_KEY", "x")


@pytest.mark.sandbox
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_episode_is_the_same_as_without_the_adapter(case: Case):
    environment = load_environment(ENV_ID, problem_filter=ProblemFilter(ids=(case.problem_id,)))
    with chat_server(lambda messages: case.replies[num_replies(messages)]) as url:
        (output,) = evaluate(environment, url)

    assert output["error"] is None
    messages = [*output["prompt"], *output["completion"]]
    texts = tuple(m["content"] for m in messages if m["role"] == "user")
    rewards = tuple(output["turn_rewards"])
    played = Played(texts, rewards, bool(output["metrics"]["solved"]))
    plain = importlib.import_module("players.plain").play(case)
    assert played.agrees_with(plain), f"{played}\nis not\n{plain}"
    assert output["reward"] == pytest.approx(sum(rewards))
    assert output["metrics"]["cut_off"] == 0.0


def test_a_failing_sandbox_is_an_error(add_set):
    environment = load_environment("CodeFeedback-v0", dataset=add_set, sandbox=BrokenJudge(1))
    with chat_server(lambda messages: fenced(ADD)) as url:
        (output,) = evaluate(environment, url, num_examples=1)
    assert "the jail fell over" in str(output["error"])
    assert output["turn_rewards"] == []


@pytest.mark.sandbox
def test_many_episodes_at_once_and_no_hidden_test_in_their_rows(judge):
    problems = ProblemSet.from_problems([add_problem(f"add-{i}", secret=True) for i in range(4)])
    environment = load_environment("CodeFeedback-v0", dataset=problems, sandbox=SharedJudge(judge))
    replies = (NO_CODE, fenced(ADD_WRONG), fenced(ADD))
    with chat_server(lambda messages: replies[num_replies(messages)]) as url:
        outputs = evaluate(environment, url, num_examples=4, rollouts_per_example=6)
    assert len(outputs) == 24
    assert all(output["turn_rewards"] == [-0.2, 0.0, -1.0] for output in outputs)
    assert SECRET not in repr([*outputs, *environment.get_dataset()])
