"""``python -m benchmarks report``: one or more runs of a suite as Markdown and as a page."""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import record
from benchmarks.evaluation.blocks import Block, Link, Section
from benchmarks.evaluation.html import as_html
from benchmarks.evaluation.markdown import as_markdown
from benchmarks.evaluation.measures import Run, read_run
from benchmarks.evaluation.sections import all_sections
from benchmarks.evaluation.store import EPISODES
from codefeedback_env import ConfigError, RecordError, read_episodes
from codefeedback_env.viewer.index import EpisodeIndex
from codefeedback_env.viewer.page import whole_page

MAX_TRANSCRIPTS = 500
"""In a page; all of a large run would be hundreds of megabytes."""


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb ``report``."""
    parser = verbs.add_parser(
        "report",
        help="write the report on runs of a suite",
        description="Write report.md, report.html and a page of transcripts for each run. Several "
        "runs of one suite become columns of the same tables.",
    )
    parser.add_argument("runs", type=Path, nargs="+", metavar="DIR", help="folders of runs")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the report; default: the first run's"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Write the report; returns the exit status.

    Raises:
        CodeFeedbackError: there is no run in a folder, or the runs are of different suites.
    """
    runs = [read_run(folder) for folder in options.runs]
    suites = list(dict.fromkeys(run.manifest["suite"] for run in runs))
    if len(suites) > 1:
        raise ConfigError(f"runs of {' and '.join(suites)} have no common tables; report each.")
    if len({run.manifest["suite_hash"] for run in runs}) > 1:
        raise ConfigError(
            f"the suite {suites[0]} was changed between these runs; report each by itself."
        )
    out = options.out or options.runs[0]
    try:
        out.mkdir(parents=True, exist_ok=True)
        links: list[Block] = []
        for number, read in enumerate(runs, start=1):
            name = f"transcripts-{number}.html"
            if num_episodes := write_transcripts(read, out / name):
                links.append(Link(f"{num_episodes} episodes of {read.label}", name))
        title = f"Suite {suites[0]}"
        sections = [*all_sections(runs), Section("Transcripts", links)]
        for name, text in (
            ("report.md", as_markdown(sections, title)),
            ("report.html", as_html(sections, title)),
        ):
            (out / name).write_text(text, encoding="utf-8")
            record.say(f"written: {out / name}")
    except OSError as error:
        raise ConfigError(f"cannot write to {out}: {error}.") from error
    return 0


def write_transcripts(run: Run, target: Path) -> int:
    """A page with episodes of a run, first rollouts first; returns how many there are in it."""
    path = run.folder / EPISODES
    by_rollout: list[tuple[int, int, str]] = []
    for number, episode in enumerate(read_episodes(path)):
        # Few are kept, so that no more than these are in memory.
        by_rollout.append((episode.settings["rollout"], number, episode.to_json()))
        if len(by_rollout) >= 2 * MAX_TRANSCRIPTS:
            by_rollout = sorted(by_rollout)[:MAX_TRANSCRIPTS]
    if not by_rollout:
        return 0
    chosen = sorted(by_rollout)[:MAX_TRANSCRIPTS]
    with tempfile.TemporaryDirectory() as folder:
        records = Path(folder) / EPISODES
        records.write_text("".join(f"{line}\n" for *_, line in chosen), encoding="utf-8")
        try:
            index = EpisodeIndex([records])
        except RecordError as error:
            raise RecordError(f"{path}: {error}") from error
        with target.open("w", encoding="utf-8") as file:
            file.writelines(whole_page(index))
    return len(chosen)
