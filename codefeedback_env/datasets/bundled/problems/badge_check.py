"""Does a badge code read the same from both ends, hyphens and letter case aside?"""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """Short and hyphen-only codes, random mirrored codes with and without a flaw, long codes."""
    yield from (
        "a\n",
        "-\n",
        "-----\n",
        "ab\n",
        "aA\n",
        "a-\n",
        "-a-B\n",
        "7\n",
        "1-2\n",
        "x1y2x\n",
    )
    yield from ("a1b2a\n", "0o0\n", "Zz--zZ-\n")
    for length in (3, 6, 11, 20, 41):
        yield _mirrored(rng, length, flaw=False)
        yield _mirrored(rng, length, flaw=True)
    yield "9" * 3000 + "\n"
    yield "Ab-" * 66_666 + "A\n"
    yield "qR7-" * 10_000 + "-7Rq" * 10_000 + "\n"
    yield "-" * 2000 + "\n"
    yield "ab" * 50_000 + "-b-" + "ab" * 49_998 + "\n"


def _mirrored(rng: random.Random, length: int, *, flaw: bool) -> str:
    left = [rng.choice("abcXYZ012") for _ in range(length // 2)]
    middle = [rng.choice("kK5")] if length % 2 else []
    right = [c.swapcase() if rng.random() < 0.5 else c for c in reversed(left)]
    if flaw:
        right[rng.randrange(len(right))] = "w"
    code = ""
    for c in left + middle + right:
        code += c + "-" * (rng.random() < 0.2)
    return code + "\n"


PROBLEM = AuthoredProblem(
    id="badge-check",
    level="easy",
    tags=("strings", "two pointers"),
    statement="""\
The door of the mirror museum reads the code on a visitor's badge twice, once from the left and \
once from the right, and opens only if both readings agree. The reader skips hyphens, and it \
cannot tell a capital letter from the small one. Different digits are different for it, and so \
are a digit and a letter.

Given the code of a badge, find out whether the door opens. A code in which the reader skips \
everything opens the door, too.

Input

One line with the code: between 1 and 200000 characters, each a small or capital English letter, \
a digit or a hyphen.

Output

Print YES if the door opens, and NO if it stays shut.
""",
    public_inputs=("Never-Odd-or-eveN\n", "badge-7\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
code = input().replace("-", "").lower()
print("YES" if code == code[::-1] else "NO")
""",
        """\
import sys


def opens(code):
    left, right = 0, len(code) - 1
    while left < right:
        if code[left] == "-":
            left += 1
        elif code[right] == "-":
            right -= 1
        elif code[left].upper() != code[right].upper():
            return False
        else:
            left += 1
            right -= 1
    return True


print("YES" if opens(sys.stdin.readline().strip()) else "NO")
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
code = input().replace("-", "")
print("YES" if code == code[::-1] else "NO")
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
code = [c for c in input().lower() if c.isalpha()]
print("YES" if code == code[::-1] else "NO")
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.RUNTIME_ERROR,
            passes_public=True,
            source="""\
def same(code):
    if len(code) < 2:
        return True
    return code[0] == code[-1] and same(code[1:-1])


print("YES" if same(input().replace("-", "").lower()) else "NO")
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""\
code = [c for c in input().lower() if c != "-"]
answer = "YES"
while len(code) > 1:
    if code[0] != code[-1]:
        answer = "NO"
        break
    code = code[1:-1]
print(answer)
""",
        ),
    ),
    time_limit_s=1.0,
)
