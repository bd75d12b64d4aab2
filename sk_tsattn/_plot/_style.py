"""What the pictures share: their colours, where they are drawn, and how they name steps."""

import textwrap

import numpy as np

# Okabe and Ito's colours, which any eye tells apart (https://jfly.uni-koeln.de/color/).
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
)
INK = "#222222"
STEPS = "steps before the prediction (0: the newest)"


def new_axes(ax, width, height):
    """Return ``ax``, or the axes of a new figure of this size in inches where it is None."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    _, ax = plt.subplots(figsize=(width, height), layout="constrained")
    return ax


def size_of(ax):
    """Width and height of the axes in inches of a 10 point font: half, where it has 20."""
    inch = ax.figure.dpi * ax.xaxis.label.get_fontsize() / 10
    box = ax.get_window_extent()
    return box.width / inch, box.height / inch


def color_map(name, first, last):
    """Cut a part out of a colour map, begin it pale, and leave white for what is masked.

    Maps of attention run from light to dark and mask what was not used: it stays blank. What was
    used a little is pale, and still has a colour.
    """
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    part = colormaps[name](np.linspace(first, last, 256))
    tint = np.linspace(0.3, 5, 256).clip(max=1)[:, None]  # the first seventh goes to full colour
    return ListedColormap(1 - tint * (1 - part)).with_extremes(bad="white", under="white")


def set_title(ax, *lines):
    """Set the title, broken where it would be wider than the axes."""
    width, _ = size_of(ax)
    n_characters = max(20, int(width * 72 / 5.4))  # a letter has 5.4 points
    broken = [part for line in lines for part in textwrap.wrap(line, n_characters)]
    ax.set_title("\n".join(broken), fontsize="medium")


def label_steps(axis):
    """Number the steps of a window backwards from the newest, at whole numbers."""
    axis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    axis.set_major_formatter(lambda step, _: f"{abs(step):g}")
    axis.set_label_text(STEPS)
