"""Borders of a string and how often they occur: prefix function or Z function."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict

_STATEMENT = """\
The bells of a church play a tune, written as a string s of lower case letters, one letter for each
stroke. A motif is a non-empty string that the tune begins with and also ends with. The whole tune
itself is a motif, too. The weight of a motif is its length multiplied by the number of places at
which it occurs in the tune as consecutive strokes; occurrences may overlap. For example, the tune
ababa has the motifs a, aba and ababa, of weights 1 * 3, 3 * 2 and 5 * 1.

Print the largest weight of a motif.

Input

One line with the string s (1 <= length <= 100000, only letters a to z).

Output

Print the largest weight of a motif.
"""


def _fibonacci_word(length: int) -> str:
    a, b = "a", "ab"
    while len(b) < length:
        a, b = b, b + a
    return b[:length]


def _hidden_inputs(rng: random.Random) -> Iterator[str]:
    yield "z\n"
    yield "aa\n"
    yield "ab\n"
    yield "aaaa\n"
    yield "ababab\n"
    yield "abaababaab\n"
    yield "abcxabcyabczabc\n"
    for size in (5, 6, 7, 8, 9, 12, 20):
        yield "".join(rng.choice("ab") for _ in range(size)) + "\n"
        block = "".join(rng.choice("abc") for _ in range(size))
        yield block + block[: size // 2] + block + block + "\n"
    yield "a" * 150 + "b" + "a" * 150 + "\n"
    yield "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(1000)) + "\n"
    yield _fibonacci_word(2583) + "\n"
    yield "ab" * 50000 + "\n"
    yield "a" * 100000 + "\n"
    yield "a" * 49999 + "b" + "a" * 50000 + "\n"
    yield _fibonacci_word(100000) + "\n"


PROBLEM = AuthoredProblem(
    id="bell-pattern",
    level="harder",
    tags=("strings", "prefix function", "z function"),
    statement=_STATEMENT,
    public_inputs=("dodo\n", "abcabcxabc\n", "aaaab\n"),
    hidden_inputs=_hidden_inputs,
    reference=(
        """def main():
    s = input().strip()
    n = len(s)
    border = [0] * (n + 1)
    k = 0
    for i in range(1, n):
        c = s[i]
        while k and s[k] != c:
            k = border[k]
        if s[k] == c:
            k += 1
        border[i + 1] = k
    count = [1] * (n + 1)
    for i in range(n, 0, -1):
        count[border[i]] += count[i]
    best = n
    length = border[n]
    while length:
        best = max(best, length * count[length])
        length = border[length]
    print(best)


main()
""",
        """import sys


def z_function(s):
    n = len(s)
    z = [0] * n
    z[0] = n
    left = right = 0
    for i in range(1, n):
        k = min(z[i - left], right - i) if i < right else 0
        while i + k < n and s[k] == s[i + k]:
            k += 1
        z[i] = k
        if i + k > right:
            left, right = i, i + k
    return z


tune = sys.stdin.readline().strip()
n = len(tune)
z = z_function(tune)
at_least = [0] * (n + 2)
for value in z:
    at_least[value] += 1
for value in range(n - 1, -1, -1):
    at_least[value] += at_least[value + 1]
print(max(length * at_least[length] for length in range(1, n + 1) if z[n - length] == length))
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""s = input()
best = 0
for size in range(1, len(s) + 1):
    if s.endswith(s[:size]):
        best = max(best, size * s.count(s[:size]))
print(best)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""def occurrences(text, motif):
    found = 0
    at = text.find(motif)
    while at >= 0:
        found += 1
        at = text.find(motif, at + 1)
    return found


tune = input().strip()
weights = []
for length in range(1, len(tune) + 1):
    motif = tune[:length]
    if tune[-length:] == motif:
        weights.append(length * occurrences(tune, motif))
print(max(weights))
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.MEMORY_LIMIT,
            passes_public=True,
            source="""from bisect import bisect_left

s = input()
n = len(s)
common = [0] * (n * n)  # one number for every pair of places
endings = sorted([s[i:] for i in range(n)])
best = 0
for i in range(n):
    motif = s[i:]
    if s.startswith(motif):
        first = bisect_left(endings, motif)
        last = bisect_left(endings, motif + "~")
        best = max(best, len(motif) * (last - first))
print(best)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""# any prefix counts, not only those the tune ends with
import sys

s = sys.stdin.read().strip()
n = len(s)
pi = [0] * n
for i in range(1, n):
    k = pi[i - 1]
    while k > 0 and s[k] != s[i]:
        k = pi[k - 1]
    pi[i] = k + (s[k] == s[i])
cnt = [0] * (n + 1)
for k in pi:
    cnt[k] += 1
for i in range(n - 1, 0, -1):
    cnt[pi[i - 1]] += cnt[i]
print(max((cnt[i] + 1) * i for i in range(1, n + 1)))
""",
        ),
    ),
    time_limit_s=1.0,
    memory_limit_mib=128,
)
