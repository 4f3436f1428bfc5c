"""Count the rectangles of a given area and find the one with the shortest border."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """Small numbers and squares first, then primes, squares and smooth numbers near the bound."""
    for stamps in (1, 2, 3, 4, 6, 9, 16, 36, 60, 97, 100, 720, 1024, 5040):
        yield f"{stamps}\n"
    for _ in range(4):
        yield f"{rng.randint(1000, 60_000)}\n"
    yield "99999999977\n"
    yield "100000000000\n"
    yield f"{316_227**2}\n"
    yield f"{316_223 * 316_201}\n"
    yield "97772875200\n"
    yield f"{2 * 49_999_999_967}\n"
    yield f"{2**36}\n"
    for _ in range(4):
        yield f"{rng.randint(10**10, 10**11)}\n"


PROBLEM = AuthoredProblem(
    id="stamp-sheets",
    level="easy",
    tags=("math", "number theory", "brute force"),
    statement="""\
The post office prints stamps in rectangular sheets: a sheet of width w and height h holds \
exactly w * h square stamps, each with sides of one centimetre, in h full rows of w stamps. A \
collector orders a single sheet with exactly n stamps.

How many different sheets could she get, if a sheet and the same sheet turned by 90 degrees count \
as one? And since she wants to put a ribbon all around the sheet: what is the shortest possible \
border (perimeter) of such a sheet?

Input

One line with an integer n (1 <= n <= 100000000000, that is 10^11), the number of stamps.

Output

Print two integers separated by a space: the number of different sheets, and the shortest border \
in centimetres.
""",
    public_inputs=("12\n", "7\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
n = int(input())
sheets = 0
border = 0
width = 1
while width * width <= n:
    if n % width == 0:
        sheets += 1
        border = 2 * (width + n // width)
    width += 1
print(sheets, border)
""",
        """\
from math import isqrt

stamps = int(open(0).read())
widths = [w for w in range(1, isqrt(stamps) + 1) if stamps % w == 0]
print(len(widths), 2 * (widths[-1] + stamps // widths[-1]))
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
n = int(input())
divisors = 0
border = 2 * (n + 1)
width = 1
while width * width <= n:
    if n % width == 0:
        divisors += 2 if width * width < n else 1
        border = 2 * (width + n // width)
    width += 1
print(divisors // 2, border)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""\
n = int(input())
sheets = 0
border = 2 * n + 2
for width in range(1, n + 1):
    if n % width == 0 and width <= n // width:
        sheets += 1
        border = min(border, 2 * (width + n // width))
print(sheets, border)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.MEMORY_LIMIT,
            passes_public=True,
            source="""\
n = int(input())
numbers = list(range(1, n + 1))
widths = [w for w in numbers if n % w == 0 and w * w <= n]
print(len(widths), min(2 * (w + n // w) for w in widths))
""",
        ),
    ),
    time_limit_s=1.0,
)
