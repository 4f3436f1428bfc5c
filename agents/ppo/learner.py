"""Scores episodes and takes the optimiser steps of an iteration."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import SAFE_WEIGHTS_NAME, extract_model_from_parallel, gather_object
from safetensors.torch import load_file
from torch import Tensor, nn

from agents.ppo.advantages import EpisodeScores, EpisodeTargets
from agents.ppo.config import PPOConfig
from agents.ppo.losses import (
    PolicyStats,
    action_weights,
    importance,
    policy_loss,
    value_loss,
    value_weights,
)
from agents.ppo.networks import Networks
from agents.ppo.packing import PackedBatch, pack, split_by_tokens
from agents.ppo.steps import prepare
from agents.trajectory import Trajectory
from codefeedback_env import CodeFeedbackError


class TrainingError(CodeFeedbackError):
    """Training cannot go on: a loss or gradient is not a finite number."""


class ActorCritic(nn.Module):
    """Policy and critic as one module, so that one wrapper and one optimiser serve both."""

    def __init__(self, networks: Networks) -> None:
        """Takes the networks as they are."""
        super().__init__()
        self.policy = networks.policy
        self.critic = networks.critic
        # The layers that FSDP shards one by one, if its settings do not name any.
        self._no_split_modules = list(networks.policy.model._no_split_modules or ())

    def forward(
        self, batch: PackedBatch, config: PPOConfig, *, with_entropy: bool = False
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Log-probabilities (A,), entropies (A,) if asked for, and values if there is a critic."""
        logprobs, entropy = self.policy(
            batch, temperature=config.temperature, with_entropy=with_entropy
        )
        values = None
        if self.critic is not None:
            values = self.critic(batch, level=config.value_level)
        return logprobs, entropy, values


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateStats:
    """Means over the updates of an iteration."""

    policy_loss: float
    value_loss: float
    clip_fraction: float
    approx_kl: float
    """Of the last update: log pi_old - log pi."""

    ratio: float
    importance: float
    dropped_fraction: float
    entropy: float
    policy_grad_norm: float
    critic_grad_norm: float
    learning_rate: float
    num_updates: int
    stopped_early: bool
    """``target_kl`` ended the iteration's updates."""


