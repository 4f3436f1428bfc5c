"""What every TokenGenerator does; each one that can be imported is held to it."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tiny_models import save_tiny, tiny_model

from agents.generation.tokens import (
    GeneratorError,
    Sampling,
    TokenGenerator,
    TokenReply,
    TokenRequest,
)
from codefeedback_env import ConfigError

SIZES: dict[str, Any] = {"hidden_size": 64, "num_heads": 2, "num_kv_heads": 1}
"""A head width of 32, the smallest that vLLM has kernels for on CPU."""

CONTEXT = 96
STOPS = tuple(range(100))
PROMPTS = [[110, 111, 112], [120], [130, 131, 132, 133, 134, 135], [140, 141]]


def torch_generator(folder: Path) -> TokenGenerator:
    from agents.generation.torch_ import TorchGenerator

    return TorchGenerator(
        folder, stop_ids=STOPS, max_context=CONTEXT, dtype=torch.float32, max_batch=8
    )


def vllm_generator(folder: Path) -> TokenGenerator:
    pytest.importorskip("vllm")
    from agents.generation.vllm_ import VllmGenerator

    return VllmGenerator(folder, stop_ids=STOPS, max_context=CONTEXT, dtype="float32", max_batch=8)


IMPLEMENTATIONS: dict[str, Callable[[Path], TokenGenerator]] = {
    "torch": torch_generator,
    "vllm": vllm_generator,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("models") / "llama", "llama", **SIZES)


@pytest.fixture(scope="module", params=IMPLEMENTATIONS)
def opened(request: pytest.FixtureRequest, folder: Path) -> Iterator[TokenGenerator]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    generator = IMPLEMENTATIONS[request.param](folder)
    yield generator
    generator.close()
    torch.set_num_threads(threads)


@pytest.fixture
def generator(opened: TokenGenerator) -> Iterator[TokenGenerator]:
    """One engine for all tests, as some take long to start; nothing is kept between them."""
    yield opened
    opened.forget(range(1000))
    opened.load_weights(weights(0), 0)


def weights(seed: int) -> list[tuple[str, Any]]:
    return list(tiny_model("llama", seed=seed, **SIZES).state_dict().items())


def logprobs_of(seed: int, sequence: Sequence[int], temperature: float = 1.0) -> Any:
    """Of each token but the first, from a full pass; shape (tokens - 1,)."""
    with torch.no_grad():
        logits = tiny_model("llama", seed=seed, **SIZES)(torch.tensor([list(sequence)])).logits[0]
    logprobs = (logits / temperature).log_softmax(-1)
    return logprobs[:-1].gather(-1, torch.tensor(list(sequence))[1:, None])[:, 0].numpy()


def ask(dialogue: int, prompt: Sequence[int], seed: int = 0, **sampling: Any) -> TokenRequest:
    return TokenRequest(
        dialogue=dialogue, prompt_ids=prompt, seed=seed, sampling=Sampling(**sampling)
    )


def finish(generator: TokenGenerator) -> dict[int, TokenReply]:
    replies: dict[int, TokenReply] = {}
    for _ in range(1000):
        if not generator.num_unfinished:
            break
        replies.update({reply.dialogue: reply for reply in generator.step()})
    return replies


def is_close(found: Sequence[float], expected: Sequence[float], tolerance: float = 1e-5) -> bool:
    return len(found) == len(expected) and bool(
        np.abs(np.array(found) - np.array(expected)).max(initial=0) < tolerance
    )


def test_a_reply_ends_at_its_first_stop_or_is_cut(generator: TokenGenerator) -> None:
    generator.add(ask(i, PROMPTS[i % 4], seed=i, max_new_tokens=6) for i in range(40))
    replies = finish(generator)
    assert sorted(replies) == list(range(40))
    for reply in replies.values():
        assert 1 <= len(reply.token_ids) <= 6
        assert len(reply.logprobs) == len(reply.token_ids)
        assert not set(reply.token_ids[:-1]) & set(STOPS)
        assert reply.is_cut == (reply.token_ids[-1] not in STOPS)
        if reply.is_cut:
            assert len(reply.token_ids) == 6
    assert {reply.is_cut for reply in replies.values()} == {True, False}


@pytest.mark.parametrize(
    ("temperature", "seeds"), [(1.0, range(8)), (0.6, range(8)), (0.0, range(2))]
)
def test_logprobs_are_those_of_what_was_drawn_from_over_three_turns(
    generator: TokenGenerator, temperature: float, seeds: range
) -> None:
    """At temperature 0 those of temperature 1."""
    contexts = {i: list(PROMPTS[i % 4]) for i in seeds}
    for turn in range(3):
        generator.add(
            ask(i, context, seed=turn * 100 + i, temperature=temperature, max_new_tokens=10)
            for i, context in contexts.items()
        )
        for i, reply in finish(generator).items():
            start = len(contexts[i])
            contexts[i] += reply.token_ids
            expected = logprobs_of(0, contexts[i], temperature or 1.0)[start - 1 :]
            assert is_close(reply.logprobs, expected)
            contexts[i] += [110 + turn, 111, 112]


def test_logprobs_are_those_of_the_truncated_distribution(generator: TokenGenerator) -> None:
    generator.add(ask(i, PROMPTS[0], seed=i, top_k=2, max_new_tokens=1) for i in range(12))
    generator.add(ask(100 + i, PROMPTS[0], seed=i, top_p=1e-6) for i in range(3))
    replies = finish(generator)
    with torch.no_grad():
        logits = tiny_model("llama", **SIZES)(torch.tensor([PROMPTS[0]])).logits[0, -1]
    best = logits.topk(2)
    logprobs = dict(zip(best.indices.tolist(), best.values.log_softmax(-1).tolist(), strict=True))
    drawn = {replies[i].token_ids[0] for i in range(12)}
    assert drawn == set(logprobs)
    for i in range(12):
        assert is_close(replies[i].logprobs, [logprobs[replies[i].token_ids[0]]])
    for i in range(3):
        assert replies[100 + i].token_ids[0] == best.indices[0].item()
        assert is_close(replies[100 + i].logprobs, [0.0] * len(replies[100 + i].token_ids))


def test_a_reply_is_a_function_of_context_and_seed(generator: TokenGenerator) -> None:
    """Alone, in company, with another dialogue number, and begun while others were under way."""
    prompt = PROMPTS[2]

    def tokens(dialogue: int) -> list[int]:
        generator.add([ask(dialogue, prompt, seed=99, max_new_tokens=30)])
        return finish(generator)[dialogue].token_ids

    alone = tokens(0)
    generator.forget([0])
    generator.add(ask(i, PROMPTS[i % 4], seed=i, max_new_tokens=30) for i in range(1, 7))
    generator.step()
    assert tokens(50) == alone
    generator.add([ask(8, prompt, seed=100, max_new_tokens=30)])
    assert finish(generator)[8].token_ids != alone


def test_seeds_give_the_frequencies_of_the_model(generator: TokenGenerator) -> None:
    count = 2000
    generator.add(ask(i, PROMPTS[1], seed=i, max_new_tokens=1) for i in range(count))
    drawn = np.array([reply.token_ids[0] for reply in finish(generator).values()])
    generator.forget(range(count))
    with torch.no_grad():
        logits = tiny_model("llama", **SIZES)(torch.tensor([PROMPTS[1]])).logits[0, -1]
    expected = logits.double().softmax(-1).numpy() * count
    order = np.argsort(-expected)[:20]
    counts = np.bincount(drawn, minlength=len(expected))
    rest = count - expected[order].sum()
    chi_square = ((counts[order] - expected[order]) ** 2 / expected[order]).sum()
    chi_square += (count - counts[order].sum() - rest) ** 2 / rest
    assert chi_square < 20 + 5 * np.sqrt(40)  # 20 degrees of freedom: mean 20, variance 40


def test_a_reply_is_cut_at_the_end_of_the_context(generator: TokenGenerator) -> None:
    assert generator.max_context == CONTEXT
    prompts = [[110 + i] * (CONTEXT - 2) for i in range(30)]
    generator.add(ask(i, prompt, seed=i) for i, prompt in enumerate(prompts))
    for reply in finish(generator).values():
        assert len(reply.token_ids) <= 2
        assert reply.is_cut == (reply.token_ids[-1] not in STOPS)


@pytest.mark.parametrize("prompt", [[], [110] * CONTEXT, [110, 512], [-1]])
def test_a_prompt_that_cannot_be_continued_is_refused(
    generator: TokenGenerator, prompt: list[int]
) -> None:
    with pytest.raises(ConfigError):
        generator.add([ask(0, PROMPTS[0]), ask(1, prompt)])
    assert generator.num_unfinished == 0


def test_requests_come_in_while_others_are_under_way(generator: TokenGenerator) -> None:
    generator.add([ask(0, PROMPTS[0], seed=1, max_new_tokens=40)])
    replies = list(generator.step())
    generator.add([ask(1, PROMPTS[1], seed=2, max_new_tokens=40)])
    assert generator.num_unfinished == 2 - len(replies)
    replies += finish(generator).values()
    assert sorted(reply.dialogue for reply in replies) == [0, 1]
    assert generator.step() == []


def test_what_is_forgotten_gives_no_reply(generator: TokenGenerator) -> None:
    generator.add(ask(i, PROMPTS[i], seed=i, max_new_tokens=30) for i in range(4))
    generator.step()
    generator.forget([0, 2, 77])
    assert not set(finish(generator)) & {0, 2}
    assert generator.num_unfinished == 0
    generator.add([ask(0, PROMPTS[0], seed=0, max_new_tokens=30)])
    assert sorted(finish(generator)) == [0]


def test_new_weights_are_used_for_idle_dialogues_too(generator: TokenGenerator) -> None:
    context = list(PROMPTS[0])
    generator.add([ask(0, context, seed=3, max_new_tokens=8)])
    reply = finish(generator)[0]
    assert reply.weight_version == 0
    context += [*reply.token_ids, 110, 111]
    generator.load_weights(weights(1), 5)
    generator.add([ask(0, context, seed=4, max_new_tokens=8)])
    reply = finish(generator)[0]
    assert reply.weight_version == 5
    expected = logprobs_of(1, context + reply.token_ids)[len(context) - 1 :]
    assert is_close(reply.logprobs, expected)


def test_scores_are_logprobs_of_all_tokens_but_the_first(generator: TokenGenerator) -> None:
    sequences = [[110, 111, 112, 5, 6, 7], [120], [130, 7, 140, 150, 3, 2, 1, 110, 111]]
    scores = generator.score(sequences)
    assert [len(score) for score in scores] == [5, 0, 8]
    for sequence, score in zip(sequences, scores, strict=True):
        assert is_close(score, logprobs_of(0, sequence))
    generator.load_weights(weights(2), 1)
    assert is_close(generator.score(sequences)[0], logprobs_of(2, sequences[0]))


def test_after_sleep_and_wake_replies_are_as_before(generator: TokenGenerator) -> None:
    def tokens() -> list[int]:
        generator.add([ask(0, PROMPTS[0], seed=5, max_new_tokens=20)])
        return finish(generator)[0].token_ids

    before = tokens()
    generator.sleep()
    with pytest.raises(GeneratorError):
        generator.add([ask(1, PROMPTS[0])])
    generator.wake()
    assert tokens() == before
