"""Environments for libraries that make many: one for each episode, session or thread.

They read their dataset once, and share what was read.
"""

import threading
from collections import defaultdict
from functools import lru_cache
from typing import Any

import gymnasium

from codefeedback_env import CodeFeedbackEnv, ProblemSet

NUM_KEPT = 8  # datasets of different options; a training run has one or two
CHOOSING = frozenset({"dataset", "path", "split", "exclude", "problem_filter", "shard", "feedback"})
"""Options that decide which problems there are; some have too few tests for some feedback."""

_is_reading = threading.Lock()


def make_environment(env_id: str, **options: Any) -> CodeFeedbackEnv:
    """What ``gymnasium.make(env_id, **options)`` makes, without its wrappers, in milliseconds.

    Raises:
        ConfigError: an option cannot work.
        DatasetError: the data is missing or cannot be read.
    """
    chosen = {
        "dataset": shared_problems(env_id, **options),
        "path": None,
        "split": None,
        "problem_filter": None,
        "shard": None,
        "exclude": "known-bad",  # which leaves a ProblemSet as it is
    }
    return _unwrapped(env_id, {**options, **chosen})


def shared_problems(env_id: str, **options: Any) -> ProblemSet:
    """The problems of an environment, the same object for the same options; from any thread."""
    choosing = {name: value for name, value in options.items() if name in CHOOSING}
    if not all(map(_is_hashable, choosing.values())):
        return _unwrapped(env_id, choosing).rules.problems
    with _is_reading:  # so that the others wait for the first, which reads
        return _read_problems(env_id, tuple(sorted(choosing.items(), key=lambda item: item[0])))


class EnvironmentPool:
    """Environments with the same options, taken for an episode and given back after it.

    Those at rest keep the judge's workers, which would otherwise end and start with each episode.
    Any thread may take and give back.
    """

    def __init__(self, env_id: str = "CodeContests-v0", **options: Any) -> None:
        """Nothing is read yet, and no option looked at."""
        self.env_id = env_id
        self.options = options
        self._at_rest: dict[int | None, list[CodeFeedbackEnv]] = defaultdict(list)

    @property
    def problems(self) -> ProblemSet:
        """The problems, read with the first use."""
        return shared_problems(self.env_id, **self.options)

    def take(self, turn_limit: int | None = None) -> CodeFeedbackEnv:
        """An environment that nobody else has; ``turn_limit`` goes before the pool's own option.

        Raises:
            ConfigError: an option cannot work.
            DatasetError: the data is missing or cannot be read.
        """
        try:
            return self._at_rest[turn_limit].pop()
        except IndexError:
            limit = {} if turn_limit is None else {"turn_limit": turn_limit}
            return make_environment(self.env_id, **{**self.options, **limit})

    def give_back(self, env: CodeFeedbackEnv, turn_limit: int | None = None) -> None:
        """End the use of an environment, in whatever state; ``turn_limit`` as it was taken."""
        self._at_rest[turn_limit].append(env)

    def close(self) -> None:
        """Let go of the judge's workers; the pool can be used again."""
        for envs in self._at_rest.values():
            while envs:
                envs.pop().close()

    def __deepcopy__(self, memo: dict[int, Any]) -> "EnvironmentPool":
        """Itself: what it is for is to be shared."""
        return self

    def __repr__(self) -> str:
        """Which environments these are."""
        options = "".join(f", {name}={value!r}" for name, value in self.options.items())
        return f"{type(self).__name__}({self.env_id!r}{options})"


@lru_cache(NUM_KEPT)
def _read_problems(env_id: str, options: tuple[tuple[str, Any], ...]) -> ProblemSet:
    return _unwrapped(env_id, dict(options)).rules.problems


def _unwrapped(env_id: str, options: dict[str, Any]) -> CodeFeedbackEnv:
    # Without the checker, which would look over the first step of each of them.
    env = gymnasium.make(env_id, disable_env_checker=True, **options).unwrapped
    assert isinstance(env, CodeFeedbackEnv)
    return env


def _is_hashable(value: object) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
