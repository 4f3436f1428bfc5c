"""Find two different lamps whose powers add up to a given sum; any such pair is right."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """Two lamps, half the sum once or twice, many pairs or none, a single pair at the far end."""
    yield _lamps(6, [3, 5])
    yield _lamps(6, [3, 3])
    yield _lamps(2, [1, 1])
    yield _lamps(8, [4, 1, 2])
    yield _lamps(8, [4, 1, 4])
    yield _lamps(10, [1, 9, 1, 9, 5])
    yield _lamps(2_000_000_000, [1_000_000_000, 1, 1_000_000_000])
    yield _lamps(1_999_999_999, [1_000_000_000, 999_999_999])
    for num_lamps in (3, 4, 5, 6, 8, 10, 20, 40):
        yield _lamps(rng.randint(2, 30), [rng.randint(1, 20) for _ in range(num_lamps)])
    for num_lamps in (100, 300):
        powers = [rng.randint(1, 1_000_000_000) for _ in range(num_lamps)]
        yield _lamps(powers[3] + powers[-2], powers)
        yield _lamps(rng.randint(1_000_000_001, 1_500_000_000), powers)
    yield _lamps(16, [1] * 39_998 + [7, 9])
    yield _lamps(15, [2, 4, 6, 8] * 10_000)
    yield _lamps(16, [8] + [1] * 39_999)
    yield _lamps(200_001, [100_000] + [100] * 30_000 + [100_001])


def _lamps(total: int, powers: list[int]) -> str:
    return f"{len(powers)} {total}\n{' '.join(map(str, powers))}\n"


PROBLEM = AuthoredProblem(
    id="lamp-pair",
    level="medium",
    tags=("data structures", "two pointers", "sortings"),
    statement="""\
A generator on a camp site runs smoothly only if the lamps connected to it use exactly s watts, \
and it has two sockets; one lamp goes into each of them. In the shed there are n lamps with the \
numbers 1 to n, and lamp i uses a_i watts.

Choose two different lamps which together use exactly s watts, or report that no such two lamps \
are there. Two different lamps may use the same number of watts.

Input

The first line contains two integers n and s (2 <= n <= 40000, 2 <= s <= 2000000000).

The second line contains n integers a_1, ..., a_n (1 <= a_i <= 1000000000).

Output

Print the numbers of the two lamps, in any order, separated by a space. If several pairs are \
right, print any one of them. If there is no such pair, print -1.
""",
    public_inputs=("5 12\n4 7 1 5 9\n", "3 4\n1 1 1\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
n, s = map(int, input().split())
lamp_of = {}
answer = [-1]
for number, power in enumerate(map(int, input().split()), 1):
    if s - power in lamp_of:
        answer = [lamp_of[s - power], number]
        break
    lamp_of[power] = number
print(*answer)
""",
        """\
import sys


def main():
    n, s, *powers = map(int, sys.stdin.buffer.read().split())
    order = sorted(range(n), key=powers.__getitem__)
    i, j = 0, n - 1
    while i < j:
        total = powers[order[i]] + powers[order[j]]
        if total == s:
            print(order[i] + 1, order[j] + 1)
            return
        if total < s:
            i += 1
        else:
            j -= 1
    print(-1)


if __name__ == "__main__":
    main()
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
n, s = map(int, input().split())
a = sorted(map(int, input().split()))
i, j = 0, n - 1
while i < j and a[i] + a[j] != s:
    if a[i] + a[j] < s:
        i += 1
    else:
        j -= 1
print(f"{i + 1} {j + 1}" if i < j else -1)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
n, s = map(int, input().split())
a = list(map(int, input().split()))
last = {power: i for i, power in enumerate(a, 1)}
for i, power in enumerate(a, 1):
    if s - power in last:
        print(i, last[s - power])
        break
else:
    print(-1)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""\
import sys

n, s = map(int, input().split())
a = [int(x) for x in input().split()]
for i in range(n):
    for j in range(i + 1, n):
        if a[i] + a[j] == s:
            print(i + 1, j + 1)
            sys.exit()
print(-1)
""",
        ),
    ),
    time_limit_s=1.0,
    checker="pair-with-sum",
)
