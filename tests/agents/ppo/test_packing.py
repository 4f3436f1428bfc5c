import pytest

torch = pytest.importorskip("torch")

from hypothesis import given
from hypothesis import strategies as st
from trajectories import UNEVEN, random_trajectories, trajectory

from agents.ppo.packing import pack, split_by_tokens
from codefeedback_env import ConfigError


def test_positions_of_a_small_batch_by_hand():
    #           0   1   2   3   4   5   6 |  7   8   9
    # tokens   10  11  20  21  12  13  22 | 14  23  24
    # turn      prompt   0   0  prompt  1 |  p   2   2
    batch = pack([trajectory(([10, 11], [20, 21]), ([12, 13], [22])), trajectory(([14], [23, 24]))])
    assert batch.token_ids.tolist() == [10, 11, 20, 21, 12, 13, 22, 14, 23, 24]
    assert batch.position_ids.tolist() == [0, 1, 2, 3, 4, 5, 6, 0, 1, 2]
    assert batch.sequence_starts.tolist() == [0, 7, 10]
    assert batch.sequence_starts.dtype == torch.int32
    assert batch.sequence_lengths == (7, 3)
    assert batch.action_positions.tolist() == [1, 2, 5, 7, 8]
    assert batch.action_ids.tolist() == [20, 21, 22, 23, 24]
    assert batch.action_turns.tolist() == [0, 0, 1, 2, 2]
    assert batch.action_sequences.tolist() == [0, 0, 0, 1, 1]
    assert batch.turn_sequences.tolist() == [0, 0, 1]
    assert batch.value_positions.tolist() == [1, 5, 7]
    assert (batch.num_sequences, batch.num_turns, batch.num_actions, batch.num_tokens) == (
        *(2, 3, 5, 10),
    )


def test_actions_are_those_of_the_trajectories_in_order():
    trajectories = random_trajectories(UNEVEN)
    batch = pack(trajectories)
    replies = [token for t in trajectories for turn in t.turns for token in turn.reply_ids]
    assert batch.action_ids.tolist() == replies
    assert batch.num_actions == sum(t.num_reply_tokens for t in trajectories)
    assert batch.num_turns == sum(len(t.turns) for t in trajectories)
    of_tokens = [place for t in trajectories for place in t.turn_of_token]
    predicts = (batch.action_positions + 1).tolist()
    assert predicts == [place for place, of in enumerate(of_tokens) if of >= 0]


def test_each_value_stands_before_the_first_action_of_its_turn():
    batch = pack(random_trajectories(UNEVEN))
    for number in range(batch.num_turns):
        first = (batch.action_turns == number).nonzero()[0, 0]
        assert batch.action_positions[first] == batch.value_positions[number]
        assert batch.action_sequences[first] == batch.turn_sequences[number]


def test_moving_a_batch_moves_every_tensor_and_keeps_the_lengths():
    batch = pack(random_trajectories(UNEVEN)).to("meta")
    assert batch.token_ids.is_meta
    assert batch.value_positions.is_meta
    assert len(batch.sequence_lengths) == len(UNEVEN)


@pytest.mark.parametrize(
    "trajectories", [[], [trajectory()], [trajectory(([], [1]))]], ids=["none", "no turn", "empty"]
)
def test_nothing_to_predict_a_token_from_is_an_error(trajectories):
    with pytest.raises(ValueError, match="traject"):
        pack(trajectories)


def test_long_sequences_go_first_and_short_ones_fill_the_passes():
    # 7 opens a pass, 6 another, 3 fits the first, 2 and 2 the second.
    assert split_by_tokens([2, 7, 3, 6, 2], 10) == [[1, 2], [3, 0, 4]]


@given(st.lists(st.integers(1, 50), max_size=60), st.integers(50, 200))
def test_every_sequence_is_in_one_pass_and_no_pass_is_too_long(lengths, max_tokens):
    passes = split_by_tokens(lengths, max_tokens)
    assert sorted(index for part in passes for index in part) == list(range(len(lengths)))
    sizes = [sum(lengths[index] for index in part) for part in passes]
    assert all(size <= max_tokens for size in sizes)
    # Two passes that fit into one would be one: at least half of the room is used.
    assert sum(sizes) * 2 >= max_tokens * (len(passes) - 1)


def test_a_sequence_longer_than_a_pass_names_the_setting():
    with pytest.raises(ConfigError, match="max_tokens_per_pass=10"):
        split_by_tokens([3, 11], 10)
