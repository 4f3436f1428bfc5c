"""One page about a run of the benchmark: a file without links to anything else.

It is made from the result as it is stored, so it can be made again from any stored result::

    python -m benchmarks.learning.report RESULT.json PAGE.html
"""

import json
import math
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from benchmarks.learning import charts

ARM_NAMES = {
    "true": "trained with true feedback",
    "random": "trained with another problem's feedback",
    "single": "trained on single replies",
}
CONDITION_NAMES = {
    "true": "true feedback",
    "random": "another problem's feedback",
    "none": "no feedback",
    "single": "a single reply",
}
_Z = 1.959964  # of a two-sided interval of 95%

_STYLE = """
:root { --ink:#1b1f24; --soft:#5b6570; --line:#d9dee4; --ground:#fff; --panel:#f5f7f9;
  --true:#0b62a8; --random:#c2500a; --single:#70757b; --good:#1a7f37; --bad:#b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink:#e6e9ec; --soft:#9aa4ae; --line:#38414a;
  --ground:#14181c; --panel:#1d2329; --true:#5fb0f2; --random:#f19a5b; --single:#a9b0b7;
  --good:#56d07a; --bad:#ff8a80; } }
* { box-sizing:border-box; }
body { margin:0 auto; max-width:1020px; padding:28px 20px 60px; color:var(--ink);
  background:var(--ground); font:15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size:26px; margin:0 0 4px; } h2 { font-size:19px; margin:36px 0 10px; }
p { max-width:76ch; } .soft { color:var(--soft); }
table { border-collapse:collapse; margin:8px 0; font-variant-numeric:tabular-nums; }
.wide { overflow-x:auto; }
.wide td, .wide th { white-space:nowrap; font-size:13px; padding-right:10px; }
.wide td:nth-child(3) { white-space:normal; overflow-wrap:anywhere; min-width:90px; }
th, td { text-align:left; padding:5px 14px 5px 0; border-bottom:1px solid var(--line);
  vertical-align:top; } th { font-weight:600; color:var(--soft); } td.n, th.n { text-align:right; }
.good { color:var(--good); font-weight:600; } .bad { color:var(--bad); font-weight:600; }
figure { margin:18px 0 26px; } figcaption { font-weight:600; }
svg { width:100%; height:auto; display:block; font:12px system-ui, "DejaVu Sans", sans-serif; }
.grid { stroke:var(--line); } .mark { stroke:var(--soft); stroke-dasharray:5 4; }
.tick { fill:var(--soft); } .label { fill:var(--ink); } .group { fill:var(--ink); font-weight:600; }
.line { fill:none; stroke-width:2.4; stroke-linejoin:round; }
.line.faint { stroke-width:1; opacity:.35; }
.arm-true { stroke:var(--true); } .arm-random { stroke:var(--random); }
.arm-single { stroke:var(--single); } .turn-1 { stroke:var(--single); }
.turn-2 { stroke:var(--random); } .turn-3 { stroke:var(--true); }
.dot.arm-true { fill:var(--true); } .dot.arm-random { fill:var(--random); }
.dot.arm-single { fill:var(--single); }
.legend { margin:4px 0 6px; } .key { margin-right:20px; color:var(--soft); font-size:13px; }
.key::before { content:""; display:inline-block; width:18px; height:3px; margin-right:7px;
  vertical-align:middle; background:var(--single); }
.key.arm-true::before, .key.turn-3::before { background:var(--true); }
.key.arm-random::before, .key.turn-2::before { background:var(--random); }
.pair { display:grid; grid-template-columns:1fr 1fr; gap:22px; }
@media (max-width:760px) { .pair { grid-template-columns:1fr; } }
.talk { border:1px solid var(--line); border-radius:8px; padding:10px 12px; margin:0 0 14px; }
.who { color:var(--soft); font-size:12px; margin:8px 0 2px; } .who:first-child { margin-top:0; }
pre { margin:0; padding:8px 10px; background:var(--panel); border-radius:6px; font-size:12.5px;
  white-space:pre-wrap; overflow-wrap:anywhere; }
pre.reply { border-left:3px solid var(--true); }
"""


