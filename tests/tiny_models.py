"""Tiny language models with random weights and a tokenizer trained on the spot, for tests.

The models are built from a config: grouped-query attention, about 0.1 M parameters at the default
sizes, tied or untied head. Nothing is downloaded.
"""

from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)

LLAMA_TOKENS = ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
QWEN_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
DEFAULT_VOCABULARY = 512
CORPUS = (
    "Write a program that reads two numbers and prints their sum.",
    "Your code should be enclosed in triple backticks like so: ```python YOUR CODE HERE ```.",
    "def main():\n    a, b = map(int, input().split())\n    print(a + b)\n\n\nmain()\n",
    "import sys\nfor line in sys.stdin:\n    print(int(line) * 2)\n",
    "Your code failed the following tests: input `3`, expected output `8`, but got `5`.",
    "Give it another try. 0 1 2 3 4 5 6 7 8 9 10 11 12 100 1000",
)


def tiny_llama(**options: Any) -> PreTrainedModel:
    """A Llama; see ``tiny_model``."""
    return tiny_model("llama", **options)


def tiny_qwen2(**options: Any) -> PreTrainedModel:
    """A Qwen2, which has biases on queries, keys and values; see ``tiny_model``."""
    return tiny_model("qwen2", **options)


def tiny_qwen3(**options: Any) -> PreTrainedModel:
    """A Qwen3, which normalises queries and keys; see ``tiny_model``."""
    return tiny_model("qwen3", **options)


def tiny_model(
    family: str,
    *,
    vocab_size: int = DEFAULT_VOCABULARY,
    tied: bool = False,
    hidden_size: int = 48,
    num_layers: int = 2,
    num_heads: int = 4,
    num_kv_heads: int = 2,
    max_positions: int = 512,
    seed: int = 0,
) -> PreTrainedModel:
    """A causal language model in float32, in evaluation mode.

    Args:
        family: "llama", "qwen2" or "qwen3".
        vocab_size: tokens, at least as many as the tokenizer has.
        tied: the head shares its matrix with the embedding.
        hidden_size: width; twice that in between.
        num_layers: depth.
        num_heads: query heads.
        num_kv_heads: key and value heads.
        max_positions: longest context.
        seed: of the random weights, which are larger than usual, so that outputs differ visibly.
    """
    options: dict[str, Any] = {
        "vocab_size": vocab_size,
        "hidden_size": hidden_size,
        "intermediate_size": 2 * hidden_size,
        "num_hidden_layers": num_layers,
        "num_attention_heads": num_heads,
        "num_key_value_heads": num_kv_heads,
        "max_position_embeddings": max_positions,
        "tie_word_embeddings": tied,
        "initializer_range": 0.15,
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
    }
    config: PretrainedConfig
    if family == "llama":
        config = LlamaConfig(**options)
    elif family == "qwen2":
        config = Qwen2Config(**options)
    elif family == "qwen3":
        config = Qwen3Config(**options, head_dim=hidden_size // num_heads)
    else:
        raise ValueError(family)
    state = torch.get_rng_state()
    torch.manual_seed(seed)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):  # zero from config, which would hide a forgotten bias
            torch.nn.init.normal_(parameter, std=0.2)
    torch.set_rng_state(state)
    return model.eval()


def tiny_tokenizer(
    *, vocab_size: int = DEFAULT_VOCABULARY, special_tokens: tuple[str, ...] = LLAMA_TOKENS
) -> PreTrainedTokenizerFast:
    """A byte-level BPE, so that any text can be encoded; has no chat template.

    Args:
        vocab_size: at least 256 and the special tokens; the corpus gives some 200 merges at most.
        special_tokens: the first is the beginning of text, the last the end of a turn.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[AddedToken(token, special=True) for token in special_tokens],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=special_tokens[0],
        eos_token=special_tokens[-1],
        pad_token=special_tokens[-1],
        additional_special_tokens=list(special_tokens),
        clean_up_tokenization_spaces=False,
    )


def save_tiny(folder: Path, family: str = "llama", **options: Any) -> Path:
    """Writes a model of the family and the tokenizer that goes with it; returns the folder.

    Args:
        folder: made if it does not exist.
        family: see ``tiny_model``.
        options: for ``tiny_model``.
    """
    special_tokens = LLAMA_TOKENS if family == "llama" else QWEN_TOKENS
    vocab_size = options.get("vocab_size", DEFAULT_VOCABULARY)
    tokenizer = tiny_tokenizer(vocab_size=vocab_size, special_tokens=special_tokens)
    model = tiny_model(family, **options)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
