"""Every formula against a slow one in plain loops, and small cases worked out by hand."""

import math
from pathlib import Path

import numpy as np
import pytest

from agents.ppo.advantages import (
    EpisodeScores,
    gae,
    group_mean,
    grpo,
    leave_one_out,
    normalise,
    returns,
    shaped_rewards,
    targets,
    turn_kl,
)
from agents.ppo.config import PPOConfig
from agents.trajectory import Trajectory, TurnTokens

SEEDS = range(5)


def configure(**changes):
    """Nothing is rescaled unless the test says so."""
    changes = {"normalise_advantages": False, "group_size": 2, **changes}
    return PPOConfig(model="folder", out=Path("out"), **changes)


def make_trajectory(rewards, lengths=None, fractions=None, *, group=0, **changes):
    lengths = lengths or [1] * len(rewards)
    fractions = fractions or [0.0] * len(rewards)
    turns = [
        TurnTokens(
            prompt_ids=[1, 2],
            reply_ids=[3] * length,
            reply_logprobs=[-1.0] * length,
            is_cut=False,
            weight_version=0,
            reward=reward,
            public_fraction=fraction,
        )
        for reward, length, fraction in zip(rewards, lengths, fractions, strict=True)
    ]
    return Trajectory(problem_id="p", seed=0, turns=turns, group=group, **changes)


def scores_of(trajectory, *, log_ratio=0.0, values=None):
    """Scores whose log pi - log reference is as given, for all tokens or for each."""
    logprobs = np.full(trajectory.num_reply_tokens, -1.0)
    values = None if values is None else np.array(values, dtype=np.float64)
    return EpisodeScores(
        logprobs=logprobs, reference_logprobs=logprobs - np.asarray(log_ratio), values=values
    )


def random_iteration(rng, *, level="turn", num_groups=3, group_size=4):
    """Episodes of one to four turns of one to five tokens, and scores for them."""
    trajectories, scores = [], []
    for group in rng.permutation(np.repeat(np.arange(num_groups), group_size)):
        num_turns = int(rng.integers(1, 5))
        trajectory = make_trajectory(
            rng.normal(size=num_turns).tolist(),
            rng.integers(1, 6, size=num_turns).tolist(),
            rng.random(num_turns).tolist(),
            group=int(group),
        )
        num_actions = trajectory.num_reply_tokens
        trajectories.append(trajectory)
        scores.append(
            EpisodeScores(
                logprobs=-rng.random(num_actions),
                reference_logprobs=-rng.random(num_actions),
                values=rng.normal(size=num_turns if level == "turn" else num_actions),
            )
        )
    return trajectories, scores


# The slow forms: straight from the definitions, one number at a time.


def slow_returns(rewards, gamma):
    return [
        sum(gamma ** (later - step) * rewards[later] for later in range(step, len(rewards)))
        for step in range(len(rewards))
    ]


def slow_gae(rewards, values, gamma, gae_lambda):
    """Schulman et al. 2016, equation 16: the discounted sum of one-step errors."""
    errors = []
    for step in range(len(rewards)):
        following = values[step + 1] if step + 1 < len(rewards) else 0.0
        errors.append(rewards[step] + gamma * following - values[step])
    return slow_returns(errors, gamma * gae_lambda)


def slow_kl(trajectory, score, form):
    terms, action = [], 0
    for turn in trajectory.turns:
        policy, reference = 1.0, 1.0  # probabilities of the whole reply
        for _ in turn.reply_ids:
            policy *= math.exp(score.logprobs[action])
            reference *= math.exp(score.reference_logprobs[action])
            action += 1
        power = 1 / len(turn.reply_ids) if form == "geometric-mean" else 1.0
        terms.append(math.log(policy**power / reference**power))
    return terms


def slow_turn_rewards(trajectory, score, config):
    rewards = []
    for number, turn in enumerate(trajectory.turns):
        reward = turn.reward
        if config.turn_reward == "public-fraction" and number + 1 < len(trajectory.turns):
            reward += turn.public_fraction
        if config.kl_form != "token":
            reward -= config.beta * slow_kl(trajectory, score, config.kl_form)[number]
        rewards.append(reward)
    return rewards


