"""A mowing robot that skips moves over the fence: where does it stand in the end?"""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """Tiny gardens, narrow ones in both directions, turns only, random programs."""
    yield from ("1 1\nF\n", "1 1\nLFRF\n", "1 5\nFFFFFF\n", "5 1\nFRFFFFFF\n", "2 2\nL\n")
    yield from ("3 4\nRFFFFLFFFFFLFFFFFLFF\n", "4 3\nFFFFRFFFFF\n", "9 9\nLLLLL\n", "9 9\nRRR\n")
    for width, height in ((2, 3), (3, 2), (4, 4), (1, 9), (9, 1), (3, 20), (20, 3), (100, 100)):
        for length in (15, 400):
            steps = "".join(rng.choices("FLR", weights=(3, 1, 1), k=length))
            yield f"{width} {height}\n{steps}\n"


PROBLEM = AuthoredProblem(
    id="garden-robot",
    level="easy",
    tags=("simulation", "implementation"),
    statement="""\
A mowing robot works in a rectangular garden of square plots, w plots from west to east and h \
plots from south to north. Plot (1, 1) is in the south-west corner, plot (w, h) in the north-east \
corner. In the morning the robot stands on plot (1, 1) and looks north.

Its program is a string of letters: F moves it to the next plot in the direction in which it \
looks, L turns it to the left and R to the right by a quarter, without moving. There is a fence \
around the garden: a letter F that would take the robot out of the garden is skipped.

Input

The first line contains the integers w and h (1 <= w, h <= 100). The second line contains the \
program, 1 to 400 letters F, L and R.

Output

Print the plot on which the robot stops, first its number from the west, then from the south, and \
the direction in which it looks then: N, E, S or W. Separate them by spaces.
""",
    public_inputs=("4 4\nFFRFFFR\n", "5 5\nFRFFLFRR\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
w, h = map(int, input().split())
x, y, d = 1, 1, 0
for c in input().strip():
    if c == "R":
        d = (d + 1) % 4
    elif c == "L":
        d = (d - 1) % 4
    else:
        x = min(w, max(1, x + (0, 1, 0, -1)[d]))
        y = min(h, max(1, y + (1, 0, -1, 0)[d]))
print(x, y, "NESW"[d])
""",
        """\
w, h = map(int, input().split())
place, step = 1 + 1j, 1j
for c in input():
    if c in "LR":
        step *= 1j if c == "L" else -1j
    elif c == "F":
        there = place + step
        if 1 <= there.real <= w and 1 <= there.imag <= h:
            place = there
print(int(place.real), int(place.imag), {1j: "N", 1: "E", -1j: "S", -1: "W"}[step])
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
h, w = map(int, input().split())
x = y = 1
names = "NESW"
d = 0
for c in input():
    if c == "L":
        d = (d + 3) % 4
    if c == "R":
        d = (d + 1) % 4
    if c == "F":
        nx = x + [0, 1, 0, -1][d]
        ny = y + [1, 0, -1, 0][d]
        if 1 <= nx <= w and 1 <= ny <= h:
            x, y = nx, ny
print(x, y, names[d])
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
w, h = map(int, input().split())
x = y = 1
d = 0
for c in input():
    if c == "L":
        d -= 1
    if c == "R":
        d += 1
    if c == "F":
        x += [0, 1, 0, -1][d % 4]
        y += [1, 0, -1, 0][d % 4]
print(min(max(x, 1), w), min(max(y, 1), h), "NESW"[d % 4])
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
w, h = map(int, input().split())
x = y = 1
dx, dy = 0, 1
for c in input():
    if c == "L":
        dx, dy = dy, -dx
    elif c == "R":
        dx, dy = -dy, dx
    elif 0 < x + dx <= w and 0 < y + dy <= h:
        x += dx
        y += dy
print(x, y, {(0, 1): "N", (1, 0): "E", (0, -1): "S", (-1, 0): "W"}[dx, dy])
""",
        ),
    ),
    time_limit_s=1.0,
)
