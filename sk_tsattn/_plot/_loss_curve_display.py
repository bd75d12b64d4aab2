"""LossCurveDisplay: the losses of a fit, epoch by epoch, as a picture."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ._style import BLUE, GREEN, INK, VERMILION, new_axes, set_title, size_of

# Losses that fall by more than this factor are drawn on a log scale.
LOG_RATIO = 10
LOSSES = {"train_loss": ("training", BLUE, "-"), "valid_loss": ("validation", VERMILION, "--")}
PHASE_SHADES = ("#f2f2f2", "#dedede")


class LossCurveDisplay:
    """Draw the losses of a fit, and the epoch whose weights were kept.

    Losses are drawn on a log scale where they fall by more than a factor of ten. A history with a
    column ``open``, the share of the input that is used, gets a second panel for it; one with a
    column ``phase`` is shaded phase by phase.

    Parameters
    ----------
    history : DataFrame
        A row for each epoch, as an estimator's ``history_``: the columns ``epoch`` and
        ``train_loss``; ``valid_loss``, ``open`` and ``phase`` if there are any.

    n_iter : int or None, default=None
        The epoch that was kept; None marks none.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes. The panels lie inside it.

    axes_ : dict
        The panels: ``"loss"``, and ``"open"`` where the history has such a column.

    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    AttentionDisplay : The attention of a fitted estimator as a picture.

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

    def __init__(self, history, *, n_iter=None):
        self.history = history
        self.n_iter = n_iter

    @classmethod
    def from_estimator(cls, estimator, *, ax=None):
        """Draw the history of a fitted estimator.

        Parameters
        ----------
        estimator : AttentionLSTMRegressor
            Fitted.

        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : LossCurveDisplay
            Drawn.
        """
        if hasattr(estimator, "steps"):
            raise ValueError(
                "The estimator must have a history_, as AttentionLSTMRegressor has. Got "
                f"{type(estimator).__name__} instead; draw its last step, pipeline[-1]."
            )
        check_is_fitted(estimator, "history_")
        return cls(estimator.history_, n_iter=getattr(estimator, "n_iter_", None)).plot(ax)

    def plot(self, ax=None):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where; None makes a figure.

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
                f"{list(history.columns)} instead; give the history_ of a fitted estimator."
            )
        has_open = "open" in history
        ax = new_axes(ax, 8, 4.8 if has_open else 3.6)
        ax.set_axis_off()
        self.ax_, self.figure_, self.axes_ = ax, ax.figure, {}
        width, height = size_of(ax)
        labels = _phase_labels(history, width) if "phase" in history else []
        top = 1 - 0.18 * (1 + max((row for *_, row in labels), default=-1)) / height
        low = 0.38 * top if has_open else 0.0
        loss = self.axes_["loss"] = ax.inset_axes((0, low, 1, top - low))
        self._draw_losses(loss)
        loss.set_xlabel("epoch")
        if has_open:
            gap = 0.12 / height
            share = self.axes_["open"] = ax.inset_axes((0, 0, 1, low - gap), sharex=loss)
            share.plot(history["epoch"], history["open"], color=GREEN)
            share.set_ylim(0, 1.05 * max(history["open"].max(), 1e-3))
            share.locator_params(axis="y", nbins=3)
            share.set_ylabel("share of\ninput used")
            share.set_xlabel("epoch")
            loss.set_xlabel("")
            loss.tick_params(labelbottom=False)
        for panel in self.axes_.values():
            if self.n_iter is not None:
                panel.axvline(self.n_iter, color=INK, linestyle=":", linewidth=1.5)
            for i, (start, end, *_) in enumerate(labels):
                shade = PHASE_SHADES[i % len(PHASE_SHADES)]
                panel.axvspan(start, end, color=shade, linewidth=0, zorder=0)
        letter = loss.xaxis.label.get_fontsize()
        for start, _, name, row in labels:
            loss.annotate(
                name,
                (start, 1),
                xycoords=loss.get_xaxis_transform(),
                xytext=(1, 3 + 1.3 * letter * row),
                textcoords="offset points",
                fontsize="small",
            )
        first, last = history["epoch"].iloc[[0, -1]]
        loss.set_xlim(first - 0.5, last + 0.5)
        loss.xaxis.get_major_locator().set_params(integer=True)
        kept = (
            "" if self.n_iter is None else f"; the weights of epoch {self.n_iter} are kept (dotted)"
        )
        set_title(ax, f"Loss over {len(history)} epochs{kept}")
        return self

    def _draw_losses(self, ax):
        history = self.history
        drawn = {name: style for name, style in LOSSES.items() if name in history}
        one_epoch = "o" if len(history) == 1 else None
        for name, (label, color, line) in drawn.items():
            ax.plot(
                history["epoch"],
                history[name],
                color=color,
                linestyle=line,
                label=label,
                marker=one_epoch,
            )
        values = history[list(drawn)].to_numpy(dtype=float)
        values = values[np.isfinite(values)]
        if values.size and values.min() > 0 and values.max() > LOG_RATIO * values.min():
            ax.set_yscale("log")
            if values.max() < 1000 * values.min():  # 0.2 rather than 2 x 10^-1
                ax.yaxis.get_major_locator().set_params(subs=(1, 2, 5))
                ax.yaxis.set_major_formatter("{x:g}")
                ax.yaxis.set_minor_formatter("")
        ax.set_ylabel("loss")
        ax.legend(loc="best")


def _phase_labels(history, width):
    """Find the phases: [(start, end, name, row of its label)], with rows so that none overlap."""
    epochs, phases = history["epoch"].to_numpy(), history["phase"].astype(str).to_numpy()
    starts = np.flatnonzero(np.r_[True, phases[1:] != phases[:-1]])
    per_inch = len(epochs) / width
    ends: list[float] = []  # of the labels in each row
    found = []
    for start, after in zip(starts, [*starts[1:], len(epochs)], strict=True):
        row = next((i for i, end in enumerate(ends) if end <= start), len(ends))
        end = start + (0.1 + 0.075 * len(phases[start])) * per_inch
        ends[row : row + 1] = [end]
        found.append((epochs[start] - 0.5, epochs[after - 1] + 0.5, phases[start], row))
    return found
