"""Programs run on tests of an agent's choice, through the environment like any others."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import gymnasium

from agents.prompting.task import Results, Trial
from codefeedback_env import CodeFeedbackVectorEnv, Problem, ProblemSet

MAX_ENVS = 64
"""Programs of one batch that are judged at once."""


class Runner:
    """Runs programs in environments of its own, an episode of one turn for each.

    A problem there has the public tests of the trial and no hidden ones, so an agent finds out what
    its own programs print, and nothing else.

    Args:
        env_options: of the environment whose problems these are; sandbox and judging are as there.
    """

    def __init__(self, env_options: Mapping[str, Any]) -> None:
        """See the class."""
        names = ("sandbox", "judging")
        self._options = {name: env_options[name] for name in names if name in env_options}
        self._batches: list[_Batch] = []
        self._last: CodeFeedbackVectorEnv | None = None  # left open: so its workers stay
        self._num_tickets = 0

    def submit(self, trials: Sequence[tuple[Problem, Trial]]) -> list[int]:
        """Begin to run programs; returns a ticket for each.

        Args:
            trials: with the problem each program is for, whose limits and checker hold.
        """
        tickets = list(range(self._num_tickets, self._num_tickets + len(trials)))
        self._num_tickets += len(trials)
        if trials:
            self._batches.append(_Batch(tickets, trials, self._options))
        return tickets

    def collect(self, *, wait: bool) -> list[tuple[int, Results]]:
        """Results that are there, with their tickets.

        Args:
            wait: until there is at least one.

        Raises:
            SandboxError: the sandbox failed.
        """
        found: list[tuple[int, Results]] = []
        for batch in list(self._batches):
            found += batch.collect(wait=wait and not found)
            if batch.is_done:
                self._batches.remove(batch)
                self._retire(batch.vec)
        return found

    @property
    def num_unfinished(self) -> int:
        """Programs under way."""
        return sum(batch.num_unfinished for batch in self._batches)

    def close(self) -> None:
        """Give up what is under way."""
        for batch in self._batches:
            batch.vec.close()
        self._batches.clear()
        if self._last is not None:
            self._last.close()
            self._last = None

    def _retire(self, vec: CodeFeedbackVectorEnv) -> None:
        if self._last is not None:
            self._last.close()
        self._last = vec


class _Batch:
    """Programs that were handed in together."""

    def __init__(
        self,
        tickets: Sequence[int],
        trials: Sequence[tuple[Problem, Trial]],
        options: Mapping[str, Any],
    ) -> None:
        """Begin with as many as there are environments."""
        problems: dict[tuple[str, tuple[Any, ...]], Problem] = {}
        self._waiting: list[tuple[int, str, str]] = []
        for ticket, (problem, trial) in zip(tickets, trials, strict=True):
            # Where no right output is given there is nothing that a checker could compare with.
            is_compared = any(test.expected_stdout for test in trial.tests)
            tried = problems.setdefault(
                (problem.id, trial.tests),
                replace(
                    problem,
                    id=str(len(problems)),
                    public_tests=trial.tests,
                    private_tests=(),
                    generated_tests=(),
                    checker=problem.checker if is_compared else None,
                ),
            )
            self._waiting.append((ticket, tried.id, trial.reply))
        self._waiting.reverse()
        num_envs = min(len(trials), MAX_ENVS)
        vec = gymnasium.make_vec(
            "CodeFeedback-v0",
            num_envs=num_envs,
            autoreset_mode="Disabled",
            dataset=ProblemSet.from_problems(list(problems.values()), name="trials"),
            turn_limit=1,
            **options,
        ).unwrapped
        assert isinstance(vec, CodeFeedbackVectorEnv)
        self.vec = vec
        self._ticket_of: dict[int, int] = {}
        self._begin(range(num_envs))

    @property
    def is_done(self) -> bool:
        """Nothing is left to run."""
        return not self._ticket_of

    @property
    def num_unfinished(self) -> int:
        """Programs that run or wait."""
        return len(self._ticket_of) + len(self._waiting)

    def collect(self, *, wait: bool) -> list[tuple[int, Results]]:
        """See Runner."""
        infos = self.vec.recv(1 if wait else 0)[4]
        found = []
        free = [int(env_id) for env_id in infos["env_id"]]
        for env_id in free:
            episode = self.vec.last_episode(env_id)
            assert episode is not None
            report = episode.turns[-1].public_report if episode.turns else None
            results: Results = () if report is None else report.results
            found.append((self._ticket_of.pop(env_id), results))
        self._begin(free)
        return found

    def _begin(self, env_ids: Sequence[int]) -> None:
        for env_id in env_ids:
            if not self._waiting:
                break
            ticket, problem_id, reply = self._waiting.pop()
            mask = [number == env_id for number in range(self.vec.num_envs)]
            self.vec.reset(seed=0, options={"problem": problem_id, "reset_mask": mask})
            self.vec.send([reply], [env_id])
            self._ticket_of[env_id] = ticket
