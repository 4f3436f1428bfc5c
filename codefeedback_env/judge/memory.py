"""Remembering reports, since groups of samples and repeated turns bring the same program again."""

from collections import OrderedDict
from hashlib import blake2b

from codefeedback_env.judge.protocol import JudgeReport, PackedProblem, Plan
from codefeedback_env.verdicts import Verdict

MAX_REPORT_CHARS = 1 << 14
NEAR_THE_LIMIT = 0.5  # of the time limit; from there on another run might come out otherwise

Key = tuple[bytes, bytes, Plan]


class ReportMemory:
    """The reports asked for last, at most ``max_reports`` of them.

    Reports with a time near the limit are not kept, nor are long ones. One worker pool has one
    sandbox and one interpreter, so these are no part of the key; limits, tests and checker are in
    the problem's own key.
    """

    def __init__(self, max_reports: int) -> None:
        """Empty; 0 remembers nothing."""
        self._max_reports = max_reports
        self._reports: OrderedDict[Key, JudgeReport] = OrderedDict()

    def key(self, problem: PackedProblem, source: bytes, plan: Plan) -> Key:
        """What makes two submissions the same."""
        return problem.key, blake2b(source, digest_size=16).digest(), plan

    def find(self, key: Key) -> JudgeReport | None:
        """The report on the same submission, if it is remembered."""
        report = self._reports.get(key)
        if report is not None:
            self._reports.move_to_end(key)
        return report

    def keep(self, key: Key, report: JudgeReport, cpu_time_limit_s: float) -> None:
        """Remember a report if it can be relied on, and forget the one asked for longest ago."""
        if self._max_reports and _is_reliable(report, cpu_time_limit_s):
            self._reports[key] = report
            if len(self._reports) > self._max_reports:
                self._reports.popitem(last=False)


def _is_reliable(report: JudgeReport, cpu_time_limit_s: float) -> bool:
    num_chars = len(report.compile_error)
    for part in report.reports.values():
        for result in part.results:
            num_chars += len(result.stdout) + len(result.stderr)
            if result.verdict is Verdict.TIME_LIMIT:
                return False
            if max(result.cpu_time_s, result.wall_time_s) > NEAR_THE_LIMIT * cpu_time_limit_s:
                return False
    return num_chars <= MAX_REPORT_CHARS
