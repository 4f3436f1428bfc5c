"""Number of different substrings of a text: a suffix automaton."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """One letter, equal letters, periods, Fibonacci words, random texts, long ones."""
    yield from ("a\n", "zz\n", "abc\n", "abab\n", "aaaaaaaaaa\n", "abcabcabc\n", "aabbaabb\n")
    for length, letters in (
        *((5, "ab"), (8, "ab"), (10, "abc"), (20, "ab"), (30, "abcd"), (60, "ab"), (200, "abc")),
        *((500, "abcdefghijklmnopqrstuvwxyz"), (1500, "ab")),
    ):
        yield "".join(rng.choices(letters, k=length)) + "\n"
    short, long = "a", "ab"
    while len(long) < 2500:
        short, long = long, long + short
    yield long + "\n"
    yield "x" * 6000 + "\n"
    yield "abcdefghij" * 600 + "\n"
    yield "a" * 3000 + "b" * 3000 + "\n"
    yield "".join(rng.choices("abcd", k=6000)) + "\n"


PROBLEM = AuthoredProblem(
    id="distinct-refrains",
    level="hardest",
    tags=("strings", "suffix automaton"),
    statement="""\
A composer writes a very long melody as a string of small English letters, one letter for each \
note. A refrain is any part of the melody that consists of one or more consecutive notes. Two \
refrains that sound alike, note for note, are the same refrain, wherever they are taken from.

How many different refrains are there in the melody?

Input

One line with the melody, 1 to 6000 small English letters.

Output

Print the number of different refrains.
""",
    public_inputs=("banana\n", "abcd\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
steps, link, length = [{}], [-1], [0]
last = 0
for c in input().strip():
    new = len(steps)
    steps.append({})
    link.append(0)
    length.append(length[last] + 1)
    p = last
    while p != -1 and c not in steps[p]:
        steps[p][c] = new
        p = link[p]
    if p != -1:
        q = steps[p][c]
        if length[q] == length[p] + 1:
            link[new] = q
        else:
            copy = len(steps)
            steps.append(dict(steps[q]))
            link.append(link[q])
            length.append(length[p] + 1)
            while p != -1 and steps[p].get(c) == q:
                steps[p][c] = copy
                p = link[p]
            link[q] = link[new] = copy
    last = new
print(sum(length[v] - length[link[v]] for v in range(1, len(steps))))
""",
        """\
s = input().strip()
n = len(s)
order = sorted(range(n), key=lambda i: s[i])
rank = [ord(c) for c in s]
k = 1
while k < 2 * n:
    keys = [rank[i] << 20 | (rank[i + k] + 1 if i + k < n else 0) for i in range(n)]
    order.sort(key=keys.__getitem__)
    new = [0] * n
    for a, b in zip(order, order[1:]):
        new[b] = new[a] + (keys[a] != keys[b])
    rank = new
    if rank[order[-1]] == n - 1:
        break
    k *= 2
answer = n * (n + 1) // 2
common = 0
for i in range(n):
    if rank[i] == 0:
        common = 0
        continue
    j = order[rank[i] - 1]
    while i + common < n and j + common < n and s[i + common] == s[j + common]:
        common += 1
    answer -= common
    common = max(0, common - 1)
print(answer)
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.MEMORY_LIMIT,
            passes_public=True,
            source="""\
s = input().strip()
n = len(s)
print(len({s[i:j] for i in range(n) for j in range(i + 1, n + 1)}))
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
# all parts, minus those that come again at the next suffix in order
s = input().strip()
n = len(s)
suffixes = sorted(s[i:i + 12] for i in range(n))
answer = n * (n + 1) // 2
for a, b in zip(suffixes, suffixes[1:]):
    k = 0
    while k < min(len(a), len(b)) and a[k] == b[k]:
        k += 1
    answer -= k
print(answer)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
s = input().strip()
n = len(s)
repeated = n - len(set(s))
print(n * (n + 1) // 2 - repeated)
""",
        ),
    ),
    time_limit_s=2.0,
    memory_limit_mib=128,
)