def slow_token_chain(trajectory, score, config):
    """Rewards of the tokens, and the turn that each is in."""
    rewards, turns = [], []
    for number, turn in enumerate(trajectory.turns):
        for position in range(len(turn.reply_ids)):
            reward = 0.0
            if position + 1 == len(turn.reply_ids):
                reward = slow_turn_rewards(trajectory, score, config)[number]
            if config.kl_form == "token":
                action = len(rewards)
                log_ratio = score.logprobs[action] - score.reference_logprobs[action]
                reward -= config.beta * log_ratio
            rewards.append(reward)
            turns.append(number)
    return rewards, turns


def slow_chain_sum(terms, turns, gamma, decay):
    """Sum of later terms, discounted by gamma per turn and by decay per step in between."""
    return [
        sum(
            gamma ** (turns[later] - turns[step]) * decay ** (later - step) * terms[later]
            for later in range(step, len(terms))
        )
        for step in range(len(terms))
    ]


def slow_targets(trajectories, scores, config):
    """Advantage of each step and returns of each step, before the advantages go to the tokens."""
    advantages, all_returns = [], []
    for trajectory, score in zip(trajectories, scores, strict=True):
        if config.value_level == "turn":
            rewards = slow_turn_rewards(trajectory, score, config)
            turns = list(range(len(rewards)))
        else:
            rewards, turns = slow_token_chain(trajectory, score, config)
        totals = slow_chain_sum(rewards, turns, config.gamma, 1.0)
        if config.advantage == "gae":
            errors = []
            for step in range(len(rewards)):
                following = 0.0
                if step + 1 < len(rewards):
                    discount = config.gamma if turns[step + 1] != turns[step] else 1.0
                    following = discount * score.values[step + 1]
                errors.append(rewards[step] + following - score.values[step])
            advantage = slow_chain_sum(errors, turns, config.gamma, config.gae_lambda)
            totals = [a + v for a, v in zip(advantage, score.values, strict=True)]
        else:
            advantage = [total - v for total, v in zip(totals, score.values, strict=True)]
        advantages.append(advantage)
        all_returns.append(totals)
    return advantages, all_returns


def slow_group_advantages(trajectories, scores, config):
    totals = [
        slow_returns(slow_turn_rewards(trajectory, score, config), config.gamma)
        for trajectory, score in zip(trajectories, scores, strict=True)
    ]
    result = []
    for own, trajectory in enumerate(trajectories):
        group = [i for i, other in enumerate(trajectories) if other.group == trajectory.group]
        mean = sum(totals[i][0] for i in group) / len(group)
        deviation = math.sqrt(sum((totals[i][0] - mean) ** 2 for i in group) / (len(group) - 1))
        of_turns = []
        for turn in range(len(trajectory.turns)):
            if config.advantage == "leave-one-out":
                others = [totals[i][turn] for i in group if i != own and len(totals[i]) > turn]
                baseline = sum(others) / len(others) if others else totals[own][turn]
                of_turns.append(totals[own][turn] - baseline)
            elif config.advantage == "group-mean":
                of_turns.append(totals[own][0] - mean)
            else:
                scale = max(deviation, config.advantage_std_floor)
                of_turns.append((totals[own][0] - mean) / scale)
        result.append(of_turns)
    return result


def per_token(trajectory, of_turns):
    return [
        of_turn
        for of_turn, turn in zip(of_turns, trajectory.turns, strict=True)
        for _ in turn.reply_ids
    ]


# Returns


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("gamma", [0.0, 0.4, 1.0])
def test_returns_equal_the_sum_of_their_definition(seed, gamma):
    rewards = np.random.default_rng(seed).normal(size=6)
    np.testing.assert_allclose(returns(rewards, gamma), slow_returns(rewards, gamma), rtol=1e-12)


def test_penalties_of_later_turns_count_in_earlier_returns():
    # an invalid second reply costs 0.2, the third solves: -0.2 + 1 = 0.8 for the first two
    np.testing.assert_allclose(returns(np.array([0.0, -0.2, 1.0]), 1.0), [0.8, 0.8, 1.0])


def test_gamma_discounts_once_per_turn():
    # 0 + 0.5 * (-0.2 + 0.5 * 1) = 0.15;  -0.2 + 0.5 * 1 = 0.3
    np.testing.assert_allclose(returns(np.array([0.0, -0.2, 1.0]), 0.5), [0.15, 0.3, 1.0])


