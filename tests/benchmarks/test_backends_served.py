"""The server of the backends' benchmark: it says why it did not come up, and always ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agents.generation.tokens import GeneratorError
from benchmarks.backends import served

STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


def test_a_server_that_does_not_come_up_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "vllm.py").write_text("raise SystemExit('no such processor')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(served, "_COMMAND", (sys.executable, "-m", "vllm"))
    with (
        pytest.raises(GeneratorError, match=r"ended with 1; .*\n.*no such processor"),
        served.served(tmp_path, 64, tmp_path / "log"),
    ):
        pass


def test_all_processes_of_a_server_end_though_they_are_asked_in_vain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(served, "END_S", 0.5)
    server = subprocess.Popen(
        [sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, start_new_session=True
    )
    assert server.stdout is not None
    child = int(server.stdout.readline())
    served._end(server)
    assert server.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and is_alive(child):
        time.sleep(0.05)
    assert not is_alive(child)
    server.stdout.close()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # One that ended may wait for whoever adopted it.
    return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
