"""Where each record lies, and the few facts of it that a list needs."""

import json
import threading
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from codefeedback_env.episode import Episode, Turn
from codefeedback_env.errors import RecordError
from codefeedback_env.viewer.sources import HOW_TO_GET_RECORDS, Source, find_sources, unreadable

NO_CODE = "no code"
NOT_RUN = "not run"
ROW_FIELDS = (
    *("source", "line", "problem", "seed", "outcome", "solved", "turns", "reward"),
    *("dataset", "split", "ended_by"),
)
GZIP_START = b"\x1f\x8b"
_HEAD_BYTES = 1024

Row = tuple[Any, ...]
"""Of an episode, in the order of ROW_FIELDS; ``outcome`` is the verdict of the last turn."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A record's bytes, and a checksum that tells whether they are still the same."""

    source: int
    offset: int
    num_bytes: int
    checksum: int


@dataclass(slots=True)
class _Progress:
    """How far a file has been read."""

    offset: int = 0
    line: int = 0
    head: bytes = b""
    """Its first bytes: where they change, it is another file."""

    problems: list[str] = field(default_factory=list)
    """Lines that are no records, a message each."""

    unfinished: str | None = None
    """A last line that has no end yet and is no record so far."""


class EpisodeIndex:
    """The records of some files, read whole once and then only where something was appended.

    Safe to use from several threads. Memory is a row for each episode; the records stay on disk.
    """

    def __init__(self, places: Sequence[Path]) -> None:
        """Reads all files.

        Raises:
            RecordError: there are no records, or none that this release reads.
        """
        self._given = list(places)
        self._lock = threading.RLock()
        self.generation = 0
        """Rises when rows may be others than before; while it stays, rows are only added."""

        self.sources: list[Source] = []
        self.rows: list[Row] = []
        self._places: list[_Place] = []
        self._progress: list[_Progress] = []
        self._start(find_sources(places))
        self._read_new()
        if not self.rows:
            raise RecordError(self._why_empty())

    def refresh(self) -> None:
        """Read what was appended to the files, and files that have come since."""
        with self._lock:
            try:
                sources = find_sources(self._given)
            except RecordError:  # a folder was moved; what was read stays in the list
                sources = self.sources
            known = [(source.path, source.label) for source in self.sources]
            if [(source.path, source.label) for source in sources[: len(known)]] == known:
                self.sources = sources
                self._progress += [_Progress() for _ in sources[len(known) :]]
            else:
                self._restart(sources)
            if any(map(_is_other_file, self.sources, self._progress)):
                self._restart(self.sources)
            self._read_new()

    def record(self, number: int) -> str:
        """The record of a row as one line of ASCII JSON that every reader of JSON takes.

        Raises:
            IndexError: there is no such row.
            RecordError: the file has changed since it was read.
        """
        with self._lock:
            if not 0 <= number < len(self._places):
                raise IndexError(number)
            place = self._places[number]
            path = self.sources[place.source].path
        try:
            with path.open("rb") as file:
                file.seek(place.offset)
                line = file.read(place.num_bytes)
        except OSError as error:
            raise unreadable(path, error) from error
        if zlib.crc32(line) != place.checksum:
            raise RecordError(f"{path} has changed since it was read; refresh the list.")
        if line.isascii() and b"NaN" not in line and b"Infinity" not in line:
            return line.decode("ascii")
        # NaN and Infinity, which Python writes, are no JSON; a number that is none is null.
        return json.dumps(json.loads(line, parse_constant=lambda name: None))

    def notes(self) -> list[str]:
        """What could not be read, for people."""
        with self._lock:
            pairs = list(zip(self.sources, self._progress, strict=True))
        listed = []
        for source, progress in pairs:
            if progress.problems:
                number = len(progress.problems)
                lines = "1 line is no record" if number == 1 else f"{number} lines are no records"
                listed.append(f"{source.label}: {lines} and left out: {progress.problems[0]}")
            if progress.unfinished is not None:
                listed.append(
                    f"{source.label}: the last line is unfinished, as while a run is under way "
                    "or after it was killed."
                )
        return listed

    @property
    def num_bytes(self) -> int:
        """The size of all records."""
        return sum(place.num_bytes for place in self._places)

    def overview(self, first: int = 0, generation: int | None = None) -> dict[str, Any]:
        """All that the page needs before an episode is opened.

        Args:
            first: rows from this one on; all where it is negative.
            generation: in which the rows before ``first`` were given out; all rows are given again
                where it is over.
        """
        with self._lock:
            first = max(first, 0) if generation in (None, self.generation) else 0
            return {
                "generation": self.generation,
                "first": first,
                "fields": ROW_FIELDS,
                "rows": self.rows[first:],
                "sources": [
                    {"label": source.label, "agent": source.agent, "details": source.details}
                    for source in self.sources
                ],
                "notes": self.notes(),
            }

    def _start(self, sources: list[Source]) -> None:
        self.sources = sources
        self.rows = []
        self._places = []
        self._progress = [_Progress() for _ in sources]

    def _restart(self, sources: list[Source]) -> None:
        self._start(sources)
        self.generation += 1

    def _read_new(self) -> None:
        for number, (source, progress) in enumerate(zip(self.sources, self._progress, strict=True)):
            try:
                with source.path.open("rb") as file:
                    self._read_file(number, file, progress)
            except OSError as error:
                raise unreadable(source.path, error) from error

    def _read_file(self, source: int, file: IO[bytes], progress: _Progress) -> None:
        if len(progress.head) < _HEAD_BYTES:
            progress.head = file.read(_HEAD_BYTES)
        file.seek(progress.offset)
        progress.unfinished = None
        for line in file:
            is_whole = line.endswith(b"\n")
            if line.strip():
                try:
                    row = _row(source, progress.line + 1, line)
                except RecordError as error:
                    if not is_whole and not line.startswith(GZIP_START):
                        progress.unfinished = str(error)
                        return
                    progress.problems.append(f"line {progress.line + 1}: {error}")
                else:
                    place = _Place(source, progress.offset, len(line), zlib.crc32(line))
                    self.rows.append(row)
                    self._places.append(place)
            progress.offset += len(line)
            progress.line += is_whole  # the end of the line of a whole record may come later

    def _why_empty(self) -> str:
        for source, progress in zip(self.sources, self._progress, strict=True):
            if progress.problems:
                return (
                    f"no record of {source.path} can be read: {progress.problems[0]} If a newer "
                    "release wrote it, upgrade codefeedback-env."
                )
            if progress.unfinished is not None:
                return f"{source.path} holds only the beginning of a record; wait for the run."
        paths = ", ".join(str(source.path) for source in self.sources)
        return f"no episode records in {paths}. {HOW_TO_GET_RECORDS}"


