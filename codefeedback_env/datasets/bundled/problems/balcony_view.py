"""How far each house of a street looks to the right before a house as high as itself."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """Rising, falling and level streets, random ones, and a long one."""
    yield _street([4])
    yield _street([2, 2])
    yield _street([1, 2, 3, 4, 5])
    yield _street([5, 4, 3, 2, 1])
    yield _street([3, 1, 2, 1, 3, 1])
    yield _street([10, 9, 11])
    yield _street([7] * 9)
    for length, top in ((3, 2), (4, 3), (5, 9), (6, 3), (8, 4), (10, 99), (15, 5), (30, 10)):
        yield _street([rng.randint(1, top) for _ in range(length)])
    for length in (100, 500, 1000):
        yield _street([rng.randint(1, 10**9) for _ in range(length)])
    yield _street([1 + (-i) % 50 for i in range(2000)])
    yield _street([1000 - i // 2 for i in range(1000)])
    yield _street([20000 - i for i in range(12000)])


def _street(heights: list[int]) -> str:
    return f"{len(heights)}\n{' '.join(map(str, heights))}\n"


PROBLEM = AuthoredProblem(
    id="balcony-view",
    level="medium",
    tags=("stack", "data structures"),
    statement="""\
Every house in a street has a balcony on its roof. From there one looks along the street to the \
right. The view reaches up to the first house that is at least as high as one's own; that house \
can still be seen, but nothing behind it. So somebody on a roof sees all lower houses up to this \
house, and the house itself. Where there is no such house, all houses to the right are seen.

How many houses are seen from all balconies together?

Input

The first line contains an integer n (1 <= n <= 12000), the number of houses. The second line \
contains n integers between 1 and 1000000000, the heights of the houses from left to right.

Output

Print the sum of the numbers of seen houses over all balconies.
""",
    public_inputs=("5\n4 2 3 5 1\n", "4\n6 1 2 3\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
n = int(input())
total = 0
waiting = []
for i, height in enumerate(map(int, input().split())):
    while waiting and waiting[-1][0] <= height:
        total += i - waiting.pop()[1]
    waiting.append((height, i))
print(total + sum(n - 1 - i for _, i in waiting))
""",
        """\
n = int(input())
height = list(map(int, input().split()))
wall = [n] * n
for i in range(n - 2, -1, -1):
    j = i + 1
    while j < n and height[j] < height[i]:
        j = wall[j]
    wall[i] = j
print(sum(min(w, n - 1) - i for i, w in enumerate(wall)))
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
n = int(input())
total = 0
stack = []
for i, h in enumerate(map(int, input().split())):
    while stack and stack[-1][0] < h:
        total += i - stack.pop()[1]
    stack.append((h, i))
while stack:
    total += n - 1 - stack.pop()[1]
print(total)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""\
n = int(input())
houses = list(map(int, input().split()))
seen = 0
for i in range(n):
    for j in range(i + 1, n):
        seen += 1
        if houses[j] >= houses[i]:
            break
print(seen)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
n = int(input())
h = list(map(int, input().split()))
total = 0
stack = []
for i in range(n):
    while stack and h[stack[-1]] <= h[i]:
        total += i - stack.pop()
    stack.append(i)
print(total)
""",
        ),
    ),
    time_limit_s=1.0,
)
