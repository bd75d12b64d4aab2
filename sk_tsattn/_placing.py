"""Placing rows: their windows, and the history that a fitted estimator puts before them."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from ._data._batches import WindowDataset
from ._data._history import History, describe_short
from ._data._holes import warn_history
from ._data._rows import Rows, check_rows
from ._data._scaling import Standardizer
from ._data._windows import Windows

Array = NDArray[Any]


class PlacingMixin:
    """Windows of the rows given after ``fit``."""

    lookback: int | None
    context: str

    n_features_in_: int
    n_timesteps_in_: int
    context_: pd.DataFrame
    net_: Any
    _history: History
    _saw_short: bool
    _dtype: str
    _x_scaler: Standardizer
    _y_scaler: Standardizer

    def update_context(self, X: ArrayLike, *, groups: ArrayLike | None = None) -> Self:
        """Take in new rows, without training: the history of the rows that come after them.

        ``predict`` of new rows and ``update_context`` with the same rows, one after the other,
        predict what ``predict`` of all rows in one frame does.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Rows that come after those of ``context_``, oldest first.

        groups : array-like of shape (n_rows,) or None, default=None
            Series of each row, if the estimator was fitted on several. A new series is taken in.

        Returns
        -------
        self : AttentionLSTMRegressor
            With a new ``context_``.

        Raises
        ------
        ValueError
            If the rows are not later than those that are known.
        """
        check_is_fitted(self, "net_")
        rows = self._check_rows(X, groups)
        if rows.values.ndim == 3:
            raise ValueError(
                "update_context needs the rows of a series, of shape (n_rows, n_features). Got "
                f"windows of shape {rows.values.shape} instead; windows need no context."
            )
        history, joined, n_known = self._history.extended(rows)
        used = np.ones(len(joined), dtype=bool)
        warn_history([history.holes(joined, used, "X", n_known)])
        self._history, self.context_ = history, history.context
        return self

    def _check_rows(self, X: Any, groups: Any, groups_name: str = "groups") -> Rows:
        """Check rows given after ``fit``, and that they name their series as those of ``fit``."""
        return check_rows(
            self,
            X,
            lookback=self.lookback,
            groups=groups,
            reset=False,
            check_series=lambda rows: self._history.check_series(
                rows, type(self).__name__, groups_name
            ),
        )

    def _known_rows(self, rows: Rows, go_on: bool) -> tuple[History, Rows, int]:
        """Put the known rows before those to train on.

        Returns
        -------
        history : History
            What is known after these rows.

        rows : Rows
            Known rows first.

        n_known : int
            Number of known rows.
        """
        lookback = self.lookback or 1
        if rows.values.ndim == 3:
            return History.of(rows, rows.values.shape[1]), rows, 0
        if not go_on or lookback == 1 or not self._history.follows(rows, self.context):
            history = History.of(rows, lookback)
            if go_on and rows.times is not None and lookback > 1:
                history = self._history  # earlier rows do not replace later ones
            return history, rows, 0
        history, joined, n_known = self._history.extended(rows)
        return (history, rows, 0) if self.context == "mask" else (history, joined, n_known)

    def _dataset(
        self, windows: Windows, y: Array | None = None, weight: Array | None = None
    ) -> WindowDataset:
        return WindowDataset(
            windows,
            self._x_scaler,
            dtype=self._dtype,
            device=self.net_.device,
            y=None if y is None else self._y_scaler.transform(y),
            weight=weight,
        )

    def _lay_out(self, X: Any, groups: Any) -> Windows:
        """Check ``X`` and return one window for each of its rows, with one warning at most."""
        rows, windows, n_known, causes = self._place(X, groups)
        if rows.values.ndim == 2 and self.n_timesteps_in_ > 1:
            used = np.ones(len(rows), dtype=bool)
            findings = [causes.pop(None, ""), self._history.holes(rows, used, "X", n_known)]
            if self.context != "mask" and not self._saw_short:
                findings.append(describe_short(rows, windows, causes, n_known))
            warn_history(findings)
        return windows

    def _place(
        self, X: Any, groups: Any, groups_name: str = "groups"
    ) -> tuple[Rows, Windows, int, dict[Any, str]]:
        """Check ``X`` and put the known rows before those that go on from them.

        Returns
        -------
        rows : Rows
            Known rows first.

        windows : Windows
            One for each row of ``X``.

        n_known : int
            Number of known rows.

        causes : dict
            Why the windows of a series are short, by its label; under None, why the known rows
            should not have been put first.
        """
        rows = self._check_rows(X, groups, groups_name)
        if rows.values.ndim == 3:
            return rows, Windows.of_windows(rows.values), 0, {}
        if self.lookback is None and self.n_timesteps_in_ > 1:
            raise ValueError(
                f"X must have shape (n_samples, {self.n_timesteps_in_}, {self.n_features_in_}), "
                f"as {type(self).__name__} was fitted on windows. Got an array of shape "
                f"{rows.values.shape} instead; cut it with make_windows, or set lookback="
                f"{self.n_timesteps_in_}, which makes rows a series, before fit."
            )
        n_known, causes = 0, dict[Any, str]()
        if self.context != "mask" and self.n_timesteps_in_ > 1:
            if self.context == "auto":
                self._history.check_times(rows)
            always = self.context == "train_tail"
            misplaced = self._history.describe_misplaced(rows) if always else ""
            rows, n_known, causes = self._history.precede(rows, always=always)
            causes[None] = misplaced
        windows = Windows.of_rows(rows.values, self.n_timesteps_in_, rows.codes)
        return rows, windows.select(slice(n_known, None)), n_known, causes

    def _window_of(
        self, X: Any, position: int, groups: Any = None
    ) -> tuple[Array, pd.Index | None]:
        """Return the window of one sample in the units of ``X``, with its labels.

        Parameters
        ----------
        X, groups
            As in :meth:`predict`.

        position : int
            Position of the sample in ``X``, from 0 on.

        Returns
        -------
        values : ndarray of shape (n_timesteps, n_features)
            The window, oldest step first; NaN at the steps that a short window lacks.

        labels : pandas.Index or None
            Label of each step; None if ``X`` has no index or the window is short.
        """
        rows, windows, *_ = self._place(X, groups)
        offsets = np.arange(1 - windows.lookback, 1)
        values, mask = windows.take(np.array([position]), offsets)
        values = np.array(values[0], dtype=float)
        if mask is not None:
            values[~mask[0]] = np.nan
        if rows.labels is None or rows.values.ndim == 3 or (mask is not None and not mask.all()):
            return values, None
        steps = windows.last[position] + offsets
        return values, rows.labels[steps if windows.order is None else windows.order[steps]]