def test_each_step_may_have_its_own_discount():
    # 1 + 0.5 * (2 + 1 * 4) = 4;  2 + 1 * 4 = 6;  the last discount leads nowhere
    gamma = np.array([0.5, 1.0, 0.3])
    np.testing.assert_allclose(returns(np.array([1.0, 2.0, 4.0]), gamma), [4.0, 6.0, 4.0])


def test_one_turn_returns_its_reward():
    np.testing.assert_array_equal(returns(np.array([-1.0]), 0.5), [-1.0])


# GAE


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("gamma", [0.4, 1.0])
@pytest.mark.parametrize("gae_lambda", [0.0, 0.7, 1.0])
def test_gae_equals_the_sum_of_errors(seed, gamma, gae_lambda):
    rewards, values = np.random.default_rng(seed).normal(size=(2, 6))
    np.testing.assert_allclose(
        gae(rewards, values, gamma, gae_lambda),
        slow_gae(rewards, values, gamma, gae_lambda),
        rtol=1e-10,
        atol=1e-12,
    )


@pytest.mark.parametrize("gamma", [0.4, 1.0])
def test_lambda_one_gives_return_minus_value(gamma):
    rewards, values = np.random.default_rng(0).normal(size=(2, 6))
    np.testing.assert_allclose(gae(rewards, values, gamma, 1.0), returns(rewards, gamma) - values)


def test_lambda_zero_gives_the_one_turn_error():
    # 0 + 0.5 - 0.2 = 0.3;  1 + 0 - 0.5 = 0.5: nothing follows the last turn
    result = gae(np.array([0.0, 1.0]), np.array([0.2, 0.5]), 1.0, 0.0)
    np.testing.assert_allclose(result, [0.3, 0.5])


def test_lambda_in_between_mixes_errors():
    # errors 0.3 and 0.5 as above; 0.3 + 0.5 * 0.5 = 0.55
    result = gae(np.array([0.0, 1.0]), np.array([0.2, 0.5]), 1.0, 0.5)
    np.testing.assert_allclose(result, [0.55, 0.5])


def test_gae_refuses_values_of_another_shape():
    with pytest.raises(ValueError, match=r"shape \(2,\) but values of shape \(3,\)"):
        gae(np.zeros(2), np.zeros(3), 1.0, 1.0)


# KL


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("form", ["geometric-mean", "product"])
def test_kl_equals_the_log_ratio_of_reply_probabilities(seed, form):
    (trajectory,), (score,) = random_iteration(
        np.random.default_rng(seed), num_groups=1, group_size=1
    )
    lengths = [len(turn.reply_ids) for turn in trajectory.turns]
    turns = np.repeat(np.arange(len(lengths)), lengths)
    np.testing.assert_allclose(
        turn_kl(score.logprobs, score.reference_logprobs, turns, len(lengths), form),
        slow_kl(trajectory, score, form),
        rtol=1e-9,
        atol=1e-12,
    )


@pytest.mark.parametrize(
    ("form", "expected"), [("geometric-mean", [0.2, 0.5]), ("product", [0.4, 0.5])]
)
def test_kl_of_two_turns_by_hand(form, expected):
    # log-ratios 0.1 and 0.3 in the first reply, 0.5 in the second
    logprobs = np.array([-1.0, -2.0, -3.0])
    reference = np.array([-1.1, -2.3, -3.5])
    np.testing.assert_allclose(turn_kl(logprobs, reference, [0, 0, 1], 2, form), expected)


def test_kl_refuses_a_turn_without_tokens():
    with pytest.raises(ValueError, match="every one of 3 turns needs an action"):
        turn_kl(np.zeros(2), np.zeros(2), [0, 2], 3, "product")


def test_kl_refuses_an_unknown_form():
    with pytest.raises(ValueError, match="form='token'"):
        turn_kl(np.zeros(1), np.zeros(1), [0], 1, "token")


# Rewards of turns


def test_public_fraction_is_added_before_the_last_turn_only():
    trajectory = make_trajectory([0.0, -0.2, -1.0], fractions=[0.5, 0.25, 0.75])
    np.testing.assert_allclose(shaped_rewards(trajectory, "environment"), [0.0, -0.2, -1.0])
    np.testing.assert_allclose(shaped_rewards(trajectory, "public-fraction"), [0.5, 0.05, -1.0])


