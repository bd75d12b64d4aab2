"""Validation of X, y and parameters: accepted types, and errors before training."""

import inspect
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn import _training as training
from sk_tsattn._param_validation import CONSTRAINTS
from sk_tsattn.attention import ATTENTION_MECHANISMS, ATTENTION_MODES

pytestmark = pytest.mark.filterwarnings("ignore::sk_tsattn.exceptions.HistoryWarning")

N, T, F = 30, 5, 3
rng = np.random.default_rng(0)
# Integers: every type below represents them exactly, so that all predictions must be equal.
WINDOWS = rng.integers(-50, 50, size=(N, T, F)).astype(np.float64)
ROWS = rng.integers(-50, 50, size=(N, F)).astype(np.float64)
TARGET = rng.integers(-50, 50, size=N).astype(np.float64)
TIMES = pd.date_range("2020-01-01", periods=N, freq="h")
FRAME = pd.DataFrame(ROWS, columns=["temp", "wind", "rain"], index=TIMES)


def quick(**changes):
    return AttentionLSTMRegressor(
        **{"hidden_size": 4, "max_epochs": 2, "random_state": 0} | changes
    )


@pytest.fixture
def no_training(monkeypatch):
    """Fail if training begins."""

    def train(*args, **kwargs):
        pytest.fail("training has begun")

    monkeypatch.setattr(training, "train", train)


# ------------------------------------------------------------------------------ kinds of input


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


KINDS = {
    "list": lambda a, _: a.tolist(),
    "read-only": lambda a, _: read_only(a),
    "memory map": lambda a, path: on_disk(a, path),
    "tensor": lambda a, _: torch.as_tensor(a),
    "tensor with gradient": lambda a, _: torch.as_tensor(a).requires_grad_(),
    "float32": lambda a, _: a.astype(np.float32),
    "float16": lambda a, _: a.astype(np.float16),
    "int64": lambda a, _: a.astype(np.int64),
    "int8": lambda a, _: a.astype(np.int8),
    "Fortran order": lambda a, _: np.asfortranarray(a),
    "strided view": lambda a, _: np.repeat(a, 2, axis=0)[::2],
    "other byte order": lambda a, _: a.astype(">f8"),
    "objects that are numbers": lambda a, _: a.astype(object),
}


def on_disk(array, path):
    """Return a read-only memory map of an array."""
    np.save(path / "array.npy", array)
    return np.load(path / "array.npy", mmap_mode="r")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("array", "lookback"), [(WINDOWS, None), (ROWS, 4)], ids=["3-D", "2-D"])
def test_predictions_do_not_depend_on_the_type_of_the_array(array, lookback, kind, tmp_path):
    X = KINDS[kind](array, tmp_path)
    expected = quick(lookback=lookback).fit(array, TARGET).predict(array)
    model = quick(lookback=lookback).fit(X, TARGET)
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-9)
    np.testing.assert_allclose(model.predict(array), expected, rtol=1e-9)
    assert model.n_features_in_ == F
    assert model.n_timesteps_in_ == (lookback or T)


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "memory map"])
def test_predictions_do_not_depend_on_the_type_of_the_target(kind):
    expected = quick().fit(WINDOWS, TARGET).predict(WINDOWS)
    model = quick().fit(WINDOWS, KINDS[kind](TARGET, None))
    np.testing.assert_allclose(model.predict(WINDOWS), expected, rtol=1e-9)


@pytest.mark.parametrize(
    "to_frame",
    [
        lambda: pd.DataFrame(ROWS, columns=FRAME.columns),
        lambda: pd.DataFrame(ROWS, columns=FRAME.columns).astype("Float64"),
        lambda: pd.DataFrame(ROWS, columns=FRAME.columns).astype({"temp": int, "wind": "int8"}),
        lambda: pytest.importorskip("polars").DataFrame(ROWS, schema=list(FRAME.columns)),
    ],
    ids=["pandas", "pandas nullable", "pandas of several types", "polars"],
)
def test_predictions_do_not_depend_on_the_type_of_the_frame_and_names_are_kept(to_frame):
    expected = quick(lookback=4).fit(ROWS, TARGET).predict(ROWS)
    X = to_frame()
    model = quick(lookback=4).fit(X, pd.Series(TARGET))
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-9)
    assert model.feature_names_in_.tolist() == ["temp", "wind", "rain"]
    assert model.n_features_in_ == F


