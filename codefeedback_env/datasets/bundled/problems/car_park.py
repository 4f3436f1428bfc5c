"""Cars at the gate of a small car park: how many are sent away, how full does it get?"""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """Empty and full parks, false alarms at the exit, random days, rush hours."""
    yield from ("1 I\n", "1 O\n", "5 OOOOO\n", "1 IIII\n", "2 OIIIO\n", "1 IOIOIO\n", "3 OOIII\n")
    yield "100 " + "I" * 101 + "\n"
    yield "1000 " + "I" * 500 + "O" * 700 + "I" * 1400 + "\n"
    for spaces, length in ((1, 10), (2, 20), (2, 40), (3, 60), (5, 200), (10, 900), (40, 3000)):
        yield f"{spaces} {''.join(rng.choices('IO', k=length))}\n"
        yield f"{spaces} {''.join(rng.choices('IO', weights=(5, 4), k=length))}\n"


PROBLEM = AuthoredProblem(
    id="car-park",
    level="easy",
    tags=("simulation", "strings"),
    statement="""\
The car park behind the opera has c spaces and is empty in the morning. A sensor at the gate \
writes down a letter I whenever a car wants to come in, and a letter O whenever the exit beam is \
broken.

A car that wants to come in while all spaces are taken is sent away and never counts as parked. \
Pigeons like to fly through the exit beam: a letter O while the park is empty is a pigeon and \
means nothing; every other O is a car that leaves.

At the end of the day the owner asks two questions: how many cars were sent away, and what was the \
largest number of cars parked at the same time?

Input

One line with the integer c (1 <= c <= 1000), a space and a string of 1 to 3000 letters I and O.

Output

Print the number of cars sent away and the largest number of parked cars, separated by a space.
""",
    public_inputs=("2 IIIOII\n", "3 IOIIO\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
c, events = input().split()
c = int(c)
parked = away = most = 0
for event in events:
    if event == "O":
        parked = max(0, parked - 1)
    elif parked < c:
        parked += 1
        most = max(most, parked)
    else:
        away += 1
print(away, most)
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
c, events = input().split()
c = int(c)
parked = away = most = 0
for event in events:
    if event == "O":
        parked -= 1
    elif parked == c:
        away += 1
    else:
        parked += 1
    most = max(most, parked)
print(away, most)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
c, events = input().split()
c = int(c)
balance = [0]
parked = away = 0
for e in events:
    balance.append(balance[-1] + (1 if e == "I" else -1))
    if e == "O":
        parked = max(parked - 1, 0)
    elif parked < c:
        parked += 1
    else:
        away += 1
print(away, min(max(balance), c))
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
c, events = input().split()
inside = away = most = 0
for e in events:
    if e == "I":
        inside += 1
        if inside > int(c):
            away += 1
    elif inside > 0:
        inside -= 1
    most = max(most, inside)
print(away, min(most, int(c)))
""",
        ),
    ),
    time_limit_s=1.0,
)
