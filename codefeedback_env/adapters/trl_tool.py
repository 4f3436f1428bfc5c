"""The environment as a tool, for TRL's ``environment_factory``."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from itertools import count
from typing import Any

from codefeedback_env import (
    CodeFeedbackEnv,
    CodeFeedbackVectorEnv,
    JudgeLike,
    SandboxError,
    find_submission,
)
from codefeedback_env.adapters.environments import make_environment
from codefeedback_env.adapters.trl_background import BackgroundGrading
from codefeedback_env.make import make_judge

LAST = "This was your last submission."
PASSED = "Your code passed the public tests. It is your final submission."
OVER = "There is nothing more to submit."
JUDGE_OPTIONS = ("sandbox", "num_workers", "python")


def submit_environment(
    env_id: str = "CodeContests-v0", **options: Any
) -> Callable[[], "SubmitEnvironment"]:
    """A factory for ``GRPOTrainer(environment_factory=...)``.

    Its environments share the problems and the workers of one judge.

    Args:
        env_id: a registered environment.
        options: of ``gymnasium.make``.
    """
    pattern, judge = pattern_and_judge(env_id, **options)
    background = BackgroundGrading(judge)
    seeds = count()
    return lambda: SubmitEnvironment(pattern, judge, background, next(seeds))


def pattern_and_judge(env_id: str, **options: Any) -> tuple[CodeFeedbackEnv, JudgeLike]:
    """What environments with the same options share: one that holds their rules, and a judge."""
    judge_options = {key: options[key] for key in JUDGE_OPTIONS if key in options}
    return make_environment(env_id, **options), make_judge(**judge_options)


class SubmitEnvironment:
    """One episode at a time, in which programs are handed in by calling a tool.

    The public methods are those that TRL looks for: every other one would become a tool.
    ``submit`` returns when the public tests are done. Hidden tests run in the judge's workers until
    ``get_reward``, so episodes that end one after the other are graded at the same time.
    """

    def __init__(
        self, pattern: CodeFeedbackEnv, judge: JudgeLike, background: BackgroundGrading, seed: int
    ) -> None:
        """An environment with the rules of another.

        Args:
            pattern: whose rules.
            judge: shared with others, and closed by nobody: its workers end with the last of them.
            background: for the hidden tests, shared with the same others.
            seed: of the environment's random choices.
        """
        self._background = background
        self._judge = _PublicFirst(judge, background)
        self._env = CodeFeedbackVectorEnv(1, pattern.rules, self._judge, "Disabled")
        self._seed: int | None = seed
        self._rewards: list[float] = []
        self._is_over = True
        self._is_graded = True
        self._is_dropped = False

    def reset(self, problem_id: str, **row: Any) -> None:
        """Begin an episode; the prompt is in the row already.

        Args:
            problem_id: of the row.
            row: its other columns.
        """
        self._env.reset(seed=self._seed, options={"problem": problem_id})
        self._seed = None  # later episodes go on in the same stream of random numbers
        self._rewards = []
        self._is_over = self._is_graded = self._is_dropped = False

    def submit(self, code: str) -> str:
        """Run a program on the public tests of the problem and learn which of them it fails.

        Args:
            code: The whole program, in Python. An empty one is a submission that cannot be parsed.

        Returns:
            What went wrong, or that this was the final submission.
        """
        if self._is_over:
            return OVER
        is_last = len(self._rewards) + 1 >= self._env.rules.turn_limit
        self._judge.expects_end = is_last
        self._judge.passed_public = False
        self._env.send([_reply(code)], [0])
        if is_last or self._judge.passed_public:
            self._is_over = True
            return LAST if is_last else PASSED
        feedback = self._receive()
        return OVER if self._is_over else feedback

    def get_reward(self) -> float | None:
        """The sum of the episode's rewards; None where the sandbox failed.

        A model that stops before the end has made its last submission the final one, and that one
        failed public tests; so has a model that submits nothing.
        """
        if self._is_over and not self._is_graded:
            self._background.hurry()
            self._receive()
        if not self._is_over:
            failed = self._env.rules.reward.final({}, False)
            self._rewards = [*self._rewards[:-1], failed]
            self._is_over = self._is_graded = True
        return None if self._is_dropped else sum(self._rewards)

    def _receive(self) -> str:
        observations, rewards, terminations, truncations, _ = self._env.recv(1)
        self._rewards.append(float(rewards[0]))
        self._is_dropped = bool(truncations[0])
        self._is_over = self._is_graded = bool(terminations[0] or truncations[0])
        return observations[0]


class _PublicFirst:
    """A judge whose ``submit`` waits for the public tests and leaves the others to the workers."""

    def __init__(self, judge: JudgeLike, background: BackgroundGrading) -> None:
        self.expects_end = False
        """Whatever the public tests say, the submission is the last: nothing to wait for."""

        self.passed_public = False
        """Set by ``submit``: the public tests were passed, so the submission is final."""

        self._background = background
        self._rest: Future[Any] | None = None
        self.judge, self.info = judge.judge, judge.info

    def submit(self, problem: Any, submission: Any, plan: Any) -> "Future[Any]":
        self._rest = None
        if self.expects_end or len(plan.stages) < 2 or not plan.stop_after_failed_pool:
            return self._background.submit(problem, submission, plan)
        whole: Future[Any] = Future()
        public, hidden = (replace(plan, stages=s) for s in (plan.stages[:1], plan.stages[1:]))
        try:
            report = self._background.judge(problem, submission, public)
            if report.all_passed:
                self.passed_public = True
                self._rest = self._background.submit(problem, submission, hidden)
                self._rest.add_done_callback(lambda rest: _join(whole, report, rest))
            else:
                whole.set_result(report)
        except SandboxError as error:
            whole.set_exception(error)
        return whole

    def cancel(self, future: "Future[Any]") -> None:
        self._background.cancel(future if self._rest is None else self._rest)

    def close(self) -> None:
        """Nothing: others use the judge, too."""


def _join(whole: "Future[Any]", public: Any, rest: "Future[Any]") -> None:
    """Hand on the report on the other tests, with that on the public ones."""
    if rest.cancelled():
        whole.cancel()
    elif (error := rest.exception()) is not None:
        whole.set_exception(error)
    else:
        hidden = rest.result()
        whole.set_result(replace(hidden, reports={**public.reports, **hidden.reports}))


def _reply(code: str) -> str:
    """The message that hands in a program; models often put the block into the call."""
    if not code.strip():
        return ""
    if code.lstrip().startswith("```") and find_submission(code) is not None:
        return code
    fence = "```"
    while fence in code:
        fence += "`"
    return f"{fence}python\n{code}\n{fence}"
