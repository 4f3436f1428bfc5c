"""Charts as SVG text, drawn for a page whose style sheet colours them."""

from collections.abc import Mapping, Sequence
from html import escape

WIDTH = 560
ROW_HEIGHT = 26
MAX_LABEL_WIDTH = 260
LABEL_CHAR_WIDTH = 7.2
VALUE_WIDTH = 96
COLUMN_HEIGHT = 150
MIN_BAR = 2.0

TEST_BINS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500)
"""Lower ends of the bins of tests a problem."""


def bar_chart(counts: Mapping[str, int], total: int, noun: str) -> str:
    """A horizontal bar for each name, with the count and its share of ``total``.

    Args:
        counts: in the order to be shown.
        total: what a share of 100% is.
        noun: what is counted, for those who cannot see the chart.
    """
    if not counts:
        return '<p class="empty">none</p>'
    largest = max(counts.values())
    label_width = min(20 + LABEL_CHAR_WIDTH * max(map(len, counts)), MAX_LABEL_WIDTH)
    room = WIDTH - label_width - VALUE_WIDTH
    rows = []
    for number, (name, count) in enumerate(counts.items()):
        y = number * ROW_HEIGHT
        width = max(room * count / largest, MIN_BAR) if count else 0
        share = f"{100 * count / total:.1f}%" if total else ""
        rows.append(
            f"<g><title>{escape(name)}: {count} {escape(noun)}, {share}</title>"
            f'<text class="label" x="{label_width - 10:.0f}" y="{y + 17}">{escape(name)}</text>'
            f'<rect class="bar" x="{label_width:.0f}" y="{y + 4}" width="{width:.1f}" height="17"'
            ' rx="2"/>'
            f'<text class="value" x="{label_width + width + 7:.1f}" y="{y + 17}">{count:,}'
            f' <tspan class="share">{share}</tspan></text></g>'
        )
    return _svg("".join(rows), len(counts) * ROW_HEIGHT, noun)


def column_chart(counts: Mapping[str, int], noun: str) -> str:
    """A column for each name: a histogram whose bins are named."""
    if not any(counts.values()):
        return '<p class="empty">none</p>'
    largest = max(counts.values())
    step = WIDTH / len(counts)
    columns = []
    for number, (name, count) in enumerate(counts.items()):
        x = number * step
        height = max(COLUMN_HEIGHT * count / largest, MIN_BAR) if count else 0.0
        top = 18 + COLUMN_HEIGHT - height
        value = f"{count:,}" if count else ""
        columns.append(
            f"<g><title>{escape(name)}: {count} {escape(noun)}</title>"
            f'<rect class="bar" x="{x + step * 0.12:.1f}" y="{top:.1f}" width="{step * 0.76:.1f}"'
            f' height="{height:.1f}" rx="2"/>'
            f'<text class="middle" x="{x + step / 2:.1f}" y="{top - 5:.1f}">{value}</text>'
            f'<text class="middle axis" x="{x + step / 2:.1f}" y="{COLUMN_HEIGHT + 34}">'
            f"{escape(name)}</text></g>"
        )
    y = 18.5 + COLUMN_HEIGHT
    baseline = f'<line class="base" x1="0" x2="{WIDTH}" y1="{y}" y2="{y}"/>'
    return _svg("".join(columns) + baseline, COLUMN_HEIGHT + 42, noun)


def bins_of_tests(num_tests: Sequence[int]) -> dict[str, int]:
    """How many problems have how many tests, in the bins of ``TEST_BINS``."""
    ends = [*(start - 1 for start in TEST_BINS[1:]), None]
    bins = {}
    for start, end in zip(TEST_BINS, ends, strict=True):
        name = f"{start}+" if end is None else str(start) if end == start else f"{start}\u2013{end}"
        bins[name] = sum(start <= n and (end is None or n <= end) for n in num_tests)
    return bins


def _svg(content: str, height: float, noun: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="chart of {escape(noun)}">'
        f"{content}</svg>"
    )
