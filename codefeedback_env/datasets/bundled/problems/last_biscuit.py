"""Who takes the last of very many biscuits, if one, three or four may be taken at a time?"""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """Small plates one by one and together, then large and huge ones."""
    for low in range(6, 21):
        yield f"1\n{low}\n"
    yield _plates(list(range(1, 101)))
    yield _plates([7 * i for i in range(1, 60)])
    yield _plates([7 * i + 2 for i in range(60)])
    yield _plates([2000, 1999, 1998, 1997, 3001])
    yield _plates([10**18 - i for i in range(40)])
    for top in (10**3, 10**6, 10**9, 10**15, 10**18):
        yield _plates([rng.randint(1, top) for _ in range(50)])


def _plates(sizes: list[int]) -> str:
    return f"{len(sizes)}\n" + "".join(f"{size}\n" for size in sizes)


PROBLEM = AuthoredProblem(
    id="last-biscuit",
    level="medium",
    tags=("games", "math"),
    statement="""\
Two sisters share a plate of biscuits, and they have made a game of it: in turns, each takes one, \
three or four biscuits (never two, that would be impolite). Whoever takes the last biscuit wins \
and does not have to wash the dishes. Nora, the elder one, begins; the younger one is called Ida. \
Both play as well as possible.

Input

The first line contains an integer t (1 <= t <= 100), the number of plates. Each of the next t \
lines contains an integer n (1 <= n <= 10^18), the number of biscuits on a plate. Every plate is a \
game of its own.

Output

For each plate print a line with the name of the winner, Nora or Ida.
""",
    public_inputs=("4\n1\n2\n3\n5\n", "2\n4\n6\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
for _ in range(int(input())):
    print("Ida" if int(input()) % 7 in (0, 2) else "Nora")
""",
        """\
wins = [False]
for n in range(1, 200):
    wins.append(any(n >= k and not wins[n - k] for k in (1, 3, 4)))
period = next(p for p in range(1, 50) if all(wins[i] == wins[i + p] for i in range(100)))
for line in list(open(0))[1:]:
    print("Nora" if wins[int(line) % period] else "Ida")
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.RUNTIME_ERROR,
            passes_public=True,
            source="""\
from functools import cache


@cache
def wins(n):
    return any(not wins(n - k) for k in (4, 3, 1) if k <= n)


for _ in range(int(input())):
    print("Nora" if wins(int(input())) else "Ida")
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
# a plate of two is lost, and so is every plate that leaves two to the one who begins
for _ in range(int(input())):
    n = int(input())
    print("Ida" if n % 5 == 2 else "Nora")
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""\
for _ in range(int(input())):
    n = int(input())
    lost = [True, False, True, False]
    for _ in range(n - 3):
        lost.append(not (lost[-1] or lost[-3] or lost[-4]))
        lost = lost[-4:]
    print("Ida" if lost[min(n, 3)] else "Nora")
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
for _ in range(int(input())):
    n = int(input())
    moves = 0
    while n:
        n -= 4 if n >= 4 else 3 if n == 3 else 1
        moves += 1
    print("Nora" if moves % 2 else "Ida")
""",
        ),
    ),
    time_limit_s=1.0,
)
