import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
from small_problems import DOUBLE, DOUBLE_BELOW_3, problem_row, write_lines

from codefeedback_env import ConfigError, Problem, TestCase, TestResult, Verdict, cli
from codefeedback_env.data_quality.failures import FailureKind, explain_failure
from codefeedback_env.data_quality.journal import Journal
from codefeedback_env.data_quality.problem_report import ProblemReport, start_problem
from codefeedback_env.data_quality.statements import (
    check_statement,
    normalised_title,
    statement_hash,
)
from codefeedback_env.datasets.exclusions.lists import read_exclusions
from codefeedback_env.make import load_problems

NOTHING = {"input": [], "output": []}
LONG = (
    "Read one number and print twice that number on a line of its own, for every number that the "
    "input holds. "
)
DOUBLE_BELOW_9 = "n = int(input())\nprint(2 * n if n < 9 else 0)"
"""Wrong, and right on all tests of ``problem_row``."""

ANY = LONG + "If there are several answers, print any of them."


def pool_of(*pairs: tuple[str, str]) -> dict[str, list[str]]:
    return {"input": [stdin for stdin, _ in pairs], "output": [output for _, output in pairs]}


def programs(*sources: str) -> dict[str, Any]:
    return {"language": [3] * len(sources), "solution": list(sources)}


def report(tmp_path: Path, rows: list, *options: str) -> dict[str, Any]:
    """The report on rows, made in the workers of the fixture."""
    problems = write_lines(tmp_path / "problems.jsonl", rows)
    return report_on(problems, tmp_path / "out", *options)


def report_on(problems: Path, out: Path, *options: str) -> dict[str, Any]:
    arguments = ["data", "report", str(problems), "--out", str(out), "--workers", "2", *options]
    status = cli.main(arguments)
    made = json.loads((out / "report.json").read_text("utf-8"))
    assert status == (1 if made["unreadable_rows"] else 0)
    return made


def flags(made: dict[str, Any]) -> dict[str, list[str]]:
    return {p["id"]: [f["flag"] for f in p["findings"]] for p in made["problems"]}


