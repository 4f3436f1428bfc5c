import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from codefeedback_env import Episode, cli
from codefeedback_env.episode import EndedBy, Turn
from codefeedback_env.languages import Submission


def episode_line(problem_id: str = "sum") -> str:
    turn = Turn(
        reply="```python\nprint(3)\n```",
        submission=Submission("python3", "print(3)\n"),
        public_report=None,
        feedback="",
        reward=-1.0,
    )
    episode = Episode(
        problem_id=problem_id,
        seed=0,
        prompt="Print the sum.",
        turns=(turn,),
        reward=-1.0,
        private_passed=False,
        ended_by=EndedBy.TURN_LIMIT,
    )
    return episode.to_json() + "\n"


@pytest.fixture
def records(tmp_path: Path) -> Path:
    path = tmp_path / "run" / "episodes.jsonl"
    path.parent.mkdir()
    path.write_text(episode_line("one") + episode_line("two"))
    return path


def test_html_writes_one_file_with_all_records(records: Path, tmp_path: Path, capsys):
    target = tmp_path / "page.html"

    assert cli.main(["view", str(records.parent), "--html", str(target)]) == 0

    assert capsys.readouterr().out == f"2 episodes of 1 file in {target}\n"
    page = target.read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert '"problem_id": "two"' in page


def test_an_unfinished_last_line_is_said(records: Path, tmp_path: Path, capsys):
    with records.open("a") as file:
        file.write(episode_line()[:40])

    assert cli.main(["view", str(records), "--html", str(tmp_path / "page.html")]) == 0
    printed = capsys.readouterr().out
    assert "run/episodes.jsonl: the last line is unfinished" in printed
    assert "2 episodes of 1 file" in printed


def test_the_server_answers_until_it_is_interrupted(records: Path):
    command = [sys.executable, "-m", "codefeedback_env", "view", str(records), "--port", "0"]
    # Python leaves SIGINT ignored where its parent does, as jobs in the background do.
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(
            r"2 episodes of 1 file at (http://127\.0\.0\.1:\d+/) \(Ctrl-C ends the server\)\n", line
        )
        assert found is not None, line
        with urllib.request.urlopen(found[1] + "episodes/1", timeout=10) as answer:
            assert Episode.from_json(answer.read().decode()).problem_id == "two"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0


def test_open_shows_the_page_in_the_browser(records: Path, tmp_path: Path, monkeypatch):
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    target = tmp_path / "a page.html"

    assert cli.main(["view", str(records), "--html", str(target), "--open"]) == 0
    assert opened == [target.resolve().as_uri()]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["/no/such/folder"], "there is no /no/such/folder. Records are written by"),
        (["EMPTY"], "no episode records below"),
        (["NEWER"], "episode record of version 2; this release reads 1."),
        (["RECORDS", "--html", "RECORDS"], "would overwrite the records; name another file."),
        (["RECORDS", "--html", "/no/such/folder/page.html"], "cannot write --html /no/such/folder"),
        (["RECORDS", "--html", "page.html", "--port", "1"], "--port is for the server"),
        (["RECORDS", "--port", "99999"], "--port 99999 must be from 0 to 65535."),
        (["RECORDS", "--port", "TAKEN"], "Give another --port (0 takes any that is free)"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_do(
    records: Path, tmp_path: Path, capsys, arguments, message
):
    (tmp_path / "empty").mkdir()
    newer = tmp_path / "newer.jsonl"
    newer.write_text('{"version": 2, "turns": []}\n')
    before = records.read_bytes()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        words = {
            "EMPTY": str(tmp_path / "empty"),
            "NEWER": str(newer),
            "RECORDS": str(records),
            "TAKEN": str(taken.getsockname()[1]),
        }
        assert cli.main(["view", *(words.get(word, word) for word in arguments)]) == 2

    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    assert message in line
    assert printed.out == ""
    assert records.read_bytes() == before
