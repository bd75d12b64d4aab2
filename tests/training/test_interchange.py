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
WAYS = {"both": (T, F), "time": (T, 1), "feature": (1, F)}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def network_with(opened, mode="both"):
    """A network in which the gates are as wide as given, and nothing has_inputs them."""
    network = BottleneckLSTM(T, F, 1, attention_mode=mode, hidden_size=8).double().eval()
    network.gate.input_active.fill_(False)
    torch.nn.init.normal_(network.skip.weight, std=0.1)
    with torch.no_grad():
        network.gate.bias.copy_(torch.as_tensor(opened) * 16 / LOGIT_SCALE - 8 / LOGIT_SCALE)
    return network


# ------------------------------------------------------------------------------ the network


@every_mode
def test_cells_are_grouped_by_their_gate(mode):
    gate = network_with(torch.ones(WAYS[mode]), mode).gate
    X = torch.randn(5, T, F)
    sorted_ = gate.group_by_gate(X)
    assert sorted_.shape == (5, gate.active.numel(), T * F // gate.active.numel())
    places = {"both": X.flatten(1)[..., None], "time": X, "feature": X.transpose(1, 2)}
    assert torch.equal(sorted_, places[mode])
    assert torch.equal(gate.ungroup(sorted_), X)


@every_mode
def test_an_exchanged_input_is_that_of_another_gate(mode):
    opened = torch.zeros(WAYS[mode])
    opened.flatten()[1] = 1.0
    network, X = network_with(opened, mode), torch.randn(5, T, F, dtype=torch.float64)
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
    opened = torch.zeros(WAYS[mode])
    opened.flatten()[1] = 1.0
    network = network_with(opened, mode)
    network.gate.active.flatten()[3] = False
    torch.nn.init.ones_(network.skip.weight)
    torch.nn.init.zeros_(network.head.weight)
    X = torch.randn(5, 1, 1, dtype=torch.float64).expand(5, T, F)  # all inputs are equal
    before = network(X)
    places = torch.zeros(WAYS[mode], dtype=torch.bool)
    places.flatten()[[1, 3]] = True
    network.expand(places)
    assert torch.equal(network.predict_with_gates(X)[1][0], places.expand(T, F).double())
    torch.testing.assert_close(network(X), before)


# ------------------------------------------------------------------------------ the search


def found(X, opened, mode="both"):
    """Evaluation for interchangeable inputs, with the gates as wide as given.

    The network predicts the sum of what is open, and ``y`` is that sum. Gives the gates that were
    found, and the loss of each exchange of their inputs.
    """
    network = network_with(opened, mode)
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


def readings(mode, alike, *, n=2000, noise=1.0):
    """Return windows in which the inputs of some gates are noisy copies of one signal."""
    rng = np.random.default_rng(0)
    gate = network_with(torch.zeros(WAYS[mode]), mode).gate
    X = gate.group_by_gate(torch.from_numpy(rng.normal(size=(n, T, F)))).clone()
    series = torch.from_numpy(rng.normal(size=(n, 1, X.shape[2])))
    X[:, alike] = series + noise * X[:, alike]
    return gate.ungroup(X).contiguous().numpy()


def opened_at(mode, places, width=1.0):
    opened = torch.zeros(WAYS[mode])
    opened.flatten()[places] = width
    return opened


@every_mode
def test_noisy_copies_of_one_signal_are_found_and_exchanged(mode):
    X = readings(mode, [0, 1, 2, 3])
    places, losses = found(X, opened_at(mode, [0, 2]), mode)
    assert places == [0, 1, 2, 3]
    # Two of noise 1 instead of two others: an error of 4 noises in each cell of a gate.
    n_cells = T * F // torch.zeros(WAYS[mode]).numel()
    assert losses == [pytest.approx(4 * n_cells, rel=0.2)]


def test_exact_copies_are_exchanged_at_no_cost_with_their_sign():
    X = readings("both", [0, 1, 2, 3], noise=0.0)
    X[:, 0, 1] *= -1  # place 1
    places, losses = found(X, opened_at("both", [0, 2]))
    assert places == [0, 1, 2, 3]
    assert losses == [pytest.approx(0.0, abs=1e-12)]


@pytest.mark.parametrize("opened", [[0], []])
def test_fewer_than_two_open_gates_are_not_exchanged(opened):
    X = readings("both", [0, 1, 2, 3])
    assert found(X, opened_at("both", opened)) == ([], [])


@pytest.mark.parametrize("n", [300, 2000])
def test_inputs_that_are_similar_by_chance_are_not_exchanged(n):
    opened = opened_at("both", [0, 2, 9])
    assert found(readings("both", [], n=n), opened) == ([], [])
    assert found(readings("both", [0, 2], n=n), opened)[0] == [0, 2]


def test_a_small_group_is_found_among_many_open_gates():
    X = readings("both", [0, 1, 2, 3])
    assert found(X, opened_at("both", list(range(T * F))))[0] == [0, 1, 2, 3]


def test_a_group_that_is_fully_open_is_not_expanded_again():
    X = readings("both", [0, 1, 2, 3])
    assert found(X, opened_at("both", [0, 1, 2, 3])) == ([], [])
    opened = opened_at("both", [0, 1, 2, 3])
    opened.flatten()[1] = 0.5
    places, losses = found(X, opened)
    assert places == [0, 1, 2, 3]
    assert len(losses) == 1


def test_an_open_gate_with_a_different_input_is_not_in_the_group():
    X = readings("both", [0, 1, 2, 3])
    places, losses = found(X, opened_at("both", [0, 1, 2, 9]))
    assert places == [0, 1, 2, 3]
    assert losses[0] > 0


def test_all_members_are_exchanged_up_to_a_number_of_exchanges():
    X = readings("both", list(range(2 * MAX_EXCHANGES)))
    places, losses = found(X, opened_at("both", [3, 5]))
    assert places == list(range(2 * MAX_EXCHANGES))
    assert len(losses) == MAX_EXCHANGES - 1
    X = readings("both", list(range(T * F)))
    assert len(found(X, opened_at("both", [3, 5]))[1]) <= MAX_EXCHANGES


# ------------------------------------------------------------------------------ the estimator


def fitted(X, y, seed):
    return AttentionLSTMRegressor(hidden_size=16, random_state=seed).fit(X, y)


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_all_interchangeable_cells_receive_equal_attention_for_any_seed(noise):
    X, y, drivers = make_boxes(3000, n_timesteps=14, n_features=10, noise=noise, random_state=0)
    first, second = (fitted(X, y, seed).attention_ for seed in (1, 2))
    np.testing.assert_allclose(first, drivers[0] / drivers[0].sum())
    np.testing.assert_array_equal(first, second)


def test_a_decoy_receives_no_attention_of_the_driver_that_it_imitates():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 8, 4))
    X[..., 1] = 0.9 * X[..., 0] + np.sqrt(1 - 0.9**2) * X[..., 1]
    y = X[:, 4, 0] + X[:, 6, 0] + rng.normal(scale=np.sqrt(2), size=2000)
    for seed in (1, 2):
        model = fitted(X, y, seed)
        assert model.attention_[[4, 6], 0].sum() > 0.9
