"""The benchmark of the algorithm's choices."""

import json
from dataclasses import fields

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from agents.ppo.config import PPOConfig
from benchmarks.learning.ablations import PAPER, VARIANTS, interval, main, summary
from benchmarks.learning.runs import training_settings


def a_run(variant, seed, heldout):
    return {"variant": variant, "seed": seed, "heldout": heldout, "training": heldout / 2}


def test_every_variant_changes_settings_that_exist(tmp_path):
    names = {field.name for field in fields(PPOConfig)}
    settings = training_settings(1, "torch")
    assert [variant for variant, changed in VARIANTS.items() if not changed] == [PAPER]
    for variant, changed in VARIANTS.items():
        assert set(changed) <= names, variant
        for name, value in changed.items():
            default = settings.get(name, PPOConfig.__dataclass_fields__[name].default)
            assert value != default, f"{variant} leaves {name} as it is"
        PPOConfig(model="m", out=tmp_path, path=tmp_path, **(settings | changed))  # they fit


def test_an_interval_is_students():
    """0.1, 0.2, 0.3: deviation 0.1, t = 4.303 with two degrees of freedom."""
    found = interval([0.1, 0.2, 0.3])
    assert found["mean"] == pytest.approx(0.2)
    assert found["half_width"] == pytest.approx(4.303 * 0.1 / 3**0.5)
    assert interval([0.5]) == {"mean": 0.5, "half_width": None}


def test_differences_are_between_runs_of_one_seed():
    runs = [
        *(a_run(PAPER, seed, rate) for seed, rate in ((3, 0.2), (4, 0.8))),
        *(a_run("no KL", seed, rate) for seed, rate in ((4, 0.9), (3, 0.3), (5, 0.0))),
    ]
    found = summary(runs, [PAPER, "no KL"])
    assert found["no KL"]["heldout_minus_paper"]["mean"] == pytest.approx(0.1)
    assert found["no KL"]["heldout_minus_paper"]["half_width"] == pytest.approx(0, abs=1e-9)
    assert found["no KL"]["heldout"]["mean"] == pytest.approx(0.4)
    assert "heldout_minus_paper" not in found[PAPER]


def test_an_unknown_variant_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["--only", "paper;magic"])
    assert "'magic' is none of paper;" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.sandbox
def test_runs_that_are_there_are_not_run_again(tmp_path, capfd):
    arguments = ["--seeds", "3", "--iterations", "1", "--out", str(tmp_path)]
    assert main([*arguments, "--only", PAPER]) == 0
    assert main([*arguments, "--only", f"{PAPER};clip higher"]) == 0
    lines = (tmp_path / "runs.jsonl").read_text().splitlines()
    assert [json.loads(line)["variant"] for line in lines] == [PAPER, "clip higher"]
    result = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert set(result["summary"]) == {PAPER, "clip higher"}
