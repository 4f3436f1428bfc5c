"""In which order an environment visits its problems, and how that place is kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

_Permutation = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(slots=True)
class ProblemOrder:
    """Positions 0 to ``num_problems`` - 1 in a random order, then in another, without end.

    The order is a function of the seed alone, whatever else is drawn meanwhile.
    """

    num_problems: int
    seed: int
    num_visited: int = 0
    _drawn: tuple[int, _Permutation] | None = field(default=None, repr=False, compare=False)
    """The epoch under way and its order."""

    def next(self) -> int:
        """The next position; every position comes up once before any comes up again."""
        epoch, step = divmod(self.num_visited, self.num_problems)
        self.num_visited += 1
        if self._drawn is None or self._drawn[0] != epoch:
            generator = np.random.default_rng([self.seed, epoch])
            self._drawn = epoch, generator.permutation(self.num_problems)
        return int(self._drawn[1][step])

    def state(self) -> dict[str, int]:
        """The place in the order, as JSON has it, for ``from_state``."""
        return {
            "num_problems": self.num_problems,
            "seed": self.seed,
            "num_visited": self.num_visited,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any], num_problems: int) -> "ProblemOrder":
        """The order that goes on where ``state()`` was asked for.

        Raises:
            ValueError: this is no such state, or one of another number of problems.
        """
        names = ("num_problems", "seed", "num_visited")
        if set(state) != set(names) or not all(_is_count(state[name]) for name in names):
            raise ValueError(f"{dict(state)} is no place in an order; it needs {', '.join(names)}.")
        if state["num_problems"] != num_problems:
            raise ValueError(
                f"the place is one among {state['num_problems']} problems, and here are "
                f"{num_problems}; use the dataset, filter and shard that it was saved with."
            )
        return cls(num_problems, state["seed"], state["num_visited"])


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def random_state(generator: np.random.Generator) -> dict[str, Any]:
    """What a generator draws next, as JSON has it, for ``restored_random``."""
    return dict(generator.bit_generator.state)


def restored_random(state: Mapping[str, Any]) -> np.random.Generator:
    """A generator that goes on where ``random_state`` was asked for.

    Raises:
        ValueError: this is no state of PCG64, the generator that Gymnasium uses.
    """
    bit_generator: np.random.BitGenerator = np.random.PCG64()
    try:
        bit_generator.state = dict(state)
    except (KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"no state of a random generator ({error!r}).") from error
    return np.random.Generator(bit_generator)
