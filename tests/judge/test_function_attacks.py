"""Programs that try to pass without the right result, in both styles, in every sandbox."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from function_problems import asserts_problem, call_problem, judge_with
from test_judge import descendants, wait_until, worker_pids

from codefeedback_env import SandboxUnavailableError, Verdict
from codefeedback_env.judge.judge import Judge
from codefeedback_env.sandbox.catalog import SANDBOXES

pytestmark = pytest.mark.sandbox

RIGHT = "def double(x):\n    return 2 * x"
CALL = call_problem("double", ("21", "42"), ("[1]", "[1, 1]"), time_limit_s=0.5)
ASSERTS = asserts_problem(
    "double", "assert double(21) == 42", "assert double([1]) == [1, 1]", time_limit_s=0.5
)

NOT_ACCEPTED = frozenset(Verdict) - {Verdict.ACCEPTED}
RUNTIME = frozenset({Verdict.RUNTIME_ERROR})
WRONG = frozenset({Verdict.WRONG_ANSWER})
TIME = frozenset({Verdict.TIME_LIMIT})

EQUAL_TO_ALL = """
class Same({base}):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 0
    def __bool__(self): return True
    def __reduce__(self): return (exit, (0,))
    __lt__ = __le__ = __gt__ = __ge__ = __contains__ = __eq__
def double(x):
    return Same({value})
"""
EVERY_DESCRIPTOR = (
    "for fd in range(3, 64):\n        try:\n            {action}\n        except OSError: pass"
)
FORGED_RESULT = """
import os, struct
def double(x):
    data = b"i" + struct.pack("<I", 1) + bytes([7])
    os.write(1, data + struct.pack("<Q8s", len(data), b"\\x00result\\x00"))
    os._exit(0)
"""
FORGED_VALUE = """
import os, struct
def double(x):
    data = {data}
    os.write(1, data + struct.pack("<Q8s", len(data), b"\\x00result\\x00"))
    os._exit(0)
"""
EQUAL_HASHES = """b"Sm" + struct.pack("<I", 20_000) + b"".join(
        b"i" + struct.pack("<I", 12) + (k * (2**61 - 1)).to_bytes(12, "little")
        for k in range(20_000)
    )"""
FRAMES = """
import sys, gc
def double(x):
    frame = sys._getframe()
    while frame:
        for name in list(frame.f_locals):
            if name in ("result", "expected", "outcome"): frame.f_locals[name] = 42
        frame = frame.f_back
    for module in list(sys.modules.values()):
        for name in ("encode", "send", "write_result", "run"):
            if hasattr(module, name):
                try: setattr(module, name, lambda *a, **k: b"T")
                except Exception: pass
    return 7
"""
PATCHED_BUILTINS = """
import builtins, operator
class Yes:
    def __eq__(self, other): return True
builtins.isinstance = lambda *a: True
builtins.type = builtins.len = builtins.list = builtins.str = lambda *a: Yes()
builtins.AssertionError = builtins.Exception = ValueError
operator.eq = lambda a, b: True
builtins.__import__ = None
def double(x):
    return 7
