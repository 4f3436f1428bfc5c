"""From names to objects: the one place that does it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from gymnasium.vector import AutoresetMode

from codefeedback_env.checkers import Judging
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
from codefeedback_env.errors import ConfigError
from codefeedback_env.feedback import FEEDBACK_FORMATS, FeedbackFormat
from codefeedback_env.judge.judge import Judge
from codefeedback_env.lookup import look_up
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

DatasetOption = str | Path | ProblemSet | None
FilterOption = str | Callable[[ProblemSummary], bool] | None


def load_problems(
    dataset: DatasetOption = None,
    *,
    path: str | Path | None = None,
    split: str | None = None,
    exclude: ExcludeOption = KNOWN_BAD,
) -> ProblemSet:
    """The problems of a dataset.

    Args:
        dataset: a name, such as "code_contests" or "bundled"; the path of a file; or a ProblemSet,
            which is returned as it is.
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
        ConfigError: neither dataset nor path is given, or ``exclude`` cannot work.
        DatasetNotFoundError: no data there; the message says how to get it.
        DatasetError: the data cannot be read; the message names file, row and field.
    """
    if isinstance(dataset, ProblemSet):
        return dataset if exclude == KNOWN_BAD else without_excluded(dataset, exclude)
    return without_excluded(_load_problems(dataset, path, split), exclude)


def _load_problems(
    dataset: str | Path | None, path: str | Path | None, split: str | None
) -> ProblemSet:
    if isinstance(dataset, Path):
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
    if dataset is not None and dataset not in DATASETS and Path(dataset).exists():
        dataset, path = None, dataset
    name = dataset or DEFAULT_DATASET
    load = look_up("dataset", name, {**DATASETS, BUNDLED: None})
    assert load is not None  # BUNDLED is done with
    default_split = DEFAULT_SPLITS[name]
    if path is None:
        return load_bundled() if split == BUNDLED else load(None, split or default_split)
    # The data at a path is never the bundled one, whatever the environment's default split is.
    if split in (None, BUNDLED):
        split = default_split if Path(path).is_dir() else CUSTOM_SPLIT
    return load(path, split)


def make_rules(
    *,
    dataset: DatasetOption = None,
    path: str | Path | None = None,
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
    problems = load_problems(dataset, path=path, split=split, exclude=exclude)
    if isinstance(problem_filter, str):
        problem_filter = look_up("problem filter", problem_filter, PROBLEM_FILTERS)
    if problem_filter is not None:
        problems = problems.filter(problem_filter)
    if shard is not None:
        problems = problems.shard(*shard)
    if isinstance(checker, str):
        look_up("checker", checker, PROBLEM_CHECKERS)
    sources = {source.value: source for source in FeedbackSource}
    profiles = {profile.value: profile for profile in Judging}
    if isinstance(feedback_format, str):
        feedback_format = look_up("feedback format", feedback_format, FEEDBACK_FORMATS)
    if isinstance(reward, str):
        reward = look_up("reward", reward, REWARDS)
    return EpisodeRules(
        problems=problems,
        turn_limit=turn_limit,
        feedback=look_up("feedback source", feedback, sources),
        feedback_format=feedback_format,
        reward=reward,
        judging=look_up("judging profile", judging, profiles),
        checker=checker,
        max_private_tests=max_private_tests,
        time_factor=time_factor,
    )


def make_judge(
    *, sandbox: str | JudgeLike = AUTO, num_workers: int | None = None, python: str | None = None
) -> JudgeLike:
    """A judge, from an environment's options; see ``make_env``."""
    if not isinstance(sandbox, str):
        return sandbox
    if sandbox == RAY or sandbox.startswith(f"{RAY}:"):
        from codefeedback_env.adapters.ray import RayJudge, address_of

        return RayJudge(address_of(sandbox), num_workers=num_workers, python=python)
    if sandbox != AUTO:
        look_up("sandbox", sandbox, {**SANDBOXES, RAY: None})
    return Judge(sandbox=sandbox, num_workers=num_workers, python=python)


def make_env(
    *,
    sandbox: str | JudgeLike = AUTO,
    num_workers: int | None = None,
    python: str | None = None,
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
        dataset: a name, a path or a ProblemSet; see ``load_problems``.
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
    rules = make_rules(**options)
    judge = make_judge(sandbox=sandbox, num_workers=num_workers, python=python)
    return CodeFeedbackEnv(rules, judge, render_mode)


def make_vector_env(
    num_envs: int,
    *,
    autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    sandbox: str | JudgeLike = AUTO,
    num_workers: int | None = None,
    python: str | None = None,
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
    rules = make_rules(**options)
    judge = make_judge(sandbox=sandbox, num_workers=num_workers, python=python)
    return CodeFeedbackVectorEnv(num_envs, rules, judge, autoreset_mode, render_mode)
