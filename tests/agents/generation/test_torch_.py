"""What is true of TorchGenerator alone; test_token_generators.py has what is true of all."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tiny_models import save_tiny, tiny_model
from transformers import AutoModelForCausalLM, Gemma2Config, MistralConfig

from agents.generation.slot_model import bucket
from agents.generation.tokens import GeneratorError, Sampling, TokenReply, TokenRequest
from agents.generation.torch_ import TorchGenerator
from codefeedback_env import ConfigError

FAMILIES = ("llama", "qwen2", "qwen3")
STOP = 7
GREEDY = Sampling(temperature=0.0, max_new_tokens=12)
PROMPTS = [[11, 12, 13, 14, 15], [20], [31, 32, 33, 34, 35, 36, 37, 38, 39], [41, 42]]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def request(dialogue: int, prompt: list[int], sampling: Sampling, seed: int = 0) -> TokenRequest:
    return TokenRequest(dialogue=dialogue, prompt_ids=prompt, seed=seed, sampling=sampling)


def finish(generator: TorchGenerator) -> dict[int, TokenReply]:
    replies = {}
    while generator.num_unfinished:
        replies.update({reply.dialogue: reply for reply in generator.step()})
    return replies


def full_forward(model: Any, prompt: list[int], reply: list[int]) -> list[float]:
    """Log-probabilities of a reply, from one pass without a cache by the model's own attention."""
    device = next(model.parameters()).device
    with torch.no_grad():
        logits = model(torch.tensor([prompt + reply], device=device)).logits[0].float()
    logprobs = logits.log_softmax(-1)[len(prompt) - 1 : -1]
    return logprobs.gather(-1, torch.tensor(reply, device=device)[:, None])[:, 0].tolist()


class Counting:
    """Counts the tokens, padding included, that go through the trunk of a generator's model."""

    def __init__(self, generator: TorchGenerator) -> None:
        self.num_tokens = 0
        trunk = generator._model.model.base_model
        trunk.register_forward_pre_hook(self.count, with_kwargs=True)

    def count(self, module: Any, args: Any, kwargs: Any) -> None:
        self.num_tokens += kwargs["input_ids"].numel()


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_replies_equal_those_of_generate(family: str, tied: bool) -> None:
    reference = tiny_model(family, tied=tied)
    generator = TorchGenerator(tiny_model(family, tied=tied), stop_ids=[STOP])
    generator.add(request(i, prompt, GREEDY) for i, prompt in enumerate(PROMPTS))
    replies = finish(generator)
    for i, prompt in enumerate(PROMPTS):
        output = reference.generate(
            torch.tensor([prompt]), do_sample=False, max_new_tokens=12, eos_token_id=STOP,
            pad_token_id=0,
        )  # fmt: skip
        assert replies[i].token_ids == output[0, len(prompt) :].tolist()


@pytest.mark.parametrize("max_batch", [8, 2])
@pytest.mark.parametrize("tokens_per_step", [1, 5])
@pytest.mark.parametrize("family", FAMILIES)
def test_logprobs_of_three_turns_equal_a_full_forward(
    family: str, tokens_per_step: int, max_batch: int
) -> None:
    """With 8 rows all caches are kept; with 2 dialogues wait for rows, and rows are given away."""
    reference = tiny_model(family)
    generator = TorchGenerator(
        tiny_model(family),
        stop_ids=range(60),  # so that replies end at different times
        max_batch=max_batch,
        tokens_per_step=tokens_per_step,
    )
    contexts = {i: list(prompt) for i, prompt in enumerate(PROMPTS * 2)}
    sampling = Sampling(max_new_tokens=20)
    lengths = set()
    for turn in range(3):
        generator.add(
            request(i, context, sampling, seed=100 * turn + i) for i, context in contexts.items()
        )
        for i, reply in finish(generator).items():
            expected = full_forward(reference, contexts[i], reply.token_ids)
            assert reply.logprobs == pytest.approx(expected, abs=1e-5)
            lengths.add(len(reply.token_ids))
            contexts[i] += [*reply.token_ids, *range(70, 73 + i)]
    assert len(lengths) > 3


