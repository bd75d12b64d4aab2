"""
What does a forecast lose if its pipeline drops the time index?
===============================================================

We forecast PM2.5 in Beijing three hours ahead from a DataFrame of hourly rows. A scikit-learn
pipeline with pandas output takes logarithms, standardizes and passes the rows to the estimator,
which cuts windows of one day. The example shows how predictions align with the index, where the
history of the first rows comes from, and what short test sets cost.
"""

import pickle
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import RidgeCV
from sklearn.metrics import root_mean_squared_error
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sk_tsattn import AttentionLSTMRegressor, make_windows
from sk_tsattn.datasets import load_beijing_pm25
from sk_tsattn.exceptions import HistoryWarning

LOOKBACK, HORIZON, N_ROWS = 24, 3, 20_000
SKEWED = ["pm2.5", "Iws", "Is", "Ir"]

# %%
# Data
# ----
# The first three quarters are the training set. Scores begin ``HORIZON - 1`` hours after its end,
# when the last training target is known.

X, y = load_beijing_pm25(horizon=HORIZON, return_X_y=True, as_frame=True)
X, y = X[-N_ROWS:], y[-N_ROWS:]
cut = N_ROWS * 3 // 4
X_train, y_train, X_test, y_test = X[:cut], y[:cut], X[cut:], y[cut:]
scored = slice(HORIZON - 1, None)

# %%
# A pipeline with pandas output
# -----------------------------
# ``set_output(transform="pandas")`` preserves the index up to the last step.

logarithm = FunctionTransformer(np.log1p, feature_names_out="one-to-one")
prepare = ColumnTransformer(
    [("log", make_pipeline(logarithm, StandardScaler()), SKEWED)],
    remainder=StandardScaler(),
    verbose_feature_names_out=False,
)
lstm = AttentionLSTMRegressor(
    attention_mode="time",
    attention="luong",
    lookback=LOOKBACK,
    max_epochs=8,
    batch_size=128,
    lr=0.003,
    random_state=0,
)
model = Pipeline([("prepare", prepare), ("lstm", lstm)]).set_output(transform="pandas")
model.fit(X_train, y_train)
forecast = pd.Series(model.predict(X_test), index=X_test.index, name="forecast")

# %%
# Ridge regression is fitted to the untransformed rows of a day side by side.

windows, targets, hours = make_windows(X, y, lookback=LOOKBACK, horizon="nowcast")
rows, train = windows.reshape(len(windows), -1), hours < X_test.index[0]
ridge = make_pipeline(StandardScaler(), RidgeCV(np.logspace(0, 5, 11)))
ridge.fit(rows[train], targets[train])
errors = {
    "persistence": root_mean_squared_error(y_test[scored], X_test["pm2.5"][scored]),
    "ridge": root_mean_squared_error(y_test[scored], ridge.predict(rows[~train])[scored]),
    "attention LSTM": root_mean_squared_error(y_test[scored], forecast[scored]),
}
print(f"RMSE of PM2.5 {HORIZON} hours ahead, in µg/m³")
print(pd.Series(errors).round(2).to_string())

# %%
# Predictions have the index of the rows: the hour at which the forecast is made, ``HORIZON`` hours
# before the hour that it is for.

table = forecast[scored].round(1).to_frame()
table["for hour"] = table.index.shift(HORIZON)
table["observed"] = y_test[scored]
print(table.head(3).to_string())

week = table[: 7 * 24].set_index("for hour")
fig, ax = plt.subplots(figsize=(8, 3), layout="constrained")
ax.plot(week["observed"], color="gray", label="observed")
ax.plot(week["forecast"], label=f"forecast, {HORIZON} hours ahead")
ax.set_ylabel("PM2.5 (µg/m³)")
ax.tick_params(axis="x", rotation=30)
ax.legend()

# %%
# History of the first rows
# -------------------------
# The windows of the first test rows need earlier rows, which ``fit`` has kept in ``context_``. They
# are found by the index. If a step of the pipeline drops the index, they are not used.

prepared = model[:-1].transform(X_test)
lstm = model["lstm"]
with warnings.catch_warnings():
    warnings.simplefilter("ignore", HistoryWarning)  # reports the short windows
    without_index = lstm.predict(prepared.reset_index(drop=True))
changed = ~np.isclose(without_index, forecast, rtol=0, atol=1e-3)
print(f"rows in context_: {len(lstm.context_)}")
print(f"predictions that change without the index: {changed.sum()}", end=", ")
print(f"all within the first {np.flatnonzero(changed).max(initial=-1) + 1} rows")

# %%
# Short test sets
# ---------------
# Whoever predicts one day at a time has a short window at the start of each day, unless the rows
# before it are passed too and their predictions are dropped.

alone, with_history, before = [], [], LOOKBACK - 1
for start in range(LOOKBACK, len(prepared), 24):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HistoryWarning)
        alone.append(lstm.predict(prepared[start : start + 24]))
        with_history.append(lstm.predict(prepared[start - before : start + 24])[before:])
costs = {
    "each day alone": np.concatenate(alone),
    f"each day with the {before} rows before": np.concatenate(with_history),
    "all days at once": forecast[LOOKBACK:],
}
observed = y_test[LOOKBACK:]
costs = {name: root_mean_squared_error(observed, p) for name, p in costs.items()}
print("RMSE in µg/m³")
print(pd.Series(costs).round(2).to_string())

# %%
# Persistence of the model
# ------------------------

packed = pickle.dumps(model)
same = np.array_equal(pickle.loads(packed).predict(X_test), forecast)
print(f"{len(packed) / 1e3:.0f} kB pickled; same predictions after loading: {same}")

# %%
# What was learned
# ----------------
# With pandas output the index reaches the estimator, which then uses the rows kept by ``fit``
# before a test set that continues the training set. Only the first ``lookback - 1`` rows need
# them. If you predict in small batches, pass the ``lookback - 1`` rows before each batch and drop
# their predictions: short windows are less accurate.
#
# **When not to trust it.** ``context="train_tail"`` is right only for the rows immediately after
# training: it places the last training rows before any others too, without a warning. Do not trust
# an LSTM that was not compared with ridge regression, which fits in a second, has no seed, and is
# hard to beat here.
