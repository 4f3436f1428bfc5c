"""Problems that cost nothing to judge, and files of JSON lines."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Row = dict[str, Any]

DOUBLE = "print(2 * int(input()))"
DOUBLE_BELOW_3 = "n = int(input())\nprint(2 * n if n < 3 else 0)"


def problem_row(name: str = "double", **changes: Any) -> Row:
    """Print twice the number: two public tests, two private ones, one generated one."""
    return {
        "name": name,
        "description": "Print twice the number.",
        "public_tests": {"input": ["1\n", "2\n"], "output": ["2\n", "4\n"]},
        "private_tests": {"input": ["3\n", "4\n"], "output": ["6\n", "8\n"]},
        "generated_tests": {"input": ["5\n"], "output": ["10\n"]},
        "source": 2,
        "difficulty": 7,
        "time_limit": {"seconds": 1, "nanos": 0},
        "memory_limit_bytes": 268435456,
        "solutions": {"language": [3], "solution": [DOUBLE]},
        "incorrect_solutions": {"language": [3], "solution": [DOUBLE_BELOW_3]},
        **changes,
    }


def write_lines(path: Path, rows: Iterable[Row | str]) -> Path:
    """Write rows, or strings as they are, one a line."""
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def write_problems(folder: Path) -> Path:
    """A file with two problems, "double" and "twice", which ask for the same."""
    return write_lines(folder / "problems.jsonl", [problem_row(), problem_row("twice")])


def read_lines(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
