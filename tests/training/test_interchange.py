"""Interchangeable inputs: noisy copies of one signal, whose gates are expanded as a group."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn._data._batches import WindowDataset
from sk_tsattn._data._scaling import Standardizer
from sk_tsattn._data._windows import Windows
from sk_tsattn._training._interchange import MAX_EXCHANGES, find_interchangeable
from sk_tsattn._training._loss import WeightedLoss
from sk_tsattn.attention import ATTENTION_MODES, BottleneckLSTM
from sk_tsattn.attention._bottleneck._gate import LOGIT_SCALE
from sk_tsattn.datasets import make_boxes

T, F = 6, 4
every_mode = pytest.mark.parametrize("mode", ATTENTION_MODES)
GATE_SHAPES = {"both": (T, F), "time": (T, 1), "feature": (1, F)}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def network_with(gates, mode="both"):
    """Return a network with static gates of the given values."""
    network = BottleneckLSTM(T, F, 1, attention_mode=mode, hidden_size=8).double().eval()
    network.gate.input_active.fill_(False)
    torch.nn.init.normal_(network.skip.weight, std=0.1)
    with torch.no_grad():
        network.gate.bias.copy_(torch.as_tensor(gates) * 16 / LOGIT_SCALE - 8 / LOGIT_SCALE)
    return network


# ------------------------------------------------------------------------------ the network


@every_mode
def test_cells_are_grouped_by_their_gate(mode):
    gate = network_with(torch.ones(GATE_SHAPES[mode]), mode).gate
    X = torch.randn(5, T, F)
    grouped = gate.group_by_gate(X)
    assert grouped.shape == (5, gate.active.numel(), T * F // gate.active.numel())
    places = {"both": X.flatten(1)[..., None], "time": X, "feature": X.transpose(1, 2)}
    assert torch.equal(grouped, places[mode])
    assert torch.equal(gate.ungroup(grouped), X)


@every_mode
def test_an_exchanged_input_is_that_of_another_gate(mode):
    gates = torch.zeros(GATE_SHAPES[mode])
    gates.flatten()[1] = 1.0
    network, X = network_with(gates, mode), torch.randn(5, T, F, dtype=torch.float64)
    one, other, signs = torch.tensor([1]), torch.tensor([3]), torch.tensor([-1.0]).double()
    by_gate = network.gate.group_by_gate(X).clone()
    by_gate[:, 1] = -by_gate[:, 3]
    exchanged = network.predict_exchanged(X, gates=one, inputs=other, signs=signs)
    torch.testing.assert_close(exchanged, network(network.gate.ungroup(by_gate)))
    assert not torch.allclose(exchanged, network(X))
    # Padding has no influence.
    mask = torch.ones(5, T, dtype=torch.bool)
    mask[:, :4] = False
    X[:, :4] = torch.nan
    assert network.predict_exchanged(X, mask, gates=one, inputs=other, signs=signs).isfinite().all()


@every_mode
def test_an_expanded_group_is_fully_open_and_predicts_as_before(mode):
    gates = torch.zeros(GATE_SHAPES[mode])
    gates.flatten()[1] = 1.0
    network = network_with(gates, mode)
    network.gate.active.flatten()[3] = False
    torch.nn.init.ones_(network.skip.weight)
    torch.nn.init.zeros_(network.head.weight)
    X = torch.randn(5, 1, 1, dtype=torch.float64).expand(5, T, F)  # all inputs are equal
    before = network(X)
    places = torch.zeros(GATE_SHAPES[mode], dtype=torch.bool)
    places.flatten()[[1, 3]] = True
    network.expand(places)
    assert torch.equal(network.predict_with_gates(X)[1][0], places.expand(T, F).double())
    torch.testing.assert_close(network(X), before)


# ------------------------------------------------------------------------------ the search


def search(X, gates, mode="both"):
    """Find interchangeable inputs of a network with gates of the given values.

    The network predicts the sum of its gated inputs, and ``y`` is that sum. Returns the gates that
    were search, and the loss of each exchange of their inputs.
    """
    network = network_with(gates, mode)
    torch.nn.init.ones_(network.skip.weight)
    torch.nn.init.zeros_(network.head.weight)
    torch.nn.init.zeros_(network.head.bias)
    Z = network.predict_with_gates(torch.as_tensor(X))[1] * torch.as_tensor(X)
    y = Z.detach().sum(dim=(1, 2))[:, None].numpy()
    data = WindowDataset(
        Windows.of_windows(X),
        Standardizer(),
        dtype="float64",
        device="cpu",
        y=y,
        weight=np.ones(len(X)),
    )
    net = SimpleNamespace(module_=network, criterion_=WeightedLoss())
    places, exchanges = find_interchangeable(net, data, data)
    return places.flatten().nonzero()[:, 0].tolist(), [exchange.loss for exchange in exchanges]


def noisy_copies(mode, copies, *, n=2000, noise=1.0):
    """Return windows in which the inputs of some gates are noisy copies of one signal."""
    rng = np.random.default_rng(0)
    gate = network_with(torch.zeros(GATE_SHAPES[mode]), mode).gate
    X = gate.group_by_gate(torch.from_numpy(rng.normal(size=(n, T, F)))).clone()
    signal = torch.from_numpy(rng.normal(size=(n, 1, X.shape[2])))
    X[:, copies] = signal + noise * X[:, copies]
    return gate.ungroup(X).contiguous().numpy()


def open_gates_at(mode, places):
    gates = torch.zeros(GATE_SHAPES[mode])
    gates.flatten()[places] = 1.0
    return gates


@every_mode
def test_noisy_copies_of_one_signal_are_found_and_exchanged(mode):
    X = noisy_copies(mode, [0, 1, 2, 3])
    places, losses = search(X, open_gates_at(mode, [0, 2]), mode)
    assert places == [0, 1, 2, 3]
    # Two copies of noise 1 replace two others: each cell of a gate contributes an error of 4.
    n_cells = T * F // torch.zeros(GATE_SHAPES[mode]).numel()
    assert losses == [pytest.approx(4 * n_cells, rel=0.2)]


def test_exact_copies_are_exchanged_at_no_cost_with_their_sign():
    X = noisy_copies("both", [0, 1, 2, 3], noise=0.0)
    X[:, 0, 1] *= -1  # place 1
    places, losses = search(X, open_gates_at("both", [0, 2]))
    assert places == [0, 1, 2, 3]
    assert losses == [pytest.approx(0.0, abs=1e-12)]


@pytest.mark.parametrize("gates", [[0], []])
def test_fewer_than_two_open_gates_are_not_exchanged(gates):
    X = noisy_copies("both", [0, 1, 2, 3])
    assert search(X, open_gates_at("both", gates)) == ([], [])


@pytest.mark.parametrize("n", [300, 2000])
def test_inputs_that_are_similar_by_chance_are_not_exchanged(n):
    gates = open_gates_at("both", [0, 2, 9])
    assert search(noisy_copies("both", [], n=n), gates) == ([], [])
    assert search(noisy_copies("both", [0, 2], n=n), gates)[0] == [0, 2]


def test_a_small_group_is_found_among_many_open_gates():
    X = noisy_copies("both", [0, 1, 2, 3])
    assert search(X, open_gates_at("both", list(range(T * F))))[0] == [0, 1, 2, 3]


def test_a_group_that_is_fully_open_is_not_expanded_again():
    X = noisy_copies("both", [0, 1, 2, 3])
    assert search(X, open_gates_at("both", [0, 1, 2, 3])) == ([], [])
    gates = open_gates_at("both", [0, 1, 2, 3])
    gates.flatten()[1] = 0.5
    places, losses = search(X, gates)
    assert places == [0, 1, 2, 3]
    assert len(losses) == 1


def test_an_open_gate_of_another_signal_is_not_in_the_group():
    X = noisy_copies("both", [0, 1, 2, 3])
    places, losses = search(X, open_gates_at("both", [0, 1, 2, 9]))
    assert places == [0, 1, 2, 3]
    assert losses[0] > 0


def test_the_number_of_exchanges_is_bounded():
    X = noisy_copies("both", list(range(2 * MAX_EXCHANGES)))
    places, losses = search(X, open_gates_at("both", [3, 5]))
    assert places == list(range(2 * MAX_EXCHANGES))
    assert len(losses) == MAX_EXCHANGES - 1
    X = noisy_copies("both", list(range(T * F)))
    assert len(search(X, open_gates_at("both", [3, 5]))[1]) <= MAX_EXCHANGES


# ------------------------------------------------------------------------------ the estimator


def fitted(X, y, seed):
    return AttentionLSTMRegressor(hidden_size=16, random_state=seed).fit(X, y)


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_all_interchangeable_cells_receive_equal_attention_for_any_seed(noise):
    X, y, drivers = make_boxes(3000, n_timesteps=14, n_features=10, noise=noise, random_state=0)
    first, second = (fitted(X, y, seed).attention_ for seed in (1, 2))
    np.testing.assert_allclose(first, drivers[0] / drivers[0].sum())
    np.testing.assert_array_equal(first, second)


def test_a_correlated_decoy_receives_no_attention():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 8, 4))
    X[..., 1] = 0.9 * X[..., 0] + np.sqrt(1 - 0.9**2) * X[..., 1]
    y = X[:, 4, 0] + X[:, 6, 0] + rng.normal(scale=np.sqrt(2), size=2000)
    for seed in (1, 2):
        model = fitted(X, y, seed)
        assert model.attention_[[4, 6], 0].sum() > 0.9
