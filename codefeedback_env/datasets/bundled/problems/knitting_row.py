"""Count the stitches in a knitting pattern in which numbers may have several digits or lack."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """Single stitches, missing and long numbers, kinds that come up again, long patterns."""
    yield from ("k\n", "7p\n", "ppp\n", "10k10k\n", "abcabc\n", "1000000000z\n", "2a3b2a\n")
    yield from ("zyx\n", "12kk\n", "k12k\n", "100a20a3a\n")
    for length in (2, 3, 5, 8, 12, 30, 70, 150):
        yield _pattern(rng, length, 9, "kp")
        yield _pattern(rng, length, 1200, "abcxyz")
    yield _pattern(rng, 300, 10**9, "abcdefghijklmnopqrstuvwxyz")


def _pattern(rng: random.Random, length: int, top: int, kinds: str) -> str:
    parts = [
        (str(rng.randint(1, top)) if rng.random() < 0.7 else "") + rng.choice(kinds)
        for _ in range(length)
    ]
    return "".join(parts) + "\n"


PROBLEM = AuthoredProblem(
    id="knitting-row",
    level="easy",
    tags=("strings", "parsing"),
    statement="""\
Grandmother writes down her knitting rows in short form. Every kind of stitch has its own small \
letter. A letter stands for one stitch, and a number right before a letter says that this stitch \
is made so many times: 12k3pk means twelve stitches k, then three stitches p, then one stitch k.

Count how often each kind of stitch is made in a row.

Input

One line with the row, 1 to 4000 characters: small English letters and numbers. Every number is \
between 1 and 1000000000, has no leading zeros, and is followed by a letter.

Output

For each kind of stitch in the row print a line with its letter, a space and how often it is made, \
in alphabetical order of the letters.
""",
    public_inputs=("2k3p4k\n", "5kpp3a\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
counts = {}
number = 0
for c in input().strip():
    if c.isdigit():
        number = 10 * number + int(c)
    else:
        counts[c] = counts.get(c, 0) + (number or 1)
        number = 0
for c in sorted(counts):
    print(c, counts[c])
""",
        """\
import re
from collections import Counter

made = Counter()
for number, kind in re.findall(r"(\\d*)([a-z])", input()):
    made[kind] += int(number or 1)
for item in sorted(made.items()):
    print(*item)
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
from collections import Counter

counts = Counter()
times = 1
for c in input().strip():
    if c.isdigit():
        times = int(c)
    else:
        counts[c] += times
        times = 1
for c in sorted(counts):
    print(c, counts[c])
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.MEMORY_LIMIT,
            passes_public=True,
            source="""\
row = ""
number = ""
for c in input().strip():
    if c.isdigit():
        number += c
    else:
        row += c * int(number or 1)
        number = ""
for c in sorted(set(row)):
    print(c, row.count(c))
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.RUNTIME_ERROR,
            source="""\
counts = {}
number = ""
for c in input().strip():
    if c in "0123456789":
        number += c
    else:
        counts[c] = counts.get(c, 0) + int(number)
        number = ""
for c in sorted(counts):
    print(c, counts[c])
""",
        ),
    ),
    time_limit_s=1.0,
)
