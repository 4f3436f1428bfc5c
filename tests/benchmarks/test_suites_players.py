"""Agents of suites: a model is loaded once, whatever the cells say."""

from pathlib import Path
from typing import Any

import pytest

from agents.generation.base import Conversation
from agents.generation.chat_scripted import ScriptedBackend
from agents.generation.model import ModelSettings
from agents.generation.tokens import Sampling
from agents.prompting.build import PromptingPlayer
from benchmarks.__main__ import main
from benchmarks.evaluation import players
from benchmarks.evaluation.players import Player, Players
from benchmarks.evaluation.store import read_manifest
from benchmarks.evaluation.suite import load_suite
from codefeedback_env import load_problems

SUITE = """
about = "For a test."
[common]
env = "CodeContests-v0"
split = "bundled"
problems = 1
rollouts = 1
turn_limit = 1
metrics = ["1@1"]
[[cells]]
name = "cold"
temperature = 0.2
[[cells]]
name = "warm"
temperature = 1.0
[[cells]]
name = "judged otherwise"
temperature = 1.0
top_p = 0.5
judging = "deepmind"
"""


@pytest.fixture
def suite(tmp_path: Path) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(SUITE)
    return str(path)


@pytest.mark.sandbox
def test_cells_share_the_loaded_model_of_a_prompting_agent(
    suite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[ScriptedBackend] = []

    def load(player: PromptingPlayer, name: str, num_conversations: int) -> ScriptedBackend:
        loaded.append(ScriptedBackend(lambda request: "no program"))
        return loaded[-1]

    monkeypatch.setattr(PromptingPlayer, "_backend", load)
    script, out = tmp_path / "script.jsonl", tmp_path / "run"
    script.write_text("")
    options = ["--agent", "multi-turn", "--backend", "scripted", "--script", str(script)]
    assert main(["run", suite, *options, "--out", str(out)]) == 0
    (model,) = loaded
    drawn = [(request.sampling.temperature, request.sampling.top_p) for request in model.requests]
    assert drawn == [(0.2, 0.95), (1.0, 0.95), (1.0, 0.5)]
    (part,) = read_manifest(out)["parts"]
    (spent,) = part["spent"]
    assert spent["num_replies"] == 3
    assert part["load_time_s"] >= 0
    assert main(["report", str(out)]) == 0
    report = (out / "report.md").read_text()
    assert "3 completions" in report
    assert "6 reply tokens" in report  # two words each


def test_cells_share_the_loaded_model_of_the_agent_model(
    suite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FakePolicy(players.ModelPolicy):
        caveats = ()

        def __init__(self, settings: ModelSettings) -> None:
            self.sampling = settings.sampling

        def reply(self, conversations: Any) -> list[str]:
            return ["" for _ in conversations]

        def close(self) -> None:
            pass

    loaded: list[FakePolicy] = []

    def load(settings: ModelSettings, num_conversations: int) -> FakePolicy:
        loaded.append(FakePolicy(settings))
        return loaded[-1]

    monkeypatch.setattr(players, "load_model_policy", load)
    settings = ModelSettings(model="m")
    drawn: list[Sampling] = []
    with Players(Player("model", {"model": "m"}, settings), 4) as all_cells:
        for cell in load_suite(suite).cells:
            generator = all_cells.generator_for(cell, load_problems("bundled"), {})
            generator.reply([Conversation(problem_id="p", seed=0, messages=())])
            drawn.append(generator.sampling)  # type: ignore[attr-defined]
    assert len(loaded) == 1
    assert [(each.temperature, each.top_p) for each in drawn] == [
        (0.2, 0.95),
        (1.0, 0.95),
        (1.0, 0.5),
    ]
