"""Dialogues in tokens, turn by turn: what was said is never encoded again.

A chat template renders a whole dialogue. Encoding its text anew at each turn need not give back
the ids that a model sampled, and some templates rewrite earlier replies, so these formats render
only what comes after the last reply.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from codefeedback_env import ConfigError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MARKER = "[...]"
"""Stands for what was cut."""

FORMATS = ("llama3", "qwen", "qwen3-thinking", "plain")

QWEN_SYSTEM = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
"""Default system message of Qwen 2.5."""

LLAMA3_TOKENS = ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
CHATML_TOKENS = ("<|im_start|>", "<|im_end|>")
PLAIN_TOKENS = ("<user>", "<assistant>", "<end>")


@dataclass(frozen=True, kw_only=True)
class ChatFormat:
    """The literal pieces of a dialogue and the tokenizer that encodes them.

    Control tokens are recognised in these pieces only. In texts of others (statements, feedback)
    their names are encoded as plain text.
    """

    name: str
    tokenizer: "PreTrainedTokenizerBase"

    opening: str
    """Before the first user header."""

    user_header: str
    user_end: str
    assistant_header: str

    reply_end: str
    """The token that ends a reply in a context."""

    separator: str
    """Between the end of a reply and the next user header."""

    stop_tokens: tuple[str, ...]
    """All that may end a reply in sampling, ``reply_end`` first."""

    strips_text: bool = False
    """The template drops white space around a message."""

    thinks: bool = False
    """A reply begins with thoughts up to ``</think>``."""

    def prompt_ids(self, text: str, max_tokens: int) -> list[int]:
        """Everything before the first reply.

        Args:
            text: the first message, cut from the left, with a marker, where it is too long.
            max_tokens: most ids returned, those of the format included.

        Raises:
            ConfigError: not even an empty text fits.
        """
        return self._message(self.opening, text, max_tokens, keeps_end=True)

    def feedback_ids(
        self, text: str, *, last_reply_ids: Sequence[int], max_tokens: int
    ) -> list[int]:
        """Everything between a reply and the next.

        Args:
            text: the message, cut from the right, with a marker, where it is too long.
            last_reply_ids: as sampled; an end that it lacks comes first in what is returned.
            max_tokens: most ids returned, those of the format included.

        Raises:
            ConfigError: not even an empty text fits.
        """
        end_id = self.stop_ids[0]
        has_end = len(last_reply_ids) > 0 and last_reply_ids[-1] == end_id
        start = self.separator if has_end else self.reply_end + self.separator
        return self._message(start, text, max_tokens, keeps_end=False)

    def reply_ids(self, text: str) -> list[int]:
        """A reply that was not sampled here, such as one to imitate, with the token that ends it.

        Control tokens in it are plain text, as in the messages of others.
        """
        return [*self._plain_ids(text), self.stop_ids[0]]

    def reply_text(self, reply_ids: Sequence[int]) -> str:
        """What a reply says, without its stop token; of thinking models without the thoughts."""
        said = list(reply_ids)
        if said and said[-1] in self.stop_ids:
            del said[-1]
        text = str(
            self.tokenizer.decode(
                said, skip_special_tokens=False, clean_up_tokenization_spaces=False
            )
        )
        if self.thinks:  # thoughts that were cut short say nothing yet
            return text.rpartition("</think>")[2].lstrip("\n") if "</think>" in text else ""
        return text

    @cached_property
    def stop_ids(self) -> tuple[int, ...]:
        """Ids of the tokens that end a reply; the first is the one contexts are completed with."""
        return tuple(self._control_ids[token] for token in self.stop_tokens)

    @cached_property
    def _control_ids(self) -> dict[str, int]:
        """Tokens with a meaning beyond their text: special ones, and those written ``<...>``.

        Not the one for unknown words, which plain text may well hold.
        """
        return {
            token.content: number
            for number, token in self.tokenizer.added_tokens_decoder.items()
            if (token.special or re.fullmatch(r"<.+>", token.content, re.DOTALL))
            and token.content != self.tokenizer.unk_token
        }

    @cached_property
    def _control_pattern(self) -> re.Pattern[str]:
        longest_first = sorted(self._control_ids, key=len, reverse=True)
        return re.compile("(" + "|".join(map(re.escape, longest_first)) + ")")

    def _message(self, start: str, text: str, max_tokens: int, *, keeps_end: bool) -> list[int]:
        if self.strips_text:
            text = text.strip()
        before, after = start + self.user_header, self.user_end + self.assistant_header
        # Header and text are encoded as one, as the text of a template is, where they are not
        # separated by a control token.
        whole = self._rendered(before, text, after)
        if len(whole) <= max_tokens:
            return whole
        head, tail, marker = self._rendered(before), self._rendered(after), self._plain_ids(MARKER)
        room = max_tokens - len(head) - len(tail) - len(marker)
        if room < 1:
            raise ConfigError(
                f"{max_tokens} tokens have no room for text: the {self.name} format and the mark "
                f"of a cut take {max_tokens - room}; raise max_prompt_tokens or "
                "max_feedback_tokens."
            )
        text_ids = self._plain_ids(text)
        kept = [*marker, *text_ids[-room:]] if keeps_end else [*text_ids[:room], *marker]
        return [*head, *kept, *tail]

    def _rendered(self, before: str, text: str = "", after: str = "") -> list[int]:
        """Ids of pieces of the format around a text of others."""
        ids: list[int] = []
        plain = ""
        for piece, is_format in ((before, True), (text, False), (after, True)):
            for part in self._control_pattern.split(piece) if is_format else (piece,):
                if is_format and part in self._control_ids:
                    ids += self._plain_ids(plain)
                    ids.append(self._control_ids[part])
                    plain = ""
                else:
                    plain += part
        return ids + self._plain_ids(plain)

    def _plain_ids(self, text: str) -> list[int]:
        """Ids of a text, none of them a control token."""
        if not text:
            return []
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False, verbose=False)
        if self._known_controls.isdisjoint(ids) or len(text) == 1:
            return ids
        parts = self._control_pattern.split(text)  # every second one is the name of a token
        if len(parts) == 1:
            # A normaliser made one, as of full-width letters.
            pieces = [text[: len(text) // 2], text[len(text) // 2 :]]
        else:
            pieces = [""]
            for number, part in enumerate(parts):
                if number % 2:  # the next piece begins within the name, which so is not one
                    pieces[-1] += part[0]
                    pieces.append(part[1:])
                else:
                    pieces[-1] += part
        return [token for piece in pieces for token in self._plain_ids(piece)]

    @cached_property
    def _known_controls(self) -> frozenset[int]:
        return frozenset(self._control_ids.values())


def chat_format(tokenizer: "PreTrainedTokenizerBase", name: str = "auto") -> ChatFormat:
    """The format of a tokenizer's model.

    Args:
        tokenizer: of the transformers library.
        name: "llama3"; "qwen" for Qwen 2.5, with its default system message, and Qwen 3 without
            thinking; "qwen3-thinking"; "plain" for models without a format: the tokens ``<user>``,
            ``<assistant>`` and ``<end>`` where the tokenizer has them, else words and its token for
            the end of text. "auto" goes by the tokens there are. The date that Llama 3.1 writes
            into a system message is left out, so that prompts do not change with the day.

    Raises:
        ConfigError: there is no such format, or the tokenizer lacks its tokens.
    """
    added = {token.content for token in tokenizer.added_tokens_decoder.values()}
    if name == "auto":
        is_llama, is_chatml = added.issuperset(LLAMA3_TOKENS), added.issuperset(CHATML_TOKENS)
        name = "llama3" if is_llama else "qwen" if is_chatml else "plain"
    if name == "llama3":
        _check(name, LLAMA3_TOKENS, added)
        ends = ("<|eot_id|>", "<|end_of_text|>", "<|eom_id|>")
        return ChatFormat(
            name=name,
            tokenizer=tokenizer,
            opening="<|begin_of_text|>",
            user_header="<|start_header_id|>user<|end_header_id|>\n\n",
            user_end="<|eot_id|>",
            assistant_header="<|start_header_id|>assistant<|end_header_id|>\n\n",
            reply_end="<|eot_id|>",
            separator="",
            stop_tokens=tuple(token for token in ends if token in added),
            strips_text=True,
        )
    if name in ("qwen", "qwen3-thinking"):
        _check(name, CHATML_TOKENS, added)
        return _qwen(tokenizer, name, added)
    if name == "plain":
        return _plain(tokenizer, added)
    raise ConfigError(f"chat={name!r} is none of auto, {', '.join(FORMATS)}.")


def _qwen(tokenizer: "PreTrainedTokenizerBase", name: str, added: set[str]) -> ChatFormat:
    template = tokenizer.chat_template if isinstance(tokenizer.chat_template, str) else None
    if template is None:
        has_system, can_think = "<think>" not in added, "<think>" in added
    else:
        has_system, can_think = QWEN_SYSTEM in template, "enable_thinking" in template
    thinks = name == "qwen3-thinking"
    if thinks:
        _check(name, ("<think>", "</think>"), added)
    no_thoughts = "<think>\n\n</think>\n\n" if can_think and not thinks else ""
    return ChatFormat(
        name=name,
        tokenizer=tokenizer,
        opening=f"<|im_start|>system\n{QWEN_SYSTEM}<|im_end|>\n" if has_system else "",
        user_header="<|im_start|>user\n",
        user_end="<|im_end|>\n",
        assistant_header=f"<|im_start|>assistant\n{no_thoughts}",
        reply_end="<|im_end|>",
        separator="\n",
        stop_tokens=tuple(token for token in ("<|im_end|>", "<|endoftext|>") if token in added),
        thinks=thinks,
    )


def _plain(tokenizer: "PreTrainedTokenizerBase", added: set[str]) -> ChatFormat:
    bos = str(tokenizer.bos_token or "")
    if added.issuperset(PLAIN_TOKENS):
        user, assistant, end = PLAIN_TOKENS
        return ChatFormat(
            name="plain",
            tokenizer=tokenizer,
            opening="" if bos in PLAIN_TOKENS else bos,
            user_header=user,
            user_end=end,
            assistant_header=assistant,
            reply_end=end,
            separator="",
            stop_tokens=(end,),
        )
    if not tokenizer.eos_token:
        raise ConfigError(
            "the tokenizer has no token for the end of text, so no reply could end; set eos_token, "
            f"or add the special tokens {', '.join(PLAIN_TOKENS)}."
        )
    return ChatFormat(
        name="plain",
        tokenizer=tokenizer,
        opening=bos,
        user_header="User: ",
        user_end="\n\n",
        assistant_header="Assistant:\n",
        reply_end=str(tokenizer.eos_token),
        separator="",
        stop_tokens=(str(tokenizer.eos_token),),
    )


def _check(name: str, tokens: Sequence[str], added: set[str]) -> None:
    missing = [token for token in tokens if token not in added]
    if missing:
        raise ConfigError(
            f"chat={name!r} needs {', '.join(missing)}, which the tokenizer does not have; try "
            "chat='plain'."
        )
