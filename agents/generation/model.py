"""A language model as an agent: conversations in, replies out, tokens in between."""

from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from agents.generation.base import Conversation
from agents.generation.chat_dialogues import Dialogue, Dialogues
from agents.generation.tokens import Sampling, TokenGenerator, TokenRequest
from codefeedback_env import ConfigError

if TYPE_CHECKING:
    from agents.chat import ChatFormat

GENERATORS = ("torch", "vllm")
PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """How a model plays. The defaults are the paper's for 1@3 (section 3.1) where it has one."""

    model: str
    """Folder or hub name of a causal language model."""

    repair_model: str | None = None
    """Folder or hub name of a second model, which writes all replies but the first: each a new try
    to repair the first, whatever it tried before (appendix B.4)."""

    generator: str = "torch"
    """"torch", our own, or "vllm"."""

    precision: str = "bfloat16"
    """Of weights and computation: float32 or bfloat16."""

    temperature: float = 0.2
    """Section 3.1; 1.0 for 10@100."""

    top_p: float = 0.95
    """Section 3.1."""

    chat: str = "auto"
    """Format of the dialogue: auto, llama3, qwen, qwen3-thinking, plain, or base, which is plain
    text as in appendix C.3 for few-shot prompts of models that were taught no chat."""

    max_prompt_tokens: int = 2048
    """The problem is cut to this from the left."""

    max_feedback_tokens: int = 1024
    """Feedback is cut to this from the right."""

    max_reply_tokens: int = 2048
    """Silent in the paper."""

    max_context_tokens: int = 8192
    """A dialogue that does not fit gets no more replies."""

    def __post_init__(self) -> None:
        """Check every constraint, once.

        Raises:
            ConfigError: a value is out of range or two do not fit; says which to change.
        """
        for name, known in (("generator", GENERATORS), ("precision", PRECISIONS)):
            if getattr(self, name) not in known:
                raise ConfigError(f"{name}={getattr(self, name)!r} is none of {', '.join(known)}.")
        for name in ("max_prompt_tokens", "max_feedback_tokens", "max_reply_tokens"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}={getattr(self, name)} must be at least 1.")
        if self.max_context_tokens < self.max_prompt_tokens + self.max_reply_tokens:
            raise ConfigError(
                f"max_context_tokens={self.max_context_tokens} has no room for a prompt of "
                f"{self.max_prompt_tokens} and a reply of {self.max_reply_tokens}; raise it, or "
                "lower max_prompt_tokens or max_reply_tokens."
            )
        self.sampling  # noqa: B018 - which checks temperature and top_p

    @property
    def sampling(self) -> Sampling:
        """How tokens are drawn."""
        return Sampling(
            temperature=self.temperature, top_p=self.top_p, max_new_tokens=self.max_reply_tokens
        )


class ModelPolicy:
    """A ``Generator`` over a ``TokenGenerator``: a model reads again the very tokens it wrote.

    The tokens of a dialogue are kept between turns. Replies of others, and those of dialogues no
    longer kept, are encoded from their text.

    Args:
        tokens: continues dialogues; closed with this.
        chat: how messages become tokens.
        settings: lengths and sampling.
        max_dialogues: kept at most; those longest without a reply go first. Several times as many
            as there are episodes at once, for nobody says when an episode is over.
    """

    def __init__(
        self,
        tokens: TokenGenerator,
        chat: "ChatFormat",
        settings: ModelSettings,
        *,
        max_dialogues: int = 4096,
    ) -> None:
        """See the class."""
        if settings.max_context_tokens > tokens.max_context:
            raise ConfigError(
                f"max_context_tokens={settings.max_context_tokens} is more than the "
                f"{tokens.max_context} of the generator; lower it."
            )
        self._tokens = tokens
        self._chat = chat
        self._settings = settings
        self.sampling = settings.sampling
        """Of later replies; may be changed between them."""

        self._dialogues = Dialogues(
            tokens,
            chat,
            max_prompt_tokens=settings.max_prompt_tokens,
            max_feedback_tokens=settings.max_feedback_tokens,
            max_dialogues=max_dialogues,
        )
        self._num_replies = 0
        self._num_cut = 0
        self._num_without_room = 0

    def reply(self, conversations: Sequence[Conversation]) -> list[str]:
        """See Generator; "" for a dialogue that fills the context.

        Raises:
            GeneratorError: the model broke down.
        """
        waiting: dict[int, tuple[Dialogue, list[int]]] = {}  # with places in ``conversations``
        requests: list[TokenRequest] = []
        texts = [""] * len(conversations)
        for place, conversation in enumerate(conversations):
            key = (conversation.problem_id, conversation.seed)
            dialogue = self._dialogues.find(key, conversation.messages)
            if dialogue.number in waiting:  # the same conversation twice has the same reply
                waiting[dialogue.number][1].append(place)
                continue
            room = self._settings.max_context_tokens - len(dialogue.token_ids)
            if room < 1:
                self._num_without_room += 1
                continue
            sampling = self.sampling
            if room < sampling.max_new_tokens:
                sampling = replace(sampling, max_new_tokens=room)
            seeds = np.random.SeedSequence((conversation.seed, conversation.turn))
            requests.append(
                TokenRequest(
                    dialogue=dialogue.number,
                    prompt_ids=dialogue.token_ids,
                    seed=int(seeds.generate_state(1)[0]),
                    sampling=sampling,
                )
            )
            waiting[dialogue.number] = (dialogue, [place])
        self._tokens.add(requests)
        while waiting:
            for reply in self._tokens.step():
                dialogue, places = waiting.pop(reply.dialogue)
                text = self._chat.reply_text(reply.token_ids)
                for place in places:
                    texts[place] = text
                dialogue.add_reply(reply.token_ids, text)
                self._num_replies += 1
                self._num_cut += reply.is_cut
        self._dialogues.drop_oldest()
        return texts

    @property
    def caveats(self) -> Sequence[str]:
        """How many replies were cut off, and how many not asked for."""
        remarks = []
        if self._num_cut:
            remarks.append(
                f"{self._num_cut} of {self._num_replies} replies were cut off at the length limit"
            )
        if self._num_without_room:
            remarks.append(
                f"{self._num_without_room} replies are empty: the dialogue filled the "
                f"{self._settings.max_context_tokens} tokens of context"
            )
        return remarks

    def close(self) -> None:
        """Release the model."""
        self._tokens.close()


