"""Progress on standard error: a bar on a terminal, else a line now and then."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

SECONDS_BETWEEN_LINES = 15.0


@contextmanager
def progress(
    noun: str, total: int | None, *, prints_rows: bool = False
) -> Iterator[Callable[[], None]]:
    """Show how far a loop is; the function given advances it by one.

    Args:
        noun: what is counted, in the plural.
        total: how many there will be, None where nobody knows.
        prints_rows: the loop prints to standard output, so a bar on the same terminal would be
            torn apart.
    """
    console = Console(stderr=True)
    if not console.is_terminal or (prints_rows and sys.stdout.isatty()):
        yield _Lines(noun, total).advance
        return
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        redirect_stdout=False,  # rich would send it to standard error
    ) as bar:
        task = bar.add_task(noun, total=total)
        yield lambda: bar.advance(task)


class _Lines:
    def __init__(self, noun: str, total: int | None) -> None:
        self._noun = noun
        self._total = total
        self._count = 0
        self._start = self._last_line = time.monotonic()

    def advance(self) -> None:
        self._count += 1
        now = time.monotonic()
        if now - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = now
            rate = self._count / (now - self._start)
            of_total = left = ""
            if self._total is not None:
                of_total = f" of {self._total}"
                left = f", {(self._total - self._count) / rate:.0f} s left"
            print(
                f"{self._count}{of_total} {self._noun}, {rate:.3g} a second{left}",
                file=sys.stderr,
                flush=True,
            )
