"""The benchmark of training phases, from its options to its result.

Set TRL_PYTHON to an interpreter that has trl, as benchmarks/README.md tells, to run all.
"""

import json
import os
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from benchmarks import record
from benchmarks.train_throughput.__main__ import EXPECTED, main
from benchmarks.train_throughput.iterations import DecodeRate
from benchmarks.train_throughput.limits import Limits
from benchmarks.train_throughput.report import Round, headline, misses_of, phase_rates
from benchmarks.train_throughput.shapes import SHAPES, config_of
from benchmarks.train_throughput.trl_phases import TrlProcess, TrlUnavailableError

CHECKOUT = record.RESULTS.parent.parent
TRL_PYTHON = os.environ.get("TRL_PYTHON")
SECONDS = {
    **{"generate": 2.0, "judge_wait": 1.0, "env": 0.5, "collect": 4.0},
    **{"score": 0.5, "targets": 0.1, "update": 4.0, "sync": 0.25, "iteration": 10.0},
    **{"ordered_collect": 6.0, "ordered_generate": 2.0, "ordered_judge_wait": 4.0},
}


@pytest.fixture
def a_round():
    return Round(
        seconds=SECONDS,
        lengths=[100, 200],
        num_reply_tokens=80,
        num_turns=6,
        limits=Limits(flop_per_s=1e10, bytes_per_s=1e9),
        decode=DecodeRate(tokens_per_s=1000.0, context=288.0),
        beside={"score": (0.5, 1.25)},
    )


@pytest.fixture
def config(tmp_path):
    return config_of(
        SHAPES["tiny"], tmp_path, tmp_path, num_rollouts=8, lora_rank=0, precision="float32"
    )


def test_rates_of_phases_by_hand(a_round, config):
    """The trunk of tiny has 737,280 weights, its head 262,144; attention is 1024 S^2.

    Policy: 2 x (737280 x 300 + 262144 x 80) + 1024 x 50000 = 535,511,040. Critic, without a head:
    493,568,000. An update is three times both.
    """
    shape = SHAPES["tiny"]
    assert (shape.trunk_weights, shape.head_weights) == (737280, 262144)
    rates = phase_rates(a_round, shape, config)
    policy, critic = 535_511_040, 493_568_000
    assert rates["score"]["mfu"] == pytest.approx((2 * policy + critic) / 0.5 / 1e10)
    assert rates["update"]["mfu"] == pytest.approx(3 * (policy + critic) / 4 / 1e10)
    assert rates["update"]["share_of_bound"] == rates["update"]["mfu"]
    assert rates["generate"]["mfu"] == pytest.approx(policy / 2 / 1e10)
    assert rates["generate"]["tokens_per_s"] == 40
    assert rates["judge"]["tokens_per_s"] == 80
    assert rates["update"]["tokens_per_s"] == 75
    # 999,424 weights, 4 bytes read and 4 written, at 1e9 per second
    assert rates["sync"]["share_of_bound"] == pytest.approx(999424 * 8 / 1e9 / 0.25)


def test_recomputation_is_in_the_bound_of_an_update_and_not_in_its_mfu(a_round, config):
    import dataclasses

    plain = phase_rates(a_round, SHAPES["tiny"], config)["update"]
    again = dataclasses.replace(config, gradient_checkpointing=True)
    rates = phase_rates(a_round, SHAPES["tiny"], again)["update"]
    assert rates["mfu"] == plain["mfu"]
    assert rates["share_of_bound"] == pytest.approx(plain["mfu"] * 4 / 3)


def test_headline_by_hand(a_round, config):
    rates = headline(a_round, phase_rates(a_round, SHAPES["tiny"], config))
    assert rates["env_share"] == pytest.approx(1.5 / 10)
    assert rates["judging_hidden"] == pytest.approx(3 / 4)
    assert rates["judge_alone_share"] == pytest.approx(4 / 2)
    assert rates["judge_alone_programs_per_s"] == pytest.approx(6 / 4)
    assert rates["overlap_times"] == pytest.approx(1.5)
    assert rates["times_trl_score"] == pytest.approx(2.5)
    assert set(EXPECTED["tiny"]) - set(rates) == {"times_trl_generate", "times_trl_update"}


