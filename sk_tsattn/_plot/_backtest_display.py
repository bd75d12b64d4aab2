"""BacktestDisplay: forecasts against the truth over time, and the error by horizon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ._labels import set_title, short_number
from ._style import BLUE, INK, VERMILION, new_axes, size_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

COLUMNS = ("fold", "horizon", "y_true", "y_pred")
FOLD_SHADES = ("#f2f2f2", "#dedede")
# Series up to this length have a marker on each forecast.
MARKED_ROWS = 60


class BacktestDisplay:
    """Draw the forecasts of a backtest against the truth, or their error by horizon.

    Create it with :meth:`from_backtest`. The kinds of figure are

    - ``"forecast"``: the truth and the forecasts of one series and one horizon over time, with the
      range between the lowest and the highest of the quantiles, if there are any. Each fold is
      shaded, and begins where its estimator was last fitted or used anew.
    - ``"error"``: the root mean squared error of each fold and its mean over folds, by horizon.
      If there is one horizon, by fold.

    Of a classifier, ``"forecast"`` shows the true and the predicted classes, or with ``label`` the
    probability of a class beside 0 or 1 for whether it was the true one; ``"error"`` shows the
    error rate: the fraction of rows whose class is not the predicted one.

    Parameters
    ----------
    predictions : DataFrame
        In long form, as :func:`sk_tsattn.backtest` returns it: indexed by time or by
        (series, time), with the columns ``fold``, ``horizon``, ``y_true`` and ``y_pred``; other
        columns are quantiles. If ``y_true`` is categorical, they are probabilities of classes.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes. The panel lies inside them.

    axes_ : dict
        The panel, by the kind of figure.

    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    sk_tsattn.backtest : Compute the forecasts.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.linear_model import Ridge
    >>> from sk_tsattn import BacktestDisplay, backtest
    >>> from sk_tsattn.datasets import load_gas_furnace
    >>> X, y = load_gas_furnace(return_X_y=True, as_frame=True)
    >>> result = backtest(Ridge(), X, y, cv=3)
    >>> display = BacktestDisplay.from_backtest(result)
    >>> [line.get_label() for line in display.axes_["forecast"].lines[:2]]
    ['truth', 'forecast']
    """

    ax_: Axes
    axes_: dict[str, Axes]
    figure_: Figure | SubFigure

    def __init__(self, predictions: pd.DataFrame) -> None:
        self.predictions = predictions

    @classmethod
    def from_backtest(
        cls,
        result: Any,
        *,
        series: Any = None,
        horizon: Any = None,
        kind: Literal["forecast", "error"] = "forecast",
        label: Any = None,
        ax: Axes | None = None,
    ) -> BacktestDisplay:
        """Draw the result of :func:`sk_tsattn.backtest`.

        Parameters
        ----------
        result : Bunch
            With the DataFrame ``predictions``.

        series : label or None, default=None
            The series to draw. None draws the forecasts of the first one, or the error of all of
            them together.

        horizon : label or None, default=None
            The horizon to draw. None draws the forecasts of the first one, or the errors of all.

        kind : {"forecast", "error"}, default="forecast"
            What to draw.

        label : label or None, default=None
            The class whose probability is drawn, of a backtest with ``method="predict_proba"``.
            None draws the predicted classes.

        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a figure.

        Returns
        -------
        display : BacktestDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If there is no such series, horizon, kind or probability.
        """
        display = cls(result.get("predictions"))
        return display.plot(ax, series=series, horizon=horizon, kind=kind, label=label)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        series: Any = None,
        horizon: Any = None,
        kind: Literal["forecast", "error"] = "forecast",
        label: Any = None,
    ) -> BacktestDisplay:
        """Draw the forecasts or the error.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a figure of a suitable size.

        series, horizon, kind, label
            As in :meth:`from_backtest`.

        Returns
        -------
        self : BacktestDisplay
            With ``ax_``, ``axes_`` and ``figure_``.

        Raises
        ------
        ValueError
            If there is no such series, horizon, kind or probability, or the predictions lack a
            column.
        """
        if kind not in ("forecast", "error"):
            raise ValueError(f"kind must be 'forecast' or 'error'. Got {kind!r} instead.")
        chosen, series, horizon = self._choose(series, horizon, kind)
        if label is not None:
            _check_label(chosen, label, kind)
        ax = new_axes(ax, 9 if kind == "forecast" else 6, 3.8)
        ax.set_axis_off()
        _, height = size_of(ax)
        above = 0.22 / height if kind == "forecast" else 0  # room for the names of the folds
        panel = ax.inset_axes((0, 0, 1, 1 - above))
        if kind == "forecast":
            _draw_forecast(panel, chosen, label)
            subject = f"Forecasts of {chosen['fold'].nunique()} folds"
        else:
            _draw_error(panel, chosen)
            subject = f"Error of {chosen['fold'].nunique()} folds"
        details = [
            f"{name} {value}"
            for name, value in (("series", series), ("horizon", horizon))
            if value is not None
        ]
        error = f"{_error_name(chosen)} {short_number(_error(chosen))} over all rows"
        set_title(ax, f"{', '.join([subject, *details])}: {error}")
        self.ax_, self.axes_, self.figure_ = ax, {kind: panel}, ax.figure
        return self

    def _choose(self, series: Any, horizon: Any, kind: str) -> tuple[pd.DataFrame, Any, Any]:
        """Return the predictions to draw, and the series and the horizon if one was chosen."""
        frame = self.predictions
        missing = [name for name in COLUMNS if name not in getattr(frame, "columns", ())]
        if missing:
            raise ValueError(
                f"predictions must be a DataFrame with the columns {', '.join(COLUMNS)}. Got one "
                f"without {', '.join(missing)} instead; compute it with sk_tsattn.backtest."
            )
        several = isinstance(frame.index, pd.MultiIndex)
        of_row = frame.index.get_level_values(0) if several else None
        if series is not None or (several and kind == "forecast"):
            labels = [] if of_row is None else list(of_row.unique())
            series = _one_of(labels, series, "series")
            frame = frame[np.asarray(of_row == series)]
        if horizon is not None or kind == "forecast":
            horizons = list(frame["horizon"].unique())
            one = len(horizons) == 1
            horizon = _one_of(horizons, horizon, "horizon")
            frame = frame[frame["horizon"].isin([horizon])]
            horizon = None if one else horizon
        return frame, series, horizon


def _one_of(labels: list[Any], wanted: Any, name: str) -> Any:
    """Return the label that is wanted, or the first one."""
    if wanted is None:
        return labels[0]
    if wanted not in labels:
        known = ", ".join(map(str, labels[:9])) or "none"
        raise ValueError(f"{name} must be one of those predicted, {known}. Got {wanted!r} instead.")
    return wanted


def _classes(frame: pd.DataFrame) -> list[Any]:
    """Return the classes; none if the targets are numbers."""
    dtype = frame["y_true"].dtype
    return dtype.categories.tolist() if isinstance(dtype, pd.CategoricalDtype) else []


def _check_label(frame: pd.DataFrame, label: Any, kind: str) -> None:
    """Raise unless there are probabilities of this class to draw."""
    known = [name for name in _classes(frame) if name in frame.columns]
    if kind == "error" or label not in known:
        of = ", ".join(map(str, known[:9])) or "none"
        raise ValueError(
            f"label must be a class whose probability was predicted, {of}, with kind='forecast'. "
            f"Got {label!r} and kind={kind!r} instead; probabilities need "
            "backtest(classifier, ..., method='predict_proba')."
        )


def _as_numbers(frame: pd.DataFrame, label: Any) -> pd.DataFrame:
    """Return the positions of classes, or the probability of one of them, in their place."""
    classes = _classes(frame)
    if not classes:
        return frame
    known, numbers = frame["y_true"].notna(), frame[list(COLUMNS[:2])]
    if label is not None:
        truth = (frame["y_true"] == label).astype(np.float64)
        return numbers.assign(y_true=truth.where(known), y_pred=frame[label])
    truth = frame["y_true"].cat.codes.astype(np.float64)
    return numbers.assign(y_true=truth.where(known), y_pred=frame["y_pred"].cat.codes)


def _error(frame: pd.DataFrame) -> float:
    """Return the root mean squared error, or the error rate of classes, over known targets."""
    if _classes(frame):
        known = frame[frame["y_true"].notna()]
        return float((known["y_true"] != known["y_pred"]).mean())
    return float(np.sqrt(((frame["y_true"] - frame["y_pred"]) ** 2).mean()))


def _error_name(frame: pd.DataFrame) -> str:
    return "error rate" if _classes(frame) else "root mean squared error"


def _places(times: pd.Index) -> NDArray[np.float64]:
    """Return where the time labels lie on the axis."""
    if isinstance(times, pd.PeriodIndex):
        times = times.to_timestamp()
    if isinstance(times, pd.DatetimeIndex):
        from matplotlib.dates import date2num

        days: NDArray[np.float64] = date2num(times.tz_localize(None).to_numpy())  # type: ignore[no-untyped-call]
        return days
    if isinstance(times, pd.TimedeltaIndex):
        return times.total_seconds().to_numpy(dtype=np.float64)
    if pd.api.types.is_numeric_dtype(times.dtype):
        return times.to_numpy(dtype=np.float64)
    return pd.factorize(times)[0].astype(np.float64)


def _draw_forecast(panel: Axes, frame: pd.DataFrame, label: Any) -> None:
    """Draw truth and forecasts over time, fold by fold."""
    times, classes = frame.index.get_level_values(-1), _classes(frame)
    frame = _as_numbers(frame, label).assign(place=_places(times))
    truth = frame.drop_duplicates("place")
    panel.plot(
        truth["place"],
        truth["y_true"],
        color=INK,
        linewidth=1.2,
        drawstyle="steps-mid" if classes else "default",
        label="truth",
    )
    as_points = classes and label is None
    folds = list(frame.groupby("fold", sort=True))
    quantiles = sorted(set(frame.columns) - {*COLUMNS, "place"})
    for i, (_, fold) in enumerate(folds):
        if len(quantiles) > 1:
            low, high = quantiles[0], quantiles[-1]
            panel.fill_between(
                fold["place"],
                fold[low],
                fold[high],
                color=VERMILION,
                alpha=0.25,
                linewidth=0,
                label="_nolegend_" if i else f"quantiles {low:g} to {high:g}",
            )
        panel.plot(
            fold["place"],
            fold["y_pred"],
            color=VERMILION,
            linewidth=0 if as_points else 1.2,
            marker="." if as_points or len(frame) <= MARKED_ROWS or len(fold) == 1 else None,
            label="_nolegend_" if i else "forecast",
        )
    starts = [fold["place"].iloc[0] for _, fold in folds]
    ends = [*starts[1:], folds[-1][1]["place"].iloc[-1]]
    width, _ = size_of(panel)
    every = int(np.ceil(len(folds) * 0.55 / width))  # "fold 12" is 0.55 inches wide
    for i, ((number, _), start, end) in enumerate(zip(folds, starts, ends, strict=True)):
        panel.axvspan(start, end, color=FOLD_SHADES[i % 2], linewidth=0, zorder=0)
        if i % every == 0:
            panel.annotate(
                f"fold {number}",
                (start, 1),
                xycoords=panel.get_xaxis_transform(),
                xytext=(1, 3),
                textcoords="offset points",
                fontsize="small",
            )
    unit = " (seconds)" if isinstance(times, pd.TimedeltaIndex) else ""
    panel.set_xlabel(f"{'row' if times.name is None else times.name}{unit}")
    panel.set_ylabel("target" if label is None else f"probability of {label}")
    if as_points:
        panel.set_yticks(range(len(classes)), [str(name) for name in classes])
        panel.set_ylabel("class")
    panel.margins(x=0.01)
    panel.legend(loc="best")
    if isinstance(times, pd.DatetimeIndex | pd.PeriodIndex):
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

        locator = AutoDateLocator()  # type: ignore[no-untyped-call]  # as is matplotlib.dates
        panel.xaxis.set_major_locator(locator)
        panel.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def _draw_error(panel: Axes, frame: pd.DataFrame) -> None:
    """Draw the error of each fold, and its mean, by horizon or by fold."""
    horizons = list(frame["horizon"].unique())
    by = "horizon" if len(horizons) > 1 else "fold"
    labels = horizons if by == "horizon" else sorted(frame["fold"].unique())
    errors = frame.groupby(["fold", "horizon"], sort=False)[list(COLUMNS[2:])].apply(_error)
    places = [labels.index(key) for key in errors.index.get_level_values(by)]
    if by == "horizon":
        panel.plot(places, errors, "o", color=INK, alpha=0.4, label="each fold")
        mean = errors.groupby(level="horizon", sort=False).mean().reindex(labels)
        panel.plot(range(len(labels)), mean, "-D", color=BLUE, label="mean over folds")
    else:
        panel.plot(places, errors, "o", color=INK, label="each fold")
        panel.axhline(errors.mean(), color=BLUE, label="mean over folds")
    texts = [str(label) for label in labels]
    width, _ = size_of(panel)
    most = width / (0.25 + 0.08 * max(map(len, texts)))  # a letter is 0.08 inches wide
    ticks = range(0, len(texts), int(np.ceil(len(texts) / most)))
    panel.set_xticks(ticks, texts[:: ticks.step])
    panel.set_xlabel(by)
    panel.set_ylabel(_error_name(frame))
    panel.set_ylim(bottom=0)
    panel.legend(loc="best")
