"""The networks of a run: policy, critic and reference, whole or as adapters on one base."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn
from transformers import PreTrainedModel

from agents.ppo.attention import PACKED, SequenceLayout
from agents.ppo.config import PPOConfig
from agents.ppo.loading import head_of, load_model, trunk_of
from agents.ppo.packing import PackedBatch, pack
from agents.trajectory import Trajectory, TurnTokens
from codefeedback_env import ConfigError

ADAPTER = "default"
VALUE_HEAD_STD = 0.1  # of the first values, with normalised hidden states

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
PACKING_TOLERANCE = {"float32": 1e-2, "bfloat16": 0.5}  # greatest error of a log-probability


class Policy(nn.Module):
    """Scores reply tokens; everything happens in ``forward``, as wrappers that shard demand."""

    def __init__(self, model: PreTrainedModel, precision: str) -> None:
        """A policy.

        Args:
            model: as ``load_model`` gives it.
            precision: "float32" or "bfloat16", of the computation; weights stay as they are.
        """
        super().__init__()
        self.model = model
        self._precision = precision

    def forward(
        self, batch: PackedBatch, *, temperature: float = 1.0, with_entropy: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Log-probabilities of all actions.

        Args:
            batch: on the device of the weights.
            temperature: logits are divided by it.
            with_entropy: return entropies, in nats.

        Returns:
            Shape (A,), float32, and the same of the entropy of each action's distribution, or None.
        """
        with _autocast(batch, self._precision):
            hidden = _hidden_states(trunk_of(self.model), batch)
            hidden = hidden.index_select(0, batch.action_positions)
            logprobs, entropy = head_of(self.model)(
                hidden, batch.action_ids, temperature, with_entropy
            )
        return logprobs, entropy


class Critic(nn.Module):
    """The policy's network with one output instead of a distribution (section 2.2)."""

    def __init__(self, trunk: nn.Module, width: int, precision: str, seed: int) -> None:
        """A critic.

        Args:
            trunk: a model without its head.
            width: of its hidden states.
            precision: as for the policy.
            seed: of the head's random weights.
        """
        super().__init__()
        self.trunk = trunk
        device = next(trunk.parameters()).device
        weights = torch.empty(1, width)
        generator = torch.Generator().manual_seed(seed)
        nn.init.normal_(weights, std=VALUE_HEAD_STD * width**-0.5, generator=generator)
        self.head = nn.Linear(width, 1, bias=False, device=device)
        self.head.weight.data.copy_(weights)
        self._precision = precision

    def forward(self, batch: PackedBatch, *, level: Literal["turn", "token"] = "turn") -> Tensor:
        """Expected return.

        Args:
            batch: on the device of the weights.
            level: "turn": before each turn; "token": before each action (appendix B.6).

        Returns:
            Shape (N,) or (A,), float32.
        """
        positions = batch.value_positions if level == "turn" else batch.action_positions
        with _autocast(batch, self._precision):
            hidden = _hidden_states(self.trunk, batch)
        values: Tensor = self.head(hidden.index_select(0, positions).float())
        return values[:, 0]


@dataclass(frozen=True, kw_only=True)
class Networks:
    """What a run learns, and what it started from."""

    policy: Policy
    critic: Critic | None
    """None where the advantage needs no values."""

    reference: Policy
    """The initial policy; never trained."""

    @torch.no_grad()
    def reference_logprobs(self, batch: PackedBatch, temperature: float = 1.0) -> Tensor:
        """Of all actions under the initial policy; shape (A,), float32."""
        logprobs: Tensor = self.reference(batch, temperature=temperature)[0]
        return logprobs

    @torch.no_grad()
    def policy_tensors(self) -> Iterator[tuple[str, Tensor]]:
        """The policy's weights by their names in the plain model's ``state_dict``.

        A tied head is not repeated. Adapters are merged one matrix at a time, in float32, and
        rounded to the base's precision. Sharded weights are gathered, so all processes must take
        part, to the end.
        """
        model = self.policy.model
        adapted = {
            f"{name}.base_layer.weight": layer
            for name, layer in model.named_modules()
            if isinstance(layer, LoraLayer)
        }
        for name, tensor in model.named_parameters():
            if "lora_" in name:
                continue
            weight = _whole(tensor.detach())
            if name in adapted:
                delta = _whole(cast(Any, adapted[name]).get_delta_weight(ADAPTER))
                weight = (weight.float() + delta.float()).to(weight.dtype)
            yield name.replace(".base_layer.", "."), weight
        of_parameters = {name for name, _ in model.named_parameters(remove_duplicate=False)}
        for name, tensor in model.state_dict().items():
            if name not in of_parameters:
                yield name, _whole(tensor)

    def save_policy(self, folder: Path, *, write: bool = True) -> None:
        """Write the policy so that ``AutoModelForCausalLM.from_pretrained(folder)`` loads it.

        Args:
            folder: is made where it does not exist.
            write: False in all processes but one, which only help to gather sharded weights.

        Raises:
            OSError: the disk is full, or another reason why it cannot be written.
        """
        tensors = {}
        for name, tensor in self.policy_tensors():
            if write:
                tensors[name] = tensor
        if write:
            is_adapted = any(isinstance(module, LoraLayer) for module in self.policy.modules())
            plain = self.reference.model if is_adapted else self.policy.model
            plain.save_pretrained(folder, state_dict=tensors)


