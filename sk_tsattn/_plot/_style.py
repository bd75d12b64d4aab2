"""Colours, axes and bars that several displays share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

T = TypeVar("T")

# Losses whose maximum exceeds their minimum by more than this factor have a log scale.
LOG_RATIO = 10

# The colours of Okabe and Ito, distinct under colour blindness (https://jfly.uni-koeln.de/color/).
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
)
INK = "#222222"
BAR_COLOR = "#31688e"  # of viridis, the colour map of the heat map beside the bars
UNIFORM_LINE: dict[str, Any] = {"color": VERMILION, "linestyle": "--", "linewidth": 1.5}
# Windows longer than this have no room for a gap between bars, or for a line in each bar.
NARROW_STEPS = 60


def new_axes(ax: Axes | None, width: float, height: float) -> Axes:
    """Return ``ax``, or the axes of a new figure of this size in inches if it is None."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    _, ax = plt.subplots(figsize=(width, height), layout="constrained")
    return ax


def figure_width(n_timesteps: int) -> int:
    """Return a width in inches at which a step is wider than a line."""
    return 8 if n_timesteps <= 100 else 10


def size_of(ax: Axes) -> tuple[float, float]:
    """Return width and height in inches, divided by the font size relative to 10 points."""
    inch = ax.figure.dpi * font_size(ax) / 10
    box = ax.get_window_extent()
    return box.width / inch, box.height / inch


def font_size(ax: Axes) -> float:
    """Return the font size of the labels in points."""
    return float(ax.xaxis.label.get_fontsize())


def set_loss_scale(panel: Axes, losses: NDArray[np.float64]) -> None:
    """Give the panel a logarithmic scale if the losses differ by a large factor."""
    values = losses[np.isfinite(losses)]
    if values.size and values.min() > 0 and values.max() > LOG_RATIO * values.min():
        panel.set_yscale("log")
        if values.max() < 1000 * values.min():  # 0.2 instead of 2 x 10^-1
            panel.locator_params(axis="y", subs=(1, 2, 5))
            panel.yaxis.set_major_formatter("{x:g}")
            panel.yaxis.set_minor_formatter("")


def color_map(name: str, first: float, last: float) -> Colormap:
    """Return a section of a colour map that starts pale, with white for masked values.

    A masked cell is blank; a cell of little attention is pale and still coloured.
    """
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    section = colormaps[name](np.linspace(first, last, 256))
    tint = np.linspace(0.3, 5, 256).clip(max=1)[:, None]  # full colour after the first seventh
    return ListedColormap(1 - tint * (1 - section)).with_extremes(bad="white", under="white")


def draw_step_bars(ax: Axes, weight: NDArray[np.float64]) -> None:
    """Draw a bar for each step, and a line at uniform attention."""
    # Gaps between narrow bars would be blurred on a screen.
    width = 0.8 if len(weight) <= NARROW_STEPS else 1.0
    ax.bar(np.arange(1 - len(weight), 1), weight, width=width, color=BAR_COLOR)
    ax.axhline(1 / len(weight), **UNIFORM_LINE)


def most_attended(weight: NDArray[np.float64], limit: int | None) -> NDArray[np.intp]:
    """Return the positions of the ``limit`` greatest weights, greatest first."""
    return np.argsort(-weight, kind="stable")[: len(weight) if limit is None else limit]


def cycle(items: Sequence[T], n: int) -> list[T]:
    """Return ``n`` items, starting again after the last."""
    return [items[i % len(items)] for i in range(n)]
