"""Attention against importance: estimators with known attention and known inputs."""

import numpy as np
import pandas as pd
import pytest
from sklearn.utils import Bunch

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn.inspection import attention_importance, permutation_importance

N, T, F = 100, 4, 3


@pytest.fixture
def attends(Reads):
    """Return a function that builds an estimator of one cell with the given attention."""

    class Attends(Reads):
        def attention_weights(self, X):
            return Bunch(**{k: np.tile(v, (len(X), 1)) for k, v in self.weights.items()})

    def make(cell, **weights):
        estimator = Attends(cell)
        estimator.weights = {name: np.array(values, float) for name, values in weights.items()}
        return estimator

    return make


def windows():
    return np.random.default_rng(0).normal(size=(N, T, F))


def test_attention_on_the_relevant_feature_overlaps_completely_with_importance(attends):
    X = windows()
    result = attention_importance(attends((1, 2), feature=[0, 0, 1]), X, X[:, 1, 2], random_state=0)
    assert result.overlap == 1
    assert result.frame["importance_fraction"].tolist() == [0, 0, 1]
    assert (result.frame["difference"] == 0).all()
    assert result.spearman == pytest.approx(1)
    assert result.over == "feature"


@pytest.mark.parametrize(
    ("over", "attention"), [("feature", [0.6, 0.3, 0.1]), ("time", [1, 0, 0, 0])]
)
def test_the_columns_are_attention_and_permutation_importance(attends, over, attention):
    X = windows()
    estimator = attends((1, 2), **{over: attention})
    result = attention_importance(estimator, X, X[:, 1, 2], over=over, random_state=0)
    expected = permutation_importance(estimator, X, X[:, 1, 2], over=over, random_state=0)
    np.testing.assert_allclose(result.frame["attention"], attention)
    np.testing.assert_array_equal(result.frame["importance"], expected.importances_mean)
    np.testing.assert_array_equal(result.frame["importance_std"], expected.importances_std)
    assert result.frame.index.equals(expected.frame.index)
    assert result.overlap == pytest.approx(attention[{"feature": 2, "time": 1}[over]])
    assert result.spearman < 0


def test_remarks_name_what_differs_and_the_likely_reasons(attends):
    X = windows()
    result = attention_importance(
        attends((1, 2), feature=[0.85, 0.09, 0.06]),
        X,
        X[:, 1, 2],
        feature_names=["users", "wind", "promo"],
        random_state=0,
    )
    important, attended = result.remarks
    assert important.startswith("promo has 100% of the importance and 6% of the attention: few")
    assert attended.startswith("users has 85% of the attention and 0% of the importance: other")


def test_remarks_on_steps_count_them_from_the_prediction(attends):
    X = windows()
    estimator = attends((3, 2), time=[0, 0, 0.5, 0.5])
    result = attention_importance(estimator, X, X[:, 3, 2], over="time", random_state=0)
    assert [remark[:8] for remark in result.remarks] == ["Step 1 h", "Step 0 h"]


def test_columns_of_the_calendar_are_to_be_read_together(attends):
    X, y = windows(), windows()[:, 1, 2]
    estimator = attends((1, 2), feature=[0, 0, 1])
    names = ["hour_sin", "hour_cos", "users"]
    result = attention_importance(estimator, X, y, feature_names=names, random_state=0)
    (remark,) = result.remarks
    assert remark.startswith("hour_sin, hour_cos look like columns of the calendar.")
    names[0] = "price"  # one column of the calendar has no other to replace it
    result = attention_importance(estimator, X, y, feature_names=names, random_state=0)
    assert result.remarks == []


def test_uniform_attention_and_no_importance_have_no_correlation(attends):
    X = windows()
    estimator = attends((1, 2), feature=[1 / 3] * 3)
    assert np.isnan(attention_importance(estimator, X, X[:, 1, 2], random_state=0).spearman)
    result = attention_importance(estimator, 0 * X, np.arange(N), random_state=0)
    assert result.frame["importance_fraction"].isna().all()
    assert np.isnan(result.overlap)


def test_rows_of_several_series_are_cut_into_windows():
    rng = np.random.default_rng(0)
    groups = np.tile(["a", "b"], 60)
    X = pd.DataFrame(rng.normal(size=(120, 2)), columns=["u", "v"])
    y = X["u"].groupby(groups).shift(1).fillna(0)
    model = AttentionLSTMRegressor(lookback=3, attention="dense", max_epochs=30, lr=0.01)
    model.set_params(random_state=0).fit(X, y, groups=groups)
    result = attention_importance(model, X, y, groups=groups, random_state=0)
    assert result.frame.index.tolist() == ["u", "v"]
    assert result.frame["importance_fraction"]["u"] > 0.9
    assert result.frame["attention"].sum() == pytest.approx(1)


def test_attention_that_the_mode_does_not_define_is_an_error_with_advice(attends):
    X = windows()
    with pytest.raises(ValueError, match=r"must return 'time'.*fit with another attention_mode"):
        attention_importance(attends((1, 2), feature=[0, 0, 1]), X, X[:, 1, 2], over="time")
    with pytest.raises(ValueError, match="over must be one of 'feature', 'time'"):
        attention_importance(attends((1, 2), feature=[0, 0, 1]), X, X[:, 1, 2], over="cell")