def build_networks(config: PPOConfig, device: torch.device | str) -> Networks:
    """Load a run's model and make its networks.

    Without LoRA, policy and critic are whole and in float32, and the reference is a frozen copy in
    ``config.precision``. With LoRA all three share one frozen base in ``config.precision``; policy
    and critic add adapters in float32 of their own, the reference is the base alone.

    Raises:
        ConfigError: the model is unknown or of a kind that packing does not know, its context is
            too short, it has nothing that LoRA could adapt, or the device lacks the precision; says
            what to change.
    """
    device = torch.device(device)
    half = DTYPES[config.precision]
    base = load_model(config, device, half if config.lora_rank else torch.float32)
    _check_packing(base, config, device)
    width = base.config.get_text_config().hidden_size
    if config.lora_rank:
        base.requires_grad_(False)
        reference = policy = critic = base
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            policy = _sharing_weights(base)
            _add_adapters(trunk_of(policy), config)
            if config.has_critic:
                critic = _sharing_weights(base)
                _add_adapters(trunk_of(critic), config)
    else:
        policy = base
        reference = copy.deepcopy(base).requires_grad_(False)
        for parameter in reference.parameters():  # not buffers: rotary frequencies stay exact
            parameter.data = parameter.data.to(half)
        critic = copy.deepcopy(base) if config.has_critic else base
    if config.gradient_checkpointing:
        for model in {id(policy): policy, id(critic): critic}.values():
            model.gradient_checkpointing_enable({"use_reentrant": False})
    networks = Networks(
        policy=Policy(policy, config.precision),
        critic=Critic(trunk_of(critic), width, config.precision, config.seed)
        if config.has_critic
        else None,
        reference=Policy(reference, config.precision),
    )
    for network in (networks.policy, networks.critic):
        if network is not None:
            network.train()  # checkpointing asks for it; nothing else differs
    return networks


def trainable_parameters(network: nn.Module) -> list[nn.Parameter]:
    """What an optimiser of this network should hold: with LoRA the adapters and the value head."""
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


def _hidden_states(trunk: nn.Module, batch: PackedBatch) -> Tensor:
    """Shape (T, width)."""
    outputs = trunk(
        input_ids=batch.token_ids[None],
        position_ids=batch.position_ids[None],
        use_cache=False,
        sequences=SequenceLayout(batch.sequence_lengths, batch.token_ids.device),
    )
    hidden: Tensor = outputs.last_hidden_state[0]
    return hidden


def _autocast(batch: PackedBatch, precision: str) -> torch.autocast:
    return torch.autocast(
        batch.token_ids.device.type, torch.bfloat16, enabled=precision == "bfloat16"
    )


def _sharing_weights(model: PreTrainedModel) -> PreTrainedModel:
    """A copy of the modules around the same tensors.

    So adapters of one copy are none of the other's business: nothing is switched between a forward
    pass and the recomputation of its activations, and each copy's parameters are its own.
    """
    tensors = (*model.parameters(), *model.buffers())
    return copy.deepcopy(model, {id(tensor): tensor for tensor in tensors})


def _add_adapters(trunk: nn.Module, config: PPOConfig) -> None:
    """Adapters on every linear layer, as in arXiv:2106.09685; the first output is the base's."""
    names = [name for name, module in trunk.named_modules() if isinstance(module, nn.Linear)]
    if not names:
        raise ConfigError(f"model={config.model!r} has no linear layers for LoRA; lora_rank=0.")
    options = LoraConfig(
        r=config.lora_rank,
        lora_alpha=cast(int, config.lora_alpha),
        target_modules=names,
        lora_dropout=0.0,
    )
    inject_adapter_in_model(options, trunk, ADAPTER)
    for parameter in trainable_parameters(trunk):
        parameter.data = parameter.data.float()


def _whole(tensor: Any) -> Tensor:
    gathered: Tensor = tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
    return gathered


@torch.no_grad()
def _check_packing(model: PreTrainedModel, config: PPOConfig, device: torch.device) -> None:
    """Two short sequences in one row must score as each does by itself in the model as published.

    Models may cap or scale their logits, or have attention that packing does not know.

    Raises:
        ConfigError: they do not.
    """
    vocabulary = model.config.get_text_config().vocab_size
    rows = [[(7 * i + 3) % vocabulary for i in range(length)] for length in (5, 9)]
    trajectories = []
    for row in rows:
        turn = TurnTokens(
            prompt_ids=row[:1],
            reply_ids=row[1:],
            reply_logprobs=[],
            is_cut=False,
            weight_version=0,
        )
        trajectories.append(Trajectory(problem_id="", seed=0, turns=[turn]))
    batch = pack(trajectories).to(device)
    of_model = f"model={config.model!r} (of type {model.config.model_type})"
    try:
        packed, _ = Policy(model, config.precision)(batch)
    except (TypeError, AttributeError) as error:
        raise ConfigError(
            f"{of_model} does not take packed sequences: {error}; take another model."
        ) from error
    model.set_attn_implementation("eager")
    single = []
    with _autocast(batch, config.precision):
        for row in rows:
            ids = torch.tensor([row], device=device)
            logprobs = model(input_ids=ids, use_cache=False).logits.float().log_softmax(-1)
            single.append(logprobs[0, :-1].gather(1, ids[0, 1:, None])[:, 0])
    model.set_attn_implementation(PACKED)
    difference = float((packed - torch.cat(single)).abs().max())
    if not difference < PACKING_TOLERANCE[config.precision]:
        raise ConfigError(
            f"{of_model} scores packed sequences otherwise than single ones, by {difference:.2g}; "
            "take another model."
        )
