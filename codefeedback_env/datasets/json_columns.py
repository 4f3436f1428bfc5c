"""Columns that hold JSON in a string, as several datasets store lists and objects."""

import json
from typing import Any

from codefeedback_env.datasets.fields import Fields

_DIGITS_AT_A_TIME = 4000
"""Python refuses to convert integers of more than 4,300 digits from or to text in one go."""

MAX_DIGITS = 200_000
"""Longer integers are refused: converting takes time that grows with the square."""


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text, with integers of up to ``MAX_DIGITS`` digits.

    Raises:
        ValueError: it is not JSON, an integer is longer, or it is nested too deeply.
    """
    try:
        return json.loads(text, parse_int=_parse_integer)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def to_json(value: Any) -> str:
    """The JSON text of a value that ``parse_json`` or a dataset's reader gave, on one line."""
    if isinstance(value, int) and not isinstance(value, bool):
        return _integer_text(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(to_json, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)}: {to_json(v)}" for k, v in value.items()) + "}"
    return json.dumps(value)


def json_column(fields: Fields, field: str) -> Any:
    """What a column with JSON in a string holds; None where it is absent, null or blank.

    Lists and objects that a reader has unpacked already are taken as they are.

    Raises:
        DatasetError: it is something else, or not valid JSON.
    """
    value = fields.raw(field)
    if isinstance(value, list | dict):
        return value
    text = fields.text(field)
    if text is None or not text.strip():
        return None
    return parse_column(fields, field, text)


def parse_column(fields: Fields, field: str, text: str) -> Any:
    """The value of a JSON text that came out of ``field``; DatasetError where it is none."""
    try:
        return parse_json(text)
    except ValueError as error:
        raise fields.error(field, f"is not valid JSON ({error}).") from error


def text_list(fields: Fields, field: str) -> tuple[str, ...]:
    """The strings of a column that holds a list of them, as JSON; empty where it is absent."""
    values = json_column(fields, field)
    if values is None:
        return ()
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise fields.error(field, "its JSON is not a list of strings.")
    return tuple(values)


def _parse_integer(text: str) -> int:
    if len(text) <= _DIGITS_AT_A_TIME:
        return int(text)
    if len(text) > MAX_DIGITS:
        raise ValueError(f"an integer of {len(text)} digits; {MAX_DIGITS} are the most")
    digits = text.removeprefix("-")
    value = 0
    for start in range(0, len(digits), _DIGITS_AT_A_TIME):
        part = digits[start : start + _DIGITS_AT_A_TIME]
        value = value * 10 ** len(part) + int(part)
    return -value if text.startswith("-") else value


def _integer_text(value: int) -> str:
    if value.bit_length() <= 3 * _DIGITS_AT_A_TIME:
        return str(value)
    parts: list[str] = []
    rest = abs(value)
    while rest:
        rest, part = divmod(rest, 10**_DIGITS_AT_A_TIME)
        parts.append(str(part).rjust(_DIGITS_AT_A_TIME, "0"))
    return "-" * (value < 0) + "".join(reversed(parts)).lstrip("0")
