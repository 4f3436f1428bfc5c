"""Backward passes and optimiser steps, by whatever wrapper accelerate has put around the networks.

Policy and critic are clipped each by itself, and a step can be refused after a look at its
gradients. Under DDP and FSDP2 those are in ``.grad``; DeepSpeed keeps them in shards of its own,
and its engine would clip everything together and step at once.
"""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType
from torch import Tensor, nn

from codefeedback_env import ConfigError


class Steps(Protocol):
    """What an update does with its losses."""

    def summing(self, *, is_last: bool) -> AbstractContextManager[Any]:
        """Around one of several passes whose gradients add up, forward and backward."""

    def backward(self, loss: Tensor, *, is_last: bool) -> None:
        """Add the gradients of a loss; after the last they are averaged over processes."""

    def clip(self, limit: float) -> list[float]:
        """Scale each network's gradients to this norm at most; returns the norms before."""

    def step(self) -> None:
        """Change the weights and forget the gradients."""

    def forget(self) -> None:
        """Forget the gradients."""


def prepare(
    accelerator: Accelerator,
    module: nn.Module,
    optimiser: torch.optim.Optimizer,
) -> tuple[nn.Module, torch.optim.Optimizer, Steps]:
    """Wrap the networks and their optimiser as accelerate was told to.

    Args:
        accelerator: knows the wrapper.
        module: policy and critic.
        optimiser: one group of parameters for each of them.

    Raises:
        ConfigError: DeepSpeed's settings would change the training.
    """
    networks = [list(group["params"]) for group in optimiser.param_groups]
    if accelerator.distributed_type is not DistributedType.DEEPSPEED:
        module, optimiser = accelerator.prepare(module, optimiser)
        return module, optimiser, GradientSteps(accelerator, module, optimiser)
    settings = accelerator.state.deepspeed_plugin.deepspeed_config
    for name, wanted in (("gradient_accumulation_steps", 1), ("gradient_clipping", 0.0)):
        if settings.get(name, wanted) not in (wanted, "auto"):
            raise ConfigError(
                f"DeepSpeed's {name}={settings[name]} would come on top of the trainer's own; "
                "leave it out of the settings of accelerate."
            )
        settings[name] = wanted
    if settings.get("zero_optimization", {}).get("stage", 0) not in (1, 2):
        raise ConfigError(
            "of DeepSpeed the trainer knows ZeRO stages 1 and 2; to shard the weights as well, use "
            "agents/accelerate/fsdp2.yaml."
        )
    settings["train_micro_batch_size_per_gpu"] = 1  # the trainer makes its own batches
    module, optimiser = accelerator.prepare(module, optimiser)
    return module, optimiser, ZeroSteps(module, networks)


class GradientSteps:
    """Gradients in ``.grad``, whole or in shards: one process, DDP and FSDP2."""

    def __init__(
        self, accelerator: Accelerator, module: nn.Module, optimiser: torch.optim.Optimizer
    ) -> None:
        """Takes what accelerate has prepared."""
        self._accelerator = accelerator
        self._module = module
        self._optimiser = optimiser

    def summing(self, *, is_last: bool) -> AbstractContextManager[Any]:
        """Without talking to other processes before the last pass."""
        if is_last:
            return nullcontext()
        context: AbstractContextManager[Any] = self._accelerator.no_sync(self._module)
        return context

    def backward(self, loss: Tensor, *, is_last: bool) -> None:
        """See Steps."""
        self._accelerator.backward(loss)

    def clip(self, limit: float) -> list[float]:
        """See Steps."""
        norms = []
        for group in self._optimiser.param_groups:
            norm: Any = torch.nn.utils.clip_grad_norm_(group["params"], limit)
            norms.append(float(norm.full_tensor() if hasattr(norm, "full_tensor") else norm))
        return norms

    def step(self) -> None:
        """See Steps."""
        self._optimiser.step()
        self._optimiser.zero_grad()

    def forget(self) -> None:
        """See Steps."""
        self._optimiser.zero_grad()


class ZeroSteps:
    """Gradients and optimiser state in DeepSpeed's shards, ZeRO stages 1 and 2."""

    def __init__(self, engine: Any, networks: Sequence[Sequence[nn.Parameter]]) -> None:
        """Takes DeepSpeed's engine and the parameters of each network."""
        self._engine = engine
        self._networks = networks

    def summing(self, *, is_last: bool) -> AbstractContextManager[Any]:
        """Nothing: sharded gradients are reduced in every pass."""
        return nullcontext()

    def backward(self, loss: Tensor, *, is_last: bool) -> None:
        """See Steps."""
        self._engine.set_gradient_accumulation_boundary(is_last)
        self._engine.backward(loss)

    def clip(self, limit: float) -> list[float]:
        """See Steps; gradients are put together one parameter at a time."""
        from deepspeed.utils import safe_get_full_grad, safe_set_full_grad

        norms = []
        for parameters in self._networks:
            squares = [safe_get_full_grad(p).double().square().sum() for p in parameters]
            norm = math.sqrt(float(torch.stack(squares).sum()))
            norms.append(norm)
            if norm > limit:
                for parameter in parameters:
                    safe_set_full_grad(parameter, safe_get_full_grad(parameter) * (limit / norm))
        return norms

    def step(self) -> None:
        """See Steps."""
        self._engine.step()

    def forget(self) -> None:
        """See Steps."""
        self._engine.zero_grad()
