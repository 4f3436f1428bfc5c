"""Dialogues kept in tokens between turns, so that a model reads again the very tokens it wrote."""

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agents.generation.base import Message
from agents.generation.tokens import TokenGenerator

if TYPE_CHECKING:
    from agents.chat import ChatFormat


@dataclass(slots=True)
class Dialogue:
    """A dialogue in tokens."""

    number: int
    """By which the generator knows it."""

    messages: tuple[Message, ...] = ()
    """Those that ``token_ids`` holds."""

    token_ids: tuple[int, ...] = ()
    last_reply_ids: tuple[int, ...] = ()

    def add_reply(self, token_ids: Sequence[int], text: str) -> None:
        """Go on with a reply as it was sampled."""
        self.last_reply_ids = tuple(token_ids)
        self.token_ids += self.last_reply_ids
        self.messages += ({"role": "assistant", "content": text},)


class Dialogues:
    """The dialogues of a generator, by keys that their users choose.

    Replies of others, and those of dialogues no longer kept, are encoded from their text.

    Args:
        tokens: is told which dialogues are over.
        chat: how messages become tokens.
        max_prompt_tokens: the first message is cut to this from the left.
        max_feedback_tokens: later messages of the user are cut to this from the right, but for one
            after an empty reply, which may be as long as a prompt.
        max_dialogues: kept at most; those longest without a reply go first. Several times as many
            as there are at once, for nobody says when one is over.
    """

    def __init__(
        self,
        tokens: TokenGenerator,
        chat: "ChatFormat",
        *,
        max_prompt_tokens: int,
        max_feedback_tokens: int,
        max_dialogues: int,
    ) -> None:
        """See the class."""
        self._tokens = tokens
        self._chat = chat
        self._max_prompt_tokens = max_prompt_tokens
        self._max_feedback_tokens = max_feedback_tokens
        self._max_dialogues = max_dialogues
        self._kept: OrderedDict[Hashable, Dialogue] = OrderedDict()
        self._num_dialogues = 0

    def find(self, key: Hashable | None, messages: Sequence[Message]) -> Dialogue:
        """The dialogue with everything that was said, ready for the next reply.

        Args:
            key: of the dialogue; None for one that is not kept: ``forget`` it when it is done.
            messages: all of it; where they do not begin with what is kept, it begins anew.
        """
        messages = tuple(messages)
        dialogue = None if key is None else self._kept.get(key)
        if dialogue is not None and messages[: len(dialogue.messages)] != dialogue.messages:
            self._tokens.forget([dialogue.number])
            dialogue = None
        if dialogue is None:
            dialogue = Dialogue(self._num_dialogues)
            self._num_dialogues += 1
        if key is not None:
            self._kept[key] = dialogue
            self._kept.move_to_end(key)
        for message in messages[len(dialogue.messages) :]:
            self._append(dialogue, message)
        return dialogue

    def begin(self, token_ids: Sequence[int]) -> Dialogue:
        """A dialogue that is not kept, from its tokens."""
        dialogue = Dialogue(self._num_dialogues, token_ids=tuple(token_ids))
        self._num_dialogues += 1
        return dialogue

    def drop_oldest(self) -> None:
        """Forget those beyond ``max_dialogues``; to be called while no reply is under way."""
        while len(self._kept) > self._max_dialogues:
            _, dialogue = self._kept.popitem(last=False)
            self._tokens.forget([dialogue.number])

    def _append(self, dialogue: Dialogue, message: Message) -> None:
        text = message["content"]
        if message["role"] == "assistant":
            if dialogue.messages and dialogue.messages[-1]["role"] == "assistant":
                # Feedback from a user without header and words leaves the header of a reply.
                wordless = replace(self._chat, user_header="", user_end="")
                dialogue.token_ids += tuple(
                    wordless.feedback_ids(
                        "",
                        last_reply_ids=dialogue.last_reply_ids,
                        max_tokens=self._max_feedback_tokens,
                    )
                )
            ids = dialogue.last_reply_ids = tuple(self._chat.reply_ids(text))
        elif not dialogue.messages:
            ids = tuple(self._chat.prompt_ids(text, self._max_prompt_tokens))
        else:
            ids = tuple(
                self._chat.feedback_ids(
                    text,
                    last_reply_ids=dialogue.last_reply_ids,
                    # After an empty reply a new problem begins, as in few-shot prompts.
                    max_tokens=self._max_feedback_tokens
                    if dialogue.messages[-1]["content"]
                    else self._max_prompt_tokens,
                )
            )
        dialogue.token_ids += ids
        dialogue.messages += (message,)
