from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_human_eval import failures

from codefeedback_env.datasets.mbpp import load_mbpp, load_mbpp_plus
from codefeedback_env.datasets.reference_tests import call_arguments, compared_as, with_types_of
from codefeedback_env.errors import DatasetError
from codefeedback_env.problem import FunctionStyle

WriteRows = Callable[..., Path]


def row(**changes: Any) -> dict[str, Any]:
    complete = {
        "text": "Write a function to sort a pair.",
        "code": "def order(pair):\r\n  return tuple(sorted(pair))",
        "task_id": 11,
        "test_setup_code": "",
        "test_list": ["assert order((2, 1)) == (1, 2)", "assert order((1,3))==(1,3)"],
        "challenge_test_list": [],
    }
    return {key: value for key, value in {**complete, **changes}.items() if value is not ...}


def plus_row(**changes: Any) -> dict[str, Any]:
    complete = {
        "task_id": "Mbpp/11",
        "prompt": '"""\nWrite a function to sort a pair.\n"""',
        "entry_point": "order",
        "canonical_solution": "def order(pair):\n  return tuple(sorted(pair))\n",
        "base_input": [[[2, 1]], [[1, 3]]],
        "plus_input": [[[5, 4]], [[1, 1]]],
        "atol": 0,
        "assertion": "assert order((2, 1)) == (1, 2)\nassert order((1, 3)) == (1, 3)\n",
    }
    return {key: value for key, value in {**complete, **changes}.items() if value is not ...}


def test_a_row_becomes_a_problem(write_rows: WriteRows) -> None:
    problems = load_mbpp(write_rows([row(challenge_test_list=["assert order((0, 0))"])]))
    problem = problems["Mbpp/11"]
    assert [test.stdin for test in problem.public_tests] == [
        "assert order((2, 1)) == (1, 2)",
        "assert order((1, 3)) == (1, 3)",
    ]
    assert problem.private_tests[0].stdin == "\n".join(row()["test_list"])
    assert [test.stdin for test in problem.generated_tests] == ["assert order((0, 0))"]
    assert problem.statement.startswith("Write a function to sort a pair.\n\nYour code should pass")
    assert "assert order((2, 1)) == (1, 2)" in problem.statement
    assert problem.function is not None
    assert (problem.function.name, problem.function.style) == ("order", FunctionStyle.ASSERTS)
    (program,) = problems.reference_programs("Mbpp/11")
    assert program.source_code == "def order(pair):\n  return tuple(sorted(pair))"
    assert failures(problems) == {}


def test_setup_code_runs_after_the_program(write_rows: WriteRows) -> None:
    changed = row(
        code="class Node: pass\r\ndef kind(x): return type(x).__name__",
        test_setup_code="root = Node()\r\n",
        test_list=["assert kind(root) == 'Node'"],
    )
    problem = load_mbpp(write_rows([changed]))[0]
    assert problem.function is not None
    assert (problem.function.name, problem.function.program_setup) == ("kind", "root = Node()\n")


def test_imports_of_sanitized_rows_run_beside_the_tests(write_rows: WriteRows) -> None:
    changed = row(text=..., prompt="Sort.", test_imports=["import math", "import re"])
    problem = load_mbpp(write_rows([changed]))[0]
    assert problem.function is not None
    assert problem.function.test_setup == "import math\nimport re\n"
    assert problem.statement.startswith("Sort.")


@pytest.mark.parametrize(
    ("split", "kept"),
    [
        ("prompt", (1, 10)),
        ("test", (11, 510)),
        ("validation", (511, 600)),
        ("train", (601, 974)),
        ("custom", (1, 10, 11, 510, 511, 600, 601, 974)),
    ],
)
def test_splits_are_ranges_of_ids(
    write_rows: WriteRows, tmp_path: Path, split: str, kept: tuple[int, ...]
) -> None:
    ids = (1, 10, 11, 510, 511, 600, 601, 974)
    write_rows([row(task_id=number) for number in ids], "mbpp.jsonl")
    problems = load_mbpp(tmp_path, split)
    assert problems.ids == tuple(f"Mbpp/{number}" for number in kept)
    assert [problem.id for problem in problems] == list(problems.ids)


# MBPP+


def test_plus_inputs_get_the_types_of_the_asserts_and_are_compared(write_rows: WriteRows) -> None:
    problems = load_mbpp_plus(write_rows([plus_row()]))
    problem = problems["Mbpp/11"]
    assert len(problem.public_tests) == 2
    (generated,) = problem.generated_tests
    assert "[(5, 4, )],\n" in generated.stdin
    assert problem.statement.startswith("Write a function to sort a pair.\n\nYour code")
    assert failures(problems) == {}
    assert failures(problems, {"Mbpp/11": "def order(pair): return list(sorted(pair))"}) == {
        "Mbpp/11": [0, 1, 2, 3]
    }
    # A list in place of a tuple would make this one fail.
    only_tuples = "def order(pair): return tuple(sorted(() + pair))"
    assert failures(problems, {"Mbpp/11": only_tuples}) == {}


def test_where_the_asserts_compare_sets_so_do_the_plus_tests(write_rows: WriteRows) -> None:
    changed = plus_row(assertion="assert set(order((2, 1))) == {1, 2}")
    problems = load_mbpp_plus(write_rows([changed]))
    assert failures(problems, {"Mbpp/11": "def order(pair): return pair[::-1]"}) == {}
    assert failures(problems, {"Mbpp/11": "def order(pair): return (1, 2)"}) == {"Mbpp/11": [2]}


