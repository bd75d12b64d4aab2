"""Does attention identify the cells that determine the target, compared with post-hoc methods?

The models are fitted with the estimator's defaults to synthetic tasks with known driving cells
(``sk_tsattn.datasets.make_*``). Their attention on new windows is compared with the truth, and so
are post-hoc explanations of the plain LSTM of the same size (``attention_mode=None``). Prints a row
for each task, mechanism and mode: medians over seeds, which each run samples anew unless ``--seed``
is given. A seed determines the data and the initial weights.

    python benchmarks/believability.py --check --jobs 2            # the standard suite: hours
    python benchmarks/believability.py --attention dense imv --modes both --tasks a bn
    python benchmarks/believability.py --attention bahdanau --tasks standard sizes --jobs 2

Post-hoc methods need captum: ``pip install ".[benchmark]"``, or ``--post-hoc`` without a method.
"""

import argparse
import itertools
import json
import statistics
import sys
import time
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
import torch
from joblib import Parallel, delayed
from post_hoc import METHODS, NEED_CAPTUM
from scores import auroc, average_precision, relevance_mass, stability
from sklearn.metrics import r2_score

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn.attention import ATTENTION_MECHANISMS
from sk_tsattn.attention._kinds import ATTENTION_KINDS
from sk_tsattn.datasets import (
    make_adding,
    make_boxes,
    make_decoys,
    make_different_times,
    make_fixed_cells,
    make_marked_cell,
    make_switch,
)

PLAIN = "plain LSTM"
MODES = ("both", "time", "feature")
# How markers (cells that only select a driving cell) count, in the order of a record's values.
MARKERS = ("irrelevant", "excluded", "relevant")


class Task(NamedTuple):
    """Synthetic task: a generator, its options, and the number of training windows."""

    make: object
    options: dict
    n_samples: int | None = None  # None: --n-samples
    has_markers: bool = False
    has_truth: bool = True  # False: the target is noise


BASE = {
    "a": Task(make_fixed_cells, {}),
    "b": Task(make_marked_cell, {}, has_markers=True),
    "c": Task(make_adding, {"n_features": 1, "marker": "zero"}, has_markers=True),
    "c10": Task(make_adding, {}, has_markers=True),
    "d": Task(make_decoys, {}),
    "e": Task(make_different_times, {}),
    "f": Task(make_switch, {}, has_markers=True),
    "box": Task(make_boxes, {}),
}


def vary(task, n_samples=None, **options):
    """Return the same task with other options."""
    return task._replace(options=task.options | options, n_samples=n_samples)


NOISY = {f"{name}n": vary(task, noise=1.0) for name, task in BASE.items()}
WIDE = {"n_timesteps": 168, "n_features": 50}
SUITES = {
    "standard": {**BASE, **NOISY},
    "autocorrelated": {
        f"{name}-ar": vary(task, autocorrelation=0.7)
        for name, task in (BASE | NOISY).items()
        if task.make is not make_decoys  # which are autocorrelated anyway
    },
    "sizes": {
        f"{name}-{n}": vary(task, n)
        for name, task in (BASE | NOISY).items()
        for n in (300, 1000, 30_000)
    },
    "wide": {
        "e-wide": vary(BASE["e"], **WIDE),
        "en-wide": vary(BASE["e"], **WIDE, noise=1.0),
    },
    "noise": {"noise": BASE["a"]._replace(has_truth=False)},
}
TASKS = {name: task for suite in SUITES.values() for name, task in suite.items()}


def sample(task, n_samples, n_test, seed):
    """Return training and test set: X, y, and drivers without and with markers."""
    n_samples = task.n_samples or n_samples
    options = {"n_samples": n_samples + n_test, "random_state": seed, **task.options}
    X, y, drivers = task.make(**options)
    marked = task.make(count_markers=True, **options)[2] if task.has_markers else drivers
    if not task.has_truth:
        y = np.random.default_rng(seed).standard_normal(len(y))
    parts = slice(n_samples), slice(n_samples, None)
    return [tuple(array[part] for array in (X, y, drivers, marked)) for part in parts]


def scores_of(weights, drivers, marked):
    """Return ``{score: [a value for each of MARKERS]}`` of weights ``{axis: (n, ...)}``.

    Without markers, the three values are equal.
    """
    found = {}
    for axis, values in weights.items():
        flat = values.reshape(len(values), -1)
        false, true = (
            {"cell": cells, "time": cells.any(axis=2), "feature": cells.any(axis=1)}[axis].reshape(
                len(cells), -1
            )[: len(values)]
            for cells in (drivers, marked)
        )
        for name, score in (("AUROC", auroc), ("AP", average_precision), ("mass", relevance_mass)):
            values_of_samples = [
                score(flat, false),
                score(flat, false, excluded=true & ~false),
                score(flat, true),
            ]
            found[f"{axis} {name}"] = [mean_of_defined(v) for v in values_of_samples]
    return found


