import copy
import json

import pytest

torch = pytest.importorskip("torch")

from tiny_models import save_tiny
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from trajectories import UNEVEN, random_trajectories
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
)
from transformers.utils import logging

from agents.ppo import loading, networks
from agents.ppo.config import PPOConfig
from agents.ppo.networks import build_networks, trainable_parameters
from agents.ppo.packing import pack
from codefeedback_env import ConfigError

torch.set_num_threads(1)
logging.disable_progress_bar()
FAMILIES = ("llama", "qwen2", "qwen3")
LORA = {"lora_rank": 4, "lora_alpha": 8.0}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder for each family, and one of a model whose head is tied."""
    root = tmp_path_factory.mktemp("models")
    made = {family: save_tiny(root / family, family) for family in FAMILIES}
    return made | {"tied": save_tiny(root / "tied", "qwen2", tied=True)}


@pytest.fixture
def build(folders, tmp_path):
    def build(family="llama", **options):
        defaults = {
            "precision": "float32",
            "max_prompt_tokens": 64,
            "max_reply_tokens": 64,
            "max_context_tokens": 512,
            "max_tokens_per_pass": 4096,
        }
        model = str(folders.get(family, family))
        config = PPOConfig(model=model, out=tmp_path, **{**defaults, **options})
        return build_networks(config, "cpu")

    return build


@pytest.fixture(scope="module")
def trajectories():
    return random_trajectories(UNEVEN)


def one_by_one(model, trajectories):
    """Log-probabilities of all actions, one sequence at a time through the plain model."""
    logprobs = []
    for trajectory in trajectories:
        batch = pack([trajectory])
        logits = model(input_ids=batch.token_ids[None]).logits[0, batch.action_positions]
        logprobs.append(logits.log_softmax(-1).gather(1, batch.action_ids[:, None])[:, 0])
    return torch.cat(logprobs)


def padded(model, trajectories):
    """The same in one padded batch with an attention mask."""
    rows = [torch.tensor(t.token_ids) for t in trajectories]
    ids = pad_sequence(rows, batch_first=True)
    mask = pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
    logits = model(input_ids=ids, attention_mask=mask).logits
    logprobs = []
    for row, trajectory in zip(logits, trajectories, strict=True):
        batch = pack([trajectory])
        logprobs.append(
            row[batch.action_positions].log_softmax(-1).gather(1, batch.action_ids[:, None])[:, 0]
        )
    return torch.cat(logprobs)


@pytest.mark.parametrize("family", [*FAMILIES, "tied"])
@pytest.mark.parametrize("other", [padded, one_by_one])
def test_packed_logprobs_and_gradients_equal_those_of_the_plain_model(
    family, other, build, folders, trajectories
):
    policy = build(family).policy
    plain = AutoModelForCausalLM.from_pretrained(folders[family], dtype=torch.float32)
    weights = torch.randn(
        pack(trajectories).num_actions, generator=torch.Generator().manual_seed(1)
    )
    found, entropy = policy(pack(trajectories))
    assert entropy is None
    wanted = other(plain, trajectories)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)
    (found * weights).mean().backward()
    (wanted * weights).mean().backward()
    wanted_grads = {name: p.grad for name, p in plain.named_parameters()}
    found_grads = {name: p.grad for name, p in policy.model.named_parameters()}
    assert found_grads.keys() == wanted_grads.keys()
    for name, grad in wanted_grads.items():
        torch.testing.assert_close(found_grads[name], grad, atol=1e-5, rtol=1e-4)


def test_temperature_divides_the_logits_and_entropy_is_of_the_same_distribution(
    build, trajectories
):
    policy = build().policy
    batch = pack(trajectories)
    logprobs, entropy = policy(batch, temperature=0.5, with_entropy=True)
    first = pack(trajectories[:1])
    with torch.no_grad():
        policy.model.set_attn_implementation("sdpa")
        logits = policy.model(input_ids=first.token_ids[None]).logits[0, first.action_positions]
    everything = (logits / 0.5).log_softmax(-1)
    wanted = everything.gather(1, first.action_ids[:, None])[:, 0]
    torch.testing.assert_close(logprobs[: len(wanted)], wanted, atol=2e-5, rtol=0)
    wanted = -(everything.exp() * everything).sum(-1)
    torch.testing.assert_close(entropy[: len(wanted)], wanted, atol=2e-5, rtol=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_values_stand_before_turns_or_before_tokens(family, build, folders, trajectories):
    critic = build(family).critic
    plain = AutoModelForCausalLM.from_pretrained(folders[family], dtype=torch.float32)
    by_turn = critic(pack(trajectories))
    by_token = critic(pack(trajectories), level="token")
    wanted_by_turn, wanted_by_token = [], []
    for trajectory in trajectories:
        batch = pack([trajectory])
        hidden = plain.model(input_ids=batch.token_ids[None]).last_hidden_state[0]
        values = (hidden @ critic.head.weight.T)[:, 0]
        wanted_by_turn.append(values[batch.value_positions])
        wanted_by_token.append(values[batch.action_positions])
    torch.testing.assert_close(by_turn, torch.cat(wanted_by_turn), atol=1e-5, rtol=0)
    torch.testing.assert_close(by_token, torch.cat(wanted_by_token), atol=1e-5, rtol=0)
    assert by_turn.dtype == torch.float32


def test_first_values_are_small_random_and_fixed_by_the_seed(build, trajectories):
    batch = pack(trajectories)
    with torch.no_grad():
        one, same, other = (build(seed=seed).critic(batch) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert 0 < one.abs().max() < 1


def test_no_values_no_critic(build):
    assert build(advantage="group-mean", group_size=4).critic is None


@pytest.mark.parametrize("options", [{}, LORA], ids=["full", "lora"])
def test_the_reference_is_the_first_policy_and_stays_it(options, build, trajectories):
    built = build(**options)
    batch = pack(trajectories)
    before = built.reference_logprobs(batch)
    torch.testing.assert_close(built.policy(batch)[0], before, atol=1e-6, rtol=0)
    values = built.critic(batch).detach()
    take_a_step(built.policy, batch)
    after = built.policy(batch)[0]
    assert (after - before).abs().max() > 1e-2
    assert torch.equal(built.reference_logprobs(batch), before)
    assert torch.equal(built.critic(batch), values)
    assert not trainable_parameters(built.reference)
    warm = built.reference_logprobs(batch, temperature=2.0)
    assert (warm - before).abs().max() > 1e-2


def take_a_step(network, batch, rate=0.05):
    optimiser = torch.optim.SGD(trainable_parameters(network), lr=rate)
    outputs = network(batch)
    (outputs[0] if isinstance(outputs, tuple) else outputs).sum().backward()
    optimiser.step()


def test_two_adapters_train_apart_on_one_base(build, trajectories):
    built = build(**LORA)
    batch = pack(trajectories)
    base = dict(built.reference.model.named_parameters())
    shared = {id(parameter) for parameter in base.values()}
    for network in (built.policy, built.critic):
        frozen = [p for p in network.parameters() if not p.requires_grad]
        assert {id(p) for p in frozen} <= shared
        assert all(id(p) not in shared for p in trainable_parameters(network))
    own = [{id(p) for p in trainable_parameters(n)} for n in (built.policy, built.critic)]
    assert own[0].isdisjoint(own[1])
    before = {name: parameter.clone() for name, parameter in base.items()}
    logprobs = built.policy(batch)[0].detach()
    values = built.critic(batch).detach()
    take_a_step(built.critic, batch)
    assert not torch.equal(built.critic(batch), values)
    assert torch.equal(built.policy(batch)[0], logprobs)
    assert all(torch.equal(before[name], parameter) for name, parameter in base.items())


def test_adapters_are_on_every_linear_layer_and_scaled_by_alpha_over_rank(build):
    model = build(**LORA).policy.model
    layers = [m for m in model.modules() if isinstance(m, networks.LoraLayer)]
    assert len(layers) == 2 * 7
    assert all(layer.scaling[networks.ADAPTER] == 8.0 / 4 for layer in layers)
    assert not any("lora" in name for name, _ in model.lm_head.named_parameters())


@pytest.mark.parametrize("options", [{}, LORA], ids=["full", "lora"])
def test_checkpointing_changes_memory_and_no_gradient(options, build, trajectories):
    batch = pack(trajectories)
    found = []
    for checkpointing in (False, True):
        built = build(**options, gradient_checkpointing=checkpointing)
        kept = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda x, kept=kept: kept.append(x.numel()) or x, lambda x: x
        ):
            logprobs = built.policy(batch)[0]
        # Both passes before either recomputation: each must come back to its own adapter.
        values = built.critic(batch)
        logprobs.sum().backward()
        values.sum().backward()
        grads = [
            {name: p.grad for name, p in network.named_parameters() if p.requires_grad}
            for network in (built.policy, built.critic)
        ]
        found.append((sum(kept), grads))
    (much, wanted), (little, got) = found
    assert little < 0.7 * much
    for mine, other in zip(got, wanted, strict=True):
        assert mine.keys() == other.keys()
        for name, grad in other.items():
            torch.testing.assert_close(mine[name], grad, msg=name)


@pytest.mark.parametrize("family", ["llama", "tied"])
@pytest.mark.parametrize("options", [{}, LORA], ids=["full", "lora"])
def test_a_saved_policy_loads_as_a_plain_model_with_equal_logits(
    family, options, build, folders, trajectories, tmp_path
):
    built = build(family, **options)
    batch = pack(trajectories)
    take_a_step(built.policy, batch)
    built.save_policy(tmp_path / "saved")
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "saved")
    assert loaded.dtype == torch.float32
    torch.testing.assert_close(
        one_by_one(loaded, trajectories), built.policy(batch)[0], atol=2e-5, rtol=0
    )
    sent = dict(built.policy_tensors())
    untouched = AutoModelForCausalLM.from_pretrained(folders[family])
    assert sent.keys() == {name for name, _ in untouched.named_parameters()}
    loaded_again = copy.deepcopy(untouched)
    loaded_again.load_state_dict(sent, strict=False)
    assert torch.equal(one_by_one(loaded_again, trajectories), one_by_one(loaded, trajectories))
    assert "codefeedback" not in (tmp_path / "saved" / "config.json").read_text()


def test_a_process_that_does_not_write_leaves_no_file(build, tmp_path):
    build().save_policy(tmp_path / "saved", write=False)
    assert not (tmp_path / "saved").exists()


def test_a_temperature_without_sampling_does_not_keep_a_policy_from_being_saved(
    build, folders, tmp_path
):
    source = tmp_path / "source"
    save_tiny(source)
    (source / "generation_config.json").write_text('{"temperature": 0.6, "do_sample": false}')
    build(str(source)).save_policy(tmp_path / "saved")
    saved = json.loads((tmp_path / "saved" / "generation_config.json").read_text())
    assert saved["temperature"] == 0.6


@pytest.mark.parametrize("options", [{}, LORA], ids=["full", "lora"])
def test_bfloat16_computes_in_half_and_trains_in_float32(options, build, trajectories):
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        pytest.skip("this CPU has no bfloat16")
    built = build(precision="bfloat16", **options)
    batch = pack(trajectories)
    exact = build(**options).policy(batch)[0]
    logprobs = built.policy(batch)[0]
    assert logprobs.dtype == torch.float32
    assert 1e-4 < (logprobs - exact).abs().max() < 0.5
    assert built.critic(batch).dtype == torch.float32
    assert {p.dtype for p in trainable_parameters(built.policy)} == {torch.float32}
    assert {p.dtype for p in built.reference.parameters()} == {torch.bfloat16}
    # Rotary frequencies rounded to 8 bits would be other positions.
    assert {b.dtype for b in built.reference.buffers()} == {torch.float32}
    assert (built.reference_logprobs(batch) - exact).abs().max() < 0.5
    logprobs.sum().backward()
    assert all(p.grad is not None for p in trainable_parameters(built.policy))


@pytest.fixture
def gpt2(tmp_path):
    """A model with learned positions, dropout of every kind and no linear layers but the head."""
    sizes = {"vocab_size": 512, "n_positions": 512, "n_embd": 32, "n_layer": 2, "n_head": 4}
    dropout = {"attn_pdrop": 0.5, "resid_pdrop": 0.5, "embd_pdrop": 0.5}
    GPT2LMHeadModel(GPT2Config(**sizes, **dropout)).save_pretrained(tmp_path / "gpt2")
    return tmp_path / "gpt2"


def test_dropout_is_off_while_training(build, gpt2, trajectories):
    built = build(str(gpt2))
    assert built.policy.training
    plain = AutoModelForCausalLM.from_pretrained(gpt2)
    found = built.policy(pack(trajectories))[0]
    torch.testing.assert_close(found, one_by_one(plain, trajectories), atol=1e-5, rtol=0)


def test_adapters_without_linear_layers_are_a_config_error(build, gpt2):
    with pytest.raises(ConfigError, match="lora_rank=0"):
        build(str(gpt2), **LORA)


class Forwarded(nn.Module):
    """Stands for a wrapper that only lets calls of the module through."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, *args, **options):
        return self.module(*args, **options)


