"""What a prompting agent is given, and what it may ask for.

An agent is a generator function: it takes a ``Task``, yields what it wants done and returns its
reply::

    def twice(task):
        first = yield from task.ask(task.question)
        results = yield from task.run(first, task.public_tests)
        if passed(results, task.public_tests):
            return first
        return (yield from task.ask(task.question))

Agents of other conversations run meanwhile; what all of them want is done together.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

import numpy as np

from agents.generation.base import Conversation, Message
from agents.generation.chat import ChatRequest, Completion
from agents.generation.tokens import Sampling
from codefeedback_env import PaperFeedback, TestCase, TestResult, Verdict

MAIN, REPAIR = "main", "repair"
"""Names of models; most agents have the first only."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Wants completions."""

    requests: tuple[ChatRequest, ...]
    model: str = MAIN


@dataclass(frozen=True, slots=True)
class Trial:
    """A program to be run, as a reply holds it."""

    reply: str
    tests: tuple[TestCase, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """Wants programs run."""

    trials: tuple[Trial, ...]


Step = Ask | Run
Results = tuple[TestResult, ...]
"""Of each test in order; () for a reply without a program."""

Prompt = str | Sequence[Message]
T = TypeVar("T")
Steps = Generator[Step, Any, T]
"""Some steps that end with a value; agents hand them through with ``yield from``."""

Plan = Steps[str]
Agent = Callable[["Task"], Plan]


@dataclass(slots=True, kw_only=True)
class Task:
    """A conversation that waits for a reply."""

    conversation: Conversation
    public_tests: tuple[TestCase, ...]
    """Those that an agent may know; the environment's feedback is about them too, as a rule."""

    takes_stdin: bool = True
    """Programs read an input and print an output, so a model can think of tests; those that call a
    function are written in ways a model is not told."""

    sampling: Sampling
    """Unless an agent wants something else."""

    notes: list[str] = field(default_factory=list)
    """What the agent wrote down in earlier turns of this episode; what it adds it finds again."""

    num_requests: int = 0
    """So far, for this reply."""

    @property
    def question(self) -> str:
        """The environment's prompt."""
        return self.conversation.messages[0]["content"]

    @property
    def last_reply(self) -> str:
        """The newest reply; there is one from the second turn on."""
        return self.conversation.messages[-2]["content"]

    @property
    def feedback(self) -> str:
        """What the environment said to it."""
        return self.conversation.messages[-1]["content"]

    def ask(self, prompt: Prompt, *, model: str = MAIN) -> Steps[str]:
        """What a model says to a prompt.

        Args:
            prompt: text of the user, or messages.
            model: which one.
        """
        (text,) = yield from self.ask_all([prompt], model=model)
        return text

    def ask_all(
        self, prompts: Sequence[Prompt], *, temperature: float | None = None, model: str = MAIN
    ) -> Steps[list[str]]:
        """What a model says to each of several prompts, which may be the same.

        Args:
            prompts: as in ``ask``.
            temperature: instead of the usual one.
            model: which one.
        """
        if not prompts:
            return []
        sampling = self.sampling
        if temperature is not None:
            sampling = replace(sampling, temperature=temperature)
        requests = [
            ChatRequest(messages=_messages(prompt), sampling=sampling, seed=self._next_seed())
            for prompt in prompts
        ]
        completions = yield Ask(tuple(requests), model)
        return [completion.text for completion in cast("list[Completion]", completions)]

    def go_on(self, before: Sequence[Message] = ()) -> Steps[str]:
        """What the model says next in the conversation; it reads the very tokens it wrote before.

        Args:
            before: messages ahead of the conversation, the same in each turn.
        """
        request = ChatRequest(
            messages=(*before, *self.conversation.messages),
            sampling=self.sampling,
            seed=self._next_seed(),
            dialogue=(self.conversation.problem_id, self.conversation.seed),
        )
        (completion,) = yield Ask((request,))
        return str(completion.text)

    def run(self, reply: str, tests: Sequence[TestCase]) -> Steps[Results]:
        """How the program in a reply does on tests; () where there is none of either."""
        (results,) = yield from self.run_all([reply], tests)
        return results

    def run_all(self, replies: Sequence[str], tests: Sequence[TestCase]) -> Steps[list[Results]]:
        """How the program in each of several replies does on the same tests."""
        if not tests or not replies:
            return [()] * len(replies)
        results = yield Run(tuple(Trial(reply, tuple(tests)) for reply in replies))
        return list(results)

    def _next_seed(self) -> int:
        """Seeds are a function of episode, turn and number, the first as where a model plays."""
        entropy = [self.conversation.seed, self.conversation.turn]
        if self.num_requests:
            entropy.append(self.num_requests)
        self.num_requests += 1
        return int(np.random.SeedSequence(entropy).generate_state(1)[0])


def passed(results: Results, tests: Sequence[TestCase]) -> bool:
    """Whether a program ran and passed all the tests."""
    accepted = [result.verdict is Verdict.ACCEPTED for result in results]
    return len(accepted) == len(tests) and all(accepted)


def describe(results: Results, tests: Sequence[TestCase]) -> str:
    """What failed, in the environment's words."""
    if len(results) != len(tests):
        return PaperFeedback().no_code()
    return PaperFeedback().feedback(list(zip(tests, results, strict=True)))


def _messages(prompt: Prompt) -> tuple[Message, ...]:
    if isinstance(prompt, str):
        return ({"role": "user", "content": prompt},)
    return tuple(prompt)
