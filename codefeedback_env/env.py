"""The environment of RLEF as a Gymnasium environment."""

from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, Protocol

import gymnasium
from gymnasium.error import ResetNeeded

from codefeedback_env.dialogue import Dialogue, EpisodeRules, Outcome, Steps, transcript
from codefeedback_env.episode import Episode
from codefeedback_env.errors import (
    ConfigError,
    EnvClosedError,
    SandboxError,
    SandboxUnavailableError,
)
from codefeedback_env.judge.protocol import JudgeReport, PackedProblem, Plan, WorkerInfo
from codefeedback_env.languages import Submission
from codefeedback_env.order import ProblemOrder, random_state, restored_random
from codefeedback_env.spaces import UnicodeText

MAX_SANDBOX_FAILURES = 2  # in a row; one more is raised
RESET_OPTIONS = frozenset({"problem"})


class JudgeLike(Protocol):
    """What an environment needs of a judge; ``Judge`` is the real one."""

    def submit(
        self, problem: PackedProblem, submission: Submission, plan: Plan
    ) -> "Future[JudgeReport]":
        """Judge a submission."""

    def judge(self, problem: PackedProblem, submission: Submission, plan: Plan) -> JudgeReport:
        """Judge a submission and wait."""

    def cancel(self, future: "Future[JudgeReport]") -> None:
        """Stop judging for this future."""

    def info(self) -> WorkerInfo:
        """Sandbox and interpreter in use."""

    def close(self) -> None:
        """Release processes."""


