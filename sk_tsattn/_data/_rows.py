"""Rows of one or several series: which series and time each row belongs to."""

import math
import warnings
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ._input import check_features


@dataclass
class Rows:
    """Checked input: a series, several series, or windows.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_features) or (n_samples, n_timesteps, n_features)
        The numbers as they came, not copied.

    codes : int ndarray of shape (n_rows,) or None
        Series of each row; None where there is but one.

    series : pandas.Index
        Label of each series.

    times : pandas.Index or None
        Time label of each row; None for arrays.

    columns : list
        Name of each feature, or its number.
    """

    values: np.ndarray
    codes: np.ndarray | None
    series: pd.Index
    times: pd.Index | None
    columns: list

    def __len__(self):
        return len(self.values)

    def series_codes(self):
        """Series of each row, also where there is but one."""
        return np.zeros(len(self), dtype=np.intp) if self.codes is None else self.codes

    def tail(self, n_rows):
        """Take the last ``n_rows`` rows of each series, as a DataFrame in the rows' own order."""
        n_rows = n_rows if self.values.ndim == 2 else 0
        codes = self.series_codes()
        from_end = pd.Series(codes[::-1]).groupby(codes[::-1]).cumcount().to_numpy()[::-1]
        kept = np.flatnonzero(from_end < n_rows)
        times = pd.RangeIndex(len(self)) if self.times is None else self.times
        index = times[kept]
        if self.codes is not None:
            index = pd.MultiIndex.from_arrays([self.series[codes[kept]], index])
        values = self.values if self.values.ndim == 2 else self.values[:, 0]
        return pd.DataFrame(values[kept], index=index, columns=self.columns)

    def next_times(self):
        """Foretell the time label of the row that would follow each series.

        Returns
        -------
        next_times : dict
            From the label of a series to that of its next row; without the series whose time
            labels do not tell.
        """
        if self.times is None or self.values.ndim == 3:
            return {}
        if self.codes is None:
            found = {self.series[0]: _next_time(self.times)}
        else:
            order = np.argsort(self.codes, kind="stable")
            of_each = np.split(order, np.flatnonzero(np.diff(self.codes[order])) + 1)
            found = {
                self.series[self.codes[rows[0]]]: _next_time(self.times[rows]) for rows in of_each
            }
        return {label: time for label, time in found.items() if time is not None}

    def preceded_by(self, context, next_times):
        """Put the history that a fit has kept before the series that go on from it.

        Parameters
        ----------
        context : DataFrame
            Rows as :meth:`tail` gave them.

        next_times : dict or None
            As :meth:`next_times` gave them: only series whose first time label is the one
            foretold are preceded. None precedes every series that ``context`` holds.

        Returns
        -------
        rows : Rows
            With the context's rows first.

        n_context : int
            How many rows have come in.
        """
        several = isinstance(context.index, pd.MultiIndex)
        if several != (self.codes is not None):
            return self, 0
        codes = self.series_codes()
        _, first_rows = np.unique(codes, return_index=True)
        wanted = np.array(
            [
                next_times is None
                or (
                    self.times is not None
                    and label in next_times
                    and _is_same_time(self.times[row], next_times[label])
                )
                for label, row in zip(self.series, first_rows, strict=True)
            ]
        )
        if several:
            of_series = self.series.get_indexer(context.index.get_level_values(0))
        else:
            of_series = np.zeros(len(context), dtype=np.intp)
        kept = (of_series >= 0) & wanted[of_series]
        if not kept.any():
            return self, 0
        before = context.to_numpy()[kept]
        rows = replace(
            self,
            values=np.concatenate([before, self.values]),
            codes=np.concatenate([of_series[kept], codes]) if several else None,
            times=None,
        )
        return rows, len(before)


def check_rows(estimator, X, *, lookback, groups, reset):
    """Check ``X`` and lay it out as rows or windows.

    Parameters
    ----------
    estimator : estimator
        Whose ``n_features_in_`` and ``feature_names_in_`` are set or compared with.

    X : array-like, DataFrame or tensor
        2-D rows or 3-D windows.

    lookback : int or None
        The estimator's parameter.

    groups : array-like of shape (n_rows,) or None
        Series of each row.

    reset : bool
        True in ``fit``.

    Returns
    -------
    rows : Rows
    """
    values, columns = check_features(estimator, X, lookback=lookback, reset=reset)
    frame = X if isinstance(X, pd.DataFrame) else None
    codes, series, times = _series_of(frame, groups, len(values), lookback)
    rows = Rows(values, codes, series, times, columns)
    if values.ndim == 2 and lookback is not None and lookback > 1:
        _check_time_order(rows)
    return rows


