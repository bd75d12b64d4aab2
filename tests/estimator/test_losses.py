"""The parameter loss: what each loss predicts, quantiles, and their null models."""

import numpy as np
import pandas as pd
import pytest
import skorch
import torch
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.metrics import d2_pinball_score, mean_pinball_loss, r2_score
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn._training._loss_functions import LOSSES, REGRESSION_LOSSES
from sk_tsattn.attention import ATTENTION_MECHANISMS
from sk_tsattn.datasets import load_beijing_pm25

N, T, F = 100, 4, 2
WINDOWS = np.random.default_rng(0).normal(size=(N, T, F))
TARGET = 10 + 3 * WINDOWS[:, 1, 0] + np.random.default_rng(1).normal(size=N)
QUANTILES = (0.1, 0.5, 0.9)
MANY = np.random.default_rng(2).normal(size=(1050, T, F))
PAIR = np.column_stack([MANY[:, 1, 0], -5 * MANY[:, 0, 1]])
MECHANISMS = [(name, mode) for name, modes in ATTENTION_MECHANISMS.items() for mode in modes]
every_loss = pytest.mark.parametrize("loss", REGRESSION_LOSSES)


def quick(**changes):
    options = {"attention": "dense", "hidden_size": 4, "max_epochs": 3, "random_state": 0}
    return AttentionLSTMRegressor(**options | changes)


def quantile(**changes):
    return quick(**{"loss": "quantile", "quantiles": QUANTILES} | changes)


def loss_function(name):
    return LOSSES[name](**({"quantiles": QUANTILES} if name == "quantile" else {}))


# ------------------------------------------------------------------------------ what is predicted


CONSTANTS = {  # of the target 0, 1, ..., 9, 1000 without inputs that say anything
    "squared_error": 1045 / 11,
    "absolute_error": 5.0,
    "quantile": 5.0,
}


@pytest.mark.parametrize("loss", CONSTANTS)
def test_without_inputs_the_prediction_is_the_mean_or_the_median(loss):
    y = np.tile([*range(10), 1000.0], 20)
    X = np.zeros((len(y), 3, 1))
    model = quick(loss=loss, quantiles=QUANTILES, max_epochs=150, lr=0.01, batch_size=len(y))
    prediction = model.fit(X, y).predict(X)
    assert np.ptp(prediction) < 1e-9
    assert prediction[0] == pytest.approx(CONSTANTS[loss], rel=0.1, abs=1.0)


@pytest.mark.parametrize("loss", ["absolute_error", "huber"])
def test_an_outlier_matters_less_than_with_squared_errors(loss):
    y = TARGET.copy()
    y[::10] += 200  # every tenth target is wrong
    right = np.arange(N) % 10 > 0
    options = {"max_epochs": 40, "lr": 0.02, "batch_size": 20, "hidden_size": 8}
    narrow = {"criterion__delta": 0.05} if loss == "huber" else None
    robust = quick(loss=loss, net_params=narrow, **options).fit(WINDOWS, y)
    squared = quick(**options).fit(WINDOWS, y)
    error, error_squared = (
        np.abs(model.predict(WINDOWS) - TARGET)[right].mean() for model in (robust, squared)
    )
    assert error < 0.6 * error_squared


@every_loss
def test_the_loss_of_the_history_is_that_of_the_standardised_target(loss):
    model = quick(loss=loss, quantiles=QUANTILES, max_epochs=2)
    model.fit(WINDOWS[:80], TARGET[:80], X_val=WINDOWS[80:], y_val=TARGET[80:])
    mean, scale = TARGET[:80].mean(), TARGET[:80].std()
    asked = {"quantiles": QUANTILES} if loss == "quantile" else {}
    predicted = (model.predict(WINDOWS[80:], **asked) - mean) / scale
    error = (TARGET[80:] - mean) / scale - predicted.T
    expected = {
        "squared_error": error**2,
        "absolute_error": np.abs(error),
        "huber": np.where(np.abs(error) < 1, error**2 / 2, np.abs(error) - 0.5),
        "quantile": np.maximum(
            np.array(QUANTILES)[:, None] * error, (np.array(QUANTILES)[:, None] - 1) * error
        ),
    }[loss].mean()
    assert model.history_.valid_loss[model.n_iter_ - 1] == pytest.approx(expected)


