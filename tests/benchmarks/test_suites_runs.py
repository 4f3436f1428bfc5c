"""Suites from the command line to the report, with agents whose skill is known."""

import importlib.util
import json
from collections import defaultdict
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from skilled_agent import SOLVES_IN, Skilled

from agents.generation.scripted import SCRIPTED_POLICIES
from agents.metrics import TurnOutcome
from benchmarks.__main__ import main
from benchmarks.evaluation.measures import Run, gap, read_run
from codefeedback_env import read_episodes

SUITE = """
about = "For a test."
gaps = [["true", "other"]]
[common]
env = "CodeContests-v0"
split = "bundled"
problems = 3
rollouts = 4
temperature = 0.2
turn_limit = 3
metrics = ["1@3", "2@9", "pass@2", "single-turn 1@3", "turns", "errors", "edits"]
[[cells]]
name = "true"
paper = "code_contests_test"
[[cells]]
name = "other"
feedback = "random"
"""


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(SCRIPTED_POLICIES, "skilled", Skilled)
    path = tmp_path / "mine.toml"
    path.write_text(SUITE)
    return str(path)


def play(suite: str, out: Path, *arguments: str, agent: str = "skilled") -> Run:
    status = main(
        ["run", suite, "--agent", agent, "--out", str(out), "--num-envs", "4", *arguments]
    )
    assert status == 0
    return read_run(out)


def values(run: Run, cell: str) -> dict[str, Any]:
    return {value.name: value.value for value in run.cells[cell].numbers(0)}


@pytest.mark.sandbox
def test_a_known_skill_gives_exactly_the_metrics_worked_out_by_hand(
    suite: str, tmp_path: Path
) -> None:
    run = play(suite, tmp_path / "run")
    solved_in: dict[str, list[int | None]] = defaultdict(list)
    for episode in read_episodes(tmp_path / "run" / "episodes.jsonl"):
        if episode.settings["cell"] == "true":
            assert episode.seed is not None
            solved_in[episode.problem_id].append(SOLVES_IN[episode.seed % 5])
    turns = list(solved_in.values())
    assert [len(each) for each in turns] == [4, 4, 4]
    all_turns = [turn for each in turns for turn in each]
    assert len(set(all_turns)) > 2, "the seeds should bring up several outcomes"

    def over_problems(rates: list[float]) -> Any:
        return pytest.approx(sum(rates) / len(rates))

    solved = [[turn is not None for turn in each] for each in turns]
    first = [[turn == 1 for turn in each] for each in turns]
    found = values(run, "true")
    assert found["1@3"] == over_problems([sum(each) / 4 for each in solved])
    # Programs that pass the public tests here pass all, so any candidate that is submitted solves:
    # a budget of 9 replies draws 3 rollouts, and it takes one that solves among them.
    assert found["2@9"] == over_problems(
        [sum(any(drawn) for drawn in combinations(each, 3)) / 4 for each in solved]
    )
    assert found["pass@2"] == over_problems(
        [sum(any(drawn) for drawn in combinations(each, 2)) / 6 for each in solved]
    )
    assert found["single-turn 1@3"] == over_problems(
        [sum(any(drawn) for drawn in combinations(each, 3)) / 4 for each in first]
    )
    cell = run.cells["true"]
    by_turn = [value.value for value in cell.by_turn(0).values()]
    assert by_turn == [
        over_problems([sum(t is not None and t <= limit for t in each) / 4 for each in turns])
        for limit in (1, 2, 3)
    ]
    num_in = {turn: all_turns.count(turn) for turn in (1, 2, 3, None)}
    raising = 12 - num_in[1]
    expected = {TurnOutcome.PASSED: num_in[1], TurnOutcome.EXCEPTION: raising}
    assert cell.transitions.outcomes[0] == {k: n for k, n in expected.items() if n}
    assert cell.transitions.fixed(2).get(TurnOutcome.EXCEPTION, 0) == num_in[2]
    assert cell.transitions.fixed(3).get(TurnOutcome.EXCEPTION, 0) == num_in[3]
    # Solved in turn 2: one pair of different programs; in turn 3: an equal pair and a different
    # one; never: two equal pairs.
    assert cell.edits.num_pairs == num_in[2] + 2 * num_in[3] + 2 * num_in[None]
    assert cell.edits.num_identical == num_in[3] + 2 * num_in[None]
    # The agent does not read what feedback says, so another problem's is as good.
    assert values(run, "other") == found
    gaps = {value.name: value.value for value in gap(run.cells["true"], run.cells["other"], 0)}
    assert gaps == dict.fromkeys(gaps, 0.0)
    assert {"solved by turn 1", "solved by turn 3", "1@3", "pass@2"} <= gaps.keys()