def test_public_fraction_leaves_a_single_turn_alone():
    trajectory = make_trajectory([-1.0], fractions=[0.5])
    np.testing.assert_array_equal(shaped_rewards(trajectory, "public-fraction"), [-1.0])


# Group baselines


def test_group_mean_of_two():
    # mean of 1 and -1 is 0
    np.testing.assert_allclose(group_mean(np.array([1.0, -1.0])), [1.0, -1.0])


def test_group_mean_is_not_divided_by_the_deviation():
    # mean 0.25; had it been divided, the results would not add up to this
    np.testing.assert_allclose(group_mean(np.array([0.2, 0.3])), [-0.05, 0.05])


def test_grpo_of_two():
    # mean 0, sample deviation sqrt((1 + 1) / 1) = sqrt(2)
    np.testing.assert_allclose(
        grpo(np.array([1.0, -1.0]), 0.2), [1 / math.sqrt(2), -1 / math.sqrt(2)]
    )


def test_grpo_divides_by_the_floor_where_returns_hardly_differ():
    # mean -0.9, deviation sqrt(0.02) = 0.141 is below the floor: 0.1 / 0.2 = 0.5
    np.testing.assert_allclose(grpo(np.array([-0.8, -1.0]), 0.2), [0.5, -0.5])


def test_equal_returns_give_no_advantage_in_a_group():
    same = np.full(4, -1.0)
    np.testing.assert_array_equal(group_mean(same), np.zeros(4))
    np.testing.assert_array_equal(grpo(same, 1e-6), np.zeros(4))
    for of_episode in leave_one_out([same, same]):
        np.testing.assert_array_equal(of_episode, np.zeros(4))


def test_a_group_of_one_gives_no_advantage():
    np.testing.assert_array_equal(group_mean(np.array([0.7])), [0.0])
    np.testing.assert_array_equal(grpo(np.array([0.7]), 0.2), [0.0])
    np.testing.assert_array_equal(leave_one_out([np.array([0.7, 0.3])])[0], [0.0, 0.0])


def test_leave_one_out_compares_each_turn_with_the_others_that_reached_it():
    # turn 0: 1 - (0.8 - 1) / 2 = 1.1;  0.8 - (1 - 1) / 2 = 0.8;  -1 - (1 + 0.8) / 2 = -1.9
    # turn 1: 0.8 - -1 = 1.8 and the opposite; turn 2: nobody else is there
    result = leave_one_out([np.array([1.0]), np.array([0.8, 0.8, 1.0]), np.array([-1.0, -1.0])])
    np.testing.assert_allclose(result[0], [1.1])
    np.testing.assert_allclose(result[1], [0.8, 1.8, 0.0])
    np.testing.assert_allclose(result[2], [-1.9, -1.8])


@pytest.mark.parametrize("baseline", [group_mean, lambda totals: grpo(totals, 0.2), leave_one_out])
def test_empty_groups_are_refused(baseline):
    with pytest.raises(ValueError, match="group without episodes"):
        baseline(np.empty(0) if baseline is not leave_one_out else [])


# Normalisation


@pytest.mark.parametrize("seed", SEEDS)
def test_normalised_advantages_have_mean_zero_and_deviation_one_over_all_steps(seed):
    rng = np.random.default_rng(seed)
    advantages = [rng.normal(3.0, 2.0, size=size) for size in (1, 4, 2)]
    every = [x for of_episode in advantages for x in of_episode]
    mean = sum(every) / len(every)
    deviation = math.sqrt(sum((x - mean) ** 2 for x in every) / len(every))
    result = normalise(advantages, 1e-3)
    for before, after in zip(advantages, result, strict=True):
        np.testing.assert_allclose(after, [(x - mean) / deviation for x in before], rtol=1e-10)
    assert np.concatenate(result).mean() == pytest.approx(0.0, abs=1e-12)
    assert np.concatenate(result).std() == pytest.approx(1.0)


def test_advantages_that_hardly_differ_are_divided_by_the_floor():
    # mean 0, deviation 0.1 is below the floor: 0.1 / 0.2 = 0.5
    first, second = normalise([np.array([0.1]), np.array([-0.1])], 0.2)
    np.testing.assert_allclose([*first, *second], [0.5, -0.5])


