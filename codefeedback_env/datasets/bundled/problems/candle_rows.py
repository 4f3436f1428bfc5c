"""Sums of the game Kayles with huge rows: Grundy values and their period."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict

_STATEMENT = """\
On a winter evening Ada and Bruno light candles in several rows and take turns; Ada begins. In a
turn a player blows out either one burning candle or two burning candles that stand side by side in
the same row. Candles stay where they are: two burning candles with a candle that is out between
them are not side by side. Whoever blows out the last burning candle wins. Both play as well as
possible. Who wins?

Input

The first line has the integer g (1 <= g <= 100), the number of games. Each game is one line: the
integer k (1 <= k <= 50), the number of rows, and then k integers between 1 and 1000000000000
(10^12), the numbers of candles in the rows. All candles burn at the start.

Output

Print one line for each game: Ada or Bruno, the name of the winner.
"""


def _text(games: list[list[int]]) -> str:
    rows = [str(len(games))]
    rows += [" ".join(map(str, [len(game), *game])) for game in games]
    return "\n".join(rows) + "\n"


def _random_games(rng: random.Random, g: int, num_rows: int, low: int, high: int) -> str:
    games = []
    for _ in range(g):
        game = [rng.randint(low, high) for _ in range(rng.randint(1, num_rows))]
        if rng.random() < 0.4:
            game = game[: num_rows // 2] * 2
        games.append(game)
    return _text(games)


def _hidden_inputs(rng: random.Random) -> Iterator[str]:
    yield "1\n1 1\n"
    yield "2\n1 3\n2 3 3\n"
    yield _text([[a, b] for a in range(1, 9) for b in range(a, 9)])
    yield _text([[6, 2, 1], [9, 1, 5], [5, 9], [11, 3, 5], [12, 4], [8, 1], [10, 2]])
    yield _text([[i, j, i ^ j] for i in range(1, 10) for j in range(i + 1, 11)])
    for num_rows, high in [(2, 12), (3, 12), (4, 15), (3, 30), (5, 30), (2, 60), (5, 60)]:
        yield _random_games(rng, 30, num_rows, 1, high)
    for num_rows, high in [(3, 80), (4, 100), (50, 100), (3, 200)]:
        yield _random_games(rng, 100, num_rows, 1, high)
    yield _text([[i, i + 12] for i in range(1, 100)])
    yield _text([[i, 12 + i % 12, 4] for i in range(1, 101)])
    yield _text([[10**12, 4 + 12 * i] for i in range(1, 60)])
    yield _random_games(rng, 40, 6, 70, 10**12)
    yield _random_games(rng, 50, 50, 10**11, 10**12)
    yield _text([[1 + 10**12 - rng.randint(1, 24), rng.randint(1, 84)] for _ in range(100)])


PROBLEM = AuthoredProblem(
    id="candle-rows",
    level="hardest",
    tags=("game theory", "grundy values"),
    statement=_STATEMENT,
    public_inputs=("5\n1 2\n2 1 1\n2 5 4\n2 4 1\n3 1 2 3\n", "2\n1 17\n2 7 7\n"),
    hidden_inputs=_hidden_inputs,
    reference=(
        """KNOWN = 240  # from 71 candles on the values repeat every 12
grundy = [0]
for size in range(1, KNOWN):
    reach = set()
    for gone in (1, 2):
        for left in range((size - gone) // 2 + 1):
            reach.add(grundy[left] ^ grundy[size - gone - left])
    value = 0
    while value in reach:
        value += 1
    grundy.append(value)

for _ in range(int(input())):
    total = 0
    for size in list(map(int, input().split()))[1:]:
        if size >= KNOWN:
            size = 120 + size % 12
        total ^= grundy[size]
    print("Ada" if total else "Bruno")
""",
        """import sys
from operator import xor
from functools import reduce

PERIOD = (4, 1, 2, 8, 1, 4, 7, 2, 1, 8, 2, 7)
EARLY = {
    0: 0, 3: 3, 6: 3, 9: 4, 11: 6, 15: 7, 18: 3, 21: 4, 22: 6, 28: 5, 34: 6, 39: 3, 57: 4, 70: 6,
}
for line in sys.stdin.read().splitlines()[1:]:
    rows = map(int, line.split()[1:])
    total = reduce(xor, (EARLY.get(r, PERIOD[r % 12]) for r in rows))
    print(["Bruno", "Ada"][total > 0])
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.MEMORY_LIMIT,
            passes_public=True,
            source="""import sys

games = [list(map(int, line.split()[1:])) for line in sys.stdin.readlines()[1:]]
top = max(map(max, games))
g = [0] * (top + 1)
for n in range(1, top + 1):
    seen = {g[i] ^ g[n - 1 - i] for i in range(n)} | {g[i] ^ g[n - 2 - i] for i in range(n - 1)}
    while g[n] in seen:
        g[n] += 1
for rows in games:
    x = 0
    for r in rows:
        x ^= g[r]
    print("Ada" if x else "Bruno")
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""grundy = [0, 1, 2]


def value(n):
    while len(grundy) <= n:
        k = len(grundy)
        options = set()
        for i in range(k):
            options.add(grundy[i] ^ grundy[k - 1 - i])
            if i < k - 1:
                options.add(grundy[i] ^ grundy[k - 2 - i])
        mex = 0
        while mex in options:
            mex += 1
        grundy.append(mex)
    return grundy[n]


for _ in range(int(input())):
    k, *rows = map(int, input().split())
    nim = 0
    for row in rows:
        nim ^= value(row)
    print("Ada" if nim != 0 else "Bruno")
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""# the values of 1 to 12 candles, over and over
g = [0]
for n in range(1, 13):
    s = set()
    for take in 1, 2:
        for i in range(n - take + 1):
            s.add(g[i] ^ g[n - take - i])
    g.append(min(set(range(20)) - s))
for _ in range(int(input())):
    t = 0
    for r in input().split()[1:]:
        t ^= g[(int(r) - 1) % 12 + 1]
    print("Ada" if t else "Bruno")
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""games = int(input())
for _ in range(games):
    nim = 0
    for candles in input().split()[1:]:
        nim ^= int(candles)
    print("Ada" if nim else "Bruno")
""",
        ),
    ),
    time_limit_s=1.0,
    memory_limit_mib=64,
)
