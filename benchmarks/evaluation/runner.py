"""``python -m benchmarks run``: plays the episodes of a suite."""

import argparse
import shlex
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from agents.evaluate import Rollout, distributions, play
from agents.metrics import Tally
from agents.provenance import hardware, versions
from agents.settings import add_options
from benchmarks import record
from benchmarks.evaluation.markdown import as_markdown
from benchmarks.evaluation.measures import read_run
from benchmarks.evaluation.plan import CellPlan, EpisodeKey, Estimate, estimate, make_plans, total
from benchmarks.evaluation.players import SETTINGS, Player, Players, agent_names, choose
from benchmarks.evaluation.sections import result_sections
from benchmarks.evaluation.store import MANIFEST_VERSION, RunStore
from benchmarks.evaluation.suite import SUITES, Deviation, Suite, load_suite, override
from codefeedback_env import Episode

SECONDS_BETWEEN_LINES = 10.0
OVERRIDES = (
    *("problems", "rollouts", "split", "dataset", "problem_filter", "max_private_tests"),
    *("temperature", "top_p"),
)
"""Options that, as --path, change what a suite says, and are recorded as deviations from it."""


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb ``run``."""
    parser = verbs.add_parser(
        "run",
        help="play the episodes of a suite",
        description="Play the episodes of a suite. Writes DIR/episodes.jsonl, a record for each "
        "episode as it ends, and DIR/manifest.json.",
    )
    add = parser.add_argument
    suites = ", ".join(sorted(path.stem for path in SUITES.glob("*.toml")))
    add("suite", metavar="SUITE", help=f"{suites}, or the path of a .toml file")
    add("--agent", required=True, metavar="NAME", help=", ".join(agent_names()))
    add("--out", type=Path, required=True, metavar="DIR", help="folder of the run")
    add("--resume", action="store_true", help="go on with the run in DIR")
    add("--dry-run", action="store_true", help="say what would be played, and what it takes")
    add("--seed", type=_seed, default=0, metavar="S", help="default: %(default)s")
    add(
        "--num-envs",
        type=record.positive,
        default=64,
        metavar="E",
        help="episodes at once, no matter for the result; default: %(default)s",
    )
    add("--sandbox", metavar="X", help="default: auto, the strongest that works here")
    own = parser.add_argument_group(
        "instead of what the suite says", "In all its cells, and recorded as deviations from it."
    )
    add = own.add_argument
    add("--problems", type=record.positive, metavar="N", help="drawn with the seed")
    add("--rollouts", type=record.positive, metavar="R", help="of each problem")
    add(
        "--path",
        action="append",
        default=[],
        metavar="P",
        help="file or folder with the data; CELL=P for one cell, again for others",
    )
    add("--split", metavar="S", help="of the dataset")
    add("--dataset", metavar="D", help="name of the dataset")
    add("--problem-filter", metavar="NAME", help="such as all")
    add("--max-private-tests", type=record.positive, metavar="M", help="hidden tests")
    for title, settings in zip(("models", "prompting agents", "servers"), SETTINGS, strict=True):
        add_options(parser.add_argument_group(title), settings, are_required=False)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Play a suite, as the parsed options say; returns the exit status.

    Raises:
        CodeFeedbackError: an option, the data, the sandbox or the run to go on with is at fault.
    """
    given = {name: getattr(options, name) for name in OVERRIDES}
    suite, deviations = override(load_suite(options.suite), given, options.path)
    player = _player(options)
    plans = make_plans(suite, options.seed, options.sandbox)
    if options.dry_run:
        _print_estimates(suite, deviations, plans, player)
        return 0
    manifest = _manifest(suite, deviations, plans, player, options, arguments)
    with RunStore(options.out, manifest, is_resumed=options.resume) as store:
        start = time.perf_counter()
        with Players(player, options.num_envs) as players:
            _play_all(suite, plans, players, store, options.num_envs)
        store.finish(
            wall_time_s=round(time.perf_counter() - start, 3),
            load_time_s=round(players.load_time_s, 3),
            caveats=list(players.caveats),
            spent=players.spent,
        )
    print(as_markdown(result_sections([read_run(options.out)])))
    record.say(f"python -m benchmarks report {shlex.quote(str(options.out))} writes the report")
    return 0


def _player(options: argparse.Namespace) -> Player:
    given = {
        field.name: getattr(options, field.name) for kind in SETTINGS for field in fields(kind)
    }
    return choose(options.agent, given)


