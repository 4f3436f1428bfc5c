"""A tiny language model with random weights, which every backend can run."""

from pathlib import Path
from typing import Any

import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast

from codefeedback_env import load_problems

MAX_CONTEXT = 4096
SHAPE: dict[str, Any] = {
    "vocab_size": 2048,
    "hidden_size": 128,
    "intermediate_size": 352,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,  # heads of 32: the narrowest of vLLM's CPU kernels
    "num_key_value_heads": 2,
    "max_position_embeddings": MAX_CONTEXT,
    "initializer_range": 0.1,  # the usual 0.02 says one token over and over, on which all agree
    "tie_word_embeddings": False,
}
CHAT_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'user' %}"
    "<user>{{ message['content'] }}<end><assistant>"
    "{% else %}{{ message['content'] }}<end>{% endif %}{% endfor %}"
)
"""What ``agents.chat`` calls plain, for servers."""

_SPECIAL_TOKENS = ("<pad>", "<user>", "<assistant>", "<end>")


def write_model(folder: Path, seed: int = 0) -> int:
    """A Llama in float32 and a tokenizer of the bundled texts; returns the number of weights."""
    problems = load_problems("bundled")
    bpe = ByteLevelBPETokenizer()
    texts = [problems[problem_id].statement for problem_id in problems.ids]
    texts += [p.source_code for i in problems.ids for p in problems.reference_programs(i)]
    bpe.train_from_iterator(texts, SHAPE["vocab_size"], special_tokens=list(_SPECIAL_TOKENS))
    pad, user, assistant, end = _SPECIAL_TOKENS
    of_bpe: Any = PreTrainedTokenizerFast
    tokenizer = of_bpe(
        tokenizer_object=bpe._tokenizer,
        pad_token=pad,
        eos_token=end,
        additional_special_tokens=[user, assistant],
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.save_pretrained(folder)
    config = LlamaConfig(
        **SHAPE,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    models: Any = AutoModelForCausalLM
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = models.from_config(config, dtype=torch.float32)
    model.save_pretrained(folder)
    return sum(parameter.numel() for parameter in model.parameters())
