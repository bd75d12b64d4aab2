"""The sensitivity without branches is that of the search, and exports."""

import pytest
import torch

from sk_tsattn.attention._bottleneck._exportable import ExportableSensitivity
from sk_tsattn.attention._bottleneck._network import BottleneckLSTM
from sk_tsattn.attention._bottleneck._sensitivity import gate_sensitivity


@pytest.mark.parametrize("cell_evidence", [False, True])
@pytest.mark.parametrize("T", [1, 5, 8])
@pytest.mark.parametrize("mode", ["time", "feature", "both"])
def test_the_sensitivity_is_that_of_the_search(mode, T, cell_evidence):
    network = BottleneckLSTM(T, 3, 1, attention_mode=mode, cell_evidence=cell_evidence)
    gate = network.double().eval().gate
    with torch.no_grad():
        gate.gating_network.out.weight.normal_()
        gate.bias.normal_()
        gate.input_logits[torch.rand_like(gate.input_logits) < 0.5] = -2.0  # closed inputs
    gate.requires_grad_(False)
    X = torch.randn(40, T, 3, dtype=torch.float64)
    short = torch.rand(40, 1) * T < torch.arange(1, T + 1)
    for mask in (None, short):
        found = ExportableSensitivity(gate)(gate, X, mask)
        torch.testing.assert_close(found, gate_sensitivity(gate, X, mask), rtol=0, atol=1e-9)
    assert T == 1 or (found > 0.1).any()


def test_static_gates_have_none():
    gate = BottleneckLSTM(5, 3, 1).eval().gate
    gate.input_active.fill_(False)
    assert (ExportableSensitivity(gate)(gate, torch.randn(4, 5, 3)) == 0).all()
