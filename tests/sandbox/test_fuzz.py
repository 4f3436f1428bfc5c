"""Programs nobody would write: whatever they are, there is a verdict and the sandbox lives on."""

import itertools
import pickle
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codefeedback_env import load_problems
from codefeedback_env.judge.protocol import MessageReader
from codefeedback_env.sandbox.base import InputFile, Limits, RunResult
from codefeedback_env.sandbox.catalog import open_sandbox

LIMITS = Limits(cpu_time_s=0.3, memory_mib=128, output_bytes=1 << 20, compile_time_s=2.0)
STDIN = InputFile(b"3\n1 2 3\n")
NASTY = (
    b"import os\n",
    b"while True: pass\n",
    b"os.fork()\n",
    b"os.kill(os.getppid(), 9)\n",
    b"raise SystemExit\n",
    b"import ctypes; ctypes.string_at(0)\n",
    b"print('x' * 10**7)\n",
    b"x = [0] * 10**9\n",
    b"import sys; sys.setrecursionlimit(10**9)\n",
    b"def f(): f()\nf()\n",
    b"import signal; signal.alarm(1)\n",
    b"import threading; threading.Thread(target=print).start()\n",
    b"del __builtins__\n",
    b"globals().clear()\n",
    b"import builtins; builtins.print = None\n",
    b"import os; os.close(1)\n",
    b"import os; os._exit(0)\n",
    b"import gc; [o for o in gc.get_objects()][0]\n",
    b"import sys; sys.stdout = None\n",
    b"__import__('os').abort()\n",
)


@pytest.fixture(scope="module")
def sandbox(judge):
    opened = open_sandbox(judge.info().sandbox)
    yield opened.sandbox
    opened.sandbox.close()


@pytest.fixture(scope="module")
def corpus() -> list[bytes]:
    problems = load_problems("bundled")
    return [
        program.source_code.encode()
        for problem_id in problems.ids
        for program in problems.reference_programs(problem_id)
    ]


def mutated(source: bytes, seed: int) -> bytes:
    """The program with a few lines or bytes changed, moved, or replaced by nasty ones."""
    rng = random.Random(seed)
    lines = source.splitlines(keepends=True)
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(lines) + 1)
        match rng.randrange(5):
            case 0:
                indent = b" " * rng.choice((0, 0, 4, 8))
                lines.insert(place, indent + rng.choice(NASTY))
            case 1 if lines:
                del lines[min(place, len(lines) - 1)]
            case 2 if lines:
                lines.insert(place, rng.choice(lines))
            case 3 if lines:
                line = bytearray(lines[min(place, len(lines) - 1)])
                line[rng.randrange(len(line))] = rng.randrange(256)
                lines[min(place, len(lines) - 1)] = bytes(line)
            case _:
                rng.shuffle(lines)
    return b"".join(lines)


def check(sandbox: Any, source: bytes) -> None:
    for result in sandbox.run(source, [STDIN, STDIN], LIMITS):
        assert isinstance(result, RunResult)
        assert not result.compiled or (result.exit_code is None) != (result.signal is None)
        assert len(result.stdout) <= LIMITS.output_bytes
    (after,) = sandbox.run(b"print(input())", [STDIN], LIMITS)
    assert (after.stdout, after.exit_code) == (b"3\n", 0)


@pytest.mark.sandbox
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(which=st.integers(0, 10**6), seed=st.integers(0, 10**9))
def test_mutated_programs_get_a_result_and_leave_the_sandbox_whole(sandbox, corpus, which, seed):
    check(sandbox, mutated(corpus[which % len(corpus)], seed))


@pytest.mark.sandbox
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(source=st.one_of(st.binary(max_size=300), st.text(max_size=200).map(str.encode)))
def test_arbitrary_bytes_get_a_result_and_leave_the_sandbox_whole(sandbox, source):
    check(sandbox, source)


@pytest.mark.slow
@pytest.mark.sandbox
@pytest.mark.timeout(3600)
def test_long_campaign_of_mutated_programs(sandbox, corpus):
    for seed in range(5000):
        check(sandbox, mutated(corpus[seed % len(corpus)], seed))


@given(
    messages=st.lists(st.tuples(st.text(), st.integers(), st.binary()), max_size=6),
    cuts=st.lists(st.integers(0, 400), max_size=12),
)
def test_messages_survive_any_cutting_of_the_stream(messages, cuts):
    stream = b""
    for message in messages:
        payload = pickle.dumps(message)
        stream += len(payload).to_bytes(8, "little") + payload
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    reader = MessageReader()
    received = [
        message
        for start, end in itertools.pairwise(places)
        for message in reader.feed(stream[start:end])
    ]
    assert received == messages
