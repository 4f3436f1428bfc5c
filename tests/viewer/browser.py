"""A real Chromium without a window, driven over a pipe with the DevTools protocol.

The protocol is JSON with a zero byte after each message, so nothing but the browser is needed.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
PIPES_TO_3_AND_4 = """
import fcntl, os, sys
for number, descriptor in enumerate([fcntl.fcntl(int(n), fcntl.F_DUPFD_CLOEXEC, 10)
                                     for n in sys.argv[1:3]], start=3):
    os.dup2(descriptor, number)
os.execv(sys.argv[3], sys.argv[3:])
"""
START_S = 60.0
WAIT_S = 20.0
EPISODE_SHOWN = "document.querySelector('.episode')"
KEYS = {"Escape": 27, "ArrowDown": 40, "ArrowUp": 38}


class Browser:
    """One browser with one page."""

    def __init__(self, profile: Path) -> None:
        assert CHROMIUM is not None
        from_us, self._commands = os.pipe()
        self._answers, to_us = os.pipe()
        options = [
            *("--headless", "--remote-debugging-pipe", f"--user-data-dir={profile}"),
            *("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update"),
        ]
        self._process = subprocess.Popen(
            [sys.executable, "-c", PIPES_TO_3_AND_4, str(from_us), str(to_us), CHROMIUM, *options],
            pass_fds=(from_us, to_us),
            stderr=subprocess.DEVNULL,
        )
        os.close(from_us)
        os.close(to_us)
        self._number = 0
        self._buffer = b""
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session = None
        self.call("Browser.close")
        os.close(self._commands)
        os.close(self._answers)
        self._process.wait(timeout=START_S)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result; events that come meanwhile are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self.events.append(answer)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            piece = os.read(self._answers, 1 << 20)
            assert piece, "the browser has ended"
            self._buffer += piece
        message, self._buffer = self._buffer.split(b"\0", maxsplit=1)
        return json.loads(message)

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression, awaited if it is a promise."""
        done = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def wait_for(self, script: str, timeout_s: float = WAIT_S) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            if self.run(f"!!({script})"):
                return
            time.sleep(0.02)
        raise AssertionError(f"never became true: {script}; page: {self.text('body')[:500]!r}")

    def open(self, url: str, wait_for: str = EPISODE_SHOWN) -> None:
        """Go to a page and wait until an expression is true, that an episode is shown as a rule."""
        self.events.clear()
        self.call("Page.navigate", url="about:blank")  # else a link within the page loads nothing
        self.call("Page.navigate", url=url)
        self.wait_for(f"location.href !== 'about:blank' && {wait_for}")

    def size(self, width: int, height: int, scheme: str = "light") -> None:
        """The window, and whether the system is set to light or dark."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            **{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", features=[feature])

    def text(self, selector: str) -> str:
        """What a person reads of an element."""
        return self.run(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")

    def texts(self, selector: str) -> list[str]:
        """The same of every such element."""
        return self.run(
            f"[...document.querySelectorAll({json.dumps(selector)})].map((e) => e.innerText)"
        )

    def middle(self, selector: str) -> tuple[float, float]:
        """Where the middle of an element is, brought into view."""
        x, y = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            "e.scrollIntoView({block: 'nearest'}); const r = e.getBoundingClientRect();"
            "return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        return x, y

    def mouse(self, kind: str, at: tuple[float, float]) -> None:
        """Press or release the left button."""
        self.call(
            "Input.dispatchMouseEvent",
            **{"type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1},
        )

    def click(self, selector: str) -> None:
        """Press and release the mouse in the middle of an element."""
        at = self.middle(selector)
        self.mouse("mousePressed", at)
        self.mouse("mouseReleased", at)

    def press(self, key: str) -> None:
        """A key, by its character or name."""
        text = {} if key in KEYS else {"text": key}
        code = {"windowsVirtualKeyCode": KEYS.get(key, ord(key[0].upper()))}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text, **code)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, **code)

    def type(self, text: str) -> None:
        """Text into whatever has the focus."""
        self.call("Input.insertText", text=text)

    def choose(self, selector: str, value: str) -> None:
        """An option of a select, as if it was picked."""
        self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            f"e.value = {json.dumps(value)};"
            "if (e.selectedIndex < 0) throw new Error('no such option');"
            "e.dispatchEvent(new Event('change')); })()"
        )

    def screenshot(self) -> bytes:
        """The window as a PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def complaints(self) -> list[str]:
        """Errors and violations of the content security policy since the page was opened."""
        found = []
        for event in self.events:
            parameters = event.get("params", {})
            if event.get("method") == "Runtime.exceptionThrown":
                found.append(json.dumps(parameters["exceptionDetails"]))
            if event.get("method") == "Log.entryAdded" and parameters["entry"]["level"] == "error":
                found.append(parameters["entry"]["text"])
        return found

    def requested(self) -> list[str]:
        """Addresses that were asked for since the page was opened."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]