def _series_of(frame, groups, n_rows, lookback):
    """Tell the series and the time label of each row."""
    index = pd.RangeIndex(n_rows) if frame is None else frame.index
    panel = lookback is not None and isinstance(index, pd.MultiIndex)
    if panel and index.nlevels != 2:
        raise ValueError(
            "A DataFrame of several series must have a MultiIndex of two levels, (series, time). "
            f"Got {index.nlevels} levels ({', '.join(map(str, index.names))}) instead; join the "
            "levels that tell the series into one."
        )
    times = index.get_level_values(1) if panel else index
    if frame is None or isinstance(times, pd.MultiIndex):
        times = None
    if groups is not None:
        labels = np.asarray(groups)
        if labels.shape != (n_rows,):
            raise ValueError(
                f"groups must have shape ({n_rows},), the series of each row of X. Got an array "
                f"of shape {labels.shape} instead."
            )
    elif panel:
        labels = index.get_level_values(0).to_numpy()
    else:
        return None, pd.Index([0]), times
    codes, series = pd.factorize(labels)
    if (codes < 0).any():
        raise ValueError(
            "Every row must belong to a series. Got rows whose series is missing (NaN or None) "
            "instead; name their series or drop them."
        )
    return codes.astype(np.intp), pd.Index(series), times


def _check_time_order(rows):
    """Raise where time labels run backwards, since then no window is a window of time."""
    if rows.times is None or not _is_measurable(rows.times):
        return
    order = np.argsort(rows.series_codes(), kind="stable")
    labels = rows.times.asi8 if hasattr(rows.times, "asi8") else rows.times.to_numpy()
    backwards = np.diff(labels[order]) < np.zeros(1, labels.dtype)
    same_series = np.diff(rows.series_codes()[order]) == 0
    if (backwards & same_series).any():
        at = order[1:][backwards & same_series][0]
        raise ValueError(
            "With lookback > 1 the rows of X must be in time order, oldest first. Got a row "
            f"labelled {rows.times[at]} after a later one instead; sort the frame with "
            "sort_index(), and do not shuffle it (TimeSeriesSplit instead of shuffled folds)."
        )


def _is_measurable(times):
    """Tell whether differences of the labels are steps of time."""
    if isinstance(times, pd.DatetimeIndex | pd.TimedeltaIndex | pd.PeriodIndex):
        return True
    return pd.api.types.is_numeric_dtype(times.dtype) and not isinstance(times, pd.MultiIndex)


def _next_time(times):
    """Foretell the label that follows ``times``; None where they do not tell."""
    if isinstance(times, pd.PeriodIndex):
        return times[-1] + 1
    if len(times) < 2 or not _is_measurable(times):
        return None
    if isinstance(times, pd.DatetimeIndex) and times.tz is not None:
        local = _next_time(times.tz_localize(None))
        # Days and longer go by the clock on the wall, and so may have 23 or 25 hours.
        if local - times[-1].tz_localize(None) >= pd.Timedelta(days=1):
            return local.tz_localize(times.tz, ambiguous=True, nonexistent="shift_forward")
    if getattr(times, "freq", None) is not None:
        return times[-1] + times.freq
    steps = pd.Series(times[1:]).reset_index(drop=True) - pd.Series(times[:-1])
    step = steps.mode()[0]
    if isinstance(times, pd.DatetimeIndex) and (steps != step).any() and len(times) > 2:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pandas 3 announces another type, which serves
            name = pd.infer_freq(times)  # months, say
        if name is not None:
            return times[-1] + pd.tseries.frequencies.to_offset(name)
    return times[-1] + step


def _is_same_time(label, foretold):
    """Compare time labels; numbers up to rounding."""
    if isinstance(label, float):
        return math.isclose(label, foretold, rel_tol=1e-9)
    return bool(label == foretold)
