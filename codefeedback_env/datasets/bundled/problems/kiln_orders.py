"""As many jobs as possible before their deadlines: greedy with a heap."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict

_STATEMENT = """\
A potter has one kiln and n orders. Order i needs the kiln for d_i hours without a break and must
come out of it no later than t_i hours from now. The kiln is free now, fires one order at a time,
and can start the next order at the very moment the last one is done. The potter may refuse
orders, and fires the others in any sequence she likes. How many orders can she finish in time at
most?

Input

The first line has the integer n (1 <= n <= 10000). Each of the next n lines has two integers d_i
and t_i (1 <= d_i <= 100000, 1 <= t_i <= 1000000000).

Output

Print the largest number of orders that can be finished in time.
"""


def _text(orders: list[tuple[int, int]]) -> str:
    return "\n".join([str(len(orders)), *(f"{d} {t}" for d, t in orders)]) + "\n"


def _random_orders(rng: random.Random, n: int, longest: int, latest: int) -> str:
    return _text([(rng.randint(1, longest), rng.randint(1, latest)) for _ in range(n)])


def _hidden_inputs(rng: random.Random) -> Iterator[str]:
    yield "1\n1 1\n"
    yield "1\n100000 1000000000\n"
    yield "3\n1 1\n1 1\n1 1\n"
    yield "4\n2 3\n2 4\n1 5\n3 5\n"
    yield "3\n5 5\n2 6\n2 6\n"
    yield "4\n3 9\n3 9\n4 4\n3 10\n"
    for n, longest, latest in [(2, 5, 6), (3, 5, 9), (4, 6, 12), (5, 8, 20), (6, 9, 25)]:
        yield _random_orders(rng, n, longest, latest)
        yield _random_orders(rng, n + 3, longest, latest)
    yield "2\n4 3\n2 2\n"
    for n, longest, latest in [(30, 20, 150), (80, 1000, 20000), (200, 100000, 2000000)]:
        yield _random_orders(rng, n, longest, latest)
    yield _random_orders(rng, 1000, 9, 2000)
    yield _text([(1, 10000)] * 10000)
    yield _text([(1 + i // 100, 5000 * (1 + i // 100)) for i in range(10000)])
    yield _text([(100 - i // 100, 10000 + 1000 * (i // 100)) for i in range(10000)])
    yield _text([(1 + i * i % 7, 100 * (1 + i % 100)) for i in range(10000)])
    yield _text([(100000, 1000000000)] * 10000)


PROBLEM = AuthoredProblem(
    id="kiln-orders",
    level="hard",
    tags=("greedy", "heap", "scheduling"),
    statement=_STATEMENT,
    public_inputs=(
        "4\n2 2\n3 6\n1 3\n4 7\n",
        "2\n1 2\n5 4\n",
    ),
    hidden_inputs=_hidden_inputs,
    reference=(
        """import heapq
import sys

data = list(map(int, sys.stdin.buffer.read().split()))
orders = sorted(zip(data[2::2], data[1::2]))
accepted = []  # durations, the longest first
total = 0
for deadline, duration in orders:
    heapq.heappush(accepted, -duration)
    total += duration
    if total > deadline:
        total += heapq.heappop(accepted)
print(len(accepted))
""",
        """from dataclasses import dataclass
from heapq import heappush, heapreplace


@dataclass
class Order:
    hours: int
    due: int


n = int(input())
orders = [Order(*map(int, input().split())) for _ in range(n)]
orders.sort(key=lambda o: o.due)
busy = 0
heap: list[int] = []
for order in orders:
    if busy + order.hours <= order.due:
        busy += order.hours
        heappush(heap, -order.hours)
    elif heap and -heap[0] > order.hours:
        busy += order.hours + heapreplace(heap, -order.hours)
print(len(heap))
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""n = int(input())
orders = [tuple(map(int, input().split())) for _ in range(n)]
orders.sort(key=lambda order: order[1])
clock = done = 0
for d, t in orders:
    if clock + d <= t:
        clock += d
        done += 1
print(done)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.RUNTIME_ERROR,
            passes_public=True,
            source="""import heapq
import sys

orders = []
for line in sys.stdin.readlines()[1:]:
    d, t = map(int, line.split())
    orders.append((t, d))
orders.sort()
heap = []
clock = 0
for t, d in orders:
    if clock + d <= t:
        heapq.heappush(heap, -d)
        clock += d
    elif -heap[0] > d:
        clock += d + heapq.heapreplace(heap, -d)
print(len(heap))
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""n = int(input())
orders = []
for _ in range(n):
    d, t = map(int, input().split())
    orders.append((t, d))
orders.sort()
# early[k]: earliest hour at which k orders can be done
early = [0]
for t, d in orders:
    early.append(10**18)
    for k in range(len(early) - 1, 0, -1):
        end = early[k - 1] + d
        if end <= t and end < early[k]:
            early[k] = end
    if early[-1] == 10**18:
        early.pop()
print(len(early) - 1)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""n = int(input())
orders = sorted(tuple(map(int, input().split())) for _ in range(n))
clock = 0
answer = 0
for d, t in orders:  # short orders first
    if clock + d <= t:
        clock += d
        answer += 1
print(answer)
""",
        ),
    ),
    time_limit_s=1.0,
    memory_limit_mib=128,
)
