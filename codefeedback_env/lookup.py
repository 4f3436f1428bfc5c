"""Finding a named object, with a helpful error where the name is unknown."""

import difflib
from collections.abc import Mapping
from typing import TypeVar

from codefeedback_env.errors import UnknownNameError

T = TypeVar("T")


def look_up(kind: str, name: str, known: Mapping[str, T]) -> T:
    """The object registered as ``name``; ``kind`` says in the error what was looked for."""
    if name in known:
        return known[name]
    close = difflib.get_close_matches(str(name), known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else "."
    raise UnknownNameError(f"unknown {kind} {name!r}{hint} Known: {', '.join(sorted(known))}.")
