import pytest

torch = pytest.importorskip("torch")

from agents.ppo import head as head_module
from agents.ppo.head import ScoringHead

torch.set_num_threads(1)
VOCABULARY, WIDTH, ACTIONS = 37, 12, 23


@pytest.fixture(params=[False, True], ids=["no bias", "bias"])
def scored(request):
    """A head, hidden states and actions, in float64."""
    torch.manual_seed(0)
    linear = torch.nn.Linear(WIDTH, VOCABULARY, bias=request.param, dtype=torch.float64)
    hidden = torch.randn(ACTIONS, WIDTH, dtype=torch.float64, requires_grad=True)
    return ScoringHead.of(linear), hidden, torch.randint(VOCABULARY, (ACTIONS,))


def in_one_go(head, hidden, ids, temperature):
    everything = (head(hidden) / temperature).log_softmax(-1)
    entropy = torch.distributions.Categorical(logits=everything).entropy()
    return everything.gather(1, ids[:, None])[:, 0], entropy


def gradients(outputs, head, hidden):
    upstream = torch.Generator().manual_seed(5)
    loss = sum(
        (out * torch.randn(ACTIONS, generator=upstream, dtype=torch.float64)).sum()
        for out in outputs
        if out is not None
    )
    return torch.autograd.grad(loss, [hidden, *head.parameters()])


@pytest.mark.parametrize("rows", [1, 5, 22, 23, 100])
@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("with_entropy", [False, True])
def test_chunks_give_values_and_gradients_of_one_softmax(
    scored, rows, temperature, with_entropy, monkeypatch
):
    monkeypatch.setattr(head_module, "MAX_LOGITS", rows * VOCABULARY)
    head, hidden, ids = scored
    found = head(hidden, ids, temperature, with_entropy)
    wanted = in_one_go(head, hidden, ids, temperature)
    torch.testing.assert_close(found[0], wanted[0])
    if with_entropy:
        torch.testing.assert_close(found[1], wanted[1])
    else:
        assert found[1] is None
        wanted = wanted[:1]
    for mine, other in zip(
        gradients(found, head, hidden), gradients(wanted, head, hidden), strict=True
    ):
        torch.testing.assert_close(mine, other)


def test_a_frozen_head_passes_gradients_on(scored):
    head, hidden, ids = scored
    head.requires_grad_(False)
    (found,) = torch.autograd.grad(head(hidden, ids)[0].sum(), hidden)
    (wanted,) = torch.autograd.grad(in_one_go(head, hidden, ids, 1.0)[0].sum(), hidden)
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize(("rows", "calls"), [(4, [4, 4, 4, 4, 4, 3] * 2), (23, [23])])
def test_logits_never_exceed_the_bound_and_are_recomputed_only_in_chunks(
    scored, rows, calls, monkeypatch
):
    sizes = []
    log_softmax = head_module._log_softmax

    def spy(hidden, *rest):
        sizes.append(len(hidden))
        return log_softmax(hidden, *rest)

    monkeypatch.setattr(head_module, "MAX_LOGITS", rows * VOCABULARY)
    monkeypatch.setattr(head_module, "_log_softmax", spy)
    head, hidden, ids = scored
    head(hidden, ids)[0].sum().backward()
    assert sizes == calls


def test_several_chunks_keep_no_logits_for_the_backward_pass(scored, monkeypatch):
    monkeypatch.setattr(head_module, "MAX_LOGITS", 4 * VOCABULARY)
    head, hidden, ids = scored
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda x: kept.append(x.numel()) or x, lambda x: x
    ):
        head(hidden, ids)
    assert max(kept) == max(hidden.numel(), head.weight.numel()) < ACTIONS * VOCABULARY


def test_bfloat16_is_summed_up_in_float32_where_gradients_meet(scored):
    head, hidden, ids = scored
    head, hidden = head.float(), hidden.detach().float().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        logprobs, _ = head(hidden, ids)
    assert logprobs.dtype == torch.float32
    logprobs.sum().backward()
    assert head.weight.grad.dtype == torch.float32
    wanted, _ = in_one_go(head, hidden, ids, 1.0)
    torch.testing.assert_close(logprobs, wanted, atol=5e-2, rtol=0)
    (grad,) = torch.autograd.grad(wanted.sum(), head.weight)
    torch.testing.assert_close(head.weight.grad, grad, atol=5e-2, rtol=5e-2)


def test_a_head_shares_its_weights_with_the_one_it_replaces():
    linear = torch.nn.Linear(3, 5)
    head = ScoringHead.of(linear)
    assert head.weight is linear.weight
    assert head.bias is linear.bias
    assert list(head.state_dict()) == ["weight", "bias"]
