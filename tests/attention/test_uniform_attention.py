"""The context manager uniform_attention: its effect on every mechanism, and its scope."""

import threading

import pytest
import torch

from sk_tsattn.attention import ATTENTION_MECHANISMS
from sk_tsattn.attention._network import build_network
from sk_tsattn.attention._uniform import override_gates
from sk_tsattn.inspection import uniform_attention

B, T, F = 5, 6, 4
MECHANISMS = [(name, mode) for name, modes in ATTENTION_MECHANISMS.items() for mode in modes]
# Their attention is a contribution, which depends on the input as well as on the weights.
CONTRIBUTIONS = {("retain", "feature"), ("retain", "both")}


def network_of(name, mode, **options):
    torch.manual_seed(0)
    network = build_network(
        attention=name,
        attention_mode=mode,
        n_timesteps=T,
        n_features=F,
        n_outputs=1,
        hidden_size=8,
        **options,
    )
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(std=0.5)
    return network.double().eval()


def short_mask():
    mask = torch.ones(B, T, dtype=torch.bool)
    mask[0, :4] = mask[1, :2] = False
    return mask


@pytest.mark.parametrize(("name", "mode"), MECHANISMS)
def test_predictions_of_every_mechanism_change(name, mode, windows):
    network, X = network_of(name, mode), windows()
    learned = network(X)
    with uniform_attention() as use:
        uniform = network(X)
    assert use.n_uses > 0
    assert (learned - uniform).abs().max() > 1e-6
    assert torch.equal(network(X), learned)


@pytest.mark.parametrize("padded", [False, True], ids=["whole", "padded"])
@pytest.mark.parametrize(("name", "mode"), [p for p in MECHANISMS if p not in CONTRIBUTIONS])
def test_the_attention_of_every_mechanism_is_uniform(name, mode, padded, windows):
    network, X = network_of(name, mode), windows()
    mask = short_mask() if padded else None
    observed = torch.ones(B, T) if mask is None else mask.double()
    cell = (observed / observed.sum(dim=1, keepdim=True))[:, :, None].expand(B, T, F) / F
    expected = {"cell": cell, "time": cell.sum(dim=2), "feature": cell.sum(dim=1)}
    with uniform_attention():
        _, weights = network.attend(X, mask)
    for axes in set(expected) & set(weights):
        torch.testing.assert_close(weights[axes], expected[axes].double(), msg=axes)


@pytest.mark.parametrize(("name", "mode"), sorted(CONTRIBUTIONS))
def test_contributions_of_retain_do_not_depend_on_the_step(name, mode, windows):
    network, X = network_of(name, mode), windows()
    with uniform_attention():
        contributions = network.contributions(X)[..., 0]  # (B, T, F)
    coefficients = contributions / X
    torch.testing.assert_close(coefficients, coefficients[:, :1].expand(B, T, F))
    # Features differ by the embedding only, which is the same for every window.
    ratio = coefficients[:, 0] / coefficients[:, 0, :1]
    torch.testing.assert_close(ratio, ratio[:1].expand(B, F))


@pytest.mark.parametrize(("name", "mode"), MECHANISMS)
def test_padding_has_no_influence_under_uniform_attention(name, mode, windows):
    network, X, mask = network_of(name, mode), windows(), short_mask()
    other = torch.where(mask[:, :, None], X, torch.full_like(X, torch.nan))
    with uniform_attention():
        torch.testing.assert_close(network(other, mask), network(X, mask))


@pytest.mark.parametrize("padded", [False, True], ids=["whole", "padded"])
def test_gates_are_the_mean_of_each_window_and_zero_on_padding(padded):
    gates, mask = torch.rand(B, T, F), short_mask() if padded else None
    assert override_gates(gates, mask) is gates
    with uniform_attention():
        uniform = override_gates(gates, mask)
    for i in range(B):
        observed = slice(None) if mask is None else mask[i]
        torch.testing.assert_close(
            uniform[i, observed], gates[i, observed].mean().expand_as(uniform[i, observed])
        )
        assert mask is None or not uniform[i, ~mask[i]].any()


def test_other_threads_keep_their_attention(windows):
    network, X = network_of("bahdanau", "both"), windows()
    learned, seen, inside, done = network(X), [], threading.Event(), threading.Event()

    def predict_beside():
        inside.wait()
        seen.append(network(X))
        done.set()

    thread = threading.Thread(target=predict_beside)
    thread.start()
    with uniform_attention():
        inside.set()
        assert done.wait(60)
        assert not torch.equal(network(X), learned)
    thread.join()
    assert torch.equal(seen[0], learned)


def test_attention_returns_after_an_error_and_contexts_can_be_nested(windows):
    network, X = network_of("luong", "time"), windows()
    learned = network(X)
    uses = []

    def fail_inside():
        with uniform_attention() as outer, uniform_attention() as inner:
            uses.extend([outer, inner])
            network(X)
            raise KeyError

    with pytest.raises(KeyError):
        fail_inside()
    assert [use.n_uses > 0 for use in uses] == [False, True]
    assert torch.equal(network(X), learned)
