"""Files with one JSON value a line, as the verbs read and write them."""

import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from codefeedback_env.errors import ConfigError


@contextmanager
def open_input(path: Path) -> Iterator[IO[bytes]]:
    """A file to read lines from.

    Raises:
        ConfigError: there is no such file, or it may not be read.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}.") from error
    with file:
        yield file


@contextmanager
def open_output(path: Path | None, source: Path | None = None) -> Iterator[IO[str]]:
    """A new file at ``path``, or standard output; each line is written at once.

    Raises:
        ConfigError: the file cannot be written, or is ``source``, which is being read.
    """
    if path is None:
        yield sys.stdout
        return
    if source is not None and path.exists() and path.samefile(source):
        raise ConfigError(f"--json {path} would overwrite what is to be judged.")
    try:
        file = path.open("w", encoding="utf-8", buffering=1)
    except OSError as error:
        raise ConfigError(f"cannot write --json {path}: {error.strerror}.") from error
    with file:
        yield file


def numbered_lines(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, each with its 1-based number in the file."""
    return ((number, line) for number, line in enumerate(file, start=1) if line.strip())


def num_lines(path: Path) -> int | None:
    """How many lines are not blank; None for a pipe, which can be read only once."""
    if not stat.S_ISREG(path.stat().st_mode):
        return None
    with path.open("rb") as file:
        return sum(1 for line in file if line.strip())