class CodeFeedbackEnv(gymnasium.Env[str, str]):
    r"""A language model solves programming problems and learns from running its programs.

    Made by ``gymnasium.make("CodeContests-v0")`` and the other registered ids; ``make.make_env``
    lists the options. The method is that of RLEF, Gehring et al. 2025, arXiv:2410.02089, section 2.

    **Action**: ``UnicodeText``, the model's whole reply. The program is the first block in triple
    backticks tagged as Python, else the first block of any kind.

    **Observation**: ``UnicodeText``, the newest message to the model only: after ``reset`` the
    problem, after ``step`` the feedback, "" after the end. ``FullTranscript`` gives whole
    conversations.

    **Episode**: the program runs on the public tests. If all pass, or the reply was the last that
    ``turn_limit`` allows, the reply is final: ``terminated``, and graded on public, private and
    generated tests. Otherwise the observation is the feedback on the failing tests.

    **Reward**: +1 where the final reply passes all tests of all pools, else -1; for a reply before
    it, -0.2 where it has no program or one that does not compile, else 0.

    **Truncation**: only where the sandbox failed, twice, over a reply. The reward is 0,
    ``info["sandbox_error"]`` says why, and the episode should be dropped. The third time in a row
    the SandboxError is raised.

    **Info**: ``problem_id``; ``split``; ``turn``, replies so far; ``public_verdicts``, how often
    each verdict came up on the public tests; ``reply_prefix``, for problems that have one, source
    with which programs begin and which replies may leave out; at the end ``private_passed``,
    whether the final program passed all tests; on truncation ``sandbox_error``. Equal seeds and
    actions give equal info.

    **Reset**: ``seed`` fixes the order of the problems, a permutation; a reset without seed goes on
    to the next. ``options={"problem": id}`` picks one and leaves the order as it is.

    **Versions**: v0, the paper's prompts, limits and rewards.
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 1}  # noqa: RUF012 - Gymnasium declares it so

    def __init__(
        self, rules: EpisodeRules, judge: JudgeLike, render_mode: str | None = None
    ) -> None:
        """An environment over objects; ``gymnasium.make`` makes them from names."""
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ConfigError(f"render_mode={render_mode!r} is unknown; it can be 'ansi' or None.")
        self.rules = rules
        self.render_mode = render_mode
        self.observation_space = UnicodeText()
        self.action_space = UnicodeText()
        self._judge = judge
        self._order: ProblemOrder | None = None
        self._dialogue: Dialogue | None = None
        self._is_over = True
        self._is_closed = False
        self._last_episode: Episode | None = None
        self._num_sandbox_failures = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Begin an episode on the next problem, or on ``options["problem"]``.

        Raises:
            UnknownProblemError: no problem has the id asked for.
            ConfigError: ``options`` has other keys, or the problem is no id.
            EnvClosedError: after ``close``.
        """
        if self._is_closed:
            raise EnvClosedError("reset() after close(); make a new environment.")
        options = options or {}
        if strangers := sorted(map(str, set(options) - RESET_OPTIONS)):
            raise ConfigError(f"unknown reset options {strangers}; known: {sorted(RESET_OPTIONS)}.")
        problem_id = options.get("problem")
        if not isinstance(problem_id, str | None):
            raise ConfigError(
                f"options['problem']={problem_id!r:.80} must be a problem's id, a str; the "
                "attribute `ids` of the problem set lists them."
            )
        super().reset(seed=seed)
        if seed is not None or self._order is None:
            order_seed = int(self.np_random.integers(2**63))
            self._order = ProblemOrder(len(self.rules.problems), order_seed)
        if problem_id is None:
            problem_id = self.rules.problems.ids[self._order.next()]
        self._dialogue = self.rules.begin(problem_id, self.np_random)
        self._is_over = False
        return self._dialogue.prompt, self._dialogue.info()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Judge the reply ``action``; waits until that is done.

        Raises:
            TypeError: the action is not a string.
            gymnasium.error.ResetNeeded: there is no episode under way.
            SandboxError: the sandbox failed for the third time in a row.
            SandboxUnavailableError: this machine cannot judge.
        """
        steps = self.begin_step(action)
        try:
            call = next(steps)
            while True:
                try:
                    report = self._judge.judge(call.problem, call.submission, call.plan)
                except SandboxUnavailableError:
                    raise
                except SandboxError as error:
                    call = steps.throw(error)
                else:
                    call = steps.send(report)
        except StopIteration as done:
            return self.end_step(done.value)

    def begin_step(self, action: str) -> Steps:
        """Begin a step whose judging the caller does; ``end_step`` takes its outcome."""
        return self.check_step(action).step(str(action))

    def check_step(self, action: str) -> Dialogue:
        """The episode under way, for which ``action`` is a reply; raises as ``step`` does."""
        if self._is_closed:
            raise EnvClosedError("step() after close(); make a new environment.")
        if not isinstance(action, str):
            raise TypeError(
                f"an action is a reply, a str, but got {type(action).__name__}: {action!r:.80}"
            )
        if self._dialogue is None or self._is_over:
            when = (
                "before the first reset()" if self._dialogue is None else "after the episode's end"
            )
            raise ResetNeeded(f"step() {when}; call reset() to begin an episode.")
        return self._dialogue

    def end_step(self, outcome: Outcome) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Take note of how a step came out.

        Raises:
            SandboxError: the sandbox failed for the third time in a row.
        """
        assert self._dialogue is not None
        if outcome.terminated or outcome.truncated:
            self._is_over = True
            self._last_episode = self._record(self._dialogue)
        if outcome.truncated:
            self._num_sandbox_failures += 1
            if self._num_sandbox_failures > MAX_SANDBOX_FAILURES:
                raise SandboxError(
                    f"the sandbox failed {self._num_sandbox_failures} times in a row, last: "
                    f"{outcome.info['sandbox_error']}"
                )
        else:
            self._num_sandbox_failures = 0
        return (
            outcome.observation,
            outcome.reward,
            outcome.terminated,
            outcome.truncated,
            outcome.info,
        )

    def get_state(self) -> dict[str, Any]:
        """The place in the order of problems and of all random numbers, as JSON has it."""
        return {
            "problems": self.rules.problems.fingerprint,
            "order": None if self._order is None else self._order.state(),
            "random": random_state(self.np_random),
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on where ``get_state`` was called, with the next ``reset()`` without a seed.

        An episode under way is dropped.

        Raises:
            ConfigError: this is no such state, or one of other problems.
        """
        problems = self.rules.problems
        try:
            if state["problems"] != problems.fingerprint:
                raise ValueError(
                    f"it is of problems with the fingerprint {state['problems']!r}, and here are "
                    f"{problems!r}; use the dataset, filter and shard it was saved with"
                )
            order = state["order"] and ProblemOrder.from_state(state["order"], len(problems))
            random = restored_random(state["random"])
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"this state cannot be taken up: {error}") from error
        self.np_random = random
        self._order, self._dialogue, self._is_over = order, None, True

    @property
    def last_episode(self) -> Episode | None:
        """The record of the episode that ended last, None before the first end."""
        return self._last_episode

    def render(self) -> str | None:
        """The transcript of the episode so far, None without ``render_mode="ansi"``."""
        if self.render_mode is None:
            return None
        if self._dialogue is None:
            return ""
        dialogue, end = self._dialogue, {}
        if dialogue.ended_by is not None:
            end = {
                "ended by": dialogue.ended_by.value,
                "passed all tests": "yes" if dialogue.private_passed else "no",
                "reward": f"{sum(turn.reward for turn in dialogue.turns):+g}",
                "data": f"{self.rules.problems.name} ({self.rules.problems.split} split), "
                f"problem {dialogue.problem.id}",
            }
        return transcript(dialogue.prompt, dialogue.turns, end)

    def close(self) -> None:
        """Let go of the judge's workers."""
        self._is_closed = True
        self._judge.close()

    def __repr__(self) -> str:
        """Which problems, which feedback, how many turns."""
        problems = self.rules.problems
        excluded = f" ({problems.num_excluded} excluded)" if problems.num_excluded else ""
        return (
            f"<{type(self).__name__} {problems.name}, split {problems.split!r}: {len(problems)} "
            f"problems{excluded}, feedback {self.rules.feedback.value!r}, "
            f"{self.rules.turn_limit} turns>"
        )

    __str__ = __repr__

    def _record(self, dialogue: Dialogue) -> Episode:
        assert dialogue.ended_by is not None
        try:
            machine = self._judge.info()
            where = {
                "sandbox": machine.sandbox,
                "python": machine.python_version,
                "numpy": machine.numpy_version,
            }
        except SandboxError:
            where = {"sandbox": None, "python": None, "numpy": None}
        return Episode(
            problem_id=dialogue.problem.id,
            seed=self._np_random_seed,
            prompt=dialogue.prompt,
            turns=tuple(dialogue.turns),
            reward=sum(turn.reward for turn in dialogue.turns),
            private_passed=dialogue.private_passed,
            ended_by=dialogue.ended_by,
            settings={**self.rules.describe(), **where},
        )
