"""Best stretch inside a range with corrections: segment tree of maximum subarrays."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict

_STATEMENT = """\
The ledger of a market stall has one number for each of n days, the profit of that day (negative for
a loss). Two things happen to it, q times in all:

"C i x": the entry of day i turns out to be wrong and is corrected to x;
"Q l r": the owner asks how much she could have made if she had opened the stall on one unbroken run
of days only, all of them among the days l, l + 1, ..., r. The run has at least one day. The answer
is the largest possible sum of the profits on the days of the run, as the ledger says at this time.

Answer all the questions.

Input

The first line has two integers n and q (1 <= n <= 20000, 1 <= q <= 5000). The second line has n
integers between -1000000 and 1000000, the entries of days 1 to n. Each of the next q lines is
"C i x" (1 <= i <= n, -1000000 <= x <= 1000000) or "Q l r" (1 <= l <= r <= n). There is at least one
question.

Output

Print the answers to the questions in order, each on its own line.
"""


def _text(entries: list[int], events: list[str]) -> str:
    rows = [f"{len(entries)} {len(events)}", " ".join(map(str, entries)), *events]
    return "\n".join(rows) + "\n"


def _random_events(rng: random.Random, n: int, q: int, corrections: float, top: int) -> list[str]:
    events = []
    for _ in range(q - 1):
        if rng.random() < corrections:
            events.append(f"C {rng.randint(1, n)} {rng.randint(-top, top)}")
        else:
            left = rng.randint(1, n)
            events.append(f"Q {left} {rng.randint(left, n)}")
    return [*events, f"Q 1 {n}"]


def _random_ledger(rng: random.Random, n: int, q: int, corrections: float, top: int) -> str:
    entries = [rng.randint(-top, top) for _ in range(n)]
    return _text(entries, _random_events(rng, n, q, corrections, top))


def _hidden_inputs(rng: random.Random) -> Iterator[str]:
    yield _text([5], ["Q 1 1"])
    yield _text([-5, -3], ["Q 1 1", "Q 1 2", "C 2 -9", "Q 1 2"])
    yield _text([0, 0, 0], ["Q 2 3", "C 2 4", "Q 1 1", "Q 1 3"])
    yield _text([3, -1, 3, -7, 4], ["Q 1 5", "C 4 -1", "Q 1 5", "Q 2 4", "C 1 -1000000", "Q 1 2"])
    for n, q in [(1, 4), (2, 5), (3, 6), (4, 8), (5, 9), (6, 10), (7, 12), (8, 16), (9, 20)]:
        yield _random_ledger(rng, n, q, 0.5, 9)
    for n, q in [(16, 20), (17, 30), (33, 40), (100, 60)]:
        yield _random_ledger(rng, n, q, 0.4, 1000000)
    yield _random_ledger(rng, 500, 200, 0.4, 100)
    yield _text([i * i % 19 - 9 for i in range(20000)], ["Q 1 20000", "Q 2 19999"] * 2500)
    yield _text([-1 - i % 3 for i in range(20000)], ["C 9999 -1", "Q 3 19998"] * 2500)
    yield _text(
        [rng.randint(-9, 9) for _ in range(16384)], _random_events(rng, 16384, 1200, 0.5, 99)
    )
    yield _text([1000000] * 20000, ["Q 7 19990", "C 10000 -1000000"] * 2499 + ["Q 1 20000"])


PROBLEM = AuthoredProblem(
    id="market-ledger",
    level="hardest",
    tags=("segment tree", "maximum subarray"),
    statement=_STATEMENT,
    public_inputs=(
        "5 5\n2 -3 4 -1 2\nQ 1 5\nQ 1 2\nC 4 -6\nQ 1 5\nQ 3 5\n",
        "3 2\n-2 7 -4\nC 2 1\nQ 1 3\n",
    ),
    hidden_inputs=_hidden_inputs,
    reference=(
        """import sys


def main():
    read = sys.stdin.readline
    n, q = map(int, read().split())
    size = 1
    while size < n:
        size *= 2
    low = -10**12
    # a node is (sum, best start, best end, best run)
    nothing = (0, low, low, low)
    tree = [nothing] * (2 * size)

    def join(a, b):
        total, front, back, best = a
        total2, front2, back2, best2 = b
        if best2 > best:
            best = best2
        if back + front2 > best:
            best = back + front2
        if total + front2 > front:
            front = total + front2
        if total2 + back > back2:
            back2 = total2 + back
        return total + total2, front, back2, best

    for i, x in enumerate(map(int, read().split())):
        tree[size + i] = (x, x, x, x)
    for i in range(size - 1, 0, -1):
        tree[i] = join(tree[2 * i], tree[2 * i + 1])
    out = []
    for _ in range(q):
        kind, a, b = read().split()
        if kind == "C":
            i, x = size + int(a) - 1, int(b)
            tree[i] = (x, x, x, x)
            i >>= 1
            while i:
                tree[i] = join(tree[2 * i], tree[2 * i + 1])
                i >>= 1
        else:
            left, right = size + int(a) - 1, size + int(b)
            first = last = nothing
            while left < right:
                if left & 1:
                    first = join(first, tree[left])
                    left += 1
                if right & 1:
                    right -= 1
                    last = join(tree[right], last)
                left >>= 1
                right >>= 1
            out.append(join(first, last)[3])
    print("\\n".join(map(str, out)))


main()
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""n, q = map(int, input().split())
ledger = list(map(int, input().split()))
for _ in range(q):
    kind, a, b = input().split()
    a, b = int(a), int(b)
    if kind == "C":
        ledger[a - 1] = b
        continue
    best = run = ledger[a - 1]
    for i in range(a, b):
        run = max(run + ledger[i], ledger[i])
        best = max(best, run)
    print(best)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""import sys

tokens = sys.stdin.read().split()
n, q = int(tokens[0]), int(tokens[1])
a = [int(x) for x in tokens[2:2 + n]]
t = [(0, 0, 0, 0)] * (2 * n)


def join(x, y):
    return (
        x[0] + y[0],
        max(x[1], x[0] + y[1]),
        max(y[2], y[0] + x[2]),
        max(x[3], y[3], x[2] + y[1]),
    )


def leaf(x):
    return (x, max(x, 0), max(x, 0), max(x, 0))


for i in range(n):
    t[n + i] = leaf(a[i])
for i in range(n - 1, 0, -1):
    t[i] = join(t[2 * i], t[2 * i + 1])
events = iter(tokens[2 + n:])
for kind, u, v in zip(events, events, events):
    if kind == "C":
        i = n + int(u) - 1
        t[i] = leaf(int(v))
        while i > 1:
            i //= 2
            t[i] = join(t[2 * i], t[2 * i + 1])
    else:
        lo, hi = n + int(u) - 1, n + int(v)
        start = end = (0, 0, 0, 0)
        while lo < hi:
            if lo % 2:
                start = join(start, t[lo])
                lo += 1
            if hi % 2:
                hi -= 1
                end = join(t[hi], end)
            lo //= 2
            hi //= 2
        print(join(start, end)[3])
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""# prefix sums made once; corrections are forgotten
n, q = map(int, input().split())
a = list(map(int, input().split()))
for _ in range(q):
    kind, l, r = input().split()
    if kind == "Q":
        best = -10**18
        low = total = 0
        for x in a[int(l) - 1:int(r)]:
            total += x
            best = max(best, total - low)
            low = min(low, total)
        print(best)
""",
        ),
    ),
    time_limit_s=2.0,
    memory_limit_mib=128,
)