@every_loss
def test_sample_weights_count_as_copies(loss):
    weight = np.tile([0, 1, 2], N)[:N]
    model = quick(loss=loss, quantiles=QUANTILES, batch_size=1000)
    copied = clone(model).fit(np.repeat(WINDOWS, weight, axis=0), np.repeat(TARGET, weight))
    model.fit(WINDOWS, TARGET, sample_weight=weight)
    np.testing.assert_allclose(model.predict(WINDOWS), copied.predict(WINDOWS))


def test_huber_has_its_threshold_in_net_params():
    options = {"max_epochs": 1, "loss": "huber"}
    narrow = quick(net_params={"criterion__delta": 0.01}, **options).fit(WINDOWS, TARGET)
    wide = quick(**options).fit(WINDOWS, TARGET)
    assert narrow.history_.train_loss[0] < 0.05 * wide.history_.train_loss[0]


def test_a_criterion_beside_a_loss_is_an_error():
    model = quick(loss="huber", net_params={"criterion": torch.nn.L1Loss})
    with pytest.raises(ValueError, match=r"loss is 'huber'.*drop 'criterion'"):
        model.fit(WINDOWS, TARGET)


# ------------------------------------------------------------------------------ quantiles


@pytest.fixture(scope="module", name="fitted")
def _fitted():
    return quantile(max_epochs=200, batch_size=N, hidden_size=8, lr=0.01).fit(WINDOWS, TARGET)


def test_quantiles_are_columns_that_do_not_cross(fitted):
    far = 100 * WINDOWS
    for X in (WINDOWS, far):
        predicted = fitted.predict(X, quantiles=QUANTILES)
        assert predicted.shape == (N, 3)
        assert (np.diff(predicted, axis=1) >= 0).all()


def test_the_prediction_is_the_median(fitted):
    median = fitted.predict(WINDOWS, quantiles=0.5)
    assert median.shape == (N,)
    np.testing.assert_array_equal(fitted.predict(WINDOWS), median)
    assert fitted.score(WINDOWS, TARGET) == pytest.approx(r2_score(TARGET, median))


def test_quantiles_come_in_the_order_in_which_they_are_asked_for(fitted):
    predicted = fitted.predict(WINDOWS, quantiles=QUANTILES)
    np.testing.assert_array_equal(
        fitted.predict(WINDOWS, quantiles=[0.9, 0.1]), predicted[:, [2, 0]]
    )
    np.testing.assert_array_equal(fitted.predict(WINDOWS, quantiles=[0.1]), predicted[:, :1])


def test_quantiles_cover_their_fraction_of_the_training_set(fitted):
    below = (TARGET[:, None] <= fitted.predict(WINDOWS, quantiles=QUANTILES)).mean(axis=0)
    np.testing.assert_allclose(below, QUANTILES, atol=0.1)


@pytest.mark.parametrize(("attention", "mode"), [*MECHANISMS, ("dense", None)])
def test_quantiles_hold_on_a_validation_set_that_is_large_enough(attention, mode):
    model = quantile(attention=attention, attention_mode=mode, max_epochs=1)
    model.fit(MANY[:50], PAIR[:50], X_val=MANY[50:], y_val=PAIR[50:])
    below = (PAIR[50:, :, None] <= model.predict(MANY[50:], quantiles=(0.1, 0.9))).mean(axis=0)
    np.testing.assert_allclose(below, [[0.1, 0.9]] * 2, atol=0.02)


def test_neither_the_median_nor_quantiles_with_few_windows_are_shifted():
    many, few = (
        quantile().fit(MANY[:50], PAIR[:50], X_val=MANY[50:end], y_val=PAIR[50:end])
        for end in (150, 149)
    )
    np.testing.assert_allclose(few.history_.train_loss, many.history_.train_loss)
    np.testing.assert_allclose(few.predict(MANY), many.predict(MANY))
    assert not np.allclose(few.predict(MANY, quantiles=0.9), many.predict(MANY, quantiles=0.9))


def corrections(errors):
    """Return what is added to quantiles that are 0, for these errors of two outputs."""
    y = torch.tensor(errors, dtype=torch.float64)[:, None].expand(-1, 2).clone()
    outputs = torch.zeros(len(y), 2 * len(QUANTILES), dtype=torch.float64)
    found = LOSSES["quantile"](quantiles=QUANTILES).corrections(
        outputs, y, torch.ones(len(y)).double()
    )
    found = found.reshape(2, -1).numpy()
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)
    return found[0]