def test_input_is_not_changed():
    X, y, weight = WINDOWS.copy(), TARGET.copy(), np.ones(N)
    model = quick().fit(X, y, weight)
    model.predict(X)
    model.attention_weights(X)
    np.testing.assert_array_equal(X, WINDOWS)
    np.testing.assert_array_equal(y, TARGET)
    np.testing.assert_array_equal(weight, 1)
    frame = FRAME.copy()
    quick(lookback=3).fit(frame, TARGET).predict(frame)
    pd.testing.assert_frame_equal(frame, FRAME)


def test_without_lookback_a_row_is_a_window_of_one_step():
    by_rows = quick().fit(ROWS, TARGET)
    by_windows = quick().fit(ROWS[:, None], TARGET)
    assert by_rows.n_timesteps_in_ == 1
    assert by_rows.n_features_in_ == F
    np.testing.assert_allclose(by_rows.predict(ROWS), by_windows.predict(ROWS[:, None]))
    order = np.random.default_rng(0).permutation(N)
    np.testing.assert_allclose(by_rows.predict(ROWS[order]), by_rows.predict(ROWS)[order])


def test_a_time_index_without_lookback_is_warned_about():
    with pytest.warns(UserWarning, match=r"lookback=None uses each row alone.*Set lookback"):
        quick().fit(FRAME, TARGET)
    quick(lookback=1).fit(FRAME, TARGET)  # explicit: no warning, which would be an error


def test_lookback_keeps_the_newest_steps_of_windows():
    short = quick(lookback=2).fit(WINDOWS, TARGET)
    cut = quick().fit(WINDOWS[:, -2:], TARGET)
    assert short.n_timesteps_in_ == 2
    np.testing.assert_allclose(short.predict(WINDOWS), cut.predict(WINDOWS[:, -2:]))


@pytest.mark.parametrize("mode", [None, *ATTENTION_MODES])
def test_the_window_of_row_t_is_rows_t_minus_lookback_plus_1_to_t(mode):
    lookback, t = 4, 15
    # Before training gates are uniform, and every step already has an influence.
    model = quick(lookback=lookback, attention_mode=mode).fit(ROWS, TARGET)
    before = model.predict(ROWS)
    assert len(before) == len(ROWS)
    for row in range(N):
        changed = ROWS.copy()
        changed[row] += 40
        influenced = np.flatnonzero(np.abs(model.predict(changed) - before) > 1e-12)
        expected = np.arange(row, min(row + lookback, N))
        np.testing.assert_array_equal(influenced, expected)
        assert (t in influenced) == (t - lookback + 1 <= row <= t)


# ------------------------------------------------------------------------------ y


def test_predictions_have_the_shape_of_y():
    for shape in [(N,), (N, 1), (N, 2)]:
        y = rng.normal(size=shape)
        prediction = quick().fit(WINDOWS, y).predict(WINDOWS)
        assert prediction.shape == shape
        assert prediction.dtype == np.float64
        rows = quick(lookback=3).fit(ROWS, y).predict(ROWS)
        assert rows.shape == shape
    assert quick().fit(WINDOWS, rng.normal(size=(N, 2))).n_outputs_ == 2


@pytest.mark.parametrize("standardize", [True, False])
def test_a_column_of_y_is_predicted_as_a_vector_is(standardize):
    y = TARGET / 50
    vector = quick(standardize=standardize).fit(WINDOWS / 50, y)
    column = quick(standardize=standardize).fit(WINDOWS / 50, y[:, None])
    np.testing.assert_allclose(
        column.predict(WINDOWS / 50)[:, 0], vector.predict(WINDOWS / 50), rtol=1e-9
    )


def test_predictions_are_in_the_units_of_y():
    kelvin = quick().fit(WINDOWS, 273.15 + TARGET).predict(WINDOWS)
    celsius = quick().fit(WINDOWS, TARGET).predict(WINDOWS)
    np.testing.assert_allclose(kelvin, 273.15 + celsius)
    milli = quick().fit(WINDOWS, 1000 * TARGET).predict(WINDOWS)
    np.testing.assert_allclose(milli, 1000 * celsius)


