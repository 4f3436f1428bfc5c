"""Trees strictly inside a polygon with integer corners: area and points on the border."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """Triangles without trees, both directions, notches, staircases, huge polygons."""
    top = 10**9
    yield _polygon([(0, 0), (1, 0), (0, 1)])
    yield _polygon([(0, 0), (0, 1), (1, 0)])
    yield _polygon([(-3, -3), (3, -3), (3, 3), (-3, 3)])
    yield _polygon([(0, 0), (7, 3), (14, 6), (5, 9)])
    yield _polygon([(0, 0), (6, 0), (6, 6), (3, 1), (0, 6)])
    yield _polygon([(0, 0), (4, 0), (8, 0), (8, 4), (0, 4)])
    yield _polygon([(-top, -top), (top, -top), (top, top), (-top, top)])
    yield _polygon([(-top, -top), (top, 1 - top), (1 - top, top)])
    yield _polygon([(-top, top), (top, top - 1), (top - 2, -top), (3 - top, 5 - top)])
    yield _polygon([(0, 0), (top, top), (top - 1, top)])
    for num_steps, size in ((3, 3), (5, 9), (40, 50), (150, 10**6)):
        corners = [(0, 0)]
        for _ in range(num_steps):
            x, y = corners[-1]
            x += rng.randint(1, size)
            corners += [(x, y), (x, y + rng.randint(1, size))]
        yield _polygon([*corners, (0, corners[-1][1])])
    for num_corners, size in ((4, 5), (5, 9), (6, 20), (9, 100), (50, 1000), (200, 10**8)):
        # a roof of random heights over a level floor
        xs = sorted(rng.sample(range(size), min(num_corners, size)))
        roof = [(x, rng.randint(1, size)) for x in reversed(xs)]
        yield _polygon([(xs[0], -2), (xs[-1], -2), *roof])


def _polygon(corners: list[tuple[int, int]]) -> str:
    return f"{len(corners)}\n" + "".join(f"{x} {y}\n" for x, y in corners)


PROBLEM = AuthoredProblem(
    id="orchard-fence",
    level="hard",
    tags=("geometry", "number theory"),
    statement="""\
In an endless orchard a tree stands at every point of the plane whose two coordinates are \
integers. A farmer stretches a fence from tree to tree around a part of the orchard. The fence is \
a closed line of straight pieces that neither crosses nor touches itself, but neighbouring pieces \
may form one straight line.

How many trees are inside the fence? Trees that touch the fence do not count.

Input

The first line contains an integer n (3 <= n <= 400). Each of the next n lines contains the \
coordinates x and y of a corner of the fence, integers between -1000000000 and 1000000000, in the \
order in which the fence passes them, in either direction. The last corner is connected with the \
first one.

Output

Print the number of trees strictly inside the fence.
""",
    public_inputs=("4\n0 0\n4 0\n4 3\n0 3\n", "3\n1 1\n6 2\n3 6\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
from math import gcd

corners = [tuple(map(int, input().split())) for _ in range(int(input()))]
double_area = border = 0
for (a, b), (c, d) in zip(corners, corners[1:] + corners[:1]):
    double_area += a * d - b * c
    border += gcd(a - c, b - d)
print((abs(double_area) - border) // 2 + 1)
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
from math import gcd

n = int(input())
p = [list(map(int, input().split())) for _ in range(n)]
area = 0.0
border = 0
for i in range(n):
    (x1, y1), (x2, y2) = p[i - 1], p[i]
    area += (x1 * y2 - x2 * y1) / 2
    border += gcd(abs(x1 - x2), abs(y1 - y2))
print(int(abs(area) - border / 2 + 1))
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
from math import gcd

n = int(input())
p = [tuple(map(int, input().split())) for _ in range(n)]
twice = 0
border = 0
for i in range(n):
    x1, y1 = p[i]
    x2, y2 = p[(i + 1) % n]
    twice += x1 * y2 - x2 * y1
    border += gcd(x1 - x2, y1 - y2)
print((twice - border + 2) // 2)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""\
n = int(input())
p = [tuple(map(int, input().split())) for _ in range(n)]
edges = list(zip(p, p[1:] + p[:1]))


def inside(x, y):
    odd = False
    for (a, b), (c, d) in edges:
        cross = (c - a) * (y - b) - (d - b) * (x - a)
        if cross == 0 and min(a, c) <= x <= max(a, c) and min(b, d) <= y <= max(b, d):
            return False
        if (b > y) != (d > y) and (cross > 0) == (d > b):
            odd = not odd
    return odd


xs, ys = [x for x, _ in p], [y for _, y in p]
count = 0
for x in range(min(xs), max(xs) + 1):
    for y in range(min(ys), max(ys) + 1):
        count += inside(x, y)
print(count)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
n = int(input())
p = [tuple(map(int, input().split())) for _ in range(n)]
twice = sum(a * d - b * c for (a, b), (c, d) in zip(p, p[1:] + p[:1]))
print((abs(twice) - n) // 2 + 1)
""",
        ),
    ),
    time_limit_s=1.0,
)
