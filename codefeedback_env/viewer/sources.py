"""Files with episode records, and what the files beside them say of where they come from."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codefeedback_env.errors import RecordError

NOT_RECORDED = "not recorded"
RECORD_START = b'{"version":'
HOW_TO_GET_RECORDS = (
    "Records are written by `python -m agents evaluate --out DIR`, by training (DIR/transcripts) "
    "and by the wrapper RecordEpisodes."
)

_SUMMARY_FIELDS = ("command", "env", "path", "settings", "versions", "hardware", "caveats")
_ITERATION = re.compile(r"iteration-(\d+)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file of records."""

    path: Path
    label: str
    """The shortest end of its path that no other file has; part of the links to its episodes."""

    agent: str
    """Who played: an agent or a model, and the iteration of its training; or NOT_RECORDED."""

    details: dict[str, Any]
    """What summary.json or config.json beside the file says besides."""


def find_sources(places: Sequence[Path]) -> list[Source]:
    """The files of records among ``places``: files, and whatever lies below folders.

    Files that are named are taken as they are. In folders a ``.jsonl`` file is one of records if it
    begins like one, so the metrics of a training run are left out.

    Raises:
        RecordError: a place does not exist or holds no records; says how to get some.
    """
    paths: dict[Path, None] = {}  # a set that keeps the order
    for place in places:
        if place.is_dir():
            found = [path for path in sorted(place.rglob("*.jsonl")) if _begins_like_records(path)]
            if not found:
                raise RecordError(f"no episode records below {place}. {HOW_TO_GET_RECORDS}")
            paths.update(dict.fromkeys(path.resolve() for path in found))
        elif place.is_file():
            paths[place.resolve()] = None
        elif place.exists():
            raise RecordError(f"{place} is neither a file nor a folder; name one with records.")
        else:
            raise RecordError(f"there is no {place}. {HOW_TO_GET_RECORDS}")
    labels = short_labels(list(paths))
    return [_source(path, label) for path, label in zip(paths, labels, strict=True)]


def short_labels(paths: Sequence[Path]) -> list[str]:
    """For each path, its folder and name, with more folders where two would be the same."""
    num_parts = 2
    while True:
        labels = ["/".join(path.parts[-num_parts:]) for path in paths]
        longest = max((len(path.parts) for path in paths), default=0)
        if len(set(labels)) == len(labels) or num_parts >= longest:
            return labels
        num_parts += 1


def _begins_like_records(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(RECORD_START)) == RECORD_START
    except OSError:
        return False


def _source(path: Path, label: str) -> Source:
    summary = _read_object(path.parent / "summary.json")
    if summary:
        details = {name: summary[name] for name in _SUMMARY_FIELDS if summary.get(name)}
        model = _text(summary.get("model"), "model")
        agent = str(summary.get("agent") or NOT_RECORDED)
        return Source(
            path=path,
            label=label,
            agent=agent if model is None else f"{agent} {_last_name(model)}",
            details=details if model is None else {"model": summary["model"], **details},
        )
    config = _read_object(path.parent.parent / "config.json")
    model = _text(config, "model")
    iteration = _ITERATION.search(path.stem)
    if model is None or iteration is None:
        return Source(path=path, label=label, agent=NOT_RECORDED, details={})
    agent = f"{_last_name(model)}, iteration {int(iteration[1])}"
    return Source(path=path, label=label, agent=agent, details={"training": config})


def _read_object(path: Path) -> dict[str, Any]:
    """A JSON object in a file; empty where there is none, for it only adds to the records."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _text(value: object, key: str) -> str | None:
    text = value.get(key) if isinstance(value, dict) else None
    return text if isinstance(text, str) else None


def _last_name(model: str) -> str:
    """A model without the folders or the owner before its name."""
    return model.rstrip("/").rsplit("/", maxsplit=1)[-1]


def unreadable(path: Path, error: OSError) -> RecordError:
    """The error for a file that cannot be read."""
    return RecordError(f"cannot read {path}: {error.strerror}.")