def test_a_later_turn_computes_only_what_is_new() -> None:
    generator = TorchGenerator(tiny_model("llama"), stop_ids=[])
    context = list(range(10, 110))
    generator.add([request(0, context, Sampling(max_new_tokens=4))])
    context += finish(generator)[0].token_ids
    counting = Counting(generator)
    context += [5, 6, 7]
    generator.add([request(0, context, Sampling(max_new_tokens=4))])
    finish(generator)
    # The last token of the reply was drawn but not read: it and the three new ones. Then the
    # first three of the four new tokens of the reply are read to draw the next.
    assert counting.num_tokens == 1 + 3 + 3


def test_a_changed_past_is_not_taken_from_the_cache() -> None:
    reference = tiny_model("llama")
    generator = TorchGenerator(tiny_model("llama"), stop_ids=[])
    generator.add([request(0, [10, 11, 12, 13], Sampling(max_new_tokens=6))])
    finish(generator)
    for prompt in ([10, 99, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21], [10, 99], [10]):
        generator.add([request(0, prompt, Sampling(max_new_tokens=6))])
        reply = finish(generator)[0]
        expected = full_forward(reference, prompt, reply.token_ids)
        assert reply.logprobs == pytest.approx(expected, abs=1e-5)


def test_new_weights_are_used_for_all_later_tokens() -> None:
    """Also by the keys and values of tokens that came before, of idle and of running dialogues."""
    before, after = tiny_model("qwen2", seed=0), tiny_model("qwen2", seed=1)
    generator = TorchGenerator(tiny_model("qwen2", seed=0), stop_ids=[])
    idle = [10, 11, 12]
    generator.add([request(0, idle, Sampling(max_new_tokens=5))])
    idle += finish(generator)[0].token_ids
    generator.add([request(1, PROMPTS[0], Sampling(max_new_tokens=10))])
    for _ in range(4):
        assert generator.step() == []
    generator.load_weights(after.state_dict().items(), weight_version=3)
    generator.add([request(0, idle, Sampling(max_new_tokens=5))])
    replies = finish(generator)
    running = replies[1]
    old = full_forward(before, PROMPTS[0], running.token_ids)[:4]
    new = full_forward(after, PROMPTS[0], running.token_ids)[4:]
    assert running.logprobs == pytest.approx(old + new, abs=1e-5)
    assert running.weight_version == 0
    expected = full_forward(after, idle, replies[0].token_ids)
    assert replies[0].logprobs == pytest.approx(expected, abs=1e-5)
    assert replies[0].weight_version == 3


def test_weights_must_fit_and_be_complete() -> None:
    generator = TorchGenerator(tiny_model("llama"), stop_ids=[])
    with pytest.raises(ConfigError, match=r"hold nose.* no such tensor"):
        generator.load_weights([("nose", torch.zeros(1))], 1)
    with pytest.raises(ConfigError, match=r"hold lm_head.weight of shape \(2, 2\)"):
        generator.load_weights([("lm_head.weight", torch.zeros(2, 2))], 1)
    state = tiny_model("llama").state_dict()
    del state["model.norm.weight"]
    with pytest.raises(ConfigError, match=r"lack model\.norm\.weight"):
        generator.load_weights(state.items(), 1)
    tied = tiny_model("llama", tied=True)
    generator = TorchGenerator(tiny_model("llama", tied=True, seed=1), stop_ids=[])
    generator.load_weights(tied.named_parameters(), 1)  # the head comes with the embedding
    found = generator.score([[1, 2, 3]])[0]
    assert found == pytest.approx(full_forward(tied, [1], [2, 3]), abs=1e-5)


def test_replies_after_all_is_forgotten_are_the_same_bit_for_bit() -> None:
    def run(generator: TorchGenerator) -> list[TokenReply]:
        contexts = [list(prompt) for prompt in PROMPTS]
        replies = []
        for _ in range(2):
            generator.add(
                request(i, context, Sampling(max_new_tokens=9), seed=i)
                for i, context in enumerate(contexts)
            )
            for i, reply in sorted(finish(generator).items()):
                replies.append(reply)
                contexts[i] += [*reply.token_ids, 3]
        generator.forget(range(len(PROMPTS)))
        return replies

    fresh = TorchGenerator(tiny_model("qwen3"), stop_ids=range(50))
    used = TorchGenerator(tiny_model("qwen3"), stop_ids=range(50))
    used.add(request(i, [10 + i] * 200, Sampling(max_new_tokens=3)) for i in range(9))
    finish(used)
    used.forget(range(9))
    assert run(used) == run(fresh)


