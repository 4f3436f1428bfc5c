"""The dialogue of RLEF in plain text, for TRL's ``rollout_func``."""

import logging
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from codefeedback_env import CodeFeedbackVectorEnv, ConfigError
from codefeedback_env.adapters.trl_chat import TemplateChat
from codefeedback_env.adapters.trl_tool import pattern_and_judge

_LOG = logging.getLogger(__name__)


class Trainer(Protocol):
    """What of a ``GRPOTrainer`` is used."""

    processing_class: Any
    chat_template_kwargs: Mapping[str, Any]
    eos_token_ids: Sequence[int]
    max_completion_length: int
    accelerator: Any
    args: Any
    model: Any
    use_vllm: bool
    vllm_mode: str
    vllm_generation: Any
    """With vLLM only."""

    generation_config: Any
    """Without vLLM only."""

    def _generate_single_turn(
        self,
        prompt_ids: list[list[int]],
        images: None,
        multimodal_fields: dict[str, Any],
        num_generations: int,
    ) -> tuple[list[list[int]], list[list[float]] | None]:
        """One reply for each context, with any of TRL's ways to generate."""


@dataclass(slots=True)
class _Dialogue:
    """An episode in tokens. Lists of the completion are equally long."""

    messages: Sequence[Mapping[str, Any]]
    prompt_ids: list[int]
    max_tokens: int
    """Of the completion."""

    completion_ids: list[int] = field(default_factory=list)
    env_mask: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    feedback_ids: list[int] = field(default_factory=list)
    """What comes before the reply that is due."""

    rewards: list[float] = field(default_factory=list)
    private_passed: bool | None = None
    is_dropped: bool = False

    @property
    def context(self) -> list[int]:
        return self.prompt_ids + self.completion_ids + self.feedback_ids

    @property
    def room(self) -> int:
        """Tokens that the reply may have."""
        return self.max_tokens - len(self.completion_ids) - len(self.feedback_ids)

    def add_reply(self, ids: Sequence[int], logprobs: Sequence[float]) -> None:
        num_feedback = len(self.feedback_ids)
        self.completion_ids += [*self.feedback_ids, *ids]
        self.env_mask += [0] * num_feedback + [1] * len(ids)
        self.logprobs += [0.0] * num_feedback + list(logprobs)
        self.feedback_ids = []

    def drop(self, filler: int) -> None:
        """Nothing is to be learned from it; a completion must not be empty."""
        self.is_dropped = True
        self.private_passed = None
        if not self.completion_ids:
            self.completion_ids, self.logprobs = [filler], [0.0]
        self.env_mask = [0] * len(self.completion_ids)


