"""Time of training and prediction, relative to a bare ``nn.LSTM`` of the same shape.

Prints, for three shapes, a row for each way of training the plain LSTM and for each mechanism and
mode. ``epoch`` is an epoch of training over the forward and backward passes of ``nn.LSTM`` on the
same batches; ``predict`` is that of the estimator over the forward passes; ``attention`` is
``attention_weights`` over ``predict``. All are ratios of medians of the CPU time of one thread,
measured in alternation. A ratio above its threshold is followed by the threshold. The last line is
the time of ``import sk_tsattn`` over that of ``import torch, sklearn``.

    python benchmarks/speed.py                                   # ten minutes
    python benchmarks/speed.py --shapes 1 --only bottleneck      # a row of the first shape
    python benchmarks/speed.py --whole                           # whole fits on 50,000 rows
"""

import argparse
import platform
import statistics
import subprocess
import sys
import time
import warnings

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import r2_score
from skorch import NeuralNetRegressor
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn._data._batches import INFERENCE_BATCH
from sk_tsattn._data._windows import Windows
from sk_tsattn._training import train
from sk_tsattn.attention import ATTENTION_MECHANISMS
from sk_tsattn.attention._network import build_network

# Windows, steps, features, hidden size and batch size.
SHAPES = {"1": (8000, 24, 8, 32, 64), "2": (4000, 48, 20, 64, 128), "3": (1000, 168, 12, 64, 256)}
PLAIN, LOOP, SKORCH = "plain LSTM", "hand-written loop", "skorch's defaults"
CLASSICAL = ("dense", "luong", "bahdanau", "han", "self", "stacked")
DEFAULT = "bottleneck"
# Acceptance thresholds.
MAX_EPOCH = {PLAIN: 1.5, **dict.fromkeys(CLASSICAL, 1.5), DEFAULT: 2.5, "darnn": 8.0}
MAX_PREDICT = {PLAIN: 1.3, DEFAULT: 2.0}
MAX_ATTENTION = 2.0
# Epochs after which the gates of the default have closed.
GATED_EPOCHS = 40
MIN_SPEEDUP = 1.5  # of the plain LSTM over skorch's defaults, at the first shape
MAX_IMPORT = 1.1
MAX_WHOLE = 1.3  # of the default over the plain LSTM
WHOLE_ROWS, WHOLE_LOOKBACK, WHOLE_FEATURES = 50_000, 48, 20


class Stopwatch:
    """Measure the first epoch of a training, and end it."""

    def begin_epoch(self):
        """Start."""
        self.start = time.process_time()

    def end_epoch(self):
        """Stop; return True, which ends the training."""
        self.seconds = time.process_time() - self.start
        return True


