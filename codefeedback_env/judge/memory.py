"""Remembering, since groups of samples bring the same problem and the same program again."""

import threading
from collections import OrderedDict
from hashlib import blake2b

from codefeedback_env.judge.protocol import JudgeReport, PackedProblem, Plan
from codefeedback_env.problem import Problem
from codefeedback_env.verdicts import Verdict

MAX_REPORT_CHARS = 1 << 14
NEAR_THE_LIMIT = 0.5  # of the time limit; from there on another run might come out otherwise

MAX_PACKED_BYTES = 32 << 20

Key = tuple[bytes, bytes, bytes]


class ReportMemory:
    """The reports asked for last, at most ``max_reports`` of them. Threads may share it.

    One worker pool has one sandbox and one interpreter, so these are no part of the key; limits,
    tests and checker are in the problem's own key.
    """

    def __init__(self, max_reports: int) -> None:
        """Empty; 0 remembers nothing."""
        self._lock = threading.Lock()
        self._max_reports = max_reports
        self._reports: OrderedDict[Key, JudgeReport] = OrderedDict()

    def key(self, problem: PackedProblem, source: bytes, plan: Plan) -> Key:
        """What makes two submissions the same."""
        return problem.key, blake2b(source, digest_size=16).digest(), plan.encoded

    def find(self, key: Key) -> JudgeReport | None:
        """The report on the same submission, if it is remembered."""
        with self._lock:
            report = self._reports.get(key)
            if report is not None:
                self._reports.move_to_end(key)
            return report

    def keep(self, key: Key, report: JudgeReport) -> None:
        """Remember a repeatable report, and forget the one asked for longest ago."""
        if not self._max_reports:
            return
        with self._lock:
            self._reports[key] = report
            if len(self._reports) > self._max_reports:
                self._reports.popitem(last=False)


def is_repeatable(report: JudgeReport, cpu_time_limit_s: float) -> bool:
    """Judging again would give the same: no time is near the limit. Nor is the report long."""
    num_chars = len(report.compile_error)
    for part in report.reports.values():
        for result in part.results:
            num_chars += len(result.stdout) + len(result.stderr)
            if result.verdict is Verdict.TIME_LIMIT:
                return False
            if max(result.cpu_time_s, result.wall_time_s) > NEAR_THE_LIMIT * cpu_time_limit_s:
                return False
    return num_chars <= MAX_REPORT_CHARS


class ProblemMemory:
    """Packed problems by id, as many as fit; all are forgotten when there is no more room.

    Threads may share it without a lock, so a fork finds none taken. A copy is empty.
    """

    def __init__(self, max_bytes: int = MAX_PACKED_BYTES) -> None:
        """Empty; ``max_bytes`` bounds the packed problems together."""
        self._max_bytes = max_bytes
        self._num_bytes = 0
        self._problems: dict[str, tuple[Problem, PackedProblem]] = {}

    def find(self, problem_id: str) -> tuple[Problem, PackedProblem] | None:
        """A problem and its packed form, if it is remembered."""
        return self._problems.get(problem_id)

    def keep(self, problem_id: str, problem: Problem, packed: PackedProblem) -> None:
        """Remember a problem."""
        num_bytes = len(packed.blob)
        if num_bytes > self._max_bytes:
            return
        if self._num_bytes + num_bytes > self._max_bytes:
            self._problems, self._num_bytes = {}, 0
        self._problems[problem_id] = problem, packed
        self._num_bytes += num_bytes

    def __reduce__(self) -> tuple[type["ProblemMemory"], tuple[int]]:
        """Where it is copied to, other problems may come up."""
        return ProblemMemory, (self._max_bytes,)
