import io
import subprocess
import sys
from pathlib import Path

import pytest
from small_problems import DOUBLE, DOUBLE_BELOW_3, write_problems

from codefeedback_env import FORMAT, cli, find_submission
from codefeedback_env.commands.play import reply_with

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("judge")]


@pytest.fixture
def play(tmp_path: Path, capsys, monkeypatch):
    """Plays "double" with these lines as the player's input; gives status and what was printed."""
    problems = write_problems(tmp_path)

    def run(typed: str, *options: str, program: str = DOUBLE) -> tuple[int, str]:
        file = tmp_path / "solution.py"
        file.write_text(program)
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        choice = ["--path", str(problems), "--problem", "double", "--file", str(file)]
        status = cli.main(["play", *choice, "--workers", "2", *options])
        return status, capsys.readouterr().out

    return run


def test_a_right_program_ends_the_episode_with_reward_1(play):
    status, printed = play("\n")

    assert status == 0
    assert "Print twice the number.." in printed  # the paper's template adds the second stop
    assert "Reward: +1\n" in printed
    assert "Public tests: 2 accepted\n" in printed
    assert "hidden ones too: yes\n" in printed


def test_a_program_that_fails_hidden_tests_gets_reward_minus_1(play):
    _, printed = play("\n", program=DOUBLE_BELOW_3)

    assert "Reward: -1\n" in printed
    assert "Public tests: 2 accepted\n" in printed
    assert "hidden ones too: no\n" in printed


def test_the_feedback_is_shown_as_the_model_would_see_it(play):
    _, printed = play("\n\n", "--turns", "2", program="print(2)")

    assert (
        "Your code failed the following tests:\n\n- input `2\n` failed:\n"
        "Expected output `4\n` but got `2\n`\n\nGive it another try.\n" + FORMAT
    ) in printed
    assert "Turn 2 of 2" in printed
    assert "Public tests: 1 wrong answer, 1 accepted\n" in printed


@pytest.mark.parametrize("typed", ["q\n", ""], ids=["q", "end of input"])
def test_the_player_can_stop(play, typed):
    status, printed = play(typed)

    assert status == 0
    assert "Stopped; nothing more was judged." in printed
    assert "Reward:" not in printed


def test_anything_but_the_known_answers_is_asked_again(play):
    _, printed = play("what\n\n")

    assert "'what' is no answer." in printed
    assert "Reward: +1\n" in printed


def test_the_editor_runs_before_each_turn_and_on_request(play, tmp_path: Path):
    # Each run appends a line, which would make the program wrong after the second.
    calls = tmp_path / "calls"
    editor = tmp_path / "editor"
    editor.write_text(f"#!/bin/sh\necho \"$1\" >> '{calls}'\n")
    editor.chmod(0o755)

    _, printed = play("e\n\n", "--editor", f"'{editor}'")

    assert calls.read_text().splitlines() == [str(tmp_path / "solution.py")] * 2
    assert "e edits again" in printed
    assert "Reward: +1\n" in printed


def test_an_editor_that_does_not_start_is_an_error(play, capsys):
    status, _ = play("\n", "--editor", "/no/such/editor")

    assert status == 2


def test_a_program_with_backticks_of_its_own_arrives_whole():
    program = 's = "```"\nprint("````", s)'

    submission = find_submission(reply_with(program))

    assert submission is not None
    assert submission.source_code.rstrip("\n") == program


def test_a_piped_player_needs_no_terminal(tmp_path: Path):
    command = [sys.executable, "-m", "codefeedback_env", "play", "--problem", "badge-check"]
    done = subprocess.run(
        [*command, "--file", str(tmp_path / "new.py")],
        input="q\n", capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert done.stderr == ""
    assert "=== Problem badge-check ===" in done.stdout
    assert (tmp_path / "new.py").read_text() == "# badge-check\n"


def test_a_temporary_file_that_was_not_edited_goes_again(tmp_path: Path, capsys, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("sys.stdin", io.StringIO("q\n"))

    assert cli.main(["play", "--workers", "2"]) == 0

    assert list(tmp_path.glob("codefeedback-*")) == []
    assert "stays in" not in capsys.readouterr().out


def test_a_temporary_file_that_was_edited_stays(tmp_path: Path, capsys, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("sys.stdin", io.StringIO("q\n"))

    assert cli.main(["play", "--workers", "2", "--editor", "sh -c 'echo pass >> $0'"]) == 0

    (program,) = tmp_path.glob("codefeedback-*/solution.py")
    assert program.read_text().endswith("\npass\n")
    assert f"Your program stays in {program}." in capsys.readouterr().out
