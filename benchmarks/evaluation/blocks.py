"""What reports are made of, before it is Markdown or HTML."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; ``is_warning`` makes it stand out."""

    text: str
    is_warning: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under a head; the first column names what the others hold."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure as HTML; Markdown leaves it out, for its numbers are in a table."""

    html: str


@dataclass(frozen=True, slots=True)
class Link:
    """A link to a file beside the report."""

    text: str
    target: str


Block = Text | Table | Chart | Link


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands under it."""

    title: str
    blocks: Sequence[Block]