def mean_of_defined(values):
    """Average over the windows with a defined score: some weight is not on excluded cells."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")


def fractions(importance):
    """Return importances that sum to 1 in each window, (n, T, F); uniform if all are 0."""
    total = importance.sum(axis=(1, 2), keepdims=True)
    uniform = np.full(importance.shape, 1 / importance[0].size)
    return np.divide(importance, total, out=uniform, where=total > 0)


def fit(attention, mode, X, y, seed, max_epochs):
    """Return an estimator fitted with its other defaults, and the CPU seconds of the fit."""
    options = {} if attention == PLAIN else {"attention": attention}
    if max_epochs is not None:
        options["max_epochs"] = max_epochs
    model = AttentionLSTMRegressor(attention_mode=mode, random_state=seed, **options)
    start = time.process_time()
    model.fit(X, y)
    return model, time.process_time() - start


def run(name, seed, options):
    """Fit the plain LSTM and all mechanisms; yield a record of each."""
    torch.set_num_threads(1)
    task = TASKS[name]
    (X, y, _, _), (X_test, y_test, *truth) = sample(task, options.n_samples, options.n_test, seed)
    fit(PLAIN, None, X[:100], y[:100], seed, max_epochs=1)  # costs of the first fit only

    plain, plain_seconds = fit(PLAIN, None, X, y, seed, options.max_epochs)
    base = {"task": name, "seed": seed}
    r2 = r2_score(y_test, plain.predict(X_test))
    common = {"R2": r2, "seconds": plain_seconds, "epochs": len(plain.history_)}
    yield {**base, "attention": PLAIN, "mode": "-", **common, "ratio": 1.0}

    for method in options.post_hoc:
        start = time.process_time()
        importance = METHODS[method](plain, X_test, y_test, seed)
        seconds = time.process_time() - start
        cell = fractions(importance)
        weights = {"cell": cell, "time": cell.sum(axis=2), "feature": cell.sum(axis=1)}
        if X.shape[2] == 1:
            weights = {"time": weights["time"]}
        summary = {axis: values.mean(axis=0).ravel().tolist() for axis, values in weights.items()}
        scores = scores_of(weights, *truth) if task.has_truth else {}
        record = {**base, "attention": method, "mode": "post hoc", "R2": r2, "seconds": seconds}
        yield {**record, **scores, "summary": summary}

    for attention, mode in pairs(options.attention, options.modes, X.shape[2]):
        model, seconds = fit(attention, mode, X, y, seed, options.max_epochs)
        weights = dict(model.attention_weights(X_test))
        weights = {axis: weights[axis] for axis in ("cell", "time", "feature") if axis in weights}
        if X.shape[2] == 1:
            weights = {"time": weights["time"]}
        gates = getattr(model, "gates_", None)
        yield {
            **base,
            "attention": attention,
            "mode": mode,
            "R2": r2_score(y_test, model.predict(X_test)),
            "seconds": seconds,
            "ratio": seconds / plain_seconds,
            "epochs": len(model.history_),
            "gates": None if gates is None else float(np.mean(gates)),
            **(scores_of(weights, *truth) if task.has_truth else {}),
            "summary": {
                axis: getattr(model, ATTENTION_KINDS[axis].attribute).ravel().tolist()
                for axis in weights
            },
        }


def pairs(mechanisms, modes, n_features):
    """List the mechanisms and modes to run; with one feature, only over time."""
    if n_features == 1:
        modes = ("time",)
    return [(a, m) for a in mechanisms for m in modes if m in ATTENTION_MECHANISMS[a]]


def matching_mode(task):
    """Return the mode of the thresholds: both, or time if the task has one feature."""
    return "time" if task.options.get("n_features") == 1 else "both"


def finest(record):
    """Return the finest axis of the record's weights."""
    return next(iter(record["summary"]), None) if "summary" in record else None


def values_of(records, score, markers="relevant"):
    """Return the score of each seed; ``markers`` is one of MARKERS."""
    values = [r[score] for r in records if r.get(score) is not None]
    return [v[MARKERS.index(markers)] if isinstance(v, list) else v for v in values]


def median(values):
    return statistics.median(values) if values else float("nan")


def shown(value, digits=3):
    return "-" if value is None or np.isnan(value) else f"{value:.{digits}f}"


def stability_of(records, axis, **how):
    return stability([r["summary"][axis] for r in records if axis in r.get("summary", {})], **how)


