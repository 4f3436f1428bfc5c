"""Hidden tests beside public ones: what waits, what runs, and how it ends."""

import sys
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from codefeedback_env import SandboxError
from codefeedback_env.adapters import trl_background
from codefeedback_env.adapters.trl_background import BackgroundGrading


@dataclass
class ListedJudge:
    """The test ends what it is asked for; calls that wait are answered at once."""

    num_workers: int | None = 3
    asked: dict[str, Future] = field(default_factory=dict)
    cancelled: list[Future] = field(default_factory=list)

    @property
    def settings(self):
        return SimpleNamespace(num_workers=self.num_workers)

    def judge(self, problem, submission, plan):
        if submission == "broken":
            raise SandboxError("the sandbox failed")
        return f"public report on {submission}"

    def submit(self, problem, submission, plan):
        if submission == "refused":
            raise SandboxError("nothing can be judged here")
        return self.asked.setdefault(submission, Future())

    def cancel(self, future):
        self.cancelled.append(future)
        future.cancel()


def in_a_batch(judge, monkeypatch):
    """Between two calls of the tool, which no pause ends."""
    monkeypatch.setattr(trl_background, "PAUSE_S", 60.0)
    background = BackgroundGrading(judge)
    assert background.judge("problem", "public", "plan") == "public report on public"
    return background


def submit_all(background, names):
    return {name: background.submit("problem", name, "plan") for name in names}


@pytest.mark.parametrize(("num_workers", "num_spared"), [(4, 3), (2, 1), (1, 1), (None, 6)])
def test_one_worker_is_left_to_public_tests(num_workers, num_spared, monkeypatch):
    judge = ListedJudge(num_workers)
    submit_all(in_a_batch(judge, monkeypatch), "abcdef")
    assert list(judge.asked) == list("abcdef")[:num_spared]


def test_what_waits_runs_in_its_order_as_others_end(monkeypatch):
    judge = ListedJudge()
    futures = submit_all(in_a_batch(judge, monkeypatch), "abcd")
    judge.asked["b"].set_result("report on b")
    assert futures["b"].result(0) == "report on b"
    assert list(judge.asked) == ["a", "b", "c"]
    judge.asked["a"].set_exception(SandboxError("the sandbox failed"))
    with pytest.raises(SandboxError, match="the sandbox failed"):
        futures["a"].result(0)
    assert list(judge.asked) == ["a", "b", "c", "d"]
    assert not futures["c"].done()


def test_everything_runs_once_somebody_waits(monkeypatch):
    judge = ListedJudge()
    background = in_a_batch(judge, monkeypatch)
    submit_all(background, "abcde")
    background.hurry()
    assert list(judge.asked) == list("abcde")


def test_all_workers_are_used_while_no_tool_is_called():
    judge = ListedJudge()
    background = BackgroundGrading(judge)
    background.judge("problem", "public", "plan")
    submit_all(background, "abcd")
    assert list(judge.asked) == ["a", "b"]
    deadline = time.monotonic() + 10
    while len(judge.asked) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert list(judge.asked) == ["a", "b", "c"]


def test_a_call_that_failed_is_over(monkeypatch):
    judge = ListedJudge()
    background = BackgroundGrading(judge)
    with pytest.raises(SandboxError, match="the sandbox failed"):
        background.judge("problem", "broken", "plan")
    monkeypatch.setattr(trl_background, "PAUSE_S", 0.0)
    submit_all(background, "abcd")
    assert list(judge.asked) == ["a", "b", "c"]


def test_what_is_cancelled_is_not_judged(monkeypatch):
    judge = ListedJudge(2)
    background = in_a_batch(judge, monkeypatch)
    futures = submit_all(background, "abc")
    background.cancel(futures["b"])
    background.cancel(futures["a"])
    assert futures["a"].cancelled()
    assert futures["b"].cancelled()
    assert judge.cancelled == [judge.asked["a"]]
    assert list(judge.asked) == ["a", "c"]


def test_judge_that_answers_at_once_answers_everything(monkeypatch):
    class InstantJudge(ListedJudge):
        def submit(self, problem, submission, plan):
            future = super().submit(problem, submission, plan)
            future.set_result(f"report on {submission}")
            return future

    judge = ListedJudge(2)
    background = in_a_batch(judge, monkeypatch)
    names = [str(number) for number in range(2 * sys.getrecursionlimit())]
    futures = submit_all(background, names)
    background._judge = InstantJudge(2)
    judge.asked["0"].set_result("report on 0")
    assert [future.result(0) for future in futures.values()] == [f"report on {n}" for n in names]


def test_reports_come_in_while_submissions_go_out(monkeypatch):
    """A judge holds its lock where it takes a submission, and may where it brings a report."""

    class LockingJudge(ListedJudge):
        lock = threading.Lock()
        takes_one = threading.Event()

        def submit(self, problem, submission, plan):
            if submission == "b":
                self.takes_one.set()
                time.sleep(0.2)
            assert self.lock.acquire(timeout=10), "deadlock"
            self.lock.release()
            return super().submit(problem, submission, plan)

    judge = LockingJudge(4)
    background = in_a_batch(judge, monkeypatch)
    first = background.submit("problem", "a", "plan")

    def bring():
        judge.takes_one.wait()
        with judge.lock:
            judge.asked["a"].set_result("report on a")

    bringing = threading.Thread(target=bring)
    bringing.start()
    second = background.submit("problem", "b", "plan")
    bringing.join()
    judge.asked["b"].set_result("report on b")
    assert (first.result(0), second.result(0)) == ("report on a", "report on b")


def test_a_submission_that_the_judge_refuses_holds_nothing_up(monkeypatch):
    judge = ListedJudge(2)
    futures = submit_all(in_a_batch(judge, monkeypatch), ["refused", "a"])
    with pytest.raises(SandboxError, match="nothing can be judged here"):
        futures["refused"].result(0)
    assert list(judge.asked) == ["a"]
