"""TACO (Li et al. 2023, arXiv:2312.14852): problems of many sites in the manner of APPS."""

import ast
from pathlib import Path

from codefeedback_env.datasets.cached_source import cached
from codefeedback_env.datasets.fields import Fields
from codefeedback_env.datasets.input_output import read_input_output
from codefeedback_env.datasets.json_columns import text_list
from codefeedback_env.datasets.limit_texts import given, memory_limit_mib, time_limit_s
from codefeedback_env.datasets.problem_set import ProblemSet
from codefeedback_env.datasets.row_source import NO_ID, RowFormat, RowSource, find_rows
from codefeedback_env.problem import Problem


def load_taco(path: str | Path | None = None, split: str = "test") -> ProblemSet:
    """The problems of one split.

    Args:
        path: a file or directory, see ``rows.ACCEPTED``; None for ``data_directory("taco")``.
        split: ``train`` or ``test``.

    Raises:
        DatasetNotFoundError: there is no data; the message says how to get it.
        DatasetError: the data cannot be read.
    """
    return ProblemSet(cached(RowSource(find_rows(TACO, path, split), TACO, split=split)))


def read_problem(fields: Fields) -> Problem:
    """The problem in a row."""
    seconds = time_limit_s(fields, "time_limit")
    mebibytes = memory_limit_mib(fields, "memory_limit")
    return read_input_output(
        fields,
        fields.text("name") or NO_ID,
        time_limit_s=seconds,
        memory_limit_mib=mebibytes,
        difficulty=(fields.text("difficulty") or "").lower() or None,
        tags=_tags(fields, "tags"),
        source={
            "judge": (fields.text("source") or "").lower(),
            "url": fields.text("url") or "",
            "date": fields.text("date") or "",
            "time_limit": given(seconds),
            "memory_limit": given(mebibytes),
        },
    )


def read_references(fields: Fields) -> tuple[str, ...]:
    """The accepted programs of a row."""
    return text_list(fields, "solutions")


def _tags(fields: Fields, field: str) -> tuple[str, ...]:
    """A list of strings that is stored as a Python literal in a string."""
    if isinstance(fields.raw(field), list):
        return fields.texts(field)
    text = fields.text(field) or ""
    if not text.strip():
        return ()
    try:
        tags = ast.literal_eval(text.strip())
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError) as error:
        raise fields.error(field, f"is no Python list of strings ({error}).") from error
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise fields.error(field, f"is {text!r}; it must be a Python list of strings.")
    return tuple(tag.strip() for tag in tags if tag.strip())


TACO = RowFormat(
    dataset="taco",
    title="TACO",
    problem_columns=(
        *("question", "input_output", "starter_code", "name", "difficulty", "tags", "source"),
        *("url", "date", "time_limit", "memory_limit"),
    ),
    read_problem=read_problem,
    program_columns=("solutions",),
    read_references=read_references,
)
