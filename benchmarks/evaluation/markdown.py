"""Reports as Markdown."""

from collections.abc import Sequence

from benchmarks.evaluation.blocks import Chart, Link, Section, Table, Text

_SPECIAL = str.maketrans({char: f"\\{char}" for char in "\\`*_{}[]<>#|"})


def as_markdown(sections: Sequence[Section], title: str | None = None) -> str:
    """Headings, paragraphs and tables; charts are left out."""
    parts = [f"# {_text(title)}"] if title else []
    for section in sections:
        parts.append(f"## {_text(section.title)}")
        for block in section.blocks:
            match block:
                case Text(text, is_warning):
                    parts.append(f"**{_text(text)}**" if is_warning else _text(text))
                case Table(head, rows):
                    rule = ["---", *("---:" for _ in head[1:])]
                    lines = [map(_text, head), rule, *(map(_text, row) for row in rows)]
                    parts.append("\n".join(f"| {' | '.join(cells)} |" for cells in lines))
                case Link(text, target):
                    parts.append(f"[{_text(text)}]({target})")
                case Chart():
                    pass
    return "\n\n".join(parts) + "\n"


def _text(text: str) -> str:
    return " ".join(text.split()).translate(_SPECIAL)