def wilson(num_solved: int, num_episodes: int) -> tuple[float, float]:
    """The 95% interval of a rate.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    rate, number = num_solved / num_episodes, num_episodes
    centre = rate + _Z**2 / (2 * number)
    spread = _Z * math.sqrt(rate * (1 - rate) / number + _Z**2 / (4 * number**2))
    scale = 1 + _Z**2 / number
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def page(result: Mapping[str, Any]) -> str:
    """The whole page as HTML.

    Args:
        result: what ``benchmarks.learning`` stores. A run with ``stored_in`` was not made together
            with the others and is labelled with where it comes from.
    """
    runs = result["runs"]
    title = f"Learning from execution feedback: {result['family']}"
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="soft">{escape(result["date"])} · commit {escape(str(result["commit"])[:10])}'
        f"{' with changes' if result['dirty'] else ''}</p>",
        _introduction(result),
        _checks(result["checks"]),
        "<h2>While training</h2>",
        _learning_curve(result),
        *(_by_turn(runs, arm) for arm in ARM_NAMES if arm != "single"),
        "<h2>After training</h2>",
        _score_chart(runs),
        _score_table(runs),
        _phases(runs),
        "<h2>The same problems before and after training</h2>",
        _transcripts(runs),
        "<h2>How it was made</h2>",
        _settings(result),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body>{''.join(body)}</body></html>\n"
    )


def _introduction(result: Mapping[str, Any]) -> str:
    model = result["model"]
    return (
        f"<p>{escape(result['about_family'])} A model of {model['num_parameters']:,} random "
        "weights was warmed up on valid programs that were drawn without regard to feedback, then "
        "trained with RLEF. Programs ran in the sandbox; the texts are those of the environment. "
        f"Guesses that ignore the feedback solve {result['blind_ceiling']:.0%} in three replies "
        "at best.</p>"
    )


def _checks(checks: Sequence[Mapping[str, Any]]) -> str:
    if not checks:
        return '<p class="soft">Nothing was expected of this family in advance.</p>'
    rows = (
        (
            check["what"],
            f"{'at least' if check['at_least'] else 'at most'} {check['bound']:.2f}",
            f"{check['value']:.3f}",
            _Html(
                f'<span class="{_class_of(check)}">{"yes" if check["holds"] else "missed"}</span>'
            ),
        )
        for check in checks
    )
    return _table(("mean over seeds", "expected", "measured", "holds"), rows, numeric={2})


def _class_of(check: Mapping[str, Any]) -> str:
    return "good" if check["holds"] else "bad"


def _learning_curve(result: Mapping[str, Any]) -> str:
    drawn: list[charts.Line] = []
    for arm, name in ARM_NAMES.items():
        curves = [_points(run, "solve_rate") for run in result["runs"] if run["arm"] == arm]
        if not curves:
            continue
        stored = all(run.get("stored_in") for run in result["runs"] if run["arm"] == arm)
        seeds = f"{len(curves)} seed{'s' * (len(curves) > 1)}"
        label = f"{name}, mean of {seeds}" if len(curves) > 1 else f"{name}, {seeds}"
        label += " (stored)" if stored else ""
        drawn.append(charts.Line(label, f"arm-{arm}", _mean(curves)))
        if len(curves) > 1:
            drawn += [charts.Line("", f"arm-{arm}", curve, is_faint=True) for curve in curves]
    marks = [("best without feedback", result["blind_ceiling"])]
    return charts.lines("Solve rate of the episodes of each iteration, temperature 1", drawn, marks)


def _by_turn(runs: Sequence[Mapping[str, Any]], arm: str) -> str:
    curves = [run["curve"] for run in runs if run["arm"] == arm]
    if not curves:
        return ""
    num_turns = max(len(row["solved_by_turn"]) for curve in curves for row in curve)
    names = ("first reply", *(f"within {n} replies" for n in range(2, num_turns + 1)))
    drawn = [
        charts.Line(
            names[turn],
            f"turn-{turn + 1}",
            _mean(
                [[(r["iteration"], r["solved_by_turn"][turn]) for r in curve] for curve in curves]
            ),
        )
        for turn in range(num_turns)
    ]
    return charts.lines(f"Solved by turn, {ARM_NAMES[arm]}", drawn)


def _score_chart(runs: Sequence[Mapping[str, Any]]) -> str:
    groups = []
    for condition, name in CONDITION_NAMES.items():
        rows = []
        for arm, arm_name in ARM_NAMES.items():
            counts = [run["evaluation"].get(condition) for run in runs if run["arm"] == arm]
            values = [_with_interval(count) for count in counts if count]
            if values:
                rows.append(charts.Scores(arm_name, f"arm-{arm}", values))
        if rows:
            groups.append((f"tried with {name}", rows))
    title = (
        "Solve rate on held-out tasks: each seed with its 95% interval over episodes, and the mean"
    )
    return charts.scores(title, groups)


def _with_interval(count: Mapping[str, int]) -> tuple[float, float, float]:
    number = count["num_episodes"]
    return count["num_solved"] / number, *wilson(count["num_solved"], number)


def _score_table(runs: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for run in _in_order(runs):
        cells = [run["arm"], str(run["seed"]), run.get("stored_in") or "this run"]
        for condition in CONDITION_NAMES:
            score = run["evaluation"].get(condition)
            if score is None:
                cells.append("")
                continue
            rate, low, high = _with_interval(score)
            cells.append(f"{rate:.3f} [{low:.2f}, {high:.2f}]")
        cells += [f"{run['cpu_s']:.0f}", f"{run['wall_s']:.0f}"]
        rows.append(cells)
    head = ("arm", "seed", "from", *CONDITION_NAMES, "CPU s", "wall s")
    return f'<div class="wide">{_table(head, rows, numeric={7, 8})}</div>'


def _phases(runs: Sequence[Mapping[str, Any]]) -> str:
    """Empty where the runs were stored without phases."""
    timed = [run for run in _in_order(runs) if run.get("phases")]
    if not timed:
        return ""
    names = list(timed[0]["phases"]["seconds"])
    rows = [
        [
            run["arm"],
            str(run["seed"]),
            *(f"{run['phases']['seconds'][name]:.1f}" for name in names),
            f"{run['phases']['outside_model']:.0%}",
        ]
        for run in timed
    ]
    head = ("arm", "seed", *(f"{name.replace('_', ' ')} s" for name in names), "outside model")
    table = _table(head, rows, numeric=set(range(2, len(head))))
    note = (
        "Seconds of training. Outside the model is all but generating, scoring and updating: "
        "judging, starting up and evaluating included."
    )
    return f'<h2>Where the time went</h2><p class="soft">{note}</p><div class="wide">{table}</div>'


def _transcripts(runs: Sequence[Mapping[str, Any]]) -> str:
    shown = next((run for run in _in_order(runs) if run.get("transcripts")), None)
    if shown is None:
        return '<p class="soft">No transcripts were kept.</p>'
    what = f"{ARM_NAMES[shown['arm']]}, seed {shown['seed']}; the warmed-up model on the left."
    talks = zip(shown["transcripts"]["before"], shown["transcripts"]["after"], strict=True)
    pairs = "".join(f'<div class="pair">{_talk(old)}{_talk(new)}</div>' for old, new in talks)
    return f'<p class="soft">Of the model {escape(what)}</p>{pairs}'


def _talk(episode: Mapping[str, Any]) -> str:
    parts = [_message("environment", episode["prompt"], "")]
    for turn in episode["turns"]:
        parts.append(_message("model", turn["reply"], "reply"))
        if turn["feedback"]:
            parts.append(_message("environment", turn["feedback"], ""))
    solved = episode["private_passed"]
    end = (
        f'<span class="{"good" if solved else "bad"}">{"solved" if solved else "not solved"}</span>'
    )
    return f'<div class="talk">{"".join(parts)}<div class="who">{end}</div></div>'


def _message(who: str, text: str, css_class: str) -> str:
    return f'<div class="who">{who}</div><pre class="{css_class}">{escape(text)}</pre>'


def _settings(result: Mapping[str, Any]) -> str:
    hardware = result["hardware"]
    rows = [
        ("command", result["command"]),
        ("hardware", ", ".join(f"{key} {value}" for key, value in hardware.items())),
        ("versions", ", ".join(f"{key} {value}" for key, value in result["versions"].items())),
        ("sandbox", result["sandbox"]),
        ("seeds", ", ".join(str(seed) for seed in result["seeds"])),
        ("model", ", ".join(f"{key} {value}" for key, value in result["model"].items())),
        ("training", ", ".join(f"{key} {value}" for key, value in result["settings"].items())),
        ("evaluation", ", ".join(f"{key} {value}" for key, value in result["evaluation"].items())),
    ]
    return _table(("", ""), rows, numeric=set())


class _Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], numeric: set[int]) -> str:
    def cell(tag: str, column: int, text: str) -> str:
        css_class = ' class="n"' if column in numeric else ""
        return f"<{tag}{css_class}>{text if isinstance(text, _Html) else escape(text)}</{tag}>"

    def line(tag: str, cells: Sequence[str]) -> str:
        return f"<tr>{''.join(cell(tag, column, text) for column, text in enumerate(cells))}</tr>"

    lines = [line("th", head)] if any(head) else []
    return f"<table>{''.join([*lines, *(line('td', row) for row in rows)])}</table>"


def _in_order(runs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    order = list(ARM_NAMES)
    return sorted(runs, key=lambda run: (order.index(run["arm"]), run["seed"]))


def _points(run: Mapping[str, Any], name: str) -> list[tuple[float, float]]:
    return [(row["iteration"], row[name]) for row in run["curve"]]


def _mean(curves: Sequence[Sequence[tuple[float, float]]]) -> list[tuple[float, float]]:
    """Over the curves, at the iterations that all have."""
    return [
        (points[0][0], statistics.fmean(y for _, y in points))
        for points in zip(*curves, strict=False)
    ]


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    target.write_text(page(json.loads(source.read_text(encoding="utf-8"))), encoding="utf-8")
