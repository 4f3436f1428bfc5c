"""The environment as a SkyRL-gym environment, and its problems as rows for SkyRL's trainer.

SkyRL looks environments up in a registry of each process, so ``register`` belongs into the task in
which the trainer runs::

    from codefeedback_env.adapters import skyrl
    skyrl.register("codefeedback", "CodeContests-v0", split="train")
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from codefeedback_env import CodeFeedbackEnv, ConfigError
from codefeedback_env.adapters.environments import EnvironmentPool

try:
    import skyrl_gym
    from skyrl_gym.envs.base_text_env import BaseTextEnv, BaseTextEnvStepOutput
except ImportError as error:
    raise ConfigError(
        f"the SkyRL adapter needs the library skyrl-gym, which cannot be imported ({error}); "
        "install it with: pip install 'codefeedback-env[skyrl]'"
    ) from error

Message = dict[str, str]
ENV_CLASS = "codefeedback"  # what rows call the environment
ROWS_AT_ONCE = 1000


def register(name: str = ENV_CLASS, env_id: str = "CodeContests-v0", **options: Any) -> None:
    """Register an environment with SkyRL-gym in this process.

    Args:
        name: ``env_class`` of the rows it is for.
        env_id: what ``gymnasium.make`` calls it.
        options: those of ``gymnasium.make``; without ``turn_limit``, SkyRL's ``max_turns`` holds.
    """
    pool = EnvironmentPool(env_id, **options)
    skyrl_gym.register(name, "codefeedback_env.adapters.skyrl:SkyRLEnv", {"pool": pool})


class SkyRLEnv(BaseTextEnv):
    """One episode of ``CodeFeedbackEnv`` by SkyRL-gym's interface; the rewards are the same.

    ``metadata`` of a step is the environment's info. Where the sandbox failed the episode is
    ``done`` with reward 0 and ``metadata["sandbox_error"]``, and counts in ``sandbox_failed`` alone
    of all metrics; the third failure of an environment in a row raises SandboxError.
    """

    def __init__(
        self, pool: EnvironmentPool, extras: Mapping[str, Any], env_config: Any = None
    ) -> None:
        """As SkyRL's generator calls it; takes no time, as that happens in its event loop.

        Args:
            pool: where the environment comes from; ``register`` gives it.
            extras: the row: ``reward_spec.ground_truth`` is the problem's id, ``max_turns`` the
                turn limit.
            env_config: of SkyRL's configuration; must be empty.

        Raises:
            ConfigError: the row has no problem id, or there are two turn limits.
        """
        super().__init__()
        if env_config:
            raise ConfigError(f"env_config={env_config!r} is not read; give options to register().")
        try:
            self.problem_id = str(extras["reward_spec"]["ground_truth"])
        except (KeyError, TypeError) as error:
            raise ConfigError(
                "a row has no reward_spec.ground_truth, the id of its problem; write rows with "
                "codefeedback_env.adapters.skyrl.write_rows."
            ) from error
        wanted, allowed = pool.options.get("turn_limit"), extras.get("max_turns")
        if wanted is not None and allowed is not None and wanted != allowed:
            raise ConfigError(
                f"turn_limit={wanted} of the environment, but generator.max_turns={allowed}; "
                "set max_turns to the same, or leave turn_limit out."
            )
        self._pool = pool
        self._turn_limit = None if allowed is None else int(allowed)
        self._env: CodeFeedbackEnv | None = None
        self._info: dict[str, Any] = {}

    def init(self, prompt: list[Message]) -> tuple[list[Message], dict[str, Any]]:
        """Begin the episode; what comes before the row's last message is kept, such as a system's.

        Raises:
            ConfigError: the row's last message is not what the environment asks.
            UnknownProblemError: there is no such problem.
        """
        self._env = self._env or self._pool.take(self._turn_limit)
        observation, self._info = self._env.reset(options={"problem": self.problem_id})
        self.turns, self.max_turns = 0, self._env.rules.turn_limit
        if prompt and prompt[-1]["content"] != observation:
            raise ConfigError(
                f"the row of problem {self.problem_id!r} asks something else than the environment; "
                "write the rows again, with the options that register() was given."
            )
        return [*prompt[:-1], {"role": "user", "content": observation}], dict(self._info)

    def step(self, action: str) -> BaseTextEnvStepOutput:
        """Judge a reply; waits until that is done, without holding other threads up.

        Raises:
            SandboxError: the sandbox failed for the third time in a row.
        """
        if self._env is None:
            raise ConfigError("step() before init(), or after close().")
        observation, reward, terminated, truncated, self._info = self._env.step(action)
        self.turns += 1
        done = terminated or truncated
        return BaseTextEnvStepOutput(
            observations=[] if done else [{"role": "user", "content": observation}],
            reward=float(reward),
            done=done,
            metadata=dict(self._info),
        )

    def close(self) -> None:
        """Give the environment back."""
        if self._env is not None:
            self._pool.give_back(self._env, self._turn_limit)
            self._env = None

    def get_metrics(self) -> dict[str, Any]:
        """Of this episode: solved, turns, cut_off (before its end, by SkyRL), sandbox_failed."""
        failed = "sandbox_error" in self._info
        return {
            "solved": bool(self._info.get("private_passed", False)),
            "turns": self.turns,
            "cut_off": not failed and "private_passed" not in self._info,
            "sandbox_failed": failed,
        }

    @staticmethod
    def aggregate_metrics(metrics: list[dict[str, Any]]) -> dict[str, Any]:
        """Means over the episodes; those where the sandbox failed count as nothing else."""
        judged = [episode for episode in metrics if not episode["sandbox_failed"]]
        means = {
            name: sum(episode[name] for episode in judged) / len(judged)
            for name in ("solved", "turns", "cut_off")
            if judged
        }
        if metrics:
            means["sandbox_failed"] = 1 - len(judged) / len(metrics)
        return means


def rows(
    env_id: str = "CodeContests-v0",
    *,
    env_class: str = ENV_CLASS,
    system_prompt: str | None = None,
    **options: Any,
) -> Iterator[dict[str, Any]]:
    """A row for each problem, as SkyRL's trainer reads them: the id of the problem, no tests.

    Args:
        env_id: what ``gymnasium.make`` calls the environment.
        env_class: the name given to ``register``.
        system_prompt: a message before the problem.
        options: those given to ``register``.
    """
    pool = EnvironmentPool(env_id, **options)
    env = pool.take()
    system = [{"role": "system", "content": system_prompt}] if system_prompt else []
    for index, summary in enumerate(pool.problems.summaries):
        observation, info = env.reset(options={"problem": summary.id})
        yield {
            "data_source": pool.problems.name,
            "prompt": [*system, {"role": "user", "content": observation}],
            "env_class": env_class,
            "reward_spec": {"method": "rule", "ground_truth": summary.id},
            "extra_info": {
                "split": info["split"],
                "index": index,
                "difficulty": summary.difficulty or "",
            },
        }
    env.close()


def write_rows(path: str | Path, env_id: str = "CodeContests-v0", **options: Any) -> int:
    """Write ``rows(env_id, **options)`` to a parquet file; how many there are."""
    import pyarrow
    import pyarrow.parquet

    all_rows = rows(env_id, **options)
    writer, count = None, 0
    while part := list(islice(all_rows, ROWS_AT_ONCE)):
        table = pyarrow.Table.from_pylist(part)
        writer = writer or pyarrow.parquet.ParquetWriter(path, table.schema)
        writer.write_table(table)
        count += len(part)
    if writer is not None:
        writer.close()
    return count
