"""Forward passes of a causal language model over the rows of a ``SlotCache``."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from agents.generation.sampling import SamplingRows, draw
from agents.generation.slots import ATTENTION, SlotCache
from agents.generation.tokens import Sampling

SCORE_LOGITS = 2**28
"""Logits in one forward pass of ``score``: 1 GiB in float32."""


@dataclass(slots=True)
class Batch:
    """What a decoding step reads and writes, at fixed addresses; shapes (rows,)."""

    token_ids: torch.Tensor
    positions: torch.Tensor
    uniform: torch.Tensor
    logprobs: torch.Tensor
    sampling: SamplingRows

    @classmethod
    def empty(cls, rows: int, device: torch.device) -> Self:
        """Zeros."""

        def zeros(dtype: torch.dtype) -> torch.Tensor:
            return torch.zeros(rows, dtype=dtype, device=device)

        return cls(
            zeros(torch.int64),
            zeros(torch.int64),
            zeros(torch.float64),
            zeros(torch.float32),
            SamplingRows(zeros(torch.float32), zeros(torch.float32), zeros(torch.int64)),
        )


class SlotModel:
    """A model with its cache; knows rows and positions, not whose they are.

    On a GPU decoding steps are replayed as CUDA graphs, one for each size of batch and context,
    both rounded up.
    """

    def __init__(self, model: Any, *, max_context: int, max_batch: int, cuda_graphs: bool) -> None:
        """Take over a model of the transformers library."""
        self.model = model
        self.model.set_attn_implementation(ATTENTION)
        self.device: torch.device = next(model.parameters()).device
        self.vocabulary: int = self.model.get_input_embeddings().weight.shape[0]
        self.uses_graphs = cuda_graphs and self.device.type == "cuda"
        self._max_context = max_context
        self._max_batch = max_batch
        self._cache = SlotCache()
        self._arange = torch.empty(0)
        self._batches: dict[int, Batch] = {}
        self._graphs: dict[tuple[int, int, bool], torch.cuda.CUDAGraph] = {}
        self._graph_pool: Any = None

    def reserve(self, num_rows: int, length: int) -> None:
        """Make room for so many rows and tokens in each, rounded up, keeping what is there."""
        rows = min(bucket(num_rows, 8), self._max_batch)
        if self._cache.reserve(rows, min(bucket(length, 128), self._max_context)):
            self._drop_graphs()
            longest = max(self._cache.capacity, self._cache.num_rows)
            self._arange = torch.arange(longest, device=self.device)

    def swap(self, rows: Sequence[int], others: Sequence[int], length: int) -> None:
        """Exchange the first ``length`` tokens of rows, pair by pair."""
        self._cache.swap(rows, others, length)

    def release(self) -> None:
        """Give the memory of cache and graphs back."""
        self._drop_graphs()
        self._cache.release()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def read(
        self, rows: Sequence[int], starts: Sequence[int], parts: Sequence[Sequence[int]]
    ) -> None:
        """Compute keys and values of tokens.

        Args:
            rows: shape (batch,).
            starts: tokens that the rows have already; all zero, or none.
            parts: the tokens that follow, at least one for each row.
        """
        width = max(map(len, parts))
        lengths = torch.tensor([len(part) for part in parts], device=self.device)
        offsets = torch.arange(width, device=self.device)
        positions = torch.tensor(starts, device=self.device)[:, None] + offsets
        writes = torch.where(offsets < lengths[:, None], positions, self._cache.capacity)
        span, mask = 0, None
        if starts[0]:
            span = max(start + len(part) for start, part in zip(starts, parts, strict=True))
            mask = (self._arange[:span] <= positions[..., None])[:, None]
        self._cache.at_rows(torch.tensor(rows, device=self.device), writes, span)
        # Without the head: the logits of a prompt are not wanted.
        self.model.base_model(
            input_ids=self._padded(parts, width),
            position_ids=positions.clamp(max=self._max_context - 1),
            attention_mask=mask,
            past_key_values=self._cache,
            use_cache=True,
        )

    def decode(
        self,
        last_ids: Sequence[int],
        positions: Sequence[int],
        samplings: Sequence[Sampling],
        uniform: NDArray[np.float64],
    ) -> tuple[list[list[int]], NDArray[np.float32]]:
        """Draw the next tokens of the first rows.

        Args:
            last_ids: the last token of each row, not read yet, shape (rows,).
            positions: of those, shape (rows,).
            samplings: settings of each row.
            uniform: a random number for each token, shape (rows, tokens).

        Returns:
            Tokens and their log-probabilities, shape (rows, tokens). Those behind the end of the
            context mean nothing.
        """
        num_rows, count = uniform.shape
        padded = num_rows
        if self.uses_graphs:
            padded = min(bucket(num_rows), self._max_batch)
        batch = self._batches.get(padded)
        if batch is None:
            batch = self._batches[padded] = Batch.empty(padded, self.device)
        padding = padded - num_rows
        for target, values, pad in (
            (batch.token_ids, last_ids, 0),
            (batch.positions, positions, self._cache.capacity),
            (batch.sampling.temperature, [sampling.temperature for sampling in samplings], 1.0),
            (batch.sampling.top_p, [sampling.top_p for sampling in samplings], 1.0),
            (batch.sampling.top_k, [sampling.top_k for sampling in samplings], 0),
        ):
            target.copy_(torch.tensor([*values, *[pad] * padding], dtype=target.dtype))
        truncates = any(sampling.top_k or sampling.top_p < 1 for sampling in samplings)
        span = min(max(positions) + count, self._max_context)
        numbers = torch.from_numpy(uniform.T.copy()).to(self.device)
        token_ids, logprobs = [], []
        for number in range(count):
            batch.uniform[:num_rows].copy_(numbers[number])
            self._draw(batch, span, truncates)
            token_ids.append(batch.token_ids[:num_rows].clone())
            logprobs.append(batch.logprobs[:num_rows].clone())
        return torch.stack(token_ids, 1).tolist(), torch.stack(logprobs, 1).cpu().numpy()

    def score(self, sequences: Sequence[Sequence[int]]) -> list[list[float]]:
        """Log-probabilities at temperature 1 of each token but the first, without the cache."""
        scores: list[list[float]] = [[] for _ in sequences]
        longest_first = sorted(range(len(sequences)), key=lambda i: -len(sequences[i]))
        while longest_first:
            width = len(sequences[longest_first[0]])
            count = max(1, SCORE_LOGITS // (width * self.vocabulary))
            chosen, longest_first = longest_first[:count], longest_first[count:]
            token_ids = self._padded([sequences[i] for i in chosen], width)
            positions = torch.arange(width, device=self.device).expand_as(token_ids)
            logits = self.model(input_ids=token_ids, position_ids=positions, use_cache=False).logits
            of_next = logits[:, :-1].float().log_softmax(-1)
            found = of_next.gather(-1, token_ids[:, 1:, None])[..., 0].tolist()
            for i, row in zip(chosen, found, strict=True):
                scores[i] = row[: len(sequences[i]) - 1]
        return scores

    def _padded(self, sequences: Sequence[Sequence[int]], width: int) -> torch.Tensor:
        rows = [[*sequence, *[0] * (width - len(sequence))] for sequence in sequences]
        return torch.tensor(rows, device=self.device)

    def _draw(self, batch: Batch, span: int, truncates: bool) -> None:
        """One token for every row of the batch."""
        if not self.uses_graphs:
            self._forward(batch, span, truncates)
            return
        span = min(bucket(span, 64), self._cache.capacity)
        key = (len(batch.token_ids), span, truncates)
        if key not in self._graphs:
            self._graphs[key] = self._capture(batch, span, truncates)
        self._graphs[key].replay()

    def _capture(self, batch: Batch, span: int, truncates: bool) -> torch.cuda.CUDAGraph:
        saved = batch.token_ids.clone(), batch.positions.clone()
        batch.positions.fill_(self._cache.capacity)  # warming up writes to scratch alone
        stream = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]  # torch's own
        stream.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(stream):
            for _ in range(2):
                self._forward(batch, span, truncates)
        torch.cuda.current_stream(self.device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        self._graph_pool = self._graph_pool or torch.cuda.graph_pool_handle()
        with torch.cuda.graph(graph, pool=self._graph_pool):
            self._forward(batch, span, truncates)
        batch.token_ids.copy_(saved[0])
        batch.positions.copy_(saved[1])
        return graph

    def _forward(self, batch: Batch, span: int, truncates: bool) -> None:
        """A decoding step on the device: reads and writes the batch, looks at no value."""
        self._cache.at_prefix(self._arange[: len(batch.token_ids)], batch.positions, span)
        mask = self._arange[:span] <= batch.positions[:, None]
        logits = self.model(
            input_ids=batch.token_ids[:, None],
            position_ids=batch.positions.clamp(max=self._max_context - 1)[:, None],
            attention_mask=mask[:, None, None],
            past_key_values=self._cache,
            use_cache=True,
        ).logits[:, -1]
        token_ids, logprobs = draw(logits, batch.uniform, batch.sampling, truncates=truncates)
        batch.token_ids.copy_(token_ids)
        batch.logprobs.copy_(logprobs)
        # A reply that ended within the step goes on until its end, at last on scratch.
        batch.positions.add_(1).clamp_(max=self._cache.capacity)

    def _drop_graphs(self) -> None:
        self._graphs.clear()
        self._batches.clear()
        self._graph_pool = None


def bucket(size: int, smallest: int = 1) -> int:
    """The next of 1, 2, 3, 4, 6, 8, 12, 16, ...: few sizes, at most half as much again."""
    power = smallest
    while power < size:
        power *= 2
    half_way = power // 4 * 3
    return half_way if half_way >= max(size, smallest) else power
