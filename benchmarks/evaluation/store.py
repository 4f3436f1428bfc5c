"""A run's folder: the manifest, and an episode's record as soon as it ends.

A process may be killed at any moment: what is lost is at most the episodes under way and the end of
the last line, which the next run cuts off.
"""

import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from benchmarks.evaluation.plan import EpisodeKey
from codefeedback_env import ConfigError, Episode, RecordError

MANIFEST, EPISODES = "manifest.json", "episodes.jsonl"
MANIFEST_VERSION = 1
MUST_AGREE = ("version", "suite", "suite_hash", "seed", "agent", "model", "cells", "data")
"""What a run that goes on with another must have in common with it."""

NO_MATTER = frozenset(
    {
        *("base_url", "api_key_env", "max_parallel", "requests_per_minute", "tokens_per_minute"),
        *("connect_timeout_s", "read_timeout_s", "max_retries"),
    }
)
"""Settings of an agent's model that decide on no reply, and may change in between."""


class RunStore:
    """The folder of a run, locked while it is open.

    Args:
        folder: made where it is missing.
        manifest: of this run; its last entry of ``parts`` is about this process.
        is_resumed: go on with the run that is there; else there must be none, or one that ended
            before its first episode.

    Raises:
        ConfigError: a run is there already, or the one to go on with differs or is missing.
    """

    def __init__(self, folder: Path, manifest: Mapping[str, Any], *, is_resumed: bool) -> None:
        """See the class."""
        if is_resumed:
            old = read_manifest(folder)
            _check_same(folder, old, manifest)
            manifest = {**old, "parts": [*old["parts"], *manifest["parts"]]}
        elif _has_episodes(folder):
            raise ConfigError(
                f"there is a run in {folder} already; give --resume to go on with it, or another "
                "--out."
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO = (folder / EPISODES).open("ab+", buffering=0)
        except OSError as error:
            raise ConfigError(f"cannot write to {folder}: {error}.") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise ConfigError(f"another process is playing in {folder}; wait for it.") from error
        self.folder = folder
        self.done = _cut_and_read(self._file, folder / EPISODES)
        """Keys of the episodes that are recorded."""

        self._manifest = dict(manifest)
        self._write_manifest()

    def __enter__(self) -> "RunStore":
        """The store."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let others write."""
        self._file.close()

    def add(self, key: EpisodeKey, episode: Episode) -> None:
        """Record an episode, which is on its way to the disk when this returns."""
        cell, _, number = key
        settings = {**episode.settings, "cell": cell, "rollout": number}
        line = replace(episode, settings=settings).to_json().encode("ascii") + b"\n"
        while line:
            line = line[self._file.write(line) :]
        self.done.add(key)

    def finish(self, **values: Any) -> None:
        """Note in the manifest what is known at the end of this part of the run."""
        self._manifest["parts"][-1].update(values)
        self._write_manifest()

    def _write_manifest(self) -> None:
        partial = self.folder / f"{MANIFEST}.partial"
        partial.write_text(json.dumps(self._manifest, indent=2) + "\n", encoding="utf-8")
        os.replace(partial, self.folder / MANIFEST)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a run.

    Raises:
        ConfigError: there is none, or it cannot be read.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"there is no run in {folder}: {MANIFEST} is missing.") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"{folder / MANIFEST} cannot be read: {error}.") from error
    if not isinstance(manifest, dict) or manifest.get("version") != MANIFEST_VERSION:
        raise ConfigError(f"{folder / MANIFEST} is no manifest of version {MANIFEST_VERSION}.")
    return manifest


def _has_episodes(folder: Path) -> bool:
    try:
        return (folder / EPISODES).stat().st_size > 0
    except OSError:
        return False


def key_of(episode: Episode) -> EpisodeKey:
    """The key of a recorded episode.

    Raises:
        RecordError: it was not recorded by a suite.
    """
    try:
        return episode.settings["cell"], episode.problem_id, int(episode.settings["rollout"])
    except (KeyError, TypeError, ValueError) as error:
        raise RecordError("the record says no cell and rollout; it is of no suite.") from error


def _cut_and_read(file: BinaryIO, path: Path) -> set[EpisodeKey]:
    """The keys in the file; what follows its last end of line is cut off."""
    file.seek(0)
    end, keys = 0, set()
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.endswith(b"\n"):
                break
            try:
                key = key_of(Episode.from_json(line.decode("utf-8")))
            except (RecordError, UnicodeDecodeError) as error:
                raise RecordError(f"{path}, line {number}: {error}") from error
            if key in keys:
                raise RecordError(f"{path}, line {number}: {key} is recorded twice.")
            keys.add(key)
            end += len(line)
    file.truncate(end)
    return keys


def _check_same(folder: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    old, new = (_what_matters(manifest) for manifest in (old, new))
    differing = [name for name in MUST_AGREE if old[name] != new[name]]
    if differing:
        what = "; ".join(_difference(name, old[name], new[name]) for name in differing)
        raise ConfigError(
            f"--resume: the run in {folder} is another one: {what}. Give the options it was begun "
            "with, or another --out."
        )


def _what_matters(manifest: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(json.dumps({n: manifest.get(n) for n in MUST_AGREE}))
    if kept["model"] is not None:
        kept["model"] = {n: v for n, v in kept["model"].items() if n not in NO_MATTER}
    return kept


def _difference(name: str, old: Any, new: Any) -> str:
    """Where two values differ, as far down as both have the same shape."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
        return ", ".join(_difference(f"{name}.{key}", old.get(key), new.get(key)) for key in keys)
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = [
            (number, before, after)
            for number, (before, after) in enumerate(zip(old, new, strict=True))
            if before != after
        ]
        return ", ".join(_difference(f"{name}[{n}]", before, after) for n, before, after in pairs)
    return f"{name} is {old!r} there and {new!r} here"
