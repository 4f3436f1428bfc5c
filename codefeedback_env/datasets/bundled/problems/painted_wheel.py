"""Painted wheels that differ even after turning: Burnside's lemma with a huge number of spokes."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """One spoke, one colour, primes, powers, numbers with many divisors."""
    top = 10**9
    for n, k in (
        *((1, 1), (1, top), (2, 1), (top, 1), (4, 2), (6, 2), (9, 3), (12, 2), (8, 5), (10, 4)),
        *((30, 7), (97, 3), (360, 11), (1024, 2), (720720, 12345), (735134400, 2), (2**29, 3)),
        *((999999937, 5), (top, top), (999950884, 77)),
    ):
        yield f"{n} {k}\n"
    for digits in (1, 2, 4, 6, 9):
        yield f"{rng.randint(2, 10**digits)} {rng.randint(2, 10**digits)}\n"


PROBLEM = AuthoredProblem(
    id="painted-wheel",
    level="hardest",
    tags=("combinatorics", "number theory", "modular arithmetic"),
    statement="""\
A fair orders wooden wheels with n spokes, which stand at equal distances around the hub. Every \
spoke is painted in one of k colours. The front of a wheel differs from its back, so it cannot be \
turned over, but it goes round: two wheels look the same if one of them can be rotated so that its \
colours agree with those of the other.

How many wheels can be painted such that no two of them look the same?

Input

One line with the integers n and k (1 <= n, k <= 1000000000).

Output

Print the number of wheels modulo 1000000007.
""",
    public_inputs=("3 2\n", "5 3\n", "4 3\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
M = 10**9 + 7
n, k = map(int, input().split())
primes, rest, p = [], n, 2
while p * p <= rest:
    if rest % p == 0:
        primes.append(p)
        while rest % p == 0:
            rest //= p
    p += 1
if rest > 1:
    primes.append(rest)


def totient(d):
    result = d
    for p in primes:
        if d % p == 0:
            result -= result // p
    return result


total, d = 0, 1
while d * d <= n:
    if n % d == 0:
        for e in {d, n // d}:
            total += totient(n // e) * pow(k, e, M)
    d += 1
print(total * pow(n, -1, M) % M)
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
from math import gcd

M = 10**9 + 7
n, k = map(int, input().split())
if n <= 2000:
    total = sum(k ** gcd(n, turn) for turn in range(n)) // n
else:
    # almost all wheels look different after every turn
    total = pow(k, n, M) * pow(n, -1, M)
print(total % M)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""\
from math import gcd

MOD = 10**9 + 7
n, k = map(int, input().split())
total = 0
for turn in range(n):
    total = (total + pow(k, gcd(turn, n), MOD)) % MOD
print(total * pow(n, MOD - 2, MOD) % MOD)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
M = 10**9 + 7
n, k = map(int, input().split())
# all turns of a wheel differ, except where it has one colour only
print(((pow(k, n, M) - k) * pow(n, -1, M) + k) % M)
""",
        ),
    ),
    time_limit_s=1.0,
)