def scores_cell(records, score, has_markers):
    """Format the median of a score; with markers, one for each of MARKERS."""
    ways = MARKERS if has_markers else ("relevant",)
    medians = [shown(median(values_of(records, score, markers))) for markers in ways]
    return " / ".join(medians) if set(medians) != {"-"} else "-"


HEADER = (
    "| task | attention | mode | R2 | cell AUROC | cell AP | time AUROC | time AP | feature AUROC "
    "| feature AP | relevance mass | stability | Pearson | of cells | gates | epochs | seconds "
    "| ratio |"
)


def row(records):
    """Return the row of one task, mechanism and mode in the table."""
    first = records[0]
    has_markers = TASKS[first["task"]].has_markers
    axis = finest(first)
    overall = "feature" if axis != "time" else "time"
    cells = [
        first["task"],
        first["attention"],
        first["mode"],
        shown(median(values_of(records, "R2"))),
    ]
    cells += [
        scores_cell(records, f"{place} {score}", has_markers)
        for place in ("cell", "time", "feature")
        for score in ("AUROC", "AP")
    ]
    cells.append(scores_cell(records, f"{axis} mass", has_markers))
    cells += [
        shown(stability_of(records, overall)),
        shown(stability_of(records, overall, ranks=False)),
        shown(stability_of(records, "cell")),
        shown(median(values_of(records, "gates"))),
        shown(median(values_of(records, "epochs")), 0),
        shown(median(values_of(records, "seconds")), 1),
        shown(median(values_of(records, "ratio")), 2),
    ]
    return "| " + " | ".join(cells) + " |"


def thresholds(name, groups, default):
    """Compare the default mechanism with the acceptance thresholds, in the mode of the task.

    Yields ``(threshold, median, worst, passed)``. The threshold applies to the median over seeds;
    ``worst`` is the worst seed. ``groups`` is ``{(attention, mode): records}``.
    """
    task = TASKS[name]
    own = groups.get((default, matching_mode(task)))
    if own is None:
        return
    ratio = values_of(own, "ratio")
    yield "time <= 4 plain LSTMs", median(ratio), max(ratio), bool(median(ratio) <= 4)
    if not task.has_truth:
        return
    axis = finest(own[0])
    noisy = task.options.get("noise") == 1.0
    least_auroc, least_mass = (0.95, 0.8) if noisy else (0.99, 0.9)
    explained = {m: r for (m, mode), r in groups.items() if mode == "post hoc"}

    def at_least(threshold, least, values):
        return threshold, median(values), min(values), bool(median(values) >= least)

    # A mechanism that uses the marker is right to show it: markers never count as irrelevant.
    for markers in ("excluded", "relevant") if task.has_markers else ("relevant",):
        note = f", markers {markers}" if task.has_markers else ""
        aurocs = values_of(own, f"{axis} AUROC", markers)
        yield at_least(f"{axis} AUROC >= {least_auroc}{note}", least_auroc, aurocs)
        masses = values_of(own, f"{axis} mass", markers)
        yield at_least(f"relevance mass >= {least_mass}{note}", least_mass, masses)
        if explained:
            rivals = {
                m: median(values_of(r, f"{axis} AUROC", markers)) for m, r in explained.items()
            }
            best = max(rivals, key=rivals.get)
            # Compared as printed: equal in three digits is a tie.
            threshold = f"{axis} AUROC >= {rivals[best]:.3f} of {best}{note}"
            yield at_least(threshold, round(rivals[best], 3) - 0.0005, aurocs)

    r2 = values_of(own, "R2")
    if noisy:
        least = median(values_of(groups[PLAIN, "-"], "R2"))
        yield above(f"R2 > {least:.3f} of the {PLAIN}", least, r2)
    else:
        medians = {
            " ".join(key): median(values_of(r, "R2"))
            for key, r in groups.items()
            if key[1] != "post hoc"
        }
        best = max(medians, key=medians.get)
        yield at_least(f"R2 >= {medians[best]:.3f} of {best}, less 0.01", medians[best] - 0.01, r2)

    if "feature" in own[0]["summary"] and len(own) > 1:
        reached = stability_of(own, "feature")
        yield "stability >= 0.9", reached, reached, bool(reached >= 0.9)


def above(threshold, bound, values):
    return threshold, median(values), min(values), bool(median(values) > bound)


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    names = [*SUITES, *TASKS]
    add("--tasks", nargs="+", default=["standard"], metavar="NAME", choices=names,
        help=f"suites ({', '.join(SUITES)}) or tasks ({', '.join([*BASE, *NOISY])}, a-ar, a-300, "
        "...; n: noise with the variance of the target)")  # fmt: skip
    add("--attention", nargs="*", default=list(ATTENTION_MECHANISMS), choices=ATTENTION_MECHANISMS)
    add("--modes", nargs="+", default=MODES, choices=MODES)
    add("--post-hoc", nargs="*", default=list(METHODS), choices=METHODS)
    add_common_options(parser, n_samples=3000, n_test=2000)
    options = parser.parse_args(arguments)
    if NEED_CAPTUM & set(options.post_hoc) and find_spec("captum") is None:
        parser.error('captum is missing: pip install ".[benchmark]", or omit post-hoc methods')
    suites = [list(SUITES.get(name, [name])) for name in options.tasks]
    options.tasks = list(dict.fromkeys(itertools.chain(*suites)))
    return options


