"""One model, trained in one way and tried under every kind of feedback."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from agents.chat import chat_format
from agents.environments import env_options, make_envs
from agents.generation.tokens import Sampling
from agents.generation.torch_ import TorchGenerator
from agents.ppo.config import PPOConfig
from agents.ppo.evaluation import choose, evaluate
from agents.ppo.rollout import DialogueLimits, RolloutEngine
from agents.ppo.trainer import train
from agents.trajectory import Trajectory
from benchmarks.learning.model import MAX_CONTEXT, MAX_MESSAGE, MAX_TURNS
from codefeedback_env import Episode

ENV = "CodeFeedback-v0"
MAX_REPLY = 12
"""Tokens; a valid reply has six at most."""

NUM_EVALUATION_EPISODES = 512
EVALUATION_TEMPERATURE = 0.2  # of 1@3, Gehring et al. 2025, section 3.1
NUM_TRANSCRIPTS = 3


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a model is told, and how often it may reply."""

    source: str
    turn_limit: int = MAX_TURNS


ARMS = {
    "true": Feedback("public"),
    "random": Feedback("random"),
    "single": Feedback("public", turn_limit=1),
}
"""How a model is trained."""

CONDITIONS = {**ARMS, "none": Feedback("none")}
"""How it is tried afterwards."""

PHASES = ("generate", "judge_wait", "env", "score", "update", "sync", "evaluate", "checkpoint")
"""Of an iteration, one after the other, as the trainer logs them in seconds."""

OF_THE_MODEL = ("generate", "score", "update")
"""Phases of forward passes, backward passes and the drawing of replies."""


def training_settings(num_iterations: int, generator: str) -> dict[str, Any]:
    """The settings that all arms share; the others are the paper's."""
    return {
        "env": ENV,
        "chat": "plain",
        "max_prompt_tokens": MAX_MESSAGE,
        "max_feedback_tokens": MAX_MESSAGE,
        "max_reply_tokens": MAX_REPLY,
        "max_context_tokens": MAX_CONTEXT,
        "num_rollouts": 256,
        "num_envs": 256,
        "minibatch_rollouts": 64,
        "num_epochs": 2,
        "learning_rate": 1e-3,
        "warmup_updates": 80,
        "schedule": "linear",
        "final_rate_fraction": 0.1,
        "weight_decay": 0.0,
        "target_kl": 0.05,
        "precision": "float32",
        "num_iterations": num_iterations,
        "generator": generator,
        "eval_every": 10,
        "checkpoint_every": 0,
    }


def run(
    arm: str,
    seed: int,
    model: Path,
    problems: dict[str, Path],
    out: Path,
    settings: dict[str, Any],
    say: Callable[[str], None],
    conditions: Sequence[str] = tuple(CONDITIONS),
) -> dict[str, Any]:
    """Train one model and evaluate it.

    Args:
        arm: name of one of ``ARMS``.
        seed: of training.
        model: folder of the model to begin with.
        problems: files of the splits train, valid and heldout.
        out: folder of the run, which must hold none yet.
        settings: from ``training_settings``.
        say: told how it goes.
        conditions: names of those of ``CONDITIONS`` under which it is tried.

    Returns:
        A row of the result's ``runs``, see ``report.page``.
    """
    start, cpu_start = time.perf_counter(), time.process_time()
    feedback = ARMS[arm]
    curve: list[dict[str, Any]] = []
    phases = dict.fromkeys(PHASES, 0.0)

    def observe(metrics: dict[str, Any]) -> None:
        for name in PHASES:
            phases[name] += metrics[f"{name}_s"]
        curve.append(_row(metrics, feedback.turn_limit))
        if metrics["iteration"] % 10 == 0:
            rates = ", ".join(f"{rate:.2f}" for rate in curve[-1]["solved_by_turn"])
            say(f"{arm}, seed {seed}, iteration {metrics['iteration']}: solved by turn {rates}")

    config = PPOConfig(
        model=str(model),
        out=out,
        path=problems["train"],
        valid_path=problems["valid"],
        feedback=feedback.source,
        turn_limit=feedback.turn_limit,
        seed=seed,
        **settings,
    )
    trained = train(config, observer=observe)
    end, cpu_end = time.perf_counter(), time.process_time()
    evaluation = {
        name: score(
            try_out(trained, problems["heldout"], CONDITIONS[name], NUM_EVALUATION_EPISODES)
        )
        for name in conditions
    }
    shown = [
        try_out(folder, problems["heldout"], feedback, NUM_TRANSCRIPTS)
        for folder in (model, trained)
    ]
    return {
        "arm": arm,
        "seed": seed,
        "curve": curve,
        "evaluation": evaluation,
        "transcripts": {
            name: [transcript(t.episode) for t in trajectories if t.episode is not None]
            for name, trajectories in zip(("before", "after"), shown, strict=True)
        },
        "sandbox": sandbox_of(shown[0]),
        "wall_s": round(end - start, 1),
        "cpu_s": round(cpu_end - cpu_start, 1),
        "phases": phases_of(phases, end - start),
    }


