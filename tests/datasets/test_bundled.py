"""The problems that come with the package: every program of theirs gets its verdict."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from codefeedback_env import Verdict, load_problems
from codefeedback_env.checkers import Judging, checker_for
from codefeedback_env.datasets.bundled.build import authored_problems
from codefeedback_env.datasets.bundled.load import DATA_FILE
from codefeedback_env.judge.protocol import Plan, Stage, pack
from codefeedback_env.problem import Pool

PROBLEMS = load_problems("bundled")
AUTHORED = {problem.id: problem for problem in authored_problems()}
STOP_EARLY = Plan(stages=tuple(Stage(pool=pool, max_failures=1) for pool in Pool))
LEVELS = {"easy", "medium", "hard", "harder", "hardest"}


def judged(judge, problem_id, submission):
    problem = PROBLEMS[problem_id]
    checker = checker_for(problem, Judging.STRICT)
    return judge.judge(
        pack(problem, judging=Judging.STRICT, checker=checker), submission, STOP_EARLY
    )


def first_verdict(report) -> Verdict:
    """Of the first failing test in the order of the pools, else accepted."""
    verdicts = (part.verdict for part in report.reports.values())
    return next((v for v in verdicts if v not in (Verdict.ACCEPTED, None)), Verdict.ACCEPTED)


@pytest.mark.sandbox
@pytest.mark.parametrize("problem_id", PROBLEMS.ids)
def test_reference_programs_are_accepted(judge, problem_id):
    programs = PROBLEMS.reference_programs(problem_id)
    assert programs
    limit = PROBLEMS[problem_id].time_limit_s
    for program in programs:
        report = judged(judge, problem_id, program)
        assert report.all_passed, first_verdict(report)
        slowest = max(r.cpu_time_s for part in report.reports.values() for r in part.results)
        assert slowest < 0.7 * limit


@pytest.mark.sandbox
@pytest.mark.parametrize("problem_id", PROBLEMS.ids)
def test_wrong_programs_get_exactly_their_verdict(judge, problem_id):
    programs = PROBLEMS.wrong_programs(problem_id)
    assert len(programs) >= 2
    passes_public = []
    for program, authored in zip(programs, AUTHORED[problem_id].wrong, strict=True):
        report = judged(judge, problem_id, program.submission)
        assert first_verdict(report) is program.verdict
        assert report.reports[Pool.PUBLIC].all_passed is authored.passes_public
        passes_public.append(authored.passes_public)
    assert any(passes_public)


@pytest.mark.parametrize("problem_id", PROBLEMS.ids)
def test_problem_has_enough_tests(problem_id):
    problem = PROBLEMS[problem_id]
    assert 1 <= len(problem.public_tests) <= 3
    assert len(problem.private_tests) + len(problem.generated_tests) >= 20
    assert problem.difficulty in LEVELS
    assert problem.tags
    inputs = [test.stdin for pool in Pool for test in problem.tests(pool)]
    assert len(set(inputs)) == len(inputs)


def test_there_are_enough_problems_of_every_kind():
    assert len(PROBLEMS) >= 60
    at_level = Counter(summary.difficulty for summary in PROBLEMS.summaries)
    assert at_level.keys() == LEVELS
    assert min(at_level.values()) >= 8
    problems = [PROBLEMS[problem_id] for problem_id in PROBLEMS.ids]
    comparisons = [checker_for(problem, Judging.STRICT) for problem in problems]
    assert sum(problem.checker is not None for problem in problems) >= 3
    assert sum(getattr(c, "tolerance", None) is not None for c in comparisons) >= 2
    assert sum(getattr(c, "fold_case", False) for c in comparisons) >= 2
    biggest = max(
        len(test.expected_stdout) for p in problems for pool in Pool for test in p.tests(pool)
    )
    assert biggest > 100_000
    wrong = [w.verdict for p in PROBLEMS.ids for w in PROBLEMS.wrong_programs(p)]
    assert set(wrong) >= set(Verdict) - {Verdict.ACCEPTED, Verdict.SECURITY_VIOLATION}


def test_package_data_stays_small():
    package = Path(DATA_FILE).parents[2]
    files = [path for path in package.rglob("*") if path.suffix in {".py", ".gz", ".typed"}]
    assert sum(path.stat().st_size for path in files) < 2 << 20


@pytest.mark.slow
def test_data_file_is_what_the_modules_build():
    check = [sys.executable, "-m", "codefeedback_env.datasets.bundled.build", "--check"]
    assert subprocess.run(check, check=False).returncode == 0
