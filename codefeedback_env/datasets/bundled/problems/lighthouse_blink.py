"""When do all lighthouses flash together again? Least common multiple with a bound."""

import random
from collections.abc import Iterator
from math import prod

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """One lighthouse, equal and nested periods, results at and around the bound."""
    primes = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47]
    yield _coast([1])
    yield _coast([10**9])
    yield _coast([12, 12, 12])
    yield _coast([2, 4, 8, 16, 32])
    yield _coast([6, 10, 15])
    yield _coast([10**9, 10**9 - 1])
    yield _coast([10**9, 5**9, 2**9, 1])
    yield _coast([2**29, 5**12, 3])
    yield _coast([2**18, 5**12, 5**6])
    yield _coast([2**18, 5**13])
    yield _coast([10**9 - 63, 10**9 - 71, 7])
    yield _coast([999999937, 999999929, 2])
    yield _coast([999999937, 999999929])
    yield _coast(primes)
    for num_houses, top in ((2, 20), (3, 20), (4, 30), (5, 100), (8, 40), (3, 10**6), (20, 10**9)):
        yield _coast([rng.randint(1, top) for _ in range(num_houses)])
    yield _coast([prod(rng.choices(primes[:5], k=3)) for _ in range(1000)])


def _coast(periods: list[int]) -> str:
    return f"{len(periods)}\n{' '.join(map(str, periods))}\n"


PROBLEM = AuthoredProblem(
    id="lighthouse-blink",
    level="medium",
    tags=("number theory", "gcd"),
    statement="""\
Along a rocky coast there are n lighthouses. Lighthouse i flashes every p_i seconds. At the moment \
when the watch starts all of them flash together. After how many seconds will all of them flash \
together for the next time?

The watch lasts 10^18 seconds. If it does not happen up to then, it does not happen at all.

Input

The first line contains an integer n (1 <= n <= 1000). The second line contains n integers p_i \
(1 <= p_i <= 1000000000).

Output

Print the number of seconds, or NEVER if it is more than 10^18.
""",
    public_inputs=("3\n2 3 7\n", "2\n4 9\n", "6\n1000 999 997 991 983 1000000000\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
from math import lcm

input()
time = lcm(*map(int, input().split()))
print(time if time <= 10**18 else "NEVER")
""",
        """\
def gcd(a, b):
    while b:
        a, b = b, a % b
    return a


n = int(input())
time = 1
for p in map(int, input().split()):
    time = time // gcd(time, p) * p
    if time > 10**18:
        time = "NEVER"
        break
print(time)
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
input()
time = 1
for p in map(int, input().split()):
    time *= p
print(time if time <= 10**18 else "NEVER")
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
from math import gcd

n = int(input())
time = 1
for p in map(int, input().split()):
    time = int(time * p / gcd(time, p))
    if time > 10**18:
        print("NEVER")
        break
else:
    print(time)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            source="""\
input()
periods = list(map(int, input().split()))
step = max(periods)
time = step
while time <= 10**18 and any(time % p for p in periods):
    time += step
print(time if time <= 10**18 else "NEVER")
""",
        ),
    ),
    time_limit_s=1.0,
)
