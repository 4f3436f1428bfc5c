"""Problems that ask for a function: honest programs of every shape, and broken tests."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from function_problems import asserts_problem, call_problem, judge_with
from test_judge import descendants, wait_until, worker_pids

from codefeedback_env import (
    Problem,
    SandboxError,
    SandboxUnavailableError,
    Submission,
    TestCase,
    Verdict,
)
from codefeedback_env.checkers import Judging, checker_for
from codefeedback_env.judge.judge import Judge
from codefeedback_env.judge.protocol import Plan, Stage, pack
from codefeedback_env.problem import Pool

pytestmark = pytest.mark.sandbox

ACCEPTED, WRONG = Verdict.ACCEPTED, Verdict.WRONG_ANSWER
RUNTIME_ERROR = Verdict.RUNTIME_ERROR


@pytest.fixture(scope="module")
def judge(request) -> Iterator[Judge]:
    own = Judge(num_workers=1)
    yield own
    own.close()


@pytest.mark.parametrize(
    "source",
    [
        "def add(a, b):\n    return a + b",
        "class Solution:\n    def add(self, a: List[int], b: Optional[int]) -> int:\n"
        "        return a + b",
        "add = lambda a, b: a + b",
        "from functools import partial\nimport operator\nadd = partial(operator.add)",
        "def helper(a, b):\n    return a + b\nadd = helper",
        "def add(a, b):\n    print('debugging', a, b)\n    return a + b",
        "def add(a, b):\n    return a + b\nif __name__ == '__main__':\n    print(add(*input()))",
        "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\n"
        "def add(a, b):\n    return P(a).x + b",
        "import sys\ndef add(a, b):\n    assert sys.stdin.read() == ''\n    return a + b",
        "import threading\ndef add(a, b):\n    r = []\n"
        "    t = threading.Thread(target=lambda: r.append(a + b))\n"
        "    t.start(); t.join()\n    return r[0]",
        "import sys\ndef add(a, b):\n    sys.stdout.close()\n    return a + b",
        "import os\ndef add(a, b):\n    os.write(1, b'raw')\n    return a + b",
        "async def nothing(): pass\ndef add(a, b):\n    return sum((a, b))",
        "numbers = []\ndef add(a, b):\n    numbers.append(a)\n    return numbers[0] + b",
    ],
)
def test_honest_shapes_pass_in_both_styles(judge, source):
    call = call_problem("add", ("20\n22", "42"), ("-1\n1\n", "0"))
    assert judge_with(judge, call, source).verdicts == [ACCEPTED, ACCEPTED]
    asserts = asserts_problem("add", "assert add(20, 22) == 42", "assert add(-1, b=1) == 0")
    if "lambda" in source or "def add(a, b" in source or "Solution" in source:
        source = source.replace("List[int]", "list").replace("Optional[int]", "int")
        assert judge_with(judge, asserts, source).verdicts == [ACCEPTED, ACCEPTED]


def test_call_shows_the_result_as_the_output(judge):
    problem = call_problem("f", ('"a"\n', '["a"]'))
    judged = judge_with(judge, problem, "def f(x):\n    print('noise')\n    return (x, 1.5)")
    assert (judged.verdicts, judged.stdout) == ([WRONG], ['["a", 1.5]'])
    assert judge_with(judge, problem, "def f(x): return {1, 2}").stdout == ["{1, 2}"]
    long = judge_with(judge, problem, "def f(x): return 1 << 10**6")
    assert long.stdout == ["a result with an integer of more than 10000 digits"]


def test_long_integers_are_read_and_compared(judge):
    number = "7" * 20_000
    problem = call_problem("f", (number, number))
    assert judge_with(judge, problem, "def f(x): return x").verdicts == [ACCEPTED]
    assert judge_with(judge, problem, "def f(x): return x + 1").verdicts == [WRONG]


def test_traceback_is_the_submissions_own(judge):
    source = "def f(x):\n    y = x + 1\n    raise ValueError(y)"
    text = (
        'Traceback (most recent call last):\n  File "solution.py", line 3, in f\n'
        "    raise ValueError(y)\nValueError: 2\n"
    )
    for problem in (call_problem("f", ("1", "2")), asserts_problem("f", "assert f(1) == 2")):
        judged = judge_with(judge, problem, source)
        assert (judged.verdicts, judged.stderr) == ([RUNTIME_ERROR], [text])


def test_apps_rule_takes_wrapped_results_and_integer_keys(judge):
    problem = call_problem("f", ('{"1": 2}', "[true]"), rule="apps")
    assert judge_with(judge, problem, "def f(d): return d[1] == 2").verdicts == [ACCEPTED]


def test_program_setup_runs_behind_the_program(judge):
    setup = "root = Node(3)\nroot.left = Node(4)"
    source = (
        "class Node:\n    def __init__(self, v):\n        self.v, self.left = v, None\n"
        "def total(n):\n    return n.v + (n.left.v if n.left else 0)"
    )
    problem = asserts_problem(
        "total", "assert total(root) == 7", "assert total(Node(5)) == 5", program_setup=setup
    )
    assert judge_with(judge, problem, source).verdicts == [ACCEPTED, ACCEPTED]
    assert judge_with(judge, problem, "def total(n): return 7").verdicts[0] is RUNTIME_ERROR


def test_objects_of_the_program_can_be_handed_back_and_nothing_else(judge):
    source = (
        "class P:\n    def __init__(self, *a): pass\n    __eq__ = lambda *a: True\n"
        "def f(x): return x"
    )
    for test in ("assert P(1) == P(2)", "assert P(1)", "assert P(1) in [P(2)]", "assert f(P(1))"):
        problem = asserts_problem("f", test)
        assert judge_with(judge, problem, source).verdicts == [RUNTIME_ERROR], test


def test_arguments_changed_in_place_change_for_the_test(judge):
    tests = (
        "x = [3, 1, 2]\ny = x\nf(x)\nassert y == [1, 2, 3]",
        "x = {'a': [2, 1]}\nin_it = x['a']\nf(in_it)\nassert x == {'a': [1, 2]}",
        "x = [[2, 1], 0]\ninner = x[0]\ng(x)\nassert inner == [1, 2] and x[0] is inner",
        "x = {1}\nh(x)\nassert x == {1, 2}",
    )
    source = "def f(x): x.sort()\ndef g(x): x[0].sort(); x.append(1)\ndef h(x): x.add(2)"
    problem = asserts_problem("f", *tests)
    assert judge_with(judge, problem, source).verdicts == [ACCEPTED] * 4


def test_exceptions_are_the_builtin_ones_for_the_test(judge):
    raising = "try:\n    f(1)\n    assert False, 'nothing raised'\nexcept {}:\n    pass"
    problem = asserts_problem("f", raising.format("ValueError"), raising.format("KeyError"))
    source = "class Own(ValueError): pass\ndef f(x): raise Own('no')"
    assert judge_with(judge, problem, source).verdicts == [ACCEPTED, RUNTIME_ERROR]
    assert judge_with(judge, problem, "def f(x): pass").verdicts == [WRONG, WRONG]
    message = "try:\n    f(1)\nexcept ValueError as error:\n    assert error.args == ('no', [1])"
    program = "def f(x): raise ValueError('no', [1])"
    assert judge_with(judge, asserts_problem("f", message), program).verdicts == [ACCEPTED]


CAUGHT = {
    "try": "try:\n    f(1)\nexcept LookupError:\n    pass",
    "try further up": "try:\n    [g(1) for g in (f,)]\nexcept LookupError:\n    pass",
    "try in a function": (
        "def raises(kind, g):\n    try:\n        g(1)\n    except kind:\n        return True\n"
        "assert raises(LookupError, f) and raises(IndexError, lambda x: f(x))"
    ),
    "suppress": "import contextlib\nwith contextlib.suppress(LookupError):\n    f(1)",
    "assertRaises": "import unittest\nunittest.TestCase().assertRaises(IndexError, f, 1)",
    "with assertRaises": (
        "import unittest\nwith unittest.TestCase().assertRaises(IndexError) as caught:\n    f(1)\n"
        "assert caught.exception.args == ('no',)"
    ),
    "context manager": (
        "import contextlib\n@contextlib.contextmanager\ndef catching():\n    try:\n        yield\n"
        "    except IndexError:\n        pass\nwith catching():\n    f(1)"
    ),
}


@pytest.mark.parametrize("test", CAUGHT.values(), ids=CAUGHT)
def test_test_may_catch_what_the_program_raises(judge, test):
    problem = asserts_problem("f", test)
    source = "def f(x): raise IndexError('no')"
    assert judge_with(judge, problem, source).verdicts == [ACCEPTED]


def test_giant_result_that_stops_the_test_is_the_programs_fault(judge):
    giant = "def f(x): return '\\x01' * (8 << 20)"
    tests = {
        "assert f(1) == 2, f'got {f(1)!r}'": WRONG,
        "assert {2: 1}[f(1)] == 1": RUNTIME_ERROR,
        "print(*[f(1)] * 9)\nassert f(1) == 2": RUNTIME_ERROR,  # more than any output may be
    }
    problem = asserts_problem("f", *tests)
    judged = judge_with(judge, problem, giant)
    assert judged.verdicts == [*tests.values()]
    assert max(map(len, judged.stderr)) <= 64 << 10
    assert judge_with(judge, problem, "def f(x): return 2").verdicts == [ACCEPTED] * 3


def test_test_that_prints_too_much_by_itself_is_broken(judge):
    problem = asserts_problem("f", "for _ in range(99):\n    print('x' * 10**6)\nassert f(1) == 1")
    with pytest.raises(SandboxError, match="ended without a result"):
        judge_with(judge, problem, "def f(x): return x")


def test_program_does_not_wait_for_the_explanation(judge):
    """These lists keep ``difflib`` busy for minutes."""
    test = "print('x' * 10**5)\nassert f(1) == [str(i % 7) * 30 for i in range(3000)]"
    problem = asserts_problem("f", test)
    stage = Stage(pool=Pool.PUBLIC, max_failures=1, keep_output=True)
    packed = pack(problem, judging=Judging.STRICT, checker=checker_for(problem, Judging.STRICT))
    source = "def f(x): return [str(i % 5) * 31 for i in range(3000)]"
    begin = time.monotonic()
    report = judge.judge(packed, Submission("python3", source), Plan(stages=(stage,)))
    (result,) = report.reports[Pool.PUBLIC].results
    assert (result.verdict, result.stderr) == (WRONG, "AssertionError")
    assert result.wall_time_s < 5
    assert time.monotonic() - begin < 10


def test_stderr_is_written_line_by_line(judge):
    source = "import os, sys\ndef f(x):\n    print('here', file=sys.stderr)\n    os._exit(3)"
    judged = judge_with(judge, call_problem("f", ("1", "1")), source)
    assert (judged.verdicts, judged.stderr) == ([RUNTIME_ERROR], ["here\n"])


def test_functions_may_be_nested_deeper_than_calls(judge):
    source = f"x = {'lambda: ' * 1500}1\ndef f(x): return x"
    assert judge_with(judge, call_problem("f", ("1", "1")), source).verdicts == [ACCEPTED]


@pytest.mark.parametrize("status", ["2**70", "-2**70", "2**63", "-1"])
def test_exit_status_is_cut_as_python_does(judge, status):
    program = f"import sys\nprint(1)\nsys.exit({status})"
    problem = Problem(id="one", statement="Print 1.", public_tests=(TestCase("", "1"),))
    assert judge_with(judge, problem, program).verdicts == [RUNTIME_ERROR]
    assert judge_with(judge, problem, program.replace(status, "2**40")).verdicts == [ACCEPTED]


def test_test_that_catches_everything_does_not_hide_the_end_of_the_program(judge):
    catching = "try:\n    f(1)\nexcept BaseException:\n    pass"
    problem = asserts_problem("f", catching)
    assert judge_with(judge, problem, "import os\ndef f(x): os._exit(0)").verdicts == [
        RUNTIME_ERROR
    ]
    idle = asserts_problem("f", "x = 1")
    assert judge_with(judge, idle, "raise ValueError").verdicts == [RUNTIME_ERROR]
    assert judge_with(judge, idle, "import os\nos._exit(3)").verdicts == [RUNTIME_ERROR]


@pytest.mark.parametrize(
    ("test", "text"),
    [
        ("assert f(1) == 2", "1 != 2"),
        ("assert f('a') == 'b'", "'a' != 'b'\n- a\n+ b\n"),
        (
            "assert f([1]) == [2]",
            "Lists differ: [1] != [2]\n\nFirst differing element 0:\n1\n2\n\n- [1]\n+ [2]",
        ),
        ("assert f(1) != 1", "1 == 1"),
        ("assert f(0)", "0 is not true"),
        ("assert not f(3)", "3 is not false"),
        ("assert f(1) is None", "1 is not None"),
        ("assert f(1) in (2, 3)", "1 not found in (2, 3)"),
        ("assert abs(f(1) - 2) < 1e-6", "1 not less than 1e-06"),
        ("assert f(2) <= 1, 'why'", "2 not less than or equal to 1 : why"),
        ("assert 1 < f(1) < 2", "False is not true"),
        ("def check(g):\n    assert g(1) == 1\n    assert g(2) == 3\ncheck(f)", "2 != 3"),
        ("assert candidate(1) == 2, candidate(5)", "1 != 2 : 5"),
        ("raise AssertionError('own words')", "own words"),
    ],
)
def test_failed_assertion_says_which_values_met(judge, test, text):
    judged = judge_with(judge, asserts_problem("f", test), "def f(x): return x")
    assert (judged.verdicts, judged.stderr) == ([WRONG], [text])


def test_values_shown_are_those_of_the_verdict(judge):
    source = "calls = []\ndef f(x):\n    calls.append(x)\n    return len(calls)"
    test = "assert f(1) == 1\nassert f(1) == 2\nassert f(1) == 4"
    assert judge_with(judge, asserts_problem("f", test), source).stderr == ["3 != 4"]


def test_test_setup_and_reply_prefix_are_trusted_code_beside_the_test(judge):
    problem = asserts_problem(
        "f",
        "assert close(f(2), helper(1))",
        test_setup="def close(a, b):\n    return abs(a - b) < 0.1",
        reply_prefix="def helper(x):\n    return 2 * x\n\ndef f(x):\n    '''Two.'''\n",
    )
    assert judge_with(judge, problem, "def f(x): return 2.01").verdicts == [ACCEPTED]
    cheating = "close = helper = lambda *a: True\ndef f(x): return 7"
    assert judge_with(judge, problem, cheating).verdicts == [WRONG]


@pytest.mark.parametrize("test", ["return", "1 / 0", "raise SystemExit", "assert g(1)", "f(len)"])
def test_broken_test_is_an_error_of_its_own(judge, test):
    if test == "assert g(1)":
        verdicts = judge_with(judge, asserts_problem("f", test), "def f(x): return 1").verdicts
        assert verdicts == [RUNTIME_ERROR]  # the program might have been meant to define it
        return
    with pytest.raises(SandboxError, match="fails by itself"):
        judge_with(judge, asserts_problem("f", test), "def f(x): return 1")


def test_result_that_does_not_fit_is_the_programs_fault(judge):
    judged = judge_with(judge, asserts_problem("f", "assert f(1) + 1 == 2"), "def f(x): return '1'")
    assert judged.verdicts == [RUNTIME_ERROR]
    assert judged.stderr == ['TypeError: can only concatenate str (not "int") to str']


def test_test_that_computes_for_long_is_no_sleeping_program(judge):
    test = "x = 0\nwhile x < 3 * 10**7:\n    x += 1\nassert f(1) == 1"
    problem = asserts_problem("f", test, time_limit_s=0.1)
    assert judge_with(judge, problem, "def f(x): return x").verdicts == [ACCEPTED]


def test_program_may_compute_up_to_its_limit_between_answers(judge):
    busy = "import time\ndef f(x):\n    end = time.process_time() + 0.2\n"
    busy += "    while time.process_time() < end: pass\n    return x"
    problem = asserts_problem("f", "assert f(1) == 1\nassert f(2) == 2", time_limit_s=1.0)
    assert judge_with(judge, problem, busy).verdicts == [ACCEPTED]
    short = asserts_problem("f", "assert f(1) == 1\nassert f(2) == 2", time_limit_s=0.3)
    assert judge_with(judge, short, busy).verdicts == [Verdict.TIME_LIMIT]


def children_of(pid: int) -> list[int]:
    """Processes that any thread of ``pid`` has started, in the order of their ids."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sorted(int(child) for t in tasks for child in (t / "children").read_text().split())


