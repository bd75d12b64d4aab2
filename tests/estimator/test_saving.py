"""Saving and loading: pickle, joblib and copies predict as the original does."""

import copy
import datetime
import pickle
import zoneinfo

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_tsattn import AttentionLSTMClassifier, AttentionLSTMRegressor, _saving
from sk_tsattn._data._plain import index_from_plain, index_to_plain
from sk_tsattn.attention._registry import ATTENTION_MECHANISMS
from sk_tsattn.datasets import load_gas_furnace

rng = np.random.default_rng(1)
WINDOWS = rng.normal(size=(30, 4, 3))
TARGET = WINDOWS[:, 1, 0] + 5


def quick(**changes):
    options = {"attention": "luong", "hidden_size": 4, "max_epochs": 2, "random_state": 0}
    return AttentionLSTMRegressor(**options | changes)


def by_pickle(model):
    return pickle.loads(pickle.dumps(model))


def by_joblib(model, path):
    joblib.dump(model, path / "model.joblib")
    return joblib.load(path / "model.joblib", mmap_mode="r")


@pytest.mark.parametrize(
    ("attention", "mode"),
    [(name, mode) for name, modes in ATTENTION_MECHANISMS.items() for mode in modes]
    + [("dense", None)],
)
def test_every_mechanism_predicts_and_attends_as_before_it_was_saved(attention, mode):
    model = quick(attention=attention, attention_mode=mode).fit(WINDOWS, TARGET)
    loaded = by_pickle(model)
    np.testing.assert_array_equal(loaded.predict(WINDOWS), model.predict(WINDOWS))
    if mode is not None:
        expected = model.attention_weights(WINDOWS)
        for axes, weights in loaded.attention_weights(WINDOWS).items():
            np.testing.assert_array_equal(weights, expected[axes])


@pytest.mark.parametrize("save", [lambda m, _: by_pickle(m), by_joblib], ids=["pickle", "joblib"])
def test_all_that_fit_has_learnt_is_loaded(save, tmp_path):
    X, y = load_gas_furnace(return_X_y=True, as_frame=True)
    model = quick(lookback=6).fit(X[:200], y[:200])
    loaded = save(model, tmp_path)
    assert sorted(vars(loaded)) == sorted(vars(model))
    np.testing.assert_array_equal(loaded.predict(X[200:]), model.predict(X[200:]))
    np.testing.assert_array_equal(loaded.attention_, model.attention_)
    np.testing.assert_array_equal(loaded.feature_names_in_, model.feature_names_in_)
    pd.testing.assert_frame_equal(loaded.history_, model.history_)
    pd.testing.assert_frame_equal(loaded.context_, model.context_)


def test_a_classifier_is_saved_with_its_classes():
    y = np.where(TARGET > 5, "high", "low")
    model = AttentionLSTMClassifier(attention="luong", max_epochs=2, random_state=0)
    loaded = by_pickle(model.fit(WINDOWS, y))
    assert loaded.classes_.tolist() == ["high", "low"]
    np.testing.assert_array_equal(loaded.predict_proba(WINDOWS), model.predict_proba(WINDOWS))


def test_an_estimator_that_is_not_fitted_is_saved_as_well():
    assert by_pickle(quick(lr=0.1)).get_params() == quick(lr=0.1).get_params()


def test_a_pipeline_with_the_estimator_is_saved():
    pipeline = make_pipeline(StandardScaler(), quick(lookback=3, context="mask"))
    rows = WINDOWS[:, -1]
    pipeline.fit(rows, TARGET)
    np.testing.assert_array_equal(by_pickle(pipeline).predict(rows), pipeline.predict(rows))


def test_parameters_that_were_changed_after_fit_do_not_change_what_is_loaded():
    model = quick().fit(WINDOWS, TARGET).set_params(hidden_size=9, attention="dense")
    np.testing.assert_array_equal(by_pickle(model).predict(WINDOWS), model.predict(WINDOWS))


@pytest.mark.parametrize(
    "index",
    [
        pd.date_range("2024-03-30", periods=30, freq="h", tz="Europe/Berlin"),
        pd.date_range("2024-01-01", periods=30, freq="D"),
        pd.period_range("2020-01", periods=30, freq="M"),
        pd.timedelta_range("1h", periods=30, freq="h"),
        pd.Index(np.arange(30) * 0.5),
        pd.RangeIndex(100, 130),
        pd.Index([f"2024-01-{day:02}" for day in range(1, 31)]),
        pd.Index([datetime.date(2024, 1, day) for day in range(1, 31)]),
    ],
    ids=["zone", "days", "periods", "deltas", "numbers", "range", "text", "dates"],
)
def test_rows_after_those_of_fit_continue_them_after_loading(index):
    X = pd.DataFrame(WINDOWS[:, -1], index=index.set_names("when"), columns=list("abc"))
    model = quick(lookback=4).fit(X.iloc[:20], TARGET[:20])
    loaded = by_pickle(model)
    pd.testing.assert_frame_equal(loaded.context_, model.context_, check_freq=False)
    np.testing.assert_array_equal(loaded.predict(X.iloc[20:]), model.predict(X.iloc[20:]))
    loaded.update_context(X.iloc[20:25])
    model.update_context(X.iloc[20:25])
    np.testing.assert_array_equal(loaded.predict(X.iloc[25:]), model.predict(X.iloc[25:]))


