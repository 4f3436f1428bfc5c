"""``python -m agents train``: PPO as published in RLEF."""

import argparse
import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any

from agents.ppo.config import PPOConfig
from agents.settings import add_options, from_options
from codefeedback_env import ConfigError

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "laptop": {
        "precision": "float32",
        "num_rollouts": 64,
        "minibatch_rollouts": 16,
        "num_envs": 64,
        "num_iterations": 100,
        "max_prompt_tokens": 1024,
        "max_feedback_tokens": 256,
        "max_reply_tokens": 256,
        "max_context_tokens": 3072,
        "learning_rate": 1e-5,
        "warmup_updates": 10,
        "eval_every": 20,
    },
    "one-gpu": {
        "lora_rank": 32,
        "learning_rate": 2e-5,
        "gradient_checkpointing": True,
        "num_rollouts": 256,
        "minibatch_rollouts": 64,
        "num_envs": 256,
        "eval_every": 50,
    },
}
"""Small runs; what they leave out is the paper's."""

NEEDED = ("torch", "transformers", "accelerate", "peft")


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb ``train``."""
    parser = verbs.add_parser(
        "train",
        help="train a model with PPO on execution feedback (RLEF)",
        description="Train a model with PPO on execution feedback. The defaults are the RLEF "
        "paper's, arXiv:2410.02089; sections in the help are its own. On several GPUs: accelerate "
        "launch -m agents train.",
    )
    add_options(parser, PPOConfig, PRESETS)
    parser.add_argument(
        "--resume", action="store_true", help="go on from the last checkpoint in --out"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Train as the parsed options say; returns the exit status.

    Raises:
        CodeFeedbackError: an option, the data, the model or the sandbox is at fault.
    """
    config = from_options(options, PPOConfig, PRESETS)
    need(NEEDED)
    quieten_libraries()
    from agents.ppo.trainer import train

    best = train(config, resume=options.resume)
    print(f"best policy: {best}")
    return 0


def need(modules: Sequence[str]) -> None:
    """Check that libraries for models are there.

    Raises:
        ConfigError: some are not; says how to get them.
    """
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        raise ConfigError(
            f"this needs {', '.join(missing)}, which this environment does not have: "
            "pip install 'codefeedback-env[agents]'."
        )


def quieten_libraries() -> None:
    """No bars of their own for loading and saving a model: they cut through ours."""
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
