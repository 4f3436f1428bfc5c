"""Key presses to pick each name of a phone book by its shortest unambiguous beginning."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """One name, names that begin other names, chains, random books over few and many letters."""
    yield _book(["zoe"])
    yield _book(["a", "b", "c"])
    yield _book(["jo", "joe", "joel"])
    yield _book(["ab", "abcd", "abce", "b"])
    yield _book(["x" * length for length in range(1, 41)])
    yield _book(["anna", "annabell", "annabelle", "an"])
    yield _book(["mia", "mila", "mina", "mona"])
    for num_names, length, letters in (
        *((3, 3, "ab"), (4, 3, "ab"), (5, 4, "ab"), (6, 3, "abc"), (10, 5, "ab"), (12, 4, "abcd")),
        *((20, 8, "ab"), (40, 5, "abc"), (50, 12, "ab"), (60, 20, "abcdefghij")),
        *((200, 9, "ab"), (400, 12, "abc"), (600, 20, "ab"), (800, 6, "abcdefgh")),
    ):
        names = {"".join(rng.choices(letters, k=rng.randint(1, length))) for _ in range(num_names)}
        yield _book(rng.sample(sorted(names), len(names)))


def _book(names: list[str]) -> str:
    return f"{len(names)}\n" + "".join(f"{name}\n" for name in names)


PROBLEM = AuthoredProblem(
    id="dial-names",
    level="hard",
    tags=("strings", "trie"),
    statement="""\
An old telephone has a book with n different names and a key for every letter. To call somebody \
one types the name letter by letter. As soon as only one name of the book begins with the letters \
typed so far, the telephone dials it, without waiting for the rest of the name; but at least one \
letter has to be typed. If a whole name has been typed and other names of the book begin with it, \
one has to press the call key in addition.

Everybody in the book is called once. How many keys are pressed?

Input

The first line contains an integer n (1 <= n <= 1000). Each of the next n lines contains a name, 1 \
to 40 small English letters. All names are different.

Output

Print the number of key presses.
""",
    public_inputs=("4\nana\nben\nberta\nbela\n", "3\nkim\nkurt\nlea\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
from collections import Counter

names = [input().strip() for _ in range(int(input()))]
begin = Counter(name[:k] for name in names for k in range(1, len(name) + 1))
total = 0
for name in names:
    k = 1
    while k <= len(name) and begin[name[:k]] > 1:
        k += 1
    total += k
print(total)
""",
        """\
from os.path import commonprefix

names = sorted(open(0).read().split()[1:])
total = 0
for i, name in enumerate(names):
    near = names[max(0, i - 1):i] + names[i + 1:i + 2]
    total += 1 + max((len(commonprefix([name, other])) for other in near), default=0)
print(total)
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
names = [input() for _ in range(int(input()))]
total = 0
for name in names:
    for k in range(1, len(name) + 1):
        if sum(other.startswith(name[:k]) for other in names) == 1:
            break
    total += k
print(total)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.RUNTIME_ERROR,
            passes_public=True,
            source="""\
names = sorted(input() for _ in range(int(input())))


def common(a, b):
    k = 0
    while a[k] == b[k]:
        k += 1
    return k


total = 0
for i, name in enumerate(names):
    best = 0
    if i:
        best = common(name, names[i - 1])
    if i + 1 < len(names):
        best = max(best, common(name, names[i + 1]))
    total += best + 1
print(total)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
# one press for each branch of the tree of letters
tree = {}
for _ in range(int(input())):
    node = tree
    for c in input().strip():
        node = node.setdefault(c, {})


def presses(node, depth):
    if len(node) <= 1:
        return depth
    return sum(presses(child, depth + 1) for child in node.values())


print(presses(tree, 0))
""",
        ),
    ),
    time_limit_s=1.0,
)
