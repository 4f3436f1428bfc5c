import base64
import datetime
import json
import pickle
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codefeedback_env.datasets import packed_tests
from codefeedback_env.datasets.live_code_bench import load_live_code_bench
from codefeedback_env.errors import ConfigError, DatasetError, DatasetNotFoundError
from codefeedback_env.problem import FunctionStyle, FunctionTask, TestCase

WriteRows = Callable[..., Path]


def stored(*pairs: str, kind: str = "stdin") -> str:
    """``"1>2"`` is input 1 and output 2."""
    tests = [dict(zip(("input", "output"), pair.split(">"), strict=True)) for pair in pairs]
    return json.dumps([{**test, "testtype": kind} for test in tests])


def packed(value: Any) -> str:
    return base64.b64encode(zlib.compress(pickle.dumps(value))).decode()


def row(**changes: Any) -> dict[str, Any]:
    complete = {
        "question_title": "Twice",
        "question_content": "Print twice the number.",
        "platform": "atcoder",
        "question_id": "abc1_a",
        "contest_id": "abc1",
        "contest_date": "2024-05-31T00:00:00",
        "starter_code": "",
        "difficulty": "Easy",
        "public_test_cases": stored("1>2"),
        "private_test_cases": packed(stored("2>4", "3>6", "1>2")),
        "metadata": "{}",
    }
    return {key: value for key, value in {**complete, **changes}.items() if value is not ...}


def test_a_row_becomes_a_problem(write_rows: WriteRows) -> None:
    problems = load_live_code_bench(write_rows([row()]))
    problem = problems["abc1_a"]
    assert problem.public_tests == (TestCase("1", "2"),)
    assert problem.private_tests == (TestCase("2", "4"), TestCase("3", "6"))
    assert (problem.difficulty, problem.function) == ("easy", None)
    assert problem.source == {
        "dataset": "live_code_bench",
        "split": "release_v6",
        "name": "Twice",
        "judge": "atcoder",
        "contest": "abc1",
        "date": "2024-05-31",
        "time_limit": "not given",
        "memory_limit": "not given",
        "dropped_tests": "1",
    }
    assert problems.summaries[0].num_private_tests == 3  # as stored
    assert problems.reference_programs("abc1_a") == ()


@pytest.mark.parametrize("hidden", [stored("2>4"), packed(stored("2>4"))], ids=["plain", "packed"])
def test_hidden_tests_are_plain_or_packed(write_rows: WriteRows, hidden: str) -> None:
    problems = load_live_code_bench(write_rows([row(private_test_cases=hidden)]))
    assert problems[0].private_tests == (TestCase("2", "4"),)
    assert problems.summaries[0].num_private_tests == 1


@pytest.mark.parametrize("hidden", [None, "", "[]", ...])
def test_hidden_tests_may_be_absent(write_rows: WriteRows, hidden: Any) -> None:
    problems = load_live_code_bench(write_rows([row(private_test_cases=hidden)]))
    assert problems[0].private_tests == ()
    assert problems.summaries[0].num_private_tests == 0


def test_functional_tests_become_calls(write_rows: WriteRows) -> None:
    changed = row(
        public_test_cases=stored('[1, 2]\n"a">3', kind="functional"),
        private_test_cases=stored('[]\n"b">0', kind="functional"),
        metadata='{"func_name": "total"}',
        starter_code="class Solution:\n    def total(self, a, b):\n        ",
    )
    problem = load_live_code_bench(write_rows([changed]))[0]
    assert problem.function == FunctionTask(name="total", style=FunctionStyle.CALL, rule="equal")
    assert problem.public_tests == (TestCase('[1, 2]\n"a"', "3"),)
    assert "class Solution:\n    def total(self, a, b):" in problem.statement


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("called",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"question_id": ...}, "field 'question_id' is missing"),
        ({"public_test_cases": None}, "field 'public_test_cases' is missing or blank"),
        ({"public_test_cases": "["}, "field 'public_test_cases' is not valid JSON"),
        ({"public_test_cases": "{}"}, "field 'public_test_cases': its JSON is not a list"),
        ({"public_test_cases": '[{"input": "1"}]'}, "field 'public_test_cases': test 1 must be an"),
        ({"public_test_cases": stored("1>2", kind="x")}, "test 1 must be an object"),
        ({"private_test_cases": "[1]"}, "field 'private_test_cases': test 1 must be an object"),
        ({"private_test_cases": packed("[")}, "field 'private_test_cases' is not valid JSON"),
        ({"private_test_cases": "a"}, "'private_test_cases' cannot be unpacked: not valid base64"),
        ({"private_test_cases": packed("x" * 99)[:-8]}, "cannot be unpacked: cannot be decompr"),
        ({"private_test_cases": base64.b64encode(b"x").decode()}, "cannot be decompressed"),
        ({"private_test_cases": packed(Evil())}, "asks for builtins.print, which is refused"),
        ({"private_test_cases": packed([1])}, "the pickle holds a list, not a string"),
        (
            {"private_test_cases": base64.b64encode(zlib.compress(b"\x80\x04X")).decode()},
            "not a pickle of a string",
        ),
        (
            {"private_test_cases": stored("1>2", kind="functional")},
            "some tests are of type stdin and others functional",
        ),
        (
            {"public_test_cases": stored("1>2", kind="functional"), "private_test_cases": ""},
            "field 'metadata': func_name is None",
        ),
        ({"contest_date": "May"}, "field 'contest_date' is 'May', no ISO date"),
        ({"contest_date": ...}, "field 'contest_date' is missing"),
    ],
)
def test_a_wrong_field_is_named_with_file_and_row(
    write_rows: WriteRows,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any],
    message: str,
) -> None:
    path = write_rows([row(), row(**changes)])
    with pytest.raises(DatasetError) as caught:
        list(load_live_code_bench(path))
    assert f"{path}, row 2, field" in str(caught.value)
    assert message in str(caught.value)
    assert capsys.readouterr().out == ""


