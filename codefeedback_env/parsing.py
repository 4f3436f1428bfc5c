"""Finding the program, and the tests it proposes, in a reply."""

import re
from dataclasses import dataclass
from itertools import zip_longest

from codefeedback_env.languages import PYTHON3, Language, Submission
from codefeedback_env.problem import TestCase

MAX_PROPOSED_TESTS = 16

_OPENING = re.compile(r"(?<!`)(?P<fence>`{3,})(?P<tag>[\w+#.-]*)(?P<rest>[^\n`]*)")
_LABEL = re.compile(r"^[ \t]*(input|output)[ \t]*:[ \t]*\n?", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Block:
    text: str
    end: int


def find_submission(reply: str, language: Language = PYTHON3) -> Submission | None:
    """The program in a reply, None where there is none.

    The first fenced block tagged with the language, wherever it stands; else the first fenced
    block of any kind. A block ends at the next fence with at least as many backticks; one that is
    cut off is none. Code may follow the tag on the same line, as the prompt's wording suggests.

    Source: the rule of the paper's successor, facebookresearch/cwm; the paper does not say.
    """
    block = _program_block(reply, language)
    return None if block is None else Submission(language.name, block.text)


def find_proposed_tests(reply: str, language: Language = PYTHON3) -> tuple[TestCase, ...]:
    """The tests a reply proposes in the first fenced block after its program, at most 16.

    The block holds ``Input:`` and ``Output:`` lines in turn, each followed by the text it names.
    Anything else in it is ignored; an input without an output is no test.
    """
    program = _program_block(reply, language)
    block = None if program is None else _first_block(reply, program.end, frozenset())
    if block is None:
        return ()
    tests: list[TestCase] = []
    stdin: str | None = None
    labels = list(_LABEL.finditer(block.text))
    for label, following in zip_longest(labels, labels[1:]):
        end = following.start() if following else len(block.text)
        text = block.text[label.end() : end].strip("\n")
        text = text + "\n" if text else ""
        if label[1].lower() == "input":
            stdin = text
        elif stdin is not None:
            tests.append(TestCase(stdin, text))
            stdin = None
    return tuple(tests[:MAX_PROPOSED_TESTS])


def _program_block(reply: str, language: Language) -> _Block | None:
    tagged = _first_block(reply, 0, frozenset(language.fence_tags))
    return tagged or _first_block(reply, 0, frozenset())


def _first_block(reply: str, start: int, tags: frozenset[str]) -> _Block | None:
    """The first closed block from ``start`` on whose tag is one of ``tags``, if any are given."""
    position = start
    while (opening := _OPENING.search(reply, position)) is not None:
        wanted = not tags or opening["tag"].lower() in tags
        closing = reply.find(opening["fence"], opening.end()) if wanted else -1
        if closing >= 0:
            num_backticks = len(opening["fence"])
            while reply.startswith("`", closing + num_backticks):
                num_backticks += 1
            text = _code_after(opening) + reply[opening.end() : closing]
            return _Block(text.removeprefix("\n"), closing + num_backticks)
        # Not closed (or not wanted): a shorter fence further on may still be.
        position = opening.end("fence")
    return None


def _code_after(opening: re.Match[str]) -> str:
    """What of the opening line is code: nothing, unless the block goes on after a known tag."""
    tag, rest = opening["tag"], opening["rest"]
    if tag.lower() in PYTHON3.fence_tags or not tag:
        return rest.lstrip(" \t") if rest.strip() else ""
    return "" if not rest.strip() else tag + rest
