"""Policies without a model: baselines, and checks of whatever is around them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium

from agents.generation.base import Conversation
from codefeedback_env import ProblemSet, Verdict

HOPELESS_PROGRAM = "raise NotImplementedError"
MAX_PROGRAMS = 8  # of a problem that are looked at; CodeContests has hundreds for some


class ScriptedPolicy(ABC):
    """Answers with programs of the dataset, known before the episode begins."""

    def __init__(self, problems: ProblemSet, env_options: Mapping[str, Any]) -> None:
        """A policy for these problems.

        Args:
            problems: where the programs come from.
            env_options: of the environment it will act in: how programs are judged there.
        """
        self._problems = problems
        self._env_options = dict(env_options)
        self._references: dict[str, tuple[str, ...]] = {}

    def reply(self, conversations: Sequence[Conversation]) -> list[str]:
        """See Generator."""
        return [self.answer(conversation) for conversation in conversations]

    @abstractmethod
    def answer(self, conversation: Conversation) -> str:
        """The reply to one conversation."""

    @property
    def caveats(self) -> Sequence[str]:
        """How many of the problems asked about lack a reference program."""
        num_without = sum(not programs for programs in self._references.values())
        noun = "problem" if num_without == 1 else "problems"
        return [f"no reference program for {num_without} {noun}"] if num_without else []

    def close(self) -> None:  # noqa: B027 - most policies hold nothing
        """See Generator."""

    def _reference(self, problem_id: str, attempt: int) -> str:
        """A reply with a right program, another one at each attempt while there are any."""
        if problem_id not in self._references:
            found = self._problems.reference_programs(problem_id)[:MAX_PROGRAMS]
            self._references[problem_id] = tuple(program.source_code for program in found)
        programs = self._references[problem_id] or (HOPELESS_PROGRAM,)
        return as_reply(programs[min(attempt, len(programs) - 1)])


class Reference(ScriptedPolicy):
    """Right at once: the upper bound, and a check of the dataset."""

    def answer(self, conversation: Conversation) -> str:
        """The first reference program; where it fails, the next."""
        return self._reference(conversation.problem_id, conversation.turn)


class WrongThenRight(ScriptedPolicy):
    """Wrong in the first turn and right in the second: what feedback is good for.

    Its first program shall fail public tests, for otherwise the episode is over. Datasets do not
    say which tests a wrong program fails, so the policy tries them beforehand, in an environment of
    its own, of which it sees what any agent sees. Where all pass the public tests it has no second
    turn and scores less than 1.
    """

    def __init__(self, problems: ProblemSet, env_options: Mapping[str, Any]) -> None:
        """See ScriptedPolicy."""
        super().__init__(problems, env_options)
        self._wrong: dict[str, str] = {}
        self._num_without_second_turn = 0
        # feedback="none" takes problems without public tests too, and one turn judges at once.
        options = {**self._env_options, "turn_limit": 1, "feedback": "none", "max_private_tests": 1}
        self._tryout = gymnasium.make("CodeFeedback-v0", dataset=problems, **options)

    def answer(self, conversation: Conversation) -> str:
        """First the wrong program, then reference programs."""
        if conversation.turn:
            return self._reference(conversation.problem_id, conversation.turn - 1)
        if conversation.problem_id not in self._wrong:
            self._wrong[conversation.problem_id] = self._wrong_reply(conversation.problem_id)
        return self._wrong[conversation.problem_id]

    @property
    def caveats(self) -> Sequence[str]:
        """Also for how many problems no program is wrong enough to get feedback."""
        number = self._num_without_second_turn
        if not number:
            return super().caveats
        problems = "1 problem" if number == 1 else f"{number} problems"
        return [
            *super().caveats,
            f"{problems} end in turn 1: every wrong program there is passes the public tests",
        ]

    def close(self) -> None:
        """Close the environment for trying programs."""
        self._tryout.close()

    def _wrong_reply(self, problem_id: str) -> str:
        programs = self._problems.wrong_programs(problem_id)
        # Wrong answers fail public tests more often than programs which are slow on large tests.
        likely_first = sorted(programs, key=lambda p: p.verdict is not Verdict.WRONG_ANSWER)
        replies = [as_reply(p.submission.source_code) for p in likely_first[:MAX_PROGRAMS]]
        if not replies:
            return as_reply(HOPELESS_PROGRAM)
        for reply in replies:
            if self._fails_public_tests(problem_id, reply):
                return reply
        self._num_without_second_turn += 1
        return replies[0]

    def _fails_public_tests(self, problem_id: str, reply: str) -> bool:
        self._tryout.reset(options={"problem": problem_id})
        info = self._tryout.step(reply)[4]
        return bool(set(info["public_verdicts"]) - {Verdict.ACCEPTED.value})


class AlwaysWrong(ScriptedPolicy):
    """Never right: the lower bound of agents whose replies are programs."""

    def answer(self, conversation: Conversation) -> str:
        """A wrong program, another one for each seed and turn; one that raises if there is none."""
        programs = self._problems.wrong_programs(conversation.problem_id)
        if not programs:
            return as_reply(HOPELESS_PROGRAM)
        pick = (conversation.seed + conversation.turn) % len(programs)
        return as_reply(programs[pick].submission.source_code)


class NoCode(ScriptedPolicy):
    """Talks, and never writes a program: every reply is penalised."""

    def answer(self, conversation: Conversation) -> str:
        """Some words."""
        return "I would have to think about this one."


SCRIPTED_POLICIES: dict[str, type[ScriptedPolicy]] = {
    "reference": Reference,
    "wrong-then-right": WrongThenRight,
    "always-wrong": AlwaysWrong,
    "no-code": NoCode,
}


def as_reply(source_code: str) -> str:
    """A reply whose only block of code is this program, also where it has backticks in it."""
    fence = "```"
    while fence in source_code:
        fence += "`"
    return f"{fence}python\n{source_code}\n{fence}"
