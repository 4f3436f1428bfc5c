"""Runs that were killed go on, and end with the same records as those that were not."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import skilled_agent
from skilled_agent import Skilled

import benchmarks
from agents.generation.scripted import SCRIPTED_POLICIES
from benchmarks.__main__ import main
from benchmarks.evaluation.measures import read_run
from codefeedback_env import read_episodes

CHECKOUT = Path(benchmarks.__file__).parents[1]
NUM_EPISODES = 15
SUITE = """
about = "For a test."
[common]
env = "CodeContests-v0"
split = "bundled"
problems = 3
temperature = 0.2
turn_limit = 3
metrics = ["1@3", "turns"]
[[cells]]
name = "first"
rollouts = 3
[[cells]]
name = "second"
feedback = "none"
rollouts = 2
"""


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(SCRIPTED_POLICIES, "skilled", Skilled)
    path = tmp_path / "mine.toml"
    path.write_text(SUITE)
    return str(path)


def command(suite: str, out: Path, *more: str) -> list[str]:
    return ["run", suite, "--agent", "skilled", "--out", str(out), "--num-envs", "2", *more]


def records(out: Path) -> list[Any]:
    """What the episodes say besides times, by cell, problem and rollout."""
    return sorted(
        (
            episode.settings["cell"],
            episode.problem_id,
            episode.settings["rollout"],
            episode.seed,
            episode.private_passed,
            [
                (turn.reply, turn.feedback, turn.reward, str(turn.public_report.verdict))
                if turn.public_report
                else (turn.reply, turn.feedback, turn.reward, "")
                for turn in episode.turns
            ],
        )
        for episode in read_episodes(out / "episodes.jsonl")
    )


def num_lines(out: Path) -> int:
    path = out / "episodes.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def start_and_kill(suite: str, out: Path, is_resumed: bool, chance: random.Random) -> None:
    """Kill a run a moment after it has recorded some more episodes."""
    resume = ["--resume"] if is_resumed else []
    program = [sys.executable, skilled_agent.__file__, *command(suite, out, *resume)]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    goal = num_lines(out) + chance.randint(0, 2)
    process = subprocess.Popen(
        program, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    try:
        while process.poll() is None and num_lines(out) <= goal and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(chance.random() * 0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert num_lines(out) > goal or process.returncode == 0


@pytest.mark.sandbox
@pytest.mark.parametrize("num_kills", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_a_run_that_is_killed_goes_on_without_repeating_or_losing_an_episode(
    suite: str, tmp_path: Path, num_kills: int
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert main(command(suite, whole)) == 0
    chance = random.Random(num_kills)
    for number in range(num_kills):
        start_and_kill(suite, killed, number > 0, chance)
    assert main(command(suite, killed, "--resume")) == 0
    assert len(records(killed)) == NUM_EPISODES
    assert records(killed) == records(whole)
    assert numbers(killed) == numbers(whole)


def numbers(out: Path) -> list[Any]:
    run = read_run(out)
    return [(name, cell.numbers(0), cell.by_turn(0)) for name, cell in run.cells.items()]


@pytest.mark.sandbox
def test_a_half_written_last_line_is_cut_and_played_again(suite: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert main(command(suite, out)) == 0
    path = out / "episodes.jsonl"
    expected, lines = records(out), path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-2]) + lines[-2][:100])
    assert main(command(suite, out, "--resume")) == 0
    assert path.read_bytes().splitlines(keepends=True)[:-2] == lines[:-2]
    assert records(out) == expected
    parts = json.loads((out / "manifest.json").read_text())["parts"]
    assert ["--resume" in part["command"] for part in parts] == [False, True]


@pytest.mark.sandbox
def test_a_run_must_be_gone_on_with_as_it_was_begun(
    suite: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    small = ("--problems", "1", "--rollouts", "1")
    assert main(command(suite, out, *small)) == 0
    before = (out / "manifest.json").read_bytes(), (out / "episodes.jsonl").read_bytes()

    def refusal(*arguments: str) -> str:
        capsys.readouterr()
        assert main(list(arguments)) == 2
        return capsys.readouterr().err

    assert "--resume to go on with it" in refusal(*command(suite, out, *small))
    other_seed = refusal(*command(suite, out, *small, "--resume", "--seed", "7"))
    assert "seed is 0 there and 7 here" in other_seed
    other_agent = command(suite, out, *small, "--resume")
    other_agent[3] = "reference"
    assert "agent is 'skilled' there and 'reference' here" in refusal(*other_agent)
    more = refusal(*command(suite, out, "--problems", "1", "--rollouts", "2", "--resume"))
    assert "cells[0].rollouts is 1 there and 2 here" in more
    Path(suite).write_text(SUITE.replace("For a test", "For another test"))
    assert "suite_hash is" in refusal(*command(suite, out, *small, "--resume"))
    other = command("bundled", out, *small, "--resume")
    assert "suite is 'mine' there and 'bundled' here" in refusal(*other)
    nowhere = refusal(*command(suite, tmp_path / "none", "--resume"))
    assert "there is no run in" in nowhere
    assert before == ((out / "manifest.json").read_bytes(), (out / "episodes.jsonl").read_bytes())


@pytest.mark.sandbox
def test_a_run_that_ended_before_its_first_episode_is_begun_anew(
    suite: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    model = ["run", suite, "--agent", "multi-turn", "--model", str(tmp_path / "nowhere")]
    pytest.importorskip("transformers")
    assert main([*model, "--out", str(out)]) == 2
    assert "is no folder" in capsys.readouterr().err
    assert main(command(suite, out, "--problems", "1", "--rollouts", "1")) == 0
    assert len(records(out)) == 2
    assert len(json.loads((out / "manifest.json").read_text())["parts"]) == 1


@pytest.mark.sandbox
def test_records_that_cannot_be_of_the_run_are_refused(
    suite: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    small = ("--problems", "1", "--rollouts", "1")
    assert main(command(suite, out, *small)) == 0
    path = out / "episodes.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[0] + lines[1])
    assert main(command(suite, out, *small, "--resume")) == 2
    assert "line 2: " in capsys.readouterr().err
    path.write_bytes(b"not a record\n" + lines[1])
    assert main(command(suite, out, *small, "--resume")) == 2
    assert "line 1: not an episode record" in capsys.readouterr().err
