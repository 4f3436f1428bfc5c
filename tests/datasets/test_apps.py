import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import pytest

import codefeedback_env  # noqa: F401 -- registers the environments
from codefeedback_env.datasets.apps import load_apps
from codefeedback_env.datasets.fetch import HUB_DATASETS, MANUAL_DATASETS
from codefeedback_env.datasets.problem_set import ProblemSet
from codefeedback_env.errors import DatasetError, DatasetNotFoundError, UnknownNameError
from codefeedback_env.languages import Submission
from codefeedback_env.make import load_problems
from codefeedback_env.problem import FunctionStyle, FunctionTask, TestCase

WriteRows = Callable[..., Path]

QUESTION = "Add two numbers.\n-----Examples-----\nInput\n1 2\n\nOutput\n3\n"
STDIN_TESTS = {"inputs": ["1 2\n", "3 4\n", "5 6\n"], "outputs": ["3\n", "7\n", "11\n"]}
CALLED = {"fn_name": "add", "inputs": [[1, [2]], ["a", None]], "outputs": [[3], 4]}


def row(**changes: Any) -> dict[str, Any]:
    complete = {
        "problem_id": 7,
        "question": QUESTION,
        "solutions": json.dumps(["print(sum(map(int, input().split())))"]),
        "input_output": json.dumps(STDIN_TESTS),
        "difficulty": "Introductory",
        "url": "https://example.org/7",
        "starter_code": "",
    }
    return {key: value for key, value in {**complete, **changes}.items() if value is not ...}


def test_a_row_with_stdin_becomes_a_problem_whose_examples_are_public(
    write_rows: WriteRows,
) -> None:
    problems = load_apps(write_rows([row()]))
    problem = problems["7"]
    assert problem.statement == QUESTION
    assert problem.public_tests == (TestCase("1 2\n", "3\n"),)
    assert problem.private_tests == (TestCase("3 4\n", "7\n"), TestCase("5 6\n", "11\n"))
    assert problem.function is None
    assert problem.difficulty == "introductory"
    assert problem.source == {
        "dataset": "apps",
        "split": "test",
        "url": "https://example.org/7",
        "time_limit": "not given",
        "memory_limit": "not given",
        "public_tests": "examples of the statement",
    }
    (program,) = problems.reference_programs("7")
    assert program == Submission("python3", "print(sum(map(int, input().split())))")
    assert problems.wrong_programs("7") == ()


def test_a_row_with_a_function_name_becomes_a_call(write_rows: WriteRows) -> None:
    starter = "class Solution:\n    def add(self, a, b):\n        "
    changed = row(input_output=json.dumps(CALLED), starter_code=starter)
    problem = load_apps(write_rows([changed]))[0]
    assert problem.function == FunctionTask(name="add", style=FunctionStyle.CALL, rule="apps")
    assert problem.public_tests == (TestCase("1\n[2]", "[3]"),)
    assert problem.private_tests == (TestCase('"a"\nnull', "4"),)
    assert problem.statement.endswith(f"Begin with this code:\n\n{starter.strip()}\n")
    assert problem.source["public_tests"] == "first test"


def test_without_starter_code_the_statement_names_the_function(write_rows: WriteRows) -> None:
    problem = load_apps(write_rows([row(input_output=json.dumps(CALLED))]))[0]
    assert "Write a function `add`." in problem.statement


def test_lines_in_a_list_are_joined(write_rows: WriteRows) -> None:
    stored = {"inputs": [["1", "2"]], "outputs": [["3"]]}
    problem = load_apps(write_rows([row(input_output=json.dumps(stored))]))[0]
    assert problem.public_tests == (TestCase("1\n2\n", "3\n"),)


def test_integers_of_5000_digits_are_read_and_written(write_rows: WriteRows) -> None:
    digits = "-" + "123456789" * 555 + "12345"
    stored = f'{{"fn_name": "f", "inputs": [[{digits}]], "outputs": [{digits}]}}'
    problem = load_apps(write_rows([row(input_output=stored)]))[0]
    assert problem.public_tests == (TestCase(digits, digits),)


