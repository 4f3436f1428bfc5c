"""Reading and writing exclusion lists.

A list is a TOML file: ``dataset``, and a table ``[[problem]]`` for each entry with ``id``,
``reasons`` (a list), ``evidence`` and, where the entry is about one split only, ``split``.
"""

import json
import tomllib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from codefeedback_env.datasets.problem_set import ProblemSet
from codefeedback_env.errors import ConfigError

KNOWN_BAD = "known-bad"
"""The value of ``exclude`` for the lists that come with the package."""

ExcludeOption = str | Path | Collection[str] | None

_SHIPPED = files("codefeedback_env.datasets.exclusions")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """A problem to leave out, and why."""

    problem_id: str
    reasons: tuple[str, ...]
    evidence: str
    split: str | None = None
    """None where the entry is about the problem in whatever split it comes up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExclusionList:
    """The problems of one dataset to leave out."""

    dataset: str
    entries: tuple[Exclusion, ...]

    def ids(self, split: str) -> frozenset[str]:
        """The ids to leave out of a split."""
        return frozenset(e.problem_id for e in self.entries if e.split in (None, split))


def without_excluded(problems: ProblemSet, exclude: ExcludeOption) -> ProblemSet:
    """The problems without those to leave out.

    Args:
        problems: from which they are taken.
        exclude: ``KNOWN_BAD`` for the list that comes with the package, None for none, the path of
            a list, or ids.

    Raises:
        ConfigError: there is no such file, it is no list or one of another dataset, or an id is
            not in ``problems``.
    """
    if exclude is None:
        return problems
    if exclude == KNOWN_BAD:
        return problems.exclude(known_bad(problems.name).ids(problems.split))
    if isinstance(exclude, str | Path):
        listed = read_exclusions(Path(exclude))
        if listed.dataset != problems.name:
            raise ConfigError(
                f"exclude={str(exclude)!r} lists problems of {listed.dataset!r}, but these are of "
                f"{problems.name!r}; take the list of that dataset, or None."
            )
        return problems.exclude(listed.ids(problems.split))
    if unknown := sorted(map(repr, set(exclude) - set(problems.ids))):
        raise ConfigError(
            f"exclude names {len(unknown)} problems that are not in {problems.name} "
            f"({problems.split}), such as {unknown[0]}; the attribute `ids` lists those that are."
        )
    return problems.exclude(exclude)


@cache
def known_bad(dataset: str) -> ExclusionList:
    """The list that comes with the package; an empty one for a dataset without any."""
    file = _SHIPPED.joinpath(f"{dataset}.toml")
    if not dataset.isidentifier() or not file.is_file():
        return ExclusionList(dataset=dataset, entries=())
    return parse_exclusions(file.read_text("utf-8"), f"{dataset}.toml")


def read_exclusions(path: Path) -> ExclusionList:
    """The list in a file.

    Raises:
        ConfigError: there is no such file, or it is no list.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"exclude={str(path)!r} cannot be read ({error}); give {KNOWN_BAD!r}, None, the path "
            "of an exclusions.toml, or a list of ids."
        ) from error
    return parse_exclusions(text, str(path))


def parse_exclusions(text: str, place: str) -> ExclusionList:
    """The list in a text; ``place`` names it in errors.

    Raises:
        ConfigError: the text is no list.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{place} is not valid TOML: {error}.") from error
    dataset = document.get("dataset")
    tables = document.get("problem", [])
    if not isinstance(dataset, str) or not isinstance(tables, list):
        raise ConfigError(f'{place} must have dataset = "NAME" and tables [[problem]].')
    entries = tuple(_entry(table, f"{place}, problem {n}") for n, table in enumerate(tables, 1))
    return ExclusionList(dataset=dataset, entries=entries)


def format_exclusions(listed: ExclusionList, comment: Iterable[str] = ()) -> str:
    """The TOML text of a list, with lines of comment above it."""
    lines = [*(f"# {line}".rstrip() for line in comment), f"dataset = {_quoted(listed.dataset)}"]
    for entry in listed.entries:
        lines += ["", "[[problem]]", f"id = {_quoted(entry.problem_id)}"]
        if entry.split is not None:
            lines.append(f"split = {_quoted(entry.split)}")
        lines.append(f"reasons = [{', '.join(map(_quoted, entry.reasons))}]")
        lines.append(f"evidence = {_quoted(entry.evidence)}")
    return "\n".join(lines) + "\n"


def _entry(table: Any, place: str) -> Exclusion:
    fields = table if isinstance(table, dict) else {}
    problem_id, evidence = fields.get("id"), fields.get("evidence")
    reasons, split = fields.get("reasons"), fields.get("split")
    if (
        not isinstance(problem_id, str)
        or not isinstance(evidence, str)
        or not isinstance(split, str | None)
        or not isinstance(reasons, list)
        or not reasons
        or not all(isinstance(reason, str) for reason in reasons)
    ):
        raise ConfigError(
            f"{place}: needs the strings id and evidence and the list of strings reasons; split "
            "may be a string."
        )
    return Exclusion(problem_id=problem_id, reasons=tuple(reasons), evidence=evidence, split=split)


def _quoted(text: str) -> str:
    """A TOML string. JSON's escapes are TOML's, but for DEL, which TOML wants escaped."""
    shown = text.encode("utf-8", "replace").decode()  # TOML cannot hold lone surrogates
    return json.dumps(shown, ensure_ascii=False).replace("\x7f", "\\u007f")
