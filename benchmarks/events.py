"""Does attention identify events that can occur anywhere in the window?

Tasks with known driving cells at random places: those of TimeX (Queen et al., NeurIPS 2023) and
TimeX++ (Liu et al., ICML 2024), whose classes are fitted as one column each, and the height of a
bump (``make_event``), without noise and with noise of the target's own variance. The default
mechanism and RETAIN are fitted with the estimator's other defaults. So is the plain LSTM of the
same size (``attention_mode=None``), which is explained post hoc. Prints a row for each task and
method: medians over seeds, which each run samples anew unless ``--seed`` is given. A seed
determines the data and the initial weights.

    python benchmarks/events.py --check --jobs 2          # all tasks: hours
    python benchmarks/events.py --tasks FreqShapes event --attention dense imv

Integrated gradients and occlusion need captum: ``pip install ".[benchmark]"``. Without it, they
are omitted.
"""

import argparse
import time
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
import torch
from believability import (
    PLAIN,
    add_common_options,
    fit,
    fractions,
    mean_of_defined,
    median,
    print_thresholds,
    run_all,
    sample_seeds,
    shown,
    values_of,
)
from post_hoc import METHODS, NEED_CAPTUM
from scores import average_precision, relevance_mass
from sklearn.metrics import accuracy_score, r2_score

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn.attention import ATTENTION_MECHANISMS
from sk_tsattn.datasets import (
    make_event,
    make_low_variance,
    make_periodic_spikes,
    make_trends,
)


class Task(NamedTuple):
    """Task with events: a generator, its options, and the least AUPRC that is accepted."""

    make: object
    options: dict
    least_auprc: float
    n_classes: int | None = None  # None: the target is a number


BUMPS = {"n_timesteps": 50, "n_features": 6}
TASKS = {
    "FreqShapes": Task(make_periodic_spikes, {}, 0.89, n_classes=4),
    "SeqComb-UV": Task(make_trends, {}, 0.85, n_classes=4),
    "SeqComb-MV": Task(make_trends, {"n_features": 4}, 0.76, n_classes=4),
    "LowVar": Task(make_low_variance, {}, 0.87, n_classes=4),
    "event": Task(make_event, {**BUMPS, "noise": 0.0}, 0.95),
    "event-noise": Task(make_event, {**BUMPS, "noise": 1.0}, 0.8),
}
LEAST_MASS = 0.9
SCORE_TOLERANCE = 0.01  # below the plain LSTM
MOST_FITS = 4  # CPU time, in fits of the plain LSTM
# Permutation importance is the same for every window.
EXPLANATIONS = [method for method in METHODS if method in NEED_CAPTUM]


def sample(task, n_samples, n_test, seed):
    """Return training and test set: X, y (one column for each class) and drivers."""
    X, y, drivers = task.make(n_samples + n_test, random_state=seed, **task.options)
    if task.n_classes is not None:
        y = np.eye(task.n_classes)[y]
    parts = slice(n_samples), slice(n_samples, None)
    return [(X[part], y[part], drivers[part]) for part in parts]


def score_of(task, y, predicted):
    """Return the accuracy of classes, and the R² of numbers."""
    if task.n_classes is None:
        return float(r2_score(y, predicted))
    return float(accuracy_score(y.argmax(axis=1), predicted.argmax(axis=1)))


def attention_scores(weights, drivers):
    """Return AUPRC and relevance mass of weights (n, T, F): means over windows with drivers.

    AUPRC is the average precision of the cells of a window, ranked by their weight.
    """
    flat, truth = (array.reshape(len(array), -1) for array in (weights, drivers[: len(weights)]))
    has_drivers = truth.any(axis=1)
    flat, truth = flat[has_drivers], truth[has_drivers]
    return {
        "AUPRC": mean_of_defined(average_precision(flat, truth)),
        "mass": mean_of_defined(relevance_mass(flat, truth)),
    }


