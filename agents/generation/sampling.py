"""Drawing tokens, with a stream of random numbers for each reply alone."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FACTORS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))


def uniforms(
    seeds: NDArray[np.uint64], starts: NDArray[np.uint64], count: int
) -> NDArray[np.float64]:
    """Numbers ``starts`` to ``starts + count - 1`` of the random stream of each seed.

    A number depends on its seed and index alone, so that a reply does not depend on what else is
    generated, nor on how many tokens are drawn at once.

    Args:
        seeds: shape (rows,); neighbouring seeds are as good as distant ones.
        starts: shape (rows,).
        count: numbers per row.

    Returns:
        Multiples of 2**-52 in [0, 1), shape (rows, count).

    Source: SplitMix64 of Steele, Lea and Flood 2014, doi:10.1145/2660193.2660195, which can be
    entered at any index; a stream starts at the mixed seed.
    """
    states = _mix(seeds + _GOLDEN)[:, None]
    indices = starts[:, None] + np.arange(1, count + 1, dtype=np.uint64)
    offsets = (indices * _GOLDEN).astype(np.uint64)
    bits = _mix(states + offsets) >> np.uint64(12)
    return bits.astype(np.float64) * 2.0**-52


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    state = (state ^ (state >> _SHIFTS[0])) * _FACTORS[0]
    state = (state ^ (state >> _SHIFTS[1])) * _FACTORS[1]
    return state ^ (state >> _SHIFTS[2])


@dataclass(slots=True)
class SamplingRows:
    """The settings of ``Sampling`` for each row of a batch, on its device; shapes (rows,)."""

    temperature: torch.Tensor
    """float32; 0 for the likeliest token."""

    top_p: torch.Tensor
    """float32."""

    top_k: torch.Tensor
    """int64; 0 for no limit."""


def draw(
    logits: torch.Tensor, uniform: torch.Tensor, rows: SamplingRows, *, truncates: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """One token for each row, by inverting the cumulative distribution.

    Args:
        logits: shape (rows, vocabulary), of any float type.
        uniform: float64 multiples of 2**-52 in [0, 1), shape (rows,).
        rows: the settings.
        truncates: whether any row has a top-k or top-p; sorting the vocabulary is left out else.

    Returns:
        Token ids, int64, and their log-probabilities under the distribution they were drawn from,
        float32; at temperature 0 under that of temperature 1 without top-k and top-p. Both of shape
        (rows,). NaN in the logits gives NaN.
    """
    is_greedy = rows.temperature == 0
    logits = logits.float() / rows.temperature.masked_fill(is_greedy, 1.0)[:, None]
    if truncates:
        top_k = rows.top_k.masked_fill(is_greedy, 0)
        top_p = rows.top_p.masked_fill(is_greedy, 1.0)
        logits = _truncate(logits, top_k, top_p)
    logprobs = logits.log_softmax(-1)
    # In float64, so that the rounding of large vocabularies' sums does not shift what is drawn.
    # uniform * total stays below total, as uniform <= 1 - 2**-52: a token of probability 0 has no
    # part of the range and is never drawn.
    cumulative = logprobs.exp().double().cumsum(-1)
    drawn = torch.searchsorted(cumulative, uniform[:, None] * cumulative[:, -1:], right=True)
    drawn = drawn[:, 0].clamp(max=logits.shape[-1] - 1)  # only NaN gets there
    token_ids = torch.where(is_greedy, logits.argmax(-1), drawn)
    return token_ids, logprobs.gather(-1, token_ids[:, None])[:, 0]


def _truncate(logits: torch.Tensor, top_k: torch.Tensor, top_p: torch.Tensor) -> torch.Tensor:
    """Logits with -inf for all but the top k, then all but the nucleus of mass top p of those."""
    ordered, order = logits.sort(dim=-1, descending=True, stable=True)
    ranks = torch.arange(logits.shape[-1], device=logits.device)
    within_k = (ranks < top_k[:, None]) | (top_k[:, None] == 0)
    ordered = ordered.masked_fill(~within_k, float("-inf"))
    probabilities = ordered.softmax(-1)
    mass_before = probabilities.cumsum(-1) - probabilities
    # A sum that rounding takes to 1 too early must not cut a tail that top_p=1 keeps.
    within_p = (mass_before < top_p[:, None]) | (top_p[:, None] >= 1)
    ordered = ordered.masked_fill(~within_p, float("-inf"))
    return torch.empty_like(logits).scatter_(-1, order, ordered)