def test_several_series_continue_after_loading():
    index = pd.MultiIndex.from_product([["north", "south"], pd.date_range("2024", periods=15)])
    X = pd.DataFrame(WINDOWS[:, -1], index=index, columns=list("abc"))
    known = index.get_level_values(1) < "2024-01-11"
    model = quick(lookback=4).fit(X[known], TARGET[known])
    loaded = by_pickle(model)
    pd.testing.assert_frame_equal(loaded.context_, model.context_)
    np.testing.assert_array_equal(loaded.predict(X[~known]), model.predict(X[~known]))


@pytest.mark.parametrize(
    "index",
    [
        pd.MultiIndex.from_arrays([["a", "b"], [1, 2]], names=["series", None]),
        pd.IntervalIndex.from_breaks([0, 1, 2]),
        pd.date_range("2024", periods=2, tz=datetime.timezone(datetime.timedelta(hours=1))),
        pd.date_range("2024", periods=2, tz=zoneinfo.ZoneInfo("Asia/Tokyo")),
        pd.Index([("a", 1), ("b", 2)], tupleize_cols=False),
        pd.Index([True, False]),
        pd.Index([], dtype=object),
    ],
    ids=["levels", "intervals", "offset", "zone", "tuples", "booleans", "empty"],
)
def test_the_plain_form_of_labels_stands_for_the_same_labels(index):
    restored = index_from_plain(index_to_plain(index))
    assert restored.equals(index)
    assert restored.names == index.names


def test_the_weights_are_saved_once():
    model = quick(hidden_size=64).fit(WINDOWS, TARGET)
    n_bytes = sum(w.numel() * w.element_size() for w in model.net_.module_.parameters())
    assert n_bytes < len(pickle.dumps(model)) < 1.1 * n_bytes
    assert len(pickle.dumps(model.set_params(warm_start=True))) > 3 * n_bytes


def test_training_goes_on_from_a_loaded_warm_start_as_from_the_original():
    model = quick(warm_start=True).fit(WINDOWS, TARGET)
    loaded = by_pickle(model)
    expected = model.fit(WINDOWS, TARGET).predict(WINDOWS)
    np.testing.assert_array_equal(loaded.fit(WINDOWS, TARGET).predict(WINDOWS), expected)
    assert loaded.history_["epoch"].tolist() == [1, 2, 3, 4]


def test_copies_share_what_copy_says_they_do():
    model = quick().fit(WINDOWS, TARGET)
    assert copy.copy(model).net_ is model.net_
    deep = copy.deepcopy(model)
    assert deep.net_.module_ is not model.net_.module_
    model.partial_fit(WINDOWS, TARGET)
    deep.partial_fit(WINDOWS, TARGET)  # with the state of the optimizer
    np.testing.assert_array_equal(deep.predict(WINDOWS), model.predict(WINDOWS))


def test_another_version_of_the_library_is_warned_about(monkeypatch):
    monkeypatch.setattr(_saving, "__version__", "0.0.1")
    saved = pickle.dumps(quick().fit(WINDOWS, TARGET))
    monkeypatch.undo()
    with pytest.warns(UserWarning, match=r"saved with sk_tsattn 0\.0\.1 and is loaded with"):
        pickle.loads(saved)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_model_of_a_device_that_is_not_here_is_loaded_on_the_cpu():
    model = quick().fit(WINDOWS, TARGET)
    expected = model.predict(WINDOWS)
    saved = pickle.dumps(model.set_params(device="cuda:0"))
    with pytest.warns(UserWarning, match="device='cuda:0', which is not available here"):
        loaded = pickle.loads(saved)
    np.testing.assert_array_equal(loaded.predict(WINDOWS), expected)
    assert loaded.net_.device == "cpu"
    assert loaded.attention_weights(WINDOWS).cell.shape == WINDOWS.shape
    loaded.set_params(device="auto").partial_fit(WINDOWS, TARGET)


def test_nothing_saved_is_bound_to_a_device():
    assert b"torch" not in pickle.dumps(quick(warm_start=True).fit(WINDOWS, TARGET))
