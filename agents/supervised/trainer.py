"""Supervised fine-tuning, to be read from top to bottom."""

import dataclasses
import json
import math
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator

from agents.chat import ChatFormat
from agents.generation.model import load_chat
from agents.ppo.checkpoints import replacing
from agents.ppo.config import PPOConfig
from agents.ppo.learner import TrainingError
from agents.ppo.loading import load_config
from agents.ppo.networks import Networks, build_networks, trainable_parameters
from agents.ppo.packing import pack, split_by_tokens
from agents.sft import SFTConfig
from agents.supervised.examples import Example, make_examples
from codefeedback_env import ConfigError

SECONDS_BETWEEN_LINES = 10.0


def fine_tune(config: SFTConfig, files: Sequence[Path]) -> Path:
    """Fine-tune a model on records of episodes.

    Returns:
        The folder with model and tokenizer; ``AutoModelForCausalLM.from_pretrained`` loads it.

    Raises:
        ConfigError: settings do not fit the model, the records or the machine.
        RecordError: a file holds no records.
        TrainingError: a loss or gradient is not finite; what was written before is kept.
        CheckpointError: the model could not be written.

    Source: Gehring et al. 2025, arXiv:2410.02089, appendices A.3 and B.4.
    """
    accelerator = Accelerator(
        mixed_precision="no",  # the network casts itself
        step_scheduler_with_optimizer=False,
    )
    metrics_file = config.out / "metrics.jsonl"
    if metrics_file.exists():
        raise ConfigError(f"there is {metrics_file} already; give another out.")
    load_config(_for_networks(config), accelerator.device)  # before minutes of reading
    chat = load_chat(config.model, config.chat)
    examples = make_examples(config, files, chat)
    if accelerator.is_main_process:
        print(examples.summary, file=sys.stderr, flush=True)
        _write_settings(config)
    torch.manual_seed(config.seed)
    networks = build_networks(_for_networks(config), accelerator.device)
    if not config.lora_rank:
        networks = dataclasses.replace(networks, reference=networks.policy)  # frees the copy
    optimiser = torch.optim.AdamW(
        trainable_parameters(networks.policy),
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
        fused=accelerator.device.type == "cuda" or None,
    )
    policy, optimiser = accelerator.prepare(networks.policy, optimiser)
    policy.train()
    num_steps = config.num_epochs * math.ceil(len(examples.kept) / config.batch_size)
    last_line = 0.0
    for step, epoch, chosen in _batches(config, len(examples.kept)):
        start = time.perf_counter()
        rate = config.learning_rate * rate_fraction(step, config.warmup_steps, num_steps)
        for group in optimiser.param_groups:
            group["lr"] = rate
        batch = [examples.kept[i] for i in chosen]
        weight = 1 / sum(example.num_learned for example in batch)
        loss = torch.zeros((), device=accelerator.device)
        passes = _passes(batch, config.max_tokens_per_pass, accelerator)
        for number, (members, is_filler) in enumerate(passes):
            packed = pack([batch[i].trajectory() for i in members]).to(accelerator.device)
            is_last = number == len(passes) - 1
            with nullcontext() if is_last else accelerator.no_sync(policy):
                logprobs, _ = policy(packed)
                part = -logprobs.sum() * (0.0 if is_filler else weight)
                loss += part.detach()
                # Wrappers average gradients over processes; the weights already sum to 1 over all.
                accelerator.backward(part * accelerator.num_processes)
        norm = accelerator.clip_grad_norm_(policy.parameters(), config.max_grad_norm)
        result = {
            "loss": float(accelerator.reduce(loss, reduction="sum")),
            "grad_norm": float(norm.full_tensor() if hasattr(norm, "full_tensor") else norm),
        }
        if bad := [name for name, value in result.items() if not math.isfinite(value)]:
            raise TrainingError(
                f"step {step + 1}: {', '.join(bad)} not finite. A lower learning_rate, or "
                "precision='float32', may help."
            )
        optimiser.step()
        optimiser.zero_grad()
        spent = time.perf_counter() - start
        if accelerator.is_main_process:
            entry: dict[str, Any] = {
                "step": step + 1,
                "epoch": epoch + 1,
                **result,
                "learning_rate": rate,
                "num_tokens": sum(example.num_tokens for example in batch),
                "num_learned_tokens": sum(example.num_learned for example in batch),
                "step_s": spent,
            }
            with metrics_file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
            now = time.monotonic()
            if now - last_line >= SECONDS_BETWEEN_LINES or step + 1 == num_steps:
                last_line = now
                print(
                    f"step {step + 1}/{num_steps}  loss {result['loss']:.4f}  "
                    f"{entry['num_tokens'] / spent:,.0f} tokens/s",
                    file=sys.stderr,
                    flush=True,
                )
        if config.save_every and (step + 1) % config.save_every == 0:
            _save(config.out / f"step-{step + 1:06d}", networks, chat, accelerator)
    final = config.out / "final"
    _save(final, networks, chat, accelerator)
    return final


