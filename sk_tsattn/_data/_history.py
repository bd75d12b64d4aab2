"""History: the last rows that a fit has seen, and which new rows go on from them."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ._calendar import Calendar, Steps
from ._holes import describe_holes
from ._rows import Rows
from ._stored import put_before
from ._time_labels import kind_of, ordinals
from ._windows import Windows

# The texts of the warning about short windows, and why they are short.
SHORT = (
    "{n} of {n_rows} rows of X have windows shorter than any in fit (fewer than {lookback} rows, "
    "first: {first}), and are predicted less well. {cause}"
)
ADVICE = (
    "Put the {n} rows before them in front of X and drop the predictions of those, or take in the "
    "rows in between with update_context."
)
MISPLACED = (
    'context="train_tail" puts the last rows of fit before X, but X begins at {begin}, which is '
    'not after them ({end}); set context="auto".'
)
CAUSES = {
    "no times": (
        "X has no time labels, so whether it follows the rows of fit is not known. If it follows "
        'them directly, set context="train_tail", or pass time-indexed DataFrames; if not, put the '
        "{n} rows before it in front of X and drop the predictions of those."
    ),
    "not after": (
        "X begins at {begin}, which is not after the last known row ({end}). If its rows have a "
        "past, put the {n} rows before them in front of X and drop the predictions of those."
    ),
    "gap": (
        "X begins at {begin}, {step} after the last known row ({end}); usual are up to {usual}. "
        + ADVICE
    ),
    "new series": (
        "The series {series} has no known rows. If its rows have a past, put the {n} rows before "
        "them in front of X and drop the predictions of those."
    ),
    "few rows": "Only {known} rows before it are known. " + ADVICE,
}


@dataclass(frozen=True)
class History:
    """What is known of the rows before those that come next.

    Parameters
    ----------
    context : DataFrame
        The last ``lookback - 1`` rows of each series, labelled (series, label) or by the label.

    rows : Rows
        The same, with their series and times.

    lookback : int
        Rows of a window.

    calendar : Calendar or None
        Unit of the steps between labels; None if they do not tell time.

    steps : dict
        :class:`Steps` of each series, where known.

    ends : dict
        Time of the last row of each series.
    """

    context: pd.DataFrame
    rows: Rows
    lookback: int
    calendar: Calendar | None = None
    steps: dict[Hashable, Steps | None] = field(default_factory=dict)
    ends: dict[Hashable, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Rows, lookback: int) -> History:
        """Keep the end of ``rows``."""
        calendar = None if rows.times is None else Calendar.of(rows.times)
        steps, ends = {}, {}
        if calendar is not None and rows.times is not None and lookback > 1:
            measured = calendar.measure(rows.times)
            for positions in rows.of_each_series():
                label = rows.series[rows.series_codes()[positions[0]]]
                steps[label] = Steps.of(measured[positions], calendar)
                ends[label] = rows.times[positions[-1]]
        tail = _tail(rows, lookback - 1)
        return cls(as_frame(tail), tail, lookback, calendar, steps, ends)

    @cached_property
    def counts(self) -> dict[Hashable, int]:
        """Number of known rows of each series."""
        counts = np.bincount(self.rows.series_codes(), minlength=len(self.rows.series))
        return dict(zip(self.rows.series, counts.tolist(), strict=True))

    @property
    def named(self) -> bool:
        """Whether the rows were given with their series."""
        return self.rows.codes is not None

    def check_series(self, rows: Rows, name: str, groups_name: str = "groups") -> None:
        """Raise unless ``rows`` name their series as those of ``fit`` did.

        Parameters
        ----------
        rows : Rows
            Given after ``fit``.

        name : str
            Name of the estimator.

        groups_name : str, default="groups"
            Name of the argument with the series of each row.
        """
        if rows.values.ndim == 3 or self.lookback == 1:
            return
        if self.named and rows.codes is None:
            raise ValueError(
                f"{name} was fitted on several series ({_some(self.rows.series)}). Got rows "
                f"without their series instead; give {groups_name}, the series of each row, or a "
                "DataFrame with a MultiIndex (series, time)."
            )
        if not self.named and rows.codes is not None:
            raise ValueError(
                f"{name} was fitted on one series without a name. Got rows of the series "
                f"{_some(rows.series)} instead; leave {groups_name} out (and the level of the "
                "series out of the index), or fit with groups."
            )
        if self.named:
            known = {_type_of(label): label for label in self.rows.series[::-1]}
            for label in rows.series:
                if _type_of(label) not in known:
                    one = self.rows.series[0]
                    raise ValueError(
                        f"The labels of series must have the type that they had in fit, such as "
                        f"{one!r} ({type(one).__name__}). Got {label!r} ({type(label).__name__}) "
                        "instead; convert groups, or the first level of the MultiIndex."
                    )

    def check_times(self, rows: Rows) -> None:
        """Raise if the labels of ``rows`` are of another type than those of ``fit``."""
        if rows.times is None or self.rows.times is None:
            return
        new, known = kind_of(rows.times), kind_of(self.rows.times)
        if new != known and not _is_restarted(rows.times):
            raise ValueError(
                f"The index of X must have labels of the type that they had in fit: {known}"
                f"{self._example()}. Got {new} ({rows.labels[0]}) instead; "  # type: ignore[index]
                "convert the index (tz_localize, tz_convert, to_timestamp or to_period)."
            )

    def _example(self) -> str:
        return f" ({self.rows.times[-1]})" if self.rows.times is not None and len(self.rows) else ""

    def precede(self, rows: Rows, *, always: bool = False) -> tuple[Rows, int, dict[Any, str]]:
        """Put the known rows before those that go on from them.

        Parameters
        ----------
        rows : Rows
            New rows.

        always : bool, default=False
            Precede every known series, whatever the labels are.

        Returns
        -------
        rows : Rows
            With the known rows first.

        n_context : int
            Number of rows put in front.

        causes : dict
            Why a series has no or little history, by the label of the series.
        """
        codes, positions = rows.series_codes(), rows.of_each_series()
        firsts = np.array([of_series[0] for of_series in positions])
        labels = [rows.series[code] for code in codes[firsts]]
        gaps = None if always else self._gaps(rows, firsts, labels)
        wanted, causes = [], dict[Any, str]()
        for i, label in enumerate(labels):
            n_known = self.counts.get(label, 0) if self.named else len(self.rows)
            values: dict[str, Any] = {}
            if not n_known:
                cause, values = "new series" if self.named else "no times", {"series": repr(label)}
            elif not always and (gaps is None or label not in self.ends):
                cause = "no times"
            elif gaps is not None and not self._goes_on(label, gaps[i]):
                begin, end = rows.times[int(firsts[i])], self.ends[label]  # type: ignore[index]
                cause, values = self._describe_gap(label, gaps[i], begin, end)
            else:
                wanted.append(label)
                if n_known == self.lookback - 1:
                    continue
                cause, values = "few rows", {"known": n_known}
            causes[label] = CAUSES[cause].format(n=self.lookback - 1, **values)
        return *self._joined(rows, wanted), causes

    def _gaps(self, rows: Rows, firsts: NDArray[Any], labels: list[Any]) -> NDArray[Any] | None:
        """Return the steps from the last known label of each series to its first new one.

        NaN if the new one is not later; None if the labels cannot be compared.
        """
        if rows.times is None or self.rows.times is None or self.calendar is None:
            return None
        if kind_of(rows.times) != kind_of(self.rows.times):
            return None
        begin = rows.times[firsts]
        some = next(iter(self.ends.values()))
        ends = [self.ends.get(label, some) for label in labels]
        end = pd.Index(ends, dtype=self.rows.times.dtype)
        steps = self.calendar.measure(begin) - self.calendar.measure(end)
        return np.where(np.asarray(begin > end), steps, np.nan)

    def _goes_on(self, label: Hashable, gap: float) -> bool:
        steps = self.steps.get(label) or self.common_steps
        return steps is not None and steps.goes_on(gap)

    def _describe_gap(
        self, label: Hashable, gap: float, begin: Any, end: Any
    ) -> tuple[str, dict[str, Any]]:
        if np.isnan(gap):
            return "not after", {"begin": begin, "end": end}
        assert self.calendar is not None
        assert self.rows.times is not None
        steps = self.steps.get(label) or self.common_steps
        usual = "not known"
        if steps is not None:
            usual = self.calendar.format(steps.usual, self.rows.times)
        step = self.calendar.format(gap, self.rows.times)
        return "gap", {"begin": begin, "end": end, "step": step, "usual": usual}

    def describe_misplaced(self, rows: Rows) -> str:
        """Describe rows that are not after the known ones, though the user says that they are."""
        not_later = self.not_later(rows)
        if not not_later or _is_restarted(rows.times):
            return ""
        _, begin, end = not_later[0]
        return MISPLACED.format(begin=begin, end=end)

    @cached_property
    def common_steps(self) -> Steps | None:
        """Return the steps that all series have, or None if they differ."""
        found = [steps for steps in self.steps.values() if steps is not None]
        if not found or len({steps.base for steps in found}) > 1 or found[0].base is None:
            return None
        return max(found, key=lambda steps: steps.usual)

    def _joined(self, rows: Rows, labels: list[Any]) -> tuple[Rows, int]:
        """Put the known rows of the series ``labels`` before ``rows``."""
        if self.named:
            codes = rows.series.get_indexer(self.rows.series)[self.rows.series_codes()]
            wanted = rows.series.get_indexer(pd.Index(labels, dtype=rows.series.dtype))
            kept = np.isin(codes, wanted) & (codes >= 0)
        else:
            codes = np.zeros(len(self.rows), dtype=np.intp)
            kept = np.full(len(self.rows), bool(labels))
        if not kept.any():
            return rows, 0
        before = self.rows.select(kept)
        return _concatenate(before, rows, codes[kept]), len(before)

    def extended(self, rows: Rows) -> tuple[History, Rows, int]:
        """Take in rows that come after the known ones.

        Parameters
        ----------
        rows : Rows
            Later rows of known series, or rows of new ones.

        Returns
        -------
        history : History
            With the end of the new rows.

        joined : Rows
            The known rows and the new ones.

        n_context : int
            Number of known rows.

        Raises
        ------
        ValueError
            If the rows are not later than the known ones.
        """
        self._check_same_kind(rows)
        not_later = self.not_later(rows)
        if not_later:
            label, begin, end = not_later[0]
            which = f" of series {label!r}" if self.named else ""
            raise ValueError(
                f"New rows must come after those that are known. Got a row labelled {begin}{which} "
                f"instead, where the last known row is {end}; pass the rows after it alone."
            )
        series = self.rows.series
        new = rows.series[~rows.series.isin(series)] if self.named else series[:0]
        merged = series.append(new) if len(new) else series
        codes = merged.get_indexer(rows.series)[rows.series_codes()] if self.named else None
        rows = replace(rows, series=merged, codes=codes)
        joined = _concatenate(self.rows, rows, self.rows.series_codes())
        history = History.of(joined, self.lookback)
        calendar = self.calendar or history.calendar
        steps = {**history.steps, **{k: v for k, v in self.steps.items() if v is not None}}
        return (
            replace(history, calendar=calendar, steps=steps, ends={**self.ends, **history.ends}),
            joined,
            len(self.rows),
        )

    def _check_same_kind(self, rows: Rows) -> None:
        """Raise unless it can be compared whether ``rows`` are later than the known ones."""
        new, known = kind_of(rows.times), kind_of(self.rows.times)
        if new != known:
            raise ValueError(
                f"New rows must have labels of the type that they had in fit: {known}"
                f"{self._example()}. Got {new} instead; give a DataFrame with such an index."
            )

    def follows(self, rows: Rows, context: str) -> bool:
        """Return whether ``rows`` are later than the known ones, in every series.

        Rows without time labels are taken to be later with ``context="train_tail"`` alone.
        """
        if rows.times is None or self.rows.times is None:
            return context == "train_tail" and rows.times is None and self.rows.times is None
        self._check_same_kind(rows)
        return not self.not_later(rows)

    def not_later(self, rows: Rows) -> list[tuple[Any, Any, Any]]:
        """Return series whose new rows begin before the known ones end: label, begin and end."""
        found = []
        if rows.times is None or kind_of(rows.times) != kind_of(self.rows.times):
            return []
        for positions in rows.of_each_series():
            label = rows.series[rows.series_codes()[positions[0]]]
            end = self.ends.get(label)
            if end is None or self.rows.times is None:
                continue
            begin = rows.times[positions[:1]]
            if not ordinals_increase(self.rows.times[:0].insert(0, end), begin):
                found.append((label, begin[0], end))
        return found

    def holes(self, rows: Rows, windows: NDArray[np.bool_], name: str, n_context: int = 0) -> str:
        """Describe the windows that reach across missing time stamps.

        Parameters
        ----------
        rows : Rows
            Rows, known ones first.

        windows : bool ndarray of shape (n_rows,)
            Rows whose windows are used.

        name : str
            Name of the rows, for the message.

        n_context : int, default=0
            Number of known rows.

        Returns
        -------
        text : str
            Empty if there is none.
        """
        return describe_holes(
            rows, windows, self.lookback - 1, name, self.calendar, self.steps, n_context
        )


def describe_short(rows: Rows, windows: Windows, causes: dict[Any, str], n_context: int) -> str:
    """Describe the rows whose windows are short; empty if there is none."""
    short = n_context + np.flatnonzero(~windows.complete())
    if not len(short):
        return ""
    first = int(short[0])
    codes = rows.series_codes()
    cause = causes.get(rows.series[codes[first]], "")
    n_others = len(np.unique(codes[short])) - 1
    if n_others:
        cause += f" ({n_others} more series have short windows.)"
    return SHORT.format(
        n=len(short),
        n_rows=len(rows) - n_context,
        lookback=windows.lookback,
        first=rows.label(first),
        cause=cause,
    )


def _is_restarted(times: pd.Index | None) -> bool:
    """Return whether rows are only counted, from 0 on."""
    return isinstance(times, pd.RangeIndex) and times.start == 0


def ordinals_increase(last: pd.Index, begin: pd.Index) -> bool:
    """Return whether one label is after another of the same type."""
    if isinstance(last, pd.DatetimeIndex | pd.TimedeltaIndex):
        return bool(begin[0] > last[0])
    return bool(ordinals(begin)[0] > ordinals(last)[0])


def _concatenate(before: Rows, rows: Rows, codes: NDArray[np.intp]) -> Rows:
    """Put rows before others, with ``codes`` as their series."""
    times = None
    same = kind_of(before.times) == kind_of(rows.times)
    if before.times is not None and rows.times is not None and same:
        times = before.times.append(rows.times)
    labels = None
    if before.labels is not None and rows.labels is not None:
        labels = before.labels.append(rows.labels)
    return Rows(
        put_before(before.values, rows.values),
        None if rows.codes is None else np.concatenate([codes, rows.codes]),
        rows.series,
        labels,
        times,
        rows.columns,
    )


def _tail(rows: Rows, n_rows: int) -> Rows:
    """Keep the last ``n_rows`` rows of each series, in the rows' own order."""
    if rows.values.ndim == 3:
        values = rows.values[:0][:, 0]
        return replace(rows, values=values, codes=None, labels=None, times=None)
    codes = rows.series_codes()
    from_end = pd.Series(codes[::-1]).groupby(codes[::-1]).cumcount().to_numpy()[::-1]
    kept = np.flatnonzero(from_end < n_rows)
    tail = rows.select(kept)
    if tail.labels is None:
        tail = replace(tail, labels=pd.Index(kept))
    return tail


def as_frame(rows: Rows) -> pd.DataFrame:
    """Return the known rows as they are shown to the user, in ``context_``."""
    labels = pd.RangeIndex(len(rows)) if rows.labels is None else rows.labels
    if rows.codes is not None:
        labels = pd.MultiIndex.from_arrays([rows.series[rows.codes], labels])
    return pd.DataFrame(rows.values, index=labels, columns=rows.columns)


def _type_of(label: Any) -> str:
    """Return the type of a series' label; all numbers are of one type, and all text."""
    if isinstance(label, str):
        return "text"
    if isinstance(label, int | float | np.number) and not isinstance(label, bool):
        return "number"
    return type(label).__name__


def _some(series: pd.Index) -> str:
    """Name the first three labels of series."""
    text = ", ".join(repr(label) for label in series[:3])
    return text if len(series) <= 3 else f"{text}, ..."
