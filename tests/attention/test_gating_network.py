"""Gates that depend on the window: their gradients, and the inputs of the gating network."""

import pytest
import torch

from sk_tsattn.attention import ATTENTION_MODES, BottleneckGate, gate_sensitivity

B, T, F = 5, 6, 4
every_mode = pytest.mark.parametrize("mode", ATTENTION_MODES)


@pytest.mark.parametrize("sampled", [False, True])
@pytest.mark.parametrize("padded", [False, True])
@every_mode
def test_gradients_of_gates_and_their_penalty_are_those_of_differences(
    windows, mode, padded, sampled
):
    gate = BottleneckGate(T, F, attention_mode=mode).double()
    gate.penalty, gate.gating_penalty, gate.sampled = 0.3, 0.2, sampled
    with torch.no_grad():
        gate.gating_network.out.weight.normal_(std=0.05)  # within the bounds
    names, parameters = zip(*gate.named_parameters(), strict=True)
    mask = None
    if padded:
        mask = torch.arange(T) >= torch.tensor([0, 2, 5])[:, None]

    def function(X, *values):
        torch.manual_seed(1)  # the same noise each time
        return torch.func.functional_call(gate, dict(zip(names, values, strict=True)), (X, mask))

    X = windows(3).requires_grad_()
    assert torch.autograd.gradcheck(function, (X, *parameters), fast_mode=True)


def test_gates_depend_on_the_window_only_through_the_input_gates(windows, network_with):
    network, X = network_with(logits=0.0), windows()
    with torch.no_grad():
        network.gate.gating_network.out.weight.normal_()
    gates = network.attend(X)[1]["gate"]
    assert gates.std(dim=0).max() > 0.01
    with torch.no_grad():
        network.gate.input_logits.fill_(-8.0)
    gates = network.attend(X)[1]["gate"]
    torch.testing.assert_close(gates, gates[:1].expand_as(gates))


@every_mode
def test_pruned_inputs_have_no_sensitivity_and_leave_the_mean_logits_as_they_are(windows, mode):
    gate = BottleneckGate(T, F, attention_mode=mode).double().eval()
    with torch.no_grad():
        gate.gating_network.out.weight.normal_(std=0.1)
        gate.bias.normal_(std=0.1)
    X, mask = windows(), torch.ones(B, T, dtype=torch.bool)
    before = gate._mean_logits(X, mask)
    gate.restrict_inputs(torch.tensor(False), X, mask)
    torch.testing.assert_close(gate._mean_logits(X, mask), before)
    assert (gate_sensitivity(gate, X) == 0).all()
    gates = gate(X)[1]
    torch.testing.assert_close(gates, gates[:1].expand_as(gates))


@every_mode
def test_without_inputs_the_gates_of_one_window_are_those_of_all(windows, mode):
    gate = BottleneckGate(T, F, attention_mode=mode).double()
    gate.sampled = False
    with torch.no_grad():
        gate.gating_network.out.weight.normal_(std=0.1)
        gate.bias.normal_(std=0.1)
        gate.input_active[:] = False
    X, parameters = windows(), list(gate.parameters())
    found = []
    for mask in (None, torch.ones(B, T, dtype=torch.bool)):  # with a mask, each window is scored
        Z, gates, _ = gate(X, mask)
        found.append((gates, *torch.autograd.grad(Z.square().sum(), parameters)))
    torch.testing.assert_close(*found)
    gates, grad_bias, *_ = found[0]
    assert gates.std() > 0
    assert grad_bias.all()


def test_the_penalty_is_in_units_of_the_loss_in_training_and_0_in_prediction(windows):
    gate = BottleneckGate(T, F).double()
    X = windows()
    for gate.penalty, gate.gating_penalty in ((0.1, 0.0), (0.0, 0.1)):
        _, _, penalty = gate.train()(X)
        assert penalty.shape == (B,)
        assert 0.5 * 0.1 * T * F < penalty.mean().item() < 1.5 * 0.1 * T * F  # all start open
    gate.sampled = False
    assert (gate(X)[2] == 0).all()
    assert (gate.eval()(X)[2] == 0).all()


def test_a_closed_gate_reopens_if_that_lowers_the_loss(windows):
    gate = BottleneckGate(T, F).double().train()
    with torch.no_grad():
        gate.bias[:, 1] = -4.0  # beyond the lower bound of the logits
    X = windows()
    assert gate(X)[1][:, :, 1].mean() < 0.1 < gate(X)[1][:, :, 0].mean()
    optimizer = torch.optim.Adam(gate.parameters(), lr=0.01)
    for _ in range(200):
        Z, _, _ = gate(X)
        optimizer.zero_grad()
        (Z - X)[:, :, 1].square().mean().backward()
        optimizer.step()
    assert gate(X)[1][:, :, 1].mean() > 0.9
