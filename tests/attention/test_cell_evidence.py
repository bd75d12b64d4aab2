"""Evidence of cells for their own gates: range, padding, gradients, events."""

import numpy as np
import pytest
import torch
from torch import nn

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn.attention import BottleneckGate, BottleneckLSTM, CellEvidence, gate_sensitivity
from sk_tsattn.attention._bottleneck import _evidence

T, F = 36, 3  # the evidence is averaged over three steps on either side


def windows(n=5, n_timesteps=T):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n, n_timesteps, F, generator=generator, dtype=torch.float64)


def random_gate(mode="both", n_timesteps=T):
    gate = BottleneckGate(n_timesteps, F, attention_mode=mode, cell_evidence=True).double()
    with torch.no_grad():
        gate.evidence.out.normal_(std=0.3)
        gate.bias.zero_()
    return gate


def test_the_initial_evidence_is_zero():
    assert not CellEvidence(T, F).double()(windows()).any()


@pytest.mark.parametrize("mode", ["time", "both"])
def test_in_short_windows_evidence_is_a_sum_of_units_of_each_cell(mode):
    evidence = random_gate(mode, n_timesteps=7).evidence
    X = windows(n_timesteps=7)
    units = torch.tanh(X[:, :, :, None] * evidence.slope + evidence.shift)
    expected = (units * evidence.out).sum(dim=3)  # (B, T, F)
    if mode == "time":
        expected = expected.sum(dim=2, keepdim=True)
    torch.testing.assert_close(evidence(X), expected)


def test_evidence_moves_a_cells_own_logit_most_and_no_logit_beyond_the_radius():
    evidence = random_gate().evidence
    X = windows(1)
    changed = X.clone()
    changed[0, 10, 1] += 1.0
    with torch.no_grad():
        difference = (evidence(changed) - evidence(X))[0].abs()  # (T, F)
    assert difference.argmax() == 10 * F + 1
    assert (difference[7:14, 1] > 0).all()
    difference[7:14, 1] = 0.0
    assert difference.max() < 1e-12


def test_in_short_windows_a_cell_moves_its_own_logit_only():
    evidence = random_gate(n_timesteps=7).evidence
    X = windows(1, 7)
    changed = X.clone()
    changed[0, 3, 1] += 1.0
    with torch.no_grad():
        difference = (evidence(changed) - evidence(X))[0].abs()
    assert difference[3, 1] > 0
    assert difference.count_nonzero() == 1


@pytest.mark.parametrize("mode", ["time", "both"])
@pytest.mark.parametrize("value", [0.0, 1e3, float("nan")])
def test_padding_does_not_change_the_evidence_of_observed_steps(mode, value):
    gate = random_gate(mode).eval()
    X = windows()
    mask = torch.arange(T) >= torch.tensor([0, 2, 5, 9, 35])[:, None]
    filled = X.masked_fill(~mask[:, :, None], value)
    with torch.no_grad():
        gates = [gate(windows, mask)[1] for windows in (X, filled)]
        assert torch.equal(*gates)
        for sample, n_padded in enumerate([0, 2, 5, 9, 35]):
            short = X[sample, None, n_padded:]
            evidence = gate.evidence(short)[0]
            own = gate.evidence(X.masked_fill(~mask[:, :, None], 0.0), mask)
            torch.testing.assert_close(own[sample, n_padded:], evidence)


@pytest.mark.parametrize("mode", ["time", "both"])
@pytest.mark.parametrize("sampled", [False, True])
def test_gradients_reach_the_evidence(mode, sampled):
    gate = random_gate(mode)
    with torch.no_grad():
        gate.evidence.out.mul_(0.1)  # logits within their bounds
    gate.set_penalty(0.3, 0.2)
    gate.set_sampled(sampled)
    names, parameters = zip(*gate.named_parameters(), strict=True)

    def function(X, *values):
        torch.manual_seed(1)  # the same noise each time
        return torch.func.functional_call(gate, dict(zip(names, values, strict=True)), (X, None))

    X = windows(3).requires_grad_()
    assert torch.autograd.gradcheck(function, (X, *parameters), fast_mode=True)
    assert {"evidence.out", "evidence.neighbours"} <= set(names)


def test_evidence_is_no_sensitivity_of_other_gates():
    gate = random_gate(n_timesteps=7).eval()
    assert gate(windows(20, 7))[1].std(dim=0).max() > 0.1
    assert not gate_sensitivity(gate, windows(20, 7)).any()


def test_a_gate_of_a_feature_has_no_evidence():
    gate = BottleneckGate(T, F, attention_mode="feature", cell_evidence=True)
    assert gate.evidence is None


def test_the_evidence_is_an_option_of_the_mechanism():
    model = AttentionLSTMRegressor(max_epochs=1, attention_params={"cell_evidence": True})
    network = model.fit(windows(40).numpy(), np.arange(40.0)).net_.module_
    assert isinstance(network, BottleneckLSTM)
    assert isinstance(network.gate.evidence, nn.Module)


def test_attention_with_evidence_finds_events_at_any_step():
    rng = np.random.default_rng(0)
    n, n_timesteps = 1500, 30
    X = rng.normal(0, 0.3, size=(n, n_timesteps, 1))
    place, height = rng.integers(n_timesteps, size=n), rng.uniform(2, 4, size=n)
    X[np.arange(n), place, 0] = height
    model = AttentionLSTMRegressor(attention_params={"cell_evidence": True}, random_state=1)
    model.fit(X[:1200], height[:1200])
    attention = model.attention_weights(X[1200:]).time
    assert model.score(X[1200:], height[1200:]) > 0.95
    assert attention[np.arange(300), place[1200:]].mean() > 0.9


@pytest.mark.parametrize("by_step", [False, True])
@pytest.mark.parametrize("max_units", [40, 2**18])
def test_gradients_are_those_of_differences(by_step, max_units, monkeypatch):
    monkeypatch.setattr(_evidence, "MAX_UNITS", max_units)  # in several parts, and in one
    torch.manual_seed(0)
    evidence = CellEvidence(24, 2, by_step=by_step).double()
    torch.nn.init.normal_(evidence.out)
    names = [name for name, _ in evidence.named_parameters()]
    X = torch.randn(2, 24, 2, dtype=torch.float64, requires_grad=True)
    mask = torch.arange(24) >= torch.tensor([[0], [5]])

    def run(X, *parameters):
        given = dict(zip(names, parameters, strict=True))
        return torch.func.functional_call(evidence, given, (X, mask))

    assert torch.autograd.gradcheck(run, (X, *evidence.parameters()))
