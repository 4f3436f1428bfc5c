import json
import os
import tracemalloc
from pathlib import Path

import pytest
from small_problems import (
    DOUBLE,
    DOUBLE_BELOW_3,
    problem_row,
    read_lines,
    write_lines,
    write_problems,
)

from codefeedback_env import cli
from codefeedback_env.errors import SandboxError
from codefeedback_env.judge.judge import Judge

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("judge")]

PASSED_ALL = {
    "public": {"passed": 2, "total": 2},
    "private": {"passed": 2, "total": 2},
    "generated": {"passed": 1, "total": 1},
}


def judge_lines(tmp_path: Path, rows: list, *options: str) -> tuple[int, list]:
    """Judge rows against the small problems, in the workers of the fixture."""
    source = write_lines(tmp_path / "submissions.jsonl", rows)
    target = tmp_path / "results.jsonl"
    problems = tmp_path / "problems.jsonl"
    if not problems.exists():
        write_problems(tmp_path)
    files = ["--submissions", str(source), "--json", str(target)]
    status = cli.main(["judge", str(problems), *files, "--workers", "2", *options])
    return status, read_lines(target)


def test_a_right_program_has_passed_every_pool(tmp_path: Path):
    status, (row,) = judge_lines(tmp_path, [{"name": "double", "code": DOUBLE}])

    assert status == 0
    assert row.pop("cpu_time_s") > 0
    assert row == {
        "name": "double",
        "verdict": "accepted",
        "pools": PASSED_ALL,
        "first_failure": None,
    }


def test_judging_stops_at_the_first_failure_and_leaves_later_pools_out(tmp_path: Path):
    _, (row,) = judge_lines(tmp_path, [{"name": "double", "code": DOUBLE_BELOW_3}])

    assert row["verdict"] == "wrong answer"
    assert row["pools"] == {
        "public": {"passed": 2, "total": 2},
        "private": {"passed": 0, "total": 2},
    }
    assert row["first_failure"] == {"pool": "private", "index": 0, "verdict": "wrong answer"}


def test_all_tests_runs_and_counts_every_test_of_every_pool(tmp_path: Path):
    # Right below 4 only: private test 3 passes, private test 4 and generated test 5 fail.
    below_4 = DOUBLE_BELOW_3.replace("3", "4")

    _, (row,) = judge_lines(tmp_path, [{"name": "double", "code": below_4}], "--all-tests")

    assert row["verdict"] == "wrong answer"
    assert row["pools"] == {
        "public": {"passed": 2, "total": 2},
        "private": {"passed": 1, "total": 2},
        "generated": {"passed": 0, "total": 1},
    }
    assert row["first_failure"] == {"pool": "private", "index": 1, "verdict": "wrong answer"}


def test_results_keep_the_order_of_the_submissions_though_some_take_longer(tmp_path: Path):
    slow = "sum(range(10**6))\n" + DOUBLE
    rows = [
        {"name": "double" if i % 2 else "twice", "code": DOUBLE if i % 3 else slow}
        for i in range(20)
    ]

    status, results = judge_lines(tmp_path, rows)

    assert status == 0
    assert [result["name"] for result in results] == [row["name"] for row in rows]


def test_bad_rows_become_errors_in_their_place_and_the_rest_goes_on(tmp_path: Path):
    good = {"name": "double", "code": DOUBLE, "language": "python3", "model": "ignored"}
    rows = [
        good,
        "{no json",
        "[1, 2]",
        {"code": DOUBLE},
        {"name": 7, "code": DOUBLE},
        {"name": "double"},
        {"name": "double", "code": None},
        {"name": "double", "code": DOUBLE, "language": "python33"},
        {"name": "duoble", "code": DOUBLE},
        "",
        good,
    ]

    status, results = judge_lines(tmp_path, rows)

    assert status == 1
    assert [result.get("verdict") for result in results] == ["accepted", *[None] * 8, "accepted"]
    errors = [(result.get("name"), result["error"]) for result in results[1:-1]]
    assert errors == [
        (None, "line 2 is not JSON: Expecting property name enclosed in double quotes: line 1 "
         "column 2 (char 1)"),
        (None, "line 3 is a JSON list, not an object."),
        (None, "line 4 has no key 'name'; it needs name and code."),
        (None, "line 5: 'name' must be a string, but is int."),
        ("double", "line 6 has no key 'code'; it needs name and code."),
        ("double", "line 7: 'code' must be a string, but is NoneType."),
        ("double", "unknown language 'python33'; did you mean 'python3'? Known: python3."),
        ("duoble", "no problem 'duoble' in custom (split 'custom', 2 problems); did you "
         "mean 'double'?"),
    ]  # fmt: skip


def test_a_problem_without_tests_is_an_error_and_not_accepted(tmp_path: Path):
    nothing = {"input": [], "output": []}
    untested = problem_row(
        "untested", public_tests=nothing, private_tests=nothing, generated_tests=nothing
    )
    write_lines(tmp_path / "problems.jsonl", [untested])

    status, (row,) = judge_lines(tmp_path, [{"name": "untested", "code": DOUBLE}])

    assert status == 1
    assert row == {"name": "untested", "error": "problem 'untested' has no tests."}


