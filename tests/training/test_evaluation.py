"""Evaluations of a network during training: losses, density, use and closing of the gates."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sk_tsattn._data._batches import WindowDataset
from sk_tsattn._data._scaling import Standardizer
from sk_tsattn._data._windows import Windows
from sk_tsattn._training._evaluation import (
    close_gates,
    evaluate,
    evaluate_null_model,
    feature_quartiles,
    gate_usage,
)
from sk_tsattn._training._loss import WeightedLoss
from sk_tsattn.attention import ATTENTION_MODES, BottleneckLSTM
from sk_tsattn.attention._bottleneck._gating_network import LOGIT_SCALE

B, T, F = 50, 6, 4
every_mode = pytest.mark.parametrize("mode", ATTENTION_MODES)
rng = np.random.default_rng(0)


def dataset(windows, *, y=None, weight=None):
    options = {"scaler": Standardizer(), "dtype": "float64", "device": "cpu"}
    n = len(windows)
    y, weight = np.zeros((n, 1)) if y is None else y, np.ones(n) if weight is None else weight
    return WindowDataset(windows, **options, y=y, weight=weight)


def net_with_varying_gates(mode):
    """Return a net whose gates differ between windows."""
    network = BottleneckLSTM(T, F, 1, attention_mode=mode, hidden_size=8).double().eval()
    with torch.no_grad():
        network.gate.bias.zero_()
        network.gate.input_logits.fill_(8.0 / LOGIT_SCALE)
        network.gate.gating_network.out.weight.normal_(std=3.0)
    return SimpleNamespace(module_=network, criterion_=WeightedLoss())


@every_mode
def test_an_evaluation_has_the_loss_of_each_window_and_the_weighted_mean_gate(mode):
    net, X, y = net_with_varying_gates(mode), rng.normal(size=(B, T, F)), rng.normal(size=(B, 1))
    weight = rng.uniform(1, 3, B)
    evaluation = evaluate(net, dataset(Windows.of_windows(X), y=y, weight=weight))
    with torch.no_grad():
        prediction, gates = net.module_.predict_with_gates(torch.from_numpy(X))
    losses = (prediction.numpy() - y)[:, 0] ** 2
    np.testing.assert_allclose(evaluation.losses, losses)
    assert evaluation.loss == pytest.approx(np.average(losses, weights=weight))
    means = gates.mean(dim=(1, 2)).numpy()
    assert means.std() > 0.01
    assert evaluation.density == pytest.approx(np.average(means, weights=weight))


@every_mode
def test_the_use_of_gates_and_of_inputs_is_their_mean_over_the_windows(mode):
    net, X = net_with_varying_gates(mode), rng.normal(size=(B, T, F))
    usage = gate_usage(net, dataset(Windows.of_windows(X)))
    _, weights = net.module_.attend(torch.from_numpy(X))
    shape = net.module_.gate.active.shape
    for name, weight in (("active", "gate"), ("input_active", "gate_sensitivity")):
        assert usage[name].shape == shape
        expected = weights[weight].detach().mean(dim=0).reshape(shape)
        torch.testing.assert_close(usage[name], expected)


@every_mode
@pytest.mark.parametrize("name", ["active", "input_active"])
def test_closed_gates_and_inputs_have_no_use_and_stay_closed(mode, name):
    net, windows = net_with_varying_gates(mode), rng.normal(size=(B, T, F))
    data, gate = dataset(Windows.of_windows(windows)), net.module_.gate
    first = torch.zeros(gate.active.shape, dtype=torch.bool)
    first.view(-1)[0] = True
    close_gates(net, data, name, ~first)
    close_gates(net, data, name, first | ~first)
    used = gate_usage(net, data)[name]
    assert used[first] == 0
    assert (used[~first] > 0).any()
    assert torch.equal(gate.get_buffer(name), ~first)


def test_the_null_model_is_the_best_constant_of_the_training_set():
    X = Windows.of_windows(np.zeros((4, T, F)))
    y, weight = np.array([[0.0], [0.0], [0.0], [8.0]]), np.array([1.0, 1.0, 1.0, 5.0])
    validation = dataset(X, y=np.array([[5.0], [4.0], [7.0], [5.0]]), weight=weight)
    null = evaluate_null_model(
        SimpleNamespace(criterion_=WeightedLoss()), dataset(X, y=y, weight=weight), validation
    )
    # The mean is 40 / 8.
    np.testing.assert_allclose(null.losses, [0, 1, 4, 0], atol=1e-6)
    assert null.loss == pytest.approx(5 / 8, abs=1e-6)
    assert null.density == 0


def test_quartiles_are_of_each_feature_and_without_padding():
    series = rng.normal(size=(3000, 2)) * [1.0, 100.0] + [0.0, 1000.0]
    data = dataset(Windows.of_rows(series, T, np.repeat(np.arange(750), 4)))  # padded: 4 < T
    quartiles = feature_quartiles(data).numpy()
    expected = np.quantile(series, [0.25, 0.75], axis=0)
    np.testing.assert_allclose(quartiles / [1, 100], expected / [1, 100], atol=0.15)
