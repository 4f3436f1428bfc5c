"""Real CodeContests rows through the real judge."""

import gymnasium
import pytest

from codefeedback_env import load_problems
from codefeedback_env.checkers import Judging, checker_for
from codefeedback_env.judge.protocol import Plan, Stage, pack
from codefeedback_env.problem import Pool

FILE = "codecontests_test_sample.jsonl.gz"
EVERYTHING = Plan(stages=tuple(Stage(pool=pool, max_failures=1) for pool in Pool))
MANY_ANSWERS = {
    *("1294_C", "1041_E", "487_C", "716_D", "228_E", "327_D", "981_C", "1090_C", "1157_C2"),
}
"""Any right answer is accepted by the real judge; the stored one is one of them."""

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def rows(sample_data):
    return load_problems(path=sample_data / FILE, exclude=None)


def test_the_31_accepted_human_programs_are_accepted(judge, rows):
    futures = {}
    for problem in rows:
        for program in rows.reference_programs(problem.id):
            task = pack(
                problem,
                judging=Judging.STRICT,
                checker=checker_for(problem, Judging.STRICT),
            )
            futures[problem.id] = judge.submit(task, program, EVERYTHING)
    assert len(futures) == 31
    rejected = [
        problem_id for problem_id, future in futures.items() if not future.result().all_passed
    ]
    assert rejected == []


def test_problems_with_many_right_answers_have_checkers_that_accept_the_stored_ones(rows):
    with_checker = [problem for problem in rows if problem.checker]
    assert {problem.id.split(".")[0] for problem in with_checker} == MANY_ANSWERS
    for problem in with_checker:
        assert problem.source["checker"] == "overlay"
        check = checker_for(problem, Judging.STRICT)
        for pool in Pool:
            for test in problem.tests(pool):
                stored = test.expected_stdout.encode()
                assert check(test.stdin.encode(), stored, stored), (problem.id, test.stdin)


def test_whole_episodes_are_played_on_real_rows(judge, rows, sample_data):
    solvable = [problem_id for problem_id in rows.ids if rows.reference_programs(problem_id)][:4]
    envs = gymnasium.make_vec(
        "CodeContests-v0", num_envs=4, path=sample_data / FILE, split="train", num_workers=2
    )
    observations, infos = envs.reset(seed=0, options={"problem": solvable})
    assert infos["problem_id"].tolist() == solvable
    assert all("competitive programming question" in observation for observation in observations)
    observations, rewards, terminations, _, _ = envs.step(["```python\nprint('no')\n```"] * 4)
    assert rewards.tolist() == [0.0] * 4
    assert not terminations.any()
    assert all(o.startswith("Your code failed the following tests:") for o in observations)
    programs = [rows.reference_programs(problem_id)[0].source_code for problem_id in solvable]
    _, rewards, terminations, _, infos = envs.step(
        [f"```python\n{program}\n```" for program in programs]
    )
    assert rewards.tolist() == [1.0] * 4
    assert terminations.all()
    assert infos["private_passed"].tolist() == [True] * 4
    envs.close()
