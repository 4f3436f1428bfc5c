"""Real CodeContests rows through the real judge."""

import gymnasium
import pytest

from codefeedback_env import Verdict, load_problems
from codefeedback_env.checkers import Judging, checker_for
from codefeedback_env.judge.protocol import Plan, Stage, pack
from codefeedback_env.problem import Pool

FILE = "codecontests_test_sample.jsonl.gz"
EVERYTHING = Plan(stages=tuple(Stage(pool=pool, max_failures=1) for pool in Pool))
MANY_ANSWERS = {"1041_E", "716_D", "228_E", "327_D"}
"""Any valid answer is accepted by the real judge; the stored one is one of them."""

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def rows(sample_data):
    return load_problems(path=sample_data / FILE)


def test_the_31_accepted_human_programs_are_accepted_but_for_four_many_answer_problems(judge, rows):
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
    failed = {}
    for problem_id, future in futures.items():
        report = future.result()
        if not report.all_passed:
            verdicts = [part.verdict for part in report.reports.values()]
            failed[problem_id.split(".")[0]] = next(
                v for v in verdicts if v is not Verdict.ACCEPTED
            )
    assert failed == dict.fromkeys(MANY_ANSWERS, Verdict.WRONG_ANSWER)


def test_whole_episodes_are_played_on_real_rows(judge, rows, sample_data):
    solvable = [
        problem_id
        for problem_id in rows.ids
        if rows.reference_programs(problem_id) and problem_id.split(".")[0] not in MANY_ANSWERS
    ][:4]
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