"""

ATTACKS: dict[str, tuple[str, frozenset[Verdict]]] = {
    "sys.exit at once": ("import sys\nsys.exit(0)", RUNTIME),
    "sys.exit in the call": ("import sys\ndef double(x):\n    sys.exit(0)", RUNTIME),
    "os._exit at once": ("import os\nos._exit(0)", RUNTIME),
    "os._exit in the call": ("import os\ndef double(x):\n    os._exit(0)", RUNTIME),
    "exit in a thread": (
        "import os, threading, time\ndef double(x):\n"
        "    threading.Thread(target=os._exit, args=(0,)).start()\n    time.sleep(9)",
        RUNTIME,
    ),
    "exit at exit": ("import atexit, os\natexit.register(os._exit, 0)\nraise ValueError", RUNTIME),
    "no function": ("x = 1", RUNTIME),
    "not callable": ("double = 42", RUNTIME),
    "raises": ("def double(x):\n    raise AssertionError('x')", RUNTIME),
    "raises KeyboardInterrupt": ("def double(x):\n    raise KeyboardInterrupt", RUNTIME),
    "raises GeneratorExit": ("def double(x):\n    raise GeneratorExit", RUNTIME),
    "raises what cannot be shown": (
        "class E(Exception):\n    def __str__(self): raise self\n    __repr__ = __str__\n"
        "def double(x):\n    raise E(E())",
        RUNTIME,
    ),
    "equal to everything": (EQUAL_TO_ALL.format(base="object", value=""), RUNTIME),
    "a list equal to everything": (EQUAL_TO_ALL.format(base="list", value="[7]"), WRONG),
    "an int equal to everything": (EQUAL_TO_ALL.format(base="int", value="7"), WRONG),
    "a float equal to everything": (EQUAL_TO_ALL.format(base="float", value="7"), WRONG),
    "a str equal to everything": (EQUAL_TO_ALL.format(base="str", value="7"), WRONG),
    "a lie about its class": (
        "class L:\n    __class__ = int\n    def __index__(self): return 42\n"
        "    def __eq__(self, other): return True\ndef double(x):\n    return L()",
        RUNTIME,
    ),
    "patched builtins": (PATCHED_BUILTINS, NOT_ACCEPTED),
    "patched frames and modules": (FRAMES, NOT_ACCEPTED),
    "forged result": (FORGED_RESULT, NOT_ACCEPTED),
    "forged iterator": (
        FORGED_VALUE.format(data="b'lm' + struct.pack('<I', 1) + b'Im' + bytes(4)"),
        RUNTIME,
    ),
    "forged set of equal hashes": (FORGED_VALUE.format(data=EQUAL_HASHES), RUNTIME),
    "long forged error": (
        "import os, struct\nfrom codefeedback_env.sandbox.zygote import values\n"
        "def double(x):\n    text = b's' + struct.pack('<I', 16 << 20) + b'x' * (16 << 20)\n"
        "    parts = map(values.encode, ('raised', 'ValueError', ()))\n"
        "    data = b'tm' + struct.pack('<I', 4) + b''.join(parts) + text\n"
        "    values.encode = lambda *a: data\n    raise ValueError",
        RUNTIME,
    ),
    "closes every descriptor": (
        f"import os\ndef double(x):\n    {EVERY_DESCRIPTOR.format(action='os.close(fd)')}",
        NOT_ACCEPTED,
    ),
    "garbage to every descriptor": (
        "import os\ndef double(x):\n    "
        + EVERY_DESCRIPTOR.format(action="os.write(fd, bytes(range(256)))"),
        NOT_ACCEPTED,
    ),
    "huge length": (
        "import os\ndef double(x):\n    "
        + EVERY_DESCRIPTOR.format(action="os.write(fd, b'\\xff' * 64)"),
        NOT_ACCEPTED,
    ),
    "endless data": (
        "import os\ndef double(x):\n    while True:\n        "
        "for fd in (1, 3, 4, 5):\n            try:\n                os.write(fd, bytes(1 << 16))\n"
        "            except OSError: pass",
        NOT_ACCEPTED,
    ),
    "answers before it is asked": (
        "import os, struct\n"
        "answer = b't' + b'm' + struct.pack('<I', 1) + b'T'\n"
        "for number in range(64):\n    for fd in (3, 4, 5):\n        try:\n"
        "            os.write(fd, struct.pack('<QI', number, len(answer)) + answer)\n"
        "        except OSError: pass\n"
        "def double(x): return 7",
        NOT_ACCEPTED,
    ),
    "never ends": ("def double(x):\n    while True: pass", TIME),
    "never ends to begin with": ("while True: pass", TIME),
    "greedy": ("def double(x):\n    return bytearray(1 << 33)", frozenset({Verdict.MEMORY_LIMIT})),
    "deep result": (
        "def double(x):\n    r = []\n    for _ in range(10**5): r = [r]\n    return r",
        RUNTIME,
    ),
    "a result within itself": (
        "def double(x):\n    r = []\n    r.append(r)\n    return r",
        RUNTIME,
    ),
    "huge result": ("def double(x):\n    return [7] * 3_000_000", RUNTIME),
    "exponential result": (
        "def double(x):\n    r = []\n    for _ in range(60): r = [r, r]\n    return r",
        NOT_ACCEPTED,
    ),
    "endless iterator": (
        "import itertools\ndef double(x):\n    return (i for i in itertools.count())",
        NOT_ACCEPTED,
    ),
    "a class": ("class double:\n    def __init__(self, x): pass", RUNTIME),
    "a function": ("def double(x):\n    return double", RUNTIME),
    "an exception": ("def double(x):\n    return ValueError(1)", RUNTIME),
    "nothing": ("def double(x):\n    pass", WRONG),
    "deep recursion": ("def double(x):\n    return double(x)", RUNTIME),
}
NEEDS_CONFINEMENT = {
    "a fork that lives on": (
        "import os, time\ndef double(x):\n    if os.fork() == 0:\n        time.sleep(60)\n"
        "    os._exit(0)",
        RUNTIME,
    ),
    "ptrace": (
        "import ctypes\ndef double(x):\n    ctypes.CDLL(None).ptrace(0, 0, 0, 0)\n    return 42",
        frozenset({Verdict.SECURITY_VIOLATION}),
    ),
}


@pytest.fixture(scope="module", params=SANDBOXES)
def own_judge(request) -> Iterator[Judge]:
    """A judge of one worker over every sandbox in turn, its testers' sandbox open."""
    judge = Judge(sandbox=request.param, num_workers=1, num_remembered=0)
    try:
        judge.info()
    except SandboxUnavailableError as error:
        pytest.skip(str(error))
    for problem in (CALL, ASSERTS):
        assert judge_with(judge, problem, RIGHT.replace("2 * x", "x + x")).verdicts == [
            Verdict.ACCEPTED,
            Verdict.ACCEPTED,
        ]
    yield judge
    judge.close()


