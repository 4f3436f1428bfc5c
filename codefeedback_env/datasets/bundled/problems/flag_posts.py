"""Rope around flag posts: corners of the convex hull and twice its area."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """One post, lines in every direction, grids, posts on the rope, huge coordinates."""
    top = 10**9
    yield _posts([(3, 4)])
    yield _posts([(3, 4), (5, 1)])
    yield _posts([(0, 0), (2, 2), (1, 1), (5, 5)])
    yield _posts([(4, y) for y in (3, 1, 9, 5)])
    yield _posts([(x, -2) for x in (3, 1, 9)])
    yield _posts([(x, y) for x in range(4) for y in range(5)])
    yield _posts([(0, 0), (4, 0), (2, 0), (0, 4), (0, 1), (2, 2), (1, 1)])
    yield _posts([(-top, -top), (top, top), (-top, top), (top, -top), (0, top)])
    yield _posts([(-top, -top), (top, top), (0, 1), (top - 1, top - 1)])
    yield _posts([(0, 0), (top, top - 1), (top - 1, top - 2), (1, 1)])
    for num_posts, size in (
        *((3, 3), (4, 3), (5, 4), (6, 5), (8, 6), (10, 10), (20, 12), (50, 30), (100, 1000)),
        *((300, 30), (400, 10**6), (500, top)),
    ):
        posts = {(rng.randint(-size, size), rng.randint(-size, size)) for _ in range(num_posts)}
        yield _posts(rng.sample(sorted(posts), len(posts)))
    yield _posts([(x, x * x) for x in range(-150, 150)])


def _posts(posts: list[tuple[int, int]]) -> str:
    return f"{len(posts)}\n" + "".join(f"{x} {y}\n" for x, y in posts)


PROBLEM = AuthoredProblem(
    id="flag-posts",
    level="harder",
    tags=("geometry", "convex hull"),
    statement="""\
On a festival meadow stand n thin flag posts. A rope is laid on the ground around all of them and \
pulled tight. A post is a corner if the rope changes its direction there; posts that the rope just \
passes in a straight line are not corners. If all posts stand in one line, the rope runs along it \
to the last post and back, and the two posts at the ends are the corners. A single post is a \
corner too.

How many corners are there, and how large is the area inside the rope?

Input

The first line contains an integer n (1 <= n <= 500). Each of the next n lines contains two \
integers between -1000000000 and 1000000000, the coordinates of a post. No two posts stand at the \
same point.

Output

Print the number of corners and twice the area, which is an integer.
""",
    public_inputs=("5\n0 0\n4 0\n4 3\n0 3\n1 2\n", "4\n0 0\n6 0\n3 5\n2 2\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
n = int(input())
posts = sorted(tuple(map(int, input().split())) for _ in range(n))


def cross(o, a, b):
    return (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0])


def half(points):
    chain = []
    for p in points:
        while len(chain) > 1 and cross(chain[-2], chain[-1], p) <= 0:
            chain.pop()
        chain.append(p)
    return chain[:-1]


hull = half(posts) + half(posts[::-1]) if n > 1 else posts
twice = sum(a[0] * b[1] - a[1] * b[0] for a, b in zip(hull, hull[1:] + hull[:1]))
print(len(hull), twice)
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
n = int(input())
posts = sorted(tuple(map(int, input().split())) for _ in range(n))


def chain(points):
    out = []
    for x, y in points:
        while len(out) > 1:
            (a, b), (c, d) = out[-2:]
            if (c - a) * (y - b) - (d - b) * (x - a) >= 0:
                break
            out.pop()
        out.append((x, y))
    return out


hull = chain(posts)[:-1] + chain(posts[::-1])[:-1] or posts
twice = 0
for i in range(len(hull)):
    twice += hull[i - 1][0] * hull[i][1] - hull[i - 1][1] * hull[i][0]
print(len(hull), twice)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.RUNTIME_ERROR,
            passes_public=True,
            source="""\
n = int(input())
p = [tuple(map(int, input().split())) for _ in range(n)]
start = min(p)
hull = [start]
while True:
    o = hull[-1]
    best = next(q for q in p if q != o)
    for q in p:
        turn = (best[0] - o[0]) * (q[1] - o[1]) - (best[1] - o[1]) * (q[0] - o[0])
        far = abs(q[0] - o[0]) + abs(q[1] - o[1])
        if turn < 0 or turn == 0 and far > abs(best[0] - o[0]) + abs(best[1] - o[1]):
            best = q
    if best == start:
        break
    hull.append(best)
area = 0
for (a, b), (c, d) in zip(hull, hull[1:] + hull[:1]):
    area += a * d - b * c
print(len(hull), area)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
n = int(input())
posts = [tuple(map(int, input().split())) for _ in range(n)]
xs = [x for x, y in posts]
ys = [y for x, y in posts]
corners = [p for p in posts if p[0] in (min(xs), max(xs)) or p[1] in (min(ys), max(ys))]
print(len(corners), 2 * (max(xs) - min(xs)) * (max(ys) - min(ys)))
""",
        ),
    ),
    time_limit_s=1.0,
)
