"""Telling from a statement whether more than one output is right."""

import re

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


def any_answer(statement: str) -> re.Match[str] | None:
    """Where a statement says that any of several right answers will do.

    By its words only: a statement that says nothing of the kind may still have several right
    answers, and one that speaks of any answer may mean a part of the task.
    """
    return _ANY_ANSWER.search(statement)


def accepts_several_answers(statement: str) -> bool:
    """Whether a statement says so anywhere."""
    return any_answer(statement) is not None
