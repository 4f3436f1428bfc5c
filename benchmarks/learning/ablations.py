"""``python -m benchmarks.learning.ablations``: what each choice of the algorithm is worth.

Every variant differs from the paper's algorithm in one choice and trains the same models on the
same tasks, too briefly to saturate. Reported are the solve rate on held-out tasks with true
feedback, and the solve rate over the whole of training, as means over seeds with 95% intervals and
as paired differences from the paper's. There is no expectation to miss: the numbers are the result.

Runs are appended to OUT/runs.jsonl, and those that are there are not run again.
"""

import argparse
import importlib.metadata
import json
import math
import shutil
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from transformers.utils import logging as transformers_logging

from benchmarks import record
from benchmarks.learning.__main__ import PACKAGES, SIZES
from benchmarks.learning.model import TinyModel, write_model
from benchmarks.learning.runs import NUM_EVALUATION_EPISODES, run, training_settings
from benchmarks.learning.tasks import FAMILIES, write_tasks

PAPER = "paper"
GROUPED = {"group_size": 8}
VARIANTS: dict[str, dict[str, Any]] = {
    PAPER: {},
    "token-level value": {"value_level": "token"},
    "token-level value, GAE 0.95": {
        "value_level": "token",
        "advantage": "gae",
        "gae_lambda": 0.95,
    },
    "GAE 0.95 over turns": {"advantage": "gae", "gae_lambda": 0.95},
    "KL of the product": {"kl_form": "product"},
    "KL per token, token-level value": {"kl_form": "token", "value_level": "token"},
    "no KL": {"beta": 0.0},
    "group mean": {"advantage": "group-mean", **GROUPED},
    "leave one out, per turn": {"advantage": "leave-one-out", **GROUPED},
    "GRPO": {"advantage": "grpo", **GROUPED},
    "GRPO, dynamic sampling": {"advantage": "grpo", "dynamic_sampling": True, **GROUPED},
    "clip higher": {"clip_range_high": 0.28},
    "no floor under the deviation": {"advantage_std_floor": 1e-6},
    "critic first": {"critic_warmup_iterations": 3},
    "loss per turn": {"loss_average": "turn"},
    "fraction passed": {"reward": "fraction"},
}
"""Settings that differ from those of the learning proof."""

NUM_ITERATIONS = 30
SEEDS = [3, 4, 5]
_T_975 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}
"""Student's t by degrees of freedom, two-sided 95%."""


