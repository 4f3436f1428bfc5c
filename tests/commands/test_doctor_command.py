import json

import pytest

from codefeedback_env import cli
from codefeedback_env.commands import doctor
from codefeedback_env.errors import SandboxUnavailableError
from codefeedback_env.sandbox.catalog import SANDBOXES, open_sandbox


def test_every_sandbox_has_its_promise_in_words():
    assert doctor.PROMISES.keys() == SANDBOXES.keys()


def test_a_sandbox_that_does_not_open_promises_no_less_than_one_that_does(capsys, monkeypatch):
    def none_works(name: str, **options: object) -> object:
        raise SandboxUnavailableError(f"no {name} today")

    monkeypatch.setattr(doctor, "open_sandbox", none_works)
    assert cli.main(["doctor"]) == 1

    lines = capsys.readouterr().out.splitlines()
    promises = [line for line in lines if line.startswith("  promises ")]
    assert len(promises) == len(SANDBOXES)
    confining = [line for line in promises if doctor.PROMISES["unsafe"] not in line]
    assert len(confining) == len(SANDBOXES) - 1
    assert all(line.endswith("; system calls filtered") for line in confining)


def test_without_a_confining_sandbox_the_status_is_1_and_the_reasons_are_printed(
    capsys, monkeypatch
):
    def only_unsafe(name: str, **options: object) -> object:
        if name != "unsafe":
            raise SandboxUnavailableError(f"no {name} today")
        return open_sandbox(name)

    monkeypatch.setattr(doctor, "open_sandbox", only_unsafe)

    assert cli.main(["doctor"]) == 1

    printed = capsys.readouterr().out
    assert "bubblewrap-per-test: does not work" in printed
    assert "no bubblewrap-per-test today" in printed
    assert "'auto' finds no confining sandbox that works here" in printed
    assert "Install bubblewrap" in printed


@pytest.mark.sandbox
def test_a_sandbox_that_fails_its_self_test_is_chosen_by_auto_but_does_not_work(
    capsys, monkeypatch, judge
):
    def fail(sandbox: object) -> None:
        raise SandboxUnavailableError("two and two came out five")

    monkeypatch.setattr(doctor, "self_test", fail)

    assert cli.main(["doctor"]) == 1

    printed = capsys.readouterr().out
    assert "two and two came out five" in printed
    assert f"'auto' takes {judge.info().sandbox}: but its self-test fails" in printed


@pytest.mark.sandbox
def test_the_report_names_interpreter_numpy_and_speed(capsys, judge):
    assert cli.main(["doctor"]) == 0

    printed = capsys.readouterr().out
    info = judge.info()
    assert f"{info.sandbox}: works" in printed
    assert f"Python {info.python_version} at " in printed
    assert f"numpy {info.numpy_version}" in printed or info.numpy_version is None
    assert "ms for one test of a trivial program" in printed
    assert "system calls filtered" in printed


@pytest.mark.sandbox
def test_doctor_reports_every_sandbox_and_the_choice_of_auto(capsys, judge):
    status = cli.main(["doctor", "--json"])

    report = json.loads(capsys.readouterr().out)
    works = {sandbox["name"] for sandbox in report["sandboxes"] if sandbox["works"]}
    assert status == 0
    assert report["auto"] == judge.info().sandbox
    assert works >= {report["auto"]}
    for sandbox in report["sandboxes"]:
        assert (sandbox["problem"] is None) == sandbox["works"]
        assert (sandbox["milliseconds_per_test"] is not None) == sandbox["works"]
