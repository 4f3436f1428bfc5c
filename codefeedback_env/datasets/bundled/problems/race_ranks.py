"""Ranks of runners, where equal times share a rank and the ranks after them are left out."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """One runner, all equal, seconds and minutes with and without ties, many runners."""
    for times in (["0:59"], ["3:00"] * 5, ["10:00", "9:59"], ["100:00", "20:00", "3:00"]):
        yield _race(times)
    yield _race(["1:10", "1:09", "1:10", "1:09", "1:10"])
    yield _race(["5:00", "5:00", "4:00", "6:00"])
    for num_runners, top in ((2, 2), (3, 3), (5, 4), (8, 6), (8, 700), (20, 15), (20, 6000)):
        for _ in range(2):
            yield _race([_clock(rng.randint(0, top)) for _ in range(num_runners)])
    yield _race([_clock(rng.randint(550, 650)) for _ in range(400)])
    yield _race([_clock(rng.randint(0, 60000)) for _ in range(2000)])


def _clock(seconds: int) -> str:
    return f"{seconds // 60}:{seconds % 60:02}"


def _race(times: list[str]) -> str:
    return f"{len(times)}\n{' '.join(times)}\n"


PROBLEM = AuthoredProblem(
    id="race-ranks",
    level="easy",
    tags=("sortings", "parsing"),
    statement="""\
At the school race a clock stops the time of every runner in minutes and seconds. The rank of a \
runner is one more than the number of runners who needed less time than he did. So runners with \
equal times share a rank: if two of them come in first, both have rank 1, and the next runner has \
rank 3.

Input

The first line contains an integer n (1 <= n <= 2000), the number of runners. The second line \
contains their n times, separated by spaces, in the order of the numbers on their shirts. A time \
is the number of minutes (0 to 1000, no leading zeros), a colon and the seconds with two digits \
(00 to 59).

Output

Print the n ranks in the order of the input, separated by spaces.
""",
    public_inputs=("4\n5:30 4:10 6:02 4:55\n", "3\n7:00 7:00 7:00\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
n = int(input())
times = [int(m) * 60 + int(s) for m, s in (t.split(":") for t in input().split())]
rank = {}
for place, t in enumerate(sorted(times), 1):
    rank.setdefault(t, place)
print(*(rank[t] for t in times))
""",
        """\
from bisect import bisect_left

input()
times = [tuple(map(int, t.split(":"))) for t in input().split()]
order = sorted(times)
print(" ".join(str(bisect_left(order, t) + 1) for t in times))
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
n = int(input())
times = input().split()
order = sorted(times)
print(*[order.index(t) + 1 for t in times])
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
input()
times = [60 * int(t.split(":")[0]) + int(t.split(":")[1]) for t in input().split()]
distinct = sorted(set(times))
rank = {t: i + 1 for i, t in enumerate(distinct)}
print(*[rank[t] for t in times])
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
n = int(input())
times = [list(map(int, t.split(":"))) for t in input().split()]
order = sorted(range(n), key=lambda i: times[i])
rank = [0] * n
for place, i in enumerate(order):
    rank[i] = place + 1
print(*rank)
""",
        ),
    ),
    time_limit_s=1.0,
)
