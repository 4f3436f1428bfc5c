"""Judging on a Ray cluster: the judge's verdicts, whatever happens to its nodes."""

import asyncio
import contextlib
import gc
import importlib.util
import logging
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

ray = pytest.importorskip("ray")
import gymnasium
from examples import ADD, ADD_PUBLIC_ONLY, ADD_WRONG, add_problem, fenced
from pages import run_page
from ray.cluster_utils import Cluster

from benchmarks.processes import descendants
from codefeedback_env import (
    ConfigError,
    SandboxError,
    SandboxUnavailableError,
    Submission,
    load_problems,
)
from codefeedback_env.adapters import ray as adapter
from codefeedback_env.adapters import ray_actor, ray_pool
from codefeedback_env.adapters.ray import RayJudge, address_of
from codefeedback_env.adapters.ray_actor import JudgeActor
from codefeedback_env.adapters.ray_pool import RayPool
from codefeedback_env.checkers import Judging, checker_for
from codefeedback_env.judge.judge import Judge
from codefeedback_env.judge.pool import JOBS_AHEAD
from codefeedback_env.judge.protocol import JudgeReport, PackedProblem, Plan, Stage, pack
from codefeedback_env.make import make_judge, make_vector_env
from codefeedback_env.problem import Pool

pytestmark = pytest.mark.sandbox

OBJECT_STORE_BYTES = 100 << 20
CLIENT_PORT = 23671
ALL_POOLS = Plan(
    stages=(
        Stage(pool=Pool.PUBLIC, keep_output=True),
        Stage(pool=Pool.PRIVATE, max_failures=1),
        Stage(pool=Pool.GENERATED, max_failures=1),
    )
)
BATCH = 24


def busy(seconds: float) -> str:
    """A right program that takes some CPU time on the first of its tests."""
    first = f"if (a, b) == (1, 2):\n    while time.process_time() < {seconds}: pass\n"
    return f"import time\na, b = map(int, input().split()[:2])\n{first}print(a + b)"


def packed(time_limit_s: float = 20.0) -> PackedProblem:
    """The sum of two numbers; another time limit makes it another problem."""
    problem = replace(add_problem(), time_limit_s=time_limit_s)
    checker = checker_for(problem, Judging.STRICT)
    return pack(problem, judging=Judging.STRICT, checker=checker)


def submit(judge: Any, source: str, problem: PackedProblem | None = None):
    return judge.submit(problem or packed(), Submission("python3", source), ALL_POOLS)


def verdicts(report: JudgeReport) -> list[Any]:
    """All there is in a report but times."""
    return [report.compiled, report.compile_error] + [
        (r.index, r.verdict, r.stdout, r.stderr) for p in report.reports.values() for r in p.results
    ]


