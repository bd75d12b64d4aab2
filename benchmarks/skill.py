"""Is a forecast better than those of simple models, and at which horizons?

Compares persistence, seasonal persistence, ridge regression, gradient boosting
(HistGradientBoostingRegressor), the plain LSTM and the modes of the default attention, one, six
and 24 steps ahead, each horizon with a model of its own. A sample is a window of 24 steps that
contains the past of the target. The target of horizon 0, a nowcast, is that of the newest row,
whose column of the target contains its previous value.

Time order: the first 60 % of the rows are the training set, the next 20 % the validation set, the
last 20 % the test set. A window belongs to a later set only if it reaches the last row before that
set, so that a forecast is made when every target used before is known. All models are fitted on
the training set. Every choice is made on the validation set: the season; the penalty of ridge, the
size and the number of trees, and whether these two predict the target or its change since the
newest value; the stopping of the LSTM (``X_val``). Options of the LSTM are its defaults. Targets
that are missing are left out of all three sets; other missing values are those of the row before.

Model ``nhits`` is that of neuralforecast (Challu et al. 2023) with its defaults, on the same
columns and windows. It needs an environment with that library: ``nox -s nhits``.

MASE is the mean absolute error, divided by that of persistence one step ahead on the training set
(Hyndman and Koehler 2006). Skill is 1 - RMSE / RMSE of the best baseline in the table: of the four
simple models, the one with the smallest RMSE on the test set. Positive is better. The LSTM is
fitted with several seeds, new ones unless ``--seed`` is given: mean ± standard deviation.

    python benchmarks/skill.py --check --jobs 2
    python benchmarks/skill.py --sets "gas furnace" --horizons 1 --models persistence ridge both
    python benchmarks/skill.py --csv folder --target load --sets
"""

import argparse
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error, root_mean_squared_error
from sklearn.preprocessing import StandardScaler

from sk_tsattn import AttentionLSTMRegressor, make_windows
from sk_tsattn.datasets import (
    load_appliances_energy,
    load_beijing_pm25,
    load_bike_sharing,
    load_gas_furnace,
)
from sk_tsattn.exceptions import HistoryWarning

# set: its loader with options, column of the target
SETS = {
    "gas furnace": (load_gas_furnace, {}, "CO2"),
    "bike sharing": (load_bike_sharing, {}, "users"),
    "appliances": (load_appliances_energy, {}, "Appliances"),
    "pm2.5": (load_beijing_pm25, {"impute": False}, "pm2.5"),
}
ALPHAS = np.logspace(-2, 5, 15)
LEAVES, N_TREES = (8, 31), 200
N_CATEGORIES = 20


def read(source, targets):
    """Return the rows of a set, shipped or in a csv file, and the name of the target's column."""
    if source in SETS:
        load, options, target = SETS[source]
        return load(as_frame=True, return_X_y=True, **options)[0], target
    frame = pd.read_csv(source)
    if not pd.api.types.is_numeric_dtype(frame.iloc[:, 0]):
        frame = frame.set_index(pd.DatetimeIndex(frame.pop(frame.columns[0])))
    named = [name for name in targets if name in frame.columns]
    target = named[0] if named else frame.columns[-1]
    texts = frame.select_dtypes(exclude=["number", "bool"]).columns
    many = [name for name in texts if frame[name].nunique() > N_CATEGORIES]
    if many:
        print(f"{source}: left out, more than {N_CATEGORIES} texts: {many}", file=sys.stderr)
    return pd.get_dummies(frame.drop(columns=many), dtype=float).astype(float), target


def seasons_of(index):
    """Return the lengths of possible seasons in rows: a day and a week, or a week, or a year."""
    if not isinstance(index, pd.DatetimeIndex):
        return []
    step = index.to_series().diff().median()
    lengths = [pd.Timedelta(days=days) / step for days in (1, 7, 365.25)]
    lengths = [round(length) for length in lengths if 2 <= round(length) <= 2016]
    return lengths[:2]


