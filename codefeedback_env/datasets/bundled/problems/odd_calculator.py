"""A calculator on which plus and minus bind tighter than times."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """Numbers alone, chains of each operator, brackets in brackets, blanks, random terms."""
    yield from ("7\n", "(((12)))\n", "1-2-3-4\n", "2*3*4\n", "10 - 3 + 2 * 2\n", "8-(3-2)\n")
    yield from ("2*3+4*5\n", "(2*3)+(4*5)\n", "0-5*0-5\n", "5*2-7\n", "1 * ( 2 + 3 * 4 )\n")
    for depth in (1, 2, 2, 3, 3, 4, 5, 6):
        yield _term(rng, depth) + "\n"
    yield "-".join(["1"] * 600) + "\n"
    yield "*".join(["3-1"] * 60) + "\n"
    yield "(" * 5000 + "4" + "+1)" * 5000 + "\n"


def _term(rng: random.Random, depth: int) -> str:
    if depth == 0:
        return str(rng.randint(0, 30))
    parts = []
    for _ in range(rng.randint(2, 3)):
        part = _term(rng, depth - 1 if rng.random() < 0.7 else 0)
        parts += [f"({part})" if rng.random() < 0.7 else part, rng.choice("+-*")]
        if rng.random() < 0.3:
            parts.append(" ")
    return "".join(parts).rstrip().rstrip("+-*")


PROBLEM = AuthoredProblem(
    id="odd-calculator",
    level="hard",
    tags=("parsing", "stack"),
    statement="""\
A pocket calculator from the flea market has a funny fault: it does additions and subtractions \
before multiplications. So 2*3+4*5 is 2*7*5 = 70 for it. Several additions and subtractions in a \
row are done from left to right, as usual, and what stands in brackets is worked out first, in the \
same funny way.

Say what the calculator shows.

Input

One line with an expression of at most 30000 characters: integers from 0 to 1000 without leading \
zeros, the operators +, - and *, each between two operands, brackets ( and ), and blanks between \
them. There is no sign in front of a number.

Output

Print the value of the expression, which has at most 300 digits.
""",
    public_inputs=("2*3+4*5\n", "(1+2)*3\n", "4 + 3 - 1 * 2\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
import re

# for each open bracket: product of the finished factors, the sum so far, the sign to come
stack = [[1, 0, 1]]


def value(number):
    stack[-1][1] += stack[-1][2] * number


for token in re.findall(r"\\d+|[-+*()]", input()):
    if token == "(":
        stack.append([1, 0, 1])
    elif token == ")":
        product, total, _ = stack.pop()
        value(product * total)
    elif token == "*":
        product, total, _ = stack[-1]
        stack[-1] = [product * total, 0, 1]
    elif token in "+-":
        stack[-1][2] = 1 if token == "+" else -1
    else:
        value(int(token))
print(stack[0][0] * stack[0][1])
""",
        """\
RANK = {"(": 0, "*": 1, "+": 2, "-": 2}
numbers, operators = [], []


def apply():
    b, a, o = numbers.pop(), numbers.pop(), operators.pop()
    numbers.append(a + b if o == "+" else a - b if o == "-" else a * b)


line = input()
for c in "+-*()":
    line = line.replace(c, f" {c} ")
for token in line.split():
    if token == "(":
        operators.append(token)
    elif token == ")":
        while operators[-1] != "(":
            apply()
        operators.pop()
    elif token in RANK:
        while operators and RANK[operators[-1]] >= RANK[token]:
            apply()
        operators.append(token)
    else:
        numbers.append(int(token))
while operators:
    apply()
print(numbers[0])
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.RUNTIME_ERROR,
            passes_public=True,
            source="""\
import re

tokens = re.findall(r"\\d+|[-+*()]", input()) + ["end"]
at = 0


def take():
    global at
    at += 1
    return tokens[at - 1]


def atom():
    token = take()
    if token != "(":
        return int(token)
    inner = product()
    take()
    return inner


def total():
    result = atom()
    while tokens[at] in ("+", "-"):
        result = result + atom() if take() == "+" else result - atom()
    return result


def product():
    result = total()
    while tokens[at] == "*":
        take()
        result *= total()
    return result


print(product())
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
import re

rank = {"(": 0, ")": 0, "*": 1, "+": 2, "-": 2}
values, waiting = [], []


def work_off(least):
    while waiting and rank[waiting[-1]] > least:
        operator = waiting.pop()
        right = values.pop()
        if operator == "*":
            values[-1] *= right
        else:
            values[-1] += right if operator == "+" else -right


for token in re.findall(r"\\d+|[-+*()]", input()):
    if token.isdigit():
        values.append(int(token))
        continue
    if token != "(":
        work_off(rank[token])
    if token == ")":
        waiting.pop()
    else:
        waiting.append(token)
work_off(0)
print(values[0])
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
print(eval(input()))
""",
        ),
    ),
    time_limit_s=1.0,
)
