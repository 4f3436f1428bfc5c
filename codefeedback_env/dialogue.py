"""The rules of one episode, without any waiting.

A Dialogue says what is to be judged and, given the report, what follows. Who waits for the judge,
and how, is up to the environment around it.
"""

import math
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any

import numpy as np

from codefeedback_env.checkers import Judging, checker_for
from codefeedback_env.datasets.problem_set import ProblemSet
from codefeedback_env.datasets.sampling import limit_hidden_tests
from codefeedback_env.episode import EndedBy, Turn
from codefeedback_env.errors import ConfigError, SandboxError, UnknownProblemError
from codefeedback_env.feedback import (
    NO_SELF_TESTS,
    SELF_TESTS,
    SELF_TESTS_PASSED,
    FailedTest,
    FeedbackFormat,
    PaperFeedback,
    Wording,
)
from codefeedback_env.judge.function_tests import fault_of
from codefeedback_env.judge.memory import ProblemMemory
from codefeedback_env.judge.protocol import JudgeReport, PackedProblem, Plan, Stage, pack
from codefeedback_env.languages import PYTHON3, Submission
from codefeedback_env.lookup import did_you_mean
from codefeedback_env.parsing import find_program, find_proposed_tests
from codefeedback_env.problem import FunctionStyle, Pool, Problem, TestCase
from codefeedback_env.problem_checkers import PROBLEM_CHECKERS, Checker
from codefeedback_env.rewards import Reward
from codefeedback_env.verdicts import TestReport, Verdict

MAX_HIDDEN_SHOWN = 8  # Gehring et al. 2025, appendix B.2
MAX_DECOYS_TRIED = 8
HIDDEN_POOLS = (Pool.PRIVATE, Pool.GENERATED)


