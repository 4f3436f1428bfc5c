"""The environment as a GEM environment.

Importing registers each environment of this package under ``codefeedback:`` and its id::

    import gem, codefeedback_env.adapters.gem
    env = gem.make("codefeedback:CodeContests-v0")
"""

from collections.abc import Mapping
from typing import Any

import gymnasium

from codefeedback_env import CodeFeedbackEnv, ConfigError, Episode, SandboxError
from codefeedback_env.adapters.environments import make_environment

try:
    import gem
    from gem.envs.registration import ENV_REGISTRY
except ImportError as error:
    raise ConfigError(
        f"the GEM adapter needs the library gem-llm, which cannot be imported ({error}); install "
        "it with: pip install 'codefeedback-env[gem]'"
    ) from error

PREFIX = "codefeedback:"


class GemEnv(gem.Env):
    """``CodeFeedbackEnv`` by GEM's interface: strings both ways, rewards and ends as they are.

    Where the sandbox failed the step is ``truncated`` with reward 0, and ``info["sandbox_error"]``
    says why: drop such an episode.
    """

    def __init__(
        self, gymnasium_id: str = "CodeContests-v0", seed: int | None = None, **options: Any
    ) -> None:
        """An environment of its own; the dataset is shared with all that have the same options.

        Args:
            gymnasium_id: what ``gymnasium.make`` calls the environment.
            seed: of the first ``reset`` without one, as ``gem.make_vec`` gives it.
            options: those of ``gymnasium.make``.

        Raises:
            ConfigError: an option cannot work.
            DatasetError: the data is missing or cannot be read.
        """
        super().__init__()
        self._config = {"gymnasium_id": gymnasium_id, "seed": seed, **options}
        self._env: CodeFeedbackEnv = make_environment(gymnasium_id, **options)
        self._first_seed = seed
        self._start: dict[str, Any] = {}
        self._problem_id: str | None = None
        self._replies: list[str] = []

    def reset(self, seed: int | None = None) -> tuple[str, dict[str, Any]]:
        """Begin an episode; a seed fixes the order of problems, and touches no global generator."""
        if seed is None:
            seed = self._first_seed
        self._first_seed = None
        observation, info = self._env.reset(seed=seed)
        self._note_start(info["problem_id"])
        return observation, info

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Judge a reply; waits until that is done, without holding other threads up."""
        result = self._env.step(action)
        self._replies.append(action)
        return result

    def sample_random_action(self) -> str:
        """A reply of random characters, hardly ever a program."""
        return self._env.action_space.sample()

    def get_state(self) -> dict[str, Any]:
        """The place in the order of problems and in the episode under way, as JSON has it."""
        return {
            "start": self._start or self._env.get_state(),
            "first_seed": self._first_seed,
            "problem_id": self._problem_id,
            "replies": list(self._replies),
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on where ``get_state`` was called: the replies of an episode are judged once more.

        Raises:
            ConfigError: this is no such state, or one of other problems.
            SandboxError: the sandbox failed over one of the replies.
        """
        if missing := {"start", "first_seed", "problem_id", "replies"} - set(state):
            raise ConfigError(f"this is no state of a GEM environment: it lacks {sorted(missing)}.")
        self._env.set_state(state["start"])
        self._start, self._replies = {}, []
        self._first_seed, self._problem_id = state["first_seed"], state["problem_id"]
        if self._problem_id is None:
            return
        self._env.reset(options={"problem": self._problem_id})
        self._note_start(self._problem_id)
        for reply in state["replies"]:
            info = self.step(reply)[4]
            if "sandbox_error" in info:
                raise SandboxError(f"a state could not be restored: {info['sandbox_error']}")

    def spawn(self, same_state: bool = False, **kwargs: Any) -> "GemEnv":
        """Another environment with the same options but ``kwargs``, on request in this state."""
        child = type(self)(**{**self._config, **kwargs})
        if same_state:
            child.set_state(self.get_state())
        return child

    def last_episode(self) -> Episode | None:
        """The record of the episode that ended last, None before the first end."""
        return self._env.last_episode

    def close(self) -> None:
        """Let go of the judge's workers."""
        self._env.close()

    def __repr__(self) -> str:
        """Which problems, which feedback, how many turns."""
        return f"<{type(self).__name__} of {self._env!r}>"

    def _note_start(self, problem_id: str) -> None:
        self._start, self._problem_id, self._replies = self._env.get_state(), problem_id, []


def register() -> None:
    """Register the environments of this package with GEM, those that are not yet."""
    for gymnasium_id, spec in gymnasium.registry.items():
        is_ours = spec.entry_point == "codefeedback_env.make:make_env"
        if is_ours and PREFIX + gymnasium_id not in ENV_REGISTRY:
            gem.register(
                PREFIX + gymnasium_id,
                "codefeedback_env.adapters.gem:GemEnv",
                gymnasium_id=gymnasium_id,
            )


register()
