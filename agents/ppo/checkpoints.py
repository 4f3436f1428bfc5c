"""What a run leaves on disk, so that it can go on after any kill.

OUT/config.json                     the settings
OUT/metrics.jsonl                   a line for each iteration
OUT/checkpoints/iteration-000010/   a whole state, complete if the folder has this name
OUT/best/                           the best policy so far by validation solve rate
OUT/final/                          the policy at the end
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from agents.ppo.config import PPOConfig
from codefeedback_env import CodeFeedbackError, ConfigError

PREFIX = "iteration-"
_OLD = ".old"
FREE_TO_CHANGE = frozenset(
    {
        *("out", "num_iterations", "eval_every", "eval_rollouts", "eval_num_problems"),
        *("checkpoint_every", "keep_checkpoints", "num_transcripts", "logger", "sandbox"),
        *("max_tokens_per_pass", "num_envs"),
    }
)
"""Settings that a resumed run may have differently."""


class CheckpointError(CodeFeedbackError):
    """A checkpoint could not be written or read."""


def write_config(config: PPOConfig) -> None:
    """Note the settings of a new run, or check that one with a checkpoint has the same.

    A start that ended before its first checkpoint binds nobody.

    Raises:
        ConfigError: a setting differs; says which.
    """
    path = config.out / "config.json"
    settings = json.loads(json.dumps(asdict(config), default=str))
    if path.exists() and latest(config.out) is not None:
        earlier = json.loads(path.read_text(encoding="utf-8"))
        # A falling schedule ends with the run, so another end would be another run from the start.
        free = FREE_TO_CHANGE - ({"num_iterations"} if config.schedule != "constant" else set())
        differing = [
            f"{field.name}: {earlier.get(field.name)!r} then, {settings[field.name]!r} now"
            for field in fields(config)
            if field.name not in free and earlier.get(field.name) != settings[field.name]
        ]
        if differing:
            raise ConfigError(
                f"{config.out} is of a run with other settings: {'; '.join(differing)}. Give the "
                "same, or another out."
            )
    config.out.mkdir(parents=True, exist_ok=True)
    _write(path, json.dumps(settings, indent=2) + "\n")


def latest(out: Path) -> Path | None:
    """The folder of the newest complete checkpoint."""
    complete = all_checkpoints(out)
    return complete[-1] if complete else None


def all_checkpoints(out: Path) -> list[Path]:
    """Folders of complete checkpoints, oldest first."""
    folder = out / "checkpoints"
    found = folder.glob(f"{PREFIX}*") if folder.is_dir() else ()
    complete = (path for path in found if path.name.removeprefix(PREFIX).isdigit())
    return sorted(complete, key=iteration_of)


def iteration_of(checkpoint: Path) -> int:
    """Iterations behind a checkpoint."""
    return int(checkpoint.name.removeprefix(PREFIX))


@contextmanager
def new_checkpoint(out: Path, iteration: int, keep: int) -> Iterator[Path]:
    """A folder to write a checkpoint into; it gets its name when all is written and synced.

    Older checkpoints beyond ``keep`` are removed then, so at no time is there none.

    Raises:
        CheckpointError: it could not be written, for example because the disk is full; what was
            written is removed, and earlier checkpoints are kept.
    """
    target = out / "checkpoints" / f"{PREFIX}{iteration:06d}"
    with replacing(target) as folder:
        yield folder
    for old in all_checkpoints(out)[:-keep]:
        old.rename(_old(old))  # half removed it must not bear the name of a complete one
    for old in target.parent.glob(f"{PREFIX}*{_OLD}"):
        shutil.rmtree(old)


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A folder to write into that takes the place of ``target`` when all is written and synced.

    Raises:
        CheckpointError: it could not be written; ``target`` is as before.
    """
    partial, old = target.with_name(target.name + ".partial"), _old(target)
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        yield partial
        _sync(partial)
        recover(target)
        if target.exists():
            target.rename(old)
        partial.rename(target)
        _sync_folder(target.parent)
        shutil.rmtree(old, ignore_errors=True)
    except Exception as error:
        shutil.rmtree(partial, ignore_errors=True)
        recover(target)
        if not _is_about_writing(error):
            raise
        kept = latest(target.parents[1]) if target.parent.name == "checkpoints" else None
        raise CheckpointError(
            f"{target} could not be written: {error}. Free some space and resume"
            + (f"; {kept} is the last good checkpoint." if kept else ".")
        ) from error


def recover(target: Path) -> None:
    """Undo a replacement that a kill broke off between its two steps; else nothing.

    Then ``target`` is missing, and what it held has the name it was moved to.
    """
    old = _old(target)
    if not old.exists():
        return
    if target.exists():
        shutil.rmtree(old, ignore_errors=True)
    else:
        old.rename(target)


def _old(target: Path) -> Path:
    return target.with_name(target.name + _OLD)


def _is_about_writing(error: Exception) -> bool:
    # safetensors and torch's zip writer wrap an OSError into errors of their own.
    text = str(error)
    return isinstance(error, OSError) or any(
        sign in text for sign in ("No space left", "os error", "PytorchStreamWriter", "file write")
    )


def keep_metrics_until(out: Path, iteration: int) -> None:
    """Forget the logged iterations after one that a run goes back to."""
    path = out / "metrics.jsonl"
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            entry: dict[str, Any] = json.loads(line)
        except ValueError:
            break  # the last line, cut off by a kill
        if entry["iteration"] <= iteration:
            kept.append(line + "\n")
    _write(path, "".join(kept))


def start_over(out: Path, *, may_drop: bool) -> None:
    """Drop the metrics and the best policy of a run that left no checkpoint to go on from.

    Raises:
        ConfigError: there are such, and they may not be dropped.
    """
    if not may_drop and ((out / "metrics.jsonl").exists() or (out / "best").exists()):
        raise ConfigError(
            f"{out} holds a run that ended before its first checkpoint; resume, which begins it "
            "anew, or give another out."
        )
    (out / "metrics.jsonl").unlink(missing_ok=True)
    for folder in (out / "best", _old(out / "best")):
        shutil.rmtree(folder, ignore_errors=True)


def is_best(out: Path, solve_rate: float) -> bool:
    """Whether a policy solves more than the one in OUT/best, if there is one."""
    recover(out / "best")
    path = out / "best" / "best.json"
    if not path.exists():
        return True
    return bool(json.loads(path.read_text(encoding="utf-8"))["solve_rate"] < solve_rate)


def _write(path: Path, text: str) -> None:
    """Replace a file as a whole, so that a kill leaves the old one or the new one."""
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise CheckpointError(f"{path} could not be written: {error}.") from error


def _sync(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
