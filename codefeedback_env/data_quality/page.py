"""The report as one HTML page that needs nothing beside it."""

from collections import Counter
from collections.abc import Sequence
from html import escape

from codefeedback_env.data_quality.charts import bar_chart, bins_of_tests, column_chart
from codefeedback_env.data_quality.flags import Finding, Flag
from codefeedback_env.data_quality.report import DataReport

MAX_ROWS = 500
MAX_DIFFICULTIES = 20

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2430; --soft: #5d6778; --line: #dfe3ea; --paper: #fff;
  --card: #f6f7f9; --bar: #3b6fb6; --bad: #b23a2e; --bad-paper: #fbeae8; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ef; --soft: #9aa5b6; --line: #323a47;
  --paper: #14181f; --card: #1b212a; --bar: #6f9fdc; --bad: #f08a7e; --bad-paper: #3a211f; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 32px 24px 64px; max-width: 1240px; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 26px; margin: 0 0 4px; } h2 { font-size: 18px; margin: 40px 0 12px; }
h3 { font-size: 15px; margin: 0 0 10px; } p { margin: 0 0 10px; }
.soft, .empty, small { color: var(--soft); }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(170px, 1fr)); gap: 12px;
  margin-top: 24px; }
.tile, .card { background: var(--card); border-radius: 8px; padding: 14px 16px; }
.tile b { display: block; font-size: 24px; font-weight: 600; line-height: 1.25;
  font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: 13px; line-height: 1.3; display: block; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr));
  gap: 16px; }
