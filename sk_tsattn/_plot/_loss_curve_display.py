"""LossCurveDisplay: the training and validation loss after each epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from ._labels import set_title
from ._style import BLUE, INK, VERMILION, font_size, new_axes, set_loss_scale, size_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

LOSSES = {"train_loss": ("training", BLUE, "-"), "valid_loss": ("validation", VERMILION, "--")}
PHASE_SHADES = ("#f2f2f2", "#dedede")


class LossCurveDisplay:
    """Draw the loss after each epoch of a fit, and mark the epoch whose weights were kept.

    Create it with :meth:`from_estimator`. The scale is logarithmic if the losses differ by more
    than a factor of ten. A history with a column ``phase`` is shaded phase by phase.

    Parameters
    ----------
    history : DataFrame
        A row for each epoch, as an estimator's ``history_``: the columns ``epoch`` and
        ``train_loss``, and ``valid_loss`` and ``phase`` if there are any.

    n_iter : int or None, default=None
        The epoch whose weights were kept. None marks none.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes. The panel lies inside them.

    axes_ : dict
        The panel, as ``"loss"``.

    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    AttentionDisplay : Draw the attention of a fitted estimator.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sk_tsattn import AttentionLSTMRegressor, LossCurveDisplay
    >>> from sk_tsattn.datasets import make_fixed_cells
    >>> X, y, _ = make_fixed_cells(n_samples=100, n_timesteps=6, n_features=3, random_state=0)
    >>> model = AttentionLSTMRegressor(
    ...     attention="dense", max_epochs=3, random_state=0
    ... ).fit(X, y)
    >>> LossCurveDisplay.from_estimator(model).axes_["loss"].get_ylabel()
    'loss'
    """

    ax_: Axes
    axes_: dict[str, Axes]
    figure_: Figure | SubFigure

    def __init__(self, history: pd.DataFrame, *, n_iter: int | None = None) -> None:
        self.history = history
        self.n_iter = n_iter

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Axes | None = None) -> LossCurveDisplay:
        """Draw the loss curve of a fitted estimator.

        Parameters
        ----------
        estimator : AttentionLSTMRegressor
            A fitted estimator.

        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a figure.

        Returns
        -------
        display : LossCurveDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the estimator is a ``Pipeline``.
        """
        if hasattr(estimator, "steps"):
            raise ValueError(
                "The estimator must have a history_, as AttentionLSTMRegressor has. Got "
                f"{type(estimator).__name__} instead; draw its last step, pipeline[-1]."
            )
        check_is_fitted(estimator, "history_")
        return cls(estimator.history_, n_iter=getattr(estimator, "n_iter_", None)).plot(ax)

    def plot(self, ax: Axes | None = None) -> LossCurveDisplay:
        """Draw the loss curve.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a figure of a suitable size.

        Returns
        -------
        self : LossCurveDisplay
            With ``ax_``, ``axes_`` and ``figure_``.

        Raises
        ------
        ValueError
            If the history lacks a column.
        """
        history = self.history
        missing = [name for name in ("epoch", "train_loss") if name not in history]
        if missing:
            raise ValueError(
                "history must have the columns 'epoch' and 'train_loss'. Got "
                f"{list(history.columns)} instead; pass the history_ of a fitted estimator."
            )
        ax = new_axes(ax, 8, 3.6)
        ax.set_axis_off()
        width, height = size_of(ax)
        phases = _phases(history, width) if "phase" in history else []
        # Room above the panel for the rows of the phases' names.
        n_rows = 1 + max((phase.row for phase in phases), default=-1)
        panel = ax.inset_axes((0, 0, 1, 1 - 0.18 * n_rows / height))
        self.ax_, self.axes_, self.figure_ = ax, {"loss": panel}, ax.figure
        self._draw_losses(panel)
        if self.n_iter is not None:
            panel.axvline(self.n_iter, color=INK, linestyle=":", linewidth=1.5)
        line_height = 1.3 * font_size(panel)
        for i, phase in enumerate(phases):
            shade = PHASE_SHADES[i % len(PHASE_SHADES)]
            panel.axvspan(phase.start, phase.end, color=shade, linewidth=0, zorder=0)
            panel.annotate(
                phase.name,
                (phase.start, 1),
                xycoords=panel.get_xaxis_transform(),
                xytext=(1, 3 + line_height * phase.row),
                textcoords="offset points",
                fontsize="small",
            )
        first, last = history["epoch"].iloc[[0, -1]]
        panel.set_xlim(first - 0.5, last + 0.5)
        panel.locator_params(axis="x", integer=True)
        kept = "" if self.n_iter is None else f"; weights of epoch {self.n_iter} kept (dotted)"
        set_title(ax, f"Loss over {len(history)} epochs{kept}")
        return self

    def _draw_losses(self, panel: Axes) -> None:
        """Draw a curve for each loss that the history has."""
        history = self.history
        drawn = {name: style for name, style in LOSSES.items() if name in history}
        one_epoch = "o" if len(history) == 1 else None
        for name, (label, color, line) in drawn.items():
            panel.plot(
                history["epoch"],
                history[name],
                color=color,
                linestyle=line,
                label=label,
                marker=one_epoch,
            )
        set_loss_scale(panel, history[list(drawn)].to_numpy(dtype=float))
        panel.set_xlabel("epoch")
        panel.set_ylabel("loss")
        panel.legend(loc="best")


class _Phase(NamedTuple):
    """A phase of the training: where it starts and ends, and in which row its name stands."""

    start: float
    end: float
    name: str
    row: int


def _phases(history: pd.DataFrame, width: float) -> list[_Phase]:
    """Return the phases in order, with rows in which their names do not overlap."""
    epochs, names = history["epoch"].to_numpy(), history["phase"].astype(str).to_numpy()
    starts = np.flatnonzero(np.r_[True, names[1:] != names[:-1]])
    per_inch = len(epochs) / width
    row_ends: list[float] = []  # of the last name in each row
    phases = []
    for start, after in zip(starts, [*starts[1:], len(epochs)], strict=True):
        row = next((i for i, end in enumerate(row_ends) if end <= start), len(row_ends))
        row_ends[row : row + 1] = [start + (0.1 + 0.075 * len(names[start])) * per_inch]
        phases.append(_Phase(epochs[start] - 0.5, epochs[after - 1] + 0.5, names[start], row))
    return phases
