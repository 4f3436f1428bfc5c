"""Problems out of a local cache where there is one, or where one is worth building."""

import shutil
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum
from pathlib import Path

from codefeedback_env.datasets.cache_build import Progress, RowProblems, build_cache
from codefeedback_env.datasets.cache_place import (
    cache_directory,
    family,
    folder_of,
    known_fingerprint,
    remember_fingerprint,
    stored_bytes,
)
from codefeedback_env.datasets.inspection import keeps_all_tests, leaves_out_rows
from codefeedback_env.datasets.problem_cache import ProblemCache
from codefeedback_env.datasets.problem_set import ProblemSource, ProblemSummary, WrongProgram
from codefeedback_env.errors import ConfigError, DatasetError, DatasetNotFoundError
from codefeedback_env.languages import Submission
from codefeedback_env.problem import Problem

WORTH_A_CACHE_BYTES = 256 << 20
"""Data of so many bytes and more is cached when it is opened for the first time."""

SECONDS_BETWEEN_LINES = 5.0


class Caching(Enum):
    """Whether opening a dataset uses and builds caches."""

    AUTO = "auto"
    """Use what is there; build for data that is large; where that fails, warn and do without."""

    REQUIRED = "required"
    """Build one whatever the size, or raise."""


_caching: ContextVar[Caching] = ContextVar("_caching", default=Caching.AUTO)
_progress: ContextVar[Progress | None] = ContextVar("_progress", default=None)


@contextmanager
def cache_required(progress: Progress) -> Iterator[None]:
    """Within, every dataset that is opened gets a cache; ``progress`` is told how far it is."""
    tokens = _caching.set(Caching.REQUIRED), _progress.set(progress)
    try:
        yield
    finally:
        _caching.reset(tokens[0])
        _progress.reset(tokens[1])


class CachedSource:
    """A ProblemSource that reads problems from a cache and only programs from the data itself."""

    def __init__(self, cache: ProblemCache, source: RowProblems) -> None:
        """``cache`` was built from ``source``."""
        self.cache = cache
        self.name = source.name
        self.split = source.split
        self._source = source

    @property
    def summaries(self) -> Sequence[ProblemSummary]:
        """As they were when the cache was built."""
        return self.cache.summaries

    @property
    def fingerprint(self) -> str:
        """That of the data."""
        return self.cache.fingerprint

    def problem(self, position: int) -> Problem:
        """Read one problem.

        Raises:
            DatasetError: the cache is damaged, or the row could not be read when it was built and
                still cannot.
        """
        problem = None if keeps_all_tests() else self.cache.problem(position)
        if problem is None:
            problem_id = self.summaries[position].id
            problem = self._source.problem_in_row(self.cache.row(position), problem_id)
        return problem

    def reference_programs(self, position: int) -> tuple[Submission, ...]:
        """Read from the data, which takes longer."""
        return self._source.references_in_row(self.cache.row(position))

    def wrong_programs(self, position: int) -> tuple[WrongProgram, ...]:
        """Read from the data, which takes longer."""
        return self._source.wrong_programs_in_row(self.cache.row(position))


def cached(source: RowProblems) -> ProblemSource:
    """``source``, through its cache where that is there or worth building; see ``Caching``.

    Raises:
        ConfigError: a cache is required, and caches are turned off.
        DatasetError: the data cannot be read, the cache is damaged, or one is required and cannot
            be written.
    """
    is_required = _caching.get() is Caching.REQUIRED
    directory = cache_directory()
    if directory is None and is_required:
        raise ConfigError(
            "CODEFEEDBACK_CACHE=off turns caches off; unset it, or give it a directory."
        )
    if directory is None or leaves_out_rows():
        return source
    try:
        fingerprint = known_fingerprint(source.rows, directory)
        if fingerprint is not None:
            folder = folder_of(directory, source.name, source.split, fingerprint)
            if folder.exists():
                return CachedSource(ProblemCache(folder), source)
        if not is_required and stored_bytes(source.rows) < WORTH_A_CACHE_BYTES:
            return source
        folder = folder_of(directory, source.name, source.split, source.fingerprint)
        progress = _progress.get() or _Lines(f"{source.name} ({source.split})", folder)
        build_cache(source, folder, progress)
        remember_fingerprint(source.rows, directory)
        return CachedSource(ProblemCache(folder), source)
    except DatasetNotFoundError:
        raise
    except OSError as error:
        message = _cannot_write(directory, error)
        if is_required:
            raise DatasetError(message) from error
        warnings.warn(f"{message} Until then the data itself is read.", stacklevel=2)
        return source


def _cannot_write(directory: Path, error: OSError) -> str:
    return (
        f"the cache in {directory} cannot be written ({error}). Free some space there or let "
        "CODEFEEDBACK_CACHE name a directory on another disk; parts that are finished stay, and "
        "the next build goes on from them. CODEFEEDBACK_CACHE=off does without caches."
    )


def remove_other_caches(source: CachedSource) -> list[Path]:
    """Remove the caches of other data or code for the same split; returns what is gone.

    Who has one of them open can go on reading it.
    """
    own = source.cache.folder
    start = family(source.name, source.split)
    others = [
        folder
        for folder in own.parent.iterdir()
        if folder != own
        and folder.is_dir()
        and folder.name.removeprefix(".").removesuffix(".building")[:-16] == start
    ]
    for folder in others:
        shutil.rmtree(folder)
    return sorted(others)


class _Lines:
    """Progress on standard error, a line now and then."""

    def __init__(self, title: str, folder: Path) -> None:
        self._title = title
        self._folder = folder
        self._begun: tuple[float, int] | None = None
        self._last_line = 0.0

    def __call__(self, num_done: int, num_rows: int) -> None:
        now = time.monotonic()
        if self._begun is None:
            self._begun = now, num_done
            self._last_line = now
            print(
                f"building the cache of {self._title}, {num_rows} rows, in {self._folder}; this is "
                "done once",
                file=sys.stderr,
                flush=True,
            )
        elif now - self._last_line >= SECONDS_BETWEEN_LINES or num_done == num_rows:
            self._last_line = now
            start, first = self._begun
            left_s = (now - start) / max(1, num_done - first) * (num_rows - num_done)
            print(
                f"{num_done} of {num_rows} rows, {left_s:.0f} s left", file=sys.stderr, flush=True
            )
