"""Causal attention within each sequence of a packed row, for models of transformers.

A model that dispatches through transformers' ``AttentionInterface`` (Llama, Qwen, Mistral and most
others) takes ``attn_implementation=PACKED`` and, in each call, ``sequences=SequenceLayout(...)``,
which it hands down to every layer. Linear layers then see no padding at all. Attention uses a
kernel for sequences of different lengths where one is available, and else pads within groups of
sequences of about the same length.
"""

import inspect
from collections.abc import Callable, Sequence
from functools import cache, cached_property
from itertools import accumulate
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import AttentionInterface

PACKED = "codefeedback_packed"
"""Name of this attention for ``attn_implementation``."""

NEARLY_EQUAL = 0.8  # of the longest: padding in a group costs less than another call would
SHORT = 16  # tokens; differences below this are not worth another call

VarlenAttention = Callable[[Tensor, Tensor, Tensor, Tensor, int, float], Tensor]


class SequenceLayout:
    """Where the sequences of a packed row of T tokens are."""

    def __init__(self, lengths: Sequence[int], device: torch.device) -> None:
        """A layout of sequences one after the other.

        Args:
            lengths: tokens of each sequence, all positive.
            device: of the row.
        """
        self.lengths = tuple(lengths)
        self.longest = max(lengths)
        self._device = device

    @cached_property
    def starts(self) -> Tensor:
        """Where each sequence starts, and at the end T; shape (sequences + 1,), int32."""
        starts = list(accumulate(self.lengths, initial=0))
        return torch.tensor(starts, dtype=torch.int32, device=self._device)

    @cached_property
    def groups(self) -> list[tuple[int, int]]:
        """Number of sequences and padded length of each group, longest first."""
        groups: list[tuple[int, int]] = []
        for length in sorted(self.lengths, reverse=True):
            number, longest = groups[-1] if groups else (0, 0)
            if number and length + SHORT >= NEARLY_EQUAL * longest:
                groups[-1] = (number + 1, longest)
            else:
                groups.append((1, length))
        return groups

    @cached_property
    def padding(self) -> tuple[Tensor, Tensor]:
        """Indices to pad and to undo it.

        Returns:
            For each row of all groups one after the other the token that stands there, shape
            (rows,), with a sequence's last token where there is only padding; and for each token
            its row, shape (T,). Padding comes after a sequence, so no token attends to it.
        """
        lengths = torch.tensor(self.lengths)
        starts = lengths.cumsum(0) - lengths
        order = torch.argsort(lengths, descending=True, stable=True)
        padded = torch.tensor([longest for number, longest in self.groups for _ in range(number)])
        first_rows = padded.cumsum(0) - padded
        sequence_of_row = torch.arange(len(padded)).repeat_interleave(padded)
        place = torch.arange(int(padded.sum())) - first_rows[sequence_of_row]
        is_token = place < lengths[order][sequence_of_row]
        token_of_row = starts[order][sequence_of_row] + torch.minimum(
            place, lengths[order][sequence_of_row] - 1
        )
        row_of_token = torch.empty(int(lengths.sum()), dtype=torch.int64)
        row_of_token[token_of_row[is_token]] = is_token.nonzero()[:, 0]
        return token_of_row.to(self._device), row_of_token.to(self._device)


