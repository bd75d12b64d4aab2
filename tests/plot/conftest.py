"""Fixtures of the displays' tests: a backend without windows, fitted models, legibility."""

import itertools

import numpy as np
import pandas as pd
import pytest
from sklearn.utils import Bunch

from sk_tsattn import AttentionLSTMRegressor

T, F = 6, 4


@pytest.fixture(autouse=True)
def plt():
    """Return pyplot on the Agg backend, and close all figures after the test."""
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")


@pytest.fixture(scope="session")
def windows():
    return np.random.default_rng(0).normal(size=(60, T, F))


@pytest.fixture(scope="session")
def fitted(windows):
    """Return a model of each attention mode, trained until all weights differ."""
    y = windows[:, 2, 1] - windows[:, 5, 3]
    return {
        mode: AttentionLSTMRegressor(
            attention_mode=mode, attention="dense", max_epochs=5, random_state=0
        ).fit(windows, y)
        for mode in ("time", "feature", "both", None)
    }


@pytest.fixture(scope="session")
def hourly():
    """Return a model of a time-indexed frame, the frame in units far from 0 and 1, its target."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        rng.normal(1000, 20, size=(60, 3)),
        index=pd.date_range("2024-01-31 12:00", periods=60, freq="h"),
        columns=["wind", "rain", "sun"],
    )
    y = frame["sun"].shift(1).bfill()
    model = AttentionLSTMRegressor(attention="dense", lookback=5, max_epochs=3, random_state=0)
    return model.fit(frame[:40], y[:40]), frame, y


@pytest.fixture
def arguments():
    """Return a function for the arguments of an AttentionDisplay, without a fit."""
    return _arguments


def _arguments(n_timesteps=T, n_features=F, mode="both", n_samples=30):
    """Return the arguments of a display that has data for every kind."""
    rng = np.random.default_rng(0)
    cell = rng.dirichlet(np.full(n_timesteps * n_features, 0.5), size=n_samples)
    cell = cell.reshape(n_samples, n_timesteps, n_features)
    weights = {"cell": cell, "time": cell.sum(axis=2), "feature": cell.sum(axis=1)}
    if mode != "both":
        weights = {mode: weights[mode]}
    series = rng.normal(1e3, 30, size=(n_timesteps, n_features))
    own = {axes: values[0] for axes, values in weights.items()}
    return {
        **{axes: values.mean(axis=0) for axes, values in weights.items()},
        **{f"{axes}_spread": weights.get(axes) for axes in ("time", "feature")},
        "feature_names": [f"a rather long name {i}" for i in range(n_features)],
        "sample": Bunch(series=series, times=None, title="Sample 3: predicted 57.12", **own),
    }


@pytest.fixture
def assert_legible():
    """Return a function that fails if text of a figure is cut off or overlaps anything."""
    return _assert_legible


def _assert_legible(figure):
    figure.canvas.draw()
    axes = [one for ax in figure.axes for one in (ax, *ax.child_axes)]
    found = [
        (text.get_text(), ax, text.get_window_extent().padded(-1))  # letters have a margin
        for ax in axes
        for text in _texts_around(ax)
    ]
    for (one, _, box), (other, _, other_box) in itertools.combinations(found, 2):
        assert not box.overlaps(other_box), f"{one!r} and {other!r} overlap"
    panels = {ax: ax.get_window_extent().padded(-1) for ax in axes if ax.axison}
    for text, own, box in found:
        # A legend may lie in its own panel.
        legend = own.get_legend()
        inside = legend is not None and text in [label.get_text() for label in legend.get_texts()]
        crossed = [ax for ax, panel in panels.items() if box.overlaps(panel)]
        assert crossed in ([], [own] * inside), f"{text!r} lies on a panel"
        assert min(box.x0, box.y0) >= 0, f"{text!r} is cut off"
        assert box.x1 <= figure.bbox.x1, f"{text!r} is cut off"
        assert box.y1 <= figure.bbox.y1, f"{text!r} is cut off"


def _texts_around(ax):
    """Return the texts around axes: visible tick labels, axis labels, titles, the legend."""
    found = [ax.title, ax._left_title, ax._right_title]
    for axis in (ax.xaxis, ax.yaxis) if ax.axison else ():
        low, high = sorted(axis.get_view_interval())
        ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
        found += [label for tick in ticks for label in (tick.label1, tick.label2)]
        found += [axis.label, axis.get_offset_text()]
    legend = ax.get_legend()
    found += [] if legend is None else legend.get_texts()
    return [text for text in found if text.get_visible() and text.get_text().strip()]
