from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.generation.sampling import _GOLDEN, SamplingRows, _mix, draw, uniforms


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def rows(count: int, temperature: float = 1.0, top_p: float = 1.0, top_k: int = 0) -> SamplingRows:
    return SamplingRows(
        torch.full((count,), temperature),
        torch.full((count,), top_p),
        torch.full((count,), top_k, dtype=torch.int64),
    )


def chi_square(counts: NDArray[np.int64], expected: NDArray[np.float64]) -> float:
    """In standard deviations above its mean; of degree k it has mean k and variance 2k."""
    degree = counts.size - 1
    return float((((counts - expected) ** 2 / expected).sum() - degree) / np.sqrt(2 * degree))


def u64(*values: int) -> NDArray[np.uint64]:
    return np.array(values, np.uint64)


def test_the_mixing_gives_the_published_numbers_of_splitmix64() -> None:
    """The first outputs for seed 1234567, as in the reference implementations."""
    states = u64(1234567) + np.arange(1, 6, dtype=np.uint64) * _GOLDEN
    assert _mix(states).tolist() == [
        6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431,
        16408922859458223821,
    ]  # fmt: skip


def test_a_number_depends_on_seed_and_index_alone() -> None:
    together = uniforms(u64(5, 2**64 - 1, 0), u64(0, 3, 10), 20)
    for row, (seed, start) in enumerate([(5, 0), (2**64 - 1, 3), (0, 10)]):
        for offset in (0, 1, 19):
            alone = uniforms(u64(seed), u64(start + offset), 1)
            assert alone[0, 0] == together[row, offset]


@pytest.mark.parametrize(
    "numbers",
    [
        uniforms(np.arange(1000, dtype=np.uint64), np.zeros(1000, np.uint64), 1000),
        uniforms(u64(7), u64(0), 1_000_000).reshape(1000, 1000),
        uniforms(np.arange(1000, dtype=np.uint64) << np.uint64(32), u64(*[5] * 1000), 1000),
    ],
    ids=["neighbouring seeds", "one stream", "seeds that differ in high bits"],
)
def test_numbers_are_uniform_and_independent(numbers: NDArray[np.float64]) -> None:
    assert numbers.min() >= 0
    assert numbers.max() < 1
    cells = (numbers * 32).astype(np.int64)
    counts = np.bincount(cells.ravel(), minlength=32)
    assert abs(chi_square(counts, np.full(32, numbers.size / 32))) < 5
    # Pairs of each number with the next of its row, and with the same of the next row.
    for first, second in ((cells[:, :-1], cells[:, 1:]), (cells[:-1], cells[1:])):
        pairs = np.bincount((first * 32 + second).ravel(), minlength=1024)
        assert abs(chi_square(pairs, np.full(1024, first.size / 1024))) < 5


@pytest.mark.parametrize("temperature", [1.0, 0.3, 2.5])
def test_tokens_are_drawn_as_often_as_softmax_says(temperature: float) -> None:
    """Seeds of neighbouring dialogues, each at several token indices."""
    logits = torch.randn(40, generator=torch.Generator().manual_seed(3)) * 2
    uniform = uniforms(np.arange(20_000, dtype=np.uint64), np.zeros(20_000, np.uint64), 10)
    count = uniform.size
    found, _ = draw(
        logits.expand(count, 40),
        torch.from_numpy(uniform.ravel()),
        rows(count, temperature),
        truncates=False,
    )
    expected = (logits.double() / temperature).softmax(0).numpy() * count
    likely = expected > 5  # below that a count is no normal variable
    counts = np.bincount(found.numpy(), minlength=40)
    assert chi_square(
        np.append(counts[likely], counts[~likely].sum() + 5),
        np.append(expected[likely], expected[~likely].sum() + 5),
    ) < 5  # fmt: skip


