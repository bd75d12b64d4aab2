"""FaithfulnessDisplay: the error as the input is removed or kept in the order of attention."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from ._labels import set_title, short_number
from ._style import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    cycle,
    new_axes,
    size_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

CURVE_COLUMNS = ("order", "kind", "fraction", "error", "low", "high")
CURVE_STYLES = (
    (BLUE, "-"),
    (INK, ":"),
    (VERMILION, "--"),
    (GREEN, "-."),
    (PURPLE, "-"),
    (ORANGE, "--"),
    (SKY, "-."),
)
# The label of the x axis, and how to read the panel.
CAPTIONS = {
    "comprehensiveness": ("fraction of the input removed", "above random: attention is faithful"),
    "sufficiency": ("fraction of the input kept", "below random: attention is faithful"),
}


class FaithfulnessDisplay:
    """Draw the error as the input is removed, or kept, in the order of attention.

    Create it with :meth:`from_result`. Each kind of curve has a panel. The curve of the attention
    is drawn beside those of a random order and of permutation importance, with their confidence
    intervals.

    Parameters
    ----------
    curves : DataFrame
        With the columns ``order``, ``kind``, ``fraction``, ``error``, ``low`` and ``high``, as
        :func:`sk_tsattn.inspection.faithfulness` returns it.

    areas : DataFrame or None, default=None
        With the index (order, kind) and the columns ``area``, ``low`` and ``high``, for the
        legend. None leaves the areas out.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes. The panels lie inside them.

    axes_ : dict
        The panels by kind of curve: ``"comprehensiveness"`` and ``"sufficiency"``.

    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    sk_tsattn.inspection.faithfulness : Compute the curves and areas.
    AttentionDisplay : Draw the attention of a fitted estimator.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import pandas as pd
    >>> from sk_tsattn import FaithfulnessDisplay
    >>> curve = {"order": "attention", "kind": "comprehensiveness", "fraction": [0, 0.5, 1]}
    >>> curve |= {"error": [0.1, 0.8, 1.0], "low": [0.1, 0.7, 0.9], "high": [0.1, 0.9, 1.1]}
    >>> list(FaithfulnessDisplay(pd.DataFrame(curve)).plot().axes_)
    ['comprehensiveness']
    """

    ax_: Axes
    axes_: dict[str, Axes]
    figure_: Figure | SubFigure

    def __init__(self, curves: pd.DataFrame, *, areas: pd.DataFrame | None = None) -> None:
        self.curves = curves
        self.areas = areas

    @classmethod
    def from_result(cls, result: Any, *, ax: Axes | None = None) -> FaithfulnessDisplay:
        """Draw the result of :func:`sk_tsattn.inspection.faithfulness`.

        Parameters
        ----------
        result : Bunch
            With the DataFrames ``curves`` and ``areas`` (or without the latter).

        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a figure.

        Returns
        -------
        display : FaithfulnessDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the result has no curves, or they lack a column.

        Examples
        --------
        >>> import matplotlib
        >>> matplotlib.use("Agg")
        >>> import numpy as np
        >>> from sk_tsattn import FaithfulnessDisplay
        >>> from sk_tsattn.inspection import faithfulness
        >>> class LastStep:
        ...     def predict(self, X):
        ...         return X[:, -1, 0]
        >>> X = np.random.default_rng(0).normal(size=(50, 4, 3))
        >>> attention = np.array([0.0, 0.0, 0.0, 1.0])
        >>> result = faithfulness(
        ...     LastStep(), X, X[:, -1, 0], attention=attention, n_bootstrap=10, random_state=0
        ... )
        >>> sorted(FaithfulnessDisplay.from_result(result).axes_)
        ['comprehensiveness', 'sufficiency']
        """
        return cls(result.get("curves"), areas=result.get("areas")).plot(ax)

    def plot(self, ax: Axes | None = None) -> FaithfulnessDisplay:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a figure of a suitable size.

        Returns
        -------
        self : FaithfulnessDisplay
            With ``ax_``, ``axes_`` and ``figure_``.

        Raises
        ------
        ValueError
            If the curves lack a column.
        """
        curves = self.curves
        missing = sorted(set(CURVE_COLUMNS) - set(getattr(curves, "columns", ())))
        if missing:
            raise ValueError(
                f"curves must be a DataFrame with the columns {', '.join(CURVE_COLUMNS)}. Got one "
                f"without {', '.join(missing)} instead; compute it with "
                "sk_tsattn.inspection.faithfulness."
            )
        kinds = list(curves["kind"].drop_duplicates())
        orders = list(curves["order"].drop_duplicates())
        ax = new_axes(ax, 4.2 * max(len(kinds), 1.4), 4.2)
        ax.set_axis_off()
        # Room in inches for the legends below the panels and the titles above them.
        _, height = size_of(ax)
        bottom, top = (0.5 + 0.18 * len(orders)) / height, 1 - 0.4 / height
        gap = 0.03
        width = (1 - gap * (len(kinds) - 1)) / len(kinds)
        panels: dict[str, Axes] = {}
        for i, kind in enumerate(kinds):
            first = next(iter(panels.values()), None)
            box = (i * (width + gap), bottom, width, top - bottom)
            panel = panels[kind] = ax.inset_axes(box, sharey=first)
            for order, style in zip(orders, cycle(CURVE_STYLES, len(orders)), strict=True):
                self._draw_curve(panel, order, kind, *style)
            x_label, caption = CAPTIONS.get(kind, ("fraction of the input", ""))
            panel.set_xlabel(x_label)
            panel.set_title(f"{kind}\n{caption}", fontsize="small")
            if first is None:
                panel.set_ylabel("error")
            else:
                panel.tick_params(labelleft=False)
            panel.legend(
                loc="upper center",
                bbox_to_anchor=(0.5, -0.45 / (height * (top - bottom))),
                fontsize="small",
                frameon=False,
                borderpad=0,
            )
        set_title(ax, "Error as the input is removed or kept, the most important first")
        self.ax_, self.axes_, self.figure_ = ax, panels, ax.figure
        return self

    def _draw_curve(self, panel: Axes, order: str, kind: str, color: str, line: str) -> None:
        """Draw the curve of one order with its confidence interval."""
        curve = self.curves[(self.curves["kind"] == kind) & (self.curves["order"] == order)]
        label = str(order)
        if self.areas is not None and (order, kind) in self.areas.index:
            area, low, high = (
                short_number(self.areas[name][order, kind]) for name in ("area", "low", "high")
            )
            label += f": area {area} [{low}, {high}]"
        panel.plot(curve["fraction"], curve["error"], color=color, linestyle=line, label=label)
        panel.fill_between(
            curve["fraction"], curve["low"], curve["high"], color=color, alpha=0.2, linewidth=0
        )
