"""``codefeedback data cache``: the local cache of a dataset, built ahead of its first use."""

import argparse
from collections.abc import Callable
from contextlib import ExitStack

from codefeedback_env.commands.arguments import add_problem_arguments, open_problems
from codefeedback_env.commands.progress import progress
from codefeedback_env.datasets.cached_source import (
    CachedSource,
    cache_required,
    remove_other_caches,
)
from codefeedback_env.errors import ConfigError

HELP = "build the local cache of a dataset"
DESCRIPTION = (
    "Build the local cache of a dataset, from which problems are read in milliseconds, or finish "
    "one that was interrupted. Large data is also cached when it is used for the first time. "
    "CODEFEEDBACK_CACHE names the directory of all caches."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.set_defaults(run=run)
    add_problem_arguments(parser)
    parser.add_argument(
        "--clear",
        action="store_true",
        help="then remove other caches of this split: of data that has changed since, of other "
        "versions of this package, and unfinished ones",
    )


def run(arguments: argparse.Namespace) -> int:
    """Build the cache unless it is there, and print where it lies.

    Raises:
        ConfigError: no dataset is named, or it is too small to have caches.
        DatasetError: the data cannot be read, or the cache cannot be written.
    """
    with ExitStack() as stack:
        stack.enter_context(cache_required(_Bar(stack)))
        problems = open_problems(arguments)
    if problems is None:
        raise ConfigError("name a dataset, or a file or directory of one.")
    source = problems.source
    if not isinstance(source, CachedSource):
        raise ConfigError(f"{source.name} is small and read whole; it needs no cache.")
    print(
        f"{source.cache.folder}: {len(source.cache)} problems of {source.name} ({source.split}), "
        f"{source.cache.num_bytes / 2**20:.1f} MiB"
    )
    if arguments.clear:
        for folder in remove_other_caches(source):
            print(f"removed {folder}")
    return 0


class _Bar:
    """Shows the rows that are left when it is first told of any."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._advance: Callable[[], None] | None = None
        self._num_done = 0

    def __call__(self, num_done: int, num_rows: int) -> None:
        if self._advance is None:
            noun = f"rows ({num_done} were done before)" if num_done else "rows"
            self._advance = self._stack.enter_context(progress(noun, num_rows - num_done))
            self._num_done = num_done
        for _ in range(num_done - self._num_done):
            self._advance()
        self._num_done = num_done
