"""Replies by vLLM in the trainer's process, with weights handed over after each update."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from agents.generation.tokens import GeneratorError, TokenReply, TokenRequest
from agents.generation.vllm_engine import (
    CPU_BLOCK,
    LEAST_TEMPERATURE,
    MOST_CPU_CACHE_GIB,
    VllmEngine,
)
from agents.generation.vllm_weights import ModelFacts, checked, model_facts
from codefeedback_env import ConfigError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A reply that has begun."""

    dialogue: int
    weight_version: int


class VllmGenerator:
    """``TokenGenerator`` over an engine of vLLM in this process.

    Where the engine breaks down all memory is released at once, and only ``close`` may follow.
    Several processes (a launcher's) have one engine each. Within a process several may be open, as
    the two models of a repair agent are, but must be closed together: vLLM's shutdown takes down
    what all of them share.

    A reply waits, without advancing, while ``max_batch`` others run or the cache is full. Keys and
    values are kept across turns in blocks of 16 tokens (32 on CPU), by content, the least used
    going first; so ``forget`` has nothing to free but replies under way.

    On CPU vLLM wants a head width of 32, 64, 80, 96, 112, 128 or a larger one from its list.

    Args:
        model: folder or hub name; also fixes the names and shapes of ``load_weights``.
        stop_ids: tokens that end a reply, the only ones that do.
        max_context: tokens of prompt and reply together.
        dtype: "float32", "bfloat16" or "float16".
        max_batch: replies that advance together.
        cache_gib: memory for keys and values. Default on CPU: what ``max_batch`` full contexts
            take, at most 4 GiB; on a GPU: what ``memory_fraction`` leaves.
        memory_fraction: of a GPU, for weights, cache and activations.
        sleep_level: of ``sleep`` on a GPU: 1 keeps weights in host memory, 2 drops them, so that
            ``load_weights`` must come before ``wake``.

    Raises:
        ConfigError: vLLM is not installed, or cannot run the model; the context is longer than the
            model's.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        stop_ids: Sequence[int],
        max_context: int,
        dtype: str = "bfloat16",
        max_batch: int = 256,
        cache_gib: float | None = None,
        memory_fraction: float = 0.4,
        sleep_level: int = 1,
    ) -> None:
        """Load the model."""
        if dtype not in DTYPES:
            raise ConfigError(f"dtype={dtype!r} is none of {', '.join(DTYPES)}.")
        if max_batch < 1:
            raise ConfigError(f"max_batch={max_batch} must be at least 1.")
        if sleep_level not in (1, 2):
            raise ConfigError(f"sleep_level={sleep_level} must be 1 or 2.")
        facts = model_facts(model)
        if facts.max_positions is not None and max_context > facts.max_positions:
            raise ConfigError(
                f"max_context={max_context} is more than the {facts.max_positions} positions of "
                f"{str(model)!r}; lower it."
            )
        if cache_gib is None and not torch.cuda.is_available():
            blocks = max_context // CPU_BLOCK + 2
            bytes_per_token = facts.cache_values_per_token * DTYPES[dtype].itemsize
            full_gib = max_batch * blocks * CPU_BLOCK * bytes_per_token / 2**30
            cache_gib = min(full_gib, MOST_CPU_CACHE_GIB)
        engine = VllmEngine(
            str(model),
            max_context=max_context,
            dtype=dtype,
            max_batch=max_batch,
            cache_gib=cache_gib,
            memory_fraction=memory_fraction,
        )
        self._begin(engine, facts, stop_ids, max_context, sleep_level)

    def _begin(
        self,
        engine: VllmEngine,
        facts: ModelFacts,
        stop_ids: Sequence[int],
        max_context: int,
        sleep_level: int,
    ) -> None:
        self._engine = engine
        self._facts = facts
        self._stop_ids = tuple(stop_ids)
        self._max_context = max_context
        self._sleep_level = sleep_level
        self._weight_version = 0
        self._under_way: dict[str, UnderWay] = {}
        self._ended: list[TokenReply] = []
        self._num_requests = 0
        self._num_reused = 0
        self._asleep: set[str] = set()
        self._weights_lost = False
        self._failure: str | None = None
        self._is_closed = False

    @property
    def max_context(self) -> int:
        """Tokens of prompt and reply together that fit."""
        return self._max_context

    @property
    def num_unfinished(self) -> int:
        """Replies under way, or ended and not yet returned by ``step``."""
        return len(self._under_way) + len(self._ended)

    @property
    def num_reused_tokens(self) -> int:
        """Prompt tokens of ended replies so far whose keys and values had been kept."""
        return self._num_reused

    def add(self, requests: Iterable[TokenRequest]) -> None:
        """Begin replies; none if one of them cannot.

        Raises:
            ConfigError: a prompt is empty or has no room for one token, a token is not in the
                vocabulary, a dialogue has a reply under way, a temperature is above 0 and below
                0.01, which vLLM would change.
            GeneratorError: the engine is broken, closed or asleep.
        """
        requests = list(requests)
        taken = {begun.dialogue for begun in self._under_way.values()}
        for request in requests:
            if request.dialogue in taken:
                raise ConfigError(f"dialogue {request.dialogue} already has a reply under way.")
            taken.add(request.dialogue)
            self._check_ids(request.prompt_ids, self._max_context - 1)
            if 0 < request.sampling.temperature < LEAST_TEMPERATURE:
                raise ConfigError(
                    f"temperature={request.sampling.temperature} is too low for vLLM; use 0 for "
                    f"the likeliest token, or at least {LEAST_TEMPERATURE}."
                )
        with self._working_engine() as engine:
            for request in requests:
                name = self._new_name()
                room = self._max_context - len(request.prompt_ids)
                engine.add(
                    name,
                    request.prompt_ids,
                    request.sampling,
                    seed=request.seed,
                    stop_ids=self._stop_ids,
                    max_tokens=min(request.sampling.max_new_tokens, room),
                )
                self._under_way[name] = UnderWay(request.dialogue, self._weight_version)

    def step(self) -> list[TokenReply]:
        """Advance the replies that fit into a batch by a token; returns those that ended.

        Raises:
            GeneratorError: the engine broke down, is closed or asleep.
        """
        if self._under_way and not self._ended:
            self._advance()
        ended, self._ended = self._ended, []
        return ended

    def _advance(self) -> dict[str, list[float]]:
        """One step; returns the scores that ended in it."""
        scores = {}
        with self._working_engine() as engine:
            for reply in engine.step():
                begun = self._under_way.pop(reply.name, None)
                if begun is None:
                    scores[reply.name] = reply.prompt_logprobs
                    continue
                self._num_reused += reply.num_reused
                self._ended.append(
                    TokenReply(
                        dialogue=begun.dialogue,
                        token_ids=reply.token_ids,
                        logprobs=reply.logprobs,
                        is_cut=reply.is_cut,
                        weight_version=begun.weight_version,
                    )
                )
        return scores

    def forget(self, dialogues: Iterable[int]) -> None:
        """Drop replies under way of these dialogues; unknown numbers are fine."""
        dropped = set(dialogues)
        names = [name for name, of in self._under_way.items() if of.dialogue in dropped]
        self._ended = [reply for reply in self._ended if reply.dialogue not in dropped]
        if names:
            with self._working_engine(asleep=True) as engine:
                engine.abort(names)
            for name in names:
                del self._under_way[name]

    def load_weights(
        self, tensors: Iterable[tuple[str, torch.Tensor]], weight_version: int
    ) -> None:
        """Take over all weights, by the names of the model's ``state_dict``, in any float type.

        Replies under way go on with the new ones, from keys and values computed again. A sleeping
        engine takes back the memory of its weights for this, that of its cache at ``wake``.

        Raises:
            ConfigError: names or shapes are not those of the model, or some are missing; the engine
                is then broken.
            GeneratorError: the engine broke down or is closed.
        """
        with self._working_engine(asleep=True) as engine:
            if "weights" in self._asleep:
                engine.wake("weights")
                self._asleep.remove("weights")
            engine.load_weights(checked(tensors, self._facts))
            engine.forget_prefixes(has_requests=bool(self._under_way))
            self._weights_lost = False
            self._weight_version = weight_version

    def score(self, sequences: Sequence[Sequence[int]]) -> list[list[float]]:
        """Log-probabilities at temperature 1 of each token of each sequence but the first.

        Replies under way advance meanwhile.

        Raises:
            ConfigError: a sequence is empty or longer than the context, or a token is not in the
                vocabulary.
            GeneratorError: the engine broke down, is closed or asleep.
        """
        for sequence in sequences:
            self._check_ids(sequence, self._max_context)
        names = [self._new_name() for _ in sequences]
        scores: dict[str, list[float]] = {}
        with self._working_engine() as engine:
            for name, sequence in zip(names, sequences, strict=True):
                if len(sequence) > 1:
                    engine.add_score(name, sequence)
                else:
                    scores[name] = []
        while len(scores) < len(names):
            scores |= self._advance()
        return [scores[name] for name in names]

    def sleep(self) -> None:
        """Give memory back to the trainer; on CPU there is nothing to give.

        Replies under way stay, and go on after ``wake``.
        """
        if self._asleep:
            return
        with self._working_engine() as engine:
            engine.sleep(self._sleep_level, has_requests=bool(self._under_way))
            self._asleep = {"weights", "kv_cache"}
            self._weights_lost = self._sleep_level == 2

    def wake(self) -> None:
        """Be ready for ``add`` again.

        Raises:
            GeneratorError: the engine is broken or closed, or slept at level 2 and was not given
                weights since.
        """
        if self._weights_lost:
            raise GeneratorError("sleep_level=2 drops the weights; call load_weights before wake.")
        if self._asleep:
            with self._working_engine(asleep=True) as engine:
                engine.wake(*sorted(self._asleep))
                self._asleep = set()

    def close(self) -> None:
        """Release everything; may be called again."""
        if not self._is_closed and self._failure is None:
            self._engine.shutdown()
        self._is_closed = True
        self._under_way.clear()
        self._ended.clear()

    def _new_name(self) -> str:
        self._num_requests += 1
        return str(self._num_requests)

    def _check_ids(self, ids: Sequence[int], limit: int) -> None:
        if not 0 < len(ids) <= limit:
            raise ConfigError(
                f"a sequence of {len(ids)} tokens was handed in; from 1 to {limit} fit into a "
                f"context of {self._max_context}."
            )
        for token in (min(ids), max(ids)):
            if not 0 <= token < self._facts.vocab_size:
                raise ConfigError(
                    f"token {token} is not in the vocabulary of {self._facts.vocab_size}."
                )

    @contextlib.contextmanager
    def _working_engine(self, *, asleep: bool = False) -> Iterator[VllmEngine]:
        if self._is_closed:
            raise GeneratorError("the generator was closed.")
        if self._failure is not None:
            raise GeneratorError(f"{self._failure}; build a new generator.")
        if self._asleep and not asleep:
            raise GeneratorError("the generator sleeps; call wake() first.")
        try:
            yield self._engine
        except Exception as error:  # an engine stopped midway has no state to rely on, why ever
            self._failure = f"vLLM broke down: {type(error).__name__}: {error}"
            self._under_way.clear()
            self._ended.clear()
            with contextlib.suppress(Exception):  # what broke it is the news, and its memory is
                self._engine.shutdown()  # needed for the next engine
            if isinstance(error, ConfigError):
                raise
            raise GeneratorError(f"{self._failure}; build a new generator.") from error
