"""ImportanceDisplay: attention beside permutation importance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .._data._checks import check_int
from ._labels import label_steps, set_title
from ._style import BAR_COLOR, ORANGE, figure_width, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

COLUMNS = ("attention", "importance_fraction")


class ImportanceDisplay:
    """Draw the attention on each feature or step beside its permutation importance.

    Create it with :meth:`from_result`. Importance is drawn as a fraction of its sum, so that both
    have the same scale. Features are sorted by importance, steps by time.

    Parameters
    ----------
    frame : DataFrame
        Indexed by feature or by the number of steps before the prediction, with the columns
        ``attention`` and ``importance_fraction``, as
        :func:`sk_tsattn.inspection.attention_importance` returns it.

    over : {"feature", "time"}, default="feature"
        What the rows are.

    overlap : float or None, default=None
        For the title: the sum of the smaller of both columns. None leaves it out.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.

    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    sk_tsattn.inspection.attention_importance : Compute the frame.
    AttentionDisplay : Draw the attention of a fitted estimator.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import pandas as pd
    >>> from sk_tsattn import ImportanceDisplay
    >>> columns = {"attention": [0.6, 0.4], "importance_fraction": [0.2, 0.8]}
    >>> frame = pd.DataFrame(columns, index=["price", "promo"])
    >>> ImportanceDisplay(frame).plot().ax_.get_title()
    'Attention and importance of features'
    """

    ax_: Axes
    figure_: Figure | SubFigure

    def __init__(
        self, frame: pd.DataFrame, *, over: str = "feature", overlap: float | None = None
    ) -> None:
        self.frame = frame
        self.over = over
        self.overlap = overlap

    @classmethod
    def from_result(
        cls, result: Any, *, max_features: int | None = None, ax: Axes | None = None
    ) -> ImportanceDisplay:
        """Draw the result of :func:`sk_tsattn.inspection.attention_importance`.

        Parameters
        ----------
        result : Bunch
            With ``frame``, ``over`` and ``overlap``.

        max_features : int or None, default=None
            Number of features drawn, the most important. None draws all of them.

        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a figure.

        Returns
        -------
        display : ImportanceDisplay
            The display, drawn.
        """
        display = cls(result.frame, over=result.over, overlap=result.overlap)
        return display.plot(ax, max_features=max_features)

    def plot(self, ax: Axes | None = None, *, max_features: int | None = None) -> ImportanceDisplay:
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a figure of a suitable size.

        max_features : int or None, default=None
            Number of features drawn, the most important. None draws all of them.

        Returns
        -------
        self : ImportanceDisplay
            With ``ax_`` and ``figure_``.

        Raises
        ------
        ValueError
            If the frame lacks a column.
        """
        if max_features is not None:
            check_int(max_features, "max_features", 1, otherwise=" or None")
        missing = [name for name in COLUMNS if name not in getattr(self.frame, "columns", ())]
        if missing:
            raise ValueError(
                f"frame must be a DataFrame with the columns {' and '.join(COLUMNS)}. Got one "
                f"without {', '.join(missing)} instead; compute it with "
                "sk_tsattn.inspection.attention_importance."
            )
        if self.over == "time":
            what, ax = "time steps", self._plot_steps(ax)
        else:
            what, ax = "features", self._plot_features(ax, max_features)
        ax.legend(loc="best")
        overlap = [] if self.overlap is None else [f"overlap {self.overlap:.2f} (1: the same)"]
        set_title(ax, f"Attention and importance of {what}", *overlap)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _plot_features(self, ax: Axes | None, max_features: int | None) -> Axes:
        """Draw two horizontal bars for each feature, the most important first."""
        frame = self.frame.sort_values("importance_fraction", ascending=False, kind="stable")
        frame = frame.iloc[:max_features]
        ax = new_axes(ax, 8, 1.3 + 0.36 * max(len(frame), 4))
        place = np.arange(len(frame))
        ax.barh(place - 0.2, frame["attention"], height=0.4, color=BAR_COLOR, label="attention")
        ax.barh(
            place + 0.2,
            frame["importance_fraction"],
            height=0.4,
            color=ORANGE,
            label="permutation importance",
        )
        ax.set_yticks(place, [str(name) for name in frame.index])
        ax.invert_yaxis()
        ax.set_xlim(left=0)
        ax.set_xlabel("fraction of the sum")
        return ax

    def _plot_steps(self, ax: Axes | None) -> Axes:
        """Draw two bars for each time step, oldest first."""
        n_timesteps = len(self.frame)
        ax = new_axes(ax, figure_width(n_timesteps), 3.2)
        steps = np.arange(1 - n_timesteps, 1)
        ax.bar(steps - 0.2, self.frame["attention"], width=0.4, color=BAR_COLOR, label="attention")
        ax.bar(
            steps + 0.2,
            self.frame["importance_fraction"],
            width=0.4,
            color=ORANGE,
            label="permutation importance",
        )
        label_steps(ax)
        ax.set_xlim(0.5 - n_timesteps, 0.5)
        ax.set_ylim(bottom=0)
        ax.set_ylabel("fraction of the sum")
        return ax
