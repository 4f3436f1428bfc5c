"""Finding a named object, with a helpful error where the name is unknown."""

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

from codefeedback_env.errors import UnknownNameError

T = TypeVar("T")


def look_up(kind: str, name: str, known: Mapping[str, T]) -> T:
    """The object registered as ``name``; ``kind`` says in the error what was looked for."""
    if isinstance(name, str) and name in known:
        return known[name]
    hint = did_you_mean(str(name), known)
    raise UnknownNameError(f"unknown {kind} {name!r}{hint} Known: {', '.join(sorted(known))}.")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: the closest known one, if any is close."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else "."
