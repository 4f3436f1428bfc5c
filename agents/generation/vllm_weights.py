"""What weights vLLM must be given: it says nothing of its own where some are missing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from codefeedback_env import ConfigError


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known of a model without its weights."""

    vocab_size: int
    max_positions: int | None
    shapes: dict[str, tuple[int, ...]]
    """Of each weight, by the names of ``state_dict``; a tied head counts once, as the embedding."""

    aliases: frozenset[str]
    """Other names of tied weights."""

    cache_values_per_token: int
    """Numbers that attention keeps of each token."""


def model_facts(model: str | Path) -> ModelFacts:
    """Read the config of a folder or hub name.

    Raises:
        ConfigError: there is none that transformers can read.
    """
    try:
        config = AutoConfig.from_pretrained(str(model))
        with torch.device("meta"):
            skeleton = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise ConfigError(f"{str(model)!r} is no causal language model: {error}") from error
    text = config.get_text_config()
    shapes = {name: tuple(weight.shape) for name, weight in skeleton.named_parameters()}
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    return ModelFacts(
        vocab_size=text.vocab_size,
        max_positions=getattr(text, "max_position_embeddings", None),
        shapes=shapes,
        aliases=frozenset(skeleton.state_dict().keys() - shapes.keys()),
        cache_values_per_token=2 * text.num_hidden_layers * heads * width,
    )


def checked(
    tensors: Iterable[tuple[str, torch.Tensor]], facts: ModelFacts
) -> Iterator[tuple[str, torch.Tensor]]:
    """Pass weights on; vLLM itself leaves old values in place where a name is missing or unknown.

    Raises:
        ConfigError: at a name or shape that is not the model's, or at the end if some are missing.
    """
    missing = dict(facts.shapes)
    for name, tensor in tensors:
        if name in facts.aliases:
            continue
        if name not in facts.shapes:
            raise ConfigError(f"weight {name!r} is none of the model that vLLM loaded.")
        if tuple(tensor.shape) != facts.shapes[name]:
            raise ConfigError(
                f"weight {name!r} has shape {tuple(tensor.shape)}; the model that vLLM loaded has "
                f"{facts.shapes[name]}."
            )
        missing.pop(name, None)
        yield name, tensor.detach()
    if missing:
        raise ConfigError(
            f"{len(missing)} weights were not handed over, such as {next(iter(missing))!r}; vLLM "
            "would go on with old ones."
        )
