"""From the rewards of episodes to one advantage per sampled token; numpy, float64, no state.

An episode's *steps* are what a value is estimated for: its turns, or with ``value_level="token"``
the tokens of its replies. Its *actions* are always the tokens of its replies, in order of turns.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agents.ppo.config import PPOConfig
from agents.trajectory import Trajectory

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EpisodeScores:
    """What the networks say of an episode before the first update that uses it."""

    logprobs: Array
    """Of the policy that is about to be trained, at the sampling temperature; shape (actions,)."""

    reference_logprobs: Array
    """Of the initial policy, at the same temperature; shape (actions,)."""

    values: Array | None = None
    """Before each step: shape (turns,), with ``value_level="token"`` (actions,). None without a
    critic."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EpisodeTargets:
    """What the networks are to learn from an episode."""

    advantages: Array
    """For the policy, normalised if so configured; shape (actions,)."""

    returns: Array
    """For the critic, never normalised; one per step, so of the shape of the values. Without a
    critic the discounted sum of rewards from each turn on, shape (turns,)."""

    kl: Array
    """Mean of log pi - log reference over each reply, whatever ``kl_form`` says; shape (turns,).
    For logs: it is in the rewards already."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Steps:
    """An episode as a chain of steps; all of shape (steps,)."""

    rewards: Array
    """Shaped, KL penalty subtracted."""

    discounts: Array
    """From each step to the next."""

    num_actions: NDArray[np.int64]
    """That share the step's advantage."""


def targets(
    trajectories: Sequence[Trajectory], scores: Sequence[EpisodeScores], config: PPOConfig
) -> list[EpisodeTargets]:
    """Advantages for the policy and returns for the critic, for all episodes of an iteration.

    The reward of a turn is the environment's, shaped by ``turn_reward``, minus ``beta`` times its
    KL term; so penalties and KL of later turns count in the returns of earlier ones. With
    ``value_level="token"`` it falls on the last token of the reply, and ``gamma`` still discounts
    once per turn: between the last token of a reply and the first of the next.

    Args:
        trajectories: all episodes of the iteration: groups must be whole, and normalisation is over
            all of them, so call it once and not per minibatch or process.
        scores: of each trajectory, in the same order.
        config: the objective.

    Returns:
        For each trajectory, in the same order. With advantage="gae" the returns are the
        lambda-returns, advantage plus value; at lambda 1 that is the discounted sum of rewards.

    Raises:
        ValueError: no trajectories, a trajectory without turns, a reply without tokens, or scores
            whose number or shapes do not fit.

    Source: RLEF, arXiv:2410.02089, section 2.2; token level: appendix B.6.
    """
    if not trajectories or len(trajectories) != len(scores):
        raise ValueError(
            f"{len(trajectories)} trajectories with {len(scores)} scores; at least one trajectory "
            "is needed, and one score for each."
        )
    steps = [
        _steps(trajectory, score, config)
        for trajectory, score in zip(trajectories, scores, strict=True)
    ]
    step_returns = [returns(episode.rewards, episode.discounts) for episode in steps]
    if config.has_critic:
        values = [
            _checked(score.values, episode.rewards.shape, "values")
            for score, episode in zip(scores, steps, strict=True)
        ]
        if config.advantage == "gae":
            advantages = [
                gae(episode.rewards, value, episode.discounts, config.gae_lambda)
                for episode, value in zip(steps, values, strict=True)
            ]
            step_returns = [a + value for a, value in zip(advantages, values, strict=True)]
        else:
            advantages = [total - value for total, value in zip(step_returns, values, strict=True)]
        if config.normalise_advantages:
            advantages = normalise(advantages, config.advantage_std_floor)
    else:
        groups = [trajectory.group for trajectory in trajectories]
        advantages = _against_group(groups, step_returns, config)
    return [
        EpisodeTargets(
            advantages=np.repeat(advantage, episode.num_actions),
            returns=step_return,
            kl=_reply_kl(trajectory, score, "geometric-mean"),
        )
        for trajectory, score, episode, advantage, step_return in zip(
            trajectories, scores, steps, advantages, step_returns, strict=True
        )
    ]


def shaped_rewards(trajectory: Trajectory, turn_reward: str) -> Array:
    """Reward of each turn before the KL penalty, shape (turns,).

    Args:
        trajectory: the episode.
        turn_reward: "environment" takes the environment's; "public-fraction" adds to every turn but
            the last the share of public tests that its program passed.

    Source: section 2.2; "public-fraction": Kevin, arXiv:2507.11948.
    """
    rewards = np.array(trajectory.rewards, dtype=np.float64)
    if turn_reward == "public-fraction":
        rewards[:-1] += [turn.public_fraction for turn in trajectory.turns[:-1]]
    return rewards


