"""How few people must be told a rumour so that all hear it: sources of the condensed graph."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """Nobody talks, rings, rings that feed rings, random villages, a long chain and a long ring."""
    yield _village(1, [])
    yield _village(5, [])
    yield _village(3, [(1, 2), (2, 3), (3, 1)])
    yield _village(4, [(1, 2), (2, 1), (3, 4), (4, 3)])
    yield _village(4, [(1, 2), (2, 1), (2, 3), (3, 4), (4, 3)])
    yield _village(6, [(2, 1), (3, 1), (4, 5), (5, 4), (5, 6)])
    yield _village(3, [(3, 2), (2, 1)])
    for num_people, num_talks in (
        *((4, 4), (5, 5), (6, 6), (7, 7), (8, 9), (9, 9), (10, 12), (15, 15), (20, 25), (40, 40)),
        *((100, 110), (300, 300), (1000, 1100), (2000, 1800)),
    ):
        talks = [rng.sample(range(1, num_people + 1), 2) for _ in range(num_talks)]
        yield _village(num_people, [(a, b) for a, b in talks])
    yield _village(2000, [(i, i - 1) for i in range(2000, 1, -1)])
    yield _village(2000, [(i, i % 2000 + 1) for i in range(1, 2001)])


def _village(num_people: int, talks: list[tuple[int, int]]) -> str:
    return f"{num_people} {len(talks)}\n" + "".join(f"{a} {b}\n" for a, b in talks)


PROBLEM = AuthoredProblem(
    id="rumour-start",
    level="harder",
    tags=("graphs", "strongly connected components"),
    statement="""\
In a village of n people news travel by talk. There are m talks: "a b" means that person a tells \
person b everything he knows, again and again. It does not follow that b tells a anything.

You want everybody to hear a rumour. How many people must you tell it yourself, at least?

Input

The first line contains the integers n and m (1 <= n <= 2000, 0 <= m <= 2500). Each of the next m \
lines contains two different integers a and b between 1 and n. A line may come up several times.

Output

Print the smallest number of people that you have to tell the rumour.
""",
    public_inputs=("4 3\n1 2\n2 3\n4 3\n", "3 3\n1 2\n2 3\n1 3\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
n, m = map(int, input().split())
tells = [[] for _ in range(n + 1)]
for _ in range(m):
    a, b = map(int, input().split())
    tells[a].append(b)


def spread(start, seen, done):
    seen[start] = True
    stack = [(start, 0)]
    while stack:
        a, i = stack.pop()
        if i == len(tells[a]):
            done.append(a)
            continue
        stack.append((a, i + 1))
        b = tells[a][i]
        if not seen[b]:
            seen[b] = True
            stack.append((b, 0))


seen, done = [False] * (n + 1), []
for a in range(1, n + 1):
    if not seen[a]:
        spread(a, seen, done)
seen, told = [False] * (n + 1), 0
for a in reversed(done):
    if not seen[a]:
        told += 1
        spread(a, seen, [])
print(told)
""",
        """\
import sys
import threading


def main():
    n, m, *ends = map(int, sys.stdin.read().split())
    out = [[] for _ in range(n + 1)]
    for a, b in zip(ends[::2], ends[1::2]):
        out[a].append(b)
    number, low, group, stack = {}, {}, {}, []

    def visit(a):
        number[a] = low[a] = len(number)
        stack.append(a)
        for b in out[a]:
            if b not in number:
                visit(b)
            if b not in group:
                low[a] = min(low[a], low[b])
        if low[a] == number[a]:
            while a not in group:
                group[stack.pop()] = a

    for a in range(1, n + 1):
        if a not in number:
            visit(a)
    fed = {group[b] for a, b in zip(ends[::2], ends[1::2]) if group[a] != group[b]}
    print(len(set(group.values()) - fed))


sys.setrecursionlimit(10000)
threading.stack_size(64 << 20)
thread = threading.Thread(target=main)
thread.start()
thread.join()
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
n, m = map(int, input().split())
hears = set()
for _ in range(m):
    a, b = input().split()
    hears.add(b)
print(n - len(hears))
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.RUNTIME_ERROR,
            passes_public=True,
            source="""\
n, m = map(int, input().split())
tells = [[] for _ in range(n + 1)]
for _ in range(m):
    a, b = map(int, input().split())
    tells[a].append(b)


def visit(a):
    seen.add(a)
    for b in tells[a]:
        if b not in seen:
            visit(b)
    order.append(a)


seen, order = set(), []
for a in range(1, n + 1):
    if a not in seen:
        visit(a)
seen = set()
count = 0
for a in order[::-1]:
    if a not in seen:
        count += 1
        visit(a)
print(count)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
n, m = map(int, input().split())
group = list(range(n + 1))


def find(a):
    while group[a] != a:
        group[a] = group[group[a]]
        a = group[a]
    return a


for _ in range(m):
    a, b = map(int, input().split())
    group[find(a)] = find(b)
print(sum(find(a) == a for a in range(1, n + 1)))
""",
        ),
    ),
    time_limit_s=1.0,
)
