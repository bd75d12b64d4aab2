"""Reproducibility: the same seed, the same bits; global random states are not used."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import skorch.callbacks
import torch
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn.attention import ATTENTION_MODES

N, T, F = 60, 5, 3
rng = np.random.default_rng(0)
WINDOWS = rng.normal(size=(N, T, F))
TARGET = rng.normal(size=N)
MODES = pytest.mark.parametrize("mode", [None, *ATTENTION_MODES])


def quick(**changes):
    options = {"hidden_size": 4, "max_epochs": 3, "batch_size": 16, "dropout": 0.2}
    return AttentionLSTMRegressor(**options | changes)


def weights_of(model):
    """Return the weights as bytes."""
    state = model.net_.module_.state_dict()
    return pickle.dumps({name: value.cpu().numpy() for name, value in state.items()})


@MODES
@pytest.mark.parametrize("seed", [0, 2**32 - 1])
def test_fits_with_the_same_seed_are_identical_in_every_bit(mode, seed):
    first, second = (
        quick(attention_mode=mode, random_state=seed).fit(WINDOWS, TARGET) for _ in range(2)
    )
    assert weights_of(first) == weights_of(second)
    np.testing.assert_array_equal(first.predict(WINDOWS), second.predict(WINDOWS))
    losses = ["epoch", "train_loss", "lr"]
    pd.testing.assert_frame_equal(first.history_[losses], second.history_[losses])
    refitted = weights_of(first.fit(WINDOWS, TARGET))
    assert refitted == weights_of(second)


def test_fits_in_single_precision_are_identical_in_every_bit():
    X = rng.normal(size=(2500, 10, 5))
    options = {"random_state": 0, "max_epochs": 1, "batch_size": 500}
    first, second = (quick(**options).fit(X, X[:, 0, 0]) for _ in range(2))
    assert next(first.net_.module_.parameters()).dtype == torch.float32
    assert weights_of(first) == weights_of(second)


def test_weights_depend_on_the_seed():
    first, second = (quick(random_state=seed).fit(WINDOWS, TARGET) for seed in (0, 1))
    assert weights_of(first) != weights_of(second)


def test_a_random_state_instance_is_advanced_by_each_fit():
    first = quick(random_state=np.random.RandomState(3)).fit(WINDOWS, TARGET)
    second = quick(random_state=np.random.RandomState(3)).fit(WINDOWS, TARGET)
    assert weights_of(first) == weights_of(second)
    instance = np.random.RandomState(3)
    one, other = (quick(random_state=instance).fit(WINDOWS, TARGET) for _ in range(2))
    assert weights_of(one) == weights_of(first)
    assert weights_of(one) != weights_of(other)


def test_without_a_seed_fits_differ():
    first, second = (quick(random_state=None).fit(WINDOWS, TARGET) for _ in range(2))
    assert weights_of(first) != weights_of(second)


def global_states():
    return pickle.dumps(np.random.get_state()), torch.get_rng_state().numpy().tobytes()  # noqa: NPY002


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("random_state", [0, "instance", None])
def test_global_random_states_are_not_changed(method, random_state):
    if random_state == "instance":
        random_state = np.random.RandomState(0)
    before = global_states()
    model = getattr(quick(random_state=random_state), method)(WINDOWS, TARGET)
    model.predict(WINDOWS)
    model.attention_weights(WINDOWS)
    assert global_states() == before


def test_global_random_states_have_no_influence():
    fits = []
    for seed in (1, 2):
        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)
        fits.append(weights_of(quick(random_state=0).fit(WINDOWS, TARGET)))
    assert fits[0] == fits[1]


def test_a_fit_that_fails_does_not_change_global_random_states():
    class FitError(Exception):
        pass

    class Fail(skorch.callbacks.Callback):
        def on_batch_end(self, net, **kwargs):
            raise FitError

    before = global_states()
    with pytest.raises(FitError):
        quick(random_state=0, callbacks=[Fail()]).fit(WINDOWS, TARGET)
    assert global_states() == before


class WatchGlobalState(skorch.callbacks.Callback):
    """Check after every step that torch's global generator has not changed."""

    def on_train_begin(self, net, **kwargs):
        self.before = torch.get_rng_state()

    def on_batch_end(self, net, **kwargs):
        assert torch.equal(torch.get_rng_state(), self.before)