def run(name, seed, options):
    """Fit the plain LSTM and the mechanisms, and explain the former; yield a record of each."""
    torch.set_num_threads(1)
    task = TASKS[name]
    (X, y, _), (X_test, y_test, drivers) = sample(task, options.n_samples, options.n_test, seed)
    fit(PLAIN, None, X[:100], y[:100], seed, max_epochs=1)  # costs of the first fit only

    plain, plain_seconds = fit(PLAIN, None, X, y, seed, options.max_epochs)
    score = score_of(task, y_test, plain.predict(X_test))
    n_true = drivers.sum(axis=(1, 2))
    base = {"task": name, "seed": seed, "true cells": float(n_true[n_true > 0].mean())}
    record = {**base, "attention": PLAIN, "mode": "-", "score": score}
    yield {**record, "seconds": plain_seconds, "ratio": 1.0}

    for method in options.post_hoc:
        start = time.process_time()
        importance = METHODS[method](plain, X_test, y_test, seed)
        seconds = time.process_time() - start
        record = {**base, "attention": method, "mode": "post hoc", "score": score}
        yield {**record, "seconds": seconds, **attention_scores(fractions(importance), drivers)}

    for attention in options.attention:
        model, seconds = fit(attention, "both", X, y, seed, options.max_epochs)
        weights = model.attention_weights(X_test)
        gates = weights.get("gate")
        yield {
            **base,
            "attention": attention,
            "mode": "both",
            "score": score_of(task, y_test, model.predict(X_test)),
            **attention_scores(weights["cell"], drivers),
            "open gates": None if gates is None else float(gates.sum(axis=(1, 2)).mean()),
            "seconds": seconds,
            "ratio": seconds / plain_seconds,
        }


# column of the table: digits
COLUMNS = {
    "score": 3,
    "AUPRC": 3,
    "mass": 3,
    "open gates": 1,
    "true cells": 1,
    "seconds": 1,
    "ratio": 2,
}


def row(records):
    """Return the row of one task and method in the table."""
    first = records[0]
    cells = [shown(median(values_of(records, name)), digits) for name, digits in COLUMNS.items()]
    return "| " + " | ".join([first["task"], first["attention"], first["mode"], *cells]) + " |"


def thresholds(name, groups, default):
    """Compare the default mechanism with the acceptance thresholds.

    Yields ``(threshold, median, worst, passed)``. The threshold applies to the median over seeds;
    ``worst`` is the worst seed. ``groups`` is ``{(attention, mode): records}``.
    """
    own = groups[default, "both"]
    plain = median(values_of(groups[PLAIN, "-"], "score"))
    for score, least, threshold in (
        ("AUPRC", TASKS[name].least_auprc, f">= {TASKS[name].least_auprc}"),
        ("mass", LEAST_MASS, f">= {LEAST_MASS}"),
        (
            "score",
            plain - SCORE_TOLERANCE,
            f">= {plain:.3f} of the {PLAIN}, less {SCORE_TOLERANCE}",
        ),
    ):
        values = values_of(own, score)
        passed = bool(median(values) >= least)
        yield f"{score} {threshold}", median(values), min(values), passed
    ratio = values_of(own, "ratio")
    passed = bool(median(ratio) <= MOST_FITS)
    yield f"time <= {MOST_FITS} plain LSTMs", median(ratio), max(ratio), passed


def parse(arguments):
    default = AttentionLSTMRegressor().attention
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--tasks", nargs="+", default=list(TASKS), metavar="NAME", choices=TASKS,
        help=f"any of {', '.join(TASKS)} (default: all)")  # fmt: skip
    with_cells = [name for name, modes in ATTENTION_MECHANISMS.items() if "both" in modes]
    add("--attention", nargs="*", default=[default, "retain"], choices=with_cells)
    available = EXPLANATIONS if find_spec("captum") else []
    add("--post-hoc", nargs="*", default=available, choices=available)
    add_common_options(parser, n_samples=5000, n_test=1000)
    return parser.parse_args(arguments)


def main(arguments=None):
    options = parse(arguments)
    seeds = sample_seeds(options)
    default = AttentionLSTMRegressor().attention
    print(
        f"{options.n_samples} training windows, {options.n_test} test windows; the default "
        f"mechanism is {default!r}"
    )
    if find_spec("captum") is None:
        print('captum is missing, and with it post-hoc methods: pip install ".[benchmark]"')
    print(
        "score: accuracy, R2 of event tasks; AUPRC: average precision of the cells of a window, "
        "mean over windows with true cells; mass: relevance mass of these; open gates, true cells: "
        "number in a window, mean; seconds: CPU time of fit (post hoc: of the explanation); ratio: "
        "relative to the fit of the plain LSTM\n"
    )
    header = ["task", "attention", "mode", *COLUMNS]
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header), flush=True)
    results = run_all(run, row, options, seeds)
    if options.check and default in options.attention:
        print_thresholds(results, default, thresholds)


if __name__ == "__main__":
    main()
