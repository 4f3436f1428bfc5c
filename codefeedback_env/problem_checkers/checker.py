"""What a checker is, and reading the output it judges."""

import re
from collections.abc import Callable

Checker = Callable[[bytes, bytes, bytes], bool]
"""Whether a program's answer is right, from the test's stdin, the stored answer and its stdout."""

_INTEGER = re.compile(rb"-?[0-9]{1,19}")


def integers(output: bytes) -> list[int]:
    """The whitespace-separated integers of ``output``, each of at most 19 digits.

    Raises:
        ValueError: a token is anything else.
    """
    tokens = output.split()
    for token in tokens:
        if not _INTEGER.fullmatch(token):
            raise ValueError(f"not an integer: {token[:20]!r}")
    return [int(token) for token in tokens]


def same_refusal(expected: bytes, output: bytes, refusal: bytes) -> bool | None:
    """Whether both say that there is no answer, in any case of letters; None if neither does."""
    refuses = [answer.lower().split() == [refusal.lower()] for answer in (expected, output)]
    return all(refuses) if any(refuses) else None
