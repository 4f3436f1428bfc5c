"""Bars as SVG: how replies did, turn by turn, and how shares are spread."""

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, ROW, BAR = 720, 26, 16
LABELS, END = 230, 60
HEIGHT, LEFT, BOTTOM = 220, 46, 24  # of upright bars
NUM_COLOURS = 7


def stacked(title: str, kinds: Sequence[str], rows: Sequence[tuple[str, Sequence[int]]]) -> str:
    """One bar for each row, its parts as long as their counts.

    Args:
        title: of the figure.
        kinds: names of the parts; part i has the class ``s{i}``.
        rows: label and a count for each kind.
    """
    longest = max((sum(counts) for _, counts in rows), default=0) or 1
    scale = (WIDTH - LABELS - END) / longest
    parts = []
    for number, (label, counts) in enumerate(rows):
        y = number * ROW
        x = float(LABELS)
        parts.append(f'<text class="label" x="0" y="{y + 16}">{escape(label)}</text>')
        for kind, count in enumerate(counts):
            if count:
                width = count * scale
                name = escape(f"{kinds[kind]}: {count}")
                parts.append(
                    f'<rect class="bar s{kind}" x="{x:.1f}" y="{y + 4}" width="{width:.1f}" '
                    f'height="{BAR}"><title>{name}</title></rect>'
                )
                x += width
        parts.append(f'<text class="tick" x="{x + 6:.1f}" y="{y + 16}">{sum(counts)}</text>')
    return _figure(title, kinds, parts, ROW * len(rows) + 4)


def grouped(title: str, groups: Sequence[str], series: Mapping[str, Sequence[float]]) -> str:
    """Upright bars side by side in groups.

    Args:
        title: of the figure.
        groups: names below the bars.
        series: a share in [0, 1] for each group, by name.
    """
    most = max((share for shares in series.values() for share in shares), default=0.0) or 1.0
    width = (WIDTH - LEFT) / len(groups)
    bar = 0.8 * width / len(series)
    bottom = HEIGHT - BOTTOM
    parts = []
    for level in (0.0, most / 2, most):
        y = bottom - level / most * (bottom - BAR)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(
            f'<text class="tick" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">'
            f"{level:.0%}</text>"
        )
    for place, group in enumerate(groups):
        x = LEFT + place * width
        parts.append(
            f'<text class="tick" x="{x + 0.4 * width:.1f}" y="{HEIGHT - 6}" '
            f'text-anchor="middle">{escape(group)}</text>'
        )
        for number, (name, shares) in enumerate(series.items()):
            if not shares[place]:
                continue
            height = shares[place] / most * (bottom - BAR)
            label = escape(f"{name}, {group}: {shares[place]:.1%}")
            parts.append(
                f'<rect class="bar s{number % NUM_COLOURS}" x="{x + number * bar:.1f}" '
                f'y="{bottom - height:.1f}" width="{bar:.1f}" height="{height:.1f}">'
                f"<title>{label}</title></rect>"
            )
    return _figure(title, list(series), parts, HEIGHT)


def _figure(title: str, names: Sequence[str], parts: Sequence[str], height: int) -> str:
    legend = "".join(
        f'<span class="key s{number % NUM_COLOURS}">{escape(name)}</span>'
        for number, name in enumerate(names)
    )
    return (
        f'<figure><figcaption>{escape(title)}</figcaption><div class="legend">{legend}</div>'
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title, quote=True)}">'
        f"{''.join(parts)}</svg></figure>"
    )
