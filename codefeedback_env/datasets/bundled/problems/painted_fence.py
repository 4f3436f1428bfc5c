"""Union of painted stretches of a fence and the longest bare stretch between them."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """One child, nested, touching and equal stretches, random ones of many densities."""
    top = 10**9
    yield _fence([(0, top)])
    yield _fence([(0, 1), (top - 1, top)])
    yield _fence([(2, 20), (3, 5), (8, 9), (25, 26)])
    yield _fence([(1, 2), (2, 3), (3, 4)])
    yield _fence([(5, 6)] * 4)
    yield _fence([(10, 11), (0, 30), (12, 13), (40, 41)])
    yield _fence([(7, 9), (1, 3), (4, 5), (0, 1)])
    for num_children, length, reach in (
        *((2, 9, 4), (3, 12, 4), (4, 20, 6), (5, 30, 8), (8, 60, 20), (10, 100, 9)),
        *((20, 300, 20), (50, 1000, 60), (100, 5000, 100), (300, 10**6, 9000)),
        *((400, 10**9, 10**6), (500, 10**9, 3 * 10**6), (500, 10**9, 10**8)),
    ):
        stretches = []
        for _ in range(num_children):
            start = rng.randint(0, length - 1)
            stretches.append((start, min(length, start + rng.randint(1, reach))))
        yield _fence(stretches)


def _fence(stretches: list[tuple[int, int]]) -> str:
    return f"{len(stretches)}\n" + "".join(f"{a} {b}\n" for a, b in stretches)


PROBLEM = AuthoredProblem(
    id="painted-fence",
    level="medium",
    tags=("intervals", "sortings"),
    statement="""\
The children of a school paint a very long fence. Child i painted everything between the points \
a_i and b_i, measured in metres from the left end of the fence. The children did not agree on who \
paints where, so some parts got several coats of paint and others none.

How many metres of the fence are painted? And how long is the longest bare stretch that has paint \
at both of its ends?

Input

The first line contains an integer n (1 <= n <= 500), the number of children. The i-th of the next \
n lines contains the integers a_i and b_i (0 <= a_i < b_i <= 1000000000).

Output

Print two numbers, separated by a space: the length of the painted part, and the length of the \
longest bare stretch between painted parts, or 0 if there is none.
""",
    public_inputs=("3\n1 4\n3 6\n9 11\n", "2\n5 7\n0 5\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
n = int(input())
parts = sorted(tuple(map(int, input().split())) for _ in range(n))
painted = bare = 0
end = parts[0][0]
for a, b in parts:
    if a > end:
        bare = max(bare, a - end)
        end = a
    if b > end:
        painted += b - end
        end = b
print(painted, bare)
""",
        """\
import sys

data = list(map(int, sys.stdin.read().split()))[1:]
events = sorted([(a, -1) for a in data[::2]] + [(b, 1) for b in data[1::2]])
coats = painted = bare = 0
last = events[0][0]
for x, kind in events:
    if coats:
        painted += x - last
    else:
        bare = max(bare, x - last)
    coats -= kind
    last = x
print(painted, bare)
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
n = int(input())
parts = sorted(list(map(int, input().split())) for _ in range(n))
painted = parts[0][1] - parts[0][0]
bare = 0
for (a, b), (c, d) in zip(parts, parts[1:]):
    painted += d - max(b, c)
    bare = max(bare, c - b)
print(painted, bare)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.MEMORY_LIMIT,
            passes_public=True,
            source="""\
n = int(input())
parts = [tuple(map(int, input().split())) for _ in range(n)]
length = max(b for a, b in parts)
fence = [False] * length
for a, b in parts:
    for x in range(a, b):
        fence[x] = True
bare = run = 0
for x in range(min(a for a, b in parts), length):
    run = 0 if fence[x] else run + 1
    bare = max(bare, run)
print(sum(fence), bare)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
n = int(input())
total = bare = 0
end = None
for _ in range(n):
    a, b = map(int, input().split())
    if end is None or a >= end:
        total += b - a
        if end is not None:
            bare = max(bare, a - end)
        end = b
    elif b > end:
        total += b - end
        end = b
print(total, bare)
""",
        ),
    ),
    time_limit_s=1.0,
)
