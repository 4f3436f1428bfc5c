"""Fewest canals to close so that no boat gets from the harbour to the castle: minimum cut."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """No way at all, parallel canals, bottlenecks in the middle, random networks."""
    yield _canals(2, [])
    yield _canals(2, [(1, 2), (2, 1), (1, 2)])
    yield _canals(3, [(1, 2), (1, 2), (2, 3)])
    # the shortest way blocks both others
    yield _canals(6, [(1, 2), (2, 3), (3, 6), (1, 4), (4, 3), (2, 5), (5, 6)])
    yield _canals(7, [(1, 2), (1, 3), (2, 4), (3, 4), (4, 5), (4, 6), (5, 7), (6, 7), (4, 7)])
    triangles = [(1, 2), (1, 3), (2, 3), (3, 4), (4, 5), (4, 6), (5, 6)]
    yield _canals(6, triangles)
    yield _canals(6, [*triangles, (1, 4), (2, 5)])
    for num_lakes, num_canals in (
        *((4, 5), (4, 6), (5, 7), (5, 8), (6, 9), (6, 10), (7, 11), (8, 13), (9, 14), (10, 18)),
        *((15, 30), (20, 60), (40, 90), (60, 150), (60, 300)),
    ):
        ends = [rng.sample(range(1, num_lakes + 1), 2) for _ in range(num_canals)]
        yield _canals(num_lakes, [(a, b) for a, b in ends])
    grid = [(8 * i + j, 8 * i + j + 1) for i in range(7) for j in range(1, 8)]
    grid += [(8 * i + j, 8 * i + j + 8) for i in range(6) for j in range(1, 9)]
    yield _canals(56, grid)


def _canals(num_lakes: int, canals: list[tuple[int, int]]) -> str:
    return f"{num_lakes} {len(canals)}\n" + "".join(f"{a} {b}\n" for a, b in canals)


PROBLEM = AuthoredProblem(
    id="canal-closing",
    level="harder",
    tags=("graphs", "flows"),
    statement="""\
The lakes of a country have the numbers 1 to n and are connected by m canals, on which boats go in \
both directions. Two lakes may be connected by several canals. The harbour lies at lake 1 and the \
royal castle at lake n. The king wants his quiet, so canals are to be closed until no boat can get \
from the harbour to the castle.

What is the smallest number of canals that have to be closed?

Input

The first line contains the integers n and m (2 <= n <= 60, 0 <= m <= 300). Each of the next m \
lines contains two different integers between 1 and n, the lakes at the ends of a canal.

Output

Print the smallest number of canals.
""",
    public_inputs=(
        "4 4\n1 2\n1 3\n2 4\n3 4\n",
        "5 6\n1 2\n1 3\n2 3\n3 4\n4 5\n3 5\n",
        "3 5\n1 2\n2 3\n1 2\n2 3\n2 3\n",
    ),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
from collections import deque

n, m = map(int, input().split())
room = [[0] * (n + 1) for _ in range(n + 1)]
for _ in range(m):
    a, b = map(int, input().split())
    room[a][b] += 1
    room[b][a] += 1
flow = 0
while True:
    came = {1: 0}
    queue = deque([1])
    while queue and n not in came:
        a = queue.popleft()
        for b in range(1, n + 1):
            if room[a][b] and b not in came:
                came[b] = a
                queue.append(b)
    if n not in came:
        break
    flow += 1
    b = n
    while b != 1:
        a = came[b]
        room[a][b] -= 1
        room[b][a] += 1
        b = a
print(flow)
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
# shortest ways without common canals, one after the other
from collections import deque

n, m = map(int, input().split())
near = [[] for _ in range(n + 1)]
for i in range(m):
    a, b = map(int, input().split())
    near[a].append((b, i))
    near[b].append((a, i))
used = set()
ways = 0
while True:
    came = {1: None}
    queue = deque([1])
    while queue:
        a = queue.popleft()
        for b, i in near[a]:
            if i not in used and b not in came:
                came[b] = (a, i)
                queue.append(b)
    if n not in came:
        break
    ways += 1
    b = n
    while b != 1:
        b, i = came[b]
        used.add(i)
print(ways)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
n, m = map(int, input().split())
degree = [0] * (n + 1)
for _ in range(m):
    a, b = map(int, input().split())
    degree[a] += 1
    degree[b] += 1
print(min(degree[1], degree[n]))
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
from collections import deque

n, m = map(int, input().split())
room = {}
for _ in range(m):
    a, b = map(int, input().split())
    room[a, b] = room[b, a] = 1
flow = 0
while True:
    came = {1: 0}
    queue = deque([1])
    while queue:
        a = queue.popleft()
        for b in range(1, n + 1):
            if room.get((a, b)) and b not in came:
                came[b] = a
                queue.append(b)
    if n not in came:
        break
    flow += 1
    b = n
    while b != 1:
        a = came[b]
        room[a, b] -= 1
        room[b, a] += 1
        b = a
print(flow)
""",
        ),
    ),
    time_limit_s=1.0,
)
