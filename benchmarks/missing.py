"""How does the error rise with missing values, as they are and imputed?

A fraction of the cells of real series is deleted, one by one at random ("cells") or in gaps of 12
steps on average ("gaps"), in the training and the test set alike; targets stay known. The default
estimator is fitted on the rows with NaN, and on rows in which they are imputed, by the mean of the
training set (SimpleImputer) and by the last value before (forward fill, and the mean where there
is none). The first 80 % of the rows are the training set, the others the test set.

Prints the RMSE on the test set, divided by that without missing values: medians over seeds, which
determine the deleted cells and the initial weights. With ``--check``, also the ratio of the error
with NaN to that of each imputation, which is to be at most 1.02.

    python benchmarks/missing.py --check
    python benchmarks/missing.py --sets "bike sharing" --fractions 0 0.3 --n-seeds 2 --n-rows 4000
"""

import argparse
import statistics
import sys
import time

import numpy as np
import torch
from joblib import Parallel, delayed
from sklearn.impute import SimpleImputer
from sklearn.metrics import root_mean_squared_error

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn.attention import ATTENTION_MECHANISMS
from sk_tsattn.datasets import load_appliances_energy, load_beijing_pm25, load_bike_sharing

LOOKBACK = 24
MEAN_GAP = 12
WORST_RATIO = 1.02
SETS = {
    "bike sharing": load_bike_sharing,
    "pm2.5": load_beijing_pm25,
    "appliances": load_appliances_energy,
}


def imputed_by_mean(X, n_train):
    """Replace missing values by the mean of the training set."""
    imputer = SimpleImputer(keep_empty_features=True).set_output(transform="pandas")
    return imputer.fit(X[:n_train]).transform(X)


# how: function of the rows and the size of the training set
TREATMENTS = {
    "NaN": lambda X, n_train: X,
    "mean": imputed_by_mean,
    "forward fill": lambda X, n_train: imputed_by_mean(X.ffill(), n_train),
}


def deleted(shape, fraction, pattern, rng):
    """Draw which cells are deleted.

    In the pattern "gaps", a cell begins a gap of its feature with the probability p; a gap ends
    after each of its cells with the probability 1 / MEAN_GAP. For p = f / (MEAN_GAP (1 - f)), a
    fraction f of the cells is deleted.
    """
    if pattern == "cells" or fraction == 0:
        return rng.random(shape) < fraction
    begins = rng.random(shape) < fraction / (MEAN_GAP * (1 - fraction))
    goes_on = rng.random(shape) >= 1 / MEAN_GAP
    is_deleted = np.zeros(shape, dtype=bool)
    is_deleted[0] = rng.random(shape[1]) < fraction
    for t in range(1, len(is_deleted)):
        is_deleted[t] = np.where(is_deleted[t - 1], goes_on[t], begins[t])
    return is_deleted


def run(name, pattern, fraction, treatment, seed, options):
    """Fit one model; return its error on the test set."""
    torch.set_num_threads(1)
    X, y = SETS[name](return_X_y=True, as_frame=True)
    X, y = X[-options.n_rows :], y[-options.n_rows :]
    X = X.mask(deleted(X.shape, fraction, pattern, np.random.default_rng(seed)))
    n_train = int(0.8 * len(X))
    start = time.process_time()
    rows = TREATMENTS[treatment](X, n_train)
    model = AttentionLSTMRegressor(
        lookback=LOOKBACK,
        attention=options.attention,
        max_epochs=options.max_epochs,
        random_state=seed,
    )
    model.fit(rows[:n_train], y[:n_train])
    error = float(root_mean_squared_error(y[n_train:], model.predict(rows[n_train:])))
    what = f"{name}, {pattern}, {fraction:.0%}, {treatment}, seed {seed}"
    print(f"{what}: {error:.4g}, {time.process_time() - start:.0f} s", file=sys.stderr, flush=True)
    return error


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    default = AttentionLSTMRegressor()
    add("--sets", nargs="+", default=list(SETS), choices=SETS, metavar="NAME",
        help=", ".join(map(repr, SETS)))  # fmt: skip
    add("--patterns", nargs="+", default=["cells", "gaps"], choices=["cells", "gaps"])
    add("--fractions", nargs="+", type=float, default=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    add("--attention", default=default.attention, choices=ATTENTION_MECHANISMS)
    add("--n-seeds", type=int, default=5, help="fits of each (default: %(default)s)")
    add("--n-rows", type=int, default=8000, help="newest rows of a set (default: %(default)s)")
    add("--max-epochs", type=int, default=default.max_epochs)
    add("--seed", type=int, default=None, help="seed of the seeds (default: random)")
    add("--jobs", type=int, default=1, help="number of processes (default: %(default)s)")
    add("--check", action="store_true", help="compare the errors with those of the imputations")
    return parser.parse_args(arguments)


def main(arguments=None):
    options = parse(arguments)
    entropy = np.random.SeedSequence(options.seed).entropy
    seeds = np.random.default_rng(entropy).integers(2**31 - 1, size=options.n_seeds).tolist()
    fractions = [fraction for fraction in options.fractions if fraction > 0]
    cases = [(s, p, f) for s in options.sets for p in options.patterns for f in fractions]
    wanted = [(name, "cells", 0.0, "NaN", seed) for name in options.sets for seed in seeds]
    wanted += [(*case, how, seed) for case in cases for how in TREATMENTS for seed in seeds]
    parallel = Parallel(n_jobs=options.jobs)
    errors = dict(zip(wanted, parallel(delayed(run)(*one, options) for one in wanted), strict=True))

    def ratios(case, how, other):
        """Return the errors divided by those of another fit with the same seed."""
        return [errors[*case, how, seed] / errors[*other, seed] for seed in seeds]

    print(f"medians of {options.n_seeds} seeds, --seed {entropy}; torch {torch.__version__}")
    print("RMSE, divided by that without missing values\n")
    print("| set | deleted | fraction | " + " | ".join(TREATMENTS) + " |")
    print("|" + "---|" * (3 + len(TREATMENTS)))
    for case in cases:
        name, pattern, fraction = case
        complete = (name, "cells", 0.0, "NaN")
        medians = [statistics.median(ratios(case, how, complete)) for how in TREATMENTS]
        cells = [name, pattern, f"{fraction:.0%}", *(f"{value:.3f}" for value in medians)]
        print("| " + " | ".join(cells) + " |")
    if options.check:
        print(f"\n| NaN against | median ratio | worst fraction | <= {WORST_RATIO} |")
        print("|---|---|---|---|")
        for how in list(TREATMENTS)[1:]:
            medians = [statistics.median(ratios(case, "NaN", (*case, how))) for case in cases]
            middle = statistics.median(medians)
            verdict = "PASS" if middle <= WORST_RATIO else "MISS"
            print(f"| {how} | {middle:.3f} | {max(medians):.3f} | {verdict} |")


if __name__ == "__main__":
    main()
