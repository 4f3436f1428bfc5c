"""From names to objects: the one place that does it."""

import inspect
import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from gymnasium.vector import AutoresetMode

from codefeedback_env.checkers import Judging, check_checker
from codefeedback_env.datasets.apps import load_apps
from codefeedback_env.datasets.bundled.load import load_bundled
from codefeedback_env.datasets.code_contests import load_code_contests
from codefeedback_env.datasets.code_contests_plus import load_code_contests_plus
from codefeedback_env.datasets.exclusions.lists import KNOWN_BAD, ExcludeOption, without_excluded
from codefeedback_env.datasets.human_eval import load_human_eval, load_human_eval_plus
from codefeedback_env.datasets.live_code_bench import LATEST_RELEASE, load_live_code_bench
from codefeedback_env.datasets.mbpp import load_mbpp, load_mbpp_plus
from codefeedback_env.datasets.problem_set import (
    PROBLEM_FILTERS,
    ProblemSet,
    ProblemSummary,
)
from codefeedback_env.datasets.taco import load_taco
from codefeedback_env.dialogue import EpisodeRules, FeedbackSource
from codefeedback_env.env import CodeFeedbackEnv, JudgeLike
from codefeedback_env.errors import ConfigError, UnknownNameError
from codefeedback_env.feedback import FEEDBACK_FORMATS, FeedbackFormat
from codefeedback_env.judge.judge import Judge
from codefeedback_env.lookup import did_you_mean, look_up
from codefeedback_env.problem import Problem
from codefeedback_env.problem_checkers import PROBLEM_CHECKERS, Checker
from codefeedback_env.rewards import REWARDS, Reward
from codefeedback_env.sandbox.catalog import AUTO, SANDBOXES
from codefeedback_env.vector import CodeFeedbackVectorEnv

BUNDLED = "bundled"
RAY = "ray"  # instead of a sandbox's name: the judge's workers are actors on a Ray cluster
DATASETS: dict[str, Callable[[str | Path | None, str], ProblemSet]] = {
    "code_contests": load_code_contests,
    "code_contests_plus": load_code_contests_plus,
    "apps": load_apps,
    "taco": load_taco,
    "live_code_bench": load_live_code_bench,
    "human_eval": load_human_eval,
    "human_eval_plus": load_human_eval_plus,
    "mbpp": load_mbpp,
    "mbpp_plus": load_mbpp_plus,
}
DEFAULT_DATASET = "code_contests"  # the format of a file whose dataset is not named
DEFAULT_SPLITS = {
    **dict.fromkeys(DATASETS, "test"),
    "code_contests": "train",
    "code_contests_plus": "1x",
    "live_code_bench": LATEST_RELEASE,
}
CUSTOM_SPLIT = "custom"  # what a single file is called that nobody named
CUSTOM_DATASET = "custom"  # the same where its dataset is not named; no exclusion list is for it

PARTS = {
    "feedback_format": ("prompt", "feedback", "no_code"),
    "reward": ("needs_all_tests", "final", "not_final"),
    "sandbox": ("submit", "judge", "cancel", "info", "close"),
}
"""What an object must have to stand for an option that also takes a name."""

PathOption = str | os.PathLike[str]
DatasetOption = PathOption | ProblemSet | Sequence[Problem] | None
FilterOption = str | Callable[[ProblemSummary], bool] | None