def _row(source: int, line_number: int, line: bytes) -> Row:
    try:
        episode = Episode.from_json(line.decode("utf-8"))
        settings = episode.settings
        return (
            source,
            line_number,
            str(episode.problem_id),
            episode.seed,
            _outcome(episode.turns[-1]) if episode.turns else NOT_RUN,
            bool(episode.private_passed),
            len(episode.turns),
            _finite(float(episode.reward)),
            str(settings.get("dataset") or ""),
            str(settings.get("split") or ""),
            str(episode.ended_by),
        )
    except RecordError:
        raise
    except UnicodeDecodeError as error:
        hint = "it is compressed; unpack it first" if line.startswith(GZIP_START) else "no UTF-8"
        raise RecordError(f"not an episode record: {hint}.") from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise RecordError(f"not an episode record: {error!r}.") from error


def _outcome(turn: Turn) -> str:
    if turn.submission is None:
        return NO_CODE
    verdict = None if turn.public_report is None else turn.public_report.verdict
    return NOT_RUN if verdict is None else str(verdict)


def _finite(reward: float) -> float | None:
    return reward if abs(reward) < float("inf") else None


def _is_other_file(source: Source, progress: _Progress) -> bool:
    """The file was replaced or cut since it was read."""
    try:
        with source.path.open("rb") as file:
            head = file.read(len(progress.head))
            return head != progress.head or file.seek(0, 2) < progress.offset
    except OSError:
        return False