@pytest.mark.parametrize("sandbox", ["bubblewrap", "landlock"])
@pytest.mark.parametrize("victim", range(4))
def test_sandbox_that_was_killed_starts_again(sandbox, victim):
    """A worker has two jails for programs and two for tests, one of each for functions."""
    own = Judge(sandbox=sandbox, num_workers=1, num_remembered=0)
    problem = asserts_problem("f", "assert f(1) == 1")
    try:
        assert judge_with(own, problem, "def f(x): return x").verdicts == [ACCEPTED]
        (worker,) = worker_pids(own)
        jails = children_of(worker)
        assert len(jails) == 4
        os.kill(jails[victim], signal.SIGKILL)
        assert judge_with(own, problem, "def f(x): return x").verdicts == [ACCEPTED]
        started = children_of(worker)
        assert judge_with(own, problem, "def f(x): return 2").verdicts == [WRONG]
        assert worker_pids(own) == [worker]
        assert children_of(worker) == started  # jails live on, whichever thread started them
    except SandboxUnavailableError as error:
        pytest.skip(str(error))
    finally:
        own.close()


def test_cancelled_judging_stops_both_sides(judge):
    problem = asserts_problem("f", "f(1)", "f(2)", time_limit_s=3.0)
    stage = Stage(pool=Pool.PUBLIC)
    packed = pack(problem, judging=Judging.STRICT, checker=checker_for(problem, Judging.STRICT))
    endless = Submission("python3", "def f(x):\n    while True: pass")
    future = judge.submit(packed, endless, Plan(stages=(stage,)))
    time.sleep(0.3)
    judge.cancel(future)
    assert judge_with(judge, problem, "def f(x): return x").verdicts == [ACCEPTED, ACCEPTED]
    (worker,) = worker_pids(judge)
    assert wait_until(lambda: len(descendants(worker)) <= 4)


def test_reports_are_remembered_by_what_is_asked_for():
    source = "import time\ndef f(x): return x"
    with_setup = asserts_problem("f", "assert f(y) == 1", test_setup="y = 1")
    with_other = asserts_problem("f", "assert f(y) == 1", test_setup="y = 2")
    own = Judge(num_workers=1)
    try:
        for _ in range(2):
            assert judge_with(own, with_setup, source).verdicts == [ACCEPTED]
            assert judge_with(own, with_other, source).verdicts == [WRONG]
    finally:
        own.close()


def test_many_tests_run_one_after_the_other(judge):
    problem = asserts_problem("f", *(f"assert f({i}) == {i}" for i in range(60)))
    before = len(os.listdir("/proc/self/fd"))
    assert judge_with(judge, problem, "def f(x): return x").verdicts == [ACCEPTED] * 60
    judged = judge_with(judge, problem, "def f(x): return min(x, 41)")
    assert judged.verdicts == [ACCEPTED] * 42 + [WRONG] * 18
    assert len(os.listdir("/proc/self/fd")) == before