def turn_kl(
    logprobs: Array, reference_logprobs: Array, turns: ArrayLike, num_turns: int, form: str
) -> Array:
    """KL term of each turn, estimated from the reply itself.

    Args:
        logprobs: of the policy, shape (actions,).
        reference_logprobs: of the initial policy, shape (actions,).
        turns: turn of each action, in [0, num_turns), shape (actions,).
        num_turns: turns of the episode; each has at least one action.
        form: "geometric-mean": log-ratio of the geometric means of the token probabilities, that is
            the mean of the tokens' log-ratios; "product": of the products, their sum.

    Returns:
        Shape (num_turns,); estimates, so they can be negative.

    Raises:
        ValueError: the form is neither, or a turn has no action.

    Source: section 2.2; the product is what the authors' rebuttal compares it with.
    """
    sums = np.bincount(turns, weights=logprobs - reference_logprobs, minlength=num_turns)
    counts = np.bincount(turns, minlength=num_turns)
    if len(counts) != num_turns or not counts.all():
        raise ValueError(f"every one of {num_turns} turns needs an action; counts are {counts}.")
    if form == "geometric-mean":
        return np.asarray(sums / counts)
    if form == "product":
        return np.asarray(sums)
    raise ValueError(f"form={form!r} is neither geometric-mean nor product.")


def returns(rewards: Array, gamma: float | Array) -> Array:
    """Discounted sum of rewards from each step to the end of the episode.

    Args:
        rewards: shape (steps,).
        gamma: discount from each step to the next, one for all or of shape (steps,); the last has
            no effect.

    Returns:
        Shape (steps,).

    Source: section 2.2, the sum in the advantage.
    """
    discounts = np.broadcast_to(gamma, rewards.shape)
    result, total = [], 0.0
    # numbers of Python are several times faster here than those of numpy; an iteration with values
    # of tokens has millions of steps
    for reward, discount in zip(rewards[::-1].tolist(), discounts[::-1].tolist(), strict=True):
        total = reward + discount * total
        result.append(total)
    return np.array(result[::-1], dtype=np.float64)


def gae(rewards: Array, values: Array, gamma: float | Array, gae_lambda: float) -> Array:
    """Generalised advantage estimation over the steps of one finished episode.

    Args:
        rewards: KL penalty already subtracted, shape (steps,).
        values: the critic's estimate before each step, shape (steps,).
        gamma: discount from each step to the next, one for all or of shape (steps,); the last has
            no effect.
        gae_lambda: in [0, 1]; 1 gives return minus value, 0 the one-step error.

    Returns:
        Shape (steps,), not normalised.

    Raises:
        ValueError: the shapes of rewards and values differ.

    Source: Schulman et al. 2016, arXiv:1506.02438, section 3.
    """
    if rewards.shape != values.shape:
        raise ValueError(f"rewards of shape {rewards.shape} but values of shape {values.shape}.")
    discounts = np.broadcast_to(gamma, rewards.shape)
    next_values = np.append(values[1:], 0.0)  # a finished episode has no state after its last step
    errors = rewards + discounts * next_values - values
    return returns(errors, discounts * gae_lambda)


def group_mean(totals: Array) -> Array:
    """Return of each episode minus the mean of its group, not divided by a deviation.

    Args:
        totals: return of each whole episode of one group, shape (episodes,), not empty.

    Returns:
        Shape (episodes,), for all turns of the episode.

    Raises:
        ValueError: the group is empty.

    Source: CWM, arXiv:2510.02387.
    """
    if not len(totals):
        raise ValueError("a group without episodes has no mean.")
    return np.asarray(totals - totals.mean())


def grpo(totals: Array, std_floor: float) -> Array:
    """Return of each episode minus the mean of its group, divided by the group's deviation.

    Args:
        totals: return of each whole episode of one group, shape (episodes,), not empty.
        std_floor: least deviation to divide by; without it a group whose returns differ by their KL
            terms only would give updates of full size.

    Returns:
        Shape (episodes,), for all turns of the episode; 0 for a group of one.

    Raises:
        ValueError: the group is empty.

    Source: DeepSeekMath, arXiv:2402.03300, section 4.1, with the sample deviation (n - 1) that
        common trainers take for it.
    """
    centred = group_mean(totals)
    variance = (centred**2).sum() / max(len(centred) - 1, 1)
    return np.asarray(centred / max(np.sqrt(variance), std_floor))


