"""Episodes as tests of the viewer need them; nothing is judged."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from codefeedback_env import Episode
from codefeedback_env.episode import EndedBy, Turn
from codefeedback_env.languages import Submission
from codefeedback_env.problem import Pool
from codefeedback_env.verdicts import TestReport, TestResult, Verdict

WRONG, RIGHT = (
    "a, b = map(int, input().split())\nprint(a - b)",
    "print(sum(map(int, input().split())))",
)
FEEDBACK = (
    "Your code failed the following tests:\n\n- input `1 2\n` failed:\n"
    "Expected output `3\n` but got `-1\n`\n\nGive it another try.\n"
)
SETTINGS = {"dataset": "bundled", "split": "bundled", "feedback": "public", "sandbox": "nsjail"}


def turn(program: str | None, verdict: str = "accepted", **changes: Any) -> Turn:
    """A turn whose reply is a program in backticks, None for a reply without one."""
    is_accepted = verdict == "accepted"
    first = TestResult(
        index=0,
        verdict=Verdict(verdict),
        stdout="3\n" if is_accepted else "-1\n",
        cpu_time_s=0.001,
        peak_memory_mib=9.5,
        exit_code=0,
    )
    second = TestResult(index=1, verdict=Verdict.ACCEPTED, stdout="0\n", exit_code=0)
    fields: dict[str, Any] = {
        "reply": "No idea." if program is None else f"Try this:\n```python\n{program}\n```",
        "submission": None if program is None else Submission("python3", program),
        "public_report": None
        if program is None
        else TestReport(pool=Pool.PUBLIC, num_tests=2, results=(first, second)),
        "feedback": "" if is_accepted else FEEDBACK,
        "reward": 1.0 if is_accepted else 0.0,
    }
    return Turn(**{**fields, **changes})


def episode(problem_id: str = "sum", *turns: Turn, **changes: Any) -> Episode:
    """An episode; without turns one that is solved in its second."""
    turns = turns or (turn(WRONG, "wrong answer"), turn(RIGHT))
    fields: dict[str, Any] = {
        "problem_id": problem_id,
        "seed": 7,
        "prompt": "Print the sum.",
        "turns": turns,
        "reward": sum(turn.reward for turn in turns),
        "private_passed": turns[-1].reward > 0,
        "ended_by": EndedBy.TESTS_PASSED if turns[-1].reward > 0 else EndedBy.TURN_LIMIT,
        "settings": SETTINGS,
    }
    return Episode(**{**fields, **changes})


def write(path: Path, episodes: Iterable[Episode], ending: str = "") -> Path:
    """A file of records, and whatever comes after them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(e.to_json() + "\n" for e in episodes) + ending, encoding="utf-8")
    return path


def various(number: int) -> list[Episode]:
    """Half of them solved in turn 2, a quarter each out of turns and without code."""
    kinds = (
        (turn(WRONG, "wrong answer"), turn(RIGHT)),
        (turn(WRONG, "wrong answer"), turn(WRONG, "time limit exceeded", reward=-1.0)),
        (turn(WRONG, "wrong answer"), turn(RIGHT)),
        (turn(None, reward=-1.0),),
    )
    return [episode(f"problem-{i:04d}", *kinds[i % 4], seed=i) for i in range(number)]
