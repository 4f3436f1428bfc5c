"""The same suite and model through every backend: equal replies, equal records, and how fast.

A tiny model with random weights plays the bundled suite at temperature 0 in float32: by torch, by
vLLM in the suite's process, and by a server, which is ``vllm serve``. Each run is a process of its
own, started as a user starts it; backends take turns, and the first round warms up::

    python -m benchmarks.backends --save

The two local backends must write the same replies in all turns. Where one differs, the model is
asked once more, by transformers: only a token whose logit is less than 1e-4 above the second one's
may differ. A server leaves control tokens out of its texts, and reads what was said as text, which
it encodes anew; so there the first replies must have the same tokens, and later ones are counted
only.
"""

import argparse
import importlib.metadata
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from agents.evaluate import distributions
from agents.generation.model import ModelSettings
from agents.generation.tokens import GeneratorError
from benchmarks import record
from benchmarks.backends.comparison import TIE, compare, explain, record_keys
from benchmarks.backends.runs import NEEDS, SUITE, Played, play, why_missing
from codefeedback_env import CodeFeedbackError

BASE = "torch"
"""The backend that others are compared with."""

EXPECTED = {
    "num_unexplained": 0,
    "record_keys_differ": [],
    "vllm_over_torch": 0.5,
    "openai_over_vllm": 0.5,
}
"""Written down before the first measurement; the ratios are of tokens per second, at least."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and save; returns 1 where an expectation is missed, 2 after an error."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser().parse_args(arguments)
    result = record.begin("backends", arguments)
    try:
        with tempfile.TemporaryDirectory() as folder:
            result.update(measure(options, Path(folder)))
    except (CodeFeedbackError, GeneratorError) as error:
        print(f"benchmarks.backends: error: {error}", file=sys.stderr)
        return 2
    _print(result)
    record.finish(result, folder=options.save)
    return 0 if result["holds"] else 1


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All rounds of all backends that can be run here."""
    record.say(f"expected: {EXPECTED}")
    missing = {name: text for name in options.backends if (text := why_missing(name))}
    for name, text in missing.items():
        record.say(f"{name} is left out: {text}")
    names = [name for name in options.backends if name not in missing]
    from benchmarks.backends.model import MAX_CONTEXT, SHAPE, write_model

    model = folder / "model"
    num_weights = write_model(model)
    settings = ModelSettings(
        model=str(model),
        precision="float32",
        chat="plain",
        temperature=0.0,
        max_reply_tokens=options.reply_tokens,
        max_context_tokens=MAX_CONTEXT,
    )
    rounds = _play_rounds(options, names, settings, folder)
    compared = _compare(rounds, settings)
    measured = {name: _summary([each[name] for each in rounds[1:]]) for name in names}
    libraries = distributions(("torch", "transformers", "vllm", "httpx2"))
    result = {
        "versions": {**record.versions(), **{n: importlib.metadata.version(n) for n in libraries}},
        "suite": SUITE,
        "model": {**SHAPE, "num_weights": num_weights},
        "precision": "float32",
        "num_envs": options.num_envs,
        "max_reply_tokens": options.reply_tokens,
        "repeats": options.repeats,
        "backends": {name: measured.get(name) for name in options.backends},
        "missing": missing,
        "expected": EXPECTED,
        **compared,
    }
    return {**result, **verdict(measured, compared)}


def verdict(measured: Mapping[str, Any], compared: Mapping[str, Any]) -> dict[str, Any]:
    """What of ``EXPECTED`` holds; ratios of backends that were not measured are None."""
    ratios: dict[str, float | None] = {}
    for first, second in (("vllm", "torch"), ("openai", "vllm")):
        both = first in measured and second in measured
        ratios[f"{first}_over_{second}"] = (
            measured[first]["tokens_per_s"] / measured[second]["tokens_per_s"] if both else None
        )
    missed = [
        f"{name} is {ratio:.2f}, expected at least {EXPECTED[name]}"
        for name, ratio in ratios.items()
        if ratio is not None and ratio < EXPECTED[name]  # type: ignore[operator]  # a number
    ]
    num_unexplained = sum(each["num_unexplained"] for each in compared["comparison"].values())
    if num_unexplained:
        missed.append(f"{num_unexplained} replies differ and no tie explains it")
    if compared["record_keys_differ"]:
        missed.append(f"records differ in {', '.join(compared['record_keys_differ'])}")
    return {**ratios, "missed": missed, "holds": not missed}


def _play_rounds(
    options: argparse.Namespace, names: Sequence[str], settings: ModelSettings, folder: Path
) -> list[dict[str, Played]]:
    """One round to warm up and those that count, each with all backends in turn."""
    chosen = {"problems": options.problems, "rollouts": 1, "num_envs": options.num_envs}
    suite_options = [
        f"--{name.replace('_', '-')}={value}" for name, value in chosen.items() if value is not None
    ]
    rounds: list[dict[str, Played]] = []
    with ExitStack() as stack:
        base_url = None
        if "openai" in names:
            from benchmarks.backends.served import served

            record.say("starting vllm serve")
            log = folder / "serve.log"
            context = settings.max_context_tokens
            base_url = stack.enter_context(served(Path(settings.model), context, log))
        for number in range(options.repeats + 1):
            rounds.append({})
            for name in names:
                out = folder / f"{name}-{number}"
                url = base_url if name == "openai" else None
                played = play(name, settings, url, out, suite_options)
                rounds[-1][name] = played
                record.say(
                    f"round {number}, {name}: {played.num_replies} replies of {played.num_tokens} "
                    f"tokens in {played.play_s:.2f} s, loaded in {played.load_s:.2f} s"
                )
    return rounds