def test_each_output_is_in_its_own_units():
    y = np.column_stack([TARGET, 1e6 + 1e4 * TARGET])
    prediction = quick().fit(WINDOWS, y).predict(WINDOWS)
    assert np.abs(prediction[:, 0]).max() < 1e3
    assert np.abs(prediction[:, 1] - 1e6).max() < 1e6


def test_predictions_do_not_depend_on_the_units_of_X():
    expected = quick().fit(WINDOWS, TARGET).predict(WINDOWS)
    other = WINDOWS * [1, 1000, 0.001] + [0, -5, 101_325]
    np.testing.assert_allclose(quick().fit(other, TARGET).predict(other), expected, rtol=1e-6)
    raw = quick(standardize=False).fit(WINDOWS / 50, TARGET / 50)
    scaled = quick(standardize=False).fit(WINDOWS / 25, TARGET / 50)
    assert not np.allclose(raw.predict(WINDOWS / 50), scaled.predict(WINDOWS / 25), rtol=1e-3)


# ------------------------------------------------------------------------------ errors in X and y


def with_value(array, value):
    array = np.array(array, dtype=np.result_type(array, type(value)))
    array[-1, ..., 0] = value
    return array


BAD_X = {
    "1-D": (ROWS[:, 0], None, r"Expected 2D array, got 1D.*Reshape your data"),
    "4-D": (WINDOWS[..., None], None, r"\(n_samples, n_timesteps, n_features\).*\(30, 5, 3, 1\)"),
    "a number": (3.0, None, r"Expected 2D array, got scalar array"),
    "no rows": (ROWS[:0], None, r"Found array with 0 sample\(s\) \(shape=\(0, 3\)\)"),
    "no windows": (WINDOWS[:0], None, r"Found array with 0 sample\(s\) \(shape=\(0, 5, 3\)\)"),
    "no steps": (WINDOWS[:, :0], None, r"at least 1 step and 1 feature.*\(30, 0, 3\)"),
    "no features": (ROWS[:, :0], None, r"0 feature\(s\) \(shape=\(30, 0\)\)"),
    "no features in windows": (WINDOWS[..., :0], None, r"0 feature\(s\) \(shape=\(30, 5, 0\)\)"),
    "infinite": (with_value(WINDOWS, np.inf), None, r"Input X contains infinity"),
    "infinite in rows": (with_value(ROWS, -np.inf), 4, r"Input X contains infinity.*by NaN"),
    "complex": (with_value(WINDOWS, 1j), None, r"Complex data not supported"),
    "text": (np.full((N, F), "warm"), 4, r"X must hold numbers.*OneHotEncoder"),
    "objects": (with_value(WINDOWS.astype(object), "warm"), None, r"X must hold numbers.*warm"),
    "ragged": ([[[1.0, 2.0]], [[1.0, 2.0], [3.0, 4.0]]] * 15, None, r"inhomogeneous|X must"),
    "sparse": (scipy.sparse.csr_matrix(ROWS), None, r"[Ss]parse data was passed.*toarray"),
    "too short for lookback": (ROWS[:3], 4, r"at least lookback=4 rows.*n_samples=3.*lower lookb"),
    "too few steps": (WINDOWS, 9, r"at least lookback=9 steps\. Got 5 steps.*\(30, 5, 3\)"),
    "time stamps in a column": (
        FRAME.reset_index(names="when"),
        4,
        r"X must hold numbers\. Got the column 'when' \(datetime.*belongs in the index",
    ),
    "text in a column": (
        FRAME.assign(wind="SW"),
        4,
        r"X must hold numbers\. Got .*(wind|SW).*get_dummies",
    ),
}


@pytest.mark.parametrize("case", BAD_X)
def test_an_invalid_X_is_an_error_before_training(case, no_training):
    X, lookback, message = BAD_X[case]
    y = TARGET[: X.shape[0]] if hasattr(X, "shape") else TARGET
    with pytest.raises((ValueError, TypeError), match=f"(?s){message}"):
        quick(lookback=lookback).fit(X, y)


