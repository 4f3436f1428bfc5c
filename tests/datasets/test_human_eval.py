import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codefeedback_env.data_quality.problem_report import start_problem
from codefeedback_env.datasets.assert_tests import split_check
from codefeedback_env.datasets.human_eval import load_human_eval, load_human_eval_plus
from codefeedback_env.datasets.problem_set import ProblemSet
from codefeedback_env.datasets.reference_tests import NOTHING_KNOWN
from codefeedback_env.errors import DatasetError
from codefeedback_env.judge.judge import Judge
from codefeedback_env.problem import FunctionStyle, Problem

WriteRows = Callable[..., Path]

PROMPT = 'import math\n\n\ndef half(x):\n    """Half of it."""\n'
TEST = "METADATA = {}\n\n\ndef check(candidate):\n    assert candidate(2) == 1\n    assert True\n"


def row(**changes: Any) -> dict[str, Any]:
    complete = {
        "task_id": "HumanEval/0",
        "prompt": PROMPT,
        "entry_point": "half",
        "canonical_solution": "    return x / 2\n",
        "test": TEST,
    }
    return {key: value for key, value in {**complete, **changes}.items() if value is not ...}


PLUS = {"base_input": [[2], [4]], "plus_input": [[1.5], [[1]], [9]], "atol": 0}


