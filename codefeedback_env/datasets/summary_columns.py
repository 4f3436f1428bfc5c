"""Summaries as columns of JSON values."""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from codefeedback_env.datasets.problem_set import ProblemSummary

Columns = dict[str, list[Any]]
"""A list for each field of ProblemSummary, all of one length."""

_NAMES = tuple(field.name for field in fields(ProblemSummary))


def to_columns(summaries: Iterable[ProblemSummary]) -> Columns:
    """The summaries' fields."""
    columns: Columns = {name: [] for name in _NAMES}
    for summary in summaries:
        for name, column in columns.items():
            value = getattr(summary, name)
            column.append(value.isoformat() if isinstance(value, datetime.date) else value)
    return columns


def from_columns(columns: Mapping[str, Sequence[Any]]) -> tuple[ProblemSummary, ...]:
    """The summaries again.

    Raises:
        ValueError: these are no such columns.
    """
    if set(columns) != set(_NAMES):
        raise ValueError(f"columns {sorted(columns)}, which should be {sorted(_NAMES)}")
    values = dict(columns)
    values["tags"] = [tuple(tags) for tags in columns["tags"]]
    values["date"] = [
        None if date is None else datetime.date.fromisoformat(date) for date in columns["date"]
    ]
    rows = zip(*(values[name] for name in _NAMES), strict=True)
    return tuple(ProblemSummary(**dict(zip(_NAMES, row, strict=True))) for row in rows)
