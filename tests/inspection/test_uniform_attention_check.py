"""uniform_attention_check: predictions and scores with trained and with uniform weights."""

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn.datasets import make_fixed_cells
from sk_tsattn.inspection import uniform_attention, uniform_attention_check

T, F = 6, 4


def synthetic_windows(n=80):
    X, y, _ = make_fixed_cells(n_samples=n, n_timesteps=T, n_features=F, random_state=0)
    return X, y


def fitted(X, y, **changes):
    return AttentionLSTMRegressor(
        **{"attention": "dense", "max_epochs": 3, "random_state": 0} | changes
    ).fit(X, y)


def check(estimator, X, y, **options):
    options = {"n_bootstrap": 50, "random_state": 0} | options
    return uniform_attention_check(estimator, X, y, **options)


def test_predictions_are_compared_with_those_under_uniform_attention():
    X, y = synthetic_windows()
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
def test_attention_without_effect_makes_no_difference(mode):
    X, y = synthetic_windows()
    model = fitted(X, y, attention_mode=mode)
    for name, parameter in model.net_.module_.named_parameters():
        if "score" in name:
            parameter.data.zero_()
    result = check(model, X, y)
    assert result.mean_absolute_change == result.difference == result.low == result.high == 0


def test_attention_that_the_prediction_needs_makes_a_difference():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4, 3))
    model = fitted(X, X[:, :, 1].mean(axis=1), attention_mode="feature")
    gate = model.net_.module_.gate.score
    gate.bias.data = gate.bias.new_tensor([0.0, 20.0, 0.0])
    y = model.predict(X)  # of the model that attends to feature 1 only
    result = check(model, X, y, n_bootstrap=200)
    assert result.score_learned == 1
    assert result.difference > result.low > 0


def test_a_higher_confidence_has_a_wider_interval():
    X, y = synthetic_windows()
    model = fitted(X, y)
    at_50, at_99 = (check(model, X, y, confidence=c, n_bootstrap=300) for c in (0.5, 0.99))
    assert at_99.low < at_50.low < at_50.difference < at_50.high < at_99.high


@pytest.mark.parametrize("mode", ["time", "both"])
def test_pipelines_searches_and_transformed_targets_are_checked(mode):
    X, y = synthetic_windows()
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


@pytest.mark.filterwarnings("ignore::sk_tsattn.exceptions.HistoryWarning")
def test_rows_with_lookback_and_several_outputs_are_checked():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), rng.normal(size=(60, 2))
    model = fitted(X, y, lookback=4, attention="luong")
    result = check(model, X, y, scoring="neg_mean_absolute_error", block_length=4)
    assert result.mean_absolute_change.shape == (2,)
    assert result.score_learned == -mean_absolute_error(y, model.predict(X))


@pytest.mark.parametrize("estimator", ["plain", "ridge"])
def test_an_estimator_without_attention_is_an_error_with_advice(estimator):
    X, y = synthetic_windows()
    if estimator == "plain":
        model = fitted(X, y, attention_mode=None)
    else:
        X = X.reshape(len(X), -1)
        model = Ridge().fit(X, y)
    with pytest.raises(ValueError, match=r"must compute attention .* attention_mode='time'"):
        check(model, X, y)


def test_several_scorers_are_an_error():
    X, y = synthetic_windows(20)
    with pytest.raises(ValueError, match="once for each scorer"):
        check(fitted(X, y, max_epochs=1), X, y, scoring=["r2", "neg_mean_squared_error"])