BAD_Y = {
    "too few": (TARGET[:-1], r"y must have shape \(30,\) or \(30, n_outputs\).*\(29,\) instead"),
    "too many": (np.zeros((31, 2)), r"one target for each row.*\(31, 2\).*make_windows cuts"),
    "three axes": (np.zeros((N, 2, 2)), r"(3|dim)"),
    "NaN": (np.where(np.arange(N) == 3, np.nan, TARGET), r"Input y contains NaN"),
    "infinite": (np.where(np.arange(N) == 3, np.inf, TARGET), r"Input y contains infinity"),
    "text": (["low"] * N, r"(?s)y must hold numbers.*low"),
    "complex": (TARGET + 1j, r"Complex data not supported"),
    "no columns": (np.zeros((N, 0)), r"0 feature\(s\)|n_outputs"),
    "none": (None, r"requires y to be passed.*give one target for each row"),
}


@pytest.mark.parametrize("case", BAD_Y)
def test_an_invalid_y_is_an_error_before_training(case, no_training):
    y, message = BAD_Y[case]
    with pytest.raises(ValueError, match=message):
        quick().fit(WINDOWS, y)


BAD_WEIGHT = {
    "too few": (np.ones(29), r"sample_weight must have shape \(30,\).*\(29,\)"),
    "two axes": (np.ones((N, 1)), r"sample_weight must have shape \(30,\).*\(30, 1\)"),
    "negative": (np.full(N, -1.0), r"must be >= 0\. Got -1\.0 instead; drop"),
    "all zero": (np.zeros(N), r"at least one non-zero.*leave sample_weight out"),
    "NaN": (np.full(N, np.nan), r"sample_weight contains NaN"),
}


@pytest.mark.parametrize("case", BAD_WEIGHT)
def test_an_invalid_sample_weight_is_an_error_before_training(case, no_training):
    weight, message = BAD_WEIGHT[case]
    with pytest.raises(ValueError, match=message):
        quick().fit(WINDOWS, TARGET, weight)


def test_weights_of_incomplete_windows_alone_are_refused(no_training):
    weight = np.r_[np.ones(3), np.zeros(N - 3)]
    with pytest.raises(ValueError, match=r"at least one complete window whose sample_weight"):
        quick(lookback=4).fit(ROWS, TARGET, weight)


BAD_VAL = {
    "y_val alone": ({"y_val": TARGET}, r"y_val, .* and groups_val need X_val"),
    "weights alone": (
        {"sample_weight_val": TARGET},
        r"y_val, sample_weight_val and groups_val need X_val",
    ),
    "no y_val": ({"X_val": WINDOWS}, r"X_val needs y_val"),
    "too few y_val": ({"X_val": WINDOWS, "y_val": TARGET[1:]}, r"must have shape \(30,\)"),
    "other columns": (
        {"X_val": WINDOWS, "y_val": np.zeros((N, 2))},
        r"y_val must have the columns of y, 1 in 1 dimension\(s\)\. Got 2 in 2",
    ),
    "other features": ({"X_val": WINDOWS[..., :2], "y_val": TARGET}, r"2 features.*expecting 3"),
    "other steps": ({"X_val": WINDOWS[:, :4], "y_val": TARGET}, r"windows of 5 steps.*Got 4"),
    "infinite": ({"X_val": with_value(WINDOWS, np.inf), "y_val": TARGET}, r"X contains infinity"),
    "weights": (
        {"X_val": WINDOWS, "y_val": TARGET, "sample_weight_val": np.ones(2)},
        r"must have shape \(30,\)",
    ),
}


@pytest.mark.parametrize("case", BAD_VAL)
def test_an_invalid_validation_set_is_an_error_before_training(case, no_training):
    val, message = BAD_VAL[case]
    with pytest.raises(ValueError, match=message):
        quick().fit(WINDOWS, TARGET, **val)


def test_validation_rows_without_a_complete_window_are_refused(no_training):
    with pytest.raises(ValueError, match=r"complete window of 4 rows.*Got 3 rows and none"):
        quick(lookback=4).fit(ROWS, TARGET, X_val=ROWS[:3], y_val=TARGET[:3])


