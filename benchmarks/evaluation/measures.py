"""From the records of a run to its numbers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from agents.metrics import (
    Counts,
    Edits,
    Interval,
    Tally,
    Transitions,
    first_reply_counts,
    interval_of,
    n_at_k,
    n_at_k_of_rollouts,
    pass_at_k,
    rollout_counts,
)
from benchmarks.evaluation.similarity import MISSING_CHRF, load_chrf
from benchmarks.evaluation.store import EPISODES, key_of, read_manifest
from benchmarks.evaluation.suite import Cell, Metric
from codefeedback_env import ConfigError, EndedBy, Episode, read_episodes


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A number of a run; ``missing`` says why there is none."""

    name: str
    value: float | None = None
    interval: Interval | None = None
    missing: str = ""


@dataclass(kw_only=True)
class CellResult:
    """What is kept of the episodes of a cell; the records themselves are large."""

    cell: Cell
    num_planned: int
    tally: Tally
    counts: dict[str, Counts] = field(default_factory=dict)
    """Of the rollouts of each problem."""

    first_replies: dict[str, Counts] | None = field(default_factory=dict)
    """Of the first replies; None where not all of them can be judged by themselves."""

    transitions: Transitions = field(default_factory=Transitions)
    edits: Edits = field(default_factory=Edits)
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of the records: sandbox, interpreter and so on."""

    _numbers: list[Value] = field(default_factory=list)
    """Kept, for intervals take a while."""

    _numbers_of: tuple[int, int] | None = None

    def add(self, episode: Episode, similarity: Callable[[str, str], float] | None) -> None:
        """Count an episode."""
        self.tally.add(episode)
        self.settings = episode.settings
        if episode.ended_by is EndedBy.SANDBOX_FAILURE:
            return
        none = Counts(0, 0, 0)
        name = episode.problem_id
        self.counts[name] = self.counts.get(name, none) + rollout_counts(episode)
        first = first_reply_counts(episode)
        if first is None:
            self.first_replies = None
        elif self.first_replies is not None:
            self.first_replies[name] = self.first_replies.get(name, none) + first
        if "errors" in self.cell.metrics:
            self.transitions.add(episode.turns)
        if "edits" in self.cell.metrics:
            self.edits.add(episode.turns, similarity)

    def numbers(self, seed: int) -> list[Value]:
        """The metrics of the cell that are numbers, with intervals."""
        known = (len_of(self), seed)
        if known != self._numbers_of:
            self._numbers = [self._measure(metric, seed) for metric in self.cell.numbers]
            self._numbers_of = known
        return self._numbers

    def solved_by(self, turn: int) -> list[Counts]:
        """The rollouts of each problem, as if those not solved by a turn had failed."""
        found = []
        for turns in self.tally.solved_in_turn.values():
            solved = sum(t is not None and t <= turn for t in turns)
            found.append(Counts(len(turns), solved, solved))
        return found

    def by_turn(self, seed: int) -> dict[int, Value]:
        """Solve rate within 1, 2 and so on turns."""
        if not self.counts:
            return {}
        # Without feedback nothing ends a rollout before its last turn.
        first = self.cell.turn_limit if self.cell.feedback == "none" else 1
        return {
            turn: measured(f"turn {turn}", solve_rate, self.solved_by(turn), seed=seed)
            for turn in range(first, self.cell.turn_limit + 1)
        }

    def _measure(self, metric: Metric, seed: int) -> Value:
        of_first = metric.kind == "single-turn n@k"
        problems = self.first_replies if of_first else self.counts
        if problems is None:
            return Value(
                name=metric.name,
                missing="first replies were not judged by themselves under feedback "
                f"{self.cell.feedback}",
            )
        counts = list(problems.values())
        if not counts:
            return Value(name=metric.name, missing="no episode could be scored")
        needed, fewest = self.cell.draws(metric), min(count.num_rollouts for count in counts)
        if not 1 <= needed <= fewest:
            return Value(
                name=metric.name,
                missing=f"needs {needed} rollouts of each problem; one has {fewest}",
            )
        return measured(metric.name, estimator(metric, self.cell.turn_limit), counts, seed=seed)


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run as its folder has it."""

    folder: Path
    manifest: Mapping[str, Any]
    cells: Mapping[str, CellResult]
    notes: tuple[str, ...]

    @property
    def label(self) -> str:
        """Agent, model and seed."""
        model = self.manifest["model"]
        name = self.manifest["agent"] if model is None else model["model"]
        agent = "" if model is None else f" ({self.manifest['agent']})"
        return f"{Path(name).name}{agent}, seed {self.manifest['seed']}"


