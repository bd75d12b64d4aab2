"""Bars of the attention on each feature or step, with their spread over samples or refits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ._labels import feature_labels, label_steps, percent, set_title
from ._style import (
    BAR_COLOR,
    INK,
    NARROW_STEPS,
    UNIFORM_LINE,
    draw_step_bars,
    figure_width,
    most_attended,
    new_axes,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ._attention_display import AttentionDisplay

DOT: dict[str, Any] = {"marker": "o", "linestyle": "", "color": INK, "mfc": "white"}
DOT_SIZE = 4.0
# With at least this many samples or refits the spread is a line between two quantiles; fewer are
# drawn one by one.
MIN_QUANTILE_ROWS = 20
QUANTILES = (0.1, 0.9)


def draw_feature_bars(
    display: AttentionDisplay, ax: Axes | None, max_features: int | None
) -> tuple[Axes, dict[str, Axes]]:
    """Draw the attention on each feature, the most attended first.

    Parameters
    ----------
    display : AttentionDisplay
        Has ``feature``.

    ax : matplotlib Axes or None
        Where to draw. None makes a figure.

    max_features : int or None
        Number of features, the most attended. None draws all.

    Returns
    -------
    ax : matplotlib Axes
        The axes.

    panels : dict
        The same, as ``"feature"``.
    """
    assert display.feature is not None
    n_features = len(display.feature)
    shown = most_attended(display.feature, max_features)
    ax = new_axes(ax, 8, 1.3 + 0.24 * max(len(shown), 5))
    place = np.arange(len(shown))
    ax.barh(place, display.feature[shown], color=BAR_COLOR)
    ax.axvline(1 / n_features, **UNIFORM_LINE)
    spread = None if display.feature_spread is None else display.feature_spread[:, shown]
    caption = _draw_spread(
        spread,
        display.spread_over,
        lambda low, high: ax.hlines(place, low, high, color=INK, linewidth=2),
        lambda row: ax.plot(row, place, markersize=DOT_SIZE, **DOT),
    )
    labels = feature_labels(display)
    ax.set_yticks(place, [labels[i] for i in shown])
    ax.invert_yaxis()
    ax.set_xlim(left=0)
    ax.set_xlabel("attention")
    rest = "" if len(shown) == n_features else f", the first {len(shown)} of {n_features}"
    set_title(ax, f"Attention on features{rest}{_mean_over(spread, display.spread_over)}", caption)
    return ax, {"feature": ax}


def draw_time_bars(
    display: AttentionDisplay, ax: Axes | None, max_features: int | None
) -> tuple[Axes, dict[str, Axes]]:
    """Draw the attention on each time step, oldest first.

    Parameters
    ----------
    display : AttentionDisplay
        Has ``time``.

    ax : matplotlib Axes or None
        Where to draw. None makes a figure.

    max_features : int or None
        Ignored: there are no features.

    Returns
    -------
    ax : matplotlib Axes
        The axes.

    panels : dict
        The same, as ``"time"``.
    """
    del max_features
    assert display.time is not None
    n_timesteps = len(display.time)
    ax = new_axes(ax, figure_width(n_timesteps), 3.2)
    draw_step_bars(ax, display.time)
    steps = np.arange(1 - n_timesteps, 1)

    def draw_range(low: NDArray[np.float64], high: NDArray[np.float64]) -> None:
        if n_timesteps <= NARROW_STEPS:
            ax.vlines(steps, low, high, color=INK, linewidth=2)
        else:
            ax.fill_between(steps, low, high, step="mid", color=INK, alpha=0.5, linewidth=0)

    dot_size = min(DOT_SIZE, 250 / n_timesteps)
    caption = _draw_spread(
        display.time_spread,
        display.spread_over,
        draw_range,
        lambda row: ax.plot(steps, row, markersize=dot_size, **DOT),
    )
    label_steps(ax)
    ax.set_xlim(0.5 - n_timesteps, 0.5)
    ax.set_ylim(bottom=0)
    ax.set_ylabel("attention")
    mean_over = _mean_over(display.time_spread, display.spread_over)
    set_title(ax, f"Attention on time steps{mean_over}", caption)
    return ax, {"time": ax}


def _mean_over(spread: NDArray[np.float64] | None, spread_over: str) -> str:
    return "" if spread is None else f": mean over {len(spread)} {spread_over}"


def _draw_spread(
    rows: NDArray[np.float64] | None,
    spread_over: str,
    draw_range: Callable[[NDArray[np.float64], NDArray[np.float64]], object],
    draw_row: Callable[[NDArray[np.float64]], object],
) -> str:
    """Draw the spread of the rows about their mean; return the caption that explains the marks."""
    if rows is None or len(rows) < 2:
        return "dashed: uniform attention"
    if len(rows) < MIN_QUANTILE_ROWS:
        for row in rows:
            draw_row(row)
        return f"dashed: uniform attention; dots: each of the {spread_over}"
    low, high = np.quantile(rows, QUANTILES, axis=0)
    draw_range(low, high)
    first, last = map(percent, QUANTILES)
    return f"dashed: uniform attention; dark: {first} to {last} of the {spread_over}"
