"""Fee for a book brought back late: days between two dates of the Gregorian calendar."""

import random
from collections.abc import Iterator
from datetime import date, timedelta

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """Around the end of the loan and of the cheap week, leap years, centuries, random dates."""
    for num_days in (0, 1, 20, 22, 28, 29):
        yield _dates(date(2021, 6, 9), num_days)
    for start, num_days in (
        (date(1900, 2, 20), 24),
        (date(2000, 2, 20), 24),
        (date(1700, 2, 1), 30),
        (date(2100, 1, 5), 60),
        (date(1996, 12, 31), 366),
        (date(1999, 12, 31), 25),
        (date(1600, 1, 1), 292193),
        (date(2400, 12, 31), 0),
    ):
        yield _dates(start, num_days)
    for most in (30, 60, 400, 400, 4000, 50000, 150000):
        yield _dates(date(rng.randint(1600, 1980), rng.randint(1, 12), 17), rng.randint(22, most))


def _dates(start: date, num_days: int) -> str:
    return f"{start}\n{start + timedelta(days=num_days)}\n"


PROBLEM = AuthoredProblem(
    id="loan-fee",
    level="easy",
    tags=("dates", "implementation"),
    statement="""\
The village library lends books for 21 days. Whoever takes a book home on some day may bring it \
back 21 days later, or earlier, for nothing. Each of the first seven days after that costs 10 \
cents, each further day costs 25 cents.

Given the day on which a book was taken home and the day on which it came back, how many cents \
does the reader owe? Months and leap years are those of the Gregorian calendar: a year is a leap \
year if it can be divided by 4, but not if it can be divided by 100, unless it can be divided by \
400.

Input

Two lines, each with a date as YYYY-MM-DD. Both dates are between 1600-01-01 and 2400-12-31, and \
the second one is not before the first one.

Output

Print the fee in cents.
""",
    public_inputs=("2024-02-20\n2024-03-14\n", "2023-05-01\n2023-06-30\n"),
    hidden_inputs=hidden_inputs,
    reference=(
        """\
from datetime import date

taken = date.fromisoformat(input().strip())
back = date.fromisoformat(input().strip())
late = max(0, (back - taken).days - 21)
print(10 * min(late, 7) + 25 * max(0, late - 7))
""",
        """\
def number(text):
    y, m, d = map(int, text.split("-"))
    leap = y % 4 == 0 and y % 100 != 0 or y % 400 == 0
    before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334][m - 1]
    y -= 1
    return 365 * y + y // 4 - y // 100 + y // 400 + before + d + (leap and m > 2)


start = number(input())
late = number(input()) - start - 21
print(sum(10 if day < 7 else 25 for day in range(late)))
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
def number(text):
    y, m, d = map(int, text.split("-"))
    lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    if y % 4 == 0:
        lengths[1] = 29
    return y * 365 + (y + 3) // 4 + sum(lengths[:m - 1]) + d


a = number(input())
b = number(input())
late = max(0, b - a - 21)
print(min(late, 7) * 10 + max(late - 7, 0) * 25)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
from datetime import datetime

taken = datetime.strptime(input(), "%Y-%m-%d")
back = datetime.strptime(input(), "%Y-%m-%d")
late = (back - taken).days - 21
if late <= 7:
    print(late * 10)
else:
    print(70 + (late - 7) * 25)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
y1, m1, d1 = map(int, input().split("-"))
y2, m2, d2 = map(int, input().split("-"))
days = (y2 - y1) * 365 + (m2 - m1) * 30 + d2 - d1
late = max(0, days - 21)
print(10 * min(7, late) + 25 * max(0, late - 7))
""",
        ),
    ),
    time_limit_s=1.0,
)
