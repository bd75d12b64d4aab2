"""The estimator checks of scikit-learn on all public estimators."""

import inspect

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone, is_regressor
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    parametrize_with_checks,
)

import sk_tsattn
from sk_tsattn import AttentionLSTMClassifier, AttentionLSTMRegressor

# Arrays have no time labels: their first rows are predicted from short windows.
pytestmark = pytest.mark.filterwarnings("ignore::sk_tsattn.exceptions.HistoryWarning")

PUBLIC = [AttentionLSTMClassifier(), AttentionLSTMRegressor()]
# With lookback > 1 these three must fail: a row is predicted from the rows before it.
INHERENT = {
    "check_methods_sample_order_invariance": "another order of the rows is another series",
    "check_methods_subset_invariance": "the first rows of a subset lack their history",
    "check_sample_weight_equivalence_on_dense_data": (
        "a row that is repeated or removed shifts the windows of the rows after it"
    ),
}


# With gates that are sampled in training this one must fail.
SAMPLED = {
    "check_sample_weight_equivalence_on_dense_data": (
        "copies of a window have gates sampled separately: a weight of k equals k copies in "
        "distribution alone; test_bottleneck_fit.py tests that"
    ),
}


def expected_failed_checks(estimator):
    return INHERENT if estimator.lookback is not None and estimator.lookback > 1 else SAMPLED


# From scikit-learn 1.8 on; before it, pytest's own xfail_strict does the same.
strict = {"xfail_strict": True}
if "xfail_strict" not in inspect.signature(parametrize_with_checks).parameters:
    strict = {}


@parametrize_with_checks(PUBLIC, expected_failed_checks=expected_failed_checks, **strict)
def test_default_parameters_fail_only_checks_that_sampling_makes_impossible(estimator, check):
    check(estimator)


@parametrize_with_checks(
    [
        AttentionLSTMClassifier(attention="bahdanau", max_epochs=10, lr=0.02),
        AttentionLSTMRegressor(attention="bahdanau", max_epochs=20),
    ]
)
def test_without_sampling_every_check_passes(estimator, check):
    check(estimator)


@parametrize_with_checks(
    [AttentionLSTMRegressor(lookback=8, max_epochs=20)],
    expected_failed_checks=expected_failed_checks,
    **strict,
)
def test_lookback_fails_only_checks_that_windows_make_impossible(estimator, check):
    check(estimator)


def test_every_public_estimator_is_checked():
    public = [getattr(sk_tsattn, name) for name in sk_tsattn.__all__]
    estimators = [c for c in public if isinstance(c, type) and issubclass(c, BaseEstimator)]
    assert estimators == [type(estimator) for estimator in PUBLIC]


def test_feature_names_are_checked_as_in_scikit_learn():
    for public in PUBLIC:
        estimator = clone(public).set_params(lookback=8, max_epochs=2)
        check_dataframe_column_names_consistency(type(estimator).__name__, estimator)


def test_tags_declare_windows_rows_and_several_outputs():
    for estimator in PUBLIC:
        tags = estimator.__sklearn_tags__()
        assert tags.input_tags.three_d_array
        assert tags.input_tags.two_d_array
        assert tags.input_tags.allow_nan
        assert not tags.input_tags.sparse
        assert tags.target_tags.multi_output == is_regressor(estimator)
        assert not tags.non_deterministic


def test_order_matters_with_lookback_alone():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 2))
    y = X[:, 0]
    shuffled = rng.permutation(30)
    same = {}
    for lookback in (1, 4):
        model = AttentionLSTMRegressor(lookback=lookback, max_epochs=2, random_state=0).fit(X, y)
        same[lookback] = np.allclose(model.predict(X)[shuffled], model.predict(X[shuffled]))
    assert same == {1: True, 4: False}
