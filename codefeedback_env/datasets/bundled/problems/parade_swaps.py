"""The least number of swaps of neighbours that turns one row of letters into another."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """One dancer, rows that cannot match, short random rows, long rows with few letters."""
    yield from ("a\na\n", "a\nb\n", "ab\nba\n", "abc\ncba\n", "aab\nbaa\n", "aabb\nbbaa\n")
    yield from ("abab\nbaba\n", "aabbcc\nabcabc\n", "abcde\nabcdf\n", "zzz\nzzz\n", "abb\naab\n")
    for length in (4, 5, 6, 8, 10, 15, 30, 80):
        yield _shuffled(rng, "".join(rng.choice("abc") for _ in range(length)))
    yield _shuffled(rng, "abcdefghijklmnopqrstuvwxyz")
    yield _shuffled(rng, "thequickbrownfoxjumpsoverthelazydog" * 6)
    yield "abc" * 200 + "\n" + "abc" * 199 + "abb\n"
    yield "a" * 15_000 + "b" * 15_000 + "\n" + "b" * 15_000 + "a" * 15_000 + "\n"
    yield _shuffled(rng, "ab" * 10_000)
    yield "abc" * 10_000 + "\n" + "cba" * 10_000 + "\n"
    yield "a" * 30_000 + "\n" + "a" * 29_999 + "b\n"
    yield "x" + "y" * 29_999 + "\n" + "y" * 29_999 + "x\n"


def _shuffled(rng: random.Random, row: str) -> str:
    letters = list(row)
    rng.shuffle(letters)
    return f"{row}\n{''.join(letters)}\n"


PROBLEM = AuthoredProblem(
    id="parade-swaps",
    level="hard",
    tags=("data structures", "greedy", "sortings", "strings"),
    statement="""\
The dancers of a parade stand in a row. Every dancer wears a costume, written as a small English \
letter; dancers with the same costume look exactly alike. Now the choreographer wants the \
costumes to appear in another order, which she gives as a second row of letters.

At each beat of the drum two dancers who stand next to each other change places; only one such \
swap happens at a beat. How many beats does it take at least until the row looks as the \
choreographer wants it?

Input

The first line contains the row of costumes as it is, a string of small English letters.

The second line contains the row as it should be, a string of small English letters.

Both strings have the same length, between 1 and 30000.

Output

Print the least number of swaps, or -1 if the row can never look as it should.
""",
    public_inputs=("march\ncharm\n", "polka\npolkb\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
import sys
from bisect import bisect_right
from collections import defaultdict, deque


def main():
    row, goal = sys.stdin.read().split()
    if sorted(row) != sorted(goal):
        print(-1)
        return
    places = defaultdict(deque)
    for place, costume in enumerate(row):
        places[costume].append(place)
    placed = []
    swaps = 0
    for costume in goal:
        place = places[costume].popleft()
        at = bisect_right(placed, place)
        swaps += len(placed) - at
        placed.insert(at, place)
    print(swaps)


main()
""",
        """\
def inversions(a):
    if len(a) < 2:
        return a, 0
    left, x = inversions(a[: len(a) // 2])
    right, y = inversions(a[len(a) // 2 :])
    merged = []
    count = x + y
    i = 0
    for value in right:
        while i < len(left) and left[i] < value:
            merged.append(left[i])
            i += 1
        merged.append(value)
        count += len(left) - i
    return merged + left[i:], count


row = input()
goal = input()
if sorted(row) != sorted(goal):
    print(-1)
else:
    queues = {c: [] for c in row}
    for i in range(len(goal) - 1, -1, -1):
        queues[goal[i]].append(i)
    print(inversions([queues[c].pop() for c in row])[1])
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
row = input()
goal = input()
if sorted(row) != sorted(goal):
    print(-1)
else:
    print(sum(a != b for a, b in zip(row, goal)) // 2)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
from bisect import bisect, insort

row, goal = input(), input()
if sorted(row) != sorted(goal):
    print(-1)
    exit()
places = {}
for i, c in enumerate(row):
    places.setdefault(c, []).append(i)
seen = []
swaps = 0
for c in goal:
    i = places[c].pop()
    swaps += len(seen) - bisect(seen, i)
    insort(seen, i)
print(swaps)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.RUNTIME_ERROR,
            passes_public=True,
            source="""\
row = list(input())
goal = input()
if set(row) != set(goal):
    print(-1)
else:
    swaps = 0
    for c in goal:
        at = row.index(c)
        swaps += at
        del row[at]
    print(swaps)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""\
row = list(input())
goal = input()
if sorted(row) != sorted(goal):
    print(-1)
else:
    beats = 0
    for i in range(len(goal)):
        j = i
        while row[j] != goal[i]:
            j += 1
        while j > i:
            row[j - 1], row[j] = row[j], row[j - 1]
            j -= 1
            beats += 1
    print(beats)
""",
        ),
    ),
)