PLANTED = [
    ("no public", {"public_tests": NOTHING}, ["no public tests"]),
    ("no private", {"private_tests": NOTHING, "incorrect_solutions": programs("print(2)")},
     ["no private tests"]),
    ("no hidden", {"private_tests": NOTHING, "generated_tests": NOTHING,
                   "incorrect_solutions": None}, ["no hidden tests"]),
    ("no tests", {"private_tests": NOTHING, "generated_tests": NOTHING, "public_tests": NOTHING},
     ["no tests"]),
    ("repeated in", {"private_tests": pool_of(("3\n", "6\n"), ("3 \n", "6\n"))},
     ["input repeated in a pool"]),
    ("repeated between", {"generated_tests": pool_of(("1\n", "2\n"))},
     ["input repeated between pools"]),
    ("contradictory hidden", {"generated_tests": pool_of(("4\n", "9\n"))},
     ["contradictory hidden tests"]),
    ("contradictory public",
     {"public_tests": pool_of(("1\n", "2\n"), ("1\n", "3\n")), "solutions": None},
     ["contradictory public tests"]),
    ("image", {"description": "Print <image> and <image>."}, ["picture missing from statement"]),
    ("translated", {"is_description_translated": True}, ["translated statement"]),
    ("interactive", {"description": "This is an interactive problem."}, ["interactive"]),
    ("flush", {"description": "Do not forget to flush the output."}, ["interactive"]),
    ("file field", {"input_file": "lab.in"}, ["reads or writes a file"]),
    ("file word", {"description": "Read input.txt."}, ["reads or writes a file"]),
    ("any", {"description": "Print any such pair."}, ["any answer, by its words"]),
    # Its answer is right by the statement, but not the stored one.
    ("any and fails", {"description": ANY, "solutions": programs("print(0)")},
     ["any answer, by its words", "reference program fails",
      "several right answers, no checker"]),
    # Nothing in the statement says so, but two reference programs do not agree.
    ("disagree", {"solutions": programs("print(0)", "print(1)", DOUBLE)},
     ["reference program fails", "several right answers, no checker"]),
    ("wrong label", {"solutions": programs("print(0)", DOUBLE)}, ["reference program fails"]),
    ("wrong tests", {"solutions": programs("print(0)")},
     ["reference program fails", "tests contradict the reference programs"]),
    ("lacks input", {"solutions": programs("a = input()\nb = input()")},
     ["reference program fails", "tests contradict the reference programs"]),
    ("old", {"solutions": programs("print 2 * input()")}, ["reference program fails"]),
    ("weak", {"incorrect_solutions": programs(DOUBLE_BELOW_3, DOUBLE_BELOW_9)},
     ["wrong program passes all tests"]),
    ("useless", {"incorrect_solutions": programs(DOUBLE_BELOW_9)},
     ["wrong program passes all tests", "tests reject no wrong program"]),
    ("useless twice", {"incorrect_solutions": programs(DOUBLE_BELOW_9, DOUBLE_BELOW_9 + "\npass")},
     ["wrong program passes all tests", "tests reject no wrong program"]),
    # Case and blanks alone differ, so the label may be about the form of the output.
    ("form", {"incorrect_solutions": programs("PRINT".lower() + "( 2*int(input()) )")},
     ["wrong program that is a right one"]),
    ("form and weak", {"incorrect_solutions": programs(DOUBLE + " ", DOUBLE_BELOW_9)},
     ["wrong program that is a right one", "wrong program passes all tests",
      "tests reject no wrong program"]),
    ("form and sound", {"incorrect_solutions": programs(DOUBLE + " ", DOUBLE_BELOW_3)},
     ["wrong program that is a right one"]),
]  # fmt: skip
EXCLUDED = {
    *("no tests", "contradictory public", "interactive", "flush", "file field", "file word"),
    *("any and fails", "disagree", "wrong tests", "lacks input"),
    *("useless", "useless twice", "form and weak"),
}


@pytest.fixture(scope="module")
def planted(tmp_path_factory, judge) -> tuple[Path, dict[str, Any]]:
    """The folder and the report of rows with a fault each, and of two sound ones."""
    folder = tmp_path_factory.mktemp("planted")
    rows = [problem_row("sound"), *(problem_row(name, **c) for name, c, _ in PLANTED)]
    return folder / "out", report(folder, [*rows, problem_row("sound too")])


@pytest.mark.sandbox
@pytest.mark.parametrize(("name", "found"), [(name, found) for name, _, found in PLANTED])
def test_a_planted_defect_is_found_and_nothing_else(planted, name, found):
    assert flags(planted[1])[name] == found


@pytest.mark.sandbox
def test_sound_rows_are_not_flagged(planted):
    assert flags(planted[1])["sound"] == flags(planted[1])["sound too"] == []


@pytest.mark.sandbox
def test_the_exclusion_list_holds_what_judges_wrongly_with_reason_and_evidence(planted):
    folder, made = planted

    listed = read_exclusions(folder / "exclusions.toml")

    assert {entry.problem_id for entry in listed.entries} == EXCLUDED == set(made["excluded"])
    (entry,) = [entry for entry in listed.entries if entry.problem_id == "any and fails"]
    assert entry.reasons == ("several right answers, no checker",)
    assert entry.split == "custom"
    assert entry.evidence == (
        "the statement takes any; reference program 0: wrong answer on public[0] "
        "(one of several answers): expected '2\\n', got '0\\n'"
    )
    left = load_problems(path=folder.parent / "problems.jsonl", exclude=folder / "exclusions.toml")
    assert EXCLUDED.isdisjoint(left.ids)
    assert len(left) == len(PLANTED) + 2 - len(EXCLUDED)


