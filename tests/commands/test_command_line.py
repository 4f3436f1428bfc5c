import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from small_problems import write_lines, write_problems

import codefeedback_env
from codefeedback_env import cli
from codefeedback_env.commands.in_flight import collect_in_order

COMMAND = [sys.executable, "-m", "codefeedback_env"]


def test_every_verb_is_listed_with_one_line_of_help(capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--help"])

    printed = capsys.readouterr().out
    for verb, module in cli.VERBS.items():
        assert f"\n    {verb:9} {module.HELP}" in printed


def test_no_verb_prints_the_help_and_fails(capsys):
    assert cli.main([]) == 2
    assert "doctor" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["data", "fetch", "code_contest"], "did you mean 'code_contests'?"),
        (["data", "check", "bundeld"], "did you mean 'bundled'?"),
        (["data", "check", "--dataset", "codecontests"], "did you mean 'code_contests'?"),
        (["data", "check", "--sandbox", "bubblewrap-per-tset"], "'bubblewrap-per-test'?"),
        (["data", "check", "--workers", "0"], "--workers 0 must be at least 1."),
        (["data", "check", "--limit", "0"], "--limit 0 must be at least 1."),
        (["data", "check", "bundled", "--split", "train"], "have no split 'train'"),
        (["data", "check", "/no/such/file.jsonl"], "nothing at /no/such/file.jsonl"),
        (["play", "--env", "CodeContest-v0"], "did you mean 'CodeContests-v0'?"),
        (["play", "--problem", "badge-chek"], "did you mean 'badge-check'?"),
        (["play", "--dataset", "bundeld"], "did you mean 'bundled'?"),
        (["play", "--seed", "-1"], "--seed -1 must be at least 0."),
        (["doctor", "--python", "/no/python"], "--python /no/python does not exist"),
    ],
)
def test_a_mistake_is_one_line_on_stderr_and_exit_status_2(capsys, arguments, message):
    assert cli.main(arguments) == 2

    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    assert line.startswith("codefeedback: error: ")
    assert message in line
    assert printed.out == ""


def test_interrupting_is_quiet_and_exits_130(capsys, monkeypatch):
    def interrupt(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("codefeedback_env.commands.data.load_problems", interrupt)

    assert cli.main(["data", "list"]) == 130
    assert capsys.readouterr().err == ""


def test_python_m_is_the_same_command():
    done = subprocess.run([*COMMAND, "--version"], capture_output=True, text=True, check=True)

    assert done.stdout == f"codefeedback-env {codefeedback_env.__version__}\n"


def test_a_reader_that_goes_away_is_no_traceback():
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as broken:
        done = subprocess.run(
            [*COMMAND, "data", "list"], stdout=broken, stderr=subprocess.PIPE, check=False
        )

    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.sandbox
def test_interrupting_while_judging_ends_the_workers(judge, tmp_path: Path):
    # One that runs for its whole limit, so that the judge is busy when the signal comes.
    row = {"name": "double", "code": "while True: pass"}
    endless = write_lines(tmp_path / "submissions.jsonl", [row] * 50)
    arguments = [
        "judge",
        str(write_problems(tmp_path)),
        "--submissions",
        str(endless),
        "--workers",
        "1",
    ]
    # Python leaves SIGINT ignored where its parent does, as jobs in the background do.
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stderr is not None
    first_line = process.stderr.readline()
    process.send_signal(signal.SIGINT)

    # The end of stderr comes when the workers, which inherit it, have ended too.
    assert process.stderr.read() == b""
    assert process.wait() == 130
    assert first_line.startswith(b"Judging custom (custom)")
    process.stderr.close()


def test_data_list_says_where_data_is_looked_for(capsys, monkeypatch, tmp_path: Path):
    monkeypatch.setenv("CODEFEEDBACK_DATA", str(tmp_path))

    assert cli.main(["data", "list"]) == 0

    printed = capsys.readouterr().out
    assert f"code_contests is looked for in {tmp_path / 'code_contests'}" in printed
    assert "not there" in printed


def test_fetching_the_bundled_problems_says_that_they_are_here(capsys):
    assert cli.main(["data", "fetch", "bundled"]) == 2
    assert "come with the package" in capsys.readouterr().err


def test_results_come_in_the_order_of_starting_and_no_more_than_allowed_are_under_way():
    num_under_way = 0
    most_under_way = 0

    def start_all() -> Iterator[Callable[[], int]]:
        nonlocal num_under_way, most_under_way
        for number in range(10):
            num_under_way += 1
            most_under_way = max(most_under_way, num_under_way)

            def wait(number: int = number) -> int:
                nonlocal num_under_way
                num_under_way -= 1
                return number

            yield wait

    assert list(collect_in_order(start_all(), 3)) == list(range(10))
    assert most_under_way == 3
