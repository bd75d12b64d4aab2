"""
What do snippets of attention compute, and over which axis?
===========================================================

Four questions about popular snippets of Keras attention, answered with numbers. The page on the
four questions in the user guide explains the answers.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
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

B, T, F, UNITS = 4, 10, 3, 32  # samples, steps, features, output width


def randomised(module):
    """Initialize all weights at random, as if trained: gates start with uniform attention."""
    torch.manual_seed(0)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter)
    return module.requires_grad_(False)


def axes_that_sum_to_one(weights, names):
    """Return the axes along which the weights sum to 1: those that are attended over."""
    return [
        name
        for axis, name in enumerate(names)
        if axis and torch.allclose(weights.sum(dim=axis), torch.ones(()), atol=1e-5)
    ]


# %%
# 1. Are ``attention_3d_block`` and the package's ``Attention`` the same?
# -----------------------------------------------------------------------
# We compare the shapes of the outputs and weights, the number of parameters, and how far the output
# changes if the older steps are permuted.

series = torch.randn(B, T, F, generator=torch.Generator().manual_seed(1))
permuted = torch.cat([series[:, torch.randperm(T - 1)], series[:, -1:]], dim=1)
modules = {
    "attention_3d_block": DenseTimeGate(T, rescale=False),
    "Attention(units=32)": ScoreReadout(LuongScore(F, F), F, units=UNITS),
}
print("input", tuple(series.shape))
for name, module in modules.items():
    output, weights = randomised(module)(series)
    difference = module(permuted)[0] - output
    if output.ndim == 3:
        difference = difference.sum(dim=1)
    print(f"\n{name}: output {tuple(output.shape)}, weights {tuple(weights.shape)}")
    print(f"  parameters: {sum(p.numel() for p in module.parameters())}")
    print(f"  change of the output under permutation: {difference.abs().max():.1e}")

# %%
# No. The block is a gate: it returns the input, multiplied by separate weights for each feature,
# and its kernel is tied to positions. The package pools all steps into one vector, with one weight
# for each step, by comparing states with the newest one; their order has no effect.

# %%
# 2. Over which axis does ``Attention(units)`` attend?
# ----------------------------------------------------
# Over the axis along which the weights sum to 1.

states = torch.randn(B, T, 64, generator=torch.Generator().manual_seed(2))
for units in (8, UNITS):
    output, weights = randomised(ScoreReadout(LuongScore(64, 64), 64, units=units))(states)
    axes = axes_that_sum_to_one(weights, ("sample", "time"))
    print(f"units={units}: output {tuple(output.shape)}, weights {tuple(weights.shape)}: {axes}")

# %%
# Over time; ``units`` is the width of the output only. The snippet itself cannot show it: it has
# one feature and a random target, so that there is nothing to attend to.

rng = np.random.default_rng(0)
model = AttentionLSTMRegressor(
    attention="luong", attention_mode="time", max_epochs=30, random_state=0
).fit(rng.uniform(size=(1000, T, 1)), rng.uniform(size=1000))
r2 = model.score(rng.uniform(size=(500, T, 1)), rng.uniform(size=500))
print(f"R2 of the snippet's task on new data: {r2:.2f}")

# %%
# 3. Is the feature block right?
# ------------------------------

series = torch.randn(B, T, F, generator=torch.Generator().manual_seed(3))
for shared in (False, True):
    _, weights = randomised(DenseFeatureGate(F, shared=shared))(series)
    axes = axes_that_sum_to_one(weights, ("sample", "time", "feature"))
    variation = (weights - weights[:, :1]).abs().max()
    print(f"shared={shared}: sums to 1 over {axes}; variation over time {variation:.2f}")
as_written = weights[:, 0][:, None, :].repeat(1, F, 1)  # RepeatVector(input_dim)
try:
    series * as_written
except RuntimeError:
    print(f"as written: shape {tuple(as_written.shape)} cannot multiply {tuple(series.shape)}")

# %%
# Yes, if it is not shared: it is a softmax over the features at each step. The shared version
# repeats the mean ``input_dim`` times instead of ``time_steps`` times and runs only if these are
# equal. The block must stand before the LSTM; after it, it weighs hidden units.

# %%
# 4. How are both combined, and in what order?
# --------------------------------------------
# The product of a time and a feature matrix on the raw input does not sum to 1, and it shrinks the
# input unless it is multiplied by T x F.

series = torch.randn(5000, 10, 7, generator=torch.Generator().manual_seed(4))
with torch.inference_mode():
    plain, _ = DenseCellGate(10, 7, rescale=False)(series)
    rescaled, _ = DenseCellGate(10, 7)(series)
_, weights = randomised(DenseCellGate(10, 7))(series)
total = weights.sum(dim=(1, 2))
print(f"standard deviation: input {series.std():.2f}, after the product {plain.std():.3f}")
print(f"                    times T x F {rescaled.std():.2f}")

fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
ax.hist(total.numpy(), bins=50)
ax.set_xlabel("sum of the product of time and feature weights in a window")
ax.set_ylabel("windows")

# %%
# The usual order is input, feature attention, LSTM, time attention, output. We fit it and its parts
# to a target that is the sum of three cells: three features at three times.

X, y, drivers = make_different_times(n_samples=2000, random_state=0)
truth = drivers[0]
rows = [
    {
        "attention": "(uniform)",
        "cells": truth.mean(),
        "steps": truth.any(axis=1).mean(),
        "features": truth.any(axis=0).mean(),
    }
]
pairs = [("bahdanau", mode) for mode in ("time", "feature", "both")]
for attention, mode in [*pairs, ("bottleneck", "both")]:
    model = AttentionLSTMRegressor(
        attention=attention, attention_mode=mode, max_epochs=30, random_state=0
    ).fit(X[:1500], y[:1500])
    row = {"attention": attention, "mode": mode, "R2": model.score(X[1500:], y[1500:])}
    if mode == "both":
        row["cells"] = model.attention_[truth].sum()
    if mode != "feature":
        row["steps"] = model.time_attention_[truth.any(axis=1)].sum()
    if mode != "time":
        row["features"] = model.feature_attention_[truth.any(axis=0)].sum()
    rows.append(row)
columns = ["attention", "mode", "R2", "cells", "steps", "features"]
print("fraction of the attention on the driving cells, steps and features")
print(pd.DataFrame(rows)[columns].round(2).to_string(index=False, na_rep="-"))

# %%
# The order is right: features are weighted while they are features, and states once they contain
# the window. Whether such weights identify what determines the target is another question: compare
# the fractions with those of uniform attention.
#
# What was learned
# ----------------
# The axis along which the weights sum to 1 is the axis attended over. The position of the block in
# the network determines what is weighted: features before the LSTM, hidden units after it.
#
# **When not to trust it.** That a snippet runs does not show that it attends over what its name
# says.
