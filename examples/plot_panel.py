"""
Can one model forecast many series?
===================================

Several series are stored in one DataFrame with a MultiIndex (series, time): the flow of rivers that
respond to rain after three hours, and of one river that responds after seven. One model is trained
on all of them. No window crosses from one series into another.
"""

import warnings

import numpy as np
import pandas as pd
from sklearn.metrics import root_mean_squared_error

from sk_tsattn import AttentionDisplay, AttentionLSTMRegressor, make_rows
from sk_tsattn.exceptions import HistoryWarning

N_RIVERS, N_HOURS, N_TEST = 8, 1000, 200
LOOKBACK, LAG, SLOW_LAG = 10, 3, 7

# %%
# Data
# ----
# Rain drives the flow with a lag; the last river is the slow one.

rng = np.random.default_rng(0)
hours = pd.date_range("2024-01-01", periods=N_HOURS, freq="h", name="hour")
rivers = {}
for i in range(N_RIVERS):
    slow = i == N_RIVERS - 1
    lag = SLOW_LAG if slow else LAG
    rain = rng.gamma(2.0, 1.0, N_HOURS) * (rng.random(N_HOURS) < 0.3)
    noise = rng.normal(scale=0.1, size=N_HOURS)
    flow, size = np.zeros(N_HOURS), rng.uniform(0.8, 1.2)
    for t in range(lag, N_HOURS):
        flow[t] = 0.6 * flow[t - 1] + size * rain[t - lag] + noise[t]
    name = f"river {i + 1}" + (" (slow)" if slow else "")
    rivers[name] = pd.DataFrame({"rain": rain, "flow": flow}, index=hours)[LOOKBACK:]
panel = pd.concat(rivers, names=["river"])

# %%
# The target of a row is the flow of the same river in the next hour. The last 200 hours of each
# river are the test set.

X, y = make_rows(panel, "flow")
train = X.index.get_level_values("hour") < hours[-N_TEST - 1]
X_train, y_train, X_test, y_test = X[train], y[train], X[~train], y[~train]

# %%
# One model for all series
# ------------------------
# The index tells the estimator where a series ends.

model = AttentionLSTMRegressor(
    attention="bahdanau", lookback=LOOKBACK, max_epochs=20, batch_size=128, random_state=0
).fit(X_train, y_train)
forecast = pd.Series(model.predict(X_test), index=X_test.index)

errors = pd.DataFrame(
    {
        name: {
            "persistence": root_mean_squared_error(truth, X_test.loc[truth.index, "flow"]),
            "one model": root_mean_squared_error(truth, forecast[truth.index]),
        }
        for name, truth in y_test.groupby(level="river", sort=False)
    }
).T
errors["ratio"] = errors["one model"] / errors["persistence"]
print("RMSE of the flow one hour ahead")
print(errors.round(2).to_string())

# %%
# The prediction of a series does not depend on the other series in ``X``.

alone = model.predict(X_test.loc[["river 1"]])
print(f"largest difference: {np.abs(alone - forecast.loc['river 1']).max():.0e}")

# %%
# History of the first forecasts
# ------------------------------
# ``fit`` keeps the last ``lookback - 1`` rows of each series in ``context_``, and ``predict``
# places them before test rows that continue a series. Without a time index they cannot be used,
# and the first windows of each series are shorter.

names = X_test.index.get_level_values("river")
with warnings.catch_warnings():
    warnings.simplefilter("ignore", HistoryWarning)  # reports the short windows
    without = model.predict(X_test.reset_index(drop=True), groups=names)
first = (X_test.groupby(level="river").cumcount() < LAG).to_numpy() & (names != names[-1])
print(f"rows in context_: {len(model.context_)}")
print(f"RMSE of the first {LAG} hours of all rivers except the slow one")
print(f"with context_  {root_mean_squared_error(y_test[first], forecast[first]):.2f}")
print(f"without        {root_mean_squared_error(y_test[first], without[first]):.2f}")

# %%
# Attention
# ---------
# The rain that drives the next hour's flow fell at step -2, counted from the newest step 0; for the
# slow river at step -6.

AttentionDisplay.from_estimator(model)

# %%
# What was learned
# ----------------
# One model forecasts all series that follow the same law, far better than persistence. The history
# kept for each series serves the first forecasts, whose rain fell before the training set ended.
#
# **When not to trust it.** An error averaged over series hides that the slow river is forecast
# much worse: it is one of many, and no feature identifies it. Compute the error of each series;
# add a feature that identifies an unusual series, or fit a separate model to it. Nor should the
# attention be read cell by cell: the step with the most attention is that of the decisive rain,
# but the flow at this step, which decides nothing, receives as much.
