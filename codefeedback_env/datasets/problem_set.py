"""An ordered, lazy, filterable set of problems."""

import datetime
import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from codefeedback_env.datasets.several_answers import has_unique_answer
from codefeedback_env.errors import ConfigError, UnknownProblemError
from codefeedback_env.languages import Submission
from codefeedback_env.problem import Pool, Problem
from codefeedback_env.verdicts import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemSummary:
    """What is known of a problem without reading its statement and tests."""

    id: str
    difficulty: str | None = None
    rating: int | None = None
    tags: tuple[str, ...] = ()
    num_public_tests: int = 0
    num_private_tests: int = 0
    num_generated_tests: int = 0
    judge: str | None = None
    """The site the problem comes from, lower case, such as ``codeforces``."""

    date: datetime.date | None = None
    """When the problem was published."""

    is_function: bool = False
    """Whether tests call a function instead of running the program."""

    has_reference: bool | None = None
    """Whether the dataset has a right program that can run here; None where nobody looked."""

    has_unique_answer: bool | None = None
    """False where a checker judges or should, or the statement says that any of several answers
    will do; None where nobody looked."""

    @property
    def num_hidden_tests(self) -> int:
        """Private and generated tests together."""
        return self.num_private_tests + self.num_generated_tests


@dataclass(frozen=True, slots=True)
class WrongProgram:
    """A program that is known to fail, and how, where the dataset says."""

    submission: Submission
    verdict: Verdict | None = None


