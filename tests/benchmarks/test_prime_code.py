"""verl's prime_code is graded by, and measured with, the same programs and tests as our own.

Set VERL_PYTHON to an interpreter that has verl, as benchmarks/prime_code.py tells, to run all.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.cases import TOY, WRONG_TOY, toy_tests
from benchmarks.prime_code import (
    Grade,
    PrimeCode,
    PrimeCodeUnavailableError,
    open_prime_code,
    request_for,
)
from codefeedback_env.judge.judge import Judge

CHECKOUT = Path(__file__).parents[2]
VERL_PYTHON = os.environ.get("VERL_PYTHON")


def pairs(num_tests: int) -> list[tuple[bytes, bytes]]:
    return [(stdin.data, expected) for stdin, expected in toy_tests(num_tests)]


@pytest.fixture(scope="module")
def prime_code() -> Iterator[PrimeCode]:
    opened = open_prime_code(VERL_PYTHON)
    if opened is None:
        pytest.skip("verl is not installed here; VERL_PYTHON may name an interpreter that has it")
    yield opened
    opened.close()


@pytest.mark.parametrize("num_tests", [1, 20, 100])
def test_the_right_program_passes_all(prime_code: PrimeCode, num_tests: int) -> None:
    assert prime_code.grade(request_for(TOY, pairs(num_tests))) == Grade(True, 1.0)


def test_a_failure_after_the_tenth_test_is_seen_though_it_costs_no_score(
    prime_code: PrimeCode,
) -> None:
    # The whole fails, and the first ten, run again one by one, pass.
    tests = pairs(100)
    tests[-1] = tests[-1][0], b"no\n"
    assert prime_code.grade(request_for(TOY, tests)) == Grade(False, 1.0)


def test_the_wrong_program_passes_nothing(prime_code: PrimeCode) -> None:
    assert prime_code.grade(request_for(WRONG_TOY, pairs(20)[1:])) == Grade(False, 0.0)


def test_it_names_its_versions(prime_code: PrimeCode) -> None:
    assert prime_code.version[0].isdigit()
    assert prime_code.python_version.startswith("3.")


@pytest.mark.parametrize(
    ("python", "complaint"),
    [("/no/such/python", "does not start"), ("/bin/false", "ended: 1")],
)
def test_an_interpreter_that_does_not_work_is_named(python: str, complaint: str) -> None:
    with pytest.raises(PrimeCodeUnavailableError, match=f"{python}.*{complaint}"):
        open_prime_code(python)


def test_an_interpreter_without_verl_is_named(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    with pytest.raises(PrimeCodeUnavailableError, match=r"cannot load prime_code.*verl"):
        open_prime_code(str(tmp_path / "bare/bin/python"))


@pytest.mark.sandbox
def test_it_takes_its_turns_in_the_measurement(judge: Judge, prime_code: PrimeCode) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.sandbox_throughput"),
            *("--backends", judge.info().sandbox, "--tests", "1,100", "--rounds", "1"),
            *("--seconds", "0.02", "--mix-problems", "1"),
            *(("--verl-python", VERL_PYTHON) if VERL_PYTHON else ()),
        ],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    rival = result["verl_prime_code"]
    assert (rival["version"], rival["python"]) == (prime_code.version, prime_code.python_version)
    assert [row["tests_per_submission"] for row in rival["results"]] == [1, 100]
    if not result["cpu_time_from"].startswith("unknown"):
        assert all(row["cpu_ms_per_submission"] > 0 for row in rival["results"])
        assert rival["first_failure"]["cpu_ms"] > 0
        (ratios,) = rival["judge_times_prime_code"].values()
        assert set(ratios) == {"1", "100"}


def test_without_verl_the_measurement_says_null(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert open_prime_code(None) is None
