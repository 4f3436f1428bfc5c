"""Problems that come up twice: in one split, in two splits, in two datasets."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from codefeedback_env.data_quality.flags import Finding, Flag
from codefeedback_env.data_quality.problem_report import ProblemReport
from codefeedback_env.data_quality.statements import normalised_title, statement_hash
from codefeedback_env.datasets.problem_set import ProblemSet
from codefeedback_env.errors import DatasetError

EVALUATION_SPLITS = ("valid", "validation", "test")
MAX_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a problem is recognised by."""

    id: str
    title: str | None
    statement_hash: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """A problem that comes up elsewhere too."""

    problem_id: str
    other_id: str
    other: str
    """Dataset and split in which the other one is."""

    equal: str
    """``title``, ``statement`` or ``title and statement``."""


def signatures(problems: ProblemSet) -> Iterator[Signature]:
    """Of every problem that can be read."""
    for problem_id in problems.ids:
        try:
            problem = problems[problem_id]
        except DatasetError:
            continue
        yield Signature(
            id=problem_id,
            title=normalised_title(problem),
            statement_hash=statement_hash(problem.statement),
        )


def find_overlaps(
    reports: Iterable[ProblemReport], others: Iterable[Signature], other: str
) -> list[Overlap]:
    """The problems that are among others as well.

    Args:
        reports: of the problems looked at.
        others: of the other split or dataset.
        other: its name.
    """
    by_title, by_statement = _index(reports)
    overlaps = []
    for signature in others:
        titles = set(by_title.get(signature.title, ()))
        statements = set(by_statement.get(signature.statement_hash, ()))
        for problem_id in sorted(titles | statements):
            equal = [
                word
                for word, ids in (("title", titles), ("statement", statements))
                if problem_id in ids
            ]
            overlaps.append(
                Overlap(
                    problem_id=problem_id,
                    other_id=signature.id,
                    other=other,
                    equal=" and ".join(equal),
                )
            )
    return overlaps


def twin_findings(reports: Iterable[ProblemReport]) -> dict[str, list[Finding]]:
    """Findings for the problems whose title or statement comes up again in the same split."""
    findings: defaultdict[str, list[Finding]] = defaultdict(list)
    for flag, index in zip((Flag.EQUAL_TITLE, Flag.EQUAL_STATEMENT), _index(reports), strict=True):
        for ids in index.values():
            for problem_id in ids if len(ids) > 1 else ():
                twins = [other for other in ids if other != problem_id]
                findings[problem_id].append(Finding(flag=flag, evidence=f"as {_named(twins)}"))
    return dict(findings)


def overlap_findings(overlaps: Iterable[Overlap]) -> dict[str, list[Finding]]:
    """A finding for each problem that comes up elsewhere."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    for overlap in overlaps:
        places[overlap.problem_id].append(
            f"{overlap.other_id} of {overlap.other} (equal {overlap.equal})"
        )
    return {
        problem_id: [Finding(flag=Flag.IN_OTHER_SPLIT, evidence=_named(named))]
        for problem_id, named in places.items()
    }


def is_trained_on(split: str) -> bool:
    """Whether overlaps take problems out of this split, rather than out of the other one."""
    return split not in EVALUATION_SPLITS


def _index(
    reports: Iterable[ProblemReport],
) -> tuple[dict[str | None, list[str]], dict[str | None, list[str]]]:
    by_title: defaultdict[str | None, list[str]] = defaultdict(list)
    by_statement: defaultdict[str | None, list[str]] = defaultdict(list)
    for report in reports:
        if report.title is not None:
            by_title[report.title].append(report.id)
        if report.statement_hash is not None:
            by_statement[report.statement_hash].append(report.id)
    return dict(by_title), dict(by_statement)


def _named(names: list[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more
