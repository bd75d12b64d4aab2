"""Titles, names, numbers and steps as the displays write them."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from ._style import size_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ._attention_display import AttentionDisplay

STEPS = "steps before the prediction (0: the newest)"


def set_title(ax: Axes, *lines: str) -> None:
    """Set the title, wrapped to the width of the axes."""
    width, _ = size_of(ax)
    n_characters = max(20, int(width * 72 / 5.4))  # a letter is 5.4 points wide
    wrapped = [part for line in lines for part in textwrap.wrap(line, n_characters)]
    ax.set_title("\n".join(wrapped), fontsize="medium")


def label_steps(panel: Axes) -> None:
    """Number the steps of a window backwards from the newest, at whole numbers."""
    panel.locator_params(axis="x", integer=True, min_n_ticks=1)
    panel.xaxis.set_major_formatter(lambda step, _: f"{abs(step):g}")
    panel.set_xlabel(STEPS)


def feature_labels(display: AttentionDisplay) -> list[str]:
    """Return the names of the features, or their numbers if there are no names."""
    if display.feature_names is not None:
        return list(display.feature_names)
    series = None if display.sample is None else display.sample.series
    arrays = display.feature, display.cell, series
    n_features = next(array.shape[-1] for array in arrays if array is not None)
    return [f"feature {i}" for i in range(n_features)]


def percent(fraction: float) -> str:
    """Format a fraction as a percentage."""
    fraction = max(fraction, 0.0)
    digits = 0 if fraction >= 0.1 or fraction == 0 else 1
    return f"{100 * fraction:.{digits}f}\N{NO-BREAK SPACE}%"


def short_number(number: float) -> str:
    """Format a number with three digits, or a large one as an integer."""
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.3g}"
