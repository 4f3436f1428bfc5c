"""Tilings of a floor with pillars by dominoes: dynamic programming over a broken profile."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """Single tiles, full floors, odd floors, chessboards without corners, random pillars."""
    yield _floor(["."])
    yield _floor(["#"])
    yield _floor([".", "."])
    yield _floor(["#.", ".#"])
    yield _floor([".#", "#."])
    yield _floor(["..", "..", "##"])
    yield _floor(["...", ".#.", "..."])
    yield _floor(["#..", "...", "..#"])
    for height, width in ((4, 4), (4, 6), (6, 5), (8, 8), (3, 9), (10, 10), (9, 10), (1, 8)):
        yield _floor(["." * width] * height)
    for height, width in ((4, 5), (5, 6), (6, 6), (7, 8), (8, 9), (9, 9), (10, 10), (10, 8)):
        # cutting dominoes out of a full floor leaves one that can be tiled
        floor = [["."] * width for _ in range(height)]
        for _ in range(rng.randint(1, 4)):
            i, j = rng.randrange(height), rng.randrange(width - 1)
            if floor[i][j] == floor[i][j + 1] == ".":
                floor[i][j] = floor[i][j + 1] = "#"
        yield _floor(["".join(row) for row in floor])


def _floor(rows: list[str]) -> str:
    return f"{len(rows)} {len(rows[0])}\n" + "".join(row + "\n" for row in rows)


PROBLEM = AuthoredProblem(
    id="domino-floor",
    level="hardest",
    tags=("dynamic programming", "bitmasks", "counting"),
    statement="""\
The floor of a hall is to be laid with slabs. The floor is a grid of h rows and w columns of \
squares; some squares hold a pillar. A slab covers exactly two squares with a common side. Slabs \
may lie along or across, they may not overlap, stick out of the hall or lie on a pillar, and in \
the end every square without a pillar must be covered.

In how many ways can the floor be laid? Ways that are mirror images of each other count separately.

Input

The first line contains the integers h and w (1 <= h, w <= 10). Each of the next h lines contains \
w characters: . is a free square, # is a pillar.

Output

Print the number of ways. If every square holds a pillar, there is exactly one way.
""",
    public_inputs=("2 3\n...\n...\n", "3 3\n...\n...\n..#\n", "1 3\n...\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
h, w = map(int, input().split())
# bit j: the next square to visit in column j is covered already
ways = {0: 1}
for _ in range(h):
    row = input().strip()
    for j, square in enumerate(row):
        bit = 1 << j
        new = {}
        for mask, number in ways.items():
            if square == "#":
                after = [] if mask & bit else [mask]
            elif mask & bit:
                after = [mask ^ bit]
            else:
                after = [mask | bit]
                if j + 1 < w and row[j + 1] == "." and not mask & bit << 1:
                    after.append(mask | bit << 1)
            for m in after:
                new[m] = new.get(m, 0) + number
        ways = new
print(ways.get(0, 0))
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
h, w = map(int, input().split())
floor = "".join(input().strip() for _ in range(h))
ways = {0: 1}
for i, square in enumerate(floor):
    new = {}
    for mask, number in ways.items():
        # bit k: the square i + k is covered already
        if square == "#" or mask & 1:
            new[mask >> 1] = new.get(mask >> 1, 0) + number
            continue
        if i + w < len(floor) and floor[i + w] == ".":
            m = (mask | 1 << w) >> 1
            new[m] = new.get(m, 0) + number
        if (i + 1) % w and not mask & 2:
            m = (mask | 2) >> 1
            new[m] = new.get(m, 0) + number
    ways = new
print(ways.get(0, 0))
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""\
h, w = map(int, input().split())
free = set()
for i in range(h):
    for j, c in enumerate(input()):
        if c == ".":
            free.add((i, j))


def count():
    if not free:
        return 1
    i, j = min(free)
    total = 0
    for other in ((i, j + 1), (i + 1, j)):
        if other in free:
            free.difference_update([(i, j), other])
            total += count()
            free.update([(i, j), other])
    return total


print(count())
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
h, w = map(int, input().split())
rows = [input() for _ in range(h)]
a, b = 1, 1
for _ in range(max(h, w)):
    a, b = b, a + b
free = sum(row.count(".") for row in rows)
print(0 if free % 2 else a)
""",
        ),
    ),
    time_limit_s=1.0,
)
