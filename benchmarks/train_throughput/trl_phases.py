"""Our learner without a critic beside TRL's ``GRPOTrainer``, phase by phase, on the same episodes.

TRL runs in an environment of its own, for it pins other versions; ``trl_side`` tells what of it is
timed. Its padding is part of what is compared; rewards, advantages and logs are left out on both
sides.
"""

import contextlib
import dataclasses
import json
import os
import subprocess
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import torch

from agents.ppo.advantages import EpisodeScores, targets
from agents.ppo.learner import Learner
from agents.ppo.networks import build_networks
from agents.trajectory import Trajectory
from benchmarks.train_throughput.iterations import Iterations

GROUP = 2
"""Of the baseline of both."""

LEARNING_RATE = 1e-6
_SCRIPT = Path(__file__).with_name("trl_side.py")


class TrlUnavailableError(Exception):
    """An interpreter cannot run TRL's trainer."""


class TrlProcess:
    """A process with a ``GRPOTrainer``; ``ask`` names a method of ``trl_side.Trainer``."""

    def __init__(self, python: str, settings: dict[str, Any]) -> None:
        """Starts ``python``, an interpreter whose environment has trl.

        Args:
            python: its path, or its name on PATH.
            settings: ``model`` and ``out`` (folders), ``device``, ``precision``, ``num_threads``,
                ``minibatch``, ``micro_batch``, ``group``, ``reply``, ``recompute``, ``beta`` and
                ``learning_rate``.

        Raises:
            TrlUnavailableError: it cannot be started, or the trainer cannot be made.
        """
        environment = os.environ | {
            "OMP_NUM_THREADS": str(settings["num_threads"]),
            "HF_HUB_OFFLINE": "1",
            "TRL_EXPERIMENTAL_SILENCE": "1",
        }
        try:
            self._process = subprocess.Popen(
                [python, "-I", str(_SCRIPT), json.dumps(settings)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment,
            )
        except OSError as error:
            raise TrlUnavailableError(f"{python} does not start: {error}") from error
        try:
            answer = self._answer()
        except RuntimeError as error:
            self.close()
            raise TrlUnavailableError(f"{python}: {error}") from error
        if "error" in answer:
            self.close()
            raise TrlUnavailableError(
                f"{python} cannot run TRL's trainer: {answer['error']}. benchmarks/README.md tells "
                "how to make an environment for it."
            )
        self.versions: dict[str, str] = answer["versions"]

    def ask(self, phase: str, **arguments: Any) -> dict[str, Any]:
        """Have a phase done; returns what it says, ``seconds`` if it is timed."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"phase": phase, **arguments}).encode() + b"\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"TRL's interpreter ended: {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


class BesideTrl:
    """A learner without a critic, and TRL's trainer, with the same initial weights."""

    def __init__(self, iterations: Iterations, python: str, stack: ExitStack) -> None:
        """Starts TRL; ``stack`` ends it.

        Raises:
            TrlUnavailableError: ``python`` cannot run it.
        """
        config = dataclasses.replace(
            iterations.config,
            advantage="grpo",
            group_size=GROUP,
            learning_rate=LEARNING_RATE,
            warmup_updates=0,
        )
        self.micro_batch = micro_batch(
            config.minibatch_rollouts, config.max_context_tokens, config.max_tokens_per_pass
        )
        settings = {
            "model": config.model,
            "out": str(config.out / "trl"),
            "device": iterations.device.type,
            "precision": config.precision,
            "num_threads": torch.get_num_threads(),
            "minibatch": config.minibatch_rollouts,
            "micro_batch": self.micro_batch,
            "group": GROUP,
            "reply": config.max_reply_tokens,
            "recompute": config.gradient_checkpointing,
            "beta": config.beta,
            "learning_rate": LEARNING_RATE,
        }
        self._trl = stack.enter_context(closing(TrlProcess(python, settings)))
        networks = build_networks(config, iterations.device)
        self._learner = Learner(config, networks, iterations.accelerator)
        self._iterations = iterations
        self._number = 0
        self.versions = self._trl.versions
        self.num_padded_tokens = 0
        self.num_scored_tokens = 0
        self.first_logprob_difference: float | None = None
        """Mean over the reply tokens of the first batch, which both score with the same weights."""

    def compare(self, trajectories: Sequence[Trajectory]) -> dict[str, tuple[float, float]]:
        """Of each phase our seconds and TRL's, on these episodes."""
        trajectories = [
            dataclasses.replace(t, group=i // GROUP) for i, t in enumerate(trajectories)
        ]
        prompts = [trajectory.turns[0].prompt_ids for trajectory in trajectories]
        loaded = self._trl.ask("load", rows=[row_of(trajectory) for trajectory in trajectories])
        self.num_padded_tokens = loaded["num_padded_tokens"]
        self.num_scored_tokens = loaded["num_actions"]
        scores: list[EpisodeScores] = []
        sums = [0.0, 0.0]

        def score_ours() -> float:
            start = self._iterations.now()
            scores[:] = self._learner.score(trajectories)
            seconds = self._iterations.now() - start
            sums[0] = float(sum(score.logprobs.sum() for score in scores))
            return seconds

        def score_theirs() -> float:
            answer = self._trl.ask("score")
            sums[1] = answer["sum_logprobs"]
            return float(answer["seconds"])

        def update_ours() -> float:
            goals = targets(trajectories, scores, self._learner.config)
            start = self._iterations.now()
            self._learner.update(trajectories, scores, goals, self._number)
            return self._iterations.now() - start

        phases: dict[str, tuple[Callable[[], float], Callable[[], float]]] = {
            "generate": (
                lambda: self._iterations.generate(prompts),
                lambda: float(self._trl.ask("generate", prompts=prompts)["seconds"]),
            ),
            "score": (score_ours, score_theirs),
            "update": (update_ours, lambda: float(self._trl.ask("update")["seconds"])),
        }
        seconds = {}
        for name, (ours, theirs) in phases.items():
            if self._number % 2:  # so that neither always comes first
                of_theirs = theirs()
                seconds[name] = ours(), of_theirs
            else:
                seconds[name] = ours(), theirs()
        if self.first_logprob_difference is None:
            self.first_logprob_difference = abs(sums[0] - sums[1]) / self.num_scored_tokens
        self._number += 1
        return seconds


def micro_batch(minibatch: int, context: int, max_tokens: int) -> int:
    """As many padded sequences as fit into a pass and divide a minibatch."""
    most = max(1, max_tokens // context)
    return max(size for size in range(1, minibatch + 1) if minibatch % size == 0 and size <= most)


def row_of(trajectory: Trajectory) -> dict[str, list[int]]:
    """An episode as TRL has it: a prompt, and the rest with a mask over what the model wrote."""
    first = len(trajectory.turns[0].prompt_ids)
    mask = [int(turn >= 0) for turn in trajectory.turn_of_token]
    ids = trajectory.token_ids
    return {"prompt": ids[:first], "completion": ids[first:], "mask": mask[first:]}