@pytest.mark.parametrize("blank", ["", " ", None, ...])
def test_blank_tests_are_no_tests(write_rows: WriteRows, blank: Any) -> None:
    problems = load_apps(write_rows([row(input_output=blank, solutions=blank)]))
    assert problems[0].public_tests == problems[0].private_tests == ()
    assert problems.summaries[0].num_hidden_tests == 0
    assert problems.reference_programs("7") == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"question": ...}, "field 'question' is missing"),
        ({"question": 3}, "field 'question' is 3; it must be a string"),
        ({"input_output": "{"}, "field 'input_output' is not valid JSON"),
        ({"input_output": 5}, "field 'input_output' is 5; it must be a string"),
        ({"input_output": "[1]"}, "'input_output': its JSON is not an object"),
        ({"input_output": '{"inputs": []}'}, "'outputs' is missing or no list"),
        ({"input_output": '{"inputs": ["1"], "outputs": []}'}, "has 1 inputs, but 0 outputs"),
        ({"input_output": '{"inputs": [1], "outputs": ["1"]}'}, "input and output 1 must be str"),
        (
            {"input_output": '{"fn_name": "f", "inputs": ["1"], "outputs": ["1"]}'},
            "input 1 is a str; with fn_name it must be the list of arguments",
        ),
        ({"input_output": '{"fn_name": "f(", "inputs": [], "outputs": []}'}, "fn_name is 'f('"),
        ({"input_output": f'{{"inputs": [{"1" * 200_001}]}}'}, "an integer of 200001 digits"),
        ({"input_output": "[" * 200_000}, "nested too deeply"),
        ({"problem_id": [1]}, "field 'problem_id' is [1]; it must be a number"),
    ],
)
def test_a_wrong_field_is_named_with_file_and_row(
    write_rows: WriteRows, changes: dict[str, Any], message: str
) -> None:
    path = write_rows([row(), row(**changes)])
    with pytest.raises(DatasetError) as caught:
        load_apps(path)
    assert f"{path}, row 2, field" in str(caught.value)
    assert message in str(caught.value)


def test_a_wrong_program_column_is_named_when_it_is_read(write_rows: WriteRows) -> None:
    problems = load_apps(write_rows([row(solutions="[1]")]))
    assert problems[0]
    with pytest.raises(DatasetError, match=r"row 1, field 'solutions': its JSON is not a list of"):
        problems.reference_programs("7")


def test_repeated_ids_get_numbers_and_rows_without_id_are_counted(write_rows: WriteRows) -> None:
    rows = [row(problem_id=3), row(problem_id="3"), row(problem_id=...)]
    assert load_apps(write_rows(rows)).ids == ("3", "3 (2)", "apps/2")


def test_a_changed_file_is_refused_and_a_pickled_set_reads_on(write_rows: WriteRows) -> None:
    problems = load_apps(write_rows([row(problem_id=1), row(problem_id=2)]))
    pickled = pickle.dumps(problems)
    assert pickle.loads(pickled)["2"] == problems["2"]
    write_rows([row(problem_id=2), row(problem_id=1)])
    changed: ProblemSet = pickle.loads(pickled)
    with pytest.raises(DatasetError, match="the file has changed"):
        _ = changed["1"]


# Other layouts


def write_folders(directory: Path, rows: list[dict[str, Any]]) -> None:
    for number, one in enumerate(rows):
        folder = directory / f"{number:04}"
        folder.mkdir(parents=True)
        (folder / "question.txt").write_text(one["question"])
        (folder / "solutions.json").write_text(one["solutions"])
        (folder / "input_output.json").write_text(one["input_output"])
        metadata = {key: one[key] for key in ("difficulty", "url")}
        (folder / "metadata.json").write_text(json.dumps(metadata))
        if one["starter_code"]:
            (folder / "starter_code.py").write_text(one["starter_code"])


def test_the_authors_folders_give_the_same_problems_as_rows(
    write_rows: WriteRows, tmp_path: Path
) -> None:
    rows = [
        row(problem_id="0000"),
        row(problem_id="0001", input_output=json.dumps(CALLED), starter_code="def add(a, b):"),
    ]
    expected = load_apps(write_rows(rows), "test")
    write_folders(tmp_path / "APPS" / "test", rows)
    for path in (tmp_path / "APPS", tmp_path / "APPS" / "test"):
        problems = load_apps(path, "test")
        assert list(problems) == list(expected)
        assert [p.source for p in problems] == [p.source for p in expected]
        assert problems.reference_programs("0001") == expected.reference_programs("0001")
    again = pickle.loads(pickle.dumps(problems))
    assert again["0001"] == problems["0001"]
    assert again.fingerprint == problems.fingerprint
    (tmp_path / "APPS" / "test" / "0001" / "question.txt").write_text("other")
    assert load_apps(path).fingerprint != problems.fingerprint


