"""The series of one sample, shaded by its attention."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import Bunch

from .._data._checks import is_int
from ..attention._kinds import ATTENTION_KINDS
from ..exceptions import HistoryWarning
from ._labels import feature_labels, label_steps, percent, set_title
from ._style import INK, color_map, figure_width, most_attended, new_axes, size_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ._attention_display import AttentionDisplay

# Number of features if max_features is None: more panels cannot be read.
MAX_FEATURES = 6
# Features with a smaller fraction of the attention are left out.
MIN_ATTENTION = 1e-3
# Steps up to which each has a dot on the line.
MAX_DOTS = 48


def sample_of(
    estimator: Any, X: Any, y: ArrayLike | None, weights: Bunch, groups: Any, position: int
) -> Bunch:
    """Return what :func:`draw_sample` needs of one sample.

    Parameters
    ----------
    estimator : AttentionLSTMRegressor or AttentionLSTMClassifier
        A fitted estimator.

    X, groups
        As in its ``predict``.

    y : array-like of shape (n_samples,) or (n_samples, n_outputs) or None
        True targets, for the title.

    weights : Bunch
        What its ``attention_weights`` returned for ``X``.

    position : int
        Position of the sample in ``X``; -1 is the last.

    Returns
    -------
    sample : Bunch
        - ``series``, ndarray of shape (n_timesteps, n_features): the window in the units of
          ``X``, with NaN at the steps that a short window lacks;
        - ``times``, DatetimeIndex of shape (n_timesteps,) or None: naive local times;
        - ``title``, str: label of the sample, its prediction and its true target;
        - ``time``, ``feature`` and ``cell``, ndarrays: its attention, as far as the attention
          mode defines it.
    """
    attention = {axes: weights[axes] for axes in ATTENTION_KINDS if axes in weights}
    n_samples = len(next(iter(attention.values())))
    if not is_int(position, -n_samples) or position >= n_samples:
        raise ValueError(
            f"sample must be the position of one of the {n_samples} samples of X. Got "
            f"{position!r} instead; 0 is the first, -1 the last."
        )
    if y is not None and len(np.asarray(y)) != n_samples:
        raise ValueError(
            f"y must have a row for each of the {n_samples} samples of X. Got "
            f"{len(np.asarray(y))} instead."
        )
    position = range(n_samples)[position]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HistoryWarning)  # attention_weights has warned
        series, times = estimator._window_of(X, position, groups)
        prediction = estimator.predict(X, groups=groups)[position]
    title = f"{_label_of(X, position)}: predicted {_format(prediction)}"
    if y is not None:
        title += f", true {_format(np.asarray(y)[position])}"
    own = {axes: values[position] for axes, values in attention.items()}
    return Bunch(series=series, times=_naive_times(times), title=title, **own)


def _label_of(X: Any, position: int) -> str:
    """Return the label of a sample in the index, or its position."""
    if not isinstance(X, pd.DataFrame):
        return f"Sample {position}"
    label = X.index[position]
    return ", ".join(map(str, label)) if isinstance(label, tuple) else str(label)


def _format(y: NDArray[Any]) -> str:
    return ", ".join(
        f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)
        for value in np.atleast_1d(y)
    )


def _naive_times(times: pd.Index | None) -> pd.DatetimeIndex | None:
    """Return time labels as naive local times; None if they are no dates."""
    if isinstance(times, pd.PeriodIndex):
        times = times.to_timestamp()
    if not isinstance(times, pd.DatetimeIndex):
        return None
    if times.tz is None:
        return times
    # With the UTC offset of the newest step throughout, so that no clock change disrupts the axis.
    utc = times.tz_convert("UTC").tz_localize(None)
    return utc + (times[-1].tz_localize(None) - utc[-1])


def draw_sample(
    display: AttentionDisplay, ax: Axes | None, max_features: int | None
) -> tuple[Axes, dict[str, Axes]]:
    """Draw the series of one sample, shaded by its attention.

    Parameters
    ----------
    display : AttentionDisplay
        Has ``sample``.

    ax : matplotlib Axes or None
        Where to draw. None makes a figure.

    max_features : int or None
        Number of features, the most attended. None draws six.

    Returns
    -------
    ax : matplotlib Axes
        The axes.

    panels : dict
        A panel for each feature that is drawn, by its name.
    """
    sample = display.sample
    assert sample is not None
    n_timesteps, n_features = sample.series.shape
    over = next(axes for axes in ("cell", "feature", "time") if axes in sample)
    weight = sample[over][:, None] if over == "time" else sample[over]
    shade = np.where(np.isnan(sample.series), 0.0, weight)  # what is missing has no attention
    limit = MAX_FEATURES if max_features is None else max_features
    shown = np.arange(n_features)[:limit]
    if over != "time":
        n_attended = max(1, int((sample.feature >= MIN_ATTENTION).sum()))
        shown = most_attended(sample.feature, min(limit, n_attended))
    ax = new_axes(ax, figure_width(n_timesteps), 1.1 + 0.95 * len(shown))
    ax.set_axis_off()
    x, edges = _step_positions(sample.times, n_timesteps)
    slot = 1 / len(shown)
    title = min(0.5 * slot, 0.24 / size_of(ax)[1])
    labels = feature_labels(display)
    panels: dict[str, Axes] = {}
    for i, feature in enumerate(shown):
        first = next(iter(panels.values()), None)
        box = (0, 1 - (i + 1) * slot, 0.95, slot - title)
        panel = panels[labels[feature]] = ax.inset_axes(box, sharex=first)
        dots = "." if n_timesteps <= MAX_DOTS else None
        panel.plot(x, sample.series[:, feature], color=INK, linewidth=1.2, marker=dots)
        panel.margins(y=0.15)
        y_limits = panel.get_ylim()
        mesh = panel.pcolormesh(
            edges,
            y_limits,
            np.ma.masked_equal(shade[None, :, feature], 0),
            cmap=color_map("Oranges", 0.22, 0.7),
            vmin=0,
            vmax=shade.max(),
            zorder=0,
        )
        panel.set(xlim=(edges[0], edges[-1]), ylim=y_limits)
        tall = size_of(ax)[1] * slot > 0.85
        panel.locator_params(axis="y", nbins=3 if tall else 1, min_n_ticks=2 if tall else 1)
        panel.tick_params(axis="y", labelsize="small")
        panel.set_title(labels[feature], loc="left", fontsize="small", pad=3)
        if over != "time":
            fraction = f"{percent(sample.feature[feature])} of the attention"
            panel.set_title(fraction, loc="right", fontsize="small", pad=3)
        if i + 1 < len(shown):
            panel.tick_params(labelbottom=False)
    if sample.times is None:
        label_steps(panel)
    else:
        _label_times(panel, sample.times)
    bar = ax.inset_axes((0.965, 0, 0.015, 1 - title))
    ax.figure.colorbar(mesh, cax=bar)
    bar.set_ylabel("attention")
    rest = ""
    if len(shown) < n_features:
        rest = f"; {len(shown)} of {n_features} features"
        if over != "time":
            rest += f", the others have {percent(1 - sample.feature[shown].sum())}"
    set_title(ax, sample.title, f"The darker, the more attention{rest}")
    return ax, panels


def _step_positions(
    times: pd.DatetimeIndex | None, n_timesteps: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the position of each step, and the edges of its shading."""
    if times is None:
        return np.arange(1 - n_timesteps, 1), np.arange(1 - n_timesteps, 2) - 0.5
    x = times.to_numpy()
    between = x[:-1] + (x[1:] - x[:-1]) / 2
    half = (x[-1] - x[-2]) / 2 if len(x) > 1 else np.timedelta64(12, "h")
    first = x[0] - (x[1] - x[0]) / 2 if len(x) > 1 else x[0] - half
    return x, np.concatenate([[first], between, [x[-1] + half]])


def _label_times(panel: Axes, times: pd.DatetimeIndex) -> None:
    """Label the time axis with dates and times."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(maxticks=8)  # type: ignore[no-untyped-call] # matplotlib has none
    panel.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]
    panel.xaxis.set_major_formatter(formatter)
    panel.set_xlabel("time" if times.name is None else str(times.name))
