"""Count the ways up a staircase with broken steps, modulo a prime."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """Every kind of short staircase, gaps of two and three, then 60, thousands, 100000 steps."""
    for stairs in (
        ".",
        "#",
        "..",
        "#.",
        "...",
        "##.",
        "###.",
        ".##.",
        "#.#.#.",
        "..###..",
        "......",
    ):
        yield _staircase(stairs)
    for num_stairs in (5, 7, 9, 10, 12, 14):
        yield _staircase("".join(rng.choice("...#") for _ in range(num_stairs)))
    yield _staircase("." * 15)
    yield _staircase("." * 60)
    yield _staircase("." * 200 + "#..#.." * 20)
    yield _staircase(".." + ".#." * 1500)
    yield _staircase("".join(rng.choice(".......#") for _ in range(3000)) + ".")
    yield _staircase("." * 100_000)
    yield _staircase("." * 99_999 + "#")
    yield _staircase(".#..." * 20_000)
    yield _staircase("." * 50_000 + "###" + "." * 49_997)


def _staircase(stairs: str) -> str:
    return f"{len(stairs)}\n{stairs}\n"


PROBLEM = AuthoredProblem(
    id="broken-stairs",
    level="medium",
    tags=("dp", "combinatorics"),
    statement="""\
An old lighthouse has n stairs with the numbers 1 to n from the bottom to the top. The keeper \
stands on the ground below stair 1 and wants to get onto stair n. With one stride he goes up by \
one, two or three stairs, and he never goes down. Some stairs are broken, and he must not step on \
those; he may stride over them.

In how many ways can he get onto stair n? Two ways are different if there is a stair that he \
steps on in one of them but not in the other. If stair n is broken, there is no way.

Input

The first line contains an integer n (1 <= n <= 100000).

The second line contains a string of n characters: character i is # if stair i is broken, and . \
if it is fine.

Output

Print the number of ways modulo 1000000007.
""",
    public_inputs=("4\n....\n", "6\n.#..#.\n", "5\n.###.\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
input()
a, b, c = 0, 0, 1
for stair in input().strip():
    a, b, c = b, c, 0 if stair == "#" else (a + b + c) % 1000000007
print(c)
""",
        """\
import sys

MOD = 10**9 + 7


def main():
    n, stairs = sys.stdin.read().split()
    n = int(n)
    ways = [0] * (n + 3)
    ways[0] = 1
    for i in range(n):
        if i and stairs[i - 1] == "#":
            ways[i] = 0
            continue
        for stride in (1, 2, 3):
            ways[i + stride] = (ways[i + stride] + ways[i]) % MOD
    print(ways[n] if stairs[-1] == "." else 0)


main()
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
n = int(input())
stairs = input()
ways = [1] + [0] * n
for i in range(1, n + 1):
    if stairs[i - 1] == ".":
        ways[i] = sum(ways[max(0, i - 3) : i])
print(ways[n])
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.RUNTIME_ERROR,
            passes_public=True,
            source="""\
from functools import lru_cache

n = int(input())
stairs = "." + input()


@lru_cache(None)
def ways(i):
    if i < 0 or stairs[i] == "#":
        return 0
    if i == 0:
        return 1
    return (ways(i - 1) + ways(i - 2) + ways(i - 3)) % (10**9 + 7)


print(ways(n))
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""\
n = int(input())
stairs = input()


def ways(height):
    if height == n:
        return 1
    total = 0
    for stride in 1, 2, 3:
        if height + stride <= n and stairs[height + stride - 1] == ".":
            total += ways(height + stride)
    return total


print(ways(0) % 1000000007)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.COMPILE_ERROR,
            source="""\
n = int(input())
ways = [1, 0, 0]
for stair in input():
    if stair == "#":
        ways = [0] + ways[:2]
    else:
        ways = [sum(ways) % 1000000007] + ways[:2]
print ways[0]
""",
        ),
    ),
    time_limit_s=1.0,
)
