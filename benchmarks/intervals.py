"""Do prediction intervals cover what they promise on later data, and how wide are they?

Compares the quantiles of the default estimator with ``loss="quantile"``, those of the plain LSTM,
gradient boosting (HistGradientBoostingRegressor, one model for each quantile), and constant
intervals: the quantiles of the change of the target in the training set, around its newest value.
Sets, windows and splits are those of ``skill.py``: 60 % training, 20 % validation and 20 % test
set, in time order. The validation set (``X_val``) stops and calibrates the LSTM, and chooses the
number of trees. The table has the fractions of the test set inside the intervals of 80 % and 95 %,
the mean pinball loss of all quantiles and the median width of the 80 % interval, both divided by
those of the constant intervals.

    python benchmarks/intervals.py --check --jobs 2
    python benchmarks/intervals.py --sets "pm2.5" --models quantiles --seeds 1 --n-rows 6000
"""

import argparse
import sys
import time
import warnings

import numpy as np
import torch
from joblib import Parallel, delayed
from skill import SETS, Forecasts, flat
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import mean_pinball_loss

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn.exceptions import HistoryWarning

QUANTILES = (0.025, 0.1, 0.5, 0.9, 0.975)
# Column of the lower and the upper end, and the fractions of the test set that pass.
INTERVALS = {80: (1, 3, 0.78, 0.82), 95: (0, 4, 0.94, 0.96)}
N_TREES = 200


def constant(data, seed, options):
    (_, y, last), (_, _, last_test) = data.train, data.test
    return last_test[:, None] + np.nanquantile(y - last, QUANTILES)


def boosting(data, seed, options):
    X, X_val, X_test = (flat(part) for part in (data.train, data.valid, data.test))
    columns = []
    for quantile in QUANTILES:
        model = HistGradientBoostingRegressor(
            loss="quantile", quantile=quantile, max_iter=N_TREES, early_stopping=False
        ).fit(X, data.train[1])
        losses = [
            mean_pinball_loss(data.valid[1], predicted, alpha=quantile)
            for predicted in model.staged_predict(X_val)
        ]
        columns.append(list(model.staged_predict(X_test))[int(np.argmin(losses))])
    return np.sort(np.column_stack(columns), axis=1)


def lstm(mode):
    def predict(data, seed, options):
        changed = {} if options.max_epochs is None else {"max_epochs": options.max_epochs}
        model = AttentionLSTMRegressor(
            attention_mode=mode, loss="quantile", quantiles=QUANTILES, random_state=seed, **changed
        )
        model.fit(*data.train[:2], X_val=data.valid[0], y_val=data.valid[1])
        return model.predict(data.test[0], quantiles=QUANTILES)

    return predict


MODELS = {
    "constant": constant,
    "boosting": boosting,
    "plain": lstm(None),
    "quantiles": lstm("both"),
}
SEEDED = ("plain", "quantiles")


def measure(y, predicted):
    """Return the coverage of the intervals, the pinball loss and the width of the 80 % interval."""
    inside = {
        f"inside {percent}": float(((predicted[:, low] <= y) & (y <= predicted[:, high])).mean())
        for percent, (low, high, *_) in INTERVALS.items()
    }
    losses = [
        mean_pinball_loss(y, column, alpha=quantile)
        for column, quantile in zip(predicted.T, QUANTILES, strict=True)
    ]
    width = float(np.median(predicted[:, 3] - predicted[:, 1]))
    return {**inside, "pinball": float(np.mean(losses)), "width": width}


def run(source, horizon, model, seed, options):
    """Fit one model; return what :func:`measure` returns, relative to constant intervals."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", HistoryWarning)  # a few windows across missing rows
    data = Forecasts(source, horizon, options)
    start = time.process_time()
    predicted = MODELS[model](data, seed, options)
    seconds = time.process_time() - start
    found, unit = (measure(data.test[1], q) for q in (predicted, constant(data, seed, options)))
    found |= {name: found[name] / unit[name] for name in ("pinball", "width")}
    print(f"{source}, horizon {horizon}, {model}: {seconds:.0f} s", file=sys.stderr, flush=True)
    return found | {"seconds": seconds}


HEADER = "| set | horizon | model | inside 80 % | inside 95 % | pinball | width | seconds |"
FORMS = {
    "inside 80": ".3f",
    "inside 95": ".3f",
    "pinball": ".3f",
    "width": ".2f",
    "seconds": ".1f",
}


def row(source, horizon, model, found):
    """Return a row of the table: the mean, and the standard deviation if there are seeds."""
    cells = [source, str(horizon), model]
    for name, form in FORMS.items():
        values = [one[name] for one in found]
        spread = f" ± {np.std(values):{form}}" if len(values) > 1 else ""
        cells.append(f"{np.mean(values):{form}}{spread}")
    return f"| {' | '.join(cells)} |"


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--sets", nargs="+", default=list(SETS), choices=SETS, metavar="NAME",
        help=", ".join(map(repr, SETS)))  # fmt: skip
    add("--horizons", nargs="+", type=int, default=[1], help="in rows (default: 1)")
    add("--models", nargs="+", default=list(MODELS), choices=MODELS, metavar="NAME",
        help=", ".join(MODELS))  # fmt: skip
    add("--seeds", type=int, default=3, help="fits of each LSTM (default: %(default)s)")
    add("--seed", type=int, default=None, help="seed of the seeds (default: random)")
    add("--lookback", type=int, default=24, help="rows of a window (default: %(default)s)")
    add("--n-rows", type=int, default=None, help="use the newest rows only")
    add("--max-epochs", type=int, default=None, help="(default: the estimator's)")
    add("--jobs", type=int, default=1, help="number of processes (default: %(default)s)")
    add("--check", action="store_true", help="compare the coverage of model 'quantiles'")
    parser.set_defaults(split=(0.6, 0.2), target=[], known=[])
    return parser.parse_args(arguments)


def main(arguments=None):
    options = parse(arguments)
    entropy = np.random.SeedSequence(options.seed).entropy
    seeds = np.random.default_rng(entropy).integers(2**31 - 1, size=options.seeds).tolist()
    print(f"{options.seeds} seeds, --seed {entropy}; torch {torch.__version__}\n")
    print(HEADER)
    print("|" + "---|" * (HEADER.count("|") - 1), flush=True)
    parallel = Parallel(n_jobs=options.jobs)
    verdicts = []
    for source in options.sets:
        for horizon in options.horizons:
            for model in options.models:
                found = parallel(
                    delayed(run)(source, horizon, model, seed, options)
                    for seed in (seeds if model in SEEDED else [0])
                )
                print(row(source, horizon, model, found), flush=True)
                if model != "quantiles":
                    continue
                for percent, (_, _, least, most) in INTERVALS.items():
                    inside = np.mean([one[f"inside {percent}"] for one in found])
                    what = f"{source}, horizon {horizon}: {percent} % interval, {least} to {most}"
                    verdicts.append((what, inside, least <= inside <= most))
    if options.check:
        print("\n| threshold of model 'quantiles' | reached | |")
        print("|---|---|---|")
        for what, inside, passed in verdicts:
            print(f"| {what} | {inside:.3f} | {'PASS' if passed else 'MISS'} |")


if __name__ == "__main__":
    main()