class DialogueRollout:
    """A ``rollout_func``: the dialogue of RLEF, token in, token out.

    The ids trained on are those sampled. Feedback is put between the replies as the chat template
    writes it, masked by ``env_mask``. A reply that the length limit cuts is judged as it is. Where
    the context has no room for feedback and a reply, the episode ends as failed. An episode that
    the sandbox failed, or whose prompt leaves no room, is dropped: no reward, and a mask of zeros.

    Args:
        env_id: a registered environment.
        max_reply_tokens: most tokens of one reply; else only ``max_completion_length``, which is
            that of all replies and feedback of an episode, limits it.
        min_ready: share of the programs under judgement that have to be done before the next
            replies are generated. With less than 1, nobody waits for the slowest programs, but
            which replies are generated together then depends on how fast programs run.
        options: of ``gymnasium.make``.

    Raises:
        ConfigError: a number is out of its range.
    """

    def __init__(
        self,
        env_id: str = "CodeContests-v0",
        *,
        max_reply_tokens: int | None = None,
        min_ready: float = 1.0,
        **options: Any,
    ) -> None:
        """See the class."""
        if max_reply_tokens is not None and max_reply_tokens < 1:
            raise ConfigError(f"max_reply_tokens={max_reply_tokens} must be at least 1, or None.")
        if not 0 < min_ready <= 1:
            raise ConfigError(f"min_ready={min_ready} must be above 0 and at most 1.")
        self._max_reply_tokens = max_reply_tokens
        self._min_ready = min_ready
        self._pattern, self._judge = pattern_and_judge(env_id, **options)
        self._env: CodeFeedbackVectorEnv | None = None

    def __call__(
        self, prompts: Sequence[Sequence[Mapping[str, Any]]], trainer: Trainer
    ) -> dict[str, list[Any] | None]:
        """Play an episode for each prompt; TRL has repeated those of a group already.

        Returns:
            Lists with one entry for each prompt: ``prompt_ids``, ``completion_ids``, ``logprobs``
            (None unless vLLM tells them), ``env_mask`` (1 for tokens of the model), and for reward
            functions ``episode_reward`` and ``private_passed``, None for dropped episodes.

        Raises:
            ConfigError: a prompt is no row of ``prompt_rows`` with these options.
            SandboxError: the sandbox failed three times in a row.
        """
        tokenizer = getattr(trainer.processing_class, "tokenizer", trainer.processing_class)
        chat = TemplateChat(tokenizer, trainer.chat_template_kwargs, trainer.eos_token_ids)
        env = self._begin(prompts, trainer)
        dialogues = _dialogues(prompts, chat, trainer)
        due = [i for i, dialogue in enumerate(dialogues) if dialogue.room > 0]
        num_judging = 0
        has_logprobs = True
        while True:
            limit = self._reply_limit([dialogues[i] for i in due], trainer)
            shares = _of_all_processes((len(due), limit, num_judging), trainer)
            num_rows, limit = max(s[0] for s in shares), max(s[1] for s in shares)
            if not num_rows and not any(s[2] for s in shares):
                break
            if num_rows:
                # All processes ask for equally many replies: generating may be a joint operation.
                contexts = [dialogues[i].context for i in due]
                contexts += [[trainer.eos_token_ids[0]]] * (num_rows - len(due))
                replies, logprobs = _generate(contexts, limit, trainer)
                has_logprobs = has_logprobs and logprobs is not None
                for row, i in enumerate(due):
                    ids = list(replies[row])[: min(limit, dialogues[i].room)]
                    known = list(logprobs[row]) if logprobs is not None else [0.0] * len(ids)
                    dialogues[i].add_reply(ids, known[: len(ids)])
                    env.send([chat.reply_text(ids)], [i])
                num_judging += len(due)
                due = []
            if num_judging:
                received = env.recv(math.ceil(self._min_ready * num_judging))
                num_judging -= len(received[0])
                due = self._take_in(received, dialogues, chat)
        self._env = env
        for dialogue in dialogues:
            if dialogue.is_dropped or not dialogue.completion_ids:
                dialogue.drop(trainer.eos_token_ids[0])
        return {
            "prompt_ids": [d.prompt_ids for d in dialogues],
            "completion_ids": [d.completion_ids for d in dialogues],
            "logprobs": [d.logprobs for d in dialogues] if has_logprobs else None,
            "env_mask": [d.env_mask for d in dialogues],
            "episode_reward": [None if d.is_dropped else sum(d.rewards) for d in dialogues],
            "private_passed": [d.private_passed for d in dialogues],
        }

    def close(self) -> None:
        """Let go of the judge's workers; another call starts them again."""
        self._judge.close()

    def _begin(
        self, prompts: Sequence[Sequence[Mapping[str, Any]]], trainer: Trainer
    ) -> CodeFeedbackVectorEnv:
        """Reset an environment for each prompt."""
        problem_ids = [_problem_id(messages) for messages in prompts]
        env, seed = self._env, None
        self._env = None  # a call that raises leaves steps under way behind
        if env is None or env.num_envs < len(prompts):
            env = CodeFeedbackVectorEnv(len(prompts), self._pattern.rules, self._judge, "Disabled")
            seed = trainer.args.seed + len(prompts) * trainer.accelerator.process_index
        spare = [None] * (env.num_envs - len(prompts))
        mask = np.arange(env.num_envs) < len(prompts)
        options = {"problem": [*problem_ids, *spare], "reset_mask": mask}
        texts, _ = env.reset(seed=seed, options=options)
        for problem_id, messages, text in zip(problem_ids, prompts, texts, strict=False):
            if messages[-1]["content"] != text:
                raise ConfigError(
                    f"the row of problem {problem_id!r} asks {messages[-1]['content']!r:.200}, but "
                    f"the environment asks {text!r:.200}; make the rows with prompt_rows and the "
                    "options that DialogueRollout has."
                )
        return env

    def _reply_limit(self, dialogues: Sequence[_Dialogue], trainer: Trainer) -> int:
        longest = self._max_reply_tokens or trainer.max_completion_length
        return min(longest, max((dialogue.room for dialogue in dialogues), default=1))

    def _take_in(
        self, received: tuple[Any, ...], dialogues: Sequence[_Dialogue], chat: TemplateChat
    ) -> list[int]:
        """What the environment answered; returns the dialogues in which a reply is due."""
        observations, rewards, terminations, truncations, infos = received
        due = []
        for row, i in enumerate(map(int, infos["env_id"])):
            dialogue = dialogues[i]
            dialogue.rewards.append(float(rewards[row]))
            if truncations[row]:
                dialogue.is_dropped = True
                continue
            if terminations[row]:
                dialogue.private_passed = bool(infos["private_passed"][row])
                continue
            last_reply_ids = dialogue.completion_ids[-1:]
            dialogue.feedback_ids = chat.feedback_ids(
                dialogue.messages, observations[row], last_reply_ids
            )
            if dialogue.room > 0:
                due.append(i)
            else:  # the reply was the final one, and it failed public tests
                dialogue.rewards[-1] = self._pattern.rules.reward.final({}, False)
                dialogue.private_passed = False
        return sorted(due)


