import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from safetensors.torch import load_file
from small_runs import all_metrics, metrics, small_config

from agents.generation.sync import SyncError
from agents.ppo import checkpoints
from agents.ppo.checkpoints import CheckpointError
from agents.ppo.learner import TrainingError
from agents.ppo.trainer import train
from codefeedback_env import ConfigError, read_episodes

pytestmark = pytest.mark.usefixtures("judge")  # skips where no sandbox works
CONFIGS = Path(__file__).parents[3] / "agents" / "accelerate"
RUN = """
import sys, torch
torch.set_num_threads(1)
from pathlib import Path
from small_runs import small_config
from agents.ppo.trainer import train
config = small_config(Path(sys.argv[1]), Path(sys.argv[2]), num_iterations=8, eval_every=2)
train(config, resume=True)
"""

# accelerate wraps for accelerators only, and takes the CPU for none.
WRAPPED_RUN = f"""
from accelerate.state import DistributedType, PartialState
PartialState(cpu=True)
PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU
{RUN}"""


def weights(folder: Path) -> dict[str, "torch.Tensor"]:
    return load_file(folder / "model.safetensors")


def same(first: Path, second: Path) -> bool:
    one, other = weights(first), weights(second)
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


@pytest.fixture(scope="module")
def whole_run(small_files, tmp_path_factory):
    """The result of a run without any interruption."""
    out = tmp_path_factory.mktemp("whole") / "run"
    run_in_process(small_files, out).wait()
    assert (out / "final").exists()
    return out


def run_in_process(
    files: Path, out: Path, script: str = RUN, **environment: str
) -> "subprocess.Popen[bytes]":
    here = Path(__file__).parent
    checkout = here.parents[2]
    path = os.pathsep.join(map(str, (checkout, checkout / "tests", here)))
    return subprocess.Popen(
        [sys.executable, "-c", script, str(files), str(out)],
        env={**os.environ, "PYTHONPATH": path, **environment},
        stdout=subprocess.DEVNULL,
        stderr=(out.parent / "errors.txt").open("ab"),
    )


def test_a_run_leaves_a_policy_that_loads_its_metrics_and_its_transcripts(small_files, tmp_path):
    seen = []
    config = small_config(small_files, tmp_path / "run", eval_every=2, num_transcripts=2)
    best = train(config, observer=seen.append)
    assert best == config.out / "best"
    model = transformers.AutoModelForCausalLM.from_pretrained(best)
    tokenizer = transformers.AutoTokenizer.from_pretrained(best)
    assert model.get_input_embeddings().weight.shape[0] >= len(tokenizer)
    assert not same(config.out / "final", Path(config.model))
    logged = metrics(config.out)
    assert [entry["iteration"] for entry in logged] == [1, 2, 3]
    assert [entry["iteration"] for entry in seen] == [1, 2, 3]
    for entry in logged:
        assert entry["num_episodes"] == 16
        assert entry["num_updates"] == 2
        assert 0 <= entry["solve_rate"] <= entry["public_pass_rate"] <= 1
        assert entry["solved_by_turn_3"] == entry["solve_rate"]
        assert entry["sync_error"] < 1e-4
        assert entry["staleness"] == 0
        assert entry["iteration_s"] > 0
        assert entry["programs_per_s"] > 0
    assert ["valid_solve_rate" in entry for entry in logged] == [False, True, True]
    before = all_metrics(config.out)[0]
    assert before["iteration"] == 0
    assert 0 <= before["valid_solve_rate"] <= 1
    names = sorted(path.name for path in (config.out / "transcripts").iterdir())
    assert names == [f"iteration-{n:06d}.jsonl" for n in (0, 2, 3)]
    episodes = list(read_episodes(config.out / "transcripts" / names[0]))
    assert len(episodes) == 2
    assert json.loads((config.out / "best" / "best.json").read_text())["iteration"] in (0, 2, 3)


def test_the_first_iteration_has_no_kl_and_ratio_one_before_the_first_update(small_files, tmp_path):
    config = small_config(small_files, tmp_path / "run", num_iterations=1, minibatch_rollouts=16)
    train(config)
    (entry,) = metrics(config.out)
    assert entry["kl"] == pytest.approx(0, abs=1e-6)
    assert entry["ratio"] == pytest.approx(1, abs=1e-5)
    assert entry["importance"] == pytest.approx(1, abs=1e-3)
    assert entry["clip_fraction"] == 0
    assert entry["entropy"] > 0


