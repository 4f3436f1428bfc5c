"""Dialogues as plain text for models without a chat format."""

import pytest

pytest.importorskip("transformers")

from tiny_models import tiny_tokenizer
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from agents.generation.base_chat import base_chat
from agents.generation.chat_dialogues import Dialogues
from agents.generation.model import load_chat
from codefeedback_env import ConfigError


@pytest.fixture
def tokenizer():
    """Bytes, and the one pair that matters."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*alphabet, "||"])}
    bpe = Tokenizer(models.BPE(vocab=vocabulary, merges=[("|", "|")]))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(tokenizer_object=bpe, clean_up_tokenization_spaces=False)
    made.add_special_tokens({"eos_token": "<eos>", "bos_token": "<bos>"})
    return made


def text_of(chat, token_ids):
    return chat.tokenizer.decode(token_ids, skip_special_tokens=False)


def test_messages_begin_with_their_role_and_end_with_the_delimiter(tokenizer):
    delimiter = tokenizer.get_vocab()["||"]
    chat = base_chat(tokenizer)
    assert tokenizer.get_vocab()["||"] == delimiter  # no new token, which no model would know
    prompt = chat.prompt_ids("question", 100)
    assert text_of(chat, prompt) == "<bos>[USER]\nquestion||[ASSISTANT]\n"
    reply = chat.reply_ids("answer")
    more = chat.feedback_ids("wrong", last_reply_ids=reply, max_tokens=100)
    assert text_of(chat, [*prompt, *reply, *more]) == (
        "<bos>[USER]\nquestion||[ASSISTANT]\nanswer||[USER]\nwrong||[ASSISTANT]\n"
    )
    assert chat.stop_ids == (delimiter, tokenizer.eos_token_id)
    assert chat.reply_text([*chat.reply_ids("answer")]) == "answer"


def test_nobody_but_the_format_ends_a_message(tokenizer):
    chat = base_chat(tokenizer)
    delimiter = chat.stop_ids[0]
    prompt = chat.prompt_ids("a || b |||| c", 100)
    assert prompt.count(delimiter) == 1
    assert text_of(chat, prompt) == "<bos>[USER]\na || b |||| c||[ASSISTANT]\n"


def test_examples_come_before_the_question(tokenizer):
    class NoTokens:
        def forget(self, dialogues):
            pass

    chat = base_chat(tokenizer)
    dialogues = Dialogues(
        NoTokens(), chat, max_prompt_tokens=100, max_feedback_tokens=100, max_dialogues=1
    )
    said = [("user", "q 1"), ("assistant", "a 1"), ("assistant", ""), ("user", "q 2")]
    messages = [{"role": role, "content": text} for role, text in said]
    assert text_of(chat, dialogues.find(None, messages).token_ids) == (
        "<bos>[USER]\nq 1||[ASSISTANT]\na 1||[ASSISTANT]\n||[USER]\nq 2||[ASSISTANT]\n"
    )


def test_a_model_is_loaded_with_it_by_name_and_refused_without_the_token(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path / "with")
    assert load_chat(str(tmp_path / "with"), "base").name == "base"
    tiny_tokenizer().save_pretrained(tmp_path / "without")
    with pytest.raises(ConfigError, match="needs a token for \\|\\|"):
        load_chat(str(tmp_path / "without"), "base")
