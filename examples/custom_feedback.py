"""Feedback in your own words: only the first line that differs, and how long the program may run.

    python examples/custom_feedback.py

A FeedbackFormat needs three methods and no base class. It gets problems and results and returns
texts, so it can change without a change to how programs are judged. To change the paper's words
only a little, derive from PaperFeedback instead: docs/extending.md.
"""

from collections.abc import Sequence
from itertools import zip_longest

import gymnasium

from codefeedback_env import Problem, TestCase, TestResult, Verdict

REPLY_FORMAT = "Reply with one program in a block of triple backticks."


class FirstDifference:
    """Short feedback for models with little context."""

    def prompt(self, problem: Problem) -> str:
        """The problem, and its time limit where it has one."""
        limit = problem.time_limit_s
        hurry = "" if limit is None else f" It may take {limit:g} s for each input."
        return f"{problem.statement}\n\nSolve this with a Python program.{hurry} {REPLY_FORMAT}"

    def feedback(self, shown: Sequence[tuple[TestCase, TestResult]]) -> str:
        """How many tests failed, and one line about the first of them."""
        failed = [pair for pair in shown if pair[1].verdict is not Verdict.ACCEPTED]
        if not failed:  # where feedback does not speak of public tests, all shown ones may pass
            return f"All {len(shown)} tests passed.\n{REPLY_FORMAT}"
        test, result = failed[0]
        return (
            f"{len(failed)} of {len(shown)} tests failed. {complaint(test, result)}\n{REPLY_FORMAT}"
        )

    def no_code(self) -> str:
        """After a reply without a program."""
        return f"There was no program in that. {REPLY_FORMAT}"


def complaint(test: TestCase, result: TestResult) -> str:
    """What is wrong with the program, in a line."""
    if result.verdict is Verdict.WRONG_ANSWER:
        expected, observed = test.expected_stdout.splitlines(), result.stdout.splitlines()
        pairs = enumerate(zip_longest(expected, observed), start=1)
        for number, (right, printed) in pairs:
            if right != printed:
                return f"Line {number} should be {right!r} and is {printed!r}."
    last_words = result.stderr.strip().splitlines()[-1:]
    return f"The first: {result.verdict}. {' '.join(last_words)}".rstrip()


def main() -> list[str]:
    """Play an episode that never succeeds; returns all messages to the model."""
    env = gymnasium.make("CodeContests-v0", feedback_format=FirstDifference(), turn_limit=4)
    observation, _ = env.reset(options={"problem": "stamp-sheets"})
    messages = [observation]
    for program in ("print(42)", "print(1 / 0)"):
        messages.append(env.step(f"```python\n{program}\n```")[0])
    messages.append(env.step("I give up.")[0])
    env.close()
    print(*messages, sep="\n\n---\n\n")
    return messages


if __name__ == "__main__":
    main()