class FeedbackSource(StrEnum):
    """Which tests the feedback after a reply speaks of."""

    PUBLIC = "public"
    RANDOM = "random"
    """Another problem's public tests, failed by a wrong program for it: the paper's ablation."""

    NONE = "none"
    """No tests: the agent is asked to try again until the turn limit."""

    PRIVATE = "private"
    """Public tests and up to eight failing hidden ones: they are no longer hidden then."""

    SELF = "self"
    """Tests that the reply itself proposes in a second block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeRules:
    """Everything that decides how episodes go, as objects."""

    problems: ProblemSet
    turn_limit: int
    feedback: FeedbackSource
    feedback_format: FeedbackFormat
    reward: Reward
    judging: Judging
    checker: Checker | str | None = None
    max_private_tests: int | None = None
    time_factor: float = 1.0
    _prepared: ProblemMemory = field(
        default_factory=ProblemMemory, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        """Check what can be checked before the first episode."""
        if self.turn_limit < 1:
            raise ConfigError(f"turn_limit={self.turn_limit} must be at least 1.")
        if not 0 < self.time_factor < math.inf:
            raise ConfigError(f"time_factor={self.time_factor} must be positive and finite.")
        if self.max_private_tests is not None and self.max_private_tests < 1:
            raise ConfigError(
                f"max_private_tests={self.max_private_tests} must be at least 1, or None for all."
            )
        if not len(self.problems):
            raise ConfigError(
                f"{self.problems!r} is empty; loosen problem_filter, or take another split."
            )
        if self.feedback is FeedbackSource.RANDOM and len(self.problems) < 2:
            raise ConfigError("feedback='random' needs a second problem to take feedback from.")
        untested = [
            s.id for s in self.problems.summaries if not s.num_public_tests + s.num_hidden_tests
        ]
        if untested:
            raise ConfigError(
                f"{len(untested)} problems have no tests, such as {untested[0]!r}; pass "
                "problem_filter='paper' to leave them out."
            )
        without = [s.id for s in self.problems.summaries if not s.num_public_tests]
        if without and self.feedback is FeedbackSource.PUBLIC:
            raise ConfigError(
                f"{len(without)} problems have no public tests, such as {without[0]!r}, so there "
                "is no feedback on them; pass problem_filter='paper', or another feedback source."
            )

    def describe(self) -> dict[str, Any]:
        """What a record says of the rules, in JSON's types."""
        return {
            "dataset": self.problems.name,
            "split": self.problems.split,
            "fingerprint": self.problems.data_fingerprint,
            "num_excluded": self.problems.num_excluded,
            "turn_limit": self.turn_limit,
            "feedback": self.feedback.value,
            "feedback_format": repr(self.feedback_format),
            "reward": repr(self.reward),
            "judging": self.judging.value,
            "checker": self.checker
            if isinstance(self.checker, str | None)
            else self._checker_name(),
            "max_private_tests": self.max_private_tests,
            "time_factor": self.time_factor,
        }

    def _checker_name(self) -> str:
        registered = (name for name, check in PROBLEM_CHECKERS.items() if check is self.checker)
        return next(registered, "custom")

    def begin(self, problem_id: str, random: np.random.Generator) -> "Dialogue":
        """A new episode on a problem.

        How outputs are compared is decided by all tests of the problem, also where only a part of
        the hidden ones is run.

        Raises:
            UnknownProblemError: no problem has this id; names the closest.
        """
        prepared = self._prepared.find(problem_id)
        if prepared is None:
            if problem_id not in self.problems:
                problems = self.problems
                raise UnknownProblemError(
                    f"no problem {problem_id!r} in {problems.name} (split {problems.split!r}, "
                    f"{len(problems)} problems){did_you_mean(problem_id, problems.ids)} The "
                    "attribute `ids` lists them."
                )
            problem = self.problems[problem_id]
            self._check_function(problem)
            checker = checker_for(problem, self.judging, self.checker)
            limited = limit_hidden_tests(problem, self.max_private_tests)
            prepared = limited, self.pack(limited, checker)
            self._prepared.keep(problem_id, *prepared)
        return Dialogue(self, prepared[0], random, prepared[1])

    def _check_function(self, problem: Problem) -> None:
        if problem.function is None:
            return
        if self.checker is not None:
            raise ConfigError(
                f"a checker decides on printed outputs, but problem {problem.id!r} asks for a "
                "function; leave checker= out."
            )
        is_code = problem.function.style is FunctionStyle.ASSERTS
        if is_code and self.feedback is FeedbackSource.SELF:
            raise ConfigError(
                "feedback='self' needs tests of input and output, but those of problem "
                f"{problem.id!r} are code; choose another feedback source."
            )

    def format_for(self, problem: Problem) -> FeedbackFormat:
        """What words the messages about a problem."""
        text = self.feedback_format
        return text.for_problem(problem) if isinstance(text, PaperFeedback) else text

    def pack(self, problem: Problem, checker: Checker) -> PackedProblem:
        """The problem as the judge wants it."""
        return pack(problem, judging=self.judging, checker=checker, time_factor=self.time_factor)


@dataclass(frozen=True, slots=True)
class JudgeCall:
    """Something to be judged before a step can go on."""

    problem: PackedProblem
    submission: Submission
    plan: Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a step returns."""

    observation: str
    reward: float
    terminated: bool
    truncated: bool
    info: dict[str, Any]


Steps = Generator[JudgeCall, JudgeReport, Outcome]
"""A step under way: yields what to judge, is sent the report, returns the outcome.

