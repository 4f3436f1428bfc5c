"""Minimum spanning tree that must use a given edge, for every edge."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict

_STATEMENT = """\
The islands of an archipelago are numbered 1 to n. Engineers made plans for m bridges, each joining
two islands at some cost. Building all the planned bridges would make it possible to walk from every
island to every other. The parliament wants to build some of the bridges so that this is still
possible, at the least total cost. But each plan has a patron who insists on his own bridge. For
each of the m bridges, what is the least total cost of a choice of bridges that contains this bridge
and joins all the islands?

Input

The first line has two integers n and m (2 <= n <= 2000, n - 1 <= m <= 4000). Each of the next m
lines has three integers a, b and c (1 <= a, b <= n, a != b, 1 <= c <= 1000000): a bridge between
islands a and b that costs c. Two islands may be joined by several planned bridges. All the bridges
together join all the islands.

Output

Print m lines: the answers for the bridges in the order of the input.
"""


def _text(n: int, bridges: list[tuple[int, int, int]]) -> str:
    rows = [f"{n} {len(bridges)}", *(f"{a} {b} {c}" for a, b, c in bridges)]
    return "\n".join(rows) + "\n"


def _random_plans(rng: random.Random, n: int, m: int, reach: int, top: int) -> str:
    """Island i has a bridge to one of the ``reach`` islands before it; the rest is random."""
    bridges = [
        (i, rng.randint(max(1, i - reach), i - 1), rng.randint(1, top)) for i in range(2, n + 1)
    ]
    while len(bridges) < m:
        a = rng.randint(1, n)
        b = rng.randint(1, n - 1)
        bridges.append((a, b + (b >= a), rng.randint(1, top)))
    rng.shuffle(bridges)
    return _text(n, bridges)


def _hidden_inputs(rng: random.Random) -> Iterator[str]:
    yield _text(2, [(1, 2, 5)])
    yield _text(2, [(1, 2, 5), (2, 1, 3), (1, 2, 3)])
    yield _text(3, [(1, 2, 1), (2, 3, 1), (3, 1, 1)])
    yield _text(4, [(1, 2, 9), (3, 4, 1), (2, 3, 2), (1, 3, 8), (4, 2, 7)])
    yield _text(5, [(1, 2, 10), (2, 3, 1), (3, 4, 2), (4, 5, 10), (2, 4, 6), (3, 5, 11)])
    for n, m in [(3, 4), (4, 6), (5, 7), (6, 9), (7, 10), (8, 14), (9, 9), (10, 30)]:
        yield _random_plans(rng, n, m, n, 12)
    for n, m in [(20, 40), (50, 80), (60, 59), (80, 200)]:
        yield _random_plans(rng, n, m, 4, 1000000)
    yield _random_plans(rng, 300, 330, 300, 50)
    chain = [(i, i + 1, 7 + i * i % 13) for i in range(1, 2000)]
    yield _text(2000, chain + [(i, 2001 - i, 25) for i in range(1, 1000)] + chain[:1001])
    yield _text(1200, [(i, i + 1, 1 + i % 5) for i in range(1, 1200)])
    spokes = [(1, i, 1000) for i in range(2, 501)]
    yield _text(500, spokes + [(i - 1, i, 1002) for i in range(2, 501)])
    yield _random_plans(rng, 600, 800, 3, 99)


PROBLEM = AuthoredProblem(
    id="forced-bridge",
    level="hardest",
    tags=("graphs", "spanning tree", "union-find"),
    statement=_STATEMENT,
    public_inputs=(
        "4 5\n1 2 4\n2 3 4\n3 1 9\n3 4 2\n1 4 5\n",
        "3 3\n1 2 1\n2 3 6\n1 3 2\n",
    ),
    hidden_inputs=_hidden_inputs,
    reference=(
        """import sys


def main():
    data = list(map(int, sys.stdin.buffer.read().split()))
    n, m = data[0], data[1]
    bridges = list(zip(data[2::3], data[3::3], data[4::3]))
    parent = list(range(n + 1))
    size = [1] * (n + 1)
    # time and cost of the bridge that hung this root below its parent
    never = m + 1
    link_time = [never] * (n + 1)
    link_cost = [0] * (n + 1)
    total = 0
    for time, (a, b, c) in enumerate(sorted(bridges, key=lambda bridge: bridge[2])):
        while parent[a] != a:
            a = parent[a]
        while parent[b] != b:
            b = parent[b]
        if a == b:
            continue
        if size[a] > size[b]:
            a, b = b, a
        parent[a] = b
        size[b] += size[a]
        link_time[a] = time
        link_cost[a] = c
        total += c
    out = []
    for a, b, c in bridges:
        # times grow towards the root, so the last step taken is the dearest
        dearest = 0
        while a != b:
            if link_time[a] > link_time[b]:
                a, b = b, a
            dearest = link_cost[a]
            a = parent[a]
        out.append(total - dearest + c)
    print("\\n".join(map(str, out)))


