"""AttentionDisplay: the attention of a fitted estimator as a picture."""

from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.utils import Bunch
from sklearn.utils.validation import check_is_fitted

from .._regressor import ATTENTION_ATTRIBUTES
from ._kinds import KINDS

AXES = ("time", "feature", "cell")
# What each kind draws unless another is asked for: the first that the display has.
FIRST_KINDS = {"cell": "map", "feature": "feature", "time": "time", "curves": "faithfulness"}
CURVE_COLUMNS = ("order", "kind", "fraction", "error", "low", "high")


class AttentionDisplay:
    """Draw attention over time steps, over features, or over both.

    Create it with :meth:`from_estimator`, :meth:`from_refits` or :meth:`from_faithfulness`. The
    kinds of picture are

    - ``"map"``: time x feature, with bars of its sums. White cells have next to none.
    - ``"sample"``: the series of one sample in their own units, shaded where its attention lies;
      the most attended features first, without those that have less than 0.1 % of it.
    - ``"feature"``: bars of the attention on each feature, the most attended first, with their
      spread over samples or refits.
    - ``"time"``: the same on each time step.
    - ``"faithfulness"``: how the error changes as the input is taken away, or given, in the order
      of attention.

    Steps are numbered backwards from the newest, which is 0; the steps of a sample have time
    stamps where ``X`` is a DataFrame with a time index. A dashed line marks what each step or
    feature would get if attention were uniform; a map is in units of that.

    Parameters
    ----------
    time : ndarray of shape (n_timesteps,) or None, default=None
        Attention on each step, oldest first.

    feature : ndarray of shape (n_features,) or None, default=None
        Attention on each feature.

    cell : ndarray of shape (n_timesteps, n_features) or None, default=None
        Attention on each cell; ``time`` and ``feature`` are then its margins.

    feature_names : list of str or None, default=None
        Names of the features; None numbers them.

    time_spread : ndarray of shape (n, n_timesteps) or None, default=None
        Attention on each step, of each sample or refit.

    feature_spread : ndarray of shape (n, n_features) or None, default=None
        Attention on each feature, of each sample or refit.

    spread_over : str, default="samples"
        What the rows of the two are, in a word for the title.

    sample : Bunch or None, default=None
        One sample: ``series`` of shape (n_timesteps, n_features) in their own units, ``title``,
        ``times`` (a DatetimeIndex or None) and its attention under ``time``, ``feature`` and
        ``cell``, as far as the mode has them.

    curves : DataFrame or None, default=None
        With the columns ``order``, ``kind``, ``fraction``, ``error``, ``low`` and ``high``.

    areas : DataFrame or None, default=None
        With the index (order, kind) and the columns ``area``, ``low`` and ``high``.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes. Where a kind has several panels, they lie inside it.

    axes_ : dict
        The panels by name: ``"map"``, ``"time"`` and ``"feature"`` of a map; a feature's name
        each of a sample; ``"comprehensiveness"`` and ``"sufficiency"`` of faithfulness.

    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    LossCurveDisplay : The losses of a fit as a picture.

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

    def __init__(
        self,
        *,
        time=None,
        feature=None,
        cell=None,
        feature_names=None,
        time_spread=None,
        feature_spread=None,
        spread_over="samples",
        sample=None,
        curves=None,
        areas=None,
    ):
        self.time = time
        self.feature = feature
        self.cell = cell
        self.feature_names = feature_names
        self.time_spread = time_spread
        self.feature_spread = feature_spread
        self.spread_over = spread_over
        self.sample = sample
        self.curves = curves
        self.areas = areas

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X=None,
        y=None,
        *,
        kind=None,
        sample=-1,
        groups=None,
        feature_names=None,
        max_features=None,
        ax=None,
    ):
        """Draw the attention of a fitted estimator.

        Parameters
        ----------
        estimator : AttentionLSTMRegressor
            Fitted, with an ``attention_mode``.

        X : array-like or None, default=None
            Draw the attention on these windows or rows; None draws the mean attention on the
            training windows, without spread.

        y : array-like or None, default=None
            The truth of each of them, for the title of kind ``"sample"``.

        kind : {"map", "sample", "feature", "time"} or None, default=None
            What to draw. None draws the map in the mode ``"both"``, else bars.

        sample : int, default=-1
            Which window or row of ``X`` kind ``"sample"`` draws; -1 is the last.

        groups : array-like of shape (n_samples,) or None, default=None
            Series of each row of ``X``.

        feature_names : list of str or None, default=None
            Names; None takes ``feature_names_in_``, else numbers.

        max_features : int or None, default=None
            Draw only so many features, the most attended. None draws all of them, and six of a
            sample.

        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : AttentionDisplay
            Drawn.

        Raises
        ------
        ValueError
            If the estimator has no attention of the kind that is asked for.
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
            given = {
                axes: getattr(estimator, name)
                for name, (axes, _) in ATTENTION_ATTRIBUTES.items()
                if axes in AXES and hasattr(estimator, name)
            }
        else:
            weights = estimator.attention_weights(X, groups=groups)
            given = {axes: weights[axes].mean(axis=0) for axes in AXES if axes in weights}
            spread = {f"{axes}_spread": weights.get(axes) for axes in ("time", "feature")}
            given |= spread | {"sample": _one_sample(estimator, X, y, weights, groups, sample)}
        display = cls(**given, feature_names=feature_names)
        return display.plot(ax, kind=kind, max_features=max_features)

    @classmethod
    def from_refits(cls, result, *, kind=None, max_features=None, ax=None):
        """Draw how the attention agrees between refits.

        Parameters
        ----------
        result : Bunch
            As :func:`sk_tsattn.inspection.refit_agreement` gives it: ``feature`` and ``time`` are
            DataFrames with a column for each refit (or one of them, or one is None).

        kind : {"feature", "time"} or None, default=None
            What to draw. None draws the features if there are some.

        max_features : int or None, default=None
            Draw only so many features, the most attended. None draws all of them.

        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : AttentionDisplay
            Drawn.

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
        frames = {axes: result.get(axes) for axes in ("feature", "time")}
        frames = {axes: frame for axes, frame in frames.items() if frame is not None}
        if not frames:
            raise ValueError(
                "The result must have a DataFrame under 'feature' or 'time', with a column for "
                f"each refit. Got {sorted(result)} instead; compute it with "
                "sk_tsattn.inspection.refit_agreement."
            )
        given: dict = {axes: frame.mean(axis=1).to_numpy() for axes, frame in frames.items()}
        given |= {f"{axes}_spread": frame.to_numpy().T for axes, frame in frames.items()}
        names = [str(name) for name in frames["feature"].index] if "feature" in frames else None
        display = cls(**given, feature_names=names, spread_over="refits")
        return display.plot(ax, kind=kind, max_features=max_features)

    @classmethod
    def from_faithfulness(cls, result, *, ax=None):
        """Draw whether the error follows the attention.

        Parameters
        ----------
        result : Bunch
            As :func:`sk_tsattn.inspection.faithfulness` gives it, with the DataFrames ``curves``
            and ``areas``.

        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : AttentionDisplay
            Drawn.

        Examples
        --------
        >>> import matplotlib
        >>> matplotlib.use("Agg")
        >>> import pandas as pd
        >>> from sklearn.utils import Bunch
        >>> from sk_tsattn import AttentionDisplay
        >>> curve = {"order": "attention", "kind": "comprehensiveness", "fraction": [0, 0.5, 1]}
        >>> curve |= {"error": [0.1, 0.8, 1.0], "low": [0.1, 0.7, 0.9], "high": [0.1, 0.9, 1.1]}
        >>> result = Bunch(curves=pd.DataFrame(curve), areas=None)
        >>> list(AttentionDisplay.from_faithfulness(result).axes_)
        ['comprehensiveness']
        """
        curves = result.get("curves")
        missing = sorted(set(CURVE_COLUMNS) - set(getattr(curves, "columns", ())))
        if missing:
            raise ValueError(
                f"The result must have a DataFrame under 'curves' with the columns "
                f"{', '.join(CURVE_COLUMNS)}. Got one without {', '.join(missing)} instead; "
                "compute it with sk_tsattn.inspection.faithfulness."
            )
        return cls(curves=curves, areas=result.get("areas")).plot(ax, kind="faithfulness")

    def plot(self, ax=None, *, kind=None, max_features=None):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where; None makes a figure of a fitting size.

        kind : str or None, default=None
            What to draw, as the class describes it. None draws the first of ``"map"``,
            ``"feature"``, ``"time"`` and ``"faithfulness"`` that the display has numbers for.

        max_features : int or None, default=None
            Draw only so many features, the most attended. None draws all of them, and six of a
            sample.

        Returns
        -------
        self : AttentionDisplay
            With ``ax_``, ``axes_`` and ``figure_``.

        Raises
        ------
        ValueError
            If the display lacks what the kind draws.
        """
        if kind is None:
            has = [k for name, k in FIRST_KINDS.items() if getattr(self, name) is not None]
            kind = has[0] if has else "sample"
        if kind not in KINDS:
            raise ValueError(
                f"kind must be one of {', '.join(map(repr, KINDS))}. Got {kind!r} instead."
            )
        whole = isinstance(max_features, Integral) and not isinstance(max_features, bool)
        if max_features is not None and not (whole and max_features > 0):
            raise ValueError(
                f"max_features must be a whole number > 0, or None. Got {max_features!r} instead."
            )
        self.ax_, self.axes_ = KINDS[kind](self, ax, max_features)
        self.figure_ = self.ax_.figure
        return self