def _dialogues(
    prompts: Sequence[Sequence[Mapping[str, Any]]], chat: TemplateChat, trainer: Trainer
) -> list[_Dialogue]:
    max_context = _max_context(trainer)
    known: dict[str, list[int]] = {}
    dialogues = []
    for messages in prompts:
        key = repr(messages)
        ids = known.get(key) or chat.prompt_ids(messages)
        known[key] = ids
        room = min(trainer.max_completion_length, max_context - len(ids))
        if room < 1:
            _LOG.warning(
                "problem %r is dropped: its prompt has %d tokens, and the context %d",
                _problem_id(messages),
                len(ids),
                max_context,
            )
        dialogues.append(_Dialogue(messages, ids, room, is_dropped=room < 1))
    return dialogues


def _problem_id(messages: Sequence[Mapping[str, Any]]) -> str:
    last = None if isinstance(messages, str) or not messages else messages[-1]
    problem_id = last.get("problem_id") if isinstance(last, Mapping) else None
    if not isinstance(problem_id, str):
        raise ConfigError(
            f"the last message of a prompt names no problem: {last!r:.200}; make the data set's "
            "rows with prompt_rows."
        )
    return problem_id


def _max_context(trainer: Trainer) -> int:
    """Tokens of prompt and completion together."""
    if trainer.use_vllm and trainer.vllm_mode == "colocate":
        return int(trainer.vllm_generation.llm.llm_engine.model_config.max_model_len)
    config = trainer.model.config.get_text_config()
    return int(getattr(config, "max_position_embeddings", sys.maxsize))


def _generate(
    contexts: list[list[int]], limit: int, trainer: Trainer
) -> tuple[list[list[int]], list[list[float]] | None]:
    with _longest_reply(limit, trainer):
        return trainer._generate_single_turn(contexts, None, {}, num_generations=1)


@contextmanager
def _longest_reply(num_tokens: int, trainer: Trainer) -> Iterator[None]:
    """Let replies end there; of itself TRL lets each have all of ``max_completion_length``."""
    if trainer.use_vllm:
        holder, name = trainer.vllm_generation, "max_completion_length"
    else:
        holder, name = trainer.generation_config, "max_new_tokens"
    before = getattr(holder, name)
    setattr(holder, name, num_tokens)
    try:
        yield
    finally:
        setattr(holder, name, before)


def _of_all_processes(share: tuple[int, int, int], trainer: Trainer) -> list[tuple[int, int, int]]:
    if trainer.accelerator.num_processes == 1:
        return [share]
    from accelerate.utils import gather_object  # TRL brings it

    shares: list[tuple[int, int, int]] = gather_object([share])
    return shares
