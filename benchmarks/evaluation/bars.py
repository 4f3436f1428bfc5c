"""Stacked bars as SVG: how replies did, turn by turn."""

from collections.abc import Sequence
from html import escape

WIDTH, ROW, BAR = 720, 26, 16
LABELS, END = 230, 60


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
    legend = "".join(
        f'<span class="key s{number}">{escape(kind)}</span>' for number, kind in enumerate(kinds)
    )
    height = ROW * len(rows) + 4
    return (
        f'<figure><figcaption>{escape(title)}</figcaption><div class="legend">{legend}</div>'
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title, quote=True)}">'
        f"{''.join(parts)}</svg></figure>"
    )
