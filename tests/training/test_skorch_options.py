"""Options of skorch: progress, callbacks and net_params."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import skorch
import skorch.callbacks
import skorch.utils
import torch

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn._data._batches import WindowDataset
from sk_tsattn._data._windows import Windows
from sk_tsattn._training._net import RESERVED
from sk_tsattn.attention import ATTENTION_MODES

N, T, F = 60, 5, 3
rng = np.random.default_rng(0)
WINDOWS = rng.normal(size=(N, T, F))
ROWS = rng.normal(size=(N, F))
TARGET = WINDOWS[:, 2, 1] + 0.1 * rng.normal(size=N)
MODES = pytest.mark.parametrize("mode", [None, *ATTENTION_MODES])


def quick(**changes):
    options = {"attention": "bahdanau", "hidden_size": 4, "max_epochs": 3, "random_state": 0}
    return AttentionLSTMRegressor(**options | {"early_stopping": False} | changes)


# ------------------------------------------------------------------------------ progress


def test_verbose_1_shows_one_progress_bar_on_stderr(capsys):
    quick(verbose=1).fit(WINDOWS, TARGET)
    out, err = capsys.readouterr()
    assert out == ""
    assert "AttentionLSTMRegressor: 100%" in err
    assert "3/3" in err
    assert "train_loss=" in err
    assert err.count("\n") == 1  # one line, updated in place


def test_verbose_1_shows_the_validation_loss(capsys):
    quick(verbose=1, early_stopping=True).fit(WINDOWS, TARGET)
    assert "valid_loss=" in capsys.readouterr().err


@pytest.mark.parametrize("early_stopping", [False, True])
def test_verbose_0_prints_nothing(capsys, early_stopping):
    model = quick(early_stopping=early_stopping, max_epochs=30, n_iter_no_change=2)
    model.fit(WINDOWS, TARGET).predict(WINDOWS)
    assert capsys.readouterr() == ("", "")


def test_verbose_2_prints_a_line_per_epoch(capsys):
    quick(verbose=2).fit(WINDOWS, TARGET)
    out, err = capsys.readouterr()
    numbers = [line.split()[0] for line in out.splitlines() if line.strip()[:1].isdigit()]
    assert numbers == ["1", "2", "3"]
    assert "train_loss" in out
    assert "3/3" in err


# ------------------------------------------------------------------------------ skorch's options


class Recorder(skorch.callbacks.Callback):
    """A callback with state, which adds a column to the history of the net."""

    def __init__(self):
        self.epochs = []

    def on_epoch_end(self, net, **kwargs):
        self.epochs = [*self.epochs, net.history[-1, "epoch"]]
        net.history.record("recorded", len(self.epochs))


def test_callbacks_are_called_during_training_and_are_not_changed():
    recorder = Recorder()
    before = copy.deepcopy(vars(recorder))
    callbacks = [recorder]
    model = quick(callbacks=callbacks).fit(WINDOWS, TARGET)
    assert model.net_.history[:, "recorded"] == [1, 2, 3]
    assert vars(recorder) == before
    assert model.callbacks is callbacks
    assert callbacks == [recorder]
    named = quick(callbacks=[("mine", recorder)]).fit(WINDOWS, TARGET)
    assert named.net_.history[:, "recorded"] == [1, 2, 3]


def test_net_params_set_the_optimizer():
    adam = quick().fit(WINDOWS, TARGET)
    sgd = quick(net_params={"optimizer": torch.optim.SGD, "optimizer__momentum": 0.9}, lr=0.05).fit(
        WINDOWS, TARGET
    )
    assert isinstance(adam.net_.optimizer_, torch.optim.AdamW)
    assert isinstance(sgd.net_.optimizer_, torch.optim.SGD)
    assert sgd.net_.optimizer_.param_groups[0]["momentum"] == 0.9
    assert sgd.net_.optimizer_.param_groups[0]["lr"] == 0.05
    assert not np.allclose(adam.predict(WINDOWS), sgd.predict(WINDOWS))


def test_weight_decay_is_passed_to_the_optimizer():
    for weight_decay in (0.0, 0.3):
        model = quick(weight_decay=weight_decay).fit(WINDOWS, TARGET)
        assert model.net_.optimizer_.param_groups[0]["weight_decay"] == weight_decay
    decayed, undecayed = (
        quick(weight_decay=w, max_epochs=40, lr=0.02).fit(WINDOWS, TARGET) for w in (5.0, 0.0)
    )
    assert decayed.predict(WINDOWS).std() < 0.5 * undecayed.predict(WINDOWS).std()


def test_net_params_set_the_loss():
    y = TARGET.copy()
    y[0] = 1000  # an outlier, which dominates the squared error
    huber = quick(
        net_params={"criterion": torch.nn.HuberLoss, "criterion__delta": 0.01}, max_epochs=1
    ).fit(WINDOWS, y)
    assert huber.history_.train_loss[0] < 0.01 * 10
    squared = quick(max_epochs=1).fit(WINDOWS, y)
    assert squared.history_.train_loss[0] > 0.5


def test_a_callback_clips_gradients():
    model = quick(
        callbacks=[skorch.callbacks.GradientNormClipping(1e-6)],
        net_params={"optimizer": torch.optim.SGD},
        lr=1.0,
    ).fit(WINDOWS, TARGET)
    loss = model.history_.train_loss
    assert loss[2] == pytest.approx(loss[0], rel=1e-4)  # the steps are negligible


@pytest.mark.parametrize("option", RESERVED)
def test_an_option_that_is_a_parameter_is_an_error_that_names_the_parameter(option):
    with pytest.raises(ValueError, match=f"net_params.*{option}") as caught:
        quick(net_params={option: None}).fit(WINDOWS, TARGET)
    for parameter in filter(None, [RESERVED[option]]):
        assert parameter in str(caught.value)


@pytest.mark.parametrize("option", ["learning_rate", "module__hidden_size", "callback"])
def test_an_unknown_option_of_skorch_is_an_error(option):
    with pytest.raises(ValueError, match=f"net_params.*{option}"):
        quick(net_params={option: 1}).fit(WINDOWS, TARGET)


def test_net_is_a_skorch_net_with_the_predictions_of_the_estimator():
    model = quick(device="cpu").fit(WINDOWS, TARGET)
    assert isinstance(model.net_, skorch.NeuralNet)
    scaled = (WINDOWS - WINDOWS.mean(axis=(0, 1))) / WINDOWS.std(axis=(0, 1))
    with torch.no_grad():
        prediction = model.net_.module_(torch.as_tensor(scaled)).numpy()[:, 0]
    np.testing.assert_allclose(TARGET.mean() + TARGET.std() * prediction, model.predict(WINDOWS))


@pytest.mark.filterwarnings("ignore::sk_tsattn.exceptions.HistoryWarning")  # the first rows
@pytest.mark.parametrize("lookback", [None, 4], ids=["windows", "rows"])
def test_windows_are_cut_by_batch_and_not_by_sample(lookback, monkeypatch):
    sizes = []
    take = Windows.take

    def spy(self, which, offsets):
        sizes.append(len(which))
        return take(self, which, offsets)

    monkeypatch.setattr(Windows, "take", spy)
    X = WINDOWS if lookback is None else ROWS
    model = quick(lookback=lookback, batch_size=25, max_epochs=2, attention_mode=None)
    model.fit(X, TARGET)
    n_windows = N if lookback is None else N - lookback + 1
    # The last one compares the fit with the null model.
    assert sizes == [*2 * [25, 25, n_windows - 50], n_windows]
    sizes.clear()
    model.predict(np.concatenate([X] * 20))
    assert sizes == [512, 512, 20 * N - 1024]


def test_shuffling_of_batches_can_be_turned_off(monkeypatch):
    orders = []
    targets = WindowDataset.targets

    def spy(self, which):
        orders.append(which.tolist())
        return targets(self, which)

    monkeypatch.setattr(WindowDataset, "targets", spy)
    quick(batch_size=N // 2, net_params={"iterator_train__shuffle": False}, max_epochs=1).fit(
        WINDOWS, TARGET
    )
    np.testing.assert_array_equal(np.ravel(orders[:2]), np.arange(N))


ADAM = {"optimizer": torch.optim.Adam}
L1 = {"criterion": torch.nn.L1Loss}
HUBER = {"criterion": torch.nn.HuberLoss}
SGD = {"optimizer": torch.optim.SGD}


@pytest.mark.parametrize("attention", ["bottleneck", "luong"])
@pytest.mark.parametrize(
    "net_params",
    [
        {"iterator_valid__batch_size": 7},
        {"optimizer": torch.optim.LBFGS},
        {"optimizer__betas": (0.8, 0.9)},
        {"optimizer__fused": False},
        {**HUBER, "criterion__delta": 0.5},
        {**SGD, "optimizer__momentum": 0.9},
        {"callbacks__print_log": None},
        L1,
    ],
    ids=lambda options: ",".join(map(str, options)),
)
def test_valid_options_of_skorch_are_accepted(attention, net_params):
    model = quick(attention=attention, net_params=net_params).fit(WINDOWS, TARGET)
    assert np.isfinite(model.predict(WINDOWS)).all()


@pytest.mark.parametrize(
    "net_params",
    [
        {1: 2},
        {"callbacks__nobody__patience": 1},
        {"criterion": "mse"},
        {"criterion": torch.nn.functional.mse_loss},
        {"criterion": torch.nn.CrossEntropyLoss},
        {"criterion": torch.nn.GaussianNLLLoss},
        {"criterion": torch.nn.L1Loss()},
        {"criterion": torch.nn.Linear},
        {"iterator_train__batch_size": 3},
        {"iterator_train__num_workers": 1},
        {"iterator_train__shuffle": "yes"},
        {"iterator_valid__shuffel": True},
        {"optimizer": "adam"},
        {"optimizer": torch.nn.Linear},
        {"optimizer": torch.optim.Optimizer},
        {"optimizer": torch.optim.SparseAdam},
        {"optimizer__betas": 3},
        {"optimizer__eps": "small"},
        {"optimizer__momentum": 0.9},
        {**HUBER, "criterion__delta": -1.0},
        {**HUBER, "criterion__detla": 2.0},
        {**L1, "criterion__reduction": "sum"},
        {**SGD, "optimizer__momentum": -1.0},
        {"use_caching": False},
        {"warm_start": True},
    ],
    ids=lambda options: ",".join(map(str, options)),
)
def test_a_wrong_option_is_an_error_that_names_it_and_changes_nothing(net_params):
    model = quick().fit(WINDOWS, TARGET)
    before = model.predict(WINDOWS)
    option = list(net_params)[-1]
    with pytest.raises(ValueError, match=rf"net_params.*{option}.*Got|net_params.*Got.*{option}"):
        model.set_params(net_params=net_params).fit(WINDOWS, TARGET)
    np.testing.assert_array_equal(model.predict(WINDOWS), before)


class Writer:
    """The interface of a TensorBoard writer that skorch uses; it accepts numbers only."""

    def __init__(self):
        self.scalars = {}

    def add_scalar(self, tag, scalar_value, global_step):
        self.scalars.setdefault(tag, []).append(float(scalar_value))

    def __deepcopy__(self, memo):
        return self


class Client:
    """The interface of an MLflow client that skorch uses; it accepts numbers only."""

    def __init__(self):
        self.metrics = {}

    def log_metric(self, run_id, key, value, step):
        self.metrics.setdefault(key, []).append(float(value))

    def set_terminated(self, run_id):
        pass

    def __deepcopy__(self, memo):
        return self


@pytest.mark.parametrize("attention", ["bottleneck", "luong"])
def test_loggers_of_skorch_log_the_history(attention):
    writer, client = Writer(), Client()
    run = SimpleNamespace(info=SimpleNamespace(run_id=1))
    loggers = [
        skorch.callbacks.TensorBoard(writer, close_after_train=False),
        skorch.callbacks.MlflowLogger(run, client, create_artifact=False),
    ]
    model = quick(attention=attention, early_stopping=True, callbacks=loggers, max_epochs=20)
    model.fit(WINDOWS, TARGET)
    for logged in (writer.scalars, client.metrics):
        named = {tag.split("/")[-1]: values for tag, values in logged.items()}
        assert {"train_loss", "valid_loss", "lr"} <= set(named)
        assert len(named["train_loss"]) == len(model.history_)


@pytest.mark.parametrize("attention", ["bottleneck", "luong"])
@pytest.mark.parametrize("on_train", [True, False])
def test_scores_of_skorch_are_those_of_the_predictions(attention, on_train):
    score = skorch.callbacks.EpochScoring(
        "neg_mean_squared_error", on_train=on_train, name="score", lower_is_better=False
    )
    model = quick(attention=attention, early_stopping=True, callbacks=[score], batch_size=20)
    model.fit(WINDOWS, TARGET)
    losses = model.history_.train_loss if on_train else model.history_.valid_loss
    np.testing.assert_allclose(model.net_.history[:, "score"], -losses, rtol=1e-6)
    assert score.target_extractor is skorch.utils.to_numpy


@pytest.mark.parametrize("attention", ["bottleneck", "luong"])
@pytest.mark.parametrize("kind", ["EarlyStopping", "LRScheduler", "Checkpoint"])
def test_callbacks_that_monitor_the_validation_loss_need_a_validation_set(
    attention, kind, tmp_path
):
    callback = {
        "EarlyStopping": skorch.callbacks.EarlyStopping(patience=2, load_best=True),
        "LRScheduler": skorch.callbacks.LRScheduler("ReduceLROnPlateau", monitor="valid_loss"),
        "Checkpoint": skorch.callbacks.Checkpoint(dirname=tmp_path),
    }[kind]
    model = quick(attention=attention, callbacks=[callback], max_epochs=6)
    with pytest.raises(ValueError, match=f"{kind} monitors 'valid_loss.*early_stopping=True"):
        model.fit(WINDOWS, TARGET)
    model.set_params(early_stopping=True).fit(WINDOWS, TARGET)
    assert np.isfinite(model.predict(WINDOWS)).all()
    assert (kind == "Checkpoint") == bool(list(tmp_path.iterdir()))


@pytest.mark.parametrize(
    "callback",
    [
        object(),
        "EarlyStopping",
        skorch.callbacks.BatchScoring("r2"),
        skorch.callbacks.EpochScoring("r2", use_caching=False),
        skorch.callbacks.InputShapeSetter(),
    ],
    ids=lambda callback: type(callback).__name__,
)
def test_an_unsupported_callback_is_an_error_that_names_it(callback):
    with pytest.raises(ValueError, match=rf"callback.*{type(callback).__name__}|callbacks.*Early"):
        quick(callbacks=[callback]).fit(WINDOWS, TARGET)