class Task:
    """Windows of a shape, and what is measured on them.

    The target is one of two cells, by the sign of a third.
    """

    def __init__(self, shape, n_turns, seconds):
        self.N, self.T, self.F, self.H, self.B = shape
        self.n_turns, self.seconds = n_turns, seconds
        rng = np.random.default_rng(0)
        self.X = rng.normal(size=(self.N, self.T, self.F)).astype(np.float32)
        cells = self.X[:, self.T // 2, 1], self.X[:, -2, 2]
        self.y = np.where(self.X[:, self.T // 4, 0] > 0, *cells)
        self.tensor = torch.tensor(self.X)
        self.lstm = nn.LSTM(self.F, self.H, batch_first=True)

    def ratios(self, *measures):
        """Return the median seconds of each measure over that of the first, after alternation."""
        turns, begin = [], time.perf_counter()
        while len(turns) < self.n_turns or time.perf_counter() - begin < self.seconds:
            turns.append([measure() for measure in measures])
        first, *others = map(statistics.median, zip(*turns, strict=True))
        return [other / first for other in others]

    def bare_epoch(self):
        """Measure forward and backward passes of ``nn.LSTM``."""
        start = time.process_time()
        for X in self.tensor.split(self.B):
            self.lstm.zero_grad()
            self.lstm(X)[0][:, -1].sum().backward()
        return time.process_time() - start

    def bare_inference(self):
        """Measure forward passes of ``nn.LSTM``."""
        start = time.process_time()
        with torch.inference_mode():
            for X in self.tensor.split(INFERENCE_BATCH):
                self.lstm(X)
        return time.process_time() - start

    def plain_network(self):
        """Make the network that a hand-written loop and skorch train."""
        return build_network(
            attention="dense",
            attention_mode=None,
            n_timesteps=self.T,
            n_features=self.F,
            n_outputs=1,
            hidden_size=self.H,
        )

    def loop(self):
        """Return a measure: an epoch as it is usually written by hand."""
        network = self.plain_network()
        optimizer = torch.optim.AdamW(network.parameters())
        data = TensorDataset(self.tensor, torch.tensor(self.y[:, None]))

        def epoch():
            start, total = time.process_time(), 0.0
            for X, y in DataLoader(data, batch_size=self.B, shuffle=True):
                optimizer.zero_grad()
                loss = nn.functional.mse_loss(network(X), y)
                loss.backward()
                optimizer.step()
                total += loss.item()
            return time.process_time() - start

        return epoch

    def skorch(self):
        """Return a measure: an epoch of skorch with its default options."""
        options = {"optimizer": torch.optim.AdamW, "max_epochs": 1, "batch_size": self.B}
        net = NeuralNetRegressor(self.plain_network(), train_split=None, verbose=0, **options)
        net.initialize()

        def epoch():
            start = time.process_time()
            net.partial_fit(self.X, self.y[:, None])
            return time.process_time() - start

        return epoch

    def fitted(self, attention, mode):
        """Fit an estimator to a part of the windows; the gates of the default until they close."""
        epochs, n = (GATED_EPOCHS, self.N // 4) if attention == DEFAULT and mode else (1, self.B)
        model = AttentionLSTMRegressor(
            attention=attention,
            attention_mode=mode,
            hidden_size=self.H,
            batch_size=self.B,
            max_epochs=epochs,
            precision="float32",
            device="cpu",
            random_state=0,
        )
        return model.fit(self.X[:n], self.y[:n])

    def epoch(self, model):
        """Return a measure: an epoch of a fit, the validation set having one batch."""
        data, few = (
            model._dataset(Windows.of_windows(self.X[:n]), self.y[:n, None], np.ones(n))
            for n in (self.N, self.B)
        )
        options = {"n_epochs": 40, "patience": 10, "stopping": True, "bar": None, "seed": 0}

        def epoch():
            watch = Stopwatch()
            train(model.net_, data, few, listener=watch, **options)
            return watch.seconds

        return epoch

    def call(self, method):
        """Return a measure: a method of an estimator."""

        def call():
            start = time.process_time()
            method(self.X)
            return time.process_time() - start

        return call


def against(ratio, threshold):
    """Write a ratio, with its threshold if it is above it."""
    missed = threshold is not None and ratio > threshold
    return f"{ratio:.2f} (> {threshold:g})" if missed else f"{ratio:.2f}"


def print_shape(name, task, chosen):
    """Print the rows of a shape."""
    rows = {}
    if PLAIN in chosen:
        for way, measure in ((LOOP, task.loop()), (SKORCH, task.skorch())):
            (rows[way],) = task.ratios(task.bare_epoch, measure)
            print(f"| {name} | {way} | - | {rows[way]:.2f} | - | - |", flush=True)
    for attention in chosen:
        modes = [None] if attention == PLAIN else ATTENTION_MECHANISMS[attention]
        for mode in modes:
            model = task.fitted("dense" if attention == PLAIN else attention, mode)
            measures = [task.bare_inference, task.call(model.predict)]
            if mode is not None:
                measures.append(task.call(model.attention_weights))
            predict, *attend = task.ratios(*measures)
            (epoch,) = task.ratios(task.bare_epoch, task.epoch(model))
            rows.setdefault(attention, epoch)
            cells = [against(epoch, MAX_EPOCH.get(attention))]
            cells.append(against(predict, MAX_PREDICT.get(attention)))
            cells.append(against(attend[0] / predict, MAX_ATTENTION) if attend else "-")
            print(f"| {name} | {attention} | {mode or '-'} | {' | '.join(cells)} |", flush=True)
    if PLAIN in chosen:
        speedup = rows[SKORCH] / rows[PLAIN]
        missed = f" (< {MIN_SPEEDUP:g})" if name == "1" and speedup < MIN_SPEEDUP else ""
        print(f"| {name} | {SKORCH} / {PLAIN} | - | {speedup:.2f}{missed} | - | - |", flush=True)


def import_ratio(n_turns):
    """Return the time of the import over that of what it cannot do without."""

    def seconds(modules):
        code = f"import time; import {modules}; print(time.process_time())"
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        return float(run.stdout)

    turns = [[seconds(m) for m in ("torch, sklearn", "sk_tsattn")] for _ in range(n_turns)]
    needed, own = map(statistics.median, zip(*turns, strict=True))
    return own / needed


def print_whole_fits(n_rows):
    """Print the CPU time of whole fits on the rows of a series, and their errors on later rows."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(n_rows + n_rows // 5, WHOLE_FEATURES)).astype(np.float32)
    X = values.copy()
    for lag in range(1, 6):  # smooth, as sensors are
        X[lag:] += 0.8**lag * values[:-lag]
    y = np.roll(X[:, 1], 24) * np.sign(np.roll(X[:, 0], 12)) + np.roll(X[:, 2], 3)
    y += 0.3 * rng.normal(size=len(y)).astype(np.float32)
    first = WHOLE_LOOKBACK - 1
    windows = np.lib.stride_tricks.sliding_window_view(X, WHOLE_LOOKBACK, axis=0)
    flat = windows.reshape(len(windows), -1)  # of the rows from ``first`` on

    def gated(mode):
        options = {"lookback": WHOLE_LOOKBACK, "context": "train_tail", "random_state": 0}
        model = AttentionLSTMRegressor(attention_mode=mode, **options)
        return model.fit(X[:n_rows], y[:n_rows])

    def boosting():
        model = HistGradientBoostingRegressor(random_state=0)
        return model.fit(flat[: n_rows - first], y[first:n_rows])

    models = {"default": lambda: gated("both"), PLAIN: lambda: gated(None), "boosting": boosting}
    print("| whole fit | CPU seconds | / plain LSTM | R2 on later rows |\n|---|---|---|---|")
    rows, y_later = {}, y[n_rows:]
    for name, fit in models.items():
        start = time.process_time()
        model = fit()
        seconds = time.process_time() - start
        X_later = flat[n_rows - first :] if name == "boosting" else X[n_rows:]
        rows[name] = seconds, r2_score(y_later, model.predict(X_later))
    for name, (seconds, r2) in rows.items():
        ratio = against(seconds / rows[PLAIN][0], MAX_WHOLE if name == "default" else None)
        print(f"| {name} | {seconds:.1f} | {ratio} | {r2:.3f} |")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [PLAIN, *ATTENTION_MECHANISMS]
    parser.add_argument("--only", nargs="*", default=names, choices=names, metavar="NAME")
    parser.add_argument("--shapes", nargs="*", default=list(SHAPES), choices=SHAPES)
    parser.add_argument(
        "--turns", type=int, default=3, help="least number of turns (default: %(default)s)"
    )
    parser.add_argument(
        "--seconds", type=float, default=1.0, help="least time of a row (default: %(default)s)"
    )
    parser.add_argument("--whole", action="store_true", help="whole fits in place of epochs")
    parser.add_argument(
        "--rows", type=int, default=WHOLE_ROWS, help="of --whole (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    print(f"{platform.machine()}, torch {torch.__version__}, one thread\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of fits that are cut short
        if options.whole:
            print_whole_fits(options.rows)
        else:
            print_epochs(options)


def print_epochs(options):
    """Print the rows of the shapes, and the time of the import."""
    print("| shape | model | mode | epoch | predict | attention |\n|---|---|---|---|---|---|")
    for name in options.shapes:
        print_shape(name, Task(SHAPES[name], options.turns, options.seconds), options.only)
    if PLAIN in options.only:
        print(f"\nimport: {against(import_ratio(options.turns), MAX_IMPORT)}")


if __name__ == "__main__":
    main()
