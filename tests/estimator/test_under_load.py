"""Use in production: threads, processes, many fits, and a disk that cannot be written to."""

import builtins
import gc
import multiprocessing
import os
import tracemalloc
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from sk_tsattn import AttentionLSTMRegressor

rng = np.random.default_rng(1)
WINDOWS = rng.normal(size=(60, 5, 3))
TARGET = WINDOWS[:, 1, 0]
START_METHODS = [m for m in multiprocessing.get_all_start_methods() if m != "forkserver"]
OPTIONS = {"hidden_size": 4, "max_epochs": 2, "random_state": 0}


def fit_and_predict(attention):
    model = AttentionLSTMRegressor(attention=attention, **OPTIONS).fit(WINDOWS, TARGET)
    return model.predict(WINDOWS)


def predict(model):
    return model.predict(WINDOWS)


@pytest.mark.parametrize("attention", ["bottleneck", "luong", "imv"])
def test_sixteen_threads_predict_and_attend_as_one_does(attention):
    model = AttentionLSTMRegressor(attention=attention, **OPTIONS).fit(WINDOWS, TARGET)
    expected, weights = model.predict(WINDOWS), model.attention_weights(WINDOWS).cell
    with ThreadPoolExecutor(16) as pool:
        predictions = list(pool.map(model.predict, [WINDOWS] * 64))
        attended = list(pool.map(model.attention_weights, [WINDOWS] * 32))
    for prediction in predictions:
        np.testing.assert_array_equal(prediction, expected)
    for sample in attended:
        np.testing.assert_array_equal(sample.cell, weights)


@pytest.mark.parametrize("method", START_METHODS)
def test_workers_fit_and_predict_as_the_parent_does(method):
    model = AttentionLSTMRegressor(attention="luong", **OPTIONS).fit(WINDOWS, TARGET)
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        fitted = pool.submit(fit_and_predict, "luong").result(timeout=120)
        predicted = pool.submit(predict, model).result(timeout=120)
    np.testing.assert_allclose(fitted, model.predict(WINDOWS), rtol=1e-9)
    np.testing.assert_allclose(predicted, model.predict(WINDOWS), rtol=1e-9)


def test_many_fits_do_not_grow_memory():  # benchmarks/many_fits.py: a thousand
    def kilobytes(n_fits):
        for _ in range(n_fits):
            fit_and_predict("luong")
        gc.collect()
        return tracemalloc.get_traced_memory()[0] / 1000

    fit_and_predict("luong")  # what is made once
    tracemalloc.start()
    try:
        before = kilobytes(5)
        assert kilobytes(30) - before < 300  # a fitted model has as much
    finally:
        tracemalloc.stop()


def test_fit_and_predict_write_no_file(monkeypatch, tmp_path):
    """A full disk and a read-only working directory then change nothing."""

    def refuse(file, mode="r", *args, **kwargs):
        assert not set(mode) & set("wax+"), f"{file} is written"
        return opened(file, mode, *args, **kwargs)

    opened, os_open = builtins.open, os.open

    def refuse_flags(path, flags, *args, **kwargs):
        assert not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT), f"{path} is written"
        return os_open(path, flags, *args, **kwargs)

    monkeypatch.setattr(builtins, "open", refuse)
    monkeypatch.setattr(os, "open", refuse_flags)
    monkeypatch.chdir(tmp_path)
    fit_and_predict("bottleneck")
    assert not list(Path(tmp_path).iterdir())
