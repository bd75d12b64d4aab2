"""Evaluations of a network during training: gate effects and the loss of a linear model."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sk_tsattn._data._batches import WindowDataset
from sk_tsattn._data._scaling import Standardizer
from sk_tsattn._data._windows import Windows
from sk_tsattn._training._evaluation import gate_effects, linear_model_loss
from sk_tsattn._training._loss import WeightedLoss
from sk_tsattn.attention import ATTENTION_MODES, BottleneckLSTM
from sk_tsattn.attention._bottleneck._gating_network import LOGIT_SCALE

B, T, F = 5, 6, 4
every_mode = pytest.mark.parametrize("mode", ATTENTION_MODES)
rng = np.random.default_rng(0)


@every_mode
def test_the_effect_of_a_gate_is_averaged_over_all_windows(mode):
    network = BottleneckLSTM(T, F, 1, attention_mode=mode, hidden_size=8).double().eval()
    X = torch.randn(B, T, F, dtype=torch.float64)
    with torch.no_grad():
        network.gate.bias.zero_()
        network.gate.input_logits.fill_(8.0 / LOGIT_SCALE)
        network.gate.gating_network.out.weight.normal_(std=3.0)
    data = WindowDataset(
        Windows.of_windows(X.numpy()), Standardizer(), dtype="float64", device="cpu"
    )
    net = SimpleNamespace(module_=network, criterion_=WeightedLoss())
    effects, usage = gate_effects(net, data)
    with torch.no_grad():
        prediction, gates = network.predict_with_gates(X)
        for gate in np.ndindex(*network.gate.active.shape):
            network.gate.active[gate] = False
            without, fewer = network.predict_with_gates(X)
            network.gate.active[gate] = True
            expected = ((without - prediction) ** 2).mean().item()
            assert effects[gate].item() == pytest.approx(expected, rel=1e-4, abs=1e-9)
            contribution = (gates - fewer).flatten(1).amax(dim=1).mean().item()
            assert usage[gate].item() == pytest.approx(contribution, rel=1e-4, abs=1e-9)
    assert effects.max() > 0


@pytest.mark.parametrize("scale", [1e-14, 1.0, 1e4])
def test_the_linear_model_is_evaluated_on_the_validation_set_and_without_padding(scale):
    X = rng.standard_normal((1500, 2))
    series = Windows.of_rows(X, 3, np.repeat(np.arange(500), 3))
    oldest = np.where(series.complete(), np.roll(X[:, 1], 2), 0)  # two steps ago
    residual = np.sign(X[:, 0] * X[:, 1])  # no linear model explains it

    def subset(which):
        y, weight = (residual - oldest)[which, None], rng.uniform(1, 3, 1500)[which]
        scaling = {"scaler": Standardizer(scale=scale), "dtype": "float64", "device": "cpu"}
        return WindowDataset(series.select(which), **scaling, y=y, weight=weight)

    validation = subset(slice(1200, None))
    measured = linear_model_loss(
        SimpleNamespace(criterion_=WeightedLoss()), subset(slice(1200)), validation
    )
    expected = np.average(residual[1200:] ** 2, weights=validation.weight)
    assert measured == pytest.approx(expected, rel=0.05)
