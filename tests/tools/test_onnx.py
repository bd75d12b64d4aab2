"""ONNX files: ONNX Runtime predicts as the estimator. All mechanisms: benchmarks/onnx_files.py."""

import json
import sys

import numpy as np
import pytest
import torch

from sk_tsattn import AttentionLSTMRegressor, make_windows
from sk_tsattn.datasets import load_gas_furnace

pytest.importorskip("onnxscript", reason="to_onnx needs sk-tsattn[onnx]")
onnxruntime = pytest.importorskip("onnxruntime", reason="runs the files")
pytest.importorskip("torch", minversion="2.9", reason="to_onnx needs torch 2.9")

OPTIONS = {"attention": "dense", "hidden_size": 4, "max_epochs": 2, "random_state": 0}
rng = np.random.default_rng(1)
WINDOWS = rng.normal(size=(30, 3, 2)) * [1, 100] + [0, 1e5]
TARGET = 3 * WINDOWS[:, 1, 0] + 10


def test_the_file_predicts_and_attends_as_the_estimator_for_any_number_of_samples(tmp_path):
    X, y = load_gas_furnace(return_X_y=True, as_frame=True)
    model = AttentionLSTMRegressor(**OPTIONS, lookback=3).fit(X[:200], y[:200])
    model.to_onnx(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    windows = make_windows(X, lookback=3)[0]
    missing = windows.copy()
    missing[0, :2] = missing[1, 1, 0] = np.nan  # a short window; a missing cell
    for batch in (windows, windows[:1], missing):
        prediction, attention = session.run(None, {"X": batch})
        np.testing.assert_allclose(prediction, model.predict(batch), atol=1e-5 * y.std())
        np.testing.assert_allclose(attention, model.attention_weights(batch).cell, atol=1e-5)
    assert b"sk_tsattn/" not in (tmp_path / "model.onnx").read_bytes()  # no paths of this machine
    properties = session.get_modelmeta().custom_metadata_map
    assert json.loads(properties["feature_names"]) == list(X.columns)


def test_quantiles_are_the_last_axis_for_any_number_of_samples(tmp_path):
    model = AttentionLSTMRegressor(**OPTIONS | {"attention_mode": None, "loss": "quantile"})
    model.fit(WINDOWS, TARGET).to_onnx(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (quantiles,) = session.run(None, {"X": WINDOWS})
    expected = model.predict(WINDOWS, quantiles=model.quantiles)
    np.testing.assert_allclose(quantiles, expected, atol=1e-5 * TARGET.std())


def test_the_default_is_written_with_gates_that_depend_on_the_window(tmp_path):
    X = WINDOWS[:, 1:]  # two steps, since the file of longer windows takes longer to write
    y = np.c_[TARGET, TARGET**2]
    model = AttentionLSTMRegressor(**OPTIONS | {"attention": "bottleneck"}).fit(X, y)
    generator = torch.Generator().manual_seed(0)
    gate = model.net_.module_.gate
    with torch.no_grad():  # neither initialisation nor training decides how gates depend on X
        for weights in model.net_.module_.parameters():
            weights.normal_(0, 0.3, generator=generator)
        gate.active.fill_(True)
        gate.input_active.fill_(True)
        gate.input_logits.fill_(1.0)
    expected = model.attention_weights(X)
    assert expected.gate.std(axis=0).max() > 0.3
    assert expected.gate_sensitivity.max() > 0.5
    model.to_onnx(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    prediction, attention = session.run(None, {"X": X})
    assert (abs(prediction - model.predict(X)) < 1e-5 * y.std(axis=0)).all()
    np.testing.assert_allclose(attention, expected.cell, atol=1e-5, rtol=0)


def test_without_attention_the_prediction_is_the_only_output(tmp_path, monkeypatch):
    written = {}
    monkeypatch.setattr(
        "sk_tsattn._exporting.write_onnx", lambda *_, **given: written.update(given)
    )
    model = AttentionLSTMRegressor(**OPTIONS).fit(WINDOWS, TARGET)
    model.to_onnx(tmp_path / "model.onnx", attention=False)
    assert written["attention_mode"] is None


def test_without_onnxscript_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    model = AttentionLSTMRegressor(**OPTIONS).fit(WINDOWS, TARGET)
    with pytest.raises(ImportError, match=r"pip install 'sk-tsattn\[onnx\]'"):
        model.to_onnx(tmp_path / "model.onnx")