class Learner:
    """Policy, critic, reference and their optimiser.

    All processes hold all episodes of an iteration and each computes its share of every minibatch;
    the gradients they add up are those that one process would compute.
    """

    def __init__(self, config: PPOConfig, networks: Networks, accelerator: Accelerator) -> None:
        """Prepares the networks for the accelerator."""
        self.config = config
        self.networks = networks
        self.accelerator = accelerator
        critic_rate = config.critic_learning_rate or config.learning_rate
        module = ActorCritic(networks)
        critic = [] if networks.critic is None else list(networks.critic.parameters())
        critic = [parameter for parameter in critic if parameter.requires_grad]
        of_critic = {id(parameter) for parameter in critic}
        policy = [p for p in module.parameters() if p.requires_grad and id(p) not in of_critic]
        groups: list[dict[str, Any]] = [{"params": policy, "lr": config.learning_rate}]
        if critic:
            groups.append({"params": critic, "lr": critic_rate})
        optimiser = torch.optim.AdamW(
            groups,
            weight_decay=config.weight_decay,
            fused=accelerator.device.type == "cuda" or None,
        )
        scale = _rate_scale(config)
        only_critic = config.critic_warmup_iterations * config.updates_per_iteration
        scales = [lambda step: scale(step) * (step >= only_critic), scale]
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, scales[: len(groups)])
        if config.lora_rank:
            accelerator.register_save_state_pre_hook(_keep_what_is_trained)
            accelerator.register_load_state_pre_hook(_load_what_was_trained)
        self.module, self.optimiser, self.steps = prepare(accelerator, module, optimiser)
        # One step of ours is one step of the schedule, however many processes there are.
        self.schedule = schedule
        accelerator.register_for_checkpointing(schedule)

    def gather(self, trajectories: Sequence[Trajectory]) -> list[Trajectory]:
        """The episodes of all processes, in the order of the stream they came from."""
        if self.accelerator.num_processes == 1:
            return list(trajectories)
        size = self.config.group_size
        mine = [(place // size, trajectory) for place, trajectory in enumerate(trajectories)]
        everyone: list[tuple[int, Trajectory]] = gather_object(mine)
        everyone.sort(key=lambda item: item[0])  # stable: processes take turns with their groups
        return [trajectory for _, trajectory in everyone]

    def score(self, trajectories: Sequence[Trajectory]) -> list[EpisodeScores]:
        """What the networks say of all episodes before the first update.

        Each process scores a share; all get everything.
        """
        mine = self._share(range(len(trajectories)), trajectories)
        scored: list[tuple[int, EpisodeScores]] = []
        self.module.eval()
        with torch.no_grad():
            for passing in self._passes(mine, trajectories):
                batch = pack([trajectories[i] for i in passing.episodes]).to(self._device)
                logprobs, _, values = self.module(batch, self.config)
                reference = (
                    self.networks.reference_logprobs(batch, self.config.temperature)
                    if self.config.beta
                    else logprobs
                )
                if passing.is_filler:
                    continue
                lengths = [trajectories[i].num_reply_tokens for i in passing.episodes]
                columns = [_split(logprobs, lengths), _split(reference, lengths)]
                if values is not None:
                    columns.append(_split(values, self._value_counts(trajectories, passing)))
                for i, *rows in zip(passing.episodes, *columns, strict=True):
                    scored.append(
                        (
                            i,
                            EpisodeScores(
                                logprobs=rows[0],
                                reference_logprobs=rows[1],
                                values=rows[2] if values is not None else None,
                            ),
                        )
                    )
        if self.accelerator.num_processes > 1:
            scored = gather_object(scored)
        return [scores for _, scores in sorted(scored, key=lambda item: item[0])]

    def update(
        self,
        trajectories: Sequence[Trajectory],
        scores: Sequence[EpisodeScores],
        targets: Sequence[EpisodeTargets],
        iteration: int,
    ) -> UpdateStats:
        """Take the optimiser steps of an iteration.

        Raises:
            TrainingError: a loss or a gradient is not finite; the weights are then as before that
                step.
        """
        config = self.config
        self.module.train()
        sums: dict[str, float] = {}
        num_updates, stopped = 0, False
        for epoch in range(config.num_epochs):
            shuffle = torch.Generator().manual_seed(_mix(config.seed, iteration, epoch))
            order = torch.randperm(len(trajectories), generator=shuffle).tolist()
            size = math.ceil(len(order) / (config.num_rollouts // config.minibatch_rollouts))
            for first in range(0, len(order), size):
                stats = self._step(order[first : first + size], trajectories, scores, targets)
                for name, value in stats.items():
                    sums[name] = sums.get(name, 0.0) + value
                num_updates += 1
                approx_kl = stats["approx_kl"]
                if config.target_kl is not None and approx_kl > config.target_kl:
                    stopped = True
                    break
            if stopped:
                break
        # A stopped iteration counts as a whole one for the schedule, so that its end stays where
        # the settings say.
        for _ in range(config.updates_per_iteration - num_updates):
            self.schedule.step()
        means = {name: value / num_updates for name, value in sums.items()}
        means["approx_kl"] = approx_kl
        return UpdateStats(
            **means,
            learning_rate=self.optimiser.param_groups[0]["lr"],
            num_updates=num_updates,
            stopped_early=stopped,
        )

    def _step(
        self,
        minibatch: Sequence[int],
        trajectories: Sequence[Trajectory],
        scores: Sequence[EpisodeScores],
        targets: Sequence[EpisodeTargets],
    ) -> dict[str, float]:
        """One optimiser step."""
        config, device = self.config, self._device
        episodes = [trajectories[i] for i in minibatch]
        of_actions = dict(zip(minibatch, action_weights(episodes, config), strict=True))
        of_values = dict(zip(minibatch, value_weights(episodes, config), strict=True))
        total: PolicyStats | None = None
        losses = torch.zeros(2, device=device)
        passes = list(self._passes(self._share(minibatch, trajectories), trajectories))
        for number, passing in enumerate(passes):
            chosen = passing.episodes

            batch = pack([trajectories[i] for i in chosen]).to(device)
            weight = 0.0 if passing.is_filler else 1.0
            is_last = number == len(passes) - 1
            with self.steps.summing(is_last=is_last):
                logprobs, entropy, values = self.module(batch, config, with_entropy=True)
                old_logprobs = self._column(scores[i].logprobs for i in chosen)
                correction = importance(
                    logprobs,
                    old_logprobs,
                    self._column(trajectories[i].behaviour_logprobs for i in chosen),
                    batch.action_sequences,
                    len(chosen),
                    config,
                )
                loss, stats = policy_loss(
                    logprobs,
                    old_logprobs,
                    correction,
                    self._column(targets[i].advantages for i in chosen),
                    weight * self._column(of_actions[i] for i in chosen),
                    config,
                    entropy=entropy,
                )
                losses[0] += loss.detach()
                if values is not None:
                    of_critic = value_loss(
                        values,
                        self._column(_present(scores[i].values) for i in chosen),
                        self._column(targets[i].returns for i in chosen),
                        weight * self._column(of_values[i] for i in chosen),
                        config,
                    )
                    losses[1] += of_critic.detach()
                    loss = loss + of_critic
                # Wrappers average gradients over processes; the weights already sum to 1 over all.
                self.steps.backward(loss * self.accelerator.num_processes, is_last=is_last)
            total = stats if total is None else total + stats
        assert total is not None
        norms = [*self.steps.clip(config.max_grad_norm), 0.0]
        values_of = [getattr(total, item.name) for item in fields(total)]
        joined = torch.stack([*losses, *(value.to(device) for value in values_of)])
        joined = self.accelerator.reduce(joined, reduction="sum")
        result = dict(
            zip(
                ("policy_loss", "value_loss", *(item.name for item in fields(total))),
                joined.tolist(),
                strict=True,
            )
        )
        result |= {"policy_grad_norm": norms[0], "critic_grad_norm": norms[1]}
        if bad := [name for name, value in result.items() if not math.isfinite(value)]:
            self.steps.forget()
            raise TrainingError(
                f"{', '.join(bad)} not finite: {[result[name] for name in bad]}. A lower "
                "learning_rate or max_grad_norm, or precision='float32', may help; resume from the "
                "last checkpoint."
            )
        self.steps.step()
        self.schedule.step()
        return result

    def _column(self, rows: Iterable[Any]) -> Tensor:
        """Values of several episodes, one after the other, as float32 on the device."""
        tensors = [torch.as_tensor(row, dtype=torch.float32) for row in rows]
        return torch.cat(tensors).to(self._device)

    @property
    def _device(self) -> torch.device:
        device: torch.device = self.accelerator.device
        return device

    def _share(self, chosen: Iterable[int], trajectories: Sequence[Trajectory]) -> list[int]:
        """This process's part of some episodes, about equal in tokens."""
        by_length = sorted(chosen, key=lambda i: (-trajectories[i].num_tokens, i))
        number = self.accelerator.num_processes
        if number == 1:
            return by_length
        loads, shares = [0] * number, [[] for _ in range(number)]  # type: ignore[var-annotated]
        for i in by_length:
            least = loads.index(min(loads))
            loads[least] += trajectories[i].num_tokens
            shares[least].append(i)
        mine: list[int] = shares[self.accelerator.process_index]
        return mine

    def _passes(self, mine: Sequence[int], trajectories: Sequence[Trajectory]) -> Iterator["_Pass"]:
        """Forward passes over these episodes; in all processes equally many.

        Sharded weights are gathered in each pass, by all processes together. One with fewer
        episodes repeats a pass, which counts nothing.
        """
        lengths = [trajectories[i].num_tokens for i in mine]
        packs = split_by_tokens(lengths, self.config.max_tokens_per_pass) if mine else []
        passes = [_Pass([mine[k] for k in chosen]) for chosen in packs]
        number = len(passes)
        if self.accelerator.num_processes > 1:
            number = max(gather_object([number]))
            shortest = min(range(len(trajectories)), key=lambda i: trajectories[i].num_tokens)
            passes += [_Pass([shortest], is_filler=True)] * (number - len(passes))
        return iter(passes)

    def _value_counts(self, trajectories: Sequence[Trajectory], passing: "_Pass") -> list[int]:
        if self.config.value_level == "turn":
            return [len(trajectories[i].turns) for i in passing.episodes]
        return [trajectories[i].num_reply_tokens for i in passing.episodes]


@dataclass(frozen=True, slots=True)
class _Pass:
    episodes: list[int]
    is_filler: bool = False


def _keep_what_is_trained(
    models: list[nn.Module], states: list[dict[str, Tensor]], folder: str
) -> None:
    """Leave the frozen base out of a checkpoint: it is what the run began with."""
    for number, state in enumerate(states):  # none where a wrapper writes shards of its own
        plain = extract_model_from_parallel(models[number])
        trained = {name for name, p in plain.named_parameters() if p.requires_grad}
        named = {name.removeprefix("module."): tensor for name, tensor in state.items()}
        states[number] = {name: named[name] for name in trained}


def _load_what_was_trained(models: list[nn.Module], folder: str) -> None:
    path = Path(folder) / SAFE_WEIGHTS_NAME
    if path.exists():
        plain = extract_model_from_parallel(models.pop())
        plain.load_state_dict(load_file(path), strict=False)


def _split(column: Tensor, lengths: Sequence[int]) -> list[Any]:
    whole = column.double().cpu().numpy()
    ends = torch.tensor(lengths).cumsum(0).tolist()
    return [whole[end - length : end] for end, length in zip(ends, lengths, strict=True)]


def _present(values: Any) -> Any:
    assert values is not None
    return values


def _rate_scale(config: PPOConfig) -> Any:
    """Learning rate at a step as a share of the highest."""
    total = config.num_iterations * config.updates_per_iteration

    def scale(step: int) -> float:
        if step < config.warmup_updates:
            return (step + 1) / config.warmup_updates
        if config.schedule == "constant":
            return 1.0
        done = (step - config.warmup_updates) / max(1, total - config.warmup_updates)
        done = min(done, 1.0)
        left = 1 - done if config.schedule == "linear" else (1 + math.cos(math.pi * done)) / 2
        return config.final_rate_fraction + (1 - config.final_rate_fraction) * left

    return scale


def _mix(*numbers: int) -> int:
    """A seed from several numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)
