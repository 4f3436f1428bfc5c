"""Both losses and their gradients against slow ones in plain loops, and cases by hand."""

import math
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from agents.ppo.config import PPOConfig
from agents.ppo.losses import (
    Importance,
    action_weights,
    explained_variance,
    importance,
    policy_loss,
    value_loss,
    value_weights,
)
from agents.trajectory import Trajectory, TurnTokens

SEEDS = range(5)
CORRECTIONS = ("truncated", "icepop", "sequence-mask", "none")
AVERAGES = ("token", "turn", "sequence")


def configure(**changes):
    return PPOConfig(model="folder", out=Path("out"), **changes)


def limit_of(correction):
    """A limit that some of the random sequences pass."""
    return {"sequence_mask_limit": 0.3} if correction == "sequence-mask" else {}


def make_trajectory(lengths, cut=()):
    """Replies of these lengths; those whose number is in ``cut`` were ended by the limit."""
    turns = [
        TurnTokens(
            prompt_ids=[1],
            reply_ids=[2] * length,
            reply_logprobs=[-1.0] * length,
            is_cut=number in cut,
            weight_version=0,
        )
        for number, length in enumerate(lengths)
    ]
    return Trajectory(problem_id="p", seed=0, turns=turns)


def float64(values, *, grad=False):
    return torch.tensor(np.asarray(values), dtype=torch.float64, requires_grad=grad)


def no_correction(num_actions):
    ones = torch.ones(num_actions, dtype=torch.float64)
    return Importance(in_ratio=ones, in_loss=ones)


def random_actions(rng, num_sequences=6):
    """Log-probs far enough apart that every branch of clips and corrections is taken."""
    trajectories = [
        make_trajectory(
            rng.integers(1, 6, size=rng.integers(1, 4)).tolist(), cut={int(rng.integers(0, 3))}
        )
        for _ in range(num_sequences)
    ]
    counts = [trajectory.num_reply_tokens for trajectory in trajectories]
    num_actions = sum(counts)
    old = -rng.random(num_actions) * 3
    return trajectories, {
        "logprobs": old + rng.normal(scale=0.4, size=num_actions),
        "old": old,
        "behaviour": old + rng.normal(scale=0.8, size=num_actions),
        "advantages": rng.normal(size=num_actions),
        "entropy": rng.random(num_actions),
        "sequences": np.repeat(np.arange(num_sequences), counts),
    }


# The slow forms: straight from the definitions, one number at a time.


def slow_action_weights(trajectories, config):
    weights = []
    for trajectory in trajectories:
        kept_tokens = sum(
            len(turn.reply_ids)
            for turn in trajectory.turns
            if not (turn.is_cut and config.mask_cut_replies)
        )
        of_trajectory = []
        for turn in trajectory.turns:
            for _ in turn.reply_ids:
                if turn.is_cut and config.mask_cut_replies:
                    of_trajectory.append(0.0)
                elif config.loss_average == "token":
                    of_trajectory.append(1.0)
                elif config.loss_average == "turn":
                    of_trajectory.append(1.0 / len(turn.reply_ids))
                else:
                    of_trajectory.append(1.0 / kept_tokens)
        weights.append(of_trajectory)
    total = sum(sum(of_trajectory) for of_trajectory in weights)
    return [[weight / total for weight in of_trajectory] for of_trajectory in weights]


def slow_importance(data, config):
    """Factor inside the clip and factor outside it, for each action."""
    inside, outside = [], []
    for action, sequence in enumerate(data["sequences"]):
        policy = math.exp(data["logprobs"][action])
        old = math.exp(data["old"][action])
        behaviour = math.exp(data["behaviour"][action])
        mates = [i for i, other in enumerate(data["sequences"]) if other == sequence]
        drift = sum(data["old"][i] - data["behaviour"][i] for i in mates) / len(mates)
        within, beyond = 1.0, 1.0
        if config.correction in ("truncated", "sequence-mask"):
            within = min(policy / behaviour, 1.0)
        if config.correction == "sequence-mask" and abs(drift) > config.sequence_mask_limit:
            beyond = 0.0
        if config.correction == "icepop":
            ratio = old / behaviour
            beyond = ratio if config.icepop_low <= ratio <= config.icepop_high else 0.0
        inside.append(within)
        outside.append(beyond)
    return inside, outside


