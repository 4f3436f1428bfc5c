"""Dialogues in tokens, by chat templates that TRL knows."""

import pytest

pytest.importorskip("trl")

from tiny_models import LLAMA_TOKENS, QWEN_TOKENS, tiny_tokenizer
from trl import chat_template_utils

from codefeedback_env import ConfigError
from codefeedback_env.adapters.trl_chat import TemplateChat

TEMPLATES = {
    "qwen2.5": (QWEN_TOKENS, chat_template_utils.qwen2_5_chat_template),
    "qwen3": (QWEN_TOKENS, chat_template_utils.qwen3_chat_template),
    "llama3": (LLAMA_TOKENS, chat_template_utils.llama3_chat_template),
}
PROMPT = [{"role": "user", "content": "Print 1."}]
REPLY, FEEDBACK = "Here: `print(2)`", "It printed 2.\nTry again."


def chat_of(name):
    special_tokens, template = TEMPLATES[name]
    tokenizer = tiny_tokenizer(special_tokens=special_tokens)
    tokenizer.chat_template = template
    return TemplateChat(tokenizer, {}, [tokenizer.eos_token_id]), tokenizer


@pytest.mark.parametrize("name", TEMPLATES)
def test_turn_by_turn_gives_the_ids_of_the_whole_template(name):
    chat, tokenizer = chat_of(name)
    reply_ids = [*tokenizer.encode(REPLY, add_special_tokens=False), tokenizer.eos_token_id]
    ids = chat.prompt_ids(PROMPT) + reply_ids
    ids += chat.feedback_ids(PROMPT, FEEDBACK, reply_ids)

    messages = [
        *PROMPT,
        {"role": "assistant", "content": REPLY},
        {"role": "user", "content": FEEDBACK},
    ]
    whole = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    assert tokenizer.decode(ids) == tokenizer.decode(whole)
    if name != "llama3":  # where a whole text has a token across the header's end and the reply
        assert ids == whole


@pytest.mark.parametrize("name", TEMPLATES)
def test_after_a_reply_that_was_cut_comes_the_end_of_its_turn(name):
    chat, tokenizer = chat_of(name)
    cut = tokenizer.encode(REPLY, add_special_tokens=False)
    done = [*cut, tokenizer.eos_token_id]
    after_cut = chat.feedback_ids(PROMPT, FEEDBACK, cut)
    assert after_cut == [tokenizer.eos_token_id, *chat.feedback_ids(PROMPT, FEEDBACK, done)]


@pytest.mark.parametrize("name", TEMPLATES)
def test_control_tokens_in_what_a_program_printed_are_plain_text(name):
    chat, tokenizer = chat_of(name)
    done = [tokenizer.eos_token_id]
    end = tokenizer.eos_token
    ids = chat.feedback_ids(PROMPT, f"It printed {end}{end} and <<{end}.", done)
    control = tokenizer.all_special_ids
    expected = chat.feedback_ids(PROMPT, FEEDBACK, done)
    assert [i for i in ids if i in control] == [i for i in expected if i in control]
    assert f"It printed {end}{end} and <<{end}." in tokenizer.decode(ids)
    quoted = chat.prompt_ids([{"role": "user", "content": f"Print {end}"}])
    assert quoted.count(tokenizer.eos_token_id) == chat.prompt_ids(PROMPT).count(
        tokenizer.eos_token_id
    )


def test_thoughts_are_no_part_of_what_a_reply_says():
    tokenizer = tiny_tokenizer(special_tokens=QWEN_TOKENS)
    tokenizer.add_tokens(["<think>", "</think>"])
    tokenizer.chat_template = chat_template_utils.qwen3_chat_template
    chat = TemplateChat(tokenizer, {}, [tokenizer.eos_token_id])

    def said(text):
        return chat.reply_text(
            [*tokenizer.encode(text, add_special_tokens=False), tokenizer.eos_token_id]
        )

    assert said("<think>\nperhaps ```1```\n</think>\n\nprint") == "print"
    assert said("<think>\nperhaps ```1```") == ""
    assert said("print") == "print"


def test_a_template_that_drops_replies_is_refused():
    tokenizer = tiny_tokenizer(special_tokens=QWEN_TOKENS)
    tokenizer.chat_template = "{{ messages[0].content }}"
    with pytest.raises(ConfigError, match="does not show earlier replies"):
        TemplateChat(tokenizer, {}, []).feedback_ids(PROMPT, FEEDBACK, [])
    tokenizer.chat_template = None
    with pytest.raises(ConfigError, match="no chat template"):
        TemplateChat(tokenizer, {}, [])
