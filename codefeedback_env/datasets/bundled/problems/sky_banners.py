"""Area covered by at least two of many rectangles: a sweep over compressed coordinates."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """One banner, equal and nested ones, shared sides, crosses, three layers, random skies."""
    top = 10**9
    yield _sky([(0, 0, 5, 5)])
    yield _sky([(0, 0, 5, 5)] * 2)
    yield _sky([(0, 0, 5, 5)] * 3)
    yield _sky([(0, 0, 9, 9), (2, 2, 4, 5), (4, 2, 6, 5)])
    yield _sky([(0, 0, 3, 3), (3, 0, 6, 3), (0, 3, 3, 6)])
    yield _sky([(-5, -1, 5, 1), (-1, -5, 1, 5), (-2, -2, 2, 2)])
    yield _sky([(-top, -top, top, top), (-top, 0, top, top), (0, -top, top, top)])
    yield _sky([(-top, i, top, i + 1) for i in range(30)] + [(i, 0, i + 1, 30) for i in range(30)])
    for num_banners, size, reach in (
        *((2, 6, 4), (3, 6, 4), (3, 8, 6), (4, 8, 5), (5, 10, 5), (6, 12, 6), (8, 20, 10)),
        *((10, 30, 9), (20, 60, 20), (40, 1000, 300), (60, top, top), (100, top, top // 3)),
        *((120, 50, 9),),
    ):
        banners = []
        for _ in range(num_banners):
            x, y = rng.randint(-size, size - 1), rng.randint(-size, size - 1)
            banners.append((x, y, min(size, x + rng.randint(1, reach)), y + rng.randint(1, reach)))
        yield _sky([(x, y, z, min(size, w)) for x, y, z, w in banners])


def _sky(banners: list[tuple[int, int, int, int]]) -> str:
    lines = "".join(" ".join(map(str, banner)) + "\n" for banner in banners)
    return f"{len(banners)}\n{lines}"


PROBLEM = AuthoredProblem(
    id="sky-banners",
    level="hardest",
    tags=("geometry", "sweep line", "coordinate compression"),
    statement="""\
On a windless day n thin banners hang in the air above a fair, all of them level and with their \
sides along the two axes of the town map. The cloth lets half of the light through, so where one \
banner is above the ground there is light shade. Where two or more are above each other it is \
dark.

How large is the dark part of the ground?

Input

The first line contains an integer n (1 <= n <= 120). Each of the next n lines describes a banner \
by the integers x1, y1, x2 and y2 (-1000000000 <= x1 < x2 <= 1000000000, and the same for y1 and \
y2): it covers the points between x1 and x2 in one direction and y1 and y2 in the other one.

Output

Print the area of the dark part.
""",
    public_inputs=("3\n0 0 4 4\n2 2 6 6\n3 5 7 8\n", "2\n0 0 2 2\n2 0 4 2\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
banners = [tuple(map(int, input().split())) for _ in range(int(input()))]
cuts = sorted({x for b in banners for x in (b[0], b[2])})
dark = 0
for left, right in zip(cuts, cuts[1:]):
    ends = []
    for x1, y1, x2, y2 in banners:
        if x1 <= left < x2:
            ends += [(y1, 1), (y2, -1)]
    ends.sort()
    layers = length = last = 0
    for y, change in ends:
        if layers > 1:
            length += y - last
        layers += change
        last = y
    dark += length * (right - left)
print(dark)
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
n = int(input())
b = [tuple(map(int, input().split())) for _ in range(n)]
dark = 0
for i in range(n):
    for j in range(i):
        width = min(b[i][2], b[j][2]) - max(b[i][0], b[j][0])
        height = min(b[i][3], b[j][3]) - max(b[i][1], b[j][1])
        if width > 0 and height > 0:
            dark += width * height
print(dark)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.MEMORY_LIMIT,
            passes_public=True,
            source="""\
n = int(input())
seen = bytearray()
b = [tuple(map(int, input().split())) for _ in range(n)]
left, low = min(x for x, _, _, _ in b), min(y for _, y, _, _ in b)
width = max(x for _, _, x, _ in b) - left
height = max(y for _, _, _, y in b) - low
layers = bytearray(width * height)
for x1, y1, x2, y2 in b:
    for x in range(x1 - left, x2 - left):
        for y in range(y1 - low, y2 - low):
            layers[x * height + y] += 1
print(sum(c > 1 for c in layers))
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
banners = [tuple(map(int, input().split())) for _ in range(int(input()))]
cuts = sorted({x for b in banners for x in (b[0], b[2])})
shade = 0
for left, right in zip(cuts, cuts[1:]):
    end = -10**10
    for x1, y1, x2, y2 in sorted(banners, key=lambda b: b[1]):
        if x1 <= left < x2 and y2 > end:
            shade += (right - left) * (y2 - max(y1, end))
            end = y2
total = sum((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in banners)
print(min(shade, total - shade) or shade)
""",
        ),
    ),
    time_limit_s=1.0,
    memory_limit_mib=128,
)
