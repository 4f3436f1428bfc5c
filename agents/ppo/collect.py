"""The episodes of one iteration."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from agents.ppo.problem_stream import ProblemStream, again
from agents.ppo.rollout import Rollout, RolloutEngine
from agents.trajectory import Trajectory, TurnTokens

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """What an iteration learns from, and what it cost."""

    trajectories: list[Trajectory]
    """In the order in which they were begun, where all are of this iteration."""

    num_played: int
    num_abandoned: int = 0
    """Dropped for their age."""

    num_equal_groups: int = 0
    """Groups with equal rewards, dropped by dynamic sampling."""


class Collector:
    """Takes rollouts from a stream and plays them.

    Args:
        engine: plays episodes.
        stream: says which.
        num_rollouts: trajectories of an iteration, in this process.
        max_staleness: 0 begins and ends all in the iteration. Otherwise the environments never
            idle: an iteration ends when enough episodes have, and the others go on into the next,
            unless they began more than so many iterations ago.
        max_played: above ``num_rollouts`` dynamic sampling: groups with equal rewards are replaced
            by others until so many episodes were played.
    """

    def __init__(
        self,
        engine: RolloutEngine,
        stream: ProblemStream,
        num_rollouts: int,
        max_staleness: int = 0,
        max_played: int | None = None,
    ) -> None:
        """See the class."""
        self.engine = engine
        self.stream = stream
        self.waiting: deque[Rollout] = deque()
        """Handed out by the stream and not begun."""

        self._num_rollouts = num_rollouts
        self._max_staleness = max_staleness
        self._max_played = max_played or num_rollouts
        self._done: list[Trajectory] = []

    def collect(self, iteration: int, progress: Progress = lambda number: None) -> Collection:
        """Play one iteration's episodes.

        Args:
            iteration: its number.
            progress: called with the number of episodes that have ended.
        """
        self.engine.iteration = iteration
        if self._max_staleness:
            return self._collect_continuously(iteration, progress)
        kept: list[Trajectory] = []
        num_played = num_equal = 0
        equal: list[Trajectory] = []
        while len(kept) < self._num_rollouts and num_played < self._max_played:
            batch = self._play(self._num_rollouts - len(kept), len(kept), progress)
            num_played += len(batch)
            if self._max_played > self._num_rollouts:
                batch, boring = split_equal_groups(batch)
                num_equal += len({trajectory.group for trajectory in boring})
                equal += boring
            kept += batch
        kept += equal[: self._num_rollouts - len(kept)]  # so that the batch is never short
        return Collection(trajectories=kept, num_played=num_played, num_equal_groups=num_equal)

    def state(self) -> dict[str, Any]:
        """Where the stream stands and what is under way, for ``restore``, in JSON's types."""
        return {
            "position": self.stream.position,
            "waiting": [asdict(rollout) for rollout in self.waiting],
            "in_flight": self.engine.in_flight(),
            "done": [asdict(replace(t, episode=None)) for t in self._done],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state: replies of episodes under way are given to their environments again.

        A reply that was being generated is begun anew.
        """
        self.stream.position = state["position"]
        self.waiting = deque(Rollout(**rollout) for rollout in state["waiting"])
        for fields in state["done"]:
            turns = [TurnTokens(**turn) for turn in fields.pop("turns")]
            self._done.append(Trajectory(**fields, turns=turns))
        self._done += self.engine.restore(state["in_flight"])

    def _play(self, number: int, num_before: int, progress: Progress) -> list[Trajectory]:
        """Begin so many rollouts and play them all."""
        rollouts: list[Rollout] = []
        while len(rollouts) < number:
            rollouts += self.stream.next_group()
        place = {(r.group, r.seed): position for position, r in enumerate(rollouts)}
        self.waiting.extend(rollouts)
        ended: dict[int, Trajectory] = {}
        while len(ended) < len(rollouts):
            self._start_waiting()
            for trajectory in self.engine.advance():
                ended[place.pop((trajectory.group, trajectory.seed))] = trajectory
            for failed in self.engine.take_failed():
                substitute = again(failed)
                place[substitute.group, substitute.seed] = place.pop((failed.group, failed.seed))
                self.waiting.append(substitute)
            progress(num_before + len(ended))
        return [ended[position] for position in range(len(rollouts))]

    def _collect_continuously(self, iteration: int, progress: Progress) -> Collection:
        oldest = iteration - self._max_staleness
        num_abandoned = self.engine.abandon_older_than(oldest)
        num_done = len(self._done)
        self._done = [t for t in self._done if t.weight_version >= oldest]
        num_abandoned += num_done - len(self._done)
        while len(self._done) < self._num_rollouts:
            while len(self.waiting) < self.engine.num_free:
                self.waiting.extend(self.stream.next_group())
            self._start_waiting()
            self._done += self.engine.advance()
            self.waiting.extend(again(failed) for failed in self.engine.take_failed())
            progress(len(self._done))
        trajectories = self._done[: self._num_rollouts]
        self._done = self._done[self._num_rollouts :]
        return Collection(
            trajectories=trajectories, num_played=len(trajectories), num_abandoned=num_abandoned
        )

    def _start_waiting(self) -> None:
        number = min(self.engine.num_free, len(self.waiting))
        self.engine.start([self.waiting.popleft() for _ in range(number)])


def split_equal_groups(
    trajectories: Sequence[Trajectory],
) -> tuple[list[Trajectory], list[Trajectory]]:
    """Trajectories of groups whose total rewards differ, and those of the other groups.

    Source: DAPO, arXiv:2503.14476, section 3.2.
    """
    totals: dict[int, set[float]] = {}
    for trajectory in trajectories:
        totals.setdefault(trajectory.group, set()).add(sum(trajectory.rewards))
    differing = [t for t in trajectories if len(totals[t.group]) > 1]
    equal = [t for t in trajectories if len(totals[t.group]) == 1]
    return differing, equal