def failures(problems: ProblemSet, programs: dict[str, str] | None = None) -> dict[str, list[int]]:
    """Which tests of which problem fail, by number; plain Python in one process of its own.

    Programs are those given, else the data's own reference programs.
    """
    script = ["import json, sys", "failed = {}", "sys.setrecursionlimit(10000)"]
    for problem in problems:
        assert problem.function is not None
        reference = problems.reference_programs(problem.id)[0].source_code
        program = (programs or {}).get(problem.id, reference)
        tests = problem.public_tests + problem.private_tests + problem.generated_tests
        program += "\n" + problem.function.program_setup
        setup = problem.function.test_setup
        script.append(
            f"names = {{}}; exec({program!r}, names)\n"
            f"for number, test in enumerate({[test.stdin for test in tests]!r}):\n"
            f"    scope = dict(names); exec({setup!r}, scope)\n"
            f"    scope[{problem.function.name!r}] = names[{problem.function.name!r}]\n"
            f"    try: exec(test, scope)\n"
            f"    except Exception: failed.setdefault({problem.id!r}, []).append(number)"
        )
    script.append("print(json.dumps(failed))")
    done = subprocess.run(
        [sys.executable, "-I"], input="\n".join(script), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_a_row_becomes_a_problem(write_rows: WriteRows) -> None:
    problems = load_human_eval(write_rows([row()]))
    problem = problems["HumanEval/0"]
    assert problem.statement == PROMPT
    assert [test.stdin for test in problem.public_tests] == ["assert half(2) == 1"]
    (private,) = problem.private_tests
    assert private.stdin == f"{TEST.rstrip()}\n\ncheck(half)\n"
    assert problem.generated_tests == ()
    assert problem.function is not None
    assert problem.function.style is FunctionStyle.ASSERTS
    assert (problem.function.name, problem.function.reply_prefix) == ("half", PROMPT)
    assert problem.function.test_setup == ""
    assert [p.source_code for p in problems.reference_programs(problem.id)] == [
        PROMPT + "    return x / 2\n"
    ]


@pytest.mark.parametrize(
    ("body", "tests"),
    [
        (
            ["assert candidate(1) == [\n        2]", "assert candidate(3)"],
            ["assert f(1) == [2]", "assert f(3)"],
        ),
        # only what a test needs goes with it, also through other names
        (
            ["import math", "a = 1", "b = a + 1", "c = 9", "assert candidate(b)"],
            ["a = 1\nb = a + 1\nassert f(b)"],
        ),
        (["import os.path as p", "assert candidate(p)"], ["import os.path as p\nassert f(p)"]),
        (["v = [2, 1]", "v.sort()", "assert candidate(v)"], ["v = [2, 1]\nv.sort()\nassert f(v)"]),
        # loops stay whole
        (
            ["for i in range(2):\n        assert candidate(i) == i"],
            ["for i in range(2):\n    assert f(i) == i"],
        ),
        (["print", "assert True, 'x'", "assert candidate(0)"], ["assert f(0)"]),
        # an assert about a variable cannot stand alone
        (
            ["v = []", "assert candidate(v)", "assert v == [1]"],
            ["v = []\nassert f(v)\nassert v == [1]"],
        ),
    ],
)
def test_a_check_is_taken_apart_into_tests_that_run_alone(
    body: list[str], tests: list[str]
) -> None:
    source = "def check(candidate):\n" + "".join(f"    {statement}\n" for statement in body)
    assert [test.stdin for test in split_check(source, "f")] == tests


def test_helpers_beside_check_go_with_the_tests_that_use_them() -> None:
    source = "def same(a):\n    return a\ndef check(candidate):\n    assert same(candidate(1))\n"
    (test,) = split_check(source, "f")
    assert test.stdin == "def same(a):\n    return a\nassert same(f(1))"


@pytest.fixture
def plus(write_rows: WriteRows) -> Problem:
    return load_human_eval_plus(write_rows([row(test=..., **PLUS)]))[0]


def test_plus_inputs_are_compared_with_the_reference(plus: Problem, write_rows: WriteRows) -> None:
    assert [test.stdin for test in plus.public_tests] == [
        "check_result(half, [2])",
        "check_result(half, [4])",
    ]
    assert len(plus.private_tests) == len(plus.generated_tests) == 1
    assert "[1.5],\n" in plus.generated_tests[0].stdin
    problems = load_human_eval_plus(write_rows([row(test=..., **PLUS)]))
    assert failures(problems) == {}
    # Right for 2, 4 and 9 only up to the comma: 9 // 2 is 4, not 4.5.
    assert failures(problems, {"HumanEval/0": "def half(x): return x // 2"}) == {"HumanEval/0": [3]}
    assert failures(problems, {"HumanEval/0": "def half(x): return x"}) == {
        "HumanEval/0": [0, 1, 2, 3]
    }


@pytest.mark.parametrize(("atol", "failed"), [(0, {"HumanEval/0": [0, 1, 2, 3]}), (0.01, {})])
def test_the_tolerance_is_respected(
    write_rows: WriteRows, atol: float, failed: dict[str, list[int]]
) -> None:
    problems = load_human_eval_plus(write_rows([row(test=..., **{**PLUS, "atol": atol})]))
    program = {"HumanEval/0": "def half(x): return x / 2 + 0.001"}
    assert failures(problems, program) == failed


def test_with_test_code_the_asserts_are_public_and_plus_inputs_generated(
    write_rows: WriteRows,
) -> None:
    problem = load_human_eval_plus(write_rows([row(**PLUS)]))[0]
    assert [test.stdin for test in problem.public_tests] == ["assert half(2) == 1"]
    assert len(problem.generated_tests) == 1


def test_many_inputs_are_spread_over_tests(write_rows: WriteRows) -> None:
    changed = row(**{**PLUS, "plus_input": [[i] for i in range(201)]})
    problem = load_human_eval_plus(write_rows([changed]))[0]
    counts = [test.stdin.count("\n    [") for test in problem.generated_tests]
    assert counts == [100, 100, 1]


@pytest.mark.parametrize(
    ("solution", "failed"),
    [
        # Of the inputs 2, 4 (base) and 1.5, [1], 9 (plus) the reference knows no result for ...
        ("    return x / 0\n", [0, 1, 2, 3]),  # any
        ("    assert x == 2\n    return 1\n", [1, 3]),  # 4, and those of the plus inputs
        ("    assert x != 4\n    return x / 2\n", [1]),  # 4 and [1]
        ("    assert x > 8\n    return x / 2\n", [0, 1, 2]),  # the base inputs
    ],
)
def test_a_test_without_any_result_of_the_reference_is_passed_by_no_program(
    write_rows: WriteRows, solution: str, failed: list[int]
) -> None:
    problems = load_human_eval_plus(
        write_rows([row(test=..., **PLUS, canonical_solution=solution)])
    )
    reference = problems.reference_programs("HumanEval/0")[0].source_code
    assert failures(problems, {"HumanEval/0": reference}) == {"HumanEval/0": failed}
    assert set(failed) <= set(failures(problems, {"HumanEval/0": "half = len"})["HumanEval/0"])


@pytest.mark.sandbox
def test_data_report_excludes_a_problem_whose_reference_gives_no_result(
    write_rows: WriteRows, judge: Judge
) -> None:
    broken = row(test=..., **PLUS, canonical_solution="    return x / 0\n")
    problems = load_human_eval_plus(write_rows([broken]))
    found = start_problem(problems, "HumanEval/0", judge, None)().findings
    assert [finding.flag for finding in found] == [
        "reference program fails",
        "tests contradict the reference programs",
    ]
    assert NOTHING_KNOWN in found[1].evidence


def test_inputs_may_be_json_with_infinite_and_huge_numbers(write_rows: WriteRows) -> None:
    text = f"[[Infinity], [NaN], [{'7' * 5000}]]"
    changed = row(test=..., base_input=[[2]], plus_input=text, canonical_solution="    return x\n")
    problems = load_human_eval_plus(write_rows([changed]))
    assert failures(problems) == {}
    assert failures(problems, {"HumanEval/0": "def half(x): return 2"}) == {"HumanEval/0": [2]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test": ...}, "field 'test' is missing, and there is no base_input either"),
        ({"test": "def check("}, "field 'test' cannot be taken apart: not valid Python"),
        ({"test": "x = 1"}, "field 'test' cannot be taken apart: there is no function"),
        ({"prompt": 1}, "field 'prompt' is 1; it must be a string"),
        ({"entry_point": None}, "field 'entry_point' is null"),
        ({"plus_input": 3}, "field 'plus_input' is 3"),
        ({"plus_input": "[[1]"}, "field 'plus_input' is not valid JSON"),
        ({"plus_input": [1]}, "field 'plus_input': entry 1 is a int; it must be a list"),
        ({"plus_input": [[1]], "atol": "0"}, "field 'atol' is '0'; it must be a number"),
    ],
)
def test_a_wrong_field_is_named_with_file_and_row(
    write_rows: WriteRows, changes: dict[str, Any], message: str
) -> None:
    path = write_rows([row(), row(**changes)])
    with pytest.raises(DatasetError) as caught:
        load_human_eval_plus(path)
    assert f"{path}, row 2, {message}" in str(caught.value)


def test_all_164_real_references_pass_their_tests(sample_data: Path) -> None:
    problems = load_human_eval(sample_data / "humaneval.jsonl.gz")
    assert len(problems) == 164
    # 1,176 asserts in check; 48 of them only say True and 5 tests are loops.
    assert sum(len(p.public_tests) for p in problems) == 1133
    assert all(len(p.private_tests) == 1 for p in problems)
    assert failures(problems) == {}


def test_all_40_real_plus_references_pass_and_an_empty_program_fails(sample_data: Path) -> None:
    problems = load_human_eval_plus(sample_data / "humanevalplus_sample.jsonl.gz")
    assert problems.ids == tuple(f"HumanEval/{number}" for number in range(40))
    assert failures(problems) == {}
    nothing = {p.id: f"def {p.function.name}(*a): return 'no'" for p in problems if p.function}
    assert len(failures(problems, nothing)) == 40
