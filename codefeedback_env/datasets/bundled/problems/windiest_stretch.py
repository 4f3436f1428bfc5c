"""Largest average of a long enough stretch: binary search on the answer, float output."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict

_STATEMENT = """\
A weather buoy wrote down one number for each of n hours: how much stronger (or weaker, if
negative) the wind was than usual. The lab looks for the windiest stretch: a run of at least k
consecutive hours whose average is as large as possible. The average of a stretch is the sum of its
numbers divided by how many they are. Print the largest average.

Input

The first line has two integers n and k (1 <= k <= n <= 20000). The second line has n integers, the
numbers of the hours in order, each between -1000 and 1000.

Output

Print the largest average of a stretch of at least k consecutive hours. An absolute or relative
error of 1e-6 is accepted.
"""


def _text(k: int, values: list[int]) -> str:
    return f"{len(values)} {k}\n{' '.join(map(str, values))}\n"


def _hidden_inputs(rng: random.Random) -> Iterator[str]:
    yield "1 1\n0\n"
    yield "1 1\n-1000\n"
    yield "2 1\n3 4\n"
    yield "2 2\n3 4\n"
    yield "3 2\n5 -1 5\n"
    yield "6 3\n1 4 4 3 3 4\n"
    yield "5 2\n-3 -2 -2 -2 -3\n"
    for n in (4, 5, 6, 7, 8, 10):
        values = [rng.randint(-9, 9) for _ in range(n)]
        yield _text(rng.randint(2, n), values)
        yield _text(2, [rng.randint(-1000, 1000) for _ in range(n)])
    for n, k in [(50, 7), (100, 30), (300, 200)]:
        yield _text(k, [rng.randint(-1000, 1000) for _ in range(n)])
    yield _text(40, [rng.randint(0, 9) for _ in range(400)])
    yield _text(100, [rng.randint(-9, 0) for _ in range(20000)])
    yield _text(1, [1000] * 20000)
    yield _text(7000, [i * i % 101 - 50 for i in range(20000)])
    yield _text(20000, [1000, -999] * 10000)
    yield _text(9000, [0] * 9999 + [1, 1] + [0] * 9999)


PROBLEM = AuthoredProblem(
    id="windiest-stretch",
    level="harder",
    tags=("binary search", "prefix sums", "floating point"),
    statement=_STATEMENT,
    public_inputs=(
        "5 2\n1 6 4 2 0\n",
        "4 1\n-5 -2 -4 -8\n",
    ),
    hidden_inputs=_hidden_inputs,
    reference=(
        """n, k = map(int, input().split())
prefix = [0]
for x in input().split():
    prefix.append(prefix[-1] + int(x))
best_sum, best_len = prefix[k], k
hull = []
at = 0
for end in range(k, n + 1):
    i = end - k
    # lower hull of the points (j, prefix[j]), j <= end - k
    while len(hull) > 1:
        a, b = hull[-2], hull[-1]
        if (prefix[b] - prefix[a]) * (i - b) >= (prefix[i] - prefix[b]) * (b - a):
            hull.pop()
        else:
            break
    hull.append(i)
    at = min(at, len(hull) - 1)
    while at + 1 < len(hull):
        a, b = hull[at], hull[at + 1]
        if (prefix[end] - prefix[b]) * (end - a) >= (prefix[end] - prefix[a]) * (end - b):
            at += 1
        else:
            break
    total, length = prefix[end] - prefix[hull[at]], end - hull[at]
    if total * best_len > best_sum * length:
        best_sum, best_len = total, length
print(best_sum / best_len)
""",
        """import sys
from itertools import accumulate


def main():
    data = list(map(int, sys.stdin.buffer.read().split()))
    k = data[1]
    prefix = [0, *accumulate(data[2:])]
    low, high = -1001.0, 1001.0
    for _ in range(38):
        mid = (low + high) / 2
        shifted = [p - i * mid for i, p in enumerate(prefix)]
        least = accumulate(shifted, min)
        if any(map(float.__ge__, shifted[k:], least)):
            low = mid
        else:
            high = mid
    print(f"{(low + high) / 2:.9f}")


main()
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""# the best window of exactly k hours
n, k = map(int, input().split())
a = [int(x) for x in input().split()]
window = sum(a[:k])
best = window
for i in range(k, n):
    window += a[i] - a[i - k]
    best = max(best, window)
print(best / k)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""n, k = map(int, input().split())
a = list(map(int, input().split()))
total = [0] * (n + 1)
for i in range(n):
    total[i + 1] = total[i] + a[i]
best = -1e9
for left in range(n):
    for right in range(left + k, n + 1):
        average = (total[right] - total[left]) / (right - left)
        if average > best:
            best = average
print("%.8f" % best)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""n, k = map(int, input().split())
a = list(map(int, input().split()))
low, high = 0.0, 1000.0
while high - low > 1e-7:
    mid = (low + high) / 2
    total = least = 0.0
    before = [0.0]
    fits = False
    for i, x in enumerate(a, 1):
        total += x - mid
        before.append(total)
        if i >= k:
            least = min(least, before[i - k])
            if total >= least:
                fits = True
                break
    if fits:
        low = mid
    else:
        high = mid
print(round(low, 7))
""",
        ),
    ),
    time_limit_s=2.0,
    memory_limit_mib=128,
)
