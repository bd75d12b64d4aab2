"""Inspection of rows of several series, named by groups or by a MultiIndex.

The target is the feature u two rows before in the same series: windows that mix series predict
nothing, and an importance of about 2 (twice the variance of the target) is right.
"""

import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.compose import TransformedTargetRegressor
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_tsattn import AttentionDisplay, AttentionLSTMRegressor
from sk_tsattn.exceptions import HistoryWarning
from sk_tsattn.inspection import (
    faithfulness,
    permutation_importance,
    refit_agreement,
    uniform_attention_check,
)

# The rows of the training set have no history: all calls warn of that.
pytestmark = pytest.mark.filterwarnings("ignore::sk_tsattn.exceptions.HistoryWarning")

N_TIMES, LOOKBACK = 100, 4
GROUPS = np.tile(list("ABCD"), N_TIMES)
TIMES = np.repeat(pd.date_range("2024-01-01", periods=N_TIMES, freq="h"), 4)


@pytest.fixture(scope="module")
def rows():
    """Return four series in long format, a frame with all rows of each time together."""
    values = np.random.default_rng(0).normal(size=(4 * N_TIMES, 2))
    return pd.DataFrame(values, columns=["u", "v"], index=TIMES)


@pytest.fixture(scope="module")
def panel(rows):
    """Return the same rows with a MultiIndex (series, time)."""
    return rows.set_index(pd.MultiIndex.from_arrays([GROUPS, TIMES]))


@pytest.fixture(scope="module")
def target(rows):
    return rows["u"].reset_index(drop=True).groupby(GROUPS).shift(2).fillna(0).to_numpy()


def estimator(**changes):
    options = {"lookback": LOOKBACK, "max_epochs": 40, "lr": 0.01, "hidden_size": 16}
    options |= {"batch_size": 32, "attention": "dense", "random_state": 0}
    return AttentionLSTMRegressor(**options | changes)


@pytest.fixture(scope="module")
def by_groups(rows, target):
    return estimator().fit(rows, target, groups=GROUPS)


@pytest.fixture(scope="module")
def by_index(panel, target):
    return estimator().fit(panel, target)


