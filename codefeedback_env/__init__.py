"""The environment in which code models learn from execution feedback.

Importing registers the environments with Gymnasium and does nothing else::

    import gymnasium, codefeedback_env
    env = gymnasium.make("CodeContests-v0")
"""

import gymnasium

from codefeedback_env.checkers import Judging, register_checker
from codefeedback_env.datasets.problem_set import (
    ProblemFilter,
    ProblemSet,
    ProblemSource,
    ProblemSummary,
    WrongProgram,
)
from codefeedback_env.dialogue import FeedbackSource
from codefeedback_env.env import CodeFeedbackEnv, JudgeLike
from codefeedback_env.episode import EndedBy, Episode, Turn, read_episodes
from codefeedback_env.errors import (
    CodeFeedbackError,
    ConfigError,
    DatasetError,
    DatasetNotFoundError,
    EnvClosedError,
    RecordError,
    SandboxError,
    SandboxUnavailableError,
    UnknownNameError,
    UnknownProblemError,
)
from codefeedback_env.feedback import FORMAT, FeedbackFormat, PaperFeedback
from codefeedback_env.languages import Submission
from codefeedback_env.make import load_problems
from codefeedback_env.parsing import find_submission
from codefeedback_env.problem import FunctionStyle, FunctionTask, Pool, Problem, TestCase
from codefeedback_env.rewards import FractionPassed, Reward, RewardConfig
from codefeedback_env.spaces import UnicodeText
from codefeedback_env.vector import CodeFeedbackVectorEnv
from codefeedback_env.verdicts import TestReport, TestResult, Verdict
from codefeedback_env.wrappers import FullTranscript, RecordEpisodes

__version__ = "0.1.0"
__all__ = [
    "FORMAT",
    "CodeFeedbackEnv",
    "CodeFeedbackError",
    "CodeFeedbackVectorEnv",
    "ConfigError",
    "DatasetError",
    "DatasetNotFoundError",
    "EndedBy",
    "EnvClosedError",
    "Episode",
    "FeedbackFormat",
    "FeedbackSource",
    "FractionPassed",
    "FullTranscript",
    "FunctionStyle",
    "FunctionTask",
    "JudgeLike",
    "Judging",
    "PaperFeedback",
    "Pool",
    "Problem",
    "ProblemFilter",
    "ProblemSet",
    "ProblemSource",
    "ProblemSummary",
    "RecordEpisodes",
    "RecordError",
    "Reward",
    "RewardConfig",
    "SandboxError",
    "SandboxUnavailableError",
    "Submission",
    "TestCase",
    "TestReport",
    "TestResult",
    "Turn",
    "UnicodeText",
    "UnknownNameError",
    "UnknownProblemError",
    "Verdict",
    "WrongProgram",
    "find_submission",
    "load_problems",
    "read_episodes",
    "register_checker",
]

# No max_episode_steps: the turn limit is part of the task, so its end is termination.
gymnasium.register(
    id="CodeContests-v0",
    entry_point="codefeedback_env.make:make_env",
    vector_entry_point="codefeedback_env.make:make_vector_env",
    kwargs={"dataset": "code_contests", "split": "bundled", "problem_filter": "paper"},
)
for _id, _dataset, _split in (
    ("CodeContestsPlus-v0", "code_contests_plus", "1x"),
    ("APPS-v0", "apps", "test"),
    ("TACO-v0", "taco", "test"),
    ("LiveCodeBench-v0", "live_code_bench", "release_v6"),
    ("HumanEvalPlus-v0", "human_eval_plus", "test"),
    ("MBPPPlus-v0", "mbpp_plus", "test"),
):
    gymnasium.register(
        id=_id,
        entry_point="codefeedback_env.make:make_env",
        vector_entry_point="codefeedback_env.make:make_vector_env",
        kwargs={"dataset": _dataset, "split": _split},
    )
gymnasium.register(
    id="CodeFeedback-v0",
    entry_point="codefeedback_env.make:make_env",
    vector_entry_point="codefeedback_env.make:make_vector_env",
)
