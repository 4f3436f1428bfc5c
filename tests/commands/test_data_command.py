from pathlib import Path
from typing import Any

import pytest
from small_problems import DOUBLE, DOUBLE_BELOW_3, problem_row, read_lines, write_lines

from codefeedback_env import Problem, TestCase, cli
from codefeedback_env.checkers import Comparison
from codefeedback_env.commands.data_check import Kind, check_tests

NOTHING = {"input": [], "output": []}


def check(tmp_path: Path, rows: list, *options: str) -> tuple[int, list[dict[str, Any]]]:
    """Check rows in the workers of the fixture."""
    problems = write_lines(tmp_path / "problems.jsonl", rows)
    findings = tmp_path / "findings.jsonl"
    status = cli.main(
        ["data", "check", str(problems), "--json", str(findings), "--workers", "2", *options]
    )
    return status, read_lines(findings)


def programs(*sources: str, verdicts: list[str | None] | None = None) -> dict[str, Any]:
    columns: dict[str, Any] = {"language": [3] * len(sources), "solution": list(sources)}
    return columns if verdicts is None else {**columns, "verdict": verdicts}


@pytest.mark.sandbox
def test_a_sound_dataset_gives_no_findings(tmp_path: Path, capsys, judge):
    status, findings = check(tmp_path, [problem_row("a"), problem_row("b")])

    assert (status, findings) == (0, [])
    assert capsys.readouterr().out == (
        "2 problems, 2 reference programs, 2 wrong programs, 0 findings\n"
    )


@pytest.mark.sandbox
@pytest.mark.parametrize(
    ("changes", "kind", "detail"),
    [
        (
            {"solutions": programs(DOUBLE, DOUBLE_BELOW_3)},
            "reference program fails",
            "reference program 1: wrong answer on private[0]",
        ),
        (
            {"incorrect_solutions": programs(DOUBLE_BELOW_3, DOUBLE)},
            "wrong program passes",
            "wrong program 1 passes all tests",
        ),
        (
            {"incorrect_solutions": programs(DOUBLE_BELOW_3, verdicts=["runtime error"])},
            "other verdict than expected",
            "wrong program 0: wrong answer on private[0], expected runtime error",
        ),
        (
            {"public_tests": {"input": ["1\n", "2\n", "2 \n"], "output": ["2\n", "4\n", "4\n"]}},
            "duplicated input",
            "public[1] and public[2]",
        ),
        (
            # The two private tests contradict each other, and loading leaves them out.
            {"private_tests": {"input": ["3\n", "4\n", "3\n"], "output": ["6\n", "8\n", "7\n"]}},
            "hidden tests dropped",
            "2 left out when loaded: they repeat or contradict other tests",
        ),
        (
            {"public_tests": NOTHING},
            "no public tests",
            "so there is no feedback on it",
        ),
        (
            {"private_tests": NOTHING, "generated_tests": NOTHING, "incorrect_solutions": None},
            "no hidden tests",
            "so the reward is decided by public tests",
        ),
        (
            {"checker": "pair-with-smu"},
            "unreadable",
            "unknown checker 'pair-with-smu'; did you mean 'pair-with-sum'?",
        ),
    ],
)  # fmt: skip
def test_a_planted_fault_is_found_and_nothing_else(tmp_path: Path, judge, changes, kind, detail):
    if kind == "hidden tests dropped":  # the wrong program must still fail on what is left
        changes = {**changes, "incorrect_solutions": programs("print(2)")}

    status, findings = check(tmp_path, [problem_row("sound"), problem_row("broken", **changes)])

    assert status == 1
    (finding,) = findings
    assert finding["problem_id"] == "broken"
    assert finding["kind"] == kind
    assert finding["detail"].startswith(detail)


@pytest.mark.sandbox
def test_contradictory_public_tests_are_found_in_the_table_too(tmp_path: Path, capsys, judge):
    public = {"input": ["1\n", "1\n"], "output": ["2\n", "3\n"]}

    status, findings = check(tmp_path, [problem_row(public_tests=public)])

    assert status == 1
    # No program passes both tests, so the reference program fails as well.
    assert [finding["kind"] for finding in findings] == [
        "contradictory tests",
        "reference program fails",
    ]
    assert findings[0]["detail"] == (
        "public[0] and public[1]: same input, outputs '2\\n' and '3\\n'"
    )
    assert "contradictory tests" in capsys.readouterr().out


@pytest.mark.sandbox
def test_the_limit_leaves_later_problems_out(tmp_path: Path, judge):
    rows = [problem_row("sound"), problem_row("broken", solutions=programs("print(0)"))]

    assert check(tmp_path, rows, "--limit", "1") == (0, [])


@pytest.mark.sandbox
def test_without_problems_the_bundled_ones_are_checked(capsys, judge):
    assert cli.main(["data", "check", "--limit", "1", "--workers", "2"]) == 0
    assert "Checking 1 problem of bundled" in capsys.readouterr().err


@pytest.mark.sandbox
def test_the_limit_counts_for_rows_that_cannot_be_read(tmp_path: Path, capsys, judge):
    rows = [problem_row("good"), *({"task_id": f"HumanEval/{n}"} for n in range(5))]

    status, findings = check(tmp_path, rows, "--limit", "2")

    assert status == 1
    assert [finding["problem_id"][-5:] for finding in findings] == ["row 2", "row 3"]
    assert "--limit left out 3 more rows that cannot be read." in capsys.readouterr().out


@pytest.mark.sandbox
def test_rows_of_another_dataset_are_said_to_need_its_name(tmp_path: Path, capsys, judge):
    status, findings = check(tmp_path, [{"task_id": "HumanEval/0"}])

    assert (status, len(findings)) == (1, 1)
    assert "for the rows of another dataset give --dataset, one of" in capsys.readouterr().err


def test_outputs_that_the_comparison_takes_for_each_other_do_not_contradict():
    problem = Problem(
        id="p",
        statement="",
        public_tests=(TestCase("1\n", "0.50\n"),),
        private_tests=(TestCase("1\n", "0.5000001\n"), TestCase("1\n", "0.75\n")),
    )

    kinds = [kind for kind, _ in check_tests(problem, Comparison(tolerance=1e-6))]

    assert kinds == [Kind.DUPLICATED_INPUT, Kind.CONTRADICTORY_TESTS]


def test_several_right_outputs_do_not_contradict_where_a_checker_decides():
    problem = Problem(
        id="p",
        statement="",
        public_tests=(TestCase("1\n", "a\n"),),
        private_tests=(TestCase("1\n", "b\n"),),
        checker="pair-with-sum",
    )

    (finding,) = check_tests(problem, Comparison())

    assert finding == (Kind.DUPLICATED_INPUT, "public[0] and private[0]")


def test_data_without_a_verb_says_which_there_are(capsys):
    with pytest.raises(SystemExit, match="2"):
        cli.main(["data"])
    assert "VERB" in capsys.readouterr().err
