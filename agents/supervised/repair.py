"""What a repair model learns: from a program that failed public tests to one that is right.

Source: Gehring et al. 2025, arXiv:2410.02089, appendix B.4.
"""

import ast
import io
import tokenize
from collections import Counter
from collections.abc import Iterable

import numpy as np

from agents.generation.scripted import as_reply
from codefeedback_env import Episode, PaperFeedback, ProblemSet, Verdict

INDENT = "    "

Dialogue = tuple[tuple[str, str], ...]
"""Messages of the user, each with the reply to it."""


class RepairDialogues:
    """Dialogues of a problem, a wrong first reply, its feedback and a right program."""

    def __init__(self, problems: ProblemSet, seed: int, dropped: Counter[str]) -> None:
        """Ready for episodes on these problems.

        Args:
            problems: with right programs.
            seed: chooses among those of a problem.
            dropped: counts the episodes that give no dialogue, by reason.
        """
        self._dropped = dropped
        self._problems = problems
        self._random = np.random.default_rng((seed, 1))
        self._programs: dict[str, tuple[str, ...]] = {}

    def dialogue(self, episode: Episode) -> Dialogue | None:
        """The dialogue that an episode's first reply gives, or None."""
        if (reason := self._unfit(episode)) is not None:
            self._dropped[reason] += 1
            return None
        first = episode.turns[0]
        programs = self._right_programs(episode.problem_id)
        right = programs[int(self._random.integers(len(programs)))]
        feedback = first.feedback
        if not feedback and first.public_report is not None:  # the first turn was the last one
            tests = self._problems[episode.problem_id].public_tests
            results = first.public_report.results
            feedback = PaperFeedback().feedback([(tests[r.index], r) for r in results])
        return (episode.prompt, first.reply), (feedback, as_reply(right))

    def _unfit(self, episode: Episode) -> str | None:
        """Why there is nothing to learn from an episode, if so."""
        first = episode.turns[0]
        if first.submission is None:
            return "have no program in the first reply"
        if first.public_report is None:
            return "did not run public tests in the first turn"
        if first.public_report.verdict in (None, Verdict.ACCEPTED):
            return "passed the public tests at once"
        if episode.problem_id not in self._problems:
            return "are of problems that the dataset lacks"
        if not self._right_programs(episode.problem_id):
            return "are of problems without a right program"
        return None

    def _right_programs(self, problem_id: str) -> tuple[str, ...]:
        if problem_id not in self._programs:
            found = self._problems.reference_programs(problem_id)
            self._programs[problem_id] = tuple(
                unify_indentation(program.source_code) for program in found
            )
        return self._programs[problem_id]


def unify_indentation(source: str) -> str:
    """A Python program with four spaces per level, in place of tabs or whatever it had.

    Lines that continue a statement move along with it; texts in quotes stay. A program that would
    then mean something else, or that does not parse, is returned as it is.
    """
    try:
        unified = _indented_anew(source)
        if ast.dump(ast.parse(unified)) == ast.dump(ast.parse(source)):
            return unified
    except (SyntaxError, ValueError, RecursionError, tokenize.TokenError):
        pass
    return source


def _indented_anew(source: str) -> str:
    lines = source.splitlines(keepends=True)
    levels, in_quotes, comments = _structure(source)
    widths = [len(_indent_of(line).expandtabs(len(INDENT))) for line in lines]
    shift, result = 0, []
    for place, line in enumerate(lines):
        text = line.lstrip(" \t\f")
        if place in in_quotes or not text.strip():
            result.append(line)
            continue
        level = levels.get(place)
        if place in comments:  # with the statement below, or the one above where it is aligned so
            near = [_next(levels, range(place, len(lines))), _next(levels, range(place, -1, -1))]
            known = [other for other in near if other is not None]
            aligned = [other for other in known if widths[other] == widths[place]]
            level = levels[(aligned or known)[0]] if known else 0
        if level is None:
            result.append(" " * max(0, widths[place] + shift) + text)
            continue
        if place not in comments:
            shift = level * len(INDENT) - widths[place]
        result.append(level * INDENT + text)
    return "".join(result)


def _structure(source: str) -> tuple[dict[int, int], set[int], set[int]]:
    """Levels of the lines that begin a statement; lines within quotes; lines of a comment alone."""
    levels: dict[int, int] = {}
    in_quotes: set[int] = set()
    comments: set[int] = set()
    level, is_new = 0, True
    fstrings: list[int] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        name = tokenize.tok_name[token.type]
        first, last = token.start[0] - 1, token.end[0] - 1
        if name in ("INDENT", "DEDENT"):
            level += 1 if name == "INDENT" else -1
        elif name == "NEWLINE":
            is_new = True
        elif name == "COMMENT" and is_new:
            comments.add(first)
        elif name not in ("NL", "COMMENT", "ENDMARKER"):
            if is_new:
                levels[first], is_new = level, False
            if name == "FSTRING_START":  # tokens of their own from Python 3.12 on
                fstrings.append(first)
            elif name == "FSTRING_END":
                in_quotes |= set(range(fstrings.pop() + 1, last + 1))
            elif name == "STRING":
                in_quotes |= set(range(first + 1, last + 1))
    return levels, in_quotes, comments


def _next(levels: dict[int, int], places: Iterable[int]) -> int | None:
    return next((place for place in places if place in levels), None)


def _indent_of(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t\f"))]
