"""ONNX files: ONNX Runtime predicts as the estimator. All mechanisms: benchmarks/onnx_files.py."""

import json
import sys

import numpy as np
import pytest
import torch

from sk_tsattn import AttentionLSTMClassifier, AttentionLSTMRegressor, make_windows
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


def test_the_file_of_a_classifier_returns_probabilities(tmp_path):
    model = AttentionLSTMClassifier(**OPTIONS | {"attention_mode": None})
    model.fit(WINDOWS, TARGET > 10).to_onnx(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (probabilities,) = session.run(None, {"X": WINDOWS})
    np.testing.assert_allclose(probabilities, model.predict_proba(WINDOWS), atol=1e-6)


def test_the_default_is_written_with_gates_that_depend_on_the_window(tmp_path):
    model = AttentionLSTMRegressor(**OPTIONS | {"attention": "bottleneck"})
    model.fit(WINDOWS, np.c_[TARGET, TARGET**2])
    gating_network = model.net_.module_.gate.gating_network
    torch.nn.init.normal_(gating_network.out.weight)  # as after a training that needs it
    assert model.attention_weights(WINDOWS).gate_sensitivity.max() > 0.1
    model.to_onnx(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    prediction, attention = session.run(None, {"X": WINDOWS})
    np.testing.assert_allclose(prediction, model.predict(WINDOWS), rtol=1e-5)
    np.testing.assert_allclose(attention, model.attention_weights(WINDOWS).cell, atol=1e-5)


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
