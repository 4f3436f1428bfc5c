"""The longest run of equal beads on a closed necklace."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """One and two beads, runs across the clasp, one colour only, random and very long runs."""
    yield from ("a\n", "zz\n", "ab\n", "aba\n", "abb\n", "aab\n", "bbbb\n", "abcabc\n", "aabbaa\n")
    yield from ("xxxyxx\n", "xyxxxyx\n", "pqqqp\n")
    for length in (5, 8, 13, 30, 60, 200):
        yield "".join(rng.choice("ab") for _ in range(length)) + "\n"
    for length in (7, 50, 1000):
        yield "".join(rng.choice("rgbw") for _ in range(length)) + "\n"
    yield "a" * 100_000 + "\n"
    yield "g" * 49_999 + "h" + "g" * 50_000 + "\n"
    yield "mn" * 50_000 + "\n"
    yield "ccccd" * 19_999 + "ccccc" + "\n"
    yield "a" * 33_333 + "b" * 33_334 + "c" * 33_333 + "\n"


PROBLEM = AuthoredProblem(
    id="bead-necklace",
    level="easy",
    tags=("strings", "implementation", "two pointers"),
    statement="""\
A necklace is a closed ring of beads. We cut it open somewhere and write down the colours of the \
beads in order, one small letter for each bead; so the last bead of our list and the first one \
were neighbours on the necklace.

What is the largest number of beads of the same colour that followed each other without a bead of \
another colour between them, before we cut the necklace open? Every bead counts only once, also \
when the whole necklace has a single colour.

Input

One line with a string of 1 to 100000 small English letters: the colours of the beads.

Output

Print one integer: the length of the longest run of beads of one colour on the closed necklace.
""",
    public_inputs=("bbaccb\n", "rrgbbbbgr\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
beads = input()
n = len(beads)
best = run = 1
for before, bead in zip(beads + beads, (beads + beads)[1:]):
    run = run + 1 if bead == before else 1
    best = max(best, run)
print(min(best, n))
""",
        """\
from itertools import groupby

beads = open(0).read().strip()
runs = [len(list(group)) for _, group in groupby(beads)]
if len(runs) > 1 and beads[0] == beads[-1]:
    runs.append(runs[0] + runs[-1])
print(max(runs))
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
from itertools import groupby

print(max(len(list(group)) for _, group in groupby(input())))
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
beads = input()
beads += beads
best = run = 1
for i in range(1, len(beads)):
    if beads[i] == beads[i - 1]:
        run += 1
    else:
        run = 1
    best = max(best, run)
print(best)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""\
beads = input().strip()
n = len(beads)
best = 0
for start in range(n):
    length = 1
    while length < n and beads[(start + length) % n] == beads[start]:
        length += 1
    best = max(best, length)
print(best)
""",
        ),
    ),
    time_limit_s=1.0,
)
