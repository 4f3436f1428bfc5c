"""From options of a command line to environments."""

import difflib
from collections.abc import Mapping
from typing import Any, TypeVar

import gymnasium

from codefeedback_env import (
    CodeFeedbackVectorEnv,
    ConfigError,
    ProblemSet,
    UnknownNameError,
    load_problems,
)

T = TypeVar("T")


def env_options(env_id: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """What an environment takes: the options given that are not None, else its registration's.

    Raises:
        UnknownNameError: no environment of this package has the id.
    """
    known = {
        known_id: spec
        for known_id, spec in gymnasium.registry.items()
        if str(spec.vector_entry_point).startswith("codefeedback_env.")
    }
    registered = dict(look_up("environment", env_id, known).kwargs)
    if given.get("dataset") or given.get("path"):
        registered.pop("split", None)  # of the registered dataset
    return registered | {name: value for name, value in given.items() if value is not None}


def make_envs(
    env_id: str, num_envs: int, options: Mapping[str, Any], render_mode: str | None = None
) -> tuple[CodeFeedbackVectorEnv, ProblemSet]:
    """Environments without autoreset, and the problems they were made with, before any filter.

    Args:
        env_id: a registered id.
        num_envs: how many episodes at once.
        options: from ``env_options``.
        render_mode: None or "ansi".
    """
    others = dict(options)
    of_data = {
        key: others.pop(key) for key in ("dataset", "path", "split", "exclude") if key in others
    }
    problems = load_problems(**of_data)
    wrapped = gymnasium.make_vec(
        env_id,
        num_envs=num_envs,
        autoreset_mode="Disabled",
        dataset=problems,
        split=None,
        render_mode=render_mode,
        **others,
    )
    vec = wrapped.unwrapped
    if not isinstance(vec, CodeFeedbackVectorEnv):
        raise ConfigError(
            f"{env_id} made a {type(vec).__name__}, not environments of this package."
        )
    return vec, problems


def look_up(kind: str, name: str, known: Mapping[str, T]) -> T:
    """The entry of that name.

    Raises:
        UnknownNameError: there is none; says which are near.
    """
    if name in known:
        return known[name]
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else "."
    raise UnknownNameError(f"unknown {kind} {name!r}{hint} Known: {', '.join(known)}.")