def test_damaged_metadata_names_the_folder(tmp_path: Path) -> None:
    write_folders(tmp_path, [row()])
    (tmp_path / "0000" / "metadata.json").write_text("{")
    with pytest.raises(DatasetError, match=r"0000, row 1, field 'metadata.json' is not valid JSON"):
        load_apps(tmp_path)


@pytest.mark.parametrize("kind", ["parquet", "saved", "directory of lines", "list"])
def test_rows_give_the_same_problems_however_they_are_stored(
    write_rows: WriteRows, tmp_path: Path, kind: str
) -> None:
    rows = [row(problem_id=1), row(problem_id=2, input_output=json.dumps(CALLED))]
    expected = load_apps(write_rows(rows))
    path = tmp_path / "stored"
    path.mkdir()
    if kind == "parquet":
        pa = pytest.importorskip("pyarrow")
        pytest.importorskip("pyarrow.parquet").write_table(
            pa.Table.from_pylist(rows), path / "test-00000-of-00001.parquet"
        )
    elif kind == "saved":
        pytest.importorskip("datasets").Dataset.from_list(rows).save_to_disk(path)
    elif kind == "list":
        path /= "rows.json"
        path.write_text(json.dumps(rows, indent=1))
    else:
        write_rows(rows, "stored/test.jsonl.gz")
    problems = load_apps(path, "test")
    assert list(problems) == list(expected)
    assert problems.reference_programs("2") == expected.reference_programs("2")
    assert pickle.loads(pickle.dumps(problems)).fingerprint == problems.fingerprint


@pytest.mark.parametrize(
    ("content", "message"), [("[1]", "row 1: is a JSON int"), ("[{]", "is not valid JSON")]
)
def test_a_bad_json_list_is_named(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "rows.json"
    path.write_text(content)
    with pytest.raises(DatasetError, match=rf"rows\.json.*{message}"):
        load_apps(path)


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("apps", "test"),
        ("taco", "test"),
        ("code_contests_plus", "1x"),
        ("live_code_bench", "release_v6"),
        ("human_eval", "test"),
        ("human_eval_plus", "test"),
        ("mbpp", "test"),
        ("mbpp_plus", "test"),
    ],
)
def test_without_data_the_error_says_where_it_was_looked_for_and_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, split: str
) -> None:
    monkeypatch.setenv("CODEFEEDBACK_DATA", str(tmp_path))
    with pytest.raises(DatasetNotFoundError) as caught:
        load_problems(name)
    how = (
        f"Get it with `codefeedback data fetch {name}`"
        if name in HUB_DATASETS
        else f"Download it from {MANUAL_DATASETS[name].origin} and put it there"
    )
    for part in (f"split '{split}'", str(tmp_path / name), f"{split}.jsonl", how, "path="):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("name", "split", "message"),
    [
        ("apps", "trian", "unknown split of APPS 'trian'; did you mean 'train'? Known: test, tr"),
        ("live_code_bench", "release_v7", "did you mean 'release_v6'?"),
        ("human_eval_plus", "train", "unknown split of HumanEval+ 'train'. Known: test."),
        ("code_contests", "bundeld", "did you mean 'bundled'? Known: bundled, test, train, valid"),
    ],
)
def test_a_split_that_does_not_exist_is_named_with_those_that_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, split: str, message: str
) -> None:
    monkeypatch.setenv("CODEFEEDBACK_DATA", str(tmp_path))
    with pytest.raises(UnknownNameError) as caught:
        load_problems(name, split=split)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("env_id", "name"),
    [
        ("CodeContestsPlus-v0", "code_contests_plus"),
        ("APPS-v0", "apps"),
        ("TACO-v0", "taco"),
        ("LiveCodeBench-v0", "live_code_bench"),
        ("HumanEvalPlus-v0", "human_eval_plus"),
        ("MBPPPlus-v0", "mbpp_plus"),
    ],
)
def test_environments_look_for_their_own_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, env_id: str, name: str
) -> None:
    monkeypatch.setenv("CODEFEEDBACK_DATA", str(tmp_path))
    with pytest.raises(DatasetNotFoundError, match=f"{tmp_path / name} "):
        gymnasium.make(env_id)


