"""Every program in examples/ runs from the checkout and does what it says."""

import ast
import json
import os
import re
import runpy
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import codefeedback_env
from codefeedback_env import FORMAT

CHECKOUT = Path(codefeedback_env.__file__).parents[1]
EXAMPLES = CHECKOUT / "examples"
NOT_OVER_THE_PLAIN_API = {"trl_grpo.py"}  # over an adapter; see tests/adapters

needs_sandbox = pytest.mark.usefixtures("judge")


def run_example(name, *arguments, cwd, typed="", **variables):
    """Run a program of examples/ as the documentation says; gives what it printed."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        cwd=cwd,
        env={**os.environ, **variables},
        input=typed,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def load_example(name):
    """The names of an example, without running its main part."""
    return runpy.run_path(str(EXAMPLES / name))


def test_the_table_lists_every_example():
    table = (EXAMPLES / "README.md").read_text("utf-8")
    listed = re.findall(r"^\| \[`(\w+\.py)`\]\(\1\) \|", table, re.MULTILINE)
    assert sorted(listed) == sorted(path.name for path in EXAMPLES.glob("*.py"))


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(EXAMPLES.glob("*.py")) if path.name not in NOT_OVER_THE_PLAIN_API],
    ids=lambda path: path.name,
)
def test_an_example_uses_the_plain_api_only(path):
    allowed = {"gymnasium", "codefeedback_env", "torch"} | sys.stdlib_module_names
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= allowed
            assert not any(alias.name.startswith("codefeedback_env.") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None
            assert node.module.split(".")[0] in allowed
            if node.module.startswith("codefeedback_env"):
                assert node.module == "codefeedback_env"
                assert {alias.name for alias in node.names} <= set(codefeedback_env.__all__)


@needs_sandbox
@pytest.mark.sandbox
def test_reinforce_learns_to_read_feedback(capsys):
    pytest.importorskip("torch")
    rates = load_example("reinforce.py")["main"]()
    first, last = sum(rates[:5]) / 5, sum(rates[-5:]) / 5
    assert first < 0.65  # a blind guesser solves 7/16; 320 episodes: standard error 0.03
    assert last > 0.85
    assert "update  40" in capsys.readouterr().out


@needs_sandbox
@pytest.mark.sandbox
def test_reinforce_can_be_repeated():
    pytest.importorskip("torch")
    main = load_example("reinforce.py")["main"]
    rates = main(num_updates=2, batch_size=16, seed=5)
    assert rates == main(num_updates=2, batch_size=16, seed=5)
    assert rates != main(num_updates=2, batch_size=16, seed=6)


class ChatServer:
    """Replies to conversations as ``answer`` says, and notes what it was asked."""

    def __init__(self, answer):
        self.requests = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.requests.append((self.path, self.headers.get("Authorization"), body))
                message = {"content": answer(body["messages"])}
                content = json.dumps({"choices": [{"message": message}]}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *arguments):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def chat_server():
    """Starts servers that reply as a function of the conversation says."""
    servers = []

    def start(answer):
        servers.append(ChatServer(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@needs_sandbox
@pytest.mark.sandbox
def test_openai_agent_sends_the_whole_conversation(tmp_path, chat_server):
    script = {1: None, 3: "```python\nprint(42)\n```", 5: "I give up."}
    server = chat_server(lambda messages: script[len(messages)])
    printed = run_example(
        "openai_agent.py",
        *("--base-url", server.url, "--model", "some-model", "--problems", "2"),
        cwd=tmp_path,
        OPENAI_API_KEY="secret",
    )
    assert "0 of 2 episodes solved" in printed
    assert {request[:2] for request in server.requests} == {
        ("/v1/chat/completions", "Bearer secret")
    }
    assert {body["model"] for _, _, body in server.requests} == {"some-model"}
    conversations = [body["messages"] for _, _, body in server.requests]
    assert [len(messages) for messages in conversations] == [1, 3, 5, 1, 3, 5]
    roles = [message["role"] for message in conversations[2]]
    assert roles == ["user", "assistant", "user", "assistant", "user"]
    assert conversations[0][0]["content"].endswith(FORMAT)
    assert conversations[1][1]["content"] == ""  # where the server said null
    assert "Could not parse your code." in conversations[1][2]["content"]
    assert "but got `42\n`" in conversations[2][4]["content"]


@needs_sandbox
@pytest.mark.sandbox
def test_openai_agent_counts_solved_episodes(chat_server):
    problems = codefeedback_env.load_problems("bundled")

    def right_program(messages):
        (problem_id,) = (i for i in problems.ids if problems[i].statement in messages[0]["content"])
        return f"```python\n{problems.reference_programs(problem_id)[0].source_code}\n```"

    server = chat_server(right_program)
    main = load_example("openai_agent.py")["main"]
    assert main(["--base-url", server.url, "--model", "knows-all", "--problems", "3"]) == 1.0
    assert len(server.requests) == 3


@needs_sandbox
@pytest.mark.sandbox
def test_human_agent_types_replies(tmp_path):
    typed = "no idea\n.\n```python\nprint(1)\n```\n.\n" + "```python\nprint(3, 14)\n```\n.\n"
    printed = run_example("human_agent.py", "--problem", "stamp-sheets", cwd=tmp_path, typed=typed)
    assert "=== stamp-sheets, turn 3 ===" in printed
    assert "Could not parse your code." in printed
    assert "Expected output `3 14\n` but got `1\n`" in printed
    assert "reward -0.2" in printed
    assert "solved: False, return -1.2" in printed


def test_human_agent_says_when_nobody_types(tmp_path):
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "human_agent.py"), "--problem", "stamp-sheets"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 1
    assert done.stderr == "standard input ended before a reply.\n"


@needs_sandbox
@pytest.mark.sandbox
def test_human_agent_uses_an_editor(tmp_path):
    program = codefeedback_env.load_problems("bundled").reference_programs("stamp-sheets")[0]
    solution = tmp_path / "solution.md"
    solution.write_text(f"Here it is.\n```python\n{program.source_code}\n```\n")
    printed = run_example(
        "human_agent.py",
        *("--problem", "stamp-sheets", "--editor", f"cp {solution}"),
        cwd=tmp_path,
    )
    assert "solved: True, return +1" in printed


@needs_sandbox
@pytest.mark.sandbox
def test_custom_dataset_is_checked_without_complaints(tmp_path):
    assert "2 problems, 0 complaints" in run_example("custom_dataset.py", cwd=tmp_path)


@needs_sandbox
@pytest.mark.sandbox
def test_custom_dataset_finds_programs_that_are_labelled_wrongly(tmp_path):
    example = load_example("custom_dataset.py")
    folder = example["write_small_dataset"](tmp_path / "small")
    (folder / "double/wrong/shift.py").write_text("print(int(input()) << 1)\n")
    (folder / "triple/hidden/1.out").write_text("21\n")
    assert example["main"](folder) == [
        "double: wrong program 2, public {'accepted': 1}",
        "triple: right program 0, public {'accepted': 1}",
        "triple: wrong program 1, public {'accepted': 1}",
    ]


def test_custom_dataset_is_lazy_and_its_fingerprint_follows_the_files(tmp_path):
    example = load_example("custom_dataset.py")
    folder = example["write_small_dataset"](tmp_path / "small")

    def problems():
        return codefeedback_env.ProblemSet(example["FolderSource"](folder))

    before = problems()
    fingerprint = before.fingerprint
    assert before.ids == ("double", "triple")
    assert before.summaries[0].num_private_tests == 1
    (folder / "triple/public/1.out").write_text("13\n")
    assert before["triple"].public_tests[0].expected_stdout == "13\n"  # read when asked for
    assert problems().fingerprint != fingerprint
    with pytest.raises(codefeedback_env.DatasetError, match="give a folder of problems"):
        example["FolderSource"](tmp_path / "nowhere")


@needs_sandbox
@pytest.mark.sandbox
def test_custom_checker_accepts_all_right_answers_and_no_other():
    rewards = load_example("custom_checker.py")["main"]()
    assert rewards == {
        "from below": 1,
        "from the middle": 1,
        "any two numbers": -1,
        "never an answer": -1,
        "endless digits": -1,
    }


@needs_sandbox
@pytest.mark.sandbox
def test_custom_feedback_says_it_in_its_own_words():
    prompt, wrong, raised, no_program = load_example("custom_feedback.py")["main"]()
    reply_format = "Reply with one program in a block of triple backticks."
    assert prompt.endswith(f"It may take 1 s for each input. {reply_format}")
    assert wrong == (f"2 of 2 tests failed. Line 1 should be '3 14' and is '42'.\n{reply_format}")
    assert raised == (
        "2 of 2 tests failed. The first: runtime error. ZeroDivisionError: division by zero\n"
        + reply_format
    )
    assert no_program == f"There was no program in that. {reply_format}"


@needs_sandbox
@pytest.mark.sandbox
@pytest.mark.parametrize("name", ["custom_checker.py", "custom_feedback.py"])
def test_an_example_without_arguments_runs_as_a_program(tmp_path, name):
    assert run_example(name, cwd=tmp_path)
