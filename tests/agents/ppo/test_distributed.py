"""Two processes on the CPU; each sees half of the episodes."""

import socket
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import torch.distributed as dist
import torch.multiprocessing as mp
from accelerate import Accelerator
from tiny_models import save_tiny
from torch.distributed.fsdp import fully_shard
from trajectories import UNEVEN, random_trajectories
from transformers import AutoModelForCausalLM

from agents.ppo.config import PPOConfig
from agents.ppo.loading import trunk_of
from agents.ppo.networks import build_networks
from agents.ppo.packing import pack

pytestmark = pytest.mark.slow  # processes that import everything anew
NUM_PROCESSES = 2
LORA = {"lora_rank": 4}


def networks_of(folder, options):
    config = PPOConfig(
        **{"model": str(folder), "out": folder, "precision": "float32"},
        **{"max_prompt_tokens": 64, "max_reply_tokens": 64, "max_context_tokens": 512},
        **{"gradient_checkpointing": True, **options},
    )
    return build_networks(config, "cpu")


def losses(policy, critic, trajectories):
    """Sums over actions and turns, so that those of parts of a batch add up."""
    batch = pack(trajectories)
    return policy(batch)[0].sum(), critic(batch).square().sum()


def gradients(network):
    """By name, whole."""
    return {
        name.removeprefix("module."): getattr(p.grad, "full_tensor", lambda p=p: p.grad)()
        for name, p in network.named_parameters()
        if p.grad is not None
    }


def replicated(rank, folder, options):
    """Wrapped by accelerate, each process with its share of the episodes."""
    built = networks_of(folder, options)
    accelerator = Accelerator(cpu=True)
    policy, critic = accelerator.prepare(built.policy, built.critic)
    mine = random_trajectories(UNEVEN)[rank::NUM_PROCESSES]
    for loss in losses(policy, critic, mine):
        accelerator.backward(loss * NUM_PROCESSES)  # wrappers take the mean over processes
    return gradients(policy), gradients(critic)


def sharded(rank, folder, options):
    """Weights in shards that are gathered around each layer and each call."""
    built = networks_of(folder, options)
    trunks = (trunk_of(built.policy.model), built.critic.trunk)
    for network, trunk in zip((built.policy, built.critic), trunks, strict=True):
        for layer in trunk.layers:
            fully_shard(layer)
        fully_shard(network)
    mine = random_trajectories(UNEVEN)[rank::NUM_PROCESSES]
    for loss in losses(built.policy, built.critic, mine):
        (loss * NUM_PROCESSES).backward()
    found = gradients(built.policy), gradients(built.critic)
    built.save_policy(folder / "saved", write=rank == 0)
    return found


WAYS = {"replicated": replicated, "sharded": sharded}
OPTIONS = {"full": {}, "lora": LORA}
CASES = [(way, options) for way in WAYS for options in OPTIONS]


def work(rank, folder, port):
    torch.set_num_threads(1)
    torch.manual_seed(rank)
    environment = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": NUM_PROCESSES}
    environment |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, str(value))
        dist.init_process_group("gloo")
        for way, options in CASES:
            own = folder / way / options
            found = WAYS[way](rank, own, OPTIONS[options])
            torch.save(found, own / f"gradients-{rank}.pt")
        dist.destroy_process_group()


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """What two processes left: for each case a model and the gradients that each process has."""
    folder = tmp_path_factory.mktemp("distributed")
    for way, options in CASES:
        save_tiny(folder / way / options)
    mp.spawn(work, (folder, free_port()), nprocs=NUM_PROCESSES)
    return folder


@pytest.mark.parametrize(("way", "options"), CASES)
def test_two_processes_compute_the_gradients_of_one(way, options, folder):
    own = folder / way / options
    built = networks_of(own, OPTIONS[options])
    for loss in losses(built.policy, built.critic, random_trajectories(UNEVEN)):
        loss.backward()
    for rank in range(NUM_PROCESSES):
        found = torch.load(own / f"gradients-{rank}.pt")
        for mine, network in zip(found, (built.policy, built.critic), strict=True):
            wanted = gradients(network)
            assert mine.keys() == wanted.keys()
            for name, grad in wanted.items():
                torch.testing.assert_close(mine[name], grad, atol=1e-4, rtol=1e-3, msg=name)


@pytest.mark.parametrize("options", OPTIONS)
def test_sharded_weights_are_saved_whole(options, folder):
    own = folder / "sharded" / options
    saved = AutoModelForCausalLM.from_pretrained(own / "saved").state_dict()
    plain = AutoModelForCausalLM.from_pretrained(own).state_dict()
    assert saved.keys() == plain.keys()
    assert all(torch.equal(saved[name], tensor) for name, tensor in plain.items())
