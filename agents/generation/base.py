"""What the loop around an environment needs of something that writes replies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

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
