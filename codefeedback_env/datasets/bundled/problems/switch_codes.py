"""Largest exclusive or of some of the numbers: a basis over the field of two elements."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """One switch, equal ones, dependent ones, nested bits, random codes of every size."""
    yield _codes([0])
    yield _codes([1])
    yield _codes([5, 5])
    yield _codes([0, 0, 0, 0])
    yield _codes([1, 2, 4, 8, 16])
    yield _codes([7, 6, 4])
    yield _codes([12, 10, 6])
    yield _codes([2**60 - 1, 2**59, 1])
    yield _codes([2**i - 1 for i in range(1, 60)])
    for num_switches, bits in (
        *((2, 3), (3, 3), (3, 4), (4, 4), (4, 6), (5, 6), (6, 8), (8, 10), (10, 12), (12, 30)),
        *((30, 40), (50, 60), (100, 60), (200, 60)),
    ):
        yield _codes([rng.randrange(2**bits) for _ in range(num_switches)])
    few = [rng.randrange(2**60) for _ in range(6)]
    yield _codes([few[i % 6] ^ few[i // 6 % 6] ^ few[i % 5] for i in range(150)])


def _codes(codes: list[int]) -> str:
    return f"{len(codes)}\n{' '.join(map(str, codes))}\n"


PROBLEM = AuthoredProblem(
    id="switch-codes",
    level="harder",
    tags=("bit operations", "matrices"),
    statement="""\
On the wall of a light show there are 60 lamps, numbered 0 to 59, all of them off. There are n \
switches. Switch i has a code, and pressing it changes every lamp whose bit is set in the code: \
lamps that are on go off, and the others go on. (The bit of lamp j has the value 2^j.) Every \
switch may be pressed or not, and the order does not matter.

The brightness of the wall is the sum of 2^j over all lamps j that are on. How bright can the wall \
be made?

Input

The first line contains an integer n (1 <= n <= 200). The second line contains n integers between \
0 and 2^60 - 1, the codes of the switches.

Output

Print the largest possible brightness.
""",
    public_inputs=("3\n5 3 9\n", "2\n6 3\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
input()
basis = []
for code in map(int, input().split()):
    for b in basis:
        code = min(code, code ^ b)
    if code:
        basis.append(code)
bright = 0
for b in sorted(basis, reverse=True):
    bright = max(bright, bright ^ b)
print(bright)
""",
        """\
n = int(input())
codes = list(map(int, input().split()))
row = 0
for bit in range(59, -1, -1):
    pivot = next((i for i in range(row, n) if codes[i] >> bit & 1), None)
    if pivot is None:
        continue
    codes[row], codes[pivot] = codes[pivot], codes[row]
    for i in range(n):
        if i != row and codes[i] >> bit & 1:
            codes[i] ^= codes[row]
    row += 1
bright = 0
for code in codes[:row]:
    bright ^= code
print(bright)
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
n = int(input())
bright = 0
for code in sorted(map(int, input().split()), reverse=True):
    bright = max(bright, bright ^ code)
print(bright)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""\
n = int(input())
codes = list(map(int, input().split()))


def best(i, bright):
    if i == n:
        return bright
    return max(best(i + 1, bright), best(i + 1, bright ^ codes[i]))


print(best(0, 0))
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
n = int(input())
bright = 0
for code in map(int, input().split()):
    bright |= code
print(bright)
""",
        ),
    ),
    time_limit_s=1.0,
)
