"""MAPIE's conformal intervals around the estimators, on windows and on the rows of a series."""

import numpy as np
import pytest

from sk_tsattn import AttentionLSTMClassifier, AttentionLSTMRegressor, make_windows
from sk_tsattn.datasets import load_appliances_energy

pytest.importorskip("mapie.regression", reason="MAPIE is not installed")

from mapie.classification import SplitConformalClassifier
from mapie.regression import (
    ConformalizedQuantileRegressor,
    CrossConformalRegressor,
    JackknifeAfterBootstrapRegressor,
    SplitConformalRegressor,
    TimeSeriesRegressor,
)
from mapie.subsample import BlockBootstrap
from sklearn.model_selection import KFold

L = 12
X, Y = load_appliances_energy(return_X_y=True, as_frame=True)
X, Y = X[:2400], Y[:2400]
WINDOWS, TARGET, _ = make_windows(X, Y, lookback=L)
TRAIN, CONFORM, TEST = slice(0, 1200), slice(1200, 1800), slice(1800, None)
# Of the same distribution, as conformal methods assume.
CONFORM_EVEN, TEST_ODD = slice(1200, None, 2), slice(1201, None, 2)

# MAPIE checks whether an estimator is fitted by a prediction of one row, without its history.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*1 of 1 rows:sk_tsattn.exceptions.HistoryWarning"),
    pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning"),
]


def quick(**changes):
    options = {"attention": "luong", "max_epochs": 5, "lookback": L, "random_state": 0}
    return AttentionLSTMRegressor(**options | changes)


def coverage(y, intervals):
    """Return the fraction of ``y`` inside intervals (n, 2)."""
    y = np.asarray(y)
    return ((intervals[:, 0] <= y) & (y <= intervals[:, 1])).mean()


@pytest.mark.parametrize("prefit", [True, False])
def test_split_conformal_intervals_of_windows_cover_what_they_promise(prefit):
    model = quick()
    if prefit:
        model.fit(WINDOWS[TRAIN], TARGET[TRAIN])
    split = SplitConformalRegressor(model, confidence_level=[0.8, 0.95], prefit=prefit)
    if not prefit:
        split.fit(WINDOWS[TRAIN], TARGET[TRAIN])
    split.conformalize(WINDOWS[CONFORM_EVEN], TARGET[CONFORM_EVEN])
    predicted, intervals = split.predict_interval(WINDOWS[TEST_ODD])
    if prefit:
        np.testing.assert_array_equal(predicted, model.predict(WINDOWS[TEST_ODD]))
    assert coverage(TARGET[TEST_ODD], intervals[..., 0]) == pytest.approx(0.8, abs=0.04)
    assert coverage(TARGET[TEST_ODD], intervals[..., 1]) == pytest.approx(0.95, abs=0.02)


def test_split_conformal_intervals_of_rows_use_their_history():
    model = quick().fit(X[TRAIN], Y[TRAIN])
    split = SplitConformalRegressor(model, confidence_level=0.8)
    split.conformalize(X[CONFORM], Y[CONFORM])
    model.update_context(X[CONFORM])  # the history of the rows that follow
    predicted, intervals = split.predict_interval(X[TEST])
    np.testing.assert_array_equal(predicted, model.predict(X[TEST]))
    assert coverage(Y[TEST], intervals[..., 0]) > 0.75


@pytest.mark.filterwarnings("ignore:WARNING. at least one point")  # few resamplings
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_conformal_methods_that_refit_take_windows():
    few = WINDOWS[:200], TARGET[:200]
    options = {"max_epochs": 2, "hidden_size": 4, "lookback": None}
    cross = CrossConformalRegressor(quick(**options), cv=KFold(2)).fit_conformalize(*few)
    jackknife = JackknifeAfterBootstrapRegressor(quick(**options), resampling=2)
    jackknife.fit_conformalize(*few)
    for method in (cross, jackknife):
        assert method.predict_interval(WINDOWS[TEST])[1].shape == (len(WINDOWS[TEST]), 2, 1)
    blocks = BlockBootstrap(n_resamplings=2, n_blocks=4, overlapping=False, random_state=0)
    in_time = TimeSeriesRegressor(quick(**options), method="enbpi", cv=blocks).fit(*few)
    _, intervals = in_time.predict(WINDOWS[TEST], confidence_level=0.8, ensemble=True)
    assert intervals.shape == (len(WINDOWS[TEST]), 2, 1)


def test_conformalized_quantiles_take_an_estimator_for_each():
    models = [
        quick(loss="quantile", quantiles=[level]).fit(WINDOWS[TRAIN], TARGET[TRAIN])
        for level in (0.1, 0.9, 0.5)
    ]
    conformal = ConformalizedQuantileRegressor(models, confidence_level=0.8, prefit=True)
    conformal.conformalize(WINDOWS[CONFORM_EVEN], TARGET[CONFORM_EVEN])
    _, intervals = conformal.predict_interval(WINDOWS[TEST_ODD])
    assert coverage(TARGET[TEST_ODD], intervals[..., 0]) == pytest.approx(0.8, abs=0.04)


def test_conformal_sets_hold_the_class_of_rows_as_often_as_they_promise():
    labels = np.where(Y.gt(Y.median()), "high", "low")
    options = {"attention": "luong", "max_epochs": 5, "lookback": L, "random_state": 0}
    model = AttentionLSTMClassifier(**options).fit(X[TRAIN], labels[TRAIN])
    conformal = SplitConformalClassifier(model, confidence_level=0.9)
    conformal.conformalize(X[CONFORM], labels[CONFORM])
    model.update_context(X[CONFORM])
    _, sets = conformal.predict_set(X[TEST])
    own = model.classes_.searchsorted(labels[TEST])
    assert sets[np.arange(len(own)), own, 0].mean() > 0.85


def test_windows_without_lookback_are_an_error_that_says_what_to_do():
    model = quick(lookback=None, max_epochs=1).fit(WINDOWS[TRAIN], TARGET[TRAIN])
    with pytest.raises(ValueError, match=r"or set lookback=12, which makes rows a series"):
        model.predict(WINDOWS[0, :1])
