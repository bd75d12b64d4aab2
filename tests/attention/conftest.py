"""Fixtures: windows, and bottleneck networks with prescribed gates."""

import pytest
import torch

from sk_tsattn.attention import BottleneckLSTM
from sk_tsattn.attention._bottleneck._gating_network import LOGIT_SCALE

B, T, F = 5, 6, 4


@pytest.fixture(scope="session")
def windows():
    """Return a function that samples n windows (n, T, F)."""
    return lambda n=B, dtype=torch.float64: torch.randn(n, T, F, dtype=dtype)


@pytest.fixture(scope="session")
def network_with():
    """Return a function that builds a network whose gates have these logits in every window."""

    def build(mode="both", *, logits, input_logit=8.0):
        network = BottleneckLSTM(T, F, 1, attention_mode=mode, hidden_size=8).double().eval()
        with torch.no_grad():
            network.gate.bias.copy_(torch.as_tensor(logits) / LOGIT_SCALE)
            network.gate.input_logits.fill_(input_logit / LOGIT_SCALE)
        return network

    return build