def load_problems(
    dataset: DatasetOption = None,
    *,
    path: PathOption | None = None,
    split: str | None = None,
    exclude: ExcludeOption = KNOWN_BAD,
) -> ProblemSet:
    """The problems of a dataset.

    Args:
        dataset: a name, such as "code_contests" or "bundled"; the path of a file; a ProblemSet,
            which is returned as it is; or a list of Problem.
        path: where the data of a named dataset lies; without ``dataset`` it is read as CodeContests
            rows.
        split: "bundled" for the problems that come with the package, else the dataset's split. If
            not given, "custom" for a single file, else "train" for CodeContests, "1x" for
            CodeContests+, the latest release for LiveCodeBench and "test" for the rest.
        exclude: problems to leave out: "known-bad" for the list that comes with the package, which
            does not apply to a ProblemSet; None for none; the path of an ``exclusions.toml``, as
            ``codefeedback data report`` writes it; or ids.

    Raises:
        UnknownNameError: there is no such dataset.
        ConfigError: neither dataset nor path is given, dataset is none of these, path or another
            split is given beside problems, or ``exclude`` cannot work.
        DatasetNotFoundError: no data there; the message says how to get it.
        DatasetError: the data cannot be read; the message names file, row and field.
    """
    _check("path", path, str | os.PathLike | None, "a path")
    _check("split", split, str | None, "the name of a split")
    _check_exclude(exclude)
    if dataset is None or isinstance(dataset, str | os.PathLike):
        found = _load_problems(_as_path(dataset), _as_path(path), split)
        return without_excluded(found, exclude)
    problems = dataset if isinstance(dataset, ProblemSet) else _problem_set(dataset)
    # Every id but CodeFeedback-v0 has a split of its own; that of CodeContests-v0 is "bundled".
    if path is not None or split not in (None, BUNDLED, problems.split):
        raise ConfigError(
            f"path={path!r}, split={split!r} beside problems, which are of the split "
            f"{problems.split!r}: leave both out, and take the id CodeFeedback-v0, which has none."
        )
    return problems if exclude == KNOWN_BAD else without_excluded(problems, exclude)


def _load_problems(
    dataset: str | Path | None, path: str | Path | None, split: str | None
) -> ProblemSet:
    is_name = dataset is None or dataset == BUNDLED or dataset in DATASETS
    if isinstance(dataset, Path) or (dataset and not is_name and Path(dataset).exists()):
        if path is not None:
            raise ConfigError(
                f"dataset={str(dataset)!r} and path={str(path)!r} are two places; leave one out."
            )
        dataset, path = None, dataset
    if dataset is None and path is None:
        raise ConfigError(
            "no dataset: give dataset= a name, a path or a ProblemSet, or give path=. Known names: "
            f"{', '.join(sorted([*DATASETS, BUNDLED]))}."
        )
    if dataset == BUNDLED:
        if path is not None or split not in (None, BUNDLED):
            raise ConfigError("dataset='bundled' has no other path or split; leave them out.")
        return load_bundled()
    name = dataset or DEFAULT_DATASET
    load = look_up("dataset", name, {**DATASETS, BUNDLED: None})
    assert load is not None  # BUNDLED is done with
    default_split = DEFAULT_SPLITS[name]
    if path is None:
        return load_bundled() if split == BUNDLED else load(None, split or default_split)
    # The data at a path is never the bundled one, whatever the environment's default split is.
    if split in (None, BUNDLED):
        split = default_split if Path(path).is_dir() else CUSTOM_SPLIT
    if dataset is None and not Path(path).is_dir():
        return load_code_contests(path, split, name=CUSTOM_DATASET)
    return load(path, split)


