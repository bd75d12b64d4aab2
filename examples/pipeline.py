"""What does a forecast lose when its pipeline loses the time index?

Forecasts Beijing's PM2.5 three hours ahead from a DataFrame of hourly rows: a scikit-learn
pipeline with pandas output takes logarithms, scales and cuts windows of a day. Shows how the
predictions line up with the index, where the history of the first rows comes from, what short
windows cost, and that the pipeline is the same after pickling.
"""

import argparse
import pickle

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import RidgeCV
from sklearn.metrics import root_mean_squared_error
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sk_tsattn import AttentionLSTMRegressor, make_windows
from sk_tsattn.datasets import load_beijing_pm25

LOOKBACK, HORIZON = 24, 3
SKEWED = ["pm2.5", "Iws", "Is", "Ir"]


def make_model(max_epochs, random_state):
    logarithm = FunctionTransformer(np.log1p, feature_names_out="one-to-one")
    model = Pipeline(
        [
            (
                "prepare",
                ColumnTransformer(
                    [("log", make_pipeline(logarithm, StandardScaler()), SKEWED)],
                    remainder=StandardScaler(),
                    verbose_feature_names_out=False,
                ),
            ),
            (
                "lstm",
                AttentionLSTMRegressor(
                    attention_mode="time",
                    attention="luong",
                    lookback=LOOKBACK,
                    max_epochs=max_epochs,
                    batch_size=128,
                    lr=0.003,
                    random_state=random_state,
                ),
            ),
        ]
    )
    return model.set_output(transform="pandas")


def main(n_rows=20_000, max_epochs=8, random_state=0):
    X, y = load_beijing_pm25(horizon=HORIZON, return_X_y=True, as_frame=True)
    X, y = X[-n_rows:], y[-n_rows:]
    cut = n_rows * 3 // 4
    # Learn from the past, test on the future. The test rows that are scored begin HORIZON - 1
    # hours later, when the last training target is known.
    X_train, y_train, X_test = X[:cut], y[:cut], X[cut:]
    scored = slice(HORIZON - 1, None)
    truth = y[cut:][scored]

    model = make_model(max_epochs, random_state).fit(X_train, y_train)
    forecast = pd.Series(model.predict(X_test), index=X_test.index, name="forecast")

    # Ridge gets the untransformed rows of a day side by side, which suit it better than logarithms.
    windows, targets, hours = make_windows(X, y, lookback=LOOKBACK, horizon="nowcast")
    windows, past = windows.reshape(len(windows), -1), hours < X_test.index[0]
    ridge = make_pipeline(StandardScaler(), RidgeCV(np.logspace(0, 5, 11)))
    ridge.fit(windows[past], targets[past])
    errors = {
        "persistence": root_mean_squared_error(truth, X_test["pm2.5"][scored]),
        "ridge": root_mean_squared_error(truth, ridge.predict(windows[~past])[scored]),
        "attention LSTM": root_mean_squared_error(truth, forecast[scored]),
    }
    print(f"RMSE of the PM2.5 {HORIZON} hours ahead over {len(truth)} hours, in ug/m3")
    print(pd.Series(errors).round(2).to_string())

    print("\nPredictions have the rows' index, the hour in which the forecast is made:")
    made = forecast[scored].round(1).to_frame()
    made["for hour"] = made.index.shift(HORIZON)
    made["observed"] = truth
    print(made.head(3).to_string())

    print("\nWhere does the history of the first test rows come from?")
    lstm = model["lstm"]
    print(f"fit has kept the last {len(lstm.context_)} training rows in context_.")
    prepared = model[:-1].transform(X_test)
    # As it is if the pipeline's output is not set to pandas: rows are only numbered.
    prepared = model[:-1].transform(X_test)
    without_index = lstm.predict(prepared.reset_index(drop=True))
    changed = ~np.isclose(without_index, forecast, rtol=0, atol=1e-3)
    print(f"Without the index they are not used, and {changed.sum()} predictions change:", end=" ")
    print(f"those of the first {np.flatnonzero(changed).max(initial=-1) + 1} rows.")

    print("\nWhat do short windows cost? The test hours, predicted day by day:")
    alone, led_in, before = [], [], LOOKBACK - 1
    for start in range(LOOKBACK, len(prepared), 24):
        alone.append(lstm.predict(prepared[start : start + 24]))
        led_in.append(lstm.predict(prepared[start - before : start + 24])[before:])
    observed = y[cut + LOOKBACK :]
    costs = {
        "each day by itself": root_mean_squared_error(observed, np.concatenate(alone)),
        f"led in by the {before} rows before it": root_mean_squared_error(
            observed, np.concatenate(led_in)
        ),
        "all in one go": root_mean_squared_error(observed, forecast[LOOKBACK:]),
    }
    print(pd.Series(costs).round(2).to_string())

    packed = pickle.dumps(model)
    again = pickle.loads(packed)
    same = np.array_equal(again.predict(X_test), forecast)
    print(f"\nPickled: {len(packed) / 1e3:.0f} kB; the same predictions after loading: {same}")

    print(
        "\nLearnt: with pandas output the index reaches the last step, which then puts the rows "
        "that fit has\nkept before a test set that goes on where training ended. No row needs "
        "them but the first\nlookback - 1. Whoever predicts in small portions needs history for "
        "each: lead it in with the\nlookback - 1 rows before it and drop their predictions; "
        "short windows cost accuracy.\n"
        "Do not trust: context='train_tail' on anything but the rows right after training, since "
        "it puts the\ntraining's last rows before them without a word. Nor an LSTM that was not "
        "compared with ridge, which\nfits in a second, has no seed, and is hard to beat here."
    )
    return pd.Series(errors | costs)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-rows", type=int, default=20_000, help="newest hours to use")
    parser.add_argument("--max-epochs", type=int, default=8, help="epochs of the fit")
    parser.add_argument("--random-state", type=int, default=0, help="seed of the fit")
    main(**vars(parser.parse_args()))
