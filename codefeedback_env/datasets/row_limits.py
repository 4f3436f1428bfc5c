"""How large a row may be, whatever it is stored in."""

import json
import os
import re
from collections.abc import Mapping
from mmap import mmap

from codefeedback_env.errors import ConfigError, DatasetError

MAX_ROW_MIB = 256
"""Larger rows are refused. Those of CodeContests, with all programs, take 1.5 MB on average."""

VARIABLE = "CODEFEEDBACK_MAX_ROW_MIB"
"""Of the environment; replaces ``MAX_ROW_MIB``."""

_MARK = re.compile(rb'["{}\[\],:]')


def max_row_bytes() -> int:
    """The most bytes a row may have.

    Raises:
        ConfigError: the environment variable is no whole number from 1 on.
    """
    text = os.environ.get(VARIABLE) or str(MAX_ROW_MIB)
    if not text.isdecimal() or not int(text):
        raise ConfigError(f"{VARIABLE}={text!r} must be a number of MiB from 1 on.")
    return int(text) << 20


def check_row_size(place: str, sizes: Mapping[str, int]) -> None:
    """Refuse a row that is too large.

    Args:
        place: file and number of the row, for the error.
        sizes: bytes of each field.

    Raises:
        DatasetError: together they are more than ``max_row_bytes``.
    """
    total = sum(sizes.values())
    if total > max_row_bytes():
        field = max(sizes, key=lambda name: sizes[name])
        raise too_large(place, total, field, sizes[field])


def too_large(place: str, num_bytes: int, field: str | None, field_bytes: int) -> DatasetError:
    """The error about a row of ``num_bytes``, most of them in ``field`` where that is known."""
    where = place if field is None else f"{place}, field {field!r}"
    most = "" if field is None else f", {field_bytes:,} of them in this field"
    return DatasetError(
        f"{where}: the row has {num_bytes:,} bytes{most}; {max_row_bytes():,} are the most. Leave "
        f"it out, or let {VARIABLE} allow more."
    )


def largest_field(line: bytes | mmap, start: int = 0) -> tuple[str | None, int]:
    """Key and bytes of the largest value of a JSON object that is too long to be parsed.

    The object begins at ``start`` and nothing follows it. The key is None where there is none.
    """
    sizes: dict[str, int] = {}
    depth, position, value_start = 0, start, start
    text: tuple[int, int] | None = None
    key: str | None = None
    while match := _MARK.search(line, position):
        mark, position = match[0], match.end()
        if mark == b'"':
            end = _end_of_string(line, position)
            text, position = (position, end), end + 1
        elif mark in b"{[":
            depth += 1
        elif mark in b"}]":
            depth -= 1
        elif mark == b":" and depth == 1 and text is not None:
            key, value_start = _key(line[slice(*text)]), position
        if key is not None and (depth == 0 or (mark == b"," and depth == 1)):
            sizes[key], key = position - 1 - value_start, None
    if key is not None:  # the object misses its end
        sizes[key] = len(line) - value_start
    return max(sizes.items(), key=lambda item: item[1], default=(None, 0))


def _end_of_string(line: bytes | mmap, start: int) -> int:
    """Where the quote is that ends a string, which begins at ``start``."""
    end = line.find(b'"', start)
    while end >= 0:
        first = end
        while first > start and line[first - 1] == 0x5C:  # a backslash
            first -= 1
        if (end - first) % 2 == 0:
            return end
        end = line.find(b'"', end + 1)
    return len(line)


def _key(text: bytes) -> str:
    try:
        return str(json.loads(b'"' + text + b'"'))
    except ValueError:
        return text.decode("utf-8", "replace")
