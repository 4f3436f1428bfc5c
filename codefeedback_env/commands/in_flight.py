"""Many things under way at once, their results in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def collect_in_order(started: Iterable[Callable[[], T]], max_in_flight: int) -> Iterator[T]:
    """The results of everything that ``started`` starts, in the order of starting.

    Args:
        started: starts a thing whenever it is asked for the next, and gives a function that waits
            for its result. Asked no further ahead than ``max_in_flight``, so memory stays flat
            however long it is.
        max_in_flight: things under way at once, at least 1.
    """
    waiting: deque[Callable[[], T]] = deque()
    for wait in started:
        waiting.append(wait)
        if len(waiting) >= max_in_flight:
            yield waiting.popleft()()
    while waiting:
        yield waiting.popleft()()
