"""Do four snippets of attention do the same, along which axis, and are they right?

Shows, with numbers, what ``docs/four_questions.md`` answers: a section for each of the question's
four points. ``--point 2`` runs only the second.
"""

import argparse

import numpy as np
import torch

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn.attention import (
    DenseCellGate,
    DenseFeatureGate,
    DenseTimeGate,
    LuongScore,
    ScoreReadout,
)
from sk_tsattn.datasets import make_different_times

B, T, F, UNITS = 4, 10, 3, 32


def n_parameters(module):
    return sum(p.numel() for p in module.parameters())


def randomised(module):
    """Draw all weights, as if trained: the gates start at uniform attention."""
    torch.manual_seed(0)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter)
    return module


def sums_to_one_over(weights, names):
    """Name the axis along which a tensor of weights sums to 1: that is what is attended over."""
    axes = [
        name
        for axis, name in enumerate(names)
        if axis and torch.allclose(weights.sum(dim=axis), torch.ones(()), atol=1e-5)
    ]
    return " and ".join(axes) or "none"


def point_1(n_samples, max_epochs):
    print("1. Are the blogger's time block and the package's Attention the same?")
    series = torch.randn(B, T, F, generator=torch.Generator().manual_seed(1))
    block, package = (
        randomised(DenseTimeGate(T, rescale=False)),
        randomised(ScoreReadout(LuongScore(F, F), F, units=UNITS)),
    )
    shuffled = torch.cat([series[:, torch.randperm(T - 1)], series[:, -1:]], dim=1)
    with torch.inference_mode():
        rows = []
        for name, module in (("attention_3d_block", block), ("Attention(units=32)", package)):
            out, weights = module(series)
            other, _ = module(shuffled)
            kept = other.sum(dim=1) - out.sum(dim=1) if out.ndim == 3 else other - out
            moves = kept.abs().max().item()
            rows.append((name, tuple(out.shape), tuple(weights.shape), n_parameters(module), moves))
    print(f"   input {(B, T, F)}: {B} samples, {T} steps, {F} features (or hidden units)")
    print("                        output        weights      parameters  moves when the older")
    print("                                                               steps are shuffled by")
    for name, out_shape, weight_shape, count, moves in rows:
        print(f"   {name:20s} {out_shape!s:13s} {weight_shape!s:13s} {count:9d}  {moves:.1e}")
    print("   No. The block is a gate: it returns the input, each feature with weights of its own,")
    print("   and its kernel is tied to positions. The package pools all steps into one vector,")
    print("   with one weight for each step, by comparing states with the newest: order plays no")
    print("   part in it. Both are right, as what they are.\n")


