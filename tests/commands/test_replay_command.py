import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import pytest
from small_problems import (
    DOUBLE,
    DOUBLE_BELOW_3,
    problem_row,
    read_lines,
    write_lines,
    write_problems,
)

from codefeedback_env import cli

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("judge")]

WRONG = "print(2)"  # right on the first public test only


def record(problems: Path, *programs: str | None, **options: Any) -> dict[str, Any]:
    """Play an episode on "double" and return its record."""
    env = gymnasium.make(
        "CodeFeedback-v0", path=problems, num_workers=2, turn_limit=len(programs), **options
    )
    env.reset(options={"problem": "double"})
    for program in programs:
        env.step("no code" if program is None else f"```python\n{program}\n```")
    row: dict[str, Any] = json.loads(env.unwrapped.last_episode.to_json())
    env.close()
    return row


def replay(problems: Path | None, records: list, *options: str) -> int:
    """Judge records again in the workers of the fixture."""
    assert problems is not None
    path = write_lines(problems.parent / "episodes.jsonl", records)
    return cli.main(["judge", str(problems), "--replay", str(path), "--workers", "2", *options])


@pytest.fixture
def problems(tmp_path: Path) -> Path:
    return write_problems(tmp_path)


def test_records_of_every_kind_come_out_as_recorded(problems: Path, capsys):
    records = [
        record(problems, WRONG, DOUBLE),
        record(problems, WRONG, None, DOUBLE_BELOW_3),
        record(problems, "x = (", WRONG, None),
        record(problems, WRONG, WRONG, feedback="none"),
        record(problems, DOUBLE_BELOW_3, DOUBLE, feedback="private"),
        record(problems, WRONG, DOUBLE, judging="deepmind", time_factor=2.0, max_private_tests=1),
        record(problems, WRONG, reward="fraction"),
    ]

    assert replay(problems, records) == 0
    # 2 + 3 + 3 + 2 + 2 + 2 + 1 turn.
    assert capsys.readouterr().out == "7 episodes, 15 turns, 0 differences\n"


def test_a_verdict_that_was_tampered_with_is_reported(problems: Path, capsys, tmp_path: Path):
    row = record(problems, WRONG, DOUBLE)
    row["turns"][0]["public_report"]["results"][1]["verdict"] = "accepted"
    target = tmp_path / "differences.jsonl"

    assert replay(problems, [row], "--json", str(target)) == 1

    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "line 1, problem double: turn 1, public_tests[1]: recorded accepted, judged wrong answer",
        "1 episode, 2 turns, 1 difference",
    ]
    (outcome,) = read_lines(target)
    assert outcome["differences"] == [
        {
            "turn": 1,
            "what": "public_tests[1]",
            "recorded": "accepted",
            "judged": "wrong answer",
        }
    ]


def test_a_hidden_failure_that_was_recorded_as_success_is_reported(problems: Path, capsys):
    row = {**record(problems, DOUBLE_BELOW_3), "private_passed": True}

    assert replay(problems, [row]) == 1
    assert "turn 1, private_passed: recorded true, judged false" in capsys.readouterr().out


def test_success_without_a_program_is_reported(problems: Path, capsys):
    row = {**record(problems, None), "private_passed": True}

    assert replay(problems, [row]) == 1
    assert "turn 1, private_passed: recorded true, judged false" in capsys.readouterr().out


def test_a_result_that_is_missing_is_reported(problems: Path, capsys):
    row = record(problems, WRONG, DOUBLE)
    del row["turns"][0]["public_report"]["results"][1]

    assert replay(problems, [row]) == 1
    assert "recorded no result, judged wrong answer" in capsys.readouterr().out


def test_differences_name_the_machine_of_the_record(problems: Path, capsys):
    row = record(problems, WRONG, DOUBLE)
    row["turns"][0]["public_report"]["results"][1]["verdict"] = "accepted"
    row["settings"]["python"] = "3.10.1"

    replay(problems, [row])

    assert "Python 3.10.1" in capsys.readouterr().out.splitlines()[-2]


