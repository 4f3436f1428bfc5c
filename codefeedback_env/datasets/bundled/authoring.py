"""How a bundled problem is written down: one module in ``problems/`` with a ``PROBLEM``."""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from codefeedback_env.verdicts import Verdict

Level = Literal["easy", "medium", "hard", "harder", "hardest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthoredWrongProgram:
    """A program with a typical mistake."""

    verdict: Verdict
    """The first failing test, public tests first, must give exactly this."""

    source: str
    passes_public: bool = False
    """It fails on hidden tests only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthoredProblem:
    """A problem as its author writes it; expected outputs come from the reference program."""

    id: str
    level: Level
    tags: tuple[str, ...]

    statement: str
    """The story and the task, then paragraphs headed ``Input`` and ``Output``.

    The examples are appended when the data file is built."""

    public_inputs: tuple[str, ...]
    """The one to three examples of the statement."""

    hidden_inputs: Callable[[random.Random], Iterable[str]]
    """At least twenty inputs, the same for the same generator state."""

    reference: tuple[str, ...]
    """Right programs; the first one makes the expected outputs, the others must agree."""

    wrong: tuple[AuthoredWrongProgram, ...]
    """At least two, one of them with ``passes_public``."""

    time_limit_s: float = 2.0
    memory_limit_mib: int = 256
    checker: str | None = None
    """Name in ``PROBLEM_CHECKERS`` where several outputs are right."""
