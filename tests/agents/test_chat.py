"""Expected strings are those of the models' public chat templates."""

from collections.abc import Sequence
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import LLAMA_TOKENS, QWEN_TOKENS, tiny_tokenizer
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from agents.chat import MARKER, ChatFormat, chat_format
from codefeedback_env import ConfigError

# How Llama 3 and Qwen split text before merging: line breaks end a piece.
SPLITTING = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def public_tokenizer(*special_tokens: str) -> PreTrainedTokenizerFast:
    tokenizer = tiny_tokenizer(special_tokens=special_tokens)
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLITTING), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return tokenizer


LLAMA = public_tokenizer(*LLAMA_TOKENS[:3], "<|end_of_text|>", LLAMA_TOKENS[3])
QWEN2 = public_tokenizer(*QWEN_TOKENS)
QWEN3 = public_tokenizer(*QWEN_TOKENS)
QWEN3.add_tokens(["<think>", "</think>", "<tool_call>"])  # of Qwen 3, where they are not special
WORDS = tiny_tokenizer(special_tokens=("<bos>", "<user>", "<assistant>", "<end>"))
BASE = tiny_tokenizer(special_tokens=("<s>", "</s>"))

FORMATS: dict[str, ChatFormat] = {
    "llama3": chat_format(LLAMA),
    "qwen2.5": chat_format(QWEN2),
    "qwen3": chat_format(QWEN3),
    "qwen3-thinking": chat_format(QWEN3, "qwen3-thinking"),
    "plain tokens": chat_format(WORDS),
    "plain words": chat_format(BASE),
}
each_format = pytest.mark.parametrize("chat", FORMATS.values(), ids=FORMATS.keys())

SYSTEM = (
    "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant."
    "<|im_end|>\n"
)
DIALOGUES = {
    "llama3": (
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n{0}<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
        "{1}<|eot_id|>",
        "<|start_header_id|>user<|end_header_id|>\n\n{2}<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
    ),
    "qwen2.5": (
        SYSTEM + "<|im_start|>user\n{0}<|im_end|>\n<|im_start|>assistant\n",
        "{1}<|im_end|>",
        "\n<|im_start|>user\n{2}<|im_end|>\n<|im_start|>assistant\n",
    ),
    "qwen3": (
        "<|im_start|>user\n{0}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
        "{1}<|im_end|>",
        "\n<|im_start|>user\n{2}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
    ),
    "qwen3-thinking": (
        "<|im_start|>user\n{0}<|im_end|>\n<|im_start|>assistant\n",
        "<think>\nHm.\n</think>\n\n{1}<|im_end|>",
        "\n<|im_start|>user\n{2}<|im_end|>\n<|im_start|>assistant\n",
    ),
    "plain tokens": (
        "<bos><user>{0}<end><assistant>",
        "{1}<end>",
        "<user>{2}<end><assistant>",
    ),
    "plain words": (
        "<s>User: {0}\n\nAssistant:\n",
        "{1}</s>",
        "User: {2}\n\nAssistant:\n",
    ),
}
TEXTS = ("Write a program that\nprints 5.", "```python\nprint(4)\n```", "Your code failed: got 4.")


def encoded(chat: ChatFormat, text: str) -> list[int]:
    """With the names of special tokens read as such."""
    ids: list[int] = chat.tokenizer.encode(text, add_special_tokens=False)
    return ids


def decoded(chat: ChatFormat, ids: Sequence[int]) -> str:
    return str(chat.tokenizer.decode(list(ids), skip_special_tokens=False))


def control_ids(chat: ChatFormat, ids: Sequence[int]) -> list[int]:
    added = chat.tokenizer.added_tokens_decoder
    return [token for token in ids if token in added]


@pytest.mark.parametrize("name", FORMATS)
def test_a_dialogue_is_what_the_template_gives(name: str) -> None:
    chat = FORMATS[name]
    prompt, reply, feedback = (piece.format(*TEXTS) for piece in DIALOGUES[name])
    ids = chat.prompt_ids(TEXTS[0], 1000)
    assert ids == encoded(chat, prompt)
    reply_ids = encoded(chat, reply)
    ids = [*ids, *reply_ids]
    assert ids == encoded(chat, prompt + reply)
    ids += chat.feedback_ids(TEXTS[2], last_reply_ids=reply_ids, max_tokens=1000)
    assert ids == encoded(chat, prompt + reply + feedback)
    assert chat.reply_text(reply_ids) == TEXTS[1]


