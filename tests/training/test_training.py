"""Training: sample weights, standardisation, the best epoch, resumed training, history_.

Of mechanisms without a penalty on gates; for those with one see ``test_bottleneck_fit.py``.
"""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import skorch
import skorch.callbacks
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import mean_squared_error, r2_score

from sk_tsattn import AttentionLSTMRegressor, make_windows
from sk_tsattn._data._batches import WindowDataset
from sk_tsattn.attention import ATTENTION_MODES
from sk_tsattn.datasets import load_gas_furnace, make_fixed_cells

N, T, F = 60, 5, 3
rng = np.random.default_rng(0)
WINDOWS = rng.normal(size=(N, T, F))
ROWS = rng.normal(size=(N, F))
TARGET = WINDOWS[:, 2, 1] + 0.1 * rng.normal(size=N)
# The first rows have short windows; that is intended.
SHORT_WINDOWS = pytest.mark.filterwarnings("ignore::sk_tsattn.exceptions.HistoryWarning")
MODES = pytest.mark.parametrize("mode", [None, *ATTENTION_MODES])


def quick(**changes):
    options = {"attention": "bahdanau", "hidden_size": 4, "max_epochs": 3, "random_state": 0}
    return AttentionLSTMRegressor(**options | {"early_stopping": False} | changes)


# ------------------------------------------------------------------------------ sample weights


@MODES
@pytest.mark.parametrize("standardize", [True, False])
def test_a_weight_of_k_equals_k_copies(mode, standardize):
    copies = rng.integers(0, 4, size=N)
    options = {"attention_mode": mode, "standardize": standardize, "batch_size": 4 * N}
    weighted = quick(**options).fit(WINDOWS, TARGET, sample_weight=copies)
    repeated = quick(**options).fit(np.repeat(WINDOWS, copies, axis=0), np.repeat(TARGET, copies))
    np.testing.assert_allclose(weighted.predict(WINDOWS), repeated.predict(WINDOWS), rtol=1e-6)
    np.testing.assert_allclose(
        weighted.history_.train_loss, repeated.history_.train_loss, rtol=1e-6
    )
    for name in vars(repeated):
        if name.endswith("attention_"):
            np.testing.assert_allclose(getattr(weighted, name), getattr(repeated, name), rtol=1e-6)


def test_a_weight_of_zero_equals_removal():
    keep = rng.random(N) < 0.6
    y = np.where(keep, TARGET, 1e9)
    X = np.where(keep[:, None, None], WINDOWS, 1e6)
    weighted = quick(batch_size=8).fit(X, y, sample_weight=keep.astype(float))
    removed = quick(batch_size=8).fit(WINDOWS[keep], TARGET[keep])
    np.testing.assert_allclose(weighted.predict(WINDOWS), removed.predict(WINDOWS), rtol=1e-9)


@SHORT_WINDOWS
def test_a_row_of_weight_zero_remains_in_the_history_of_others():
    weight = np.r_[np.zeros(30), np.ones(30)]
    model = quick(lookback=4).fit(ROWS, TARGET, sample_weight=weight)
    X, y, _ = make_windows(ROWS, TARGET, lookback=4, horizon="nowcast")
    windows = quick().fit(X[-30:], y[-30:])
    np.testing.assert_allclose(model.predict(ROWS)[3:], windows.predict(X), rtol=1e-9)


def test_only_the_ratio_of_weights_matters():
    weight = rng.uniform(0.1, 2, size=N)
    one = quick(batch_size=16).fit(WINDOWS, TARGET, sample_weight=weight)
    other = quick(batch_size=16).fit(WINDOWS, TARGET, sample_weight=1000 * weight)
    np.testing.assert_allclose(one.predict(WINDOWS), other.predict(WINDOWS), rtol=1e-6)
    plain = quick(batch_size=16).fit(WINDOWS, TARGET)
    equal = quick(batch_size=16).fit(WINDOWS, TARGET, sample_weight=np.full(N, 7))
    np.testing.assert_allclose(plain.predict(WINDOWS), equal.predict(WINDOWS), rtol=1e-9)


