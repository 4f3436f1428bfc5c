import errno
import json
import math
import sys
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("torch")
event_files = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")

from agents.ppo.checkpoints import CheckpointError
from agents.ppo.config import PPOConfig
from agents.ppo.logs import Logs
from codefeedback_env import ConfigError


class Service(ModuleType):
    """A service for curves that notes its calls."""

    def __init__(self, name):
        super().__init__(name)
        self.calls = []

    def init(self, **settings):
        self.calls.append(("init", settings))

    def log(self, entry, step):
        self.calls.append(("log", entry, step))

    def finish(self):
        self.calls.append(("finish",))


def config(out, **more):
    return PPOConfig(**{"model": "m", "out": out, "num_iterations": 100, **more})


def entry(iteration, **more):
    return {
        "iteration": iteration,
        "solve_rate": 0.25 * iteration,
        "invalid_reply_rate": 0.0,
        "num_sandbox_failures": 0,
        "kl": 0.01,
        "tokens_per_s": 100.0,
        "stopped_early": False,
        **more,
    }


def no_constants(text):
    raise AssertionError(f"{text} is not JSON")


def lines(out):
    text = (out / "metrics.jsonl").read_text()
    return [json.loads(line, parse_constant=no_constants) for line in text.splitlines()]


def curve(out, name):
    events = event_files.EventAccumulator(str(out / "tensorboard"))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


def test_every_iteration_is_a_line_of_json_without_nan(tmp_path):
    with Logs(config(tmp_path), 0) as logs:
        logs.phase("play")
        logs.collecting(3)
        logs.iteration(entry(1, explained_variance=math.nan, ratio=math.inf))
        logs.iteration(entry(2))
    first, second = lines(tmp_path)
    assert first == entry(1, explained_variance=None, ratio=None)
    assert second == entry(2)


def test_a_line_is_on_disk_as_soon_as_it_is_logged(tmp_path):
    with Logs(config(tmp_path), 0) as logs:
        logs.iteration(entry(1))
        assert lines(tmp_path) == [entry(1)]


def test_tensorboard_gets_every_number_at_its_iteration(tmp_path):
    with Logs(config(tmp_path), 0) as logs:
        logs.iteration(entry(1, note="text is left out"))
        logs.iteration(entry(2))
    assert curve(tmp_path, "solve_rate") == [(1, 0.25), (2, 0.5)]
    assert curve(tmp_path, "stopped_early") == [(1, 0.0), (2, 0.0)]
    events = event_files.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert set(events.Tags()["scalars"]) == set(entry(1)) - {"iteration"}


def test_what_a_resumed_run_does_again_is_drawn_once(tmp_path):
    with Logs(config(tmp_path), 0) as logs:
        for iteration in (1, 2, 3):
            logs.iteration(entry(iteration))
    with Logs(config(tmp_path), 1) as logs:  # the checkpoint was of iteration 1
        logs.iteration(entry(2, solve_rate=0.9))
    values = curve(tmp_path, "solve_rate")
    assert [step for step, _ in values] == [1, 2]
    assert values[1][1] == pytest.approx(0.9)


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_services_get_settings_entries_and_an_end(tmp_path, monkeypatch, name):
    service = Service(name)
    monkeypatch.setitem(sys.modules, name, service)
    out = tmp_path / "my-run"
    out.mkdir()
    with Logs(config(out, logger=name, gamma=0.5), 0) as logs:
        logs.iteration(entry(1))
    (_, settings), logged, finished = service.calls
    assert settings["name"] == "my-run"
    assert settings["config"]["gamma"] == 0.5
    assert settings["config"]["out"] == str(out)  # JSON's types, as services want them
    assert logged == ("log", entry(1), 1)
    assert finished == ("finish",)
    assert lines(out) == [entry(1)]
    assert not (out / "tensorboard").exists()


def test_a_service_is_closed_when_training_fails(tmp_path, monkeypatch):
    service = Service("wandb")
    monkeypatch.setitem(sys.modules, "wandb", service)
    with pytest.raises(ZeroDivisionError), Logs(config(tmp_path, logger="wandb"), 0):
        1 / 0  # noqa: B018
    assert service.calls[-1] == ("finish",)


@pytest.mark.parametrize("name", ["wandb", "trackio", "tensorboard"])
def test_a_missing_package_is_named(tmp_path, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    if name == "tensorboard":
        monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    with pytest.raises(ConfigError, match=rf"logger='{name}' needs .* pip install {name}"):
        Logs(config(tmp_path, logger=name), 0)


def test_a_full_disk_says_so(tmp_path, monkeypatch):
    def full(path, *arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    with Logs(config(tmp_path), 0) as logs:
        monkeypatch.setattr(Path, "open", full)
        with pytest.raises(CheckpointError, match=r"metrics\.jsonl could not be written.*No space"):
            logs.iteration(entry(1))
        monkeypatch.undo()


def test_processes_other_than_the_main_one_write_nothing(tmp_path):
    with Logs.silent() as logs:
        logs.phase("play")
        logs.collecting(1)
        logs.iteration(entry(1))
    assert list(tmp_path.iterdir()) == []
