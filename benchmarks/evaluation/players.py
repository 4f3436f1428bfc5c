"""From options to an agent, and the agent of a cell: with the suite's temperature and top-p."""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields
from typing import Any

from agents.environments import look_up
from agents.generation.base import Generator
from agents.generation.model import (
    GENERATORS,
    ModelPolicy,
    ModelSettings,
    WithRepair,
    load_model_policy,
)
from agents.generation.openai_ import ServerSettings
from agents.generation.scripted import SCRIPTED_POLICIES
from agents.prompting.build import (
    PROMPTING_AGENTS,
    PromptingPlayer,
    PromptingSettings,
    choose_player,
)
from agents.prompting.driver import PromptingPolicy
from agents.train import need
from benchmarks.evaluation.suite import Cell
from codefeedback_env import ConfigError, ProblemSet

MODEL = "model"
SETTINGS: tuple[type[Any], ...] = (ModelSettings, PromptingSettings, ServerSettings)
SUITES_OWN = ("temperature", "top_p")
"""Settings of models that the suite says, cell by cell."""


@dataclass(frozen=True)
class Player:
    """An agent that was chosen and checked but not loaded."""

    agent: str
    given: Mapping[str, Any]
    """Values for the fields of ``SETTINGS``."""

    settings: ModelSettings | PromptingPlayer | None
    """None for agents without a model."""

    @property
    def libraries(self) -> tuple[str, ...]:
        """Modules that must be there."""
        if isinstance(self.settings, PromptingPlayer):
            return self.settings.libraries
        if self.settings is None:
            return ()
        return ("torch", "transformers", *(("vllm",) * (self.settings.generator == "vllm")))

    @property
    def model(self) -> ModelSettings | None:
        """Lengths and sampling; None for agents without a model."""
        chosen = self.settings
        return chosen.model if isinstance(chosen, PromptingPlayer) else chosen

    @property
    def server(self) -> ServerSettings | None:
        """None where the model is not a server's."""
        return self.settings.server if isinstance(self.settings, PromptingPlayer) else None

    def describe(self) -> dict[str, Any] | None:
        """Everything that decides on replies but is not the suite's, in JSON's types."""
        chosen = self.settings
        if chosen is None:
            return None
        described = chosen.describe() if isinstance(chosen, PromptingPlayer) else asdict(chosen)
        return {name: value for name, value in described.items() if name not in SUITES_OWN}

    def sampling_as(self, cell: Cell) -> "Player":
        """The same agent with the cell's temperature and top-p."""
        if self.settings is None:
            return self
        sampling = {"temperature": cell.temperature, "top_p": cell.top_p}
        return choose(self.agent, {**self.given, **sampling})

    def load(
        self, problems: ProblemSet, env_options: Mapping[str, Any], num_envs: int
    ) -> Generator:
        """Load its model, if it has one."""
        if isinstance(self.settings, PromptingPlayer):
            return self.settings.load(problems, env_options, num_envs)
        if self.settings is not None:
            return load_model_policy(self.settings, num_envs)
        return SCRIPTED_POLICIES[self.agent](problems, env_options)

    def adapt(
        self, generator: Generator, problems: ProblemSet, env_options: Mapping[str, Any]
    ) -> None:
        """Let its model, which was loaded for another cell, play with this sampling on these."""
        assert self.model is not None
        if isinstance(generator, PromptingPolicy):
            generator.prepare(self.model.sampling, problems, env_options)
        elif isinstance(generator, ModelPolicy | WithRepair):
            generator.sampling = self.model.sampling


class Players:
    """The agent of one cell after the other; a model is loaded once for all of them.

    Args:
        player: that plays them all.
        num_envs: conversations at once at most.
    """

    def __init__(self, player: Player, num_envs: int) -> None:
        """See the class."""
        self._player = player
        self._num_envs = num_envs
        self._loaded_for: object = None
        self._generator: Generator | None = None
        self.caveats: dict[str, None] = {}
        """What agents said of their replies, each remark once, in order."""

        self.spent: list[dict[str, Any]] = []
        """What the models of prompting agents took."""

        self.load_time_s = 0.0

    def __enter__(self) -> "Players":
        """Nothing is loaded yet."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Release the agent."""
        self._release()

    def generator_for(
        self, cell: Cell, problems: ProblemSet, env_options: Mapping[str, Any]
    ) -> Generator:
        """The agent for a cell.

        How many turns there are and what feedback says matters to no agent, so scripted agents are
        made anew only where something else differs.
        """
        player = self._player.sampling_as(cell)
        shared = {
            name: value
            for name, value in env_options.items()
            if name not in ("turn_limit", "feedback")
        }
        wanted = (id(problems), shared)
        if self._generator is not None and player.model is not None:
            player.adapt(self._generator, problems, env_options)
        elif self._generator is None or wanted != self._loaded_for:
            self._release()
            start = time.perf_counter()
            self._generator = player.load(problems, env_options, self._num_envs)
            self.load_time_s += time.perf_counter() - start
            self._loaded_for = wanted
        return self._generator

    def _release(self) -> None:
        if self._generator is None:
            return
        with ExitStack() as stack:
            stack.callback(self._generator.close)
            self.caveats.update(dict.fromkeys(self._generator.caveats))
            if isinstance(self._generator, PromptingPolicy):
                self.spent.append(self._generator.spent)
        self._generator = None


def agent_names() -> list[str]:
    """All agents that can play."""
    return [*SCRIPTED_POLICIES, MODEL, *PROMPTING_AGENTS]


def choose(agent: str, given: Mapping[str, Any]) -> Player:
    """The agent that options name.

    Args:
        agent: one of ``agent_names``.
        given: values for fields of ``SETTINGS``, None where there is none.

    Raises:
        CodeFeedbackError: there is no such agent, or its options do not fit.
    """
    look_up("agent", agent, dict.fromkeys(agent_names()))
    given = {name: value for name, value in given.items() if value is not None}
    settings: ModelSettings | PromptingPlayer | None
    if agent in PROMPTING_AGENTS:
        settings = choose_player(agent, given)
    elif agent == MODEL:
        settings = _model(given)
    else:
        if others := sorted(given.keys() - set(SUITES_OWN)):
            raise ConfigError(f"--{others[0].replace('_', '-')} is for agents with a model.")
        settings = None
    player = Player(agent, given, settings)
    need(player.libraries)
    return player


def _model(given: Mapping[str, Any]) -> ModelSettings:
    values = dict(given)
    if (backend := values.pop("backend", None)) is not None:
        if backend not in GENERATORS or "generator" in values:
            raise ConfigError(
                f"--backend {backend} cannot be with --agent {MODEL}, whose models are run here: "
                f"{' or '.join(GENERATORS)}; prompting agents take others."
            )
        values["generator"] = backend
    names = {field.name for field in fields(ModelSettings)}
    if others := sorted(values.keys() - names):
        raise ConfigError(f"--{others[0].replace('_', '-')} is for prompting agents.")
    if "model" not in values:
        raise ConfigError(f"--agent {MODEL} needs --model, a folder or the name of one.")
    return ModelSettings(**values)