def make_rules(
    *,
    dataset: DatasetOption = None,
    path: PathOption | None = None,
    split: str | None = None,
    exclude: ExcludeOption = KNOWN_BAD,
    problem_filter: FilterOption = None,
    shard: tuple[int, int] | None = None,
    turn_limit: int = 3,
    feedback: str = "public",
    feedback_format: str | FeedbackFormat = "paper",
    reward: str | Reward = "paper",
    checker: str | Checker | None = None,
    judging: str = "strict",
    max_private_tests: int | None = None,
    time_factor: float = 1.0,
) -> EpisodeRules:
    """How episodes go, from an environment's options; see ``make_env``."""
    _check("problem_filter", problem_filter, str | Callable | None, "a name or a function")
    _check("turn_limit", turn_limit, int, "a whole number")
    _check("feedback", feedback, str, "a name")
    _check("judging", judging, str, "a name")
    _check("checker", checker, str | Callable | None, "a name or a function")
    _check("max_private_tests", max_private_tests, int | None, "a whole number")
    _check("time_factor", time_factor, int | float, "a number")
    sources = {source.value: source for source in FeedbackSource}
    profiles = {profile.value: profile for profile in Judging}
    source = look_up("feedback source", feedback, sources)
    profile = look_up("judging profile", judging, profiles)
    if isinstance(checker, str):
        look_up("checker", checker, PROBLEM_CHECKERS)
    elif checker is not None:
        check_checker(checker)
    if isinstance(feedback_format, str):
        feedback_format = look_up("feedback format", feedback_format, FEEDBACK_FORMATS)
    _check_object("feedback_format", feedback_format)
    if isinstance(reward, str):
        reward = look_up("reward", reward, REWARDS)
    _check_object("reward", reward)
    problems = load_problems(dataset, path=path, split=split, exclude=exclude)
    if isinstance(problem_filter, str):
        problem_filter = look_up("problem filter", problem_filter, PROBLEM_FILTERS)
    if problem_filter is not None:
        problems = problems.filter(problem_filter)
    if shard is not None:
        problems = problems.shard(*_pair(shard))
    return EpisodeRules(
        problems=problems,
        turn_limit=turn_limit,
        feedback=source,
        feedback_format=feedback_format,
        reward=reward,
        judging=profile,
        checker=checker,
        max_private_tests=max_private_tests,
        time_factor=time_factor,
    )


def make_judge(
    *,
    sandbox: str | JudgeLike = AUTO,
    num_workers: int | None = None,
    python: PathOption | None = None,
) -> JudgeLike:
    """A judge, from an environment's options; see ``make_env``."""
    _check("num_workers", num_workers, int | None, "a whole number, or None")
    _check("python", python, str | os.PathLike | None, "the path of an interpreter, or None")
    python = None if python is None else os.fspath(python)
    if not isinstance(sandbox, str):
        _check_object("sandbox", sandbox)
        return sandbox
    if sandbox == RAY or sandbox.startswith(f"{RAY}:"):
        from codefeedback_env.adapters.ray import RayJudge, address_of

        return RayJudge(address_of(sandbox), num_workers=num_workers, python=python)
    if sandbox != AUTO:
        look_up("sandbox", sandbox, {AUTO: None, **SANDBOXES, RAY: None})
    return Judge(sandbox=sandbox, num_workers=num_workers, python=python)


def make_env(
    *,
    sandbox: str | JudgeLike = AUTO,
    num_workers: int | None = None,
    python: PathOption | None = None,
    render_mode: str | None = None,
    **options: Any,
) -> CodeFeedbackEnv:
    """Make an environment: the entry point of every registered id.

    Args:
        sandbox: "auto" (the first confining one that works here), a name of ``SANDBOXES``, "ray",
            "ray:ADDRESS" or "ray://HOST:PORT" (a Ray cluster's nodes judge; see ``RayJudge``), or
            an object with the methods of ``JudgeLike``.
        num_workers: judge processes, shared by all environments of this process; None for one on
            each CPU, of this machine or of the cluster.
        python: interpreter of the programs; None takes this environment's base interpreter where a
            jail can reach it, else the system's.
        render_mode: "ansi" or None.
        options: the following.
        dataset: a name, a path, a ProblemSet or a list of Problem; see ``load_problems``.
        path: where the data lies.
        split: of the dataset, or "bundled".
        exclude: problems to leave out: "known-bad", None, the path of an exclusions.toml, or ids;
            see ``load_problems``.
        problem_filter: "paper" (problems with public and private tests), "all", a ProblemFilter, or
            a function of a ProblemSummary.
        shard: (i, n): every n-th problem from the i-th on.
        turn_limit: replies at most.
        feedback: "public", "random", "none", "private" or "self"; see FeedbackSource.
        feedback_format: "paper", "failing-and-passing", "count", "wrong", or a FeedbackFormat.
        reward: "paper", "fraction", or a Reward such as RewardConfig(...).
        checker: a name or a function check(stdin, expected, output) -> bool over bytes, for all
            problems instead of their own.
        judging: "strict" or "deepmind"; see Judging.
        max_private_tests: judge by so many hidden tests at most, the same ones always.
        time_factor: multiplies time limits.

    Raises:
        ConfigError: an option cannot work; the message says which.
        DatasetError: the data is missing or cannot be read.
    """
    _check_names(options, make_env)
    rules = make_rules(**options)
    judge = make_judge(sandbox=sandbox, num_workers=num_workers, python=python)
    return CodeFeedbackEnv(rules, judge, render_mode)


