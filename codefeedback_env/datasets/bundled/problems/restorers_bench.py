"""Weighted tardiness with precedence: DP over subsets and the smallest optimal order."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict

_STATEMENT = """\
A restorer has n paintings on her list, numbered 1 to n. Painting i takes d_i days of work, is due
at the end of day t_i, and costs a fine of f_i coins for every day it is late: if it is finished at
the end of day c, the fine is f_i * max(0, c - t_i). She starts at the beginning of day 1, works on
one painting at a time, finishes each painting she started before she begins another, and takes no
days off. So if she works in the order x_1, ..., x_n, painting x_j is finished at the end of day
d_(x_1) + ... + d_(x_j).

Besides, m rules must be kept: a rule "a b" says that painting a must be finished before work on
painting b begins, because the varnish of a is tried out for b.

Find the least possible sum of all fines, and among all orders that keep the rules and reach that
sum the lexicographically smallest one: the one with the smallest x_1, among these the one with the
smallest x_2, and so on.

Input

The first line has two integers n and m (1 <= n <= 15, 0 <= m <= 50). Each of the next n lines has
three integers d_i, t_i and f_i (1 <= d_i <= 1000, 1 <= t_i <= 20000, 0 <= f_i <= 1000). Each of
the next m lines has two integers a and b (1 <= a, b <= n, a != b): a rule. A rule may be repeated.
At least one order keeps all the rules.

Output

Print the least sum of fines on the first line and the n numbers x_1, ..., x_n on the second line,
separated by spaces.
"""


def _text(jobs: list[tuple[int, int, int]], rules: list[tuple[int, int]]) -> str:
    rows = [f"{len(jobs)} {len(rules)}"]
    rows += [f"{d} {t} {f}" for d, t, f in jobs]
    rows += [f"{a} {b}" for a, b in rules]
    return "\n".join(rows) + "\n"


def _random_list(rng: random.Random, n: int, num_rules: int, top: int) -> str:
    jobs = []
    for _ in range(n):
        d = rng.randint(1, top)
        jobs.append((d, rng.randint(1, max(1, n * top // 3)), rng.randint(0, top)))
    order = list(range(1, n + 1))
    rng.shuffle(order)
    rules = []
    for _ in range(num_rules if n > 1 else 0):
        i = rng.randint(0, n - 2)
        rules.append((order[i], order[rng.randint(i + 1, n - 1)]))
    return _text(jobs, rules)


def _hidden_inputs(rng: random.Random) -> Iterator[str]:
    yield _text([(5, 2, 10)], [])
    yield _text([(1, 1, 0)], [])
    yield _text([(1, 20000, 1), (1, 20000, 1), (1, 20000, 1)], [])
    yield _text([(3, 3, 5), (3, 3, 5)], [(2, 1)])
    yield _text([(2, 9, 1), (2, 9, 1), (5, 5, 9), (3, 3, 1)], [])
    yield _text([(4, 4, 1), (1, 1, 1), (2, 2, 9)], [(1, 3), (1, 3)])
    for n, num_rules, top in [(3, 0, 6), (3, 1, 6), (4, 0, 4), (4, 2, 9), (5, 0, 9), (5, 3, 3)]:
        yield _random_list(rng, n, num_rules, top)
    for n, num_rules, top in [(6, 0, 3), (6, 5, 20), (7, 0, 20), (7, 6, 4)]:
        yield _random_list(rng, n, num_rules, top)
    yield _text([(3, 4, 2), (2, 2, 1), (3, 4, 2)], [])
    yield _text([(2, 4, 0), (1, 4, 1), (1, 2, 1), (4, 20, 3)], [(2, 4)])
    yield _random_list(rng, 15, 0, 1000)
    yield _random_list(rng, 15, 0, 3)
    yield _random_list(rng, 15, 6, 9)
    yield _random_list(rng, 15, 50, 1000)
    yield _text([(1000, 1, 1000)] * 15, [])
    yield _text([(1, 20000, 1000)] * 15, [(i + 1, i) for i in range(1, 15)])


PROBLEM = AuthoredProblem(
    id="restorers-bench",
    level="hardest",
    tags=("dynamic programming", "subsets", "scheduling"),
    statement=_STATEMENT,
    public_inputs=(
        "3 0\n4 4 1\n2 3 10\n1 9 3\n",
        "3 1\n2 2 1\n2 3 2\n1 5 7\n3 1\n",
    ),
    hidden_inputs=_hidden_inputs,
    reference=(
        """import sys


