"""Prompting agents in whole episodes, from the command line."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from examples import SharedJudge

from agents.__main__ import main
from agents.evaluate import Rollout
from agents.evaluate import play as evaluate_play
from agents.generation.scripted import as_reply
from agents.prompting.build import PROMPTING_AGENTS, choose_player
from codefeedback_env import (
    ConfigError,
    EndedBy,
    Episode,
    Turn,
    load_problems,
    read_episodes,
)
from codefeedback_env.make import make_vector_env

MODELS = {
    "silent": [],
    "talking": [{"when": "", "say": "Well, 7 of 9 ``` plans ``` are fine. Input: Output:"}],
    "unfinished": [{"when": "", "say": "```python\nwhile ("}],
    "broken": [{"when": "", "say": "```python\nraise SystemExit(3)\n```\n```\n```\n"}],
    "odd": [
        {"when": "", "say": "```python\n\udcff\x00\n```\nInput:\n```\n\x00\n```\nOutput:\n```\n"}
    ],
}
SMALL = {
    "sampling-and-filtering": {"num_samples": 3},
    "role-play": {"num_plans": 2, "num_debugs": 1},
    "plan-and-repair": {"num_repairs": 1},
}


@pytest.fixture(scope="module")
def problem():
    """A bundled problem and a right program for it."""
    problems = load_problems("bundled")
    problem_id = problems.ids[0]
    return problem_id, problems.reference_programs(problem_id)[0].source_code


@pytest.fixture
def play(judge, tmp_path):
    """Plays episodes of an agent whose model answers by rules; returns what they were."""
    made = []
    problems = load_problems("bundled")

    def play(agent, rules, problem_ids, name="script"):
        script = tmp_path / f"{name}.jsonl"
        script.write_text("".join(json.dumps(rule) + "\n" for rule in rules))
        given = {"backend": "scripted", "script": script, **SMALL.get(agent, {})}
        if agent == "repair-model":
            given["repair_model"] = "other"
        if agent == "few-shot":
            given["shots"] = tmp_path / "episodes.jsonl"
            given["shots"].write_text(two_turns(problems.ids[-1]).to_json() + "\n")
        sandbox = SharedJudge(judge)
        policy = choose_player(agent, given).load(problems, {"sandbox": sandbox}, 2)
        vec = make_vector_env(2, autoreset_mode="Disabled", dataset=problems, sandbox=sandbox)
        made.extend([policy, vec])
        rollouts = [Rollout(problem_id, seed=n) for n, problem_id in enumerate(problem_ids)]
        return [episode for _, episode in evaluate_play(vec, rollouts, policy)], policy

    yield play
    for thing in made:
        thing.close()


def two_turns(problem_id):
    """A record of an episode that was solved at the second attempt."""
    turns = tuple(
        Turn(reply=reply, submission=None, public_report=None, feedback=feedback, reward=0.0)
        for reply, feedback in (("first", "wrong"), ("second", ""))
    )
    return Episode(
        problem_id=problem_id,
        seed=0,
        prompt="question",
        turns=turns,
        reward=1.0,
        private_passed=True,
        ended_by=EndedBy.TESTS_PASSED,
    )


@pytest.mark.sandbox
@pytest.mark.parametrize("agent", PROMPTING_AGENTS)
def test_every_agent_hands_in_what_its_model_solves(play, agent, problem):
    problem_id, program = problem
    problems = load_problems("bundled")
    statement = problems[problem_id].statement
    rules = [{"when": re.escape(statement[:40]), "say": as_reply(program)}]
    episodes, policy = play(agent, rules, problems.ids[:2])
    assert {e.problem_id: e.private_passed for e in episodes} == {
        problem_id: True,
        problems.ids[1]: False,
    }
    (right,) = (e for e in episodes if e.problem_id == problem_id)
    assert len(right.turns) == 1
    assert policy.spent["num_replies"] == 1 + 3


@pytest.mark.sandbox
@pytest.mark.parametrize("agent", PROMPTING_AGENTS)
def test_a_useless_model_ends_every_episode_at_the_turn_limit(play, agent):
    ids = load_problems("bundled").ids[:2]
    for name, rules in MODELS.items():
        episodes, _ = play(agent, rules, ids, name)
        assert [episode.ended_by for episode in episodes] == [EndedBy.TURN_LIMIT] * 2, name
        assert [len(episode.turns) for episode in episodes] == [3, 3]
        assert not any(episode.private_passed for episode in episodes)


@pytest.mark.sandbox
def test_the_command_line_plays_a_script_and_reports_what_it_took(tmp_path, problem, capsys):
    script = tmp_path / "script.jsonl"
    script.write_text(json.dumps({"when": "", "say": as_reply(problem[1])}) + "\n")
    out = tmp_path / "out"
    arguments = ["--agent", "sampling-and-filtering", "--num-samples", "4", "--num-inputs", "0"]
    arguments += ["--backend", "scripted", "--script", str(script), "--turn-limit", "1"]
    assert main(["evaluate", *arguments, "--out", str(out)]) == 0
    summary = json.loads((out / "summary.json").read_text())
    episodes = list(read_episodes(out / "episodes.jsonl"))
    assert {e.problem_id for e in episodes if e.private_passed} == {problem[0]}
    assert summary["spent"]["completions_per_reply"] == 4
    assert summary["spent"]["num_replies"] == len(episodes)
    assert summary["model"]["num_samples"] == 4
    assert summary["model"]["script"] == str(script)
    assert "num_plans" not in summary["model"]
    assert "4.0 for each reply" in capsys.readouterr().out


@pytest.mark.sandbox
def test_a_model_here_plays_multi_turn_as_the_model_agent_does(tmp_path):
    torch = pytest.importorskip("torch")
    tiny_models = pytest.importorskip("tiny_models")
    torch.set_num_threads(1)
    folder = tiny_models.save_tiny(tmp_path / "tiny")
    limits = ["--max-prompt-tokens", "64", "--max-feedback-tokens", "64"]
    limits += ["--max-reply-tokens", "12", "--max-context-tokens", "384"]
    limits += ["--precision", "float32", "--temperature", "1.0", "--num-problems", "2"]
    replies = []
    for agent in ("model", "multi-turn"):
        out = tmp_path / agent
        arguments = ["--agent", agent, "--model", str(folder), "--out", str(out), *limits]
        assert main(["evaluate", *arguments]) == 0
        episodes = read_episodes(out / "episodes.jsonl")
        replies.append({e.seed: [turn.reply for turn in e.turns] for e in episodes})
    assert replies[0] == replies[1]
    assert all(len(set(texts)) == 3 for texts in replies[0].values())
    spent = json.loads((tmp_path / "multi-turn" / "summary.json").read_text())["spent"]
    assert spent["models"]["main"]["num_requests"] == 6
    assert spent["models"]["main"]["num_completion_tokens"] <= 6 * 12


@pytest.fixture
def server(problem):
    """Solves everything by the program of one problem; counts 100 and 10 tokens."""

    bodies = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            message = {"message": {"content": as_reply(problem[1])}, "finish_reason": "stop"}
            usage = {"prompt_tokens": 100, "completion_tokens": 10}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"choices": [message], "usage": usage}).encode())

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1", bodies
    server.shutdown()
    server.server_close()


@pytest.mark.sandbox
def test_a_servers_model_plays_and_its_cost_is_reported(tmp_path, server, problem, capsys):
    pytest.importorskip("httpx2")
    url, bodies = server
    out = tmp_path / "out"
    arguments = ["--agent", "single-turn", "--backend", "openai", "--base-url", url]
    arguments += ["--model", "some/name", "--temperature", "0.7", "--max-reply-tokens", "9000"]
    arguments += ["--price-per-million-prompt-tokens", "1000"]
    arguments += ["--price-per-million-reply-tokens", "10000", "--turn-limit", "2"]
    assert main(["evaluate", *arguments, "--out", str(out)]) == 0
    summary = json.loads((out / "summary.json").read_text())
    episodes = list(read_episodes(out / "episodes.jsonl"))
    assert {e.problem_id for e in episodes if e.private_passed} == {problem[0]}
    assert len(bodies) == sum(len(episode.turns) for episode in episodes)
    assert {(b["model"], b["temperature"], b["max_tokens"]) for b in bodies} == {
        ("some/name", 0.7, 9000)
    }
    spent = summary["spent"]["models"]["main"]
    assert spent["num_requests"] == len(bodies)
    assert spent["cost"] == pytest.approx(len(bodies) * 0.2)  # 100 at 0.001 and 10 at 0.01
    assert f"{len(bodies) * 0.2:.2f}" in capsys.readouterr().out
    assert summary["model"]["base_url"] == url
    assert "precision" not in summary["model"]


@pytest.mark.parametrize(
    ("agent", "given", "message"),
    [
        ("single-turn", {}, "--agent single-turn needs --model"),
        ("single-turn", {"backend": "gpt"}, "backend='gpt' is none of torch, vllm, openai"),
        (
            "single-turn",
            {"num_samples": 3},
            "--num-samples has no meaning with --agent single-turn",
        ),
        ("single-turn", {"base_url": "http://x"}, "--base-url has no meaning with --backend torch"),
        ("single-turn", {"generator": "vllm"}, "here --backend says which"),
        (
            "single-turn",
            {"backend": "openai", "precision": "float32"},
            "--precision has no meaning",
        ),
        ("single-turn", {"backend": "scripted"}, "--backend scripted needs --script"),
        ("single-turn", {"repair_model": "m"}, "--agent repair-model needs --repair-model"),
        ("repair-model", {}, "--agent repair-model needs --repair-model"),
        ("few-shot", {}, "--agent few-shot needs --shots"),
        ("role-play", {"num_plans": 0}, "num_plans=0 must be at least 1"),
        ("role-play", {"num_debugs": -1}, "num_debugs=-1 must not be negative"),
    ],
)
def test_options_that_do_not_fit_are_named(agent, given, message):
    more = {} if "needs --model" in message else {"model": "m"}
    with pytest.raises(ConfigError, match=message):
        choose_player(agent, {**more, **given})


def test_options_of_prompting_agents_are_not_for_others(tmp_path, capsys):
    arguments = ["--agent", "no-code", "--num-samples", "3", "--out", str(tmp_path / "out")]
    assert main(["evaluate", *arguments]) == 2
    assert "--num-samples is for prompting agents; leave it out" in capsys.readouterr().err


def test_prompts_of_an_agents_own_making_may_fill_the_context():
    cut = choose_player("multi-turn", {"model": "m"})
    whole = choose_player("role-play", {"model": "m"})
    given = choose_player("role-play", {"model": "m", "max_prompt_tokens": 7})
    assert cut.model.max_prompt_tokens == 2048  # the paper's
    assert whole.model.max_prompt_tokens == 8192 - 2048
    assert given.model.max_prompt_tokens == 7


def test_a_backend_is_told_which_engine_to_use():
    assert choose_player("multi-turn", {"model": "m", "backend": "vllm"}).model.generator == "vllm"
    server = choose_player("multi-turn", {"model": "m", "backend": "openai", "max_retries": 3})
    assert server.server is not None
    assert server.server.max_retries == 3
    assert server.libraries == ("httpx2",)
