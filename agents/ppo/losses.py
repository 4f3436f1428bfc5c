"""Losses of policy and critic, as sums that micro-batches and processes add up; no state.

A is the number of actions (tokens of replies) in a micro-batch, N that of values. Every term comes
with a weight, and the weights of a whole minibatch sum to 1; so the loss of the minibatch, its
gradient and its statistics are the plain sums of those of its micro-batches, however it is split.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from agents.ppo.config import PPOConfig
from agents.trajectory import Trajectory

LOG_RATIO_LIMIT = 20.0
"""Log-ratios are cut to this, far outside any clip range, so that their exp stays finite."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Importance:
    """Corrections for replies that other weights or another engine sampled; without gradient."""

    in_ratio: Tensor
    """Factor of the policy ratio, inside the clip; shape (A,)."""

    in_loss: Tensor
    """Factor of the token's loss, outside the clip; 0 drops the token. Shape (A,)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PolicyStats:
    """Weighted means over actions, for logs; those of micro-batches add up to the minibatch's."""

    clip_fraction: Tensor
    """Share whose gradient the clip cuts off."""

    approx_kl: Tensor
    """log pi_old - log pi; what ``target_kl`` limits."""

    ratio: Tensor
    """pi / pi_old."""

    importance: Tensor
    """Product of both factors of ``Importance``."""

    dropped_fraction: Tensor
    """Share that ``Importance`` drops."""

    entropy: Tensor
    """Of the policy; NaN where it was not computed."""

    def __add__(self, other: "PolicyStats") -> "PolicyStats":
        """Those of two micro-batches together."""
        return PolicyStats(
            **{
                item.name: getattr(self, item.name) + getattr(other, item.name)
                for item in fields(self)
            }
        )


def action_weights(trajectories: Sequence[Trajectory], config: PPOConfig) -> list[Tensor]:
    """How much each sampled token counts in the policy loss of a minibatch.

    With ``loss_average`` "token" all count the same; with "turn" all replies, and tokens within a
    reply; with "sequence" all episodes, and tokens within an episode. ``mask_cut_replies`` gives
    replies ended by the length limit the weight 0 and shares theirs among the others.

    Args:
        trajectories: the whole minibatch, those of all processes, before it is split.
        config: reads ``loss_average`` and ``mask_cut_replies``.

    Returns:
        For each trajectory, shape (actions,), float32. Together they sum to 1; all are 0 if every
        reply is masked.

    Source: the paper is silent; mask: DAPO, arXiv:2503.14476, section 3.4.
    """
    weights = []
    for trajectory in trajectories:
        lengths = torch.tensor([len(turn.reply_ids) for turn in trajectory.turns])
        is_kept = torch.tensor(
            [not (config.mask_cut_replies and turn.is_cut) for turn in trajectory.turns]
        )
        of_turn = is_kept.double()
        if config.loss_average == "turn":
            of_turn /= lengths
        elif config.loss_average == "sequence":
            of_turn /= (lengths * is_kept).sum().clamp(min=1)
        weights.append(of_turn.repeat_interleave(lengths))
    total = sum(of_trajectory.sum().item() for of_trajectory in weights)
    return [(of_trajectory / (total or 1.0)).float() for of_trajectory in weights]


def value_weights(trajectories: Sequence[Trajectory], config: PPOConfig) -> list[Tensor]:
    """How much each value counts in the value loss of a minibatch: all the same.

    Args:
        trajectories: the whole minibatch, those of all processes, before it is split.
        config: reads ``value_level``.

    Returns:
        For each trajectory, shape (turns,), or (actions,) with ``value_level="token"``; float32,
        together they sum to 1.
    """
    counts = [
        len(trajectory.turns) if config.value_level == "turn" else trajectory.num_reply_tokens
        for trajectory in trajectories
    ]
    return [torch.full((count,), 1 / sum(counts)) for count in counts]


def importance(
    logprobs: Tensor,
    old_logprobs: Tensor,
    behaviour_logprobs: Tensor,
    action_sequences: Tensor,
    num_sequences: int,
    config: PPOConfig,
) -> Importance:
    """Corrects for the difference between the policy and the one that wrote the replies.

    * "truncated": min(pi / pi_behaviour, 1) inside the clip, with the current policy.
    * "icepop": tokens with pi_old / pi_behaviour in [icepop_low, icepop_high] are weighted by it
      outside the clip, the others dropped.
    * "sequence-mask": as "truncated", and sequences whose mean of log pi_old - log pi_behaviour is
      beyond sequence_mask_limit in absolute value are dropped.
    * "none".

    Args:
        logprobs: of the current policy, shape (A,); no gradient flows back from here.
        old_logprobs: of the policy before the iteration's first update, shape (A,).
        behaviour_logprobs: recorded by the generator, shape (A,).
        action_sequences: sequence of each action, in [0, num_sequences), shape (A,).
        num_sequences: in this micro-batch; each is in it as a whole.
        config: reads ``correction`` and its limits.

    Source: appendix A.1; IcePop: arXiv:2510.18855.
    """
    logprobs, old_logprobs = logprobs.detach(), old_logprobs.detach()
    ones = torch.ones_like(logprobs)
    if config.correction == "none":
        return Importance(in_ratio=ones, in_loss=ones)
    drift = old_logprobs - behaviour_logprobs
    if config.correction == "icepop":
        ratio = drift.clamp(-LOG_RATIO_LIMIT, LOG_RATIO_LIMIT).exp()
        is_near = (config.icepop_low <= ratio) & (ratio <= config.icepop_high)
        return Importance(in_ratio=ones, in_loss=torch.where(is_near, ratio, 0.0))
    truncated = (logprobs - behaviour_logprobs).clamp(max=0.0).exp()
    if config.correction == "truncated":
        return Importance(in_ratio=truncated, in_loss=ones)
    zeros = torch.zeros(num_sequences, dtype=drift.dtype, device=drift.device)
    sums = zeros.index_add(0, action_sequences, drift)
    counts = zeros.index_add(0, action_sequences, ones)
    is_near = (sums / counts.clamp(min=1)).abs() <= config.sequence_mask_limit
    return Importance(in_ratio=truncated, in_loss=is_near[action_sequences].to(ones.dtype))


