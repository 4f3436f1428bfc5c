"""Keys and values of many dialogues, one row each, for models of the transformers library.

Rows have different lengths, without padding on the left: each token is written at its own position
and sees the positions up to its own. Tokens of padding are written to a scratch position behind the
last one.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, Cache

from codefeedback_env import ConfigError

ATTENTION = "codefeedback_slots"
"""Name of the attention function, for ``set_attn_implementation``."""


class SlotCache(Cache):
    """One tensor of keys and one of values per layer, shape (rows, heads, capacity + 1, width).

    Layers are allocated when they are first written. ``at_rows`` or ``at_prefix`` says to which
    tokens the next forward pass belongs.
    """

    def __init__(self) -> None:
        """An empty cache; ``reserve`` makes room."""
        super().__init__(layers=[])
        self.num_rows = 0
        self.capacity = 0
        self._tensors: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self._rows = torch.empty(0)
        self._positions = torch.empty(0)
        self._span = 0
        self._is_prefix = False

    def reserve(self, num_rows: int, capacity: int) -> bool:
        """Grow to at least these sizes, keeping what is there; whether tensors were replaced."""
        if num_rows <= self.num_rows and capacity <= self.capacity:
            return False
        old_rows, old_capacity = self.num_rows, self.capacity
        self.num_rows = max(num_rows, old_rows)
        self.capacity = max(capacity, old_capacity)
        for layer, pair in self._tensors.items():
            keys, values = (self._empty(tensor) for tensor in pair)
            for new, old in zip((keys, values), pair, strict=True):
                new[:old_rows, :, :old_capacity] = old[:, :, :old_capacity]
            self._tensors[layer] = keys, values
        return True

    def release(self) -> None:
        """Give the memory back."""
        self._tensors.clear()
        self.num_rows = self.capacity = 0

    def swap(self, rows: Sequence[int], others: Sequence[int], length: int) -> None:
        """Exchange the first ``length`` positions of rows, pair by pair."""
        if not length:
            return
        for tensor in (tensor for pair in self._tensors.values() for tensor in pair):
            targets = torch.tensor([*rows, *others], device=tensor.device)
            sources = torch.tensor([*others, *rows], device=tensor.device)
            part = tensor[:, :, :length]
            part[targets] = part[sources]

    def at_rows(self, rows: torch.Tensor, positions: torch.Tensor, span: int) -> None:
        """Next come new tokens of any rows.

        Args:
            rows: shape (batch,).
            positions: of the new tokens, shape (batch, tokens).
            span: what they attend to is the first positions, this many, of their row; 0 where
                all of it is among the new tokens.
        """
        self._rows, self._positions = rows[:, None], positions
        self._span, self._is_prefix = span, False

    def at_prefix(self, rows: torch.Tensor, positions: torch.Tensor, span: int) -> None:
        """Next comes one token for each of the first rows.

        Args:
            rows: 0, 1, ... shape (batch,).
            positions: of the new tokens, shape (batch,).
            span: as many positions can be attended to.
        """
        self._rows, self._positions = rows, positions
        self._span, self._is_prefix = span, True

    def update(
        self,
        key_states: torch.Tensor,
        value_states: torch.Tensor,
        layer_idx: int,
        *args: Any,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write what a layer computed, and return what its queries attend to.

        All of shape (batch, heads, tokens, width).
        """
        if layer_idx not in self._tensors:
            self._tensors[layer_idx] = self._empty(key_states), self._empty(value_states)
        keys, values = self._tensors[layer_idx]
        if self._is_prefix:
            keys[self._rows, :, self._positions] = key_states[:, :, 0]
            values[self._rows, :, self._positions] = value_states[:, :, 0]
            num_rows = len(self._rows)
            return keys[:num_rows, :, : self._span], values[:num_rows, :, : self._span]
        keys[self._rows, :, self._positions] = key_states.transpose(1, 2)
        values[self._rows, :, self._positions] = value_states.transpose(1, 2)
        if not self._span:
            return key_states, value_states
        rows = self._rows[:, 0]
        return keys[:, :, : self._span][rows], values[:, :, : self._span][rows]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Nothing, as lengths differ: positions and masks are always given."""
        return 0

    def _empty(self, like: torch.Tensor) -> torch.Tensor:
        # Zeros, not anything: a masked position has weight 0, and 0 times NaN would be NaN.
        return like.new_zeros(self.num_rows, like.shape[1], self.capacity + 1, like.shape[3])


def slot_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Attention as transformers calls it.

    Args:
        module: the layer, unused.
        query: shape (batch, heads, tokens, width).
        key: shape (batch, key heads, positions, width).
        value: as ``key``.
        attention_mask: True where a query may attend, shape (batch, 1, tokens, positions); None
            where tokens and positions are the same and the mask is causal.
        scaling: of the products; default: one over the root of the width.
        dropout: unused.
        kwargs: of other functions; those that would change the result are refused.

    Returns:
        Shape (batch, tokens, heads, width), and no weights.

    Raises:
        ConfigError: the model caps its scores or has attention sinks or position biases.
    """
    for name in ("softcap", "s_aux", "position_bias"):
        if kwargs.get(name) is not None:
            raise ConfigError(f"TorchGenerator does not know attention with {name!r}; use vllm.")
    batch, num_heads, num_tokens, width = query.shape
    groups = num_heads // key.shape[1]
    if num_tokens == 1 and attention_mask is not None:
        # The heads that share keys become rows of one product, so that keys are read once and not
        # copied for each head.
        query = query.reshape(batch, key.shape[1], groups, width)
        output = scaled_dot_product_attention(
            query, key, value, attn_mask=attention_mask, scale=scaling
        )
        return output.reshape(batch, 1, num_heads, -1), None
    if groups > 1:
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    is_causal = attention_mask is None
    output = scaled_dot_product_attention(
        query, key, value, attn_mask=attention_mask, is_causal=is_causal, scale=scaling
    )
    return output.transpose(1, 2), None


AttentionInterface.register(ATTENTION, slot_attention)
