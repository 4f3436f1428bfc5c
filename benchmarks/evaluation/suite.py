"""Suites: files that say what is played under which conditions, and what is measured."""

import difflib
import hashlib
import re
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from agents.metrics import rollouts_within
from benchmarks.evaluation.paper import PAPER
from codefeedback_env import ConfigError, FeedbackSource, Judging

SUITES = Path(__file__).parents[1] / "suites"
EXCLUDES = ("known-bad", "none")
ANALYSES = ("turns", "errors", "edits")
"""Metrics that are tables: solve rate by turn, errors and their fixes, changes between programs."""

_METRIC = re.compile(r"(?:(?P<n>\d+)|(?P<pass>pass)|single-turn (?P<single>\d+))@(?P<k>\d+)")


@dataclass(frozen=True, slots=True)
class Metric:
    """A number that a suite asks for."""

    name: str
    kind: str
    """n@k, pass@k or single-turn n@k."""

    n: int
    k: int


def parse_metric(name: str) -> Metric | None:
    """The metric that a name such as "10@100", "pass@1" or "single-turn 1@3" means.

    Returns:
        None for ``ANALYSES``.

    Raises:
        ValueError: it means nothing.
    """
    if name in ANALYSES:
        return None
    found = _METRIC.fullmatch(name)
    if found is None:
        raise ValueError(
            f"{name!r} is no metric; there are n@k, pass@k, single-turn n@k, {', '.join(ANALYSES)}"
        )
    kind = "pass@k" if found["pass"] else "single-turn n@k" if found["single"] else "n@k"
    n, k = int(found["n"] or found["single"] or 1), int(found["k"])
    if not 1 <= n <= k:
        raise ValueError(f"{name!r} needs 1 <= n <= k")
    return Metric(name, kind, n, k)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One condition: episodes that are played alike and measured together."""

    name: str
    env: str
    turn_limit: int
    rollouts: int
    temperature: float
    metrics: tuple[str, ...]
    top_p: float = 0.95
    feedback: str = "public"
    judging: str = "strict"
    exclude: str = "known-bad"
    dataset: str | None = None
    split: str | None = None
    path: str | None = None
    problem_filter: str | None = None
    problems: int | None = None
    """How many, drawn with the seed; None for all."""

    max_private_tests: int | None = None
    paper: str | None = None
    """Which of the paper's numbers stand beside: a name of ``PAPER``."""

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ValueError: a value is out of range; begins with its name.
        """
        for name in ("turn_limit", "rollouts", "problems", "max_private_tests"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} = {value} must be at least 1")
        if not self.temperature >= 0:
            raise ValueError(f"temperature = {self.temperature} must not be negative")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p = {self.top_p} must be in (0, 1]")
        for name, known in (
            ("feedback", tuple(source.value for source in FeedbackSource)),
            ("judging", tuple(profile.value for profile in Judging)),
            ("exclude", EXCLUDES),
            ("paper", (None, *PAPER)),
        ):
            if getattr(self, name) not in known:
                listed = ", ".join(str(value) for value in known if value is not None)
                raise ValueError(f"{name} = {getattr(self, name)!r} is none of {listed}")
        if not self.metrics:
            raise ValueError("metrics is empty")
        for text in self.metrics:
            try:
                parse_metric(text)
            except ValueError as error:
                raise ValueError(f"metrics: {error}") from error

    @property
    def numbers(self) -> list[Metric]:
        """The metrics that are numbers."""
        return [metric for name in self.metrics if (metric := parse_metric(name)) is not None]

    def draws(self, metric: Metric) -> int:
        """How many rollouts of a problem a metric draws."""
        return rollouts_within(metric.k, self.turn_limit) if metric.kind == "n@k" else metric.k


@dataclass(frozen=True, kw_only=True)
class Suite:
    """What is played and measured."""

    name: str
    about: str
    cells: tuple[Cell, ...]
    gaps: tuple[tuple[str, str], ...] = ()
    """Pairs of cells whose solve rates are compared, such as true and random feedback."""

    content_hash: str
    """SHA-256 of the file."""

    def describe(self) -> list[dict[str, Any]]:
        """The cells, in JSON's types."""
        return [
            {n: list(v) if isinstance(v, tuple) else v for n, v in asdict(cell).items()}
            for cell in self.cells
        ]


