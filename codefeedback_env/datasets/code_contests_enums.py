"""What the numbers in CodeContests rows mean (enums of its ``contest_problem.proto``)."""

import re

_UNKNOWN = "unknown"

_DIFFICULTIES: dict[int, str] = {
    **dict(enumerate(("unknown", "easy", "medium", "hard", "harder", "hardest", "external"))),
    # Codeforces problem letters; 18 is left out by the proto, so K is 17 and L is 19.
    **{number: letter for number, letter in enumerate("abcdefghijk", 7)},
    **{number: letter for number, letter in enumerate("lmnopqrstuv", 19)},
}

_JUDGES = {0: _UNKNOWN, 1: "codechef", 2: "codeforces", 3: "hackerearth", 4: "codejam"}

# The proto reserves 5 and says 6 AtCoder, 7 Aizu; the dataset card says 5 AtCoder, 6 Aizu.
_JUDGES_OF_CODENET = {5: "atcoder", 6: "atcoder or aizu", 7: "aizu"}

_CODENET_NAME = re.compile(r"p(\d{5})\b")
_FIRST_ATCODER_PROBLEM = 2534
"""CodeNet numbers its problems p00000 to p02503 from Aizu, then p02534 and on from AtCoder."""


def difficulty_name(number: int) -> str:
    """The word or letter of a difficulty, ``unknown`` for a number that has none."""
    return _DIFFICULTIES.get(number, _UNKNOWN)


def judge_name(number: int, problem_name: str) -> str:
    """The site a problem comes from, ``unknown`` for a number that has none.

    The two descriptions of the dataset disagree on AtCoder and Aizu, so there the problem's name
    decides where it can.
    """
    if number in _JUDGES_OF_CODENET:
        return _judge_by_name(problem_name) or _JUDGES_OF_CODENET[number]
    return _JUDGES.get(number, _UNKNOWN)


def _judge_by_name(problem_name: str) -> str | None:
    if "atcoder" in problem_name.lower():
        return "atcoder"
    if match := _CODENET_NAME.match(problem_name.strip()):
        return "atcoder" if int(match[1]) >= _FIRST_ATCODER_PROBLEM else "aizu"
    return None
