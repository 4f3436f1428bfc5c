"""Are crates, boxes and tins nested properly, and never a larger kind inside a smaller one?"""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """Single symbols, each kind of fault, random lists with and without faults, deep ones."""
    yield from ("()\n", "((\n", "}\n", "{\n", "{}[]()\n", "([])\n", "[{}]\n", "({})\n", "())(\n")
    yield from ("{[()]}\n", "{[(])}\n", "[[[]]](\n", "{{}}{[[]()]}((()))\n", "{(})\n", "][\n")
    for num_containers in (3, 5, 8, 15, 40, 150):
        proper = _proper(rng, num_containers)
        yield proper + "\n"
        at = rng.randrange(len(proper))
        yield proper[:at] + rng.choice("{}[]()") + proper[at + 1 :] + "\n"
    yield "(" * 100_000 + ")" * 100_000 + "\n"
    yield "{[()]}" * 10_000 + "\n"
    yield "[()" * 20_000 + "]" * 19_999 + "\n"
    yield "{" * 15_000 + "[" * 15_000 + "()" * 10_000 + "]" * 15_000 + "}" * 15_000 + "\n"
    yield "{" * 50_000 + "([])" + "}" * 49_998 + "\n"


def _proper(rng: random.Random, num_containers: int) -> str:
    kinds = ("()", "[]", "{}")
    text = ""
    stack: list[int] = []
    while num_containers or stack:
        if num_containers and rng.random() < 0.55:
            stack.append(rng.randint(0, stack[-1] if stack else 2))
            text += kinds[stack[-1]][0]
            num_containers -= 1
        elif stack:
            text += kinds[stack.pop()][1]
    return text


PROBLEM = AuthoredProblem(
    id="nested-crates",
    level="medium",
    tags=("data structures", "strings", "implementation"),
    statement="""\
A warehouse keeps a list of how its goods are packed. Three kinds of containers are in use: \
crates, boxes and tins. In the list the opening and closing of a crate is written as { and }, of \
a box as [ and ], of a tin as ( and ).

A list is proper if

- every container that is opened is closed later, and nothing is closed that is not open;
- a container is closed only when everything opened inside it has been closed;
- nothing sits inside something of a smaller kind: a box never contains a crate, and a tin \
contains neither crates nor boxes, no matter how deep inside. A container may contain others of \
its own kind.

Containers may be empty, and there may be any number of them beside each other. Find out whether \
a list is proper.

Input

One line with the list: between 1 and 200000 characters, each one of {}[]().

Output

Print YES if the list is proper, and NO otherwise.
""",
    public_inputs=("{[]()}[(())]\n", "{()[({})]}\n", "[(])\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
def proper(text):
    stack = []
    for c in text:
        if c in "([{":
            kind = "([{".index(c)
            if stack and stack[-1] < kind:
                return False
            stack.append(kind)
        elif not stack or stack.pop() != ")]}".index(c):
            return False
    return not stack


print("YES" if proper(input().strip()) else "NO")
""",
        """\
import sys

tins = boxes = crates = 0
for c in sys.stdin.readline().rstrip():
    if c == "(":
        tins += 1
    elif c == ")":
        tins -= 1
        if tins < 0:
            break
    elif tins:
        tins = -1
        break
    elif c == "[":
        boxes += 1
    elif c == "]":
        boxes -= 1
        if boxes < 0:
            break
    elif boxes:
        boxes = -1
        break
    elif c == "{":
        crates += 1
    else:
        crates -= 1
        if crates < 0:
            break
print("YES" if tins == boxes == crates == 0 else "NO")
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
partner = {")": "(", "]": "[", "}": "{"}
stack = []
good = True
for c in input():
    if c not in partner:
        stack.append(c)
    elif stack and stack[-1] == partner[c]:
        stack.pop()
    else:
        good = False
print("YES" if good and not stack else "NO")
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
size = {"(": 0, "[": 1, "{": 2, ")": 0, "]": 1, "}": 2}
stack = []
good = True
for c in input():
    if c in "([{":
        if stack and stack[-1] < size[c]:
            good = False
        stack.append(size[c])
    elif not stack or stack.pop() != size[c]:
        good = False
print("YES" if good else "NO")
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.RUNTIME_ERROR,
            passes_public=True,
            source="""\
stack = []
good = True
for c in input():
    if c in "([{":
        if stack and "([{".find(c) > "([{".find(stack[-1]):
            good = False
        stack.append(c)
    elif stack.pop() + c not in ("()", "[]", "{}"):
        good = False
print("YES" if good and len(stack) == 0 else "NO")
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""\
packed = input()
for empty in ("()", "[]", "{}"):
    while empty in packed:
        packed = packed.replace(empty, "")
    if empty[0] in packed or empty[1] in packed:
        print("NO")
        break
else:
    print("YES")
""",
        ),
    ),
    time_limit_s=1.0,
)
