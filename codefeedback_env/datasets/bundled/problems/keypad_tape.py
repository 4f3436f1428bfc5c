"""A linear de Bruijn sequence, any valid one accepted; long output."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict

_STATEMENT = """\
The lock of a vault has keys 0, 1, ..., k - 1. It always listens to the last n keys that were
pressed, and it opens as soon as these n keys, in the order pressed, are its secret code. To test
every possible code, an engineer wants to press the keys along a tape of digits, from left to
right, so that each of the k^n codes (k to the power n) appears on the tape exactly once as n
neighbouring digits. Such a tape has exactly k^n + n - 1 digits. Print one.

Input

One line with two integers k and n (1 <= k <= 9, 1 <= n <= 17, k^n <= 131072).

Output

Print the k^n + n - 1 digits of the tape on one line, without spaces. If there are several such
tapes, print any one of them.
"""


def _hidden_inputs(rng: random.Random) -> Iterator[str]:
    yield "1 1\n"
    yield "2 1\n"
    yield "9 1\n"
    yield "1 17\n"
    yield "2 2\n"
    yield "3 3\n"
    small = [(2, 4), (2, 5), (3, 4), (4, 3), (5, 3), (6, 2), (7, 2), (9, 2), (8, 3), (2, 7), (3, 5)]
    rng.shuffle(small)
    for k, n in small:
        yield f"{k} {n}\n"
    yield "2 10\n"
    yield "2 12\n"
    yield "2 17\n"
    yield "3 9\n"
    yield "9 4\n"


PROBLEM = AuthoredProblem(
    id="keypad-tape",
    level="harder",
    tags=("graphs", "eulerian circuit", "constructive"),
    statement=_STATEMENT,
    public_inputs=("2 3\n", "3 2\n"),
    hidden_inputs=_hidden_inputs,
    checker="keypad-tape",
    reference=(
        """# Lyndon words whose length divides n, in order, are a cyclic tape of all codes
k, n = map(int, input().split())
tape = []
word = [-1]
while word:
    word[-1] += 1
    if n % len(word) == 0:
        tape += word
    size = len(word)
    while len(word) < n:
        word.append(word[-size])
    while word and word[-1] == k - 1:
        word.pop()
tape += tape[:n - 1] if k > 1 else [0] * (n - 1)
print("".join(map(str, tape)))
""",
        """import sys
import threading


def main():
    k, n = map(int, sys.stdin.readline().split())
    nodes = k ** (n - 1)
    next_key = [0] * nodes
    keys = []

    def walk(node):
        while next_key[node] < k:
            key = next_key[node]
            next_key[node] += 1
            walk((node * k + key) % nodes)
            keys.append(key)

    walk(0)
    print("0" * (n - 1) + "".join(map(str, reversed(keys))))


sys.setrecursionlimit(1_000_000)
threading.stack_size(128 << 20)
thread = threading.Thread(target=main)
thread.start()
thread.join()
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.RUNTIME_ERROR,
            passes_public=True,
            source="""k, n = map(int, input().split())
seen = set()
tape = []


def walk(node):
    for key in map(str, range(k)):
        code = node + key
        if code not in seen:
            seen.add(code)
            walk(code[1:])
            tape.append(key)


walk("0" * (n - 1))
print("0" * (n - 1) + "".join(tape[::-1]))
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""k, n = map(int, input().split())
tape = "0" * n
digits = [str(d) for d in range(k - 1, -1, -1)]
while len(tape) < k ** n + n - 1:
    end = tape[len(tape) - n + 1:]
    for d in digits:  # the largest key that makes a new code
        if end + d not in tape:
            tape += d
            break
print(tape)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""from itertools import product

# Lyndon words of length n or less that divide n, but the last digits wrap around only once
k, n = map(int, input().split())
words = []
for size in range(1, n + 1):
    if n % size == 0:
        for w in product("012345678"[:k], repeat=size):
            w = "".join(w)
            if all(w < w[i:] + w[:i] for i in range(1, size)):
                words.append(w)
words.sort()
tape = "".join(words)
print(tape + tape[:n - 1])
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""import itertools

k, n = map(int, input().split())
tape = ""
for code in itertools.product(range(k), repeat=n):
    text = "".join(map(str, code))
    if text not in tape:
        overlap = next(i for i in range(n, -1, -1) if tape.endswith(text[:i]))
        tape += text[overlap:]
print(tape)
""",
        ),
    ),
    time_limit_s=2.0,
    memory_limit_mib=256,
)
