"""Post offices in some villages of a road: the least sum of distances, with costs by village."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """One village, as many offices as villages, clusters, very unequal villages, long roads."""
    yield _road(1, [(5, 3)])
    yield _road(2, [(0, 1), (9, 1)])
    yield _road(1, [(0, 1), (5, 1), (6, 100)])
    yield _road(1, [(0, 4), (3, 1), (7, 3)])
    yield _road(2, [(0, 1), (1, 1), (2, 1), (100, 1), (101, 1), (102, 1)])
    yield _road(2, [(0, 50), (10, 1), (11, 1), (12, 1), (20, 50)])
    yield _road(3, [(i * i, 1) for i in range(12)])
    for num_villages, k, length, people in (
        *((4, 2, 10, 3), (5, 2, 15, 9), (6, 3, 20, 9), (7, 2, 20, 5), (8, 3, 30, 9)),
        *((10, 4, 60, 20), (15, 5, 100, 9), (25, 6, 200, 100), (40, 20, 1000, 9)),
        *((80, 1, 10**6, 1000), (80, 80, 10**6, 1000), (90, 11, 10**9, 10**6)),
        *((90, 30, 500, 4),),
    ):
        places = sorted(rng.sample(range(length), num_villages))
        yield _road(k, [(place, rng.randint(1, people)) for place in places])
    yield _road(9, [(i * 7 % 10 + 10 * i, 1 + i * i % 13) for i in range(90)])


def _road(k: int, villages: list[tuple[int, int]]) -> str:
    return f"{len(villages)} {k}\n" + "".join(f"{x} {p}\n" for x, p in villages)


PROBLEM = AuthoredProblem(
    id="post-stations",
    level="hardest",
    tags=("dynamic programming", "prefix sums"),
    statement="""\
Along a straight road lie n villages, the i-th of them x_i kilometres from the start of the road, \
with p_i inhabitants. The post wants to open offices in exactly k of the villages. Every \
inhabitant of every village then walks to the nearest office once a week, and comes back by coach.

Choose the villages for the offices so that all inhabitants together walk as few kilometres as \
possible.

Input

The first line contains the integers n and k (1 <= k <= n <= 90). The i-th of the next n lines \
contains the integers x_i and p_i (0 <= x_1 < x_2 < ... < x_n <= 1000000000, 1 <= p_i <= 1000000).

Output

Print the smallest possible number of kilometres that are walked in a week.
""",
    public_inputs=("4 2\n0 3\n1 5\n7 2\n9 2\n", "3 1\n2 1\n5 1\n11 9\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
n, k = map(int, input().split())
x, p = zip(*(map(int, input().split()) for _ in range(n)))
# walk[i][j]: the villages i to j - 1 share the best office
walk = [[0] * (n + 1) for _ in range(n)]
for i in range(n):
    people = [0]
    way = [0]
    for a, b in zip(x[i:], p[i:]):
        people.append(people[-1] + b)
        way.append(way[-1] + a * b)
    middle = 0
    for size in range(1, n - i + 1):
        while 2 * people[middle + 1] < people[size]:
            middle += 1
        place = x[i + middle]
        left = place * people[middle] - way[middle]
        right = way[size] - way[middle] - place * (people[size] - people[middle])
        walk[i][i + size] = left + right
best = walk[0][:]
for offices in range(2, k + 1):
    best = [
        min((best[i] + walk[i][j] for i in range(1, j)), default=0) for j in range(n + 1)
    ]
print(best[n])
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
# open the offices one by one, each where it helps most
n, k = map(int, input().split())
villages = [tuple(map(int, input().split())) for _ in range(n)]
near = [10**10] * n
for _ in range(k):
    options = []
    for place, _ in villages:
        options.append([min(d, abs(x - place)) for d, (x, _) in zip(near, villages)])
    near = min(options, key=lambda o: sum(d * p for d, (_, p) in zip(o, villages)))
print(sum(d * p for d, (_, p) in zip(near, villages)))
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""\
from itertools import combinations

n, k = map(int, input().split())
villages = [tuple(map(int, input().split())) for _ in range(n)]
best = None
for offices in combinations([x for x, _ in villages], k):
    walk = sum(p * min(abs(x - o) for o in offices) for x, p in villages)
    if best is None or walk < best:
        best = walk
print(best)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
n, k = map(int, input().split())
x, p = zip(*(map(int, input().split()) for _ in range(n)))


def walk(i, j):
    # the middle village, however many people live where
    place = x[(i + j) // 2]
    return sum(p[v] * abs(x[v] - place) for v in range(i, j))


best = [0] + [walk(0, j) for j in range(1, n + 1)]
for _ in range(k - 1):
    best = [0] + [
        min([best[j]] + [best[i] + walk(i, j) for i in range(1, j)]) for j in range(1, n + 1)
    ]
print(best[n])
""",
        ),
    ),
    time_limit_s=1.0,
)
