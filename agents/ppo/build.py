"""From the settings of a run to the objects it works with."""

import json
from collections.abc import Sequence
from typing import Any

import torch

from agents.chat import ChatFormat
from agents.environments import env_options, make_envs
from agents.generation import model
from agents.generation.tokens import TokenGenerator
from agents.ppo.config import PPOConfig
from agents.ppo.loading import source_of
from codefeedback_env import CodeFeedbackVectorEnv, ConfigError


def load_chat(config: PPOConfig) -> ChatFormat:
    """Tokenizer and dialogue format of the model.

    Raises:
        ConfigError: there is no tokenizer, or the format is unknown.
    """
    return model.load_chat(config.model, config.chat)


def make_train_envs(config: PPOConfig, num_processes: int) -> CodeFeedbackVectorEnv:
    """Environments of one process."""
    given = {
        "dataset": config.dataset,
        "path": config.path,
        "split": config.split,
        **config.env_options,
    }
    num_envs = min(config.num_envs, config.num_rollouts)
    vec, _ = make_envs(
        config.env, max(1, num_envs // num_processes), env_options(config.env, given)
    )
    return vec


def make_valid_envs(config: PPOConfig, num_envs: int) -> CodeFeedbackVectorEnv:
    """Environments with the validation problems; turns and feedback are as in training."""
    given = {
        "dataset": config.dataset,
        "path": config.valid_path or config.path,
        "split": config.valid_split or config.split,
        **config.env_options,
    }
    vec, _ = make_envs(config.env, num_envs, env_options(config.env, given))
    return vec


def training_problem_ids(config: PPOConfig, problem_ids: Sequence[str]) -> list[str]:
    """Those whose solve rate is in the range asked for, or all.

    Raises:
        ConfigError: the difficulty file cannot be read, or nothing is left.
    """
    if config.difficulty_file is None:
        return list(problem_ids)
    try:
        rates: Any = json.loads(config.difficulty_file.read_text(encoding="utf-8"))
        kept = [
            problem_id
            for problem_id in problem_ids
            if problem_id in rates
            and config.min_solve_rate <= float(rates[problem_id]) <= config.max_solve_rate
        ]
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(
            f"difficulty_file={config.difficulty_file} cannot be read as a JSON object from "
            f"problem id to solve rate: {error}"
        ) from error
    if not kept:
        raise ConfigError(
            f"no problem has a solve rate between {config.min_solve_rate} and "
            f"{config.max_solve_rate} in {config.difficulty_file}; widen the range."
        )
    return kept


def make_generator(config: PPOConfig, chat: ChatFormat, device: torch.device) -> TokenGenerator:
    """The generator of replies, with the initial weights."""
    source = source_of(config)
    if config.generator == "vllm":
        from agents.generation.vllm_ import VllmGenerator

        return VllmGenerator(
            source,
            stop_ids=chat.stop_ids,
            max_context=config.max_context_tokens,
            dtype=config.precision,
            max_batch=min(config.num_envs, config.num_rollouts),
        )
    from agents.generation.torch_ import TorchGenerator

    return TorchGenerator(
        source,
        stop_ids=chat.stop_ids,
        device=device,
        dtype=getattr(torch, config.precision),
        max_context=config.max_context_tokens,
        max_batch=min(config.num_envs, config.num_rollouts),
    )