SWALLOWING = {
    "map": "assert all(map(lambda case: double(case[0]) == case[1], [(1, 2), (2, 4)]))",
    "zip": "for got, wanted in zip(map(double, [1, 2]), [2, 4]):\n    assert got == wanted",
    "getitem": (
        "class Doubles:\n    def __getitem__(self, i): return double(i)\n"
        "for i, number in enumerate(Doubles()):\n    assert number == 2 * i\n    if i == 9: break"
    ),
    "hasattr": (
        "class A:\n    @property\n    def twice(self): return double(1)\n"
        "assert not hasattr(A(), 'twice') or A().twice == 2"
    ),
    "length hint": (
        "class A:\n    def __len__(self): return double(1)\n"
        "    def __iter__(self): return iter('ab')\nassert list(A()) == ['a', 'b']"
    ),
}


@pytest.mark.parametrize("test", SWALLOWING.values(), ids=SWALLOWING)
def test_error_that_the_test_does_not_notice_is_no_pass(own_judge, test):
    problem = asserts_problem("double", test)
    assert judge_with(own_judge, problem, RIGHT).verdicts == [Verdict.ACCEPTED]
    for error in (StopIteration, StopAsyncIteration, IndexError, AttributeError, TypeError):
        source = f"class Own({error.__name__}): pass\ndef double(x): raise Own"
        judged = judge_with(own_judge, problem, source)
        assert judged.verdicts == [Verdict.RUNTIME_ERROR], error
        assert judged.stderr[0].endswith("Own\n")


def held(judge: Judge) -> tuple[set[int], int]:
    """Processes below the worker, and how many descriptors it has."""
    (pid,) = worker_pids(judge)
    return set(descendants(pid)), len(os.listdir(Path(f"/proc/{pid}/fd")))


@pytest.mark.parametrize("problem", [CALL, ASSERTS], ids=["call", "asserts"])
@pytest.mark.parametrize("attack", [*ATTACKS, *NEEDS_CONFINEMENT])
def test_attack_is_judged_and_leaves_nothing_behind(own_judge, problem, attack):
    source, expected = {**ATTACKS, **NEEDS_CONFINEMENT}[attack]
    if attack in NEEDS_CONFINEMENT and own_judge.info().sandbox == "unsafe":
        pytest.skip("the unsafe sandbox confines nothing")
    before = held(own_judge)
    judged = judge_with(own_judge, problem, source, stop_early=True)
    assert judged.verdicts, judged
    assert set(judged.verdicts) <= expected, judged
    assert judge_with(own_judge, problem, RIGHT.replace("2 * x", "x + x")).verdicts == [
        Verdict.ACCEPTED,
        Verdict.ACCEPTED,
    ]
    assert wait_until(lambda: held(own_judge)[0] <= before[0]), held(own_judge)[0] - before[0]
    assert held(own_judge)[1] <= before[1] + 4  # of inputs that stay open


@pytest.mark.slow
@pytest.mark.parametrize("problem", [CALL, ASSERTS], ids=["call", "asserts"])
def test_sleeper_is_killed_for_its_time(own_judge, problem):
    judged = judge_with(
        own_judge, problem, "import time\ndef double(x):\n    time.sleep(999)", stop_early=True
    )
    assert judged.verdicts == [Verdict.TIME_LIMIT]