class Forecasts:
    """Windows of a set in time order, each with the target ``horizon`` rows later.

    Attributes
    ----------
    train, valid, test : tuple of ndarray
        Windows (n, lookback, n_features), targets (n,) and the newest known value of the target
        (n,).

    seasonal : dict
        Values of the target a whole number of seasons earlier, of the validation and the test set,
        by the length of the season.

    step : float
        Mean absolute difference of one row to the next in the training set, the unit of MASE.

    frame, target, known, cuts : DataFrame, str, list of str and tuple of int
        All rows, the column of the target, those that are known in advance, and the first rows of
        the validation and the test set.

    newest : ndarray of int
        Position of the newest row of each window of the test set.
    """

    def __init__(self, source, horizon, options):
        frame, target = read(source, options.target)
        frame = frame[-options.n_rows :] if options.n_rows else frame
        frame = frame.dropna(axis=1, how="all")
        truth = frame[target].to_numpy(copy=True)
        frame = frame.assign(**{target: frame[target].shift(int(horizon == 0))}).ffill()
        first = int(frame.notna().all(axis=1).to_numpy().argmax())
        frame, truth = frame[first:], truth[first:]
        ahead = {"gap": horizon - 1} if horizon else {"horizon": "nowcast"}
        self.known = [name for name in options.known if name in frame.columns and name != target]
        X, y, _ = make_windows(frame, truth, lookback=options.lookback, known=self.known, **ahead)

        newest = np.arange(len(y)) + options.lookback - 1
        target_at, decided_at = newest + horizon, newest + min(horizon, 1)
        second = int(options.split[0] * len(frame))
        third = int((options.split[0] + options.split[1]) * len(frame))
        known = ~np.isnan(y)
        sets = (
            known & (target_at < second),
            known & (decided_at >= second) & (target_at < third),
            known & (decided_at >= third),
        )
        last = X[:, -1, frame.columns.get_loc(target)]
        self.train, self.valid, self.test = ((X[part], y[part], last[part]) for part in sets)
        if not all(len(part[1]) for part in (self.train, self.valid, self.test)):
            raise ValueError(f"{source} has too few rows for a horizon of {horizon}.")
        self.frame, self.target, self.cuts = frame, target, (second, third)
        self.horizon, self.newest = horizon, newest[sets[2]]
        self.step = np.nanmean(np.abs(np.diff(truth[:second])))
        known_values = frame[target].shift(-int(horizon == 0)).to_numpy()
        self.seasonal = {}
        for length in seasons_of(frame.index):
            at = target_at - length * max(1, -(-horizon // length))
            if at[sets[1]].min() >= 0:
                self.seasonal[length] = tuple(known_values[at[part]] for part in sets[1:])


def persistence(data, seed, options):
    return data.test[2]


def seasonal_persistence(data, seed, options):
    """Forecast the value of a season ago, or the newest one if that is better or none is known."""
    candidates = [(data.valid[2], data.test[2]), *data.seasonal.values()]
    return min(candidates, key=lambda one: root_mean_squared_error(data.valid[1], one[0]))[1]


def best_regression(data, fits):
    """Return the forecast on the test set whose counterpart on the validation set is best.

    ``fits(y)`` fits models to targets, and yields their predictions on these two sets.
    """
    (_, y, last), (_, y_val, last_val), (_, _, last_test) = data.train, data.valid, data.test
    best = np.inf, None
    for change in (False, True):  # since the newest value
        for predicted_val, predicted in fits(y - change * last):
            error = root_mean_squared_error(y_val, predicted_val + change * last_val)
            if error < best[0]:
                best = error, predicted + change * last_test
    return best[1]


def ridge(data, seed, options):
    scaler = StandardScaler().fit(flat(data.train))
    X, X_val, X_test = (scaler.transform(flat(s)) for s in (data.train, data.valid, data.test))

    def fits(y):
        for alpha in ALPHAS:
            model = Ridge(alpha).fit(X, y)
            yield model.predict(X_val), model.predict(X_test)

    return best_regression(data, fits)


def boosting(data, seed, options):
    X, X_val, X_test = (flat(part) for part in (data.train, data.valid, data.test))

    def fits(y):
        for leaves in LEAVES:
            model = HistGradientBoostingRegressor(
                max_iter=N_TREES, max_leaf_nodes=leaves, early_stopping=False, random_state=0
            ).fit(X, y)
            # One for each number of trees.
            yield from zip(model.staged_predict(X_val), model.staged_predict(X_test), strict=True)

    return best_regression(data, fits)


def lstm(mode):
    def predict(data, seed, options):
        changed = {} if options.max_epochs is None else {"max_epochs": options.max_epochs}
        model = AttentionLSTMRegressor(attention_mode=mode, random_state=seed, **changed)
        model.fit(*data.train[:2], X_val=data.valid[0], y_val=data.valid[1])
        return model.predict(data.test[0])

    return predict


def nhits(data, seed, options):
    """Forecast with NHITS, stopped early by the validation set."""
    from neuralforecast import NeuralForecast
    from neuralforecast.models import NHITS

    frame = data.frame.rename(columns={data.target: "y"})
    mean, scale = frame[: data.cuts[0]].mean(), frame[: data.cuts[0]].std()
    frame = ((frame - mean) / scale.where(scale > 0, 1)).assign(unique_id=0, ds=range(len(frame)))
    model = NHITS(
        h=data.horizon,
        input_size=options.lookback,
        hist_exog_list=[n for n in data.frame.columns if n not in (data.target, *data.known)],
        futr_exog_list=data.known,
        early_stop_patience_steps=5,
        random_seed=seed,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    forecasts = NeuralForecast([model], freq=1).cross_validation(
        frame,
        n_windows=None,
        val_size=data.cuts[1] - data.cuts[0],
        test_size=len(frame) - data.cuts[1],
        step_size=1,
    )
    forecasts = forecasts[forecasts["ds"] - forecasts["cutoff"] == data.horizon]
    return forecasts.set_index("cutoff")["NHITS"][data.newest].to_numpy() * scale["y"] + mean["y"]


BASELINES = {
    "persistence": persistence,
    "seasonal": seasonal_persistence,
    "ridge": ridge,
    "boosting": boosting,
}
MODELS = BASELINES | {
    "plain": lstm(None),
    "time": lstm("time"),
    "feature": lstm("feature"),
    "both": lstm("both"),
    "nhits": nhits,
}


def flat(part):
    """Return the windows of a set as rows."""
    return part[0].reshape(len(part[0]), -1)


def run(source, horizon, model, seed, options):
    """Fit one model; return its errors on the test set."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", HistoryWarning)  # a few windows across missing rows
    data = Forecasts(source, horizon, options)
    start = time.process_time()
    predicted = MODELS[model](data, seed, options)
    seconds = time.process_time() - start
    truth = data.test[1]
    mae = float(mean_absolute_error(truth, predicted))
    rmse = float(root_mean_squared_error(truth, predicted))
    what = f"{source}, horizon {horizon}, {model}, seed {seed}"
    print(f"{what}: {rmse:.4g}, {seconds:.0f} s", file=sys.stderr, flush=True)
    return {"rmse": rmse, "mae": mae, "mase": mae / data.step, "seconds": seconds}


def with_skill(records):
    """Add the skill of each fit of a set and horizon; return them and the best baseline."""
    rmse = {name: found[0]["rmse"] for name, found in records.items() if name in BASELINES}
    if not rmse:
        return records, None
    best = min(rmse, key=lambda name: rmse[name])
    return {
        name: [one | {"skill": 100 * (1 - one["rmse"] / rmse[best])} for one in found]
        for name, found in records.items()
    }, best


HEADER = "| set | horizon | model | RMSE | MAE | MASE | skill % | seconds |"
FORMS = {"rmse": ".4g", "mae": ".4g", "mase": ".3f", "skill": ".1f", "seconds": ".1f"}


def row(source, horizon, model, found, best):
    """Return a row of the table: the mean, and the standard deviation if there are seeds."""
    cells = [Path(source).stem if source not in SETS else source, str(horizon)]
    cells.append(f"**{model}**" if model == best else model)
    for key, form in FORMS.items():
        values = [one[key] for one in found if key in one]
        cell = format(np.mean(values), form) if values else "-"
        if len(values) > 1 and key != "seconds":
            cell += f" ± {np.std(values, ddof=1):.2g}"
        cells.append(cell)
    return "| " + " | ".join(cells) + " |"


def thresholds(results):
    """Compare the default's RMSE with the best baseline's; yield (threshold, reached, passed).

    One step ahead it is never above 1.01 times the best, and above it on one set at most; further
    ahead it is never above 1.02 times the best, and below it on half of the sets.
    """
    for horizon in sorted({horizon for _, horizon in results}):
        ratios = [
            1 - np.mean([one["skill"] for one in records["both"]]) / 100
            for (_, h), records in results.items()
            if h == horizon and "skill" in records.get("both", [{}])[0]
        ]
        if not ratios:
            continue
        most = 1.01 if horizon <= 1 else 1.02
        yield f"horizon {horizon}: largest ratio <= {most}", max(ratios), max(ratios) <= most
        n_worse = sum(ratio > 1 for ratio in ratios)
        allowed = 1 if horizon <= 1 else len(ratios) // 2
        name = f"horizon {horizon}: ratio > 1 on at most {allowed} of {len(ratios)}"
        yield name, n_worse, n_worse <= allowed


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--sets", nargs="*", default=list(SETS), choices=SETS, metavar="NAME",
        help=", ".join(map(repr, SETS)))  # fmt: skip
    add("--csv", nargs="*", default=[], type=Path, metavar="FOLDER",
        help="folders of csv files, or such files: rows in time order; a first column of text is "
        "the time")  # fmt: skip
    add("--target", nargs="*", default=[], metavar="COLUMN",
        help="the target of a csv file is the first of these columns that it has (default: its "
        "last column)")  # fmt: skip
    add("--known", nargs="*", default=[], metavar="COLUMN",
        help="columns that are known in advance, for every model: windows contain their values at "
        "the target")  # fmt: skip
    add("--horizons", nargs="+", type=int, default=[1, 6, 24], help="in rows; 0 is a nowcast")
    add("--models", nargs="+", default=[name for name in MODELS if name != "nhits"],
        choices=MODELS, metavar="NAME",
        help=", ".join(MODELS))  # fmt: skip
    add("--seeds", type=int, default=5, help="fits of each LSTM (default: %(default)s)")
    add("--seed", type=int, default=None, help="seed of the seeds (default: random)")
    add("--lookback", type=int, default=24, help="rows of a window (default: %(default)s)")
    add("--split", nargs=2, type=float, default=[0.6, 0.2], metavar="FRACTION",
        help="of the training and the validation set (default: 0.6 0.2)")  # fmt: skip
    add("--n-rows", type=int, default=None, help="use the newest rows only")
    add("--max-epochs", type=int, default=None, help="(default: the estimator's)")
    add("--jobs", type=int, default=1, help="number of processes (default: %(default)s)")
    add("--check", action="store_true", help="compare mode 'both' with the acceptance thresholds")
    return parser.parse_args(arguments)


def main(arguments=None):
    options = parse(arguments)
    entropy = np.random.SeedSequence(options.seed).entropy
    seeds = np.random.default_rng(entropy).integers(2**31 - 1, size=options.seeds).tolist()
    files = [f for path in options.csv for f in (sorted(path.glob("*.csv")) or [path])]
    sources = [*options.sets, *map(str, files)]
    print(f"{options.seeds} seeds, --seed {entropy}; torch {torch.__version__}")
    print("skill is against the best baseline on the test set (in bold)\n")
    print(HEADER)
    print("|" + "---|" * (HEADER.count("|") - 1), flush=True)

    wanted = [
        (source, horizon, model, seed)
        for source in sources
        for horizon in options.horizons
        for model in options.models
        for seed in (seeds if model not in BASELINES else [0])
    ]
    parallel = Parallel(n_jobs=options.jobs, return_as="generator")
    finished = parallel(delayed(run)(*one, options) for one in wanted)
    results = {}
    for i, ((source, horizon, model, _), record) in enumerate(zip(wanted, finished, strict=True)):
        key = source, horizon
        results.setdefault(key, {}).setdefault(model, []).append(record)
        if i + 1 == len(wanted) or wanted[i + 1][:2] != key:
            results[key], best = with_skill(results[key])
            for name, found in results[key].items():
                print(row(*key, name, found, best), flush=True)
    if options.check:
        print("\n| threshold of mode 'both', RMSE against the best baseline | reached | |")
        print("|---|---|---|")
        for threshold, reached, passed in thresholds(results):
            print(f"| {threshold} | {reached:.4g} | {'PASS' if passed else 'MISS'} |")


if __name__ == "__main__":
    main()
