import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F
from tiny_models import tiny_model

from agents.ppo.attention import (
    PACKED,
    SequenceLayout,
    packed_attention,
    padded_attention,
    varlen_attention,
)

torch.set_num_threads(1)
CPU = torch.device("cpu")
LENGTHS = {
    "one": (9,),
    "equal": (8, 8, 8),
    "uneven": (3, 60, 1, 17, 128, 64, 2),
    "nearly equal": (50, 49, 47, 50, 44),
    "single tokens": (1, 1, 1),
}


def tensors(lengths, *, heads=4, key_heads=2, width=8, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(sum(lengths), n, width, generator=generator, requires_grad=True)
        for n in (heads, key_heads, key_heads)
    ]


def by_hand(query, key, value, lengths, scale):
    """One sequence and head at a time, in float64 and without any kernel."""
    out = torch.zeros(query.shape, dtype=torch.float64)
    start = 0
    for length in lengths:
        rows = slice(start, start + length)
        for head in range(query.shape[1]):
            shared = head * key.shape[1] // query.shape[1]
            scores = query[rows, head].double() @ key[rows, shared].double().T * scale
            scores = scores.masked_fill(torch.ones(length, length).triu(1).bool(), -torch.inf)
            out[rows, head] = scores.softmax(-1) @ value[rows, shared].double()
        start += length
    return out


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize("key_heads", [1, 2, 4])
def test_attention_and_gradients_equal_a_computation_by_hand(lengths, key_heads):
    query, key, value = tensors(lengths, key_heads=key_heads)
    upstream = torch.randn(query.shape, generator=torch.Generator().manual_seed(1))
    out = padded_attention(query, key, value, SequenceLayout(lengths, CPU), 0.3)
    assert out.shape == query.shape
    found = torch.autograd.grad(out, (query, key, value), upstream)
    wanted_out = by_hand(query, key, value, lengths, 0.3)
    wanted = torch.autograd.grad(wanted_out, (query, key, value), upstream.double())
    torch.testing.assert_close(out.double(), wanted_out, atol=1e-5, rtol=0)
    for mine, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(mine, other, atol=2e-5, rtol=1e-5)


def test_sequences_of_about_one_length_share_a_group():
    # 100 and 80 together (0.8 of the longest, and 16 tokens of grace), 60 begins the next group,
    # which 40 may join for 40 + 16 >= 48; 5 may not, for 21 < 48.
    assert SequenceLayout((40, 100, 5, 60, 80), CPU).groups == [(2, 100), (2, 60), (1, 5)]


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
def test_padding_can_be_undone(lengths):
    layout = SequenceLayout(lengths, CPU)
    token_of_row, row_of_token = layout.padding
    assert len(token_of_row) == sum(number * longest for number, longest in layout.groups)
    assert token_of_row[row_of_token].tolist() == list(range(sum(lengths)))


def test_little_is_wasted_on_sequences_of_all_lengths():
    lengths = tuple(range(100, 2000, 7))
    token_of_row, _ = SequenceLayout(lengths, CPU).padding
    assert len(token_of_row) < 1.15 * sum(lengths)


def test_half_precision_values_bring_queries_and_keys_down():
    query, key, value = (x.detach() for x in tensors((5, 9)))
    heads_first = [x.transpose(0, 1)[None] for x in (query, key, value.bfloat16())]
    layout = SequenceLayout((5, 9), CPU)
    out, weights = packed_attention(torch.nn.Module(), *heads_first, None, sequences=layout)
    assert out.dtype == torch.bfloat16
    assert out.shape == (1, 14, 4, 8)
    assert weights is None
    wanted = by_hand(query, key, value, (5, 9), 8**-0.5)
    torch.testing.assert_close(out[0].double(), wanted, atol=3e-2, rtol=0)


@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3"])
def test_every_layer_of_a_model_gets_the_layout(family, monkeypatch):
    model = tiny_model(family, num_layers=3)
    model.set_attn_implementation(PACKED)
    calls = []

    def spy(query, *rest):
        calls.append((tuple(query.shape), rest[2]))
        return padded_attention(query, *rest)

    monkeypatch.setattr("agents.ppo.attention.padded_attention", spy)
    layout = SequenceLayout((4, 6), CPU)
    ids = torch.arange(10)[None]
    positions = torch.tensor([[0, 1, 2, 3, 0, 1, 2, 3, 4, 5]])
    model(input_ids=ids, position_ids=positions, use_cache=False, sequences=layout)
    assert calls == [((10, 4, 12), layout)] * 3


@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3"])
def test_no_mask_of_all_tokens_by_all_tokens_is_made(family, monkeypatch):
    model = tiny_model(family)
    model.set_attn_implementation(PACKED)
    masks = []
    attention = F.scaled_dot_product_attention

    def spy(*args, **options):
        masks.append(options.get("attn_mask"))
        return attention(*args, **options)

    monkeypatch.setattr(F, "scaled_dot_product_attention", spy)
    layout = SequenceLayout((7,), CPU)
    model(input_ids=torch.arange(7)[None], use_cache=False, sequences=layout)
    assert masks == [None, None]


@pytest.mark.gpu
@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize("key_heads", [2, 4])
def test_the_kernel_for_uneven_lengths_equals_padding(lengths, key_heads):
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    kernel = varlen_attention()
    if kernel is None:
        pytest.skip("neither torch >= 2.11 nor flash-attn")
    device = torch.device("cuda")
    layout = SequenceLayout(lengths, device)
    inputs = [
        x.detach().to(device, torch.bfloat16).requires_grad_()
        for x in tensors(lengths, key_heads=key_heads, width=64)
    ]
    upstream = torch.randn_like(inputs[0])
    out = kernel(*inputs, layout.starts, layout.longest, 0.125)
    wanted = padded_attention(*inputs, layout, 0.125)
    torch.testing.assert_close(out, wanted, atol=2e-2, rtol=2e-2)
    found = torch.autograd.grad(out, inputs, upstream)
    for mine, other in zip(found, torch.autograd.grad(wanted, inputs, upstream), strict=True):
        torch.testing.assert_close(mine, other, atol=5e-2, rtol=5e-2)