def packed_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    sequences: SequenceLayout,
    scaling: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Causal attention in each sequence by itself, as transformers calls it in every layer.

    Dropout is left out: ratios of probabilities need the same network in each pass.

    Args:
        module: the layer.
        query: shape (1, heads, T, width).
        key: shape (1, key heads, T, width); each serves heads / key heads queries.
        value: as ``key``.
        attention_mask: None; transformers makes none for attention it does not know.
        sequences: where the sequences are.
        scaling: of the scores; default: width ** -0.5.

    Returns:
        Shape (1, T, heads, width), and None for the weights.
    """
    query, key, value = (x[0].transpose(0, 1) for x in (query, key, value))
    # Rotation computes in float32; autocast has brought only the values down.
    query, key = query.to(value.dtype), key.to(value.dtype)
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    varlen = varlen_attention() if query.is_cuda and query.element_size() == 2 else None
    if varlen is not None:
        out = varlen(query, key, value, sequences.starts, sequences.longest, scale)
    else:
        out = padded_attention(query, key, value, sequences, scale)
    return out[None], None


AttentionInterface.register(PACKED, packed_attention)


def padded_attention(
    query: Tensor, key: Tensor, value: Tensor, sequences: SequenceLayout, scale: float
) -> Tensor:
    """Pads within groups of sequences of about the same length.

    Args:
        query: shape (T, heads, width).
        key: shape (T, key heads, width).
        value: as ``key``.
        sequences: where the sequences are.
        scale: of the scores.

    Returns:
        Shape (T, heads, width).
    """
    is_padded = len(set(sequences.lengths)) > 1
    if is_padded:
        query, key, value = (_padded(x, sequences) for x in (query, key, value))
    out: list[Tensor] = []
    sizes = [number * longest for number, longest in sequences.groups]
    parts = zip(*(torch.split(x, sizes) for x in (query, key, value)), strict=True)
    for (number, longest), part in zip(sequences.groups, parts, strict=True):
        q, k, v = (x.unflatten(0, (number, longest)).transpose(1, 2) for x in part)
        attended = F.scaled_dot_product_attention(
            q, k, v, is_causal=True, scale=scale, enable_gqa=q.shape[1] != k.shape[1]
        )
        out.append(attended.transpose(1, 2).flatten(0, 1))
    rows = out[0] if len(out) == 1 else torch.cat(out)
    return _unpadded(rows, sequences) if is_padded else rows


@cache
def varlen_attention() -> VarlenAttention | None:
    """A GPU kernel for sequences of different lengths in half precision, if there is one.

    Returns:
        A function of query (T, heads, width), key, value (T, key heads, width), starts, longest
        sequence and scale of the scores to (T, heads, width).
    """
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        options = frozenset[str]()
    else:
        options = frozenset(inspect.signature(varlen_attn).parameters)
    if options >= {"scale", "window_size"}:  # torch 2.11; 2.10 cannot scale
        can_share_keys = "enable_gqa" in options

        def torch_varlen(
            query: Tensor, key: Tensor, value: Tensor, starts: Tensor, longest: int, scale: float
        ) -> Tensor:
            shared = query.shape[1] // key.shape[1]
            sharing: dict[str, Any] = {"enable_gqa": shared > 1} if can_share_keys else {}
            if shared > 1 and not can_share_keys:
                key, value = (x.repeat_interleave(shared, dim=1) for x in (key, value))
            causal = (-1, 0)
            out = varlen_attn(
                *(query, key, value, starts, starts, longest, longest),
                **{"scale": scale, "window_size": causal, **sharing},
            )
            return cast(Tensor, out)

        return torch_varlen
    try:
        from flash_attn import (  # type: ignore[import-not-found]  # built by few
            flash_attn_varlen_func,
        )
    except ImportError:
        return None

    def flash_varlen(
        query: Tensor, key: Tensor, value: Tensor, starts: Tensor, longest: int, scale: float
    ) -> Tensor:
        out: Tensor = flash_attn_varlen_func(
            *(query, key, value, starts, starts, longest, longest),
            softmax_scale=scale,
            causal=True,
        )
        return out

    return flash_varlen


def _padded(tokens: Tensor, sequences: SequenceLayout) -> Tensor:
    out: Tensor = _Pad.apply(tokens, *sequences.padding)  # type: ignore[no-untyped-call]
    return out


def _unpadded(rows: Tensor, sequences: SequenceLayout) -> Tensor:
    out: Tensor = _Unpad.apply(rows, *sequences.padding)  # type: ignore[no-untyped-call]
    return out


class _Pad(torch.autograd.Function):
    """Rows of groups from tokens; each token stands in one row, so going back needs no sums."""

    @staticmethod
    def forward(ctx: Any, tokens: Tensor, token_of_row: Tensor, row_of_token: Tensor) -> Tensor:
        ctx.save_for_backward(row_of_token)
        return tokens.index_select(0, token_of_row)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (row_of_token,) = ctx.saved_tensors
        return grads[0].index_select(0, row_of_token), None, None


class _Unpad(torch.autograd.Function):
    """Tokens from rows of groups."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, token_of_row: Tensor, row_of_token: Tensor) -> Tensor:
        ctx.save_for_backward(row_of_token)
        ctx.num_rows = len(token_of_row)
        return rows.index_select(0, row_of_token)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (row_of_token,) = ctx.saved_tensors
        rows = grads[0].new_zeros(ctx.num_rows, *grads[0].shape[1:])
        return rows.index_copy_(0, row_of_token, grads[0]), None, None
