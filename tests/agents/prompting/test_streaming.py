"""Replies that come one by one: a slow one holds up no other episode."""

import json
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from examples import ADD, ADD_WRONG, SharedJudge, add_problem, fenced
from scripted_models import SAMPLING, Played, conversation

from agents.evaluate import Rollout, play
from agents.generation.base import AtOnce, StreamingGenerator
from agents.generation.scripted import NoCode
from agents.generation.tokens import GeneratorError, Sampling
from agents.prompting.build import choose_player
from agents.prompting.multi_turn import multi_turn
from codefeedback_env import ProblemSet
from codefeedback_env.make import make_vector_env

LONGEST_S = 20.0
"""After which the slow reply comes anyway, so that a failing test ends."""


@pytest.fixture
def slow_and_quick():
    quick = [add_problem(f"quick-{number}") for number in range(3)]
    slow = replace(add_problem("slow"), statement="slow: print the sum of two integers")
    return ProblemSet.from_problems([slow, *quick], name="slow and quick")


@pytest.fixture
def server():
    """Says wrong, then right; holds back what is said to the slow problem until released."""
    released = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if "slow" in body["messages"][0]["content"]:
                released.wait(LONGEST_S)
            is_first = len(body["messages"]) == 1
            message = {"role": "assistant", "content": fenced(ADD_WRONG if is_first else ADD)}
            answer = {"choices": [{"message": message, "finish_reason": "stop"}]}
            content = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1", released
    released.set()
    server.shutdown()
    server.server_close()


@pytest.mark.sandbox
def test_episodes_end_and_others_begin_while_one_reply_is_awaited(server, judge, slow_and_quick):
    pytest.importorskip("httpx2")
    url, released = server
    given = {"backend": "openai", "model": "m", "base_url": url}
    sandbox = SharedJudge(judge)
    policy = choose_player("multi-turn", given).load(slow_and_quick, {"sandbox": sandbox}, 2)
    vec = make_vector_env(2, autoreset_mode="Disabled", dataset=slow_and_quick, sandbox=sandbox)
    names = ["slow", "quick-0", "quick-1", "quick-2"]
    ended = []
    for _, episode in play(vec, [Rollout(name, seed=n) for n, name in enumerate(names)], policy):
        assert episode.problem_id != "slow" or released.is_set()
        ended.append(episode.problem_id)
        if len(ended) == 3:
            released.set()
    # The quick ones took two turns each, one after the other in the second environment, all while
    # the first reply of the slow one was awaited.
    assert ended == ["quick-0", "quick-1", "quick-2", "slow"]
    vec.close()
    policy.close()


def test_an_agent_streams_and_one_that_replies_at_once_is_made_to(add_set):
    played = Played(multi_turn, add_set, str.upper)
    assert isinstance(played.policy, StreamingGenerator)
    talker = NoCode(add_set, {})
    assert not isinstance(talker, StreamingGenerator)
    for stream in (played.policy, AtOnce(talker)):
        first = stream.submit([conversation("a"), conversation("b", seed=1)])
        (last,) = stream.submit([conversation("c", seed=2)])
        replies = {}
        while len(replies) < 3:
            replies.update(stream.collect())
        assert sorted(replies) == sorted([*first, last])
        assert stream.collect() == []
    played.policy.close()


def test_equal_conversations_under_way_share_one_reply(add_set):
    played = Played(multi_turn, add_set, str.upper)
    tickets = played.policy.submit([conversation("a")])
    tickets += played.policy.submit([conversation("a"), conversation("b", seed=1)])
    replies = {}
    while len(replies) < 3:
        replies.update(played.policy.collect())
    assert [replies[ticket] for ticket in tickets] == ["A", "A", "B"]
    assert len(played.main.requests) == 2
    played.policy.close()


def test_a_reply_in_one_call_waits_for_no_others(add_set):
    played = Played(multi_turn, add_set, str.upper)
    played.policy.submit([conversation("a")])
    with pytest.raises(GeneratorError, match="replies under way"):
        played.policy.reply([conversation("b", seed=1)])
    with pytest.raises(GeneratorError, match="replies under way"):
        played.policy.prepare(SAMPLING, add_set, {})
    played.policy.close()
    assert played.main.num_unfinished == 0


def test_other_sampling_and_other_problems_need_no_other_model(add_set, slow_and_quick):
    played = Played(multi_turn, add_set, str.upper)
    played.policy.reply([conversation("a")])
    played.policy.prepare(Sampling(temperature=0.9), slow_and_quick, {})
    assert played.policy.reply([conversation("b", problem_id="slow")]) == ["B"]
    assert [request.sampling.temperature for request in played.main.requests] == [0.5, 0.9]
    played.policy.close()


@pytest.mark.sandbox
def test_a_short_wait_for_a_program_is_short(add_set, judge):
    """What is asked for while a program runs comes back without a reply, not after the program."""

    def runs_something(task):
        yield from task.run_all([fenced("while True: pass")], task.public_tests)
        return "done"

    played = Played(runs_something, add_set, str.upper, judge=SharedJudge(judge))
    played.policy.submit([conversation("a")])
    assert played.policy.collect(timeout_s=0.0) == []
    (reply,) = played.policy.collect()
    assert reply[1] == "done"
    played.policy.close()
