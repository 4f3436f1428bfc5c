"""A dataclass of settings as options of a command line."""

import argparse
import ast
import inspect
import textwrap
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


def add_options(
    parser: "argparse._ActionsContainer",
    settings: type[Any],
    presets: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    are_required: bool = True,
) -> None:
    """An option for each field: its default from the field, its help from the text under it.

    Args:
        parser: or a group of one; gets the options.
        settings: a dataclass whose fields are str, int, float, bool or Path, or such or None.
        presets: named sets of other defaults, which ``--preset`` takes.
        are_required: whether a field without a default must be given.
    """
    helps = docstrings(settings)
    if presets:
        parser.add_argument(
            "--preset",
            choices=sorted(presets),
            help="defaults other than the paper's; options given besides count more",
        )
    for field in fields(settings):
        kind, is_optional = _kind(settings, field)
        text = " ".join(helps.get(field.name, "").split()).replace("%", "%%").replace("``", "")
        if field.default is not MISSING and not is_optional:
            text += f" [{field.default}]"
        option = f"--{field.name.replace('_', '-')}"
        if kind is bool:
            parser.add_argument(
                option, action=argparse.BooleanOptionalAction, default=None, help=text
            )
            continue
        parser.add_argument(
            option,
            type=kind,
            default=None,
            required=are_required and field.default is MISSING,
            metavar={int: "N", float: "X", Path: "PATH"}.get(kind, "NAME"),
            help=text,
        )


def from_options(
    options: argparse.Namespace,
    settings: type[T],
    presets: Mapping[str, Mapping[str, Any]] | None = None,
) -> T:
    """The settings that parsed options ask for.

    Raises:
        ConfigError: from the settings' own checks.
    """
    names = [field.name for field in fields(settings)]  # type: ignore[arg-type]
    given = {name: getattr(options, name) for name in names}
    preset = dict((presets or {}).get(getattr(options, "preset", None) or "", {}))
    return settings(**preset | {name: value for name, value in given.items() if value is not None})


def docstrings(settings: type[Any]) -> dict[str, str]:
    """The string literal under each field of a class."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(settings)))
    (definition,) = tree.body
    assert isinstance(definition, ast.ClassDef)
    found: dict[str, str] = {}
    for before, after in zip(definition.body, definition.body[1:], strict=False):
        if (
            isinstance(before, ast.AnnAssign)
            and isinstance(before.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
            and isinstance(after.value.value, str)
        ):
            found[before.target.id] = after.value.value
    return found


def _kind(settings: type[Any], field: "Field[Any]") -> tuple[Any, bool]:
    """The type of a field without None, and whether it may be None."""
    kind = typing.get_type_hints(settings)[field.name]
    if isinstance(kind, types.UnionType):
        (inner,) = (option for option in typing.get_args(kind) if option is not type(None))
        return inner, True
    return kind, False
