"""HumanEval and MBPP as they are published: the reference programs pass, wrong ones do not."""

import ast
import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from function_problems import asserts_problem, call_problem, judge_with

from codefeedback_env import Verdict
from codefeedback_env.judge.judge import Judge

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    own = Judge(num_workers=2)
    yield own
    own.close()


def rows(name: str) -> list[dict[str, Any]]:
    folder = os.environ.get("CODEFEEDBACK_SAMPLE_DATA")
    if not folder:
        pytest.skip("CODEFEEDBACK_SAMPLE_DATA does not name the folder with samples of real rows")
    with gzip.open(Path(folder) / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def human_eval(row: dict[str, Any]) -> Any:
    name = row["entry_point"]
    test = f"{row['test']}\ncheck({name})\n"
    return asserts_problem(name, test, reply_prefix=row["prompt"], time_limit_s=10.0)


def test_every_canonical_solution_of_human_eval_passes(judge):
    for row in rows("humaneval"):
        judged = judge_with(judge, human_eval(row), row["prompt"] + row["canonical_solution"])
        assert judged.verdicts == [Verdict.ACCEPTED], (row["task_id"], judged)


def test_no_stub_of_human_eval_passes(judge):
    for row in rows("humaneval")[::4]:
        judged = judge_with(judge, human_eval(row), row["prompt"] + "    pass\n")
        assert judged.verdicts[0] in (Verdict.WRONG_ANSWER, Verdict.RUNTIME_ERROR), row["task_id"]


@pytest.mark.parametrize("name", ["mbpp_sample", "mbpp_sanitized_sample"])
def test_every_reference_of_mbpp_passes_and_an_empty_one_does_not(judge, name):
    for row in rows(name):
        tests = [*row["test_list"], *row.get("challenge_test_list", ())]
        problem = asserts_problem(
            _called(row),
            *tests,
            test_setup="\n".join(row.get("test_imports", ())),
            program_setup=row.get("test_setup_code", ""),
            time_limit_s=10.0,
        )
        judged = judge_with(judge, problem, row["code"])
        assert set(judged.verdicts) == {Verdict.ACCEPTED}, (row["task_id"], judged)
        judged = judge_with(judge, problem, "", stop_early=True)
        assert judged.verdicts[-1] is Verdict.RUNTIME_ERROR, row["task_id"]


def _called(row: dict[str, Any]) -> str:
    """The function of the program that the first test mentions first."""
    defined = {n.name for n in ast.parse(row["code"]).body if isinstance(n, ast.FunctionDef)}
    names = [n.id for n in ast.walk(ast.parse(row["test_list"][0])) if isinstance(n, ast.Name)]
    return next(name for name in names if name in defined)


def test_references_of_mbpp_plus_pass_their_assertions(judge):
    for row in rows("mbppplus_sample"):
        problem = asserts_problem(row["entry_point"], row["assertion"], time_limit_s=10.0)
        judged = judge_with(judge, problem, row["prompt"] + row["canonical_solution"])
        assert judged.verdicts == [Verdict.ACCEPTED], (row["task_id"], judged)


def test_call_based_row_of_apps_takes_its_solutions(judge):
    num_programs = 0
    for row in rows("apps_sample"):
        tests = json.loads(row["input_output"])
        if "fn_name" not in tests:
            continue
        pairs = [
            ("\n".join(map(json.dumps, arguments)), json.dumps(output))
            for arguments, output in zip(tests["inputs"], tests["outputs"], strict=True)
        ]
        problem = call_problem(tests["fn_name"], *pairs, rule="apps", time_limit_s=10.0)
        for program in json.loads(row["solutions"])[:3]:
            assert set(judge_with(judge, problem, program).verdicts) == {Verdict.ACCEPTED}
            num_programs += 1
    assert num_programs >= 2
