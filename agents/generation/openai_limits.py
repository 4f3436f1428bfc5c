"""Being a good client of a server: how much to ask for in a minute, and when to try again."""

import random
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

WINDOW_S = 60.0
SHORTEST_WAIT_S = 0.01
LONGEST_RETRY_AFTER_S = 600.0


@dataclass(slots=True)
class _Entry:
    time_s: float
    amount: int


class Window:
    """At most so much within any 60 seconds; stricter than a bucket that refills.

    Times are seconds of any clock that never goes back.

    Args:
        limit: in 60 seconds; None for no limit.
    """

    def __init__(self, limit: int | None) -> None:
        """See the class."""
        self._limit = limit
        self._entries: deque[_Entry] = deque()

    def delay_s(self, now_s: float, amount: int) -> float:
        """How long to wait until ``amount`` fits; 0 where it fits now.

        More than the limit fits where nothing else was asked for.
        """
        while self._entries and self._entries[0].time_s + WINDOW_S <= now_s:
            self._entries.popleft()
        if self._limit is None:
            return 0.0
        excess = sum(entry.amount for entry in self._entries) + amount - self._limit
        free_at = now_s
        for entry in self._entries:
            if excess <= 0:
                break
            excess -= entry.amount
            free_at = entry.time_s + WINDOW_S
        return 0.0 if free_at <= now_s else max(free_at - now_s, SHORTEST_WAIT_S)

    def take(self, now_s: float, amount: int) -> _Entry:
        """Note that ``amount`` is asked for; the entry may be corrected when more is known."""
        entry = _Entry(now_s, amount)
        self._entries.append(entry)
        return entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Waiting times between attempts: exponential, the upper half of each drawn at random."""

    first_s: float = 1.0
    longest_s: float = 60.0

    def delay_s(self, attempt: int, retry_after_s: float | None, draw: random.Random) -> float:
        """How long to wait after a failed attempt.

        Args:
            attempt: how many failed before it.
            retry_after_s: what the server asked for: never less than this.
            draw: where chance comes from, so that many clients do not come back at once.
        """
        whole = min(self.longest_s, self.first_s * 2.0 ** min(attempt, 30))
        return max(whole * draw.uniform(0.5, 1.0), retry_after_s or 0.0)


def retry_after_s(header: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a ``Retry-After`` header asks for, at most 600; None where it says nothing.

    Args:
        header: seconds, or a date of HTTP.
        now: in UTC; default: the time it is.
    """
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            date = parsedate_to_datetime(header)
        except ValueError:
            return None
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        seconds = (date - (now or datetime.now(UTC))).total_seconds()
    return min(seconds, LONGEST_RETRY_AFTER_S) if seconds > 0 else None
