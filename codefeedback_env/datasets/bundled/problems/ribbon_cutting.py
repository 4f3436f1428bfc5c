"""The largest length of k equal pieces that can be cut from given ribbons."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """One ribbon, equal ribbons, tiny pieces, random ribbons; large answers come last."""
    for num_pieces in (1, 3, 7, 100_000):
        yield _ribbons(num_pieces, [10])
    yield _ribbons(2, [10, 1])
    yield _ribbons(3, [9, 9, 9])
    yield _ribbons(4, [9, 9, 9])
    yield _ribbons(5, [1, 2, 3])
    for num_ribbons in (2, 3, 4, 6, 10, 25):
        lengths = [rng.randint(1, 40) for _ in range(num_ribbons)]
        yield _ribbons(rng.randint(1, 3 * num_ribbons), lengths)
        yield _ribbons(rng.randint(1, 100), lengths)
    yield _ribbons(100_000, [1] * 1000)
    yield _ribbons(99_999, [1_000_000] * 500 + [1] * 500)
    yield _ribbons(100_000, [rng.randint(1, 1000) for _ in range(1000)])
    yield _ribbons(1, [1_000_000])
    yield _ribbons(7, [999_999, 500_000])
    yield _ribbons(1234, [rng.randint(500_000, 1_000_000) for _ in range(1000)])
    yield _ribbons(997, [rng.randint(1, 1_000_000) for _ in range(1000)])


def _ribbons(num_pieces: int, lengths: list[int]) -> str:
    return f"{len(lengths)} {num_pieces}\n{' '.join(map(str, lengths))}\n"


PROBLEM = AuthoredProblem(
    id="ribbon-cutting",
    level="medium",
    tags=("binary search", "greedy"),
    statement="""\
For a parade k children need ribbons of exactly the same length. The school has n ribbons of \
various lengths. They can be cut into pieces at any place, not only at whole centimetres, but \
pieces cannot be sewn together. What is left over is thrown away.

How long can the ribbons of the children be at most?

Input

The first line contains two integers n and k (1 <= n <= 1000, 1 <= k <= 100000), the number of \
ribbons and of children.

The second line contains n integers between 1 and 1000000, the lengths of the ribbons in \
centimetres.

Output

Print the largest possible length in centimetres. An absolute or relative error of at most 1e-6 \
is accepted.
""",
    public_inputs=("2 5\n8 5\n", "1 2\n7\n", "3 2\n4 16 3\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
n, k = map(int, input().split())
lengths = list(map(int, input().split()))
low, high = 0.0, 1e6 + 1
for _ in range(70):
    middle = (low + high) / 2
    if sum(int(length / middle) for length in lengths) >= k:
        low = middle
    else:
        high = middle
print(f"{low:.10f}")
""",
        """\
import heapq
import sys

n, k, *lengths = map(int, sys.stdin.read().split())
heap = [(-length, length, 1) for length in lengths]
heapq.heapify(heap)
for _ in range(k - 1):
    _, length, parts = heap[0]
    heapq.heapreplace(heap, (-length / (parts + 1), length, parts + 1))
print("%.9f" % -heap[0][0])
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
n, k = map(int, input().split())
lengths = list(map(int, input().split()))
print(min(max(lengths), sum(lengths) / k))
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
n, k = map(int, input().split())
lengths = [int(x) for x in input().split()]
low, high = 0, max(lengths) + 0.0
while high - low > 1e-4:
    middle = (low + high) / 2
    if sum(length // middle for length in lengths) >= k:
        low = middle
    else:
        high = middle
print(round(high, 3))
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""\
n, k = map(int, input().split())
lengths = list(map(int, input().split()))


def enough(size):
    return sum(length // size for length in lengths) >= k


low, high = 0.0, max(lengths) + 1.0
while high - low > 1e-12:
    middle = (low + high) / 2
    if enough(middle):
        low = middle
    else:
        high = middle
print(low)
""",
        ),
    ),
)
