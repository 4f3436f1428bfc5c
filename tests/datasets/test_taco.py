import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codefeedback_env.datasets.taco import load_taco
from codefeedback_env.errors import DatasetError
from codefeedback_env.problem import FunctionStyle, TestCase

WriteRows = Callable[..., Path]


def row(**changes: Any) -> dict[str, Any]:
    return {
        "question": "Add.\n\nInput\n1 2\nOutput\n3",
        "solutions": '["a", "b"]',
        "starter_code": "",
        "input_output": json.dumps({"inputs": ["1 2", "2 2"], "outputs": ["3", "4"]}),
        "difficulty": "MEDIUM_HARD",
        "name": None,
        "source": "CodeForces",
        "tags": "['Data structures', 'Greedy algorithms']",
        "url": "https://example.org",
        "time_limit": "1.5 seconds",
        "date": "2021-02-23",
        "memory_limit": "512 megabytes",
        **changes,
    }


def test_a_row_becomes_a_problem(write_rows: WriteRows) -> None:
    problems = load_taco(write_rows([row()]))
    problem = problems["taco/0"]
    assert (problem.public_tests, problem.private_tests) == (
        (TestCase("1 2", "3"),),
        (TestCase("2 2", "4"),),
    )
    assert (problem.time_limit_s, problem.memory_limit_mib) == (1.5, 512)
    assert problem.difficulty == "medium_hard"
    assert problem.tags == ("Data structures", "Greedy algorithms")
    assert problem.source["judge"] == "codeforces"
    assert problem.source["date"] == "2021-02-23"
    assert problem.source["time_limit"] == "given"
    assert [p.source_code for p in problems.reference_programs("taco/0")] == ["a", "b"]


def test_a_name_is_the_id(write_rows: WriteRows) -> None:
    assert load_taco(write_rows([row(name=" x "), row(name="x")])).ids == ("x", "x (2)")


def test_a_function_name_makes_a_call(write_rows: WriteRows) -> None:
    called = {"fn_name": "f", "inputs": [[1]], "outputs": [[2]]}
    problem = load_taco(write_rows([row(input_output=json.dumps(called))]))[0]
    assert problem.function is not None
    assert (problem.function.style, problem.function.rule) == (FunctionStyle.CALL, "apps")


@pytest.mark.parametrize(
    ("stored", "seconds"),
    [
        ("1 second", 1.0),
        ("2.0 seconds", 2.0),
        ("2000 ms", 2.0),
        ("500 milliseconds", 0.5),
        ("3", 3.0),
        ("1500", 1.5),
        (4, 4.0),
        (1500, 1.5),
        ({"seconds": 1, "nanos": 500000000}, 1.5),
        (None, None),
        ("", None),
        ("0 seconds", None),
        (0, None),
    ],
)
def test_time_limits_in_every_form(
    write_rows: WriteRows, stored: Any, seconds: float | None
) -> None:
    problem = load_taco(write_rows([row(time_limit=stored)]))[0]
    assert problem.time_limit_s == seconds
    assert problem.source["time_limit"] == ("not given" if seconds is None else "given")


@pytest.mark.parametrize(
    ("stored", "mebibytes"),
    [
        ("512 megabytes", 512),
        ("256.0 MB", 256),
        ("134.217728 megabytes", 135),
        ("1 GB", 1024),
        ("65536 KB", 64),
        ("268435456 bytes", 256),
        (268435456, 256),
        (256, 256),
        ("256", 256),
        (None, None),
        (0, None),
    ],
)
def test_memory_limits_in_every_form(
    write_rows: WriteRows, stored: Any, mebibytes: int | None
) -> None:
    problem = load_taco(write_rows([row(memory_limit=stored)]))[0]
    assert problem.memory_limit_mib == mebibytes
    assert problem.source["memory_limit"] == ("not given" if mebibytes is None else "given")


@pytest.mark.parametrize("tags", [None, "", "[]", []])
def test_no_tags(write_rows: WriteRows, tags: Any) -> None:
    assert load_taco(write_rows([row(tags=tags)]))[0].tags == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"time_limit": "soon"}, "field 'time_limit' is 'soon'; it must be a number with one of"),
        ({"time_limit": "1 hour"}, "field 'time_limit' is '1 hour'"),
        ({"time_limit": [1]}, "field 'time_limit' is [1]"),
        ({"memory_limit": "1 second"}, "field 'memory_limit' is '1 second'"),
        ({"memory_limit": -1}, "field 'memory_limit' is -1, less than 0"),
        ({"tags": "__import__('os')"}, "field 'tags' is no Python list of strings"),
        ({"tags": "[1]"}, "field 'tags' is '[1]'; it must be"),
        ({"tags": "['a'"}, "field 'tags' is no Python list of strings"),
        ({"tags": 1}, "field 'tags' is 1; it must be a string"),
    ],
)
def test_a_wrong_field_is_named_with_file_and_row(
    write_rows: WriteRows, changes: dict[str, Any], message: str
) -> None:
    path = write_rows([row(), row(**changes)])
    with pytest.raises(DatasetError) as caught:
        load_taco(path)
    assert f"{path}, row 2, {message}" in str(caught.value)


def test_the_real_row_loads(sample_data: Path) -> None:
    problems = load_taco(sample_data / "taco_sample.jsonl.gz")
    (problem,) = problems
    assert problem.id == "taco/0"
    assert (problem.time_limit_s, problem.memory_limit_mib) == (1.0, 512)
    assert problem.tags == ("Data structures", "Mathematics", "Greedy algorithms")
    assert (problem.difficulty, problem.source["judge"]) == ("easy", "codeforces")
    # The statement is cut, so the first of four tests is public; the last repeats it.
    assert (len(problem.public_tests), len(problem.private_tests)) == (1, 2)
    assert problem.source["dropped_tests"] == "1"
    assert len(problems.reference_programs("taco/0")) == 1