def make_vector_env(
    num_envs: int,
    *,
    autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    sandbox: str | JudgeLike = AUTO,
    num_workers: int | None = None,
    python: PathOption | None = None,
    render_mode: str | None = None,
    **options: Any,
) -> CodeFeedbackVectorEnv:
    """Make a vector environment: the vector entry point of every registered id.

    Args:
        num_envs: how many episodes go on at once.
        autoreset_mode: "NextStep", "SameStep" or "Disabled", or Gymnasium's enum.
        sandbox: see ``make_env``, as for the rest.
        num_workers: see ``make_env``.
        python: see ``make_env``.
        render_mode: see ``make_env``.
        options: see ``make_env``.
    """
    _check_names(options, make_vector_env)
    rules = make_rules(**options)
    judge = make_judge(sandbox=sandbox, num_workers=num_workers, python=python)
    return CodeFeedbackVectorEnv(num_envs, rules, judge, autoreset_mode, render_mode)


def _as_path(place: PathOption | None) -> str | Path | None:
    return place if place is None or isinstance(place, str) else Path(place)


def _problem_set(dataset: object) -> ProblemSet:
    """The set of a list of problems."""
    if isinstance(dataset, list | tuple) and all(isinstance(p, Problem) for p in dataset):
        return ProblemSet.from_problems(dataset)
    kind = type(dataset)
    raise ConfigError(
        f"dataset is a {kind.__module__}.{kind.__qualname__}, but must be a name, a path, a "
        "ProblemSet or a list of Problem. For data of the library datasets, ds.save_to_disk(DIR) "
        "and path=DIR; for problems made in Python, ProblemSet.from_problems(...)."
    )


def _check(option: str, value: object, kind: Any, wanted: str) -> None:
    """Refuse a value of another type; a bool is none of the numbers."""
    if isinstance(value, bool) or not isinstance(value, kind):
        raise ConfigError(f"{option}={value!r:.80} must be {wanted}.")


def _check_object(option: str, value: object) -> None:
    """Refuse what cannot stand for a named object, such as its class."""
    if isinstance(value, type):
        name = value.__name__
        raise ConfigError(f"{option}={name} is a class; give an object of it, such as {name}().")
    if missing := [part for part in PARTS[option] if not hasattr(value, part)]:
        raise ConfigError(
            f"{option}={value!r:.80} must be a name, or an object that has "
            f"{', '.join(PARTS[option])}; it lacks {', '.join(missing)}."
        )


def _check_exclude(exclude: object) -> None:
    is_ids = isinstance(exclude, Collection) and all(isinstance(i, str) for i in exclude)
    if not isinstance(exclude, str | Path | None) and not is_ids:
        raise ConfigError(
            f"exclude={exclude!r:.80} must be {KNOWN_BAD!r}, None, a path, or ids, which are str."
        )


def _pair(shard: object) -> tuple[int, int]:
    if isinstance(shard, tuple | list) and [type(number) for number in shard] == [int, int]:
        return shard[0], shard[1]
    raise ConfigError(f"shard={shard!r:.80} is no shard; give (i, n) with 0 <= i < n.")


def _check_names(options: Collection[str], entry_point: Callable[..., Any]) -> None:
    """Refuse options that neither ``make_rules`` nor the entry point takes."""
    known = {
        parameter.name
        for function in (make_rules, entry_point)
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    for name in options:
        if name not in known:
            hint = did_you_mean(name, known)
            raise UnknownNameError(
                f"unknown option {name!r}{hint} Known: {', '.join(sorted(known))}."
            )