def add_common_options(parser, n_samples, n_test):
    """Add the options of the number of fits and their size, and of what is printed."""
    add = parser.add_argument
    add("--n-seeds", type=int, default=5,
        help="runs, of which the median is printed (default: 5)")  # fmt: skip
    add("--n-samples", type=int, default=n_samples,
        help="training windows, or as the task says (default: %(default)s)")  # fmt: skip
    add("--n-test", type=int, default=n_test, help="test windows (default: %(default)s)")
    add("--max-epochs", type=int, default=None, help="(default: the estimator's)")
    add("--seed", type=int, default=None, help="seed of the seeds (default: random)")
    add("--jobs", type=int, default=1, help="number of processes (default: %(default)s)")
    add("--check", action="store_true",
        help="compare the default mechanism with the acceptance thresholds")  # fmt: skip
    add("--out", default=None, help="append a line of JSON for each fit to this file")


def main(arguments=None):
    options = parse(arguments)
    seeds = sample_seeds(options)
    default = AttentionLSTMRegressor().attention
    print(
        f"{options.n_samples} training windows unless the task has its own, "
        f"{options.n_test} test windows; the default mechanism is {default!r}"
    )
    print(
        "scores: means over windows; markers count as irrelevant / excluded / relevant; relevance "
        "mass: of the finest weights; stability: mean Spearman correlation (ties have the mean of "
        "their ranks) and Pearson correlation of feature_attention_ (mode time: time_attention_) "
        "across seeds, and Spearman correlation of attention_; gates: mean; seconds: CPU time of "
        "fit (post hoc: of the explanation); ratio: relative to the plain LSTM\n"
    )
    print(HEADER)
    print("|" + "---|" * (HEADER.count("|") - 1), flush=True)

    results = run_all(run, row, options, seeds)
    if options.check and default in options.attention:
        print_thresholds(results, default)


def sample_seeds(options):
    """Return the seeds of the runs, and print what they were sampled with."""
    entropy = np.random.SeedSequence(options.seed).entropy
    print(f"medians of {options.n_seeds} seeds, --seed {entropy}; torch {torch.__version__}")
    return np.random.default_rng(entropy).integers(2**31 - 1, size=options.n_seeds).tolist()


def run_all(run, row, options, seeds):
    """Run every task with every seed, and print the rows of a task after its last seed.

    ``run(name, seed, options)`` yields records, of which ``row`` formats those of one mechanism.
    Returns ``{task: records}``.
    """
    wanted = [(name, seed) for name in options.tasks for seed in seeds]
    parallel = Parallel(n_jobs=options.jobs, return_as="generator")
    finished = parallel(delayed(one_job)(run, name, seed, options) for name, seed in wanted)
    results = {}
    for (name, seed), records in zip(wanted, finished, strict=True):
        results.setdefault(name, []).extend(records)
        if options.out:
            with open(options.out, "a", encoding="utf-8") as file:
                file.writelines(json.dumps(record) + "\n" for record in records)
        if seed == seeds[-1]:
            for records_of_one in grouped(results[name]).values():
                print(row(records_of_one), flush=True)
    return results


def one_job(run, name, seed, options):
    """Run a task with a seed, and print the progress on stderr."""
    records = []
    for record in run(name, seed, options):
        records.append(record)
        what = f"{name} seed {seed}: {record['attention']} {record['mode']}"
        print(f"{what}, {record['seconds']:.0f} s", file=sys.stderr, flush=True)
    return records


def grouped(records):
    """Group by mechanism and mode, in the order of the records."""
    groups = {}
    for record in records:
        groups.setdefault((record["attention"], record["mode"]), []).append(record)
    return groups


def print_thresholds(results, default, thresholds=thresholds):
    """Print a row for each acceptance threshold of each task."""
    print(f"\n| task | threshold of {default!r} | median | worst seed | |")
    print("|---|---|---|---|---|")
    for name, records in results.items():
        for threshold, reached, worst, passed in thresholds(name, grouped(records), default):
            verdict = "PASS" if passed else "MISS"
            print(
                f"| {name} | {threshold} | {shown(reached)} | {shown(worst)} | {verdict} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
