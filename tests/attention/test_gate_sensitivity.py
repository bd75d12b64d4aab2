"""Gate sensitivity: the effect of each cell of a window on the gates of others."""

import pytest
import torch

from sk_tsattn.attention import ATTENTION_MODES, gate_sensitivity
from sk_tsattn.attention._bottleneck import _sensitivity
from sk_tsattn.attention._bottleneck._gate import LOGIT_SCALE

B, T, F = 5, 6, 4
every_mode = pytest.mark.parametrize("mode", ATTENTION_MODES)


def silence(gate):
    """Make the gating network ignore its inputs."""
    for parameter in (
        gate.gating_network.local.weight,
        gate.gating_network.context.weight,
        gate.gating_network.newest.weight,
        gate.gating_network.position,
    ):
        parameter.zero_()


@pytest.fixture
def switched_network(network_with):
    """Return a function that builds a network whose gates open only by cell (-1, 0) of a window."""

    def build(mode="both"):
        network = network_with(mode, logits=-3.0)
        gate = network.gate
        with torch.no_grad():
            silence(gate)
            gate.gating_network.newest.weight[0, 0] = (
                1.0  # tanh(8 x) of the newest step of feature 0
            )
            gate.gating_network.out.weight.zero_()
            gate.gating_network.out.weight[-1, 0] = (
                1.4  # opens the last feature, if x > 0; or all steps
            )
        return network

    return build


def test_a_closed_cell_that_opens_another_has_attention_of_its_own(windows, switched_network):
    network, X = switched_network(), windows()
    X[:, -1, 0] = torch.tensor([2.0, -2.0, 2.0, -2.0, 2.0])
    with torch.no_grad():
        network.gate.bias[:4, -1] = -20 / LOGIT_SCALE  # never open: two steps are left
    weights = network.attend(X)[1]
    on = X[:, -1, 0] > 0
    assert (weights["gate"][:, -1, 0] == 0).all()  # its own value is closed
    torch.testing.assert_close(weights["gate"][:, 4:, -1].mean(1), on.double())
    # Also in windows without open cells: with another value, two cells would be open.
    expected = torch.zeros(B, T, F).double()
    expected[:, -1, 0] = 1
    torch.testing.assert_close(weights["gate_sensitivity"], expected)
    # A third on each of three cells, or all on the one that closes the others.
    expected_of_switch = torch.where(on, 1 / 3, 1.0).double()
    torch.testing.assert_close(weights["cell"][:, -1, 0], expected_of_switch, rtol=0, atol=1e-5)
    torch.testing.assert_close(weights["cell"].sum(dim=(1, 2)), torch.ones(B).double())


def test_a_marker_is_sensitive_and_steps_without_one_are_not(windows, network_with):
    """That a rare marker could occur at another step does not make that step sensitive."""
    network = network_with(logits=-3.0)
    gate, X = network.gate, windows()
    with torch.no_grad():
        silence(gate)
        gate.gating_network.local.weight[6, 0] = 1.0  # feature 0 of the own step
        gate.gating_network.out.weight.zero_()
        gate.gating_network.out.weight[2, 6] = 1.4
        gate.baselines[:, 0] = 0.0
    X[:, :, 0] = 0.0
    X[torch.arange(B), torch.arange(B), 0] = 3.0
    weights = network.attend(X)[1]
    steps = torch.arange(T)[None] == torch.arange(B)[:, None]
    torch.testing.assert_close(weights["gate_sensitivity"][:, :, 0], steps.double())
    assert (weights["gate_sensitivity"][:, :, 1:] == 0).all()
    torch.testing.assert_close(weights["gate"][:, :, 2], steps.double())


@pytest.mark.parametrize(
    ("mode", "item"), [("time", (slice(None), -1)), ("feature", (slice(None), 0))]
)
def test_a_gate_that_only_depends_on_its_own_item_has_no_sensitivity(
    windows, switched_network, mode, item
):
    network, X = switched_network(mode), windows()
    with torch.no_grad():
        network.gate.gating_network.out.weight.zero_()
        network.gate.gating_network.out.weight[0 if mode == "feature" else slice(None), 0] = 1.4
        if mode == "time":  # all steps but the last are closed for good
            network.gate.bias[:-1] = -20 / LOGIT_SCALE
    weights = network.attend(X)[1]
    assert weights["gate"][item].max() > 0.9
    assert (weights["gate_sensitivity"] == 0).all()


def test_the_sensitivity_is_that_of_replacing_one_cell_after_the_other(windows, network_with):
    network, X = network_with(logits=0.0), windows(20)
    gate = network.gate
    with torch.no_grad():
        gate.gating_network.out.weight.normal_()
        gates = gate(X)[1]
        expected = torch.zeros_like(X)
        for t in range(T):
            for f in range(F):
                for value in gate.baselines[:, f]:
                    hidden = X.clone()
                    hidden[:, t, f] = value
                    change = (gate(hidden)[1] - gates).abs()
                    change[:, t, f] = 0
                    change = change.amax(dim=(1, 2)) ** 2
                    expected[:, t, f] = torch.maximum(expected[:, t, f], change)
        assert (expected > 0.1).double().mean() > 0.1
        difference = gate_sensitivity(gate, X) - expected
        # Steps whose effects cancel when all are replaced together are missed; they are rare.
        assert difference.max() < 1e-3
        assert (difference > -1e-3).double().mean() >= 0.99
        # The sensitivity of a window does not depend on the other windows.
        torch.testing.assert_close(gate_sensitivity(gate, X[3:5]), gate_sensitivity(gate, X)[3:5])


@every_mode
def test_pruned_gates_are_closed_and_pruned_inputs_have_no_sensitivity(windows, network_with, mode):
    network, X = network_with(mode, logits=0.0), windows()
    gate = network.gate
    with torch.no_grad():
        gate.gating_network.out.weight.normal_()
        assert (gate_sensitivity(gate, X) > 0.01).flatten(1).any(dim=0).all()
        gate.active.view(-1)[0] = False
        gate.input_active.view(-1)[-1] = False
    weights = network.attend(X)[1]
    assert (weights["gate"].reshape(B, -1)[:, 0] == 0).all()
    assert (weights["gate_sensitivity"].reshape(B, -1)[:, -1] == 0).all()
    assert weights["gate"].sum() > 0
    assert weights["gate_sensitivity"].sum() > 0


@every_mode
def test_padding_has_no_influence_on_gates_and_no_sensitivity(windows, network_with, mode):
    network, X = network_with(mode, logits=0.0), windows()
    mask = torch.ones(B, T, dtype=torch.bool)
    mask[:, :2] = False
    with torch.no_grad():
        network.gate.gating_network.out.weight.normal_()
    weights = network.attend(X, mask)[1]
    X[:, :2] = 100.0
    other = network.attend(X, mask)[1]
    for name, weight in weights.items():
        torch.testing.assert_close(other[name], weight, rtol=0, atol=0)
    if mode != "feature":
        assert (weights["gate_sensitivity"][:, :2] == 0).all()


@pytest.mark.parametrize("masked", [False, True])
def test_large_windows_are_computed_some_at_a_time(masked, windows, switched_network, monkeypatch):
    network, X = switched_network(), windows()
    mask = torch.arange(T) >= torch.arange(B)[:, None] if masked else None
    expected = network.attend(X, mask)[1]["gate_sensitivity"]
    assert expected.any()
    monkeypatch.setattr(_sensitivity, "MAX_CELLS", 2 * T * F)
    torch.testing.assert_close(network.attend(X, mask)[1]["gate_sensitivity"], expected)
