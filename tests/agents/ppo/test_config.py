"""Every constraint of a training run is checked before anything is loaded."""

import ast
import dataclasses
import inspect
import re
from itertools import pairwise
from pathlib import Path

import pytest

from agents.ppo import config as module
from agents.ppo.config import READERS, PPOConfig
from codefeedback_env import ConfigError


def make(**changes):
    return PPOConfig(model="folder", out=Path("out"), **changes)


def test_defaults_are_the_papers():
    config = make()
    assert (config.learning_rate, config.weight_decay, config.warmup_updates) == (2e-7, 0.1, 50)
    assert (config.beta, config.gamma, config.turn_limit) == (0.05, 1.0, 3)
    assert (config.clip_range, config.clip_range_high, config.value_clip_range) == (0.2, None, 0.2)
    assert (config.kl_form, config.advantage, config.value_level, config.correction) == (
        *("geometric-mean", "return", "turn", "truncated"),
    )
    assert (config.num_rollouts, config.minibatch_rollouts, config.num_epochs) == (1024, 256, 1)
    assert (config.temperature, config.eval_temperature, config.eval_top_p) == (1.0, 0.2, 0.95)


def test_the_papers_updates():
    config = make()
    # 1024 rollouts give four updates of 256; 12,000 updates in all, evaluated every 800
    assert config.updates_per_iteration == 4
    assert config.num_iterations * config.updates_per_iteration == 12_000
    assert config.eval_every * config.updates_per_iteration == 800


def test_epochs_multiply_the_updates():
    assert make(num_rollouts=12, minibatch_rollouts=4, num_epochs=2).updates_per_iteration == 6


@pytest.mark.parametrize(
    ("advantage", "has_critic"),
    [
        ("return", True),
        ("gae", True),
        ("group-mean", False),
        ("leave-one-out", False),
        ("grpo", False),
    ],
)
def test_group_baselines_need_no_critic(advantage, has_critic):
    assert make(advantage=advantage, group_size=2).has_critic is has_critic


CHOICES = {
    "advantage": module.ADVANTAGES,
    "value_level": module.VALUE_LEVELS,
    "kl_form": module.KL_FORMS,
    "correction": module.CORRECTIONS,
    "loss_average": module.LOSS_AVERAGES,
    "turn_reward": module.TURN_REWARDS,
    "generator": module.GENERATORS,
    "precision": module.PRECISIONS,
    "schedule": module.SCHEDULES,
    "logger": module.LOGGERS,
}


@pytest.mark.parametrize("name", CHOICES)
def test_unknown_choices_are_refused_with_the_known_ones(name):
    with pytest.raises(ConfigError, match=re.escape(", ".join(CHOICES[name]))) as caught:
        make(**{name: "nonsense"})
    assert f"{name}='nonsense'" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "choice"), [(name, choice) for name, known in CHOICES.items() for choice in known]
)
def test_known_choices_are_taken(name, choice):
    fitting = {"group_size": 2} if name == "advantage" else {}
    if choice == "token" and name == "kl_form":
        fitting = {"value_level": "token"}
    assert getattr(make(**{name: choice}, **fitting), name) == choice


@pytest.mark.parametrize(
    ("name", "least"),
    [
        *[(name, 1) for name in ("turn_limit", "max_prompt_tokens", "max_feedback_tokens")],
        *[(name, 1) for name in ("max_reply_tokens", "max_context_tokens", "num_rollouts")],
        *[(name, 1) for name in ("group_size", "num_envs", "max_resampling", "num_epochs")],
        *[(name, 1) for name in ("minibatch_rollouts", "num_iterations", "max_tokens_per_pass")],
        *[(name, 1) for name in ("eval_rollouts", "keep_checkpoints", "eval_num_problems")],
        *[(name, 0) for name in ("warmup_updates", "max_staleness", "lora_rank", "eval_every")],
        *[(name, 0) for name in ("critic_warmup_iterations", "checkpoint_every", "seed")],
        ("num_transcripts", 0),
    ],
)
def test_counts_have_a_least_value(name, least):
    with pytest.raises(ConfigError, match=f"{name}={least - 1} "):
        make(**{name: least - 1})
    # the context must hold the prompt and the reply, and the minibatches must divide the rollouts
    fitting = {
        "max_context_tokens": {"max_prompt_tokens": 1, "max_reply_tokens": 1},
        "num_rollouts": {"minibatch_rollouts": 1},
        "max_resampling": {"dynamic_sampling": True, "group_size": 2},
    }.get(name, {})
    if name == "max_context_tokens":
        least = 2
    assert getattr(make(**{name: least}, **fitting), name) == least