def test_temperature_0_takes_the_likeliest_and_says_its_probability_at_1() -> None:
    logits = torch.tensor([[0.0, 3.0, 1.0], [2.0, 0.0, 0.0]])
    zero = rows(2, temperature=0.0, top_p=0.1, top_k=1)
    found, logprobs = draw(logits, torch.tensor([0.99, 0.99]).double(), zero, truncates=True)
    assert found.tolist() == [1, 0]
    expected = [logits[0].log_softmax(0)[1].item(), logits[1].log_softmax(0)[0].item()]
    assert logprobs.tolist() == pytest.approx(expected)


def slow_distribution(
    logits: list[float], temperature: float, top_k: int, top_p: float
) -> dict[int, float]:
    """Top-k, then the smallest set of the likeliest that reaches top-p, then renormalised."""
    weights = np.exp(np.array(logits) / temperature - max(logits) / temperature)
    best = sorted(range(len(logits)), key=lambda i: -logits[i])
    best = best[: top_k or None]
    total = sum(weights[i] for i in best)
    kept, mass = [], 0.0
    for i in best:
        kept.append(i)
        mass += weights[i] / total
        if mass >= top_p:
            break
    total = sum(weights[i] for i in kept)
    return {i: weights[i] / total for i in kept}


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    temperature=st.sampled_from([0.5, 1.0, 1.7]),
    top_k=st.sampled_from([0, 1, 3, 50]),
    top_p=st.sampled_from([0.05, 0.3, 0.83, 0.95, 1.0]),
)
def test_truncated_distributions_equal_a_slow_reference(
    seed: int, temperature: float, top_k: int, top_p: float
) -> None:
    """Each token's share of the unit interval is its probability, and its log-probability that."""
    logits = torch.randn(12, generator=torch.Generator().manual_seed(seed)) * 2
    expected = slow_distribution(logits.double().tolist(), temperature, top_k, top_p)
    count = 512
    grid = (torch.arange(count).double() + 0.5) / count
    found, logprobs = draw(
        logits.expand(count, 12), grid, rows(count, temperature, top_p, top_k), truncates=True
    )
    assert set(found.tolist()) <= set(expected)
    for token, probability in expected.items():
        share = (found == token).float().mean().item()
        assert share == pytest.approx(probability, abs=1.5 / count)
    wanted = [np.log(expected[token]) for token in found.tolist()]
    assert logprobs.tolist() == pytest.approx(wanted, abs=1e-5)


def test_each_row_has_its_own_settings() -> None:
    logits = torch.tensor([[1.0, 0.9, 0.8, 0.7]]).expand(4, 4)
    different = SamplingRows(
        torch.tensor([1.0, 0.0, 1.0, 1.0]),
        torch.tensor([1.0, 1.0, 0.5, 1.0]),
        torch.tensor([0, 0, 0, 3]),
    )
    last = torch.full((4,), 1 - 2.0**-52, dtype=torch.float64)
    found, _ = draw(logits, last, different, truncates=True)
    assert found.tolist() == [3, 0, 1, 2]


def test_a_token_of_probability_0_is_never_drawn() -> None:
    """Not at the ends of the interval either, nor where the sum is not exactly 1."""
    logits = torch.randn(500, 33, generator=torch.Generator().manual_seed(0))
    logits[:, [0, 5, 31, 32]] = float("-inf")
    for uniform in (0.0, 1 - 2.0**-52):
        found, logprobs = draw(
            logits, torch.full((500,), uniform, dtype=torch.float64), rows(500), truncates=False
        )
        assert not set(found.tolist()) & {0, 5, 31, 32}
        assert torch.isfinite(logprobs).all()


def test_nan_shows_in_the_logprob() -> None:
    logits = torch.full((1, 5), float("nan"))
    found, logprobs = draw(logits, torch.tensor([0.5]).double(), rows(1), truncates=False)
    assert 0 <= found.item() < 5
    assert torch.isnan(logprobs).all()
