"""The arithmetic and the traffic of training, and what a machine does of them at its best.

Bounds: the greater of arithmetic over the speed of a matrix product and traffic over the speed of a
copy, both measured on the machine. MFU: model arithmetic over time and that speed; what the
trainer computes twice is no work of the model and is left out of it.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.train_throughput.shapes import Shape

BYTES = {"float32": 4, "bfloat16": 2}
"""Per number."""

_GOES, _WARM_UPS = 20, 3


@dataclass(frozen=True, slots=True)
class Limits:
    """What the machine does at this moment at its best."""

    flop_per_s: float
    bytes_per_s: float


@dataclass(frozen=True, slots=True)
class Flop:
    """Operations of forward passes."""

    dense: float
    """Of activations with weights: 2 for each weight and token."""

    attention: float
    """Of activations with each other: 4 L d S for each token that sees S, halved by the mask."""

    @property
    def total(self) -> float:
        """All."""
        return self.dense + self.attention

    def __add__(self, other: "Flop") -> "Flop":
        """Of both."""
        return Flop(self.dense + other.dense, self.attention + other.attention)


def forward_flop(shape: Shape, lengths: Sequence[int], num_scored: int) -> Flop:
    """Of one forward pass over sequences.

    Args:
        shape: of the model.
        lengths: of the sequences, in tokens.
        num_scored: tokens for which the head computes logits, 0 for a critic. The usual ``2 N T``
            counts the head for all of them, which would credit work that is not done.
    """
    dense = 2.0 * (shape.trunk_weights * sum(lengths) + shape.head_weights * num_scored)
    per_square = 2.0 * shape.layers * shape.heads * shape.head_size
    return Flop(dense, per_square * sum(length**2 for length in lengths))


def update_flop(forward: Flop, *, is_lora: bool, recompute: bool) -> float:
    """Of forward and backward passes.

    A backward pass computes gradients of both factors of each product, so twice the forward pass;
    those of frozen weights are left out. So 6 N for each token, with LoRA 4 N, and 2 N more where
    activations are recomputed; attention, which has no weights, three times or four.
    """
    dense_passes = (2 if is_lora else 3) + recompute
    return dense_passes * forward.dense + (3 + recompute) * forward.attention


def decode_bound(
    shape: Shape, *, batch: int, context: float, limits: Limits, bytes_per_number: int
) -> float:
    """Tokens per second of decoding, at best.

    A step takes ``max((n N + B S kv) / BW, (2 N B + 4 B S L d) / F)``; an embedding that is not the
    head is not read.

    Args:
        shape: N weights, L layers, d of attention, kv bytes per token.
        batch: B, replies at once.
        context: S, tokens before the one decoded, on average.
        limits: BW and F.
        bytes_per_number: n, of weights and cache.
    """
    weights = shape.trunk_weights + shape.head_weights
    moved = bytes_per_number * weights + batch * context * shape.kv_bytes(bytes_per_number)
    attention = 4 * batch * context * shape.layers * shape.heads * shape.head_size
    arithmetic = 2 * weights * batch + attention
    return batch / max(moved / limits.bytes_per_s, arithmetic / limits.flop_per_s)


def generate_bound_s(
    shape: Shape, num_prompt_tokens: int, num_reply_tokens: int, decode_rate: float, limits: Limits
) -> float:
    """Seconds of generating, at best: prompts at the speed of a matrix product, then decoding.

    Args:
        shape: of the model.
        num_prompt_tokens: read once each, the cache keeping earlier turns.
        num_reply_tokens: drawn.
        decode_rate: from ``decode_bound`` of a full batch.
        limits: of the machine.
    """
    prefill = 2 * shape.trunk_weights * num_prompt_tokens / limits.flop_per_s
    return prefill + num_reply_tokens / decode_rate


def sync_bound_s(shape: Shape, read_bytes: int, written_bytes: int, limits: Limits) -> float:
    """Seconds of copying all weights once, with so many bytes of each read and written."""
    return shape.all_weights * (read_bytes + written_bytes) / limits.bytes_per_s


def measure_limits(device: torch.device, dtype: torch.dtype, working_set_bytes: int) -> Limits:
    """Product of two square matrices, and a copy, which reads and writes.

    Args:
        device: of the model.
        dtype: of its arithmetic.
        working_set_bytes: what a decoding step touches. On a CPU the copy stays within as much, so
            that a model that fits into the cache is held to the bandwidth of the cache.
    """
    is_cuda = device.type == "cuda"
    size = 8192 if is_cuda else 1024
    left, right = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    product = torch.empty_like(left)
    num_bytes = max(working_set_bytes, 1 << 30) if is_cuda else working_set_bytes
    half = max(1, num_bytes // 2)
    source, target = (torch.ones(half, dtype=torch.uint8, device=device) for _ in range(2))
    return Limits(
        flop_per_s=2 * size**3 / _best_s(device, lambda: torch.mm(left, right, out=product)),
        bytes_per_s=2 * half / _best_s(device, lambda: target.copy_(source)),
    )


def synchronise(device: torch.device) -> None:
    """Wait for all work of the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _best_s(device: torch.device, work: Callable[[], Any]) -> float:
    best = float("inf")
    for number in range(_WARM_UPS + _GOES):
        synchronise(device)
        start = time.perf_counter()
        work()
        synchronise(device)
        if number >= _WARM_UPS:
            best = min(best, time.perf_counter() - start)
    return best
