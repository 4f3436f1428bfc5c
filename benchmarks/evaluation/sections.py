"""What a report says: our numbers beside the paper's, and where they come from."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from agents.metrics import TurnOutcome, histogram
from benchmarks.evaluation.bars import grouped, stacked
from benchmarks.evaluation.blocks import Block, Chart, Section, Table, Text
from benchmarks.evaluation.html import NUM_SERIES
from benchmarks.evaluation.measures import CellResult, Run, Value, gap, len_of
from benchmarks.evaluation.origin import origin_section
from benchmarks.evaluation.paper import PAPER
from benchmarks.evaluation.suite import Deviation
from benchmarks.learning import charts

NOT_CODE_CONTESTS = (
    "The bundled split is the package's own problems: these are not CodeContests results, and "
    "must not be compared with any."
)
PERCENT = (
    "Percent, averaged over problems. Intervals are 95% of a bootstrap over the rollouts of each "
    "problem: they say nothing on another seed or another training."
)
MEANINGS = {
    "n@k": "n@k: the chance that one of n submissions passes all tests, chosen by the public tests "
    "among rollouts that take k replies together; a rollout counts with its turn limit.",
    "single-turn n@k": "single-turn n@k: the same of first replies only, each as a rollout of its "
    "own.",
    "pass@k": "pass@k: the chance that one of k rollouts passes all tests, whatever they cost.",
}
"""Of the kinds of metrics."""

NUM_BINS = 10
"""Of the histogram of 1 - chrF."""

KINDS = tuple(outcome for outcome in TurnOutcome if outcome is not TurnOutcome.NOT_RUN)


def all_sections(runs: Sequence[Run]) -> list[Section]:
    """The whole report; one column for each run."""
    return [
        *result_sections(runs),
        *_gaps(runs),
        *_by_turn(runs),
        *_budget(runs),
        *_errors(runs),
        *_edits(runs),
        origin_section(runs),
    ]


def result_sections(runs: Sequence[Run]) -> list[Section]:
    """Solve rates, and what a reader must know of them."""
    blocks: list[Block] = [Text(runs[0].manifest["about"])]
    if any(map(_is_bundled, runs)):
        blocks.append(Text(NOT_CODE_CONTESTS, is_warning=True))
    for run in runs:
        blocks += [Text(f"{run.label}: {text}", is_warning=True) for text in _warnings(run)]
    blocks.append(Text(PERCENT))
    kinds = {m.kind for run in runs for cell in run.cells.values() for m in cell.cell.numbers}
    blocks += [Text(text) for kind, text in MEANINGS.items() if kind in kinds]
    sections = [Section("Solve rates", blocks)]
    for name in _cell_names(runs):
        sections.append(Section(f"Solve rates: {name}", [_numbers(runs, name)]))
    return sections


def percent(value: Value) -> str:
    """A rate and its interval."""
    if value.value is None:
        return f"none: {value.missing}"
    text = f"{100 * value.value:.1f}"
    if value.interval is None:
        return text
    text += f" ({100 * value.interval.low:.1f} to {100 * value.interval.high:.1f})"
    return f"{text}, over problems" if value.interval.resampled == "problems" else text


def _is_bundled(run: Run) -> bool:
    return any(data["split"] == "bundled" for data in run.manifest["data"])


def _warnings(run: Run) -> list[str]:
    texts = [
        f"incomplete: {len_of(cell)} of {cell.num_planned} episodes of {cell.cell.name}"
        for cell in run.cells.values()
        if len_of(cell) < cell.num_planned
    ]
    texts += [
        f"{number} episodes of {cell.cell.name} were dropped: the sandbox failed"
        for cell in run.cells.values()
        if (number := cell.tally.num_sandbox_failures)
    ]
    changed = defaultdict(list)
    for row in run.manifest["deviations"]:
        changed[str(Deviation(**row))].append(row["cell"])
    texts += [f"deviates from the suite: {d} in {', '.join(c)}" for d, c in changed.items()]
    return texts


def _numbers(runs: Sequence[Run], name: str) -> Table:
    found = [run.cells[name] for run in runs if name in run.cells]
    metrics = list(dict.fromkeys(metric.name for cell in found for metric in cell.cell.numbers))
    paper: dict[str, dict[str, str]] = defaultdict(dict)
    # The paper's numbers are no measure for problems that are not CodeContests.
    sources = () if any(map(_is_bundled, runs)) else (cell.cell.paper for cell in found)
    for source in dict.fromkeys(sources):
        for number in PAPER.get(source or "", ()):
            if number.metric in metrics:
                text = f"{number.percent:.1f} ({number.table})"
                paper[f"paper: {number.model}"][number.metric] = text
    columns = [_values(run, name) for run in runs]
    rows = [
        [
            metric,
            *(percent(column[metric]) if metric in column else "" for column in columns),
            *(numbers.get(metric, "") for numbers in paper.values()),
        ]
        for metric in metrics
    ]
    return Table(["metric", *(run.label for run in runs), *paper], rows)


def _values(run: Run, name: str) -> dict[str, Value]:
    if name not in run.cells:
        return {}
    return {value.name: value for value in run.cells[name].numbers(run.manifest["seed"])}


def _gaps(runs: Sequence[Run]) -> list[Section]:
    sections = []
    for first, second in runs[0].manifest["gaps"]:
        columns = []
        for run in runs:
            found = gap(run.cells[first], run.cells[second], run.manifest["seed"])
            columns.append({value.name: percent(value) for value in found})
        names = list(dict.fromkeys(name for column in columns for name in column))
        rows = [[name, *(column.get(name, "") for column in columns)] for name in names]
        text = f"Percentage points by which {first} does better than {second}."
        blocks: list[Block] = [Text(text), Table(["metric", *(run.label for run in runs)], rows)]
        sections.append(Section(f"Gap: {first} against {second} feedback", blocks))
    return sections


def _by_turn(runs: Sequence[Run]) -> list[Section]:
    shown = [(run, cell) for run, cell in _cells(runs, "turns") if cell.counts]
    if not shown:
        return []
    columns = [cell.by_turn(run.manifest["seed"]) for run, cell in shown]
    rows = [
        [f"turn {turn}", *(percent(c[turn]) if turn in c else "" for c in columns)]
        for turn in sorted({turn for column in columns for turn in column})
    ]
    names = [_name(run, cell, runs) for run, cell in shown]
    lines = [
        charts.Line(
            name,
            f"s{number % NUM_SERIES}",
            [(turn, value.value or 0.0) for turn, value in column.items()],
        )
        for number, (name, column) in enumerate(zip(names, columns, strict=True))
    ]
    chart = Chart(charts.lines("Solved by turn", lines, x_label="turn"))
    return [Section("Solve rate by turn", [Table(["solved by", *names], rows), chart])]


def _budget(runs: Sequence[Run]) -> list[Section]:
    """A curve where a cell has the same n at several budgets."""
    lines: list[charts.Line] = []
    for run in runs:
        for cell in run.cells.values():
            points: dict[int, list[tuple[float, float]]] = defaultdict(list)
            for metric, value in zip(
                cell.cell.numbers, cell.numbers(run.manifest["seed"]), strict=True
            ):
                if metric.kind == "n@k" and value.value is not None:
                    points[metric.n].append((metric.k, value.value))
            for n, curve in points.items():
                if len(curve) > 1:
                    name = f"{n}@k, {_name(run, cell, runs)}"
                    lines.append(charts.Line(name, f"s{len(lines) % NUM_SERIES}", sorted(curve)))
    # Two budgets of one metric are a comparison, not a curve.
    lines = [line for line in lines if len(line.points) > 2]
    if not lines:
        return []
    text = "All cells may give the same number of replies: k, split over rollouts."
    chart = charts.lines("Solve rate by budget", lines, x_label="k, replies for each problem")
    return [Section("Solve rate by budget", [Text(text), Chart(chart)])]


def _errors(runs: Sequence[Run]) -> list[Section]:
    sections = []
    for run, cell in _cells(runs, "errors"):
        outcomes = cell.transitions.outcomes
        if not outcomes:
            continue
        kinds = [kind for kind in TurnOutcome if any(kind in row for row in outcomes)]
        rows = [
            [f"turn {number}", *(str(row.get(kind, 0)) for kind in kinds)]
            for number, row in enumerate(outcomes, start=1)
        ]
        fixed = [
            [f"fixed in turn {turn}", *(str(_fixed(cell, turn).get(kind, 0)) for kind in kinds)]
            for turn in range(2, len(outcomes) + 1)
        ]
        bars = [
            (f"turn {number}", [row.get(kind, 0) for kind in KINDS])
            for number, row in enumerate(outcomes, start=1)
        ]
        bars += [
            (f"fixed in turn {turn}", [_fixed(cell, turn).get(kind, 0) for kind in KINDS])
            for turn in range(2, len(outcomes) + 1)
        ]
        title = f"Replies on the public tests: {_name(run, cell, runs)}"
        changes = [
            [f"turn {number}: {before} to {after}", str(count)]
            for number, row in enumerate(cell.transitions.changes, start=1)
            for (before, after), count in sorted(row.items())
        ]
        blocks: list[Block] = [Table(["replies", *kinds], rows + fixed)]
        blocks.append(Chart(stacked(title, KINDS, bars)))
        if changes:
            blocks.append(Table(["from one turn to the next", "replies"], changes))
        sections.append(Section(title, blocks))
    return sections


def _fixed(cell: CellResult, turn: int) -> dict[TurnOutcome, int]:
    return cell.transitions.fixed(turn)


def _edits(runs: Sequence[Run]) -> list[Section]:
    rows = []
    shares: dict[str, list[float]] = {}
    for run, cell in _cells(runs, "edits"):
        edits = cell.edits
        if not edits.num_pairs:
            continue
        if edits.distances:
            shares[_name(run, cell, runs)] = histogram(edits.distances, NUM_BINS)
        mean = f"{np.mean(edits.distances):.3f}" if edits.distances else "not measured"
        identical = f"{100 * edits.num_identical / edits.num_pairs:.1f}%"
        rows.append([_name(run, cell, runs), str(edits.num_pairs), identical, mean])
    notes: list[Block] = [
        Text(note) for note in dict.fromkeys(n for run in runs for n in run.notes)
    ]
    if not rows:
        return [Section("Changes between programs", notes)] if notes else []
    head = ["successive programs", "pairs", "identical", "mean 1 - chrF"]
    blocks: list[Block] = [Table(head, rows), *notes]
    if shares:
        parts = [f"{n / NUM_BINS:.1f} to {(n + 1) / NUM_BINS:.1f}" for n in range(NUM_BINS)]
        table = [
            [part, *(f"{100 * share[n]:.1f}%" for share in shares.values())]
            for n, part in enumerate(parts)
        ]
        title = "1 - chrF between successive programs: 0 is the same program again"
        blocks += [Chart(grouped(title, parts, shares)), Table(["1 - chrF", *shares], table)]
    return [Section("Changes between programs", blocks)]


def _cells(runs: Sequence[Run], metric: str) -> list[tuple[Run, CellResult]]:
    return [
        (run, cell) for run in runs for cell in run.cells.values() if metric in cell.cell.metrics
    ]


def _cell_names(runs: Sequence[Run]) -> list[str]:
    return list(dict.fromkeys(name for run in runs for name in run.cells))


def _name(run: Run, cell: CellResult, runs: Sequence[Run]) -> str:
    return cell.cell.name if len(runs) == 1 else f"{cell.cell.name}, {run.label}"
