"""The number of windows in a step: of "auto", and by hand."""

import numpy as np
import pytest

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn._training import _batch_size
from sk_tsattn._training._batch_size import LARGEST, MAX_STEPS, SMALLEST, resolve_batch_size

X = np.random.default_rng(0).normal(size=(80, 4, 2))
Y = X[:, 2, 1]


def quick(**changes):
    options = {"attention": "dense", "hidden_size": 4, "max_epochs": 1, "random_state": 0}
    options["batch_size"] = "auto"
    return AttentionLSTMRegressor(**options | changes)


@pytest.mark.parametrize(
    ("n_windows", "expected"),
    [
        (1, SMALLEST),
        (SMALLEST * MAX_STEPS, SMALLEST),
        (SMALLEST * MAX_STEPS + 1, 2 * SMALLEST),
        (4 * SMALLEST * MAX_STEPS, 4 * SMALLEST),
        (10**9, LARGEST),
    ],
)
def test_auto_grows_with_the_number_of_windows(n_windows, expected):
    assert resolve_batch_size("auto", n_windows) == expected
    assert resolve_batch_size(7, n_windows) == 7


def test_auto_is_chosen_by_the_windows_of_each_fit(monkeypatch):
    monkeypatch.setattr(_batch_size, "MAX_STEPS", 1)
    model = quick(warm_start=True).fit(X[:64], Y[:64])
    assert (model.batch_size, model.net_.batch_size) == ("auto", 64)
    model.fit(X, Y)
    assert model.net_.batch_size == 128


def test_auto_takes_the_same_steps_as_its_number():
    expected = quick(batch_size=SMALLEST).fit(X, Y).predict(X)
    np.testing.assert_array_equal(quick().fit(X, Y).predict(X), expected)


@pytest.mark.parametrize("batch_size", [0, "all", 3.5])
def test_other_batch_sizes_are_an_error(batch_size):
    with pytest.raises(ValueError, match=r"'batch_size'.*an int >= 1, or 'auto'. Got"):
        quick(batch_size=batch_size).fit(X, Y)
