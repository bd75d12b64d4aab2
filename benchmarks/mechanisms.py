"""Cost and error of each attention mechanism, in each mode.

Prints a row for each mechanism and mode: number of parameters; time of a training step (forward,
backward and update by Adam, on one thread) relative to ``nn.LSTM`` of the same size, measured in
alternation; error on two real series (RMSE on the last fifth, trained on the rest) and on two
synthetic tasks (unexplained fraction of the variance on new windows). Each run samples new seeds
unless ``--seed`` is given.

    python benchmarks/mechanisms.py                                    # everything
    python benchmarks/mechanisms.py --cost-only --only darnn imv retain    # thresholds of speed
"""

import argparse
import statistics
import time
import warnings

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import r2_score, root_mean_squared_error
from torch import nn

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn.attention import ATTENTION_MECHANISMS
from sk_tsattn.attention._network import build_network
from sk_tsattn.datasets import (
    load_beijing_pm25,
    load_gas_furnace,
    make_different_times,
    make_switch,
)

# Acceptance thresholds: largest time of a training step, relative to nn.LSTM.
THRESHOLDS = {"darnn": 3.5, "imv": 25.0, "retain": 2.5}
B, T, F, H = 128, 10, 81, 64


class PlainLSTM(nn.Module):
    """The reference of the cost: ``nn.LSTM`` and a linear head on its last state."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(F, H, batch_first=True)
        self.head = nn.Linear(H, 1)

    def forward(self, X):
        """Predict, (B, 1)."""
        return self.head(self.lstm(X)[0][:, -1])


def step_seconds(network, optimizer, X, y):
    # CPU time of one thread, which depends little on other processes.
    start = time.process_time()
    optimizer.zero_grad()
    out = network(X)
    # Gates with an L0 penalty return it with the prediction; both are minimized.
    prediction, penalty = out if isinstance(out, tuple) else (out, torch.zeros(1))
    (((prediction - y) ** 2).mean() + penalty.mean()).backward()
    optimizer.step()
    return time.process_time() - start


def cost(attention, mode, repeats):
    """Return the number of parameters, and the median time of a step relative to nn.LSTM."""
    X, y = torch.randn(B, T, F), torch.randn(B, 1)
    network = build_network(
        attention=attention,
        attention_mode=mode,
        n_timesteps=T,
        n_features=F,
        n_outputs=1,
        hidden_size=H,
    )
    networks = [PlainLSTM(), network]
    optimizers = [torch.optim.Adam(n.parameters()) for n in networks]
    times = [
        [step_seconds(n, o, X, y) for n, o in zip(networks, optimizers, strict=True)]
        for _ in range(repeats + 3)
    ][3:]  # the first steps allocate memory
    plain, own = map(statistics.median, zip(*times, strict=True))
    return sum(p.numel() for p in network.parameters()), own / plain


def series_rmse(X, y, test, *, lookback, **options):
    """Return the RMSE on the last ``test`` rows of a model fitted to the rows before."""
    model = AttentionLSTMRegressor(lookback=lookback, **options).fit(X[:-test], y[:-test])
    return root_mean_squared_error(y[-test:], model.predict(X[-test:]))


def gas_furnace(seed, **options):
    X, y = load_gas_furnace(return_X_y=True, as_frame=True)
    return series_rmse(X, y, 59, lookback=10, random_state=seed, **options)


def beijing(seed, **options):
    X, y = load_beijing_pm25(return_X_y=True, as_frame=True)
    X, y = X[-4380:], y[-4380:]
    return series_rmse(
        X, y, 876, lookback=24, random_state=seed, max_epochs=15, batch_size=128, **options
    )


def unexplained(make, seed, **options):
    X, y, _ = make(n_samples=3000, random_state=seed)
    model = AttentionLSTMRegressor(max_epochs=40, random_state=seed, **options)
    return 1 - r2_score(y[2000:], model.fit(X[:2000], y[:2000]).predict(X[2000:]))


def different_times(seed, **options):
    return unexplained(make_different_times, seed, **options)


def switch(seed, **options):
    return unexplained(make_switch, seed, **options)


TASKS = {
    "gas furnace, CO2 %": gas_furnace,
    "PM2.5, ug/m3": beijing,
    "three cells, 1 - R2": different_times,
    "switch, 1 - R2": switch,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only",
        nargs="*",
        default=list(ATTENTION_MECHANISMS),
        metavar="NAME",
        choices=ATTENTION_MECHANISMS,
        help="mechanisms (default: all)",
    )
    parser.add_argument(
        "--repeats", type=int, default=20, help="training steps to time (default: %(default)s)"
    )
    parser.add_argument(
        "--n-seeds",
        type=int,
        default=3,
        help="fits of each, of which the median is printed (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=None, help="seed of the seeds (default: random)"
    )
    parser.add_argument("--cost-only", action="store_true", help="do not measure errors")
    options = parser.parse_args()
    torch.set_num_threads(1)
    entropy = np.random.SeedSequence(options.seed).entropy
    seeds = np.random.default_rng(entropy).integers(2**31 - 1, size=options.n_seeds).tolist()
    tasks = {} if options.cost_only else TASKS

    print(
        f"cost: B={B} T={T} F={F} H={H}, one thread, torch {torch.__version__}, relative to nn.LSTM"
    )
    print(f"errors: median of {options.n_seeds} seeds, --seed {entropy}\n")
    print("| attention | mode | parameters | cost | " + "".join(f"{name} | " for name in tasks))
    print("|---|---|---|---|" + "---|" * len(tasks))
    pairs = [("", None)] + [(a, m) for a in options.only for m in ATTENTION_MECHANISMS[a]]
    for attention, mode in pairs:
        chosen = {"attention": attention or "dense", "attention_mode": mode}
        n_parameters, ratio = cost(chosen["attention"], mode, options.repeats)
        threshold = f" (at most {THRESHOLDS[attention]:g})" if attention in THRESHOLDS else ""
        print(
            f"| {attention or 'plain LSTM'} | {mode or '-'} | {n_parameters} "
            f"| {ratio:.2f}{threshold} | ",
            end="",
            flush=True,
        )
        for run in tasks.values():
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                warnings.simplefilter("ignore", ConvergenceWarning)  # the error shows it
                errors = [run(seed, **chosen) for seed in seeds]
            print(f"{statistics.median(errors):.3g} | ", end="", flush=True)
        print(flush=True)


if __name__ == "__main__":
    main()
