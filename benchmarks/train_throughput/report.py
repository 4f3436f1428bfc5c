"""From the seconds of each round to the rates of a result."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from agents.ppo.config import PPOConfig
from benchmarks.train_throughput.iterations import DecodeRate
from benchmarks.train_throughput.limits import (
    BYTES,
    Limits,
    decode_bound,
    forward_flop,
    generate_bound_s,
    sync_bound_s,
    update_flop,
)
from benchmarks.train_throughput.shapes import Shape

AT_MOST = ("env_share", "sync_s")
"""Expected values that are bounds from above; of all others at least as much is expected."""

COLUMNS = ("seconds", "tokens_per_s", "mfu", "share_of_bound")


@dataclass(frozen=True, slots=True)
class Round:
    """Everything measured in one round."""

    seconds: dict[str, float]
    """From ``Iterations.iterate``."""

    lengths: list[int]
    """Tokens of each episode."""

    num_reply_tokens: int
    num_turns: int
    limits: Limits
    decode: DecodeRate
    beside: dict[str, tuple[float, float]]
    """Our seconds and TRL's."""


def phase_rates(one: Round, shape: Shape, config: PPOConfig) -> dict[str, dict[str, float]]:
    """For each phase those of ``COLUMNS`` that it has.

    ``generate``, ``score``, ``update`` and ``sync`` are parts of the iteration, ``judge`` is the
    time of nothing but waiting for programs; ``decode`` was measured by itself, with a full batch
    after its prompts. The token rates of ``generate``, ``judge`` and ``decode`` are of reply
    tokens, those of the others of whole episodes. No machine is faster than its bound; that of
    scoring and updating is arithmetic alone, with what is recomputed.
    """
    seconds, limits = one.seconds, one.limits
    size = BYTES[config.precision]
    is_lora = config.lora_rank > 0
    num_tokens = sum(one.lengths)
    policy = forward_flop(shape, one.lengths, one.num_reply_tokens)
    critic = forward_flop(shape, one.lengths, 0)
    trained = policy + critic
    flop = {
        "generate": policy.total,
        "score": 2 * policy.total + critic.total,  # policy, reference, critic
        "update": update_flop(trained, is_lora=is_lora, recompute=False),
    }
    done = update_flop(trained, is_lora=is_lora, recompute=config.gradient_checkpointing)
    decode_rate = decode_bound(
        shape,
        batch=config.num_rollouts,
        context=one.decode.context,
        limits=limits,
        bytes_per_number=size,
    )
    num_prompt_tokens = num_tokens - one.num_reply_tokens
    bound_s = {
        "generate": generate_bound_s(
            shape, num_prompt_tokens, one.num_reply_tokens, decode_rate, limits
        ),
        "score": flop["score"] / limits.flop_per_s,
        "update": done / limits.flop_per_s,
        "sync": sync_bound_s(shape, size if is_lora else BYTES["float32"], size, limits),
    }
    rates = {}
    for name in ("generate", "judge", "score", "update", "sync", "iteration"):
        took = seconds["judge_wait" if name == "judge" else name]
        of_replies = name in ("generate", "judge")
        rates[name] = {"seconds": took}
        if name != "sync" and took:
            counted = one.num_reply_tokens if of_replies else num_tokens
            rates[name]["tokens_per_s"] = counted / took
        if name in flop:
            rates[name]["mfu"] = flop[name] / took / limits.flop_per_s
        if name in bound_s:
            rates[name]["share_of_bound"] = bound_s[name] / took
    decode_flop = 2 * (shape.trunk_weights + shape.head_weights) + (
        4 * one.decode.context * shape.layers * shape.heads * shape.head_size
    )
    rates["decode"] = {
        "tokens_per_s": one.decode.tokens_per_s,
        "mfu": one.decode.tokens_per_s * decode_flop / limits.flop_per_s,
        "share_of_bound": one.decode.tokens_per_s / decode_rate,
    }
    return rates


