"""Two tables and rules with two ways out each: satisfiability of pairs, any seating is right."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict

Rule = tuple[int, str, int, str]


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """Forced guests, contradictions, chains, rules met by a hidden seating, long forced chains."""
    yield _rules(1, [(1, "L", 1, "L")])
    yield _rules(1, [(1, "L", 1, "L"), (1, "R", 1, "R")])
    yield _rules(1, [(1, "L", 1, "R")])
    yield _rules(3, [])
    pairs = [(1, a, 2, b) for a in "LR" for b in "LR"]
    yield _rules(2, pairs[:3])
    yield _rules(2, pairs)
    yield _rules(3, [(1, "R", 2, "L"), (2, "R", 3, "L"), (1, "L", 1, "L"), (3, "R", 3, "R")])
    for num_guests, num_rules, fair in (
        *((3, 5, True), (4, 6, False), (4, 8, True), (5, 8, False), (6, 9, False), (8, 12, False)),
        *((8, 20, True), (12, 18, True), (30, 45, True), (100, 150, True), (100, 160, False)),
        *((500, 800, True), (1000, 1100, True), (1000, 2000, True)),
    ):
        seats = rng.choices("LR", k=num_guests)
        rules: list[Rule] = []
        while len(rules) < num_rules:
            a, b = rng.randint(1, num_guests), rng.randint(1, num_guests)
            x, y = rng.choice("LR"), rng.choice("LR")
            if not fair or seats[a - 1] == x or seats[b - 1] == y:
                rules.append((a, x, b, y))
        yield _rules(num_guests, rules)
    # everybody follows the guest before him, and the last one forces the first
    chain: list[Rule] = [(i, "R", i + 1, "L") for i in range(1, 1000)]
    yield _rules(1000, [*chain, (1, "L", 1, "L")])
    yield _rules(1000, [*chain, (1000, "R", 1000, "R"), (1000, "L", 1, "R")])
    yield _rules(1000, [*chain, (1000, "R", 1000, "R"), (1, "L", 500, "L")])


def _rules(num_guests: int, rules: list[Rule]) -> str:
    lines = "".join(f"{a} {x} {b} {y}\n" for a, x, b, y in rules)
    return f"{num_guests} {len(rules)}\n{lines}"


PROBLEM = AuthoredProblem(
    id="seating-rules",
    level="hardest",
    tags=("2-sat", "strongly connected components"),
    statement="""\
At a wedding there are two long tables, a left and a right one, with room for everybody at each. \
The n guests have made m demands, and each demand names two ways to meet it: "a X b Y" means that \
guest a sits at table X or guest b sits at table Y, or both. A table is given by its letter, L or \
R, and a and b may be the same guest.

Seat the guests so that all demands are met.

Input

The first line contains the integers n and m (1 <= n <= 1000, 0 <= m <= 2000). Each of the next m \
lines contains a demand: a number a, a letter, a number b and a letter, separated by spaces.

Output

Print a string of n letters, the tables of the guests 1 to n, or IMPOSSIBLE if not all demands can \
be met. If there are several seatings, print any of them.
""",
    public_inputs=(
        "3 3\n1 L 2 R\n1 R 3 L\n2 L 3 L\n",
        "2 4\n1 L 2 L\n1 L 2 R\n1 R 2 L\n1 R 2 R\n",
    ),
    hidden_inputs=hidden_inputs,
    checker="seating",
    reference=(
        """\
import sys

data = sys.stdin.read().split()
n, m = int(data[0]), int(data[1])
# node 2g: guest g sits left, 2g + 1: right
implied = [[] for _ in range(2 * n)]
back = [[] for _ in range(2 * n)]
for i in range(2, len(data), 4):
    a = 2 * int(data[i]) - 2 + (data[i + 1] == "R")
    b = 2 * int(data[i + 2]) - 2 + (data[i + 3] == "R")
    for x, y in ((a ^ 1, b), (b ^ 1, a)):
        implied[x].append(y)
        back[y].append(x)
seen, order = [False] * (2 * n), []
for start in range(2 * n):
    if seen[start]:
        continue
    seen[start] = True
    stack = [(start, iter(implied[start]))]
    while stack:
        node, rest = stack[-1]
        for other in rest:
            if not seen[other]:
                seen[other] = True
                stack.append((other, iter(implied[other])))
                break
        else:
            order.append(node)
            stack.pop()
group = [-1] * (2 * n)
number = 0
for start in reversed(order):
    if group[start] == -1:
        group[start] = number
        stack = [start]
        while stack:
            for other in back[stack.pop()]:
                if group[other] == -1:
                    group[other] = number
                    stack.append(other)
        number += 1
if any(group[2 * g] == group[2 * g + 1] for g in range(n)):
    print("IMPOSSIBLE")
else:
    print("".join("LR"[group[2 * g] < group[2 * g + 1]] for g in range(n)))
""",
        """\
n, m = map(int, input().split())
clauses = {}
for _ in range(m):
    a, x, b, y = input().split()
    p, q = (int(a), x), (int(b), y)
    clauses.setdefault(p, []).append(q)
    clauses.setdefault(q, []).append(p)
seat = {}


def follow(guest, table):
    \"\"\"Seat a guest and all that follows from it; what was seated, or None if it fails.\"\"\"
    seat[guest] = table
    done = [guest]
    for g in done:
        other_table = "R" if seat[g] == "L" else "L"
        for h, need in clauses.get((g, other_table), ()):
            if h not in seat:
                seat[h] = need
                done.append(h)
            elif seat[h] != need:
                for g in done:
                    del seat[g]
                return False
    return True


if all(g in seat or follow(g, "L") or follow(g, "R") for g in range(1, n + 1)):
    print("".join(seat[g] for g in range(1, n + 1)))
else:
    print("IMPOSSIBLE")
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""\
from itertools import product

n, m = map(int, input().split())
rules = []
for _ in range(m):
    a, x, b, y = input().split()
    rules.append((int(a) - 1, x, int(b) - 1, y))
for seats in product("LR", repeat=n):
    if all(seats[a] == x or seats[b] == y for a, x, b, y in rules):
        print("".join(seats))
        break
else:
    print("IMPOSSIBLE")
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
# repair the seating where a demand is not met, round by round
n, m = map(int, input().split())
rules = [input().split() for _ in range(m)]
seat = ["L"] * (n + 1)
for _ in range(10):
    bad = 0
    for a, x, b, y in rules:
        if seat[int(a)] != x and seat[int(b)] != y:
            seat[int(b)] = y
            bad += 1
print("IMPOSSIBLE" if bad else "".join(seat[1:]))
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
n, m = map(int, input().split())
votes = [0] * (n + 1)
for _ in range(m):
    a, x, b, y = input().split()
    votes[int(a)] += 1 if x == "L" else -1
    votes[int(b)] += 1 if y == "L" else -1
print("".join("L" if v >= 0 else "R" for v in votes[1:]))
""",
        ),
    ),
    time_limit_s=1.0,
)
