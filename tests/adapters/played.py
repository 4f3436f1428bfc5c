"""Episodes that every adapter has to play exactly as the environment does."""

from dataclasses import dataclass

from examples import fenced

from codefeedback_env import load_problems

WRONG = fenced("print('no')")
BROKEN = fenced("print(")
NO_CODE = "I do not know."
ENV_ID = "CodeContests-v0"


@dataclass(frozen=True)
class Case:
    """A problem and what is replied; there are as many replies as the episode takes."""

    name: str
    problem_id: str
    replies: tuple[str, ...]


@dataclass(frozen=True)
class Played:
    """What came of an episode, as the user of an adapter can see it."""

    messages: tuple[str, ...]
    """The prompt, then the feedback after each reply but the last."""

    rewards: tuple[float, ...]
    """One per turn; a single one, their sum, where a library knows nothing finer."""

    solved: bool

    def agrees_with(self, other: "Played") -> bool:
        """Whether both tell the same, as far as both tell it."""
        mine, theirs = self.rewards, other.rewards
        if len(mine) != len(theirs) and 1 in (len(mine), len(theirs)):
            mine, theirs = (sum(mine),), (sum(theirs),)
        return (self.messages, mine, self.solved) == (other.messages, theirs, other.solved)


def right(problem_id: str) -> str:
    """A reply that solves a bundled problem."""
    return fenced(load_problems("bundled").reference_programs(problem_id)[0].source_code)


def public_only(problem_id: str) -> str:
    """A reply that passes a bundled problem's public tests, and not all others."""
    tests = load_problems("bundled")[problem_id].public_tests
    answers = {test.stdin: test.expected_stdout for test in tests}
    return fenced(f"import sys\nprint({answers!r}.get(sys.stdin.read(), 'no'), end='')")


CASES = (
    Case("right at once", "badge-check", (right("badge-check"),)),
    Case("wrong, then right", "bus-convoy", (WRONG, right("bus-convoy"))),
    Case("no code, broken, right", "car-park", (NO_CODE, BROKEN, right("car-park"))),
    Case("wrong to the end", "loan-fee", (WRONG, WRONG, WRONG)),
    Case("public tests only", "race-ranks", (public_only("race-ranks"),)),
    Case("no code to the end", "stamp-sheets", (NO_CODE, NO_CODE, NO_CODE)),
)
