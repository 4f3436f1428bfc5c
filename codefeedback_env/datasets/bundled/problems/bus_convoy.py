"""Buses for huge groups, one seat of each taken by a guide: exact division of large integers."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict

_TOP = 10**18


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """No guests, full buses, one guest too many, numbers that floats cannot hold."""
    for guests, seats in ((0, 2), (0, 50), (1, 2), (1, 100), (98, 50), (49, 50), (50, 50), (7, 2)):
        yield f"{guests} {seats}\n"
    for guests, seats in ((_TOP, 2), (_TOP, 1000), (_TOP - 1, 4), (2**53 + 1, 3), (2**53 + 1, 2)):
        yield f"{guests} {seats}\n"
    for digits in (2, 3, 5, 8, 15, 16, 17, 18):
        yield f"{rng.randint(1, 10**digits)} {rng.randint(2, 1000)}\n"
    for seats in (8, 60, 333):
        yield f"{(seats - 1) * (_TOP // seats)} {seats}\n"
        yield f"{(seats - 1) * (_TOP // seats) + 1} {seats}\n"


PROBLEM = AuthoredProblem(
    id="bus-convoy",
    level="easy",
    tags=("math", "integer division"),
    statement="""\
An agency for star travel takes g guests to a comet in space buses. A bus has k seats for people. \
In every bus that flies, one seat is taken by a guide of the agency, and guides do not count as \
guests. The agency wants to send as few buses as possible.

How many buses fly, and how many of their seats stay empty?

Input

One line with the integers g and k (0 <= g <= 1000000000000000000 = 10^18, 2 <= k <= 1000).

Output

Print the number of buses and the number of empty seats in all of them together.
""",
    public_inputs=("10 5\n", "12 5\n", "7 4\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
g, k = map(int, input().split())
buses = -(-g // (k - 1))
print(buses, buses * (k - 1) - g)
""",
        """\
guests, seats = map(int, input().split())
full, rest = divmod(guests, seats - 1)
print(full + (rest > 0), seats - 1 - rest if rest else 0)
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
import math

g, k = map(int, input().split())
buses = math.ceil(g / (k - 1))
print(buses, buses * (k - 1) - g)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""\
g, k = map(int, input().split())
buses = 0
while g > 0:
    buses += 1
    g -= k - 1
print(buses, -g)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
g, k = map(int, input().split())
k -= 1
buses = g // k + 1
print(buses, buses * k - g)
""",
        ),
    ),
    time_limit_s=1.0,
)
