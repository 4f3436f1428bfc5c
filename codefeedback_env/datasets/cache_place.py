"""Where the local caches of datasets lie, and what they are called."""

import hashlib
import json
import os
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from codefeedback_env.datasets.joined_rows import JoinedRows, JsonListRows
from codefeedback_env.datasets.json_lines_rows import JsonLinesRows
from codefeedback_env.datasets.parquet_rows import ParquetRows

if TYPE_CHECKING:
    from codefeedback_env.datasets.rows import Rows

FORMAT_VERSION = 1
"""Of the files in a cache; a cache of another version is not looked at."""

OFF = "off"


def cache_directory() -> Path | None:
    """Where caches are kept; None where ``CODEFEEDBACK_CACHE`` is "off".

    ``$CODEFEEDBACK_CACHE``, or where that is not set ``$XDG_CACHE_HOME/codefeedback/caches``, which
    by default is ``~/.cache/codefeedback/caches``.
    """
    if place := os.environ.get("CODEFEEDBACK_CACHE"):
        return None if place == OFF else Path(place).expanduser().absolute()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser().absolute() / "codefeedback" / "caches"


def folder_of(directory: Path, dataset: str, split: str, fingerprint: str) -> Path:
    """Where the cache of some data is, or would be.

    Its name holds digests of all that its content depends on: the data's fingerprint, this format,
    and the code that makes problems of rows.
    """
    words = [FORMAT_VERSION, dataset, split, fingerprint, _reader_digest()]
    key = hashlib.sha256(json.dumps(words).encode()).hexdigest()[:16]
    return directory / f"{family(dataset, split)}{key}"


def family(dataset: str, split: str) -> str:
    """How the names of all caches of one split begin, whatever its data and the code."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", f"{dataset}-{split}-")


def stored_bytes(rows: "Rows") -> int:
    """Size of the files that opening would have to read; 0 where rows are quick to open."""
    match rows:
        case JoinedRows():
            return sum(map(stored_bytes, rows.parts))
        case ParquetRows():
            return sum(path.stat().st_size for path in rows.paths)
        case JsonLinesRows() | JsonListRows():
            return rows.path.stat().st_size
    return 0


def known_fingerprint(rows: "Rows", directory: Path) -> str | None:
    """The rows' fingerprint; None where finding out would mean to read all of a JSON file.

    For JSON files it is remembered by path, size and time of the last change.
    """
    match rows:
        case JoinedRows():
            parts = [known_fingerprint(part, directory) for part in rows.parts]
            if None in parts:
                return None
            return hashlib.sha256(" ".join(map(str, parts)).encode()).hexdigest()
        case JsonLinesRows() | JsonListRows():
            try:
                note = json.loads(_note(rows.path, directory).read_text("utf-8"))
            except (OSError, ValueError):
                return None
            if not isinstance(note, dict) or note.get("stamp") != _stamp(rows.path):
                return None
            return str(note["fingerprint"])
    return rows.fingerprint


def remember_fingerprint(rows: "Rows", directory: Path) -> None:
    """Make ``known_fingerprint`` know these rows."""
    match rows:
        case JoinedRows():
            for part in rows.parts:
                remember_fingerprint(part, directory)
        case JsonLinesRows() | JsonListRows():
            note = _note(rows.path, directory)
            stamp = _stamp(rows.path)
            partial = note.with_name(f"{note.name}.{os.getpid()}")
            partial.write_text(json.dumps({"stamp": stamp, "fingerprint": rows.fingerprint}))
            partial.replace(note)


def _note(path: Path, directory: Path) -> Path:
    return directory / f"fingerprint-{hashlib.sha256(os.fsencode(path)).hexdigest()[:16]}.json"


def _stamp(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ino]


@lru_cache(1)
def _reader_digest() -> str:
    """SHA-256 of the code that makes problems of rows, and of the tables it reads."""
    here = Path(__file__).parent
    files = [*here.glob("*.py"), *here.glob("*.toml"), here.parent / "problem.py"]
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(f"{file.name} ".encode() + file.read_bytes())
    return digest.hexdigest()