def slow_policy_loss(logprobs, data, inside, outside, weights, config):
    low = 1 - config.clip_range
    high = 1 + (config.clip_range_high or config.clip_range)
    loss = 0.0
    for action, logprob in enumerate(logprobs):
        ratio = math.exp(logprob) / math.exp(data["old"][action]) * inside[action]
        advantage = data["advantages"][action]
        surrogate = min(ratio * advantage, min(max(ratio, low), high) * advantage)
        loss -= weights[action] * surrogate * outside[action]
        loss -= weights[action] * config.entropy_bonus * data["entropy"][action]
    return loss


def slow_value_loss(values, old, returns, weights, reach):
    loss = 0.0
    for i, value in enumerate(values):
        clipped = min(max(value, old[i] - reach), old[i] + reach)
        loss += weights[i] * 0.5 * max((value - returns[i]) ** 2, (clipped - returns[i]) ** 2)
    return loss


def differences(function, point, step=1e-6):
    """Gradient by central differences."""
    gradient = []
    for i in range(len(point)):
        above, below = list(point), list(point)
        above[i] += step
        below[i] -= step
        gradient.append((function(above) - function(below)) / (2 * step))
    return gradient


def run_policy_loss(data, weights, config, *, correction=None):
    """Loss, statistics and gradient with respect to log-probs."""
    logprobs = float64(data["logprobs"], grad=True)
    old = float64(data["old"])
    if correction is None:
        sequences = torch.tensor(data["sequences"])
        num_sequences = int(sequences.max()) + 1
        behaviour = float64(data["behaviour"])
        correction = importance(logprobs, old, behaviour, sequences, num_sequences, config)
    loss, stats = policy_loss(
        logprobs,
        old,
        correction,
        float64(data["advantages"]),
        weights,
        config,
        entropy=float64(data["entropy"]),
    )
    loss.backward()
    return loss.item(), stats, logprobs.grad


# Weights


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("loss_average", AVERAGES)
@pytest.mark.parametrize("mask_cut_replies", [False, True])
def test_action_weights_equal_the_slow_form(seed, loss_average, mask_cut_replies):
    trajectories, _ = random_actions(np.random.default_rng(seed))
    config = configure(loss_average=loss_average, mask_cut_replies=mask_cut_replies)
    result = action_weights(trajectories, config)
    expected = slow_action_weights(trajectories, config)
    for weights, slow in zip(result, expected, strict=True):
        assert weights.dtype == torch.float32
        np.testing.assert_allclose(weights.numpy(), slow, rtol=1e-6)
    assert sum(weights.sum().item() for weights in result) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("loss_average", "first", "second"),
    [
        # five tokens in three replies in two episodes
        ("token", [1 / 5, 1 / 5, 1 / 5], [1 / 5, 1 / 5]),
        ("turn", [1 / 6, 1 / 6, 1 / 3], [1 / 6, 1 / 6]),
        ("sequence", [1 / 6, 1 / 6, 1 / 6], [1 / 4, 1 / 4]),
    ],
)
def test_what_counts_the_same_by_hand(loss_average, first, second):
    trajectories = [make_trajectory([2, 1]), make_trajectory([2])]
    result = action_weights(trajectories, configure(loss_average=loss_average))
    np.testing.assert_allclose(result[0].numpy(), first, rtol=1e-6)
    np.testing.assert_allclose(result[1].numpy(), second, rtol=1e-6)


@pytest.mark.parametrize(
    ("loss_average", "first", "second"),
    [
        # the reply of two tokens in the first episode was cut: three tokens, two replies are left
        ("token", [0, 0, 1 / 3], [1 / 3, 1 / 3]),
        ("turn", [0, 0, 1 / 2], [1 / 4, 1 / 4]),
        ("sequence", [0, 0, 1 / 2], [1 / 4, 1 / 4]),
    ],
)
def test_cut_replies_share_their_weight_among_the_others(loss_average, first, second):
    trajectories = [make_trajectory([2, 1], cut={0}), make_trajectory([2])]
    config = configure(loss_average=loss_average, mask_cut_replies=True)
    result = action_weights(trajectories, config)
    np.testing.assert_allclose(result[0].numpy(), first, rtol=1e-6)
    np.testing.assert_allclose(result[1].numpy(), second, rtol=1e-6)