@pytest.mark.sandbox
def test_verdicts_first_failing_test_and_kind_are_reported(planted):
    _, made = planted
    problem = {problem["id"]: problem for problem in made["problems"]}
    assert problem["lacks input"]["references"] == [
        {
            "verdict": "runtime error",
            "passed_public": False,
            "pool": "public",
            "index": 0,
            "kind": "reads missing fields",
            "excerpt": "b = input() -> EOFError: EOF when reading a line",
        }
    ]
    (old,) = problem["old"]["references"]
    assert (old["verdict"], old["kind"]) == ("compile error", "Python 2")
    wrong = problem["sound"]["wrong"][0]
    assert (wrong["verdict"], wrong["passed_public"]) == ("wrong answer", True)
    evidence = {f["flag"]: f["evidence"] for p in made["problems"] for f in p["findings"]}
    assert evidence["contradictory hidden tests"] == (
        "private[1] and generated[0]: input '4\\n', outputs '8\\n' and '9\\n'"
    )


@pytest.mark.sandbox
def test_the_page_needs_nothing_beside_it_and_shows_every_flag(planted):
    folder, made = planted
    page = (folder / "report.html").read_text("utf-8")
    assert "http" not in page.replace("http-equiv", "")
    assert "<script" not in page
    assert page.count("<svg") == 6
    assert all(flag in page for flag in made["flags"])
    summary = (folder / "report.md").read_text("utf-8")
    assert f"| problems to exclude | {len(EXCLUDED)} |" in summary
    weaker = "all 5 tests, which are weaker than those that rejected"
    assert (
        f"**useless**: tests reject no wrong program. the only wrong program known passes {weaker} "
        "it; a single program does not show by how much"
    ) in summary
    assert (
        "**useless twice**: tests reject no wrong program. 2 of 2 wrong programs were run, and all "
        f"pass {weaker} them"
    ) in summary


def test_texts_of_the_data_are_escaped_in_the_page(tmp_path):
    name = "<script>alert(1)</script>"
    report(tmp_path, [problem_row(name, public_tests=NOTHING)], "--no-programs")
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert name not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_without_programs_nothing_is_run(tmp_path):
    weak = problem_row("weak", incorrect_solutions=programs(DOUBLE_BELOW_9))
    rows = [problem_row("sound"), weak]

    made = report(tmp_path, rows, "--no-programs", "--sandbox", "unsafe")

    assert made["totals"]["reference programs run"] == made["totals"]["wrong programs run"] == 0
    assert flags(made) == {"sound": [], "weak": []}
    assert made["settings"]["programs"] == "not run"


@pytest.mark.sandbox
def test_limit_and_max_programs_bound_the_work(tmp_path, judge):
    row = problem_row("a", solutions=programs(DOUBLE, "print(0)"))

    made = report(tmp_path, [row, problem_row("b")], "--limit", "1", "--max-programs", "1")

    assert flags(made) == {"a": []}
    assert made["totals"]["reference programs run"] == 1
    assert made["problems"][0]["num_programs"] == {"reference": 2, "wrong": 1}


@pytest.mark.parametrize("option", ["--limit", "--max-programs"])
def test_bounds_of_less_than_one_are_an_error(tmp_path, option, capsys):
    problems = write_lines(tmp_path / "p.jsonl", [problem_row()])
    arguments = ["data", "report", str(problems), "--out", str(tmp_path / "out"), option, "0"]
    assert cli.main(arguments) == 2
    assert f"{option} 0 must be at least 1" in capsys.readouterr().err


