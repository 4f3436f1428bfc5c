"""How much a policy solves, between iterations or of a checkpoint."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agents.ppo.rollout import Rollout, RolloutEngine, play
from agents.trajectory import Trajectory


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Of a set of episodes."""

    num_episodes: int
    solve_rate: float
    """Share whose last program passed all tests: 1@T with turn limit T, where each problem came up
    equally often."""

    solved_by_turn: list[float]
    """Share solved in the first turn, in the first two, and so on."""

    public_pass_rate: float
    """Share whose last program passed the public tests."""

    invalid_reply_rate: float
    """Share of replies without a program that compiles."""

    cut_reply_rate: float
    """Share of replies ended by the length limit."""

    mean_reward: float
    """Of an episode: the sum over its turns."""

    mean_reply_tokens: float
    mean_turns: float


def summarise(trajectories: Sequence[Trajectory], turn_limit: int) -> Scores:
    """Scores of these episodes.

    Raises:
        ValueError: there is none.
    """
    if not trajectories:
        raise ValueError("there are no episodes to score.")
    turns = [turn for trajectory in trajectories for turn in trajectory.turns]
    number = len(trajectories)
    solved_in = [len(t.turns) if t.private_passed else turn_limit + 1 for t in trajectories]
    return Scores(
        num_episodes=number,
        solve_rate=sum(t.private_passed for t in trajectories) / number,
        solved_by_turn=[
            sum(n <= turn for n in solved_in) / number for turn in range(1, turn_limit + 1)
        ],
        public_pass_rate=sum(t.turns[-1].public_fraction == 1 for t in trajectories) / number,
        invalid_reply_rate=sum(not turn.is_valid for turn in turns) / len(turns),
        cut_reply_rate=sum(turn.is_cut for turn in turns) / len(turns),
        mean_reward=sum(sum(t.rewards) for t in trajectories) / number,
        mean_reply_tokens=sum(len(turn.reply_ids) for turn in turns) / len(turns),
        mean_turns=len(turns) / number,
    )


def choose(
    problem_ids: Sequence[str], num_problems: int | None, num_rollouts: int, seed: int
) -> list[Rollout]:
    """The same rollouts for every evaluation of a run: ``num_rollouts`` of each problem chosen."""
    random = np.random.default_rng((seed, 3))
    order = random.permutation(len(problem_ids))[:num_problems]
    seeds = random.integers(2**31, size=(num_rollouts, len(order)))
    return [
        Rollout(problem_ids[place], int(episode_seed), group)
        for row in seeds
        for group, (place, episode_seed) in enumerate(zip(order, row, strict=True))
    ]


def evaluate(
    engine: RolloutEngine, rollouts: Iterable[Rollout], turn_limit: int
) -> tuple[Scores, list[Trajectory]]:
    """Play rollouts and score them; episodes that the sandbox failed are left out."""
    trajectories = play_all(engine, rollouts)
    return summarise(trajectories, turn_limit), trajectories


def play_all(engine: RolloutEngine, rollouts: Iterable[Rollout]) -> list[Trajectory]:
    """The trajectories of rollouts, in an order that does not depend on which ended first."""
    return sorted(play(engine, rollouts), key=lambda t: (t.group, t.seed))


def write_transcripts(path: Path, trajectories: Sequence[Trajectory], number: int) -> None:
    """Records of some episodes, half of them solved where there are such, as JSON lines."""
    recorded = [t for t in trajectories if t.episode is not None]
    solved = [t for t in recorded if t.private_passed]
    others = [t for t in recorded if not t.private_passed]
    num_solved = min(len(solved), max((number + 1) // 2, number - len(others)))
    chosen = solved[:num_solved] + others[: number - num_solved]
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [t.episode.to_json() + "\n" for t in chosen if t.episode is not None]
    path.write_text("".join(lines), encoding="utf-8")