def wait_until(condition: Callable[[], Any], timeout_s: float = 60.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def processes_with(word: bytes, below: int | None = None) -> set[int]:
    """Processes below another, by default below this one, with a word in their command line."""
    found = set()
    for pid in descendants(below):
        with contextlib.suppress(OSError):
            if word in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.add(pid)
    return found


def actor_pids() -> set[int]:
    return processes_with(b"ray::JudgeActor")


def judge_pids(actor: int | None = None) -> set[int]:
    """The judge workers of one actor, or of all."""
    below = [actor] if actor else actor_pids()
    return set().union(*(processes_with(b"codefeedback_env.judge.worker", pid) for pid in below))


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def pool_of(judge: RayJudge) -> RayPool:
    return adapter._pools[judge.settings]


@pytest.fixture(scope="module")
def cluster(judge) -> Iterator[Cluster]:
    """A head without CPUs and two nodes with one each, of which one can be told by a resource.

    ``judge`` comes first: it skips where no sandbox works.
    """
    nodes = {"object_store_memory": OBJECT_STORE_BYTES}
    head = {"num_cpus": 0, "include_dashboard": False, **nodes}
    if importlib.util.find_spec("grpc"):
        head["ray_client_server_port"] = CLIENT_PORT
    cluster = Cluster(initialize_head=True, head_node_args=head)
    cluster.add_node(num_cpus=1, **nodes)
    cluster.add_node(num_cpus=1, resources={"judging": 4}, **nodes)
    ray.init(address=cluster.address, log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture(scope="module")
def shared_judge(cluster) -> Iterator[RayJudge]:
    judge = RayJudge(num_remembered=0)
    yield judge
    judge.close()


@pytest.fixture
def ray_judge(shared_judge) -> RayJudge:
    """Two workers, one on each node, both ready."""
    shared_judge.info()
    if len(pool_of(shared_judge)._workers) != 2:
        shared_judge.close()
        shared_judge.info()
    assert wait_until(lambda: [w.is_ready for w in pool_of(shared_judge)._workers] == [True] * 2)
    return shared_judge


@pytest.fixture
def free_cluster(cluster, shared_judge) -> Cluster:
    """The cluster when nothing runs there."""
    shared_judge.close()
    assert wait_until(lambda: ray.available_resources().get("CPU") == 2)
    return cluster


# What is judged


def test_reports_are_the_judges_own(judge, ray_judge):
    programs = (
        ADD,
        ADD_WRONG,
        ADD_PUBLIC_ONLY,
        "print(",
        "raise ValueError('seen')",
        "import sys\nsys.stdout.buffer.write(bytes(range(256)))",
        "a = '\ud800'",
    )
    alone = [submit(judge, source) for source in programs]
    on_ray = [submit(ray_judge, source) for source in programs]
    for mine, theirs in zip(on_ray, alone, strict=True):
        assert verdicts(mine.result()) == verdicts(theirs.result())


def test_a_checker_that_was_made_on_the_spot_reaches_the_nodes(ray_judge):
    wanted = b"anything\n"
    problem = pack(add_problem(), judging=Judging.STRICT, checker=lambda i, e, o: o == wanted)
    assert submit(ray_judge, "print('anything')", problem).result().all_passed
    assert not submit(ray_judge, ADD, problem).result().all_passed


def test_info_tells_what_judges_on_the_nodes(judge, ray_judge):
    here, there = judge.info(), ray_judge.info()
    assert (there.sandbox, there.python_version) == (here.sandbox, here.python_version)


def test_reports_that_come_again_are_remembered_by_the_caller(free_cluster):
    judge = RayJudge(num_workers=1)
    first = submit(judge, ADD)
    assert first.result().all_passed
    again = submit(judge, ADD)
    assert again.done()
    assert again.result() == first.result()
    judge.close()


# Jobs


def test_a_problem_is_put_into_the_object_store_once_and_sent_to_each_actor_once(
    ray_judge, monkeypatch
):
    put, num_put = ray.put, []
    monkeypatch.setattr(ray, "put", lambda value: num_put.append(value) or put(value))
    problem = packed(21.0)
    futures = [submit(ray_judge, ADD_WRONG, problem) for _ in range(20)]
    assert not any(future.result().all_passed for future in futures)
    assert num_put == [problem]
    assert all(problem.key in w.known_problems for w in pool_of(ray_judge)._workers)


def test_an_actor_that_does_not_know_a_problem_is_sent_it(ray_judge):
    problem = packed(22.0)
    for worker in pool_of(ray_judge)._workers:
        worker.known_problems.add(problem.key)
    futures = [submit(ray_judge, ADD, problem) for _ in range(4)]
    assert all(future.result().all_passed for future in futures)


def test_an_actor_forgets_the_problem_asked_for_longest_ago(judge, monkeypatch):
    first, second = packed(21.0), packed(22.0)
    monkeypatch.setattr(ray_actor, "MAX_PROBLEM_BYTES", len(first.blob) + len(second.blob) - 1)
    actor = JudgeActor(judge.settings.sandbox, None)

    async def judged(problem: PackedProblem, sent: PackedProblem | None) -> str:
        submission = Submission("python3", ADD)
        answer = await actor.judge(1, problem.key, sent, submission, ALL_POOLS.encoded)
        return answer[0]

    async def words() -> list[str]:
        assert (await actor.greet())[0] == "ready"
        sent = [(first, first), (first, None), (second, second), (first, None), (second, None)]
        return [await judged(*pair) for pair in sent]

    assert asyncio.run(words()) == ["report", "report", "report", "unknown problem", "report"]
    actor._judge.close()


def test_a_few_jobs_are_sent_ahead_and_the_others_wait_here(ray_judge):
    futures = [submit(ray_judge, busy(0.3)) for _ in range(12)]
    pool = pool_of(ray_judge)
    assert wait_until(lambda: sum(len(w.jobs) for w in pool._workers) == 2 * JOBS_AHEAD)
    while not all(future.done() for future in futures):
        assert all(len(worker.jobs) <= JOBS_AHEAD for worker in pool._workers)
        time.sleep(0.01)
    assert all(future.result().all_passed for future in futures)


def test_a_job_behind_a_slow_one_goes_to_a_worker_with_nothing_to_do(ray_judge):
    slow = submit(ray_judge, busy(6))
    quick = submit(ray_judge, busy(0.5))
    behind = [submit(ray_judge, ADD) for _ in range(2)]
    assert all(future.result().all_passed for future in (quick, *behind))
    assert not slow.done()
    assert slow.result().all_passed


def test_cancelled_jobs_stop_whether_they_wait_or_run(ray_judge):
    slow = "import time\nwhile time.process_time() < 2: pass\n" + ADD  # in each of four tests
    running = [submit(ray_judge, slow) for _ in range(2)]
    waiting = [submit(ray_judge, slow) for _ in range(8)]
    time.sleep(1)
    start = time.monotonic()
    for future in (*waiting, *running):
        ray_judge.cancel(future)
    assert all(future.cancelled() for future in (*waiting, *running))
    assert submit(ray_judge, ADD).result().all_passed
    assert time.monotonic() - start < 20  # all ten would take 40 s of two CPUs
    assert not pool_of(ray_judge)._waiting


def test_many_threads_share_the_actors(ray_judge):
    outcomes: list[bool] = []

    def work() -> None:
        submission = Submission("python3", ADD_WRONG)
        outcomes.append(ray_judge.judge(packed(), submission, ALL_POOLS).all_passed)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert outcomes == [False] * 16


# What goes wrong


def play_batch(judge: Any, disturb: Callable[[], None] | None = None) -> dict[int, Any]:
    """Two turns in each of many episodes: environment -> what its second turn came to.

    Every other second reply is right; ``disturb`` is called when the first is judged.
    """
    vec = make_vector_env(BATCH, sandbox=judge, dataset="bundled", autoreset_mode="Disabled")
    programs = load_problems("bundled").reference_programs
    _, infos = vec.reset(seed=0)
    problem_ids = infos["problem_id"]
    vec.step([fenced("print('no')")] * BATCH)
    replies = [
        fenced(programs(p)[0].source_code if i % 2 else "print('still not')")
        for i, p in enumerate(problem_ids)
    ]
    vec.send(replies, range(BATCH))
    played: dict[int, Any] = {}
    while len(played) < BATCH:
        messages, rewards, terminations, truncations, infos = vec.recv()
        for row, env_id in enumerate(infos["env_id"].tolist()):
            row_of = (messages, rewards, terminations, truncations)
            played[env_id] = tuple(column[row] for column in row_of)
        if disturb is not None:
            disturb()
            disturb = None
    return played


class KeptOpen:
    """A judge whose close() does nothing, since the fixture closes it."""

    def __init__(self, judge: RayJudge) -> None:
        self.submit, self.judge, self.cancel, self.info = (
            judge.submit,
            judge.judge,
            judge.cancel,
            judge.info,
        )

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def undisturbed(judge) -> dict[int, Any]:
    """The batch without Ray."""
    own = Judge(sandbox=judge.settings.sandbox, num_workers=2, num_remembered=0)
    played = play_batch(own)
    assert {reward for _, reward, _, _ in played.values()} == {0.0, 1.0}
    own.close()
    return played


def test_a_node_lost_in_mid_batch_loses_no_episode_and_changes_no_verdict(
    cluster, ray_judge, undisturbed, caplog
):
    lost = []

    def lose_a_node() -> None:
        assert sum(bool(worker.jobs) for worker in pool_of(ray_judge)._workers) == 2
        own = ray.get_runtime_context().get_node_id()
        lost.append(next(node for node in cluster.worker_nodes if node.node_id != own))
        cluster.remove_node(lost[0], allow_graceful=False)

    assert play_batch(KeptOpen(ray_judge), lose_a_node) == undisturbed
    assert "is lost, asking for another" in caplog.text
    workers = pool_of(ray_judge)._workers
    assert [worker.is_ready for worker in workers].count(True) == 1

    # A node that comes gets the worker that found no place.
    resources = lost[0]._ray_params.resources
    cluster.add_node(num_cpus=1, resources=resources, object_store_memory=OBJECT_STORE_BYTES)
    assert wait_until(lambda: all(worker.is_ready for worker in workers))
    assert play_batch(KeptOpen(ray_judge)) == undisturbed


def test_an_actor_killed_in_mid_batch_changes_nothing(ray_judge, undisturbed, caplog):
    def kill_an_actor() -> None:
        ray.kill(pool_of(ray_judge)._workers[0].actor)

    assert play_batch(KeptOpen(ray_judge), kill_an_actor) == undisturbed
    assert "is lost, asking for another" in caplog.text


def test_a_worker_process_killed_inside_an_actor_changes_nothing(ray_judge, undisturbed):
    def kill_a_worker() -> None:
        (actor, *_) = actor_pids()
        (worker,) = judge_pids(actor)
        os.kill(worker, signal.SIGKILL)

    assert play_batch(KeptOpen(ray_judge), kill_a_worker) == undisturbed


def test_a_submission_whose_worker_is_lost_twice_fails(ray_judge):
    future = submit(ray_judge, busy(19))
    pool = pool_of(ray_judge)
    for _ in range(2):
        assert wait_until(lambda: any(w.is_ready and w.jobs for w in pool._workers))
        (holder,) = [worker for worker in pool._workers if worker.jobs]
        ray.kill(holder.actor)
        assert wait_until(lambda holder=holder: holder not in pool._workers)
    with pytest.raises(SandboxError, match="lost 2 times over a submission"):
        future.result(30)
    assert submit(ray_judge, ADD).result().all_passed


def test_a_node_that_would_judge_otherwise_is_left_out(ray_judge, caplog):
    pool, other = pool_of(ray_judge), replace(ray_judge.info(), python_version="3.1")
    odd, kept = pool._workers
    pool._events.put(("greeting", odd, ("ready", other)))
    assert wait_until(lambda: pool._workers == [kept])
    assert "a node would judge by" in caplog.text
    futures = [submit(ray_judge, ADD_WRONG) for _ in range(4)]
    assert not any(future.result().all_passed for future in futures)


def test_a_sandbox_that_works_on_no_node_is_told_with_the_node(free_cluster):
    judge = RayJudge(sandbox="nojail")
    with pytest.raises(SandboxUnavailableError, match=r"node .*: unknown sandbox 'nojail'"):
        judge.info()
    with pytest.raises(SandboxUnavailableError, match="unknown sandbox"):
        submit(judge, ADD).result()
    judge.close()


class ActorThatCannotBegin(JudgeActor):
    def __init__(self, sandbox: str, python: str | None) -> None:
        raise OSError("no space left")


def test_an_actor_that_cannot_begin_is_told_and_not_tried_for_ever(free_cluster, monkeypatch):
    monkeypatch.setattr(ray_pool, "JudgeActor", ActorThatCannotBegin)
    judge = RayJudge()
    with pytest.raises(SandboxUnavailableError, match="cannot run in its Ray actor"):
        judge.info()
    judge.close()


def test_workers_that_no_node_can_have_are_refused_at_once(free_cluster):
    with pytest.raises(SandboxUnavailableError, match=r"no room for a judge worker.*'gold': 0.0"):
        RayJudge(resources={"gold": 1}).info()


def test_a_connection_opened_in_vain_is_closed(unconnected):
    with pytest.raises(SandboxUnavailableError, match="no room"):
        RayJudge(unconnected.address, resources={"gold": 1}).info()
    assert not ray.is_initialized()


def test_waiting_for_a_worker_ends_and_says_how_many_cpus_are_free(free_cluster, caplog):
    judge = RayJudge(num_workers=1, resources={"gold": 1}, max_wait_s=7)
    start = time.monotonic()
    with pytest.raises(SandboxUnavailableError, match=r"for 7 s: . of the 2 CPUs .* are free"):
        submit(judge, ADD).result()
    assert 6 < time.monotonic() - start < 20
    assert "no judge worker of 1 runs yet" in caplog.text
    judge.close()


def test_workers_go_where_their_resources_are(free_cluster):
    judge = RayJudge(resources={"judging": 3})
    judge.info()
    (worker,) = pool_of(judge)._workers  # a second one would not fit
    here = ray.get(
        worker.actor.__ray_call__.remote(lambda _: ray.get_runtime_context().get_node_id())
    )
    (chosen,) = [n["NodeID"] for n in ray.nodes() if n["Alive"] and "judging" in n["Resources"]]
    assert here == chosen
    judge.close()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1"])
def test_an_address_where_nothing_answers_is_an_error_within_seconds(address, unconnected):
    start = time.monotonic()
    with pytest.raises(
        SandboxUnavailableError, match=r"no Ray cluster at .* nothing answers there"
    ):
        RayJudge(address).info()
    assert time.monotonic() - start < 10


def test_options_that_cannot_work_are_refused():
    with pytest.raises(ConfigError, match="num_workers=0"):
        RayJudge(num_workers=0)
    with pytest.raises(ConfigError, match="leave out what"):
        RayJudge(resources={"judging": 0})
    with pytest.raises(ConfigError, match="max_wait_s=0"):
        RayJudge(max_wait_s=0)


@pytest.fixture
def unconnected(free_cluster) -> Iterator[Cluster]:
    """This process is not connected to the cluster, which goes on."""
    ray.shutdown()
    yield free_cluster
    if not ray.is_initialized():
        ray.init(address=free_cluster.address, log_to_driver=False)


def test_ray_shut_down_under_the_judge_fails_what_is_under_way(unconnected):
    ray.init(address=unconnected.address, log_to_driver=False)
    judge = RayJudge(num_workers=1)
    judge.info()
    future = submit(judge, busy(15))
    ray.shutdown()
    with pytest.raises(SandboxUnavailableError, match="shut down while the judge was in use"):
        future.result(20)
    ray.init(address=unconnected.address, log_to_driver=False)
    assert submit(judge, ADD).result().all_passed  # by new actors
    judge.close()


# Sharing and ending


def test_environments_with_the_same_settings_share_their_actors(free_cluster):
    one, other = (gymnasium.make("CodeContests-v0", sandbox="ray") for _ in range(2))
    programs = load_problems("bundled").reference_programs
    options = {"problem": "badge-check"}
    for env in (one, other):
        env.reset(seed=0, options=options)
        assert env.step(fenced(programs("badge-check")[0].source_code))[1] == 1
    assert len(adapter._pools) == 1
    assert len(actor_pids()) == 2
    one.close()
    other.reset(options=options)
    assert other.step(fenced(programs("badge-check")[-1].source_code))[1] == 1
    other.close()
    assert adapter._pools == {}


def test_closing_leaves_no_process_and_fails_what_is_under_way(free_cluster):
    judge = RayJudge()
    judge.info()
    assert wait_until(lambda: len(judge_pids()) == 2)
    workers = judge_pids()
    jailed = set().union(*map(descendants, workers))
    assert jailed
    futures = [submit(judge, busy(15)) for _ in range(8)]
    judge.close()
    for future in futures:
        with pytest.raises(SandboxError, match="closed before"):
            future.result(10)
    assert wait_until(lambda: not actor_pids() and not any(map(is_running, workers | jailed)))
    assert submit(judge, ADD).result().all_passed  # starts again
    judge.close()
    judge.close()


def test_a_judge_that_is_garbage_leaves_no_process(free_cluster):
    judge = RayJudge(num_workers=1)
    assert submit(judge, ADD).result().all_passed
    assert actor_pids()
    del judge
    gc.collect()
    assert wait_until(lambda: not actor_pids())


def test_a_pickled_copy_judges_in_a_ray_task(free_cluster):
    judge = RayJudge(num_workers=1)
    assert submit(judge, ADD).result().all_passed
    copy = pickle.loads(pickle.dumps(judge))
    assert copy.settings == judge.settings

    @ray.remote(num_cpus=0)
    def judged(copy: RayJudge, problem: PackedProblem, plan: Plan) -> list[bool]:
        programs = ("a, b = map(int, input().split()[:2])\nprint(a + b)", "print(3)")
        futures = [copy.submit(problem, Submission("python3", p), plan) for p in programs]
        outcome = [future.result().all_passed for future in futures]
        copy.close()
        return outcome

    assert ray.get(judged.remote(copy, packed(), ALL_POOLS)) == [True, False]
    assert submit(judge, ADD_WRONG).result().all_passed is False
    judge.close()


def test_a_judge_that_connects_by_itself_also_disconnects(unconnected):
    judge = make_judge(sandbox=f"ray:{unconnected.address}", num_workers=2)
    assert submit(judge, ADD).result().all_passed
    assert ray.is_initialized()
    judge.close()
    assert not ray.is_initialized()


def test_ray_client_will_do(unconnected):
    pytest.importorskip("grpc", reason="Ray Client needs ray[client]")
    script = (
        "import gymnasium, codefeedback_env\n"
        f"env = gymnasium.make('CodeContests-v0', sandbox='ray://127.0.0.1:{CLIENT_PORT}')\n"
        "env.reset(seed=0, options={'problem': 'badge-check'})\n"
        "programs = codefeedback_env.load_problems('bundled').reference_programs\n"
        "reply = '```python\\n' + programs('badge-check')[0].source_code + '\\n```'\n"
        "print(env.step(reply)[1])\n"
        "env.close()\n"
    )
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
        if "Starting Ray client server failed" not in done.stderr:
            break  # else a race in Ray's own proxy, which forks beside threads of gRPC
    assert done.stdout.split() == ["1.0"], done.stderr
    assert wait_until(lambda: not actor_pids())


def _use_in_child(judge: RayJudge, said: Any) -> None:
    try:
        judge.info()
    except SandboxUnavailableError as error:
        said.put(str(error))


def test_a_forked_child_is_told_that_ray_does_not_work_there(ray_judge):
    context = multiprocessing.get_context("fork")
    said = context.SimpleQueue()
    child = context.Process(target=_use_in_child, args=(ray_judge, said))
    child.start()
    child.join(30)
    assert "forked child" in said.get()
    assert submit(ray_judge, ADD).result().all_passed


@pytest.mark.parametrize(
    ("sandbox", "address"),
    [
        ("ray", None),
        ("ray:auto", "auto"),
        ("ray:10.0.0.1:6379", "10.0.0.1:6379"),
        ("ray://10.0.0.1:10001", "ray://10.0.0.1:10001"),
    ],
)
def test_a_sandbox_name_says_which_cluster(sandbox, address):
    assert address_of(sandbox) == address
    judge = make_judge(sandbox=sandbox, num_workers=3, python="/usr/bin/python3")
    assert isinstance(judge, RayJudge)
    settings = judge.settings
    assert (settings.address, settings.num_workers) == (address, 3)
    assert (settings.sandbox, settings.python) == ("auto", "/usr/bin/python3")


def test_the_log_says_nothing_when_nothing_happens(ray_judge, caplog):
    with caplog.at_level(logging.INFO, logger="codefeedback_env"):
        assert submit(ray_judge, ADD).result().all_passed
    assert not caplog.records


def test_the_programs_on_its_page_run(free_cluster):
    assert run_page("ray")
