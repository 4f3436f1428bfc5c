"""Finding the program, and the tests it proposes, in a reply."""

import ast
import re
import warnings
from dataclasses import dataclass
from itertools import zip_longest

from codefeedback_env.languages import PYTHON3, Language, Submission
from codefeedback_env.problem import FunctionTask, TestCase

MAX_PROPOSED_TESTS = 16

_OPENING = re.compile(r"(?<!`)(?P<fence>`{3,})(?P<tag>[\w+#.-]*)(?P<rest>[^\n`]*)")
_FENCE_LINE = re.compile(r"^[ \t]*```", re.MULTILINE)
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


def find_program(reply: str, function: FunctionTask | None = None) -> Submission | None:
    """The program to be judged, None where a reply holds none.

    As ``find_submission``, and where replies have a prefix: a reply, or its first block, that goes
    on from the prefix follows it; one that defines the function itself comes after it too, so that
    imports and helpers of the prefix are there. A reply that goes on needs no block; it ends at the
    first line of backticks.
    """
    submission = find_submission(reply)
    if function is None or not function.reply_prefix:
        return submission
    prefix = function.reply_prefix
    head = _FENCE_LINE.split(reply, maxsplit=1)[0]
    if head.startswith(prefix) and _parse(head) is not None:
        return Submission(PYTHON3.name, head)
    if _begins_indented(head) and _parse(prefix + head) is not None:
        return Submission(PYTHON3.name, prefix + head)
    if submission is None:
        return None
    return Submission(PYTHON3.name, _with_prefix(submission.source_code, function))


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


def _with_prefix(code: str, function: FunctionTask) -> str:
    prefix = function.reply_prefix
    tree = _parse(code)
    if tree is None or not _defines(tree, function.name):
        return prefix + code
    is_first = any(isinstance(n, ast.ImportFrom) and n.module == "__future__" for n in tree.body)
    if is_first or code.startswith(prefix):
        return code
    body = "" if _parse(prefix) is not None else "    pass\n"
    return f"{prefix}{body}\n{code}"


def _defines(tree: ast.Module, name: str) -> bool:
    """Whether a program has a function of this name, its own or a method of ``Solution``."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == "Solution":
            if _defines(ast.Module(node.body, []), name):
                return True
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            return True
    return False


def _begins_indented(text: str) -> bool:
    line = next((line for line in text.split("\n") if line.strip()), "")
    return line.startswith((" ", "\t"))


def _parse(code: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


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
