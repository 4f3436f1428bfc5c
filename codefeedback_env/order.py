"""In which order an environment visits its problems."""

from dataclasses import dataclass

import numpy as np


@dataclass(slots=True)
class ProblemOrder:
    """Positions 0 to ``num_problems`` - 1 in a random order, then in another, without end.

    The order is a function of the seed alone, whatever else is drawn meanwhile.
    """

    num_problems: int
    seed: int
    num_visited: int = 0

    def next(self) -> int:
        """The next position; every position comes up once before any comes up again."""
        epoch, step = divmod(self.num_visited, self.num_problems)
        self.num_visited += 1
        generator = np.random.default_rng([self.seed, epoch])
        return int(generator.permutation(self.num_problems)[step])
