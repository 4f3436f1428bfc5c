"""Prompting agents as a ``Generator``: what all of them want at a time is done together."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.generation.base import Conversation
from agents.generation.chat import ChatBackend, spent
from agents.generation.tokens import Sampling
from agents.prompting.runner import Runner
from agents.prompting.task import Agent, Ask, Plan, Step, Task
from codefeedback_env import ProblemSet

POLL_S = 0.02
"""How long to wait for one thing while another may end."""


@dataclass(slots=True, eq=False)
class _Running:
    """An agent at work on one reply."""

    task: Task
    plan: Plan
    answers: list[Any]
    """To its last step, None where one is still awaited."""

    num_awaited: int = 0
    reply: str | None = None

    def advance(self) -> Step | None:
        """On to the next step; None where the reply is there."""
        try:
            step = self.plan.send(self.answers or None)
        except StopIteration as done:
            self.reply = str(done.value)
            return None
        self.num_awaited = len(step.requests if isinstance(step, Ask) else step.trials)
        self.answers = [None] * self.num_awaited
        return step

    def take(self, position: int, answer: Any) -> bool:
        """Note an answer; returns whether it was the last one awaited."""
        self.answers[position] = answer
        self.num_awaited -= 1
        return not self.num_awaited


class PromptingPolicy:
    """A ``Generator`` over an agent and its models.

    Completions and runs of programs are awaited together, so that an agent whose program runs
    does not hold up one that waits for a model.

    Args:
        agent: writes replies; see ``task``.
        backends: models by name; closed with this.
        sampling: of completions, unless the agent wants something else.
        problems: those that conversations are about.
        env_options: of the environment: how programs are run there.
        max_episodes: whose notes are kept; those longest without a reply go first.
    """

    def __init__(
        self,
        agent: Agent,
        backends: Mapping[str, ChatBackend],
        sampling: Sampling,
        problems: ProblemSet,
        env_options: Mapping[str, Any],
        *,
        max_episodes: int = 4096,
    ) -> None:
        """See the class."""
        self._agent = agent
        self._backends = dict(backends)
        self._sampling = sampling
        self._problems = problems
        self._runner = Runner(env_options)
        self._max_episodes = max_episodes
        self._notes: OrderedDict[tuple[str, int], list[str]] = OrderedDict()
        self._num_replies = 0

    def reply(self, conversations: Sequence[Conversation]) -> list[str]:
        """See Generator; the same conversation twice has the same reply.

        Raises:
            GeneratorError: a model broke down.
            SandboxError: the sandbox did.
        """
        running: list[_Running] = []
        place_of: list[int] = []
        distinct: list[Conversation] = []
        for conversation in conversations:
            if conversation not in distinct:
                distinct.append(conversation)
                running.append(self._start(conversation))
            place_of.append(distinct.index(conversation))
        try:
            self._finish(running)
        finally:
            for item in running:
                item.plan.close()
        self._num_replies += len(running)
        while len(self._notes) > self._max_episodes:
            self._notes.popitem(last=False)
        return [running[place].reply or "" for place in place_of]

    @property
    def caveats(self) -> Sequence[str]:
        """Of the models."""
        many = len(self._backends) > 1
        return [
            f"{name} model: {remark}" if many else remark
            for name, backend in self._backends.items()
            for remark in backend.caveats
        ]

    @property
    def spent(self) -> dict[str, Any]:
        """What replies took, in JSON's types: in all, and by model."""
        models = {name: spent(backend) for name, backend in self._backends.items()}
        num_requests = sum(counts["num_requests"] for counts in models.values())
        return {
            "num_replies": self._num_replies,
            "completions_per_reply": num_requests / self._num_replies
            if self._num_replies
            else None,
            "models": models,
        }

    def close(self) -> None:
        """Release models and environments."""
        self._runner.close()
        for backend in self._backends.values():
            backend.close()

    def _start(self, conversation: Conversation) -> _Running:
        key = (conversation.problem_id, conversation.seed)
        if not conversation.turn:
            self._notes[key] = []
        notes = self._notes.setdefault(key, [])
        self._notes.move_to_end(key)
        problem = self._problems[conversation.problem_id]
        task = Task(
            conversation=conversation,
            public_tests=problem.public_tests,
            takes_stdin=problem.function is None,
            sampling=self._sampling,
            notes=notes,
        )
        return _Running(task=task, plan=self._agent(task), answers=[])

    def _finish(self, running: Sequence[_Running]) -> None:
        """Advance all until each has its reply."""
        completions: dict[tuple[str, int], tuple[_Running, int]] = {}
        runs: dict[int, tuple[_Running, int]] = {}
        ready = list(running)
        try:
            while ready or completions or runs:
                self._begin(ready, completions, runs)
                ready = self._collect(completions, runs)
        finally:  # what is left after an error
            for name, backend in self._backends.items():
                backend.cancel([ticket for model, ticket in completions if model == name])
            if runs:
                self._runner.close()

    def _begin(
        self,
        ready: Sequence[_Running],
        completions: dict[tuple[str, int], tuple[_Running, int]],
        runs: dict[int, tuple[_Running, int]],
    ) -> None:
        """Advance those that are ready, and begin all that they want."""
        asked: dict[str, list[tuple[Any, tuple[_Running, int]]]] = {}
        trials: list[tuple[Any, tuple[_Running, int]]] = []
        for item in ready:
            step = item.advance()
            if isinstance(step, Ask):
                wanted = asked.setdefault(step.model, [])
                wanted += [(request, (item, n)) for n, request in enumerate(step.requests)]
            elif step is not None:
                problem = self._problems[item.task.conversation.problem_id]
                trials += [((problem, trial), (item, n)) for n, trial in enumerate(step.trials)]
        for model, wanted in asked.items():
            tickets = self._backends[model].submit([request for request, _ in wanted])
            for ticket, (_, whose) in zip(tickets, wanted, strict=True):
                completions[model, ticket] = whose
        tickets = self._runner.submit([trial for trial, _ in trials])
        runs.update(zip(tickets, (whose for _, whose in trials), strict=True))

    def _collect(
        self,
        completions: dict[tuple[str, int], tuple[_Running, int]],
        runs: dict[int, tuple[_Running, int]],
    ) -> list[_Running]:
        """Hand out what ended; returns those that have all they wanted."""
        ready = []
        busy = [name for name, backend in self._backends.items() if backend.num_unfinished]
        timeout_s = None if len(busy) == 1 and not runs else POLL_S
        for name in busy:
            for ticket, completion in self._backends[name].collect(timeout_s):
                item, position = completions.pop((name, ticket))
                if item.take(position, completion):
                    ready.append(item)
        if runs:
            for ticket, results in self._runner.collect(wait=not busy):
                item, position = runs.pop(ticket)
                if item.take(position, results):
                    ready.append(item)
        return ready
