"""Bounded subset sum, answered with yes or no."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict

_STATEMENT = """\
A balloon needs ballast of exactly T kilograms. The shed holds n kinds of lead weights: of kind i
there are c_i pieces, each of w_i kilograms. Any number of the pieces can be taken, but pieces
cannot be cut. Can the crew load exactly T kilograms?

Input

The first line has two integers n and T (1 <= n <= 40, 0 <= T <= 20000). Each of the next n lines
has two integers w_i and c_i (1 <= w_i <= 20000, 0 <= c_i <= 20000). Two kinds may have the same
weight.

Output

Print YES if some choice of pieces weighs exactly T kilograms together, otherwise NO.
"""


def _text(target: int, kinds: list[tuple[int, int]]) -> str:
    rows = [f"{len(kinds)} {target}", *(f"{w} {c}" for w, c in kinds)]
    return "\n".join(rows) + "\n"


def _random_shed(
    rng: random.Random, n: int, weight: tuple[int, int], count: tuple[int, int], share: float
) -> str:
    """A shed whose target is ``share`` of everything in it."""
    kinds = [(rng.randint(*weight), rng.randint(*count)) for _ in range(n)]
    total = sum(w * c for w, c in kinds)
    return _text(min(20000, int(total * share)), kinds)


def _hidden_inputs(rng: random.Random) -> Iterator[str]:
    yield "1 0\n5 0\n"
    yield "1 5\n5 0\n"
    yield "1 20000\n20000 1\n"
    yield "1 6\n3 1\n"
    yield "2 6\n4 1\n3 2\n"
    yield "3 12\n10 1\n6 2\n7 1\n"
    yield "2 11\n4 5\n6 5\n"
    for n, top, most in [(2, 6, 3), (2, 9, 4), (3, 12, 3), (3, 30, 2), (4, 30, 2), (5, 40, 2)]:
        yield _random_shed(rng, n, (2, top), (0, most), 0.5)
        yield _random_shed(rng, n, (3, top), (1, most), 0.8)
    yield _random_shed(rng, 7, (200, 900), (1, 2), 0.5)
    yield _random_shed(rng, 8, (1000, 3000), (1, 1), 0.6)
    yield _text(10001, [(3 * i, i) for i in range(1, 8)])
    yield _text(20000, [(i, 5) for i in range(1, 41)])
    yield _text(2000, [(i, 5) for i in range(1, 41)])
    yield _text(19999, [(2 * i, 20000) for i in range(1, 41)])
    yield _text(19999, [(2 * i, 20000 // i) for i in range(1, 40)] + [(19993, 1)])
    yield _text(20000, [(499 + 2 * i, 39) for i in range(40)])
    yield _random_shed(rng, 40, (400, 20000), (0, 20000), 0.7)


PROBLEM = AuthoredProblem(
    id="exact-ballast",
    level="hard",
    tags=("dynamic programming", "knapsack", "bit operations"),
    statement=_STATEMENT,
    public_inputs=(
        "3 21\n10 1\n5 2\n1 3\n",
        "2 9\n3 2\n5 1\n",
    ),
    hidden_inputs=_hidden_inputs,
    reference=(
        """n, target = map(int, input().split())
mask = (1 << (target + 1)) - 1
reach = 1
for _ in range(n):
    w, c = map(int, input().split())
    block = 1
    while c:
        block = min(block, c)
        if w * block <= target:
            reach |= (reach << (w * block)) & mask
        c -= block
        block *= 2
print("YES" if reach >> target & 1 else "NO")
""",
        """import sys


def main() -> None:
    numbers = list(map(int, sys.stdin.read().split()))
    target = numbers[1]
    # used[s]: pieces of the present kind in the cheapest way to make s, -1 if s is out of reach
    reached = bytearray(target + 1)
    reached[0] = 1
    for w, c in zip(numbers[2::2], numbers[3::2]):
        used = [0] * (target + 1)
        for s in range(w, target + 1):
            if not reached[s] and reached[s - w] and used[s - w] < c:
                reached[s] = 1
                used[s] = used[s - w] + 1
    print("YES" if reached[target] else "NO")


main()
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""n, t = map(int, input().split())
kinds = sorted((tuple(map(int, input().split())) for _ in range(n)), reverse=True)
for w, c in kinds:
    t -= w * min(c, t // w)
print("YES" if t == 0 else "NO")
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.MEMORY_LIMIT,
            passes_public=True,
            source="""import sys

n, target = map(int, sys.stdin.readline().split())
loads = [""]  # every way to load, written out piece by piece
for line in sys.stdin.readlines()[:n]:
    w, c = map(int, line.split())
    most = min(c, target // w)
    loads = [load + f" {w} kg" * k for load in loads for k in range(most + 1)]
sums = (sum(map(int, load.split()[::2])) for load in loads)
print("YES" if target in sums else "NO")
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""n, target = map(int, input().split())
can = [True] + [False] * target
for _ in range(n):
    w, c = map(int, input().split())
    c = min(c, target // w)
    for piece in range(c):
        for s in range(target, w - 1, -1):
            if can[s - w]:
                can[s] = True
print("YES" if can[target] else "NO")
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""# every kind can be used again and again
n, t = map(int, input().split())
ways = {0}
for _ in range(n):
    w, c = map(int, input().split())
    if c:
        for s in range(w, t + 1):
            if s - w in ways:
                ways.add(s)
print("YES" if t in ways else "NO")
""",
        ),
    ),
    time_limit_s=2.0,
    memory_limit_mib=64,
)