def test_rows_with_ready_test_code_use_it(write_rows: WriteRows) -> None:
    stored = "for inp, out in [((2, 1), (1, 2))]:\n    assert order(inp) == out"
    changed = row(text=..., prompt="Sort.", test=stored, task_id="11")
    problem = load_mbpp_plus(write_rows([changed]))["Mbpp/11"]
    assert [test.stdin for test in problem.generated_tests] == [stored]
    assert len(problem.public_tests) == 2


@pytest.mark.parametrize("task_id", ["Mbpp/164", "Mbpp/295"])
def test_references_known_to_be_wrong_judge_nothing(write_rows: WriteRows, task_id: str) -> None:
    problem = load_mbpp_plus(write_rows([plus_row(task_id=task_id)]))[task_id]
    assert problem.generated_tests == ()
    assert len(problem.public_tests) == 2


def test_a_reference_without_its_import_of_math_works(write_rows: WriteRows) -> None:
    changed = plus_row(
        canonical_solution="def order(pair): return tuple(sorted(map(math.ceil, pair)))"
    )
    problems = load_mbpp_plus(write_rows([changed]))
    wrong = {"Mbpp/11": "def order(pair): return (1, 2)"}
    assert failures(problems, wrong) == {"Mbpp/11": [1, 2, 3]}


@pytest.mark.parametrize(
    ("call", "stored", "typed"),
    [
        ("f((1, 2), [3])", [[4], [5]], [(4,), [5]]),
        ("f([(1, 2), (3, 4)])", [[[5, 6]]], [[(5, 6)]]),
        ("f({1, 2})", [[3, 3]], [{3}]),
        ("f({1: (2,)})", [{"3": [4]}], [{3: (4,)}]),
        ("f({'a': 1})", [{"3": 4}], [{"3": 4}]),
        ("f(1j)", ["(2+3j)"], [2 + 3j]),
        ("f([1], 2)", [[1], 2, 3], [[1], 2, 3]),
        ("f([(1,), [2]])", [[[3]]], [[[3]]]),  # both are seen, so nothing is known
        ("f(x)", [[1]], [[1]]),
    ],
)
def test_types_lost_in_json_come_back(call: str, stored: list[Any], typed: list[Any]) -> None:
    assert with_types_of(stored, call_arguments(f"assert {call}", "f")) == typed


@pytest.mark.parametrize(
    ("assertions", "name"),
    [
        ("assert f(1) == 2", None),
        ("assert set(f(1)) == set([2])", "set"),
        ("assert sorted(f(1)) == [2]\nassert sorted(f(2)) == []", "sorted"),
        ("assert sorted(f(1)) == [2]\nassert f(2) == []", None),
        ("assert f(1)\nassert not f(2)", "bool"),
        ("import math\nassert math.isclose(f(1), 2)", None),
    ],
)
def test_what_asserts_compare(assertions: str, name: str | None) -> None:
    assert compared_as(assertions, "f") == name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"text": ...}, "field 'prompt' is missing"),
        ({"code": ...}, "field 'code' is missing"),
        ({"task_id": ...}, "field 'task_id' is missing or null"),
        ({"task_id": [1]}, "field 'task_id' is [1]"),
        ({"test_list": "assert"}, "field 'test_list' is 'assert'; it must be a list of strings"),
        ({"test_list": ["assert ("]}, "field 'test_list' cannot be taken apart: not valid Python"),
        ({"test_list": []}, "field 'test_list' cannot be taken apart: it calls no function"),
        (
            {"test_list": ["assert other(1)"]},
            "field 'test_list' cannot be taken apart: it calls no function",
        ),
        ({"test_imports": [1]}, "field 'test_imports': entry 1 is 1, not a string"),
    ],
)
def test_a_wrong_field_is_named_with_file_and_row(
    write_rows: WriteRows, changes: dict[str, Any], message: str
) -> None:
    path = write_rows([row(), row(**changes)])
    with pytest.raises(DatasetError) as caught:
        load_mbpp(path, "custom")
    assert f"{path}, row 2, {message}" in str(caught.value)


# Real rows


def test_all_100_real_references_pass(sample_data: Path) -> None:
    problems = load_mbpp(sample_data / "mbpp_sample.jsonl.gz", "test")
    assert problems.ids == tuple(f"Mbpp/{number}" for number in range(11, 111))
    assert sum(len(p.public_tests) for p in problems) == 300
    assert sum(bool(p.generated_tests) for p in problems) == 11
    assert not any("\r" in problems.reference_programs(i)[0].source_code for i in problems.ids)
    assert failures(problems) == {}


def test_all_56_real_sanitized_references_pass(sample_data: Path) -> None:
    problems = load_mbpp(sample_data / "mbpp_sanitized_sample.jsonl.gz")
    assert len(problems) == 56
    # Three asserts each, and four for 58.
    assert sum(len(p.public_tests) for p in problems) == 169
    importing = [p.id for p in problems if p.function and p.function.test_setup]
    assert importing == ["Mbpp/82", "Mbpp/85", "Mbpp/98"]
    assert failures(problems) == {}


def test_all_56_real_plus_references_pass_and_wrong_programs_fail(sample_data: Path) -> None:
    problems = load_mbpp_plus(sample_data / "mbppplus_sample.jsonl.gz")
    assert len(problems) == 56
    assert sum(len(p.public_tests) for p in problems) == 169
    assert all(p.generated_tests for p in problems)
    assert failures(problems) == {}
    nothing = {p.id: f"def {p.function.name}(*a): return 'no'" for p in problems if p.function}
    assert len(failures(problems, nothing)) == 56
