"""
Which picture answers which question?
=====================================

Each display of the library, drawn from one model of a gas furnace: it predicts the CO2 in the
outlet gas 9 seconds ahead, from the last 90 seconds of the gas rate and of the CO2.
"""

from sklearn.model_selection import TimeSeriesSplit

from sk_tsattn import (
    AttentionDisplay,
    AttentionLSTMRegressor,
    BacktestDisplay,
    FaithfulnessDisplay,
    ImportanceDisplay,
    LossCurveDisplay,
    PathDisplay,
    backtest,
)
from sk_tsattn.datasets import load_gas_furnace
from sk_tsattn.inspection import attention_importance, faithfulness, refit_agreement

X, y = load_gas_furnace(return_X_y=True, as_frame=True)
train, test = slice(None, 236), slice(236, None)
model = AttentionLSTMRegressor(lookback=10, batch_size=16, max_epochs=40, random_state=0)
model.fit(X[train], y[train])
print(f"R2 on the last fifth: {model.score(X[test], y[test]):.2f}")

# %%
# Which cells are used?
# ---------------------
# A map of the attention, averaged over the training windows. White cells are hidden from the
# network.

AttentionDisplay.from_estimator(model)

# %%
# Which features, which steps?
# ----------------------------
# The margins of the map, with their spread over the windows.

AttentionDisplay.from_estimator(model, X[test], kind="feature")
AttentionDisplay.from_estimator(model, X[test], kind="time")

# %%
# What did one forecast use?
# --------------------------
# The window of one row, shaded by its attention.

AttentionDisplay.from_estimator(model, X[test], y=y[test], kind="sample", sample=30)

# %%
# Is attention importance?
# ------------------------
# Attention beside permutation importance. The remarks say what differs, and why it may.

result = attention_importance(model, X[test], y[test], random_state=0)
for remark in result.remarks:
    print(remark)
ImportanceDisplay.from_result(result)

# %%
# Is attention faithful?
# ----------------------
# The error while cells are removed in the order of the attention, beside other orders.

result = faithfulness(model, X[test], y[test], n_repeats=2, n_bootstrap=200, random_state=0)
FaithfulnessDisplay.from_result(result)

# %%
# Does it depend on the seed?
# ---------------------------
# Bars with their spread over refits.

result = refit_agreement(model, X[train], y[train], n_refits=2, random_state=0)
AttentionDisplay.from_refits(result)

# %%
# Has training converged?
# -----------------------
# Losses of each epoch; the stages of the default.

LossCurveDisplay.from_estimator(model)

# %%
# Why are these gates open?
# -------------------------
# Loss and density along the path of penalties, and the candidate that was selected.

PathDisplay.from_estimator(model)

# %%
# How good are forecasts over time?
# ---------------------------------
# Forecasts of each block after its training set, and their errors.

result = backtest(model, X, y, cv=TimeSeriesSplit(2))
BacktestDisplay.from_backtest(result)
BacktestDisplay.from_backtest(result, kind="error")

# %%
# What was learned
# ----------------
# Maps and bars show what the network uses; importance, faithfulness and refits show whether that is
# more than a weight inside it; backtests show what the forecasts are worth.
#
# **When not to trust it.** All pictures are about the model. They say nothing about causes, and
# with a poor backtest they describe a model that nobody should use.
