"""Reading the problems that ship with the package."""

from functools import cache
from pathlib import Path

from codefeedback_env.datasets.code_contests import CodeContestsSource
from codefeedback_env.datasets.json_lines_rows import JsonLinesRows
from codefeedback_env.datasets.problem_set import ProblemSet
from codefeedback_env.errors import DatasetNotFoundError

DATA_FILE = Path(__file__).with_name("problems.jsonl.gz")
"""Rows in the format of CodeContests, with the keys of our own that CodeContestsSource takes."""


@cache
def load_bundled() -> ProblemSet:
    """The bundled problems, which need no download; read once in a process.

    Raises:
        DatasetNotFoundError: the installation lacks the data file.
    """
    if not DATA_FILE.is_file():
        raise DatasetNotFoundError(
            f"{DATA_FILE} is missing from this installation of codefeedback-env; install it again."
        )
    return ProblemSet(CodeContestsSource(JsonLinesRows(DATA_FILE), split="bundled", name="bundled"))
