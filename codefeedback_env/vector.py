"""Many episodes at once over one judge."""

import queue
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from codefeedback_env.dialogue import EpisodeRules, Outcome, Steps
from codefeedback_env.env import CodeFeedbackEnv, JudgeLike
from codefeedback_env.episode import Episode
from codefeedback_env.errors import (
    ConfigError,
    EnvClosedError,
    SandboxError,
    SandboxUnavailableError,
)
from codefeedback_env.judge.protocol import JudgeReport

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
StepResult = tuple[tuple[str, ...], Floats, Bools, Bools, dict[str, Any]]
_Single = tuple[str, float, bool, bool, dict[str, Any]]


class CodeFeedbackVectorEnv(VectorEnv[tuple[str, ...], Sequence[str], Any]):
    """``num_envs`` environments whose programs are judged in parallel.

    Synchronous use is Gymnasium's: ``reset`` and ``step``, in one of its autoreset modes.
    Asynchronous use is EnvPool's: ``async_reset()``, then ``recv`` and ``send`` in turn, so that no
    episode waits for another's slow program. Observations and actions are sequences of strings; the
    infos have Gymnasium's layout, an array and a mask for each key.
    """

    def __init__(
        self,
        num_envs: int,
        rules: EpisodeRules,
        judge: JudgeLike,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
    ) -> None:
        """Environments over the same objects.

        Raises:
            ConfigError: ``num_envs`` is no positive number or the mode is unknown.
        """
        if not isinstance(num_envs, int) or isinstance(num_envs, bool):
            raise ConfigError(f"num_envs={num_envs!r} must be a whole number.")
        if num_envs < 1:
            raise ConfigError(f"num_envs={num_envs} must be at least 1.")
        try:
            self.autoreset_mode = AutoresetMode(autoreset_mode)
        except ValueError as error:
            known = [mode.value for mode in AutoresetMode]
            raise ConfigError(f"autoreset_mode={autoreset_mode!r} is none of {known}.") from error
        self.num_envs = num_envs
        self.render_mode = render_mode
        self.metadata = {**CodeFeedbackEnv.metadata, "autoreset_mode": self.autoreset_mode}
        self.rules = rules
        self._judge = judge
        self._envs = [CodeFeedbackEnv(rules, judge, render_mode) for _ in range(num_envs)]
        self.single_observation_space = self._envs[0].observation_space
        self.single_action_space = self._envs[0].action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._steps: dict[int, Steps] = {}
        self._futures: dict[int, Future[JudgeReport]] = {}
        self._judged: queue.SimpleQueue[tuple[int, Future[JudgeReport]]] = queue.SimpleQueue()
        self._results: deque[tuple[int, _Single]] = deque()
        self._needs_reset = np.zeros(num_envs, dtype=bool)
        self._last_observations = [""] * num_envs

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[tuple[str, ...], dict[str, Any]]:
        """Begin an episode in every environment, or in those of ``options["reset_mask"]``.

        Args:
            seed: environment i gets ``seed + i``, or the i-th of a sequence.
            options: ``problem``, an id for all or a sequence of one for each; ``reset_mask``, an
                array of bools, shape (num_envs,): the others keep their last observation.

        Raises:
            ConfigError: lengths do not fit.
        """
        options = dict(options or {})
        mask = options.pop("reset_mask", None)
        chosen = np.ones(self.num_envs, dtype=bool) if mask is None else np.asarray(mask)
        if chosen.shape != (self.num_envs,) or chosen.dtype != np.bool_ or not chosen.any():
            raise ConfigError(
                f"reset_mask must be {self.num_envs} bools, at least one of them true, "
                f"but got {mask!r}."
            )
        seeds = self._seeds(seed)
        problems = self._problems(options.pop("problem", None))
        self._abandon_steps(np.flatnonzero(chosen))
        infos: dict[int, dict[str, Any]] = {}
        for env_id in np.flatnonzero(chosen):
            env_options = {**options, "problem": problems[env_id]}
            observation, info = self._envs[env_id].reset(seed=seeds[env_id], options=env_options)
            self._last_observations[env_id] = observation
            self._needs_reset[env_id] = False
            infos[int(env_id)] = info
        rows = [infos.get(env_id, {}) for env_id in range(self.num_envs)]
        return tuple(self._last_observations), stack_infos(rows)

    def step(self, actions: Sequence[str]) -> StepResult:
        """One reply for each environment; returns when all are judged.

        Raises as ``send`` does.
        """
        if len(actions) != self.num_envs:
            raise ConfigError(f"step() needs {self.num_envs} actions but got {len(actions)}.")
        self.send(actions, range(self.num_envs))
        results = sorted(self._collect(self.num_envs))
        return self._stack([result for _, result in results])

    def async_reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> None:
        """Begin an episode in every environment; ``recv`` hands out the observations."""
        options = dict(options or {})
        seeds = self._seeds(seed)
        problems = self._problems(options.pop("problem", None))
        self._abandon_steps(range(self.num_envs))
        for env_id, env in enumerate(self._envs):
            env_options = {**options, "problem": problems[env_id]}
            observation, info = env.reset(seed=seeds[env_id], options=env_options)
            self._needs_reset[env_id] = False
            self._finish(env_id, (observation, 0.0, False, False, info))

    def send(self, actions: Sequence[str], env_ids: Sequence[int]) -> None:
        """Hand in replies for some environments, each after its last result was received.

        Nothing is handed in where one of these is raised.

        Raises:
            ConfigError: an id is out of range, comes up twice, or its environment is busy.
            TypeError: an action is no string, or ``actions`` is a single one.
            gymnasium.error.ResetNeeded: an environment has no episode under way.
            EnvClosedError: after ``close``.
        """
        if isinstance(actions, str):
            raise TypeError(f"actions must be a sequence of replies but is one: {actions!r:.80}")
        ids = [int(env_id) for env_id in env_ids]
        if len(ids) != len(actions):
            raise ConfigError(f"{len(actions)} actions for {len(ids)} environments.")
        if wrong := [i for i in ids if not 0 <= i < self.num_envs]:
            raise ConfigError(f"env_ids {wrong} are out of range; there are {self.num_envs}.")
        pending = set(self._steps) | {env_id for env_id, _ in self._results}
        if busy := [i for i in ids if i in pending or ids.count(i) > 1]:
            raise ConfigError(f"env_ids {busy} have a step under way; recv() it first.")
        for env_id, action in zip(ids, actions, strict=True):
            if not self._resets_next(env_id):
                self._envs[env_id].check_step(action)
        for env_id, action in zip(ids, actions, strict=True):
            self._begin(env_id, action)

    def recv(self, min_envs: int = 1) -> StepResult:
        """Wait for at least ``min_envs`` results and return all there are.

        Args:
            min_envs: 0 does not wait, and may return no rows.

        Returns:
            Observations, rewards, terminations, truncations and infos with one row for each result;
            ``infos["env_id"]`` says whose it is.

        Raises:
            ConfigError: fewer than ``min_envs`` steps are under way.
            EnvClosedError: after ``close``.
        """
        if self.closed:
            raise EnvClosedError("recv() after close(); make a new environment.")
        num_pending = len(self._steps) + len(self._results)
        if not 0 <= min_envs <= num_pending:
            raise ConfigError(
                f"recv(min_envs={min_envs}) but {num_pending} environments have a step under way."
            )
        results = self._collect(min_envs)
        stacked = self._stack([result for _, result in results])
        stacked[4]["env_id"] = np.array([env_id for env_id, _ in results], dtype=np.int64)
        return stacked

    def get_state(self) -> dict[str, Any]:
        """The places of all environments in their orders of problems, as JSON has it."""
        return {"envs": [env.get_state() for env in self._envs]}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on where ``get_state`` was called, with the next ``reset()`` without a seed.

        Episodes under way are dropped.

        Raises:
            ConfigError: this is no such state, or one of other environments.
        """
        envs = state.get("envs")
        if not isinstance(envs, list) or len(envs) != self.num_envs:
            num_envs = len(envs) if isinstance(envs, list) else "no"
            raise ConfigError(f"a state of {num_envs} environments, and here are {self.num_envs}.")
        self._abandon_steps(range(self.num_envs))
        for env, env_state in zip(self._envs, envs, strict=True):
            env.set_state(env_state)

    def last_episode(self, env_id: int) -> Episode | None:
        """The record of the episode that ended last in one environment."""
        return self._envs[env_id].last_episode

    def render(self) -> tuple[str | None, ...]:  # type: ignore[override]
        """The transcript of each environment."""
        return tuple(env.render() for env in self._envs)

    def close_extras(self, **kwargs: Any) -> None:
        """Let go of the judge's workers."""
        self._abandon_steps(range(self.num_envs))
        for env in self._envs:
            env.close()

    def __repr__(self) -> str:
        """As of one environment, with their number."""
        inner = repr(self._envs[0]).strip("<>").replace("CodeFeedbackEnv ", "", 1)
        return f"<{type(self).__name__} num_envs={self.num_envs}, {inner}>"

    def _resets_next(self, env_id: int) -> bool:
        """Whether the next action is ignored and begins an episode."""
        is_next_step = self.autoreset_mode is AutoresetMode.NEXT_STEP
        return is_next_step and bool(self._needs_reset[env_id])

    def _begin(self, env_id: int, action: str) -> None:
        env = self._envs[env_id]
        if self._resets_next(env_id):
            observation, info = env.reset()
            self._needs_reset[env_id] = False
            self._finish(env_id, (observation, 0.0, False, False, info))
            return
        self._steps[env_id] = env.begin_step(action)
        self._advance(env_id, None)

    def _advance(self, env_id: int, answer: JudgeReport | SandboxError | None) -> None:
        """Run a step up to its next call to the judge, or to its end."""
        steps = self._steps[env_id]
        future: Future[JudgeReport] | None = None
        while future is None:
            try:
                if isinstance(answer, SandboxError):
                    call = steps.throw(answer)
                else:
                    call = next(steps) if answer is None else steps.send(answer)
            except StopIteration as done:
                del self._steps[env_id]
                self._end(env_id, done.value)
                return
            try:
                future = self._judge.submit(call.problem, call.submission, call.plan)
            except SandboxUnavailableError:
                raise
            except SandboxError as error:
                answer = error
        self._futures[env_id] = future
        judged = self._judged
        future.add_done_callback(lambda done: judged.put((env_id, done)))

    def _end(self, env_id: int, outcome: Outcome) -> None:
        env = self._envs[env_id]
        observation, reward, terminated, truncated, info = env.end_step(outcome)
        if terminated or truncated:
            self._needs_reset[env_id] = True
            if self.autoreset_mode is AutoresetMode.SAME_STEP:
                final = {"final_obs": observation, "final_info": info}
                observation, info = env.reset()
                info = {**final, **info}
                self._needs_reset[env_id] = False
        self._finish(env_id, (observation, reward, terminated, truncated, info))

    def _finish(self, env_id: int, result: _Single) -> None:
        self._last_observations[env_id] = result[0]
        self._results.append((env_id, result))

    def _collect(self, min_results: int) -> list[tuple[int, _Single]]:
        while True:
            must_wait = len(self._results) < min_results
            try:
                env_id, future = self._judged.get(block=must_wait)
            except queue.Empty:
                break
            if self._futures.get(env_id) is not future:
                continue  # of a step that was abandoned
            del self._futures[env_id]
            error = future.exception()
            if isinstance(error, SandboxUnavailableError) or (
                error is not None and not isinstance(error, SandboxError)
            ):
                raise error
            self._advance(env_id, error if error is not None else future.result())
        results = list(self._results)
        self._results.clear()
        return results

    def _abandon_steps(self, env_ids: Iterable[int]) -> None:
        """Forget the steps under way in these environments, and results not received."""
        abandoned = {int(env_id) for env_id in env_ids}
        for env_id in abandoned:
            self._steps.pop(env_id, None)
            future = self._futures.pop(env_id, None)
            if future is not None:
                self._judge.cancel(future)
        self._results = deque(item for item in self._results if item[0] not in abandoned)

    def _stack(self, results: Sequence[_Single]) -> StepResult:
        columns = zip(*results, strict=True) if results else ((),) * 5
        observations, rewards, terminations, truncations, infos = columns
        return (
            observations,
            np.array(rewards, dtype=np.float64),
            np.array(terminations, dtype=np.bool_),
            np.array(truncations, dtype=np.bool_),
            stack_infos(infos),
        )

    def _seeds(self, seed: int | Sequence[int | None] | None) -> list[int | None]:
        """One for each environment."""
        if seed is None:
            return [None] * self.num_envs
        if isinstance(seed, int | np.integer):
            return [int(seed) + env_id for env_id in range(self.num_envs)]
        return self._one_each("seed", seed)

    def _problems(self, problem: str | Sequence[str | None] | None) -> list[str | None]:
        """One for each environment."""
        if problem is None or isinstance(problem, str):
            return [problem] * self.num_envs
        return self._one_each("options['problem']", problem)

    def _one_each(self, what: str, values: Any) -> list[Any]:
        try:
            listed = list(values)
        except TypeError as error:
            raise ConfigError(
                f"{what}={values!r:.80} must be one value for all environments, or a sequence of "
                "one for each."
            ) from error
        if len(listed) != self.num_envs:
            raise ConfigError(f"{what} has {len(listed)} values for {self.num_envs} environments.")
        return listed


def stack_infos(infos: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Infos of several environments in Gymnasium's layout.

    For each key an array, shape (len(infos),), of numbers or objects, and under ``_key`` a mask of
    the rows that have it. Dictionaries become dictionaries of arrays; ``final_obs`` stays as it is.
    """
    stacked: dict[str, Any] = {}
    for key in dict.fromkeys(key for info in infos for key in info):
        rows = [row for row, info in enumerate(infos) if key in info]
        mask = np.zeros(len(infos), dtype=np.bool_)
        mask[rows] = True
        values = [infos[row][key] for row in rows]
        if isinstance(values[0], dict):
            stacked[key] = stack_infos([info.get(key, {}) for info in infos])
        else:
            kind = type(values[0])
            dtype: Any = kind if kind in (int, float, bool) else object
            array = (
                np.zeros(len(infos), dtype)
                if dtype is not object
                else np.full(len(infos), None, dtype=object)
            )
            for row, value in zip(rows, values, strict=True):
                array[row] = value
            stacked[key] = array
        stacked[f"_{key}"] = mask
    return stacked
