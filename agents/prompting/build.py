"""From names and settings to prompting agents and their backends."""

import inspect
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from agents.generation.chat import ChatBackend
from agents.generation.model import ModelSettings
from agents.generation.openai_ import OpenAIBackend, ServerSettings
from agents.prompting.driver import PromptingPolicy
from agents.prompting.few_shot import few_shot, read_shots
from agents.prompting.multi_turn import multi_turn
from agents.prompting.plan_and_repair import plan_and_repair
from agents.prompting.repair_model import repair_model
from agents.prompting.role_play import role_play
from agents.prompting.sampling_and_filtering import sampling_and_filtering
from agents.prompting.self_reflection import self_reflection
from agents.prompting.single_turn import single_turn
from agents.prompting.task import MAIN, REPAIR, Plan
from codefeedback_env import ConfigError, ProblemSet

BACKENDS = ("torch", "vllm", "openai", "scripted")

PROMPTING_AGENTS: dict[str, Callable[..., Plan]] = {
    "single-turn": single_turn,
    "multi-turn": multi_turn,
    "few-shot": few_shot,
    "sampling-and-filtering": sampling_and_filtering,
    "plan-and-repair": plan_and_repair,
    "role-play": role_play,
    "self-reflection": self_reflection,
    "repair-model": repair_model,
}

ENVIRONMENTS_WORDS = frozenset({single_turn, multi_turn, few_shot, repair_model})
"""Agents that send the environment's messages as they are, which are cut as the paper cuts them;
prompts of the others hold a task, answers and feedback, and have no end to be cut at."""


@dataclass(frozen=True, kw_only=True)
class PromptingSettings:
    """What prompting agents may be told besides their model; each reads its own of these."""

    backend: str = "torch"
    """torch, vllm, openai (any server that speaks its protocol) or scripted."""

    script: Path | None = None
    """Of --backend scripted: JSON lines {"when": pattern, "say": text}."""

    shots: Path | None = None
    """Of few-shot: episodes.jsonl of an evaluation, for its solved episodes of 2 or 3 turns."""

    num_shots: int = 2
    """Of few-shot: examples; the paper does not say how many."""

    num_samples: int = 20
    """Of sampling-and-filtering: candidates."""

    num_inputs: int = 8
    """Of sampling-and-filtering: inputs on which candidates are compared."""

    num_own_tests: int = 6
    """Of plan-and-repair: tests that the model writes, at most."""

    num_repairs: int = 3
    """Of plan-and-repair: on the public tests, and on the model's own."""

    num_plans: int = 3
    """Of role-play: plans to try."""

    num_debugs: int = 3
    """Of role-play: attempts to debug each program."""

    num_reflections: int = 3
    """Of self-reflection: explanations that an attempt reads."""

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ConfigError: a value is out of range; says which.
        """
        if self.backend not in BACKENDS:
            raise ConfigError(f"backend={self.backend!r} is none of {', '.join(BACKENDS)}.")
        for name in ("num_shots", "num_samples", "num_plans", "num_reflections"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}={getattr(self, name)} must be at least 1.")
        for name in ("num_inputs", "num_own_tests", "num_repairs", "num_debugs"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name}={getattr(self, name)} must not be negative.")
        if (self.script is None) == (self.backend == "scripted"):
            raise ConfigError("--backend scripted needs --script, which no other backend takes.")


@dataclass(frozen=True, kw_only=True)
class PromptingPlayer:
    """A prompting agent with its model, chosen and checked but not loaded."""

    agent: str
    prompting: PromptingSettings
    model: ModelSettings
    """Of a server's, only model, repair_model and sampling count."""

    server: ServerSettings | None
    """None where the model is not a server's."""

    @property
    def libraries(self) -> tuple[str, ...]:
        """Modules that must be there."""
        return {
            "torch": ("torch", "transformers"),
            "vllm": ("torch", "transformers", "vllm"),
            "openai": ("httpx2",),
            "scripted": (),
        }[self.prompting.backend]

    def describe(self) -> dict[str, Any]:
        """Everything that decides on the replies, in JSON's types."""
        settings = {
            field.name: getattr(self.model, field.name)
            for field in fields(ModelSettings)
            if self.server is None or field.name in SERVER_MODEL_FIELDS
        }
        options = {"backend": self.prompting.backend, **_arguments(self.agent, self.prompting)}
        if self.prompting.script is not None:
            options["script"] = self.prompting.script
        server = {} if self.server is None else vars(self.server)
        described = {**settings, **options, **server}
        return {n: str(v) if isinstance(v, Path) else v for n, v in described.items()}

    def load(
        self, problems: ProblemSet, env_options: Mapping[str, Any], num_conversations: int
    ) -> PromptingPolicy:
        """Load models or connect to the server.

        Args:
            problems: that will be asked about.
            env_options: of the environment: how programs are judged there.
            num_conversations: at once at most.

        Raises:
            ConfigError: a model or a file cannot be loaded.
        """
        arguments = _arguments(self.agent, self.prompting)
        if "shots" in arguments:
            arguments["shots"] = read_shots(arguments["shots"])
        agent = partial(PROMPTING_AGENTS[self.agent], **arguments)
        names = {MAIN: self.model.model, REPAIR: self.model.repair_model}
        with ExitStack() as stack:
            backends: dict[str, ChatBackend] = {}
            for role, name in names.items():
                if name is not None:
                    backends[role] = stack.enter_context(
                        closing(self._backend(name, num_conversations))
                    )
            stack.pop_all()
        return PromptingPolicy(
            agent,
            backends,
            self.model.sampling,
            problems,
            env_options,
            max_episodes=max(1024, 8 * num_conversations),
        )

    def _backend(self, name: str, num_conversations: int) -> ChatBackend:
        if self.server is not None:
            return OpenAIBackend(name, self.server)
        if self.prompting.script is not None:
            from agents.generation.chat_scripted import ScriptedBackend, read_script

            return ScriptedBackend(read_script(self.prompting.script))
        from agents.generation.chat_tokens import load_token_backend

        # Agents that sample ask for several completions of a conversation at once.
        at_once = num_conversations * _arguments(self.agent, self.prompting).get("num_samples", 1)
        return load_token_backend(name, self.model, min(at_once, MAX_BATCH))


