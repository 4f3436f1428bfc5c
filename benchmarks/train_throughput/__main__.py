"""``python -m benchmarks.train_throughput``: where the time of an RLEF iteration goes.

The parts of the trainer (environments, sandbox, generator, learner) run whole iterations on a model
of a known shape with random weights; see ``shapes`` for those, and ``limits`` for the formulas of
what a machine could do at best. Its matrix product and its copy are measured in the same rounds.

A random model never writes a program, so replies are two things here. For the model they are tokens
like any others: drawn, scored, trained on, every reply as long as the limit. For the environment
each is replaced, when it is handed in, by a real program of the bundled problems (``programs``).
So programs come at the rate at which replies end, the judge runs all their tests in the real
sandbox, feedback is real, and an episode takes as many turns as its programs give it.

How much judging is hidden behind generation is measured by playing the same episodes once more in
``ordered`` collection, which never judges while it generates. Where judge and model share cores,
hidden work is still work: ``overlap_times`` tells what all of collecting gains.

The first round warms up and does not count; results are medians over the others. EXPECTED was
written before the first measurement; a result names what missed it.
"""

import argparse
import dataclasses
import importlib.metadata
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from transformers.utils import logging

from agents.ppo.config import PPOConfig
from agents.ppo.networks import DTYPES
from benchmarks import record
from benchmarks.train_throughput import report
from benchmarks.train_throughput.iterations import Iterations
from benchmarks.train_throughput.limits import BYTES, measure_limits
from benchmarks.train_throughput.programs import NEARLY_RIGHT_CHANCE, RIGHT_CHANCE
from benchmarks.train_throughput.shapes import SHAPES, UPDATES, Shape, config_of, write_model
from benchmarks.train_throughput.trl_phases import GROUP, BesideTrl, TrlUnavailableError

EXPECTED: dict[str, dict[str, float]] = {
    "tiny": {
        "score_mfu": 0.25,
        "update_mfu": 0.2,
        "decode_share_of_bound": 0.2,
        "env_share": 0.3,
        "sync_s": 0.1,
        "judging_hidden": 0.3,
        "times_trl_generate": 1.0,
        "times_trl_score": 1.5,
        "times_trl_update": 1.5,
    },
    "0.5b": {
        "score_mfu": 0.3,
        "update_mfu": 0.3,
        "decode_share_of_bound": 0.45,
        "env_share": 0.05,
        "sync_s": 1.0,
    },
    "1.5b": {
        "score_mfu": 0.4,
        "update_mfu": 0.4,
        "decode_share_of_bound": 0.6,
        "env_share": 0.05,
        "sync_s": 1.0,
    },
    "8b": {
        "score_mfu": 0.45,
        "update_mfu": 0.45,
        "decode_share_of_bound": 0.6,
        "env_share": 0.05,
        "sync_s": 1.0,
    },
}
"""Of the medians of a shape's rates: at least, and of ``report.AT_MOST`` at most."""

PACKAGES = ("torch", "transformers", "accelerate", "peft")


def main(arguments: Sequence[str]) -> int:
    """Measure, print and report; returns 2 where the options ask for what cannot be."""
    options = _parser().parse_args(arguments)
    shape = SHAPES[options.shape]
    num_rollouts = options.rollouts or shape.rollouts
    lora_rank = shape.lora_rank if options.lora_rank is None else options.lora_rank
    device = torch.device(options.device)
    if problem := _unfit(options, shape, num_rollouts, lora_rank, device):
        record.say(problem)
        return 2
    if device.type == "cpu":
        # The matrices are too small to share, and the sandbox needs the other cores.
        torch.set_num_threads(1)
    quiet: Any = logging
    quiet.set_verbosity_error()
    quiet.disable_progress_bar()
    result = record.begin("train_throughput", arguments)
    result["versions"] |= {name: importlib.metadata.version(name) for name in PACKAGES}
    precision = "bfloat16" if device.type == "cuda" else "float32"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="throughput-")))
        write_model(shape, folder / "model", device, DTYPES[precision])
        config = config_of(
            shape,
            folder / "model",
            folder / "out",
            num_rollouts=num_rollouts,
            lora_rank=lora_rank,
            precision=precision,
        )
        iterations = Iterations(config, device, stack)
        beside = None
        if options.trl_python:
            try:
                beside = BesideTrl(iterations, options.trl_python, stack)
            except TrlUnavailableError as error:
                record.say(str(error))
                return 2
        rounds = measure(iterations, beside, shape, options.iterations)
    result |= {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "num_threads": torch.get_num_threads(),
        "settings": _settings(options, shape, config),
        **report.measured(rounds, shape, config),
        "num_sandbox_failures": iterations.num_sandbox_failures,
        "peak_gpu_memory_gib": _peak_gpu_memory_gib(device),
        "trl": None if beside is None else _of_trl(beside, rounds),
        "expected": EXPECTED[options.shape],
    }
    result["misses"] = report.misses_of(result["rates"], result["expected"])
    console = Console(stderr=True, width=100)
    for table in report.tables_of(result):
        console.print(table)
    for miss in result["misses"]:
        record.say(f"MISSED: {miss}")
    record.finish(result, folder=options.save)
    return 0