def test_a_failing_sandbox_is_an_error_of_its_row_only(tmp_path: Path, monkeypatch):
    submit = Judge.submit

    def submit_or_fail(self, problem, submission, plan):
        future = submit(self, problem, submission, plan)
        if submission.source_code == "fail":
            future.result()
            future = type(future)()
            future.set_exception(SandboxError("the jail broke"))
        return future

    monkeypatch.setattr(Judge, "submit", submit_or_fail)

    status, results = judge_lines(
        tmp_path, [{"name": "double", "code": "fail"}, {"name": "double", "code": DOUBLE}]
    )

    assert status == 1
    assert results[0] == {"name": "double", "error": "the jail broke"}
    assert results[1]["verdict"] == "accepted"


def test_the_judging_profile_decides_on_the_exit_status(tmp_path: Path):
    # DeepMind's harness compares outputs and ignores how the program ended.
    rows = [{"name": "double", "code": DOUBLE + "\nraise SystemExit(3)"}]

    _, (strict,) = judge_lines(tmp_path, rows)
    _, (deepmind,) = judge_lines(tmp_path, rows, "--judging", "deepmind")

    assert (strict["verdict"], deepmind["verdict"]) == ("runtime error", "accepted")


def test_the_time_factor_multiplies_the_limit(tmp_path: Path):
    # About 0.2 s of CPU: within the limit of 1 s, not within 0.05 s.
    busy = "import time\nwhile time.process_time() < 0.2: pass\n" + DOUBLE
    rows = [{"name": "double", "code": busy}]

    _, (row,) = judge_lines(tmp_path, rows)
    _, (hurried,) = judge_lines(tmp_path, rows, "--time-factor", "0.05")

    assert (row["verdict"], hurried["verdict"]) == ("accepted", "time limit exceeded")


def test_without_a_file_the_rows_go_to_stdout_and_everything_else_to_stderr(tmp_path: Path, capsys):
    source = write_lines(tmp_path / "submissions.jsonl", [{"name": "double", "code": DOUBLE}])

    status = cli.main(
        ["judge", str(write_problems(tmp_path)), "--submissions", str(source), "--workers", "2"]
    )

    printed = capsys.readouterr()
    assert status == 0
    assert json.loads(printed.out)["verdict"] == "accepted"
    assert "1 submissions judged" in printed.err
    assert "100.0%" in printed.err


def test_submissions_can_come_through_a_pipe(tmp_path: Path, capsys):
    reading, writing = os.pipe()
    with open(writing, "w") as pipe:
        pipe.write(json.dumps({"name": "double", "code": DOUBLE}) + "\n")

    problems = str(write_problems(tmp_path))
    status = cli.main(["judge", problems, "--submissions", f"/dev/fd/{reading}", "--workers", "2"])
    os.close(reading)

    assert status == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "accepted"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--judging", "strcit"], "did you mean 'strict'?"),
        (["--time-factor", "nan"], "--time-factor nan must be positive."),
        (["--time-factor", "0"], "--time-factor 0.0 must be positive."),
        (["--ignore-fingerprint"], "goes with --replay only"),
        (["--dataset", "code_contest"], "did you mean 'code_contests'?"),
    ],
)
def test_an_option_that_cannot_work_is_refused_before_anything_is_judged(
    tmp_path: Path, capsys, options, message
):
    source = write_lines(tmp_path / "submissions.jsonl", [])
    arguments = ["judge", str(write_problems(tmp_path)), "--submissions", str(source)]

    assert cli.main([*arguments, *options]) == 2
    assert message in capsys.readouterr().err


def test_the_results_never_overwrite_the_submissions(tmp_path: Path, capsys):
    source = write_lines(tmp_path / "submissions.jsonl", [{"name": "double", "code": DOUBLE}])
    before = source.read_bytes()
    arguments = ["judge", str(write_problems(tmp_path)), "--submissions", str(source)]

    assert cli.main([*arguments, "--json", str(source), "--workers", "2"]) == 2
    assert "would overwrite" in capsys.readouterr().err
    assert source.read_bytes() == before


def test_no_problems_at_all_is_an_error_that_names_the_datasets(tmp_path: Path, capsys):
    source = write_lines(tmp_path / "submissions.jsonl", [])

    assert cli.main(["judge", "--submissions", str(source)]) == 2
    assert "bundled, code_contests" in capsys.readouterr().err


def test_memory_stays_flat_over_many_lines(tmp_path: Path):
    bad = '{"name": "duoble", "code": ""}\n'

    def peak_bytes(num_lines: int) -> int:
        source = tmp_path / "submissions.jsonl"
        source.write_text(bad * num_lines)
        files = ["--submissions", str(source), "--json", str(tmp_path / "results.jsonl")]
        tracemalloc.start()
        try:
            cli.main(["judge", str(write_problems(tmp_path)), *files, "--workers", "2"])
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak_bytes(10)  # imports and caches
    few, many = peak_bytes(100), peak_bytes(3000)

    # 2900 lines more, each held as an error, would be several MB.
    assert many - few < 300_000


def test_a_ray_cluster_is_for_environments_only(tmp_path: Path, capsys):
    path = tmp_path / "submissions.jsonl"
    path.write_text("")
    assert cli.main(["judge", "bundled", "--submissions", str(path), "--sandbox", "ray:auto"]) == 2
    assert "judges on this machine only" in capsys.readouterr().err
