"""What the loop around an environment needs of something that writes replies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

Message = dict[str, str]
"""``{"role": "user" | "assistant", "content": text}``, as chat templates and servers take it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """An episode as its agent sees it; the newest message is the user's, to be replied to."""

    problem_id: str
    seed: int
    """Of the episode; replies drawn from it do not depend on which episodes end first."""

    messages: tuple[Message, ...]
    """Oldest first; the first is the prompt."""

    @property
    def turn(self) -> int:
        """How many replies were given so far."""
        return sum(message["role"] == "assistant" for message in self.messages)

    def followed_by(self, role: str, content: str) -> "Conversation":
        """This conversation with one more message."""
        messages = (*self.messages, {"role": role, "content": content})
        return Conversation(problem_id=self.problem_id, seed=self.seed, messages=messages)


class Generator(Protocol):
    """Maps conversations to replies: a scripted policy, a model, a client of a server."""

    def reply(self, conversations: Sequence[Conversation]) -> list[str]:
        """One whole reply for each conversation, in their order.

        Each call gets all conversations that wait for a reply at the time, as many as there are
        environments at most; a model batches them as it likes.
        """

    @property
    def caveats(self) -> Sequence[str]:
        """What a report should add about the replies so far, such as how many were cut off."""

    def close(self) -> None:
        """Release what it holds: processes, memory of a GPU, connections."""


@runtime_checkable
class StreamingGenerator(Generator, Protocol):
    """A generator whose replies come one by one: a slow one holds up no other."""

    def submit(self, conversations: Sequence[Conversation]) -> list[int]:
        """Begin replies; returns a ticket for each, never given out twice."""

    def collect(self, timeout_s: float | None = None) -> list[tuple[int, str]]:
        """Replies that are there, with their tickets, each of them once.

        Waits until there is at least one, or ``timeout_s`` is over, or none is under way.
        """


class AtOnce:
    """Any generator as a streaming one: whatever waits is replied to in one call, at ``collect``.

    Args:
        generator: is not closed with this.
    """

    def __init__(self, generator: Generator) -> None:
        """See the class."""
        self._generator = generator
        self._waiting: dict[int, Conversation] = {}
        self._num_tickets = 0

    def submit(self, conversations: Sequence[Conversation]) -> list[int]:
        """See StreamingGenerator."""
        tickets = list(range(self._num_tickets, self._num_tickets + len(conversations)))
        self._num_tickets += len(conversations)
        self._waiting.update(zip(tickets, conversations, strict=True))
        return tickets

    def collect(self, timeout_s: float | None = None) -> list[tuple[int, str]]:
        """See StreamingGenerator; takes as long as the generator does."""
        waiting, self._waiting = self._waiting, {}
        if not waiting:
            return []
        return list(zip(waiting, self._generator.reply(list(waiting.values())), strict=True))