main()
""",
        """from collections import defaultdict
import sys

input = sys.stdin.readline
n, m = map(int, input().split())
bridges = [tuple(map(int, input().split())) for _ in range(m)]
group = list(range(n))


def find(x):
    while group[x] != x:
        group[x] = group[group[x]]
        x = group[x]
    return x


tree = defaultdict(list)
total = 0
for a, b, c in sorted(bridges, key=lambda e: e[2]):
    x, y = find(a - 1), find(b - 1)
    if x != y:
        group[x] = y
        total += c
        tree[a - 1].append((b - 1, c))
        tree[b - 1].append((a - 1, c))

LOG = 12
depth = [0] * n
up = [[0] * n for _ in range(LOG)]
top = [[0] * n for _ in range(LOG)]
order = [0]
for v in order:
    for w, c in tree[v]:
        if w != up[0][v] or (v == 0 and w != 0):
            up[0][w], top[0][w], depth[w] = v, c, depth[v] + 1
            order.append(w)
for k in range(1, LOG):
    for v in range(n):
        mid = up[k - 1][v]
        up[k][v] = up[k - 1][mid]
        top[k][v] = max(top[k - 1][v], top[k - 1][mid])


def dearest(a, b):
    best = 0
    if depth[a] < depth[b]:
        a, b = b, a
    for k in range(LOG):
        if depth[a] - depth[b] >> k & 1:
            best = max(best, top[k][a])
            a = up[k][a]
    if a == b:
        return best
    for k in reversed(range(LOG)):
        if up[k][a] != up[k][b]:
            best = max(best, top[k][a], top[k][b])
            a, b = up[k][a], up[k][b]
    return max(best, top[0][a], top[0][b])


for a, b, c in bridges:
    print(total + c - dearest(a - 1, b - 1))
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""n, m = map(int, input().split())
bridges = []
for number in range(m):
    a, b, c = map(int, input().split())
    bridges.append((c, a, b, number))
bridges.sort()


def cheapest(must):
    root = list(range(n + 1))

    def find(x):
        while root[x] != x:
            x = root[x]
        return x

    cost = 0
    for c, a, b, number in [must] + bridges:
        a, b = find(a), find(b)
        if a != b:
            root[a] = b
            cost += c
    return cost


answers = [0] * m
for bridge in bridges:
    answers[bridge[3]] = cheapest(bridge)
print(*answers, sep=chr(10))
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.RUNTIME_ERROR,
            passes_public=True,
            source="""import sys

n, m = map(int, sys.stdin.readline().split())
edges = [tuple(map(int, sys.stdin.readline().split())) for _ in range(m)]
boss = {}


def find(x):
    if boss.setdefault(x, x) != x:
        boss[x] = find(boss[x])
    return boss[x]


near = {i: [] for i in range(1, n + 1)}
total = 0
for a, b, c in sorted(edges, key=lambda e: e[2]):
    if find(a) != find(b):
        boss[find(a)] = find(b)
        near[a].append((b, c))
        near[b].append((a, c))
        total += c


def worst(x, goal, before):
    if x == goal:
        return 0
    for y, c in near[x]:
        if y != before:
            w = worst(y, goal, x)
            if w is not None:
                return max(w, c)
    return None


for a, b, c in edges:
    print(total + c - worst(a, b, 0))
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""import sys

n, m, *rest = map(int, sys.stdin.read().split())
edges = list(zip(rest[::3], rest[1::3], rest[2::3]))
p = list(range(n + 1))


def find(x):
    while p[x] != x:
        p[x] = p[p[x]]
        x = p[x]
    return x


used = set()
for i in sorted(range(m), key=lambda i: edges[i][2]):
    a, b, c = edges[i]
    if find(a) != find(b):
        p[find(a)] = find(b)
        used.add(i)
total = sum(edges[i][2] for i in used)
worst = max(edges[i][2] for i in used)
for i, (a, b, c) in enumerate(edges):
    # a new bridge replaces the dearest one
    print(total if i in used else total + c - min(c, worst))
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""n, m = map(int, input().split())
e = [list(map(int, input().split())) for _ in range(m)]
comp = list(range(n + 1))
chosen = [False] * m
for i in sorted(range(m), key=lambda i: e[i][2]):
    x, y = comp[e[i][0]], comp[e[i][1]]
    if x != y:
        chosen[i] = True
        comp = [y if c == x else c for c in comp]
total = sum(e[i][2] for i in range(m) if chosen[i])
for i in range(m):
    print(total if chosen[i] else total + e[i][2])
""",
        ),
    ),
    time_limit_s=2.0,
    memory_limit_mib=128,
)
