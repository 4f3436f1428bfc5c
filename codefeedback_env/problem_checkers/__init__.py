"""Checkers of problems with several right answers: one function for each kind of answer.

A checker takes the test's stdin, the stored answer and the program's stdout, all as bytes, and says
whether the program's answer is right. It may raise ValueError or IndexError for output it cannot
read, which counts as wrong. It is trusted code and runs outside the sandbox, so its time must be
about linear in what it reads and it must not evaluate anything it reads. The stored answer tells it
whether there is an answer and how good the best one is; everything else it reads off the input.
"""

from codefeedback_env.problem_checkers.bundled import BUNDLED_CHECKERS
from codefeedback_env.problem_checkers.checker import Checker
from codefeedback_env.problem_checkers.code_contests import CODE_CONTESTS_CHECKERS
from codefeedback_env.problem_checkers.other_datasets import OTHER_CHECKERS

__all__ = ["PROBLEM_CHECKERS", "Checker"]

PROBLEM_CHECKERS: dict[str, Checker] = {
    **BUNDLED_CHECKERS,
    **CODE_CONTESTS_CHECKERS,
    **OTHER_CHECKERS,
}