def rate_fraction(step: int, warmup_steps: int, num_steps: int) -> float:
    """The learning rate of a step, from 0 on, as a share of the highest: a line up, a cosine down.

    Below the end of the warm-up the first step has 1 / warmup_steps; after the last step 0 would
    come.
    """
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    done = (step - warmup_steps) / max(1, num_steps - warmup_steps)
    return (1 + math.cos(math.pi * done)) / 2


def _for_networks(config: SFTConfig) -> PPOConfig:
    """The part of the settings that loading a model goes by."""
    return PPOConfig(
        model=config.model,
        out=config.out,
        precision=config.precision,
        lora_rank=config.lora_rank,
        lora_alpha=config.lora_alpha,
        gradient_checkpointing=config.gradient_checkpointing,
        max_prompt_tokens=1,
        max_reply_tokens=1,
        max_context_tokens=config.max_context_tokens,
        max_tokens_per_pass=config.max_tokens_per_pass,
        seed=config.seed,
        advantage="group-mean",  # so there is no critic
        group_size=2,
    )


def _batches(config: SFTConfig, num_examples: int) -> Iterator[tuple[int, int, list[int]]]:
    """Number of the step, of the epoch, and the examples of the step."""
    step = 0
    for epoch in range(config.num_epochs):
        order = np.random.default_rng((config.seed, 0, epoch)).permutation(num_examples).tolist()
        for first in range(0, num_examples, config.batch_size):
            yield step, epoch, order[first : first + config.batch_size]
            step += 1


def _passes(
    batch: Sequence[Example], max_tokens: int, accelerator: Accelerator
) -> list[tuple[list[int], bool]]:
    """This process's forward passes over a batch; in all processes equally many.

    Sharded weights are gathered in each pass, by all processes together. So one with fewer passes
    repeats the shortest example, and the second value says that this counts nothing.
    """
    number = accelerator.num_processes
    by_length = sorted(range(len(batch)), key=lambda i: (-batch[i].num_tokens, i))
    of_processes = []
    for rank in range(number):
        share = by_length[rank::number]
        packs = split_by_tokens([batch[i].num_tokens for i in share], max_tokens)
        of_processes.append([[share[k] for k in members] for members in packs])
    most = max(len(passes) for passes in of_processes)
    mine = [(members, False) for members in of_processes[accelerator.process_index]]
    return mine + [([by_length[-1]], True)] * (most - len(mine))


def _write_settings(config: SFTConfig) -> None:
    try:
        config.out.mkdir(parents=True, exist_ok=True)
        settings = json.dumps(dataclasses.asdict(config), default=str, indent=2)
        (config.out / "config.json").write_text(settings + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"out={config.out} cannot be written to: {error}.") from error


def _save(folder: Path, networks: Networks, chat: ChatFormat, accelerator: Accelerator) -> None:
    if accelerator.is_main_process:
        with replacing(folder) as partial:
            networks.save_policy(partial)
            chat.tokenizer.save_pretrained(partial)
    else:
        networks.save_policy(folder, write=False)
    accelerator.wait_for_everyone()
