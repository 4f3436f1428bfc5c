"""A training run of seconds: a tiny model that can write programs, and tasks it could learn."""

import json
from pathlib import Path
from typing import Any

from agents.ppo.config import PPOConfig
from benchmarks.learning.model import MAX_CONTEXT, MAX_MESSAGE, TinyModel, write_model
from benchmarks.learning.tasks import FAMILIES, write_tasks

SIZE = TinyModel(hidden_size=32, num_layers=1, num_heads=2, warm_up_steps=60)
SETTINGS: dict[str, Any] = {
    "env": "CodeFeedback-v0",
    "chat": "plain",
    "precision": "float32",
    "max_prompt_tokens": MAX_MESSAGE,
    "max_feedback_tokens": MAX_MESSAGE,
    "max_reply_tokens": 8,
    "max_context_tokens": MAX_CONTEXT,
    "num_rollouts": 16,
    "num_envs": 16,
    "minibatch_rollouts": 8,
    "learning_rate": 1e-3,
    "warmup_updates": 2,
    "num_iterations": 3,
    "eval_every": 0,
    "checkpoint_every": 1,
    "ordered": True,
}


def write_files(folder: Path) -> None:
    """Model and problems, for all runs of a test session."""
    family = FAMILIES["const"]
    write_tasks(family, folder / "problems", {"train": 12, "valid": 6}, seed=0)
    write_model(family, folder / "model", seed=0, size=SIZE)


def small_config(files: Path, out: Path, **settings: Any) -> PPOConfig:
    """The settings of a run of seconds, some changed."""
    return PPOConfig(
        model=str(files / "model"),
        out=out,
        path=files / "problems" / "train.jsonl",
        valid_path=files / "problems" / "valid.jsonl",
        **SETTINGS | settings,
    )


def metrics(out: Path) -> list[dict[str, Any]]:
    """What a run logged, an entry for each iteration."""
    return [entry for entry in all_metrics(out) if entry["iteration"]]


def all_metrics(out: Path) -> list[dict[str, Any]]:
    """As above, with the evaluation before training as iteration 0."""
    lines = (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]