def test_an_episode_that_the_sandbox_ended_is_skipped_and_counted(problems: Path, capsys):
    row = {**record(problems, WRONG), "ended_by": "sandbox failure"}

    assert replay(problems, [row]) == 0
    assert capsys.readouterr().out == (
        "0 episodes, 0 turns, 0 differences; 1 skipped, whose sandbox had failed\n"
    )


def test_other_problems_than_those_of_the_record_are_refused_unless_asked_for(
    problems: Path, capsys
):
    row = record(problems, WRONG, DOUBLE)
    write_lines(problems, [problem_row(description="Reworded."), problem_row("twice")])

    assert replay(problems, [row]) == 1
    assert "the record belongs to other problems" in capsys.readouterr().out
    assert replay(problems, [row], "--ignore-fingerprint") == 0


def test_records_made_with_a_named_filter_belong_to_the_unfiltered_file(problems: Path, capsys):
    nothing = {"input": [], "output": []}
    untested = problem_row("untested", private_tests=nothing)
    write_lines(problems, [problem_row(), untested])
    row = record(problems, WRONG, DOUBLE, problem_filter="paper")

    assert replay(problems, [row]) == 0


def unreadable(row: dict[str, Any]) -> str:
    return "{nothing"


def of_no_version(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != "version"}


def without_turns(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "turns": []}


def of_unknown_problem(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "problem_id": "duoble"}


def with_settings(**changes: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda row: {**row, "settings": {**row["settings"], **changes}}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (unreadable, "line 1: not an episode record"),
        (of_no_version, "line 1: not an episode record"),
        (without_turns, "the record has no turns"),
        (of_unknown_problem, "did you mean 'double'?"),
        (with_settings(checker="custom"), "a checker given as a function"),
        (with_settings(checker="pair-with-smu"), "did you mean 'pair-with-sum'?"),
        (with_settings(judging="strcit"), "did you mean 'strict'?"),
        (with_settings(time_factor="2"), "settings are of a wrong type"),
    ],
)
def test_a_record_that_cannot_be_judged_is_an_error_and_the_rest_goes_on(
    problems: Path, capsys, damage, message
):
    row = record(problems, WRONG, DOUBLE)

    assert replay(problems, [damage(row), row]) == 1

    printed = capsys.readouterr().out
    assert message in printed
    assert "1 episode, 2 turns, 0 differences; 1 record could not be judged" in printed


def test_without_problems_the_record_says_which(tmp_path: Path, capsys):
    env = gymnasium.make("CodeContests-v0", num_workers=2, turn_limit=1)
    env.reset(options={"problem": "badge-check"})
    env.step("```python\nprint('YES')\n```")
    line = env.unwrapped.last_episode.to_json()
    env.close()
    path = write_lines(tmp_path / "episodes.jsonl", [line])

    assert cli.main(["judge", "--replay", str(path), "--workers", "2"]) == 0
    assert capsys.readouterr().out == "1 episode, 1 turn, 0 differences\n"


def test_records_of_an_own_file_ask_for_the_file(problems: Path, capsys):
    path = write_lines(problems.parent / "episodes.jsonl", [record(problems, DOUBLE)])

    assert cli.main(["judge", "--replay", str(path), "--workers", "2"]) == 1

    printed = capsys.readouterr().out
    assert "give the problems' file as PROBLEMS." in printed
    assert "data fetch" not in printed


@pytest.mark.parametrize("option", [["--all-tests"], ["--judging", "strict"]])
def test_rules_that_the_record_decides_are_refused_as_options(problems: Path, capsys, option):
    path = write_lines(problems.parent / "episodes.jsonl", [])

    assert cli.main(["judge", str(problems), "--replay", str(path), *option]) == 2
    assert f"{option[0]} does not go with --replay" in capsys.readouterr().err
