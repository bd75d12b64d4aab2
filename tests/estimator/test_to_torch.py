"""The torch module of a fitted estimator: raw windows in, predictions in the units of y out."""

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError

from sk_tsattn import AttentionLSTMClassifier, AttentionLSTMRegressor, make_windows
from sk_tsattn.attention._registry import ATTENTION_MECHANISMS
from sk_tsattn.datasets import load_gas_furnace

rng = np.random.default_rng(1)
WINDOWS = rng.normal(size=(30, 4, 3)) * [1, 100, 0.01] + [0, 1e5, 5]  # units differ
TARGET = 3 * WINDOWS[:, 1, 0] + 10
MISSING = np.where(rng.random(WINDOWS.shape) < 0.3, np.nan, WINDOWS)
MISSING[0, :2] = np.nan  # a short window


def quick(**changes):
    options = {"attention": "luong", "hidden_size": 4, "max_epochs": 2, "random_state": 0}
    return AttentionLSTMRegressor(**options | changes)


@pytest.mark.parametrize("X", [WINDOWS, MISSING], ids=["complete", "missing"])
@pytest.mark.parametrize(
    ("attention", "mode"),
    [(name, mode) for name, modes in ATTENTION_MECHANISMS.items() for mode in modes],
)
def test_the_module_predicts_and_attends_as_the_estimator(attention, mode, X):
    model = quick(attention=attention, attention_mode=mode).fit(WINDOWS, TARGET)
    module = model.to_torch()
    with torch.no_grad():
        prediction, weights = module.attend(torch.tensor(X))
        np.testing.assert_array_equal(module(torch.tensor(X)), prediction)
    np.testing.assert_allclose(prediction, model.predict(X), rtol=1e-12)
    expected = model.attention_weights(X)
    assert set(weights) == set(expected)
    for kind, values in weights.items():
        np.testing.assert_allclose(values, expected[kind], atol=1e-12)


def test_the_plain_network_has_no_weights():
    prediction, weights = (
        quick(attention_mode=None).fit(WINDOWS, TARGET).to_torch().attend(torch.tensor(WINDOWS))
    )
    assert prediction.shape == (30,)
    assert weights == {}


@pytest.mark.parametrize("y", [TARGET, TARGET[:, None], np.c_[TARGET, 2 * TARGET]])
def test_predictions_have_the_shape_of_the_target(y):
    model = quick().fit(WINDOWS, y)
    prediction = model.to_torch()(torch.tensor(WINDOWS)).detach().numpy()
    assert prediction.shape == y.shape
    np.testing.assert_allclose(prediction, model.predict(WINDOWS), rtol=1e-12)


def test_quantiles_are_the_last_axis():
    model = quick(loss="quantile", quantiles=(0.1, 0.5, 0.9)).fit(WINDOWS, TARGET)
    prediction = model.to_torch()(torch.tensor(WINDOWS)).detach().numpy()
    expected = model.predict(WINDOWS, quantiles=(0.1, 0.5, 0.9))
    np.testing.assert_allclose(prediction, expected, rtol=1e-12)


def test_the_module_of_a_classifier_returns_probabilities():
    model = AttentionLSTMClassifier(attention="luong", max_epochs=2, random_state=0)
    model.fit(WINDOWS, TARGET > 10)
    probabilities = model.to_torch()(torch.tensor(WINDOWS)).detach().numpy()
    np.testing.assert_allclose(probabilities, model.predict_proba(WINDOWS), rtol=1e-12)


@pytest.mark.parametrize("size", [1e200, 1e-200, 1e308])
def test_data_of_extreme_size_are_scaled_as_by_the_estimator(size):
    model = quick().fit(WINDOWS / 1e6 * size, TARGET * 1e-200)
    prediction = model.to_torch()(torch.tensor(WINDOWS / 1e6 * size)).detach()
    np.testing.assert_allclose(prediction, model.predict(WINDOWS / 1e6 * size), rtol=1e-12)


def test_a_constant_feature_has_no_influence_and_no_gradient():
    X = WINDOWS.copy()
    X[:, :, 2] = 7
    module = quick().fit(X, TARGET).to_torch()
    changed = torch.tensor(WINDOWS, requires_grad=True)
    prediction = module(changed)
    torch.testing.assert_close(prediction, module(torch.tensor(X)))
    prediction.sum().backward()
    assert (changed.grad[:, :, 2] == 0).all()
    assert (changed.grad[:, :, 0] != 0).any()


def test_training_the_module_does_not_change_the_estimator():
    model = quick().fit(WINDOWS, TARGET)
    expected = model.predict(WINDOWS)
    module = model.to_torch()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    (module(torch.tensor(WINDOWS)) ** 2).mean().backward()
    optimizer.step()
    np.testing.assert_array_equal(model.predict(WINDOWS), expected)
    assert abs(module(torch.tensor(WINDOWS)).detach().numpy() - expected).max() > 0.01


def test_the_module_predicts_the_rows_of_a_series_from_windows_of_them():
    X, y = load_gas_furnace(return_X_y=True, as_frame=True)
    model = quick(lookback=6).fit(X[:200], y[:200])
    windows, _, _ = make_windows(X, lookback=6)
    prediction = model.to_torch()(torch.tensor(windows.copy())).detach().numpy()
    np.testing.assert_allclose(prediction[195:], model.predict(X[200:]), rtol=1e-12)


def test_an_estimator_that_is_not_fitted_has_no_module():
    with pytest.raises(NotFittedError):
        quick().to_torch()
