"""The report as a page of Markdown: the counts, and what to exclude."""

from collections.abc import Iterable, Mapping

from codefeedback_env.data_quality.report import DataReport

MAX_LISTED = 50


def markdown_page(report: DataReport) -> str:
    """A summary; ``report.json`` and ``report.html`` say more."""
    lines = [f"# Data report: {report.dataset}, {report.split}", ""]
    lines += _table("", ("what", "count"), report.totals())
    flags = {flag.value: count for flag, count in report.num_flagged.items()}
    lines += _table("Flags", ("flag", "problems"), flags)
    lines += _table("Reference programs", ("verdict", "programs"), report.reference_verdicts)
    lines += _table("Why they fail", ("kind", "programs"), report.failure_kinds)
    lines += _table("Wrong programs", ("verdict", "programs"), report.wrong_verdicts)
    if report.compared_with:
        lines += ["", "## Other splits and datasets", ""]
        lines.append(f"Compared with {', '.join(report.compared_with)}.")
        lines += _list(
            f"{_cell(o.problem_id)} is {_cell(o.other_id)} of {o.other} (equal {o.equal})"
            for o in report.overlaps
        )
    if report.unreadable_rows:
        lines += ["", "## Rows that cannot be read"]
        lines += _list(_cell(str(row)) for row in report.unreadable_rows)
    if report.exclusions.entries:
        lines += ["", "## To exclude"]
        lines += _list(
            f"**{_cell(entry.problem_id)}**: {', '.join(entry.reasons)}. {_cell(entry.evidence)}"
            for entry in report.exclusions.entries
        )
    lines += _table("Settings", ("setting", "value"), report.settings)
    return "\n".join(lines) + "\n"


def _table(title: str, heads: tuple[str, str], rows: Mapping[str, object]) -> list[str]:
    if not rows:
        return []
    return [
        *(["", f"## {title}", ""] if title else []),
        f"| {heads[0]} | {heads[1]} |",
        "| --- | --- |",
        *(f"| {_cell(name)} | {_cell(str(value))} |" for name, value in rows.items()),
    ]


def _list(entries: Iterable[str]) -> list[str]:
    every = [f"* {entry}" for entry in entries]
    left = len(every) - MAX_LISTED
    more = [f"* and {left} more; all are in report.json"] if left > 0 else []
    return ["", *every[:MAX_LISTED], *more]


def _cell(text: str) -> str:
    """Text that Markdown shows as it is, in one line."""
    shown = " ".join(text.split())
    for mark in "\\`*_<>|[]":
        shown = shown.replace(mark, f"\\{mark}")
    return shown
