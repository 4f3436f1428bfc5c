"""Telling whether more than one output of a problem is right."""

import re

from codefeedback_env.problem import FunctionStyle, Problem

_ANSWER = r"(answers?|solutions?|ways?|options?|sequences?|orders?|permutations?|variants?|ones?)"
_ANY_ANSWER = re.compile(
    r"\b(print|output|report|find|give|display|choose|return)\s+any\b(?!\s+(letter\s+)?case)"
    r"|\bany\s+(one\s+)?of\s+(them|these|those)\b"
    rf"|\bany\s+(valid|correct|suitable|appropriate|optimal|such)\s+(\w+\s+)?{_ANSWER}\b"
    r"|\bif\s+there\s+(are|is|exist|exists)\s+(multiple|several|many|more\s+than\s+one)\s+"
    rf"(\w+\s+){{0,2}}{_ANSWER}\b(?![^.]*\b(the one|smallest|largest|lexicographically|first)\b)"
    r"|\b(print|output|list|report)\b[^.]{0,80}\bin (any|arbitrary) order\b",
    re.IGNORECASE,
)


CHECKER_NOT_USED = {"testlib_checker": "not used"}
"""In ``Problem.source``: the dataset judges with a program of its own, which is not run here."""


def any_answer(statement: str) -> re.Match[str] | None:
    """Where a statement says that any of several right answers will do.

    By its words only: a statement that says nothing of the kind may still have several right
    answers, and one that speaks of any answer may mean a part of the task.
    """
    return _ANY_ANSWER.search(statement)


def accepts_several_answers(statement: str) -> bool:
    """Whether a statement says so anywhere."""
    return any_answer(statement) is not None


def has_unused_checker(problem: Problem) -> bool:
    """Whether the dataset has a checker for a problem that is judged without any here."""
    return problem.checker is None and CHECKER_NOT_USED.items() <= problem.source.items()


def has_unique_answer(problem: Problem) -> bool:
    """Whether each test has one right answer, as far as checkers and the statement's words tell."""
    if problem.function is not None and problem.function.style is FunctionStyle.ASSERTS:
        return True  # test code says itself what it takes
    if problem.checker is not None or has_unused_checker(problem):
        return False
    return not accepts_several_answers(problem.statement)
