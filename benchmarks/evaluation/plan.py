"""What a run will play: the episodes of each cell, and what they will take at most."""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import gymnasium

from agents.environments import env_options
from agents.evaluate import Rollout, choose_rollouts
from agents.generation.model import ModelSettings
from agents.generation.openai_ import ServerSettings
from benchmarks.evaluation.players import Player
from benchmarks.evaluation.suite import Cell, Suite
from codefeedback_env import CodeFeedbackVectorEnv, ConfigError, ProblemSet, load_problems

CHARS_PER_TOKEN = 4
"""Roughly, of English text and programs."""

EpisodeKey = tuple[str, str, int]
"""Cell, problem and number of the rollout, from 0 on."""


@dataclass(frozen=True)
class CellPlan:
    """The episodes of one cell."""

    cell: Cell
    source: ProblemSet
    """As loaded, with its programs; cells of the same data share it."""

    options: dict[str, Any]
    """Of the environments, without the data."""

    problems: ProblemSet
    """Those that the environments have, after their filter."""

    rollouts: tuple[Rollout, ...]

    @cached_property
    def numbered(self) -> list[tuple[EpisodeKey, Rollout]]:
        """Each rollout with its key; the n-th of a problem has number n."""
        seen: Counter[str] = Counter()
        found = []
        for rollout in self.rollouts:
            problem_id = rollout.problem_id
            found.append(((self.cell.name, problem_id, seen[problem_id]), rollout))
            seen[problem_id] += 1
        return found

    def make_envs(self, num_envs: int) -> CodeFeedbackVectorEnv:
        """Environments to play it in."""
        return _make_envs(self.cell.env, num_envs, self.source, self.options)

    def describe_data(self) -> dict[str, Any]:
        """What is played on, in JSON's types."""
        return {
            "cell": self.cell.name,
            "dataset": self.problems.name,
            "split": self.problems.split,
            "fingerprint": self.problems.data_fingerprint,
            "num_problems": len({rollout.problem_id for rollout in self.rollouts}),
            "num_excluded": self.source.num_excluded,
        }


def make_plans(suite: Suite, seed: int, sandbox: str | None) -> list[CellPlan]:
    """The episodes of all cells; equal seeds give equal seeds of episodes in all cells.

    Raises:
        CodeFeedbackError: the data is missing, or an option cannot work.
    """
    loaded: dict[tuple[Any, ...], ProblemSet] = {}
    plans = []
    for cell in suite.cells:
        names = ("dataset", "path", "split", "problem_filter", "turn_limit", "feedback", "judging")
        given = {name: getattr(cell, name) for name in (*names, "max_private_tests")}
        options = env_options(cell.env, {**given, "sandbox": sandbox})
        dataset, path, split = (options.pop(key, None) for key in ("dataset", "path", "split"))
        key = (dataset, path, split, cell.exclude)
        if key not in loaded:
            exclude = None if cell.exclude == "none" else cell.exclude
            loaded[key] = load_problems(dataset, path=path, split=split, exclude=exclude)
        with closing(_make_envs(cell.env, 1, loaded[key], options)) as vec:
            problems = vec.rules.problems
        rollouts = choose_rollouts(problems.ids, cell.problems, cell.rollouts, seed)
        plans.append(CellPlan(cell, loaded[key], options, problems, tuple(rollouts)))
    return plans


def _make_envs(
    env_id: str, num_envs: int, problems: ProblemSet, options: dict[str, Any]
) -> CodeFeedbackVectorEnv:
    made = gymnasium.make_vec(
        env_id, num_envs=num_envs, autoreset_mode="Disabled", dataset=problems, **options
    ).unwrapped
    if not isinstance(made, CodeFeedbackVectorEnv):
        raise ConfigError(f"{env_id} made a {type(made).__name__}; suites need envs of ours.")
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What the episodes of a cell take at most: every rollout uses all its turns."""

    cell: str
    num_episodes: int
    num_replies: int
    num_tests: int
    num_prompt_tokens: int | None
    """None for agents without a model."""

    num_reply_tokens: int | None
    cost: float | None
    """None without prices."""


def estimate(plan: CellPlan, keys: Iterable[EpisodeKey], player: Player) -> Estimate:
    """What the episodes with these keys take at most.

    Tokens are those of one completion for each reply, as of agents that ask a model once; prompts
    are counted in characters.
    """
    problem_ids = Counter(problem_id for _, problem_id, _ in keys)
    turn_limit = plan.cell.turn_limit
    summaries = {summary.id: summary for summary in plan.problems.summaries}
    hidden = plan.cell.max_private_tests
    num_tests = 0
    for problem_id, number in problem_ids.items():
        summary = summaries[problem_id]
        last = summary.num_hidden_tests
        last = last if hidden is None else min(last, hidden)
        num_tests += number * (turn_limit * summary.num_public_tests + last)
    num_episodes = problem_ids.total()
    model = player.model
    prompts = replies = cost = None
    if model is not None:
        replies = num_episodes * turn_limit * model.max_reply_tokens
        prompts = sum(
            number * _prompt_tokens(len(plan.problems[problem_id].statement), turn_limit, model)
            for problem_id, number in problem_ids.items()
        )
        cost = _cost(player.server, prompts, replies)
    return Estimate(
        cell=plan.cell.name,
        num_episodes=num_episodes,
        num_replies=num_episodes * turn_limit,
        num_tests=num_tests,
        num_prompt_tokens=prompts,
        num_reply_tokens=replies,
        cost=cost,
    )


def _prompt_tokens(num_chars: int, turn_limit: int, model: ModelSettings) -> int:
    """Of all turns of a rollout; each reads everything that was said before."""
    first = min(num_chars // CHARS_PER_TOKEN, model.max_prompt_tokens)
    more = model.max_reply_tokens + model.max_feedback_tokens
    return sum(first + turn * more for turn in range(turn_limit))


def _cost(server: ServerSettings | None, prompts: int, replies: int) -> float | None:
    if server is None or server.price_per_million_prompt_tokens is None:
        return None
    assert server.price_per_million_reply_tokens is not None  # both or none
    return (
        prompts * server.price_per_million_prompt_tokens
        + replies * server.price_per_million_reply_tokens
    ) / 1e6


def total(estimates: Sequence[Estimate]) -> Estimate:
    """All cells together."""

    def add(name: str) -> Any:
        values = [getattr(item, name) for item in estimates]
        return None if None in values else sum(values)

    names = ("num_episodes", "num_replies", "num_tests", "num_prompt_tokens", "num_reply_tokens")
    return Estimate(cell="all", cost=add("cost"), **{name: add(name) for name in names})
