"""Add up a receipt on which every third piece of an article is free."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """An empty receipt, single articles around multiples of three, random and long receipts."""
    yield "0\n"
    for quantity in (1, 2, 3, 4, 6, 7, 8, 9, 1000):
        yield f"1\nplum {quantity} 10\n"
    yield "1\nx 1 1\n"
    yield "1\nabcdefghijkl 999 100000\n"
    yield "2\nleek 2 40\nleek 1 40\n"
    for num_lines in (2, 3, 5, 8, 20, 50):
        yield _receipt(rng, num_lines, max_quantity=12, max_price=500)
    yield _receipt(rng, 300, max_quantity=1000, max_price=100_000)
    yield "10000\n" + "fig 1000 100000\n" * 10_000
    yield "9999\n" + "nut 2 3\nnut 5 8\nnut 6 1\n" * 3333


def _receipt(rng: random.Random, num_lines: int, *, max_quantity: int, max_price: int) -> str:
    names = ("apple", "bread", "chard", "date", "egg", "fennel", "garlic")
    lines = (
        f"{rng.choice(names)} {rng.randint(1, max_quantity)} {rng.randint(1, max_price)}\n"
        for _ in range(num_lines)
    )
    return f"{num_lines}\n" + "".join(lines)


PROBLEM = AuthoredProblem(
    id="market-receipt",
    level="easy",
    tags=("implementation", "math"),
    statement="""\
Mara sells fruit and vegetables. To attract customers she put up a sign: "Of every three pieces \
of one article, the third is free!" Somebody who buys 7 pieces of an article pays for 5 of them, \
because two full groups of three contain one free piece each.

Every line of a receipt counts for itself: pieces on different lines are never put together in \
one group, even when the lines have the same article. Work out what the customer has to pay.

Input

The first line contains an integer n (0 <= n <= 10000), the number of lines of the receipt.

Each of the next n lines contains the name of an article (1 to 12 small English letters), the \
number of pieces q (1 <= q <= 1000) and the price of one piece p in cents (1 <= p <= 100000), \
separated by single spaces.

Output

Print one integer: the total price in cents.
""",
    public_inputs=("3\napple 4 30\nbread 1 250\nleek 3 45\n", "2\negg 2 20\negg 1 20\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
n = int(input())
total = 0
for _ in range(n):
    name, pieces, price = input().split()
    pieces = int(pieces)
    total += (pieces - pieces // 3) * int(price)
print(total)
""",
        """\
import sys

words = sys.stdin.read().split()[1:]
print(sum((int(q) * 2 + 2) // 3 * int(p) for q, p in zip(words[1::3], words[2::3])))
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.COMPILE_ERROR,
            source="""\
n = int(input())
total = 0
for _ in range(n)
    name, pieces, price = input().split()
    total += (int(pieces) - int(pieces) // 3) * int(price)
print(total)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
total = 0
for _ in range(int(input())):
    _, pieces, price = input().split()
    total += int(pieces) * int(price)
print(total)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
total = 0
for _ in range(int(input())):
    _, pieces, price = input().split()
    pieces = int(pieces)
    if pieces >= 3:
        pieces -= 1
    total += pieces * int(price)
print(total)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.RUNTIME_ERROR,
            passes_public=True,
            source="""\
rows = [input().split() for _ in range(int(input()))]
names, pieces, prices = zip(*rows)
total = 0
for q, p in zip(map(int, pieces), map(int, prices)):
    total += (q - q // 3) * p
print(total)
""",
        ),
    ),
    time_limit_s=1.0,
)
