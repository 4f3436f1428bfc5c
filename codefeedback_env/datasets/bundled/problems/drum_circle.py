"""Closed walks of a huge length: trace of a matrix power modulo a prime."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict

_STATEMENT = """\
A drummer knows m sounds. A loop is a sequence of n beats; on each beat one of the sounds is
played. After the last beat the loop starts again from its first beat, over and over. Some sounds
cannot be played right after some others: a table says for each pair of sounds (i, j) whether j may
directly follow i. In a playable loop every beat may follow the beat before it, and the first beat
may follow the last one. For n = 1 this means that the only sound may follow itself.

How many playable loops of n beats are there? Two loops are different if they differ in at least one
beat; loops that are rotations of each other count separately. Print the number modulo 1000000007.

Input

The first line has two integers m and n (1 <= m <= 8, 1 <= n <= 1000000000000000000). Each of the
next m lines is a string of m characters: character j of line i is 1 if sound j may directly follow
sound i, and 0 if not.

Output

Print the number of playable loops modulo 1000000007.
"""


def _text(n: int, rows: list[str]) -> str:
    return "\n".join([f"{len(rows)} {n}", *rows]) + "\n"


def _random_table(rng: random.Random, m: int, share: float) -> list[str]:
    return ["".join("1" if rng.random() < share else "0" for _ in range(m)) for _ in range(m)]


def _hidden_inputs(rng: random.Random) -> Iterator[str]:
    yield _text(1, ["0"])
    yield _text(1, ["1"])
    yield _text(1, ["10", "11"])
    yield _text(7, ["01", "10"])
    yield _text(9, ["010", "001", "100"])
    for m, n in [(2, 3), (2, 6), (3, 4), (3, 5), (4, 3), (4, 8), (5, 6)]:
        yield _text(n, _random_table(rng, m, 0.6))
    for n in (30, 47, 64, 100):
        yield _text(n, _random_table(rng, rng.randint(3, 8), 0.6))
    yield _text(5000, ["11", "10"])
    yield _text(10**18, ["1"])
    yield _text(10**18, ["01", "10"])
    yield _text(10**9 + 6, ["11", "11"])
    yield _text(10**9 + 7, ["11", "10"])
    yield _text(2**59 - 1, _random_table(rng, 8, 0.7))
    yield _text(10**18, ["1" * 8] * 8)
    yield _text(10**18 - rng.randint(1, 10**17), _random_table(rng, 8, 0.4))
    yield _text(7 * 10**17 + 1, [f"{1 << (i + 1) % 7:07b}" for i in range(7)])


PROBLEM = AuthoredProblem(
    id="drum-circle",
    level="harder",
    tags=("combinatorics", "matrix power", "modular arithmetic"),
    statement=_STATEMENT,
    public_inputs=("2 4\n01\n11\n", "3 3\n011\n101\n110\n"),
    hidden_inputs=_hidden_inputs,
    reference=(
        """MOD = 10**9 + 7


def multiply(a, b):
    columns = list(zip(*b))
    return [[sum(x * y for x, y in zip(row, col)) % MOD for col in columns] for row in a]


m, n = map(int, input().split())
base = [[int(c) for c in input().strip()] for _ in range(m)]
power = [[int(i == j) for j in range(m)] for i in range(m)]
while n:
    if n & 1:
        power = multiply(power, base)
    base = multiply(base, base)
    n >>= 1
print(sum(power[i][i] for i in range(m)) % MOD)
""",
        """import sys
from functools import lru_cache

MOD = 1_000_000_007
first, *table = sys.stdin.read().split()[1:]
n = int(first)
sounds = range(len(table))


@lru_cache(maxsize=None)
def ways(beats):
    # ways(b)[i][j]: sequences of b steps from sound i to sound j
    if beats == 1:
        return tuple(tuple(int(c) for c in row) for row in table)
    half = ways(beats // 2)
    rest = ways(beats - beats // 2)
    result = []
    for i in sounds:
        line = [0] * len(sounds)
        for k in sounds:
            x = half[i][k]
            if x:
                for j in sounds:
                    line[j] += x * rest[k][j]
        result.append(tuple(v % MOD for v in line))
    return tuple(result)


answer = 0
for i in sounds:
    answer += ways(n)[i][i]
print(answer % MOD)
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""m, n = map(int, input().split())
may = [input() for _ in range(m)]
total = 0
for first in range(m):
    ways = [0] * m
    ways[first] = 1
    for beat in range(n):
        ways = [sum(ways[i] for i in range(m) if may[i][j] == "1") % 1000000007 for j in range(m)]
    total += ways[first]
print(total % 1000000007)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.RUNTIME_ERROR,
            passes_public=True,
            source="""from functools import cache

MOD = 10 ** 9 + 7
m, n = map(int, input().split())
rows = [input() for _ in range(m)]


@cache
def walks(i, j, length):
    if length == 0:
        return 1 if i == j else 0
    return sum(walks(k, j, length - 1) for k in range(m) if rows[i][k] == "1") % MOD


print(sum(walks(i, i, n) for i in range(m)) % MOD)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""import sys

MOD = 10**9 + 7


def mul(a, b):
    size = range(len(a))
    return [[sum(a[i][k] * b[k][j] for k in size) % MOD for j in size] for i in size]


def power(a, e):
    if e == 0:
        return [[1 if i == j else 0 for j in range(len(a))] for i in range(len(a))]
    if e % 2:
        return mul(a, power(a, e - 1))
    half = power(a, e // 2)
    return mul(half, half)


m, n = map(int, sys.stdin.readline().split())
a = [list(map(int, sys.stdin.readline().strip())) for _ in range(m)]
result = power(a, n % (MOD - 1))  # Fermat: x^(p-1) = 1
print(sum(result[i][i] for i in range(m)) % MOD)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""# the loop is not closed: n - 1 steps, any last sound
m, n = map(int, input().split())
t = [list(map(int, input())) for _ in range(m)]


def times(a, b):
    c = [[0] * m for _ in range(m)]
    for i in range(m):
        for j in range(m):
            for k in range(m):
                c[i][j] = (c[i][j] + a[i][k] * b[k][j]) % 1000000007
    return c


r = [[0] * m for _ in range(m)]
for i in range(m):
    r[i][i] = 1
e = n - 1
while e > 0:
    if e % 2 == 1:
        r = times(r, t)
    t = times(t, t)
    e //= 2
print(sum(map(sum, r)) % 1000000007)
""",
        ),
    ),
    time_limit_s=1.0,
    memory_limit_mib=128,
)
