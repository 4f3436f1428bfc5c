"""Any server that speaks OpenAI's protocol as a backend of prompting agents.

Over plain HTTP with httpx2, which the agents' own libraries bring along, rather than the client of
OpenAI: all it would add is types for one vendor, with retries and limits of its own in between.
"""

import asyncio
import importlib.util
import os
import queue
import random
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from agents.generation.chat import ChatBackend, ChatRequest, Completion, Remarks, Usage, stopped
from agents.generation.openai_limits import Backoff, Window, retry_after_s
from agents.generation.openai_wire import (
    ContextTooLongError,
    TryAgain,
    body_of,
    check_status,
    guessed_tokens,
    path_of,
    read_completion,
)
from agents.generation.tokens import GeneratorError
from codefeedback_env import ConfigError

if TYPE_CHECKING:
    import httpx2

LENGTH_FIELDS = ("max_tokens", "max_completion_tokens")


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """How to speak with a server."""

    base_url: str = "https://api.openai.com/v1"
    """Of the server, such as http://localhost:8000/v1."""

    api_key_env: str = "OPENAI_API_KEY"
    """Environment variable with the key; servers that need none are asked without."""

    max_parallel: int = 64
    """Requests at once."""

    requests_per_minute: int | None = None
    """At most, attempts that fail included."""

    tokens_per_minute: int | None = None
    """At most, of prompts and replies; guessed before, corrected after each reply."""

    connect_timeout_s: float = 10.0
    """To reach the server."""

    read_timeout_s: float = 600.0
    """For a whole reply to come."""

    max_retries: int = 6
    """Of one request, after which the run ends."""

    length_field: str = "max_tokens"
    """What the server calls the longest reply: max_tokens or max_completion_tokens."""

    price_per_million_prompt_tokens: float | None = None
    """For the cost in the summary."""

    price_per_million_reply_tokens: float | None = None
    """For the cost in the summary."""

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ConfigError: a value is out of range; says which.
        """
        if not self.base_url.startswith(("http://", "https://")):
            raise ConfigError(f"base_url={self.base_url!r} must begin with http:// or https://.")
        for name in ("max_parallel", "requests_per_minute", "tokens_per_minute"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name}={value} must be at least 1.")
        for name in ("connect_timeout_s", "read_timeout_s"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name}={getattr(self, name)} must be positive.")
        if self.max_retries < 0:
            raise ConfigError(f"max_retries={self.max_retries} must not be negative.")
        if self.length_field not in LENGTH_FIELDS:
            raise ConfigError(
                f"length_field={self.length_field!r} is none of {', '.join(LENGTH_FIELDS)}."
            )
        prices = (self.price_per_million_prompt_tokens, self.price_per_million_reply_tokens)
        if (prices[0] is None) != (prices[1] is None):
            raise ConfigError("give both prices, of prompt and of reply tokens, or none.")


class OpenAIBackend(ChatBackend):
    """A ``ChatBackend`` over a server. Requests travel in a thread of its own.

    What may pass (too many requests, errors of the server, lost connections, garbled answers) is
    tried again, later each time, and not before the server's ``Retry-After``. A prompt that does
    not fit into the model's context gets an empty completion, which is counted; other refusals are
    errors.

    Args:
        model: its name on the server.
        settings: see there.
        backoff: between attempts.
        clock: seconds, for the limits on a minute.
        sleep: waits for as many seconds.

    Raises:
        ConfigError: httpx2 is not installed.
    """

    def __init__(
        self,
        model: str,
        settings: ServerSettings,
        *,
        backoff: Backoff | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Start the thread; nothing is sent yet."""
        if importlib.util.find_spec("httpx2") is None:
            raise ConfigError("a server needs httpx2: pip install 'codefeedback-env[server]'.")
        self._model = model
        self._settings = settings
        self._backoff = backoff or Backoff()
        self._clock = clock
        self._sleep = sleep
        self._random = random.Random()
        self._requests = Window(settings.requests_per_minute)
        self._tokens = Window(settings.tokens_per_minute)
        self._under_way: dict[int, Future[Completion]] = {}
        self._ended: queue.SimpleQueue[tuple[int, Future[Completion]]] = queue.SimpleQueue()
        self._num_tickets = 0
        self._usage = Usage()
        self._num_retries = 0
        self._remarks = Remarks()
        self._too_long = ""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="requests to a server", daemon=True
        )
        self._thread.start()
        self._client = self._wait_for(self._connect())
        self._places = asyncio.Semaphore(settings.max_parallel)
        self._turnstile = asyncio.Lock()

    def submit(self, requests: Sequence[ChatRequest]) -> list[int]:
        """See ChatBackend."""
        if not self._thread.is_alive():
            raise ConfigError("the backend is closed.")
        tickets = list(range(self._num_tickets, self._num_tickets + len(requests)))
        self._num_tickets += len(requests)
        for ticket, request in zip(tickets, requests, strict=True):
            future = asyncio.run_coroutine_threadsafe(self._completion(request), self._loop)
            self._under_way[ticket] = future
            future.add_done_callback(lambda done, ticket=ticket: self._ended.put((ticket, done)))  # type: ignore[misc]  # mypy takes no lambda with a default
        return tickets

    def collect(self, timeout_s: float | None = None) -> list[tuple[int, Completion]]:
        """See ChatBackend."""
        end = None if timeout_s is None else time.monotonic() + timeout_s
        found: list[tuple[int, Completion]] = []
        while self._under_way:
            try:
                if found:
                    ticket, future = self._ended.get_nowait()
                else:
                    left = None if end is None else max(end - time.monotonic(), 0.0)
                    ticket, future = self._ended.get(timeout=left)
            except queue.Empty:
                break
            if ticket not in self._under_way:
                continue  # cancelled
            if found and future.exception() is not None:
                self._ended.put((ticket, future))  # for the next call: these are not to be lost
                break
            del self._under_way[ticket]
            try:
                completion = future.result()
                self._remarks.count(completion)
            except ContextTooLongError as error:
                completion = Completion(text="", is_cut=True, usage=Usage(num_requests=1))
                self._remarks.num_without_room += 1
                self._too_long = str(error)
            self._usage += completion.usage
            found.append((ticket, completion))
        return found

    def cancel(self, tickets: Sequence[int]) -> None:
        """See ChatBackend; closes their connections, by which servers know to stop."""
        for ticket in tickets:
            future = self._under_way.pop(ticket, None)
            if future is not None:
                future.cancel()

    @property
    def num_unfinished(self) -> int:
        """See ChatBackend."""
        return len(self._under_way)

    @property
    def usage(self) -> Usage:
        """See ChatBackend."""
        return replace(self._usage, num_retries=self._num_retries)

    @property
    def cost(self) -> float | None:
        """By the prices of the settings."""
        prompt_price = self._settings.price_per_million_prompt_tokens
        reply_price = self._settings.price_per_million_reply_tokens
        if prompt_price is None or reply_price is None:
            return None
        prompt_cost = self._usage.num_prompt_tokens * prompt_price
        return (prompt_cost + self._usage.num_completion_tokens * reply_price) / 1e6

    @property
    def caveats(self) -> Sequence[str]:
        """How many completions were cut off, and how many prompts were too long, in its words."""
        remarks = self._remarks.caveats
        return [*remarks, f"the server last said: {self._too_long}"] if self._too_long else remarks

    def close(self) -> None:
        """Give up requests under way and close all connections."""
        if not self._thread.is_alive():
            return
        self.cancel(list(self._under_way))
        self._wait_for(self._disconnect())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # In the thread

    def _wait_for(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def _connect(self) -> "httpx2.AsyncClient":
        import httpx2

        settings = self._settings
        key = os.environ.get(settings.api_key_env, "").strip()
        timeout = httpx2.Timeout(settings.read_timeout_s, connect=settings.connect_timeout_s)
        limits = httpx2.Limits(
            max_connections=settings.max_parallel, max_keepalive_connections=settings.max_parallel
        )
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx2.AsyncClient(headers=headers, timeout=timeout, limits=limits)

    async def _disconnect(self) -> None:
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._client.aclose()

    async def _completion(self, request: ChatRequest) -> Completion:
        """Attempts until one succeeds.

        Raises:
            GeneratorError: the server refused, or all attempts failed.
        """
        for attempt in range(self._settings.max_retries + 1):
            try:
                async with self._places:
                    return await self._attempt(request)
            except TryAgain as failure:
                last = failure
            if attempt < self._settings.max_retries:
                self._num_retries += 1
                asked_for = retry_after_s(last.retry_after)
                await self._sleep(self._backoff.delay_s(attempt, asked_for, self._random))
        raise GeneratorError(
            f"{self._settings.max_retries + 1} attempts failed; the last one: {last.reason}. See "
            "--max-retries, --requests-per-minute and --read-timeout-s."
        )

    async def _attempt(self, request: ChatRequest) -> Completion:
        import httpx2

        entry = await self._admission(guessed_tokens(request))
        url = f"{self._settings.base_url.rstrip('/')}/{path_of(request)}"
        body = body_of(request, self._model, self._settings.length_field)
        try:
            # The whole answer has to come in time: a server may go on sending single bytes.
            async with asyncio.timeout(
                self._settings.connect_timeout_s + self._settings.read_timeout_s
            ):
                answer = await self._client.post(url, json=body)
        except (httpx2.TransportError, httpx2.DecodingError, TimeoutError) as error:
            raise TryAgain(f"{url} gave no answer: {error!r}") from error
        except httpx2.InvalidURL as error:
            raise ConfigError(
                f"base_url={self._settings.base_url!r} is no URL: {error}."
            ) from error
        retry_after = answer.headers.get("retry-after")
        check_status(answer.status_code, answer.content, retry_after, url, self._model)
        completion = read_completion(answer.content, request)
        used = completion.usage.num_prompt_tokens + completion.usage.num_completion_tokens
        entry.amount = used or entry.amount
        return stopped(completion, request.stop)

    async def _admission(self, num_tokens: int) -> Any:
        """Wait, in the order of arrival, until the minute has room; returns the tokens' entry."""
        async with self._turnstile:
            while delay := max(
                self._requests.delay_s(self._clock(), 1),
                self._tokens.delay_s(self._clock(), num_tokens),
            ):
                await self._sleep(delay)
            self._requests.take(self._clock(), 1)
            return self._tokens.take(self._clock(), num_tokens)
