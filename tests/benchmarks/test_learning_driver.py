"""The command of the learning benchmark."""

import json
import subprocess
import sys

import pytest

from benchmarks import record

pytest.importorskip("torch")
pytest.importorskip("transformers")

from benchmarks.learning.__main__ import checks, main, stored_runs
from codefeedback_env import ConfigError


def a_run(arm, **solved):
    counts = {name: {"num_solved": number, "num_episodes": 100} for name, number in solved.items()}
    return {"arm": arm, "evaluation": counts}


@pytest.mark.parametrize(
    ("solved", "holds"), [((90, 82), True), ((90, 80), True), ((90, 79), False)]
)
def test_bounds_are_for_the_mean_over_seeds(solved, holds):
    """At least 0.85 after training with true feedback."""
    runs = [a_run("true", true=number, random=20) for number in solved]
    first, second = checks("const", runs)
    assert (first["holds"], second["holds"]) == (holds, True)
    assert first["value"] == pytest.approx(sum(solved) / 200)


def test_what_uses_feedback_must_not_do_well_under_feedback_of_others():
    _, under_random = checks("const", [a_run("true", true=100, random=36)])
    assert not under_random["holds"]


def test_arms_that_did_not_run_are_not_checked():
    (only,) = checks("const", [a_run("single", single=21)])
    assert (only["arm"], only["holds"]) == ("single", False)


def test_stored_runs_of_other_arms_are_labelled(tmp_path):
    path = tmp_path / "learning-old.json"
    path.write_text(json.dumps({"family": "const", "runs": [a_run("true"), a_run("random")]}))
    (run,) = stored_runs(path, "const", ["true", "single"])
    assert (run["arm"], run["stored_in"]) == ("random", "learning-old.json")
    with pytest.raises(ConfigError, match="const"):
        stored_runs(path, "add", ["true"])


@pytest.mark.parametrize("options", [["--arms", "true,other"], ["--seeds", "0,x"]])
def test_unknown_arms_and_seeds_are_refused(options, capsys):
    with pytest.raises(SystemExit):
        main(options)
    assert options[1].split(",")[1] in capsys.readouterr().err


@pytest.mark.sandbox
@pytest.mark.timeout(900)
def test_one_seed_learns_to_use_feedback_and_writes_the_report(tmp_path):
    command = [sys.executable, "-m", "benchmarks.learning", "--out"]
    done = subprocess.run(
        [*command, str(tmp_path)],
        cwd=record.RESULTS.parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    result = json.loads(done.stdout.splitlines()[-1])
    (run,) = result["runs"]
    assert [row["iteration"] for row in run["curve"]] == list(range(1, 51))
    rate = {
        name: score["num_solved"] / score["num_episodes"]
        for name, score in run["evaluation"].items()
    }
    assert rate["true"] - rate["random"] >= 0.3
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")
