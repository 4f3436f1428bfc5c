"""Completions without a model, for tests and for a look at what an agent asks."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from agents.generation.chat import ChatBackend, ChatRequest, Completion, Usage, stopped
from codefeedback_env import ConfigError


class ScriptedBackend(ChatBackend):
    """Completes each request with what a function says, when it is collected.

    Its tokens are words. ``requests`` holds all that was asked.

    Args:
        answer: the text that follows a request.
    """

    def __init__(self, answer: Callable[[ChatRequest], str]) -> None:
        """See the class."""
        self.requests: list[ChatRequest] = []
        self._answer = answer
        self._waiting: dict[int, ChatRequest] = {}
        self._usage = Usage()

    def submit(self, requests: Sequence[ChatRequest]) -> list[int]:
        """See ChatBackend."""
        tickets = list(range(len(self.requests), len(self.requests) + len(requests)))
        self.requests += requests
        self._waiting.update(zip(tickets, requests, strict=True))
        return tickets

    def collect(self, timeout_s: float | None = None) -> list[tuple[int, Completion]]:
        """See ChatBackend; all that are under way."""
        ended = [(ticket, self._completion(asked)) for ticket, asked in self._waiting.items()]
        self._waiting.clear()
        for _, completion in ended:
            self._usage += completion.usage
        return ended

    def cancel(self, tickets: Sequence[int]) -> None:
        """See ChatBackend."""
        for ticket in tickets:
            self._waiting.pop(ticket, None)

    @property
    def num_unfinished(self) -> int:
        """See ChatBackend."""
        return len(self._waiting)

    @property
    def usage(self) -> Usage:
        """See ChatBackend."""
        return self._usage

    @property
    def cost(self) -> float | None:
        """None."""
        return None

    @property
    def caveats(self) -> Sequence[str]:
        """That there is no model."""
        return ["completions are scripted: there is no model"]

    def close(self) -> None:
        """See ChatBackend."""

    def _completion(self, request: ChatRequest) -> Completion:
        text = self._answer(request)
        num_prompt_tokens = len(request.prompt_ids) + sum(
            len(message["content"].split()) for message in request.messages
        )
        usage = Usage(
            num_requests=1,
            num_prompt_tokens=num_prompt_tokens,
            num_completion_tokens=len(text.split()),
        )
        return stopped(Completion(text=text, usage=usage), request.stop)


def read_script(path: Path) -> Callable[[ChatRequest], str]:
    """The answers of a script: JSON lines ``{"when": pattern, "say": text}``.

    A request is answered by the first line whose pattern, a regular expression, is found in its
    newest message; "" where there is none.

    Raises:
        ConfigError: it cannot be read; the message names the line.
    """
    rules: list[tuple[re.Pattern[str], str]] = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"script {path} cannot be read: {error}.") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            rule = json.loads(line)
            rules.append((re.compile(rule["when"]), str(rule["say"])))
        except (ValueError, KeyError, TypeError, re.error) as error:
            raise ConfigError(
                f"script {path}, line {number} is not of the form "
                f'{{"when": pattern, "say": text}}: {error!r}.'
            ) from error

    def answer(request: ChatRequest) -> str:
        newest = request.messages[-1]["content"] if request.messages else ""
        return next((text for pattern, text in rules if pattern.search(newest)), "")

    return answer
