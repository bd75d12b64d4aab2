"""A heat map of the attention over time and features, with bars of its margins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ._labels import feature_labels, label_steps, set_title
from ._style import (
    BAR_COLOR,
    UNIFORM_LINE,
    color_map,
    draw_step_bars,
    figure_width,
    most_attended,
    new_axes,
    size_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ._attention_display import AttentionDisplay

# Cells with less than this fraction of uniform attention are blank. Otherwise gates that open in
# a few of many windows would tint the whole map.
BLANK_BELOW = 0.05


def draw_map(
    display: AttentionDisplay, ax: Axes | None, max_features: int | None
) -> tuple[Axes, dict[str, Axes]]:
    """Draw the attention on each cell, and bars of its margins.

    Parameters
    ----------
    display : AttentionDisplay
        Has ``cell``.

    ax : matplotlib Axes or None
        Where to draw. None makes a figure.

    max_features : int or None
        Number of features, the most attended. None draws all.

    Returns
    -------
    ax : matplotlib Axes
        The axes.

    panels : dict
        The panels ``"map"``, ``"time"`` and ``"feature"`` inside them.
    """
    cell = display.cell
    assert cell is not None
    n_timesteps, n_features = cell.shape
    shown = np.sort(most_attended(cell.sum(axis=0), max_features))
    ax = new_axes(ax, figure_width(n_timesteps), 1.9 + 0.24 * max(len(shown), 7))
    ax.set_axis_off()
    # The bars have the same size in inches beside small and large maps.
    width, height = size_of(ax)
    beside, above = min(0.25, 1.4 / width), min(0.3, 0.8 / height)
    room = 1 - beside - 0.15 / width
    map_ax = ax.inset_axes((0, 0, room, 1 - above - 0.1 / height))
    top = ax.inset_axes((0, 1 - above, room, above), sharex=map_ax)
    right = ax.inset_axes((1 - beside, 0, beside, 1 - above - 0.1 / height), sharey=map_ax)
    corner = ax.inset_axes((1 - beside, 1 - above + 0.22 / height, beside, 0.1 / height))

    # In units of uniform attention: 1 is what each cell gets if all get the same.
    relative = np.ma.masked_less(cell[:, shown].T * cell.size, BLANK_BELOW)
    image = map_ax.imshow(
        relative,
        aspect="auto",
        cmap=color_map("viridis_r", 0.06, 1),
        vmin=0,
        extent=(0.5 - n_timesteps, 0.5, len(shown) - 0.5, -0.5),
        interpolation="nearest",
    )
    label_steps(map_ax)
    labels = feature_labels(display)
    map_ax.set_yticks(range(len(shown)), [labels[i] for i in shown])
    # Faint lines connect a name with its cells across blank ones.
    map_ax.set_yticks(np.arange(len(shown) - 1) + 0.5, minor=True)
    map_ax.grid(axis="y", which="minor", color="#dddddd", linewidth=0.5)
    map_ax.tick_params(axis="y", which="minor", left=False)
    draw_step_bars(top, cell.sum(axis=1) if display.time is None else display.time)
    top.tick_params(labelbottom=False)
    top.set_xlabel("")
    top.set_ylabel("attention")
    top.locator_params(axis="y", nbins=2)
    feature = cell.sum(axis=0) if display.feature is None else display.feature
    right.barh(range(len(shown)), feature[shown], color=BAR_COLOR)
    right.axvline(1 / n_features, **UNIFORM_LINE)
    right.tick_params(axis="y", which="both", left=False, labelleft=False)
    right.locator_params(axis="x", nbins=2, prune="lower")
    right.set_xlabel("attention")
    has_blank = bool(np.ma.getmaskarray(relative).any())
    colorbar = ax.figure.colorbar(
        image, cax=corner, orientation="horizontal", extend="min" if has_blank else "neither"
    )
    colorbar.ax.locator_params(axis="x", nbins=3)
    note = f"\n(white: < {BLANK_BELOW:g})" if has_blank else ""
    corner.set_title(f"times uniform{note}", fontsize="medium")
    rest = "" if len(shown) == n_features else f" ({len(shown)} of {n_features} features)"
    set_title(ax, f"Attention on steps and features{rest}, and its sums (dashed: if uniform)")
    return ax, {"map": map_ax, "time": top, "feature": right}
