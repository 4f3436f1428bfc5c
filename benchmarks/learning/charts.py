"""The two kinds of plot of the report, as SVG."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 720, 300
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 12, 40
ROW, LABELS = 28, 270  # of the chart of scores, in pixels
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Line:
    """Rates over iterations; ``name`` is in the legend unless empty."""

    name: str
    css_class: str
    points: Sequence[tuple[float, float]]
    is_faint: bool = False


@dataclass(frozen=True, slots=True)
class Scores:
    """Rates with their intervals, one for each seed."""

    label: str
    css_class: str
    values: Sequence[tuple[float, float, float]]
    """Rate, lower and upper end."""


def lines(
    title: str,
    drawn: Sequence[Line],
    marks: Sequence[tuple[str, float]] = (),
    *,
    x_label: str = "iteration",
) -> str:
    """Rates in [0, 1] by iteration or ``x_label``; ``marks`` are dashed levels with a name."""
    last = max((x for line in drawn for x, _ in line.points), default=1)
    first = min((x for line in drawn for x, _ in line.points), default=0)
    span = max(last - first, 1)

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            LEFT + (x - first) / span * (WIDTH - LEFT - RIGHT),
            TOP + (1 - y) * (HEIGHT - TOP - BOTTOM),
        )

    parts = []
    for level in TICKS:
        _, y = place(first, level)
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        parts.append(
            f'<text class="tick" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">'
            f"{level:.0%}</text>"
        )
    for number in _round_steps(first, last):
        x, _ = place(number, 0)
        parts.append(
            f'<text class="tick" x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">'
            f"{number}</text>"
        )
    parts.append(
        f'<text class="tick" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 4}" '
        f'text-anchor="middle">{escape(x_label)}</text>'
    )
    for name, level in marks:
        _, y = place(first, level)
        parts.append(
            f'<line class="mark" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        parts.append(
            f'<text class="tick" x="{WIDTH - RIGHT}" y="{y - 5:.1f}" text-anchor="end">'
            f"{escape(name)}</text>"
        )
    for line in sorted(drawn, key=lambda line: not line.is_faint):
        path = " ".join("{:.1f},{:.1f}".format(*place(x, y)) for x, y in line.points)
        faint = " faint" if line.is_faint else ""
        parts.append(f'<polyline class="line {line.css_class}{faint}" points="{path}"/>')
    legend = "".join(
        f'<span class="key {line.css_class}">{escape(line.name)}</span>'
        for line in drawn
        if line.name
    )
    return _figure(title, legend, HEIGHT, "".join(parts))


def scores(title: str, groups: Sequence[tuple[str, Sequence[Scores]]]) -> str:
    """Rates in [0, 1] with intervals, one row for all seeds, under the names of their groups."""
    num_lines = sum(len(rows) + 1 for _, rows in groups)
    height = TOP + ROW * num_lines + BOTTOM
    end = WIDTH - 60

    def place(rate: float) -> float:
        return LABELS + rate * (end - LABELS)

    parts = []
    for level in TICKS:
        x = place(level)
        parts.append(
            f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{height - BOTTOM + 4}"/>'
            f'<text class="tick" x="{x:.1f}" y="{height - BOTTOM + 20}" '
            f'text-anchor="middle">{level:.0%}</text>'
        )
    y = TOP + ROW / 2
    for name, rows in groups:
        parts.append(f'<text class="group" x="0" y="{y + 5:.1f}">{escape(name)}</text>')
        y += ROW
        for row in rows:
            kind = row.css_class
            parts.append(f'<text class="label" x="12" y="{y + 4:.1f}">{escape(row.label)}</text>')
            middle = (len(row.values) - 1) / 2
            gap = min(7.0, (ROW - 10) / max(len(row.values) - 1, 1))
            for number, (rate, low, high) in enumerate(row.values):
                line_y = y + (number - middle) * gap
                parts.append(
                    f'<line class="line {kind}" x1="{place(low):.1f}" x2="{place(high):.1f}" '
                    f'y1="{line_y:.1f}" y2="{line_y:.1f}"/>'
                    f'<circle class="dot {kind}" cx="{place(rate):.1f}" cy="{line_y:.1f}" r="3.5"/>'
                )
            mean = statistics.fmean(rate for rate, _, _ in row.values)
            parts.append(f'<text class="tick" x="{end + 16}" y="{y + 4:.1f}">{mean:.3f}</text>')
            y += ROW
    return _figure(title, "", height, "".join(parts))


def _figure(title: str, legend: str, height: float, content: str) -> str:
    return (
        f'<figure><figcaption>{escape(title)}</figcaption><div class="legend">{legend}</div>'
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title, quote=True)}">'
        f"{content}</svg></figure>"
    )


def _round_steps(first: float, last: float) -> list[int]:
    """Some six round numbers from first to last."""
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500, 10**9) if (last - first) / s <= 8)
    return [n for n in range(round(first), round(last) + 1) if n % step == 0 or n == first]