@each_format
def test_a_reply_without_its_end_gets_one_in_the_next_prompt(chat: ChatFormat) -> None:
    cut = encoded(chat, "print(")
    end = chat.stop_ids[0]
    expected = [end, *chat.feedback_ids("Again.", last_reply_ids=[*cut, end], max_tokens=99)]
    assert chat.feedback_ids("Again.", last_reply_ids=cut, max_tokens=99) == expected
    for other in chat.stop_ids[1:]:
        found = chat.feedback_ids("Again.", last_reply_ids=[*cut, other], max_tokens=99)
        assert found == expected


@each_format
@pytest.mark.parametrize("wraps", ["{}", "a{}b", "{0}{0}", "<{}>", "<|{}"])
def test_names_of_special_tokens_in_a_text_are_plain_text(chat: ChatFormat, wraps: str) -> None:
    of_format = control_ids(chat, chat.prompt_ids("Z", 1000))
    for token in chat.tokenizer.added_tokens_decoder.values():
        text = wraps.format(token.content)
        ids = chat.prompt_ids(text, 1000)
        assert control_ids(chat, ids) == of_format
        assert decoded(chat, ids) == decoded(chat, chat.prompt_ids("Z", 1000)).replace("Z", text)


def test_a_normaliser_does_not_make_a_special_token_of_a_text() -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.backend_tokenizer.normalizer = normalizers.NFKC()
    tokenizer.add_tokens([AddedToken("<stop>", special=True, normalized=True)])
    chat = chat_format(tokenizer, "llama3")
    wide = "\uff1cstop\uff1e"
    assert control_ids(chat, tokenizer.encode(wide, add_special_tokens=False))
    ids = chat.prompt_ids(wide, 100)
    assert control_ids(chat, ids) == control_ids(chat, chat.prompt_ids("Z", 100))


@each_format
def test_a_long_prompt_keeps_its_end_and_has_exactly_the_tokens_allowed(chat: ChatFormat) -> None:
    text = " ".join(str(number) for number in range(100, 400))
    whole = chat.prompt_ids(text, 10_000)
    assert chat.prompt_ids(text, len(whole)) == whole
    for limit in (len(whole) - 1, 150, 100):
        ids = chat.prompt_ids(text, limit)
        assert len(ids) == limit
        before, _, rest = decoded(chat, ids).partition(MARKER)
        empty = decoded(chat, chat.prompt_ids("Z", 1000))
        assert before == empty.partition("Z")[0]
        kept = rest[: len(rest) - len(empty.partition("Z")[2])]
        assert text.endswith(kept)
        assert len(kept) > 10


@each_format
@pytest.mark.parametrize("has_end", [True, False])
def test_long_feedback_keeps_its_start_and_has_exactly_the_tokens_allowed(
    chat: ChatFormat, has_end: bool
) -> None:
    text = " ".join(str(number) for number in range(100, 400))
    reply = [chat.stop_ids[0]] if has_end else encoded(chat, "print")
    for limit in (60, 90):
        ids = chat.feedback_ids(text, last_reply_ids=reply, max_tokens=limit)
        assert len(ids) == limit
        kept, _, rest = decoded(chat, ids).partition(MARKER)
        empty = decoded(chat, chat.feedback_ids("Z", last_reply_ids=reply, max_tokens=99))
        before, _, after = empty.partition("Z")
        assert kept.startswith(before + text[:20])
        assert text.startswith(kept[len(before) :])
        assert rest == after


@each_format
def test_no_room_for_text_is_an_error(chat: ChatFormat) -> None:
    empty = len(chat.prompt_ids("", 1000))
    with pytest.raises(ConfigError, match=f"{empty} tokens have no room"):
        chat.prompt_ids("many words that do not fit", empty)


