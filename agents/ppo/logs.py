"""Where the numbers of a run go: JSON lines always, a tracker, and a dashboard on a terminal."""

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from agents.ppo.checkpoints import CheckpointError
from agents.ppo.config import PPOConfig
from agents.ppo.dashboard import Dashboard
from codefeedback_env import ConfigError

Entry = dict[str, Any]


class Tracker(Protocol):
    """A service that draws curves."""

    def log(self, entry: Entry) -> None:
        """Take the metrics of an iteration."""

    def close(self) -> None:
        """Write out what is left."""


class Logs:
    """Metrics of each iteration to OUT/metrics.jsonl, to the tracker and to the terminal."""

    def __init__(self, config: PPOConfig, iteration: int) -> None:
        """Opens the tracker; ``iteration`` is where a resumed run stands.

        Raises:
            ConfigError: the tracker's library is not installed.
        """
        self._path: Path | None = config.out / "metrics.jsonl"
        self._tracker: Tracker | None = TRACKERS[config.logger](config, iteration)
        self._dashboard: Dashboard | None = Dashboard(config, iteration)

    @classmethod
    def silent(cls) -> Self:
        """For processes other than the main one."""
        logs = cls.__new__(cls)
        logs._path = logs._tracker = logs._dashboard = None
        return logs

    def __enter__(self) -> Self:
        """Begin to draw."""
        if self._dashboard is not None:
            self._dashboard.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop drawing; close the tracker."""
        if self._dashboard is not None:
            self._dashboard.stop()
        if self._tracker is not None:
            self._tracker.close()

    def collecting(self, num_ended: int) -> None:
        """So many episodes of this iteration have ended."""
        if self._dashboard is not None:
            self._dashboard.collecting(num_ended)

    def phase(self, name: str) -> None:
        """What the run does now."""
        if self._dashboard is not None:
            self._dashboard.phase(name)

    def before_training(self, evaluation: Entry) -> None:
        """The first evaluation, logged as iteration 0."""
        self._keep({"iteration": 0, **evaluation})
        if self._dashboard is not None:
            self._dashboard.before_training(evaluation)

    def iteration(self, entry: Entry) -> None:
        """The metrics of a finished iteration, ``entry["iteration"]`` among them."""
        self._keep(entry)
        if self._dashboard is not None:
            self._dashboard.iteration(entry)

    def _keep(self, entry: Entry) -> None:
        if self._path is not None:
            line = json.dumps({name: _plain(value) for name, value in entry.items()}) + "\n"
            try:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(line)
            except OSError as error:
                raise CheckpointError(
                    f"{self._path} could not be written: {error}. Free some space and resume."
                ) from error
        if self._tracker is not None:
            self._tracker.log(entry)


class _TensorBoard:
    def __init__(self, config: PPOConfig, iteration: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ConfigError(
                "logger='tensorboard' needs the package tensorboard: pip install tensorboard."
            ) from error
        # What a resumed run does again must not be drawn twice.
        self._writer = SummaryWriter(str(config.out / "tensorboard"), purge_step=iteration + 1)

    def log(self, entry: Entry) -> None:
        for name, value in entry.items():
            if isinstance(value, int | float) and name != "iteration":
                self._writer.add_scalar(name, value, entry["iteration"])

    def close(self) -> None:
        self._writer.close()


class _Project:
    """Weights & Biases, and trackio, which has the same functions."""

    def __init__(self, module_name: str, config: PPOConfig) -> None:
        try:
            self._module = __import__(module_name)
        except ImportError as error:
            raise ConfigError(
                f"logger={module_name!r} needs the package: pip install {module_name}."
            ) from error
        settings = json.loads(json.dumps(dataclasses.asdict(config), default=str))
        self._module.init(project="codefeedback", name=config.out.name, config=settings)

    def log(self, entry: Entry) -> None:
        self._module.log(entry, step=entry["iteration"])

    def close(self) -> None:
        self._module.finish()


TRACKERS: dict[str, Callable[[PPOConfig, int], Tracker]] = {
    "tensorboard": _TensorBoard,
    "wandb": lambda config, iteration: _Project("wandb", config),
    "trackio": lambda config, iteration: _Project("trackio", config),
}


def _plain(value: Any) -> Any:
    """JSON has no NaN."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
