"""Count the numbers of an interval whose neighbouring digits differ by at most d."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """Zero, single numbers, powers of ten, every d, random intervals of all sizes."""
    top = 10**18
    for low, high, d in (
        *((0, 0, 0), (0, 9, 0), (0, 100, 1), (10, 10, 0), (10, 10, 1), (99, 101, 2)),
        *((0, 200, 5), (0, top, 0), (0, top, 1), (1, top, 9), (top, top, 1), (top, top, 0)),
        *((top - 1, top, 3), (999, 1001, 1), (123456, 123456, 1)),
    ):
        yield f"{low} {high} {d}\n"
    for digits in (2, 3, 4, 6, 9, 12, 17, 18):
        low, high = sorted(rng.randint(0, 10**digits) for _ in range(2))
        yield f"{low} {high} {rng.randint(1, 4)}\n"


PROBLEM = AuthoredProblem(
    id="calm-numbers",
    level="harder",
    tags=("dynamic programming", "digits"),
    statement="""\
A clock maker calls a number calm if any two neighbouring digits of it differ by at most d: the \
wheels of a counter need not be turned far between them. With d = 2 the numbers 7, 3542 and 1000 \
are calm, but 3582 is not. Numbers are written without leading zeros, and a number of one digit is \
always calm.

How many calm numbers are there from a to b, both included?

Input

One line with the integers a, b and d (0 <= a <= b <= 10^18, 0 <= d <= 9).

Output

Print the number of calm numbers.
""",
    public_inputs=("15 40 1\n", "5 12 2\n", "88 130 3\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
low, high, d = map(int, input().split())
# ways[k][c]: calm continuations by k digits after the digit c
ways = [[1] * 10]
for _ in range(18):
    last = ways[-1]
    ways.append([sum(last[max(0, c - d):c + d + 1]) for c in range(10)])


def below(n):
    digits = list(map(int, str(n)))
    total = 0
    for length in range(1, len(digits)):
        total += sum(ways[length - 1][1 if length > 1 else 0:])
    for i, digit in enumerate(digits):
        first = 1 if i == 0 and len(digits) > 1 else 0
        for c in range(first, digit):
            if i == 0 or abs(c - digits[i - 1]) <= d:
                total += ways[len(digits) - 1 - i][c]
        if i and abs(digit - digits[i - 1]) > d:
            break
    return total


print(below(high + 1) - below(low))
""",
        """\
from functools import cache

low, high, d = map(int, input().split())


def upto(n):
    if n < 0:
        return 0
    text = str(n)

    @cache
    def count(i, last, tight):
        if i == len(text):
            return 1
        total = 0
        for c in range(int(text[i]) + 1 if tight else 10):
            if last is None or abs(c - last) <= d:
                nxt = None if last is None and c == 0 else c
                total += count(i + 1, nxt, tight and c == int(text[i]))
        return total

    return count(0, None, True)


print(upto(high) - upto(low - 1))
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""\
a, b, d = map(int, input().split())
count = 0
for number in range(a, b + 1):
    s = str(number)
    if all(abs(int(x) - int(y)) <= d for x, y in zip(s, s[1:])):
        count += 1
print(count)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
from bisect import bisect_left, bisect_right

a, b, d = map(int, input().split())
calm = level = list(range(10))
while level and len(calm) < 200000 and level[0] <= b:
    level = [10 * n + c for n in level if n for c in range(10) if abs(n % 10 - c) <= d]
    calm = calm + level
print(bisect_right(calm, b) - bisect_left(calm, a))
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
from functools import cache

a, b, d = map(int, input().split())


def below(n):
    text = str(n)

    @cache
    def count(i, last, tight):
        if i == len(text):
            return int(not tight)
        total = 0
        for c in range(10):
            if tight and c > int(text[i]):
                break
            if i == 0 or abs(c - last) <= d:
                total += count(i + 1, c, tight and c == int(text[i]))
        return total

    return count(0, 0, True)


print(below(b + 1) - below(a))
""",
        ),
    ),
    time_limit_s=1.0,
)
