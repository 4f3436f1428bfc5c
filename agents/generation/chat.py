"""What a prompting agent needs of a language model: messages in, completions out."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from agents.generation.base import Message
from agents.generation.tokens import GeneratorError, Sampling
from codefeedback_env import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """One completion to be written."""

    sampling: Sampling
    seed: int
    """Equal requests with equal seeds have equal completions, as far as the backend can."""

    messages: tuple[Message, ...] = ()
    """Oldest first; the newest is the user's."""

    prompt_ids: tuple[int, ...] = ()
    """Tokens to go on from, instead of messages."""

    stop: tuple[str, ...] = ()
    """A completion ends before the first of these texts."""

    dialogue: Hashable | None = None
    """What the requests of one dialogue have in common: a backend may keep its tokens. None for a
    request that nothing follows. At most one request of a dialogue is under way."""

    wants_logprobs: bool = False

    def __post_init__(self) -> None:
        """Check that there is something to reply to."""
        if bool(self.messages) == bool(self.prompt_ids):
            raise ConfigError("a request needs either messages or prompt_ids, not both.")
        if self.messages and self.messages[-1]["role"] != "user":
            raise ConfigError("the newest message of a request must be the user's.")
        if "" in self.stop:
            raise ConfigError("stop holds an empty text, which every completion begins with.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What completions took; adds up with ``+``."""

    num_requests: int = 0
    num_prompt_tokens: int = 0
    num_completion_tokens: int = 0
    num_retries: int = 0
    """Attempts that failed and were made again."""

    def __add__(self, other: "Usage") -> "Usage":
        """Both together."""
        return Usage(
            num_requests=self.num_requests + other.num_requests,
            num_prompt_tokens=self.num_prompt_tokens + other.num_prompt_tokens,
            num_completion_tokens=self.num_completion_tokens + other.num_completion_tokens,
            num_retries=self.num_retries + other.num_retries,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What a model wrote."""

    text: str
    token_ids: tuple[int, ...] | None = None
    """As sampled, stop token and stop text included; None where a server does not say."""

    logprobs: tuple[float, ...] | None = None
    """Of each token; None where they were not asked for or the backend has none."""

    is_cut: bool = False
    """It was ended by a limit on its length, not by the model."""

    usage: Usage


@dataclass(slots=True)
class Remarks:
    """Counts behind a backend's caveats."""

    num_completions: int = 0
    """Those that were begun."""

    num_cut: int = 0
    num_without_room: int = 0
    """Empty ones that were not."""

    def count(self, completion: Completion) -> None:
        """Take note of a completion."""
        self.num_completions += 1
        self.num_cut += completion.is_cut

    @property
    def caveats(self) -> list[str]:
        """For a report."""
        remarks = []
        if self.num_cut:
            remarks.append(
                f"{self.num_cut} of {self.num_completions} completions were cut off at the length "
                "limit"
            )
        if self.num_without_room:
            remarks.append(
                f"{self.num_without_room} completions are empty: the prompt filled the context"
            )
        return remarks


class ChatBackend(Protocol):
    """A language model that completes many requests at once.

    ``submit`` and ``collect`` let a caller do other things, such as judging, meanwhile;
    ``complete`` is both in one.
    """

    def submit(self, requests: Sequence[ChatRequest]) -> list[int]:
        """Begin completions; returns a ticket for each, never given out twice.

        Raises:
            ConfigError: a request cannot be completed by this backend.
        """

    def collect(self, timeout_s: float | None = None) -> list[tuple[int, Completion]]:
        """Completions that ended, with their tickets, each of them once.

        Waits until there is at least one, or ``timeout_s`` is over, or none is under way.

        Raises:
            GeneratorError: a completion failed for good; it is no longer under way.
        """

    def cancel(self, tickets: Sequence[int]) -> None:
        """Give up completions under way; unknown tickets are fine."""

    @property
    def num_unfinished(self) -> int:
        """Tickets that ``collect`` will still hand out."""

    @property
    def usage(self) -> Usage:
        """Of all completions so far."""

    @property
    def cost(self) -> float | None:
        """Of all completions so far, in the currency of the prices given; None without prices."""

    @property
    def caveats(self) -> Sequence[str]:
        """What a report should add about the completions so far."""

    def close(self) -> None:
        """Give up what is under way and release everything."""

    def complete(self, requests: Sequence[ChatRequest]) -> list[Completion]:
        """One completion for each request, in their order.

        Raises:
            GeneratorError: a completion failed for good, or others are under way.
        """
        if self.num_unfinished:
            raise GeneratorError(
                f"complete() with {self.num_unfinished} completions under way; collect() them "
                "first."
            )
        tickets = self.submit(requests)
        done: dict[int, Completion] = {}
        try:
            while len(done) < len(tickets):
                done.update(self.collect())
        finally:
            self.cancel([ticket for ticket in tickets if ticket not in done])
        return [done[ticket] for ticket in tickets]


def stopped(completion: Completion, stop: Sequence[str]) -> Completion:
    """The completion with its text ended before the first of the texts in ``stop``."""
    ends = [end for text in stop if (end := completion.text.find(text)) >= 0]
    return (
        replace(completion, text=completion.text[: min(ends)], is_cut=False) if ends else completion
    )


def spent(backend: ChatBackend) -> dict[str, Any]:
    """Counters of a backend, in JSON's types."""
    usage = backend.usage
    return {
        "num_requests": usage.num_requests,
        "num_prompt_tokens": usage.num_prompt_tokens,
        "num_completion_tokens": usage.num_completion_tokens,
        "num_retries": usage.num_retries,
        "cost": backend.cost,
    }
