"""The mean of the judges' marks without one lowest and one highest mark."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """Three judges, ties at both ends, zero marks, random marks, many judges."""
    for marks in ([0, 0, 0], [1, 2, 3], [5, 1, 5], [2, 0, 1], [1_000_000] * 3, [7, 7, 7, 7]):
        yield _marks(marks)
    yield _marks([1, 1, 2, 2, 2])
    yield _marks([9, 0, 0, 0, 0, 0, 9, 9])
    yield _marks([0, 0, 1, 0, 0, 0, 0, 1, 0])
    for num_judges in (4, 5, 6, 7, 8, 9, 12, 33, 101, 500):
        yield _marks([rng.randint(0, 100) for _ in range(num_judges)])
    for num_judges in (5, 14, 200):
        yield _marks([rng.randint(0, 1_000_000) for _ in range(num_judges)])
    yield _marks([1_000_000, 0] * 10_000)
    yield _marks([999_999] * 19_998 + [1_000_000, 0])
    yield _marks([rng.randint(0, 3) for _ in range(20_000)])


def _marks(marks: list[int]) -> str:
    return f"{len(marks)}\n{' '.join(map(str, marks))}\n"


PROBLEM = AuthoredProblem(
    id="skating-score",
    level="easy",
    tags=("math", "implementation", "sortings"),
    statement="""\
Every judge of a skating contest gives a mark. So that no single judge decides the contest, one \
lowest and one highest mark are struck out; if several judges gave the lowest (or the highest) \
mark, only one of these marks is struck out. The score of the skater is the mean of the remaining \
marks.

Input

The first line contains an integer n (3 <= n <= 20000), the number of judges.

The second line contains n integers between 0 and 1000000, the marks.

Output

Print the score. An absolute or relative error of at most 1e-6 is accepted.
""",
    public_inputs=("5\n6 9 7 8 2\n", "4\n10 4 3 1\n", "6\n5 8 6 1 7 9\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
input()
marks = sorted(map(int, input().split()))[1:-1]
print(sum(marks) / len(marks))
""",
        """\
import sys

n, *marks = map(int, sys.stdin.read().split())
total = sum(marks) - min(marks) - max(marks)
print(f"{total / (n - 2):.9f}")
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
n = int(input())
marks = sorted(map(int, input().split()))[1:-1]
print(sum(marks) // (n - 2))
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
n = int(input())
marks = list(map(int, input().split()))
score = (sum(marks) - max(marks) - min(marks)) / (n - 2)
print(round(score, 2))
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.RUNTIME_ERROR,
            passes_public=True,
            source="""\
n = int(input())
marks = list(map(int, input().split()))
low, high = min(marks), max(marks)
kept = [mark for mark in marks if low < mark < high]
print(sum(kept) / len(kept))
""",
        ),
    ),
    time_limit_s=1.0,
)
