import errno
import json
import shutil
from pathlib import Path

import pytest

from agents.ppo import checkpoints
from agents.ppo.checkpoints import CheckpointError, is_best, new_checkpoint, replacing
from agents.ppo.config import PPOConfig
from codefeedback_env import ConfigError

FULL = OSError(errno.ENOSPC, "No space left on device")


class KillError(BaseException):
    """Stands for a kill: nothing after it happens."""


def config(out: Path, **more: object) -> PPOConfig:
    return PPOConfig(**{"model": "m", "out": out} | more)  # type: ignore[arg-type]


def write_checkpoint(out: Path, iteration: int, keep: int = 2, text: str = "weights") -> None:
    with new_checkpoint(out, iteration, keep) as folder:
        (folder / "state").mkdir()
        (folder / "state" / "model").write_text(text)


def names(out: Path) -> list[str]:
    return sorted(path.name for path in (out / "checkpoints").iterdir())


def held(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_checkpoint_has_its_name_only_when_all_is_written(tmp_path):
    with new_checkpoint(tmp_path, 10, keep=2) as folder:
        (folder / "model").write_text("weights")
        assert checkpoints.latest(tmp_path) is None
    latest = checkpoints.latest(tmp_path)
    assert latest == tmp_path / "checkpoints" / "iteration-000010"
    assert checkpoints.iteration_of(latest) == 10
    assert held(latest) == {"model": "weights"}
    assert names(tmp_path) == ["iteration-000010"]


@pytest.mark.parametrize("keep", [1, 3])
def test_so_many_checkpoints_are_kept_the_newest(tmp_path, keep):
    for iteration in (8, 9, 10, 11, 12):
        write_checkpoint(tmp_path, iteration, keep)
    expected = [f"iteration-{i:06d}" for i in (8, 9, 10, 11, 12)][-keep:]
    assert names(tmp_path) == expected
    assert [path.name for path in checkpoints.all_checkpoints(tmp_path)] == expected


def test_newest_is_by_number_not_by_spelling(tmp_path):
    for iteration in (999_999, 1_000_000):
        write_checkpoint(tmp_path, iteration)
    assert checkpoints.latest(tmp_path).name == "iteration-1000000"


def test_there_is_no_checkpoint_in_a_folder_that_is_not_there(tmp_path):
    assert checkpoints.latest(tmp_path / "none") is None


def test_a_kill_while_writing_leaves_the_earlier_checkpoint(tmp_path, monkeypatch):
    write_checkpoint(tmp_path, 1, keep=1)

    def killed(path, *arguments, **options):
        path.touch()
        raise KillError

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", killed)
        with pytest.raises(KillError):
            write_checkpoint(tmp_path, 2, keep=1)
    assert "iteration-000002.partial" in names(tmp_path)
    assert checkpoints.latest(tmp_path).name == "iteration-000001"
    write_checkpoint(tmp_path, 2, keep=1, text="whole")
    assert names(tmp_path) == ["iteration-000002"]
    assert held(tmp_path / "checkpoints" / "iteration-000002" / "state") == {"model": "whole"}


def test_a_kill_while_old_ones_are_removed_leaves_none_that_looks_complete(tmp_path, monkeypatch):
    write_checkpoint(tmp_path, 1, keep=1)
    rmtree = shutil.rmtree

    def killed(path, **options):
        if Path(path).exists():
            (next(p for p in Path(path).rglob("*") if p.is_file())).unlink()
            raise KillError
        rmtree(path, **options)

    monkeypatch.setattr(checkpoints.shutil, "rmtree", killed)
    with pytest.raises(KillError):
        write_checkpoint(tmp_path, 2, keep=1)
    complete = [path.name for path in checkpoints.all_checkpoints(tmp_path)]
    assert complete == ["iteration-000002"]
    monkeypatch.undo()
    write_checkpoint(tmp_path, 3, keep=1)
    assert names(tmp_path) == ["iteration-000003"]


def test_a_full_disk_keeps_the_last_good_checkpoint_and_says_so(tmp_path, monkeypatch):
    write_checkpoint(tmp_path, 10)

    def write_text(path, *arguments, **options):
        path.touch()
        raise FULL

    monkeypatch.setattr(Path, "write_text", write_text)
    with pytest.raises(CheckpointError) as info:
        write_checkpoint(tmp_path, 20)
    assert "iteration-000020 could not be written" in str(info.value)
    assert "No space left on device" in str(info.value)
    assert "iteration-000010 is the last good checkpoint" in str(info.value)
    assert names(tmp_path) == ["iteration-000010"]


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[enforce fail at inline_container.cc:603] . PytorchStreamWriter failed"),
        Exception("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_what_libraries_make_of_a_full_disk_is_known(tmp_path, error):
    with pytest.raises(CheckpointError), replacing(tmp_path / "final"):
        raise error
    assert list(tmp_path.iterdir()) == []


def test_other_errors_pass_and_leave_nothing_half_written(tmp_path):
    write_checkpoint(tmp_path, 10)
    with pytest.raises(ZeroDivisionError), new_checkpoint(tmp_path, 20, keep=2):
        1 / 0  # noqa: B018
    assert names(tmp_path) == ["iteration-000010"]


def test_replacing_puts_the_new_in_the_place_of_the_old(tmp_path):
    for text in ("old", "new"):
        with replacing(tmp_path / "best") as folder:
            (folder / text).write_text(text)
    assert held(tmp_path / "best") == {"new": "new"}
    assert [path.name for path in tmp_path.iterdir()] == ["best"]


@pytest.mark.parametrize("error", [FULL, KillError()], ids=["error", "kill"])
@pytest.mark.parametrize("failing", [1, 2])
def test_a_break_between_the_renames_loses_nothing(tmp_path, monkeypatch, failing, error):
    with replacing(tmp_path / "best") as folder:
        (folder / "model").write_text("old")
    rename, calls = Path.rename, []

    def breaking(path, target):
        calls.append(path)
        if len(calls) == failing:
            raise error
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", breaking)
    expected = KillError if isinstance(error, KillError) else CheckpointError
    with pytest.raises(expected), replacing(tmp_path / "best") as folder:
        (folder / "model").write_text("new")
    monkeypatch.undo()
    if expected is KillError:  # what the next start does
        checkpoints.recover(tmp_path / "best")
    assert held(tmp_path / "best") == {"model": "old"}
    with replacing(tmp_path / "best") as folder:
        (folder / "model").write_text("newer")
    assert held(tmp_path / "best") == {"model": "newer"}
    assert [path.name for path in tmp_path.iterdir()] == ["best"]


def test_a_kill_after_both_renames_leaves_the_new(tmp_path, monkeypatch):
    with replacing(tmp_path / "best") as folder:
        (folder / "model").write_text("old")

    def killed(path, **options):
        if path.name == "best.old":
            raise KillError

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.shutil, "rmtree", killed)
        with pytest.raises(KillError), replacing(tmp_path / "best") as folder:
            (folder / "model").write_text("new")
    assert (tmp_path / "best.old").exists()
    checkpoints.recover(tmp_path / "best")
    assert held(tmp_path / "best") == {"model": "new"}
    assert [path.name for path in tmp_path.iterdir()] == ["best"]


def write_best(out: Path, solve_rate: float) -> None:
    with replacing(out / "best") as folder:
        (folder / "best.json").write_text(json.dumps({"solve_rate": solve_rate}))


def test_the_best_policy_is_the_first_or_solves_more_than_any_before(tmp_path):
    assert is_best(tmp_path, 0.0)
    write_best(tmp_path, 0.2)
    assert [is_best(tmp_path, rate) for rate in (0.1, 0.2, 0.3)] == [False, False, True]


def test_the_best_policy_survives_a_kill_between_the_renames(tmp_path):
    write_best(tmp_path, 0.5)
    (tmp_path / "best").rename(tmp_path / "best.old")
    assert not is_best(tmp_path, 0.4)
    assert [path.name for path in tmp_path.iterdir()] == ["best"]


def test_settings_are_noted_and_a_resumed_run_needs_the_same(tmp_path):
    checkpoints.write_config(config(tmp_path, gamma=0.9))
    write_checkpoint(tmp_path, 1)
    assert json.loads((tmp_path / "config.json").read_text())["gamma"] == 0.9
    checkpoints.write_config(config(tmp_path, gamma=0.9))
    with pytest.raises(ConfigError) as info:
        checkpoints.write_config(config(tmp_path, gamma=0.8, beta=0.1))
    assert "gamma: 0.9 then, 0.8 now" in str(info.value)
    assert "beta: 0.05 then, 0.1 now" in str(info.value)
    assert "model" not in str(info.value).replace(str(tmp_path), "")
    assert json.loads((tmp_path / "config.json").read_text())["gamma"] == 0.9


def test_settings_that_do_not_change_what_is_learned_may_differ(tmp_path):
    checkpoints.write_config(config(tmp_path))
    write_checkpoint(tmp_path, 1)
    checkpoints.write_config(config(tmp_path, num_iterations=5, keep_checkpoints=9))
    noted = json.loads((tmp_path / "config.json").read_text())
    assert (noted["num_iterations"], noted["keep_checkpoints"]) == (5, 9)


def test_settings_of_a_start_without_a_checkpoint_bind_nobody(tmp_path):
    checkpoints.write_config(config(tmp_path, model="mistyped"))
    checkpoints.write_config(config(tmp_path))
    assert json.loads((tmp_path / "config.json").read_text())["model"] == "m"


def test_a_full_disk_leaves_the_settings_noted_before(tmp_path, monkeypatch):
    checkpoints.write_config(config(tmp_path))
    before = (tmp_path / "config.json").read_text()

    def write_text(path, *arguments, **options):
        path.touch()
        raise FULL

    monkeypatch.setattr(Path, "write_text", write_text)
    with pytest.raises(CheckpointError, match=r"config\.json could not be written"):
        checkpoints.write_config(config(tmp_path, num_iterations=5))
    assert held(tmp_path) == {"config.json": before}


def test_metrics_after_the_checkpoint_are_forgotten_and_a_line_cut_by_a_kill(tmp_path):
    lines = [json.dumps({"iteration": i, "kl": i / 10}) for i in (1, 2, 3)]
    (tmp_path / "metrics.jsonl").write_text("\n".join([*lines, '{"iteration": 4, "k']))
    checkpoints.keep_metrics_until(tmp_path, 2)
    assert (tmp_path / "metrics.jsonl").read_text() == "".join(line + "\n" for line in lines[:2])
    checkpoints.keep_metrics_until(tmp_path / "none", 2)  # there are none yet


def test_a_run_without_a_checkpoint_is_begun_anew_on_request_only(tmp_path):
    checkpoints.start_over(tmp_path, may_drop=False)  # nothing there
    (tmp_path / "metrics.jsonl").write_text('{"iteration": 1}\n')
    write_best(tmp_path, 0.5)
    with pytest.raises(ConfigError, match="before its first checkpoint; resume"):
        checkpoints.start_over(tmp_path, may_drop=False)
    assert len(list(tmp_path.iterdir())) == 2
    checkpoints.start_over(tmp_path, may_drop=True)
    assert list(tmp_path.iterdir()) == []
