"""Inputs that say the same, each with noise of its own: their gates share."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn._data._batches import WindowDataset
from sk_tsattn._data._scaling import Standardizer
from sk_tsattn._data._windows import Windows
from sk_tsattn._training._interchange import EXCHANGES, interchange
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
    """A network in which the gates are as wide as given, and nothing steers them."""
    network = BottleneckLSTM(T, F, 1, attention_mode=mode, hidden_size=8).double().eval()
    network.gate.input_active.fill_(False)
    torch.nn.init.normal_(network.skip.weight, std=0.1)
    with torch.no_grad():
        network.gate.bias.copy_(torch.as_tensor(opened) * 16 / LOGIT_SCALE - 8 / LOGIT_SCALE)
    return network


# ------------------------------------------------------------------------------ the network


@every_mode
def test_cells_are_sorted_by_the_gate_that_they_share(mode):
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
    # What is missing there is not seen.
    mask = torch.ones(5, T, dtype=torch.bool)
    mask[:, :4] = False
    X[:, :4] = torch.nan
    assert network.predict_exchanged(X, mask, gates=one, inputs=other, signs=signs).isfinite().all()


@every_mode
def test_gates_that_share_are_wholly_open_and_read_as_much_together_as_before(mode):
    opened = torch.zeros(WAYS[mode])
    opened.flatten()[1] = 1.0
    network = network_with(opened, mode)
    network.gate.active.flatten()[3] = False
    torch.nn.init.ones_(network.skip.weight)
    torch.nn.init.zeros_(network.head.weight)
    X = torch.randn(5, 1, 1, dtype=torch.float64).expand(5, T, F)  # all say the same
    before = network(X)
    places = torch.zeros(WAYS[mode], dtype=torch.bool)
    places.flatten()[[1, 3]] = True
    network.expand(places)
    assert torch.equal(network.predict_with_gates(X)[1][0], places.expand(T, F).double())
    torch.testing.assert_close(network(X), before)


# ------------------------------------------------------------------------------ the search


def found(X, opened, mode="both"):
    """Look for interchangeable inputs, with the gates as wide as given.

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
    places, looks = interchange(net, data, data)
    return places.flatten().nonzero()[:, 0].tolist(), [look.loss for look in looks]


def readings(mode, alike, *, n=2000, noise=1.0):
    """Windows of noise in which the inputs of some gates are noisy readings of one number."""
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
def test_inputs_that_say_the_same_are_found_and_exchanged_for_one_another(mode):
    X = readings(mode, [0, 1, 2, 3])
    places, losses = found(X, opened_at(mode, [0, 2]), mode)
    assert places == [0, 1, 2, 3]
    # Two of noise 1 instead of two others: an error of 4 noises in each cell of a gate.
    n_cells = T * F // torch.zeros(WAYS[mode]).numel()
    assert losses == [pytest.approx(4 * n_cells, rel=0.2)]


def test_copies_are_exchanged_at_no_cost_and_those_of_the_other_sign_turned():
    X = readings("both", [0, 1, 2, 3], noise=0.0)
    X[:, 0, 1] *= -1  # place 1
    places, losses = found(X, opened_at("both", [0, 2]))
    assert places == [0, 1, 2, 3]
    assert losses == [pytest.approx(0.0, abs=1e-12)]


@pytest.mark.parametrize("opened", [[0], []])
def test_what_one_gate_says_or_none_is_not_exchanged(opened):
    X = readings("both", [0, 1, 2, 3])
    assert found(X, opened_at("both", opened)) == ([], [])


@pytest.mark.parametrize("n", [300, 2000])
def test_inputs_that_are_alike_by_chance_are_not_exchanged(n):
    opened = opened_at("both", [0, 2, 9])
    assert found(readings("both", [], n=n), opened) == ([], [])
    assert found(readings("both", [0, 2], n=n), opened)[0] == [0, 2]


def test_a_few_inputs_that_say_the_same_are_found_among_many_open_ones_that_do_not():
    X = readings("both", [0, 1, 2, 3])
    assert found(X, opened_at("both", list(range(T * F))))[0] == [0, 1, 2, 3]


def test_gates_that_share_already_are_left_alone_unless_they_are_not_as_wide():
    X = readings("both", [0, 1, 2, 3])
    assert found(X, opened_at("both", [0, 1, 2, 3])) == ([], [])
    opened = opened_at("both", [0, 1, 2, 3])
    opened.flatten()[1] = 0.5
    places, losses = found(X, opened)
    assert places == [0, 1, 2, 3]
    assert len(losses) == 1


def test_an_open_gate_that_is_not_like_the_others_does_not_share():
    X = readings("both", [0, 1, 2, 3])
    places, losses = found(X, opened_at("both", [0, 1, 2, 9]))
    assert places == [0, 1, 2, 3]
    assert losses[0] > 0


def test_of_many_all_are_tried_up_to_a_number_of_exchanges():
    X = readings("both", list(range(2 * EXCHANGES)))
    places, losses = found(X, opened_at("both", [3, 5]))
    assert places == list(range(2 * EXCHANGES))
    assert len(losses) == EXCHANGES - 1
    X = readings("both", list(range(T * F)))
    assert len(found(X, opened_at("both", [3, 5]))[1]) <= EXCHANGES


# ------------------------------------------------------------------------------ the estimator


def fitted(X, y, seed):
    return AttentionLSTMRegressor(hidden_size=16, random_state=seed).fit(X, y)


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_all_cells_that_say_the_same_share_the_attention_whatever_the_seed(noise):
    X, y, drivers = make_boxes(3000, n_timesteps=14, n_features=10, noise=noise, random_state=0)
    first, second = (fitted(X, y, seed).attention_ for seed in (1, 2))
    np.testing.assert_allclose(first, drivers[0] / drivers[0].sum())
    np.testing.assert_array_equal(first, second)


def test_a_decoy_does_not_share_with_the_driver_that_it_imitates():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 8, 4))
    X[..., 1] = 0.9 * X[..., 0] + np.sqrt(1 - 0.9**2) * X[..., 1]
    y = X[:, 4, 0] + X[:, 6, 0] + rng.normal(scale=np.sqrt(2), size=2000)
    for seed in (1, 2):
        model = fitted(X, y, seed)
        assert model.attention_[[4, 6], 0].sum() > 0.9
