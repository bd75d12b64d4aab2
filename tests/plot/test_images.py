"""The figures equal those in tests/plot/baseline_images.

The data and the position of every panel are fixed here. Text is left out, since each version of
matplotlib draws it differently; the tests of each display read it. After an intended change, look
at the new figures and keep them:

    python tests/plot/test_images.py
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.utils import Bunch

from sk_tsattn import (
    AttentionDisplay,
    FaithfulnessDisplay,
    ImportanceDisplay,
    LossCurveDisplay,
    PathDisplay,
)
from sk_tsattn._plot._attention_display import KINDS

BASELINES = Path(__file__).parent / "baseline_images"
# Root mean square of the difference, of 255. Between matplotlib 3.8 and 3.11 it is at most 1.8.
TOLERANCE = 3.0
T, F = 12, 5
NAMES = ["PM2.5", "temperature", "dew point", "wind speed", "snow"]


def cells(shift):
    """Return attention of 24 samples on a few cells; ``shift`` moves and increases some of it."""
    sample = np.arange(24)[:, None, None]
    time, feature = np.arange(T)[:, None], np.arange(F)
    recent = np.exp(-(T - 1 - time) / 2.0) * (feature == 0)
    bump = np.exp(-((time - 4 - shift) ** 2) / 2.0) * (feature == 2)
    cell = recent * (1.5 + np.sin(sample)) + bump * (1.2 + shift + np.cos(2 * sample))
    cell = np.where(cell > 1e-3, cell, 0.0)
    return cell / cell.sum(axis=(1, 2), keepdims=True)


def attention(shift):
    cell = cells(shift)
    weights = {"cell": cell, "time": cell.sum(axis=2), "feature": cell.sum(axis=1)}
    waves = 100 + 10 * np.sin(np.arange(T)[:, None] * (1 + np.arange(F)) / 3)
    own = {axes: values[0] for axes, values in weights.items()}
    return AttentionDisplay(
        **{axes: values.mean(axis=0) for axes, values in weights.items()},
        time_spread=weights["time"],
        feature_spread=weights["feature"],
        feature_names=NAMES,
        sample=Bunch(
            series=waves,
            times=pd.date_range("2014-03-05 18:00", periods=T, freq="h"),
            title="2014-03-06 05:00:00: predicted 57.1, true 61",
            **own,
        ),
    )


def refits(shift):
    weight = np.array([[0.5, 0.25, 0.15, 0.07, 0.03], [0.4, 0.35, 0.1, 0.1, 0.05]])
    weight = weight ** (1 / (1 + shift))
    weight = weight / weight.sum(axis=1, keepdims=True)
    return AttentionDisplay(
        feature=weight.mean(axis=0),
        feature_spread=weight,
        feature_names=NAMES,
        spread_over="refits",
    )


def faithfulness(shift):
    fraction = np.linspace(0, 1, 11)
    rows = []
    for order, bend in (("attention", 0.3 + 0.3 * shift), ("random", 1.0), ("permutation", 0.5)):
        for kind in ("comprehensiveness", "sufficiency"):
            error = fraction**bend if kind == "comprehensiveness" else 1 - fraction**bend
            part = {"order": order, "kind": kind, "fraction": fraction, "error": error}
            rows.append(pd.DataFrame(part | {"low": error - 0.05, "high": error + 0.05}))
    curves = pd.concat(rows)
    areas = curves.groupby(["order", "kind"])[["error", "low", "high"]].mean()
    return FaithfulnessDisplay(curves, areas=areas.rename(columns={"error": "area"}))


def importance(shift):
    weight = np.array([[0.5, 0.25, 0.15, 0.07, 0.03], [0.2, 0.05, 0.4, 0.3, 0.05]])
    weight = weight ** (1 / (1 + shift))
    weight = weight / weight.sum(axis=1, keepdims=True)
    frame = pd.DataFrame(weight.T, index=NAMES, columns=["attention", "importance_fraction"])
    return ImportanceDisplay(frame, overlap=0.52)


def history(shift):
    epoch = np.arange(1, 31)
    table = {
        "epoch": epoch,
        "train_loss": 0.02 + np.exp(-epoch / (4 + 2 * shift)),
        "valid_loss": 0.05 + np.exp(-epoch / (5 + 2 * shift)),
        "phase": ["warm-up"] * 18 + ["path"] * 12,
    }
    return LossCurveDisplay(pd.DataFrame(table), n_iter=24)


def path(shift):
    row = np.arange(20)
    table = {
        "penalty": np.r_[0, 0.01 * 1.12 ** row[1:]],
        "valid_loss": 0.2 + 0.001 * (row - 9 - 4 * shift) ** 2,
        "standard_error": 0.004 * abs(row - 9 - 4 * shift),
        "density": 0.8 ** (row + 1 - shift),
        "selected": row == 13 + 4 * shift,
    }
    return PathDisplay(pd.DataFrame(table))


# Functions of a shift of the data, 0 for the baseline, and the axes.
FIGURES = {
    "map": lambda shift, ax: attention(shift).plot(ax, kind="map"),
    "sample": lambda shift, ax: attention(shift).plot(ax, kind="sample"),
    "feature": lambda shift, ax: attention(shift).plot(ax, kind="feature"),
    "time": lambda shift, ax: attention(shift).plot(ax, kind="time"),
    "refits": lambda shift, ax: refits(shift).plot(ax, kind="feature"),
    "faithfulness": lambda shift, ax: faithfulness(shift).plot(ax),
    "importance": lambda shift, ax: importance(shift).plot(ax),
    "loss_curve": lambda shift, ax: history(shift).plot(ax),
    "path": lambda shift, ax: path(shift).plot(ax),
}


def draw(name, path, shift=0):
    """Draw a figure in matplotlib's own style, with fixed panels and no text."""
    import matplotlib
    import matplotlib.pyplot as plt
    from matplotlib.legend import Legend
    from matplotlib.text import Text

    matplotlib.use("Agg")
    with matplotlib.rc_context(matplotlib.rcParamsDefault | {"backend": "Agg"}):
        figure = plt.figure(figsize=(8, 5), dpi=60)
        FIGURES[name](shift, figure.add_axes((0.15, 0.15, 0.75, 0.7)))
        figure.canvas.draw()
        for text in (*figure.findobj(Text), *figure.findobj(Legend)):
            text.set_visible(False)
        figure.savefig(path, metadata={"Software": None})
        plt.close(figure)
    return path


def difference(name, path):
    """Compare a figure with its baseline; return None or a report of the difference."""
    from matplotlib.testing.compare import compare_images

    return compare_images(str(BASELINES / f"{name}.png"), str(path), TOLERANCE)


def test_every_kind_has_a_baseline():
    assert set(KINDS) <= set(FIGURES)
    assert {path.stem for path in BASELINES.glob("*.png")} == set(FIGURES)


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_equals_its_baseline(name, tmp_path):
    report = difference(name, draw(name, tmp_path / f"{name}.png"))
    assert report is None, report


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_of_other_data_differs_from_the_baseline(name, tmp_path):
    assert difference(name, draw(name, tmp_path / f"{name}.png", shift=1)) is not None


def test_the_baselines_are_small_files():
    for path in BASELINES.glob("*.png"):
        assert path.stat().st_size < 60_000


if __name__ == "__main__":
    BASELINES.mkdir(exist_ok=True)
    for name in FIGURES:
        print(draw(name, BASELINES / f"{name}.png"))
