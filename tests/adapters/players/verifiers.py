"""verifiers' runner over one task, with a server whose model replies as the case says."""

import asyncio
import tempfile
from typing import Any

from chat_server import chat_server, num_replies
from played import ENV_ID, Case, Played
from verifiers.v1.cli.eval.runner import run_eval
from verifiers.v1.configs.cli.eval import EvalConfig


def evaluate(url: str, out: str, taskset: dict[str, Any], **config: Any) -> list[Any]:
    """The episodes of an evaluation, as ``vf-eval`` runs it."""
    return asyncio.run(
        run_eval(
            EvalConfig(
                env={"taskset": {"id": "codefeedback_task", **taskset}, **config.pop("env", {})},
                model="scripted",
                client={"base_url": url, "api_key_var": "NO_KEY"},
                push=False,
                rich=None,
                output_dir=out,
                **config,
            )
        )
    )


def play(case: Case) -> Played:
    with (
        tempfile.TemporaryDirectory() as out,
        chat_server(lambda messages: case.replies[num_replies(messages)]) as url,
    ):
        include = {"ids": [case.problem_id]}
        (episode,) = evaluate(url, out, {"env_id": ENV_ID}, select={"include": include})
    assert episode.ok, episode.errors
    (trace,) = episode.traces
    messages = tuple(m.content for m in trace.branches[-1].messages if m.role == "user")
    rewards = tuple(turn["reward"] for turn in trace.info["turns"])
    assert trace.reward == sum(rewards)
    return Played(messages, rewards, bool(trace.metrics["solved"]))
