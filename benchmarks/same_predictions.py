"""Do two versions of the library predict the same bits?

Save what a dozen and more fits predict with one version, and compare with another::

    python benchmarks/same_predictions.py --save before.npz
    python benchmarks/same_predictions.py --compare before.npz

A refactoring is one if the second command prints "same" in each row.
"""

import argparse
import sys

import numpy as np
import pandas as pd

from sk_tsattn import AttentionLSTMRegressor, datasets
from sk_tsattn.attention import ATTENTION_MECHANISMS

# Names that have changed, the newest first.
GATE_SENSITIVITY = ("gate_sensitivity_", "steering_")
OLD_NAMES = {"han": "context"}


def configurations():
    """Yield a name, an estimator and the data of each fit."""
    cells = datasets.make_fixed_cells(n_samples=700, n_timesteps=8, n_features=4, random_state=0)
    switch = datasets.make_switch(n_samples=800, n_timesteps=6, n_features=4, random_state=1)
    few = datasets.make_fixed_cells(n_samples=120, n_timesteps=6, n_features=3, random_state=2)
    many = datasets.make_fixed_cells(n_samples=3000, n_timesteps=10, n_features=5, random_state=3)
    common = {"hidden_size": 16, "random_state": 0}
    for mode in ("time", "feature", "both", None):
        model = AttentionLSTMRegressor(attention_mode=mode, max_epochs=25, **common)
        yield f"bottleneck, {mode}", model, cells[:2], {}
    yield "bottleneck, switch", AttentionLSTMRegressor(max_epochs=60, **common), switch[:2], {}
    yield "bottleneck, no validation set", AttentionLSTMRegressor(**common), few[:2], {}
    model = AttentionLSTMRegressor(max_epochs=12, batch_size=128, **common)
    yield "bottleneck, float32", model, many[:2], {}
    for name, modes in ATTENTION_MECHANISMS.items():
        if name == "bottleneck":
            continue
        for mode in modes:
            model = AttentionLSTMRegressor(
                attention=name, attention_mode=mode, max_epochs=6, **common
            )
            yield f"{OLD_NAMES.get(name, name)}, {mode}", model, few[:2], {}

    rng = np.random.default_rng(4)
    times = pd.date_range("2024-01-01", periods=150, freq="h")
    frame = pd.DataFrame(
        rng.normal(size=(300, 3)),
        columns=list("abc"),
        index=pd.MultiIndex.from_product([["x", "y"], times], names=["series", "time"]),
    )
    y = frame["a"].groupby(level=0).shift(2).fillna(0)
    rows = {"attention": "luong", "lookback": 5, "max_epochs": 8, **common}
    yield "several series", AttentionLSTMRegressor(**rows), (frame, y), {}
    one, y_one = frame.loc["x"], y.loc["x"]
    weight = rng.uniform(0.5, 2, size=150)
    for context in ("auto", "train_tail", "mask"):
        model = AttentionLSTMRegressor(context=context, **rows)
        yield f"context {context}", model, (one, y_one), {"sample_weight": weight}
    model = AttentionLSTMRegressor(num_layers=2, dropout=0.2, early_stopping=True, **rows)
    yield "layers, dropout, early stopping", model, (one, y_one), {}
    model = AttentionLSTMRegressor(standardize=False, weight_decay=0.01, **rows)
    yield "two outputs, unscaled", model, (one, np.column_stack([y_one, one["b"]])), {}


def results():
    """Fit everything; return arrays by name."""
    found = {}
    for name, model, (X, y), options in configurations():
        model.fit(X, y, **options)
        found[f"{name}: predictions"] = model.predict(X)
        if model.attention_mode is not None:
            for kind, weights in model.attention_weights(X).items():
                kind = "sensitivity" if kind in ("steering", "gate_sensitivity") else kind
                found[f"{name}: {kind}"] = weights
        sensitivity = [getattr(model, n) for n in GATE_SENSITIVITY if hasattr(model, n)]
        if sensitivity:
            found[f"{name}: gates_"] = model.gates_
            found[f"{name}: gate_sensitivity_"] = sensitivity[0]
        if name == "several series":
            model.partial_fit(X, y)
            found["partial_fit: predictions"] = model.predict(X)
            model.set_params(warm_start=True, max_epochs=3).fit(X, y)
            found["warm_start: predictions"] = model.predict(X)
        print(name, file=sys.stderr, flush=True)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--save", metavar="FILE")
    action.add_argument("--compare", metavar="FILE")
    options = parser.parse_args()
    found = results()
    if options.save:
        np.savez(options.save, **found)
        return
    differ = 0
    with np.load(options.compare) as before:
        if set(before.files) != set(found):
            print("other results:", sorted(set(before.files) ^ set(found)))
            differ += 1
        for name in found:
            if name not in before:
                continue
            same = np.array_equal(before[name], found[name], equal_nan=True)
            differ += not same
            print(f"{'same' if same else 'DIFFERENT':10}{name}")
    print(f"{len(found)} results, {differ} different")
    sys.exit(differ > 0)


if __name__ == "__main__":
    main()