class ProblemSource(Protocol):
    """Where a ProblemSet reads its problems; each dataset format implements it once."""

    name: str
    """The dataset's name, such as ``code_contests``."""

    split: str

    @property
    def summaries(self) -> Sequence[ProblemSummary]:
        """One summary for each problem, in the dataset's order, with unique ids."""

    @property
    def fingerprint(self) -> str:
        """Hexadecimal digest that changes when the data changes."""

    def problem(self, position: int) -> Problem:
        """Read the problem at ``position`` of ``summaries``."""

    def reference_programs(self, position: int) -> tuple[Submission, ...]:
        """Programs the dataset calls right, in languages we can run."""

    def wrong_programs(self, position: int) -> tuple[WrongProgram, ...]:
        """Programs the dataset calls wrong, in languages we can run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemFilter:
    """Which problems to keep; every condition given must hold."""

    ids: tuple[str, ...] | None = None
    difficulties: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None
    """Keep problems with at least one of these tags."""

    without_tags: tuple[str, ...] = ()
    """Drop problems with any of these tags."""

    judges: tuple[str, ...] | None = None
    """Sites the problems come from, as ``ProblemSummary.judge`` has them."""

    first_date: datetime.date | None = None
    last_date: datetime.date | None = None
    """Both days belong to the span; problems without a date are dropped."""

    min_rating: int | None = None
    max_rating: int | None = None
    min_public_tests: int = 0
    max_public_tests: int | None = None
    min_private_tests: int = 0
    max_private_tests: int | None = None
    min_generated_tests: int = 0
    max_generated_tests: int | None = None
    min_hidden_tests: int = 0
    """Private and generated tests together."""

    max_hidden_tests: int | None = None
    is_function: bool | None = None
    """True keeps problems whose tests call a function, False those that read an input."""

    has_reference: bool | None = None
    """True keeps problems with a right program that can run here, False those without."""

    has_unique_answer: bool | None = None
    """True keeps problems with one right answer to each test, as far as can be told from the
    statement, False the others."""

    def __post_init__(self) -> None:
        """Refuse spans that are empty whatever the data is."""
        for name in ("date", "rating"):
            first, last = ("first", "last") if name == "date" else ("min", "max")
            self._check_span(f"{first}_{name}", f"{last}_{name}")
        for pool in ("public", "private", "generated", "hidden"):
            self._check_span(f"min_{pool}_tests", f"max_{pool}_tests")

    def _check_span(self, first: str, last: str) -> None:
        low, high = getattr(self, first), getattr(self, last)
        if low is not None and high is not None and low > high:
            raise ConfigError(f"{first}={low} is more than {last}={high}; no problem has that.")

    def __call__(self, summary: ProblemSummary) -> bool:
        """Whether the problem stays; what is not known of it meets no condition."""
        return (
            (self.ids is None or summary.id in self.ids)
            and (self.difficulties is None or summary.difficulty in self.difficulties)
            and (self.tags is None or not set(self.tags).isdisjoint(summary.tags))
            and set(self.without_tags).isdisjoint(summary.tags)
            and (self.judges is None or summary.judge in self.judges)
            and _is_within(summary.date, self.first_date, self.last_date)
            and _is_within(summary.rating, self.min_rating, self.max_rating)
            and _is_within(summary.num_public_tests, self.min_public_tests, self.max_public_tests)
            and _is_within(
                summary.num_private_tests, self.min_private_tests, self.max_private_tests
            )
            and _is_within(
                summary.num_generated_tests, self.min_generated_tests, self.max_generated_tests
            )
            and _is_within(summary.num_hidden_tests, self.min_hidden_tests, self.max_hidden_tests)
            and self.is_function in (None, summary.is_function)
            and self.has_reference in (None, summary.has_reference)
            and self.has_unique_answer in (None, summary.has_unique_answer)
        )


def _is_within(value: Any, first: Any, last: Any) -> bool:
    """Whether a value is in a span with open ends; None is in that without any end only."""
    if value is None:
        return first is None and last is None
    return (first is None or value >= first) and (last is None or value <= last)


PROBLEM_FILTERS: dict[str, ProblemFilter] = {
    # The paper drops training problems without public or private tests: 669 of 13,328.
    "paper": ProblemFilter(min_public_tests=1, min_private_tests=1),
    "all": ProblemFilter(),
}


class ProblemSet:
    """An ordered set of problems, read from its source one at a time.

    Indexing takes a problem's id or its position: ``problems["two-sums"]``, ``problems[0]``.
    Filtering and sharding give new sets over the same source.
    """

    def __init__(
        self,
        source: ProblemSource,
        positions: Sequence[int] | None = None,
        *,
        num_excluded: int = 0,
    ) -> None:
        """All of ``source``, or the problems at ``positions`` of it; see ``exclude``."""
        self._source = source
        self._num_excluded = num_excluded
        self._positions = (
            tuple(range(len(source.summaries))) if positions is None else tuple(positions)
        )

    @classmethod
    def from_problems(
        cls,
        problems: Sequence[Problem],
        *,
        name: str = "custom",
        split: str = "custom",
        reference_programs: Mapping[str, Sequence[str]] | None = None,
        wrong_programs: Mapping[str, Sequence[str]] | None = None,
    ) -> "ProblemSet":
        """A set of problems made in Python.

        Args:
            problems: in order, ids unique.
            name: the dataset's name in records and reports.
            split: the split's name in ``info``, records and reports.
            reference_programs: problem id -> Python programs that solve it.
            wrong_programs: problem id -> Python programs that do not.

        Raises:
            ConfigError: an id comes up twice, or programs belong to an unknown problem.
        """
        return cls(
            _InMemorySource(problems, name, split, reference_programs or {}, wrong_programs or {})
        )

    @property
    def source(self) -> ProblemSource:
        """Where the problems are read."""
        return self._source

    @property
    def name(self) -> str:
        """The dataset's name."""
        return self._source.name

    @property
    def split(self) -> str:
        """The dataset's split."""
        return self._source.split

    @cached_property
    def summaries(self) -> tuple[ProblemSummary, ...]:
        """One summary for each problem, in order."""
        return tuple(self._source.summaries[position] for position in self._positions)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The problems' ids, in order."""
        return tuple(summary.id for summary in self.summaries)

    @property
    def num_excluded(self) -> int:
        """How many problems an exclusion list took out, before any filter or shard."""
        return self._num_excluded

    @property
    def data_fingerprint(self) -> str:
        """Sixteen hexadecimal digits over the data alone, whichever problems were chosen."""
        return self._source.fingerprint[:16]

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits over the data and the choice of problems."""
        digest = hashlib.sha256(self._source.fingerprint.encode())
        for problem_id in self.ids:
            digest.update(problem_id.encode("utf-8", "surrogatepass") + b"\0")
        return digest.hexdigest()[:16]

    def filter(self, keep: Callable[[ProblemSummary], bool]) -> "ProblemSet":
        """The problems whose summary satisfies ``keep``, such as a ProblemFilter."""
        kept = (p for p, s in zip(self._positions, self.summaries, strict=True) if keep(s))
        return ProblemSet(self._source, tuple(kept), num_excluded=self._num_excluded)

    def exclude(self, problem_ids: Collection[str]) -> "ProblemSet":
        """The problems without those of an exclusion list; ids that are not here do not matter."""
        ids = frozenset(problem_ids)
        kept = [p for p, s in zip(self._positions, self.summaries, strict=True) if s.id not in ids]
        num_excluded = self._num_excluded + len(self) - len(kept)
        return ProblemSet(self._source, kept, num_excluded=num_excluded)

    def shard(self, index: int, num_shards: int) -> "ProblemSet":
        """Every ``num_shards``-th problem from ``index`` on; all shards partition the set."""
        if num_shards < 1 or not 0 <= index < num_shards:
            raise ConfigError(
                f"shard=({index}, {num_shards}) is no shard; give (i, n) with 0 <= i < n."
            )
        return ProblemSet(
            self._source, self._positions[index::num_shards], num_excluded=self._num_excluded
        )

    def reference_programs(self, problem_id: str) -> tuple[Submission, ...]:
        """Programs known to be right, read now."""
        return self._source.reference_programs(self._position(problem_id))

    def wrong_programs(self, problem_id: str) -> tuple[WrongProgram, ...]:
        """Programs known to be wrong, read now."""
        return self._source.wrong_programs(self._position(problem_id))

    def __len__(self) -> int:
        """How many problems there are."""
        return len(self._positions)

    def __iter__(self) -> Iterator[Problem]:
        """The problems in order, each read when it is its turn."""
        return (self._source.problem(position) for position in self._positions)

    def __getitem__(self, key: str | int) -> Problem:
        """The problem with this id, or at this position of the set."""
        if isinstance(key, str):
            return self._source.problem(self._position(key))
        return self._source.problem(self._positions[key])

    def __contains__(self, problem_id: object) -> bool:
        """Whether a problem has this id."""
        return problem_id in self._position_of

    def __deepcopy__(self, memo: dict[int, Any]) -> "ProblemSet":
        """Itself: a problem set never changes, and may be large."""
        return self

    def __repr__(self) -> str:
        """Name, split, size, fingerprint, and how many problems an exclusion list took out."""
        excluded = f"{self.num_excluded} excluded, " if self.num_excluded else ""
        return (
            f"ProblemSet({self.name!r}, split={self.split!r}, {len(self)} "
            f"problem{'' if len(self) == 1 else 's'}, {excluded}"
            f"fingerprint={self.fingerprint})"
        )

    @cached_property
    def _position_of(self) -> dict[str, int]:
        return dict(zip(self.ids, self._positions, strict=True))

    def _position(self, problem_id: str) -> int:
        try:
            return self._position_of[problem_id]
        except KeyError:
            raise UnknownProblemError(
                f"no problem {problem_id!r} in {self.name} ({self.split}, {len(self)} problems); "
                "the attribute `ids` lists them."
            ) from None


class _InMemorySource:
    """Problems made in Python."""

    def __init__(
        self,
        problems: Sequence[Problem],
        name: str,
        split: str,
        reference_programs: Mapping[str, Sequence[str]],
        wrong_programs: Mapping[str, Sequence[str]],
    ) -> None:
        self.name = name
        self.split = split
        self._problems = tuple(problems)
        self._reference_programs = {k: tuple(v) for k, v in reference_programs.items()}
        self._wrong_programs = {k: tuple(v) for k, v in wrong_programs.items()}
        self.summaries = tuple(
            summarise(problem, has_reference=bool(reference_programs.get(problem.id)))
            for problem in self._problems
        )
        ids = [problem.id for problem in self._problems]
        if repeated := sorted(i for i, count in Counter(ids).items() if count > 1):
            raise ConfigError(f"problem ids come up twice: {repeated}; make them unique.")
        if strangers := sorted({*reference_programs, *wrong_programs} - set(ids)):
            raise ConfigError(f"programs for unknown problems {strangers}; known: {ids}.")

    @cached_property
    def fingerprint(self) -> str:
        digest = hashlib.sha256()
        for problem in self._problems:
            digest.update(repr(problem).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()

    def problem(self, position: int) -> Problem:
        return self._problems[position]

    def reference_programs(self, position: int) -> tuple[Submission, ...]:
        programs = self._reference_programs.get(self._problems[position].id, ())
        return tuple(Submission("python3", source) for source in programs)

    def wrong_programs(self, position: int) -> tuple[WrongProgram, ...]:
        programs = self._wrong_programs.get(self._problems[position].id, ())
        return tuple(WrongProgram(Submission("python3", source)) for source in programs)


def summarise(problem: Problem, *, has_reference: bool | None = None) -> ProblemSummary:
    """The summary of a problem that has been read.

    ``judge`` and ``date`` (an ISO date) are taken from ``Problem.source``.
    """
    return ProblemSummary(
        id=problem.id,
        difficulty=problem.difficulty,
        tags=problem.tags,
        num_public_tests=len(problem.tests(Pool.PUBLIC)),
        num_private_tests=len(problem.tests(Pool.PRIVATE)),
        num_generated_tests=len(problem.tests(Pool.GENERATED)),
        judge=problem.source.get("judge") or None,
        date=_date(problem.source.get("date", "")),
        is_function=problem.function is not None,
        has_reference=has_reference,
        has_unique_answer=has_unique_answer(problem),
    )


def _date(text: str) -> datetime.date | None:
    """The day that an ISO date or time begins with; None for anything else."""
    try:
        return datetime.date.fromisoformat(text[:10])
    except ValueError:
        return None
