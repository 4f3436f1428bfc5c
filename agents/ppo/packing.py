"""Many episodes in one row of tokens, without padding."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import accumulate, chain
from typing import Any

import torch
from torch import Tensor

from agents.trajectory import Trajectory
from codefeedback_env import ConfigError


@dataclass(frozen=True, kw_only=True)
class PackedBatch:
    """Trajectories one after the other: S sequences, N turns, A actions (reply tokens), T tokens.

    Actions and turns are in the order of trajectories, turns, tokens.
    """

    token_ids: Tensor
    """Shape (T,), int64."""

    position_ids: Tensor
    """Shape (T,), int64; begin anew at 0 in each sequence."""

    sequence_starts: Tensor
    """Shape (S + 1,), int32; where each sequence starts, and at the end T."""

    action_positions: Tensor
    """Shape (A,), int64; of the token before each reply token, where the logits predict it."""

    action_ids: Tensor
    """Shape (A,), int64; the reply tokens."""

    action_turns: Tensor
    """Shape (A,), int64; turn of each action, in 0..N-1 over the whole batch."""

    action_sequences: Tensor
    """Shape (A,), int64; sequence of each action."""

    turn_sequences: Tensor
    """Shape (N,), int64; sequence of each turn."""

    value_positions: Tensor
    """Shape (N,), int64; of the last prompt token of each turn."""

    sequence_lengths: tuple[int, ...]
    """Length of each sequence, S numbers, here so that nobody has to wait for a device to know."""

    def to(self, device: torch.device | str) -> "PackedBatch":
        """The same with all tensors on the device."""
        moved: dict[str, Any] = {
            field.name: value.to(device, non_blocking=True)
            for field in fields(self)
            if isinstance(value := getattr(self, field.name), Tensor)
        }
        return replace(self, **moved)

    @property
    def num_sequences(self) -> int:
        """S."""
        return len(self.sequence_lengths)

    @property
    def num_turns(self) -> int:
        """N."""
        return self.turn_sequences.numel()

    @property
    def num_actions(self) -> int:
        """A."""
        return self.action_ids.numel()

    @property
    def num_tokens(self) -> int:
        """T."""
        return self.token_ids.numel()


def pack(trajectories: Sequence[Trajectory]) -> PackedBatch:
    """One batch, on the CPU, of all these trajectories in their order.

    Raises:
        ValueError: there is none, one has no turn, or one begins without a prompt, so that nothing
            predicts its first token.
    """
    if not trajectories:
        raise ValueError("no trajectory to pack")
    for trajectory in trajectories:
        if not trajectory.turns or not trajectory.turns[0].prompt_ids:
            raise ValueError(f"trajectory of problem {trajectory.problem_id} has no prompt")
    lengths = [trajectory.num_tokens for trajectory in trajectories]
    starts = list(accumulate(lengths, initial=0))
    turn_sequences: list[int] = []
    value_positions: list[int] = []
    reply_lengths: list[int] = []
    for sequence, trajectory in enumerate(trajectories):
        turn_sequences += [sequence] * len(trajectory.turns)
        value_positions += [starts[sequence] + place for place in trajectory.value_positions]
        reply_lengths += [len(turn.reply_ids) for turn in trajectory.turns]
    token_ids = torch.tensor(list(chain.from_iterable(t.token_ids for t in trajectories)))
    sequence_of_turn = torch.tensor(turn_sequences)
    before_reply = torch.tensor(value_positions)
    repeats = torch.tensor(reply_lengths)
    action_turns = torch.arange(len(reply_lengths)).repeat_interleave(repeats)
    place_in_reply = torch.arange(len(action_turns)) - (repeats.cumsum(0) - repeats)[action_turns]
    action_positions = before_reply[action_turns] + place_in_reply
    return PackedBatch(
        token_ids=token_ids,
        position_ids=torch.cat([torch.arange(length) for length in lengths]),
        sequence_starts=torch.tensor(starts, dtype=torch.int32),
        action_positions=action_positions,
        action_ids=token_ids[action_positions + 1],
        action_turns=action_turns,
        action_sequences=sequence_of_turn[action_turns],
        turn_sequences=sequence_of_turn,
        value_positions=before_reply,
        sequence_lengths=tuple(lengths),
    )


def split_by_tokens(lengths: Sequence[int], max_tokens: int) -> list[list[int]]:
    """Which sequences go into a pass together: first-fit decreasing, the same at each call.

    Args:
        lengths: tokens of each sequence.
        max_tokens: of one pass.

    Returns:
        Indices into ``lengths``, each once, the longest first within and over the passes.

    Raises:
        ConfigError: a sequence does not fit into a pass.
    """
    passes: list[list[int]] = []
    room: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda index: (-lengths[index], index)):
        if lengths[index] > max_tokens:
            raise ConfigError(
                f"a sequence of {lengths[index]} tokens does not fit into "
                f"max_tokens_per_pass={max_tokens}; raise it, or lower max_context_tokens."
            )
        first_fit = next((i for i, left in enumerate(room) if left >= lengths[index]), len(room))
        if first_fit == len(room):
            passes.append([])
            room.append(max_tokens)
        passes[first_fit].append(index)
        room[first_fit] -= lengths[index]
    return passes