def test_a_correction_is_the_quantile_of_split_conformal_prediction():
    n = 208  # 0.9 (n + 1) = 188.1, so that the 189th smallest error of 208 covers 0.9
    errors = np.random.default_rng(0).permutation(np.arange(1.0, n + 1))
    np.testing.assert_allclose(corrections(errors - n / 2), [20 - n / 2, 0, 189 - n / 2], atol=1e-6)


@pytest.mark.parametrize("n", [999, 1000])
def test_only_many_windows_make_an_interval_narrower(n):
    errors = np.arange(1.0, n + 1)  # all are above the quantiles, which are 0
    lower, _, upper = corrections(errors)
    assert upper == pytest.approx(0.9 * n, abs=2)
    assert lower == pytest.approx(0.1 * n if n >= 1000 else 0, abs=2)
    np.testing.assert_allclose(corrections(-errors), [-upper, 0, -lower], atol=1e-6)


def test_several_outputs_have_quantiles_each(fitted):
    both = np.column_stack([TARGET, -1000 * TARGET])
    model = clone(fitted).fit(WINDOWS, both)
    assert model.predict(WINDOWS).shape == (N, 2)
    predicted = model.predict(WINDOWS, quantiles=(0.1, 0.9))
    assert predicted.shape == (N, 2, 2)
    assert (predicted[:, :, 0] <= predicted[:, :, 1]).all()
    below = (both[:, :, None] <= predicted).mean(axis=0)
    np.testing.assert_allclose(below, [[0.1, 0.9]] * 2, atol=0.1)
    column = quantile().fit(WINDOWS, TARGET[:, None])
    assert column.predict(WINDOWS, quantiles=(0.1, 0.9)).shape == (N, 1, 2)


def test_one_quantile_is_the_prediction():
    model = quantile(quantiles=[0.9], max_epochs=100, batch_size=N, lr=0.01).fit(WINDOWS, TARGET)
    assert (model.predict(WINDOWS) > TARGET).mean() == pytest.approx(0.9, abs=0.08)


def test_a_quantile_is_the_best_of_the_fitted_ones_at_its_own_loss(fitted):
    predicted = fitted.predict(WINDOWS, quantiles=QUANTILES)
    for column, alpha in enumerate(QUANTILES):
        losses = [mean_pinball_loss(TARGET, values, alpha=alpha) for values in predicted.T]
        assert np.argmin(losses) == column
        assert d2_pinball_score(TARGET, predicted[:, column], alpha=alpha) > 0.3


@pytest.mark.parametrize(
    "quantiles", [0.5, (), (0.9, 0.5), (0.5, 0.5), (0.1, 0.9), (0.0, 0.5), (0.5, 1.0), "0.5", None]
)
def test_quantiles_that_cannot_be_fitted_are_an_error(quantiles):
    with pytest.raises(ValueError, match=r"'quantiles' parameter .* increasing .* with 0.5 among"):
        quantile(quantiles=quantiles).fit(WINDOWS, TARGET)


@pytest.mark.parametrize("quantiles", [0.3, (0.1, 0.3), ()])
def test_a_quantile_that_is_not_fitted_is_an_error_that_names_the_fitted_ones(fitted, quantiles):
    with pytest.raises(ValueError, match=r"fitted on the quantiles \[0.1, 0.5, 0.9\]. Got"):
        fitted.predict(WINDOWS, quantiles=quantiles)


def test_quantiles_of_an_estimator_without_them_are_an_error():
    model = quick().fit(WINDOWS, TARGET)
    with pytest.raises(ValueError, match=r"has no quantiles. Got 0.5 instead; set loss='quantile'"):
        model.predict(WINDOWS, quantiles=0.5)


def test_another_parameter_after_fit_does_not_change_what_was_fitted():
    model = quantile().fit(WINDOWS, TARGET)
    before = model.predict(WINDOWS, quantiles=(0.1, 0.9))
    model.set_params(quantiles=(0.2, 0.5), loss="huber")
    np.testing.assert_array_equal(model.predict(WINDOWS, quantiles=(0.1, 0.9)), before)


