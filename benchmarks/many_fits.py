"""Memory of a process that fits again and again: it must not grow.

Prints the memory that Python has allocated, and the resident memory of the process, after every
tenth of the fits. Both settle after the first few: caches are bounded.

    python benchmarks/many_fits.py --check                 # 1,000 fits
    python benchmarks/many_fits.py --attention imv --fits 100
"""

import argparse
import gc
import resource
import sys
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sk_tsattn import AttentionLSTMRegressor

# Acceptance thresholds over the second half of the fits, in MB.
MAX_ALLOCATED, MAX_RESIDENT = 0.5, 20.0


def memory():
    """Return the MB that Python has allocated, and those that are resident."""
    gc.collect()
    allocated = tracemalloc.get_traced_memory()[0] / 1e6
    statm = Path("/proc/self/statm")
    if statm.exists():
        return allocated, int(statm.read_text().split()[1]) * resource.getpagesize() / 1e6
    return allocated, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fits", type=int, default=1000, help="number of fits (default 1000)")
    parser.add_argument("--attention", default="bottleneck", help="the mechanism")
    parser.add_argument("--check", action="store_true", help="fail if memory grows")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    X = np.random.default_rng(0).normal(size=(100, 10, 5))
    tracemalloc.start()
    rows = []
    print("| fits | allocated MB | resident MB |\n|---|---|---|")
    for number in range(1, options.fits + 1):
        model = AttentionLSTMRegressor(attention=options.attention, max_epochs=2)
        model.fit(X, X[:, 3, 1]).predict(X)
        if number % max(1, options.fits // 10) == 0:
            rows.append(memory())
            print(f"| {number} | {rows[-1][0]:.2f} | {rows[-1][1]:.1f} |", flush=True)
    allocated, resident = np.subtract(rows[-1], rows[len(rows) // 2 - 1])
    print(f"\nSecond half: {allocated:+.2f} MB allocated, {resident:+.1f} MB resident")
    if options.check and (allocated > MAX_ALLOCATED or resident > MAX_RESIDENT):
        sys.exit(f"At most {MAX_ALLOCATED} and {MAX_RESIDENT} MB are allowed.")


if __name__ == "__main__":
    main()
