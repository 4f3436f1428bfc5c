"""The judge's client and its workers: parallel, robust, and gone when nobody needs them."""

import gc
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from examples import ADD, ADD_PUBLIC_ONLY, ADD_WRONG, add_problem
from function_problems import call_problem, judge_with

from codefeedback_env import (
    ConfigError,
    SandboxError,
    SandboxUnavailableError,
    Submission,
    TestCase,
    Verdict,
)
from codefeedback_env.checkers import Comparison, Judging, checker_for
from codefeedback_env.judge import pool
from codefeedback_env.judge.decide import with_source_lines
from codefeedback_env.judge.function_rules import RULES
from codefeedback_env.judge.judge import Judge
from codefeedback_env.judge.protocol import JudgeReport, PackedProblem, Plan, Stage, pack
from codefeedback_env.judge.shared import pool_for
from codefeedback_env.judge.worker import SHOWN_OUTPUT_BYTES
from codefeedback_env.problem import Pool, Problem

pytestmark = pytest.mark.sandbox

ALL_POOLS = Plan(
    stages=(
        Stage(pool=Pool.PUBLIC, keep_output=True),
        Stage(pool=Pool.PRIVATE, max_failures=1),
        Stage(pool=Pool.GENERATED, max_failures=1),
    )
)
SLEEP = "import time\ntime.sleep(60)"


def packed(problem: Problem, **options: object) -> PackedProblem:
    checker = checker_for(problem, Judging.STRICT)
    return pack(problem, **{"judging": Judging.STRICT, "checker": checker, **options})


def submit(judge: Judge, source: str, plan: Plan = ALL_POOLS, **options: object):
    return judge.submit(packed(add_problem(), **options), Submission("python3", source), plan)


def verdicts(report: JudgeReport) -> dict[str, Verdict | None]:
    return {pool.value: part.verdict for pool, part in report.reports.items()}


@pytest.fixture
def own_judge(judge) -> Iterator[Judge]:
    """A judge with a worker nobody else uses."""
    own = Judge(sandbox=judge.info().sandbox, num_workers=1)
    yield own
    own.close()


