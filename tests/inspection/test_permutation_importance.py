"""Permutation importance of windows: estimators that read known cells only."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joblib import parallel_config
from sklearn import inspection as sklearn_inspection
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression
from sklearn.metrics import make_scorer, mean_absolute_error
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn.inspection import permutation_importance

N, T, F = 60, 6, 4


class Windows(RegressorMixin, BaseEstimator):
    """A linear model on flat windows."""

    def fit(self, X, y):
        self.model_ = LinearRegression().fit(X.reshape(len(X), -1), y)
        return self

    def predict(self, X):
        return self.model_.predict(X.reshape(len(X), -1))


def windows(n=N, seed=0):
    return np.random.default_rng(seed).normal(size=(n, T, F))


def importance(estimator, X, y, **options):
    return permutation_importance(estimator, X, y, **{"random_state": 0, "n_repeats": 3} | options)


@settings(max_examples=20)
@given(
    cells=st.lists(
        st.tuples(st.integers(0, T - 1), st.integers(0, F - 1)), min_size=1, max_size=5, unique=True
    ),
    seed=st.integers(0, 1000),
)
def test_importance_is_zero_except_on_cells_that_the_estimator_reads(cells, seed, Reads):
    X, estimator = windows(seed=seed), Reads(*cells)
    y = estimator.predict(X)
    read = np.zeros((T, F), dtype=bool)
    read[tuple(np.transpose(cells))] = True
    for over, expected in {
        "cell": read,
        "time": read.any(axis=1),
        "feature": read.any(axis=0),
    }.items():
        found = importance(estimator, X, y, over=over).importances
        assert found.shape == (*expected.shape, 3)
        assert (found[~expected] == 0).all()
        assert (found[expected] > 0).all()


def test_a_feature_is_permuted_as_a_whole_series():
    # The product of two steps of one feature is kept if both come from the same other sample.
    class Product:
        def predict(self, X):
            return (X[:, 0, 1] == X[:, 1, 1]).astype(float)

    X = windows()
    X[:, 1, 1] = X[:, 0, 1]
    y = np.ones(N)
    scoring = "neg_mean_squared_error"
    assert not importance(Product(), X, y, scoring=scoring).importances.any()
    assert importance(Product(), X, y, over="time", scoring=scoring).importances_mean[0] > 0.5


@pytest.mark.parametrize("scoring", [None, "neg_mean_absolute_error"])
@pytest.mark.parametrize("weighted", [False, True])
def test_windows_of_one_step_have_the_importances_of_scikit_learn(scoring, weighted):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(N, F)), rng.normal(size=N)
    options = {
        "scoring": scoring,
        "random_state": 7,
        "sample_weight": rng.uniform(size=N) if weighted else None,
    }
    theirs = sklearn_inspection.permutation_importance(
        LinearRegression().fit(X, y), X, y, **options
    )
    ours = permutation_importance(Windows().fit(X[:, None], y), X[:, None], y, **options)
    for name, values in theirs.items():
        np.testing.assert_allclose(ours[name], values, rtol=1e-12, atol=1e-14)


def test_rows_have_the_importances_of_scikit_learn_and_their_names():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(N, 3)), columns=["a", "b", "c"]).assign(d=range(N))
    y = rng.normal(size=N)
    model = make_pipeline(StandardScaler(), LinearRegression()).fit(X, y)
    theirs = sklearn_inspection.permutation_importance(model, X, y, random_state=3)
    ours = permutation_importance(model, X, y, random_state=3)
    np.testing.assert_allclose(ours.importances, theirs.importances, rtol=1e-12, atol=1e-14)
    assert ours.frame.index.tolist() == ["a", "b", "c", "d"]
    np.testing.assert_array_equal(ours.frame["mean"], ours.importances_mean)
    np.testing.assert_array_equal(ours.frame["std"], ours.importances_std)


def test_several_scorers_return_a_dict_of_the_result_of_each(Reads):
    X = windows()
    estimator, y = Reads((0, 1)), X[:, 0, 1] + 0.1
    several = importance(estimator, X, y, scoring=["r2", "neg_mean_absolute_error"])
    assert set(several) == {"r2", "neg_mean_absolute_error"}
    for name, result in several.items():
        alone = importance(estimator, X, y, scoring=name)
        np.testing.assert_array_equal(result.importances, alone.importances)


def test_a_callable_scorer_gets_the_estimator(Reads):
    X = windows()
    estimator, y = Reads((0, 1)), X[:, 0, 1]

    def minus_error(model, X, y):
        assert model.cells == ((0, 1),)
        return -mean_absolute_error(y, model.predict(X))

    scorer = make_scorer(mean_absolute_error, greater_is_better=False)
    by_name = importance(estimator, X, y, scoring="neg_mean_absolute_error").importances
    for scoring in (minus_error, scorer):
        np.testing.assert_array_equal(
            importance(estimator, X, y, scoring=scoring).importances, by_name
        )


def test_an_estimator_needs_no_predict_if_it_scores():
    class Scores:
        def score(self, X, y):
            return -float(np.abs(X[:, 2, 0] - y).mean())

    X = windows()
    result = importance(Scores(), X, X[:, 2, 0], over="time")
    assert np.flatnonzero(result.importances_mean).tolist() == [2]


def test_the_estimators_own_score_is_the_default(Reads):
    class Own(Reads):
        def score(self, X, y):
            return 100 * float((X[:, 0, 0] == y).mean())

    X = windows()
    assert importance(Own(), X, X[:, 0, 0]).importances_mean[0] > 50


@pytest.mark.parametrize(
    ("over", "blocks", "shape", "at"),
    [
        ("time", 2, (3,), (1,)),
        ("time", 4, (2,), (1,)),  # 2 and 4 steps: grouped from the newest backwards
        ("time", 100, (1,), (0,)),
        ("feature", 3, (2,), (1,)),
        ("cell", (3, 2), (2, 2), (0, 1)),
        ("cell", (4, 3), (2, 2), (1, 1)),
        ("cell", None, (T, F), (2, 3)),
    ],
)
def test_blocks_are_permuted_together(over, blocks, shape, at, Reads):
    X = windows()
    result = importance(Reads((2, 3)), X, X[:, 2, 3], over=over, blocks=blocks)
    assert result.importances_mean.shape == result.importances_std.shape == shape
    assert np.argwhere(result.importances_mean).tolist() == [list(at)]
    assert result.frame.shape == (shape if over == "cell" else (*shape, 2))


def test_frames_are_labelled_by_feature_and_steps_before_the_prediction(Reads):
    X, names = windows(), ["a", "b", "c", "d"]
    options = {"feature_names": names}
    cell = importance(Reads((T - 1, 2)), X, X[:, T - 1, 2], over="cell", **options)
    assert cell.frame.index.tolist() == [5, 4, 3, 2, 1, 0]
    assert cell.frame.loc[0, "c"] == cell.importances_mean[-1, 2] > 0
    blocks = importance(
        Reads((T - 1, 2)), X, X[:, T - 1, 2], over="cell", blocks=(4, 3), **options
    ).frame
    assert blocks.index.tolist() == ["5 to 4", "3 to 0"]
    assert blocks.columns.tolist() == ["a to c", "d"]
    assert blocks.index.name == "steps_before"
    with pytest.raises(ValueError, match="4 different names"):
        importance(Reads((0, 0)), X, X[:, 0, 0], feature_names=["a"])


@pytest.mark.parametrize("max_samples", [20, 1 / 3])
def test_the_baseline_score_uses_the_same_subsample(max_samples, Reads):
    seen = []

    class Watches(Reads):
        def predict(self, X):
            seen.append(np.sort(X[:, 0, 0]))
            return super().predict(X)

    X = windows()
    result = importance(
        Watches((0, 0)), X, X[:, 0, 0], max_samples=max_samples, over="time", sample_weight=[1] * N
    )
    assert {len(values) for values in seen} == {20}
    assert all(np.array_equal(values, seen[0]) for values in seen)
    assert result.importances_mean[0] > 0 == result.importances_mean[1:].max()


def test_the_same_seed_gives_the_same_bits_and_X_is_not_changed(Reads):
    X = windows()
    before, y = X.copy(), X[:, 1, 1]
    X.setflags(write=False)
    with parallel_config(backend="threading"):
        first, again, parallel = (
            importance(Reads((1, 1), (2, 2)), X, y, over="cell", n_jobs=n_jobs).importances
            for n_jobs in (None, None, 2)
        )
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, parallel)
    np.testing.assert_array_equal(X, before)


def test_without_a_seed_the_global_random_state_is_not_used(Reads):
    X = windows()
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    importance(Reads((0, 0)), X, X[:, 0, 0], random_state=None)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_fitted_networks_in_pipelines_and_searches_are_inspected():
    X = windows()
    model = Pipeline(
        [
            ("same", FunctionTransformer(lambda X: X)),
            ("lstm", AttentionLSTMRegressor(max_epochs=1, random_state=0)),
        ]
    )
    search = GridSearchCV(model, {"lstm__hidden_size": [4]}, cv=TimeSeriesSplit(2))
    result = importance(search.fit(X, X[:, -1, 0]), X, X[:, -1, 0], over="time", n_repeats=1)
    assert result.importances.shape == (T, 1)


@pytest.mark.filterwarnings("ignore::sk_tsattn.exceptions.HistoryWarning")
def test_rows_with_lookback_are_permuted_by_feature():
    rng = np.random.default_rng(0)
    index = pd.date_range("2026-01-01", periods=N, freq="h")
    X = pd.DataFrame(rng.normal(size=(N, 2)), columns=["load", "noise"], index=index)
    y = X["load"].shift(1, fill_value=0).to_numpy()
    model = AttentionLSTMRegressor(lookback=3, max_epochs=20, random_state=0).fit(X, y)
    result = importance(model, X, y)
    assert result.frame.index.tolist() == ["load", "noise"]
    assert result.frame["mean"].idxmax() == "load"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"over": "step"}, "over must be one of 'feature', 'time', 'cell'. Got 'step'"),
        ({"over": "cell", "blocks": 3}, "blocks must be a tuple of two ints"),
        ({"over": "cell", "blocks": (0, 1)}, "Each of blocks must be an int >= 1. Got 0"),
        ({"over": "time", "blocks": (1, 2)}, "blocks must be an int >= 1"),
        ({"n_repeats": 0}, "n_repeats must be an int >= 1. Got 0"),
        ({"max_samples": 1.5}, "max_samples must be .* Got 1.5"),
        ({"max_samples": True}, "max_samples must be .* Got True"),
        ({"max_samples": N + 1}, "max_samples must be an int from 1 to n_samples=60"),
    ],
)
def test_a_wrong_parameter_is_an_error_that_lists_valid_values(options, message, Reads):
    X = windows()
    with pytest.raises(ValueError, match=message):
        importance(Reads((0, 0)), X, X[:, 0, 0], **options)


@pytest.mark.parametrize(
    "options", [{"over": "time"}, {"over": "cell"}, {"max_samples": 0.5}, {"max_samples": 1}]
)
def test_rows_instead_of_windows_are_an_error_that_names_make_windows(options, Reads):
    X = np.zeros((20, 2))
    with pytest.raises(ValueError, match="make_windows"):
        importance(Reads((0, 0)), X, X[:, 0], **options)


def test_an_object_that_neither_predicts_nor_scores_is_an_error():
    with pytest.raises(TypeError, match="must be fitted and have a predict or a score method"):
        importance(object(), windows(), np.zeros(N))


@pytest.mark.filterwarnings("ignore::sk_tsattn.exceptions.HistoryWarning")
def test_polars_frames_have_the_result_of_pandas_frames():
    polars = pytest.importorskip("polars")
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(N, 2)), columns=["load", "noise"])
    model = AttentionLSTMRegressor(lookback=3, max_epochs=2, random_state=0).fit(X, X["load"])
    expected = importance(model, X, X["load"])
    found = importance(model, polars.from_pandas(X), X["load"])
    pd.testing.assert_frame_equal(found.frame, expected.frame)