def policy_loss(
    logprobs: Tensor,
    old_logprobs: Tensor,
    correction: Importance,
    advantages: Tensor,
    weights: Tensor,
    config: PPOConfig,
    *,
    entropy: Tensor | None = None,
) -> tuple[Tensor, PolicyStats]:
    """Clipped surrogate loss of token-level PPO, minus the entropy bonus.

    With r = pi / pi_old times the correction, a token's loss is
    -min(r * A, clip(r, 1 - clip_range, 1 + clip_range_high) * A).

    Args:
        logprobs: of the current policy, with gradient, shape (A,).
        old_logprobs: of the policy before the iteration's first update, shape (A,).
        correction: from ``importance`` with the same ``logprobs``.
        advantages: shape (A,).
        weights: this micro-batch's part of ``action_weights``, shape (A,).
        config: reads ``clip_range``, ``clip_range_high`` and ``entropy_bonus``.
        entropy: of the policy at each action, with gradient if there is a bonus; shape (A,).

    Returns:
        The weighted sum, a scalar, and statistics without gradient.

    Raises:
        ValueError: there is an entropy bonus but no entropy.

    Source: appendix A.1; clip_range_high: DAPO, arXiv:2503.14476, section 3.1.
    """
    high = config.clip_range if config.clip_range_high is None else config.clip_range_high
    log_ratio = logprobs - old_logprobs
    plain_ratio = log_ratio.clamp(-LOG_RATIO_LIMIT, LOG_RATIO_LIMIT).exp()
    ratio = plain_ratio * correction.in_ratio
    free = ratio * advantages
    clipped = ratio.clamp(1 - config.clip_range, 1 + high) * advantages
    surrogate = torch.minimum(free, clipped) * correction.in_loss
    loss = -(weights * surrogate).sum()
    if config.entropy_bonus:
        if entropy is None:
            raise ValueError(f"entropy_bonus={config.entropy_bonus} needs the entropy.")
        loss = loss - config.entropy_bonus * (weights * entropy).sum()
    with torch.no_grad():
        stats = PolicyStats(
            clip_fraction=weights[clipped < free].sum(),
            approx_kl=-(weights * log_ratio).sum(),
            ratio=(weights * plain_ratio).sum(),
            importance=(weights * correction.in_ratio * correction.in_loss).sum(),
            dropped_fraction=weights[correction.in_loss == 0].sum(),
            entropy=(weights * (torch.nan if entropy is None else entropy)).sum(),
        )
    return loss, stats


def value_loss(
    values: Tensor, old_values: Tensor, returns: Tensor, weights: Tensor, config: PPOConfig
) -> Tensor:
    """Clipped squared error of the critic.

    With V_clip = clip(V, V_old - value_clip_range, V_old + value_clip_range), a value's loss is
    1/2 max((V - R)^2, (V_clip - R)^2): no gradient where V is beyond the range and nearer to R
    than V_clip is.

    Args:
        values: of the current critic, with gradient, shape (N,).
        old_values: of the critic before the iteration's first update, shape (N,).
        returns: shape (N,).
        weights: this micro-batch's part of ``value_weights``, shape (N,).
        config: reads ``value_clip_range``.

    Returns:
        The weighted sum, a scalar.

    Source: appendix A.1.
    """
    reach = config.value_clip_range
    clipped = old_values + (values - old_values).clamp(-reach, reach)
    errors = torch.maximum((values - returns) ** 2, (clipped - returns) ** 2)
    return 0.5 * (weights * errors).sum()


def explained_variance(values: Tensor, returns: Tensor) -> float:
    """Share of the variance of returns that the critic predicts.

    Args:
        values: of the whole iteration, before its updates, shape (N,).
        returns: shape (N,).

    Returns:
        1 for a perfect critic, 0 for a constant one, negative for a worse one; NaN where the
        returns do not vary.
    """
    returns = returns.double()
    variance = returns.var(correction=0)
    if variance == 0:
        return float("nan")
    return float(1 - (returns - values.double()).var(correction=0) / variance)
