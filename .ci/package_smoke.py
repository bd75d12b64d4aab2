"""Use the installed package where nothing else of the project is: `nox -s packages` runs this."""

from pathlib import Path

import sk_tsattn
from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn.datasets import load_gas_furnace

assert "site-packages" in Path(sk_tsattn.__file__).parts, sk_tsattn.__file__
assert Path(sk_tsattn.__file__).with_name("py.typed").exists()
X, y = load_gas_furnace(return_X_y=True, as_frame=True)
model = AttentionLSTMRegressor(lookback=8, max_epochs=3, random_state=0).fit(X[:240], y[:240])
assert model.predict(X[240:]).shape == (55,)
assert abs(model.attention_.sum() - 1) < 1e-6
print("The package sk_tsattn", sk_tsattn.__version__, "imports, loads data, fits and predicts.")
