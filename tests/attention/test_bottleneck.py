"""The bottleneck network: closed gates, and the skip connection."""

import pytest
import torch
from torch import nn

from sk_tsattn.attention import ATTENTION_MODES, BottleneckLSTM

B, T, F = 5, 6, 4
every_mode = pytest.mark.parametrize("mode", ATTENTION_MODES)


def one_open_cell():
    logits = torch.full((T, F), -8.0)
    logits[2, 1] = 8.0
    return logits


def test_a_closed_cell_has_no_influence_and_negligible_attention(windows, network_with):
    network, X = network_with(logits=one_open_cell()), windows()
    prediction, weights = network.attend(X)
    other = torch.randn_like(X)
    other[:, 2, 1] = X[:, 2, 1]
    torch.testing.assert_close(network(other), prediction, rtol=0, atol=0)
    other[:, 2, 1] += 1
    assert not torch.allclose(network(other), prediction)
    expected = torch.zeros(B, T, F).double()
    expected[:, 2, 1] = 1
    torch.testing.assert_close(weights["gate"], expected, rtol=0, atol=0)
    # Closed gates are ranked by less than 1e-6.
    torch.testing.assert_close(weights["cell"], expected, rtol=0, atol=1e-6)


@every_mode
def test_if_all_gates_are_closed_the_prediction_is_constant_and_attention_uniform(
    windows, network_with, mode
):
    network = network_with(mode, logits=-8.0)
    prediction, weights = network.attend(windows())
    torch.testing.assert_close(prediction, prediction[:1].expand(B, 1))
    for name in ("gate", "gate_sensitivity"):
        assert (weights.pop(name) == 0).all()
    for weight in weights.values():
        torch.testing.assert_close(weight, torch.full_like(weight, 1 / weight[0].numel()))


@every_mode
@pytest.mark.parametrize("sampled", [True, False])
def test_static_gates_depend_on_no_window_and_are_as_open_as_before_on_average(
    windows, network_with, mode, sampled
):
    network, X = network_with(mode, logits=1.0, input_logit=4.0), windows()
    gate = network.gate
    torch.nn.init.normal_(gate.gating_network.out.weight, std=0.02)
    before = gate(X)[1]
    assert not torch.allclose(before, before[:1].expand_as(before))
    assert not gate.static
    gate.make_static(X)
    static = gate(X)[1]
    torch.testing.assert_close(static, static[:1].expand_as(static), rtol=0, atol=0)
    torch.testing.assert_close(static[0], before.mean(dim=0), rtol=0, atol=0.05)
    network.train()
    gate.set_sampled(sampled)
    gate.set_penalty(1.0, 1.0)
    Z, gates, penalty = gate(X)
    assert (gates == static).all() != sampled  # each window has noise of its own
    assert penalty.unique().numel() == 1  # and no price for the inputs of the gating network
    (Z.sum() + penalty.sum()).backward()
    assert gate.bias.grad.any()
    assert gate.gating_network.out.weight.grad is None
    assert gate.input_logits.grad is None


def test_whether_gates_are_static_is_saved_with_the_weights(windows, network_with):
    network, other = network_with(logits=1.0), network_with(logits=0.5)
    network.gate.make_static(windows())
    other.load_state_dict(network.state_dict())
    assert other.gate.static
    other.load_state_dict(network_with(logits=1.0).state_dict())
    assert not other.gate.static


@pytest.mark.parametrize("shape", [(20, 10), (5, 4), (2, 3)])
def test_a_slow_skip_connection_predicts_as_before_and_changes_like_one_of_20_inputs(shape):
    network = BottleneckLSTM(*shape, 1).double().eval()
    X = torch.ones(1, *shape, dtype=torch.float64)
    nn.init.normal_(network.skip.weight)
    nn.init.constant_(network.gate.bias, 9.0)  # all open
    before = network(X)
    for _ in range(2):  # the second call has no effect
        network.slow_skip_connection()
        torch.testing.assert_close(network(X), before)
    optimizer = torch.optim.Adam(network.skip.parameters(), lr=0.01)
    network(X).sum().backward()
    optimizer.step()
    n_inputs = X.numel()
    # All weights move by 0.01: independent inputs of variance 1 move it by 0.01 times the root.
    moved = (before - network(X)).item() / n_inputs**0.5
    assert moved == pytest.approx(0.01 * min(n_inputs, 20) ** 0.5, rel=1e-3)


@pytest.mark.parametrize("mode", ["time", "feature", "both"])
def test_without_any_gate_the_prediction_is_constant_and_attention_uniform(mode):
    network = BottleneckLSTM(6, 4, 1, attention_mode=mode).eval()
    network.gate.set_active("active", network.gate.active & False)
    with torch.no_grad():
        prediction, weights = network.attend(torch.randn(5, 6, 4))
    torch.testing.assert_close(prediction, prediction[:1].expand(5, 1))
    assert not weights["gate"].any()
    assert not weights["gate_sensitivity"].any()
    own = weights["cell" if mode == "both" else mode]
    torch.testing.assert_close(own, torch.full_like(own, 1 / own[0].numel()))
