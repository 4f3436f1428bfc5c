"""Number of islands at several water levels, over a map of heights."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """Single cells, chessboards, plateaus, rings, random maps of few and many heights, a snake."""
    yield _map([[5]], [4, 5, 6, 0])
    yield _map([[1, 0, 1], [0, 1, 0], [1, 0, 1]], [0, 1])
    yield _map([[3] * 6] * 2, [2, 3, 4])
    yield _map([[4, 4, 4], [4, 1, 4], [4, 4, 4]], [3, 1, 0])
    yield _map([[9, 1, 9, 1, 9]], [8, 0, 1, 9])
    yield _map([[9], [1], [9], [2]], [5, 1, 2])
    for height, width, top in (
        *((2, 3, 3), (3, 2, 3), (3, 3, 4), (3, 4, 5), (4, 4, 3), (5, 5, 9), (5, 7, 2)),
        *((8, 8, 9), (1, 30, 9), (30, 1, 9), (12, 15, 9), (20, 20, 40), (40, 40, 9)),
    ):
        rows = [[rng.randint(0, top) for _ in range(width)] for _ in range(height)]
        yield _map(rows, [rng.randint(0, top) for _ in range(min(2 * top, 30))])
    snake = [[9] * 50 if i % 2 == 0 else [0] * 50 for i in range(50)]
    for i in range(1, 50, 2):
        snake[i][-1 if i % 4 == 1 else 0] = 8
    yield _map(snake, [3, 8, 9])


def _map(rows: list[list[int]], levels: list[int]) -> str:
    lines = [[len(rows), len(rows[0]), len(levels)], *rows, levels]
    return "".join(" ".join(map(str, line)) + "\n" for line in lines)


PROBLEM = AuthoredProblem(
    id="tide-islands",
    level="hard",
    tags=("grid", "union-find", "depth-first search"),
    statement="""\
The map of a mud flat is a grid of square cells, each with a height. When the water stands at \
level w, exactly the cells with a height greater than w are dry. Dry cells that share a side \
belong to the same island; cells that touch only at a corner do not belong together because of \
that.

For several water levels, count the islands.

Input

The first line contains the integers h, w and q (1 <= h, w <= 50, 1 <= q <= 30): rows and columns \
of the map and the number of levels. Each of the next h lines contains w integers between 0 and \
1000, the heights of a row. The last line contains q integers between 0 and 1000, the levels.

Output

Print the numbers of islands for the levels in the order of the input, one on a line.
""",
    public_inputs=(
        "3 4 3\n5 2 3 1\n4 2 2 1\n1 1 3 9\n2 0 9\n",
        "2 3 2\n7 1 7\n6 6 6\n5 0\n",
    ),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
h, w, q = map(int, input().split())
flat = []
for _ in range(h):
    flat += list(map(int, input().split()))
levels = list(map(int, input().split()))
parent = list(range(h * w))


def find(a):
    while parent[a] != a:
        parent[a] = parent[parent[a]]
        a = parent[a]
    return a


order = sorted(range(h * w), key=lambda c: flat[c])
dry = [False] * (h * w)
islands = {}
count = 0
for level in sorted(set(levels), reverse=True):
    while order and flat[order[-1]] > level:
        c = order.pop()
        dry[c] = True
        count += 1
        near = []
        if c % w:
            near.append(c - 1)
        if c % w < w - 1:
            near.append(c + 1)
        near += [c - w, c + w]
        for d in near:
            if 0 <= d < h * w and dry[d]:
                a, b = find(c), find(d)
                if a != b:
                    parent[a] = b
                    count -= 1
    islands[level] = count
for level in levels:
    print(islands[level])
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.RUNTIME_ERROR,
            passes_public=True,
            source="""\
h, w, q = map(int, input().split())
a = [list(map(int, input().split())) for _ in range(h)]


def drown(i, j, dry):
    if 0 <= i < h and 0 <= j < w and dry[i][j]:
        dry[i][j] = False
        drown(i - 1, j, dry)
        drown(i + 1, j, dry)
        drown(i, j - 1, dry)
        drown(i, j + 1, dry)


for level in map(int, input().split()):
    dry = [[x > level for x in row] for row in a]
    islands = 0
    for i in range(h):
        for j in range(w):
            if dry[i][j]:
                islands += 1
                drown(i, j, dry)
    print(islands)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
h, w, q = map(int, input().split())
cells = []
for _ in range(h):
    cells += map(int, input().split())
for level in map(int, input().split()):
    dry = {i for i, x in enumerate(cells) if x > level}
    islands = 0
    while dry:
        islands += 1
        stack = [dry.pop()]
        while stack:
            c = stack.pop()
            for d in (c - 1, c + 1, c - w, c + w):
                if d in dry:
                    dry.remove(d)
                    stack.append(d)
    print(islands)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
h, w, q = map(int, input().split())
a = [list(map(int, input().split())) for _ in range(h)]
for level in map(int, input().split()):
    dry = {(i, j) for i in range(h) for j in range(w) if a[i][j] >= level}
    islands = 0
    while dry:
        islands += 1
        stack = [dry.pop()]
        while stack:
            i, j = stack.pop()
            for cell in ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)):
                if cell in dry:
                    dry.remove(cell)
                    stack.append(cell)
    print(islands)
""",
        ),
    ),
    time_limit_s=1.0,
)