def test_equal_advantages_become_zero():
    (result,) = normalise([np.full(3, -1.0)], 0.2)
    np.testing.assert_array_equal(result, np.zeros(3))


# All of it together


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("level", "kl_form"),
    [
        ("turn", "geometric-mean"),
        ("turn", "product"),
        ("token", "geometric-mean"),
        ("token", "product"),
        ("token", "token"),
    ],
)
@pytest.mark.parametrize("advantage", ["return", "gae"])
@pytest.mark.parametrize("turn_reward", ["environment", "public-fraction"])
def test_targets_equal_the_slow_form(seed, level, kl_form, advantage, turn_reward):
    config = configure(
        value_level=level,
        advantage=advantage,
        kl_form=kl_form,
        turn_reward=turn_reward,
        beta=0.3,
        gamma=0.8,
        gae_lambda=0.6 if advantage == "gae" else 1.0,
    )
    trajectories, scores = random_iteration(np.random.default_rng(seed), level=level)
    result = targets(trajectories, scores, config)
    advantages, step_returns = slow_targets(trajectories, scores, config)
    for i, trajectory in enumerate(trajectories):
        expected = per_token(trajectory, advantages[i]) if level == "turn" else advantages[i]
        np.testing.assert_allclose(result[i].advantages, expected, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(result[i].returns, step_returns[i], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(
            result[i].kl, slow_kl(trajectory, scores[i], "geometric-mean"), rtol=1e-9, atol=1e-12
        )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("advantage", ["group-mean", "leave-one-out", "grpo"])
def test_group_targets_equal_the_slow_form(seed, advantage):
    config = configure(advantage=advantage, beta=0.3, gamma=0.8, advantage_std_floor=1.0)
    trajectories, scores = random_iteration(np.random.default_rng(seed))
    result = targets(trajectories, scores, config)
    expected = slow_group_advantages(trajectories, scores, config)
    for i, (trajectory, score) in enumerate(zip(trajectories, scores, strict=True)):
        np.testing.assert_allclose(
            result[i].advantages, per_token(trajectory, expected[i]), rtol=1e-9, atol=1e-12
        )
        totals = slow_returns(slow_turn_rewards(trajectory, score, config), config.gamma)
        np.testing.assert_allclose(result[i].returns, totals, rtol=1e-9, atol=1e-12)


def test_an_episode_by_hand():
    # reward 0 and a first reply of two tokens with log-ratios 0.2 and 0.4, mean 0.3;
    # reward 1 and a second reply of one token with log-ratio -0.6; beta 0.05:
    # R_1 = 1 + 0.05 * 0.6 = 1.03;  R_0 = 0 - 0.05 * 0.3 + 1.03 = 1.015
    trajectory = make_trajectory([0.0, 1.0], [2, 1])
    score = scores_of(trajectory, log_ratio=[0.2, 0.4, -0.6], values=[0.5, 0.25])
    (result,) = targets([trajectory], [score], configure())
    np.testing.assert_allclose(result.returns, [1.015, 1.03])
    np.testing.assert_allclose(result.advantages, [0.515, 0.515, 0.78])
    np.testing.assert_allclose(result.kl, [0.3, -0.6])


def test_an_episode_by_hand_with_values_of_tokens():
    # same episode: the KL term 0.015 is taken from the last token of the first reply, so both of
    # its tokens have return 1.015, and each its own value
    trajectory = make_trajectory([0.0, 1.0], [2, 1])
    score = scores_of(trajectory, log_ratio=[0.2, 0.4, -0.6], values=[0.5, 0.75, 0.25])
    (result,) = targets([trajectory], [score], configure(value_level="token"))
    np.testing.assert_allclose(result.returns, [1.015, 1.015, 1.03])
    np.testing.assert_allclose(result.advantages, [0.515, 0.265, 0.78])


def test_a_tokens_kl_is_its_own_reward():
    # 1 + 0.05 * 0.6 = 1.03;  1.03 - 0.05 * 0.4 = 1.01;  1.01 - 0.05 * 0.2 = 1.0
    trajectory = make_trajectory([0.0, 1.0], [2, 1])
    score = scores_of(trajectory, log_ratio=[0.2, 0.4, -0.6], values=[0.0] * 3)
    config = configure(value_level="token", kl_form="token")
    (result,) = targets([trajectory], [score], config)
    np.testing.assert_allclose(result.returns, [1.0, 1.01, 1.03])


def test_gae_over_tokens_decays_within_a_reply():
    # three tokens of one turn, reward 1 at the last, values 0: 1, 0.5, 0.25 from the end
    trajectory = make_trajectory([1.0], [3])
    score = scores_of(trajectory, values=[0.0] * 3)
    config = configure(value_level="token", advantage="gae", gae_lambda=0.5)
    (result,) = targets([trajectory], [score], config)
    np.testing.assert_allclose(result.advantages, [0.25, 0.5, 1.0])


def test_gamma_discounts_between_replies_and_not_within():
    # with values of tokens: the second reply's tokens have return 1, the first's 0.5
    trajectory = make_trajectory([0.0, 1.0], [2, 2])
    score = scores_of(trajectory, values=[0.0] * 4)
    (result,) = targets([trajectory], [score], configure(value_level="token", gamma=0.5))
    np.testing.assert_allclose(result.returns, [0.5, 0.5, 1.0, 1.0])


def test_one_turn_of_one_token():
    # 1 - 0.05 * 0.2 - 0.4 = 0.59, whatever the level
    trajectory = make_trajectory([1.0])
    score = scores_of(trajectory, log_ratio=0.2, values=[0.4])
    for level in ("turn", "token"):
        (result,) = targets([trajectory], [score], configure(value_level=level))
        np.testing.assert_allclose(result.advantages, [0.59])


def test_normalisation_counts_turns_and_not_tokens():
    # advantages 1 and -1 of two one-turn episodes; a longer reply does not move the mean
    trajectories = [make_trajectory([1.0], [9]), make_trajectory([-1.0], [1])]
    scores = [scores_of(trajectory, values=[0.0]) for trajectory in trajectories]
    first, second = targets(trajectories, scores, configure(normalise_advantages=True))
    np.testing.assert_allclose(first.advantages, np.ones(9))
    np.testing.assert_allclose(second.advantages, [-1.0])


def test_normalisation_counts_tokens_where_values_are_of_tokens():
    # nine tokens with 1 and one with -1: mean 0.8, deviation sqrt(0.9 * 0.04 + 0.1 * 3.24) = 0.6
    trajectories = [make_trajectory([1.0], [9]), make_trajectory([-1.0], [1])]
    scores = [
        scores_of(trajectory, values=np.zeros(trajectory.num_reply_tokens))
        for trajectory in trajectories
    ]
    config = configure(normalise_advantages=True, value_level="token")
    first, second = targets(trajectories, scores, config)
    np.testing.assert_allclose(first.advantages, np.full(9, 1 / 3))
    np.testing.assert_allclose(second.advantages, [-3.0])


def test_returns_for_the_critic_are_never_normalised():
    trajectories = [make_trajectory([1.0]), make_trajectory([-1.0])]
    scores = [scores_of(trajectory, values=[0.0]) for trajectory in trajectories]
    result = targets(trajectories, scores, configure(normalise_advantages=True))
    assert [float(of_episode.returns[0]) for of_episode in result] == [1.0, -1.0]


@pytest.mark.parametrize("advantage", ["group-mean", "leave-one-out", "grpo"])
def test_group_baselines_keep_their_own_scale(advantage):
    rng = np.random.default_rng(0)
    trajectories, scores = random_iteration(rng)
    plain = targets(trajectories, scores, configure(advantage=advantage))
    other = targets(trajectories, scores, configure(advantage=advantage, normalise_advantages=True))
    for before, after in zip(plain, other, strict=True):
        np.testing.assert_array_equal(before.advantages, after.advantages)


def test_episodes_are_compared_within_their_group_only():
    # group 5: 1 and -1; group 7: 1 and 1, nothing to learn
    trajectories = [
        make_trajectory([reward], group=group)
        for reward, group in ((1.0, 5), (1.0, 7), (-1.0, 5), (1.0, 7))
    ]
    scores = [scores_of(trajectory) for trajectory in trajectories]
    result = targets(trajectories, scores, configure(advantage="group-mean"))
    assert [float(of_episode.advantages[0]) for of_episode in result] == [1.0, 0.0, -1.0, 0.0]


def test_an_episode_ended_by_the_context_is_an_ordinary_one():
    plain = make_trajectory([0.0, -1.0])
    ended = make_trajectory([0.0, -1.0], ended_by_limit=True)
    score = scores_of(plain, values=[0.1, 0.2])
    first, second = targets([plain, ended], [score, score], configure())
    np.testing.assert_array_equal(first.advantages, second.advantages)


@pytest.mark.parametrize(
    ("base", "change"),
    [
        ({}, {"beta": 0.1}),
        ({}, {"kl_form": "product"}),
        ({"value_level": "token"}, {"kl_form": "token"}),
        ({}, {"gamma": 0.5}),
        ({}, {"advantage": "group-mean"}),
        ({}, {"turn_reward": "public-fraction"}),
        ({}, {"normalise_advantages": True}),
        ({"normalise_advantages": True}, {"advantage_std_floor": 10.0}),
        ({"advantage": "gae", "gae_lambda": 0.9}, {"gae_lambda": 0.5}),
        ({"advantage": "gae", "gae_lambda": 0.9}, {"advantage": "return", "gae_lambda": 1.0}),
        ({"advantage": "group-mean"}, {"advantage": "leave-one-out"}),
        ({"advantage": "group-mean"}, {"advantage": "grpo"}),
        ({"advantage": "grpo"}, {"advantage_std_floor": 10.0}),
    ],
    ids=str,
)
def test_the_value_of_each_setting_matters(base, change):
    level = base.get("value_level", "turn")
    trajectories, scores = random_iteration(np.random.default_rng(3), level=level)
    before = targets(trajectories, scores, configure(**base))
    after = targets(trajectories, scores, configure(**{**base, **change}))
    assert not np.allclose(
        np.concatenate([of_episode.advantages for of_episode in before]),
        np.concatenate([of_episode.advantages for of_episode in after]),
    )


def test_scores_and_rewards_are_left_as_they_were():
    trajectories, scores = random_iteration(np.random.default_rng(0))
    rewards = [trajectory.rewards for trajectory in trajectories]
    values = [score.values.copy() for score in scores]
    targets(
        trajectories, scores, configure(normalise_advantages=True, turn_reward="public-fraction")
    )
    assert [trajectory.rewards for trajectory in trajectories] == rewards
    for score, before in zip(scores, values, strict=True):
        np.testing.assert_array_equal(score.values, before)


# What does not fit


def test_an_iteration_without_episodes_is_refused():
    with pytest.raises(ValueError, match="at least one trajectory"):
        targets([], [], configure())


def test_every_trajectory_needs_a_score():
    trajectory = make_trajectory([1.0])
    with pytest.raises(ValueError, match="2 trajectories with 1 scores"):
        targets([trajectory, trajectory], [scores_of(trajectory, values=[0.0])], configure())


def test_a_trajectory_without_turns_is_refused():
    trajectory = make_trajectory([])
    with pytest.raises(ValueError, match="'p' has no turns"):
        targets([trajectory], [scores_of(trajectory)], configure())


def test_a_reply_without_tokens_is_refused():
    trajectory = make_trajectory([0.0, 1.0], [1, 0])
    score = scores_of(trajectory, values=[0.0, 0.0])
    with pytest.raises(ValueError, match="needs an action"):
        targets([trajectory], [score], configure())


@pytest.mark.parametrize(
    ("level", "values", "message"),
    [
        ("turn", [0.0] * 3, r"values must have shape \(2,\), not \(3,\)"),
        ("token", [0.0] * 2, r"values must have shape \(3,\), not \(2,\)"),
        ("turn", None, r"values must have shape \(2,\), not None"),
    ],
)
def test_values_must_match_their_level(level, values, message):
    trajectory = make_trajectory([0.0, 1.0], [2, 1])
    with pytest.raises(ValueError, match=message):
        targets([trajectory], [scores_of(trajectory, values=values)], configure(value_level=level))


@pytest.mark.parametrize("name", ["logprobs", "reference_logprobs"])
def test_logprobs_must_be_of_every_token(name):
    trajectory = make_trajectory([0.0, 1.0], [2, 1])
    arrays = {"logprobs": np.zeros(3), "reference_logprobs": np.zeros(3), name: np.zeros(2)}
    score = EpisodeScores(**arrays, values=np.zeros(2))
    with pytest.raises(ValueError, match=rf"^{name} must have shape \(3,\), not \(2,\)"):
        targets([trajectory], [score], configure())