BAD_PREDICT = {
    "1-D": (WINDOWS[0, :, 0], r"Expected 2D array, got 1D.*Reshape your data"),
    "rows": (ROWS, r"\(n_samples, 5, 3\).*fitted on windows.*\(30, 3\).*make_windows"),
    "other features": (WINDOWS[..., :2], r"X has 2 features, but Attention.* is expecting 3"),
    "other steps": (WINDOWS[:, :4], r"windows of 5 steps.*Got 4 steps.*lookback=5"),
    "more steps": (np.tile(WINDOWS, (1, 2, 1)), r"windows of 5 steps.*Got 10 steps"),
    "channels first": (WINDOWS.transpose(0, 2, 1), r"looks channels-first.*transpose\(0, 2, 1\)"),
    "infinite": (with_value(WINDOWS, np.inf), r"X contains infinity"),
    "empty": (WINDOWS[:0], r"0 sample\(s\)"),
}


@pytest.mark.parametrize("case", BAD_PREDICT)
@pytest.mark.parametrize("method", ["predict", "attention_weights", "score"])
def test_an_invalid_X_is_an_error_after_fit(case, method):
    X, message = BAD_PREDICT[case]
    model = quick(max_epochs=1).fit(WINDOWS, TARGET)
    arguments = (X, TARGET[: len(X)]) if method == "score" else (X,)
    with pytest.raises(ValueError, match=f"(?s){message}"):
        getattr(model, method)(*arguments)


def test_channels_first_windows_are_recognised_by_the_feature_names():
    model = quick(lookback=5).fit(FRAME, TARGET)
    with pytest.raises(ValueError, match=r"features \(temp, wind, rain.*looks channels-first"):
        model.predict(WINDOWS.transpose(0, 2, 1))


def test_feature_names_are_checked_at_predict():
    model = quick(lookback=3).fit(FRAME, TARGET)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(FRAME.rename(columns={"wind": "gust"}))
    with pytest.raises(ValueError, match="in the same order"):
        model.predict(FRAME[["wind", "temp", "rain"]])
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        model.predict(ROWS)


def test_a_model_fitted_on_a_data_frame_predicts_windows_without_a_warning():
    model = quick(lookback=3).fit(FRAME, TARGET)
    assert model.predict(ROWS[None, :3]).shape == (1,)  # any warning is an error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match="features"):
            model.predict(ROWS[None, :3, 1:])


def test_several_series_need_a_label_for_each_row(no_training):
    with pytest.raises(ValueError, match=r"groups must have shape \(30,\).*\(29,\)"):
        quick(lookback=3).fit(ROWS, TARGET, groups=np.zeros(29))
    with pytest.raises(ValueError, match=r"series is missing.*name their series or drop"):
        quick(lookback=3).fit(ROWS, TARGET, groups=["a"] * 29 + [None])
    levels = pd.MultiIndex.from_product([["a"], ["b"], range(N)], names=["x", "y", "t"])
    with pytest.raises(ValueError, match=r"two levels.*Got 3 levels \(x, y, t\).*join"):
        quick(lookback=3).fit(FRAME.set_axis(levels), TARGET)


def test_the_series_that_is_too_short_is_named(no_training):
    groups = np.repeat(["long", "short"], [N - 2, 2])
    with pytest.raises(ValueError, match=r"lookback=3 rows.*n_samples=2 rows.*'short'"):
        quick(lookback=3).fit(ROWS, TARGET, groups=groups)


def test_only_the_order_within_a_series_matters(no_training):
    index = pd.MultiIndex.from_arrays([["b", "a"] * 15, np.repeat(TIMES[:15], 2)])
    with pytest.raises(pytest.fail.Exception, match="training has begun"):
        quick(lookback=3).fit(FRAME.set_axis(index), TARGET)
    order = np.r_[2, 1, 0, 3:N]
    with pytest.raises(ValueError, match="in time order"):
        quick(lookback=3).fit(FRAME.set_axis(index[order]), TARGET)


# ------------------------------------------------------------------------------ parameters

