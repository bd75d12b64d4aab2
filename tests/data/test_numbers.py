"""Numbers of every finite size: the right value, or an error that names the column."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn._data import _batches
from sk_tsattn.attention import ATTENTION_MECHANISMS
from sk_tsattn.inspection import faithfulness, permutation_importance, uniform_attention_check

N = 200
LARGEST = np.finfo(np.float64).max
rng = np.random.default_rng(0)
TIMES = pd.date_range("2024-01-01", periods=N, freq="h")
X = pd.DataFrame(rng.normal(size=(N, 2)), columns=["u", "v"], index=TIMES)
Y = X["u"].shift(2).fillna(0)  # u, two rows before
WINDOWS = rng.normal(size=(60, 4, 3))
TARGET = WINDOWS[:, 1, 0]
EVERY_ATTENTION = [
    (name, mode) for name, modes in ATTENTION_MECHANISMS.items() for mode in modes
] + [("bottleneck", None)]
every_attention = pytest.mark.parametrize(("attention", "mode"), EVERY_ATTENTION)

# One epoch may be worse than the null model.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def quick(**changes):
    """Return a plain LSTM that fits the lag within a second."""
    options = {"lookback": 4, "context": "mask", "max_epochs": 30, "lr": 0.01, "hidden_size": 16}
    options |= {"batch_size": 32, "attention_mode": None, "random_state": 0}
    return AttentionLSTMRegressor(**options | changes)


def with_cell(frame, value):
    frame = frame.copy()
    frame.iloc[100, 0] = value
    return frame


# ------------------------------------------------------------------------------ extreme sizes


@pytest.fixture(scope="module")
def ordinary():
    model = quick().fit(X, Y)
    assert model.score(X, Y) > 0.95
    return model


SIZES = [1e-320, 1e-310, 1e-170, 1e-160, 1e160, 1e299]


@pytest.mark.parametrize("size", SIZES)
def test_targets_of_extreme_size_are_predicted_like_ordinary_ones(ordinary, size):
    model = quick().fit(X, Y * size)
    assert model.score(X, Y * size) == pytest.approx(ordinary.score(X, Y), abs=1e-4)
    np.testing.assert_allclose(
        model.predict(X) / size, ordinary.predict(X), rtol=1e-3, atol=1e-2 if size < 1e-300 else 0
    )


@pytest.mark.parametrize("size", [*SIZES, LARGEST / 10])
def test_features_of_extreme_size_have_the_predictions_of_ordinary_ones(ordinary, size):
    model = quick().fit(X * size, Y)
    np.testing.assert_allclose(model.predict(X * size), ordinary.predict(X), atol=1e-2)


def test_sample_weights_of_extreme_size_act_like_ordinary_ones():
    weight = np.linspace(1, 2, N)
    expected = quick(max_epochs=3).fit(X, Y, weight)
    for power in (-1060, -600, 600, 1022):
        extreme = np.ldexp(weight, power)
        model = quick(max_epochs=3).fit(X, Y, extreme)
        np.testing.assert_allclose(model.predict(X), expected.predict(X), rtol=1e-3)
        score = expected.score(X, Y, weight)
        assert model.score(X, Y, extreme) == pytest.approx(score, rel=1e-3)


@pytest.mark.parametrize("value", [LARGEST, -LARGEST, 1e37, 1e20])
def test_a_fill_value_at_predict_is_refused_by_column(ordinary, value):
    with pytest.raises(ValueError, match=r"X must hold numbers within .* in column 'u' instead"):
        ordinary.predict(with_cell(X, value))
    with pytest.raises(ValueError, match=r"in column 'u' instead; if it stands for a missing"):
        ordinary.score(with_cell(X, value), Y)


def test_a_fill_value_is_refused_by_column_where_batches_are_read_from_disk(monkeypatch):
    monkeypatch.setattr(_batches, "RESIDENT_BYTES", 100)
    model = quick(max_epochs=1).fit(X, Y)
    with pytest.raises(ValueError, match=r"Got 1e\+37 in column 'u' instead"):
        model.predict(with_cell(X, 1e37))


@pytest.mark.parametrize("value", [-9999.0, 1e9, -1e12])
def test_an_unusual_value_that_is_no_fill_value_is_accepted(ordinary, value):
    assert np.isfinite(ordinary.predict(with_cell(X, value))).all()


@pytest.mark.parametrize("value", [LARGEST, -LARGEST, 1e200, 1e37, 1e12])
def test_a_fill_value_in_the_training_set_is_warned_about_by_column(value):
    Z = with_cell(X, value)
    with pytest.warns(UserWarning, match=r"X has a few values in column 'u' .*missing values"):
        model = quick(max_epochs=2).fit(Z, Y)
    assert np.isfinite(model.predict(Z)).all()
    assert np.isfinite(model.predict(X)).all()
    if abs(value) < 1e300:
        with pytest.warns(UserWarning, match=r"y has a few values in column 0 .*missing values"):
            model = quick(max_epochs=2).fit(X, with_cell(Y.to_frame(), value))
        assert np.isfinite(model.predict(X)).all()


@pytest.mark.parametrize("kind", ["sparse", "heavy tails", "trend", "one event", "two values"])
def test_unusual_distributions_are_no_fill_values(kind):
    values = {
        "sparse": np.where(np.arange(N) % 50 == 0, 1e6, 0.0),
        "heavy tails": np.exp(5 * rng.normal(size=N)),
        "trend": 1e9 + np.arange(N),
        "one event": np.where(np.arange(N) == 100, 1e9, 0.0),
        "two values": np.where(np.arange(N) % 2, 1e-9, 1e9),
    }[kind]
    assert np.isfinite(quick(max_epochs=1).fit(X.assign(u=values), Y).predict(X)).all()


def test_unscaled_data_of_extreme_size_are_refused_by_column():
    model = quick(standardize=False, max_epochs=2)
    with pytest.raises(ValueError, match=r"X must hold numbers.*1e\+160 in column 'u' instead"):
        model.fit(with_cell(X, 1e160), Y)
    y = Y.copy()
    y.iloc[100] = 1e160
    with pytest.raises(ValueError, match=r"y must hold numbers.*1e\+160 in column 0 instead"):
        model.fit(X, y)


def test_validation_data_of_extreme_size_are_refused_by_column():
    y = Y.copy()
    y.iloc[100] = 1e160
    with pytest.raises(ValueError, match=r"X must hold numbers.*in column 'u' instead"):
        quick().fit(X, Y, X_val=with_cell(X, 1e160), y_val=Y)
    with pytest.raises(ValueError, match=r"y must hold numbers.*in column 0 instead"):
        quick().fit(X, Y, X_val=X, y_val=y)


def test_targets_near_the_largest_number_are_refused():
    with pytest.raises(ValueError, match=r"y must hold numbers of at most 1.3e\+300.*divide"):
        quick().fit(X, Y * (LARGEST / 10))


def test_an_extreme_value_in_a_row_of_no_window_has_no_effect():
    weight = np.ones(N)
    weight[100:104] = 0  # all windows that contain row 100
    expected = quick(max_epochs=3).fit(X, Y, weight)
    model = quick(max_epochs=3).fit(with_cell(X, 1e200), Y, weight)
    np.testing.assert_array_equal(model.predict(X), expected.predict(X))


def test_predictions_that_are_not_finite_are_refused(ordinary):
    model = quick(max_epochs=1).fit(X, Y)
    for parameter in model.net_.module_.parameters():
        parameter.data.fill_(np.nan)
    with pytest.raises(ValueError, match=r"Predictions must be finite.*200 of 200.*smaller lr"):
        model.predict(X)


@pytest.mark.parametrize("value", [0.0, 1e-170, -5.0, 1e300])
def test_a_constant_target_is_predicted(value):
    predicted = quick(max_epochs=3).fit(X, np.full(N, value)).predict(X)
    np.testing.assert_allclose(predicted, value, rtol=0.2, atol=0 if value else 0.2)


@pytest.mark.parametrize(
    ("n_rows", "early_stopping"), [(4, False), (5, True), (5, False), (6, True), (7, "auto")]
)
@pytest.mark.parametrize("mode", ["both", None])
def test_training_on_very_few_rows_has_no_numerical_warning(n_rows, early_stopping, mode):
    model = quick(attention_mode=mode, early_stopping=early_stopping, max_epochs=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        model.fit(X[:n_rows], Y[:n_rows])
    assert np.isfinite(model.predict(X)).all()


@every_attention
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_the_largest_values_that_are_accepted_leave_every_mechanism_finite(
    attention, mode, precision
):
    options = {
        "lookback": None,
        "hidden_size": 8,
        "max_epochs": 2,
        "attention": attention,
        "precision": precision,
    }
    for standardize in (True, False):
        model = quick(attention_mode=mode, standardize=standardize, **options)
        model.fit(WINDOWS, TARGET)
        for cell in [(0, 3, 0), (0, slice(None), 1), 0]:
            extreme = WINDOWS.copy()
            extreme[cell] = -4e15 * WINDOWS.std()
            assert np.isfinite(model.predict(extreme)).all()
            if mode is not None:
                weights = model.attention_weights(extreme)
                assert all(np.isfinite(values).all() for values in weights.values())


@pytest.mark.parametrize("size", [1e-170, 1e160])
def test_inspection_of_targets_of_extreme_size_is_that_of_ordinary_ones(size):
    options = {"lookback": None, "attention_mode": "both", "attention": "luong"}
    found = []
    for y in (TARGET, TARGET * size):
        model = quick(max_epochs=5, **options).fit(WINDOWS, y)
        importances = permutation_importance(model, WINDOWS, y, random_state=0)
        check = uniform_attention_check(model, WINDOWS, y, n_bootstrap=20, random_state=0)
        found.append([*importances.frame["mean"], check.difference, check.low, check.high])
    np.testing.assert_allclose(found[1], found[0], rtol=1e-6)
    with pytest.raises(
        ValueError, match=r"y must hold numbers between 1e-120 and 1e120.*fit again"
    ):
        faithfulness(model, WINDOWS, y)


@given(
    x_size=st.floats(-323, 307),
    y_size=st.floats(-323, 307),
    new=st.floats(-LARGEST, LARGEST),
    standardize=st.booleans(),
)
def test_finite_numbers_give_finite_predictions_or_an_error_of_this_package(
    x_size, y_size, new, standardize
):
    rows, y = X.to_numpy()[:20] / 4 * 10.0**x_size, Y.to_numpy()[:20] / 4 * 10.0**y_size
    model = quick(max_epochs=1, hidden_size=2, standardize=standardize)
    message = ""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            assert np.isfinite(model.fit(rows, y).predict(rows)).all()
            rows[3, 1] = new
            assert np.isfinite(model.predict(rows)).all()
        except ValueError as error:
            message = str(error)
    assert not message or ("must hold numbers" in message and "in column" in message)


# ------------------------------------------------------------------------------ constant features


@every_attention
@pytest.mark.parametrize("standardize", [True, False])
def test_a_feature_that_is_constant_in_training_has_no_influence(attention, mode, standardize):
    options = {"lookback": None, "hidden_size": 8, "max_epochs": 3, "standardize": standardize}
    constant = WINDOWS.copy()
    constant[..., 2] = 0.1
    model = quick(attention=attention, attention_mode=mode, **options).fit(constant, TARGET)
    expected = model.predict(constant)
    attended = None if mode is None else model.attention_weights(constant)
    for value in (0.0, 0.1000001, 5.0, -1e30, LARGEST):
        changed = constant.copy()
        changed[..., 2] = value
        np.testing.assert_array_equal(model.predict(changed), expected)
        if attended is not None:
            for axes, weights in model.attention_weights(changed).items():
                np.testing.assert_array_equal(weights, attended[axes])


def test_a_feature_that_is_constant_up_to_the_split_has_no_influence_after_it():
    Z = X.assign(v=np.where(np.arange(N) < 170, 1.0, 7.0))
    model = quick(max_epochs=3, early_stopping=True, validation_fraction=0.2).fit(Z, Y)
    np.testing.assert_array_equal(model.predict(Z), model.predict(Z.assign(v=-40.0)))


def test_a_feature_that_is_constant_at_first_and_varies_later_is_warned_about():
    Z = X.assign(v=np.where(np.arange(N) < 100, 1.0, 7.0))
    model = quick().partial_fit(Z[:50], Y[:50]).partial_fit(Z[50:100], Y[50:100])
    with pytest.warns(UserWarning, match=r"no influence\. Got other values of 'v' to go on with"):
        model.partial_fit(Z[100:], Y[100:])


# ------------------------------------------------------------------------------ missing values


def test_infinite_features_are_named_by_column():
    Z = X.copy()
    Z.loc[TIMES[7:9], "v"] = np.inf
    Z.loc[TIMES[20], "u"] = np.nan
    with pytest.raises(ValueError, match=r"infinity.*column 'v', in 2 of 200 rows \(7, 8\)"):
        quick().fit(Z, Y)
    with pytest.raises(ValueError, match=r"X contains infinity.*columns 0, 1, in 1 of 200 rows"):
        quick().fit(np.where(np.arange(N)[:, None] == 3, np.inf, X), Y)
    windows = WINDOWS.copy()
    windows[4, 2, 1] = -np.inf
    with pytest.raises(ValueError, match=r"Got infinity in the column 1, in 1 of 60 rows \(4\)"):
        quick(lookback=None).fit(windows, TARGET)


def test_missing_targets_are_named_by_row_with_advice():
    unknown = X["u"].shift(-1)
    with pytest.raises(ValueError, match=r"y contains NaN") as caught:
        quick().fit(X, unknown)
    message = str(caught.value)
    assert "1 of 200 rows (199; labelled 2024-01-09 07:00:00)" in message
    assert "drop these rows from X and y, or give them sample_weight 0" in message
    assert "shift(-h)" in message
    many = Y.where(np.arange(N) % 2 == 0)
    with pytest.raises(ValueError, match=r"Got NaN in 100 of 200 rows \(1, 3, 5, 7, 9, \.\.\."):
        quick().fit(X.to_numpy(), many.to_numpy())


@pytest.mark.parametrize("missing", [np.nan, np.inf])
def test_rows_with_weight_zero_need_no_target_and_serve_as_history(missing):
    weight = np.ones(N)
    weight[[50, 51, 120, N - 1]] = 0
    unknown = Y.where(weight > 0, missing)
    expected = quick(max_epochs=3).fit(X, Y, weight)
    model = quick(max_epochs=3).fit(X, unknown, weight)
    np.testing.assert_array_equal(model.predict(X), expected.predict(X))
    assert model.score(X, unknown, weight) == expected.score(X, Y, weight)
    validated = quick(max_epochs=3).fit(X, Y, X_val=X, y_val=unknown, sample_weight_val=weight)
    assert np.isfinite(validated.history_.valid_loss).all()
    weight[50] = 1
    with pytest.raises(ValueError, match=r"in 1 of 200 rows \(50; labelled 2024-01-03 02"):
        quick().fit(X, unknown, weight)
