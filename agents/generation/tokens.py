"""Token in, token out: what training needs of a generator of replies."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch

from codefeedback_env import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How tokens are drawn; the defaults are those of the paper's training (section 3.1)."""

    temperature: float = 1.0
    """0 takes the likeliest token."""

    top_p: float = 1.0
    top_k: int = 0
    """0 for no limit."""

    max_new_tokens: int = 1024

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.temperature < 0:
            raise ConfigError(f"temperature={self.temperature} must not be negative.")
        if not 0 < self.top_p <= 1:
            raise ConfigError(f"top_p={self.top_p} must be in (0, 1].")
        if self.top_k < 0:
            raise ConfigError(f"top_k={self.top_k} must be 0 for no limit, or positive.")
        if self.max_new_tokens < 1:
            raise ConfigError(f"max_new_tokens={self.max_new_tokens} must be at least 1.")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """The next reply of a dialogue."""

    dialogue: int
    """Its number, the same in every turn: what a generator keeps of earlier turns goes by it."""

    prompt_ids: Sequence[int]
    """The whole context so far, earlier replies included."""

    seed: int
    """Replies are a function of weights, context and seed, whatever else is in the batch, up to
    rounding."""

    sampling: Sampling


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenReply:
    """A finished reply."""

    dialogue: int
    token_ids: list[int]
    """With the stop token if one was drawn; at least one token."""

    logprobs: list[float]
    """Of each token under the distribution it was drawn from (temperature, top-p and top-k
    applied); under that of temperature 1 where the temperature is 0."""

    is_cut: bool
    """It was ended by ``max_new_tokens`` or by the end of the context."""

    weight_version: int
    """Of the weights when the reply began."""


class TokenGenerator(Protocol):
    """A language model that continues many dialogues at once.

    ``add`` takes requests at any time; each ``step`` advances all of them by some tokens and
    returns those that are done. So a caller can hand in new requests between steps, while others
    go on.
    """

    @property
    def max_context(self) -> int:
        """Tokens of prompt and reply together that fit."""

    def add(self, requests: Iterable[TokenRequest]) -> None:
        """Begin replies.

        Raises:
            ConfigError: a prompt has no room for one token, or a token is not in the vocabulary.
        """

    def step(self) -> list[TokenReply]:
        """Advance every reply under way by at least one token; returns those that ended."""

    @property
    def num_unfinished(self) -> int:
        """Replies under way."""

    def forget(self, dialogues: Iterable[int]) -> None:
        """Drop replies under way and what is kept of these dialogues; unknown numbers are fine."""

    def load_weights(
        self, tensors: Iterable[tuple[str, "torch.Tensor"]], weight_version: int
    ) -> None:
        """Take over weights, by the names of the model's ``state_dict``.

        Nothing computed with the old ones is used for later tokens.
        """

    def score(self, sequences: Sequence[Sequence[int]]) -> list[list[float]]:
        """Log-probabilities at temperature 1 of each token of each sequence but the first."""

    def sleep(self) -> None:
        """Give memory back to the trainer, where that is possible; ``wake`` undoes it."""

    def wake(self) -> None:
        """Be ready for ``add`` again."""

    def close(self) -> None:
        """Release everything."""


class GeneratorError(RuntimeError):
    """A generator broke down; its replies under way are lost and may be asked for again."""
