"""Agents played against models whose answers are a function of what they are asked."""

from collections.abc import Callable
from typing import Any

from agents.generation.base import Conversation
from agents.generation.chat import ChatRequest
from agents.generation.chat_scripted import ScriptedBackend
from agents.generation.tokens import Sampling
from agents.prompting.driver import PromptingPolicy
from agents.prompting.task import MAIN, REPAIR, Agent
from codefeedback_env import ProblemSet

SAMPLING = Sampling(temperature=0.5, max_new_tokens=64)


def newest(request: ChatRequest) -> str:
    """The newest message of a request."""
    return request.messages[-1]["content"]


class Played:
    """A policy over scripted models, and what these were asked."""

    def __init__(
        self,
        agent: Agent,
        problems: ProblemSet,
        answer: Callable[[str], str],
        repair: Callable[[str], str] | None = None,
        judge: Any = None,
    ) -> None:
        """Models that answer to the newest message."""
        self.main = ScriptedBackend(lambda request: answer(newest(request)))
        backends = {MAIN: self.main}
        if repair is not None:
            self.repair = ScriptedBackend(lambda request: repair(newest(request)))
            backends[REPAIR] = self.repair
        options = {} if judge is None else {"sandbox": judge}
        self.policy = PromptingPolicy(agent, backends, SAMPLING, problems, options)

    def asked(self) -> list[str]:
        """The newest message of all requests so far."""
        return [newest(request) for request in self.main.requests]


def conversation(*texts: str, problem_id: str = "add-0", seed: int = 0) -> Conversation:
    """The first message is the prompt."""
    roles = ["user", "assistant"] * len(texts)
    messages = tuple({"role": r, "content": t} for r, t in zip(roles, texts, strict=False))
    return Conversation(problem_id=problem_id, seed=seed, messages=messages)
