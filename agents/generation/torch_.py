"""Replies of a causal language model, with torch and transformers alone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM

from agents.generation.sampling import uniforms
from agents.generation.slot_model import SlotModel, bucket
from agents.generation.tokens import GeneratorError, TokenReply, TokenRequest
from codefeedback_env import ConfigError

PREFILL_TOKENS = 8192
"""Tokens of prompts, padding included, in one forward pass."""

GPU_TOKENS_PER_STEP = 8
"""Between two looks at what was drawn, each of which lets the GPU run dry."""


@dataclass(slots=True, eq=False)
class _Slot:
    """A dialogue with a row of the cache: a reply under way, or idle until the next turn."""

    dialogue: int
    context: list[int] = field(default_factory=list)
    """Prompt and reply so far."""

    num_cached: int = 0
    """The first tokens of ``context``, this many, have their keys and values in the row."""

    request: TokenRequest | None = None
    logprobs: list[float] = field(default_factory=list)
    weight_version: int = 0
    last_used: int = 0
    """Step that ended the last reply."""

    def begin(self, request: TokenRequest) -> None:
        prompt = list(request.prompt_ids)
        kept = self.num_cached
        if prompt[:kept] != self.context[:kept]:
            kept = 0
        # The last token of the prompt goes through the model to draw the first of the reply.
        self.num_cached = min(kept, len(prompt) - 1)
        self.context, self.request, self.logprobs = prompt, request, []

    def reply(self, request: TokenRequest, *, is_cut: bool) -> TokenReply:
        self.request = None
        return TokenReply(
            dialogue=self.dialogue,
            token_ids=self.context[len(request.prompt_ids) :],
            logprobs=self.logprobs,
            is_cut=is_cut,
            weight_version=self.weight_version,
        )


class TorchGenerator:
    """A ``TokenGenerator`` for the causal language models of the transformers library.

    The keys and values of a dialogue stay in its row of a cache between turns, so that a turn
    computes only what is new; rows of idle dialogues are given away when there are too few, least
    recently used first. Rows under way are kept together at the front, so that a step is one
    forward pass over exactly those.

    Not covered: sliding windows shorter than ``max_context``, states other than keys and values,
    several GPUs for one model.
    """

    def __init__(
        self,
        model: torch.nn.Module | str | Path,
        *,
        stop_ids: Iterable[int],
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        max_context: int | None = None,
        max_batch: int = 256,
        cuda_graphs: bool = True,
        tokens_per_step: int | None = None,
    ) -> None:
        """Take over a model.

        Args:
            model: a causal language model of transformers, from now on the generator's own (hand in
                a copy of one that is trained), or the folder or hub name of one.
            stop_ids: tokens that end a reply.
            device: default: the model's, for a folder the GPU if there is one.
            dtype: of parameters and cache; default: as the model is, or was saved.
            max_context: tokens of prompt and reply; default: as many as the model has positions.
            max_batch: rows of the cache: replies at once, and dialogues kept between turns.
            cuda_graphs: on a GPU; off for models that look at values in their forward pass.
            tokens_per_step: drawn by one ``step``; default: 1 on CPU, 8 on a GPU.

        Raises:
            ConfigError: there is no such model, or it cannot do what is asked for.
        """
        if isinstance(model, str | Path):
            model = _load(model)
            device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        if max_batch < 1:
            raise ConfigError(f"max_batch={max_batch} must be at least 1.")
        self._stop_ids = frozenset(stop_ids)
        self._max_batch = max_batch
        self._max_context = _context(model.config, max_context)
        model.eval().requires_grad_(False).to(device)
        if dtype is not None:
            for parameter in model.parameters():  # not buffers: positions are lost in bfloat16
                parameter.data = parameter.data.to(dtype)
        self._model = SlotModel(
            model,
            max_context=self._max_context,
            max_batch=max_batch,
            cuda_graphs=cuda_graphs,
        )
        is_cuda = self._model.device.type == "cuda"
        self._tokens_per_step = tokens_per_step or (GPU_TOKENS_PER_STEP if is_cuda else 1)
        self._slots: list[_Slot | None] = []  # by row
        self._by_dialogue: dict[int, _Slot] = {}
        self._queue: dict[int, TokenRequest] = {}  # without a row
        self._version = 0
        self._num_steps = 0
        self._state = "awake"

    @property
    def max_context(self) -> int:
        """Tokens of prompt and reply together that fit."""
        return self._max_context

    @property
    def num_unfinished(self) -> int:
        """Replies under way."""
        return len(self._queue) + sum(
            slot.request is not None for slot in self._by_dialogue.values()
        )

    def add(self, requests: Iterable[TokenRequest]) -> None:
        """Begin replies; see ``TokenGenerator``. Where one is refused, none begins."""
        self._check_awake()
        requests = list(requests)
        new: set[int] = set()
        for request in requests:
            slot = self._by_dialogue.get(request.dialogue)
            if (
                request.dialogue in self._queue
                or request.dialogue in new
                or (slot and slot.request)
            ):
                raise ConfigError(f"dialogue {request.dialogue} already has a reply under way.")
            new.add(request.dialogue)
            self._check_tokens(request.prompt_ids, self._max_context - 1)
        for request in requests:
            kept = self._by_dialogue.get(request.dialogue)
            if kept:
                kept.begin(request)
            else:
                self._queue[request.dialogue] = request

    @torch.inference_mode()
    def step(self) -> list[TokenReply]:
        """Draw the next tokens of all replies that have a row; returns those that ended.

        Raises:
            GeneratorError: there was not enough memory, or the model returned NaN.
        """
        self._check_awake()
        self._admit()
        if not any(slot and slot.request for slot in self._slots):
            return []
        try:
            live = self._gather()
            self._prefill(live)
            return self._decode(live)
        except torch.OutOfMemoryError as error:
            self._reset()
            raise GeneratorError(
                f"no memory for {self._max_batch} rows of up to {self._max_context} tokens; lower "
                "max_batch or max_context."
            ) from error

    def forget(self, dialogues: Iterable[int]) -> None:
        """Drop replies under way and what is kept of these dialogues; unknown numbers are fine."""
        gone = set(dialogues)
        for dialogue in gone:
            self._queue.pop(dialogue, None)
            self._by_dialogue.pop(dialogue, None)
        self._slots = [
            None if slot is None or slot.dialogue in gone else slot for slot in self._slots
        ]
        if not self._by_dialogue:
            # As new, so that what follows is the same bit for bit in a run that was resumed here.
            self._slots = []
            if not self._model.uses_graphs:
                self._model.release()

    @torch.no_grad()
    def load_weights(
        self, tensors: Iterable[tuple[str, torch.Tensor]], weight_version: int
    ) -> None:
        """Take over weights; replies under way go on with them, their context computed anew.

        Raises:
            ConfigError: a tensor is unknown or of another shape, or one is missing. Weights that
                came before it have been taken over.
        """
        own = self._model.model.state_dict()
        missing = {tensor.data_ptr(): name for name, tensor in own.items()}  # tied ones once
        for name, tensor in tensors:
            if name not in own or own[name].shape != tensor.shape:
                has = f"shape {tuple(own[name].shape)}" if name in own else "no such tensor"
                raise ConfigError(
                    f"weights hold {name} of shape {tuple(tensor.shape)}, the generator's model "
                    f"has {has}."
                )
            own[name].copy_(tensor)
            missing.pop(own[name].data_ptr(), None)
        if missing:
            raise ConfigError(f"weights lack {', '.join(sorted(missing.values()))}.")
        self._version = weight_version
        for slot in self._by_dialogue.values():
            slot.num_cached = 0

    @torch.inference_mode()
    def score(self, sequences: Sequence[Sequence[int]]) -> list[list[float]]:
        """Log-probabilities at temperature 1 of each token of each sequence but the first."""
        self._check_awake()
        for sequence in sequences:
            self._check_tokens(sequence, self._max_context)
        return self._model.score(sequences)

    def sleep(self) -> None:
        """Give back the memory of the cache, not that of the weights.

        Replies under way go on after ``wake``, their context computed anew.
        """
        self._check_open()
        self._release()
        self._state = "asleep"

    def wake(self) -> None:
        """Be ready for ``add`` again."""
        self._check_open()
        self._state = "awake"

    def close(self) -> None:
        """Release everything; only ``close`` may follow."""
        if self._state != "closed":
            self._reset()
            del self._model
            self._state = "closed"

    # Rows

    def _admit(self) -> None:
        """Give rows to requests that have none, in the order they came in."""
        if not self._queue:
            return
        idle = [row for row, slot in enumerate(self._slots) if slot and not slot.request]
        idle.sort(key=lambda row: self._slots[row].last_used)  # type: ignore[union-attr]  # not None
        rows = [row for row, slot in enumerate(self._slots) if slot is None]
        rows += [*range(len(self._slots), self._max_batch), *idle]
        for row, dialogue in zip(rows, list(self._queue), strict=False):
            if row == len(self._slots):
                self._slots.append(None)
            evicted = self._slots[row]
            if evicted:
                del self._by_dialogue[evicted.dialogue]
            slot = self._slots[row] = self._by_dialogue[dialogue] = _Slot(dialogue)
            slot.begin(self._queue.pop(dialogue))

    def _gather(self) -> list[_Slot]:
        """Bring the slots with requests to the first rows; returns them, in order of rows."""
        live = [row for row, slot in enumerate(self._slots) if slot and slot.request]
        count = len(live)
        longest = max(len(slot.context) for slot in self._slots if slot and slot.request)
        self._model.reserve(
            len(self._slots), min(longest + self._tokens_per_step, self._max_context)
        )
        high = [row for row in live if row >= count]
        if high:
            is_live = set(live)
            holes = [row for row in range(count) if row not in is_live]
            slots = self._slots
            lengths = [slot.num_cached for row in (*high, *holes) if (slot := slots[row])]
            self._model.swap(high, holes, max(lengths))
            for row, hole in zip(high, holes, strict=True):
                slots[row], slots[hole] = slots[hole], slots[row]
        return [slot for slot in self._slots[:count] if slot]

    def _prefill(self, live: list[_Slot]) -> None:
        """Compute what the rows lack, but for the last token of each context."""
        groups: dict[tuple[bool, int], list[int]] = {}
        for row, slot in enumerate(live):
            lacking = len(slot.context) - 1 - slot.num_cached
            if lacking:
                groups.setdefault((slot.num_cached > 0, bucket(lacking, 32)), []).append(row)
        for (_, width), group in groups.items():
            count = max(1, PREFILL_TOKENS // width)
            for first in range(0, len(group), count):
                rows = group[first : first + count]
                slots = [live[row] for row in rows]
                parts = [slot.context[slot.num_cached : -1] for slot in slots]
                self._model.read(rows, [slot.num_cached for slot in slots], parts)
                for slot in slots:
                    slot.num_cached = len(slot.context) - 1

    def _decode(self, live: list[_Slot]) -> list[TokenReply]:
        requests = [slot.request for slot in live if slot.request]
        drawn = [len(slot.logprobs) for slot in live]
        room = [
            min(r.sampling.max_new_tokens - n, self._max_context - len(slot.context))
            for r, n, slot in zip(requests, drawn, live, strict=True)
        ]
        count = min(self._tokens_per_step, max(room))
        seeds = np.array([request.seed % 2**64 for request in requests], np.uint64)
        uniform = uniforms(seeds, np.array(drawn, np.uint64), count)
        ids_of_rows, logprobs_of_rows = self._model.decode(
            [slot.context[-1] for slot in live],
            [len(slot.context) - 1 for slot in live],
            [request.sampling for request in requests],
            uniform,
        )
        if np.isnan(logprobs_of_rows).any():
            self._reset()
            raise GeneratorError("the model returned NaN; its weights or a context broke it.")
        self._num_steps += 1
        replies = []
        rows = zip(live, requests, room, ids_of_rows, logprobs_of_rows.tolist(), strict=True)
        for slot, request, limit, ids, values in rows:
            if not slot.logprobs:
                slot.weight_version = self._version
            num_taken = min(limit, count)
            is_stopped = False
            for number, token in enumerate(ids[:num_taken], 1):
                if token in self._stop_ids:
                    num_taken, is_stopped = number, True
                    break
            slot.context += ids[:num_taken]
            slot.logprobs += values[:num_taken]
            slot.num_cached = len(slot.context) - 1
            slot.last_used = self._num_steps
            if is_stopped or num_taken == limit:
                replies.append(slot.reply(request, is_cut=not is_stopped))
        return replies

    def _check_tokens(self, token_ids: Sequence[int], longest: int) -> None:
        if not 1 <= len(token_ids) <= longest:
            raise ConfigError(
                f"{len(token_ids)} tokens where 1 to {longest} fit into "
                f"max_context={self._max_context}."
            )
        for token in (min(token_ids), max(token_ids)):
            if not 0 <= token < self._model.vocabulary:
                raise ConfigError(
                    f"token {token} is not in the vocabulary of {self._model.vocabulary}."
                )

    def _check_open(self) -> None:
        if self._state == "closed":
            raise GeneratorError("the generator is closed.")

    def _check_awake(self) -> None:
        self._check_open()
        if self._state == "asleep":
            raise GeneratorError("the generator sleeps; call wake() first.")

    def _release(self) -> None:
        self._model.release()
        for slot in self._by_dialogue.values():
            slot.num_cached = 0

    def _reset(self) -> None:
        self._queue.clear()
        self._by_dialogue.clear()
        self._slots = []
        self._release()


def _load(name: str | Path) -> torch.nn.Module:
    try:
        model: torch.nn.Module = AutoModelForCausalLM.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot load a causal language model from {name}: {error}") from error
    return model


def _context(config: Any, wanted: int | None) -> int:
    """Tokens that fit, as asked for and as the model can."""
    limit = getattr(config, "max_position_embeddings", None)
    windows = set(getattr(config, "layer_types", None) or ()) - {"full_attention"}
    if windows - {"sliding_attention"}:
        raise ConfigError(f"TorchGenerator does not know layers of type {sorted(windows)}.")
    if windows or not hasattr(config, "layer_types"):
        window = getattr(config, "sliding_window", None)
        limit = min(filter(None, (limit, window)), default=None)
    if wanted is None and limit is None:
        raise ConfigError("the model's config has no max_position_embeddings; set max_context.")
    context = int(wanted or limit or 0)
    if context < 2 or (limit is not None and context > limit):
        raise ConfigError(
            f"max_context={context} must be at least 2 and at most the model's {limit}."
        )
    return context
