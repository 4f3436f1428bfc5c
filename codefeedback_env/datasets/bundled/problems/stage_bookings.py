"""Choose bookings of a stage that do not overlap and bring in the most."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """One booking, touching and nested ones, small random ones, long chains."""
    yield _bookings([(3, 4, 7)])
    yield _bookings([(1, 5, 3), (5, 9, 3)])
    yield _bookings([(0, 10, 9), (0, 3, 4), (3, 6, 4), (6, 10, 4)])
    yield _bookings([(0, 10, 13), (0, 3, 4), (3, 6, 4), (6, 10, 4)])
    yield _bookings([(1, 2, 1), (1, 2, 5), (1, 2, 3)])
    yield _bookings([(4, 6, 5), (1, 5, 4), (5, 9, 4)])
    for num_bookings, length, pay in (
        *((3, 8, 9), (4, 8, 9), (5, 10, 20), (6, 10, 9), (7, 12, 20), (8, 15, 9), (10, 12, 9)),
        *((12, 24, 50), (20, 40, 50), (40, 60, 9), (100, 300, 1000), (300, 10**9, 10**6)),
    ):
        bookings = []
        for _ in range(num_bookings):
            a, b = sorted(rng.sample(range(length), 2))
            bookings.append((a, b, rng.randint(1, pay)))
        yield _bookings(bookings)
    chain = [(i, i + 2, 3 + i % 4) for i in range(600)]
    rng.shuffle(chain)
    yield _bookings(chain)
    yield _bookings([(2 * i, 2 * i + 1, 7) for i in range(600)])
    yield _bookings([(i, i + 1, 10**6) for i in range(599)] + [(0, 599, 598 * 10**6)])


def _bookings(bookings: list[tuple[int, int, int]]) -> str:
    return f"{len(bookings)}\n" + "".join(f"{a} {b} {pay}\n" for a, b, pay in bookings)


PROBLEM = AuthoredProblem(
    id="stage-bookings",
    level="hard",
    tags=("dynamic programming", "binary search", "intervals"),
    statement="""\
The open air stage of a town can be booked by anybody. There are n requests for next summer: the \
i-th troupe wants the stage from hour a_i to hour b_i and pays v_i coins. Only one troupe at a \
time fits on the stage, and a request is accepted as a whole or not at all. One troupe may begin \
at the very hour at which the one before it ends.

What is the most that the town can earn?

Input

The first line contains an integer n (1 <= n <= 600). The i-th of the next n lines contains the \
integers a_i, b_i and v_i (0 <= a_i < b_i <= 1000000000, 1 <= v_i <= 1000000).

Output

Print the largest possible sum of coins.
""",
    public_inputs=("3\n1 3 5\n4 7 6\n2 5 8\n", "2\n0 4 3\n2 6 5\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
from bisect import bisect_right

n = int(input())
requests = sorted((b, a, v) for a, b, v in (map(int, input().split()) for _ in range(n)))
ends = [b for b, _, _ in requests]
best = [0]
for i, (b, a, v) in enumerate(requests):
    best.append(max(best[i], best[bisect_right(ends, a, 0, i)] + v))
print(best[n])
""",
        """\
import sys

data = list(map(int, sys.stdin.read().split()))[1:]
hours = sorted(set(data[0::3]) | set(data[1::3]))
index = {hour: i for i, hour in enumerate(hours)}
starting = [[] for _ in hours]
for a, b, v in zip(data[0::3], data[1::3], data[2::3]):
    starting[index[a]].append((index[b], v))
earned = [0] * (len(hours) + 1)
for i in range(len(hours)):
    earned[i] = max(earned[i], earned[i - 1] if i else 0)
    for j, v in starting[i]:
        earned[j] = max(earned[j], earned[i] + v)
print(max(earned))
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
from bisect import bisect_left

n = int(input())
requests = [tuple(map(int, input().split())) for _ in range(n)]
requests.sort(key=lambda r: r[1])
ends = [r[1] for r in requests]
best = [0] * (n + 1)
for i, (a, b, v) in enumerate(requests):
    best[i + 1] = max(best[i], best[bisect_left(ends, a, 0, i)] + v)
print(best[-1])
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""\
import sys

sys.setrecursionlimit(10000)
n = int(input())
requests = sorted(tuple(map(int, input().split())) for _ in range(n))


def best(i, free_from):
    while i < n and requests[i][0] < free_from:
        i += 1
    if i == n:
        return 0
    a, b, v = requests[i]
    return max(best(i + 1, b) + v, best(i + 1, free_from))


print(best(0, 0))
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=False,
            source="""\
n = int(input())
requests = [tuple(map(int, input().split())) for _ in range(n)]
requests.sort(key=lambda r: -r[2])
taken = []
for a, b, v in requests:
    if all(b <= c or d <= a for c, d, _ in taken):
        taken.append((a, b, v))
print(sum(v for _, _, v in taken))
""",
        ),
    ),
    time_limit_s=1.0,
)
