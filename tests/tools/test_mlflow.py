"""mlflow logs a model with its default format, and serves it."""

import numpy as np
import pytest

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn.datasets import load_gas_furnace

mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")  # of mlflow about its own code


def test_log_model_needs_trust_in_the_estimator_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    X, y = load_gas_furnace(return_X_y=True, as_frame=True)
    model = AttentionLSTMRegressor(lookback=6, attention="dense", max_epochs=2, random_state=0)
    model.fit(X[:200], y[:200])
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    with mlflow.start_run():
        logged = mlflow.sklearn.log_model(
            model,
            name="model",
            skops_trusted_types=["sk_tsattn._regressor.AttentionLSTMRegressor"],
            pip_requirements=["sk-tsattn"],
        )
    served = mlflow.pyfunc.load_model(logged.model_uri)
    np.testing.assert_array_equal(served.predict(X[200:]), model.predict(X[200:]))
