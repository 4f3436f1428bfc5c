import math
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch")

from agents.generation.sync import SyncError, probe_sequence, verify_sync

PROBE = [3, 1, 2]


class FakeGenerator:
    """Weights are the log-probability of every token; an update can be lost on the way."""

    def __init__(self, *, loses_updates: bool = False) -> None:
        self.logprob = -1.0
        self.loses_updates = loses_updates

    def load_weights(self, logprob: float) -> None:
        if not self.loses_updates:
            self.logprob = logprob

    def score(self, sequences: list[list[int]]) -> list[list[float]]:
        return [[self.logprob] * (len(sequence) - 1) for sequence in sequences]


def trainer(*logprobs: float) -> Any:
    return lambda token_ids: list(logprobs)


def test_equal_logprobs_pass_and_the_largest_difference_is_returned() -> None:
    generator: Any = FakeGenerator()
    generator.load_weights(-2.0)
    assert verify_sync(generator, trainer(-2.0, -2.25), PROBE, 0.25) == 0.25


def test_stale_weights_are_an_error_that_says_how_far_apart_and_what_can_be_wrong() -> None:
    generator: Any = FakeGenerator(loses_updates=True)
    generator.load_weights(-1.5)
    with pytest.raises(SyncError) as caught:
        verify_sync(generator, trainer(-1.0, -1.5), PROBE, 1e-3)
    message = str(caught.value)
    # token 2 is -1 in the generator and -1.5 in the trainer; the mean of 0 and 0.5 is 0.25
    for part in ("up to 0.5", "token 2: -1 ", "-1.5 in the trainer", "0.25 on average", "0.001"):
        assert part in message
    for cause in ("old weights", "tied to the embedding", "precision"):
        assert cause in message


@pytest.mark.parametrize(
    ("of_generator", "of_trainer", "side"),
    [(math.nan, -1.0, "the generator"), (-1.0, math.nan, "the trainer")],
)
def test_not_a_number_is_an_error_that_names_the_side(
    of_generator: float, of_trainer: float, side: str
) -> None:
    generator: Any = FakeGenerator()
    generator.load_weights(of_generator)
    with pytest.raises(SyncError, match=f"^{side} gives"):
        verify_sync(generator, trainer(-1.0, of_trainer), PROBE, math.inf)


def test_impossible_in_one_of_them_is_an_infinite_difference() -> None:
    generator: Any = FakeGenerator()
    generator.load_weights(-math.inf)
    with pytest.raises(SyncError, match="up to inf"):
        verify_sync(generator, trainer(-1.0, -1.0), PROBE, 1e6)


def test_a_trainer_with_a_wrong_number_of_logprobs_is_told_so() -> None:
    with pytest.raises(ValueError, match=r"\(2,\) is needed"):
        verify_sync(SimpleNamespace(), trainer(-1.0, -1.0, -1.0), PROBE, 1.0)  # type: ignore[arg-type]


def test_a_probe_of_one_token_predicts_nothing() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        verify_sync(SimpleNamespace(), trainer(), [1], 1.0)  # type: ignore[arg-type]


def test_the_probe_is_always_the_same_and_in_the_vocabulary() -> None:
    assert probe_sequence(50, 64) == probe_sequence(50, 64)
    assert len(set(probe_sequence(50, 64))) > 10
    assert all(0 <= token < 50 for token in probe_sequence(50, 64))
