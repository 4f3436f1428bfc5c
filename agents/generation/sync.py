"""After weights were handed over: do engine and trainer compute the same?"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from agents.generation.tokens import TokenGenerator


class SyncError(RuntimeError):
    """Engine and trainer have different weights, or do not compute with them alike."""


def probe_sequence(vocab_size: int, length: int) -> list[int]:
    """Fixed arbitrary tokens; any token's log-probability takes in the whole output matrix."""
    return [int(token) for token in np.random.default_rng(0).integers(vocab_size, size=length)]


def verify_sync(
    generator: TokenGenerator,
    networks_logprobs_fn: Callable[[Sequence[int]], Sequence[float]],
    probe_ids: Sequence[int],
    tolerance: float,
) -> float:
    """Compare the log-probabilities of a sequence; to be called after each ``load_weights``.

    An engine may report a successful update and go on with old weights, or with old ones in a part
    of the model; training then degrades without an error. In float32 engine and trainer agree to
    1e-5, so that any update shows. In bfloat16 they differ anyway, tokens of a tiny model by 0.05
    on average and 0.3 at most: one update of a small learning rate is below that, and only what is
    missed again and again adds up to a difference that shows.

    Args:
        generator: with the new weights, not asleep.
        networks_logprobs_fn: the trainer's log-probabilities at temperature 1 of each token of a
            sequence but the first, shape (tokens - 1,).
        probe_ids: at least two tokens, shape (tokens,).
        tolerance: greatest absolute difference of a token's log-probability.

    Returns:
        The greatest difference, for logs.

    Raises:
        SyncError: it is above the tolerance, or not a number; says how far apart they are and what
            can be wrong.
        ValueError: the sequence is too short, or the trainer's numbers are not one per token.
    """
    if len(probe_ids) < 2:
        raise ValueError(f"a probe needs at least 2 tokens, not {len(probe_ids)}.")
    wanted = np.asarray(networks_logprobs_fn(probe_ids), dtype=np.float64)
    if wanted.shape != (len(probe_ids) - 1,):
        raise ValueError(
            f"the trainer gave log-probabilities of shape {wanted.shape} for {len(probe_ids)} "
            f"tokens; ({len(probe_ids) - 1},) is needed, one for each but the first."
        )
    got = np.asarray(generator.score([probe_ids])[0], dtype=np.float64)
    differences = np.abs(got - wanted)
    largest = float(differences.max())
    if not math.isnan(largest) and largest <= tolerance:
        return largest
    if np.isnan(wanted).any() or np.isnan(got).any():
        side = "the trainer" if np.isnan(wanted).any() else "the generator"
        raise SyncError(
            f"{side} gives log-probabilities that are not numbers for a fixed sequence."
        )
    at = int(differences.argmax())
    raise SyncError(
        "after handing over weights the generator's log-probabilities of a fixed sequence differ "
        f"from the trainer's by up to {largest:.3g} (token {at + 1}: {got[at]:.6g} in the "
        f"generator, {wanted[at]:.6g} in the trainer), {differences.mean():.3g} on average; "
        f"allowed is {tolerance:.3g}. The generator may still compute with old weights; its output "
        "matrix, where tied to the embedding, may be an old copy; or the two compute in different "
        "precision, which takes a larger tolerance."
    )