@pytest.mark.parametrize("attention", ["bottleneck", "luong", "retain", "imv", "darnn"])
def test_the_global_generator_of_torch_is_not_used_during_training(attention):
    model = quick(attention=attention, num_layers=2, callbacks=[WatchGlobalState()])
    model.fit(WINDOWS, TARGET)


@pytest.mark.parametrize("attention", ["bottleneck", "luong", "retain", "imv", "darnn"])
def test_fits_in_threads_are_identical_to_a_single_fit(attention):
    model = quick(attention=attention, num_layers=2, max_epochs=6, random_state=0)
    alone = weights_of(model.fit(WINDOWS, TARGET))

    def fit(seed):
        np.random.rand(seed)  # noqa: NPY002
        torch.rand(seed)  # other users of the global generators
        return weights_of(clone(model).fit(WINDOWS, TARGET))

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(fit, range(8))) == {alone}


def test_fits_in_joblib_threads_are_identical_to_single_fits():
    def fit(seed):
        return weights_of(quick(random_state=seed).fit(WINDOWS, TARGET))

    seeds = [0, 1, 0, 1, 2, 2]
    fits = Parallel(n_jobs=3, backend="threading")(delayed(fit)(seed) for seed in seeds)
    assert fits == [fit(seed) for seed in seeds]


def test_a_fit_within_a_fit_does_not_change_it():
    class FitAnother(skorch.callbacks.Callback):
        def on_epoch_end(self, net, **kwargs):
            quick(random_state=5, max_epochs=1).fit(WINDOWS, TARGET)

    alone = weights_of(quick(random_state=0).fit(WINDOWS, TARGET))
    other = quick(random_state=0, callbacks=[FitAnother()]).fit(WINDOWS, TARGET)
    assert weights_of(other) == alone


@pytest.mark.parametrize("attention", ["bottleneck", "luong", "retain", "imv", "darnn"])
def test_dropout_changes_the_training_loss(attention):
    losses = [
        quick(attention=attention, num_layers=2, dropout=dropout, random_state=0, max_epochs=1)
        .fit(WINDOWS, TARGET)
        .history_.train_loss[0]
        for dropout in (0.0, 0.5)
    ]
    assert losses[0] != losses[1]


def test_the_default_dtype_of_torch_has_no_influence():
    expected = quick(random_state=0).fit(WINDOWS, TARGET)
    assert torch.get_default_dtype() == torch.float32
    assert expected.predict(WINDOWS).dtype == np.float64
    assert torch.is_grad_enabled()


@pytest.mark.filterwarnings("ignore::sk_tsattn.exceptions.HistoryWarning")  # the first rows
@pytest.mark.parametrize("layout", ["windows", "rows"])
def test_a_search_in_two_processes_is_identical_to_one_in_one_process(layout):
    X = WINDOWS
    model = quick(random_state=0)
    if layout == "rows":
        times = pd.date_range("2020", periods=N, freq="h")
        X = pd.DataFrame(WINDOWS[:, 0], columns=list("abc"), index=times)
        model.set_params(lookback=4)
    grid = {"attention_mode": [None, "both"], "hidden_size": [3, 4]}
    searches = [
        GridSearchCV(model, grid, cv=TimeSeriesSplit(2), n_jobs=n_jobs, error_score="raise").fit(
            X, TARGET
        )
        for n_jobs in (1, 2)
    ]
    one, two = searches
    scores = [name for name in one.cv_results_ if "score" in name and "time" not in name]
    assert len(scores) == 5
    for name in scores:
        np.testing.assert_array_equal(one.cv_results_[name], two.cv_results_[name])
    assert one.best_params_ == two.best_params_
    np.testing.assert_array_equal(one.predict(X), two.predict(X))
    assert weights_of(one.best_estimator_) == weights_of(two.best_estimator_)