@pytest.mark.parametrize("loss_average", AVERAGES)
def test_weights_are_zero_where_every_reply_was_cut(loss_average):
    config = configure(loss_average=loss_average, mask_cut_replies=True)
    (weights,) = action_weights([make_trajectory([2, 1], cut={0, 1})], config)
    assert weights.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("loss_average", AVERAGES)
def test_one_token_has_all_the_weight(loss_average):
    (weights,) = action_weights([make_trajectory([1])], configure(loss_average=loss_average))
    assert weights.tolist() == [1.0]


def test_all_values_count_the_same():
    trajectories = [make_trajectory([2, 1]), make_trajectory([3])]
    by_turn = value_weights(trajectories, configure())
    assert [len(weights) for weights in by_turn] == [2, 1]
    np.testing.assert_allclose(torch.cat(by_turn).numpy(), np.full(3, 1 / 3), rtol=1e-6)
    by_token = value_weights(trajectories, configure(value_level="token"))
    assert [len(weights) for weights in by_token] == [3, 3]
    np.testing.assert_allclose(torch.cat(by_token).numpy(), np.full(6, 1 / 6), rtol=1e-6)


# Corrections


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("correction", CORRECTIONS)
def test_corrections_equal_the_slow_form(seed, correction):
    _, data = random_actions(np.random.default_rng(seed))
    config = configure(correction=correction, **limit_of(correction))
    result = importance(
        float64(data["logprobs"], grad=True),
        float64(data["old"]),
        float64(data["behaviour"]),
        torch.tensor(data["sequences"]),
        6,
        config,
    )
    inside, outside = slow_importance(data, config)
    np.testing.assert_allclose(result.in_ratio.numpy(), inside, rtol=1e-10)
    np.testing.assert_allclose(result.in_loss.numpy(), outside, rtol=1e-10)
    assert not result.in_ratio.requires_grad
    assert not result.in_loss.requires_grad


def correct(logprobs, old, behaviour, sequences, **changes):
    logs = [float64(np.log(values)) for values in (logprobs, old, behaviour)]
    return importance(*logs, torch.tensor(sequences), max(sequences) + 1, configure(**changes))


def test_truncated_takes_the_current_policy_and_stays_below_one():
    # 0.2 / 0.4 = 0.5;  0.6 / 0.4 = 1.5, truncated; the old policy has no part in it
    result = correct([0.2, 0.6], [0.9, 0.1], [0.4, 0.4], [0, 0])
    np.testing.assert_allclose(result.in_ratio.numpy(), [0.5, 1.0])
    assert result.in_loss.tolist() == [1.0, 1.0]


def test_icepop_weights_near_tokens_and_drops_far_ones():
    # 0.2 / 0.4 = 0.5 and 0.5 / 0.25 = 2 are in [0.5, 5];  0.1 / 0.4 = 0.25 and 0.6 / 0.1 = 6 not
    old, behaviour = [0.2, 0.5, 0.1, 0.6], [0.4, 0.25, 0.4, 0.1]
    # exactly on the limit counts as within, but for the rounding of logarithms
    result = correct([0.5] * 4, old, behaviour, [0] * 4, correction="icepop", icepop_low=0.499)
    np.testing.assert_allclose(result.in_loss.numpy(), [0.5, 2.0, 0.0, 0.0])
    assert result.in_ratio.tolist() == [1.0] * 4


