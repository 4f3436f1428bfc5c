"""The arguments with which several verbs choose their problems and their judge."""

import argparse
import difflib
from functools import lru_cache
from pathlib import Path

from codefeedback_env.commands.console import counted
from codefeedback_env.datasets.problem_set import ProblemSet
from codefeedback_env.errors import ConfigError, UnknownProblemError
from codefeedback_env.judge.judge import Judge
from codefeedback_env.lookup import look_up
from codefeedback_env.make import BUNDLED, DATASETS, RAY, load_problems
from codefeedback_env.sandbox.catalog import AUTO, SANDBOXES

DATASET_NAMES = dict.fromkeys([*DATASETS, BUNDLED])


def add_problem_arguments(parser: argparse.ArgumentParser) -> None:
    """PROBLEMS, --dataset and --split, for ``open_problems``."""
    parser.add_argument(
        "problems",
        nargs="?",
        metavar="PROBLEMS",
        help=f"a dataset ({', '.join(sorted(DATASET_NAMES))}), or a file or directory of one",
    )
    parser.add_argument(
        "--dataset",
        metavar="FORMAT",
        help="the dataset whose columns the file or directory has (default: code_contests)",
    )
    parser.add_argument("--split", help="split of the dataset (default: train)")


def add_judge_arguments(parser: argparse.ArgumentParser) -> None:
    """--sandbox, --workers and --python, for ``open_judge``."""
    parser.add_argument(
        "--sandbox",
        metavar="NAME",
        default=AUTO,
        help=f"where programs run: {', '.join([AUTO, *SANDBOXES])} (default: {AUTO})",
    )
    parser.add_argument(
        "--workers", type=int, metavar="N", help="judge processes (default: one on each CPU)"
    )
    parser.add_argument(
        "--python", metavar="PATH", help="interpreter of the programs (default: see doctor)"
    )


def open_problems(arguments: argparse.Namespace) -> ProblemSet | None:
    """The problems asked for, also those on exclusion lists; None where the arguments name none.

    Raises:
        CodeFeedbackError: there are no such problems.
    """
    place: str | None = arguments.problems
    dataset: str | None = arguments.dataset
    if dataset is not None:
        look_up("dataset", dataset, DATASET_NAMES)
    if place is None:
        return (
            None if dataset is None else load_problems(dataset, split=arguments.split, exclude=None)
        )
    if place in DATASET_NAMES:
        if dataset not in (None, place):
            raise ConfigError(
                f"{place!r} is a dataset by name and --dataset says {dataset!r}; give one of them, "
                f"or write ./{place} for a file of that name."
            )
        if place == BUNDLED and arguments.split not in (None, BUNDLED):
            raise ConfigError(f"the bundled problems have no split {arguments.split!r}.")
        return load_problems(place, split=arguments.split, exclude=None)
    if not Path(place).exists() and Path(place).name == place and not Path(place).suffix:
        look_up("dataset, file or directory", place, DATASET_NAMES)
    return load_problems(dataset, path=place, split=arguments.split, exclude=None)


def open_judge(arguments: argparse.Namespace) -> Judge:
    """The judge asked for; it starts nothing yet.

    Raises:
        ConfigError: there is no such sandbox, or less than one worker.
    """
    if arguments.sandbox.partition(":")[0] == RAY:
        raise ConfigError(
            f"--sandbox {arguments.sandbox}: this verb judges on this machine only; environments "
            f"take sandbox={arguments.sandbox!r}."
        )
    look_up("sandbox", arguments.sandbox, {**SANDBOXES, AUTO: None})
    if arguments.workers is not None and arguments.workers < 1:
        raise ConfigError(f"--workers {arguments.workers} must be at least 1.")
    return Judge(sandbox=arguments.sandbox, num_workers=arguments.workers, python=arguments.python)


def unknown_problem(problems: ProblemSet, problem_id: str) -> UnknownProblemError:
    """The error for an id that is not among the problems, with the closest one that is."""
    close = _closest_id(problems, problem_id)
    hint = "." if close is None else f"; did you mean {close!r}?"
    return UnknownProblemError(
        f"no problem {problem_id!r} in {problems.name} (split {problems.split!r}, "
        f"{counted(len(problems), 'problem')}){hint}"
    )


@lru_cache(256)  # one wrong name often comes up in many lines
def _closest_id(problems: ProblemSet, problem_id: str) -> str | None:
    return next(iter(difflib.get_close_matches(problem_id, problems.ids, n=1)), None)
