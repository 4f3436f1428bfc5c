"""What a statement's own words say about a problem."""

import hashlib
import re
from collections.abc import Iterator

from codefeedback_env.data_quality.flags import Finding, Flag
from codefeedback_env.datasets.several_answers import any_answer, has_unused_checker
from codefeedback_env.problem import Problem

_AROUND = 30  # characters of a statement shown on both sides of what was found
_MIN_HASHED = 80  # letters and digits; shorter statements ("Add two numbers.") come up by chance

_INTERACTIVE = re.compile(
    r"\binteractive\s+(problem|task|mode|program)|\binteract\s+with\s+(the|a|our)\b"
    r"|\bf?flush\s*\(|\bflush(ing)?\s+(the\s+|your\s+)?(output|stdout|standard output|buffer)",
    re.IGNORECASE,
)
_FILE = re.compile(
    r"\b(input|output)\.(txt|in|out|dat)\b"
    r"|\b(read|input|writt?en?|output|print)\s+((is|are|it|them)\s+)?(from|in|to|into)\s+"
    r"(the\s+|a\s+)?(text\s+)?file\b",
    re.IGNORECASE,
)
_CONTEST_PREFIX = re.compile(r"^(\d+_[A-Za-z]\d*\s*\.\s+|p\d{5}\s+)")
_HAS_NO_TITLE = re.compile(r"[\w+-]*/?\d+")


def check_statement(problem: Problem) -> Iterator[Finding]:
    """What the words of a statement, and the fields about it, give away."""
    statement, source = problem.statement, problem.source
    if num_images := statement.count("<image>"):
        times = "once" if num_images == 1 else f"{num_images} times"
        yield Finding(flag=Flag.IMAGE, evidence=f"<image> {times}")
    if source.get("translated"):
        yield Finding(flag=Flag.TRANSLATED, evidence="the row says so")
    if problem.function is not None:
        return
    if match := _INTERACTIVE.search(statement):
        yield Finding(flag=Flag.INTERACTIVE, evidence=_quote(statement, match))
    named = [f"{key} {source[key]!r}" for key in ("input_file", "output_file") if source.get(key)]
    if named:
        yield Finding(flag=Flag.FILE_IO, evidence=f"the row names {' and '.join(named)}")
    elif match := _FILE.search(statement):
        yield Finding(flag=Flag.FILE_IO, evidence=_quote(statement, match))
    if has_unused_checker(problem):
        yield Finding(flag=Flag.CHECKER_NOT_USED, evidence="a C++ program in the row")
    if problem.checker is None and (match := any_answer(statement)):
        yield Finding(flag=Flag.ANY_ANSWER, evidence=_quote(statement, match))


def normalised_title(problem: Problem) -> str | None:
    """The title without the contest's number, in lower-case words; None where there is none."""
    title = (problem.source.get("name") or problem.id).strip()
    if _HAS_NO_TITLE.fullmatch(title):
        return None
    words = re.findall(r"\w+", _CONTEST_PREFIX.sub("", title).casefold())
    return " ".join(words) or None


def statement_hash(statement: str) -> str | None:
    """Sixteen digits that ignore case, blanks and punctuation; None for very short statements."""
    letters = "".join(re.findall(r"[^\W_]+", statement.casefold()))
    if len(letters) < _MIN_HASHED:
        return None
    return hashlib.sha256(letters.encode("utf-8", "replace")).hexdigest()[:16]


def _quote(statement: str, match: re.Match[str]) -> str:
    start, end = max(match.start() - _AROUND, 0), match.end() + _AROUND
    return f'"{" ".join(statement[start:end].split())}"'