def test_sequence_mask_drops_whole_sequences_by_their_mean():
    # sequence 0: log 2 and log 1/2, mean 0, kept; sequence 1: 0 and log 2, mean 0.35 > 0.1
    old, behaviour = [0.4, 0.2, 0.3, 0.4], [0.2, 0.4, 0.3, 0.2]
    result = correct(old, old, behaviour, [0, 0, 1, 1], correction="sequence-mask")
    assert result.in_loss.tolist() == [1.0, 1.0, 0.0, 0.0]
    np.testing.assert_allclose(result.in_ratio.numpy(), [1.0, 0.5, 1.0, 1.0])


def test_sequence_mask_drops_on_both_sides():
    # log-ratios 0.35 and -0.69
    result = correct([0.2] * 2, [0.2] * 2, [0.14, 0.4], [0, 1], correction="sequence-mask")
    assert result.in_loss.tolist() == [0.0, 0.0]


def test_none_corrects_nothing():
    result = correct([0.2], [0.4], [0.9], [0], correction="none")
    assert (result.in_ratio.tolist(), result.in_loss.tolist()) == ([1.0], [1.0])


@pytest.mark.parametrize("correction", CORRECTIONS)
def test_replies_of_the_same_policy_need_no_correction(correction):
    result = correct([0.2, 0.7], [0.2, 0.7], [0.2, 0.7], [0, 0], correction=correction)
    assert (result.in_ratio.tolist(), result.in_loss.tolist()) == ([1.0, 1.0], [1.0, 1.0])


@pytest.mark.parametrize("correction", CORRECTIONS)
def test_extreme_log_ratios_stay_finite(correction):
    config = configure(correction=correction)
    zero, far = torch.zeros(2), torch.tensor([-300.0, 300.0])
    logprobs = far.clone().requires_grad_()
    result = importance(logprobs, zero, -far, torch.tensor([0, 0]), 1, config)
    advantages = torch.tensor([0.0, -1.0])
    loss, _ = policy_loss(logprobs, zero, result, advantages, torch.full((2,), 0.5), config)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logprobs.grad).all()


# Policy loss


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("correction", CORRECTIONS)
@pytest.mark.parametrize("clip_range_high", [None, 0.4])
def test_policy_loss_and_gradient_equal_the_slow_form(seed, correction, clip_range_high):
    config = configure(
        correction=correction,
        clip_range_high=clip_range_high,
        **limit_of(correction),
        loss_average="turn",
        entropy_bonus=0.1,
    )
    trajectories, data = random_actions(np.random.default_rng(seed))
    weights = torch.cat(action_weights(trajectories, config)).double()
    loss, stats, gradient = run_policy_loss(data, weights, config)
    inside, outside = slow_importance(data, config)

    def slow(logprobs):  # the correction is held fixed: no gradient flows through it
        return slow_policy_loss(logprobs, data, inside, outside, weights.tolist(), config)

    assert loss == pytest.approx(slow(data["logprobs"]), rel=1e-10)
    expected = differences(slow, data["logprobs"])
    np.testing.assert_allclose(gradient.numpy(), expected, rtol=1e-5, atol=1e-9)
    assert 0 < stats.clip_fraction.item() < 1, "both branches must be taken"


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss", "gradient"),
    [
        # within the clip: -ratio * A, and the same as its derivative by the log-prob
        (1.1, 2.0, -2.2, -2.2),
        (0.9, -2.0, 1.8, 1.8),
        # the policy has moved far enough in the right direction: -1.2 * 2, 0.8 * 2, no gradient
        (1.5, 2.0, -2.4, 0.0),
        (0.5, -2.0, 1.6, 0.0),
        # in the wrong direction it may always come back
        (0.5, 2.0, -1.0, -1.0),
        (1.5, -2.0, 3.0, 3.0),
    ],
)
def test_each_branch_of_the_clip_by_hand(ratio, advantage, loss, gradient):
    logprobs = float64([math.log(ratio * 0.5)], grad=True)
    old, one = float64([math.log(0.5)]), float64([1.0])
    result, stats = policy_loss(
        logprobs, old, no_correction(1), float64([advantage]), one, configure()
    )
    result.backward()
    assert result.item() == pytest.approx(loss)
    assert logprobs.grad.item() == pytest.approx(gradient)
    assert stats.clip_fraction.item() == (gradient == 0.0)
    assert stats.ratio.item() == pytest.approx(ratio)
    assert stats.approx_kl.item() == pytest.approx(-math.log(ratio))


