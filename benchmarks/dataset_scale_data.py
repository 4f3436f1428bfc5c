"""Parquet files of CodeContests' counts and sizes with made-up texts, for ``dataset_scale``."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

NUM_PROBLEMS = 13_328
NUM_FILES = 39
"""Of the training split, by its card, as are the following means of one problem."""

PUBLIC_TESTS, PRIVATE_TESTS, GENERATED_TESTS = 2, 15, 81
WRONG_PROGRAMS = 640
RIGHT_PROGRAMS = 200
PROGRAM_BYTES = 1500
"""So that all columns take the 19 GB in memory, and the 7.6 GB in files, that the card states."""

ROWS_PER_GROUP = 50
_MAX_INPUT_BYTES, _MAX_OUTPUT_BYTES = 508, 200_000
_MAX_PROBLEM_BYTES = 2_300_000
"""The largest that were measured in real rows."""


@dataclass(frozen=True, slots=True)
class Written:
    """What lies on the disk."""

    num_problems: int
    num_tests: int
    num_bytes: int
    needed_bytes: int
    """Of the columns that problems and their summaries are made of, as compressed."""

    raw_bytes: int
    """Of all columns, not compressed."""


def write(folder: Path, share: float, seed: int = 0) -> Written:
    """Write so much of the training split's size; what is in ``folder`` must be nothing."""
    num_problems = max(1, round(share * NUM_PROBLEMS))
    num_files = max(1, round(share * NUM_FILES))
    random = np.random.default_rng(seed)
    texts = _Texts(random)
    folder.mkdir(parents=True)
    bounds = np.linspace(0, num_problems, num_files + 1).astype(int)
    num_tests = 0
    sizes = np.zeros(3, np.int64)
    for number in range(num_files):
        path = folder / f"train-{number:05}-of-{num_files:05}.parquet"
        writer = None
        for start in range(bounds[number], bounds[number + 1], ROWS_PER_GROUP):
            stop = min(start + ROWS_PER_GROUP, bounds[number + 1])
            rows = [_row(i, random, texts) for i in range(start, stop)]
            num_tests += sum(len(row[f"{p}_tests"]["input"]) for row in rows for p in _POOLS)
            table = pa.Table.from_pylist(rows)
            writer = writer or pq.ParquetWriter(path, table.schema)
            writer.write_table(table)
        assert writer is not None
        writer.close()
        sizes += _sizes(path)
    return Written(num_problems, num_tests, *sizes.tolist())


_POOLS = ("public", "private", "generated")


class _Texts:
    """Slices of one long text of lines that come again, which compresses about as programs do."""

    def __init__(self, random: np.random.Generator) -> None:
        words = [
            "".join(map(chr, random.integers(97, 123, n))) for n in random.integers(2, 9, 3000)
        ]
        lines = [" ".join(random.choice(words, 4)) for _ in range(120)]
        numbers = random.integers(10**6, size=150_000).tolist()
        chosen = random.choice(lines, 150_000)
        self._text = "\n".join(f"{line} {n}" for line, n in zip(chosen, numbers, strict=True))
        self._random = random

    def of(self, size: int) -> str:
        start = int(self._random.integers(len(self._text) - size))
        return self._text[start : start + size]


def _row(number: int, random: np.random.Generator, texts: _Texts) -> dict[str, Any]:
    # Most problems print little and some very much: the median of all tests together is some
    # kilobytes, the 99th of a hundred 0.7 MB.
    scale = random.lognormal(np.log(7), 3.0)
    budget = _MAX_PROBLEM_BYTES
    pools: dict[str, Any] = {}
    for pool, mean in zip(_POOLS, (PUBLIC_TESTS, PRIVATE_TESTS, GENERATED_TESTS), strict=True):
        count = int(random.poisson(mean))
        inputs = random.lognormal(np.log(30), 1.1, count).astype(int) + 1
        outputs = (random.lognormal(0, 1, count) * scale).astype(int) + 1
        tests: dict[str, list[str]] = {"input": [], "output": []}
        for stdin, stdout in zip(inputs.tolist(), outputs.tolist(), strict=True):
            stdout = min(stdout, _MAX_OUTPUT_BYTES, max(1, budget))
            budget -= stdout
            tests["input"].append(texts.of(min(stdin, _MAX_INPUT_BYTES)))
            tests["output"].append(texts.of(stdout))
        pools[f"{pool}_tests"] = tests
    return {
        "name": f"{number}_A. {texts.of(20)}",
        "description": texts.of(2000),
        **pools,
        "source": 2,
        "difficulty": int(random.integers(7, 14)),
        "solutions": _programs(RIGHT_PROGRAMS, random, texts),
        "incorrect_solutions": _programs(WRONG_PROGRAMS, random, texts),
        "cf_rating": int(random.integers(8, 36)) * 100,
        "cf_tags": ["dp", "graphs"],
        "is_description_translated": False,
        "time_limit": {"seconds": 2, "nanos": 0},
        "memory_limit_bytes": 268435456,
        "input_file": "",
        "output_file": "",
    }


def _programs(mean: int, random: np.random.Generator, texts: _Texts) -> dict[str, list[Any]]:
    sizes = random.lognormal(np.log(PROGRAM_BYTES), 0.6, random.poisson(mean)).astype(int)
    return {
        "language": random.integers(1, 5, len(sizes)).tolist(),
        "solution": [texts.of(size) for size in sizes.tolist()],
    }


def _sizes(path: Path) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Bytes of the file, of the columns that are needed, and of all columns unpacked."""
    metadata = pq.read_metadata(path)
    needed = sum(c.total_compressed_size for c in _chunks(metadata) if _is_needed(c))
    raw = sum(chunk.total_uncompressed_size for chunk in _chunks(metadata))
    return np.array([path.stat().st_size, needed, raw])


def _is_needed(chunk: Any) -> bool:
    path = chunk.path_in_schema
    if path.startswith("incorrect_solutions"):
        return False
    return not path.startswith("solutions") or "language" in path


def _chunks(metadata: Any) -> Iterator[Any]:
    for group in range(metadata.num_row_groups):
        for column in range(metadata.num_columns):
            yield metadata.row_group(group).column(column)