def test_sleep_gives_the_cache_back_and_replies_go_on_after_wake() -> None:
    generators = [TorchGenerator(tiny_model("llama"), stop_ids=[]) for _ in range(2)]
    for generator in generators:
        generator.add([request(0, PROMPTS[0], Sampling(max_new_tokens=8), seed=4)])
        generator.step()
    generators[0].sleep()
    assert generators[0]._model._cache.capacity == 0
    with pytest.raises(GeneratorError, match="wake"):
        generators[0].step()
    generators[0].wake()
    slept, reply = (finish(generator)[0] for generator in generators)
    assert slept.token_ids == reply.token_ids
    assert slept.logprobs == pytest.approx(reply.logprobs, abs=1e-5)


def test_a_closed_generator_says_so() -> None:
    generator = TorchGenerator(tiny_model("llama"), stop_ids=[])
    generator.close()
    generator.close()
    with pytest.raises(GeneratorError, match="closed"):
        generator.add([request(0, [1, 2], GREEDY)])


def test_nan_is_an_error_and_leaves_nothing_under_way() -> None:
    generator = TorchGenerator(tiny_model("llama"), stop_ids=[])
    good = {name: tensor.clone() for name, tensor in generator._model.model.state_dict().items()}
    bad = {name: torch.full_like(tensor, float("nan")) for name, tensor in good.items()}
    generator.load_weights(bad.items(), 1)
    generator.add([request(0, [1, 2], GREEDY)])
    with pytest.raises(GeneratorError, match="NaN"):
        generator.step()
    assert generator.num_unfinished == 0
    generator.load_weights(good.items(), 2)
    generator.add([request(0, [1, 2], GREEDY)])
    assert len(finish(generator)) == 1


