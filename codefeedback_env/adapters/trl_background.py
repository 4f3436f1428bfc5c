"""Hidden tests that run while TRL waits for public ones, program after program."""

import sys
import threading
import time
from collections import deque
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from functools import partial

from codefeedback_env import JudgeLike, Submission
from codefeedback_env.judge.protocol import JudgeReport, PackedProblem, Plan

PAUSE_S = 0.02
"""After so long without a call of the tool, the model is at work and the next calls are far off."""


@dataclass(slots=True, eq=False)
class _Grading:
    problem: PackedProblem
    submission: Submission
    plan: Plan
    future: "Future[JudgeReport]" = field(default_factory=Future)
    judged: "Future[JudgeReport] | None" = None
    """The judge's own future, once it has been asked."""


class BackgroundGrading:
    """Has hidden tests judged beside public ones, and leaves a worker free for those.

    TRL has one call of a tool answered before it makes the next, so the public tests of a batch run
    one program at a time. Behind hidden tests, which take longer, each of them would wait.
    """

    def __init__(self, judge: JudgeLike) -> None:
        """``judge`` is asked; one that does not say how many workers it has is given everything."""
        self._judge = judge
        num_workers = getattr(getattr(judge, "settings", None), "num_workers", None)
        self._num_workers: int = num_workers or sys.maxsize
        self._lock = threading.Lock()
        self._waiting: deque[_Grading] = deque()
        self._running: dict[Future[JudgeReport], _Grading] = {}
        self._is_starting = False
        self._is_in_a_hurry = False
        self._num_calls = 0
        self._last_call_s = 0.0
        self._thread: threading.Thread | None = None

    def judge(self, problem: PackedProblem, submission: Submission, plan: Plan) -> JudgeReport:
        """Judge what somebody waits for; raises what the judge raises."""
        with self._lock:
            self._num_calls += 1
            self._is_in_a_hurry = False
        try:
            return self._judge.judge(problem, submission, plan)
        finally:
            with self._lock:
                self._num_calls -= 1
                self._last_call_s = time.monotonic()

    def submit(
        self, problem: PackedProblem, submission: Submission, plan: Plan
    ) -> "Future[JudgeReport]":
        """Judge a submission as soon as a worker can be spared; the future holds all errors."""
        grading = _Grading(problem, submission, plan)
        with self._lock:
            self._waiting.append(grading)
        self._start()
        with self._lock:
            if self._waiting and self._thread is None:
                self._thread = threading.Thread(
                    target=self._use_pauses, name="codefeedback-grading", daemon=True
                )
                self._thread.start()
        return grading.future

    def hurry(self) -> None:
        """Somebody waits for a result: hand the judge everything."""
        with self._lock:
            self._is_in_a_hurry = True
        self._start()

    def cancel(self, future: "Future[JudgeReport]") -> None:
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
        if self._is_in_a_hurry:
            return sys.maxsize
        if self._num_calls or time.monotonic() - self._last_call_s < PAUSE_S:
            return max(1, self._num_workers - 1)
        return self._num_workers

    def _use_pauses(self) -> None:
        """Look for pauses between calls for as long as anything waits."""
        while True:
            time.sleep(PAUSE_S)
            self._start()
            with self._lock:
                if not self._waiting:
                    self._thread = None
                    return

    def _start(self) -> None:
        """Hand over what waits, as far as workers can be spared.

        The judge is asked without the lock, which its own threads want when they bring a report,
        and by one thread at a time: where reports are there at once, it would get deep into itself.
        """
        with self._lock:
            if self._is_starting:
                return
            self._is_starting = True
        while True:
            with self._lock:
                if not self._waiting or len(self._running) >= self._num_spared():
                    self._is_starting = False
                    return
                grading = self._waiting.popleft()
                self._running[grading.future] = grading
            try:
                judged = self._judge.submit(grading.problem, grading.submission, grading.plan)
            except Exception as error:  # whatever it is, who waits for the future gets it
                judged = Future()
                judged.set_exception(error)
            grading.judged = judged
            if grading.future.cancelled():
                self._judge.cancel(judged)
            judged.add_done_callback(partial(self._end, grading))

    def _end(self, grading: _Grading, judged: "Future[JudgeReport]") -> None:
        """Start the next one, and pass on how this one has ended."""
        with self._lock:
            del self._running[grading.future]
        self._start()
        try:
            if judged.cancelled():
                grading.future.cancel()
            elif (error := judged.exception()) is not None:
                grading.future.set_exception(error)
            else:
                grading.future.set_result(judged.result())
        except InvalidStateError:
            pass  # nobody waits for it any more
