"""Shapes of models with random weights, and the runs that they are measured in."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    PretrainedConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
)

from agents.ppo.config import PPOConfig
from codefeedback_env import load_problems

UPDATES = 4
"""Per iteration, as in the paper."""

MAX_VOCABULARY = 2048
"""Of the tokenizer; about four characters a token, as real ones have."""

_SPECIAL_TOKENS = ("<pad>", "<user>", "<assistant>", "<end>")
_GIB = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A decoder and the batch it is measured with; lengths are in tokens, and limits."""

    family: str
    """Class of the configuration: "llama" or "qwen2"."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    vocabulary: int
    is_tied: bool
    """The head is the embedding."""

    rollouts: int
    """Per iteration, all at once."""

    prompt: int
    reply: int
    """Every reply is exactly as long, unless the context is full."""

    feedback: int
    tokens_per_pass: int
    needs_gpu: bool = True
    recompute: bool = False
    """Activations are computed again in the backward pass."""

    lora_rank: int = 0
    """Default of the option; 0 trains all weights."""

    @property
    def context(self) -> int:
        """Of an episode of three turns."""
        return self.prompt + 3 * self.reply + 2 * self.feedback

    @property
    def head_size(self) -> int:
        """Width of one attention head."""
        return self.hidden // self.heads

    @property
    def trunk_weights(self) -> int:
        """Weights of the matrices of all layers; norms and biases are nothing beside them."""
        attention = 2 * self.hidden * self.head_size * (self.heads + self.kv_heads)
        return self.layers * (attention + 3 * self.hidden * self.intermediate)

    @property
    def head_weights(self) -> int:
        """Weights of the output matrix."""
        return self.vocabulary * self.hidden

    @property
    def all_weights(self) -> int:
        """Those of an untied embedding too."""
        return self.trunk_weights + (1 if self.is_tied else 2) * self.head_weights

    def kv_bytes(self, bytes_per_number: int) -> int:
        """Keys and values of one token."""
        return 2 * self.layers * self.kv_heads * self.head_size * bytes_per_number

    def gpu_gib(self, rollouts: int, lora_rank: int) -> float:
        """Memory that weights, optimiser and cache take on a GPU; activations come on top.

        Whole, policy and critic take 16 bytes a weight: weight, gradient and AdamW's two moments in
        float32. The frozen base of LoRA, the reference and the generator are in bfloat16.
        """
        trained = 2 * self.all_weights if lora_rank else (2 * 16 + 2) * self.all_weights
        cache = rollouts * self.context * self.kv_bytes(2)
        return (trained + 2 * self.all_weights + cache) / _GIB

    def model_config(self) -> PretrainedConfig:
        """Configuration for transformers."""
        kind: Any = {"llama": LlamaConfig, "qwen2": Qwen2Config}[self.family]
        config: PretrainedConfig = kind(
            vocab_size=self.vocabulary,
            hidden_size=self.hidden,
            intermediate_size=self.intermediate,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.kv_heads,
            max_position_embeddings=max(4096, self.context),
            tie_word_embeddings=self.is_tied,
            bos_token_id=None,
        )
        return config


_LENGTHS: Any = {"prompt": 700, "reply": 400, "feedback": 250, "rollouts": 256}
_QWEN: Any = {"family": "qwen2", "vocabulary": 151936, "is_tied": True, "kv_heads": 2}
SHAPES = {
    "tiny": Shape(
        family="llama",
        hidden=128,
        intermediate=352,
        layers=4,
        heads=4,
        kv_heads=2,
        vocabulary=2048,
        is_tied=True,
        rollouts=16,
        prompt=256,
        reply=64,
        feedback=96,
        tokens_per_pass=8192,
        needs_gpu=False,
    ),
    "0.5b": Shape(  # Qwen2.5-0.5B
        **_QWEN,
        hidden=896,
        intermediate=4864,
        layers=24,
        heads=14,
        **_LENGTHS,
        tokens_per_pass=32768,
    ),
    "1.5b": Shape(  # Qwen2.5-1.5B
        **_QWEN,
        hidden=1536,
        intermediate=8960,
        layers=28,
        heads=12,
        **_LENGTHS,
        tokens_per_pass=16384,
        recompute=True,
    ),
    "8b": Shape(  # Llama-3.1-8B; whole, with a critic, it does not fit into 139 GiB
        family="llama",
        hidden=4096,
        intermediate=14336,
        layers=32,
        heads=32,
        kv_heads=8,
        vocabulary=128256,
        is_tied=False,
        **_LENGTHS,
        tokens_per_pass=16384,
        recompute=True,
        lora_rank=16,
    ),
}


def write_model(shape: Shape, folder: Path, device: torch.device, dtype: torch.dtype) -> None:
    """Random weights, and a tokenizer of the bundled texts, in a folder of transformers."""
    problems = load_problems("bundled")
    texts = [problems[problem_id].statement for problem_id in problems.ids]
    texts += [p.source_code for i in problems.ids for p in problems.reference_programs(i)]
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(
        texts, min(MAX_VOCABULARY, shape.vocabulary), special_tokens=list(_SPECIAL_TOKENS)
    )
    pad, user, assistant, end = _SPECIAL_TOKENS
    of_bpe: Any = PreTrainedTokenizerFast
    tokenizer = of_bpe(
        tokenizer_object=bpe._tokenizer,
        pad_token=pad,
        eos_token=end,
        additional_special_tokens=[user, assistant],
    )
    tokenizer.save_pretrained(folder)
    config: Any = shape.model_config()
    config.eos_token_id, config.pad_token_id = tokenizer.eos_token_id, tokenizer.pad_token_id
    torch.manual_seed(0)
    models: Any = AutoModelForCausalLM
    with torch.device(device):
        model = models.from_config(config, dtype=dtype)
    model.save_pretrained(folder)


def config_of(
    shape: Shape, model: Path, out: Path, *, num_rollouts: int, lora_rank: int, precision: str
) -> PPOConfig:
    """The settings of a run; what is not given is the paper's."""
    return PPOConfig(
        model=str(model),
        out=out,
        chat="plain",
        max_prompt_tokens=shape.prompt,
        max_feedback_tokens=shape.feedback,
        max_reply_tokens=shape.reply,
        max_context_tokens=shape.context,
        num_rollouts=num_rollouts,
        num_envs=num_rollouts,
        minibatch_rollouts=num_rollouts // UPDATES,
        precision=precision,
        lora_rank=lora_rank,
        gradient_checkpointing=shape.recompute,
        max_tokens_per_pass=max(shape.tokens_per_pass, shape.context),
        eval_every=0,
    )