def test_truncation_is_inside_the_clip_and_has_no_gradient():
    # pi = pi_old = 0.45, pi_behaviour = 0.5: r = 0.9, loss -0.9 * 2, derivative the same; had the
    # weight a gradient, it would be twice that
    logprobs = float64([math.log(0.45)], grad=True)
    old, one = logprobs.detach(), float64([1.0])
    behaviour = float64([math.log(0.5)])
    config = configure()
    weight = importance(logprobs, old, behaviour, torch.tensor([0]), 1, config)
    loss, _ = policy_loss(logprobs, old, weight, float64([2.0]), one, config)
    loss.backward()
    assert loss.item() == pytest.approx(-1.8)
    assert logprobs.grad.item() == pytest.approx(-1.8)


def test_a_truncated_ratio_below_the_clip_range_gives_no_gradient_to_bad_replies():
    # pi = pi_old = 0.2, pi_behaviour = 0.4: r = 0.5 is clipped to 0.8, and -0.8 < -0.5
    logprobs = float64([math.log(0.2)], grad=True)
    config = configure()
    behaviour = float64([math.log(0.4)])
    weight = importance(logprobs, logprobs, behaviour, torch.tensor([0]), 1, config)
    loss, _ = policy_loss(
        logprobs, logprobs.detach(), weight, float64([-1.0]), float64([1.0]), config
    )
    loss.backward()
    assert loss.item() == pytest.approx(0.8)
    assert logprobs.grad.item() == 0.0


def test_icepop_weights_are_outside_the_clip():
    # pi = pi_old = 0.6, pi_behaviour = 0.3: weight 2 on -1 * A; inside it would be clipped to 1.2
    logprobs = float64([math.log(0.6)], grad=True)
    config = configure(correction="icepop")
    behaviour = float64([math.log(0.3)])
    weight = importance(logprobs, logprobs, behaviour, torch.tensor([0]), 1, config)
    loss, stats = policy_loss(
        logprobs, logprobs.detach(), weight, float64([1.0]), float64([1.0]), config
    )
    loss.backward()
    assert loss.item() == pytest.approx(-2.0)
    assert logprobs.grad.item() == pytest.approx(-2.0)
    assert stats.importance.item() == pytest.approx(2.0)


def test_dropped_tokens_give_no_gradient_and_are_counted():
    # ratios to the behaviour 1 and 6 of which the second is dropped; weights 1/4 and 3/4
    logprobs = float64(np.log([0.6, 0.6]), grad=True)
    config = configure(correction="icepop")
    behaviour = float64(np.log([0.6, 0.1]))
    weight = importance(logprobs, logprobs, behaviour, torch.tensor([0, 0]), 1, config)
    loss, stats = policy_loss(
        logprobs,
        logprobs.detach(),
        weight,
        float64([1.0, 1.0]),
        float64([0.25, 0.75]),
        config,
    )
    loss.backward()
    assert logprobs.grad.tolist() == [-0.25, 0.0]
    assert stats.dropped_fraction.item() == 0.75


def test_entropy_bonus_rewards_entropy():
    # 0.25 * 2 + 0.75 * 4 = 3.5 in the mean; bonus 0.1 takes 0.35 from the loss
    entropy = float64([2.0, 4.0], grad=True)
    zero = float64([0.0, 0.0])
    config = configure(entropy_bonus=0.1)
    weights = float64([0.25, 0.75])
    loss, stats = policy_loss(zero, zero, no_correction(2), zero, weights, config, entropy=entropy)
    loss.backward()
    assert loss.item() == pytest.approx(-0.35)
    assert stats.entropy.item() == pytest.approx(3.5)
    np.testing.assert_allclose(entropy.grad.numpy(), [-0.025, -0.075])


def test_entropy_without_bonus_is_logged_and_not_in_the_loss():
    zero, one = float64([0.0]), float64([1.0])
    correction = no_correction(1)
    loss, stats = policy_loss(
        zero, zero, correction, zero, one, configure(), entropy=float64([2.0])
    )
    assert (loss.item(), stats.entropy.item()) == (0.0, 2.0)
    _, stats = policy_loss(zero, zero, correction, zero, one, configure())
    assert math.isnan(stats.entropy.item())