A SandboxError is thrown in where there is no report."""


@dataclass(slots=True)
class Dialogue:
    """One episode."""

    rules: EpisodeRules
    problem: Problem
    random: np.random.Generator
    """The environment's; used for the choice of other problems only."""

    packed: PackedProblem
    turns: list[Turn] = field(default_factory=list)
    ended_by: EndedBy | None = None
    private_passed: bool = False

    @property
    def prompt(self) -> str:
        """The first observation."""
        prompt = self.rules.feedback_format.prompt(self.problem)
        return f"{prompt}\n{SELF_TESTS}" if self.rules.feedback is FeedbackSource.SELF else prompt

    def info(self, report: TestReport | None = None) -> dict[str, Any]:
        """The info that goes with an observation, made afresh."""
        function = self.problem.function
        prefix = function.reply_prefix if function is not None else ""
        return {
            "problem_id": self.problem.id,
            "split": self.rules.problems.split,
            "turn": len(self.turns),
            "public_verdicts": {} if report is None else report.verdict_counts(),
            **({"reply_prefix": prefix} if prefix else {}),
        }

    def step(self, reply: str) -> Steps:
        """Take the agent's next reply."""
        try:
            return (yield from self._step(reply))
        except SandboxError as error:
            self.ended_by = EndedBy.SANDBOX_FAILURE
            self.turns.append(
                Turn(
                    reply=reply,
                    submission=find_program(reply, self.problem.function),
                    public_report=None,
                    feedback="",
                    reward=0.0,
                )
            )
            return Outcome(
                observation="",
                reward=0.0,
                terminated=False,
                truncated=True,
                info={**self.info(), "sandbox_error": str(error)},
            )

    def _step(self, reply: str) -> Steps:
        is_last = len(self.turns) + 1 >= self.rules.turn_limit
        submission = find_program(reply, self.problem.function)
        if submission is None:
            return self._end_turn(reply, None, None, is_last, self._text_without_code())
        rules = self.rules
        plan = _plan(rules.feedback, rules.reward.needs_all_tests, is_last)
        report = yield JudgeCall(self.packed, submission, plan)
        passed = report.all_passed and bool(report.reports)
        tests_passed = (
            passed if self.rules.feedback is FeedbackSource.PRIVATE else (_public_passed(report))
        )
        if self.rules.feedback is FeedbackSource.NONE:
            tests_passed = False  # no early stop
        if is_last or tests_passed:
            self.ended_by = EndedBy.TESTS_PASSED if tests_passed else EndedBy.TURN_LIMIT
            return self._end_turn(reply, submission, report, True, "")
        feedback = yield from self._feedback(reply, submission, report)
        return self._end_turn(reply, submission, report, False, feedback)

    def _end_turn(
        self,
        reply: str,
        submission: Submission | None,
        report: JudgeReport | None,
        is_final: bool,
        feedback: str,
    ) -> Outcome:
        reports = {} if report is None else report.reports
        public_report = reports.get(Pool.PUBLIC)
        if is_final:
            self.ended_by = self.ended_by or EndedBy.TURN_LIMIT
            self.private_passed = report is not None and report.all_passed
            reward = self.rules.reward.final(reports, self.private_passed)
            feedback = ""
        else:
            reward = self.rules.reward.not_final(report is not None and report.compiled)
        self.turns.append(
            Turn(
                reply=reply,
                submission=submission,
                public_report=public_report,
                feedback=feedback,
                reward=reward,
            )
        )
        info = self.info(public_report)
        if is_final:
            info["private_passed"] = self.private_passed
        return Outcome(
            observation=feedback,
            reward=reward,
            terminated=is_final,
            truncated=False,
            info=info,
        )

    @property
    def _text(self) -> FeedbackFormat:
        return self.rules.format_for(self.problem)

    @property
    def _retry(self) -> str:
        return Wording.of(self.problem).retry

    def _text_without_code(self) -> str:
        if self.rules.feedback is FeedbackSource.NONE:
            return self._retry
        return self._text.no_code()

    def _feedback(
        self, reply: str, submission: Submission, report: JudgeReport
    ) -> Generator[JudgeCall, JudgeReport, str]:
        text = self._text
        match self.rules.feedback:
            case FeedbackSource.NONE:
                return self._retry
            case FeedbackSource.RANDOM:
                return (yield from self._feedback_on_another_problem())
            case FeedbackSource.SELF:
                return (yield from self._feedback_on_own_tests(reply, submission))
            case FeedbackSource.PRIVATE:
                hidden = [
                    shown
                    for pool in HIDDEN_POOLS
                    for shown in _shown(self.problem, report, pool)
                    if shown[1].verdict is not Verdict.ACCEPTED
                ]
                public = _shown(self.problem, report, Pool.PUBLIC)
                return text.feedback([*public, *hidden[:MAX_HIDDEN_SHOWN]])
            case FeedbackSource.PUBLIC:
                return text.feedback(_shown(self.problem, report, Pool.PUBLIC))

    def _feedback_on_own_tests(
        self, reply: str, submission: Submission
    ) -> Generator[JudgeCall, JudgeReport, str]:
        tests = find_proposed_tests(reply)
        function = self.problem.function
        if function is not None:
            tests = tuple(test for test in tests if fault_of(test, function.style) is None)
        if not tests:
            return NO_SELF_TESTS + self._retry
        problem = _with_public_tests_only(self.problem, tests)
        report = yield self._public_call(problem, submission)
        if report.all_passed:
            return SELF_TESTS_PASSED + self._retry
        return self._text.feedback(_shown(problem, report, Pool.PUBLIC))

    def _feedback_on_another_problem(self) -> Generator[JudgeCall, JudgeReport, str]:
        """Source: Gehring et al. 2025, appendix C.2."""
        other, programs = self._other_problem()
        for source in (*programs, "raise NotImplementedError()"):
            report = yield self._public_call(other, Submission(PYTHON3.name, source))
            if not report.all_passed:
                break
        return self.rules.format_for(other).feedback(_shown(other, report, Pool.PUBLIC))

    def _other_problem(self) -> tuple[Problem, list[str]]:
        """Another problem with public tests, and wrong programs for it in random order."""
        problems = self.rules.problems
        fallback: str | None = None
        for position in self.random.permutation(len(problems)):
            summary = problems.summaries[int(position)]
            if summary.id == self.problem.id or not summary.num_public_tests:
                continue
            fallback = fallback or summary.id
            wrong = problems.wrong_programs(summary.id)
            if wrong:
                picks = self.random.permutation(len(wrong))[:MAX_DECOYS_TRIED]
                programs = [wrong[int(pick)].submission.source_code for pick in picks]
                return _with_public_tests_only(problems[summary.id]), programs
        if fallback is None:
            raise ConfigError("feedback='random' needs a second problem with public tests.")
        return _with_public_tests_only(problems[fallback]), []

    def _public_call(self, problem: Problem, submission: Submission) -> JudgeCall:
        plan = Plan(stages=(Stage(pool=Pool.PUBLIC, keep_output=True),))
        checker = checker_for(problem, self.rules.judging, self.rules.checker)
        return JudgeCall(self.rules.pack(problem, checker), submission, plan)


