"""ONNX files: ONNX Runtime predicts as the estimator does. All mechanisms: benchmarks/onnx.py."""

import json
import sys

import numpy as np
import pandas as pd
import pytest

from sk_tsattn import AttentionLSTMClassifier, AttentionLSTMRegressor, make_windows
from sk_tsattn.datasets import load_gas_furnace

pytest.importorskip("onnxscript", reason="to_onnx needs sk-tsattn[onnx]")
onnxruntime = pytest.importorskip("onnxruntime", reason="runs the files")

rng = np.random.default_rng(1)
WINDOWS = rng.normal(size=(30, 3, 2)) * [1, 100] + [0, 1e5]
TARGET = 3 * WINDOWS[:, 1, 0] + 10


def quick(**changes):
    options = {"attention": "dense", "hidden_size": 4, "max_epochs": 2, "random_state": 0}
    return AttentionLSTMRegressor(**options | changes)


def run(path, X):
    return onnxruntime.InferenceSession(path).run(None, {"X": X})


@pytest.mark.parametrize("mode", ["time", "both"])
def test_the_file_predicts_and_attends_as_the_estimator_for_any_number_of_samples(mode, tmp_path):
    model = quick(attention_mode=mode).fit(WINDOWS, TARGET)
    path = tmp_path / "model.onnx"
    model.to_onnx(path)
    missing = WINDOWS.copy()
    missing[0, :2] = missing[1, 1, 0] = np.nan
    for X in (WINDOWS, WINDOWS[:1], missing):
        prediction, attention = run(path, X)
        np.testing.assert_allclose(prediction, model.predict(X), atol=1e-5 * TARGET.std())
        weights = model.attention_weights(X)["time" if mode == "time" else "cell"]
        np.testing.assert_allclose(attention, weights, atol=1e-6)


def test_without_attention_the_prediction_of_the_default_is_the_only_output(tmp_path):
    model = quick(attention="bottleneck").fit(WINDOWS, np.c_[TARGET, TARGET**2])
    model.to_onnx(tmp_path / "model.onnx", attention=False)
    (prediction,) = run(tmp_path / "model.onnx", WINDOWS)
    np.testing.assert_allclose(prediction, model.predict(WINDOWS), rtol=1e-5)


def test_the_file_of_a_classifier_returns_probabilities(tmp_path):
    model = AttentionLSTMClassifier(attention_mode=None, hidden_size=4, max_epochs=2)
    model.fit(WINDOWS, TARGET > 10).to_onnx(tmp_path / "model.onnx")
    (probabilities,) = run(tmp_path / "model.onnx", WINDOWS)
    np.testing.assert_allclose(probabilities, model.predict_proba(WINDOWS), atol=1e-6)


def test_the_file_knows_the_names_of_the_features(tmp_path):
    X, y = load_gas_furnace(return_X_y=True, as_frame=True)
    model = quick(lookback=3, attention_mode=None).fit(X[:100], y[:100])
    model.to_onnx(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    properties = session.get_modelmeta().custom_metadata_map
    assert json.loads(properties["feature_names"]) == list(X.columns)
    windows, _, _ = make_windows(pd.DataFrame(X[98:110]), lookback=3)
    (prediction,) = session.run(None, {"X": windows})
    np.testing.assert_allclose(prediction, model.predict(X[100:110]), rtol=1e-6)


def test_without_onnxscript_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ImportError, match=r"pip install 'sk-tsattn\[onnx\]'"):
        quick().fit(WINDOWS, TARGET).to_onnx(tmp_path / "model.onnx")