FUNCTIONS = {
    "permutation_importance": (permutation_importance, {"n_repeats": 1}),
    "faithfulness": (faithfulness, {"n_repeats": 1, "n_bootstrap": 10, "n_steps": 2}),
    "uniform_attention_check": (uniform_attention_check, {"n_bootstrap": 10}),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_groups_and_a_multi_index_have_the_same_result(
    name, by_groups, by_index, rows, panel, target
):
    function, options = FUNCTIONS[name]
    options = options | {"random_state": 0}
    with_groups = function(by_groups, rows, target, groups=GROUPS, **options)
    with_index = function(by_index, panel, target, **options)
    assert set(with_groups) == set(with_index)
    for key, value in with_groups.items():
        if isinstance(value, pd.DataFrame):
            pd.testing.assert_frame_equal(value, with_index[key])
        else:
            np.testing.assert_array_equal(value, with_index[key])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_rows_without_the_series_of_fit_are_an_error_that_asks_for_groups(
    name, by_groups, rows, target
):
    function, options = FUNCTIONS[name]
    for table in (rows, rows.reset_index(drop=True)):  # with times that occur repeatedly, without
        with pytest.raises(ValueError, match=r"was fitted on several series .* give groups"):
            function(by_groups, table, target, random_state=0, **options)


def test_the_display_of_rows_without_the_series_of_fit_is_an_error(by_groups, rows):
    with pytest.raises(ValueError, match=r"was fitted on several series .* give groups"):
        AttentionDisplay.from_estimator(by_groups, rows.reset_index(drop=True))


def count_warnings(function, *args, **options):
    """Return how often a call warns of missing history."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function(*args, **options)
    assert {warning.category for warning in caught} <= {HistoryWarning}
    return len(caught)


@pytest.mark.parametrize(
    ("name", "expected"),
    # Faithfulness leaves out the rows without a complete window.
    [("permutation_importance", 1), ("faithfulness", 0), ("uniform_attention_check", 1)],
)
def test_a_call_warns_once_of_missing_history(name, expected, by_index, panel, target):
    function, options = FUNCTIONS[name]
    assert count_warnings(function, by_index, panel, target, random_state=0, **options) == expected


def test_a_display_warns_once_of_missing_history(by_index, panel):
    pytest.importorskip("matplotlib").use("Agg")
    assert count_warnings(AttentionDisplay.from_estimator, by_index, panel, kind="sample") == 1


def test_the_importance_of_the_relevant_feature_is_twice_the_variance(by_groups, rows, target):
    result = permutation_importance(by_groups, rows, target, groups=GROUPS, random_state=0)
    assert result.frame["mean"]["u"] == pytest.approx(2, abs=0.3)
    assert abs(result.frame["mean"]["v"]) < 0.05


@pytest.mark.parametrize("over", ["time", "cell"])
def test_rows_are_cut_into_windows_to_permute_steps(over, by_groups, rows, target):
    result = permutation_importance(
        by_groups, rows, target, groups=GROUPS, over=over, random_state=0, sample_weight=[1] * 400
    )
    relevant = result.frame.loc[2, "mean" if over == "time" else "u"]
    assert relevant == pytest.approx(2, abs=0.3)
    others = result.importances_mean.sum() - relevant
    assert abs(others) < 0.1
    if over == "cell":
        assert result.frame.columns.tolist() == ["u", "v"]


def test_faithfulness_of_rows_is_that_of_their_complete_windows(by_groups, rows, target):
    options = {"n_repeats": 1, "n_bootstrap": 10, "n_steps": 4, "random_state": 0}
    found = faithfulness(by_groups, rows, target, groups=GROUPS, **options)
    # The windows of the rows in their order: at each time those of A, B, C and D.
    series = rows.to_numpy().reshape(N_TIMES, 4, 2)
    windows = np.lib.stride_tricks.sliding_window_view(series, LOOKBACK, axis=0)
    windows = windows.transpose(0, 1, 3, 2).reshape(-1, LOOKBACK, 2)
    complete = target[4 * (LOOKBACK - 1) :]
    expected = faithfulness(by_groups, windows, complete, **options)
    pd.testing.assert_frame_equal(found.areas, expected.areas)
    assert found.areas.loc[("attention", "comprehensiveness"), "difference"] > 0
    weights = by_groups.attention_weights(rows, groups=GROUPS).cell
    result = faithfulness(by_groups, rows, target, groups=GROUPS, attention=weights, **options)
    pd.testing.assert_frame_equal(result.areas, expected.areas)


def test_attention_for_faithfulness_of_rows_may_cover_all_windows(by_groups, rows, target):
    attention = np.zeros((LOOKBACK, 2))
    attention[LOOKBACK - 3, 0] = 1.0
    result = faithfulness(
        by_groups, rows, target, groups=GROUPS, attention=attention, n_bootstrap=50, random_state=0
    )
    assert result.areas.loc[("attention", "comprehensiveness"), "difference_low"] > 0
    assert result.areas.loc[("attention", "sufficiency"), "difference_high"] < 0


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_pipeline_passes_groups_to_its_estimator(name, rows, target):
    pipeline = make_pipeline(
        StandardScaler().set_output(transform="pandas"), estimator(max_epochs=2)
    )
    pipeline.fit(rows, target, attentionlstmregressor__groups=GROUPS)
    function, options = FUNCTIONS[name]
    result = function(pipeline, rows, target, groups=GROUPS, random_state=0, **options)
    if name == "uniform_attention_check":
        expected = pipeline.predict(rows, groups=GROUPS)
        np.testing.assert_array_equal(result.prediction_learned, expected)


def test_a_search_that_cannot_pass_groups_is_an_error_with_advice(panel, rows, target):
    search = GridSearchCV(estimator(max_epochs=1), {"hidden_size": [4]}, cv=TimeSeriesSplit(2))
    search.fit(panel, target)
    for function in (permutation_importance, uniform_attention_check):
        with pytest.raises(ValueError, match=r"best_estimator_ of a search, or name .* MultiIndex"):
            function(search, rows, target, groups=GROUPS)
    with pytest.raises(ValueError, match=r"does not pass them .* MultiIndex"):
        refit_agreement(search, rows, target, groups=GROUPS)


def test_rows_for_a_transformed_target_are_an_error_that_names_make_windows(rows, target):
    model = TransformedTargetRegressor(
        estimator(max_epochs=1), func=np.arcsinh, inverse_func=np.sinh
    )
    model.fit(rows, target, groups=GROUPS)
    with pytest.raises(ValueError, match=r"Got TransformedTargetRegressor instead; .*make_windows"):
        faithfulness(model, rows, target, groups=GROUPS)
    # A prediction needs no windows.
    result = permutation_importance(model, rows, target, groups=GROUPS, random_state=0)
    assert result.importances.shape == (2, 5)


def test_refits_of_groups_and_of_a_multi_index_are_the_same(rows, panel, target):
    options = {"n_refits": 2, "random_state": 0}
    model = estimator(max_epochs=2)
    by_groups = refit_agreement(model, rows, target, groups=GROUPS, **options)
    by_index = refit_agreement(model, panel, target, **options)
    without = refit_agreement(model, rows.reset_index(drop=True), target, **options)
    pd.testing.assert_frame_equal(by_groups.cell, by_index.cell)
    assert not by_groups.cell.equals(without.cell)
    pipeline = make_pipeline(StandardScaler().set_output(transform="pandas"), model)
    assert refit_agreement(pipeline, rows, target, groups=GROUPS, **options).cell.shape == (8, 2)


@pytest.mark.parametrize("cv", [2, KFold(2), GroupKFold(2)], ids=["int", "KFold", "GroupKFold"])
def test_splits_are_those_of_rows_and_their_groups(cv, rows, target):
    seen = []

    class Recorder(AttentionLSTMRegressor):
        def fit(self, X, y, *, groups=None):
            seen.append((X["u"].to_numpy(), groups))
            return super().fit(X, y, groups=groups)

    options = {"lookback": 2, "max_epochs": 1, "attention": "dense"}
    refit_agreement(Recorder(**options), rows, target, groups=GROUPS, cv=cv, n_refits=2)
    assert len(seen) == 2
    series_of = dict(zip(rows["u"], GROUPS, strict=True))
    for values, groups in seen:
        assert list(groups) == [series_of[value] for value in values]
        assert len(set(groups)) == (2 if isinstance(cv, GroupKFold) else 4)


def test_with_metadata_routing_groups_are_routed(rows, target):
    with sklearn.config_context(enable_metadata_routing=True):
        model = estimator(max_epochs=1).set_fit_request(groups=True)
        pipeline = make_pipeline(StandardScaler().set_output(transform="pandas"), model)
        result = refit_agreement(pipeline, rows, target, groups=GROUPS, n_refits=2, random_state=0)
    assert result.cell.shape == (8, 2)
