from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
from browser import CHROMIUM, Browser

from codefeedback_env.viewer.index import EpisodeIndex
from codefeedback_env.viewer.server import ViewerServer


@pytest.fixture(scope="session")
def session_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("needs Chromium: sudo apt-get install chromium")
    with Browser(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def browser(session_browser: Browser) -> Browser:
    session_browser.size(1400, 900)
    return session_browser


@pytest.fixture
def serve():
    """A function that serves an index while its ``with`` block runs."""

    @contextmanager
    def serving(index: EpisodeIndex) -> Iterator[ViewerServer]:
        with ViewerServer(index, 0) as server:
            thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            yield server
            server.shutdown()
            thread.join()

    return serving


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """A folder for records."""
    return tmp_path / "run"