def load_suite(name: str) -> Suite:
    """A suite by its name in ``benchmarks/suites``, or by the path of a file.

    Raises:
        ConfigError: there is none, or something in it is wrong; names file and key.
    """
    path = Path(name) if name.endswith(".toml") else SUITES / f"{name}.toml"
    if not path.is_file():
        known = sorted(file.stem for file in SUITES.glob("*.toml"))
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else "."
        raise ConfigError(f"there is no suite {name!r}{hint} Known: {', '.join(known)}.")
    content = path.read_bytes()
    try:
        table = tomllib.loads(content.decode("utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path}: {error}.") from error
    _check_keys(f"{path}", table, {"about", "common", "cells", "gaps"})
    about, common, rows = table.get("about"), table.get("common", {}), table.get("cells")
    if not isinstance(about, str):
        raise ConfigError(f"{path}: about = {about!r} must be a text.")
    if not isinstance(common, dict):
        raise ConfigError(f"{path}: common must be a table.")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise ConfigError(f"{path}: cells must be one or more tables [[cells]].")
    names = {field.name for field in fields(Cell)}
    _check_keys(f"{path}, common", common, names - {"name"})
    cells = []
    for number, row in enumerate(rows, start=1):
        where = f"{path}, cells, number {number}"
        _check_keys(where, row, names)
        cells.append(_cell(where, {**common, **row}))
    cell_names = [cell.name for cell in cells]
    if repeated := [name for name in cell_names if cell_names.count(name) > 1]:
        raise ConfigError(f"{path}: cells: two are called {repeated[0]!r}.")
    return Suite(
        name=path.stem,
        about=about,
        cells=tuple(cells),
        gaps=_gaps(path, table.get("gaps", []), cell_names),
        content_hash=hashlib.sha256(content).hexdigest(),
    )


@dataclass(frozen=True, slots=True)
class Deviation:
    """Where a run differs from its suite, by an option of the command line."""

    cell: str
    key: str
    suite: Any
    run: Any

    def __str__(self) -> str:
        """For people."""
        none = "all" if self.key in ("problems", "max_private_tests") else "the default"
        run, suite = (none if value is None else value for value in (self.run, self.suite))
        return f"{self.key} = {run} instead of {suite}"


def override(
    suite: Suite, given: Mapping[str, Any], paths: Sequence[str] = ()
) -> tuple[Suite, list[Deviation]]:
    """The suite with other values in its cells, and where they differ.

    Args:
        suite: as it was loaded.
        given: values for fields of Cell, for all cells; None where there is none.
        paths: where the data lies: ``PATH`` for all cells, ``CELL=PATH`` for one.

    Raises:
        ConfigError: a value is out of range.
    """
    names = [cell.name for cell in suite.cells]
    path_of: dict[str, str] = {}
    for text in paths:
        name, equals, path = text.partition("=")
        path_of.update({name: path} if equals and name in names else dict.fromkeys(names, text))
    cells, deviations = [], []
    for cell in suite.cells:
        chosen = {name: value for name, value in given.items() if value is not None}
        if cell.name in path_of:
            chosen["path"] = path_of[cell.name]
            if not Path(chosen["path"]).is_dir():
                chosen.setdefault("split", None)  # a file has none of the dataset's splits
        deviations += [
            Deviation(cell.name, name, getattr(cell, name), value)
            for name, value in chosen.items()
            if getattr(cell, name) != value
        ]
        try:
            cells.append(replace(cell, **chosen))
        except ValueError as error:
            raise ConfigError(f"{error}.") from error
    return replace(suite, cells=tuple(cells)), deviations


def _cell(where: str, row: Mapping[str, Any]) -> Cell:
    kinds = typing.get_type_hints(Cell)
    values: dict[str, Any] = {}
    for field in fields(Cell):
        if field.name not in row:
            if field.default is MISSING:
                raise ConfigError(f"{where}: {field.name} is missing.")
            continue
        value = row[field.name]
        if field.name == "metrics":
            if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
                raise ConfigError(f"{where}: metrics = {value!r} must be a list of texts.")
            values["metrics"] = tuple(value)
            continue
        kind = kinds[field.name]
        options = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
        if float in options and type(value) is int:
            value = float(value)
        if type(value) not in options:  # bool is an int to isinstance
            expected = options[0].__name__
            raise ConfigError(f"{where}: {field.name} = {value!r} must be of type {expected}.")
        values[field.name] = value
    try:
        cell = Cell(**values)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}.") from error
    for metric in cell.numbers:
        if not 1 <= (draws := cell.draws(metric)) <= cell.rollouts:
            raise ConfigError(
                f"{where}: metrics: {metric.name} draws {draws} rollouts of a problem, but "
                f"rollouts = {cell.rollouts}."
            )
    return cell


def _gaps(path: Path, value: Any, cells: list[str]) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, list):
        raise ConfigError(f"{path}: gaps = {value!r} must be a list of pairs of cells.")
    for pair in value:
        if not isinstance(pair, list) or len(pair) != 2 or any(name not in cells for name in pair):
            raise ConfigError(f"{path}: gaps: {pair!r} is no pair of {', '.join(cells)}.")
    return tuple((first, second) for first, second in value)


def _check_keys(where: str, table: Mapping[str, Any], known: set[str]) -> None:
    for key in table:
        if key not in known:
            close = difflib.get_close_matches(key, sorted(known), n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise ConfigError(f"{where}: unknown key {key!r}; {hint}known: {sorted(known)}.")
