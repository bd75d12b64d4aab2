"""AttentionDisplay: the attention of a fitted estimator as a figure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import Bunch
from sklearn.utils.validation import check_is_fitted

from .._data._checks import check_int
from ..attention._kinds import ATTENTION_KINDS
from ._bars import draw_feature_bars, draw_time_bars
from ._map import draw_map
from ._sample import draw_sample, sample_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure


class Kind(NamedTuple):
    """A kind of figure: the function that draws it, and what it needs of the display."""

    draw: Callable[[AttentionDisplay, Axes | None, int | None], tuple[Axes, dict[str, Axes]]]
    attribute: str
    needs: str
    advice: str


# The single list of kinds. The first whose attribute a display has is its default.
KINDS = {
    "map": Kind(draw_map, "cell", "attention over both axes", "fit with attention_mode='both'"),
    "feature": Kind(
        draw_feature_bars,
        "feature",
        "attention over features",
        "fit with attention_mode='feature' or 'both'",
    ),
    "time": Kind(
        draw_time_bars, "time", "attention over time", "fit with attention_mode='time' or 'both'"
    ),
    "sample": Kind(
        draw_sample,
        "sample",
        "a sample",
        "give X and the position of the sample in it: "
        "AttentionDisplay.from_estimator(estimator, X, kind='sample', sample=-1)",
    ),
}


class AttentionDisplay:
    """Draw attention over time steps, over features, or over both.

    Create it with :meth:`from_estimator` or :meth:`from_refits`. The kinds of figure are

    - ``"map"``: a heat map of time and feature, with bars of its margins. Cells with less than
      5 % of uniform attention are white.
    - ``"feature"``: bars of the attention on each feature, the most attended first, with their
      spread over samples or refits.
    - ``"time"``: the same on each time step.
    - ``"sample"``: the series of one sample in their own units, shaded by its attention; the most
      attended features first, without those with less than 0.1 % of it.

    Steps are numbered backwards from the newest, which is 0. The steps of a sample have time
    stamps if ``X`` is a DataFrame with a time index. A dashed line marks uniform attention; a map
    is in units of it.

    Parameters
    ----------
    time : ndarray of shape (n_timesteps,) or None, default=None
        Attention on each step, oldest first.

    feature : ndarray of shape (n_features,) or None, default=None
        Attention on each feature.

    cell : ndarray of shape (n_timesteps, n_features) or None, default=None
        Attention on each cell; ``time`` and ``feature`` are then its margins.

    feature_names : sequence of str or None, default=None
        Names of the features. None numbers them.

    time_spread : ndarray of shape (n, n_timesteps) or None, default=None
        Attention on each step, of each of n samples or refits.

    feature_spread : ndarray of shape (n, n_features) or None, default=None
        Attention on each feature, of each of n samples or refits.

    spread_over : str, default="samples"
        What the n rows of ``time_spread`` and ``feature_spread`` are, for the title.

    sample : Bunch or None, default=None
        One sample: ``series`` of shape (n_timesteps, n_features) in their own units, ``title``,
        ``times`` (a DatetimeIndex or None) and its attention as ``time``, ``feature`` and
        ``cell``, as far as the attention mode defines them.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes. If a kind has several panels, they lie inside them.

    axes_ : dict
        The panels by name: ``"map"``, ``"time"`` and ``"feature"`` of a map; the names of the
        features of a sample.

    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    FaithfulnessDisplay : Draw whether the error follows the attention.
    LossCurveDisplay : Draw the loss curve of a fit.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sk_tsattn import AttentionDisplay, AttentionLSTMRegressor
    >>> from sk_tsattn.datasets import make_fixed_cells
    >>> X, y, _ = make_fixed_cells(n_samples=200, n_timesteps=12, n_features=6, random_state=0)
    >>> model = AttentionLSTMRegressor(
    ...     attention="dense", max_epochs=5, random_state=0
    ... ).fit(X, y)
    >>> display = AttentionDisplay.from_estimator(model)
    >>> sorted(display.axes_)
    ['feature', 'map', 'time']

    One sample, the most attended features first; the same numbers as bars:

    >>> display = AttentionDisplay.from_estimator(model, X, y, kind="sample", max_features=3)
    >>> len(display.axes_)
    3
    >>> list(display.plot(kind="feature").axes_)
    ['feature']
    """

    ax_: Axes
    axes_: dict[str, Axes]
    figure_: Figure | SubFigure

    def __init__(
        self,
        *,
        time: NDArray[np.float64] | None = None,
        feature: NDArray[np.float64] | None = None,
        cell: NDArray[np.float64] | None = None,
        feature_names: Sequence[str] | None = None,
        time_spread: NDArray[np.float64] | None = None,
        feature_spread: NDArray[np.float64] | None = None,
        spread_over: str = "samples",
        sample: Bunch | None = None,
    ) -> None:
        self.time = time
        self.feature = feature
        self.cell = cell
        self.feature_names = feature_names
        self.time_spread = time_spread
        self.feature_spread = feature_spread
        self.spread_over = spread_over
        self.sample = sample

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any = None,
        y: ArrayLike | None = None,
        *,
        kind: str | None = None,
        sample: int = -1,
        groups: ArrayLike | None = None,
        feature_names: Sequence[str] | None = None,
        max_features: int | None = None,
        ax: Axes | None = None,
    ) -> AttentionDisplay:
        """Draw the attention of a fitted estimator.

        Parameters
        ----------
        estimator : AttentionLSTMRegressor
            A fitted estimator with an ``attention_mode``.

        X : array-like or None, default=None
            Windows or rows whose attention is drawn. None draws the mean attention on the
            training windows, without spread.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs) or None, default=None
            True targets, for the title of kind ``"sample"``.

        kind : {"map", "feature", "time", "sample"} or None, default=None
            What to draw. None draws the map in attention mode ``"both"``, else bars.

        sample : int, default=-1
            Position in ``X`` of the sample that kind ``"sample"`` draws; -1 is the last.

        groups : array-like of shape (n_samples,) or None, default=None
            Series of each row of ``X``, for an estimator that was fitted with them. Not needed
            if ``X`` has a MultiIndex (series, time).

        feature_names : sequence of str or None, default=None
            Names of the features. None takes ``feature_names_in_``, else numbers.

        max_features : int or None, default=None
            Number of features drawn, the most attended. None draws all of them, and six of a
            sample.

        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a figure.

        Returns
        -------
        display : AttentionDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the estimator has no attention of this kind, or ``X`` or ``groups`` do not fit it.
        """
        if not hasattr(estimator, "attention_weights"):
            raise ValueError(
                "The estimator must have attention_weights, as AttentionLSTMRegressor has. Got "
                f"{type(estimator).__name__} instead; of a Pipeline draw the last step, "
                "pipeline[-1], and give it X as that step sees it: pipeline[:-1].transform(X)."
            )
        check_is_fitted(estimator)
        if getattr(estimator, "attention_mode", "both") is None:
            raise ValueError(
                "The estimator must have attention. Got one with attention_mode=None instead; "
                "fit with attention_mode='time', 'feature' or 'both'."
            )
        if feature_names is None:
            feature_names = getattr(estimator, "feature_names_in_", None)
        if X is None:
            attention = {
                axes: getattr(estimator, name)
                for axes, (name, _) in ATTENTION_KINDS.items()
                if hasattr(estimator, name)
            }
            display = cls(**attention, feature_names=feature_names)
        else:
            weights = estimator.attention_weights(X, groups=groups)
            attention = {axes: weights[axes] for axes in ATTENTION_KINDS if axes in weights}
            display = cls(
                **{axes: values.mean(axis=0) for axes, values in attention.items()},
                time_spread=attention.get("time"),
                feature_spread=attention.get("feature"),
                sample=sample_of(estimator, X, y, weights, groups, sample),
                feature_names=feature_names,
            )
        return display.plot(ax, kind=kind, max_features=max_features)

    @classmethod
    def from_refits(
        cls,
        result: Any,
        *,
        kind: str | None = None,
        max_features: int | None = None,
        ax: Axes | None = None,
    ) -> AttentionDisplay:
        """Draw the attention of several refits.

        Parameters
        ----------
        result : Bunch
            The result of :func:`sk_tsattn.inspection.refit_agreement`: ``feature`` and ``time``
            are DataFrames with a column for each refit (one of them may be None).

        kind : {"feature", "time"} or None, default=None
            What to draw. None draws the features if there are any.

        max_features : int or None, default=None
            Number of features drawn, the most attended. None draws all of them.

        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a figure.

        Returns
        -------
        display : AttentionDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the result has neither features nor steps.

        Examples
        --------
        >>> import matplotlib
        >>> matplotlib.use("Agg")
        >>> import pandas as pd
        >>> from sklearn.utils import Bunch
        >>> from sk_tsattn import AttentionDisplay
        >>> refits = pd.DataFrame({0: [0.7, 0.3], 1: [0.8, 0.2]}, index=["wind", "rain"])
        >>> display = AttentionDisplay.from_refits(Bunch(feature=refits, time=None))
        >>> display.feature
        array([0.75, 0.25])
        """
        feature, time = result.get("feature"), result.get("time")
        if feature is None and time is None:
            raise ValueError(
                "The result must have a DataFrame under 'feature' or 'time', with a column for "
                f"each refit. Got {sorted(result)} instead; compute it with "
                "sk_tsattn.inspection.refit_agreement."
            )
        display = cls(
            feature=None if feature is None else feature.mean(axis=1).to_numpy(),
            time=None if time is None else time.mean(axis=1).to_numpy(),
            feature_names=None if feature is None else [str(name) for name in feature.index],
            feature_spread=None if feature is None else feature.to_numpy().T,
            time_spread=None if time is None else time.to_numpy().T,
            spread_over="refits",
        )
        return display.plot(ax, kind=kind, max_features=max_features)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        kind: str | None = None,
        max_features: int | None = None,
    ) -> AttentionDisplay:
        """Draw the attention.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a figure of a suitable size.

        kind : {"map", "feature", "time", "sample"} or None, default=None
            What to draw. None draws the first of these that the display has data for.

        max_features : int or None, default=None
            Number of features drawn, the most attended. None draws all of them, and six of a
            sample.

        Returns
        -------
        self : AttentionDisplay
            With ``ax_``, ``axes_`` and ``figure_``.

        Raises
        ------
        ValueError
            If the display lacks what the kind needs.
        """
        available = [name for name in KINDS if getattr(self, KINDS[name].attribute) is not None]
        if kind is None:
            kind = available[0] if available else "sample"
        if kind not in KINDS:
            raise ValueError(
                f"kind must be one of {', '.join(map(repr, KINDS))}. Got {kind!r} instead."
            )
        draw, _, needs, advice = KINDS[kind]
        if kind not in available:
            has = " and ".join(map(repr, available)) or "nothing"
            drawable = "".join(f", or draw kind={name!r}" for name in available)
            raise ValueError(
                f"kind={kind!r} needs {needs}. Got a display of {has} instead; {advice}{drawable}."
            )
        if max_features is not None:
            check_int(max_features, "max_features", 1, otherwise=" or None")
        self.ax_, self.axes_ = draw(self, ax, max_features)
        self.figure_ = self.ax_.figure
        return self