def _compare(rounds: Sequence[Mapping[str, Played]], settings: ModelSettings) -> dict[str, Any]:
    """Replies and records of all rounds, against the first one with torch."""
    from benchmarks.backends.replays import Replays

    base = rounds[0][BASE]
    ours, keys = base.episodes(), record_keys(base.records)
    other_keys: set[str] = set()
    comparison: dict[str, Any] = {}
    with closing(Replays(Path(settings.model), settings)) as replays:
        for name in rounds[0]:
            served = replays.served_text if name == "openai" else None
            counted = {"num_compared": 0, "num_equal": 0, "num_unexplained": 0}
            differences: list[dict[str, Any]] = []
            num_later = num_later_equal = 0
            for played in (each[name] for each in rounds):
                theirs = played.episodes()
                other_keys |= keys ^ record_keys(played.records)
                found = compare(ours, theirs, max_turns=1 if name == "openai" else None)
                counted["num_compared"] += found.num_compared
                counted["num_equal"] += found.num_compared - len(found.differences)
                for each in found.differences:
                    replay = replays.replay(ours[each.problem_id, each.rollout], each.turn)
                    differences.append(explain(each, replay, replays.chat.reply_text, served))
                for key, episode in ours.items():
                    pairs = list(zip(episode.turns, theirs[key].turns, strict=False))[1:]
                    num_later += len(pairs)
                    num_later_equal += sum(mine.reply == other.reply for mine, other in pairs)
            counted["num_unexplained"] = sum(each["why"] is None for each in differences)
            comparison[name] = {**counted, "differences": differences}
            if name == "openai":
                comparison[name] |= {"num_later": num_later, "num_later_equal": num_later_equal}
    return {"comparison": comparison, "record_keys_differ": sorted(other_keys), "tie": TIE}


def _summary(runs: Sequence[Played]) -> dict[str, Any]:
    """Medians over rounds, and the rounds."""
    tokens = [run.num_tokens / run.play_s for run in runs]
    return {
        "tokens_per_s": statistics.median(tokens),
        "replies_per_s": statistics.median(run.num_replies / run.play_s for run in runs),
        "wall_time_s": statistics.median(run.play_s for run in runs),
        "load_time_s": statistics.median(run.load_s for run in runs),
        "num_replies": runs[0].num_replies,
        "num_tokens": runs[0].num_tokens,
        "rounds_tokens_per_s": tokens,
    }


def _print(result: Mapping[str, Any]) -> None:
    table = Table(title=f"{SUITE}, a model of {result['model']['num_weights']:,} random weights")
    for name in ("backend", "tokens/s", "(rounds)", "replies/s", "wall time", "loading"):
        table.add_column(name, justify="left" if name == "backend" else "right")
    table.add_column("replies as with torch")
    for name, found in result["backends"].items():
        if found is None:
            table.add_row(name, "none", "", "", "", "", result["missing"][name])
            continue
        rates = found["rounds_tokens_per_s"]
        compared = result["comparison"][name]
        text = f"{compared['num_equal']} of {compared['num_compared']}"
        if "num_later" in compared:
            num_decoded = sum(each["why"] == "decoding" for each in compared["differences"])
            text += f" first ones, {num_decoded} more have the same tokens; "
            text += f"{compared['num_later_equal']} of {compared['num_later']} later ones"
        table.add_row(
            name,
            f"{found['tokens_per_s']:.0f}",
            f"{min(rates):.0f} to {max(rates):.0f}",
            f"{found['replies_per_s']:.1f}",
            f"{found['wall_time_s']:.2f} s",
            f"{found['load_time_s']:.2f} s",
            text,
        )
    console = Console(stderr=True, width=None if sys.stderr.isatty() else 140)
    console.print(table)
    for name, found in result["comparison"].items():
        for each in found["differences"]:
            record.say(
                f"{name}: {each['problem']}, turn {each['turn']}, token {each['token']}, gap "
                f"{each['gap']}: {each['why'] or 'NOT EXPLAINED'}"
            )
    for text in result["missed"]:
        record.say(f"MISSED: {text}")
    if result["holds"]:
        record.say("holds: all that was expected of the backends that were measured")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backends", description=__doc__)
    add = parser.add_argument
    add("--backends", type=_backends, default=list(NEEDS), help="default: torch,vllm,openai")
    add("--problems", type=record.positive, help="of the suite; default: all")
    add("--reply-tokens", type=record.positive, default=64, help="default: %(default)s")
    add("--num-envs", type=record.positive, default=16, help="default: %(default)s")
    add("--repeats", type=record.positive, default=3, help="default: %(default)s")
    record.add_save_option(parser)
    return parser


def _backends(text: str) -> list[str]:
    names = list(dict.fromkeys(text.split(",")))
    if unknown := [name for name in names if name not in NEEDS]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(NEEDS)}")
    if BASE not in names:
        raise argparse.ArgumentTypeError(f"{BASE} is missing, which others are compared with")
    return names


if __name__ == "__main__":
    sys.exit(main())
