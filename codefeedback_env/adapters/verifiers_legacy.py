"""The environment in verifiers before 0.4 (``verifiers.legacy`` in 0.3).

A package with this ``load_environment`` is an environment by that package's name.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from codefeedback_env import CodeFeedbackEnv, ConfigError
from codefeedback_env.adapters.environments import EnvironmentPool

try:
    import datasets

    try:
        import verifiers.legacy as vf
    except ModuleNotFoundError:
        import verifiers as vf  # before 0.3
    if not hasattr(vf, "MultiTurnEnv"):
        raise ImportError("verifiers 0.4 has another interface")
except ImportError as error:
    raise ConfigError(
        f"this adapter needs the library verifiers before 0.4, which cannot be imported ({error}); "
        "install it with: pip install 'codefeedback-env[verifiers-legacy]', or use "
        "codefeedback_env.adapters.verifiers with verifiers 0.4."
    ) from error

MAX_STEPS_AT_ONCE = 256  # that wait for the judge; a thread each

Messages = list[dict[str, str]]
T = TypeVar("T")


def load_environment(env_id: str = "CodeContests-v0", **options: Any) -> "CodeEnv":
    """The environment, with a row for each problem: its prompt and id, no tests.

    Args:
        env_id: what ``gymnasium.make`` calls it.
        options: those of ``gymnasium.make``.

    Raises:
        ConfigError: an option cannot work.
        DatasetError: the data is missing or cannot be read.
    """
    return CodeEnv(EnvironmentPool(env_id, **options))


class CodeEnv(vf.MultiTurnEnv):
    """The prompt, then the feedback on each reply, until the environment ends the episode.

    The reward is the sum over the turns, which ``state["turn_rewards"]`` lists; metrics are
    ``solved`` and ``cut_off`` (by a limit of verifiers', before the end). Where the sandbox failed,
    the rollout has an ``error`` and says nothing about the model.
    """

    def __init__(self, pool: EnvironmentPool) -> None:
        """Over environments that all rollouts share."""
        self._pool = pool
        self._playing: dict[str, CodeFeedbackEnv] = {}
        self._threads = ThreadPoolExecutor(MAX_STEPS_AT_ONCE, "codefeedback-step")
        rubric = vf.Rubric(funcs=[episode, solved, cut_off], weights=[1.0, 0.0, 0.0])
        # No max_turns: it would end a rollout before its last reply is judged.
        super().__init__(dataset=_rows(pool), rubric=rubric, max_turns=-1)

    async def setup_state(self, state: Any) -> Any:
        """Begin an episode on the row's problem."""
        env = await self._in_thread(self._pool.take)
        options = {"problem": state["info"]["problem_id"]}
        await self._in_thread(partial(env.reset, options=options))
        self._playing[state["trajectory_id"]] = env
        state["turn_rewards"], state["turn_infos"] = [], []
        return state

    async def env_response(self, messages: Any, state: Any, **kwargs: Any) -> Messages:
        """Judge the last reply."""
        # Taken out while a thread is in its step: if that is not waited for, it is not used again.
        env = self._playing.pop(state["trajectory_id"])
        reply = str(messages[-1]["content"] or "")
        step = await self._in_thread(partial(env.step, reply))
        feedback, reward, terminated, truncated, info = step
        self._playing[state["trajectory_id"]] = env
        if truncated:
            raise vf.SandboxError(info["sandbox_error"])
        state["turn_rewards"].append(float(reward))
        state["turn_infos"].append(info)
        if terminated:
            state["final_env_response"] = []
            return []
        return [{"role": "user", "content": feedback}]

    @vf.cleanup
    async def give_back(self, state: Any) -> None:
        """Give the environment back."""
        env = self._playing.pop(state["trajectory_id"], None)
        if env is not None:
            self._pool.give_back(env)

    async def _in_thread(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function)


async def episode(state: Any) -> float:
    """The sum of the rewards of all turns."""
    return float(sum(state.get("turn_rewards", [])))


async def solved(state: Any) -> float:
    """1 where the last program passed all tests."""
    return float(any(info.get("private_passed") for info in state.get("turn_infos", [])))


async def cut_off(state: Any) -> float:
    """1 where the rollout ended before the episode."""
    return float(not any("private_passed" in info for info in state.get("turn_infos", [])))


def _rows(pool: EnvironmentPool) -> Any:
    env = pool.take()
    rows = []
    for problem_id in pool.problems.ids:
        prompt, _ = env.reset(options={"problem": problem_id})
        rows.append(
            {
                "prompt": [{"role": "user", "content": prompt}],
                "answer": "",
                "info": {"problem_id": problem_id},
            }
        )
    pool.give_back(env)
    return datasets.Dataset.from_list(rows)
