"""One session of the server: an environment by OpenEnv's interface."""

import html
from typing import Any
from uuid import uuid4

from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.types import EnvironmentMetadata

import codefeedback_env
from codefeedback_env import CodeFeedbackEnv, ConfigError, ProblemSet
from codefeedback_env.adapters.environments import EnvironmentPool
from codefeedback_env.adapters.openenv.models import CodeAction, CodeObservation, CodeState


class CodeEnvironment(Environment[CodeAction, CodeObservation, CodeState]):
    """``CodeFeedbackEnv`` by OpenEnv's interface, with its tasks to be listed.

    There is one split, the one that the pool was made with.
    """

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self, pool: EnvironmentPool) -> None:
        """A session over environments that all sessions share; takes one with the first reset."""
        super().__init__()
        self._pool = pool
        self._env: CodeFeedbackEnv | None = None
        self._state = CodeState()

    def reset(
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        split: str | None = None,
        index: int | None = None,
        problem: str | None = None,
        **unknown: Any,
    ) -> CodeObservation:
        """Begin an episode on a task or problem, else on the next of the order that the seed fixes.

        Raises:
            ConfigError: both ``index`` and ``problem``, or arguments that nobody knows.
            IndexError: there is no such split or task.
            UnknownProblemError: no problem has the id asked for.
        """
        if unknown:
            raise ConfigError(f"unknown reset arguments {sorted(unknown)}.")
        if index is not None and problem is not None:
            raise ConfigError(f"index={index} and problem={problem!r}: give one of them.")
        problems = self._problems(split)
        if index is not None:
            problem = problems.ids[_checked(index, problems)]
        self._env = self._env or self._pool.take()
        options = None if problem is None else {"problem": problem}
        text, info = self._env.reset(seed=seed, options=options)
        self._state = CodeState(
            episode_id=episode_id or uuid4().hex,
            problem_id=info["problem_id"],
            split=info["split"],
            turn_limit=self._env.rules.turn_limit,
        )
        return CodeObservation(text=text, info=info)

    def step(
        self, action: CodeAction, timeout_s: float | None = None, **kwargs: Any
    ) -> CodeObservation:
        """Judge a reply; how long that may take is up to the problem, not to ``timeout_s``.

        Raises:
            ConfigError: there was no reset.
            SandboxError: the sandbox failed for the third time in a row.
        """
        if self._env is None:
            raise ConfigError("step() before reset(): plain HTTP has no sessions, use a client.")
        text, reward, terminated, truncated, info = self._env.step(action.reply)
        self._state.step_count += 1
        return CodeObservation(
            text=text,
            reward=None if truncated else float(reward),
            done=terminated or truncated,
            truncated=truncated,
            info=info,
        )

    @property
    def state(self) -> CodeState:
        """Where the session is."""
        return self._state

    def close(self) -> None:
        """Give the environment back."""
        if self._env is not None:
            self._pool.give_back(self._env)
            self._env = None

    def list_splits(self) -> list[str]:
        """The name of the split."""
        return [self._pool.problems.split]

    def num_tasks(self, split: str) -> int:
        """How many problems there are."""
        return len(self._problems(split))

    def list_tasks(self, split: str) -> list[dict[str, Any]]:
        """All tasks, without their statements."""
        return self.get_task_range(split)

    def get_task(self, split: str, index: int) -> dict[str, Any]:
        """What is known of a task without its statement and tests.

        Raises:
            IndexError: there is no such split or task.
        """
        problems = self._problems(split)
        summary = problems.summaries[_checked(index, problems)]
        return {
            "id": summary.id,
            "index": index,
            "difficulty": summary.difficulty,
            "rating": summary.rating,
            "tags": list(summary.tags),
            "num_public_tests": summary.num_public_tests,
        }

    def get_task_range(
        self, split: str, start: int | None = None, stop: int | None = None
    ) -> list[dict[str, Any]]:
        """Tasks ``start`` to ``stop``, as a slice has it."""
        wanted = range(len(self._problems(split)))[start:stop]
        return [self.get_task(split, index) for index in wanted]

    def get_metadata(self) -> EnvironmentMetadata:
        """Name, version and what is served."""
        return EnvironmentMetadata(
            name="codefeedback",
            description="Programming problems with execution feedback over several turns: "
            f"{self._pool.problems!r}.",
            version=codefeedback_env.__version__,
            author="The codefeedback authors",
        )

    def render_web(self, observation: dict[str, Any]) -> str | None:
        """The conversation so far; all of it is text, whatever a reply says."""
        transcript = self._env.render() if self._env is not None else observation.get("text")
        style = "white-space: pre-wrap; overflow-wrap: anywhere"
        return f'<pre style="{style}">{html.escape(transcript)}</pre>' if transcript else None

    def _problems(self, split: str | None) -> ProblemSet:
        problems = self._pool.problems
        if split not in (None, problems.split):
            raise IndexError(f"no split {split!r}; this server has {problems.split!r}.")
        return problems


def _checked(index: int, problems: ProblemSet) -> int:
    if not 0 <= index < len(problems):
        raise IndexError(f"no task {index}; there are {len(problems)}, from 0 on.")
    return index
