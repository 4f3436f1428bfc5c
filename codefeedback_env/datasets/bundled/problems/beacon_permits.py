"""Heaviest set of tree nodes at pairwise distance three or more: tree DP on deep trees."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict

_STATEMENT = """\
The n huts of a ski area, numbered 1 to n, are joined by n - 1 paths so that exactly one way leads
from any hut to any other: hut 1 is at the bottom, and every other hut i has a path down to hut p_i.
A radio beacon may be put up in some of the huts. A beacon in hut i brings in v_i coins, but two
beacons disturb each other if the way between their huts has fewer than three paths: neither two
huts joined by a path nor two huts that are both joined to a third hut may both have beacons. Which
profit is possible at most?

Input

The first line has the integer n (1 <= n <= 3000). The second line has n integers v_1 ... v_n
(1 <= v_i <= 1000000). The third line has n - 1 integers p_2 ... p_n (1 <= p_i <= n); p_i may be
larger or smaller than i. Following the paths down from any hut leads to hut 1. If n = 1, the third
line is empty.

Output

Print the largest possible sum of coins.
"""


def _text(values: list[int], parents: list[int]) -> str:
    return f"{len(values)}\n{' '.join(map(str, values))}\n{' '.join(map(str, parents))}\n"


def _random_area(rng: random.Random, n: int, reach: int, top: int) -> str:
    """Hut i hangs on one of the ``reach`` huts before it; then huts 2 to n are renumbered."""
    values = [rng.randint(1, top) for _ in range(n)]
    new_name = list(range(2, n + 1))
    rng.shuffle(new_name)
    new_name = [0, 1, *new_name]
    parents = [0] * (n + 1)
    for i in range(2, n + 1):
        parents[new_name[i]] = new_name[rng.randint(max(1, i - reach), i - 1)]
    return _text(values, parents[2:])


def _hidden_inputs(rng: random.Random) -> Iterator[str]:
    yield "1\n7\n\n"
    yield "2\n3 3\n1\n"
    yield "3\n1 1 1\n1 2\n"
    yield "3\n1 5 5\n1 1\n"
    yield "4\n2 9 9 2\n1 2 3\n"
    yield "4\n2 9 9 2\n3 4 1\n"
    yield "7\n5 1 1 4 4 4 4\n1 1 2 2 3 3\n"
    for n in (4, 5, 5, 6, 6, 7, 8):
        yield _random_area(rng, n, n, 9)
    for n in (6, 7, 8):
        yield _random_area(rng, n, 2, 20)
    yield _text([rng.randint(1, 9) for _ in range(60)], list(range(1, 60)))
    yield _random_area(rng, 200, 200, 1000000)
    yield _random_area(rng, 300, 3, 1000)
    yield _text([rng.randint(1, 9) for _ in range(3000)], [*range(3, 3001), 1])
    yield _text([1 + i * i % 7 for i in range(3000)], list(range(1, 3000)))
    yield _text([1000000] * 3000, [1] * 2999)
    yield _text([rng.randint(1, 9) for _ in range(3000)], [max(1, i // 2) for i in range(2, 3001)])
    yield _text([1 + i % 10 for i in range(3000)], [max(1, i - 1 - i % 4) for i in range(2, 3001)])


PROBLEM = AuthoredProblem(
    id="beacon-permits",
    level="harder",
    tags=("trees", "dynamic programming", "recursion"),
    statement=_STATEMENT,
    public_inputs=(
        "5\n1 6 2 8 3\n1 2 3 4\n",
        "6\n9 4 4 4 4 4\n1 1 1 1 1\n",
    ),
    hidden_inputs=_hidden_inputs,
    reference=(
        """import sys
import threading


def main():
    n = int(sys.stdin.readline())
    value = [0] + list(map(int, sys.stdin.readline().split()))
    above = [[] for _ in range(n + 1)]
    for i, p in enumerate(map(int, sys.stdin.readline().split()), 2):
        above[p].append(i)

    def best(hut):
        \"\"\"Profit with a beacon here, in one hut right above, and in neither.\"\"\"
        here, neither, gain = value[hut], 0, float("-inf")
        for nxt in above[hut]:
            with_, child, none = best(nxt)
            here += none
            quiet = max(child, none)
            neither += quiet
            gain = max(gain, with_ - quiet)
        return here, neither + gain, neither

    print(max(best(1)))


sys.setrecursionlimit(30000)
threading.stack_size(64 << 20)
t = threading.Thread(target=main)
t.start()
t.join()
""",
        """n = int(input())
value = list(map(int, input().split()))
children = [[] for _ in range(n)]
if n > 1:
    for i, p in enumerate(input().split()):
        children[int(p) - 1].append(i + 1)
order = [0]
for hut in order:
    order.extend(children[hut])
here, child, none = value[:], [-1] * n, [0] * n
for hut in reversed(order):
    quiet = [max(child[c], none[c]) for c in children[hut]]
    none[hut] = sum(quiet)
    here[hut] += sum(none[c] for c in children[hut])
    if quiet:
        child[hut] = none[hut] + max(here[c] - q for c, q in zip(children[hut], quiet))
print(max(here[0], child[0], none[0]))
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.RUNTIME_ERROR,
            passes_public=True,
            source="""from collections import defaultdict

n = int(input())
v = list(map(int, input().split()))
up = defaultdict(list)
for i, p in enumerate(map(int, input().split())):
    up[p].append(i + 2)


def solve(x):
    results = [solve(y) for y in up[x]]
    quiet = sum(max(b, c) for a, b, c in results)
    with_beacon = v[x - 1] + sum(c for a, b, c in results)
    above = max((quiet + a - max(b, c) for a, b, c in results), default=0)
    return with_beacon, above, quiet


print(max(solve(1)))
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""import sys

data = list(map(int, sys.stdin.read().split()))
n = data[0]
value = [0] + data[1:n + 1]
above = {i: [] for i in range(1, n + 1)}
for i, p in zip(range(2, n + 1), data[n + 1:]):
    above[p].append(i)


def here(x):
    return value[x] + sum(neither(y) for y in above[x])


def neither(x):
    return sum(quiet(y) for y in above[x])


def quiet(x):
    return max(neither(x), one_above(x))


def one_above(x):
    best = 0
    for y in above[x]:
        others = sum(quiet(z) for z in above[x] if z != y)
        best = max(best, here(y) + others)
    return best


print(max(here(1), quiet(1)))
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""# dear huts first
n = int(input())
value = list(map(int, input().split()))
near = [set() for _ in range(n)]
for i, p in enumerate(input().split() if n > 1 else [], 1):
    near[i].add(int(p) - 1)
    near[int(p) - 1].add(i)
blocked = set()
total = 0
for hut in sorted(range(n), key=lambda h: -value[h]):
    if hut not in blocked:
        total += value[hut]
        blocked.add(hut)
        for a in near[hut]:
            blocked.add(a)
            blocked |= near[a]
print(total)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""import sys

sys.setrecursionlimit(30000)
n = int(input())
value = list(map(int, input().split()))
up = [[] for _ in range(n + 1)]
for i, p in enumerate(map(int, input().split()), 2):
    up[p].append(i)


def solve(hut):
    take, skip = value[hut - 1], 0
    for other in up[hut]:
        t, s = solve(other)
        take += s
        skip += max(t, s)
    return take, skip


print(max(solve(1)))
""",
        ),
    ),
    time_limit_s=1.0,
    memory_limit_mib=256,
)
