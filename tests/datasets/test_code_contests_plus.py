from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codefeedback_env.checkers import Comparison
from codefeedback_env.commands.data_check import Kind, check_tests
from codefeedback_env.data_quality.flags import Flag
from codefeedback_env.data_quality.problem_report import start_problem
from codefeedback_env.data_quality.statements import check_statement
from codefeedback_env.datasets.code_contests_plus import load_code_contests_plus
from codefeedback_env.datasets.problem_set import ProblemFilter, WrongProgram
from codefeedback_env.errors import DatasetError
from codefeedback_env.judge.judge import Judge
from codefeedback_env.languages import Submission
from codefeedback_env.problem import TestCase

WriteRows = Callable[..., Path]


def row(**changes: Any) -> dict[str, Any]:
    complete = {
        "id": "1_A",
        "title": "Addition",
        "description": "Add.\n\nExample input\n\n```\n1 2\n```\n\nExample output\n\n```\n3\n```",
        "time_limit": 2000,
        "memory_limit": 256,
        "checker": "#include <testlib.h>",
        "correct_submissions": [
            {"code": "good", "language": "py3"},
            {"code": "old", "language": "py2"},
        ],
        "incorrect_submissions": [
            {"code": "bad", "language": "py3"},
            {"code": "int main(){}", "language": "cpp"},
        ],
        "test_cases": [
            {"input": "1 2\n", "output": "3\n"},
            {"input": "4 4\n", "output": "8\n"},
            {"input": "4 4\n", "output": "8\n"},
        ],
    }
    return {key: value for key, value in {**complete, **changes}.items() if value is not ...}


def test_a_row_becomes_a_problem_whose_examples_are_public(write_rows: WriteRows) -> None:
    problems = load_code_contests_plus(write_rows([row()]))
    problem = problems["1_A"]
    assert problem.public_tests == (TestCase("1 2\n", "3\n"),)
    assert problem.private_tests == (TestCase("4 4\n", "8\n"),)
    assert (problem.time_limit_s, problem.memory_limit_mib) == (2.0, 256)
    assert problem.checker is None
    assert problem.source == {
        "dataset": "code_contests_plus",
        "split": "1x",
        "name": "Addition",
        "time_limit": "given",
        "memory_limit": "given",
        "testlib_checker": "not used",
        "public_tests": "examples of the statement",
        "dropped_tests": "1",
    }
    assert problems.reference_programs("1_A") == (Submission("python3", "good"),)
    assert problems.wrong_programs("1_A") == (WrongProgram(Submission("python3", "bad")),)


def test_programs_may_be_absent(write_rows: WriteRows) -> None:
    problems = load_code_contests_plus(
        write_rows([row(correct_submissions=..., incorrect_submissions=None, id=5)])
    )
    assert problems.reference_programs("5") == problems.wrong_programs("5") == ()


@pytest.mark.parametrize("name", ["2x-00000-of-00001", "2x/train-00000-of-00001"])
def test_a_configuration_is_found_in_a_directory(tmp_path: Path, name: str) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / f"{name}.parquet"
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist([row()]), path)
    problems = load_code_contests_plus(tmp_path, "2x")
    assert (problems.split, problems.ids) == ("2x", ("1_A",))
    assert len(problems.reference_programs("1_A")) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test_cases": ...}, "field 'test_cases' is missing or null; the configurations with"),
        ({"test_cases": [{"input": "1"}]}, "field 'test_cases': 'output' of entry 1 is None"),
        ({"id": None}, "field 'id' is null"),
        ({"description": ""}, "field 'description' is blank"),
        ({"time_limit": "fast"}, "field 'time_limit' is 'fast'"),
        ({"memory_limit": "9" * 5000 + " MB"}, "field 'memory_limit' is a number of 5000 digits"),
        ({"time_limit": "9" * 5000}, "field 'time_limit' is a number of 5000 digits"),
    ],
)
def test_a_wrong_field_is_named_with_file_and_row(
    write_rows: WriteRows, changes: dict[str, Any], message: str
) -> None:
    path = write_rows([row(), row(**changes)])
    with pytest.raises(DatasetError) as caught:
        load_code_contests_plus(path)
    assert f"{path}, row 2, {message}" in str(caught.value)


