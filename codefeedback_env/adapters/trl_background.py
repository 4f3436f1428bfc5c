"""Hidden tests that run while TRL waits for public ones, program after program."""

import threading
import time
from collections import deque
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from codefeedback_env import JudgeLike

PAUSE_S = 0.02
"""After so long without a call of the tool, the model is at work and the next calls are far off."""


@dataclass(slots=True, eq=False)
class _Grading:
    submission: tuple[Any, ...]
    future: "Future[Any]" = field(default_factory=Future)
    judged: "Future[Any] | None" = None
    """The judge's own future, once it has been asked."""


class BackgroundGrading:
    """Has hidden tests judged beside public ones, and leaves a worker free for those.

    TRL has one call of a tool answered before it makes the next, so the public tests of a batch run
    one program at a time. Behind hidden tests, which take longer, each of them would wait.
    """

    def __init__(self, judge: JudgeLike) -> None:
        """``judge`` is asked; where it does not say how many workers it has, it has two."""
        self._judge = judge
        settings = getattr(judge, "settings", None)
        self._num_workers: int = getattr(settings, "num_workers", None) or 2
        self._lock = threading.RLock()  # a judge may answer at once, from inside submit
        self._waiting: deque[_Grading] = deque()
        self._running: dict[Future[Any], _Grading] = {}
        self._num_calls = 0
        self._last_call_s = 0.0
        self._thread: threading.Thread | None = None

    def judge(self, problem: Any, submission: Any, plan: Any) -> Any:
        """Judge what somebody waits for; raises what the judge raises."""
        with self._lock:
            self._num_calls += 1
        try:
            return self._judge.judge(problem, submission, plan)
        finally:
            with self._lock:
                self._num_calls -= 1
                self._last_call_s = time.monotonic()

    def submit(self, problem: Any, submission: Any, plan: Any) -> "Future[Any]":
        """Judge a submission as soon as a worker can be spared."""
        grading = _Grading((problem, submission, plan))
        with self._lock:
            self._waiting.append(grading)
            self._start(self._num_spared())
            if self._waiting and self._thread is None:
                self._thread = threading.Thread(
                    target=self._use_pauses, name="codefeedback-grading", daemon=True
                )
                self._thread.start()
        return grading.future

    def hurry(self) -> None:
        """Somebody waits for a result: hand the judge everything."""
        with self._lock:
            self._start(len(self._running) + len(self._waiting))

    def cancel(self, future: "Future[Any]") -> None:
        """Stop judging for this future."""
        with self._lock:
            for grading in [grading for grading in self._waiting if grading.future is future]:
                self._waiting.remove(grading)
            running = self._running.get(future)
        future.cancel()
        if running is not None and running.judged is not None:
            self._judge.cancel(running.judged)

    def _num_spared(self) -> int:
        """Workers that hidden tests may have now; lock held."""
        if self._num_calls or time.monotonic() - self._last_call_s < PAUSE_S:
            return max(1, self._num_workers - 1)
        return self._num_workers

    def _use_pauses(self) -> None:
        """Look for pauses between calls for as long as anything waits."""
        while True:
            time.sleep(PAUSE_S)
            with self._lock:
                self._start(self._num_spared())
                if not self._waiting:
                    self._thread = None
                    return

    def _start(self, limit: int) -> None:
        """Hand over what waits until the judge has so many; lock held."""
        while self._waiting and len(self._running) < limit:
            grading = self._waiting.popleft()
            self._running[grading.future] = grading
            try:
                grading.judged = self._judge.submit(*grading.submission)
            except Exception as error:
                del self._running[grading.future]
                grading.future.set_exception(error)
            else:
                grading.judged.add_done_callback(partial(self._end, grading))

    def _end(self, grading: _Grading, judged: "Future[Any]") -> None:
        """Start the next one, and pass on how this one has ended."""
        with self._lock:
            del self._running[grading.future]
            self._start(self._num_spared())
        try:
            if judged.cancelled():
                grading.future.cancel()
            elif (error := judged.exception()) is not None:
                grading.future.set_exception(error)
            else:
                grading.future.set_result(judged.result())
        except InvalidStateError:
            pass  # nobody waits for it any more
