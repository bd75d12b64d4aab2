r"""
How far ahead do forecasts hold?
================================

A single split into training and test set tells how a model did on one stretch of time. A backtest
fits on the past and predicts the block after it, again and again. Here the CO\ :sub:`2` of a gas
furnace is predicted 9 to 54 seconds ahead, by persistence, ridge regression and the attention LSTM.
"""

import pandas as pd
from sklearn.linear_model import Ridge

from sk_tsattn import AttentionLSTMRegressor, BacktestDisplay, backtest, make_rows
from sk_tsattn.datasets import load_gas_furnace

LOOKBACK, HORIZON = 8, 6

# %%
# Data
# ----
# The rows are 9 seconds apart. The columns of the target are the CO2 of the next six rows, so the
# last targets of a training set lie up to six rows ahead of it. ``backtest`` leaves those out that
# are not known yet when the first test row is predicted.

series, _ = load_gas_furnace(return_X_y=True, as_frame=True)
X, y = make_rows(series, "CO2", horizon=HORIZON)
X.join(y).head(3)

# %%
# Two backtests
# -------------
# Ridge regression sees the past as lagged columns. The attention LSTM has ``lookback``: each test
# block is predicted together with the rows before it, so that its first rows have their history.

lags = pd.concat({f"lag {k}": X.shift(k) for k in range(LOOKBACK)}, axis=1)
lags.columns = [f"{column}, {lag}" for lag, column in lags.columns]
lags = lags.iloc[LOOKBACK - 1 :]
lstm = AttentionLSTMRegressor(
    attention="dense", lookback=LOOKBACK, max_epochs=60, batch_size=16, random_state=0
)
results = {
    "ridge": backtest(Ridge(), lags, y.loc[lags.index], cv=5),
    "attention LSTM": backtest(lstm, X, y, cv=5),
}
results["attention LSTM"].predictions.head(3)

# %%
# Each fold is cut at a time label:

print(results["attention LSTM"].folds.to_string())

# %%
# The forecasts of the nearest and the farthest horizon against the truth:

BacktestDisplay.from_backtest(results["attention LSTM"], horizon=1)
BacktestDisplay.from_backtest(results["attention LSTM"], horizon=HORIZON)

# %%
# The error by horizon
# --------------------
# Persistence repeats the newest value. It is scored on the same rows.

BacktestDisplay.from_backtest(results["attention LSTM"], kind="error")

errors = pd.DataFrame(
    {
        name: -result.scores["neg_root_mean_squared_error"].groupby("horizon", sort=False).mean()
        for name, result in results.items()
    }
)
rows = results["attention LSTM"].predictions
change = (rows["y_true"] - X.loc[rows.index, "CO2"]) ** 2
by_fold = change.groupby([rows["fold"], rows["horizon"]], sort=False).mean() ** 0.5
errors.insert(0, "persistence", by_fold.groupby("horizon", sort=False).mean())
print("RMSE, mean over 5 folds")
print(errors.round(3).to_string())

# %%
# What was learned
# ----------------
# All three get worse with the horizon, persistence fastest. On this short and nearly linear series
# ridge regression is ahead at every horizon: a backtest costs little, so compare with a simple
# model first.
#
# **When not to trust it.** The folds differ about as much as the two models do, which a mean over
# folds hides. Folds share training rows, so their errors are not independent: a difference between
# models that is small beside the spread of the folds says little. Labels are those of the rows, the
# time at which a forecast is made, not the time that is forecast.
