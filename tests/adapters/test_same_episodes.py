"""One problem and one sequence of replies: one episode, in the environment and every adapter."""

import importlib

import pytest
from played import CASES, Case

LIBRARIES = {
    "vector": "gymnasium",
    "trl_rollout": "trl",
    "trl_environment": "trl",
    "verifiers": "verifiers",
    "skyrl": "skyrl_gym",
    "openenv": "openenv",
    "gem": "gem",
    "ray": "ray",
}


@pytest.mark.sandbox
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("player", LIBRARIES)
def test_an_episode_is_the_same_as_without_the_adapter(player: str, case: Case):
    pytest.importorskip(LIBRARIES[player])
    plain = importlib.import_module("players.plain").play(case)
    assert len(plain.messages) == len(plain.rewards) == len(case.replies)

    adapted = importlib.import_module(f"players.{player}").play(case)

    assert plain.solved == ("right" in case.name)
    assert adapted.agrees_with(plain), f"{adapted}\nis not\n{plain}"