MAX_BATCH = 256
"""Rows of a model's cache."""

SERVER_MODEL_FIELDS = ("model", "repair_model", "temperature", "top_p", "max_reply_tokens")
LOCAL_MODEL_FIELDS = tuple(
    field.name for field in fields(ModelSettings) if field.name not in SERVER_MODEL_FIELDS
)


def choose_player(agent: str, given: Mapping[str, Any]) -> PromptingPlayer:
    """The agent and model that options name.

    Args:
        agent: a name of ``PROMPTING_AGENTS``.
        given: values for fields of ModelSettings, PromptingSettings and ServerSettings, None where
            there is none.

    Raises:
        ConfigError: one is missing, out of range, or not read by this agent and backend.
    """
    given = {name: value for name, value in given.items() if value is not None}
    prompting = PromptingSettings(**_chosen(given, PromptingSettings))
    backend = prompting.backend
    read = {"backend", "script", *_arguments(agent, prompting)}
    _refuse(given, {f.name for f in fields(PromptingSettings)} - read, f"--agent {agent}")
    if backend != "openai":
        _refuse(given, {field.name for field in fields(ServerSettings)}, f"--backend {backend}")
    if backend in ("openai", "scripted"):
        _refuse(given, set(LOCAL_MODEL_FIELDS), f"--backend {backend}")
    if "generator" in given:
        raise ConfigError("--generator is for --agent model; here --backend says which.")
    if ("repair_model" in given) != (agent == "repair-model"):
        raise ConfigError("--agent repair-model needs --repair-model, which no other takes here.")
    if "shots" in read and prompting.shots is None:
        raise ConfigError(f"--agent {agent} needs --shots, the episodes.jsonl of an evaluation.")
    if backend == "scripted":
        given.setdefault("model", "scripted")
    if "model" not in given:
        raise ConfigError(f"--agent {agent} needs --model, a folder or the name of one.")
    model = _chosen(given, ModelSettings)
    longest = model.get("max_reply_tokens", ModelSettings.max_reply_tokens)
    if backend in ("openai", "scripted"):  # whose context nobody here knows
        model["max_context_tokens"] = ModelSettings.max_prompt_tokens + longest
    else:
        model["generator"] = backend
        if PROMPTING_AGENTS[agent] not in ENVIRONMENTS_WORDS:
            context = model.get("max_context_tokens", ModelSettings.max_context_tokens)
            model.setdefault("max_prompt_tokens", max(context - longest, 1))
    return PromptingPlayer(
        agent=agent,
        prompting=prompting,
        model=ModelSettings(**model),
        server=ServerSettings(**_chosen(given, ServerSettings)) if backend == "openai" else None,
    )


def _arguments(agent: str, prompting: PromptingSettings) -> dict[str, Any]:
    """The settings that an agent reads: those its function has parameters for."""
    parameters = inspect.signature(PROMPTING_AGENTS[agent]).parameters.values()
    names = [p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY]
    return {name: getattr(prompting, name) for name in names}


def _chosen(given: Mapping[str, Any], settings: type[Any]) -> dict[str, Any]:
    names = {field.name for field in fields(settings)}
    return {name: value for name, value in given.items() if name in names}


def _refuse(given: Mapping[str, Any], names: set[str], where: str) -> None:
    for name in sorted(names & given.keys()):
        option = f"--{name.replace('_', '-')}"
        raise ConfigError(f"{option} has no meaning with {where}; leave it out.")