def test_equal_seeds_give_equal_weights_and_others_do_not(small_files, tmp_path):
    runs = [
        small_config(small_files, tmp_path / name, num_iterations=2, seed=seed)
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    a, b, c = (train(config) for config in runs)
    assert same(a, b)
    assert not same(a, c)


def test_passes_of_any_size_give_the_same_update(small_files, tmp_path):
    """Up to rounding: micro-batches add up to their minibatch."""
    whole = train(small_config(small_files, tmp_path / "a", num_iterations=1))
    split = train(
        small_config(small_files, tmp_path / "b", num_iterations=1, max_tokens_per_pass=256)
    )
    one, other = weights(whole), weights(split)
    for name in one:
        torch.testing.assert_close(one[name], other[name], atol=2e-5, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("attempt", range(5))
def test_a_run_killed_at_any_moment_and_resumed_ends_with_the_same_weights(
    small_files, tmp_path, whole_run, attempt
):
    out = tmp_path / "run"
    random.seed(attempt)
    process = run_in_process(small_files, out)
    name = f"iteration-{random.randint(1, 6):06d}"
    while getattr(checkpoints.latest(out), "name", "") < name and process.poll() is None:
        time.sleep(0.01)
    time.sleep(random.uniform(0, 0.3))
    assert process.poll() is None, "the run ended before it was killed"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert run_in_process(small_files, out).wait() == 0, (tmp_path / "errors.txt").read_text()
    assert same(out / "final", whole_run / "final")
    unlike = {"iteration", "solve_rate", "kl", "policy_loss", "value_loss", "valid_solve_rate"}
    assert [{k: e.get(k) for k in unlike} for e in metrics(out)] == [
        {k: e.get(k) for k in unlike} for e in metrics(whole_run)
    ]


@pytest.mark.parametrize("settings", [{}, {"lora_rank": 2}], ids=["full", "lora"])
def test_a_resumed_run_is_the_same_as_one_without_a_stop(small_files, tmp_path, settings):
    whole = train(small_config(small_files, tmp_path / "whole", num_iterations=4, **settings))
    parts = tmp_path / "parts"
    train(small_config(small_files, parts, num_iterations=2, **settings))
    resumed = train(small_config(small_files, parts, num_iterations=4, **settings), resume=True)
    assert same(whole, resumed)
    assert [entry["iteration"] for entry in metrics(parts)] == [1, 2, 3, 4]


def test_a_checkpoint_of_adapters_leaves_the_frozen_base_out(small_files, tmp_path):
    config = small_config(small_files, tmp_path / "run", num_iterations=1, lora_rank=2)
    train(config)
    latest = checkpoints.latest(config.out)
    assert latest is not None
    names = set(load_file(latest / "state" / "model.safetensors"))
    assert all("lora_" in name or "critic.head" in name for name in names), names
    assert len(names) > 10


def run_in_two_processes(files: Path, out: Path, script: str, **environment: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    shared |= {"OMP_NUM_THREADS": "1", **environment}
    processes = [
        run_in_process(files, out, script, RANK=rank, LOCAL_RANK=rank, **shared)
        for rank in ("0", "1")
    ]
    assert [p.wait() for p in processes] == [0, 0], (out.parent / "errors.txt").read_text()


def wrapped_by(wrapper: str) -> dict[str, str]:
    """What accelerate launch would put into the environment, from the settings that are shipped."""
    if wrapper == "replicated":
        return {"ACCELERATE_USE_CPU": "true"}
    if wrapper == "deepspeed":
        pytest.importorskip("deepspeed")
        settings = yaml.safe_load((CONFIGS / "deepspeed_zero2.yaml").read_text("utf-8"))
        stage = settings["deepspeed_config"]["zero_stage"]
        return {
            "ACCELERATE_USE_DEEPSPEED": "true",
            "ACCELERATE_DEEPSPEED_ZERO_STAGE": str(stage),
            "DS_ACCELERATOR": "cpu",
        }
    settings = yaml.safe_load((CONFIGS / "fsdp2.yaml").read_text("utf-8"))["fsdp_config"]
    environment = {name.upper(): str(value).lower() for name, value in settings.items()}
    environment["FSDP_AUTO_WRAP_POLICY"] = settings["fsdp_auto_wrap_policy"]
    environment["FSDP_STATE_DICT_TYPE"] = settings["fsdp_state_dict_type"]
    return {**environment, "ACCELERATE_USE_FSDP": "true"}


@pytest.mark.parametrize(
    "wrapper",
    [
        "replicated",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("sharded", "deepspeed")),
    ],
)
def test_two_processes_learn_what_one_does(small_files, tmp_path, wrapper):
    """Up to rounding: replies are drawn in other batches, gradients summed in another order.

    The second iteration is a resumed run's.
    """
    single, double = tmp_path / "single", tmp_path / "double"
    train(small_config(small_files, single, num_iterations=2, eval_every=2))
    environment = wrapped_by(wrapper)
    for number in ("1", "2"):
        script = RUN if wrapper == "replicated" else WRAPPED_RUN
        script = script.replace("num_iterations=8", f"num_iterations={number}")
        run_in_two_processes(small_files, double, script, **environment)
    shards = {"replicated": "*.distcp", "sharded": "*.distcp", "deepspeed": "zero_pp_rank_*"}[
        wrapper
    ]
    assert any((double / "checkpoints").rglob(shards)) == (wrapper != "replicated")
    one, other = weights(single / "final"), weights(double / "final")
    for name in one:
        torch.testing.assert_close(one[name], other[name], atol=1e-4, rtol=0)
    for entry, twin in zip(metrics(single), metrics(double), strict=True):
        for name in ("solve_rate", "num_episodes", "mean_reward", "mean_reply_tokens"):
            assert entry[name] == twin[name], name
        assert entry["policy_loss"] == pytest.approx(twin["policy_loss"], abs=1e-4)
        assert entry["value_loss"] == pytest.approx(twin["value_loss"], abs=1e-4)
    assert metrics(single)[-1]["valid_solve_rate"] == metrics(double)[-1]["valid_solve_rate"]


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_settings_of_accelerate_are_such(path):
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(path))
    assert config.mixed_precision == "no"
    assert config.num_processes == 8


def test_a_run_is_not_written_over(small_files, tmp_path):
    train(small_config(small_files, tmp_path / "run", num_iterations=1))
    with pytest.raises(ConfigError, match="resume it, or give another out"):
        train(small_config(small_files, tmp_path / "run", num_iterations=1))


def test_a_falling_schedule_binds_the_number_of_iterations(small_files, tmp_path):
    out = tmp_path / "run"
    train(small_config(small_files, out, num_iterations=1, schedule="linear"))
    with pytest.raises(ConfigError, match="num_iterations: 1 then, 2 now"):
        train(small_config(small_files, out, num_iterations=2, schedule="linear"), resume=True)


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_checkpoint(
    small_files, tmp_path, monkeypatch
):
    from agents.ppo import learner

    true_loss, calls = learner.policy_loss, []

    def loss(*arguments, **keywords):
        value, stats = true_loss(*arguments, **keywords)
        calls.append(value)
        return (value * float("nan") if len(calls) == 5 else value), stats

    monkeypatch.setattr(learner, "policy_loss", loss)
    config = small_config(small_files, tmp_path / "run", num_iterations=4)
    with pytest.raises(TrainingError, match=r"iteration 3.*policy_loss.*not finite.*000002"):
        train(config)
    kept = checkpoints.latest(config.out)
    assert kept is not None
    assert checkpoints.iteration_of(kept) == 2


def test_a_full_disk_stops_the_run_and_keeps_the_last_checkpoint(
    small_files, tmp_path, monkeypatch
):
    from accelerate import Accelerator

    true_save = Accelerator.save_state

    def save(self, folder, **keywords):
        if "000002" in folder:
            (Path(folder).parent / "half").write_text("x")
            raise OSError(28, "No space left on device")
        return true_save(self, folder, **keywords)

    monkeypatch.setattr(Accelerator, "save_state", save)
    config = small_config(small_files, tmp_path / "run")
    with pytest.raises(CheckpointError, match=r"No space left.*000001.* last good"):
        train(config)
    assert [p.name for p in (config.out / "checkpoints").iterdir()] == ["iteration-000001"]
    monkeypatch.undo()
    train(config, resume=True)
    assert metrics(config.out)[-1]["iteration"] == 3


def test_a_generator_with_old_weights_stops_the_run(small_files, tmp_path, monkeypatch):
    from agents.generation.torch_ import TorchGenerator

    true_load = TorchGenerator.load_weights

    def load(self, tensors, weight_version):
        if weight_version < 2:
            true_load(self, tensors, weight_version)

    monkeypatch.setattr(TorchGenerator, "load_weights", load)
    with pytest.raises(SyncError, match="may still compute with old weights"):
        train(small_config(small_files, tmp_path / "run", learning_rate=0.05))


@pytest.mark.parametrize(
    "settings",
    [
        {"turn_limit": 1},
        {"feedback": "random"},
        {"feedback": "none"},
        {"feedback": "private"},
        {"value_level": "token"},
        {"value_level": "token", "kl_form": "token"},
        {"kl_form": "product"},
        {"advantage": "gae", "gae_lambda": 0.5},
        {"advantage": "group-mean", "group_size": 4},
        {"advantage": "leave-one-out", "group_size": 4},
        {"advantage": "grpo", "group_size": 4},
        {"advantage": "grpo", "group_size": 4, "dynamic_sampling": True},
        {"clip_range_high": 0.28, "clip_range": 0.001},
        {"correction": "none"},
        {"correction": "icepop", "icepop_low": 0.999999, "icepop_high": 1.0000001},
        {"correction": "sequence-mask", "sequence_mask_limit": 1e-9},
        {"critic_learning_rate": 1e-2},
        {"critic_warmup_iterations": 1},
        {"reward": "fraction"},
        {"turn_reward": "public-fraction", "gamma": 0.4},
        {"entropy_bonus": 0.1},
        {"loss_average": "turn"},
        {"loss_average": "sequence"},
        {"num_epochs": 2},
        {"target_kl": 1e-9, "num_epochs": 2},
        {"beta": 1.0},
        {"schedule": "cosine", "num_iterations": 2},
        {"weight_decay": 10.0},
        {"max_grad_norm": 1e-6},
        {"temperature": 0.5},
        {"lora_rank": 2},
        {"seed": 1},
    ],
    ids=lambda settings: ",".join(f"{k}={v}" for k, v in settings.items()),
)
def test_every_switch_changes_what_is_learned(small_files, tmp_path, plain_run, settings):
    out = train(small_config(small_files, tmp_path / "run", **{"num_iterations": 2} | settings))
    assert not same(out, plain_run)


@pytest.fixture(scope="module")
def plain_run(small_files, tmp_path_factory):
    return train(small_config(small_files, tmp_path_factory.mktemp("plain"), num_iterations=2))


def test_what_only_costs_memory_changes_nothing_but_rounding(small_files, tmp_path, plain_run):
    out = train(
        small_config(small_files, tmp_path / "run", num_iterations=2, gradient_checkpointing=True)
    )
    one, other = weights(out), weights(plain_run)
    for name in one:
        torch.testing.assert_close(one[name], other[name], atol=2e-5, rtol=0)


def test_with_staleness_the_age_of_episodes_is_bounded_and_logged(small_files, tmp_path):
    config = small_config(
        small_files,
        tmp_path / "run",
        ordered=False,
        max_staleness=1,
        num_iterations=4,
        num_rollouts=8,
        num_envs=16,
    )
    train(config)
    ages = [entry["staleness"] for entry in metrics(config.out)]
    assert max(ages) <= 1
    assert max(ages) > 0


def test_difficulty_filter_trains_on_the_problems_in_its_range(small_files, tmp_path):
    rates = {f"const-train-{n:04}": n / 10 for n in range(10)}
    path = tmp_path / "rates.json"
    path.write_text(json.dumps(rates))
    from agents.ppo.build import training_problem_ids

    config = small_config(
        small_files, tmp_path, difficulty_file=path, min_solve_rate=0.2, max_solve_rate=0.4
    )
    ids = [f"const-train-{n:04}" for n in range(12)]
    assert training_problem_ids(config, ids) == ids[2:5]
    config = small_config(
        small_files, tmp_path, difficulty_file=path, min_solve_rate=0.95, max_solve_rate=1.0
    )
    with pytest.raises(ConfigError, match="widen the range"):
        training_problem_ids(config, ids)
    path.write_text("[1, 2")
    with pytest.raises(ConfigError, match="cannot be read as a JSON object"):
        training_problem_ids(config, ids)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "/nowhere/model"}, "nowhere"),
        ({"chat": "klingon"}, "klingon"),
        ({"max_context_tokens": 100_000}, "max_context_tokens"),
        ({"path": Path("/nowhere/problems.jsonl")}, "nowhere"),
        ({"sandbox": "bubblewarp"}, "did you mean 'bubblewrap'"),
        ({"feedback": "publik"}, "did you mean 'public'"),
        ({"env": "CodeContest-v0"}, "did you mean 'CodeContests-v0'"),
        ({"max_tokens_per_pass": 10}, "max_tokens_per_pass"),
    ],
)
def test_wrong_settings_fail_in_the_first_seconds_and_say_what_to_change(
    small_files, tmp_path, settings, message
):
    base = small_config(small_files, tmp_path / "run")
    fields = {name: getattr(base, name) for name in base.__dataclass_fields__}
    start = time.monotonic()
    from agents.ppo.config import PPOConfig
    from codefeedback_env import CodeFeedbackError

    with pytest.raises(CodeFeedbackError, match=message):
        train(PPOConfig(**fields | settings))
    assert time.monotonic() - start < 10
