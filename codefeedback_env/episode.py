"""What happened in an episode, as a value that can be stored and judged again."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from codefeedback_env.errors import RecordError
from codefeedback_env.languages import Submission
from codefeedback_env.problem import Pool
from codefeedback_env.verdicts import TestReport, TestResult, Verdict

RECORD_VERSION = 1


class EndedBy(StrEnum):
    """Why an episode ended."""

    TESTS_PASSED = "tests passed"
    """All tests that decide on going on, the public ones as a rule."""

    TURN_LIMIT = "turn limit"
    SANDBOX_FAILURE = "sandbox failure"
    """Not the agent's doing; drop such an episode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One reply and what came of it."""

    reply: str
    submission: Submission | None
    """None where the reply has no block of code."""

    public_report: TestReport | None
    """None where the public tests were not run."""

    feedback: str
    """The next observation; "" after the last turn."""

    reward: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """A whole episode. Of the hidden tests it holds only whether all were passed."""

    problem_id: str
    seed: int | None
    """Of the last seeded reset; None where that was never done."""

    prompt: str
    turns: tuple[Turn, ...]
    reward: float
    """Sum over the turns."""

    private_passed: bool
    """The last program passed every test of every pool."""

    ended_by: EndedBy
    settings: Mapping[str, Any] = field(default_factory=dict)
    """How it was judged: dataset, split, fingerprint, judging, limits, sandbox, interpreter."""

    def to_json(self) -> str:
        """One line of ASCII."""
        return json.dumps({"version": RECORD_VERSION, **asdict(self)})

    @classmethod
    def from_json(cls, line: str) -> "Episode":
        """Read what ``to_json`` wrote.

        Raises:
            RecordError: it is no record, or one of another version.
        """
        try:
            row = json.loads(line)
            version = row.pop("version")
            if version != RECORD_VERSION:
                raise RecordError(
                    f"episode record of version {version!r}; this release reads {RECORD_VERSION}."
                )
            return cls(
                **{
                    **row,
                    "turns": tuple(_turn(turn) for turn in row["turns"]),
                    "ended_by": EndedBy(row["ended_by"]),
                }
            )
        except RecordError:
            raise
        except KeyError as error:
            raise RecordError(f"not an episode record: no key {error}.") from error
        except (TypeError, ValueError, AttributeError) as error:
            raise RecordError(f"not an episode record: {error!r} in {line[:80]!r}") from error


def read_episodes(path: str | Path) -> Iterator[Episode]:
    """The records of a JSON lines file, in order.

    Raises:
        RecordError: a line is no record; the message names file and line.
    """
    with Path(path).open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                try:
                    yield Episode.from_json(line)
                except RecordError as error:
                    raise RecordError(f"{path}, line {number}: {error}") from error


def _turn(row: dict[str, Any]) -> Turn:
    submission, report = row["submission"], row["public_report"]
    return Turn(
        **{
            **row,
            "submission": None if submission is None else Submission(**submission),
            "public_report": None if report is None else _report(report),
        }
    )


def _report(row: dict[str, Any]) -> TestReport:
    results = (
        TestResult(**{**result, "verdict": Verdict(result["verdict"])}) for result in row["results"]
    )
    return TestReport(pool=Pool(row["pool"]), num_tests=row["num_tests"], results=tuple(results))
