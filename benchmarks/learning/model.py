"""A tiny language model with random weights, and a warm-up that teaches it syntax only.

From random weights no reply would ever be a program, and every reward would be the same. The
warm-up clones valid replies that are drawn before there is any feedback, so it cannot teach how
feedback is used; ``warm_up_dialogues`` is the place to check that.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from agents.chat import ChatFormat, chat_format
from benchmarks.learning.tasks import Family, Program, Task, fits, tasks
from benchmarks.learning.tokens import build_tokenizer
from codefeedback_env import PaperFeedback, TestResult, Verdict

MAX_CONTEXT = 256
"""Tokens of a whole episode; three replies and their feedback take about 45."""

MAX_MESSAGE = 160
"""Tokens of a prompt or of feedback; a message of the families has 17 at most, but a program that
does not run leaves a traceback, which is spelt in bytes and cut to this."""

MAX_TURNS = 3
_NOT_TRAINED = -100


@dataclass(frozen=True, kw_only=True)
class TinyModel:
    """Sizes, and how long the warm-up is."""

    hidden_size: int = 64
    num_layers: int = 2
    num_heads: int = 4
    initializer_range: float = 0.1
    """Larger than usual: with 0.02 copying from the feedback is not found in tens of iterations."""

    warm_up_steps: int = 40
    warm_up_dialogues: int = 64
    """Of each step."""

    warm_up_learning_rate: float = 3e-3


def write_model(family: Family, folder: Path, *, seed: int, size: TinyModel | None = None) -> float:
    """Make tokenizer and model, warm the model up, and write both into a folder.

    Returns:
        The last loss of the warm-up, in nats per token of the replies.
    """
    size = size or TinyModel()
    tokenizer = build_tokenizer([family.name])
    model = build_model(tokenizer, size, seed)
    loss = warm_up(model, chat_format(tokenizer, "plain"), family, size, seed)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return loss


def build_model(tokenizer: PreTrainedTokenizerFast, size: TinyModel, seed: int) -> LlamaForCausalLM:
    """A Llama with random weights."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=size.hidden_size,
        intermediate_size=2 * size.hidden_size,
        num_hidden_layers=size.num_layers,
        num_attention_heads=size.num_heads,
        num_key_value_heads=size.num_heads,
        max_position_embeddings=MAX_CONTEXT,
        initializer_range=size.initializer_range,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config)


def warm_up(
    model: LlamaForCausalLM, chat: ChatFormat, family: Family, size: TinyModel, seed: int
) -> float:
    """Clone valid replies; returns the last loss."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=size.warm_up_learning_rate, weight_decay=0)
    num_rising = max(1, size.warm_up_steps // 8)
    dialogues = warm_up_dialogues(family, seed)
    last = float("nan")
    for step in range(size.warm_up_steps):
        rate = min(1, (step + 1) / num_rising) * (1 - 0.9 * step / size.warm_up_steps)
        for group in optimizer.param_groups:
            group["lr"] = size.warm_up_learning_rate * rate
        batch = [_tokens(chat, next(dialogues)) for _ in range(size.warm_up_dialogues)]
        loss = _loss(model, batch)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        last = loss.item()
    return last


def warm_up_dialogues(family: Family, seed: int) -> Iterator[list[tuple[str, str]]]:
    """Pairs of message and reply, without end.

    Replies and tasks come from two streams of random numbers, so replies are the same whatever the
    tasks are.
    """
    of_replies = random.Random(f"replies {seed}")
    of_tasks = tasks(family, random.Random(f"warm-up {seed}"))
    seen = [next(of_tasks) for _ in range(4 * len(family.programs))]
    pick = random.Random(f"tasks {seed}")
    while True:
        replies = of_replies.choices(family.programs, k=MAX_TURNS)
        yield warm_up_dialogue(pick.choice(seen), replies)


def warm_up_dialogue(task: Task, replies: Sequence[Program]) -> list[tuple[str, str]]:
    """What the environment would say to these replies: pairs of message and reply.

    As there, a dialogue ends with the first reply that passes the public tests; whether a reply
    is in it depends on the replies before, never on what feedback says.
    """
    text = PaperFeedback()
    problem = task.problem("warm-up")
    message = text.prompt(problem)
    turns = []
    for reply in replies:
        turns.append((message, reply.reply))
        if fits(reply, task.hidden, task.public_inputs):
            break
        results = [
            TestResult(
                index=index,
                verdict=Verdict.ACCEPTED
                if fits(reply, task.hidden, [number])
                else Verdict.WRONG_ANSWER,
                stdout=f"{reply.output(number)}\n",
            )
            for index, number in enumerate(task.public_inputs)
        ]
        message = text.feedback(list(zip(problem.public_tests, results, strict=True)))
    return turns


def _tokens(chat: ChatFormat, dialogue: Sequence[tuple[str, str]]) -> tuple[list[int], list[int]]:
    """Token ids, and the same with what is not a reply masked."""
    ids: list[int] = []
    labels: list[int] = []
    reply: list[int] = []
    for message, answer in dialogue:
        prompt = (
            chat.feedback_ids(message, last_reply_ids=reply, max_tokens=MAX_MESSAGE)
            if ids
            else chat.prompt_ids(message, MAX_MESSAGE)
        )
        reply = [*chat.tokenizer.encode(answer, add_special_tokens=False), chat.stop_ids[0]]
        ids += [*prompt, *reply]
        labels += [*([_NOT_TRAINED] * len(prompt)), *reply]
    return ids, labels


def _loss(model: LlamaForCausalLM, batch: Sequence[tuple[list[int], list[int]]]) -> torch.Tensor:
    """Mean negative log-probability of the reply tokens; sequences are padded on the right."""
    length = max(len(ids) for ids, _ in batch)
    ids = torch.tensor([row + [0] * (length - len(row)) for row, _ in batch])
    labels = torch.tensor([row + [_NOT_TRAINED] * (length - len(row)) for _, row in batch])
    logits = model(input_ids=ids).logits[:, :-1]
    return functional.cross_entropy(
        logits.flatten(0, 1), labels[:, 1:].flatten(), ignore_index=_NOT_TRAINED
    )
