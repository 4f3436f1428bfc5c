"""Pairs of shop signs that consist of the same letters, blanks and case of letters aside."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """No pair, only pairs, letters that come up twice, signs with blanks and capitals."""
    yield _signs(["a"])
    yield _signs(["Tea", "Eat", "ATE"])
    yield _signs(["abb", "aab", "ab", "ba"])
    yield _signs(["new door", "one word", "new  door"])
    yield _signs(["x"] * 50)
    yield _signs(["ab", "cd", "ab", "dc", "ba"])
    yield _signs(["no pair", "at all", "in here"])
    for num_signs, length, letters in (
        *((3, 3, "ab"), (5, 4, "ab"), (6, 3, "abc"), (8, 5, "aB"), (10, 4, "ab C"), (20, 5, "ABc")),
        *((40, 6, "abcd"), (60, 3, "aAbB"), (100, 8, "ab cd"), (200, 5, "abcde"), (100, 30, "abc")),
        *((600, 4, "abcdef"), (1000, 9, "abc"), (2000, 2, "abcdefghijklm")),
    ):
        yield _signs([_sign(rng, length, letters) for _ in range(num_signs)])


def _sign(rng: random.Random, length: int, letters: str) -> str:
    middle = "".join(rng.choice(letters) for _ in range(rng.randint(length - 2, length) - 1))
    return letters[0] + middle.rstrip()


def _signs(signs: list[str]) -> str:
    return f"{len(signs)}\n" + "".join(f"{sign}\n" for sign in signs)


PROBLEM = AuthoredProblem(
    id="scrambled-signs",
    level="medium",
    tags=("strings", "hashing", "combinatorics"),
    statement="""\
The sign painter of a town keeps the letters of old signs and uses them again. One sign can be \
made into another if both have the same letters, each of them equally often; small letters can be \
repainted as capitals and back, and the blanks between words do not matter. So NEW DOOR can be \
made into One Word.

Given all signs of the town, count the pairs of signs that can be made into each other.

Input

The first line contains an integer n (1 <= n <= 2000). Each of the next n lines contains a sign: 1 \
to 40 English letters and blanks, beginning and ending with a letter.

Output

Print the number of pairs.
""",
    public_inputs=("5\nlemon\nsand\nmelon\nDans\nmango\n", "3\ncat\ndog\nact\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
from collections import Counter

groups = Counter()
for _ in range(int(input())):
    groups["".join(sorted(input().lower())).strip()] += 1
print(sum(g * (g - 1) // 2 for g in groups.values()))
""",
        """\
seen = {}
pairs = 0
for line in open(0).read().split("\\n")[1:]:
    letters = line.replace(" ", "").upper()
    if letters:
        key = tuple(letters.count(chr(65 + i)) for i in range(26))
        pairs += seen.get(key, 0)
        seen[key] = seen.get(key, 0) + 1
print(pairs)
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
seen = {}
pairs = 0
for _ in range(int(input())):
    key = frozenset(input().lower().replace(" ", ""))
    pairs += seen.get(key, 0)
    seen[key] = seen.get(key, 0) + 1
print(pairs)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
n = int(input())
signs = sorted(sorted(input().lower().replace(" ", "")) for _ in range(n))
print(sum(a == b for a, b in zip(signs, signs[1:])))
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
import sys

words = sys.stdin.read().lower().split()
n = int(words[0])
count = {}
for word in words[1:n + 1]:
    key = "".join(sorted(word))
    count[key] = count.get(key, 0) + 1
print(sum(c * (c - 1) // 2 for c in count.values()))
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
n = int(input())
signs = ["".join(sorted(input().replace(" ", ""))) for _ in range(n)]
print(sum(signs[i] == signs[j] for i in range(n) for j in range(i)))
""",
        ),
    ),
    time_limit_s=1.0,
)