def test_corrupt_rows_are_named_and_the_others_are_looked_at(tmp_path, capsys):
    rows = [
        problem_row("a"),
        '{"name": "torn',
        "[1, 2]",
        problem_row("no tests field", public_tests=7),
        problem_row("no statement", description=None),
        problem_row("bad programs", solutions={"language": [3], "solution": [4]}),
        problem_row("b"),
    ]

    made = report(tmp_path, rows, "--no-programs")

    assert flags(made) == {
        "a": [],
        "no statement": ["unreadable"],
        "bad programs": ["unreadable"],
        "b": [],
    }
    places = [(row["place"].rpartition("/")[2], row["field"]) for row in made["unreadable_rows"]]
    assert places == [
        ("problems.jsonl, row 2", None),
        ("problems.jsonl, row 3", None),
        ("problems.jsonl, row 4", "public_tests"),
        ("problems.jsonl, row 5", "description"),
        ("problems.jsonl, row 6", "solutions"),
    ]
    assert made["totals"]["unreadable rows"] == 5
    assert "row 4, field 'public_tests'" in capsys.readouterr().out


@pytest.mark.sandbox
def test_data_check_names_corrupt_rows_and_goes_on(tmp_path, capsys, judge):
    problems = write_lines(tmp_path / "p.jsonl", [problem_row("a"), "{", problem_row("b")])
    assert cli.main(["data", "check", str(problems), "--workers", "2"]) == 1
    printed = capsys.readouterr().out
    assert "     1 unreadable" in printed
    assert "2 problems, 2 reference programs, 2 wrong programs, 1 finding" in printed


def test_a_corrupt_row_is_still_an_error_when_problems_are_loaded_for_use(tmp_path):
    path = write_lines(tmp_path / "p.jsonl", [problem_row("a"), "{"])
    with pytest.raises(Exception, match="row 2: the line is not valid JSON"):
        load_problems(path=path)


def test_twins_are_found_by_title_and_by_statement(tmp_path):
    rows = [
        problem_row("10_C. Two  Shelves", description=LONG + "x"),
        problem_row("11_A. two shelves!", description=LONG + "y"),
        problem_row("12_B. Other", description=LONG + "Z."),
        problem_row("13_B. Another", description=LONG.upper() + "z"),
        problem_row("14_A. Third", description=LONG + "different"),
    ]

    made = report(tmp_path, rows, "--no-programs")

    assert flags(made) == {
        "10_C. Two  Shelves": ["title twice in the split"],
        "11_A. two shelves!": ["title twice in the split"],
        "12_B. Other": ["statement twice in the split"],
        "13_B. Another": ["statement twice in the split"],
        "14_A. Third": [],
    }
    assert made["excluded"] == []


