"""Choose places for benches so that the smallest distance between two is as large as possible."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """Two places, all places, even and uneven spacing, random places."""
    yield _places([0, 10**9], 2)
    yield _places([3, 1, 2], 3)
    yield _places([1, 2, 4, 8, 16, 32, 64], 3)
    yield _places([1, 2, 4, 8, 16, 32, 64], 4)
    yield _places([0, 1, 9, 10], 3)
    yield _places([10, 0, 4, 6], 3)
    yield _places(list(range(0, 3000, 3)), 34)
    for num_places, length, k in (
        *((4, 12, 3), (5, 15, 3), (5, 20, 4), (6, 20, 4), (7, 30, 4), (8, 30, 5), (9, 50, 3)),
        *((10, 60, 7), (12, 100, 5), (14, 200, 6), (30, 1000, 10), (100, 10**4, 20)),
        *((400, 10**6, 3), (1500, 10**9, 700), (2000, 10**9, 2), (2000, 10**9, 45)),
    ):
        yield _places(rng.sample(range(length + 1), num_places), k)


def _places(places: list[int], k: int) -> str:
    return f"{len(places)} {k}\n{' '.join(map(str, places))}\n"


PROBLEM = AuthoredProblem(
    id="bench-spacing",
    level="medium",
    tags=("binary search", "greedy"),
    statement="""\
Along a promenade there are n foundations on which a bench can be put up, at given distances from \
the lighthouse. The town has k benches and puts up all of them, at most one on each foundation. \
People like to sit alone: the smallest distance between any two benches shall be as large as \
possible.

Input

The first line contains the integers n and k (2 <= k <= n <= 2000). The second line contains n \
different integers between 0 and 1000000000, the distances of the foundations from the lighthouse \
in metres, in no special order.

Output

Print the largest possible value of the smallest distance between two benches.
""",
    public_inputs=("5 3\n1 2 4 8 9\n", "3 2\n2 7 20\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
n, k = map(int, input().split())
places = sorted(map(int, input().split()))
low, high = 1, places[-1] - places[0]
while low < high:
    middle = (low + high + 1) // 2
    benches, last = 1, places[0]
    for place in places:
        if place - last >= middle:
            benches += 1
            last = place
    if benches >= k:
        low = middle
    else:
        high = middle - 1
print(low)
""",
        """\
from bisect import bisect_left

n, k = map(int, input().split())
x = sorted(map(int, input().split()))


def fits(gap):
    at = 0
    for _ in range(k - 1):
        at = bisect_left(x, x[at] + gap)
        if at == n:
            return False
    return True


gap = 0
for bit in reversed(range(30)):
    if fits(gap + (1 << bit)):
        gap += 1 << bit
print(gap)
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
n, k = map(int, input().split())
x = list(map(int, input().split()))
low, high = 0, 10**9 + 1
while high - low > 1:
    gap = (low + high) // 2
    count, last = 1, x[0]
    for p in x[1:]:
        if p - last >= gap:
            count += 1
            last = p
    if count >= k:
        low = gap
    else:
        high = gap
print(low)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""\
from itertools import combinations

n, k = map(int, input().split())
x = sorted(map(int, input().split()))
best = 0
for benches in combinations(x, k):
    best = max(best, min(b - a for a, b in zip(benches, benches[1:])))
print(best)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
# the next bench goes to the place that is nearest to even spacing
n, k = map(int, input().split())
x = sorted(map(int, input().split()))
step = (x[-1] - x[0]) / (k - 1)
chosen = []
for i in range(k):
    ideal = x[0] + i * step
    chosen.append(min(x, key=lambda p: abs(p - ideal)))
print(min(b - a for a, b in zip(chosen, chosen[1:])))
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
n, k = map(int, input().split())
x = sorted(map(int, input().split()))
print((x[-1] - x[0]) // (k - 1))
""",
        ),
    ),
    time_limit_s=1.0,
)