def test_the_prediction_of_a_constant_input_is_the_weighted_mean():
    y = np.where(np.arange(N) % 2, 1.0, -1.0)
    X = np.ones((N, 2, 1))  # the best prediction is the weighted mean of y
    weight = np.where(np.arange(N) % 2, 3.0, 1.0)
    model = quick(max_epochs=60, lr=0.05).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(model.predict(X), 0.5, atol=0.05)


# ------------------------------------------------------------------------------ standardisation


def with_extreme_end(array):
    """Replace what becomes the validation set (the newest 10 %) by extreme values."""
    array = array.copy()
    array[-N // 10 :] = 1e4
    return array


def test_scaling_is_fitted_to_the_training_set_alone():
    options = {"early_stopping": True, "validation_fraction": 0.1}
    clean = quick(**options, max_epochs=1).fit(WINDOWS, TARGET)
    extreme = quick(**options, max_epochs=1).fit(
        with_extreme_end(WINDOWS), with_extreme_end(TARGET)
    )
    np.testing.assert_array_equal(clean.predict(WINDOWS), extreme.predict(WINDOWS))
    assert clean.history_.train_loss[0] == extreme.history_.train_loss[0]
    assert clean.history_.valid_loss[0] != extreme.history_.valid_loss[0]


@SHORT_WINDOWS
def test_scaling_of_rows_is_fitted_to_the_training_set_alone():
    options = {"early_stopping": True, "max_epochs": 1, "lookback": 4, "validation_fraction": 0.1}
    clean = quick(**options).fit(ROWS, TARGET)
    extreme = quick(**options).fit(with_extreme_end(ROWS), with_extreme_end(TARGET))
    np.testing.assert_array_equal(clean.predict(ROWS), extreme.predict(ROWS))


@pytest.mark.parametrize("n_rows", [30, 5000])
def test_constant_columns_have_finite_predictions(n_rows):
    X = rng.normal(size=(n_rows, 2, 2))
    constant = np.concatenate([X, np.full((n_rows, 2, 1), 0.1)], axis=2)
    y = np.column_stack([X[:, 0, 0], np.full(n_rows, 1 / 3)])
    model = quick(max_epochs=2, batch_size=512).fit(constant, y)
    prediction = model.predict(constant)
    assert np.isfinite(prediction).all()
    np.testing.assert_allclose(prediction[:, 1], 1 / 3, atol=0.5)
    # A small change of a constant feature has a small effect.
    moved = constant.copy()
    moved[..., 2] += 1e-9
    np.testing.assert_allclose(model.predict(moved), prediction, atol=1e-6)


def test_scaling_is_weighted():
    X, y = WINDOWS.copy(), TARGET.copy()
    X[:30], y[:30] = X[:30] + 100, y[:30] + 100
    weight = np.r_[np.full(30, 1e-12), np.ones(30)]
    model = quick(max_epochs=1, lr=1e-12).fit(X, y, sample_weight=weight)
    only = quick(max_epochs=1, lr=1e-12).fit(X[30:], y[30:])
    np.testing.assert_allclose(model.predict(X[30:]), only.predict(X[30:]), rtol=1e-6)


def test_standardize_can_be_turned_off():
    X, y = 5 + WINDOWS, 5 + TARGET
    with pytest.warns(ConvergenceWarning, match="worse than a constant prediction"):
        raw = quick(standardize=False, max_epochs=1, lr=1e-12).fit(X, y)
    error = mean_squared_error(y, raw.predict(X))
    assert raw.history_.train_loss[0] == pytest.approx(error, rel=1e-6)
    assert error > 10  # the network has not fitted the mean of y


# ------------------------------------------------------------------------------ best epoch


def overfitting(**changes):
    """Fit signal and then noise, so that the best epoch is neither the first nor the last."""
    noise = np.random.default_rng(1)
    X = noise.normal(size=(60, 4, 3))
    y = X[:, -1, 0] + noise.normal(size=60)
    options = {"early_stopping": True, "hidden_size": 16, "lr": 0.02, "max_epochs": 60}
    model = quick(**options | {"validation_fraction": 0.2} | changes)
    return model.fit(X, y), X, y


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_the_best_epoch_is_restored(dropout):
    model, X, y = overfitting(dropout=dropout)
    losses = model.history_.valid_loss
    best = losses.idxmin()
    assert 0 < best < len(losses) - 1
    assert model.n_iter_ == model.history_.epoch[best] == best + 1
    error = mean_squared_error(y[48:], model.predict(X[48:])) / y[:48].var()
    assert error == pytest.approx(losses[best], rel=1e-6)
    assert model.net_.module_.training is False


def test_training_stops_n_iter_no_change_epochs_after_the_best():
    for patience in (3, 8):
        model, _, _ = overfitting(n_iter_no_change=patience, max_epochs=200)
        assert len(model.history_) == model.n_iter_ + patience


def test_attention_is_that_of_the_restored_epoch():
    model, X, _ = overfitting()
    np.testing.assert_allclose(model.attention_, model.attention_weights(X[:48]).cell.mean(axis=0))


def test_without_early_stopping_the_last_epoch_is_kept():
    model = quick(max_epochs=7).fit(WINDOWS, TARGET)
    assert model.n_iter_ == len(model.history_) == 7
    assert "valid_loss" not in model.history_


def test_fit_writes_no_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    model, X, _ = overfitting(verbose=2, max_epochs=5)
    model.predict(X)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("n_epochs", [1, "best", 30])
def test_the_best_epoch_is_restored_if_a_callback_stops_training(n_epochs):
    if n_epochs == "best":
        n_epochs = overfitting()[0].n_iter_
        assert n_epochs > 1

    class Stop(skorch.callbacks.Callback):
        def on_epoch_end(self, net, **kwargs):
            if net.history[-1, "epoch"] == n_epochs:
                raise KeyboardInterrupt

    model, X, y = overfitting(callbacks=[Stop()], n_iter_no_change=50)
    losses = model.history_.valid_loss
    assert len(losses) == n_epochs
    assert model.n_iter_ == losses.idxmin() + 1
    error = mean_squared_error(y[48:], model.predict(X[48:])) / y[:48].var()
    assert error == pytest.approx(losses.min(), rel=1e-6)


# ------------------------------------------------------------------------------ history_


def test_history_has_a_row_per_epoch():
    model, _, _ = overfitting(max_epochs=6, n_iter_no_change=50, lr=0.003)
    history = model.history_
    assert list(history.columns) == ["epoch", "train_loss", "valid_loss", "lr", "seconds"]
    assert history.epoch.tolist() == [1, 2, 3, 4, 5, 6]
    assert (history.lr == 0.003).all()
    assert (history.seconds > 0).all()
    assert np.isfinite(history.to_numpy()).all()


def test_a_loss_of_one_is_that_of_the_null_model():
    # The steps are negligible, and the initial output of the head is small.
    y = rng.normal(100, 5, size=(N, 2))
    model = quick(max_epochs=1, lr=1e-12, attention_mode=None).fit(WINDOWS, y)
    error = ((model.predict(WINDOWS) - y) ** 2).mean(axis=0) / y.var(axis=0)
    assert model.history_.train_loss[0] == pytest.approx(error.mean(), rel=1e-5)
    assert model.history_.train_loss[0] == pytest.approx(1, abs=0.4)


def test_history_has_the_learning_rate_of_each_epoch():
    halved = skorch.callbacks.LRScheduler("StepLR", step_size=1, gamma=0.5)
    model = quick(callbacks=[halved], lr=0.08).fit(WINDOWS, TARGET)
    np.testing.assert_allclose(model.history_.lr, [0.08, 0.04, 0.02])


def test_the_loss_of_an_epoch_is_the_mean_over_its_windows():
    # 60 windows in batches of 25: the last batch has 10.
    model = quick(batch_size=25, lr=1e-12, max_epochs=1).fit(WINDOWS, TARGET)
    error = mean_squared_error(TARGET, model.predict(WINDOWS)) / TARGET.var()
    assert model.history_.train_loss[0] == pytest.approx(error, rel=1e-6)


# ------------------------------------------------------------------------------ resumed training


def test_partial_fit_trains_one_more_epoch():
    model = quick()
    for n_calls in (1, 2, 3):
        before = None if n_calls == 1 else model.predict(WINDOWS)
        assert model.partial_fit(WINDOWS, TARGET) is model
        assert model.n_iter_ == len(model.history_) == n_calls
        assert model.history_.epoch.tolist() == list(range(1, n_calls + 1))
        assert before is None or not np.array_equal(before, model.predict(WINDOWS))
    assert model.history_.train_loss.is_monotonic_decreasing


def test_partial_fit_keeps_the_first_scaling_and_accepts_new_data():
    model = quick().partial_fit(WINDOWS, TARGET)
    X, y = 3 + WINDOWS[:7], 100 + TARGET[:7]
    model.partial_fit(X, y, sample_weight=np.ones(7))
    assert model.n_iter_ == 2
    assert model.history_.train_loss[1] > 1000  # 100 standard deviations off
    frame = pd.DataFrame(ROWS, columns=list("abc"))
    rows = quick(lookback=4).partial_fit(frame[:30], TARGET[:30])
    rows.partial_fit(frame[30:], TARGET[30:])
    pd.testing.assert_frame_equal(rows.context_, frame[-3:])


def test_partial_fit_continues_after_fit():
    model = quick(max_epochs=4).fit(WINDOWS, TARGET)
    model.partial_fit(WINDOWS, TARGET)
    assert model.n_iter_ == len(model.history_) == 5
    assert model.history_.train_loss[4] < model.history_.train_loss[3]


def test_fit_without_warm_start_trains_from_scratch():
    fresh = quick().fit(WINDOWS, TARGET)
    used = quick().fit(ROWS, TARGET).partial_fit(ROWS, TARGET).fit(WINDOWS, TARGET)
    assert used.n_iter_ == len(used.history_) == 3
    np.testing.assert_array_equal(used.predict(WINDOWS), fresh.predict(WINDOWS))


def test_warm_start_continues_where_fit_stopped():
    whole = quick(max_epochs=10, batch_size=N).fit(WINDOWS, TARGET)
    halves = quick(max_epochs=5, batch_size=N, warm_start=True).fit(WINDOWS, TARGET)
    assert halves.n_iter_ == 5
    halves.fit(WINDOWS, TARGET)
    assert halves.n_iter_ == len(halves.history_) == 10
    np.testing.assert_allclose(halves.history_.train_loss, whole.history_.train_loss, rtol=1e-6)
    np.testing.assert_allclose(halves.predict(WINDOWS), whole.predict(WINDOWS), rtol=1e-6)


def test_warm_start_uses_the_current_number_of_epochs():
    model = quick(max_epochs=2, warm_start=True).fit(WINDOWS, TARGET)
    model.set_params(max_epochs=6).fit(WINDOWS, TARGET)
    assert model.n_iter_ == len(model.history_) == 8


def test_warm_start_shuffles_batches_anew(monkeypatch):
    orders = []
    targets = WindowDataset.targets

    def spy(self, which):
        orders.append(which.tolist())
        return targets(self, which)

    monkeypatch.setattr(WindowDataset, "targets", spy)
    model = quick(max_epochs=1, batch_size=10, warm_start=True)
    for _ in range(2):
        model.fit(WINDOWS, TARGET)
    first, second = np.ravel(orders[:6]), np.ravel(orders[7:13])
    assert sorted(first) == sorted(second) == list(range(N))
    assert first.tolist() != second.tolist()
    assert first.tolist() != list(range(N))


def test_warm_start_with_early_stopping_restores_the_best_epoch_of_the_new_ones():
    model, X, y = overfitting(max_epochs=5, warm_start=True, n_iter_no_change=50)
    model.fit(X, y)
    new = model.history_[5:]
    assert model.n_iter_ == new.epoch[new.valid_loss.idxmin()]
    error = mean_squared_error(y[48:], model.predict(X[48:])) / y[:48].var()
    assert error == pytest.approx(new.valid_loss.min(), rel=1e-6)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (WINDOWS[:, 1:], TARGET, "windows of 5 steps"),
        (WINDOWS[..., 1:], TARGET, "2 features"),
        (WINDOWS, np.zeros((N, 2)), "2 outputs|2 and 2|1 outputs"),
        (WINDOWS, TARGET[:, None], "1 dimension"),
    ],
    ids=["steps", "features", "outputs", "axes of y"],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_warm_start_with_another_shape_is_an_error_and_changes_nothing(method, X, y, message):
    model = quick(warm_start=True).fit(WINDOWS, TARGET)
    before = model.predict(WINDOWS)
    with pytest.raises(ValueError, match=message):
        getattr(model, method)(X, y)
    np.testing.assert_array_equal(model.predict(WINDOWS), before)


