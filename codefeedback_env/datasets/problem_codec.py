"""Problems as bytes that hold data and nothing else, quick to read back."""

import json
import struct
import zlib
from itertools import chain, pairwise
from typing import Any

import numpy as np

from codefeedback_env.problem import FunctionStyle, FunctionTask, Pool, Problem, TestCase

LARGEST_PACKED_BYTES = 1 << 20
"""Larger records stay unpacked: inflating them would take longer than reading them."""

_PACKED, _PLAIN = b"z", b"-"
_HEADER = struct.Struct("<I3I")
"""Bytes of the JSON part, and the number of tests in each pool."""

_POOLS = (Pool.PUBLIC, Pool.PRIVATE, Pool.GENERATED)


def encode_problem(problem: Problem) -> bytes:
    """The problem as bytes for ``decode_problem``.

    First one byte that says whether the rest is deflated. The rest: a header, the size in bytes of
    each test's input and output, a JSON object with all that is not in tests, and the tests' texts
    one after the other.
    """
    pools = [problem.tests(pool) for pool in _POOLS]
    texts = [
        text.encode("utf-8", "surrogatepass")
        for test in chain.from_iterable(pools)
        for text in (test.stdin, test.expected_stdout)
    ]
    fields = json.dumps(_fields(problem), separators=(",", ":")).encode()
    header = _HEADER.pack(len(fields), *map(len, pools))
    sizes = np.array([len(text) for text in texts], "<u4").tobytes()
    record = b"".join((header, sizes, fields, *texts))
    if len(record) <= LARGEST_PACKED_BYTES:
        packed = zlib.compress(record, 1)
        if len(packed) < len(record):
            return _PACKED + packed
    return _PLAIN + record


def decode_problem(data: bytes) -> Problem:
    """The problem that ``encode_problem`` was given.

    Raises:
        ValueError: these are no such bytes.
    """
    try:
        record = zlib.decompress(data[1:]) if data[:1] == _PACKED else data[1:]
        num_json_bytes, *num_tests = _HEADER.unpack_from(record)
        sizes = np.frombuffer(record, "<u4", 2 * sum(num_tests), _HEADER.size)
        json_start = _HEADER.size + sizes.nbytes
        start = json_start + num_json_bytes
        fields: dict[str, Any] = json.loads(record[json_start:start])
        ends = (start + np.cumsum(sizes, dtype=np.int64)).tolist()
        if (ends[-1] if ends else start) != len(record):
            raise ValueError("the sizes in it do not add up")
        texts = [str(record[i:j], "utf-8", "surrogatepass") for i, j in pairwise((start, *ends))]
        tests = iter(zip(texts[::2], texts[1::2], strict=True))
        pools: dict[str, Any] = {
            f"{pool}_tests": tuple(TestCase(*next(tests)) for _ in range(count))
            for pool, count in zip(_POOLS, num_tests, strict=True)
        }
        function = fields.pop("function")
        if function is not None:
            function = FunctionTask(**{**function, "style": FunctionStyle(function["style"])})
        fields["tags"] = tuple(fields["tags"])
        return Problem(**fields, **pools, function=function)
    except (zlib.error, struct.error, KeyError, TypeError) as error:
        raise ValueError(f"no problem in these bytes ({error})") from error


def _fields(problem: Problem) -> dict[str, Any]:
    """Everything but the tests, as JSON has it."""
    function = problem.function
    return {
        "id": problem.id,
        "statement": problem.statement,
        "time_limit_s": problem.time_limit_s,
        "memory_limit_mib": problem.memory_limit_mib,
        "checker": problem.checker,
        "difficulty": problem.difficulty,
        "tags": problem.tags,
        "source": problem.source,
        "function": None
        if function is None
        else {
            "name": function.name,
            "style": function.style.value,
            "rule": function.rule,
            "test_setup": function.test_setup,
            "program_setup": function.program_setup,
            "reply_prefix": function.reply_prefix,
        },
    }