def test_a_wrapper_sees_all_parameters_used_in_a_call_of_the_module(build, trajectories):
    batch = pack(trajectories)
    for options in ({}, LORA):
        built = build(**options)
        for network in (built.policy, built.critic):
            outputs = Forwarded(network)(batch)
            (outputs[0] if isinstance(outputs, tuple) else outputs).sum().backward()
            assert all(p.grad is not None for p in trainable_parameters(network))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "/no/such/folder"}, "is no folder"),
        ({"model": "./models/absent"}, "is no folder"),
        ({"max_context_tokens": 1024}, "has a context of 512 tokens.*max_context_tokens=1024"),
        ({"max_tokens_per_pass": 300}, "max_tokens_per_pass=300.*max_context_tokens=512"),
    ],
)
def test_wrong_settings_say_what_to_change(options, message, build):
    with pytest.raises(ConfigError, match=message):
        build(**{"family": options.pop("model", "llama"), **options})


def test_a_folder_without_a_model_is_a_config_error(build, tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        build(str(tmp_path))


def test_an_encoder_is_a_config_error(build, tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "t5"}')
    with pytest.raises(ConfigError, match="cannot be loaded as a causal language model"):
        build(str(tmp_path))


def test_a_sliding_window_shorter_than_the_context_is_a_config_error(build, folders, tmp_path):
    config = json.loads((folders["qwen2"] / "config.json").read_text())
    window = {"use_sliding_window": True, "sliding_window": 100, "max_window_layers": 0}
    config = {**config, **window, "layer_types": ["sliding_attention"] * 2}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigError, match="last 100 tokens only"):
        build(str(tmp_path))


def test_a_processor_without_bfloat16_is_told_to_use_float32(build, monkeypatch):
    monkeypatch.setattr(loading, "_cpu_has_bfloat16", lambda: False)
    with pytest.raises(ConfigError, match="set precision='float32'"):
        build(precision="bfloat16")


def test_a_model_that_caps_its_logits_is_refused(build, tmp_path):
    config = Gemma2Config(
        **{"vocab_size": 64, "hidden_size": 32, "intermediate_size": 32, "head_dim": 8},
        **{"num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 2},
        **{"max_position_embeddings": 512, "sliding_window": 512, "initializer_range": 1.0},
        **{"final_logit_softcapping": 2.0},
    )
    Gemma2ForCausalLM(config).save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match="scores packed sequences otherwise"):
        build(str(tmp_path))
