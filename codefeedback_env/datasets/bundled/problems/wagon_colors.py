"""The longest stretch of a train with at most k different wagon colours."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """Short trains, stretches at either end, random trains, long trains with few or all colours."""
    yield from ("1\na\n", "26\nz\n", "1\nab\n", "1\naabbb\n", "2\nabcba\n", "2\nabaccc\n")
    yield from ("3\nabcabcd\n", "2\nabbbcb\n", "1\nabcdefg\n", "5\naaabbbccc\n")
    for num_wagons in (4, 6, 8, 12, 20, 35, 60):
        train = "".join(rng.choice("abcd") for _ in range(num_wagons))
        yield f"{rng.randint(1, 3)}\n{train}\n"
    yield "4\n" + "".join(rng.choice("abcdefgh") for _ in range(150)) + "\n"
    yield "2\n" + "abc" * 5000 + "aabba" * 40 + "\n"
    yield "3\n" + "".join(rng.choice("rgby") for _ in range(20_000)) + "\n"
    yield "26\n" + "abcdefghijklmnopqrstuvwxyz" * 7692 + "\n"
    yield "1\n" + "a" * 100_000 + "\n"
    yield "2\n" + "a" * 30_000 + "b" * 30_000 + "c" * 30_000 + "\n"
    yield "3\n" + "abcb" * 10_000 + "dcba" * 10_000 + "\n"


PROBLEM = AuthoredProblem(
    id="wagon-colors",
    level="medium",
    tags=("two pointers", "strings", "data structures"),
    statement="""\
A freight train stands in front of the paint shop. Every wagon has a colour, written as a small \
English letter. The photographer of the railway company wants a picture of consecutive wagons, \
but with more than k different colours the picture would look too restless.

How many consecutive wagons can be in the picture at most, if they have at most k different \
colours altogether?

Input

The first line contains an integer k (1 <= k <= 26).

The second line contains a string of 1 to 200000 small English letters, the colours of the wagons \
from the first to the last.

Output

Print one integer: the largest number of consecutive wagons with at most k different colours.
""",
    public_inputs=("2\naabbcdd\n", "3\nxyzzyx\n", "1\nabaa\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
def main():
    k = int(input())
    train = input()
    count = {}
    left = 0
    best = 0
    for right, color in enumerate(train):
        count[color] = count.get(color, 0) + 1
        while len(count) > k:
            gone = train[left]
            count[gone] -= 1
            if not count[gone]:
                del count[gone]
            left += 1
        best = max(best, right - left + 1)
    print(best)


main()
""",
        """\
k, train = open(0).read().split()
k = int(k)
last = {}
start = best = 0
for i, c in enumerate(train):
    if c not in last and len(last) == k:
        oldest = min(last, key=last.get)
        start = last.pop(oldest) + 1
    last[c] = i
    if i - start >= best:
        best = i - start + 1
print(best)
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
k = int(input())
colors = set()
length = best = 0
for c in input():
    if c not in colors and len(colors) == k:
        colors = set()
        length = 0
    colors.add(c)
    length += 1
    best = max(best, length)
print(best)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
from collections import Counter

k = int(input())
print(sum(count for _, count in Counter(input()).most_common(k)))
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""\
k = int(input())
train = input()
best = 0
for start in range(len(train)):
    seen = set()
    for end in range(start, len(train)):
        seen.add(train[end])
        if len(seen) > k:
            break
        best = max(best, end - start + 1)
print(best)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.MEMORY_LIMIT,
            passes_public=True,
            source="""\
k = int(input())
train = input()
n = len(train)
colors = [0] * (n * n)
best = 0
for start in range(n):
    seen = set()
    for end in range(start, n):
        seen.add(train[end])
        colors[start * n + end] = len(seen)
for start in range(n):
    for end in range(start, n):
        if colors[start * n + end] <= k:
            best = max(best, end - start + 1)
print(best)
""",
        ),
    ),
)
