"""Ways to share sweets among children with a limit for each child: inclusion and exclusion."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """No sweets, too many sweets, limits that do not matter, large values of each number."""
    for n, k, c in (
        *((0, 1, 0), (1, 1, 0), (0, 9, 5), (5, 1, 5), (6, 1, 5), (10, 10, 1), (11, 10, 1)),
        *((4, 4, 9), (30, 10, 3), (31, 10, 3), (29, 10, 3), (100, 3, 40)),
        *((100000, 1000, 100), (50000, 1000, 100), (100000, 1000, 100000), (100000, 1000, 0)),
        *((100000, 2, 50000), (99999, 999, 7777), (33333, 1000, 50)),
    ):
        yield f"{n} {k} {c}\n"
    for top in (10, 20, 50, 300):
        yield f"{rng.randint(top // 2, top)} {rng.randint(2, 6)} {rng.randint(2, top // 3)}\n"


PROBLEM = AuthoredProblem(
    id="sweet-shares",
    level="harder",
    tags=("combinatorics", "modular arithmetic"),
    statement="""\
A teacher shares n equal sweets among k children, all of which have different names. No child \
shall get more than c sweets, and it may happen that some child gets none. All sweets are given \
away.

In how many ways can the sweets be shared? Two ways are different if some child does not get the \
same number of sweets in both.

Input

One line with the integers n, k and c (0 <= n <= 100000, 1 <= k <= 1000, 0 <= c <= 100000).

Output

Print the number of ways modulo 1000000007.
""",
    public_inputs=("4 3 2\n", "3 2 5\n", "5 3 2\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
M = 10**9 + 7
n, k, c = map(int, input().split())
factorial = [1]
for i in range(1, n + k + 1):
    factorial.append(factorial[-1] * i % M)


def choose(a, b):
    return factorial[a] * pow(factorial[b] * factorial[a - b], -1, M)


total = 0
for greedy in range(min(k, n // (c + 1)) + 1):
    ways = choose(k, greedy) * choose(n - greedy * (c + 1) + k - 1, k - 1)
    total += -ways if greedy % 2 else ways
print(total % M)
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
from math import comb

n, k, c = map(int, input().split())
ways = comb(n + k - 1, k - 1)
# minus those in which a child gets too many
if n > c:
    ways -= k * comb(n - c - 1 + k - 1, k - 1)
print(ways % (10**9 + 7))
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""\
MOD = 10**9 + 7
n, k, c = map(int, input().split())
ways = [1] + [0] * n
for child in range(k):
    new = []
    window = 0
    for s in range(n + 1):
        window += ways[s]
        if s > c:
            window -= ways[s - c - 1]
        new.append(window % MOD)
    ways = new
print(ways[n])
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
from math import comb

n, k, c = map(int, input().split())
print(comb(n + k - 1, k - 1) % 1000000007)
""",
        ),
    ),
    time_limit_s=2.0,
)
