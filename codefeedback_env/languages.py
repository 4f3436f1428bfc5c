"""Languages a reply may be written in: one row each."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Language:
    """A programming language that can be judged."""

    name: str
    fence_tags: tuple[str, ...]
    """Words after the opening fence that mean this language, lower case."""

    code_contests_ids: tuple[int, ...]
    """Numbers of this language in the CodeContests `Solution.Language` enum."""


PYTHON3 = Language(name="python3", fence_tags=("python", "py", "python3"), code_contests_ids=(3,))

LANGUAGES: dict[str, Language] = {language.name: language for language in (PYTHON3,)}


@dataclass(frozen=True, slots=True)
class Submission:
    """A program handed in for a problem."""

    language: str
    """A key of LANGUAGES."""

    source_code: str