@cache
def _plan(feedback: FeedbackSource, needs_all_tests: bool, is_last: bool) -> Plan:
    """How a reply is judged."""
    if feedback is FeedbackSource.PRIVATE:
        shown = None if needs_all_tests else MAX_HIDDEN_SHOWN
        hidden = (Stage(pool=p, max_failures=shown, keep_output=True) for p in HIDDEN_POOLS)
        stop_after_failed_pool = False
    elif feedback is FeedbackSource.NONE and not is_last:
        return Plan()
    else:
        limit = None if needs_all_tests else 1
        hidden = (
            Stage(pool=pool, max_failures=limit, in_any_order=not needs_all_tests)
            for pool in HIDDEN_POOLS
        )
        stop_after_failed_pool = not (needs_all_tests and is_last)
    return Plan(
        stages=(Stage(pool=Pool.PUBLIC, keep_output=True), *hidden),
        stop_after_failed_pool=stop_after_failed_pool,
    )


def _public_passed(report: JudgeReport) -> bool:
    public = report.reports.get(Pool.PUBLIC)
    return public is not None and public.num_tests > 0 and public.all_passed


def _shown(problem: Problem, report: JudgeReport, pool: Pool) -> list[FailedTest]:
    tests = problem.tests(pool)
    return [(tests[result.index], result) for result in report.reports[pool].results]


def _with_public_tests_only(problem: Problem, tests: tuple[TestCase, ...] | None = None) -> Problem:
    return Problem(
        id=problem.id,
        statement=problem.statement,
        public_tests=problem.public_tests if tests is None else tests,
        time_limit_s=problem.time_limit_s,
        memory_limit_mib=problem.memory_limit_mib,
        checker=problem.checker,
        function=problem.function,
    )


def transcript(prompt: str, turns: list[Turn], outcome: Mapping[str, str]) -> str:
    """An episode as a person reads it; ``outcome`` lists how it ended, if it did."""
    parts = [_heading("Problem"), prompt]
    for number, turn in enumerate(turns, start=1):
        parts += [_heading(f"Reply {number}"), turn.reply]
        if turn.feedback:
            parts += [_heading(f"Feedback {number} (reward {turn.reward:+g})"), turn.feedback]
    if outcome:
        parts.append(_heading("End"))
        parts += [f"{key}: {value}" for key, value in outcome.items()]
    return "\n".join(parts) + "\n"


def _heading(title: str) -> str:
    return f"=== {title} ".ljust(80, "=")