@pytest.mark.filterwarnings("ignore::sk_tsattn.exceptions.HistoryWarning")  # the first rows
def test_tools_of_scikit_learn_take_quantiles():
    rows = pd.DataFrame(WINDOWS[:, 0], index=pd.date_range("2024", periods=N, freq="h"))
    rows.columns = ["u", "v"]
    model = quantile(lookback=3)
    result = cross_validate(model, rows, TARGET, cv=TimeSeriesSplit(2), error_score="raise")
    assert np.isfinite(result["test_score"]).all()
    search = GridSearchCV(model, {"loss": list(REGRESSION_LOSSES)}, cv=TimeSeriesSplit(2))
    assert search.fit(rows, TARGET).best_params_["loss"] in REGRESSION_LOSSES
    pipe = make_pipeline(FunctionTransformer(), model).fit(rows, TARGET)
    assert pipe.predict(rows[4:], quantiles=[0.1, 0.9]).shape == (N - 4, 2)


@pytest.mark.filterwarnings("ignore::sk_tsattn.exceptions.HistoryWarning")
def test_intervals_cover_new_hours_of_a_real_series():
    X, y = load_beijing_pm25(return_X_y=True, as_frame=True)
    X, y = X[8000:11000], y[8000:11000]  # without a change of level
    model = AttentionLSTMRegressor(
        attention="luong", loss="quantile", lookback=12, max_epochs=15, random_state=0
    ).fit(X[:2400], y[:2400])
    low_95, low_80, high_80, high_95 = model.predict(X[2400:], quantiles=(0.025, 0.1, 0.9, 0.975)).T
    true = y[2400:].to_numpy()
    assert ((low_80 <= true) & (true <= high_80)).mean() == pytest.approx(0.8, abs=0.1)
    assert ((low_95 <= true) & (true <= high_95)).mean() == pytest.approx(0.95, abs=0.05)


def test_a_callback_scores_the_median():
    scoring = skorch.callbacks.EpochScoring("r2", lower_is_better=False, name="r2")
    model = quantile(callbacks=[scoring])
    model.fit(WINDOWS[:80], TARGET[:80], X_val=WINDOWS[80:], y_val=TARGET[80:])
    recorded = model.net_.history[model.n_iter_ - 1, "r2"]
    assert recorded == pytest.approx(model.score(WINDOWS[80:], TARGET[80:]))


# ------------------------------------------------------------------------------ loss functions


@pytest.mark.parametrize("name", REGRESSION_LOSSES)
def test_the_null_prediction_has_the_lowest_weighted_loss(name):
    y = np.random.default_rng(0).exponential(size=(40, 2))
    weight = np.random.default_rng(1).uniform(size=40)
    function = loss_function(name)

    def loss(outputs):
        outputs = torch.as_tensor(outputs).expand(40, -1)
        return float(function(outputs, torch.as_tensor(y)) @ torch.as_tensor(weight))

    best = function.null_prediction(torch.as_tensor(y), torch.as_tensor(weight)).numpy()
    assert best.shape == (function.n_outputs(2),)
    found = minimize(loss, best, method="Nelder-Mead", options={"maxfev": 2000})
    assert loss(best) <= found.fun * (1 + 1e-9)
    shifts = np.random.default_rng(2).normal(scale=0.1, size=(50, len(best)))
    assert all(loss(best) <= loss(best + shift) for shift in shifts)


def test_the_null_predictions_are_means_medians_and_frequencies():
    y = torch.tensor([[0.0], [1.0], [2.0], [9.0]], dtype=torch.float64)
    weight = torch.tensor([1.0, 1.0, 2.0, 1.0], dtype=torch.float64)
    mean = loss_function("squared_error").null_prediction(y, weight)
    assert float(mean) == pytest.approx(14 / 5)
    assert float(loss_function("absolute_error").null_prediction(y, weight)) == pytest.approx(2.0)
    quantiles = loss_function("quantile").null_prediction(y, weight)
    np.testing.assert_allclose(quantiles, [0.0, 2.0, 9.0], atol=1e-5)
    classes = torch.eye(3, dtype=torch.float64)[[0, 0, 1, 1]]
    probabilities = LOSSES["log_loss"]().null_prediction(classes, weight).softmax(dim=0)
    np.testing.assert_allclose(probabilities, [0.4, 0.6, 0.0], atol=2e-3)


def test_cross_entropy_is_that_of_torch():
    outputs, labels = torch.randn(20, 4), torch.arange(20) % 4
    ours = LOSSES["log_loss"]()(outputs, torch.eye(4)[labels])
    theirs = torch.nn.functional.cross_entropy(outputs, labels, reduction="none")
    torch.testing.assert_close(ours, theirs)