def _manifest(
    suite: Suite,
    deviations: Sequence[Deviation],
    plans: Sequence[CellPlan],
    player: Player,
    options: argparse.Namespace,
    arguments: Sequence[str],
) -> dict[str, Any]:
    part = {
        "command": shlex.join(["python", "-m", "benchmarks", *arguments]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions({}, distributions(player.libraries)),
        "hardware": hardware(),
        "num_envs": options.num_envs,
    }
    return {
        "version": MANIFEST_VERSION,
        "suite": suite.name,
        "suite_hash": suite.content_hash,
        "about": suite.about,
        "seed": options.seed,
        "agent": options.agent,
        "model": player.describe(),
        "cells": suite.describe(),
        "gaps": [list(pair) for pair in suite.gaps],
        "data": [plan.describe_data() for plan in plans],
        "deviations": [asdict(deviation) for deviation in deviations],
        "parts": [part],
    }


def _play_all(
    suite: Suite, plans: Sequence[CellPlan], players: Players, store: RunStore, num_envs: int
) -> None:
    """Play what is not recorded yet."""
    num_episodes = sum(len(plan.rollouts) for plan in plans)
    with _Progress(suite.name, num_episodes, len(store.done)) as progress:
        for plan in plans:
            left = [item for item in plan.numbered if item[0] not in store.done]
            if not left:
                continue
            progress.begin(plan)
            with closing(plan.make_envs(min(num_envs, len(left)))) as vec:
                generator = players.generator_for(plan.cell, plan.source, plan.options)
                rollouts = [rollout for _, rollout in left]
                played = (item[1] for item in play(vec, rollouts, generator))
                for key, episode in _with_keys(played, left):
                    store.add(key, episode)
                    progress.add(episode)


def _with_keys(
    episodes: Iterable[Episode], wanted: Sequence[tuple[EpisodeKey, Rollout]]
) -> Iterator[tuple[EpisodeKey, Episode]]:
    """Each episode with the key of its rollout; two of equal problem and seed are equal."""
    keys: dict[tuple[str, int | None], list[EpisodeKey]] = defaultdict(list)
    for key, rollout in wanted:
        keys[rollout.problem_id, rollout.seed].append(key)
    for episode in episodes:
        yield keys[episode.problem_id, episode.seed].pop(0), episode


class _Progress:
    """How far it is, with the solve rate of the cell so far: a bar, or lines where nobody looks."""

    def __init__(self, name: str, num_episodes: int, num_done: int) -> None:
        self._name = name
        self._num_episodes = num_episodes
        self._num_before = self._num_done = num_done
        console = Console(stderr=True)
        self._is_terminal = console.is_terminal
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("left:"),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=console, disable=not self._is_terminal)
        self._task = self._bar.add_task(
            escape(name), total=num_episodes, completed=num_done, rate="none scored yet"
        )
        self._tally = Tally(1)
        self._start = self._last_line = time.monotonic()

    def __enter__(self) -> "_Progress":
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def begin(self, plan: CellPlan) -> None:
        """The episodes of a cell are next."""
        self._tally = Tally(plan.cell.turn_limit)
        self._name = f"{self._name.split(', ')[0]}, {plan.cell.name}"
        self._bar.update(self._task, description=escape(self._name))

    def add(self, episode: Episode) -> None:
        """An episode ended."""
        self._num_done += 1
        self._tally.add(episode)
        rate = self._tally.rate_so_far
        if self._tally.num_sandbox_failures:
            rate += f", {self._tally.num_sandbox_failures} dropped"
        self._bar.update(self._task, completed=self._num_done, rate=rate)
        now = time.monotonic()
        if not self._is_terminal and now - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = now
            pace = (now - self._start) / (self._num_done - self._num_before)
            left_s = pace * (self._num_episodes - self._num_done)
            record.say(
                f"{self._name}: {self._num_done}/{self._num_episodes} episodes, {rate}, "
                f"{now - self._start:.0f} s, {left_s:.0f} s left"
            )


def _print_estimates(
    suite: Suite, deviations: Sequence[Deviation], plans: Sequence[CellPlan], player: Player
) -> None:
    estimates = [estimate(plan, (key for key, _ in plan.numbered), player) for plan in plans]
    table = Table(title=f"{suite.name}, at most: every rollout uses all its turns")
    has_tokens = estimates[0].num_reply_tokens is not None
    for name in ("cell", "data", "problems", "episodes", "replies", "judged tests"):
        table.add_column(name)
    for name in ("prompt tokens", "reply tokens", "cost") * has_tokens:
        table.add_column(name)
    for plan, cell in zip(plans, estimates, strict=True):
        data = plan.describe_data()
        source = f"{data['dataset']}, {data['split']}"
        table.add_row(*_estimate_row(cell, source, str(data["num_problems"]), has_tokens))
    if len(plans) > 1:
        table.add_row(*_estimate_row(total(estimates), "", "", has_tokens))
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table, markup=False)
    for deviation in deviations:
        console.print(
            f"deviates from the suite: {deviation.cell}: {deviation}",
            markup=False,
        )


def _estimate_row(cell: Estimate, data: str, problems: str, has_tokens: bool) -> list[str]:
    row = [cell.cell, data, problems]
    row += [f"{number:,}" for number in (cell.num_episodes, cell.num_replies, cell.num_tests)]
    if has_tokens:
        row += [f"{cell.num_prompt_tokens:,}", f"{cell.num_reply_tokens:,}"]
        row += ["no prices" if cell.cost is None else f"{cell.cost:,.2f}"]
    return row


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 0")
    return int(text)
