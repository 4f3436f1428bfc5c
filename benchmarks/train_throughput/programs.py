"""What replies are to the environment: real programs in place of a random model's words."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from codefeedback_env import CodeFeedbackVectorEnv, ProblemSet, Submission, load_problems

RIGHT_CHANCE = 0.16
NEARLY_RIGHT_CHANCE = 0.13
"""Seven in ten of these programs pass the public tests, so that an episode goes on after a turn
with the chance q = 1 - 0.16 - 0.7 * 0.13, and has 1 + q + q^2 = 2.3 turns."""


class ProgramMix:
    """Programs of the bundled problems, chosen by the episode and the turn alone.

    With the chance ``RIGHT_CHANCE`` the problem's first reference program; with
    ``NEARLY_RIGHT_CHANCE`` one of its wrong programs, which mostly fail hidden tests only, one in
    five by time; else the reference program of another problem, which fails public tests.
    """

    def __init__(self, problems: ProblemSet | None = None) -> None:
        """Takes two problems or more that have programs; default: the bundled ones."""
        self._problems = problems or load_problems("bundled")

    def submission(self, problem_id: str, seed: int, turn: int) -> Submission:
        """The program of this turn of the episode with this seed."""
        random = np.random.default_rng((seed, turn))
        kind = random.random()
        if kind < RIGHT_CHANCE:
            return self._problems.reference_programs(problem_id)[0]
        if kind < RIGHT_CHANCE + NEARLY_RIGHT_CHANCE:
            wrong = self._problems.wrong_programs(problem_id)
            return wrong[random.integers(len(wrong))].submission
        others = [other for other in self._problems.ids if other != problem_id]
        return self._problems.reference_programs(others[random.integers(len(others))])[0]


class ProgramsInstead:
    """Environments that are handed programs of a mix, whatever the replies say.

    Each program comes with a number in a comment: the judge remembers outcomes, and a model hardly
    ever writes the same program twice.

    Args:
        vec: real ones; only what ``RolloutEngine`` uses is passed on.
        mix: the programs.
    """

    def __init__(self, vec: CodeFeedbackVectorEnv, mix: ProgramMix) -> None:
        """See the class."""
        self._vec = vec
        self._mix = mix
        self._episodes: dict[int, tuple[str, int]] = {}
        self._turns: dict[int, int] = {}
        self._numbers = itertools.count()
        self.num_envs = vec.num_envs
        self.recv = vec.recv
        self.last_episode = vec.last_episode

    def reset(self, *, seed: Sequence[int | None], options: dict[str, Any]) -> Any:
        """Begin episodes and remember which."""
        for env_id, (begins, problem_id) in enumerate(
            zip(options["reset_mask"], options["problem"], strict=True)
        ):
            if begins:
                self._episodes[env_id] = problem_id, seed[env_id] or 0
                self._turns[env_id] = 0
        return self._vec.reset(seed=list(seed), options=options)

    def send(self, texts: Sequence[str], env_ids: Sequence[int]) -> None:
        """Hand in as many programs as there are replies."""
        del texts
        programs = []
        for env_id in env_ids:
            program = self._mix.submission(*self._episodes[env_id], self._turns[env_id])
            numbered = f"{program.source_code}\n# {next(self._numbers)}\n"
            programs.append(f"```python\n{numbered}```")
            self._turns[env_id] += 1
        self._vec.send(programs, env_ids)
