"""One corpus through every sandbox, and at rest and under load: the verdicts must be the same."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from codefeedback_env import SandboxUnavailableError, load_problems
from codefeedback_env.checkers import Judging, checker_for
from codefeedback_env.judge.judge import Judge
from codefeedback_env.judge.protocol import JudgeReport, Plan, Stage, pack
from codefeedback_env.problem import Pool
from codefeedback_env.sandbox.catalog import SANDBOXES

pytestmark = pytest.mark.sandbox

STOP_EARLY = Plan(stages=tuple(Stage(pool=pool, max_failures=1) for pool in Pool))
PROBLEMS = load_problems("bundled")
FEW = ("market-receipt", "badge-check", "bead-necklace", "lamp-pair", "woven-mat")
Outcome = list[tuple[str, str, int, int]]


def outcome(report: JudgeReport) -> Outcome:
    """For each pool its verdict, how many tests ran and which failed first."""
    return [
        (
            pool.value,
            str(part.verdict),
            len(part.results),
            part.first_failure.index if part.first_failure else -1,
        )
        for pool, part in report.reports.items()
    ]


def judge_all(sandbox: str, problem_ids: tuple[str, ...]) -> dict[tuple[str, str], Outcome]:
    """The outcome of every program of these problems."""
    judge = Judge(sandbox=sandbox, num_workers=2, num_remembered=0)
    try:
        judge.info()
    except SandboxUnavailableError as error:
        judge.close()
        pytest.skip(f"{sandbox} does not work here: {error}")
    futures = {}
    for problem_id in problem_ids:
        problem = PROBLEMS[problem_id]
        checker = checker_for(problem, Judging.STRICT)
        task = pack(problem, judging=Judging.STRICT, checker=checker)
        programs = [
            *PROBLEMS.reference_programs(problem_id),
            *(wrong.submission for wrong in PROBLEMS.wrong_programs(problem_id)),
        ]
        for program in programs:
            key = (problem_id, program.source_code)
            futures[key] = judge.submit(task, program, STOP_EARLY)
    outcomes = {key: outcome(future.result()) for key, future in futures.items()}
    judge.close()
    return outcomes


@contextmanager
def load(num_processes: int) -> Iterator[None]:
    """So many processes that keep the processors busy."""
    busy = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(num_processes)
    ]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def expected(judge) -> dict[tuple[str, str], Outcome]:
    """What the sandbox that "auto" takes says."""
    return judge_all(judge.info().sandbox, FEW)


@pytest.mark.parametrize("sandbox", list(SANDBOXES))
def test_every_sandbox_gives_the_same_verdicts(expected, sandbox):
    assert judge_all(sandbox, FEW) == expected


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("sandbox", list(SANDBOXES))
def test_every_sandbox_gives_the_same_verdicts_on_all_bundled_programs(judge, sandbox):
    everything = PROBLEMS.ids
    assert judge_all(sandbox, everything) == judge_all(judge.info().sandbox, everything)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_busy_machine_changes_no_verdict(judge):
    name = judge.info().sandbox
    at_rest = judge_all(name, PROBLEMS.ids)
    with load(8):
        assert judge_all(name, PROBLEMS.ids) == at_rest


def test_busy_machine_changes_no_verdict_of_a_few_programs(expected, judge):
    with load(8):
        assert judge_all(judge.info().sandbox, FEW[:2]) == {
            key: value for key, value in expected.items() if key[0] in FEW[:2]
        }