svg { width: 100%; max-width: 640px; height: auto; display: block; }
svg text { fill: var(--ink); font-size: 13px; } svg .label { text-anchor: end; }
svg .middle { text-anchor: middle; font-size: 12px; } svg .axis, svg .share { fill: var(--soft); }
svg .bar { fill: var(--bar); } svg .base { stroke: var(--line); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; font-weight: 600; color: var(--soft); font-size: 13px; }
th, td { padding: 7px 14px 7px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td { overflow-wrap: anywhere; } td.id { min-width: 170px; max-width: 260px; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
ul { margin: 0; padding: 0; list-style: none; } li { margin: 0 0 5px; }
li .evidence { display: block; color: var(--soft); font: 12.5px/1.45 ui-monospace, monospace; }
.flag { display: inline-block; padding: 0 7px; border-radius: 4px; font-size: 13px;
  background: var(--line); white-space: nowrap; }
.flag.excludes { background: var(--bad-paper); color: var(--bad); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 18px; margin: 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
"""


def html_page(report: DataReport) -> str:
    """The page; every text of the data is escaped."""
    title = f"{report.dataset}, {report.split}"
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>Data report: {escape(title)}</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{_STYLE}</style></head><body>",
        f"<h1>Data report: {escape(title)}</h1>",
        '<p class="soft">Red marks what takes a problem out by <code>exclusions.toml</code>.</p>',
        _tiles(report),
        _charts(report),
        _flag_table(report),
        _overlap_table(report),
        _unreadable_table(report),
        _problem_table(report),
        "<h2>Settings</h2>",
        "<dl>",
        *(f"<dt>{escape(k)}</dt><dd>{escape(str(v))}</dd>" for k, v in report.settings.items()),
        "</dl></body></html>",
    ]
    return "\n".join(parts) + "\n"


def _tiles(report: DataReport) -> str:
    tiles = (
        f'<div class="tile"><b>{count:,}</b><span>{escape(name)}</span></div>'
        for name, count in report.totals().items()
    )
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _charts(report: DataReport) -> str:
    num_problems = len(report.problems)
    readable = [problem for problem in report.problems if problem.num_tests]
    flags = {flag.value: count for flag, count in report.num_flagged.items()}
    difficulties = Counter(problem.difficulty or "not given" for problem in readable)
    if len(difficulties) > MAX_DIFFICULTIES:
        difficulties = Counter(dict(difficulties.most_common(MAX_DIFFICULTIES)))
    references, wrong = report.reference_verdicts, report.wrong_verdicts
    cards = [
        (
            "Tests of a problem",
            column_chart(
                bins_of_tests([sum(problem.num_tests.values()) for problem in readable]),
                "problems",
            ),
        ),
        ("Difficulty", bar_chart(dict(sorted(difficulties.items())), num_problems, "problems")),
        ("Problems with a flag", bar_chart(flags, num_problems, "problems")),
        (
            "Reference programs: verdicts",
            bar_chart(references, sum(references.values()), "reference programs"),
        ),
        (
            "Reference programs: why they fail",
            bar_chart(report.failure_kinds, sum(references.values()), "reference programs"),
        ),
        ("Wrong programs: verdicts", bar_chart(wrong, sum(wrong.values()), "wrong programs")),
    ]
    shown = (f'<div class="card"><h3>{name}</h3>{chart}</div>' for name, chart in cards)
    return f'<h2>At a glance</h2><div class="cards">{"".join(shown)}</div>'


def _flag_table(report: DataReport) -> str:
    rows = (
        f"<tr><td>{_flag(report, flag)}</td><td class='number'>{count:,}</td>"
        f"<td>{escape(flag.meaning)}</td></tr>"
        for flag, count in report.num_flagged.items()
    )
    return _table("What the flags mean", ("flag", "problems", "meaning"), list(rows))


def _overlap_table(report: DataReport) -> str:
    if not report.compared_with:
        return (
            '<h2>Other splits</h2><p class="soft">There was no other split or dataset to compare '
            "with.</p>"
        )
    compared = escape(", ".join(report.compared_with))
    rows = [
        f"<tr><td>{escape(overlap.problem_id)}</td><td>{escape(overlap.other_id)}</td>"
        f"<td>{escape(overlap.other)}</td><td>{escape(overlap.equal)}</td></tr>"
        for overlap in report.overlaps
    ]
    if not rows:
        return f"<h2>Other splits</h2><p>No problem comes up in {compared} as well.</p>"
    return _table(
        f"Problems that come up elsewhere too (compared with {compared})",
        ("problem", "is", "in", "equal"),
        rows,
    )


def _unreadable_table(report: DataReport) -> str:
    rows = [
        f"<tr><td>{escape(row.place)}</td><td>{escape(row.field or '')}</td>"
        f"<td>{escape(row.message)}</td></tr>"
        for row in report.unreadable_rows
    ]
    return _table("Rows that cannot be read", ("row", "field", "what is wrong"), rows)


def _problem_table(report: DataReport) -> str:
    excluded = {entry.problem_id for entry in report.exclusions.entries}
    flagged = [problem for problem in report.problems if problem.findings]
    flagged.sort(key=lambda problem: problem.id not in excluded)
    rows = [
        f'<tr><td class="id">{escape(problem.id)}<br><small>{escape(problem.difficulty or "")}'
        f'</small></td><td class="number">{sum(problem.num_tests.values()):,}</td>'
        f"<td><ul>{''.join(_finding(report, f) for f in problem.findings)}</ul></td></tr>"
        for problem in flagged
    ]
    return _table(
        "Problems with a flag, those to exclude first", ("problem", "tests", "flags"), rows
    )


def _finding(report: DataReport, finding: Finding) -> str:
    evidence = escape(finding.evidence)
    return f'<li>{_flag(report, finding.flag)}<span class="evidence">{evidence}</span></li>'


def _flag(report: DataReport, flag: Flag) -> str:
    kind = "flag excludes" if report.excludes(flag) else "flag"
    return f'<span class="{kind}">{escape(flag.value)}</span>'


def _table(title: str, heads: Sequence[str], rows: Sequence[str]) -> str:
    if not rows:
        return ""
    more = ""
    if len(rows) > MAX_ROWS:
        more = f'<p class="soft">and {len(rows) - MAX_ROWS:,} more; all are in report.json.</p>'
    numbers = ("problems", "tests")
    head = "".join(
        f'<th class="{"number" if name in numbers else "text"}">{escape(name)}</th>'
        for name in heads
    )
    return (
        f'<h2>{escape(title)}</h2><div class="scroll"><table><tr>{head}</tr>'
        f"{''.join(rows[:MAX_ROWS])}</table></div>{more}"
    )