@pytest.mark.sandbox
def test_wrong_then_right_needs_its_second_turn(suite: str, tmp_path: Path) -> None:
    run = play(suite, tmp_path / "run", "--rollouts", "2", agent="wrong-then-right")
    found = values(run, "true")
    assert (found["1@3"], found["pass@2"]) == (1.0, 1.0)
    (missing,) = (v.missing for v in run.cells["true"].numbers(0) if v.name == "2@9")
    assert missing == "needs 3 rollouts of each problem; one has 2"
    cell = run.cells["true"]
    assert [value.value for value in cell.by_turn(0).values()] == [0.0, 1.0, 1.0]
    assert sum(cell.transitions.fixed(2).values()) == 6


@pytest.mark.sandbox
def test_the_report_says_what_was_measured_and_where_it_comes_from(
    suite: str, tmp_path: Path
) -> None:
    short = ("--rollouts", "3", "--problems", "2")
    play(suite, tmp_path / "a", *short)
    play(suite, tmp_path / "b", *short, agent="reference")
    out = tmp_path / "report"
    folders = (str(tmp_path / "a"), str(tmp_path / "b"))
    assert main(["report", *folders, "--out", str(out)]) == 0
    markdown = (out / "report.md").read_text()
    page = (out / "report.html").read_text()
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    for text in (markdown, page):
        assert "not CodeContests results" in text
        assert "skilled, seed 0" in text
        assert "reference, seed 0" in text
        assert "paper: " not in text
        assert "100.0 (100.0 to 100.0)" in text
        assert "rollouts = 3 instead of 4 in true, other" in text
        assert manifest["suite_hash"][:16] in text
        assert manifest["data"][0]["fingerprint"] in text
        assert "transcripts-1.html" in text
    # Solved by turn, replies in two cells of two runs, and changes where chrF is there.
    has_chrf = importlib.util.find_spec("sacrebleu") is not None
    assert page.count("<svg") == 5 + has_chrf
    assert ("0.0 to 0.1" in markdown) == has_chrf
    assert "src=" not in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert "codefeedback" in (out / "transcripts-2.html").read_text().lower()


@pytest.mark.sandbox
def test_the_paper_stands_beside_what_is_not_bundled(suite: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    play(suite, out, "--rollouts", "1", "--problems", "1", agent="no-code")
    text = (out / "manifest.json").read_text()
    assert main(["report", str(out)]) == 0
    assert "paper: " not in (out / "report.md").read_text()
    (out / "manifest.json").write_text(text.replace('"split": "bundled"', '"split": "test"'))
    assert main(["report", str(out)]) == 0
    for name in ("report.md", "report.html"):
        report = (out / name).read_text()
        assert "paper: Llama 3.1 8B + RLEF" in report
        assert "16.1 (Table 1)" in report
        assert "9.5 (Table 4)" in report
        assert "not CodeContests results" not in report


@pytest.mark.sandbox
def test_runs_of_different_suites_have_no_common_report(
    suite: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ("--rollouts", "1", "--problems", "1")
    play(suite, tmp_path / "a", *small)
    play("bundled", tmp_path / "b", *small, agent="reference")
    assert main(["report", str(tmp_path / "a"), str(tmp_path / "b")]) == 2
    assert "runs of mine and bundled" in capsys.readouterr().err


def test_a_dry_run_says_what_it_would_take(
    suite: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    arguments = ["run", suite, "--agent", "multi-turn", "--backend", "openai", "--model", "m"]
    prices = ["--price-per-million-prompt-tokens", "1", "--price-per-million-reply-tokens", "10"]
    limits = ["--max-reply-tokens", "1000", "--rollouts", "5"]
    assert main([*arguments, *prices, *limits, "--out", str(out), "--dry-run"]) == 0
    said = capsys.readouterr().out
    # 3 problems, 5 rollouts, 3 turns; 2 cells. Replies: 45 of up to 1000 tokens in each.
    assert "│ 15 " in said
    assert "│ 45 " in said
    assert "│ 45,000 " in said
    assert "│ 90,000 " in said
    assert "rollouts = 5 instead of 4" in said
    assert not out.exists()


def test_options_that_do_not_fit_the_agent_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "run")]
    assert main(["run", "bundled", "--agent", "reference", "--model", "m", *out]) == 2
    assert "--model is for agents with a model" in capsys.readouterr().err
    assert main(["run", "bundled", "--agent", "model", "--backend", "openai", *out]) == 2
    assert "torch or vllm" in capsys.readouterr().err
    assert main(["run", "bundled", "--agent", "refrence", *out]) == 2
    assert "did you mean 'reference'" in capsys.readouterr().err
