"""Dialogues in tokens for trainers that bring a tokenizer with a chat template.

What a model sampled is never encoded again: of every later message only what the template puts
after the last reply is.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from codefeedback_env import ConfigError

Messages = Sequence[Mapping[str, Any]]

# Stand in for texts in a template's rendering; no statement or program has a reason to hold them.
_REPLY = "reply-c0f3a8d1"
_TEXT = "text-5b7e92f4"
_THOUGHTS, _END_OF_THOUGHTS = "<think>", "</think>"


class TemplateChat:
    """A tokenizer's chat template, one turn at a time.

    Control tokens are those that the template writes. In statements and feedback, which may quote
    what a program printed, their names are encoded as plain text.

    Args:
        tokenizer: of the transformers library, with a chat template.
        options: further arguments of the template.
        stop_ids: tokens that may end a reply.

    Raises:
        ConfigError: there is no chat template.
    """

    def __init__(self, tokenizer: Any, options: Mapping[str, Any], stop_ids: Sequence[int]) -> None:
        """See the class."""
        if not getattr(tokenizer, "chat_template", None):
            raise ConfigError(
                "the tokenizer has no chat template; set tokenizer.chat_template, or take the "
                "tokenizer of an instruct model."
            )
        self._tokenizer = tokenizer
        self._options = dict(options)
        self._stop_ids = frozenset(stop_ids)

    def prompt_ids(self, messages: Messages) -> list[int]:
        """Everything before the first reply; the last of ``messages`` is the problem."""
        return self._ids(messages, after="")

    def feedback_ids(
        self, messages: Messages, feedback: str, last_reply_ids: Sequence[int]
    ) -> list[int]:
        """Everything between a reply and the next.

        Args:
            messages: of the prompt.
            feedback: what the environment answered.
            last_reply_ids: as sampled; where the token that ends a turn is missing, because the
                reply was cut, it comes first in what is returned.

        Raises:
            ConfigError: the template does not show earlier replies.
        """
        reply = {"role": "assistant", "content": _REPLY}
        ids = self._ids([*messages, reply, {"role": "user", "content": feedback}], after=_REPLY)
        has_end = bool(ids and last_reply_ids) and last_reply_ids[-1] == ids[0]
        return ids[1:] if has_end and ids[0] in self._stop_ids else ids

    def reply_text(self, reply_ids: Sequence[int]) -> str:
        """What a reply says, without the token that ends it and, of thinking models, thoughts."""
        said = list(reply_ids)
        if said and said[-1] in self._stop_ids:
            del said[-1]
        text = str(self._tokenizer.decode(said, skip_special_tokens=False))
        if _END_OF_THOUGHTS not in self._control_ids:
            return text
        if _END_OF_THOUGHTS in text:
            return text.rpartition(_END_OF_THOUGHTS)[2].lstrip("\n")
        # Thoughts that were cut short say nothing yet.
        return "" if self._begins_with_thoughts or _THOUGHTS in text else text

    def _ids(self, messages: Messages, after: str) -> list[int]:
        """Ids of what the template writes behind ``after``, up to the reply that is due."""
        text = messages[-1]["content"]
        if self._control_pattern.search(text) is None:
            return self._encode(self._rendered(messages, after))
        veiled = [*messages[:-1], {**messages[-1], "content": _TEXT}]
        before, _, rest = self._rendered(veiled, after).partition(_TEXT)
        return [*self._encode(before), *self._plain_ids(text), *self._encode(rest)]

    def _rendered(self, messages: Messages, after: str) -> str:
        rendered = str(
            self._tokenizer.apply_chat_template(
                list(messages), tokenize=False, add_generation_prompt=True, **self._options
            )
        )
        if after not in rendered:
            raise ConfigError(
                "the chat template does not show earlier replies word for word, so a dialogue "
                "cannot go on in tokens; choose another chat template."
            )
        return rendered.partition(after)[2] if after else rendered

    def _encode(self, text: str) -> list[int]:
        if not text:
            return []
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False, verbose=False)
        return ids

    def _plain_ids(self, text: str) -> list[int]:
        """Ids of a text, cut within the name of each control token in it."""
        name = self._control_pattern.search(text)
        if name is None:
            return self._encode(text)
        cut = name.start() + 1
        return [*self._encode(text[:cut]), *self._plain_ids(text[cut:])]

    @cached_property
    def _begins_with_thoughts(self) -> bool:
        rendered = self._rendered([{"role": "user", "content": _TEXT}], after="")
        return rendered.rstrip().endswith(_THOUGHTS)

    @cached_property
    def _control_ids(self) -> dict[str, int]:
        """Tokens with a meaning beyond their text: special ones, and those written ``<...>``."""
        special = set(self._tokenizer.all_special_tokens) - {self._tokenizer.unk_token}
        return {
            name: number
            for name, number in self._tokenizer.get_added_vocab().items()
            if name in special or re.fullmatch(r"<.+>", name, re.DOTALL)
        }

    @cached_property
    def _control_pattern(self) -> re.Pattern[str]:
        longest_first = sorted(self._control_ids, key=len, reverse=True)
        # Without any, a pattern that never matches.
        return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
