"""Threads of torch: a fit uses as many as help, and leaves the number as it was."""

import threading

import numpy as np
import pytest
import skorch
import torch

from sk_tsattn import AttentionLSTMRegressor, _threads

WINDOWS = np.random.default_rng(0).normal(size=(300, 4, 3))
TARGET = WINDOWS[:, 1, 0]


class CountThreads(skorch.callbacks.Callback):
    """Record the number of threads of each step, here and in another thread."""

    counts, elsewhere = [], []

    def on_batch_end(self, net, training, **kwargs):
        self.counts.append(torch.get_num_threads())
        other = threading.Thread(target=lambda: self.elsewhere.append(torch.get_num_threads()))
        other.start()
        other.join()


@pytest.fixture
def four_threads(monkeypatch):
    """Let torch have taken four threads by itself."""
    for name in _threads.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    torch.set_num_threads(4)
    monkeypatch.setattr(_threads, "_default", 4)
    yield
    torch.set_num_threads(1)


def threads_of_a_fit(monkeypatch, **options):
    counts, elsewhere = [], []
    monkeypatch.setattr(CountThreads, "counts", counts)
    monkeypatch.setattr(CountThreads, "elsewhere", elsewhere)
    options = {"attention": "luong", "max_epochs": 1, "random_state": 0} | options
    AttentionLSTMRegressor(callbacks=[CountThreads()], **options).fit(WINDOWS, TARGET)
    assert len(set(counts)) == 1
    return counts[0], elsewhere[0]


@pytest.mark.parametrize(
    ("batch_size", "hidden_size", "n_threads"),
    [(64, 32, 1), (300, 16, 1), (64, 128, 2), (300, 64, 4)],
)
def test_a_fit_uses_a_thread_for_every_4096_hidden_units(
    batch_size, hidden_size, n_threads, four_threads, monkeypatch
):
    options = {"batch_size": batch_size, "hidden_size": hidden_size}
    here, elsewhere = threads_of_a_fit(monkeypatch, **options)
    assert here == n_threads
    assert elsewhere == 4
    assert torch.get_num_threads() == 4


@pytest.mark.parametrize("variable", [None, *_threads.VARIABLES])
def test_a_number_of_threads_set_by_hand_is_kept(variable, four_threads, monkeypatch):
    if variable is None:
        torch.set_num_threads(3)
    else:
        monkeypatch.setenv(variable, "4")
    here, _ = threads_of_a_fit(monkeypatch)
    assert here == (3 if variable is None else 4)


def test_a_fit_that_fails_leaves_the_number_as_it_was(four_threads):
    class Fail(skorch.callbacks.Callback):
        def on_batch_end(self, net, **kwargs):
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        AttentionLSTMRegressor(callbacks=[Fail()]).fit(WINDOWS, TARGET)
    assert torch.get_num_threads() == 4
