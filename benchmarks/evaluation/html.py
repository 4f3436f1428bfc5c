"""Reports as one page without links to anything but the transcripts beside it."""

from collections.abc import Iterable, Sequence
from html import escape

from benchmarks.evaluation.blocks import Block, Chart, Link, Section, Table, Text

_COLOURS = ("#0b62a8", "#c2500a", "#1a7f37", "#8a3ab9", "#70757b", "#b3261e", "#b08900")
_DARK = ("#5fb0f2", "#f19a5b", "#56d07a", "#c792ea", "#a9b0b7", "#ff8a80", "#e6c34a")
NUM_SERIES = len(_COLOURS)
_STYLE = """
* { box-sizing:border-box; }
body { margin:0 auto; max-width:1020px; padding:28px 20px 60px; color:var(--ink);
  background:var(--ground); font:15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size:26px; margin:0 0 4px; } h2 { font-size:19px; margin:36px 0 10px; }
p { max-width:76ch; } .warning { border-left:4px solid var(--s1); padding-left:12px;
  font-weight:600; } a { color:var(--s0); }
.wide { overflow-x:auto; }
table { border-collapse:collapse; margin:8px 0; font-variant-numeric:tabular-nums; }
th, td { text-align:right; padding:5px 14px 5px 0; border-bottom:1px solid var(--line);
  vertical-align:top; } th:first-child, td:first-child {
  text-align:left; white-space:nowrap; }
th { font-weight:600; color:var(--soft); } td { overflow-wrap:anywhere; min-width:70px; }
figure { margin:18px 0 26px; } figcaption { font-weight:600; }
svg { width:100%; height:auto; display:block; font:12px system-ui, "DejaVu Sans", sans-serif; }
.grid { stroke:var(--line); } .mark { stroke:var(--soft); stroke-dasharray:5 4; }
.tick { fill:var(--soft); } .label { fill:var(--ink); }
.line { fill:none; stroke-width:2.4; stroke-linejoin:round; }
.legend { margin:4px 0 6px; } .key { margin-right:20px; color:var(--soft); font-size:13px; }
.key::before { content:""; display:inline-block; width:18px; height:4px; margin-right:7px;
  vertical-align:middle; }
"""


def as_html(sections: Sequence[Section], title: str) -> str:
    """The whole page."""
    body = [f"<h1>{escape(title)}</h1>"]
    for section in sections:
        body.append(f"<h2>{escape(section.title)}</h2>")
        body += [_block(block) for block in section.blocks]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_colours()}{_STYLE}</style></head>"
        f"<body>{''.join(body)}</body></html>\n"
    )


def _block(block: Block) -> str:
    match block:
        case Text(text, is_warning):
            css_class = ' class="warning"' if is_warning else ""
            return f"<p{css_class}>{escape(text)}</p>"
        case Table(head, rows):
            lines = "".join(_row("td", row) for row in rows)
            return f'<div class="wide"><table>{_row("th", head)}{lines}</table></div>'
        case Link(text, target):
            return f'<p><a href="{escape(target, quote=True)}">{escape(text)}</a></p>'
        case Chart(html):
            return html


def _row(tag: str, cells: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"


def _colours() -> str:
    def named(colours: Sequence[str]) -> str:
        return " ".join(f"--s{number}:{colour};" for number, colour in enumerate(colours))

    series = "\n".join(
        f".line.s{n} {{ stroke:var(--s{n}); }} .bar.s{n} {{ fill:var(--s{n}); }} "
        f".key.s{n}::before {{ background:var(--s{n}); }}"
        for n in range(NUM_SERIES)
    )
    return (
        f"\n:root {{ --ink:#1b1f24; --soft:#5b6570; --line:#d9dee4; --ground:#fff; "
        f"{named(_COLOURS)} }}\n@media (prefers-color-scheme: dark) {{ :root {{ --ink:#e6e9ec; "
        f"--soft:#9aa4ae; --line:#38414a; --ground:#14181c; {named(_DARK)} }} }}\n{series}"
    )