def _one_sample(estimator, X, y, weights, groups, sample):
    """Collect what there is to draw of one sample.

    Its values are in the units of ``X``; steps that a short window lacks are NaN.
    """
    windows = estimator._lay_out(X, groups)
    n_samples = len(windows)
    if not (isinstance(sample, int | np.integer) and -n_samples <= sample < n_samples):
        raise ValueError(
            f"sample must be the position of one of the {n_samples} samples of X. Got {sample!r} "
            "instead; 0 is the first, -1 the last."
        )
    if y is not None and len(y) != n_samples:
        raise ValueError(
            f"y must have a row for each of the {n_samples} samples of X. Got {len(y)} instead."
        )
    at = range(n_samples)[sample]
    offsets = np.arange(1 - windows.lookback, 1)
    values, mask = windows.take(np.array([at]), offsets)
    values = np.array(values[0], dtype=float)
    if mask is not None:
        values[~mask[0]] = np.nan
    title = f"{_label_of(X, at)}: predicted {_numbers(estimator.predict(X, groups=groups)[at])}"
    if y is not None:
        title += f", true {_numbers(np.asarray(y)[at])}"
    times = _times_of(estimator, X, windows, at) if mask is None or mask.all() else None
    own = {axes: weights[axes][at] for axes in AXES if axes in weights}
    return Bunch(series=values, times=times, title=title, **own)


def _label_of(X, at):
    """Name a sample by its label in the index, or by its position."""
    if not isinstance(X, pd.DataFrame):
        return f"Sample {at}"
    label = X.index[at]
    return ", ".join(map(str, label)) if isinstance(label, tuple) else str(label)


def _numbers(y):
    return ", ".join(f"{value:.4g}" for value in np.atleast_1d(y))


def _times_of(estimator, X, windows, at):
    """Time stamps of the steps of a sample as a DatetimeIndex; None where there are none."""
    if not isinstance(X, pd.DataFrame):
        return None
    index = X.index
    n_context = len(windows.values) - len(X)
    if n_context and len(estimator.context_) == n_context:
        index = estimator.context_.index.append(index)
    elif n_context:
        return None
    times = index.get_level_values(-1)
    if isinstance(times, pd.PeriodIndex):
        times = times.to_timestamp()
    if not isinstance(times, pd.DatetimeIndex):
        return None
    rows = windows.last[at] + np.arange(1 - windows.lookback, 1)
    times = times[rows if windows.order is None else windows.order[rows]]
    if times.tz is not None:  # the clock on the wall at the newest step, which never jumps
        times = times.tz_convert("UTC").tz_localize(None) + times[-1].utcoffset()
    return times
