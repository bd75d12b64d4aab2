"""Uniform attention: the switch reaches every mechanism, and the check tells what weights do."""

import threading

import numpy as np
import pytest
import torch
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn.attention import ATTENTION_MECHANISMS
from sk_tsattn.attention._network import build_network
from sk_tsattn.attention._uniform import override_gates
from sk_tsattn.datasets import make_fixed_cells
from sk_tsattn.inspection import uniform_attention, uniform_attention_check

B, T, F = 5, 6, 4
PLACES = [(name, mode) for name, modes in ATTENTION_MECHANISMS.items() for mode in modes]
# Their attention is a contribution, which the input shapes as much as the weights do.
CONTRIBUTIONS = {("retain", "feature"), ("retain", "both")}


def network_of(name, mode, **options):
    torch.manual_seed(0)
    network = build_network(
        attention=name,
        attention_mode=mode,
        n_timesteps=T,
        n_features=F,
        n_outputs=1,
        hidden_size=8,
        **options,
    )
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(std=0.5)
    return network.double().eval()


def windows():
    return torch.randn(B, T, F, dtype=torch.float64)


def short_mask():
    mask = torch.ones(B, T, dtype=torch.bool)
    mask[0, :4] = mask[1, :2] = False
    return mask


@pytest.mark.parametrize(("name", "mode"), PLACES)
def test_the_switch_changes_what_every_mechanism_predicts(name, mode):
    network, X = network_of(name, mode), windows()
    learned = network(X)
    with uniform_attention() as use:
        uniform = network(X)
    assert use.n_uses > 0
    assert (learned - uniform).abs().max() > 1e-6
    assert torch.equal(network(X), learned)


@pytest.mark.parametrize("padded", [False, True], ids=["whole", "padded"])
@pytest.mark.parametrize(("name", "mode"), [p for p in PLACES if p not in CONTRIBUTIONS])
def test_the_switch_makes_the_attention_of_every_mechanism_uniform(name, mode, padded):
    network, X = network_of(name, mode), windows()
    mask = short_mask() if padded else None
    observed = torch.ones(B, T) if mask is None else mask.double()
    cell = (observed / observed.sum(dim=1, keepdim=True))[:, :, None].expand(B, T, F) / F
    expected = {"cell": cell, "time": cell.sum(dim=2), "feature": cell.sum(dim=1)}
    with uniform_attention():
        _, weights = network.attend(X, mask)
    for axes in set(expected) & set(weights):
        torch.testing.assert_close(weights[axes], expected[axes].double(), msg=axes)


@pytest.mark.parametrize(("name", "mode"), sorted(CONTRIBUTIONS))
def test_uniform_contributions_know_no_direction_and_no_step(name, mode):
    network, X = network_of(name, mode), windows()
    with uniform_attention():
        contributions = network.contributions(X)[..., 0]  # (B, T, F)
    coefficients = contributions / X
    torch.testing.assert_close(coefficients, coefficients[:, :1].expand(B, T, F))
    # What is left to tell features apart is the embedding, the same for every window.
    ratio = coefficients[:, 0] / coefficients[:, 0, :1]
    torch.testing.assert_close(ratio, ratio[:1].expand(B, F))


@pytest.mark.parametrize(("name", "mode"), PLACES)
def test_padding_has_no_influence_under_uniform_attention(name, mode):
    network, X, mask = network_of(name, mode), windows(), short_mask()
    other = torch.where(mask[:, :, None], X, torch.full_like(X, torch.nan))
    with uniform_attention():
        torch.testing.assert_close(network(other, mask), network(X, mask))


@pytest.mark.parametrize("padded", [False, True], ids=["whole", "padded"])
def test_level_gates_are_the_mean_of_each_window_and_zero_on_padding(padded):
    gates, mask = torch.rand(B, T, F), short_mask() if padded else None
    assert override_gates(gates, mask) is gates
    with uniform_attention():
        level = override_gates(gates, mask)
    for i in range(B):
        seen = slice(None) if mask is None else mask[i]
        torch.testing.assert_close(level[i, seen], gates[i, seen].mean().expand_as(level[i, seen]))
        assert mask is None or not level[i, ~mask[i]].any()


def test_the_switch_holds_in_its_own_thread_alone():
    network, X = network_of("bahdanau", "both"), windows()
    learned, seen, inside, done = network(X), [], threading.Event(), threading.Event()

    def predict_beside():
        inside.wait()
        seen.append(network(X))
        done.set()

    thread = threading.Thread(target=predict_beside)
    thread.start()
    with uniform_attention():
        inside.set()
        assert done.wait(60)
        assert not torch.equal(network(X), learned)
    thread.join()
    assert torch.equal(seen[0], learned)


