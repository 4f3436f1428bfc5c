"""Wrappers for the environment."""

from pathlib import Path
from typing import Any

import gymnasium
from gymnasium.spaces import Dict, Sequence

from codefeedback_env.env import CodeFeedbackEnv
from codefeedback_env.spaces import UnicodeText

Message = dict[str, str]


class FullTranscript(
    gymnasium.ObservationWrapper[tuple[Message, ...], str, str],
    gymnasium.utils.RecordConstructorArgs,
):
    """The observation becomes the whole conversation, as chat models take it.

    A tuple of ``{"role": "user" | "assistant", "content": str}``, oldest first. After the end the
    last message is the final reply.
    """

    def __init__(self, env: gymnasium.Env[str, str]) -> None:
        """Wrap an environment whose observations are the newest message only."""
        gymnasium.utils.RecordConstructorArgs.__init__(self)
        super().__init__(env)
        self.observation_space = Sequence(Dict(role=UnicodeText(), content=UnicodeText()))
        self._messages: list[tuple[str, str]] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[tuple[Message, ...], dict[str, Any]]:
        """Begin an episode: the conversation is the prompt."""
        prompt: Any  # a str, which Gymnasium's generic types lose sight of
        prompt, info = self.env.reset(seed=seed, options=options)
        self._messages = []
        return self.observation(prompt), info

    def step(self, action: str) -> tuple[tuple[Message, ...], Any, bool, bool, dict[str, Any]]:
        """Add the reply and what came back."""
        message: Any
        message, reward, terminated, truncated, info = self.env.step(action)
        self._messages.append(("assistant", str(action)))  # only now: a step may raise
        return self.observation(message), reward, terminated, truncated, info

    def observation(self, observation: str) -> tuple[Message, ...]:
        """The conversation with the newest message, if there is one."""
        if observation:
            self._messages.append(("user", observation))
        return tuple({"role": role, "content": content} for role, content in self._messages)


class RecordEpisodes(gymnasium.Wrapper[str, str, str, str], gymnasium.utils.RecordConstructorArgs):
    """Appends the record of each finished episode to a JSON lines file.

    Not of one that ``TimeLimit`` or a reset cuts: a record says how an episode ended.
    """

    def __init__(self, env: gymnasium.Env[str, str], path: str | Path) -> None:
        """Append to ``path``, which is made with its folders where it does not exist.

        Raises:
            TypeError: it is no single environment of this package.
        """
        unwrapped = env.unwrapped
        if not isinstance(unwrapped, CodeFeedbackEnv):
            raise TypeError(
                f"RecordEpisodes takes a CodeFeedbackEnv but got a {type(unwrapped).__name__}; of "
                "a vector environment, take last_episode(env_id) after each end."
            )
        gymnasium.utils.RecordConstructorArgs.__init__(self, path=str(path))
        super().__init__(env)
        self._path = Path(path)
        self._path.parent.mkdir(parents=True, exist_ok=True)

    def step(self, action: str) -> tuple[str, Any, bool, bool, dict[str, Any]]:
        """Step, and write the record where the episode ends."""
        unwrapped = self.unwrapped
        assert isinstance(unwrapped, CodeFeedbackEnv)
        before = unwrapped.last_episode
        result = self.env.step(action)
        episode = unwrapped.last_episode
        if episode is not None and episode is not before:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(episode.to_json() + "\n")
        return result