def main(arguments: Sequence[str]) -> int:
    """Run what is missing, print and report."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(1)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    result = record.begin("learning.ablations", arguments)
    result["versions"] |= {name: importlib.metadata.version(name) for name in PACKAGES}
    runs = measure(options)
    result |= {
        "family": options.family,
        "iterations": options.iterations,
        "seeds": options.seeds,
        "model": asdict(TinyModel()),
        "settings": training_settings(options.iterations, "torch"),
        "num_evaluation_episodes": NUM_EVALUATION_EPISODES,
        "variants": {name: VARIANTS[name] for name in options.only},
        "summary": summary(runs, options.only),
        "runs": runs,
    }
    _print(result)
    record.finish(result, folder=options.save)
    return 0


def measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    """The runs of all variants and seeds; seeds in the outer loop, so that a part is balanced."""
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    log = out / "runs.jsonl"
    done = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    wanted = {
        (options.family, options.iterations, seed, name)
        for seed in options.seeds
        for name in options.only
    }
    runs = [row for row in done if _key(row) in wanted]
    present = {_key(row) for row in runs}
    family = FAMILIES[options.family]
    problems = write_tasks(family, out / f"problems-{family.name}", SIZES, seed=0)
    for seed in options.seeds:
        model = out / f"model-{family.name}-{seed}"
        if not model.exists():
            write_model(family, model, seed=seed)
        for name in options.only:
            if (family.name, options.iterations, seed, name) in present:
                continue
            folder = out / "under-way"
            shutil.rmtree(folder, ignore_errors=True)  # of a run that was stopped
            settings = {**training_settings(options.iterations, "torch"), **VARIANTS[name]}
            record.say(f"{name}, seed {seed}")
            trained = run("true", seed, model, problems, folder, settings, lambda _: None, ["true"])
            row = row_of(trained, name, family.name, options.iterations)
            with log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            runs.append(row)
    return runs


def row_of(trained: Mapping[str, Any], name: str, family: str, iterations: int) -> dict[str, Any]:
    """What is kept of a run."""
    score = trained["evaluation"]["true"]
    return {
        "variant": name,
        "family": family,
        "iterations": iterations,
        "seed": trained["seed"],
        "heldout": score["num_solved"] / score["num_episodes"],
        "training": statistics.fmean(row["solve_rate"] for row in trained["curve"]),
        "curve": [round(row["solve_rate"], 4) for row in trained["curve"]],
        "max_kl": max(row["kl"] for row in trained["curve"]),
        "wall_s": trained["wall_s"],
    }


def summary(runs: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """For each variant and metric: mean, half-width of its interval, difference from the paper's.

    Differences are between runs of the same seed, so of the same model before training. An
    interval of one seed has no width and is None.
    """
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        by_seed = {row["seed"]: row for row in runs if row["variant"] == name}
        base = {row["seed"]: row for row in runs if row["variant"] == PAPER}
        found[name] = {"num_seeds": len(by_seed)}
        for metric in ("heldout", "training"):
            values = [row[metric] for row in by_seed.values()]
            found[name][metric] = interval(values)
            if name != PAPER and base:
                paired = [
                    row[metric] - base[seed][metric]
                    for seed, row in by_seed.items()
                    if seed in base
                ]
                found[name][f"{metric}_minus_paper"] = interval(paired)
    return found


def interval(values: Sequence[float]) -> dict[str, float | None]:
    """Mean and half-width of Student's 95% interval of a mean."""
    half = None
    if len(values) > 1:
        degrees = min(len(values) - 1, max(_T_975))
        half = _T_975[degrees] * statistics.stdev(values) / math.sqrt(len(values))
    return {"mean": statistics.fmean(values), "half_width": half}


def _key(row: Mapping[str, Any]) -> tuple[str, int, int, str]:
    return row["family"], row["iterations"], row["seed"], row["variant"]


def _print(result: Mapping[str, Any]) -> None:
    table = Table(
        title=f"{result['family']}, {result['iterations']} iterations, seeds {result['seeds']}"
    )
    table.add_column("variant")
    for name in ("held out", "minus paper's", "while training", "minus paper's"):
        table.add_column(name, justify="right")
    for name, row in result["summary"].items():
        metrics = ("heldout", "heldout_minus_paper", "training", "training_minus_paper")
        table.add_row(name, *(_text(row.get(metric)) for metric in metrics))
    Console(stderr=True, width=120).print(table)


def _text(found: Mapping[str, float | None] | None) -> str:
    if found is None:
        return ""
    half = found["half_width"]
    return f"{found['mean']:.3f}" + ("" if half is None else f" ± {half:.3f}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.learning.ablations", description=__doc__
    )
    add = parser.add_argument
    add("--family", choices=tuple(FAMILIES), default="const")
    add("--seeds", type=record.positives, default=SEEDS, metavar="N,M", help="default: 3,4,5")
    add("--iterations", type=record.positive, default=NUM_ITERATIONS, metavar="N")
    add("--only", type=_variants, default=list(VARIANTS), metavar="A;B", help=";".join(VARIANTS))
    add("--out", type=Path, default=Path("runs/ablations"), help="default: %(default)s")
    record.add_save_option(parser)
    return parser


def _variants(text: str) -> list[str]:
    names = text.split(";")
    for name in names:
        if name not in VARIANTS:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {'; '.join(VARIANTS)}")
    return names


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