def worker_pids(judge: Judge) -> list[int]:
    return [worker.process.pid for worker in pool_for(judge.settings)._workers]


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_until(condition, timeout_s: float = 20.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def descendants(pid: int) -> list[int]:
    """Processes below ``pid``, itself not counted."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found: list[int] = []
    todo = [pid]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


# What is judged


def test_pools_are_judged_in_order_and_later_ones_only_when_earlier_ones_passed(judge):
    report = submit(judge, ADD).result()
    assert report.all_passed
    assert verdicts(report) == dict.fromkeys(("public", "private", "generated"), Verdict.ACCEPTED)
    report = submit(judge, ADD_PUBLIC_ONLY).result()
    assert not report.all_passed
    assert verdicts(report) == {
        "public": Verdict.ACCEPTED,
        "private": Verdict.WRONG_ANSWER,
        "generated": None,
    }
    report = submit(judge, ADD_WRONG).result()
    assert [len(part.results) for part in report.reports.values()] == [2, 0, 0]


def test_all_pools_run_when_the_plan_says_so(judge):
    plan = Plan(stages=tuple(Stage(pool=pool) for pool in Pool), stop_after_failed_pool=False)
    report = submit(judge, ADD_WRONG, plan).result()
    assert [part.pass_fraction for part in report.reports.values()] == [0.5, 0.0, 0.0]


def test_only_pools_that_may_be_shown_send_output_back(judge):
    report = submit(judge, "print(input())\nraise ValueError('seen')").result()
    public = report.reports[Pool.PUBLIC].results[0]
    assert public.stdout == "1 2\n"
    assert public.stderr.endswith("ValueError: seen\n")
    plan = Plan(stages=(Stage(pool=Pool.PRIVATE),))
    private = submit(judge, "print(input())", plan).result().reports[Pool.PRIVATE].results[0]
    assert (private.stdout, private.stderr) == ("", "")


def test_compile_error_is_one_run_for_all_tests_and_an_empty_plan_compiles_only(judge):
    report = submit(judge, "print(").result()
    assert not report.compiled
    assert report.compile_error.endswith("SyntaxError: '(' was never closed\n")
    assert verdicts(report)["public"] is Verdict.COMPILE_ERROR
    assert submit(judge, "print(", Plan()).result().compiled is False
    empty = submit(judge, "print(1)", Plan()).result()
    assert empty.compiled
    assert empty.reports == {}


def test_checker_made_on_the_spot_reaches_the_worker(judge):
    wanted = b"anything\n"

    def check(stdin: bytes, expected: bytes, output: bytes) -> bool:
        return output == wanted

    assert submit(judge, "print('anything')", checker=check).result().all_passed


def test_checker_may_import_the_package_inside_the_worker(judge):
    def check(stdin: bytes, expected: bytes, output: bytes) -> bool:
        from codefeedback_env import Verdict as verdict

        return verdict.ACCEPTED == "accepted"

    assert submit(judge, "print('anything')", checker=check).result().all_passed


def test_checker_that_raises_rejects(judge):
    def check(stdin: bytes, expected: bytes, output: bytes) -> bool:
        raise KeyError(output)

    report = submit(judge, "print(1)", checker=check).result()
    assert verdicts(report)["public"] is Verdict.WRONG_ANSWER


def test_fault_of_the_judge_over_a_submission_is_an_error_and_its_worker_goes_on(own_judge):
    own_judge.info()
    pids = worker_pids(own_judge)
    broken = Comparison(tolerance="loose")  # which no number is compared with
    with pytest.raises(SandboxError, match="the judge worker failed, see stderr: TypeError"):
        submit(own_judge, "print(0.5)", checker=broken).result(timeout=60)
    assert submit(own_judge, ADD).result(timeout=60).all_passed
    assert worker_pids(own_judge) == pids


class Unloadable:
    """A checker that can be pickled, and no more."""

    def __call__(self, stdin: bytes, expected: bytes, output: bytes) -> bool:
        return True

    def __reduce__(self):
        return int, ("no number",)


def test_checker_that_cannot_be_loaded_is_an_error_and_its_worker_goes_on(own_judge):
    with pytest.raises(SandboxError, match=r"the checker cannot be loaded.*ValueError"):
        submit(own_judge, ADD, checker=Unloadable()).result(timeout=60)
    assert submit(own_judge, ADD).result(timeout=60).all_passed


def test_result_that_no_rule_can_compare_is_a_wrong_answer(own_judge):
    own_judge.info()
    pids = worker_pids(own_judge)
    problem = call_problem("f", ("1", '{"2": 2}'), ("2", '{"2": 2}'), rule="apps")
    # Python turns no integer of more than 4,300 digits into text.
    source = "def f(x):\n    return {10**5000 if x == 1 else 2: 2}"
    judged = judge_with(own_judge, problem, source)
    assert judged.verdicts == [Verdict.WRONG_ANSWER, Verdict.ACCEPTED]
    assert worker_pids(own_judge) == pids


def test_rule_that_raises_rejects():
    class Incomparable:
        def __eq__(self, other: object) -> bool:
            raise TypeError("not to be compared")

    for rule in RULES.values():
        assert rule(Incomparable(), 1) is False


def test_long_outputs_are_compared_whole_and_sent_back_in_part(judge):
    size = SHOWN_OUTPUT_BYTES + 10
    tests = tuple(TestCase("", "x" * size + end + "\n") for end in "yz")
    problem = Problem(id="long", statement="", public_tests=tests, time_limit_s=5.0)
    plan = Plan(stages=(Stage(pool=Pool.PUBLIC, keep_output=True),))
    source = f"print('x' * {size} + 'y')"
    report = judge.judge(packed(problem), Submission("python3", source), plan)
    right, wrong = report.reports[Pool.PUBLIC].results
    assert (right.verdict, wrong.verdict) == (Verdict.ACCEPTED, Verdict.WRONG_ANSWER)
    assert right.stdout == wrong.stdout == "x" * SHOWN_OUTPUT_BYTES + "[...]"


def test_part_of_an_output_ends_with_a_whole_character(judge):
    problem = Problem(id="a", statement="", public_tests=(TestCase("", ""),), time_limit_s=5.0)
    plan = Plan(stages=(Stage(pool=Pool.PUBLIC, keep_output=True),))
    for line, shown in (
        ("b'a' + 'ä'.encode() * (2 << 20)", "a" + "ä" * (SHOWN_OUTPUT_BYTES // 2 - 1)),
        ("bytes([255]) * (64 << 20)", "\ufffd" * SHOWN_OUTPUT_BYTES),
    ):
        source = f"import sys\nsys.stdout.buffer.write({line})"
        report = judge.judge(packed(problem), Submission("python3", source), plan)
        assert report.reports[Pool.PUBLIC].results[0].stdout == shown + "[...]"


def test_source_lines_are_those_of_the_compiler_and_not_endless():
    frame = '  File "solution.py", line {}, in <module>'
    for source in ("a = '\x0c \x1c \x85 \u2028'\nb()\nc()", "a\r\nb()\r\nc()", "a\rb()\rc()"):
        assert with_source_lines(frame.format(2), source) == frame.format(2) + "\n    b()"
    long = with_source_lines("\n".join([frame.format(1)] * 3), "x = '" + "y" * 10**6 + "'")
    assert long.split("\n")[1] == "    x = '" + "y" * 195
    assert len(long) < 1000


# Parallel and shared


def test_slow_program_does_not_hold_up_the_others(judge):
    slow = submit(judge, "import time\nwhile time.process_time() < 1.5: pass\n" + ADD_WRONG)
    start = time.monotonic()
    quick = [submit(judge, ADD_WRONG) for _ in range(6)]
    for future in quick:
        future.result()
    assert not slow.done()
    assert time.monotonic() - start < 60
    assert verdicts(slow.result())["public"] is Verdict.WRONG_ANSWER


def test_many_threads_share_the_workers_without_a_deadlock(judge):
    outcomes: list[bool] = []

    def work() -> None:
        outcomes.append(submit(judge, ADD_WRONG).result().all_passed)
        outcomes.append(submit(judge, "print(").result().compiled)

    threads = [threading.Thread(target=work) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert outcomes == [False] * 64


def test_judges_with_the_same_settings_share_their_workers(judge):
    other = Judge(sandbox="auto", num_workers=2)
    assert other.settings == judge.settings
    submit(other, ADD).result()
    pids = worker_pids(judge)
    other.close()
    assert submit(judge, ADD).result().all_passed
    assert worker_pids(judge) == pids


def test_judge_is_pickled_by_its_settings(judge):
    copy = pickle.loads(pickle.dumps(judge))
    assert copy.settings == judge.settings
    assert submit(copy, ADD).result().all_passed
    copy.close()


def test_forked_child_uses_its_parents_workers_and_the_parent_goes_on(judge):
    assert submit(judge, ADD).result().all_passed
    pids = worker_pids(judge)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        outcome = b"n"
        try:
            own = pool_for(judge.settings)._workers
            if submit(judge, ADD).result().all_passed and own[0].process is None:
                outcome = b"y"
        finally:
            os.write(write, outcome)
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 1) == b"y"
    assert submit(judge, ADD).result().all_passed
    assert worker_pids(judge) == pids


def test_cancelled_submission_makes_room(own_judge):
    waiting = [submit(own_judge, SLEEP) for _ in range(4)]
    for future in waiting:
        own_judge.cancel(future)
    assert submit(own_judge, ADD).result(timeout=60).all_passed
    assert all(future.cancelled() for future in waiting)


# Failures


def test_killed_worker_is_replaced_and_its_submission_judged_again(own_judge):
    own_judge.info()
    (pid,) = worker_pids(own_judge)
    future = submit(own_judge, "import time\ntime.sleep(0.5)\n" + ADD)
    time.sleep(0.2)
    os.kill(pid, signal.SIGKILL)
    assert future.result(timeout=60).all_passed
    assert worker_pids(own_judge) != [pid]


def test_worker_killed_twice_over_a_submission_is_a_sandbox_error(own_judge):
    own_judge.info()
    future = submit(own_judge, SLEEP)
    workers = pool_for(own_judge.settings)._workers
    for _ in range(2):
        assert wait_until(lambda: workers[0].info is not None and workers[0].jobs)
        time.sleep(0.1)
        os.kill(worker_pids(own_judge)[0], signal.SIGKILL)
        dead = worker_pids(own_judge)
        assert wait_until(lambda dead=dead: worker_pids(own_judge) != dead or future.done())
    with pytest.raises(SandboxError, match="died 2 times"):
        future.result(timeout=60)
    assert submit(own_judge, ADD).result(timeout=60).all_passed


def test_what_the_workers_are_is_known_while_they_are_all_dead(own_judge):
    info = own_judge.info()
    (pid,) = worker_pids(own_judge)
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: worker_pids(own_judge) != [pid])
    assert own_judge.info() == info
    assert submit(own_judge, ADD).result(timeout=60).all_passed


def test_closing_ends_the_waiting_for_workers_that_are_not_ready(monkeypatch):
    monkeypatch.setattr(pool, "_BOOT", "import time; time.sleep(2)")
    workers = pool.WorkerPool(pool.PoolSettings("landlock", 1, None))
    outcomes: list[str] = []

    def ask() -> None:
        try:
            workers.info()
        except SandboxError as error:
            outcomes.append(str(error))

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    workers.close()
    asking.join(10)
    assert outcomes == ["the judge was closed before a worker was ready"]


def test_who_hears_that_no_worker_starts_may_ask_the_judge_from_another_thread(monkeypatch):
    monkeypatch.setattr(pool, "_BOOT", "import sys; sys.exit(1)")
    judge = Judge(sandbox="landlock", num_workers=1, num_remembered=1)  # workers of its own
    asked = threading.Event()

    def ask(failed):
        other = threading.Thread(target=lambda: (judge.cancel(failed), asked.set()), daemon=True)
        other.start()
        other.join(10)

    future = submit(judge, ADD)
    future.add_done_callback(ask)
    with pytest.raises(SandboxError, match="died before it was ready"):
        future.result(30)
    assert asked.wait(10)
    judge.close()


def test_killed_jail_is_retried_and_never_a_verdict(own_judge):
    own_judge.info()
    (pid,) = worker_pids(own_judge)
    future = submit(own_judge, "import time\ntime.sleep(0.5)\n" + ADD)
    assert wait_until(lambda: descendants(pid))
    time.sleep(0.1)
    os.kill(descendants(pid)[0], signal.SIGKILL)
    assert future.result(timeout=60).all_passed


def test_unknown_python_is_refused_with_the_reason(judge):
    broken = Judge(sandbox=judge.info().sandbox, num_workers=1, python="/nowhere/python")
    with pytest.raises(SandboxUnavailableError, match="/nowhere/python does not exist"):
        broken.info()
    with pytest.raises(SandboxUnavailableError, match="/nowhere/python does not exist"):
        submit(broken, ADD).result(timeout=60)
    broken.close()


def test_number_of_workers_must_be_positive():
    with pytest.raises(ConfigError, match="num_workers=0"):
        Judge(num_workers=0)


# Leaving nothing behind


def test_close_ends_the_workers_and_use_starts_them_again(own_judge):
    assert submit(own_judge, ADD).result().all_passed
    pids = worker_pids(own_judge)
    own_judge.close()
    assert wait_until(lambda: not any(map(is_running, pids)))
    assert submit(own_judge, ADD).result().all_passed


def test_garbage_collection_ends_the_workers(judge):
    own = Judge(sandbox=judge.info().sandbox, num_workers=1)
    submit(own, ADD).result()
    pids = worker_pids(own)
    del own
    gc.collect()
    assert wait_until(lambda: not any(map(is_running, pids)))


def test_close_gives_back_every_descriptor(judge):
    def open_descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    def use() -> None:
        own = Judge(sandbox=judge.info().sandbox, num_workers=2)
        submit(own, ADD).result()
        own.close()

    use()
    before = open_descriptors()
    use()
    assert open_descriptors() == before


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_death_of_the_caller_in_mid_run_leaves_no_process(judge, number):
    script = (
        "import sys\n"
        "sys.path[:0] = sys.argv[1:3]\n"
        "from test_judge import *\n"
        "judge = Judge(num_workers=1)\n"
        "judge.info()\n"
        "future = submit(judge, SLEEP)\n"
        "print('started', flush=True)\n"
        "future.result()\n"
    )
    folder = Path(__file__).parent
    caller = subprocess.Popen(
        [sys.executable, "-c", script, str(folder), str(folder.parent)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert caller.stdout is not None
    assert caller.stdout.readline() == b"started\n"
    assert wait_until(lambda: len(descendants(caller.pid)) >= 3)
    below = descendants(caller.pid)
    caller.send_signal(number)
    caller.wait(30)
    caller.stdout.close()
    assert wait_until(lambda: not any(map(is_running, below)))


def test_recalling_a_waiting_submission_never_cuts_one_that_has_begun(judge):
    # Two workers and three programs at a time: the third waits behind one and is called back for
    # the other as soon as that is free, which may be just when it begins.
    own = Judge(sandbox=judge.info().sandbox, num_workers=2, num_remembered=0)
    task = packed(add_problem())
    try:
        for _ in range(150):
            futures = [own.submit(task, Submission("python3", ADD), ALL_POOLS) for _ in range(3)]
            assert all(future.result(timeout=60).all_passed for future in futures)
    finally:
        own.close()