BAD_PARAMETERS = {
    "attention_mode": ["spatial", True, ["both"]],
    "attention": ["magic", None, "LUONG"],
    "attention_params": ["dot", [("score", "dot")]],
    "hidden_size": [0, -1, 2.0, "32", None, True],
    "num_layers": [0, 1.0],
    "dropout": [-0.1, 1, 1.0, "0.5", float("nan")],
    "position_embedding": ["yes", None, 2],
    "lookback": [0, -3, 2.0, "8"],
    "context": [None, "none", True],
    "loss": ["mse", None],
    "quantiles": [[], [0, 0.5], [0.9, 0.5, 0.1], [0.1, 0.9], "0.5"],
    "standardize": ["yes", None],
    "max_epochs": [0, 1.5, "10"],
    "lr": [0, -1e-3, "fast", float("nan")],
    "batch_size": [0, 2.5],
    "weight_decay": [-1, None],
    "early_stopping": ["yes", None, "AUTO"],
    "validation_fraction": [0, 1, 1.5, -0.1],
    "n_iter_no_change": [0, None],
    "warm_start": ["yes", None],
    "verbose": [-1, 3, "loud"],
    "device": ["toaster", 3.5],
    "precision": ["double", None, 16],
    "compile": ["yes", None],
    "random_state": ["seed", -1, 1.5],
    "callbacks": ["progress", {"a": 1}],
    "net_params": ["adam", [1]],
}


def test_every_parameter_is_tested_with_invalid_values():
    assert set(BAD_PARAMETERS) == set(AttentionLSTMRegressor().get_params())
    assert set(CONSTRAINTS) - set(BAD_PARAMETERS) == {"class_weight"}  # of the classifier


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in BAD_PARAMETERS for value in BAD_PARAMETERS[name]]
)
def test_an_invalid_parameter_is_an_error_with_its_value_before_training(name, value, no_training):
    model = quick(**{name: value})  # the constructor accepts any value
    with pytest.raises(ValueError, match=name) as caught:
        model.fit(WINDOWS, TARGET)
    assert f"{value!r}" in str(caught.value)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_an_invalid_choice_is_an_error_that_lists_the_valid_ones(method, no_training):
    with pytest.raises(ValueError, match="attention_mode") as caught:
        getattr(quick(attention_mode="spatial"), method)(WINDOWS, TARGET)
    assert all(repr(mode) in str(caught.value) for mode in (*ATTENTION_MODES, None))
    with pytest.raises(ValueError, match="attention") as caught:
        getattr(quick(attention="magic"), method)(WINDOWS, TARGET)
    assert all(repr(name) in str(caught.value) for name in ATTENTION_MECHANISMS)
    with pytest.raises(ValueError, match=r"'auto', 'train_tail', 'mask'\. Got 'zero' instead"):
        getattr(quick(context="zero"), method)(WINDOWS, TARGET)


def test_an_unknown_option_of_a_mechanism_is_an_error_that_lists_the_known_ones(no_training):
    with pytest.raises(ValueError, match=r"'luong' may have the keys \[.*'score'.*Got \['heads'\]"):
        quick(attention="luong", attention_params={"heads": 3}).fit(WINDOWS, TARGET)


ABSENT = [
    (name, mode)
    for name, modes in ATTENTION_MECHANISMS.items()
    for mode in ATTENTION_MODES
    if mode not in modes
]


@pytest.mark.skipif(not ABSENT, reason="every mechanism has every mode")
def test_a_mode_that_a_mechanism_does_not_support_is_an_error(no_training):
    for attention, mode in ABSENT:
        with pytest.raises(ValueError, match=f"{attention!r} is not defined for .*{mode!r}"):
            quick(attention=attention, attention_mode=mode).fit(WINDOWS, TARGET)


def test_parameters_are_explicit_few_and_clonable():
    parameters = inspect.signature(AttentionLSTMRegressor.__init__).parameters
    kinds = {p.kind for p in parameters.values()}
    assert kinds <= {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
    assert len(parameters) - 1 <= 27
    model = AttentionLSTMRegressor(
        attention_params={"score": "dot"}, callbacks=[], net_params={"optimizer": torch.optim.SGD}
    )
    assert clone(model).get_params().keys() == model.get_params().keys()
    assert clone(model).net_params == model.net_params


# ------------------------------------------------------------------------------ unfitted


@pytest.mark.parametrize("method", ["predict", "attention_weights", "score"])
def test_an_unfitted_estimator_raises_NotFittedError(method):
    arguments = (WINDOWS, TARGET) if method == "score" else (WINDOWS,)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(AttentionLSTMRegressor(), method)(*arguments)


@pytest.mark.parametrize("method", ["predict", "attention_weights"])
def test_after_a_failed_fit_the_estimator_is_not_fitted(method):
    model = quick()
    with pytest.raises(ValueError, match="y contains NaN"):
        model.fit(WINDOWS, np.full(N, np.nan))
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(model, method)(WINDOWS)
