"""Topological order, any valid one accepted."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict

_STATEMENT = """\
A wardrobe comes in a flat box with n assembly steps, numbered 1 to n, and a sheet of m remarks.
Each remark says "step a has to be finished before step b is started". The steps are done one
after the other. Find an order of all steps that respects every remark, or find out that the sheet
contradicts itself.

Input

The first line has two integers n and m (1 <= n <= 3000, 0 <= m <= 6000). Each of the next m
lines has two integers a and b (1 <= a, b <= n, a != b): step a comes before step b. The same
remark may be repeated.

Output

Print the numbers of all n steps in an order that respects every remark, separated by spaces. If
several orders do, print any one of them. If no order does, print the single word IMPOSSIBLE.
"""


def _text(n: int, remarks: list[tuple[int, int]]) -> str:
    rows = [f"{n} {len(remarks)}", *(f"{a} {b}" for a, b in remarks)]
    return "\n".join(rows) + "\n"


def _random_sheet(rng: random.Random, n: int, m: int, num_backward: int) -> str:
    """Remarks along a hidden order, the last ``num_backward`` of them against it."""
    order = list(range(1, n + 1))
    rng.shuffle(order)
    remarks = []
    for i in range(m):
        first = rng.randint(0, n - 2)
        second = rng.randint(first + 1, n - 1)
        if i >= m - num_backward:
            first, second = second, first
        remarks.append((order[first], order[second]))
    rng.shuffle(remarks)
    return _text(n, remarks)


def _hidden_inputs(rng: random.Random) -> Iterator[str]:
    yield "1 0\n"
    yield "2 1\n2 1\n"
    yield "2 2\n1 2\n2 1\n"
    yield "5 0\n"
    yield _text(3, [(3, 1), (3, 1), (1, 2)])
    yield _text(6, [(1, 2), (2, 3), (4, 5), (5, 6), (6, 4)])
    for n, m in [(4, 3), (5, 6), (6, 9), (7, 7), (8, 12), (10, 20)]:
        yield _random_sheet(rng, n, m, 0)
        yield _random_sheet(rng, n, m, 1)
    yield _random_sheet(rng, 60, 200, 0)
    yield _random_sheet(rng, 60, 200, 1)
    yield _random_sheet(rng, 400, 600, 0)
    yield _random_sheet(rng, 300, 300, 1)
    yield _text(400, [(1, i) for i in range(2, 401)])
    chain = [(i + 1, i) for i in range(2999, 0, -1)]
    yield _text(3000, [*chain, *[(3000, 1)] * 3000])
    yield _text(1500, [*chain[-1499:], (1, 1500)])


PROBLEM = AuthoredProblem(
    id="assembly-manual",
    level="hard",
    tags=("graphs", "topological order"),
    statement=_STATEMENT,
    public_inputs=(
        "5 4\n2 1\n1 4\n3 4\n4 5\n",
        "3 3\n1 2\n2 3\n3 1\n",
    ),
    hidden_inputs=_hidden_inputs,
    checker="topological-order",
    reference=(
        """import sys
from collections import deque

data = list(map(int, sys.stdin.buffer.read().split()))
n, m = data[:2]
after = [[] for _ in range(n + 1)]
waiting = [0] * (n + 1)
for a, b in zip(data[2::2], data[3::2]):
    after[a].append(b)
    waiting[b] += 1
ready = deque(s for s in range(1, n + 1) if waiting[s] == 0)
order = []
while ready:
    step = ready.popleft()
    order.append(step)
    for nxt in after[step]:
        waiting[nxt] -= 1
        if waiting[nxt] == 0:
            ready.append(nxt)
print(*order) if len(order) == n else print("IMPOSSIBLE")
""",
        """import sys
import threading


def main():
    read = sys.stdin.readline
    n, m = map(int, read().split())
    before = [[] for _ in range(n + 1)]
    for _ in range(m):
        a, b = map(int, read().split())
        before[b].append(a)
    state = [0] * (n + 1)
    order = []

    def visit(step):
        state[step] = 1
        for other in before[step]:
            if state[other] == 1 or (state[other] == 0 and not visit(other)):
                return False
        state[step] = 2
        order.append(step)
        return True

    for step in range(1, n + 1):
        if state[step] == 0 and not visit(step):
            print("IMPOSSIBLE")
            return
    print(" ".join(map(str, order)))


sys.setrecursionlimit(20000)
threading.stack_size(64 * 1024 * 1024)
worker = threading.Thread(target=main)
worker.start()
worker.join()
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.RUNTIME_ERROR,
            passes_public=True,
            source="""n, m = map(int, input().split())
before = [[] for _ in range(n + 1)]
for _ in range(m):
    a, b = map(int, input().split())
    before[b].append(a)
OPEN, DONE = 1, 2
state = {}
order = []


def visit(step):
    if state.get(step) == OPEN:
        print("IMPOSSIBLE")
        raise SystemExit
    if step in state:
        return
    state[step] = OPEN
    for other in before[step]:
        visit(other)
    state[step] = DONE
    order.append(step)


for step in range(1, n + 1):
    visit(step)
print(*order)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""import sys

lines = sys.stdin.read().splitlines()
n, m = map(int, lines[0].split())
remarks = [tuple(map(int, line.split())) for line in lines[1:m + 1]]
done = set()
order = []
while len(order) < n:
    blocked = [b for a, b in remarks if a not in done]
    batch = [s for s in range(1, n + 1) if s not in done and s not in blocked]
    if not batch:
        print("IMPOSSIBLE")
        sys.exit()
    order.extend(batch)
    done.update(batch)
print(*order)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""n, m = map(int, input().split())
after = [[] for _ in range(n + 1)]
count = [0] * (n + 1)
for _ in range(m):
    a, b = map(int, input().split())
    after[a].append(b)
    count[b] += 1
todo = [s for s in range(1, n + 1) if not count[s]]
for s in todo:
    for t in after[s]:
        count[t] -= 1
        if count[t] == 0:
            todo.append(t)
print(*todo)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""# breadth first from the free steps: a step is listed when it is first seen
n, m = map(int, input().split())
after = {s: [] for s in range(1, n + 1)}
has_before = set()
for _ in range(m):
    a, b = map(int, input().split())
    after[a].append(b)
    has_before.add(b)
order = [s for s in after if s not in has_before]
seen = set(order)
for s in order:
    for t in after[s]:
        if t not in seen:
            seen.add(t)
            order.append(t)
if len(order) < n:
    print("IMPOSSIBLE")
else:
    print(*order)
""",
        ),
    ),
    time_limit_s=1.0,
    memory_limit_mib=128,
)
