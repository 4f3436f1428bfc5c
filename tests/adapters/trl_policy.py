"""A ``GRPOTrainer`` over a tiny random model, and replies that are not sampled but given."""

import os
from collections.abc import Callable, Sequence
from typing import Any

os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"

import pytest

pytest.importorskip("trl")

import torch
from datasets import Dataset
from tiny_models import QWEN_TOKENS, tiny_model, tiny_tokenizer
from trl import GRPOConfig, GRPOTrainer
from trl.chat_template_utils import qwen3_chat_template

from codefeedback_env import Pool, TestReport, TestResult, Verdict
from codefeedback_env.judge.protocol import JudgeReport

torch.set_num_threads(1)  # the judge's workers use the other cores

CONTEXT = 16384


def make_trainer(
    folder: Any, rows: Sequence[dict[str, Any]], *, options: dict[str, Any] | None = None, **kwargs
) -> GRPOTrainer:
    """A trainer on CPU, two generations for each prompt.

    Args:
        folder: for what it writes.
        rows: of the data set.
        options: of ``GRPOConfig``, beyond those here.
        kwargs: of ``GRPOTrainer``.
    """
    tokenizer = tiny_tokenizer(special_tokens=QWEN_TOKENS)
    tokenizer.chat_template = qwen3_chat_template
    config = {
        "output_dir": str(folder),
        "per_device_train_batch_size": 2,
        "num_generations": 2,
        "max_completion_length": 4096,
        "learning_rate": 1e-2,
        "report_to": "none",
        "save_strategy": "no",
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "disable_tqdm": True,
        "logging_steps": 1,
        **(options or {}),
    }
    return GRPOTrainer(
        model=tiny_model("qwen2", max_positions=CONTEXT),
        processing_class=tokenizer,
        args=GRPOConfig(**config),
        train_dataset=Dataset.from_list(list(rows)),
        **kwargs,
    )


def script(trainer: GRPOTrainer, choose: Callable[[int, int], str]) -> None:
    """Let the model reply what ``choose(episode, turn)`` says instead of sampling.

    Episodes are numbered in the order in which their first replies are due.
    """
    tokenizer = trainer.processing_class
    contexts: list[list[int]] = []
    turns: list[int] = []

    def generate(prompt_ids, images, multimodal_fields, num_generations, **_):
        if not any(_follows(ids, context) for ids in prompt_ids for context in contexts):
            contexts[:], turns[:] = [[] for _ in prompt_ids], [0] * len(prompt_ids)
        free = set(range(len(contexts)))
        replies = []
        for ids in prompt_ids:
            episode = next(i for i in sorted(free) if _follows(ids, contexts[i]) or not contexts[i])
            free.discard(episode)
            text = choose(episode, turns[episode])
            reply = [*tokenizer.encode(text, add_special_tokens=False), tokenizer.eos_token_id]
            contexts[episode] = [*ids, *reply]
            turns[episode] += 1
            replies.append(reply)
        return replies, None

    trainer._generate_single_turn = generate


def _follows(ids: list[int], context: list[int]) -> bool:
    return bool(context) and len(ids) > len(context) and ids[: len(context)] == context


def report(pools: Sequence[str], all_passed: bool = True) -> JudgeReport:
    """A report with one test for each pool, of which the last may have failed."""
    reports = {}
    for name in pools:
        is_wrong = not all_passed and name == pools[-1]
        result = TestResult(
            index=0,
            verdict=Verdict.WRONG_ANSWER if is_wrong else Verdict.ACCEPTED,
            stdout="",
            cpu_time_s=0.01,
            wall_time_s=0.01,
            peak_memory_mib=10.0,
            exit_code=0,
        )
        reports[Pool(name)] = TestReport(pool=Pool(name), num_tests=1, results=(result,))
    return JudgeReport(compiled=True, compile_error="", reports=reports)


def record(thing: Any, name: str) -> list[Any]:
    """What a method returns from now on, call by call."""
    method, returned = getattr(thing, name), []

    def recorded(*args, **kwargs):
        returned.append(method(*args, **kwargs))
        return returned[-1]

    setattr(thing, name, recorded)
    return returned


def weights(trainer: GRPOTrainer) -> torch.Tensor:
    return torch.cat([p.detach().flatten().clone() for p in trainer.model.parameters()])
