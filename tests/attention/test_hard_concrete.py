"""Hard concrete gates: their distribution and their penalty."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from sk_tsattn.attention import BottleneckGate
from sk_tsattn.attention._bottleneck._gate import LOGIT_BOUND, LOGIT_SCALE
from sk_tsattn.attention._bottleneck._hard_concrete import SHIFT, median, sample

B, T, F = 5, 6, 4


@pytest.mark.parametrize("logit", [-2.0, 0.0, 1.5])
def test_gates_are_sampled_open_with_the_probability_of_the_formula(logit):
    gates, _ = sample(torch.full((1, 200, 200), logit, dtype=torch.float64), LOGIT_BOUND)
    # Louizos et al. (2018), eq. 12; the standard error of the fraction is at most .0025.
    p_open = 1 / (1 + np.exp(SHIFT - logit))
    assert (gates > 0).double().mean().item() == pytest.approx(p_open, abs=0.0125)
    assert (gates >= 0).all()
    assert (gates <= 1).all()
    assert (gates == 1).any()


@pytest.mark.parametrize("logit", [-2.0, -1.5, 0.0, 1.0, 2.0])
def test_the_median_is_that_of_sampled_gates(logit):
    logits = torch.full((1, 200, 200), logit, dtype=torch.float64)
    gates, _ = sample(logits, LOGIT_BOUND)
    # The standard error of the median is at most .006.
    assert median(logits, LOGIT_BOUND)[0, 0, 0] == pytest.approx(gates.median().item(), abs=0.03)


def test_the_median_is_exactly_0_for_low_and_exactly_1_for_high_logits():
    gates = median(torch.tensor([-LOGIT_BOUND, -1.7, 0.0, 1.7, LOGIT_BOUND]), LOGIT_BOUND)
    torch.testing.assert_close(gates, torch.tensor([0, 0, 0.5, 1, 1]), rtol=0, atol=1e-6)


@given(st.floats(-LOGIT_BOUND, LOGIT_BOUND), st.floats(-LOGIT_BOUND, LOGIT_BOUND))
def test_the_penalty_increases_with_the_logit_up_to_1(one, other):
    low, high = sorted([one, other])
    costs = [sample(torch.full((1, 1, 1), x).double(), LOGIT_BOUND)[1].item() for x in (low, high)]
    assert 0 < costs[0] <= costs[1] <= 1 + 1e-9
    assert sample(torch.full((1, 1, 1), LOGIT_BOUND).double(), LOGIT_BOUND)[
        1
    ].item() == pytest.approx(1)


@pytest.mark.parametrize("side", [-1, 1])
def test_a_logit_at_its_bound_has_a_gradient_inwards_only(windows, side):
    gate = BottleneckGate(T, F)
    gate.penalty = 1.0
    nn.init.constant_(gate.bias, side * (LOGIT_BOUND + 0.5) / LOGIT_SCALE)
    for direction in (-1, 1):  # of a step of gradient descent
        gate.bias.grad = None
        _, _, penalty = gate(windows(dtype=torch.float32))
        (-direction * penalty).sum().backward()
        assert (gate.bias.grad != 0).all() if direction == -side else (gate.bias.grad == 0).all()
