"""Split books of thickness 1 to n into two shelves of equal length; any such split is right."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """All small sizes, then large ones of every remainder modulo four."""
    for num_books in (1, 2, 3, 5, 6, 8, 9, 10, 11, 12):
        yield f"{num_books}\n"
    yield "2000\n"
    yield "1999\n"
    for remainder in range(4):
        yield f"{4 * rng.randint(20, 60) + remainder}\n"
        yield f"{4 * rng.randint(250, 450) + remainder}\n"
    yield "1998\n"
    yield "1997\n"


PROBLEM = AuthoredProblem(
    id="two-shelves",
    level="medium",
    tags=("constructive algorithms", "greedy", "math"),
    statement="""\
The n volumes of an encyclopedia got thicker and thicker: volume i is exactly i centimetres \
thick. The library wants to put all of them on two shelves, and for the looks of it the books on \
both shelves must have the same total thickness.

Say which volumes belong on the first shelf; the others go on the second one.

Input

One line with an integer n (1 <= n <= 2000), the number of volumes.

Output

If it cannot be done, print IMPOSSIBLE.

Otherwise print the number of volumes on the first shelf on the first line, and these volumes, \
separated by spaces and in any order, on the second line. If there are several solutions, print \
any one of them.
""",
    public_inputs=("7\n", "4\n", "13\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
n = int(input())
rest = n * (n + 1) // 2
if rest % 2:
    print("IMPOSSIBLE")
else:
    rest //= 2
    shelf = []
    for volume in range(n, 0, -1):
        if volume <= rest:
            shelf.append(volume)
            rest -= volume
    print(len(shelf))
    print(*shelf)
""",
        """\
n = int(open(0).read())
if n % 4 in (1, 2):
    print("IMPOSSIBLE")
    exit()
first = [1, 2] if n % 4 == 3 else []
for low in range(n % 4 + 1, n, 4):
    first += [low, low + 3]
print(len(first))
print(" ".join(map(str, first)))
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
n = int(input())
if n * (n + 1) // 2 % 2:
    print("IMPOSSIBLE")
else:
    shelf = list(range(1, n + 1, 2))
    print(len(shelf))
    print(*shelf)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
n = int(input())
if n % 2 == 1 and n % 4 != 3:
    print("IMPOSSIBLE")
else:
    goal = n * (n + 1) // 4
    shelf = []
    for volume in range(n, 0, -1):
        if sum(shelf) + volume <= goal:
            shelf.append(volume)
    print(len(shelf))
    print(*shelf)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""\
n = int(input())
total = n * (n + 1) // 2
shelf = None
if total % 2 == 0:
    for mask in range(1 << n):
        chosen = [i + 1 for i in range(n) if mask >> i & 1]
        if 2 * sum(chosen) == total:
            shelf = chosen
            break
if shelf is None:
    print("IMPOSSIBLE")
else:
    print(len(shelf))
    print(*shelf)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.MEMORY_LIMIT,
            passes_public=True,
            source="""\
n = int(input())
goal, odd = divmod(n * (n + 1) // 2, 2)
if odd:
    print("IMPOSSIBLE")
    exit()
width = goal + 1
reachable = [False] * ((n + 1) * width)
reachable[0] = True
for volume in range(1, n + 1):
    for total in range(width):
        without = reachable[(volume - 1) * width + total]
        within = total >= volume and reachable[(volume - 1) * width + total - volume]
        reachable[volume * width + total] = without or within
shelf = []
for volume in range(n, 0, -1):
    if not reachable[(volume - 1) * width + goal]:
        shelf.append(volume)
        goal -= volume
print(len(shelf))
print(*shelf)
""",
        ),
    ),
    checker="half-of-volumes",
)
