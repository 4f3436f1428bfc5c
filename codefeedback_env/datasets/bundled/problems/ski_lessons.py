"""Cheapest assignment of teachers to groups: the Hungarian method."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """One group, equal ways, ways that mislead greedy choices, random ones of many sizes."""
    yield _ways([[0]])
    yield _ways([[7]])
    yield _ways([[1, 2], [2, 9]])
    yield _ways([[5] * 4] * 4)
    yield _ways([[i * j for j in range(1, 9)] for i in range(1, 9)])
    yield _ways([[abs(i - j) for j in range(20)] for i in range(20)])
    yield _ways([[(i * j) % 31 for j in range(1, 31)] for i in range(1, 31)])
    for size, top in (
        *((2, 9), (3, 5), (3, 9), (4, 9), (4, 20), (5, 9), (6, 20), (7, 50), (8, 9), (9, 100)),
        *((12, 30), (15, 1000), (20, 10), (30, 10**6), (40, 50), (40, 10**6)),
    ):
        yield _ways([[rng.randint(0, top) for _ in range(size)] for _ in range(size)])


def _ways(rows: list[list[int]]) -> str:
    return "".join(" ".join(map(str, line)) + "\n" for line in ([len(rows)], *rows))


PROBLEM = AuthoredProblem(
    id="ski-lessons",
    level="hardest",
    tags=("matchings", "flows", "optimization"),
    statement="""\
A ski school has n teachers, and n groups wait for lessons at n different huts. Each teacher takes \
exactly one group. From his flat in the valley the i-th teacher needs a_ij minutes to the hut of \
group j.

The school pays its teachers for the minutes on the way. Divide the groups among the teachers so \
that the school pays for as few minutes as possible altogether.

Input

The first line contains an integer n (1 <= n <= 40). The i-th of the next n lines contains the n \
integers a_i1 ... a_in (0 <= a_ij <= 1000000).

Output

Print the smallest possible sum of minutes.
""",
    public_inputs=("3\n4 1 3\n2 0 5\n3 2 2\n", "2\n3 4\n2 8\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
n = int(input())
a = [list(map(int, input().split())) for _ in range(n)]
INF = float("inf")
row_bonus, col_bonus = [0] * n, [0] * (n + 1)
teacher_of = [-1] * (n + 1)  # the last column stands for the new teacher
for i in range(n):
    teacher_of[n] = i
    j = n
    least, came = [INF] * n, [n] * n
    used = [False] * (n + 1)
    while teacher_of[j] != -1:
        used[j] = True
        t = teacher_of[j]
        delta, nxt = INF, -1
        for k in range(n):
            if not used[k]:
                rest = a[t][k] - row_bonus[t] - col_bonus[k]
                if rest < least[k]:
                    least[k], came[k] = rest, j
                if least[k] < delta:
                    delta, nxt = least[k], k
        for k in range(n + 1):
            if used[k]:
                row_bonus[teacher_of[k]] += delta
                col_bonus[k] -= delta
            elif k < n:
                least[k] -= delta
        j = nxt
    while j != n:
        teacher_of[j] = teacher_of[came[j]]
        j = came[j]
print(sum(a[teacher_of[j]][j] for j in range(n)))
""",
        """\
from heapq import heappop, heappush

n = int(input())
a = [list(map(int, input().split())) for _ in range(n)]
teacher, group = [None] * n, [None] * n
price_t, price_g = [0] * n, [min(row[j] for row in a) for j in range(n)]
for start in range(n):
    dist_t, dist_g, came = {}, {}, {}
    heap = [(0, start, None)]
    end = None
    while end is None:
        d, t, via = heappop(heap)
        if via is not None:
            if via in dist_g:
                continue
            dist_g[via] = d
            came[via] = t
            if teacher[via] is None:
                end, length = via, d
                break
            t = teacher[via]
        dist_t[t] = d
        for j in range(n):
            if j not in dist_g:
                heappush(heap, (d + a[t][j] + price_t[t] - price_g[j], t, j))
    for t, d in dist_t.items():
        price_t[t] += d - length
    for g, d in dist_g.items():
        price_g[g] += d - length
    while end is not None:
        t = came[end]
        teacher[end] = t
        group[t], end = end, group[t]
print(sum(a[t][j] for j, t in enumerate(teacher)))
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
# start somewhere and exchange two groups as long as it helps
n = int(input())
a = [list(map(int, input().split())) for _ in range(n)]
group = list(range(n))
better = True
while better:
    better = False
    for i in range(n):
        for j in range(i):
            now = a[i][group[i]] + a[j][group[j]]
            if a[i][group[j]] + a[j][group[i]] < now:
                group[i], group[j] = group[j], group[i]
                better = True
print(sum(a[i][group[i]] for i in range(n)))
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""\
from itertools import permutations

n = int(input())
a = [list(map(int, input().split())) for _ in range(n)]
print(min(sum(row[j] for row, j in zip(a, p)) for p in permutations(range(n))))
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
n = int(input())
free = set(range(n))
total = 0
for _ in range(n):
    row = list(map(int, input().split()))
    j = min(free, key=lambda j: (row[j], -j))
    free.remove(j)
    total += row[j]
print(total)
""",
        ),
    ),
    time_limit_s=1.0,
)