def main():
    data = list(map(int, sys.stdin.read().split()))
    n, m = data[:2]
    jobs = [data[2 + 3 * i:5 + 3 * i] for i in range(n)]
    needs = [0] * n
    rest = data[2 + 3 * n:]
    for a, b in zip(rest[::2], rest[1::2]):
        needs[b - 1] |= 1 << (a - 1)
    full = (1 << n) - 1
    days = [0] * (full + 1)
    for done in range(1, full + 1):
        low = done & -done
        days[done] = days[done ^ low] + jobs[low.bit_length() - 1][0]
    infinite = 10**15
    # least fines still to come when the paintings in `done` are finished
    fines = [infinite] * (full + 1)
    pick = [-1] * (full + 1)
    fines[full] = 0
    table = [(i, 1 << i, *jobs[i], needs[i]) for i in range(n)]
    for done in range(full - 1, -1, -1):
        best = infinite
        now = days[done]
        for i, bit, d, due, fine, need in table:
            if done & bit or need & ~done:
                continue
            cost = fines[done | bit]
            late = now + d - due
            if late > 0:
                cost += fine * late
            if cost < best:
                best = cost
                pick[done] = i
        fines[done] = best
    print(fines[0])
    order = []
    done = 0
    while done != full:
        order.append(pick[done] + 1)
        done |= 1 << pick[done]
    print(*order)


main()
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""from itertools import permutations

n, m = map(int, input().split())
jobs = [tuple(map(int, input().split())) for _ in range(n)]
rules = [tuple(map(int, input().split())) for _ in range(m)]
best = None
for order in permutations(range(1, n + 1)):
    if any(order.index(a) > order.index(b) for a, b in rules):
        continue
    day = fines = 0
    for x in order:
        d, t, f = jobs[x - 1]
        day += d
        fines += f * max(0, day - t)
    if best is None or (fines, order) < best:
        best = (fines, order)
print(best[0])
print(*best[1])
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""n, m = map(int, input().split())
jobs = [tuple(map(int, input().split())) for _ in range(n)]
need = [0] * n
for _ in range(m):
    a, b = map(int, input().split())
    need[b - 1] |= 1 << (a - 1)
# forwards: least fines and the order for every set of finished paintings
best = {0: (0, ())}
for done in range(1 << n):
    if done not in best:
        continue
    fines, order = best[done]
    day = sum(jobs[i][0] for i in range(n) if done >> i & 1)
    for i in range(n):
        if done >> i & 1 or need[i] & ~done:
            continue
        d, t, f = jobs[i]
        total = fines + f * max(0, day + d - t)
        after = done | 1 << i
        if after not in best or total < best[after][0]:
            best[after] = (total, order + (i + 1,))
fines, order = best[(1 << n) - 1]
print(fines)
print(*order)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""import heapq

# always the free painting that is due first, the dearest of these
n, m = map(int, input().split())
jobs = [list(map(int, input().split())) for _ in range(n)]
after = [[] for _ in range(n)]
waiting = [0] * n
for _ in range(m):
    a, b = map(int, input().split())
    after[a - 1].append(b - 1)
    waiting[b - 1] += 1
heap = [(jobs[i][1], -jobs[i][2], i) for i in range(n) if waiting[i] == 0]
heapq.heapify(heap)
day = fines = 0
order = []
while heap:
    due, fine, i = heapq.heappop(heap)
    order.append(i + 1)
    day += jobs[i][0]
    fines -= fine * max(0, day - due)
    for j in after[i]:
        waiting[j] -= 1
        if waiting[j] == 0:
            heapq.heappush(heap, (jobs[j][1], -jobs[j][2], j))
print(fines)
print(*order)
""",
        ),
    ),
    time_limit_s=2.0,
    memory_limit_mib=256,
)
