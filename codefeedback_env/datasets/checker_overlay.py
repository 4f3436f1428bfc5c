"""Which problems of public datasets need a checker; the datasets themselves name none."""

import tomllib
from functools import cache
from importlib.resources import files

OVERLAY_FILE = files("codefeedback_env.datasets").joinpath("checker_overlay.toml")
"""A table for each dataset; its entries have ``names``, ``checker`` and ``reason``."""


def overlay_checker(dataset: str, problem_name: str) -> str | None:
    """Name of the checker for a problem, None where comparing outputs is right.

    Args:
        dataset: name of the table, such as ``code_contests``.
        problem_name: what the table goes by, as the dataset stores it: for CodeContests the
            name. Blanks around it do not count.
    """
    return _checkers(dataset).get(problem_name.strip())


@cache
def _checkers(dataset: str) -> dict[str, str]:
    entries = tomllib.loads(OVERLAY_FILE.read_text("utf-8")).get(dataset, [])
    return {name: entry["checker"] for entry in entries for name in entry["names"]}