def test_an_entropy_bonus_needs_the_entropy():
    zero = float64([0.0])
    with pytest.raises(ValueError, match=r"entropy_bonus=0\.1 needs the entropy"):
        policy_loss(zero, zero, no_correction(1), zero, zero, configure(entropy_bonus=0.1))


@pytest.mark.parametrize("loss_average", AVERAGES)
@pytest.mark.parametrize("correction", CORRECTIONS)
def test_micro_batches_add_up_to_the_minibatch(loss_average, correction):
    config = configure(
        loss_average=loss_average,
        correction=correction,
        **limit_of(correction),
        mask_cut_replies=True,
        entropy_bonus=0.1,
    )
    trajectories, data = random_actions(np.random.default_rng(0))
    weights = [part.double() for part in action_weights(trajectories, config)]
    loss, stats, gradient = run_policy_loss(data, torch.cat(weights), config)

    sums = None
    parts, total = [], 0.0
    for sequences in ([0, 1], [2], [3, 4, 5]):
        chosen = np.isin(data["sequences"], sequences)
        part = {name: values[chosen] for name, values in data.items()}
        part["sequences"] = part["sequences"] - sequences[0]
        result = run_policy_loss(part, torch.cat([weights[i] for i in sequences]), config)
        total += result[0]
        sums = result[1] if sums is None else sums + result[1]
        parts.append(result[2])
    assert total == pytest.approx(loss, rel=1e-12)
    torch.testing.assert_close(torch.cat(parts), gradient)
    for name in ("clip_fraction", "approx_kl", "ratio", "importance", "dropped_fraction"):
        torch.testing.assert_close(getattr(sums, name), getattr(stats, name))
    torch.testing.assert_close(sums.entropy, stats.entropy)


def test_statistics_are_weighted_means():
    trajectories, data = random_actions(np.random.default_rng(1))
    config = configure(correction="icepop", loss_average="sequence")
    weights = torch.cat(action_weights(trajectories, config)).double()
    _, stats, _ = run_policy_loss(data, weights, config)
    _, outside = slow_importance(data, config)
    expected = {name: 0.0 for name in ("approx_kl", "ratio", "importance", "dropped", "entropy")}
    for action, weight in enumerate(weights.tolist()):
        log_ratio = data["logprobs"][action] - data["old"][action]
        expected["approx_kl"] -= weight * log_ratio
        expected["ratio"] += weight * math.exp(log_ratio)
        expected["importance"] += weight * outside[action]
        expected["dropped"] += weight * (outside[action] == 0)
        expected["entropy"] += weight * data["entropy"][action]
    assert stats.approx_kl.item() == pytest.approx(expected["approx_kl"])
    assert stats.ratio.item() == pytest.approx(expected["ratio"])
    assert stats.importance.item() == pytest.approx(expected["importance"])
    assert stats.dropped_fraction.item() == pytest.approx(expected["dropped"])
    assert stats.entropy.item() == pytest.approx(expected["entropy"])
    assert not any(
        value.requires_grad for value in (stats.clip_fraction, stats.approx_kl, stats.ratio)
    )


@pytest.mark.parametrize(
    ("base", "change"),
    [
        ({}, {"clip_range": 0.05}),
        ({}, {"clip_range_high": 0.5}),
        ({}, {"entropy_bonus": 0.1}),
        ({}, {"mask_cut_replies": True}),
        ({}, {"loss_average": "turn"}),
        ({}, {"loss_average": "sequence"}),
        ({}, {"correction": "none"}),
        ({}, {"correction": "icepop"}),
        ({}, {"correction": "sequence-mask"}),
        ({"correction": "icepop"}, {"icepop_low": 0.8}),
        ({"correction": "icepop"}, {"icepop_high": 1.2}),
        ({"correction": "sequence-mask"}, {"sequence_mask_limit": 0.5}),
    ],
    ids=str,
)
def test_the_value_of_each_setting_matters(base, change):
    trajectories, data = random_actions(np.random.default_rng(4))
    losses = []
    for settings in (base, {**base, **change}):
        config = configure(**settings)
        weights = torch.cat(action_weights(trajectories, config)).double()
        losses.append(run_policy_loss(data, weights, config)[0])
    assert abs(losses[0] - losses[1]) > 1e-4