def test_the_switch_goes_back_after_an_error_and_can_be_nested():
    network, X = network_of("luong", "time"), windows()
    learned = network(X)
    uses = []

    def fail_inside():
        with uniform_attention() as outer, uniform_attention() as inner:
            uses.extend([outer, inner])
            network(X)
            raise KeyError

    with pytest.raises(KeyError):
        fail_inside()
    assert [use.n_uses > 0 for use in uses] == [False, True]
    assert torch.equal(network(X), learned)


def made_windows(n=80):
    X, y, _ = make_fixed_cells(n_samples=n, n_timesteps=T, n_features=F, random_state=0)
    return X, y


def fitted(X, y, **changes):
    return AttentionLSTMRegressor(
        **{"attention": "dense", "max_epochs": 3, "random_state": 0} | changes
    ).fit(X, y)


def check(estimator, X, y, **options):
    options = {"n_bootstrap": 50, "random_state": 0} | options
    return uniform_attention_check(estimator, X, y, **options)


def test_the_check_compares_predict_with_predict_under_the_switch():
    X, y = made_windows()
    model = fitted(X, y)
    with uniform_attention():
        uniform = model.predict(X)
    result = check(model, X, y)
    np.testing.assert_array_equal(result.prediction_learned, model.predict(X))
    np.testing.assert_array_equal(result.prediction_uniform, uniform)
    assert result.score_learned == model.score(X, y)
    assert result.score_uniform == r2_score(y, uniform)
    assert result.difference == result.score_learned - result.score_uniform
    assert result.mean_absolute_change == np.abs(model.predict(X) - uniform).mean() > 0


@pytest.mark.parametrize("mode", ["time", "feature", "both"])
def test_the_check_finds_dead_attention(mode):
    X, y = made_windows()
    model = fitted(X, y, attention_mode=mode)
    for name, parameter in model.net_.module_.named_parameters():
        if "score" in name:
            parameter.data.zero_()
    result = check(model, X, y)
    assert result.mean_absolute_change == result.difference == result.low == result.high == 0


def test_the_check_finds_attention_that_the_prediction_needs():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4, 3))
    model = fitted(X, X[:, :, 1].mean(axis=1), attention_mode="feature")
    gate = model.net_.module_.gate.score
    gate.bias.data = gate.bias.new_tensor([0.0, 20.0, 0.0])
    y = model.predict(X)  # what the model says, while it looks at feature 1 alone
    result = check(model, X, y, n_bootstrap=200)
    assert result.score_learned == 1
    assert result.difference > result.low > 0


def test_the_interval_is_that_of_the_same_resamples_of_both():
    X, y = made_windows()
    model = fitted(X, y)
    narrow, wide = (check(model, X, y, confidence=c, n_bootstrap=300) for c in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.difference < narrow.high < wide.high


@pytest.mark.parametrize("mode", ["time", "both"])
def test_the_check_goes_through_pipelines_searches_and_transformed_targets(mode):
    X, y = made_windows()
    model = AttentionLSTMRegressor(
        attention="bahdanau", attention_mode=mode, max_epochs=2, random_state=0
    )
    search = GridSearchCV(
        Pipeline([("scale", FunctionTransformer(np.tanh)), ("lstm", model)]),
        {"lstm__hidden_size": [4]},
        cv=TimeSeriesSplit(2),
    )
    wrapped = TransformedTargetRegressor(search, func=np.arcsinh, inverse_func=np.sinh)
    for estimator in (search, wrapped):
        result = check(estimator.fit(X, y), X, y)
        np.testing.assert_array_equal(result.prediction_learned, estimator.predict(X))
        assert result.mean_absolute_change > 0


def test_the_check_takes_rows_with_lookback_and_several_outputs():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), rng.normal(size=(60, 2))
    model = fitted(X, y, lookback=4, attention="luong")
    result = check(model, X, y, scoring="neg_mean_absolute_error", block_length=4)
    assert result.mean_absolute_change.shape == (2,)
    assert result.score_learned == -mean_absolute_error(y, model.predict(X))


@pytest.mark.parametrize("estimator", ["plain", "ridge"])
def test_the_check_of_an_estimator_without_attention_says_what_to_do(estimator):
    X, y = made_windows()
    if estimator == "plain":
        model = fitted(X, y, attention_mode=None)
    else:
        X = X.reshape(len(X), -1)
        model = Ridge().fit(X, y)
    with pytest.raises(ValueError, match=r"must compute attention .* attention_mode='time'"):
        check(model, X, y)


def test_the_check_wants_one_scorer():
    X, y = made_windows(20)
    with pytest.raises(ValueError, match="once for each scorer"):
        check(fitted(X, y, max_epochs=1), X, y, scoring=["r2", "neg_mean_squared_error"])