def phases_of(seconds: Mapping[str, float], wall_s: float) -> dict[str, Any]:
    """Where the time of training went.

    Args:
        seconds: of each of ``PHASES``, over all iterations.
        wall_s: of training from loading the model to writing the last one.

    Returns:
        ``seconds``, with ``other`` for what is in no phase, such as starting the sandbox and the
        evaluation before the first iteration, and ``outside_model``: the share of the wall time
        that is not in ``OF_THE_MODEL``. Replies drawn while evaluating count as outside.
    """
    in_phases = {name: round(value, 2) for name, value in seconds.items()}
    of_model = sum(seconds[name] for name in OF_THE_MODEL)
    return {
        "seconds": in_phases | {"other": round(wall_s - sum(seconds.values()), 2)},
        "outside_model": round(1 - of_model / wall_s, 4),
    }


def try_out(model: Path, problems: Path, feedback: Feedback, num_episodes: int) -> list[Trajectory]:
    """Play held-out problems with a stored model; the same ones with the same seeds each time."""
    chat = chat_format(AutoTokenizer.from_pretrained(model), "plain")
    given = {"path": problems, "feedback": feedback.source, "turn_limit": feedback.turn_limit}
    vec, loaded = make_envs(ENV, min(256, num_episodes), env_options(ENV, given))
    generator = TorchGenerator(
        model, stop_ids=chat.stop_ids, max_context=MAX_CONTEXT, max_batch=vec.num_envs
    )
    with closing(vec), closing(generator):
        engine = RolloutEngine(
            vec,
            generator,
            chat,
            DialogueLimits(
                max_prompt=MAX_MESSAGE, max_feedback=MAX_MESSAGE, max_context=MAX_CONTEXT
            ),
            Sampling(temperature=EVALUATION_TEMPERATURE, max_new_tokens=MAX_REPLY),
        )
        num_rollouts = -(-num_episodes // len(loaded.ids))
        rollouts = choose(loaded.ids, None, num_rollouts, seed=0)[:num_episodes]
        _, trajectories = evaluate(engine, rollouts, feedback.turn_limit)
    return trajectories


def score(trajectories: Sequence[Trajectory]) -> dict[str, int]:
    """How many episodes were solved."""
    return {
        "num_solved": sum(trajectory.private_passed for trajectory in trajectories),
        "num_episodes": len(trajectories),
    }


def transcript(episode: Episode) -> dict[str, Any]:
    """What was said, in JSON's types."""
    return {
        "problem_id": episode.problem_id,
        "prompt": episode.prompt,
        "turns": [
            {"reply": turn.reply, "feedback": turn.feedback, "reward": turn.reward}
            for turn in episode.turns
        ],
        "private_passed": episode.private_passed,
    }


def sandbox_of(trajectories: Sequence[Trajectory]) -> str:
    """Where the programs ran, as the records say."""
    episode = trajectories[0].episode
    return "unknown" if episode is None else str(episode.settings.get("sandbox", "unknown"))


def _row(metrics: dict[str, Any], turn_limit: int) -> dict[str, Any]:
    """What the report shows of an iteration."""
    return {
        "iteration": metrics["iteration"],
        "solve_rate": metrics["solve_rate"],
        "solved_by_turn": [metrics[f"solved_by_turn_{n}"] for n in range(1, turn_limit + 1)],
        **{name: metrics[name] for name in ("invalid_reply_rate", "kl", "iteration_s")},
    }