def point_2(n_samples, max_epochs):
    print("2. Which axis does Attention(units) weigh, and how can one see it?")
    states = torch.randn(B, T, 64, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        for units in (8, UNITS):
            readout = randomised(ScoreReadout(LuongScore(64, 64), 64, units=units))
            out, weights = readout(states)
            axis = sums_to_one_over(weights, ("sample", "time"))
            print(
                f"   units={units:2d}: output {tuple(out.shape)}, weights {tuple(weights.shape)}, "
                f"which sum to 1 over: {axis}"
            )
    rng = np.random.default_rng(0)
    X, y = rng.uniform(size=(n_samples, T, 1)), rng.uniform(size=n_samples)
    model = AttentionLSTMRegressor(
        attention="luong", attention_mode="time", max_epochs=max_epochs, random_state=0
    )
    r2 = model.fit(X, y).score(rng.uniform(size=(500, T, 1)), rng.uniform(size=500))
    print("   Time: look which axis of the weights sums to 1. `units` is the output's width only.")
    print("   The snippet itself cannot show it: it has one feature and a random target (R² on new")
    print(f"   data {r2:.2f}), so there is nothing to attend to.\n")


def point_3(n_samples, max_epochs):
    print("3. Is the feature block right?")
    series = torch.randn(B, T, F, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        for shared in (False, True):
            _, weights = randomised(DenseFeatureGate(F, shared=shared))(series)
            axis = sums_to_one_over(weights, ("sample", "time", "feature"))
            varies = (weights - weights[:, :1]).abs().max().item()
            print(
                f"   shared={shared!s:5s}: weights {tuple(weights.shape)}, which sum to 1 over: "
                f"{axis}; they differ over time by up to {varies:.2f}"
            )
    mean = weights[:, 0]  # the shared version's mean over time, (B, F)
    as_written = mean[:, None, :].repeat(1, F, 1)  # RepeatVector(input_dim)
    try:
        series * as_written
    except RuntimeError:
        print(
            f"   shared, as written: RepeatVector(input_dim) gives {tuple(as_written.shape)}, "
            f"which cannot multiply {tuple(series.shape)}"
        )
    print("   Yes, unshared: a softmax over the features at each step. Its shared version repeats")
    print("   the mean input_dim times instead of time_steps, and runs only where these are equal.")
    print("   It must stand before the LSTM; behind it, it weighs hidden units.\n")


def point_4(n_samples, max_epochs):
    print("4. How are both combined, and in what order?")
    series = torch.randn(5000, 10, 7, generator=torch.Generator().manual_seed(4))
    with torch.inference_mode():
        plain, _ = DenseCellGate(10, 7, rescale=False)(series)
        scaled, _ = DenseCellGate(10, 7)(series)
        _, drawn = randomised(DenseCellGate(10, 7))(series)
    mass = drawn.sum(dim=(1, 2))
    print("   The product of a time and a feature matrix on the raw input:")
    print(f"      its sum is no 1: between {mass.min():.2f} and {mass.max():.2f} in 5000 windows")
    print(
        f"      it shrinks the input: standard deviation {series.std():.2f} -> {plain.std():.3f} "
        f"at T=10, F=7 with uniform weights; times T x F it is {scaled.std():.2f}"
    )
    X, y, drivers = make_different_times(n_samples=n_samples + 500, random_state=0)
    train, test = slice(0, n_samples), slice(n_samples, None)
    print("   Input -> feature attention -> LSTM -> time attention -> output, and its parts, on")
    print("   y = three cells of three features at three times:")
    print("      attention   mode         R²   attention on the true cells, steps or features")
    pairs = [("bahdanau", mode) for mode in ("time", "feature", "both")]
    for attention, mode in [*pairs, ("bottleneck", "both")]:
        model = AttentionLSTMRegressor(
            attention=attention, attention_mode=mode, max_epochs=max_epochs, random_state=0
        ).fit(X[train], y[train])
        true = drivers[0]
        shares = []
        if mode == "both":
            shares.append(f"cells {model.attention_[true].sum():.2f}")
        if mode != "feature":
            shares.append(f"steps {model.time_attention_[true.any(axis=1)].sum():.2f}")
        if mode != "time":
            shares.append(f"features {model.feature_attention_[true.any(axis=0)].sum():.2f}")
        r2 = model.score(X[test], y[test])
        print(f"      {attention:11s} {mode:9s} {r2:5.2f}   {', '.join(shares)}")
    steps, features = true.any(axis=1), true.any(axis=0)
    print(
        f"      (by chance)                   cells {true.mean():.2f}, steps {steps.mean():.2f}, "
        f"features {features.mean():.2f}"
    )
    print("   That order is right: the features are weighed while they still are features, the")
    print("   states once they know the window. Whether such weights point at what drives y is")
    print("   another question: compare the shares with chance.\n")


POINTS = {1: point_1, 2: point_2, 3: point_3, 4: point_4}


def main(point=None, n_samples=2000, max_epochs=30):
    for number in [point] if point else POINTS:
        POINTS[number](n_samples, max_epochs)
    print(
        "Learnt: the axis that the weights sum to 1 over tells what is attended over; where the\n"
        "block stands tells what the items are. Do not trust: a snippet because it runs."
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--point", type=int, choices=POINTS, help="only this point")
    parser.add_argument("--n-samples", type=int, default=2000, help="training windows")
    parser.add_argument("--max-epochs", type=int, default=30, help="epochs of each fit")
    main(**vars(parser.parse_args()))
