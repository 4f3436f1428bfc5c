"""The heaviest load of at most 32 trucks that a ferry can carry: meet in the middle."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict

_MAX_WEIGHT = 1_000_000_000_000


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """Nothing or everything fits, short random lists, then 32 trucks of several kinds."""
    yield _ferry(1, [1])
    yield _ferry(1, [2])
    yield _ferry(10, [20, 30, 11])
    yield _ferry(100, [20, 30, 11])
    yield _ferry(10, [6, 5, 5])
    yield _ferry(11, [6, 6, 6, 4, 4, 3])
    yield _ferry(50, [50, 49, 1])
    for num_trucks in (2, 3, 5, 6, 8, 9, 11, 12):
        weights = [rng.randint(1, 100) for _ in range(num_trucks)]
        yield _ferry(rng.randint(1, sum(weights)), weights)
    for num_trucks in (4, 10, 13):
        weights = [rng.randint(1, _MAX_WEIGHT) for _ in range(num_trucks)]
        yield _ferry(sum(weights) // 2, weights)
    for share in (2, 3, 5):
        weights = [rng.randint(_MAX_WEIGHT // 2, _MAX_WEIGHT) for _ in range(32)]
        yield _ferry(sum(weights) // share, weights)
    yield _ferry(16 * _MAX_WEIGHT - 1, [_MAX_WEIGHT] * 32)
    yield _ferry(32 * _MAX_WEIGHT, [_MAX_WEIGHT - i for i in range(32)])
    yield _ferry(2**31 - 2, [2**i for i in range(32)])
    yield _ferry(333_333_333_333, [3**i for i in range(25)])
    yield _ferry(1_000_001, [2 * rng.randint(1, 200_000) for _ in range(31)])


def _ferry(capacity: int, weights: list[int]) -> str:
    return f"{len(weights)} {capacity}\n{' '.join(map(str, weights))}\n"


PROBLEM = AuthoredProblem(
    id="ferry-load",
    level="hard",
    tags=("meet-in-the-middle", "bitmasks", "binary search", "two pointers"),
    statement="""\
At the landing stage n trucks wait for the last ferry of the day. The ferry carries at most c \
grams, and the captain is paid by weight: he wants to take trucks whose total weight is as large \
as possible, but not more than c. There is enough room on the deck for all of them, and their \
order does not matter.

What is the largest total weight that he can take on board? He may also have to sail without any \
truck.

Input

The first line contains two integers n and c (1 <= n <= 32, 1 <= c <= 32000000000000, that is 32 \
* 10^12).

The second line contains n integers between 1 and 1000000000000 (10^12): the weights of the \
trucks in grams.

Output

Print one integer: the largest total weight of trucks that does not exceed c, or 0 if every \
single truck is too heavy.
""",
    public_inputs=("4 20\n12 9 5 3\n", "3 5\n6 7 8\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
import sys


def all_sums(weights):
    sums = [0]
    for weight in weights:
        sums += [weight + total for total in sums]
    sums.sort()
    return sums


def main():
    n, capacity, *weights = map(int, sys.stdin.read().split())
    small = all_sums(weights[: n // 2])
    large = all_sums(weights[n // 2 :])
    j = len(large) - 1
    best = 0
    for total in small:
        if total > capacity:
            break
        while total + large[j] > capacity:
            j -= 1
        best = max(best, total + large[j])
    print(best)


main()
""",
        """\
from bisect import bisect_right

n, c = map(int, input().split())
trucks = list(map(int, input().split()))
halves = []
for half in (trucks[::2], trucks[1::2]):
    sums = {0}
    for truck in half:
        sums |= {s + truck for s in sums if s + truck <= c}
    halves.append(sums)
right = sorted(halves[1])
print(max(s + right[bisect_right(right, c - s) - 1] for s in halves[0]))
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
n, c = map(int, input().split())
trucks = sorted(map(int, input().split()), reverse=True)
best = 0
for start in range(n):
    load = 0
    for truck in trucks[start:]:
        if load + truck <= c:
            load += truck
    best = max(best, load)
print(best)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
n, c = map(int, input().split())
load = 0
for truck in sorted(map(int, input().split())):
    if load + truck <= c:
        load += truck
print(load)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""\
n, c = map(int, input().split())
trucks = list(map(int, input().split()))


def heaviest(i, free):
    if i == n:
        return 0
    best = heaviest(i + 1, free)
    if trucks[i] <= free:
        best = max(best, trucks[i] + heaviest(i + 1, free - trucks[i]))
    return best


print(heaviest(0, c))
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.MEMORY_LIMIT,
            passes_public=True,
            source="""\
n, c = map(int, input().split())
possible = [False] * (c + 1)
possible[0] = True
for truck in map(int, input().split()):
    for load in range(c, truck - 1, -1):
        if possible[load - truck]:
            possible[load] = True
print(max(load for load in range(c + 1) if possible[load]))
""",
        ),
    ),
)
