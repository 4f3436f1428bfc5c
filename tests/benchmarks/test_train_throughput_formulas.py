"""Arithmetic and traffic of training, by hand."""

from collections import Counter

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from benchmarks.train_throughput.limits import (
    Flop,
    Limits,
    decode_bound,
    forward_flop,
    generate_bound_s,
    sync_bound_s,
    update_flop,
)
from benchmarks.train_throughput.programs import ProgramMix, ProgramsInstead
from benchmarks.train_throughput.shapes import SHAPES, Shape
from benchmarks.train_throughput.trl_phases import micro_batch, row_of
from codefeedback_env import find_submission, load_problems

# Attention: queries and outputs 8 x 8, keys and values 8 x 4 each: 192. The rest: 3 x 8 x 10 = 240.
# Two layers: 864 weights. Head: 16 x 8 = 128.
SMALL = Shape(
    family="llama",
    hidden=8,
    intermediate=10,
    layers=2,
    heads=2,
    kv_heads=1,
    vocabulary=16,
    is_tied=False,
    rollouts=8,
    prompt=10,
    reply=5,
    feedback=3,
    tokens_per_pass=100,
)


def test_weights_of_a_shape():
    assert (SMALL.trunk_weights, SMALL.head_weights) == (864, 128)
    assert SMALL.all_weights == 864 + 2 * 128
    assert SMALL.context == 10 + 3 * 5 + 2 * 3
    assert SMALL.kv_bytes(2) == 2 * 2 * 1 * 4 * 2


@pytest.mark.parametrize(
    ("name", "read_gb", "kv_bytes"),
    [("0.5b", 1.0, 12288), ("1.5b", 3.1, 28672), ("8b", 15.0, 131072)],
)
def test_shapes_are_those_of_the_published_models(name, read_gb, kv_bytes):
    """In bfloat16: 0.494, 1.54 and 8.03 billion weights, the last with an embedding of its own."""
    shape = SHAPES[name]
    read = 2 * (shape.trunk_weights + shape.head_weights) / 1e9
    assert read == pytest.approx(read_gb, abs=0.05)
    assert shape.kv_bytes(2) == kv_bytes
    published = {"0.5b": 0.494, "1.5b": 1.54, "8b": 8.03}[name]
    assert shape.all_weights / 1e9 == pytest.approx(published, rel=0.01)


def test_the_model_has_the_weights_that_are_counted():
    torch = pytest.importorskip("torch")
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(SHAPES["tiny"].model_config())
    matrices = sum(p.numel() for p in model.parameters() if p.dim() == 2)
    assert matrices == SHAPES["tiny"].all_weights


def test_forward_counts_weights_once_per_token_and_half_the_square_of_attention():
    """Two sequences of 3 and 4: 2 x 864 x 7 and, for 2 scored tokens, 2 x 128 x 2.

    Attention: 2 products x 2 operations x 2 layers x width 8 x S^2 / 2, so 32 x (9 + 16).
    """
    flop = forward_flop(SMALL, [3, 4], 2)
    assert flop == Flop(dense=12096 + 512, attention=800)
    assert flop.total == 13408
    assert flop + flop == Flop(25216, 1600)


@pytest.mark.parametrize(
    ("is_lora", "recompute", "dense", "attention"),
    [(False, False, 6, 3), (False, True, 8, 4), (True, False, 4, 3), (True, True, 6, 4)],
)
def test_an_update_costs_so_many_operations_per_weight_and_token(
    is_lora, recompute, dense, attention
):
    """Forward 2; backward 4, or 2 where the weights are frozen; recomputation 2 more."""
    flop = Flop(dense=2 * 100, attention=7)
    expected = dense * 100 + attention * 7
    assert update_flop(flop, is_lora=is_lora, recompute=recompute) == expected


@pytest.mark.parametrize(
    ("name", "batch", "tokens_per_s"),
    [("8b", 256, 13147), ("1.5b", 256, 60776), ("0.5b", 64, 105903), ("8b", 1, 281)],
)
def test_decoding_is_bound_by_the_traffic_of_weights_and_cache(name, batch, tokens_per_s):
    """Worked out for one H200 at a context of 2048: 8b reads 15.0 + 68.7 GB in a step of 256."""
    limits = Limits(flop_per_s=790e12, bytes_per_s=4.3e12)
    rate = decode_bound(SHAPES[name], batch=batch, context=2048, limits=limits, bytes_per_number=2)
    assert rate == pytest.approx(tokens_per_s, rel=0.005)


def test_decoding_is_bound_by_arithmetic_where_that_is_slow():
    """Batch 4, context 10: 2 x 992 x 4 + 4 x 4 x 10 x 2 x 8 = 10496 operations for 4 tokens."""
    limits = Limits(flop_per_s=10496.0, bytes_per_s=1e12)
    rate = decode_bound(SMALL, batch=4, context=10, limits=limits, bytes_per_number=4)
    assert rate == pytest.approx(4.0)


