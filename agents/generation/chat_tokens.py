"""A model in this process as a backend of prompting agents: torch or vLLM."""

import time
from collections.abc import Hashable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agents.generation.chat import ChatBackend, ChatRequest, Completion, Remarks, Usage, stopped
from agents.generation.chat_dialogues import Dialogue, Dialogues
from agents.generation.model import ModelSettings, load_chat, load_tokens
from agents.generation.tokens import TokenGenerator, TokenReply, TokenRequest
from codefeedback_env import ConfigError

if TYPE_CHECKING:
    from agents.chat import ChatFormat


@dataclass(frozen=True, slots=True)
class _UnderWay:
    ticket: int
    request: ChatRequest
    dialogue: Dialogue
    key: Hashable | None


class TokenBackend(ChatBackend):
    """A ``ChatBackend`` over a ``TokenGenerator``.

    A prompt that leaves no room for one token gets an empty completion, which is counted. A stop
    text ends the text of a completion, not the sampling of its tokens.

    Args:
        tokens: continues dialogues; closed with this.
        chat: how messages become tokens.
        settings: lengths; sampling is the requests' own.
        max_dialogues: kept between turns at most, of those that have a key.
    """

    def __init__(
        self,
        tokens: TokenGenerator,
        chat: "ChatFormat",
        settings: ModelSettings,
        *,
        max_dialogues: int = 4096,
    ) -> None:
        """See the class."""
        if settings.max_context_tokens > tokens.max_context:
            raise ConfigError(
                f"max_context_tokens={settings.max_context_tokens} is more than the "
                f"{tokens.max_context} of the generator; lower it."
            )
        self._tokens = tokens
        self._chat = chat
        self._max_context = settings.max_context_tokens
        self._dialogues = Dialogues(
            tokens,
            chat,
            max_prompt_tokens=settings.max_prompt_tokens,
            max_feedback_tokens=settings.max_feedback_tokens,
            max_dialogues=max_dialogues,
        )
        self._under_way: dict[int, _UnderWay] = {}  # by number of the dialogue
        self._ended: list[tuple[int, Completion]] = []
        self._num_tickets = 0
        self._usage = Usage()
        self._remarks = Remarks()

    def submit(self, requests: Sequence[ChatRequest]) -> list[int]:
        """See ChatBackend."""
        tickets = list(range(self._num_tickets, self._num_tickets + len(requests)))
        self._num_tickets += len(requests)
        busy = {item.key for item in self._under_way.values()}
        begun: list[TokenRequest] = []
        for ticket, request in zip(tickets, requests, strict=True):
            # A second request of a dialogue under way goes on from a copy of it.
            key = None if request.dialogue in busy else request.dialogue
            busy.add(request.dialogue)
            if request.prompt_ids:
                dialogue = self._dialogues.begin(request.prompt_ids)
            else:
                dialogue = self._dialogues.find(key, request.messages)
            room = self._max_context - len(dialogue.token_ids)
            if room < 1:
                empty = Completion(text="", is_cut=True, usage=Usage(num_requests=1))
                self._usage += empty.usage
                self._remarks.num_without_room += 1
                self._ended.append((ticket, empty))
                continue
            self._under_way[dialogue.number] = _UnderWay(ticket, request, dialogue, key)
            longest = min(room, request.sampling.max_new_tokens)
            begun.append(
                TokenRequest(
                    dialogue=dialogue.number,
                    prompt_ids=dialogue.token_ids,
                    seed=request.seed,
                    sampling=replace(request.sampling, max_new_tokens=longest),
                )
            )
        try:
            self._tokens.add(begun)
        except ConfigError:  # of one request; none has begun
            for refused in begun:
                del self._under_way[refused.dialogue]
            raise
        return tickets

    def collect(self, timeout_s: float | None = None) -> list[tuple[int, Completion]]:
        """See ChatBackend; each call advances the model by one step at least."""
        end = None if timeout_s is None else time.monotonic() + timeout_s
        while self._under_way:
            for reply in self._tokens.step():
                self._finish(reply)
            if self._ended or (end is not None and time.monotonic() >= end):
                break
        if not self._under_way:
            self._dialogues.drop_oldest()
        ended, self._ended = self._ended, []
        return ended

    def cancel(self, tickets: Sequence[int]) -> None:
        """See ChatBackend."""
        gone = set(tickets)
        numbers = [n for n, item in self._under_way.items() if item.ticket in gone]
        for number in numbers:
            del self._under_way[number]
        self._tokens.forget(numbers)
        self._ended = [item for item in self._ended if item[0] not in gone]

    @property
    def num_unfinished(self) -> int:
        """See ChatBackend."""
        return len(self._under_way) + len(self._ended)

    @property
    def usage(self) -> Usage:
        """See ChatBackend."""
        return self._usage

    @property
    def cost(self) -> float | None:
        """None: a model of one's own has no price."""
        return None

    @property
    def caveats(self) -> Sequence[str]:
        """How many completions were cut off, and how many not asked for."""
        return self._remarks.caveats

    def close(self) -> None:
        """Release the model."""
        self._tokens.close()

    def _finish(self, reply: TokenReply) -> None:
        item = self._under_way.pop(reply.dialogue)
        usage = Usage(
            num_requests=1,
            num_prompt_tokens=len(item.dialogue.token_ids),
            num_completion_tokens=len(reply.token_ids),
        )
        completion = Completion(
            text=self._chat.reply_text(reply.token_ids),
            token_ids=tuple(reply.token_ids),
            logprobs=tuple(reply.logprobs) if item.request.wants_logprobs else None,
            is_cut=reply.is_cut,
            usage=usage,
        )
        if item.key is None:
            self._tokens.forget([reply.dialogue])
        else:
            item.dialogue.add_reply(reply.token_ids, completion.text)
        self._usage += usage
        self._remarks.count(completion)
        self._ended.append((item.ticket, stopped(completion, item.request.stop)))


def load_token_backend(model: str, settings: ModelSettings, num_requests: int) -> TokenBackend:
    """A model in this process.

    Args:
        model: folder or hub name.
        settings: everything else.
        num_requests: that advance at once, at most.

    Raises:
        ConfigError: it cannot be loaded, or does not fit the settings.
    """
    chat = load_chat(model, settings.chat)
    tokens = load_tokens(model, settings, chat, num_requests)
    with ExitStack() as stack:
        stack.enter_context(closing(tokens))
        backend = TokenBackend(tokens, chat, settings, max_dialogues=max(1024, 8 * num_requests))
        stack.pop_all()
    return backend
