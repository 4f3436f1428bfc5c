"""Prompting agents as a ``Generator``: what all of them want at a time is done together."""

import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from agents.generation.base import Conversation
from agents.generation.chat import ChatBackend, spent
from agents.generation.tokens import GeneratorError, Sampling
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

    tickets: list[int] = field(default_factory=list)
    """Of those who asked for the reply: more than one for the same conversation."""

    num_awaited: int = 0
    reply: str = ""

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


_Place = tuple[_Running, int]
"""Who awaits something, and as which of its answers."""


class PromptingPolicy:
    """A ``StreamingGenerator`` over an agent and its models.

    Completions and runs of programs are awaited together, so that an agent whose program runs
    does not hold up one that waits for a model, and a slow completion holds up its agent only.

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
        self._running: list[_Running] = []
        self._completions: dict[tuple[str, int], _Place] = {}  # by model and ticket
        self._runs: dict[int, _Place] = {}  # by ticket
        self._ended: list[tuple[int, str]] = []
        self._num_tickets = 0
        self._num_replies = 0

    def reply(self, conversations: Sequence[Conversation]) -> list[str]:
        """See Generator; the same conversation twice has the same reply.

        Raises:
            GeneratorError: a model broke down, or other replies are under way.
            SandboxError: the sandbox did.
        """
        if self._running or self._ended:
            raise GeneratorError("reply() with replies under way; collect() them first.")
        tickets = self.submit(conversations)
        replies: dict[int, str] = {}
        while len(replies) < len(tickets):
            replies.update(self.collect())
        return [replies[ticket] for ticket in tickets]

    def submit(self, conversations: Sequence[Conversation]) -> list[int]:
        """See StreamingGenerator; raises what ``collect`` does."""
        begun: list[_Running] = []
        tickets = list(range(self._num_tickets, self._num_tickets + len(conversations)))
        self._num_tickets += len(conversations)
        for ticket, conversation in zip(tickets, conversations, strict=True):
            under_way = (*self._running, *begun)
            item = next((i for i in under_way if i.task.conversation == conversation), None)
            if item is None:
                item = self._start(conversation)
                begun.append(item)
            item.tickets.append(ticket)
        self._running += begun
        with self._giving_up_on_errors():
            self._begin(begun)
        return tickets

    def collect(self, timeout_s: float | None = None) -> list[tuple[int, str]]:
        """See StreamingGenerator; after an error nothing is under way any more.

        Raises:
            GeneratorError: a model broke down.
            SandboxError: the sandbox did.
        """
        end = None if timeout_s is None else time.monotonic() + timeout_s
        with self._giving_up_on_errors():
            while self._running and not self._ended:
                left_s = None if end is None else max(end - time.monotonic(), 0.0)
                self._begin(self._answered(left_s))
                if left_s == 0:
                    break
        ended, self._ended = self._ended, []
        return ended

    def prepare(
        self, sampling: Sampling, problems: ProblemSet, env_options: Mapping[str, Any]
    ) -> None:
        """Go on with the same models on other problems or with other sampling.

        Args:
            sampling: as for the class.
            problems: as for the class.
            env_options: as for the class.

        Raises:
            GeneratorError: replies are under way.
        """
        if self._running or self._ended:
            raise GeneratorError("prepare() with replies under way; collect() them first.")
        self._sampling = sampling
        self._problems = problems
        self._runner.close()
        self._runner = Runner(env_options)
        self._notes.clear()

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
        """Give up what is under way; release models and environments."""
        self._give_up()
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

    @contextmanager
    def _giving_up_on_errors(self) -> Iterator[None]:
        """Where something breaks, nothing stays under way."""
        with ExitStack() as stack:
            stack.callback(self._give_up)
            yield
            stack.pop_all()

    def _give_up(self) -> None:
        for name, backend in self._backends.items():
            backend.cancel([ticket for model, ticket in self._completions if model == name])
        if self._runs:
            self._runner.close()
        for item in self._running:
            item.plan.close()
        self._completions.clear()
        self._runs.clear()
        self._running.clear()
        self._ended.clear()

    def _begin(self, ready: Sequence[_Running]) -> None:
        """Advance those that are ready, and begin all that they want."""
        asked: dict[str, list[tuple[Any, _Place]]] = {}
        trials: list[tuple[Any, _Place]] = []
        for item in ready:
            step = item.advance()
            if step is None:
                self._end(item)
            elif isinstance(step, Ask):
                wanted = asked.setdefault(step.model, [])
                wanted += [(request, (item, n)) for n, request in enumerate(step.requests)]
            else:
                problem = self._problems[item.task.conversation.problem_id]
                trials += [((problem, trial), (item, n)) for n, trial in enumerate(step.trials)]
        for model, wanted in asked.items():
            tickets = self._backends[model].submit([request for request, _ in wanted])
            for ticket, (_, place) in zip(tickets, wanted, strict=True):
                self._completions[model, ticket] = place
        tickets = self._runner.submit([trial for trial, _ in trials])
        self._runs.update(zip(tickets, (place for _, place in trials), strict=True))

    def _answered(self, timeout_s: float | None) -> list[_Running]:
        """Wait for what is under way; returns the agents that have all they wanted."""
        ready = []
        busy = [name for name, backend in self._backends.items() if backend.num_unfinished]
        is_alone = len(busy) + bool(self._runs) == 1
        # Where several things are awaited, none must hold up the others.
        wait_s = timeout_s if is_alone else POLL_S if timeout_s is None else min(POLL_S, timeout_s)
        for name in busy:
            for ticket, completion in self._backends[name].collect(wait_s):
                item, position = self._completions.pop((name, ticket))
                if item.take(position, completion):
                    ready.append(item)
        if self._runs:
            ended = self._runner.collect(wait=wait_s is None)
            if not ended and not busy and wait_s:
                time.sleep(min(POLL_S, wait_s))
            for ticket, results in ended:
                item, position = self._runs.pop(ticket)
                if item.take(position, results):
                    ready.append(item)
        return ready

    def _end(self, item: _Running) -> None:
        """Its reply is there."""
        self._running.remove(item)
        self._ended += [(ticket, item.reply) for ticket in item.tickets]
        self._num_replies += 1
        while len(self._notes) > self._max_episodes:
            self._notes.popitem(last=False)