def test_too_little_memory_is_an_error_that_says_what_to_lower(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    generator = TorchGenerator(tiny_model("llama"), stop_ids=[], max_batch=3)
    generator.add([request(0, [1, 2], GREEDY)])

    def fails(*args: Any, **kwargs: Any) -> None:
        raise torch.OutOfMemoryError

    with monkeypatch.context() as patch:
        patch.setattr(generator, "_prefill", fails)
        with pytest.raises(GeneratorError, match="lower max_batch"):
            generator.step()
    assert generator.num_unfinished == 0
    generator.add([request(0, [1, 2], GREEDY)])
    assert len(finish(generator)) == 1


def test_long_sequences_are_scored_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    reference = tiny_model("llama")
    generator = TorchGenerator(tiny_model("llama"), stop_ids=[])
    monkeypatch.setattr("agents.generation.slot_model.SCORE_LOGITS", 512 * 12)
    sequences = [list(range(n + 3, 2 * n + 3)) for n in (3, 9, 1, 20, 5, 2)]
    scores = generator.score(sequences)
    for sequence, found in zip(sequences, scores, strict=True):
        expected = full_forward(reference, sequence[:1], sequence[1:])
        assert found == pytest.approx(expected, abs=1e-5)


def test_prompts_are_read_in_passes_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    reference = tiny_model("llama")
    generator = TorchGenerator(tiny_model("llama"), stop_ids=[])
    monkeypatch.setattr("agents.generation.torch_.PREFILL_TOKENS", 64)
    prompts = [[10 + i] * (3 + 9 * i) for i in range(8)]
    generator.add(request(i, prompt, GREEDY) for i, prompt in enumerate(prompts))
    for i, reply in finish(generator).items():
        expected = full_forward(reference, prompts[i], reply.token_ids)
        assert reply.logprobs == pytest.approx(expected, abs=1e-5)


def test_a_folder_is_loaded_in_the_type_asked_for(tmp_path: Path) -> None:
    folder = save_tiny(tmp_path / "model", "qwen3")
    generator = TorchGenerator(folder, stop_ids=[], device="cpu", dtype=torch.bfloat16)
    reference = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    sequence = [5, 6, 7, 8, 9]
    expected = full_forward(reference, sequence[:1], sequence[1:])
    assert generator.score([sequence])[0] == pytest.approx(expected, abs=0.2)
    assert generator.max_context == 512
    generator.add([request(0, sequence, GREEDY)])
    assert len(finish(generator)[0].token_ids) == 12
    buffers = dict(generator._model.model.named_buffers())
    assert buffers["model.rotary_emb.inv_freq"].dtype == torch.float32
    assert {keys.dtype for keys, _ in generator._model._cache._tensors.values()} == {torch.bfloat16}


def test_wrong_settings_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot load a causal language model"):
        TorchGenerator(tmp_path / "nothing", stop_ids=[])
    with pytest.raises(ConfigError, match="max_context=513"):
        TorchGenerator(tiny_model("llama"), stop_ids=[], max_context=513)
    with pytest.raises(ConfigError, match="max_batch=0"):
        TorchGenerator(tiny_model("llama"), stop_ids=[], max_batch=0)


SMALL: dict[str, Any] = {
    "vocab_size": 64, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2,
    "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16,
    "max_position_embeddings": 64,
}  # fmt: skip


def test_a_sliding_window_bounds_the_context() -> None:
    model = AutoModelForCausalLM.from_config(MistralConfig(**SMALL, sliding_window=24))
    assert TorchGenerator(model, stop_ids=[]).max_context == 24
    with pytest.raises(ConfigError, match="max_context=25"):
        TorchGenerator(model, stop_ids=[], max_context=25)


def test_attention_of_another_kind_is_refused() -> None:
    model = AutoModelForCausalLM.from_config(Gemma2Config(**SMALL, sliding_window=32))
    generator = TorchGenerator(model, stop_ids=[])
    generator.add([request(0, [1, 2, 3], GREEDY)])
    with pytest.raises(ConfigError, match="softcap"):
        generator.step()


def test_buckets_are_few_and_waste_at_most_half() -> None:
    sizes = [bucket(n) for n in range(1, 1025)]
    assert all(size >= n for n, size in enumerate(sizes, 1))
    assert all(size <= 1.5 * n for n, size in enumerate(sizes, 1))
    assert sorted(set(sizes))[:9] == [1, 2, 3, 4, 6, 8, 12, 16, 24]
    assert [bucket(n, 32) for n in (1, 32, 33, 49)] == [32, 32, 48, 64]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("family", FAMILIES)
def test_cuda_graphs_change_nothing(family: str) -> None:
    replies: list[dict[tuple[int, int], TokenReply]] = []
    for cuda_graphs in (True, False):
        generator = TorchGenerator(
            tiny_model(family), stop_ids=range(60), device="cuda", cuda_graphs=cuda_graphs
        )
        found = {}
        contexts = {i: [10 + i] * (1 + 7 * i) for i in range(11)}
        for turn in range(3):
            sampling = Sampling(max_new_tokens=40, top_p=0.9 if turn == 2 else 1.0)
            generator.add(
                request(i, context, sampling, seed=i + 100 * turn)
                for i, context in contexts.items()
            )
            for i, reply in finish(generator).items():
                found[turn, i] = reply
                contexts[i] += [*reply.token_ids, 70, 71]
        assert bool(generator._model._graphs) == cuda_graphs
        replies.append(found)
    graphs, eager = replies
    for key, reply in graphs.items():
        assert reply.token_ids == eager[key].token_ids
        assert reply.logprobs == pytest.approx(eager[key].logprobs, abs=1e-4)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_new_weights_reach_captured_graphs() -> None:
    after = tiny_model("llama", seed=1).to("cuda")
    generator = TorchGenerator(tiny_model("llama"), stop_ids=[], device="cuda")
    generator.add([request(0, [10, 11, 12], Sampling(max_new_tokens=9))])
    finish(generator)
    generator.load_weights(after.state_dict().items(), 1)
    generator.add([request(1, [10, 11, 12], Sampling(max_new_tokens=9))])
    reply = finish(generator)[1]
    expected = full_forward(after, [10, 11, 12], reply.token_ids)
    assert reply.logprobs == pytest.approx(expected, abs=1e-4)