def leave_one_out(step_returns: Sequence[Array]) -> list[Array]:
    """Return from each turn on minus the mean of the same turn's in the group's other episodes.

    An episode's own return is no part of its baseline, so the baseline adds no bias. A turn that no
    other episode has reached gets 0: there is nothing to compare it with, and who else got there
    does not depend on this reply.

    Args:
        step_returns: for each episode of one group its returns, shape (turns,) each; not empty.

    Returns:
        For each episode, shape (turns,).

    Raises:
        ValueError: the group is empty.

    Source: TRLOO, arXiv:2602.05885; leave-one-out: RLOO, arXiv:2402.14740.
    """
    if not step_returns:
        raise ValueError("a group without episodes has no baseline.")
    result = [np.zeros_like(of_episode) for of_episode in step_returns]
    for turn in range(max(len(of_episode) for of_episode in step_returns)):
        present = [i for i, of_episode in enumerate(step_returns) if len(of_episode) > turn]
        if len(present) < 2:
            break
        at_turn = np.array([step_returns[i][turn] for i in present])
        # R - mean of the others = n / (n - 1) * (R - mean of all)
        advantages = group_mean(at_turn) * (len(present) / (len(present) - 1))
        for i, advantage in zip(present, advantages, strict=True):
            result[i][turn] = advantage
    return result


def normalise(advantages: Sequence[Array], std_floor: float) -> list[Array]:
    """Shifts to mean 0 and scales to deviation 1, over all steps of all episodes together.

    Args:
        advantages: of each episode, shape (steps,) each; each step counts once, however many tokens
            its reply has.
        std_floor: least deviation to divide by, so that advantages which hardly differ stay small.

    Returns:
        Of each episode, shape (steps,).

    Source: section 2.2 says "normalized advantage" and no more.
    """
    joined = np.concatenate(advantages)
    mean, std = joined.mean(), max(joined.std(), std_floor)
    return [np.asarray((of_episode - mean) / std) for of_episode in advantages]


def _steps(trajectory: Trajectory, score: EpisodeScores, config: PPOConfig) -> _Steps:
    if not trajectory.turns:
        raise ValueError(f"a trajectory of problem {trajectory.problem_id!r} has no turns.")
    shape = (trajectory.num_reply_tokens,)
    logprobs = _checked(score.logprobs, shape, "logprobs")
    reference_logprobs = _checked(score.reference_logprobs, shape, "reference_logprobs")
    lengths = _reply_lengths(trajectory)
    rewards = shaped_rewards(trajectory, config.turn_reward)
    if config.kl_form != "token":
        rewards -= config.beta * _reply_kl(trajectory, score, config.kl_form)
    if config.value_level == "turn":
        return _Steps(
            rewards=rewards,
            discounts=np.full(len(lengths), config.gamma),
            num_actions=lengths,
        )
    token_rewards, discounts = np.zeros(shape), np.ones(shape)
    last_tokens = np.cumsum(lengths) - 1
    token_rewards[last_tokens] = rewards
    discounts[last_tokens] = config.gamma
    if config.kl_form == "token":
        token_rewards -= config.beta * (logprobs - reference_logprobs)
    return _Steps(
        rewards=token_rewards, discounts=discounts, num_actions=np.ones(shape, dtype=np.int64)
    )


def _against_group(
    groups: Sequence[int], step_returns: Sequence[Array], config: PPOConfig
) -> list[Array]:
    members: defaultdict[int, list[int]] = defaultdict(list)
    for episode, group in enumerate(groups):
        members[group].append(episode)
    result = [np.zeros_like(of_episode) for of_episode in step_returns]
    for episodes in members.values():
        of_group = [step_returns[episode] for episode in episodes]
        if config.advantage == "leave-one-out":
            advantages = leave_one_out(of_group)
        else:
            totals = np.array([of_episode[0] for of_episode in of_group])
            per_episode = (
                grpo(totals, config.advantage_std_floor)
                if config.advantage == "grpo"
                else group_mean(totals)
            )
            advantages = [
                np.full_like(of_episode, advantage)
                for of_episode, advantage in zip(of_group, per_episode, strict=True)
            ]
        for episode, advantage in zip(episodes, advantages, strict=True):
            result[episode] = advantage
    return result


def _reply_kl(trajectory: Trajectory, score: EpisodeScores, form: str) -> Array:
    lengths = _reply_lengths(trajectory)
    turns = np.repeat(np.arange(len(lengths)), lengths)
    return turn_kl(score.logprobs, score.reference_logprobs, turns, len(lengths), form)


def _reply_lengths(trajectory: Trajectory) -> NDArray[np.int64]:
    return np.array([len(turn.reply_ids) for turn in trajectory.turns], dtype=np.int64)


def _checked(array: Array | None, shape: tuple[int, ...], name: str) -> Array:
    if array is None or array.shape != shape:
        found = None if array is None else array.shape
        raise ValueError(f"{name} must have shape {shape}, not {found}.")
    return array