def test_what_grows_too_large_when_unpacked_is_refused(
    write_rows: WriteRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed_tests, "MAX_BYTES", 1000)
    changed = row(private_test_cases=packed("x" * 2000))
    with pytest.raises(DatasetError, match="more than 1000 bytes when decompressed"):
        load_live_code_bench(write_rows([changed]))


# Releases and spans of time

DATES = ("2024-04-30", "2024-05-01", "2024-05-31", "2024-06-01")


@pytest.mark.parametrize(
    ("split", "kept"),
    [
        ("2024-05..2024-05", DATES[1:3]),
        ("2024-05..", DATES[1:]),
        ("..2024-05", DATES[:3]),
        ("2024-05-31..2024-06-01", DATES[2:]),
        ("release_v2:2024-05-02..2024-06", DATES[2:]),
        ("..", DATES),
        ("release_v1", DATES),
    ],
)
def test_a_span_of_time_keeps_both_its_ends(
    write_rows: WriteRows, split: str, kept: tuple[str, ...]
) -> None:
    rows = [row(question_id=date, contest_date=f"{date}T00:00:00") for date in DATES]
    problems = load_live_code_bench(write_rows(rows), split)
    assert problems.ids == kept
    assert [problem.source["date"] for problem in problems] == list(kept)
    assert problems.split == split


def test_dates_may_be_time_stamps(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    path = tmp_path / "rows.parquet"
    stamped = row(contest_date=datetime.datetime(2024, 5, 31, 12))
    pytest.importorskip("pyarrow.parquet").write_table(pa.Table.from_pylist([stamped]), path)
    assert load_live_code_bench(path)[0].source["date"] == "2024-05-31"
    assert len(load_live_code_bench(path, "2024-06..")) == 0


@pytest.mark.parametrize("split", ["2024-13..", "2024..2025", "a..b", ":2024-05..", "1..2..3"])
def test_what_is_no_span_is_refused(write_rows: WriteRows, split: str) -> None:
    with pytest.raises(ConfigError, match="is no span of time"):
        load_live_code_bench(write_rows([row()]), split)


def test_a_span_that_ends_before_it_begins_is_refused(write_rows: WriteRows) -> None:
    with pytest.raises(ConfigError, match="ends before it begins"):
        load_live_code_bench(write_rows([row()]), "2024-06..2024-05")


def test_a_release_is_the_first_files_of_a_directory(write_rows: WriteRows, tmp_path: Path) -> None:
    for number in ("", 2, 3):
        write_rows([row(question_id=f"q{number}-{i}") for i in range(2)], f"test{number}.jsonl")
    assert load_live_code_bench(tmp_path, "release_v1").ids == ("q-0", "q-1")
    second = load_live_code_bench(tmp_path, "release_v2")
    assert second.ids == ("q-0", "q-1", "q2-0", "q2-1")
    assert second["q2-1"].statement
    assert pickle.loads(pickle.dumps(second))["q2-0"] == second["q2-0"]
    third = load_live_code_bench(tmp_path, "release_v3:2024-05..2024-05")
    assert len(third) == 6
    assert third.fingerprint != second.fingerprint
    with pytest.raises(DatasetNotFoundError, match=r"release_v4 needs .*test4.jsonl is missing"):
        load_live_code_bench(tmp_path, "release_v4")


# Real rows


def test_every_real_row_loads(sample_data: Path) -> None:
    problems = load_live_code_bench(sample_data / "livecodebench_sample.jsonl.gz")
    assert len(problems) == 42
    judges = [problem.source["judge"] for problem in problems]
    assert {name: judges.count(name) for name in judges} == {
        "codeforces": 1,
        "leetcode": 16,
        "atcoder": 25,
    }
    for problem in problems:
        assert problem.public_tests
        assert (problem.function is not None) == (problem.source["judge"] == "leetcode")
        assert "2023-05" <= problem.source["date"] <= "2024-03-31"
        if problem.function is not None:
            assert problem.function.name in problem.statement
            for test in problem.public_tests:
                assert [json.loads(line) for line in test.stdin.split("\n")]
                json.loads(test.expected_stdout)
    # Only the first two rows have hidden tests, in the packed form.
    assert [s.num_private_tests for s in problems.summaries] == [4, 12] + [0] * 40
    assert problems["2727"].private_tests[0] == TestCase('["3988132605O4995"]', "0")
    window = load_live_code_bench(sample_data / "livecodebench_sample.jsonl.gz", "2024-03..")
    assert window.ids == ("abc343_c", "abc343_a", "3331")