# ------------------------------------------------------------------------------ predictions


@MODES
def test_every_mode_fits_a_target_of_fixed_cells(mode):
    X, y, _ = make_fixed_cells(300, n_timesteps=6, n_features=4, random_state=0)
    options = {"hidden_size": 16, "max_epochs": 40, "lr": 0.02, "attention_mode": mode}
    model = quick(**options).fit(X[:250], y[:250])
    assert model.score(X[250:], y[250:]) > 0.7


def test_score_is_r2_with_weights_and_groups():
    model = quick(max_epochs=10).fit(WINDOWS, TARGET)
    weight = rng.uniform(size=N)
    expected = r2_score(TARGET, model.predict(WINDOWS), sample_weight=weight)
    assert model.score(WINDOWS, TARGET, sample_weight=weight) == pytest.approx(expected)
    assert model.score(WINDOWS, TARGET) == pytest.approx(r2_score(TARGET, model.predict(WINDOWS)))
    y = np.column_stack([TARGET, WINDOWS[:, 0, 0]])
    several = quick().fit(WINDOWS, y)
    assert several.score(WINDOWS, y) == pytest.approx(r2_score(y, several.predict(WINDOWS)))


def test_a_longer_lookback_improves_the_score_on_the_gas_furnace():
    X, y = load_gas_furnace(return_X_y=True, as_frame=True)
    X = X[["InputGasRate"]]  # whose effect on CO2 is delayed by a minute
    options = {"hidden_size": 8, "max_epochs": 40, "lr": 0.02}
    scores = [
        quick(lookback=lookback, **options).fit(X[:240], y[:240]).score(X[240:], y[240:])
        for lookback in (1, 8)
    ]
    assert scores[1] > scores[0] + 0.2


