"""path_: the candidates of the default's training, as an attribute of the estimator."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from sk_tsattn import AttentionLSTMClassifier, AttentionLSTMRegressor, PathDisplay
from sk_tsattn.attention._registry import ATTENTION_MECHANISMS

COLUMNS = ["penalty", "valid_loss", "standard_error", "density", "selected"]
N = 150
rng = np.random.default_rng(0)
X = rng.normal(size=(N, 3, 2))
Y = 2 * X[:, 1, 0]  # one of six cells
X_VAL = rng.normal(size=(N, 3, 2))
Y_VAL = 2 * X_VAL[:, 1, 0]
OPTIONS = {"hidden_size": 4, "batch_size": 16, "max_epochs": 40, "lr": 0.02, "random_state": 0}


def regressor(**options):
    return AttentionLSTMRegressor(**OPTIONS | options)


@pytest.fixture(scope="module")
def fitted():
    return regressor().fit(X, Y, X_val=X_VAL, y_val=Y_VAL)


def assert_is_path(path):
    assert list(path.columns) == COLUMNS
    assert path["penalty"].iloc[0] == 0
    assert (path["penalty"].iloc[1:] > 0).all()
    assert (path[["valid_loss", "standard_error"]] >= 0).all(axis=None)
    best = path["valid_loss"].argmin()
    assert path["standard_error"].iloc[best] == 0
    assert path["density"].between(0, 1).all()
    assert path["selected"].dtype == bool
    assert path["selected"].sum() <= 1


def test_one_candidate_is_selected_if_gates_are_open(fitted):
    assert_is_path(fitted.path_)
    assert fitted.path_["penalty"].is_monotonic_increasing
    assert fitted.gates_.max() > 0
    assert fitted.path_["selected"].sum() == 1


def test_the_selected_candidate_is_sparser_than_the_warm_up_where_one_cell_matters(fitted):
    path = fitted.path_
    assert path.loc[path["selected"], "density"].item() < path["density"].iloc[0]


def test_no_candidate_is_selected_if_all_gates_are_closed():
    noise, noise_val = rng.normal(size=(2, N))
    model = regressor().fit(X, noise, X_val=X_VAL, y_val=noise_val)
    assert_is_path(model.path_)
    assert model.gates_.max() == 0
    assert not model.path_["selected"].any()


def test_without_a_validation_set_the_losses_are_those_of_the_training_set():
    model = regressor(early_stopping=False).fit(X, Y)
    assert_is_path(model.path_)
    assert model.path_["selected"].sum() == 1
    assert model.path_["selected"].iloc[-1]  # its penalty falls from the largest to the lowest
    assert model.path_["penalty"].iloc[1:].is_monotonic_decreasing
    assert model.path_["valid_loss"].min() < 0.5  # of the standardised target
    assert "valid_loss" not in model.history_


def test_a_classifier_has_a_path_of_log_losses():
    options = OPTIONS | {"max_epochs": 10}
    model = AttentionLSTMClassifier(**options).fit(X, Y > 0, X_val=X_VAL, y_val=Y_VAL > 0)
    assert_is_path(model.path_)
    assert model.path_["valid_loss"].max() < 1  # ln 2 is the loss of guessing


@pytest.mark.parametrize(
    ("attention", "mode"),
    [(name, next(iter(modes))) for name, modes in ATTENTION_MECHANISMS.items()]
    + [("bottleneck", None)],
)
def test_only_a_network_with_a_penalty_has_a_path(attention, mode):
    model = regressor(attention=attention, attention_mode=mode, max_epochs=1).fit(X, Y)
    if attention == "bottleneck" and mode is not None:
        assert_is_path(model.path_)
        return
    with pytest.raises(AttributeError, match=rf"no path_: .*attention='{attention}' and .*{mode}"):
        model.path_  # noqa: B018


def test_before_fit_there_is_no_path():
    assert not hasattr(regressor(), "path_")


@pytest.mark.parametrize("copied", [lambda m: pickle.loads(pickle.dumps(m)), copy.deepcopy])
def test_a_copy_has_the_same_path(fitted, copied):
    pd.testing.assert_frame_equal(copied(fitted).path_, fitted.path_)


def test_skops_needs_trust_in_the_estimator_alone(fitted):
    skops = pytest.importorskip("skops.io", reason="saves without pickle")
    trusted = ["sk_tsattn._regressor.AttentionLSTMRegressor"]
    loaded = skops.loads(skops.dumps(fitted), trusted=trusted)
    pd.testing.assert_frame_equal(loaded.path_, fitted.path_)


def test_a_clone_has_no_path(fitted):
    assert not hasattr(clone(fitted), "path_")


def test_partial_fit_removes_the_path_since_its_weights_are_not_those_selected(fitted):
    model = copy.deepcopy(fitted).partial_fit(X, Y)
    with pytest.raises(AttributeError, match="partial_fit removes it"):
        model.path_  # noqa: B018
    with pytest.raises(ValueError, match="call fit \\(not partial_fit\\)"):
        PathDisplay.from_estimator(model)
    assert not hasattr(regressor().partial_fit(X, Y), "path_")


def test_a_warm_start_has_a_path_of_its_own(fitted):
    model = copy.deepcopy(fitted).set_params(warm_start=True, max_epochs=6)
    model.fit(X, Y, X_val=X_VAL, y_val=Y_VAL)
    assert_is_path(model.path_)
    assert not model.path_.equals(fitted.path_)


def test_another_mechanism_removes_the_path_of_an_earlier_fit(fitted):
    model = copy.deepcopy(fitted).set_params(attention="luong", max_epochs=1).fit(X, Y)
    assert not hasattr(model, "path_")
