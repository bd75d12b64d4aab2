"""PathDisplay: the candidates of the default's training along the path of penalties."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ._labels import percent, set_title, short_number
from ._style import BLUE, INK, VERMILION, new_axes, set_loss_scale, size_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

COLUMNS = ("penalty", "valid_loss", "standard_error", "density", "selected")
# The penalty 0 is left of the others by this fraction of their range on the logarithmic axis.
ZERO_GAP = 0.12
# Tick marks of a decade: the first of these that leave each label this number of inches.
TICKS, TICK_INCHES = ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)), 0.6
# The density has a logarithmic scale down to this one, at which all gates are closed.
LOWEST_DENSITY = 1e-4


class PathDisplay:
    """Draw loss and density of the candidates along the path of penalties of a fit.

    Create it with :meth:`from_estimator`. The loss of each candidate has a band of plus and minus
    one standard error of its difference to the lowest loss, which is a dashed line: a candidate
    whose band reaches the line is not significantly worse. The density is the mean gate; its scale
    is on the right. The selected candidate is marked. The penalties have a logarithmic scale, and
    the candidate without penalty stands at its left edge.

    Parameters
    ----------
    path : DataFrame
        A row for each candidate, as an estimator's ``path_``, in the order of training:

        - ``penalty``: weight of the L0 penalty. It is 0 for the first, the network after the
          warm-up, and then grows; without a validation set it falls;
        - ``valid_loss``: loss of the validation set, or of the training set if there is none;
        - ``standard_error``: that of the difference between this loss and the lowest;
        - ``density``: mean gate;
        - ``selected``: whether its gates were kept. One row is, or none if no candidate predicts
          better than a constant: all gates are then closed.

        ``partial_fit`` trains without a path, and removes the one of ``fit``.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes. The panels lie inside them.

    axes_ : dict
        The panels, one upon the other: ``"loss"`` and ``"density"``.

    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    LossCurveDisplay : Draw the loss after each epoch.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import pandas as pd
    >>> from sk_tsattn import PathDisplay
    >>> path = pd.DataFrame(
    ...     {
    ...         "penalty": [0.0, 0.01, 0.02, 0.04],
    ...         "valid_loss": [0.25, 0.2, 0.21, 0.6],
    ...         "standard_error": [0.02, 0.0, 0.01, 0.1],
    ...         "density": [0.8, 0.4, 0.1, 0.0],
    ...         "selected": [False, False, True, False],
    ...     }
    ... )
    >>> display = PathDisplay(path).plot()
    >>> sorted(display.axes_)
    ['density', 'loss']
    """

    ax_: Axes
    axes_: dict[str, Axes]
    figure_: Figure | SubFigure

    def __init__(self, path: pd.DataFrame) -> None:
        self.path = path

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Axes | None = None) -> PathDisplay:
        """Draw the path of a fitted estimator.

        Parameters
        ----------
        estimator : AttentionLSTMRegressor or AttentionLSTMClassifier
            A fitted estimator with ``attention="bottleneck"``.

        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a figure.

        Returns
        -------
        display : PathDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the estimator has no ``path_``.
        """
        if hasattr(estimator, "steps"):
            advice = "draw its last step, pipeline[-1]"
        else:
            check_is_fitted(estimator)
            advice = "call fit (not partial_fit) with attention='bottleneck' and an attention_mode"
        if not hasattr(estimator, "path_"):
            raise ValueError(
                "The estimator must have a path_, as AttentionLSTMRegressor with "
                f"attention='bottleneck' has after fit. Got {type(estimator).__name__} without "
                f"one instead; {advice}."
            )
        return cls(estimator.path_).plot(ax)

    def plot(self, ax: Axes | None = None) -> PathDisplay:
        """Draw the path.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a figure of a suitable size.

        Returns
        -------
        self : PathDisplay
            With ``ax_``, ``axes_`` and ``figure_``.

        Raises
        ------
        ValueError
            If the path has no candidate or lacks a column.
        """
        path = self.path
        if not set(COLUMNS) <= set(path.columns) or not len(path):
            raise ValueError(
                f"path must have the columns {', '.join(map(repr, COLUMNS))} and a row for each "
                f"candidate. Got {list(path.columns)} and {len(path)} rows instead; pass the "
                "path_ of a fitted estimator."
            )
        path = path.sort_values("penalty", kind="stable")  # it falls without a validation set
        ax = new_axes(ax, 8, 3.6)
        ax.set_axis_off()
        density_panel = ax.inset_axes((0, 0, 1, 1))
        loss_panel = ax.inset_axes((0, 0, 1, 1), sharex=density_panel, facecolor="none")
        self.ax_, self.figure_ = ax, ax.figure
        self.axes_ = {"loss": loss_panel, "density": density_panel}
        position = _set_penalty_scale(loss_panel, path["penalty"].to_numpy(dtype=float))
        selected = path["selected"].to_numpy(dtype=bool)
        _draw_density(density_panel, position, path["density"].to_numpy(dtype=float))
        _draw_loss(loss_panel, position, path, selected)
        for x in position[selected]:
            loss_panel.axvline(x, color=INK, linestyle=":", linewidth=1.5)
        result = "none selected"
        if selected.any():
            penalty, density = path.loc[selected, ["penalty", "density"]].iloc[0]
            result = (
                f"selected (dotted): penalty {short_number(penalty)}, density {percent(density)}"
            )
        set_title(ax, f"Path of {len(path)} candidates; {result}")
        return self


def _set_penalty_scale(panel: Axes, penalty: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the axes a logarithmic scale with a 0 on it; return the place of each penalty."""
    panel.set_xlabel("penalty of an open gate")
    positive = penalty[penalty > 0]
    if not positive.size:
        panel.set_xticks([0])
        return penalty
    first, last = positive.min(), positive.max()
    zero = first / max(last / first, 2) ** ZERO_GAP
    position = np.where(penalty > 0, penalty, zero)
    panel.set_xscale("log")
    n_labels = size_of(panel)[0] / TICK_INCHES
    decades = 10.0 ** np.arange(np.floor(np.log10(first)), np.ceil(np.log10(last)) + 1)
    for steps in TICKS:
        ticks = np.outer(decades, steps).ravel()
        ticks = ticks[(first * 0.999 <= ticks) & (ticks <= last * 1.001)]
        if len(ticks) <= n_labels:
            break
    if (penalty == 0).any():
        ticks = np.r_[zero, ticks]
    panel.set_xticks(ticks)
    panel.xaxis.set_major_formatter(lambda x, _: "0" if x < 0.999 * first else f"{x:g}")
    panel.minorticks_off()
    return position