def test_a_wrong_program_is_named_when_it_is_read(write_rows: WriteRows) -> None:
    problems = load_code_contests_plus(write_rows([row(correct_submissions=[{"code": 1}])]))
    with pytest.raises(DatasetError, match="field 'correct_submissions': 'code' of entry 1 is 1"):
        problems.reference_programs("1_A")


TOKENS = """#include "testlib.h"
int main(int argc, char* argv[]) {
    setName("compare sequences of tokens");
    registerTestlibCmd(argc, argv);
    while (!ans.seekEof()) { if (ans.readWord() != ouf.readWord()) quitf(_wa, "differ"); }
    quitf(_ok, "equal");
}"""


@pytest.mark.parametrize(
    ("checker", "becomes", "unique"),
    [
        (None, None, True),
        (" ", None, True),
        (TOKENS, "plain comparison", True),
        (TOKENS.replace("sequences of tokens", "two signed int%d's"), "plain comparison", True),
        # A checker may keep the name and read the input, sort, or forgive more than we do.
        (TOKENS.replace("while", "int n = inf.readInt(); while"), "not used", False),
        (TOKENS.replace("while", "std::set<int> seen; while"), "not used", False),
        (TOKENS.replace("ouf.readWord()", "upper(ouf.readWord())"), "not used", False),
        (TOKENS.replace("compare sequences of tokens", "any path"), "not used", False),
        ("int main() { return 0; }", "not used", False),
    ],
)
def test_a_checker_that_may_take_other_answers_is_told_and_never_ignored_in_silence(
    write_rows: WriteRows, checker: str | None, becomes: str | None, unique: bool
) -> None:
    path = write_rows([row(checker=checker)])
    problems = load_code_contests_plus(path)
    assert problems["1_A"].source.get("testlib_checker") == becomes
    assert [summary.has_unique_answer for summary in problems.summaries] == [unique]
    assert len(problems.filter(ProblemFilter(has_unique_answer=True))) == unique
    found = [kind for kind, _ in check_tests(problems["1_A"], Comparison())]
    assert (Kind.CHECKER_NOT_USED in found) is not unique
    flags = [finding.flag for finding in check_statement(problems["1_A"])]
    assert (Flag.CHECKER_NOT_USED in flags) is not unique


@pytest.mark.sandbox
def test_a_reference_that_gives_another_answer_shows_several_right_ones_under_a_checker(
    write_rows: WriteRows, judge: Judge
) -> None:
    other = row(correct_submissions=[{"code": "print(7)", "language": "py3"}])
    problems = load_code_contests_plus(write_rows([other]))
    found = start_problem(problems, "1_A", judge, None)().findings
    assert {finding.flag: finding.flag.excludes for finding in found} == {
        "checker of the dataset not used": False,
        "reference program fails": False,
        "several right answers, no checker": True,
        "input repeated in a pool": False,
    }
    assert found[-1].evidence.startswith("the dataset has a checker; reference program 0: wrong")


def test_a_checker_that_we_have_for_the_problem_judges_it(write_rows: WriteRows) -> None:
    problems = load_code_contests_plus(
        write_rows([row(id="1041_E", title="Tree Reconstruction"), row()])
    )
    problem = problems["1041_E"]
    assert (problem.checker, problem.source["checker"]) == ("tree-of-maxima", "overlay")
    assert Kind.CHECKER_NOT_USED not in [kind for kind, _ in check_tests(problem, Comparison())]
    assert problems["1_A"].checker is None


def test_the_layout_of_the_hub_is_found(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    for number in range(2):
        path = tmp_path / "ccplus_3x" / f"part-0000{number}-of-00002.parquet"
        path.parent.mkdir(exist_ok=True)
        pq.write_table(pa.Table.from_pylist([row(id=f"{number}_A")]), path)
    problems = load_code_contests_plus(tmp_path, "3x")
    assert (problems.split, problems.ids) == ("3x", ("0_A", "1_A"))