# Value loss


def random_values(rng, size=40):
    old = rng.normal(size=size)
    return {
        "values": old + rng.normal(scale=0.8, size=size),
        "old": old,
        "returns": rng.normal(size=size),
        "weights": rng.dirichlet(np.ones(size)),
    }


def run_value_loss(data, config):
    values = float64(data["values"], grad=True)
    rest = [float64(data[name]) for name in ("old", "returns", "weights")]
    loss = value_loss(values, *rest, config)
    loss.backward()
    return loss.item(), values.grad


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("value_clip_range", [0.2, 0.5])
def test_value_loss_and_gradient_equal_the_slow_form(seed, value_clip_range):
    data = random_values(np.random.default_rng(seed))
    loss, gradient = run_value_loss(data, configure(value_clip_range=value_clip_range))

    def slow(values):
        rest = (data[name] for name in ("old", "returns", "weights"))
        return slow_value_loss(values, *rest, value_clip_range)

    assert loss == pytest.approx(slow(data["values"]), rel=1e-10)
    expected = differences(slow, data["values"])
    np.testing.assert_allclose(gradient.numpy(), expected, rtol=1e-5, atol=1e-9)
    assert 0 < (gradient == 0).sum() < len(gradient), "both branches must be taken"


@pytest.mark.parametrize(
    ("value", "loss", "gradient"),
    [
        # the old value is 0 and the return 1; within reach: half of 0.9 squared, value - return
        (0.1, 0.405, -0.9),
        # it has moved beyond 0.2 towards the return: half of 0.8 squared, no gradient
        (0.5, 0.32, 0.0),
        # beyond -0.2 away from the return: half of 1.5 squared, and it may come back
        (-0.5, 1.125, -1.5),
        # so far that it missed the return by more than the clipped value does
        (2.0, 0.5, 1.0),
    ],
)
def test_each_branch_of_the_value_clip_by_hand(value, loss, gradient):
    data = {"values": [value], "old": [0.0], "returns": [1.0], "weights": [1.0]}
    result, slope = run_value_loss(data, configure())
    assert result == pytest.approx(loss)
    assert slope.item() == pytest.approx(gradient)


def test_value_losses_of_micro_batches_add_up():
    data = random_values(np.random.default_rng(0))
    loss, gradient = run_value_loss(data, configure())
    parts = [
        run_value_loss({name: values[part] for name, values in data.items()}, configure())
        for part in (slice(0, 7), slice(7, 8), slice(8, None))
    ]
    assert sum(part[0] for part in parts) == pytest.approx(loss, rel=1e-12)
    torch.testing.assert_close(torch.cat([part[1] for part in parts]), gradient)


# Explained variance


@pytest.mark.parametrize("seed", SEEDS)
def test_explained_variance_equals_the_slow_form(seed):
    returns, noise = np.random.default_rng(seed).normal(size=(2, 20))
    values = returns + 0.5 * noise

    def slow_variance(numbers):
        mean = sum(numbers) / len(numbers)
        return sum((number - mean) ** 2 for number in numbers) / len(numbers)

    expected = 1 - slow_variance(returns - values) / slow_variance(returns)
    assert explained_variance(float64(values), float64(returns)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, -1.0], 1.0),
        ([0.3, 0.3], 0.0),
        ([-1.0, 1.0], -3.0),  # errors 2 and -2: 1 - 4 / 1
    ],
)
def test_explained_variance_by_hand(values, expected):
    assert explained_variance(float64(values), float64([1.0, -1.0])) == pytest.approx(expected)


def test_equal_returns_have_no_variance_to_explain():
    assert math.isnan(explained_variance(float64([0.1, 0.2]), float64([-1.0, -1.0])))
