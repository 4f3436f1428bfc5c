"""A causal language model made ready for packed sequences, or an early word on why not."""

from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig, PreTrainedModel

from agents.ppo.attention import PACKED
from agents.ppo.config import PPOConfig
from agents.ppo.head import ScoringHead
from codefeedback_env import ConfigError


def load_config(config: PPOConfig, device: torch.device) -> PretrainedConfig:
    """Everything that can be said about a run's model before its weights are read.

    Raises:
        ConfigError: there is no such model, its context is too short, its attention is of a kind
            that packing does not know, or the device lacks the precision.
    """
    check_precision(config.precision, device)
    if config.max_tokens_per_pass < config.max_context_tokens:
        raise ConfigError(
            f"max_tokens_per_pass={config.max_tokens_per_pass} is less than one episode of "
            f"max_context_tokens={config.max_context_tokens}; raise it."
        )
    folder = Path(config.model).expanduser()
    is_hub_name = config.model.count("/") < 2 and not config.model.startswith((".", "/", "~"))
    if not folder.is_dir() and not is_hub_name:
        raise ConfigError(f"model={config.model!r} is no folder; give one, or a name on the hub.")
    try:
        model_config: PretrainedConfig = AutoConfig.from_pretrained(source_of(config))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"model={config.model!r} cannot be read: {_first_line(error)} Give a folder with a "
            "config.json, or a name on the hub that this machine can reach or has in its cache."
        ) from error
    context = getattr(model_config, "max_position_embeddings", None)
    if context is not None and context < config.max_context_tokens:
        raise ConfigError(
            f"model={config.model!r} has a context of {context} tokens, less than "
            f"max_context_tokens={config.max_context_tokens}; lower that, or take another model."
        )
    window = getattr(model_config, "sliding_window", None)
    if window is not None and window < config.max_context_tokens:
        raise ConfigError(
            f"model={config.model!r} attends to the last {window} tokens only, which packed "
            f"sequences do not support; set max_context_tokens to at most {window}, or take "
            "another model."
        )
    return model_config


def load_model(config: PPOConfig, device: torch.device, dtype: torch.dtype) -> PreTrainedModel:
    """The model with attention over packed sequences and a head that scores tokens.

    Raises:
        ConfigError: see ``load_config``; or its weights cannot be read, or it is of a kind that
            packing does not know.
    """
    load_config(config, device)
    try:
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            source_of(config), dtype=dtype, attn_implementation=PACKED
        )
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"model={config.model!r} cannot be loaded as a causal language model: "
            f"{_first_line(error)}"
        ) from error
    untyped: Any = model
    head = untyped.get_output_embeddings()
    if not isinstance(head, nn.Linear):
        raise ConfigError(f"model={config.model!r} has no linear head; take another model.")
    untyped.set_output_embeddings(ScoringHead.of(head))
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0  # ratios of probabilities need the same network in each pass
    _make_generation_config_valid(model)
    untyped.to(device)
    return model


def trunk_of(model: PreTrainedModel) -> PreTrainedModel:
    """The model without its head."""
    untyped: Any = model
    trunk: PreTrainedModel = untyped.get_decoder()
    return trunk


def head_of(model: PreTrainedModel) -> ScoringHead:
    """The head of a model that ``load_model`` gave."""
    untyped: Any = model
    head: ScoringHead = untyped.get_output_embeddings()
    return head


def check_precision(precision: str, device: torch.device) -> None:
    """See whether the device computes in this precision.

    Raises:
        ConfigError: it has no bfloat16.
    """
    if precision != "bfloat16":
        return
    if device.type == "cuda":
        is_supported = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device.type == "cpu":
        is_supported = _cpu_has_bfloat16()
    else:
        is_supported = True
    if not is_supported:
        raise ConfigError(
            f"precision='bfloat16' is not supported by {device}; set precision='float32'."
        )


def _cpu_has_bfloat16() -> bool:
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def source_of(config: PPOConfig) -> str:
    """Where the model is read from: a folder, or a name on the hub."""
    folder = Path(config.model).expanduser()
    return str(folder) if folder.is_dir() else config.model


def _make_generation_config_valid(model: PreTrainedModel) -> None:
    # Published models come with a temperature but without do_sample; they load, but would not save.
    generation_config: Any = model.generation_config
    try:
        generation_config.validate(strict=True)
    except ValueError:
        generation_config.do_sample = True


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
