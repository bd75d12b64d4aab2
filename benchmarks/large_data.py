"""How time and memory grow with the data and the network.

Prints a row for each setting, which differs from the first in one thing: the seconds of an epoch
of training and of a prediction of all rows, on one thread, and by how many MB the memory of the
process exceeds that of its libraries and data. Each setting runs in a process of its own.

    python benchmarks/large_data.py               # two minutes
    python benchmarks/large_data.py --largest     # also a million rows, from memory and from disk
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn.exceptions import HistoryWarning

BASE = {"rows": 10_000, "lookback": 48, "features": 20, "hidden_size": 32, "batch_size": 64}
BASE |= {"attention": None, "epochs": 3}
CHANGES = [
    {},
    {"rows": 20_000},
    {"lookback": 96},
    {"features": 40},
    {"hidden_size": 64},
    {"batch_size": 256},
    {"attention": "luong"},
    {"attention": "bottleneck"},
]
# A few of its windows are trained on, and the last rows predicted.
LARGEST = {"rows": 1_000_000, "lookback": 168, "n_trained": 2_000, "n_predicted": 10_000}
LARGEST |= {"epochs": 1}


def make_rows(n_rows, n_features, path=None):
    """Return rows of noise, in memory or as a memory map, without a larger copy."""
    shape = n_rows, n_features
    if path is None:
        X = np.empty(shape, dtype=np.float32)
    else:
        X = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    generator = np.random.default_rng(0)
    for first in range(0, n_rows, 100_000):
        part = X[first : first + 100_000]
        part[...] = generator.standard_normal(part.shape, dtype=np.float32)
    return X if path is None else np.load(path, mmap_mode="r")


def resident():
    """Return the resident memory in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def measure(setting):
    """Fit and predict; return seconds and MB."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", ConvergenceWarning)
    warnings.simplefilter("ignore", HistoryWarning)
    options = {name: setting[name] for name in ("lookback", "hidden_size", "batch_size")}
    if setting["attention"] is None:
        options["attention_mode"] = None
    else:
        options["attention"] = setting["attention"]
    model = AttentionLSTMRegressor(
        max_epochs=setting["epochs"], early_stopping=False, random_state=0, **options
    )
    small = make_rows(setting["lookback"] + 20, setting["features"])
    model.fit(small, small[:, 0])  # loads the libraries
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "X.npy") if setting.get("on_disk") else None
        X = make_rows(setting["rows"], setting["features"], path)
        y = np.array(X[:, 0], dtype=float)
        weight = None
        if "n_trained" in setting:
            weight = np.zeros(len(X))
            weight[:: len(X) // setting["n_trained"]] = 1
        before = resident()
        model.fit(X, y, weight)
        started = time.process_time()
        model.predict(X[-setting.get("n_predicted", len(X)) :])
        predicted = time.process_time() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return {
        "epoch": float(model.history_["seconds"].median()),
        "predict": predicted,
        "MB": peak - before,
    }


def run(setting):
    """Measure a setting in a new process."""
    done = subprocess.run(
        [sys.executable, __file__, "--setting", json.dumps(setting)],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--largest", action="store_true", help="a million rows, too")
    parser.add_argument("--rows", type=int, default=BASE["rows"], help="of the first setting")
    parser.add_argument("--setting", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.setting:
        print(json.dumps(measure(json.loads(arguments.setting))))
        return
    base = BASE | {"rows": arguments.rows}
    changes = [
        change | ({"rows": 2 * arguments.rows} if "rows" in change else {}) for change in CHANGES
    ]
    if arguments.largest:
        changes += [LARGEST, LARGEST | {"on_disk": True}]
        changes.append(LARGEST | {"attention": "bottleneck", "n_trained": 400, "on_disk": True})
    print(f"{'':90}{'epoch, s':>10}{'predict, s':>12}{'MB':>8}")
    for change in changes:
        found = run(base | change)
        what = ", ".join(f"{name} {value}" for name, value in (change or base).items())
        print(f"{what:90}{found['epoch']:10.2f}{found['predict']:12.2f}{found['MB']:8.0f}")


if __name__ == "__main__":
    main()
