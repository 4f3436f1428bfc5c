"""Log-probabilities of given tokens without ever holding the logits of all of them."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MAX_LOGITS = 2**26
"""Logits in memory at once, 256 MiB in float32; a chunk of actions times the vocabulary."""

# float32 sums of half-precision products, on GPUs since torch 2.8
_HAS_FLOAT32_OUTPUT = hasattr(torch.ops.aten.mm, "dtype")


class ScoringHead(nn.Linear):
    """The head of a language model that also scores tokens; takes the place of its ``nn.Linear``.

    Weights are only used inside ``forward``, so that whatever gathers a module's sharded weights
    before it runs gathers these as well.
    """

    @classmethod
    def of(cls, head: nn.Linear) -> "ScoringHead":
        """A head that shares weight and bias with this one, tied ones too."""
        scoring = cls(head.in_features, head.out_features, bias=False, device="meta")
        scoring.weight = head.weight
        scoring.bias = head.bias
        return scoring

    def forward(  # type: ignore[override]
        self,
        hidden: Tensor,
        action_ids: Tensor | None = None,
        temperature: float = 1.0,
        with_entropy: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor | None]:
        """Logits, or of given tokens the log-probability and the entropy of their distribution.

        Args:
            hidden: last hidden states, shape (A, width).
            action_ids: the token after each, shape (A,); without it logits are returned.
            temperature: logits are divided by it.
            with_entropy: in nats.

        Returns:
            Logits of the shape (A, vocabulary), or log-probabilities and entropies (or None), each
            of shape (A,) in float32 (float64 for float64).
        """
        if action_ids is None:
            return super().forward(hidden)
        device_type = hidden.device.type
        dtype = hidden.dtype
        if torch.is_autocast_enabled(device_type):
            dtype = torch.get_autocast_dtype(device_type)
        with torch.autocast(device_type, enabled=False):
            logprobs, entropy = _TokenLogprobs.apply(  # type: ignore[no-untyped-call]
                *(hidden, self.weight, self.bias, action_ids),
                *(temperature, with_entropy, dtype, torch.is_grad_enabled()),
            )
        return logprobs, entropy if with_entropy else None


class _TokenLogprobs(torch.autograd.Function):
    """In chunks of ``MAX_LOGITS``, computed again in the backward pass if there are several."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        action_ids: Tensor,
        temperature: float,
        with_entropy: bool,
        dtype: torch.dtype,
        needs_grad: bool,
    ) -> tuple[Tensor, Tensor]:
        rows = max(1, MAX_LOGITS // len(weight))
        cast_weight = weight.to(dtype)
        logprobs, entropies, kept = [], [], None
        chunks = zip(torch.split(hidden, rows), torch.split(action_ids, rows), strict=True)
        for chunk, ids in chunks:
            everything = _log_softmax(chunk.to(dtype), cast_weight, bias, temperature)
            logprobs.append(everything.gather(1, ids[:, None])[:, 0])
            if with_entropy:
                entropies.append(_entropy(everything))
            if needs_grad and len(hidden) <= rows:
                kept = everything
        ctx.save_for_backward(hidden, weight, bias, action_ids, kept)
        ctx.options = temperature, with_entropy, dtype, rows
        joined = torch.cat(logprobs)
        return joined, torch.cat(entropies) if with_entropy else joined.new_empty(0)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        hidden, weight, bias, action_ids, kept = ctx.saved_tensors
        temperature, with_entropy, dtype, rows = ctx.options
        wants_hidden, wants_weight, wants_bias = ctx.needs_input_grad[:3]
        cast_weight = weight.to(dtype)
        grad_hidden = torch.empty_like(hidden) if wants_hidden else None
        grad_weight = None
        grad_bias = torch.zeros_like(bias) if wants_bias else None
        for start in range(0, len(hidden), rows):
            part = slice(start, start + rows)
            chunk = hidden[part].to(dtype)
            everything = kept
            if everything is None:
                everything = _log_softmax(chunk, cast_weight, bias, temperature)
            # d logprob / d logits = onehot - p;  d entropy / d logits = -p (log p + entropy)
            probabilities = everything.exp()
            factor = -grads[0][part, None]
            if with_entropy:
                surprise = everything + _entropy(everything)[:, None]
                factor = factor - grads[1][part, None] * surprise
            grad_logits = probabilities.mul_(factor)
            grad_logits.scatter_add_(1, action_ids[part, None], grads[0][part, None])
            grad_logits /= temperature
            if grad_bias is not None:
                grad_bias += grad_logits.sum(0)
            grad_logits = grad_logits.to(dtype)
            if grad_hidden is not None:
                grad_hidden[part] = grad_logits @ cast_weight
            if wants_weight:
                product = _matmul(grad_logits.T, chunk)
                grad_weight = product if grad_weight is None else grad_weight.add_(product)
        if grad_weight is not None:
            grad_weight = grad_weight.to(weight.dtype)
        return grad_hidden, grad_weight, grad_bias, None, None, None, None, None


def _log_softmax(hidden: Tensor, weight: Tensor, bias: Tensor | None, temperature: float) -> Tensor:
    logits = _matmul(hidden, weight.T)
    if bias is not None:
        logits += bias
    if temperature != 1:
        logits /= temperature
    return F.log_softmax(logits, dim=-1)


def _entropy(log_probabilities: Tensor) -> Tensor:
    return -(log_probabilities.exp() * log_probabilities).sum(-1)


def _matmul(left: Tensor, right: Tensor) -> Tensor:
    """In float32 for half precision: bfloat16 logits would be off by percents."""
    if left.element_size() > 2:
        return left @ right
    if left.is_cuda and _HAS_FLOAT32_OUTPUT:
        return torch.mm(left, right, out_dtype=torch.float32)
    return (left @ right).float()
