"""Dialogues as plain text, for pre-trained models that were never taught a chat format.

Source: Gehring et al. 2025, arXiv:2410.02089, appendix C.3: messages begin with [USER] or
[ASSISTANT], and the token for || stands between them. Examples show a model when to write it, so
these prompts are for the agent few-shot. Where lines break, the paper does not say.
"""

from typing import TYPE_CHECKING

from tokenizers import AddedToken

from agents.chat import ChatFormat
from codefeedback_env import ConfigError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

DELIMITER = "||"


def base_chat(tokenizer: "PreTrainedTokenizerBase") -> ChatFormat:
    """The format; in texts of others the delimiter is never that one token.

    Args:
        tokenizer: is told to take the delimiter for a control token; its ids stay as they are.

    Raises:
        ConfigError: its vocabulary has no such token.
    """
    if DELIMITER not in tokenizer.get_vocab():
        raise ConfigError(
            f"chat='base' needs a token for {DELIMITER}, which the tokenizer does not have; try "
            "chat='plain'."
        )
    tokenizer.add_tokens([AddedToken(DELIMITER, special=True, normalized=False)])
    controls = {token.content for token in tokenizer.added_tokens_decoder.values()}
    end_of_text = str(tokenizer.eos_token)
    return ChatFormat(
        name="base",
        tokenizer=tokenizer,
        opening=str(tokenizer.bos_token or ""),
        user_header="[USER]\n",
        user_end=DELIMITER,
        assistant_header="[ASSISTANT]\n",
        reply_end=DELIMITER,
        separator="",
        stop_tokens=(DELIMITER, *((end_of_text,) if end_of_text in controls else ())),
    )