def test_problems_of_other_splits_and_datasets_are_found_and_leave_the_training_split(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    write_lines(data / "train.jsonl", [
        problem_row("1_A. Cakes", description=LONG + "one"),
        problem_row("2_A. Pies", description=LONG + "two"),
        problem_row("3_A. Buns", description=LONG + "three"),
    ])  # fmt: skip
    write_lines(data / "test.jsonl", [problem_row("9_B. CAKES", description=LONG + "other")])
    taco = write_lines(
        tmp_path / "taco.jsonl",
        [{"name": None, "question": LONG + "two", "input_output": "", "solutions": "[]"}],
    )

    options = ["--no-programs", "--split", "train", "--against", f"taco={taco}"]
    made = report_on(data, tmp_path / "out", *options)

    assert made["compared_with"] == ["code_contests (test)", f"taco (custom, {taco})"]
    assert [(o["problem_id"], o["other_id"], o["equal"]) for o in made["overlaps"]] == [
        ("1_A. Cakes", "9_B. CAKES", "title"),
        ("2_A. Pies", "taco/0", "statement"),
    ]
    assert made["excluded"] == ["1_A. Cakes", "2_A. Pies"]

    of_test = report_on(data, tmp_path / "out_test", "--no-programs", "--split", "test")
    assert of_test["overlaps"][0]["other_id"] == "1_A. Cakes"
    assert of_test["excluded"] == []  # the other side is left out


def test_against_an_unknown_dataset_says_which_there_are(tmp_path, capsys):
    problems = write_lines(tmp_path / "p.jsonl", [problem_row()])
    arguments = ["data", "report", str(problems), "--out", str(tmp_path / "o"), "--no-programs"]
    assert cli.main([*arguments, "--against", "tacos"]) == 2
    assert "did you mean 'taco'" in capsys.readouterr().err


@pytest.mark.sandbox
def test_a_killed_run_goes_on_where_it_was(tmp_path, judge):
    rows = [problem_row(f"p{i}") for i in range(6)]
    # Three problems are quick; the fourth keeps both workers busy until the process is killed.
    slow = programs("n = int(input())\nwhile n < 9:\n    pass")
    rows[3] = problem_row("p3", solutions=slow, time_limit={"seconds": 30, "nanos": 0})
    problems = write_lines(tmp_path / "problems.jsonl", rows)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "codefeedback_env", "data", "report", str(problems)]
    process = subprocess.Popen(
        [*command, "--out", str(out), "--workers", "2"], stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if sum(file.read_bytes().count(b"\n") for file in out.glob("problems-*.jsonl")) >= 3:
            break
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    (journal,) = out.glob("problems-*.jsonl")
    before = journal.read_bytes()
    assert not (out / "report.json").exists()
    journal.write_bytes(before + b'{"id": "p3", "findi')  # torn in the middle of a line

    write_lines(problems, rows)  # the same bytes, so the same data
    done = subprocess.run(
        [*command, "--out", str(out), "--workers", "2", "--limit", "3"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip

    assert "Looking at 3 problems" in done.stderr
    assert "3 of them done before" in done.stderr
    assert journal.read_bytes() == before
    made = json.loads((out / "report.json").read_text("utf-8"))
    assert flags(made) == {"p0": [], "p1": [], "p2": []}
    assert made["totals"]["reference programs run"] == 3


def test_a_journal_is_for_one_choice_of_settings_and_survives_damage(tmp_path):
    entry = ProblemReport(id="a", num_tests={"public": 1}, num_programs={})
    journal = Journal(tmp_path, {"fingerprint": "x", "programs": 3})
    journal.add(entry)
    journal.close()
    with journal.path.open("ab") as file:
        file.write(b'{"id": 3}\n{"torn')

    again = Journal(tmp_path, {"programs": 3, "fingerprint": "x"})
    assert again.done == {"a": entry}
    again.add(ProblemReport(id="b", num_tests={}, num_programs={}))
    again.close()
    assert list(Journal(tmp_path, {"fingerprint": "x", "programs": 3}).done) == ["a", "b"]
    assert Journal(tmp_path, {"fingerprint": "y", "programs": 3}).done == {}


def test_a_journal_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot write"):
        Journal(tmp_path / "file", {})


@pytest.mark.sandbox
def test_function_style_problems_are_judged(tmp_path, judge):
    row = {
        "task_id": 11,
        "text": "Double it.",
        "code": "def double(n):\r\n    return 2 * n",
        "test_list": ["assert double(1) == 2", "assert double(2) == 4"],
        "test_setup_code": "",
        "challenge_test_list": [],
    }
    broken = {**row, "task_id": 12, "code": "def double(n):\n    return n"}
    problems = write_lines(tmp_path / "mbpp.jsonl", [row, broken])

    made = report_on(problems, tmp_path / "out", "--dataset", "mbpp")

    assert flags(made)["Mbpp/11"] == []
    assert flags(made)["Mbpp/12"] == [
        "reference program fails",
        "tests contradict the reference programs",
    ]
    entries = tomllib.loads((tmp_path / "out" / "exclusions.toml").read_text("utf-8"))["problem"]
    assert [entry["id"] for entry in entries] == ["Mbpp/12"]


def test_a_problem_with_a_checker_is_not_suspected_of_many_answers(add_set):
    problem = Problem(
        id="p",
        statement=ANY,
        public_tests=(TestCase("1\n", "a\n"), TestCase("1\n", "b\n")),
        checker="pair-with-sum",
    )
    assert list(check_statement(problem)) == []
    wait = start_problem(add_set, add_set.ids[0], None, None)
    assert wait().findings == ()


@pytest.mark.parametrize(
    "words",
    [
        "In how many ways can it be done? Print the number of ways.",
        "You may print each letter in any case.",
        "You can't add letters in any of the words.",
        "The way goes through a and b (in any order). Print its length.",
        "If there are several optimal variants, Bob chooses the one with the largest sum.",
        "A straight flush beats a full house. Files in the file system are sorted.",
    ],
)
def test_words_that_only_resemble_doubtful_ones_are_not_flagged(words):
    assert list(check_statement(Problem(id="p", statement=words))) == []


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("1575_A. Another Sorting Problem", "another sorting problem"),
        ("1068_D. Array Without Local Maximums ", "array without local maximums"),
        ("p02623 AtCoder Beginner Contest 172 - Tsundoku", "atcoder beginner contest 172 tsundoku"),
        ("brcktsrm", "brcktsrm"),
        ("Mbpp/11", None),
        ("4184", None),
    ],
)
def test_titles_are_compared_without_the_number_of_the_contest(name, title):
    assert normalised_title(Problem(id="p", statement="", source={"name": name})) == title


def test_statements_are_compared_by_letters_alone_and_short_ones_not_at_all():
    assert statement_hash(LONG) == statement_hash(LONG.upper().replace(",", " ,\n"))
    assert statement_hash(LONG) != statement_hash(LONG + "x")
    assert statement_hash("Add two numbers.") is None


def failed(verdict: Verdict, stderr: str = "", **changes: Any) -> TestResult:
    return TestResult(index=0, verdict=verdict, stderr=stderr, **changes)


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (failed(Verdict.COMPILE_ERROR, "SyntaxError: invalid syntax"), "does not compile"),
        (failed(Verdict.RUNTIME_ERROR, "x\nNameError: name 'raw_input' is not defined"),
         "Python 2"),
        (failed(Verdict.RUNTIME_ERROR, "RecursionError: maximum recursion depth exceeded"),
         "recursion limit"),
        (failed(Verdict.RUNTIME_ERROR, signal=11), "recursion limit"),
        (failed(Verdict.RUNTIME_ERROR, signal=6), "crash"),
        (failed(Verdict.RUNTIME_ERROR, "print(a[n])\nIndexError: list index out of range"),
         "crash"),
        (failed(Verdict.RUNTIME_ERROR, "x = input().split()[3]\nIndexError: list index"),
         "reads missing fields"),
        (failed(Verdict.RUNTIME_ERROR,
                "x\nValueError: not enough values to unpack (expected 2, got 1)"),
         "reads missing fields"),
        (failed(Verdict.RUNTIME_ERROR,
                "x\nValueError: invalid literal for int() with base 10: ''"),
         "reads missing fields"),
        (failed(Verdict.RUNTIME_ERROR, "x\nModuleNotFoundError: No module named 'sympy'"),
         "missing module"),
        (failed(Verdict.RUNTIME_ERROR, exit_code=3), "crash"),
        (failed(Verdict.TIME_LIMIT), "too slow"),
        (failed(Verdict.MEMORY_LIMIT), "too much memory"),
        (failed(Verdict.OUTPUT_LIMIT), "too much output"),
        (failed(Verdict.SECURITY_VIOLATION), "forbidden system call"),
        (failed(Verdict.WRONG_ANSWER, stdout="8.0\n"), "number or case compared more strictly"),
        (failed(Verdict.WRONG_ANSWER, stdout="9\n"), "wrong answer"),
    ],
)  # fmt: skip
def test_failures_are_explained(failure, kind):
    test = TestCase("4\n", "8\n")
    found, _ = explain_failure(failure, test, "", takes_any_answer=False)
    assert found == FailureKind(kind)
