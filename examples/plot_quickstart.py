"""
Which hours and features does a forecast of bicycle rentals use?
================================================================

We forecast the number of bicycles rented in the next hour from the last 24 hours of rentals,
calendar and weather. The default estimator is compared with persistence, ridge regression and a
plain LSTM on the same windows. Its gates then show which cells of the window it uses. ``make demo``
runs this example.
"""

import sys

import numpy as np
import pandas as pd
from sklearn.linear_model import RidgeCV
from sklearn.metrics import root_mean_squared_error

from sk_tsattn import AttentionDisplay, AttentionLSTMRegressor, make_windows
from sk_tsattn.datasets import load_bike_sharing

LOOKBACK = 24

# %%
# Data
# ----
# A row contains the values known at that hour; its target is the number of users one hour later.
# The models are trained on January to October 2012 and tested on November and December.

X, y = load_bike_sharing(return_X_y=True, as_frame=True)
X, y = X["2012":], y["2012":]
X_train, y_train = X[:"2012-10"], y[:"2012-10"]
X_test, y_test = X["2012-11":], y["2012-11":]

# %%
# Forecasts
# ---------
# With ``lookback=24`` the estimator cuts the windows itself. The first windows of the test set
# reach back into the training set, which ``fit`` keeps in ``context_``. Ridge regression needs the
# rows of a window side by side.

windows, targets, hours = make_windows(X, y, lookback=LOOKBACK, horizon="nowcast")
rows, train = windows.reshape(len(windows), -1), hours < X_test.index[0]
ridge = RidgeCV(np.logspace(0, 5, 11)).fit(rows[train], targets[train])
plain = AttentionLSTMRegressor(lookback=LOOKBACK, attention_mode=None, random_state=0)
model = AttentionLSTMRegressor(lookback=LOOKBACK, random_state=0)
predictions = {
    "persistence": X_test["users"],
    "ridge": ridge.predict(rows[~train]),
    "plain LSTM": plain.fit(X_train, y_train).predict(X_test),
    "attention LSTM": model.fit(X_train, y_train).predict(X_test),
}
errors = {name: root_mean_squared_error(y_test, p) for name, p in predictions.items()}
print("RMSE of the number of users one hour ahead (lower is better)")
print(pd.Series(errors).round(1).to_string())

# %%
# Which cells does the model use?
# -------------------------------
# The default attention has a gate on each cell of the window. The value of a cell whose gate is
# closed does not reach the network. Read ``gates_`` first: it contains the average value of
# each gate, between 0 and 1.

print(f"{model.gates_.sum():.0f} of {model.gates_.size} cells are used on average")
features = pd.Series(model.feature_attention_, model.feature_names_in_)
print(f"\nAttention on the features (uniform: {1 / len(features):.2f})")
print(features.nlargest(5).round(2).to_string())
steps = pd.Series(model.time_attention_, np.arange(1 - LOOKBACK, 1))
print(f"\nAttention on the hours, 0 being the newest (uniform: {1 / LOOKBACK:.2f})")
print(steps.nlargest(5).round(2).to_string())

# %%
# The map shows the attention on each cell, with its sums over hours and over features.

display = AttentionDisplay.from_estimator(model)
if len(sys.argv) > 1:  # a path on the command line
    display.figure_.savefig(sys.argv[1], dpi=100)

# %%
# What was learned
# ----------------
# A small part of the window suffices for the forecast: the recent numbers of users, the hour of the
# day and the calendar. Most other cells are hidden from the network.
#
# **When not to trust it.** The exact fractions differ between seeds. A hidden feature is not
# without influence on rentals: it was not needed in addition to the others, as the temperature is
# reflected in the number of users. See :ref:`sphx_glr_auto_examples_plot_limits_of_attention.py`
# for cases in which this attention misleads.
