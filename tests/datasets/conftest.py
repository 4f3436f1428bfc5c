import gzip
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

Row = dict[str, Any]


@pytest.fixture(scope="session")
def sample_data() -> Path:
    """The folder with samples of real datasets."""
    folder = os.environ.get("CODEFEEDBACK_SAMPLE_DATA")
    if not folder:
        pytest.skip("CODEFEEDBACK_SAMPLE_DATA does not name the folder with samples of real rows")
    return Path(folder)


@pytest.fixture
def make_row() -> Callable[..., Row]:
    """A row with every column of CodeContests; keyword arguments change it."""

    def make(**changes: Any) -> Row:
        row = {
            "name": "1_A. Doubling",
            "description": "Print twice the number.",
            "public_tests": {"input": ["1\n"], "output": ["2\n"]},
            "private_tests": {"input": ["2\n", "3\n"], "output": ["4\n", "6\n"]},
            "generated_tests": {"input": ["4\n"], "output": ["8\n"]},
            "source": 2,
            "difficulty": 7,
            "solutions": {
                "language": [2, 3, 1],
                "solution": ["int main(){}", "print(2 * int(input()))", "print 2 * input()"],
            },
            "incorrect_solutions": {
                "language": [3, 4],
                "solution": ["print(input())", "class Main {}"],
            },
            "cf_contest_id": 1,
            "cf_index": "A",
            "cf_points": 500.0,
            "cf_rating": 800,
            "cf_tags": ["math", ""],
            "is_description_translated": False,
            "untranslated_description": "",
            "time_limit": {"seconds": 2, "nanos": 500000000},
            "memory_limit_bytes": 268435456,
            "input_file": "",
            "output_file": "",
        }
        return {key: value for key, value in {**row, **changes}.items() if value is not ...}

    return make


@pytest.fixture
def write_rows(tmp_path: Path) -> Callable[..., Path]:
    """Writes rows as JSON lines, gzipped where the name ends in ``.gz``."""

    def write(rows: Sequence[Any], name: str = "rows.jsonl") -> Path:
        path = tmp_path / name
        content = "".join(json.dumps(row) + "\n" for row in rows).encode()
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return write
