"""Stability across seeds: estimators whose attention is determined by data or by their seed."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joblib import parallel_config
from scipy.stats import pearsonr, spearmanr
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold, TimeSeriesSplit
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn.inspection import refit_agreement
from sk_tsattn.inspection._refit_agreement import _in_top

N, T, F = 40, 3, 12


class Attends(RegressorMixin, BaseEstimator):
    """Set attention from the data, from the seed, or uniform attention."""

    def __init__(self, by="data", random_state=None):
        self.by = by
        self.random_state = random_state

    def fit(self, X, y):
        n_features = np.shape(X)[-1]
        self.feature_attention_ = {
            "data": lambda: np.abs(np.asarray(X).reshape(len(X), -1, n_features)).mean((0, 1)),
            "seed": lambda: np.random.default_rng(self.random_state).random(n_features),
            "nothing": lambda: np.full(n_features, 0.1),
        }[self.by]()
        self.feature_attention_ /= self.feature_attention_.sum()
        self.n_samples_ = len(X)
        return self


def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(N, T, F)), rng.normal(size=N)


def agreement(estimator, X, y, **options):
    return refit_agreement(estimator, X, y, **{"random_state": 0} | options)


def test_attention_determined_by_the_data_is_stable():
    result = agreement(Attends("data"), *data())
    row = result.agreement.loc["feature"]
    assert row[["pearson_min", "spearman_min", "top_k_overlap_min"]].tolist() == pytest.approx(
        [1, 1, 1]
    )
    assert (result.feature_spread["std"] == 0).all()
    assert result.time is result.cell is result.time_spread is result.cell_spread is None


def test_attention_determined_by_the_seed_is_not_stable():
    X, y = np.zeros((10, 1, 400)), np.zeros(10)
    result = agreement(Attends("seed"), X, y, n_refits=6)
    row = result.agreement.loc["feature"]
    assert abs(row["spearman_mean"]) < 0.2
    assert row["top_k_overlap_mean"] < 0.3  # 0.1 by chance
    assert (row["top_k"], row["n_items"]) == (40, 400)
    assert result.feature_spread["std"].min() > 0


def test_uniform_attention_overlaps_no_more_than_by_chance():
    result = agreement(Attends("nothing"), *data(), top_k=3)
    assert result.pairs[["pearson", "spearman"]].isna().all(axis=None)
    np.testing.assert_allclose(result.pairs["top_k_overlap"], 3 / F)


def test_correlations_are_those_of_scipy():
    result = agreement(Attends("seed"), *data(), n_refits=4, top_k=3)
    frame = result.feature
    assert frame.columns.tolist() == ["refit 0", "refit 1", "refit 2", "refit 3"]
    assert len(result.pairs) == 6
    for pair in result.pairs.itertuples():
        a, b = frame[f"refit {pair.refit_a}"], frame[f"refit {pair.refit_b}"]
        assert pair.pearson == pytest.approx(pearsonr(a, b).statistic)
        assert pair.spearman == pytest.approx(spearmanr(a, b).statistic)
        assert pair.top_k_overlap == pytest.approx(
            len(set(a.nlargest(3).index) & set(b.nlargest(3).index)) / 3
        )
    assert result.agreement.loc["feature", "spearman_mean"] == result.pairs["spearman"].mean()
    assert result.agreement.loc["feature", "spearman_min"] == result.pairs["spearman"].min()
    pd.testing.assert_series_equal(
        result.feature_spread["mean"], frame.mean(axis=1), check_names=False
    )
    pd.testing.assert_series_equal(
        result.feature_spread["std"], frame.std(axis=1), check_names=False
    )


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.data())
def test_probabilities_to_be_in_the_top_k_sum_to_k(values, hypothesis_data):
    k = hypothesis_data.draw(st.integers(1, len(values)))
    chances = _in_top(np.array(values, dtype=float), k)
    assert chances.sum() == pytest.approx(k)
    assert ((chances >= 0) & (chances <= 1)).all()
    assert (np.diff(chances[np.argsort(values)]) >= -1e-12).all()


@pytest.mark.parametrize("mode", ["time", "feature", "both"])
def test_all_attention_that_the_mode_defines_is_compared(mode):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(N, 2)), columns=["a", "b"])
    model = AttentionLSTMRegressor(attention_mode=mode, lookback=4, max_epochs=1)
    result = agreement(model, X, rng.normal(size=N), n_refits=2)
    kinds = {"time": ["time"], "feature": ["feature"], "both": ["feature", "time", "cell"]}[mode]
    assert result.agreement.index.tolist() == kinds
    for kind in kinds:
        np.testing.assert_allclose(result[kind].sum(), 1)
        assert result[f"{kind}_spread"].columns.tolist() == ["mean", "std", "min", "max"]
    if "time" in kinds:
        assert result.time.index.tolist() == [3, 2, 1, 0]
        assert result.time.index.name == "steps_before"
    if "feature" in kinds:
        assert result.feature.index.tolist() == ["a", "b"]
    if mode == "both":
        assert result.cell.index[0] == (3, "a")
        by_step = result.cell.groupby(level="steps_before").sum().loc[[3, 2, 1, 0]]
        np.testing.assert_allclose(by_step, result.time)
    assert not hasattr(model, "net_")


def test_refits_with_the_same_seed_are_identical_in_parallel():
    X, y = data()
    with parallel_config(backend="threading"):
        first, again, other = (
            agreement(Attends("seed"), X, y, n_jobs=n_jobs, random_state=seed)
            for n_jobs, seed in ((None, 3), (2, 3), (None, 4))
        )
    pd.testing.assert_frame_equal(first.feature, again.feature)
    assert not first.feature.equals(other.feature)


def test_refits_are_of_the_whole_pipeline_or_search():
    X, y = data()
    pipeline = Pipeline([("tanh", FunctionTransformer(np.tanh)), ("last", Attends("seed"))])
    search = GridSearchCV(
        pipeline, {"last__by": ["seed"]}, cv=TimeSeriesSplit(2), scoring=lambda *a: 0
    )
    result = agreement(search, X, y, feature_names=list("abcdefghijkl"))
    assert result.feature.index.tolist() == list("abcdefghijkl")
    assert (result.feature_spread["std"] > 0).all()


def test_with_cv_refits_use_the_training_sets_in_turn():
    X, y = data()
    sizes = []

    class Counts(Attends):
        def fit(self, X, y):
            sizes.append(len(X))
            assert len(y) == len(X)
            return super().fit(X, y)

    agreement(Counts(), X, y, cv=3, n_refits=4)
    assert sizes == [10, 20, 30, 10]
    sizes.clear()
    frame = pd.DataFrame(X[:, 0])
    agreement(Counts(), frame, pd.Series(y), cv=KFold(4), n_refits=2)
    assert sizes == [30, 30]


def test_an_estimator_without_a_random_state_is_an_error_with_advice():
    X, y = data()
    with pytest.raises(ValueError, match=r"must have a random_state, .* give cv"):
        agreement(LinearRegression(), X[:, 0], y)


def test_refits_without_attention_are_an_error_that_names_the_attributes():
    X, y = data()
    with pytest.raises(ValueError, match="fit must set feature_attention_"):
        agreement(Ridge(), X[:, 0], y)


@pytest.mark.parametrize("options", [{"n_refits": 1}, {"top_k": 0}])
def test_a_wrong_parameter_is_an_error_that_names_it(options):
    with pytest.raises(ValueError, match=f"^{next(iter(options))} must be an int >= "):
        agreement(Attends(), *data(), **options)