@pytest.mark.parametrize(
    ("name", "bad", "good"),
    [
        *[(name, -0.1, 0.0) for name in ("beta", "entropy_bonus", "weight_decay", "icepop_low")],
        ("eval_temperature", -0.1, 0.0),
        *[(name, 0.0, 0.1) for name in ("clip_range", "value_clip_range", "learning_rate")],
        *[(name, 0.0, 0.1) for name in ("max_grad_norm", "temperature", "advantage_std_floor")],
        *[(name, 0.0, 0.1) for name in ("lora_alpha", "sequence_mask_limit", "clip_range_high")],
        *[(name, 0.0, 0.1) for name in ("critic_learning_rate", "target_kl", "eval_top_p")],
        *[(name, -0.1, 0.0) for name in ("gamma", "gae_lambda", "final_rate_fraction")],
        *[(name, 1.1, 1.0) for name in ("gamma", "gae_lambda", "final_rate_fraction")],
        ("eval_top_p", 1.1, 1.0),
    ],
)
def test_numbers_have_a_range(name, bad, good):
    with pytest.raises(ConfigError, match=f"{name}={bad} "):
        make(**{name: bad})
    other, values = READERS.get(name, ("seed", (0,)))
    assert getattr(make(**{name: good, other: values[0]}), name) == good


@pytest.mark.parametrize("name", READERS)
def test_a_setting_that_nothing_would_read_is_refused(name):
    other, values = READERS[name]
    value = {"max_resampling": 2, "icepop_high": 2.0}.get(name, 0.45)
    fitting = {
        "advantage": {"advantage": "grpo", "group_size": 2},
        "correction": {"correction": "none"},
    }.get(other, {})
    with pytest.raises(ConfigError, match=f"{name}={value} would change nothing with {other}="):
        make(**{name: value}, **fitting)
    fitting = {"group_size": 2} if name == "max_resampling" else {}
    assert getattr(make(**{name: value, other: values[0]}, **fitting), name) == value


def test_a_form_of_the_kl_term_needs_the_term():
    with pytest.raises(ConfigError, match="kl_form='product' would change nothing with beta=0"):
        make(kl_form="product", beta=0.0)


@pytest.mark.parametrize("name", ["beta", "gamma", "learning_rate", "clip_range_high"])
def test_not_a_number_is_in_no_range(name):
    with pytest.raises(ConfigError, match=f"{name}=nan "):
        make(**{name: float("nan")})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_rollouts": 10, "minibatch_rollouts": 4}, "minibatch_rollouts=4 does not divide"),
        (
            {"num_rollouts": 10, "minibatch_rollouts": 5, "group_size": 4},
            "group_size=4 does not divide num_rollouts=10",
        ),
        ({"advantage": "grpo"}, "advantage='grpo' compares rollouts"),
        ({"advantage": "group-mean"}, "set group_size >= 2"),
        ({"advantage": "leave-one-out"}, "set group_size >= 2"),
        ({"dynamic_sampling": True}, "dynamic_sampling compares rollouts"),
        (
            {"advantage": "grpo", "group_size": 2, "value_level": "token"},
            "advantage='grpo' has no values",
        ),
        (
            {"advantage": "grpo", "group_size": 2, "kl_form": "token"},
            "kl_form='token' needs values per token",
        ),
        (
            {"advantage": "grpo", "group_size": 2, "critic_warmup_iterations": 1},
            "advantage='grpo' has no critic to warm up",
        ),
        ({"kl_form": "token"}, "set value_level='token' as well"),
        ({"ordered": True, "max_staleness": 1}, "set max_staleness=0, not 1"),
        ({"group_size": 2, "max_staleness": 1}, "groups need max_staleness=0"),
        ({"max_context_tokens": 4095}, "no room for a prompt of 2048 and a reply of 2048"),
        ({"min_solve_rate": 0.1}, "need a difficulty_file"),
        ({"max_solve_rate": 0.9}, "need a difficulty_file"),
        (
            {"min_solve_rate": 0.9, "max_solve_rate": 0.1, "difficulty_file": Path("rates.json")},
            "min_solve_rate=0.9 is above max_solve_rate=0.1",
        ),
        (
            {"correction": "icepop", "icepop_low": 5.0},
            "icepop_low=5.0 must be below icepop_high=5.0",
        ),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        make(**changes)


def test_a_context_that_just_holds_prompt_and_reply_is_enough():
    assert make(max_context_tokens=4096).max_context_tokens == 4096


def test_solve_rates_are_taken_with_a_difficulty_file():
    config = make(difficulty_file=Path("rates.json"), min_solve_rate=0.1, max_solve_rate=0.9)
    assert (config.min_solve_rate, config.max_solve_rate) == (0.1, 0.9)


def test_env_options_leave_out_what_is_not_set():
    assert make().env_options == {
        "turn_limit": 3,
        "feedback": "public",
        "reward": "paper",
        "sandbox": "auto",
    }
    options = make(turn_limit=1, feedback="none", max_private_tests=5).env_options
    assert (options["turn_limit"], options["feedback"]) == (1, "none")
    assert options["max_private_tests"] == 5


def test_every_field_has_a_text_under_it():
    # it becomes the help of the option
    body = ast.parse(inspect.getsource(PPOConfig)).body[0].body
    documented = {
        field.target.id
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
    assert documented == {field.name for field in dataclasses.fields(PPOConfig)}


def test_a_misspelt_setting_is_refused():
    with pytest.raises(TypeError, match="clip_rage"):
        make(clip_rage=0.1)