def headline(one: Round, rates: dict[str, dict[str, float]]) -> dict[str, float]:
    """The numbers that EXPECTED is about, and what belongs beside them.

    ``judging_hidden`` is the share of the waiting for programs that is gone against ordered
    collection, ``judge_alone_share`` how long judging takes by itself as a share of generating.
    """
    seconds = one.seconds
    waited = seconds["ordered_judge_wait"]
    return {
        "score_mfu": rates["score"]["mfu"],
        "update_mfu": rates["update"]["mfu"],
        "decode_share_of_bound": rates["decode"]["share_of_bound"],
        "env_share": (seconds["judge_wait"] + seconds["env"]) / seconds["iteration"],
        "sync_s": seconds["sync"],
        "judging_hidden": 1 - seconds["judge_wait"] / waited,
        "judge_alone_share": waited / seconds["generate"],
        "judge_alone_programs_per_s": one.num_turns / waited,
        "overlap_times": seconds["ordered_collect"] / seconds["collect"],
        **{f"times_trl_{name}": theirs / ours for name, (ours, theirs) in one.beside.items()},
    }


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Median and range, in four digits."""
    return {
        "median": _significant(statistics.median(values)),
        "range": [_significant(min(values)), _significant(max(values))],
    }


def measured(rounds: Sequence[Round], shape: Shape, config: PPOConfig) -> dict[str, Any]:
    """The part of a result that the rounds give: machine, batch, phases, seconds and rates."""
    rates = [phase_rates(one, shape, config) for one in rounds]
    heads = [headline(one, rate) for one, rate in zip(rounds, rates, strict=True)]
    return {
        "machine": {
            "flop_per_s": spread([one.limits.flop_per_s for one in rounds]),
            "bytes_per_s": spread([one.limits.bytes_per_s for one in rounds]),
        },
        "batch": {
            "tokens": statistics.median(sum(one.lengths) for one in rounds),
            "reply_tokens": statistics.median(one.num_reply_tokens for one in rounds),
            "turns_per_episode": _significant(
                statistics.mean(one.num_turns / len(one.lengths) for one in rounds)
            ),
        },
        "phases": {
            name: {
                column: spread([rate[name][column] for rate in rates if column in rate[name]])
                for column in COLUMNS
                if any(column in rate[name] for rate in rates)
            }
            for name in rates[0]
        },
        "seconds": {
            name: spread([one.seconds[name] for one in rounds]) for name in rounds[0].seconds
        },
        "rates": {name: spread([head[name] for head in heads]) for name in heads[0]},
    }


def beside_trl(rounds: Sequence[Round]) -> dict[str, dict[str, Any]]:
    """Of each phase the seconds of both sides, and TRL's over ours in each round."""
    found = {}
    for name in rounds[0].beside:
        pairs = [one.beside[name] for one in rounds]
        found[name] = {
            "ours_s": spread([ours for ours, _ in pairs]),
            "trl_s": spread([theirs for _, theirs in pairs]),
            "times_trl": spread([theirs / ours for ours, theirs in pairs]),
        }
    return found


def misses_of(rates: dict[str, dict[str, Any]], expected: dict[str, float]) -> list[str]:
    """What missed its expected value, in words; what was not measured is left out."""
    misses = []
    for name, wanted in expected.items():
        if name not in rates:
            continue
        value, is_most = rates[name]["median"], name in AT_MOST
        if value > wanted if is_most else value < wanted:
            side = "at most" if is_most else "at least"
            misses.append(f"{name}={value:.3g}, expected {side} {wanted}")
    return misses


def tables_of(result: dict[str, Any]) -> list[Table]:
    """Phases and rates for people."""
    title = f"{result['settings']['shape']} on {result['device']}: medians"
    phases = Table(title=title)
    phases.add_column("phase")
    for column in COLUMNS:
        phases.add_column(column.replace("_per_s", "/s").replace("_", " "), justify="right")
    for name, phase in result["phases"].items():
        cells = (f"{phase[column]['median']:g}" if column in phase else "" for column in COLUMNS)
        phases.add_row(name, *cells)
    rates = Table(title="rates")
    rates.add_column("what")
    for column in ("median", "range", "expected"):
        rates.add_column(column, justify="right")
    for name, rate in result["rates"].items():
        low, high = rate["range"]
        wanted = result["expected"].get(name)
        sign = "<=" if name in AT_MOST else ">="
        bound = "" if wanted is None else f"{sign} {wanted}"
        rates.add_row(name, f"{rate['median']:g}", f"{low:g} - {high:g}", bound)
    return [phases, rates]


def _significant(value: float) -> float:
    return float(f"{value:.4g}")
