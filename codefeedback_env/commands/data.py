"""``codefeedback data``: datasets checked, fetched and listed."""

import argparse
from pathlib import Path

from rich.table import Table

from codefeedback_env.commands import data_cache, data_check, data_report
from codefeedback_env.commands.console import PlainConsole
from codefeedback_env.datasets.fetch import (
    HUB_DATASETS,
    MANUAL_DATASETS,
    data_directory,
    fetch,
)
from codefeedback_env.datasets.rows import open_rows
from codefeedback_env.errors import CodeFeedbackError, ConfigError, DatasetNotFoundError
from codefeedback_env.make import BUNDLED, DATASETS, DEFAULT_SPLITS, load_problems

HELP = "check, fetch and list datasets"
DESCRIPTION = "Datasets of problems: check their tests and programs, fetch them, list them."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verbs below ``data``."""
    verbs = parser.add_subparsers(metavar="VERB", title="verbs", required=True)

    check = verbs.add_parser("check", help=data_check.HELP, description=data_check.DESCRIPTION)
    data_check.add_arguments(check)

    report = verbs.add_parser("report", help=data_report.HELP, description=data_report.DESCRIPTION)
    data_report.add_arguments(report)

    get = verbs.add_parser(
        "fetch",
        help="download a dataset",
        description="Download a dataset from the Hugging Face hub to where it is looked for.",
    )
    get.set_defaults(run=run_fetch)
    get.add_argument("name", metavar="NAME", help=f"one of: {', '.join(HUB_DATASETS)}")
    get.add_argument("--out", type=Path, metavar="DIR", help="where to (default: see data list)")
    get.add_argument("--split", nargs="+", metavar="SPLIT", help="which splits (default: all)")

    cache = verbs.add_parser("cache", help=data_cache.HELP, description=data_cache.DESCRIPTION)
    data_cache.add_arguments(cache)

    listing = verbs.add_parser(
        "list",
        help="list the known datasets",
        description="The known datasets, where their data is looked for, and whether it is there.",
    )
    listing.set_defaults(run=run_list)


def run_fetch(arguments: argparse.Namespace) -> int:
    """Download and print the files; what is there already is not fetched again."""
    if arguments.name == BUNDLED:
        raise ConfigError("the bundled problems come with the package; there is nothing to fetch.")
    for path in fetch(arguments.name, arguments.out, arguments.split):
        print(path)
    return 0


def run_list(arguments: argparse.Namespace) -> int:
    """Print a table of datasets and splits, and where each dataset is looked for."""
    table = Table("dataset", "split", "state")
    table.add_row(BUNDLED, BUNDLED, f"{len(load_problems(BUNDLED))} problems")
    for name in DATASETS:
        for split in HUB_DATASETS[name].splits if name in HUB_DATASETS else (DEFAULT_SPLITS[name],):
            table.add_row(name, split, _state(data_directory(name), split))
    console = PlainConsole(soft_wrap=True)
    console.print(table, soft_wrap=False)
    for name in DATASETS:
        console.print(f"{name} is looked for in {data_directory(name)}")
    console.print(
        f"`codefeedback data fetch NAME` gets {', '.join(HUB_DATASETS)}. CODEFEEDBACK_DATA moves "
        "the place."
    )
    for name, dataset in MANUAL_DATASETS.items():
        console.print(f"{name} is downloaded by hand from {dataset.origin}.")
    return 0


def _state(directory: Path, split: str) -> str:
    try:
        open_rows(directory, split)
    except DatasetNotFoundError:
        return "not there"
    except CodeFeedbackError as error:  # incomplete, or a library is missing
        return str(error)
    return "there"
