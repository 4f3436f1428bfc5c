"""The environment in verifiers 0.4 and later (``verifiers.v1``).

verifiers finds an environment by the name of an installed package, which is two lines::

    from codefeedback_env.adapters.verifiers import ChatHarness, CodeEnv, CodeTaskset
    __all__ = ["ChatHarness", "CodeEnv", "CodeTaskset"]

For verifiers 0.3 and before see ``verifiers_legacy``.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from typing import Any, TypeVar

from codefeedback_env import CodeFeedbackEnv, ConfigError, SandboxError
from codefeedback_env.adapters.environments import EnvironmentPool

try:
    import verifiers.v1 as vf
    from pydantic import Field

    from codefeedback_env.adapters.verifiers_harness import ChatHarness, ChatHarnessConfig
except ImportError as error:
    raise ConfigError(
        "the verifiers adapter needs the library verifiers, 0.4 or later, which cannot be imported "
        f"({error}); install it with: pip install 'codefeedback-env[verifiers]'"
    ) from error

__all__ = [
    "ChatHarness",
    "ChatHarnessConfig",
    "CodeEnv",
    "CodeEnvConfig",
    "CodeTask",
    "CodeTaskData",
    "CodeTaskset",
    "CodeTasksetConfig",
]

MAX_STEPS_AT_ONCE = 256  # that wait for the judge; a thread each
NUM_POOLS = 8  # of different options in one process

T = TypeVar("T")


class CodeTaskData(vf.TaskData):
    """A problem's id and prompt. Its tests are with the environment."""

    env_id: str
    """What ``gymnasium.make`` calls the environment."""

    options: dict[str, Any]
    """Those of ``gymnasium.make``, in JSON's types."""

    split: str


class CodeTask(vf.Task[CodeTaskData, vf.State, vf.TaskConfig]):
    """One problem."""

    @property
    def key(self) -> str:
        """The same in every run: environment, split and problem."""
        return f"{self.data.env_id}/{self.data.split}/{self.data.id}"

    def pool(self) -> EnvironmentPool:
        """The environments to play it in, shared with the other tasks."""
        return pool_of(self.data.env_id, self.data.options)

    async def validate(self, runtime: Any) -> bool | None:
        """Whether a program that the dataset calls right passes all tests; None without one."""
        return await asyncio.to_thread(self._reference_passes)

    def _reference_passes(self) -> bool | None:
        pool = self.pool()
        programs = pool.problems.reference_programs(self.data.id)
        if not programs:
            return None
        env = pool.take()
        env.reset(options={"problem": self.data.id})
        info = env.step(f"```python\n{programs[0].source_code}\n```")[4]
        pool.give_back(env)
        if "sandbox_error" in info:
            raise SandboxError(info["sandbox_error"])
        return bool(info.get("private_passed", False))


class CodeTasksetConfig(vf.TasksetConfig):
    """Which problems, and how they are played: ``--env.taskset.options.split train``."""

    env_id: str = "CodeContests-v0"
    """What ``gymnasium.make`` calls the environment."""

    options: dict[str, Any] = Field(default_factory=dict)
    """Those of ``gymnasium.make``, in JSON's types."""


class CodeTaskset(vf.Taskset[CodeTask, CodeTasksetConfig]):
    """The problems of an environment, in the dataset's order."""

    def load(self) -> Iterator[CodeTask]:
        """A task for each problem; its statement is read when it is its turn."""
        config = self.config
        pool = pool_of(config.env_id, config.options)
        env = pool.take()
        for problem_id in pool.problems.ids:
            prompt, info = env.reset(options={"problem": problem_id})
            data = CodeTaskData(
                id=problem_id,
                name=problem_id,
                prompt=prompt,
                env_id=config.env_id,
                options=config.options,
                split=info["split"],
            )
            yield CodeTask(data, config.task)
        pool.give_back(env)


class CodeEnvConfig(vf.EnvConfig):
    """Who plays: ``--env.player.*``. No program of a model runs where the player does."""

    player: vf.AgentConfig = vf.AgentConfig(runtime=vf.SubprocessConfig())


class CodeEnv(vf.Env[CodeEnvConfig]):
    """The environment as the user of a conversation: the prompt, then the feedback on each reply.

    The trace of the player has the reward ``episode``, the sum over the turns, the metrics
    ``solved``, ``turns`` and ``cut_off`` (by a limit of verifiers', before the end), and under
    ``info["turns"]`` the reward and info of each turn. Where the sandbox failed, the rollout is an
    error without reward, which ``--resume`` does again and ``--env.retries`` tries again.
    """

    async def start(self) -> None:
        """Threads for steps; those of asyncio are fewer than a large judge can serve."""
        self._threads = ThreadPoolExecutor(MAX_STEPS_AT_ONCE, "codefeedback-step")

    async def stop(self) -> None:
        """Let the threads go."""
        if (threads := getattr(self, "_threads", None)) is not None:
            threads.shutdown(wait=False)

    async def run(self, task: CodeTask, agents: Any) -> None:
        """One episode.

        Raises:
            SandboxError: the sandbox failed over a reply, twice.
        """
        pool = task.pool()
        env = await self._in_thread(pool.take)
        await self._play(env, task, agents)
        # Not in a finally: where this is cancelled, a thread may still be in a step.
        pool.give_back(env)

    async def _play(self, env: CodeFeedbackEnv, task: CodeTask, agents: Any) -> None:
        options = {"problem": task.data.id}
        _, info = await self._in_thread(partial(env.reset, options=options))
        turns: list[dict[str, Any]] = []
        is_over = False
        async with agents.player.interaction(task) as interaction:
            segment = await interaction.turn()
            while not segment.terminated:
                step = await self._in_thread(partial(env.step, _reply(segment)))
                feedback, reward, is_over, is_truncated, info = step
                if is_truncated:
                    raise SandboxError(info["sandbox_error"])
                turns.append({"reward": float(reward), **info})
                if is_over:
                    break
                segment = await interaction.turn(feedback)
        trace = interaction.trace
        trace.info["turns"] = turns
        trace.record_reward("episode", sum(turn["reward"] for turn in turns))
        trace.record_metric("solved", float(info.get("private_passed", False)))
        trace.record_metric("turns", float(len(turns)))
        trace.record_metric("cut_off", float(not is_over))

    def _in_thread(self, function: Callable[[], T]) -> Awaitable[T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, function)


def pool_of(env_id: str, options: dict[str, Any]) -> EnvironmentPool:
    """This process's environments with these options."""
    return _pool_of(env_id, json.dumps(options, sort_keys=True))


@lru_cache(NUM_POOLS)
def _pool_of(env_id: str, options: str) -> EnvironmentPool:
    found: dict[str, Any] = json.loads(options)
    tuples = {key: tuple(value) for key, value in found.items() if isinstance(value, list)}
    return EnvironmentPool(env_id, **{**found, **tuples})


def _reply(segment: vf.Segment) -> str:
    """The last message of the model, as it is; ``Segment.last_reply`` strips it."""
    replies = [m.content for m in segment.messages if isinstance(m, vf.AssistantMessage)]
    return str(replies[-1] or "") if replies else ""