def test_large_data_are_computed_in_single_precision_and_small_in_double():
    small = quick().fit(WINDOWS, TARGET)
    X = rng.normal(size=(2001, 10, 5))
    large = quick(max_epochs=1, batch_size=2001, early_stopping=False).fit(X, X[:, 0, 0])
    dtypes = [next(m.net_.module_.parameters()).dtype for m in (small, large)]
    assert dtypes == [torch.float64, torch.float32]
    assert large.predict(X[:5]).dtype == np.float64
    np.testing.assert_allclose(large.predict(X)[:5], large.predict(X[:5]), atol=1e-5)


def test_the_device_is_cuda_if_available_or_as_set():
    auto = quick().fit(WINDOWS, TARGET)
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert next(auto.net_.module_.parameters()).device.type == expected
    cpu = quick(device="cpu").fit(WINDOWS, TARGET)
    assert next(cpu.net_.module_.parameters()).device.type == "cpu"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="weights are compacted on CUDA only")
def test_a_copy_on_cuda_predicts_and_resumes_training_without_a_warning():  # an error here
    model = quick(warm_start=True).fit(WINDOWS, TARGET)
    expected = model.predict(WINDOWS)
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_allclose(copied.predict(WINDOWS), expected, atol=1e-6)
    copy.deepcopy(model).fit(WINDOWS, TARGET)


@pytest.mark.parametrize("layer", [torch.nn.LSTM, torch.nn.GRU])
def test_recurrent_weights_are_compacted_before_they_are_used(layer, monkeypatch):
    attention = {torch.nn.LSTM: "bottleneck", torch.nn.GRU: "retain"}[layer]
    model = quick(attention=attention).fit(WINDOWS, TARGET)
    compacted = []
    monkeypatch.setattr(layer, "flatten_parameters", lambda self: compacted.append(self))
    model.predict(WINDOWS)
    assert compacted == [m for m in model.net_.module_.modules() if isinstance(m, layer)]


def test_warm_start_uses_the_current_learning_rate_and_batch_size():
    model = quick(warm_start=True, max_epochs=2, lr=0.01, batch_size=8).fit(WINDOWS, TARGET)
    model.set_params(lr=0.001, batch_size=len(WINDOWS)).fit(WINDOWS, TARGET)
    assert model.history_.lr.tolist() == [0.01, 0.01, 0.001, 0.001]
    assert model.net_.history[:, "train_batch_count"][0] > 1
    assert model.net_.history[:, "train_batch_count"][-1] == 1