class WithRepair:
    """The first reply by one generator, each later one by another as if it were its first try.

    The second sees the problem, the first reply and its feedback, so its replies to one episode are
    independent samples. Source: Gehring et al. 2025, appendix B.4.
    """

    def __init__(self, first: ModelPolicy, repair: ModelPolicy) -> None:
        """Both are closed with this."""
        self._first = first
        self._repair = repair

    @property
    def sampling(self) -> Sampling:
        """Of later replies, by both."""
        return self._first.sampling

    @sampling.setter
    def sampling(self, sampling: Sampling) -> None:
        self._first.sampling = self._repair.sampling = sampling

    def reply(self, conversations: Sequence[Conversation]) -> list[str]:
        """See Generator."""
        beginning = [c for c in conversations if not c.turn]
        going_on = [c for c in conversations if c.turn]
        first = iter(self._first.reply(beginning) if beginning else ())
        repairs = iter(self._repair.reply([_first_try(c) for c in going_on]) if going_on else ())
        return [next(repairs if conversation.turn else first) for conversation in conversations]

    @property
    def caveats(self) -> Sequence[str]:
        """Of both."""
        return [
            *(f"first model: {remark}" for remark in self._first.caveats),
            *(f"repair model: {remark}" for remark in self._repair.caveats),
        ]

    def close(self) -> None:
        """Release both."""
        self._first.close()
        self._repair.close()


def _first_try(conversation: Conversation) -> Conversation:
    """Problem, first reply and its feedback, with another seed in each turn."""
    seed = np.random.SeedSequence((conversation.seed, 4, conversation.turn)).generate_state(1)[0]
    return replace(conversation, seed=int(seed), messages=conversation.messages[:3])


def load_model_policy(settings: ModelSettings, num_conversations: int) -> ModelPolicy | WithRepair:
    """The model, or both models, that the settings name.

    Args:
        settings: which, and how they play.
        num_conversations: at once at most.

    Raises:
        ConfigError: a model cannot be loaded, or does not fit the settings.
    """
    with ExitStack() as stack:
        policies = []
        for name in (settings.model, settings.repair_model):
            if name is None:
                continue
            chat = load_chat(name, settings.chat)
            tokens = load_tokens(name, settings, chat, num_conversations)
            stack.enter_context(closing(tokens))
            kept = max(1024, 8 * num_conversations)
            policies.append(ModelPolicy(tokens, chat, settings, max_dialogues=kept))
        stack.pop_all()
    return WithRepair(*policies) if len(policies) == 2 else policies[0]


def load_chat(model: str, chat: str) -> "ChatFormat":
    """Tokenizer and dialogue format of a model.

    Args:
        model: folder or hub name.
        chat: name of the format, or "auto".

    Raises:
        ConfigError: there is no such folder or no tokenizer in it, or the format is unknown.
    """
    from transformers import AutoTokenizer

    from agents.chat import chat_format

    try:
        tokenizer = AutoTokenizer.from_pretrained(_source(model))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"model={model!r} has no tokenizer that can be loaded: {error}"
        ) from error
    if chat == "base":
        from agents.generation.base_chat import base_chat

        return base_chat(tokenizer)
    return chat_format(tokenizer, chat)


def _source(model: str) -> str:
    """What transformers takes for a model's name."""
    folder = Path(model).expanduser()
    if folder.is_dir():
        return str(folder)
    if model.count("/") > 1 or model.startswith((".", "/", "~")):
        raise ConfigError(f"model={model!r} is no folder; give one, or a name on the hub.")
    return model


def load_tokens(
    model: str, settings: ModelSettings, chat: "ChatFormat", max_batch: int
) -> TokenGenerator:
    """A model in this process.

    Args:
        model: folder or hub name.
        settings: generator, precision and longest context.
        chat: its format.
        max_batch: replies that advance together.

    Raises:
        ConfigError: there is no such model, or it cannot be loaded.
    """
    name = _source(model)
    max_context = settings.max_context_tokens
    if settings.generator == "vllm":
        from agents.generation.vllm_ import VllmGenerator

        return VllmGenerator(
            name,
            stop_ids=chat.stop_ids,
            max_context=max_context,
            dtype=settings.precision,
            max_batch=max_batch,
            # Two models share the memory; alone, one may take what there is.
            memory_fraction=0.9 if settings.repair_model is None else 0.45,
        )
    import torch

    from agents.generation.torch_ import TorchGenerator

    return TorchGenerator(
        name,
        stop_ids=chat.stop_ids,
        dtype=getattr(torch, settings.precision),
        max_context=max_context,
        max_batch=max_batch,
    )
