"""When do the marks of several gears meet? Congruences whose moduli have common factors."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """One gear, marks up already, contradictions, common factors, large wheels."""
    yield _gears([(1, 0)])
    yield _gears([(10**9, 10**9 - 1)])
    yield _gears([(5, 0), (7, 0), (9, 0)])
    yield _gears([(4, 1), (6, 2)])
    yield _gears([(4, 3), (6, 5)])
    yield _gears([(12, 7), (12, 7)])
    yield _gears([(12, 7), (12, 8)])
    yield _gears([(8, 3), (4, 3), (2, 1)])
    yield _gears([(10**9, 17), (999999999, 5), (999999998, 7)])
    yield _gears([(999999937, 1), (999999929, 2)])
    yield _gears([(p, p - 1) for p in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29)])
    for num_gears, top, fair in (
        *((2, 10, True), (2, 12, True), (2, 12, False), (3, 12, True), (3, 15, False)),
        *((3, 30, True), (4, 60, True), (5, 100, True), (5, 1000, False), (8, 10**4, True)),
        *((10, 10**6, True), (10, 10**9, True), (10, 10**9, False)),
    ):
        moment = rng.randint(0, 10**18)
        sizes = [rng.randint(2, top) for _ in range(num_gears)]
        yield _gears([(size, (moment if fair else rng.randint(0, top)) % size) for size in sizes])


def _gears(gears: list[tuple[int, int]]) -> str:
    return f"{len(gears)}\n" + "".join(f"{size} {mark}\n" for size, mark in gears)


PROBLEM = AuthoredProblem(
    id="gear-marks",
    level="hardest",
    tags=("number theory", "chinese remainder theorem"),
    statement="""\
The works of a tower clock have n gears. Gear i has m_i teeth, numbered 0 to m_i - 1, and one of \
them, number r_i, carries a red mark. At the start tooth 0 of every gear is on top. With every \
tick each gear turns by one tooth, so that after tick t tooth number t mod m_i of gear i is on \
top.

After how many ticks are all red marks on top at the same time?

Input

The first line contains an integer n (1 <= n <= 10). The i-th of the next n lines contains the \
integers m_i and r_i (1 <= m_i <= 1000000000, 0 <= r_i < m_i).

Output

Print the smallest number of ticks, which is 0 if all red marks are on top at the start, or NEVER \
if it never happens.
""",
    public_inputs=("2\n3 2\n5 4\n", "3\n3 1\n4 3\n5 0\n", "2\n7 2\n14 3\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
from math import gcd

time, period = 0, 1
for _ in range(int(input())):
    m, r = map(int, input().split())
    g = gcd(period, m)
    if (r - time) % g:
        print("NEVER")
        break
    step = (r - time) // g * pow(period // g, -1, m // g) % (m // g)
    time += period * step
    period *= m // g
else:
    print(time)
""",
        """\
def euclid(a, b):
    if b == 0:
        return a, 1, 0
    g, x, y = euclid(b, a % b)
    return g, y, x - a // b * y


n = int(input())
gears = [tuple(map(int, input().split())) for _ in range(n)]
m, r = gears.pop()
while gears and r is not None:
    k, s = gears.pop()
    g, x, _ = euclid(m, k)
    if (s - r) % g:
        r = None
    else:
        both = m // g * k
        r = (r + (s - r) // g * x * m) % both
        m = both
print("NEVER" if r is None else r)
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.RUNTIME_ERROR,
            passes_public=False,
            source="""\
from math import prod

n = int(input())
gears = [tuple(map(int, input().split())) for _ in range(n)]
everything = prod(m for m, r in gears)
time = 0
for m, r in gears:
    rest = everything // m
    time += r * rest * pow(rest, -1, m)
print(time % everything)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""\
from math import gcd

n = int(input())
time, step = 0, 1
for _ in range(n):
    m, r = map(int, input().split())
    tries = 0
    while time % m != r and tries <= m:
        time += step
        tries += 1
    if time % m != r:
        print("NEVER")
        break
    step = step * m // gcd(step, m)
else:
    print(time)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
from math import gcd

n = int(input())
gears = [tuple(map(int, input().split())) for _ in range(n)]
time, step = 0, 1
for m, r in gears:
    g = gcd(step, m)
    if time % g != r % g:
        print("NEVER")
        break
    time += step * ((r - time) // g * pow(step // g, -1, m // g) % (m // g))
    step *= m
else:
    print(time)
""",
        ),
    ),
    time_limit_s=1.0,
)
