"""Ctrl-C: the best state so far is kept, and KeyboardInterrupt is raised."""

import signal
import threading

import numpy as np
import pytest
import skorch.callbacks
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit

from sk_tsattn import AttentionLSTMRegressor

rng = np.random.default_rng(0)
X = rng.normal(size=(120, 5, 3))
Y = X[:, 2, 1] + 0.1 * rng.normal(size=120)
ATTENTIONS = pytest.mark.parametrize("attention", ["bottleneck", "luong"])
EARLY_STOPPING = pytest.mark.parametrize("early_stopping", [True, False])


def quick(**changes):
    options = {"hidden_size": 4, "max_epochs": 50, "random_state": 0, "n_iter_no_change": 99}
    return AttentionLSTMRegressor(**options | changes)


class At(skorch.callbacks.Callback):
    """Call a function at the end of an epoch, or in the middle of one."""

    def __init__(self, epoch, function, *, within=False):
        self.epoch, self.function, self.within = epoch, function, within

    def on_batch_end(self, net, training, **kwargs):
        if self.within and training and len(net.history) == self.epoch:
            self.function()

    def on_epoch_end(self, net, **kwargs):
        if not self.within and len(net.history) == self.epoch:
            self.function()


def ctrl_c():
    signal.raise_signal(signal.SIGINT)


def keyboard_interrupt():
    raise KeyboardInterrupt


@pytest.fixture
def handler_in_python():
    """Replace the handler of Ctrl-C by one in Python that raises KeyboardInterrupt."""

    def handler(number, frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, handler)
    yield
    signal.signal(signal.SIGINT, before)


@ATTENTIONS
@EARLY_STOPPING
@pytest.mark.parametrize("within", [True, False], ids=["within an epoch", "after an epoch"])
def test_ctrl_c_keeps_the_best_state_so_far_and_raises_keyboard_interrupt(
    attention, early_stopping, within
):
    model = quick(attention=attention, early_stopping=early_stopping)
    model.set_params(callbacks=[At(7, ctrl_c, within=within)])
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    assert model.history_.epoch.tolist() == list(range(1, 7 if within else 8))
    assert np.isfinite(model.history_.train_loss).all()
    assert 1 <= model.n_iter_ <= 7
    assert np.isfinite(model.predict(X)).all()
    np.testing.assert_allclose(model.attention_.sum(), 1)
    if early_stopping and attention == "luong":
        assert model.n_iter_ == model.history_.valid_loss.idxmin() + 1


def test_a_signal_handler_in_python_interrupts_too(handler_in_python):
    model = quick(attention="luong", callbacks=[At(3, ctrl_c)])
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    assert len(model.history_) == 3


def test_a_timer_interrupts_training_at_any_point(handler_in_python):
    model = quick(attention="luong", max_epochs=10**6)
    timer = threading.Timer(1.0, lambda: signal.raise_signal(signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    timer.join()
    assert len(model.history_) < 10**6
    assert np.isfinite(model.history_.to_numpy()).all()
    assert np.isfinite(model.predict(X)).all()


def test_ctrl_c_in_the_first_epoch_does_not_change_a_fitted_model():
    model = quick(attention="luong", max_epochs=2).fit(X, Y)
    before = model.predict(X)
    model.set_params(callbacks=[At(1, ctrl_c, within=True)])
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    np.testing.assert_array_equal(model.predict(X), before)
    assert len(model.history_) == 2


@ATTENTIONS
def test_a_keyboard_interrupt_of_a_callback_stops_training_and_is_not_raised(attention):
    model = quick(attention=attention, callbacks=[At(2, keyboard_interrupt)]).fit(X, Y)
    assert len(model.history_) == 2


def test_early_stopping_of_skorch_stops_training_and_raises_nothing():
    stop = skorch.callbacks.EarlyStopping("train_loss", patience=1, threshold=0.9)
    model = quick(attention="luong", callbacks=[stop]).fit(X, Y)
    assert len(model.history_) < 50


def test_ctrl_c_stops_a_search():
    search = GridSearchCV(
        quick(attention="luong", callbacks=[At(2, ctrl_c)]),
        {"hidden_size": [3, 4]},
        cv=TimeSeriesSplit(2),
    )
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, Y)