def read_run(folder: Path) -> Run:
    """The run in a folder, whole or so far.

    Raises:
        ConfigError: there is no run.
        RecordError: a record cannot be read; names file and line.
    """
    manifest = read_manifest(folder)
    cells: dict[str, CellResult] = {}
    for row, data in zip(manifest["cells"], manifest["data"], strict=True):
        cell = Cell(**{**row, "metrics": tuple(row["metrics"])})
        cells[cell.name] = CellResult(
            cell=cell,
            num_planned=data["num_problems"] * cell.rollouts,
            tally=Tally(cell.turn_limit),
        )
    notes = []
    similarity = None
    if any("edits" in result.cell.metrics for result in cells.values()):
        try:
            similarity = load_chrf()
        except ConfigError:
            notes.append(f"No 1 - chrF between programs: {MISSING_CHRF}.")
    for episode in read_episodes(folder / EPISODES):
        cells[key_of(episode)[0]].add(episode, similarity)
    return Run(folder=folder, manifest=manifest, cells=cells, notes=tuple(notes))


def len_of(result: CellResult) -> int:
    """Episodes recorded, those that the sandbox failed included."""
    return len(result.tally.rewards) + result.tally.num_sandbox_failures


def estimator(metric: Metric, turn_limit: int) -> Callable[[Sequence[Counts]], float]:
    """What makes a metric from the counts of all problems."""

    def of_problem(counts: Counts) -> float:
        if metric.kind == "pass@k":
            return pass_at_k(counts.num_rollouts, counts.num_all_passing, metric.k)
        if metric.kind == "n@k":
            return n_at_k_of_rollouts(counts, metric.n, metric.k, turn_limit)
        return n_at_k(
            counts.num_rollouts,
            counts.num_public_passing,
            counts.num_all_passing,
            metric.n,
            metric.k,
        )

    return lambda problems: float(np.mean([of_problem(counts) for counts in problems]))


def solve_rate(problems: Sequence[Counts]) -> float:
    """The share of rollouts that pass all tests, averaged over problems."""
    return float(np.mean([counts.num_all_passing / counts.num_rollouts for counts in problems]))


def measured(
    name: str, estimate: Callable[..., float], *groups: Sequence[Counts], seed: int
) -> Value:
    """An estimate with its interval."""
    return Value(
        name=name, value=estimate(*groups), interval=interval_of(estimate, *groups, seed=seed)
    )


def gap(first: CellResult, second: CellResult, seed: int) -> list[Value]:
    """By how much the first cell does better than the second.

    Solve rates are compared by turn as far as both go, and metrics that both have where their
    rollouts have equal turn limits. Without feedback nothing ends a rollout early, so there only
    the last turn counts.
    """
    last = min(first.cell.turn_limit, second.cell.turn_limit)
    if not first.counts or not second.counts:
        return [Value(name=f"solved by turn {last}", missing="no episode could be scored")]
    turns = range(1, last + 1)
    if "none" in (first.cell.feedback, second.cell.feedback):
        turns = range(last, last + 1)
    found = [
        measured(
            f"solved by turn {turn}",
            lambda a, b: solve_rate(a) - solve_rate(b),
            first.solved_by(turn),
            second.solved_by(turn),
            seed=seed,
        )
        for turn in turns
    ]
    if first.cell.turn_limit != second.cell.turn_limit:
        return found
    others = {value.name: value for value in second.numbers(seed)}
    for metric, value in zip(first.cell.numbers, first.numbers(seed), strict=True):
        other = others.get(metric.name)
        if other is None or metric.kind == "single-turn n@k":
            continue
        if value.missing or other.missing:
            found.append(Value(name=metric.name, missing=value.missing or other.missing))
            continue
        estimate = estimator(metric, first.cell.turn_limit)
        found.append(
            measured(
                metric.name,
                lambda a, b, estimate=estimate: estimate(a) - estimate(b),
                list(first.counts.values()),
                list(second.counts.values()),
                seed=seed,
            )
        )
    return found