def test_generating_reads_prompts_and_then_decodes():
    """100 tokens x 2 x 864 at 172800 per second is 1 s; 50 tokens at 25 per second are 2 s."""
    limits = Limits(flop_per_s=172800.0, bytes_per_s=1.0)
    assert generate_bound_s(SMALL, 100, 50, 25.0, limits) == pytest.approx(3.0)


def test_a_hand_over_reads_and_writes_all_weights_once():
    """1120 weights, 4 bytes read and 2 written, at 672 bytes per second."""
    assert sync_bound_s(SMALL, 4, 2, Limits(1.0, 672.0)) == pytest.approx(10.0)


def test_memory_of_an_8b_model_fits_a_gpu_with_lora_only():
    shape = SHAPES["8b"]
    assert shape.gpu_gib(256, lora_rank=16) < 139 < shape.gpu_gib(256, lora_rank=0)


@pytest.mark.parametrize(
    ("minibatch", "context", "max_tokens", "expected"),
    [(8, 640, 8192, 8), (8, 640, 3000, 4), (8, 640, 600, 1), (6, 100, 500, 3)],
)
def test_a_micro_batch_fits_a_pass_and_divides_a_minibatch(
    minibatch, context, max_tokens, expected
):
    assert micro_batch(minibatch, context, max_tokens) == expected


def test_a_row_for_trl_masks_what_the_model_did_not_write():
    from agents.trajectory import Trajectory, TurnTokens

    turns = [
        TurnTokens(
            prompt_ids=prompt,
            reply_ids=reply,
            reply_logprobs=[0.0] * len(reply),
            is_cut=True,
            weight_version=0,
        )
        for prompt, reply in (([1, 2, 3], [4, 5]), ([6], [7, 8]))
    ]
    row = row_of(Trajectory(problem_id="p", seed=0, turns=turns))
    assert row == {"prompt": [1, 2, 3], "completion": [4, 5, 6, 7, 8], "mask": [1, 1, 0, 1, 1]}


# The mix of programs


def test_programs_are_right_nearly_right_or_of_another_problem():
    """0.16 and 0.13 of 4000, five deviations of 0.0058 and 0.0053 either way."""
    problems = load_problems("bundled")
    mix = ProgramMix(problems)
    drawn = Counter()
    for seed in range(4000):
        problem_id = problems.ids[seed % len(problems.ids)]
        program = mix.submission(problem_id, seed, 0)
        if program == problems.reference_programs(problem_id)[0]:
            drawn["right"] += 1
        elif program in [wrong.submission for wrong in problems.wrong_programs(problem_id)]:
            drawn["nearly right"] += 1
        else:
            drawn["other"] += 1
    assert drawn["right"] / 4000 == pytest.approx(0.16, abs=0.029)
    assert drawn["nearly right"] / 4000 == pytest.approx(0.13, abs=0.027)


def test_a_program_depends_on_the_episode_and_the_turn_alone():
    mix, other = ProgramMix(), ProgramMix()
    problem_id = load_problems("bundled").ids[0]
    turns = [(problem_id, seed, turn) for seed in range(20) for turn in range(3)]
    drawn = [mix.submission(*turn) for turn in turns]
    assert drawn == [other.submission(*turn) for turn in turns]
    assert len(set(drawn)) > 1


class Recorder:
    """Environments that keep what they are handed."""

    num_envs = 2
    recv = last_episode = None

    def __init__(self):
        self.sent = []

    def reset(self, *, seed, options):
        return seed

    def send(self, texts, env_ids):
        self.sent += zip(env_ids, texts, strict=True)


def test_the_judge_never_sees_a_program_twice():
    """It remembers outcomes; here an episode is played twice, and another between."""
    ids = load_problems("bundled").ids
    mix, vec = ProgramMix(), Recorder()
    envs = ProgramsInstead(vec, mix)
    for env_id, problem_id in ((0, ids[0]), (1, ids[1]), (0, ids[0])):
        options = {
            "reset_mask": [env_id == 0, env_id == 1],
            "problem": [problem_id if env_id == n else None for n in range(2)],
        }
        assert envs.reset(seed=[7, 8], options=options) == [7, 8]
        envs.send(["words"], [env_id])
        envs.send(["words"], [env_id])
    assert [env_id for env_id, _ in vec.sent] == [0, 0, 1, 1, 0, 0]
    programs = [find_submission(text) for _, text in vec.sent]
    assert len({program.source_code for program in programs}) == 6
    drawn = [mix.submission(ids[0], 7, turn).source_code for turn in (0, 1)]
    for program, source in zip(programs[4:], drawn, strict=True):
        assert program.source_code.startswith(source)