def _draw_density(panel: Axes, position: NDArray[np.float64], density: NDArray[np.float64]) -> None:
    """Draw the density, with its scale on the right."""
    panel.set_yscale("log")
    panel.set_ylim(np.min(density[density > LOWEST_DENSITY], initial=0.1) / 1.3, 1.3)
    panel.plot(position, density, color=BLUE, linestyle="--", marker=".", markersize=3)
    panel.locator_params(axis="y", subs=(1, 3))
    panel.yaxis.set_minor_formatter("")
    panel.yaxis.tick_right()
    panel.yaxis.set_label_position("right")
    panel.yaxis.set_major_formatter(lambda y, _: f"{100 * y:g}\N{NO-BREAK SPACE}%")
    panel.set_ylabel("density (mean gate)", color=BLUE)
    panel.tick_params(axis="y", labelcolor=BLUE)
    panel.tick_params(axis="x", bottom=False, labelbottom=False)


def _draw_loss(
    panel: Axes, position: NDArray[np.float64], path: pd.DataFrame, selected: NDArray[np.bool_]
) -> None:
    """Draw the loss with its band, the lowest loss as a line, the selected one as a point."""
    loss = path["valid_loss"].to_numpy(dtype=float)
    error = path["standard_error"].to_numpy(dtype=float)
    set_loss_scale(panel, loss)
    panel.fill_between(
        position, loss - error, loss + error, color=VERMILION, alpha=0.25, linewidth=0
    )
    panel.plot(position, loss, color=VERMILION, marker=".")
    panel.axhline(loss.min(), color=VERMILION, linestyle="--", linewidth=1)
    panel.plot(position[selected], loss[selected], color=INK, marker="o", linestyle="none")
    panel.set_ylabel("loss, ± standard error", color=VERMILION)
    panel.tick_params(axis="y", labelcolor=VERMILION)
