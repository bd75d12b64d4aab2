"""What does each mechanism cost? Parameters, and time of a training step against ``nn.LSTM``.

A step is forward, backward and Adam's update, on one thread. The mechanisms take turns with the
LSTM, and the ratio is that of the medians, so that a busy machine slows both.

    python benchmarks/mechanisms_cost.py
    python benchmarks/mechanisms_cost.py --repeats 40 --only darnn imv retain
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from torch import Tensor, nn

from sk_tsattn._network import build_network
from sk_tsattn.attention import ATTENTION_MECHANISMS

# Bars on the dearest mode, as ratios.
BARS = {"darnn": 3.5, "imv": 25.0, "retain": 2.5}


class PlainLSTM(nn.Module):
    """The yardstick: nothing but ``nn.LSTM`` and a linear head on its last state."""

    def __init__(self, n_features: int, hidden_size: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(n_features, hidden_size, batch_first=True)
        self.head = nn.Linear(hidden_size, 1)

    def forward(self, X: Tensor) -> Tensor:
        """Predict, (B, 1)."""
        return self.head(self.lstm(X)[0][:, -1])


def seconds(network: nn.Module, optimizer: torch.optim.Optimizer, X: Tensor, y: Tensor) -> float:
    start = time.process_time()
    optimizer.zero_grad()
    ((network(X) - y) ** 2).mean().backward()
    optimizer.step()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--timesteps", type=int, default=10)
    parser.add_argument("--features", type=int, default=81)
    parser.add_argument("--hidden-size", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--only", nargs="*", default=list(ATTENTION_MECHANISMS))
    options = parser.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(0)
    B, T, F, H = options.batch_size, options.timesteps, options.features, options.hidden_size
    X, y = torch.randn(B, T, F), torch.randn(B, 1)
    plain = PlainLSTM(F, H)
    plain_adam = torch.optim.Adam(plain.parameters())
    pairs: list[tuple[str, str | None]] = [("dense", None)]
    pairs += [(name, mode) for name in options.only for mode in ATTENTION_MECHANISMS[name]]

    print(f"B={B} T={T} F={F} H={H}, one thread, torch {torch.__version__}")
    print(f"nn.LSTM has {sum(p.numel() for p in plain.parameters())} parameters and costs 1")
    print(f"{'mechanism':<10} {'mode':<8} {'parameters':>10} {'ms':>8} {'ratio':>6}  bar")
    for name, mode in pairs:
        network = build_network(
            attention=name,
            attention_mode=mode,
            n_timesteps=T,
            n_features=F,
            n_outputs=1,
            hidden_size=H,
        )
        adam = torch.optim.Adam(network.parameters())
        times, plain_times = [], []
        for repeat in range(options.repeats + 3):
            pair = seconds(plain, plain_adam, X, y), seconds(network, adam, X, y)
            if repeat >= 3:  # the first steps allocate
                plain_times.append(pair[0])
                times.append(pair[1])
        median = statistics.median(times)
        ratio = median / statistics.median(plain_times)
        bar = BARS.get(name)
        verdict = "" if bar is None else f"<= {bar:g} {'ok' if ratio <= bar else 'MISSED'}"
        label = "LSTM" if mode is None else name
        n_parameters = sum(p.numel() for p in network.parameters())
        print(
            f"{label:<10} {mode or '-':<8} {n_parameters:>10} {median * 1e3:>8.1f} {ratio:>6.2f}"
            f"  {verdict}"
        )


if __name__ == "__main__":
    main()
