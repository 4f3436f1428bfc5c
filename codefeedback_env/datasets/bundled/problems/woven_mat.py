"""Draw a mat of rings, one letter for each ring; the output can be large."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """Small mats of even and odd height, strips, more than 26 rings, the largest mat."""
    yield from ("1 1\n", "2 2\n", "3 3\n", "1 2\n", "2 1\n", "4 3\n", "3 8\n", "6 6\n", "9 4\n")
    for _ in range(6):
        yield f"{rng.randint(1, 25)} {rng.randint(1, 25)}\n"
    yield "1 500\n"
    yield "500 1\n"
    yield "2 499\n"
    yield "52 52\n"
    yield "53 53\n"
    yield "54 70\n"
    yield "110 55\n"
    yield "500 500\n"


PROBLEM = AuthoredProblem(
    id="woven-mat",
    level="easy",
    tags=("implementation", "strings"),
    statement="""\
A weaver makes rectangular mats of r rows and c columns from threads of 26 colours, called a to \
z. The outermost ring of cells, everything that touches the edge of the mat, gets colour a. The \
ring just inside it gets colour b, the next one c, and so on towards the middle; after colour z \
the weaver starts again with a. The innermost ring may be a single cell or a part of a single row \
or column.

Draw the mat.

Input

One line with two integers r and c (1 <= r, c <= 500).

Output

Print r lines with c small letters each, without spaces: the mat, row by row.
""",
    public_inputs=("5 7\n", "3 4\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
import sys


def main():
    rows, columns = map(int, input().split())
    letters = "abcdefghijklmnopqrstuvwxyz" * 20
    out = []
    for row in range(rows):
        depth = min(row, rows - 1 - row)
        ring = min(depth, (columns - 1) // 2)
        left = letters[:ring]
        middle = letters[ring] * (columns - 2 * ring)
        out.append(left + middle + left[::-1])
    sys.stdout.write("\\n".join(out) + "\\n")


main()
""",
        """\
r, c = map(int, input().split())
for i in range(r):
    edge = min(i, r - 1 - i)
    print("".join(chr(97 + min(edge, j, c - 1 - j) % 26) for j in range(c)))
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
c, r = map(int, input().split())
for i in range(r):
    edge = min(i, r - 1 - i)
    print("".join(chr(97 + min(edge, j, c - 1 - j) % 26) for j in range(c)))
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.RUNTIME_ERROR,
            passes_public=True,
            source="""\
from string import ascii_lowercase

r, c = map(int, input().split())
mat = [["a"] * c for _ in range(r)]
for i in range(r):
    for j in range(c):
        mat[i][j] = ascii_lowercase[min(i, j, r - 1 - i, c - 1 - j)]
for row in mat:
    print(*row, sep="")
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.OUTPUT_LIMIT,
            passes_public=True,
            source="""\
rows, columns = map(int, input().split())
upper = []
left = ""
while 2 * len(upper) + 1 != rows:
    letter = chr(97 + len(upper) % 26)
    line = left + letter * (columns - 2 * len(left)) + left[::-1]
    print(line)
    upper.append(line)
    left += letter
letter = chr(97 + len(upper) % 26)
print(left + letter * (columns - 2 * len(left)) + left[::-1])
for line in reversed(upper):
    print(line)
""",
        ),
    ),
)
