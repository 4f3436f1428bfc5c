"""A dataset's report: what was found, added up."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from codefeedback_env.data_quality.flags import Flag
from codefeedback_env.data_quality.overlap import (
    Overlap,
    is_trained_on,
    overlap_findings,
    twin_findings,
)
from codefeedback_env.data_quality.problem_report import ProblemReport
from codefeedback_env.data_quality.programs import ProgramOutcome
from codefeedback_env.datasets.exclusions.lists import Exclusion, ExclusionList
from codefeedback_env.datasets.inspection import UnreadableRow
from codefeedback_env.verdicts import Verdict

NOT_JUDGED = "not judged"


@dataclass(frozen=True, kw_only=True)
class DataReport:
    """Everything about one split of a dataset."""

    dataset: str
    split: str
    settings: Mapping[str, Any]
    """Fingerprint, machine and options, in JSON's types."""

    problems: tuple[ProblemReport, ...]
    unreadable_rows: tuple[UnreadableRow, ...]
    compared_with: tuple[str, ...]
    """Other splits and datasets."""

    overlaps: tuple[Overlap, ...]

    @cached_property
    def num_flagged(self) -> dict[Flag, int]:
        """Problems with each flag that came up, in the order of Flag."""
        counts = Counter(flag for p in self.problems for flag in {f.flag for f in p.findings})
        return {flag: counts[flag] for flag in Flag if counts[flag]}

    @cached_property
    def reference_verdicts(self) -> dict[str, int]:
        """How reference programs came out."""
        return _verdicts(outcome for p in self.problems for outcome in p.references)

    @cached_property
    def wrong_verdicts(self) -> dict[str, int]:
        """How wrong programs came out."""
        return _verdicts(outcome for p in self.problems for outcome in p.wrong)

    @cached_property
    def failure_kinds(self) -> dict[str, int]:
        """Why reference programs failed, most frequent first."""
        kinds = (o.kind.value for p in self.problems for o in p.references if o.kind is not None)
        return dict(Counter(kinds).most_common())

    @cached_property
    def exclusions(self) -> ExclusionList:
        """The problems to leave out of training and evaluation, and why."""
        entries = []
        for problem in self.problems:
            findings = [f for f in problem.findings if self.excludes(f.flag)]
            if findings:
                entries.append(
                    Exclusion(
                        problem_id=problem.id,
                        reasons=tuple(dict.fromkeys(finding.flag.value for finding in findings)),
                        evidence="; ".join(finding.evidence for finding in findings),
                        split=self.split,
                    )
                )
        return ExclusionList(dataset=self.dataset, entries=tuple(entries))

    def excludes(self, flag: Flag) -> bool:
        """Whether the flag puts a problem of this split on the exclusion list."""
        return flag.excludes or (flag is Flag.IN_OTHER_SPLIT and is_trained_on(self.split))

    def totals(self) -> dict[str, int]:
        """Counts over the whole split."""
        return {
            "problems": len(self.problems),
            "unreadable rows": len(self.unreadable_rows),
            "problems with a flag": sum(bool(problem.findings) for problem in self.problems),
            "problems to exclude": len(self.exclusions.entries),
            "function-style problems": sum(problem.is_function for problem in self.problems),
            "tests": sum(sum(problem.num_tests.values()) for problem in self.problems),
            "reference programs run": sum(len(problem.references) for problem in self.problems),
            "wrong programs run": sum(len(problem.wrong) for problem in self.problems),
            "problems without a reference program": sum(
                not problem.num_programs.get("reference") for problem in self.problems
            ),
            "problems also in another split or dataset": len(
                {overlap.problem_id for overlap in self.overlaps}
            ),
        }

    def to_json(self) -> dict[str, Any]:
        """All of it, in JSON's types."""
        return {
            "dataset": self.dataset,
            "split": self.split,
            "settings": dict(self.settings),
            "totals": self.totals(),
            "flags": {flag.value: count for flag, count in self.num_flagged.items()},
            "reference_verdicts": self.reference_verdicts,
            "wrong_verdicts": self.wrong_verdicts,
            "failure_kinds": self.failure_kinds,
            "unreadable_rows": [asdict(row) for row in self.unreadable_rows],
            "compared_with": list(self.compared_with),
            "overlaps": [asdict(overlap) for overlap in self.overlaps],
            "excluded": [entry.problem_id for entry in self.exclusions.entries],
            "problems": [problem.to_json() for problem in self.problems],
        }


def make_report(
    *,
    dataset: str,
    split: str,
    settings: Mapping[str, Any],
    problems: Sequence[ProblemReport],
    unreadable_rows: Iterable[UnreadableRow],
    compared_with: Iterable[str],
    overlaps: Iterable[Overlap],
) -> DataReport:
    """Put together what was found, with what only all problems together show."""
    overlaps = tuple(overlaps)
    twins, elsewhere = twin_findings(problems), overlap_findings(overlaps)
    unreadable = [
        UnreadableRow.from_message(finding.evidence, place=f"problem {problem.id!r}")
        for problem in problems
        for finding in problem.findings
        if finding.flag is Flag.UNREADABLE
    ]
    return DataReport(
        dataset=dataset,
        split=split,
        settings=settings,
        problems=tuple(
            problem.with_findings([*twins.get(problem.id, ()), *elsewhere.get(problem.id, ())])
            for problem in problems
        ),
        unreadable_rows=(*unreadable_rows, *unreadable),
        compared_with=tuple(compared_with),
        overlaps=overlaps,
    )


def _verdicts(outcomes: Iterable[ProgramOutcome]) -> dict[str, int]:
    """Counts in the order of Verdict from the last, which is ACCEPTED, to the first."""
    counts = Counter(o.verdict.value if o.verdict else NOT_JUDGED for o in outcomes)
    order = [*(verdict.value for verdict in reversed(Verdict)), NOT_JUDGED]
    return {name: counts[name] for name in order if counts[name]}