def test_misses_name_what_is_on_the_wrong_side():
    rates = {"score_mfu": {"median": 0.2}, "sync_s": {"median": 0.2}, "env_share": {"median": 0.1}}
    expected = {"score_mfu": 0.25, "sync_s": 0.1, "env_share": 0.3, "times_trl_score": 1.5}
    assert misses_of(rates, expected) == [
        "score_mfu=0.2, expected at least 0.25",
        "sync_s=0.2, expected at most 0.1",
    ]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--rollouts", "12"], "multiple of 8, not 12"),
        (["--lora-rank", "4", "--trl-python", "python"], "without LoRA only"),
        (["--shape", "8b", "--device", "cpu"], "8b needs an NVIDIA GPU with bfloat16 and more"),
        (["--shape", "0.5b", "--device", "cpu"], "--shape tiny runs on a CPU"),
    ],
)
def test_what_cannot_be_measured_is_said_at_once(options, complaint, capsys):
    assert main(options) == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_missing_gpu_is_said_at_once(capsys):
    assert main(["--device", "cuda"]) == 2
    assert "sees no GPU" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("python", "complaint"),
    [("/no/such/python", "does not start"), ("/bin/false", "ended: 1")],
)
def test_an_interpreter_that_does_not_work_is_named(python, complaint):
    with pytest.raises(TrlUnavailableError, match=f"{python}.*{complaint}"):
        TrlProcess(python, {"num_threads": 1})


@pytest.mark.slow
@pytest.mark.sandbox
def test_a_small_run_measures_every_phase(tmp_path):
    result = run_benchmark("--save", str(tmp_path))
    phases = result["phases"]
    for name in ("generate", "score", "update", "iteration", "decode"):
        assert phases[name]["tokens_per_s"]["median"] > 0, name
    for name in ("generate", "score", "update", "decode"):
        # No machine is faster than its bounds, which are measured in a noisy moment.
        assert 0 < phases[name]["share_of_bound"]["median"] < 1.5, name
    assert phases["sync"]["seconds"]["median"] > 0
    parts = ("collect", "score", "targets", "update", "sync")
    total = sum(result["seconds"][part]["median"] for part in parts)
    assert total == pytest.approx(result["seconds"]["iteration"]["median"], rel=0.01)
    assert 1 <= result["batch"]["turns_per_episode"] <= 3
    assert result["num_sandbox_failures"] == 0
    assert result["trl"] is None
    (saved,) = tmp_path.glob("train_throughput-*.json")
    assert json.loads(saved.read_text()) == result


@pytest.mark.slow
@pytest.mark.sandbox
def test_trl_takes_its_turns_in_the_measurement():
    if TRL_PYTHON is None:
        pytest.skip("TRL_PYTHON names no interpreter that has trl")
    result = run_benchmark("--trl-python", TRL_PYTHON)
    trl = result["trl"]
    assert set(trl["phases"]) == {"generate", "score", "update"}
    for name, phase in trl["phases"].items():
        assert phase["trl_s"]["median"] > 0
        assert result["rates"][f"times_trl_{name}"] == phase["times_trl"]
    assert trl["num_scored_tokens"] < trl["num_tokens"] <= trl["num_padded_tokens"]
    # Both sides score the same tokens with the same weights.
    assert trl["first_logprob_difference"] < 1e-4


def run_benchmark(*options):
    """The result of one round of the smallest batch there is."""
    command = [sys.executable, "-m", "benchmarks.train_throughput", "--device", "cpu"]
    done = subprocess.run(
        [*command, "--rollouts", "8", "--iterations", "1", *options],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
