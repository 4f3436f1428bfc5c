"""Shortest path with one free edge: Dijkstra on two layers."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict

_STATEMENT = """\
The coastal railway joins n towns, numbered 1 to n, by m two-way lines. A ride along a line costs
the price of that line, whichever way you travel. Inga wants to get from town 1 to town n, riding
as many lines as she likes, and she found one gift coupon in her coat: it makes a single ride of
her choice free. She may use the coupon at most once. What is the least total price she has to pay?

Input

The first line has two integers n and m (2 <= n <= 2000, 0 <= m <= 4000). Each of the next m lines
has three integers a, b and p (1 <= a, b <= n, a != b, 1 <= p <= 1000000): a line between towns a
and b with price p. Two towns may be joined by several lines.

Output

Print the least total price, or -1 if town n cannot be reached from town 1 at all.
"""


def _text(n: int, lines: list[tuple[int, int, int]]) -> str:
    rows = [f"{n} {len(lines)}", *(f"{a} {b} {p}" for a, b, p in lines)]
    return "\n".join(rows) + "\n"


def _random_network(rng: random.Random, n: int, m: int, price: int) -> str:
    lines = []
    for _ in range(m):
        a = rng.randint(1, n)
        b = rng.randint(1, n - 1)
        lines.append((a, b + (b >= a), rng.randint(1, price)))
    return _text(n, lines)


def _ladder(n: int, step_price: int, jump_price: int) -> str:
    """A path listed from its far end, with jumps over one town."""
    lines = []
    for town in range(n - 1, 0, -1):
        lines.append((town, town + 1, step_price))
        if town + 2 <= n:
            lines.append((town, town + 2, jump_price))
    return _text(n, lines)


def _hidden_inputs(rng: random.Random) -> Iterator[str]:
    yield "2 0\n"
    yield "2 1\n1 2 1000000\n"
    yield "3 1\n1 2 5\n"
    yield _text(4, [(1, 2, 7), (2, 4, 7), (1, 3, 1), (3, 4, 100), (1, 4, 9), (1, 4, 3)])
    yield _text(6, [(1, 2, 4), (2, 3, 4), (3, 6, 4), (1, 4, 1), (4, 5, 50), (5, 6, 1)])
    for n, m in [(3, 4), (4, 5), (5, 7), (6, 8), (7, 8), (8, 12), (9, 14), (10, 20)]:
        yield _random_network(rng, n, m, 10)
    for n, m in [(20, 30), (30, 60), (40, 50), (60, 150)]:
        yield _random_network(rng, n, m, 1000)
    yield _random_network(rng, 200, 500, 1000000)
    yield _random_network(rng, 600, 800, 100)
    yield _text(2000, [(i, i + 1, 1000000) for i in range(1, 2000)])
    yield _ladder(2000, 3, 7)
    yield _ladder(500, 1, 1)


PROBLEM = AuthoredProblem(
    id="one-free-ride",
    level="hard",
    tags=("graphs", "shortest paths", "heap"),
    statement=_STATEMENT,
    public_inputs=(
        "4 4\n1 2 10\n2 4 20\n1 3 18\n3 4 15\n",
        "3 2\n1 2 4\n2 1 3\n",
    ),
    hidden_inputs=_hidden_inputs,
    reference=(
        """import heapq
import sys


def main():
    data = list(map(int, sys.stdin.buffer.read().split()))
    n, m = data[0], data[1]
    adj = [[] for _ in range(n + 1)]
    for i in range(2, 2 + 3 * m, 3):
        a, b, p = data[i:i + 3]
        adj[a].append((b, p))
        adj[b].append((a, p))
    # state 2 * town + (1 if the coupon is spent)
    inf = float("inf")
    dist = [inf] * (2 * n + 2)
    dist[2] = 0
    heap = [(0, 2)]
    while heap:
        d, state = heapq.heappop(heap)
        if d > dist[state]:
            continue
        town, used = divmod(state, 2)
        for other, p in adj[town]:
            nxt = 2 * other + used
            if d + p < dist[nxt]:
                dist[nxt] = d + p
                heapq.heappush(heap, (d + p, nxt))
            if not used and d < dist[2 * other + 1]:
                dist[2 * other + 1] = d
                heapq.heappush(heap, (d, 2 * other + 1))
    best = min(dist[2 * n], dist[2 * n + 1])
    print(best if best < inf else -1)


main()
""",
        """from heapq import heappush, heappop

n, m = map(int, input().split())
lines = [tuple(map(int, input().split())) for _ in range(m)]
graph = {town: [] for town in range(1, n + 1)}
for a, b, p in lines:
    graph[a].append((p, b))
    graph[b].append((p, a))


def distances(start):
    done = {}
    heap = [(0, start)]
    while heap:
        d, town = heappop(heap)
        if town in done:
            continue
        done[town] = d
        for p, other in graph[town]:
            if other not in done:
                heappush(heap, (d + p, other))
    return done


front = distances(1)
if n not in front:
    print(-1)
else:
    back = distances(n)
    answer = front[n]
    for a, b, p in lines:
        if a in front and b in back:
            answer = min(answer, front[a] + back[b], front[b] + back[a])
    print(answer)
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""import heapq
import sys

# cheapest way, and the coupon goes to its dearest line
input = sys.stdin.readline
n, m = map(int, input().split())
adj = [[] for _ in range(n + 1)]
for _ in range(m):
    a, b, p = map(int, input().split())
    adj[a].append((b, p))
    adj[b].append((a, p))
best = {1: 0}
heap = [(0, 0, 1)]
answer = -1
while heap:
    total, dearest, town = heapq.heappop(heap)
    if town == n:
        answer = total + dearest
        break
    if total > best[town]:
        continue
    for other, p in adj[town]:
        if total + p < best.get(other, 10**18):
            best[other] = total + p
            heapq.heappush(heap, (total + p, min(dearest, -p), other))
print(answer)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""n, m = map(int, input().split())
lines = [tuple(map(int, input().split())) for _ in range(m)]
INF = 10**15
pay = [INF] * (n + 1)
free = [INF] * (n + 1)
pay[1] = free[1] = 0
changed = True
while changed:
    changed = False
    for a, b, p in lines:
        for x, y in ((a, b), (b, a)):
            if pay[x] + p < pay[y]:
                pay[y] = pay[x] + p
                changed = True
            now = min(free[x] + p, pay[x])
            if now < free[y]:
                free[y] = now
                changed = True
print(free[n] if free[n] < INF else -1)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""import heapq

n, m = map(int, input().split())
adj = {}
for _ in range(m):
    a, b, p = map(int, input().split())
    adj.setdefault(a, []).append((b, p))
    adj.setdefault(b, []).append((a, p))
seen = set()
heap = [(0, 1)]
while heap:
    d, town = heapq.heappop(heap)
    if town == n:
        print(d)
        exit()
    if town in seen:
        continue
    seen.add(town)
    for other, p in adj.get(town, []):
        heapq.heappush(heap, (d + p, other))
print(-1)
""",
        ),
    ),
    time_limit_s=1.0,
    memory_limit_mib=128,
)
