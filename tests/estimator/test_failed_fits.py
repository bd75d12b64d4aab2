"""A fit that fails does not change the estimator; one that is interrupted keeps its best epoch."""

import dataclasses
import warnings

import numpy as np
import pandas as pd
import pytest
import skorch.callbacks

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn import _training as training
from sk_tsattn.exceptions import HistoryWarning

N, L = 60, 4
X = pd.DataFrame(
    np.random.default_rng(0).normal(size=(N, 2)),
    columns=["u", "v"],
    index=pd.date_range("2024-01-01", periods=N, freq="h"),
)
Y = X["u"].shift(1).fillna(0)
OTHER = X.rename(columns={"u": "w"}).assign(x=1.0)


class Failing(skorch.callbacks.Callback):
    """Raise an error at the end of an epoch."""

    def __init__(self, error=None, epoch=2):
        self.error = error or RuntimeError("the disk is full")
        self.epoch = epoch

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) >= self.epoch:
            raise self.error


def quick(**changes):
    options = {"lookback": L, "max_epochs": 3, "hidden_size": 3, "attention": "bahdanau"}
    return AttentionLSTMRegressor(**options | {"random_state": 0} | changes)


def out_of_memory(*args, **kwargs):
    raise MemoryError


# Parameters to set before the call, and the call.
REFUSED = {
    "a parameter": ({"lr": -1.0}, lambda m: m.fit(OTHER, Y)),
    "an option of the mechanism": (
        {"attention_params": {"scor": 1}},
        lambda m: m.fit(OTHER, Y),
    ),
    "an option of skorch": ({"net_params": {"optimizr": 1}}, lambda m: m.fit(OTHER, Y)),
    "a device": ({"device": "nowhere"}, lambda m: m.fit(OTHER, Y)),
    "X": ({}, lambda m: m.fit(OTHER.assign(u=np.inf), Y)),
    "order": ({}, lambda m: m.fit(OTHER[::-1], Y[::-1])),
    "y": ({}, lambda m: m.fit(OTHER, Y[:-1])),
    "labels of y": ({}, lambda m: m.fit(OTHER, Y[::-1])),
    "weights": ({}, lambda m: m.fit(OTHER, Y, np.zeros(N))),
    "no complete window": ({"lookback": 99}, lambda m: m.fit(OTHER, Y)),
    "validation rows": (
        {"lookback": 9},
        lambda m: m.fit(OTHER, Y, X_val=OTHER[:5], y_val=Y[:5]),
    ),
    "validation target": ({}, lambda m: m.fit(OTHER, Y, X_val=OTHER, y_val=Y[1:])),
    "validation groups": ({}, lambda m: m.fit(OTHER, Y, groups_val=np.zeros(N))),
    "groups at predict alone": ({}, lambda m: m.partial_fit(X, Y, groups=["a"] * N)),
    "other columns": ({}, lambda m: m.partial_fit(OTHER, Y)),
    "two outputs": ({}, lambda m: m.partial_fit(X, np.zeros((N, 2)))),
    "warm start with other windows": (
        {"warm_start": True, "lookback": 5},
        lambda m: m.fit(X, Y),
    ),
    "no row is new": ({}, lambda m: m.update_context(X)),
}
FAILED = {
    "a callback": ({"callbacks": [Failing()]}, lambda m: m.fit(OTHER, Y)),
    "a callback out of memory": (
        {"callbacks": [Failing(MemoryError())]},
        lambda m: m.fit(OTHER, Y),
    ),
}


@pytest.fixture
def fitted():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return quick().fit(X, Y)


def state(model):
    """Return the state of the estimator as bytes, and its predictions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HistoryWarning)
        prediction = model.predict(X)
        attention = model.attention_weights(X).cell
    names = {name: value for name, value in vars(model).items() if name.endswith("_")}
    return prediction, attention, set(vars(model)), {k: str(v) for k, v in names.items()}


def assert_as_before(model, before):
    after = state(model)
    np.testing.assert_array_equal(before[0], after[0])
    np.testing.assert_array_equal(before[1], after[1])
    assert before[2:] == after[2:]


@pytest.mark.parametrize("case", REFUSED)
def test_an_input_error_changes_nothing(case, fitted):
    parameters, call = REFUSED[case]
    before, known = state(fitted), fitted.get_params()
    fitted.set_params(**parameters)
    with pytest.raises(ValueError, match=r"\w"):
        call(fitted)
    assert_as_before(fitted.set_params(**known), before)


@pytest.mark.parametrize("case", FAILED)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_an_error_during_training_changes_nothing(case, fitted):
    parameters, call = FAILED[case]
    before, known = state(fitted), fitted.get_params()
    fitted.set_params(**parameters)
    with pytest.raises((RuntimeError, MemoryError)):
        call(fitted)
    assert_as_before(fitted.set_params(**known), before)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_an_error_during_resumed_training_changes_nothing(method):
    model = quick(callbacks=[Failing(epoch=4)], warm_start=True).fit(X, Y)
    before = state(model)
    with pytest.raises(RuntimeError, match="the disk is full"):
        getattr(model, method)(X, Y)
    assert_as_before(model, before)


@pytest.mark.parametrize("step", ["make_net", "train", "attend"])
def test_running_out_of_memory_changes_nothing(step, fitted, monkeypatch):
    before = state(fitted)
    with monkeypatch.context() as short:
        short.setattr(training, step, out_of_memory)
        with pytest.raises(MemoryError):
            fitted.fit(OTHER, Y)
    assert_as_before(fitted, before)


def test_a_warning_turned_into_an_error_changes_nothing(fitted):
    before = state(fitted)
    holed = OTHER.drop(X.index[30])
    with pytest.raises(HistoryWarning):
        fitted.fit(holed, Y.drop(X.index[30]))
    assert_as_before(fitted, before)


def test_after_a_first_fit_that_fails_the_estimator_is_not_fitted():
    model = quick(callbacks=[Failing()])
    before = set(vars(model))
    with pytest.raises(RuntimeError, match="the disk is full"):
        model.fit(X, Y)
    assert set(vars(model)) == before


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_an_interrupted_fit_is_fitted_and_raises_keyboard_interrupt(method, monkeypatch):
    train = training.train

    def interrupted(*args, **kwargs):
        return dataclasses.replace(train(*args, **kwargs), interrupted=KeyboardInterrupt())

    expected = getattr(quick(), method)(X, Y)
    monkeypatch.setattr(training, "train", interrupted)
    model = quick()
    with pytest.raises(KeyboardInterrupt):
        getattr(model, method)(X, Y)
    assert model.n_iter_ == expected.n_iter_
    for found, wanted in zip(state(model)[:2], state(expected)[:2], strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert set(vars(model)) == set(vars(expected))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_resumed_training_trains_a_copy_of_the_net(fitted):
    net = fitted.net_
    weights = {k: v.clone() for k, v in net.module_.state_dict().items()}
    fitted.partial_fit(X, Y)
    assert fitted.net_ is not net
    for name, value in net.module_.state_dict().items():
        assert (value == weights[name]).all()
