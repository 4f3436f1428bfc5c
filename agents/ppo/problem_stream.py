"""Which problem comes next, as a function of the seed alone."""

from collections.abc import Sequence

import numpy as np

from agents.ppo.rollout import Rollout
from codefeedback_env import ConfigError


class ProblemStream:
    """Groups of rollouts without end: every problem once, in random order, before any comes again.

    Args:
        problem_ids: at least one.
        seed: of the order and of the episodes.
        group_size: rollouts of each problem that comes up.
        rank: of this process; process r of n gets the groups r, r + n, r + 2n, and so on.
        num_processes: n.
    """

    def __init__(
        self,
        problem_ids: Sequence[str],
        seed: int,
        group_size: int = 1,
        rank: int = 0,
        num_processes: int = 1,
    ) -> None:
        """See the class."""
        if not problem_ids:
            raise ConfigError("there is no problem to train on; loosen the filters.")
        self.position = 0
        """Groups handed out here; setting it goes on from there."""

        self._problem_ids = tuple(problem_ids)
        self._seed = seed
        self._group_size = group_size
        self._rank = rank
        self._num_processes = num_processes
        self._epoch = -1
        self._order: np.ndarray[tuple[int], np.dtype[np.int64]] = np.empty(0, np.int64)

    def next_group(self) -> list[Rollout]:
        """The next ``group_size`` rollouts, of one problem, with different seeds."""
        group = self.position * self._num_processes + self._rank
        self.position += 1
        epoch, place = divmod(group, len(self._problem_ids))
        if epoch != self._epoch:
            self._epoch = epoch
            random = np.random.default_rng((self._seed, 0, epoch))
            self._order = random.permutation(len(self._problem_ids))
        seeds = np.random.SeedSequence((self._seed, 1, group)).generate_state(self._group_size)
        problem_id = self._problem_ids[self._order[place]]
        return [Rollout(problem_id, int(seed), group) for seed in seeds]


def again(rollout: Rollout) -> Rollout:
    """The same problem with another seed, in place of a rollout that the sandbox failed."""
    seed = int(np.random.SeedSequence((rollout.seed, 2)).generate_state(1)[0])
    return Rollout(rollout.problem_id, seed, rollout.group)
