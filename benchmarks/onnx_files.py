"""ONNX files of every mechanism and mode: how far ONNX Runtime is from the estimator.

Prints a row for each mechanism and mode, of an estimator that computes in double precision, on
windows with and without missing cells: the largest difference of a prediction, in standard
deviations of the target, and of an attention weight; seconds to write the file, and its size.

    python benchmarks/onnx_files.py --check                   # everything
    python benchmarks/onnx_files.py --only luong --epochs 20  # one mechanism, trained longer
"""

import argparse
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
from sklearn.exceptions import ConvergenceWarning

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn.attention import ATTENTION_MECHANISMS
from sk_tsattn.datasets import make_switch

# Acceptance threshold: largest difference.
THRESHOLD = 1e-5
KIND = {"time": "time", "feature": "feature", "both": "cell"}


def differences(model, path, X):
    """Return the largest difference of a prediction and of an attention weight."""
    prediction, attention = onnxruntime.InferenceSession(path).run(None, {"X": X})
    weights = model.attention_weights(X)[KIND[model.attention_mode]]
    return abs(prediction - model.predict(X)).max(), abs(attention - weights).max()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", help="mechanisms to write")
    parser.add_argument("--epochs", type=int, default=5, help="epochs of each fit (default 5)")
    parser.add_argument("--check", action="store_true", help="fail above the threshold")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)

    X, y, _ = make_switch(400, n_timesteps=6, random_state=0)
    X = X[:, :, :4] * [1, 1000, 0.01, 1] + [0, 1e5, 1, 0]
    rng = np.random.default_rng(0)
    missing = np.where(rng.random(X.shape) < 0.2, np.nan, X)
    missing[::5, :2] = np.nan  # short windows
    worst = 0.0
    print("| mechanism | mode | prediction | attention | seconds | kB |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        for attention in options.only or ATTENTION_MECHANISMS:
            for mode in ATTENTION_MECHANISMS[attention]:
                model = AttentionLSTMRegressor(
                    attention=attention,
                    attention_mode=mode,
                    hidden_size=16,
                    max_epochs=options.epochs,
                    random_state=0,
                ).fit(X[:300], y[:300])
                start = time.perf_counter()
                model.to_onnx(path)
                seconds = time.perf_counter() - start
                found = np.max([differences(model, path, Z) for Z in (X, missing)], axis=0)
                found[0] /= y.std()
                worst = max(worst, *found)
                print(
                    f"| {attention} | {mode} | {found[0]:.1e} | {found[1]:.1e} | {seconds:.1f} "
                    f"| {path.stat().st_size / 1000:.0f} |",
                    flush=True,
                )
    print(f"\nLargest difference: {worst:.1e} (threshold {THRESHOLD:.0e})")
    if options.check and worst > THRESHOLD:
        sys.exit("The threshold is not met.")


if __name__ == "__main__":
    main()
