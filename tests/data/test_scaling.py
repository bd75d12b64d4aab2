"""Standardisation: weighted moments, inverse transforms, constant columns, extreme sizes."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sk_tsattn._data._scaling import MAX_STANDARDISED, Standardizer, moments
from sk_tsattn._data._windows import Windows

codes_of_rows = hnp.arrays(np.int64, st.integers(1, 25), elements=st.integers(0, 3))
LARGEST = np.finfo(np.float64).max
SMALLEST = 5e-324  # the smallest denormal number
every_size = st.floats(-LARGEST, LARGEST, allow_subnormal=True)


def in_own_units(values, exponent):
    return np.ldexp(values, exponent)


# ------------------------------------------------------------------------------ moments


@given(codes=codes_of_rows, lookback=st.integers(1, 5), data=st.data())
def test_moments_equal_those_of_explicit_windows_with_copies(codes, lookback, data):
    n_rows = len(codes)
    number = st.floats(-1e6, 1e6).map(lambda v: round(v, 3))
    values = data.draw(hnp.arrays(np.float64, (n_rows, 2), elements=number))
    copies = data.draw(hnp.arrays(np.int64, n_rows, elements=st.integers(0, 3)))
    windows = Windows.of_rows(values, lookback, codes)
    chosen = np.flatnonzero(windows.complete())
    assume(copies[chosen].sum() > 0)
    history = [[r for r in range(row + 1) if codes[r] == codes[row]] for row in chosen]
    written = np.concatenate(
        [
            np.tile(values[rows[-lookback:]], (copies[row], 1))
            for row, rows in zip(chosen, history, strict=True)
        ]
    )
    weight = copies[chosen].astype(float)
    mean, std, exponent = moments(values, windows.select(chosen).n_uses(weight))
    assert not exponent.any()
    np.testing.assert_allclose(mean, written.mean(axis=0), rtol=1e-9, atol=1e-6)
    constant = np.ptp(written, axis=0) == 0
    np.testing.assert_allclose(std, np.where(constant, 0, written.std(axis=0)), rtol=1e-6)


@given(value=every_size, n_rows=st.sampled_from([1, 7, 1000, 50_000]))
def test_a_constant_column_has_standard_deviation_zero(value, n_rows):
    weight = np.random.default_rng(0).uniform(size=n_rows)
    mean, std, exponent = moments(np.full((n_rows, 2), value), weight)
    np.testing.assert_allclose(in_own_units(mean, exponent), value, rtol=1e-9)
    np.testing.assert_array_equal(std, 0.0)


def test_a_small_change_of_a_large_value_is_not_constant():
    values = 1e6 + np.array([[0.0], [0.001], [0.002]])
    _, std, _ = moments(values, np.ones(3))
    np.testing.assert_allclose(std, np.std([0, 0.001, 0.002]), rtol=1e-3)


def test_moments_of_windows_weight_all_steps_equally():
    X = np.random.default_rng(0).normal(size=(6, 4, 2))
    weight = np.array([0, 1, 2, 3, 0, 1])
    mean, std, _ = moments(X, weight.astype(float))
    written = np.repeat(X, weight, axis=0).reshape(-1, 2)
    np.testing.assert_allclose(mean, written.mean(axis=0))
    np.testing.assert_allclose(std, written.std(axis=0))


def test_moments_are_computed_in_chunks(monkeypatch):
    X = np.random.default_rng(0).normal(size=(50, 3, 2))
    weight = np.arange(50.0)
    whole = moments(X, weight)
    monkeypatch.setattr("sk_tsattn._data._scaling.CHUNK_VALUES", 13)
    for found, expected in zip(moments(X, weight), whole, strict=True):
        np.testing.assert_allclose(found, expected)


def test_rows_of_weight_zero_have_no_influence_on_the_moments():
    values = np.full((50_000, 1), 0.1)
    values[:3], values[-3:] = 1e200, np.inf
    weight = np.ones(len(values))
    weight[:3] = weight[-3:] = 0
    mean, std, exponent = moments(values, weight)
    assert (mean, std, exponent) == (0.1, 0, 0)


@pytest.mark.parametrize("power", [-1060, -600, -401, 401, 600, 1020])
def test_moments_of_extreme_numbers_are_those_of_ordinary_ones_in_another_unit(power):
    ordinary = np.random.default_rng(0).integers(1, 8, size=(100, 1)).astype(float)
    mean, std, _ = moments(ordinary, np.ones(100))
    extreme = moments(np.ldexp(ordinary, power), np.ones(100))
    np.testing.assert_allclose(np.ldexp(extreme[0], extreme[2] - power), mean, rtol=1e-12)
    np.testing.assert_allclose(np.ldexp(extreme[1], extreme[2] - power), std, rtol=1e-12)


# ------------------------------------------------------------------------------ Standardizer


@pytest.mark.filterwarnings("ignore:.* has a few values:UserWarning")
@given(
    values=hnp.arrays(np.float64, st.tuples(st.integers(1, 20), st.just(2)), elements=every_size)
)
def test_finite_training_features_of_any_size_become_moderate_numbers(values):
    scaler = Standardizer.for_features(values, np.ones(len(values)), standardize=True)
    standardised = scaler.transform(values)
    assert np.abs(standardised).max() <= np.sqrt(len(values)) * (1 + 1e-9)
    np.testing.assert_allclose(standardised.mean(axis=0), 0, atol=1e-6)


@pytest.mark.filterwarnings("ignore:.* has a few values:UserWarning")
@given(
    values=hnp.arrays(
        np.float64, st.tuples(st.integers(1, 20), st.just(2)), elements=st.floats(-1e300, 1e300)
    )
)
def test_the_inverse_transform_restores_targets_of_any_size_up_to_1e300(values):
    scaler = Standardizer.for_targets(values, np.ones(len(values)), standardize=True)
    back = scaler.inverse_transform(scaler.transform(values))
    size = np.abs(values).max(axis=0)
    assert (np.abs(back - values) <= 1e-12 * size + SMALLEST).all()


@pytest.mark.filterwarnings("ignore:.* has a few values:UserWarning")
@given(new=every_size, standardize=st.booleans(), value=every_size)
def test_a_feature_that_is_constant_in_training_becomes_zero_whatever_it_is_later(
    new, standardize, value
):
    values = np.column_stack([np.full(9, value), np.arange(9)])
    scaler = Standardizer.for_features(values, np.ones(9), standardize=standardize)
    assert (scaler.transform(values)[:, 0] == 0).all()
    assert scaler.transform(np.array([[new, 0.0]]))[0, 0] == 0


@pytest.mark.filterwarnings("ignore:.* has a few values:UserWarning")
@given(new=every_size, seen=st.sampled_from([1e-320, 1e-160, 1.0, 1e160, LARGEST]))
def test_a_new_value_is_scaled_to_a_safe_size_or_is_an_error_that_names_the_column(new, seen):
    values = np.linspace(-seen, seen, 9)[:, None] if seen < LARGEST else np.array([[0.0], [seen]])
    weight = np.ones(len(values))
    scaler = Standardizer.for_features(values, weight, standardize=True, columns=["wind"])
    message = ""
    try:
        assert np.abs(scaler.transform(np.array([[new]]))) <= MAX_STANDARDISED
    except ValueError as error:
        message = str(error)
    if message:
        assert "in column 'wind' instead" in message
        assert abs(new) > 1e15 * seen


def test_a_value_in_a_row_that_is_not_used_is_not_refused():
    scaler = Standardizer(columns=["wind"])
    values = np.array([[1.0], [1e37]])
    scaler.transform(values, used=np.array([True, False]))
    with pytest.raises(ValueError, match=r"Got 1e\+37 in column 'wind' instead; if it"):
        scaler.transform(values)


def test_targets_so_large_that_predictions_could_overflow_are_refused():
    y = np.array([[0.0, 1.0], [1.0, LARGEST]])
    with pytest.raises(ValueError, match=r"y must hold numbers of at most .*in column 1 instead"):
        Standardizer.for_targets(y, np.ones(2), standardize=True)


@pytest.mark.parametrize("prediction", [np.nan, np.inf, 1e16])
def test_predictions_that_are_not_finite_are_refused(prediction):
    scaler = Standardizer(scale=1e300, name="y")
    with pytest.raises(ValueError, match=r"finite numbers.*1 of 2 samples \(first 1\).*smaller lr"):
        scaler.inverse_transform(np.array([[0.0], [prediction]]))


def test_a_feature_that_is_no_longer_constant_is_warned_about():
    values = np.column_stack([np.full(9, 0.1), np.arange(9), np.full(9, 1e6)])
    scaler = Standardizer.for_features(
        values, np.ones(9), standardize=True, columns=["flag", "wind", "level"]
    )
    scaler.warn_if_no_longer_constant(values + np.array([0, 5, 1e-9]))
    with pytest.warns(UserWarning, match=r"no influence\. Got other values of 'flag' to go on"):
        scaler.warn_if_no_longer_constant(np.array([[0.2, 1.0, 1e6]]))


def test_ordinary_numbers_are_standardised_by_plain_arithmetic():
    values = np.random.default_rng(0).normal(3, 2, size=(50, 2))
    scaler = Standardizer.for_features(values, np.ones(50), standardize=True)
    plain = (values - scaler.mean) / scaler.scale
    np.testing.assert_array_equal(scaler.transform(values), plain)
