"""A real server in a process of its own, on a free port of the loopback."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

ADDRESS = re.compile(r"running on (http://127\.0\.0\.1:\d+)")
START_S = 120.0


@contextmanager
def serving(is_web: bool = False, **options: Any) -> Iterator[str]:
    """The address of a server with these options of ``make_app``; it ends with the block."""
    command = [sys.executable, "-m", "uvicorn", "--host", "127.0.0.1", "--port", "0"]
    server = subprocess.Popen(
        [*command, "codefeedback_env.adapters.openenv.app:app"],
        stderr=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "CODEFEEDBACK_OPENENV": json.dumps(options),
            "ENABLE_WEB_INTERFACE": str(is_web).lower(),
        },
    )
    assert server.stderr is not None
    limit = threading.Timer(START_S, server.kill)
    limit.start()
    said: list[str] = []
    try:
        for line in server.stderr:
            said.append(line)
            if found := ADDRESS.search(line):
                break
        else:
            raise AssertionError("the server did not start:\n" + "".join(said))
        limit.cancel()
        drain = threading.Thread(target=server.stderr.read, daemon=True)  # it never waits for us
        drain.start()
        yield found[1]
    finally:
        limit.cancel()
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
