"""The OpenAI protocol for completions, as many servers speak it: bodies, answers, errors."""

import json
from collections.abc import Mapping
from typing import Any

from agents.generation.chat import ChatRequest, Completion, Usage
from agents.generation.tokens import GeneratorError

CHARS_PER_TOKEN = 4
"""A guess, for a limit on tokens: what a prompt takes is known only afterwards."""

RETRIED_STATUSES = frozenset({408, 409, 425, 429})
"""And all from 500 on."""

NO_MONEY_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
TOO_LONG_CODES = frozenset({"context_length_exceeded", "string_above_max_length"})
TOO_LONG_WORDS = (
    "maximum context length",
    "context length",
    "context window",
    "prompt is too long",
)


class ServerError(GeneratorError):
    """A server refused a request, and would again."""


class ContextTooLongError(ServerError):
    """The prompt and the longest reply do not fit into the model's context."""


class TryAgain(Exception):
    """An attempt failed in a way that may pass.

    Args:
        reason: for the message, should no other attempt succeed.
        retry_after: the server's header of that name.
    """

    def __init__(self, reason: str, retry_after: str | None = None) -> None:
        """See the class."""
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


def path_of(request: ChatRequest) -> str:
    """Where it is posted, after the server's base URL."""
    return "completions" if request.prompt_ids else "chat/completions"


def body_of(request: ChatRequest, model: str, length_field: str) -> dict[str, Any]:
    """What is posted; fields beyond OpenAI's own are there only where they say something."""
    sampling = request.sampling
    body: dict[str, Any] = {
        "model": model,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        length_field: sampling.max_new_tokens,
        "seed": request.seed,
        "stream": False,
    }
    if sampling.top_k:
        body["top_k"] = sampling.top_k
    if request.stop:
        body["stop"] = list(request.stop)
    if request.prompt_ids:
        body["prompt"] = list(request.prompt_ids)
        if request.wants_logprobs:
            body["logprobs"] = 1
    else:
        body["messages"] = [dict(message) for message in request.messages]
        if request.wants_logprobs:
            body["logprobs"] = True
    return body


def guessed_tokens(request: ChatRequest) -> int:
    """About how many tokens prompt and completion take at most."""
    num_chars = sum(len(message["content"]) for message in request.messages)
    num_prompt = len(request.prompt_ids) + num_chars // CHARS_PER_TOKEN
    return num_prompt + request.sampling.max_new_tokens


def read_completion(content: bytes, request: ChatRequest) -> Completion:
    """The completion that a server sent.

    Raises:
        TryAgain: it is no completion; what stands between client and server may have cut it.
    """
    try:
        answer = json.loads(content)
        choice = answer["choices"][0]
        is_chat = not request.prompt_ids
        text = (choice["message"].get("content") if is_chat else choice["text"]) or ""
        if not isinstance(text, str):
            raise TypeError(f"text is a {type(text).__name__}")
        usage = answer.get("usage") or {}
        logprobs = _logprobs(choice.get("logprobs") or {}, is_chat)
        token_ids = choice.get("token_ids")
        return Completion(
            text=text,
            token_ids=None if token_ids is None else tuple(map(int, token_ids)),
            logprobs=logprobs if request.wants_logprobs else None,
            is_cut=choice.get("finish_reason") == "length",
            usage=Usage(
                num_requests=1,
                num_prompt_tokens=int(usage.get("prompt_tokens") or 0),
                num_completion_tokens=int(usage.get("completion_tokens") or 0),
            ),
        )
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise TryAgain(f"answered with no completion ({error!r}): {content[:200]!r}") from error


def check_status(
    status: int, content: bytes, retry_after: str | None, url: str, model: str
) -> None:
    """Do nothing where the status is good.

    Raises:
        TryAgain: the server is busy or broken for now.
        ContextTooLongError: the prompt is too long.
        ServerError: it refused; the message says what to change.
    """
    if 200 <= status < 300:
        return
    code, words = _error(content)
    said = f"{url} answered {status}: {words}"
    if code in NO_MONEY_CODES:
        raise ServerError(f"{said}. The account has no credit left.")
    if status in RETRIED_STATUSES or status >= 500:
        raise TryAgain(said, retry_after)
    if status in (400, 413, 422) and (
        code in TOO_LONG_CODES or any(text in words.lower() for text in TOO_LONG_WORDS)
    ):
        raise ContextTooLongError(f"{said}. Ask with a shorter prompt or a lower max_reply_tokens.")
    if status in (401, 403):
        raise ServerError(f"{said}. Check the key in the environment variable of --api-key-env.")
    if status == 404 and "model" in f"{code} {words}".lower():
        raise ServerError(f"{said}. Check --model: the server has no {model!r}.")
    if status == 404:
        raise ServerError(f"{said}. Check --base-url, which mostly ends in /v1.")
    if status == 400 and "max_completion_tokens" in words:
        raise ServerError(f"{said}. Try --length-field max_completion_tokens.")
    raise ServerError(f"{said}.")


def _logprobs(found: Mapping[str, Any], is_chat: bool) -> tuple[float, ...] | None:
    if is_chat:
        content = found.get("content")
        return None if content is None else tuple(float(token["logprob"]) for token in content)
    values = found.get("token_logprobs")
    return None if values is None else tuple(map(float, values))


def _error(content: bytes) -> tuple[str, str]:
    """Code and words of an error, in any of the forms there are."""
    try:
        answer = json.loads(content)
    except ValueError:
        return "", content[:300].decode("utf-8", "replace").strip()
    error = answer.get("error", answer) if isinstance(answer, dict) else answer
    if not isinstance(error, dict):
        return "", str(error)[:300]
    words = error.get("message") or error.get("detail") or error
    return str(error.get("code") or error.get("type") or ""), str(words)[:300].rstrip(".")
