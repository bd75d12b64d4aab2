"""
What is the calendar of tomorrow worth to a forecast?
=====================================================

The number of bicycles rented at the same hour tomorrow depends on whether tomorrow is a working day
and on its weather. Some of this is known today. :func:`sk_tsattn.make_rows` takes the values of
``known`` columns at the time of the target, and those of all other columns at the time of the
forecast. The hour, a category, is one-hot encoded in the pipeline.
"""

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sk_tsattn import AttentionLSTMRegressor, BacktestDisplay, backtest, make_rows
from sk_tsattn.datasets import load_bike_sharing

LOOKBACK, HORIZON = 24, 24

# %%
# Data
# ----
# Hourly rentals of five months, with the temperature, a flag of working days and the hour.

data, _ = load_bike_sharing(return_X_y=True, as_frame=True)
series = data.loc["2012-05":"2012-09", ["users", "temp", "workingday", "hour"]]

# %%
# Which value is in which row?
# ----------------------------
# A row is the time at which a forecast is made. Friday's row contains Friday's rentals, and the
# flag of the day of its target: Saturday is no working day. Nothing is shifted by hand, and the
# columns keep their names.

KNOWN = ["workingday", "hour"]
X, y = make_rows(series, "users", horizon=[HORIZON], known=KNOWN)
thursday, friday = "2012-05-10 17:00", "2012-05-11 17:00"
print(X.loc[[thursday, friday]].join(y).to_string())

# %%
# Three backtests
# ---------------
# The plain LSTM sees the calendar of the rows of its window; the calendar of the targets; and
# besides the temperature at the targets, as if the weather forecast were perfect. The encoder keeps
# the index, so that windows have their history.


def pipeline(model):
    encoder = make_column_transformer(
        (OneHotEncoder(sparse_output=False), ["hour"]),
        remainder="passthrough",
        verbose_feature_names_out=False,
    )
    return make_pipeline(encoder.set_output(transform="pandas"), model)


model = pipeline(AttentionLSTMRegressor(lookback=LOOKBACK, attention_mode=None, random_state=0))
known_columns = {
    "calendar of the window": [],
    "calendar of the target": KNOWN,
    "its temperature, too": [*KNOWN, "temp"],
}
results = {}
for name, known in known_columns.items():
    X, y = make_rows(series, "users", horizon=[HORIZON], known=known)
    results[name] = backtest(model, X, y, cv=2)

# %%
# Tomorrow is a day of the other kind on Fridays, Sundays and around holidays. These forecasts gain
# most.

table = {}
for name, result in results.items():
    rows = result.predictions
    kind = series["workingday"]
    tomorrow = kind.reindex(rows.index + pd.Timedelta(hours=HORIZON)).to_numpy()
    same = pd.Series(tomorrow == kind[rows.index].to_numpy(), index=rows.index)
    squares = (rows["y_true"] - rows["y_pred"]) ** 2
    table[name] = {
        "all": squares.mean() ** 0.5,
        "tomorrow of the same kind": squares[same].mean() ** 0.5,
        "of the other kind": squares[~same].mean() ** 0.5,
    }
print("RMSE of the number of users 24 hours ahead")
print(pd.DataFrame(table).T.round(0).to_string())

BacktestDisplay.from_backtest(results["calendar of the target"])

# %%
# Attention on calendar columns
# -----------------------------
# ``feature_names_in_`` has the names of the encoded columns. The hour is 24 of them: its attention
# is their sum, to be compared with that of 24 columns under uniform attention.

X, y = make_rows(series["2012-07":], "users", horizon=[HORIZON], known=KNOWN)
fitted = pipeline(
    AttentionLSTMRegressor(lookback=LOOKBACK, attention_mode="feature", random_state=0)
).fit(X, y)
lstm = fitted[-1]
attention = pd.Series(lstm.feature_attention_, lstm.feature_names_in_)
groups = attention.index.str.replace(r"_[\d.]+$", "", regex=True)
of_inputs = pd.DataFrame({"attention": attention, "uniform": 1 / len(attention)})
of_inputs = of_inputs.groupby(groups).sum().loc[series.columns]
print(of_inputs.round(2).to_string())

_, ax = plt.subplots(figsize=(6, 3), layout="constrained")
of_inputs.plot.barh(ax=ax, color=["C0", "0.8"]).invert_yaxis()
ax.set_xlabel("attention, summed over the columns of an input")

# %%
# What was learned
# ----------------
# The calendar of the target is worth much, most of all where tomorrow is another kind of day than
# today, and costs nothing to know. The temperature of the target helps a little more.
#
# **When not to trust it.** Attention on a calendar column says that the clock helps the forecast,
# not that the clock causes anything: it stands for what people do at that hour. Calendar columns
# are interchangeable with each other and with the past of the target, since rentals 24 hours ago
# tell the hour as well, so little attention does not mean that the hour is unimportant. A category
# of many columns has a large sum even if attention is uniform. Step *t* of a known column is a time
# 24 hours after step *t* of the others. And the temperature here is the one that was measured:
# with real forecasts of the weather it is worth less. Use the forecast that was available at the
# time, never the measured value, for any input that is itself predicted.