# MapCoder's layout


def mapcoder_row(**changes: Any) -> dict[str, Any]:
    return {
        "name": "9",
        "id": 9,
        "description": "Is it a code?",
        "difficulty": "introductory",
        "starter_code": "\ndef is_code(text, base):\n\t",
        "sample_io": [{"input": "1234\n10", "output": [True]}],
        "test_list": [
            {"input": "a234\n16", "output": [True]},
            {"input": "1234\n10", "output": [True]},
            {"input": "x\n[10, 'b']", "output": [False]},
        ],
        **changes,
    }


def test_in_mapcoders_layout_a_line_that_is_no_literal_makes_that_argument_a_string(
    write_rows: WriteRows,
) -> None:
    problem = load_apps(write_rows([mapcoder_row()]))["9"]
    assert problem.public_tests == (TestCase('"1234"\n10', "[true]"),)
    assert problem.private_tests == (
        TestCase('"a234"\n16', "[true]"),
        TestCase('"x"\n[10, "b"]', "[false]"),
    )
    assert problem.source["arguments"] == "types guessed"
    assert problem.source["dropped_tests"] == "1"
    assert problem.function is not None
    assert (problem.function.name, problem.function.rule) == ("is_code", "apps")


def test_in_mapcoders_layout_a_single_argument_may_have_several_lines(
    write_rows: WriteRows,
) -> None:
    changed = mapcoder_row(
        starter_code="def f(text):\n\t", sample_io=[{"input": "a\nb", "output": ["c"]}]
    )
    problem = load_apps(write_rows([changed]))[0]
    assert problem.public_tests == (TestCase('"a\\nb"', '["c"]'),)


def test_mapcoders_layout_needs_a_function(write_rows: WriteRows) -> None:
    with pytest.raises(DatasetError, match="field 'starter_code' defines no function"):
        load_apps(write_rows([mapcoder_row(starter_code="x = 1")]))


# Real rows


def test_every_real_row_loads(sample_data: Path) -> None:
    problems = load_apps(sample_data / "apps_sample.jsonl.gz")
    assert problems.ids == ("1", "111", "2287", "2404", "4184")
    assert [p.difficulty for p in problems] == [
        *("interview", "interview", "competition", "introductory", "introductory")
    ]
    # Of 1, 111 and 2404 only one test is stored, so it is the public and the hidden one.
    assert [len(p.public_tests) for p in problems] == [1, 1, 1, 1, 1]
    assert [len(p.private_tests) for p in problems] == [1, 1, 2, 1, 7]
    assert [len(problems.reference_programs(i)) for i in problems.ids] == [24, 1, 10, 58, 8]
    # The output is bare in one row and wrapped in the other.
    assert problems["2404"].public_tests == (TestCase("[2, 3, 4, 7, 11]\n5", "9"),)
    assert problems["4184"].public_tests == (TestCase("1", "[false]"),)


def test_every_real_row_in_mapcoders_layout_loads(sample_data: Path) -> None:
    problems = load_apps(sample_data / "apps_mapcoder_sample.jsonl.gz")
    assert len(problems) == 50
    assert "2886 (2)" in problems  # stored twice
    assert sum(s.num_public_tests for s in problems.summaries) == 139
    dropped = sum(int(p.source.get("dropped_tests", 0)) for p in problems)
    assert sum(s.num_private_tests for s in problems.summaries) + dropped == 642
    assert problems["4440"].public_tests[0] == TestCase('"1234"', "[true]")
    assert problems["3613"].public_tests[0] == TestCase('"aacb"\n"aabc"', "[true]")
    for problem in problems:
        for test in problem.public_tests + problem.private_tests:
            assert [json.loads(line) for line in test.stdin.split("\n")]
            assert len(json.loads(test.expected_stdout)) == 1