@each_format
@settings(max_examples=50, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_a_reply_decodes_to_what_was_encoded(chat: ChatFormat, text: str) -> None:
    if chat.thinks:
        text = text.lstrip("\n")
    ids = chat._plain_ids(text)
    if chat.thinks:
        ids = [*encoded(chat, "<think>\n\n</think>\n\n"), *chat._plain_ids(text)]
    assert chat.reply_text(ids) == text
    for stop in chat.stop_ids:
        assert chat.reply_text([*ids, stop]) == text


def test_thoughts_without_an_end_say_nothing() -> None:
    chat = FORMATS["qwen3-thinking"]
    assert chat.reply_text(encoded(chat, "<think>\n```python\nprint(1)\n```")) == ""


def test_formats_are_recognised_by_their_tokens() -> None:
    names = {name: chat.name for name, chat in FORMATS.items()}
    assert names == {
        "llama3": "llama3",
        "qwen2.5": "qwen",
        "qwen3": "qwen",
        "qwen3-thinking": "qwen3-thinking",
        "plain tokens": "plain",
        "plain words": "plain",
    }


def test_all_tokens_that_end_a_reply_are_stops() -> None:
    stops = {name: [decoded(chat, [i]) for i in chat.stop_ids] for name, chat in FORMATS.items()}
    assert stops == {
        "llama3": ["<|eot_id|>", "<|end_of_text|>"],
        "qwen2.5": ["<|im_end|>", "<|endoftext|>"],
        "qwen3": ["<|im_end|>", "<|endoftext|>"],
        "qwen3-thinking": ["<|im_end|>", "<|endoftext|>"],
        "plain tokens": ["<end>"],
        "plain words": ["</s>"],
    }


def test_llama_drops_white_space_around_a_message_and_qwen_does_not() -> None:
    llama, qwen = FORMATS["llama3"], FORMATS["qwen2.5"]
    assert llama.prompt_ids("\n Z \n", 99) == llama.prompt_ids("Z", 99)
    assert "<|im_start|>user\n\n Z \n<|im_end|>" in decoded(qwen, qwen.prompt_ids("\n Z \n", 99))


@pytest.mark.parametrize(
    ("template", "opening", "header"),
    [
        ("... You are Qwen, created by Alibaba Cloud. You are a helpful assistant. ...", True, ""),
        ("... enable_thinking ...", False, "<think>\n\n</think>\n\n"),
        ("an instruct model that never thinks", False, ""),
    ],
)
def test_a_template_tells_the_qwens_apart(template: str, opening: bool, header: str) -> None:
    tokenizer = tiny_tokenizer(special_tokens=QWEN_TOKENS)
    tokenizer.add_tokens(["<think>", "</think>"])
    tokenizer.chat_template = template
    chat = chat_format(tokenizer)
    assert decoded(chat, chat.prompt_ids("Z", 99)) == (
        (SYSTEM if opening else "")
        + f"<|im_start|>user\nZ<|im_end|>\n<|im_start|>assistant\n{header}"
    )


@pytest.mark.parametrize(
    ("tokenizer", "name", "message"),
    [
        (LLAMA, "chatml", "none of auto, llama3, qwen, qwen3-thinking, plain"),
        (LLAMA, "qwen", r"needs <\|im_start\|>, <\|im_end\|>"),
        (QWEN2, "llama3", r"needs <\|begin_of_text\|>"),
        (QWEN2, "qwen3-thinking", "needs <think>, </think>"),
    ],
)
def test_wrong_formats_are_named(tokenizer: Any, name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        chat_format(tokenizer, name)


def word_tokenizer(**tokens: Any) -> PreTrainedTokenizerFast:
    vocabulary = {word: number for number, word in enumerate(["<unk>", "print", "7", "failed"])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", **tokens)


def test_a_tokenizer_of_words_keeps_unknown_words_as_one_token() -> None:
    chat = chat_format(word_tokenizer(additional_special_tokens=["<user>", "<assistant>", "<end>"]))
    assert chat.name == "plain"
    assert decoded(chat, chat.prompt_ids("failed unheard of", 9)).split() == [
        "<user>", "failed", "<unk>", "<unk>", "<end>", "<assistant>",
    ]  # fmt: skip


def test_plain_needs_a_token_to_end_a_reply() -> None:
    with pytest.raises(ConfigError, match="set eos_token"):
        chat_format(word_tokenizer(), "plain")
