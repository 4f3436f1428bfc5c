"""Time and memory limits in all the forms that datasets write them."""

import math
import re

from codefeedback_env.datasets.fields import Fields

_AMOUNT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*([a-z]*)\.?\s*", re.IGNORECASE)

_SECONDS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), 1e-3),
}

# Judges say megabytes and mean mebibytes; where they do not, nobody gets less than stated.
_MEBIBYTES = {
    **dict.fromkeys(("b", "byte", "bytes"), 2.0**-20),
    **dict.fromkeys(("k", "kb", "kib", "kilobyte", "kilobytes"), 2.0**-10),
    **dict.fromkeys(("m", "mb", "mib", "megabyte", "megabytes"), 1.0),
    **dict.fromkeys(("g", "gb", "gib", "gigabyte", "gigabytes"), 2.0**10),
}

_FIRST_MILLISECONDS = 100
_FIRST_BYTES = 2**20


def time_limit_s(fields: Fields, field: str) -> float | None:
    """A time limit in seconds; None where it is absent, null, blank or 0.

    Taken are texts with a unit ("1 second", "1.5 s", "2000 ms"), objects with ``seconds`` and
    ``nanos``, and bare numbers. A bare number from 100 on is in milliseconds, since no judge allows
    100 seconds; a smaller one is in seconds.

    Raises:
        DatasetError: it is something else.
    """
    if isinstance(fields.raw(field), str):
        amount, unit = _amount(fields, field, _SECONDS)
    else:
        amount, unit = fields.seconds(field) or 0.0, ""
    if not unit:
        unit = "ms" if amount >= _FIRST_MILLISECONDS else "s"
    return amount * _SECONDS[unit] or None


def memory_limit_mib(fields: Fields, field: str) -> int | None:
    """A memory limit in MiB, rounded up; None where it is absent, null, blank or 0.

    Taken are texts with a unit ("512 megabytes", "256 MB") and bare numbers. A bare number from
    2**20 on is in bytes, a smaller one in mebibytes.

    Raises:
        DatasetError: it is something else.
    """
    if isinstance(fields.raw(field), str):
        amount, unit = _amount(fields, field, _MEBIBYTES)
    else:
        amount, unit = fields.number(field) or 0.0, ""
        if amount < 0:
            raise fields.error(field, f"is {amount}, less than 0.")
    if not unit:
        unit = "bytes" if amount >= _FIRST_BYTES else "mb"
    return math.ceil(amount * _MEBIBYTES[unit]) or None


def given(limit: float | None) -> str:
    """What ``Problem.source`` says about a limit."""
    return "not given" if limit is None else "given"


def _amount(fields: Fields, field: str, units: dict[str, float]) -> tuple[float, str]:
    """Number and unit of a text; the unit is empty where there is none."""
    text = fields.text(field) or ""
    if not text.strip():
        return 0.0, ""
    match = _AMOUNT.fullmatch(text)
    unit = match[2].lower() if match else ""
    if not match or (unit and unit not in units):
        raise fields.error(
            field,
            f"is {text[:60]!r}; it must be a number with one of the units {', '.join(units)}.",
        )
    amount = float(match[1])
    if math.isinf(amount):
        raise fields.error(field, f"is a number of {len(match[1])} digits; no limit is that large.")
    return amount, unit