def measure(
    iterations: Iterations, beside: BesideTrl | None, shape: Shape, num_rounds: int
) -> list[report.Round]:
    """So many rounds after one that warms up."""
    config = iterations.config
    size = BYTES[config.precision]
    cache = config.num_rollouts * (shape.prompt + shape.reply // 2) * shape.kv_bytes(size)
    working_set = cache + size * (shape.trunk_weights + shape.head_weights)
    rounds = []
    for number in range(num_rounds + 1):
        limits = measure_limits(iterations.device, DTYPES[config.precision], working_set)
        seconds = iterations.iterate()
        played = iterations.trajectories
        one = report.Round(
            seconds=seconds,
            lengths=[trajectory.num_tokens for trajectory in played],
            num_reply_tokens=sum(trajectory.num_reply_tokens for trajectory in played),
            num_turns=sum(len(trajectory.turns) for trajectory in played),
            limits=limits,
            decode=iterations.decode_rate(),
            beside=beside.compare(played) if beside else {},
        )
        record.say(f"round {number} of {num_rounds}: iteration {seconds['iteration']:.2f} s")
        if number:
            rounds.append(one)
    return rounds


def _unfit(
    options: argparse.Namespace,
    shape: Shape,
    num_rollouts: int,
    lora_rank: int,
    device: torch.device,
) -> str | None:
    """Why this cannot be measured here, and what to do; None if it can."""
    if num_rollouts % (UPDATES * GROUP):
        return f"--rollouts must be a multiple of {UPDATES * GROUP}, not {num_rollouts}."
    if lora_rank and options.trl_python:
        return "TRL is compared without LoRA only; leave out --trl-python, or set --lora-rank 0."
    needed = shape.gpu_gib(num_rollouts, lora_rank)
    what = (
        f"--shape {options.shape} needs an NVIDIA GPU with bfloat16 and more than {needed:.0f} GiB"
    )
    if device.type == "cuda" and not torch.cuda.is_available():
        return f"--device cuda: torch {torch.__version__} sees no GPU here."
    if device.type == "cpu":
        if shape.needs_gpu:
            return f"{what}, and a torch that sees it; here is none. --shape tiny runs on a CPU."
        return None
    if not torch.cuda.is_bf16_supported(including_emulation=False):
        return f"{what}; {torch.cuda.get_device_name(device)} has no bfloat16."
    there = torch.cuda.get_device_properties(device).total_memory / (1 << 30)
    if there < needed:
        name = torch.cuda.get_device_name(device)
        return f"{what}; {name} has {there:.0f}. Fewer --rollouts, or a --lora-rank, need less."
    return None


def _settings(options: argparse.Namespace, shape: Shape, config: PPOConfig) -> dict[str, Any]:
    return {
        "shape": options.shape,
        **dataclasses.asdict(shape),
        "matrix_weights": shape.trunk_weights + shape.head_weights,
        "rollouts": config.num_rollouts,
        "minibatch_rollouts": config.minibatch_rollouts,
        "lora_rank": config.lora_rank,
        "precision": config.precision,
        "seed": config.seed,
        "iterations": options.iterations,
        "right_chance": RIGHT_CHANCE,
        "nearly_right_chance": NEARLY_RIGHT_CHANCE,
    }


def _of_trl(beside: BesideTrl, rounds: Sequence[report.Round]) -> dict[str, Any]:
    return {
        "versions": beside.versions,
        "micro_batch": beside.micro_batch,
        "num_tokens": sum(rounds[-1].lengths),
        "num_padded_tokens": beside.num_padded_tokens,
        "num_scored_tokens": beside.num_scored_tokens,
        "first_logprob_difference": beside.first_logprob_difference,
        "phases": report.beside_trl(rounds),
    }


def _peak_gpu_memory_gib(device: torch.device) -> float | None:
    if device.type != "cuda":
        return None
    return round(torch.cuda.max_memory_allocated(device) / (1 << 30), 2)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.train_throughput",
        description="Measure the phases of training iterations.",
    )
    add = parser.add_argument
    add("--shape", choices=tuple(SHAPES), default="tiny", help="default: %(default)s")
    add(
        "--lora-rank",
        type=_rank,
        metavar="R",
        help="0 trains all weights; default: 16 for 8b, else 0",
    )
    add(
        "--device",
        choices=("cpu", "cuda"),
        default="cuda" if torch.cuda.is_available() else "cpu",
        help="default: the GPU if there is one",
    )
    add(
        "--rollouts",
        type=record.positive,
        metavar="N",
        help="episodes of an iteration, a multiple of 8; default: 16 for tiny, else 256",
    )
    add(
        "--iterations",
        type=record.positive,
        default=5,
        metavar="N",
        help="after one that warms up; default: %(default)s",
    )
    add(
        "--trl-python",
        metavar="PYTHON",
        help="an interpreter that has trl, to be measured beside; default: none",
    )
    record.add_save_option(parser)
    return parser


def _rank(text: str) -> int:
    return 0 if text == "0" else record.positive(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
