"""Rows of several series: their series are passed to the estimator, or cut into its windows."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import get_config

from .._data._ragged import is_list_of_tables
from ..exceptions import HistoryWarning
from ._scoring import Predictor
from ._wrapped import find

MULTI_INDEX = "name the series in a MultiIndex (series, time) of X instead of in groups"


def with_groups(estimator: Any, groups: ArrayLike | None) -> Any:
    """Return an estimator whose ``predict`` and ``score`` pass ``groups`` on.

    Parameters
    ----------
    estimator : object
        A fitted estimator.

    groups : array-like of shape (n_rows,) or None
        Series of each row. With None, the estimator itself is returned.

    Returns
    -------
    estimator : object
        Predicts rows of these series.
    """
    if groups is None:
        return estimator
    predict = getattr(estimator, "predict", None)
    kinds = {} if predict is None else inspect.signature(predict).parameters
    if "groups" not in kinds and not any(p.kind is p.VAR_KEYWORD for p in kinds.values()):
        raise ValueError(
            "With groups, estimator must have predict(X, groups=...), as AttentionLSTMRegressor "
            f"and a Pipeline of it have. Got {type(estimator).__name__} instead; pass the "
            f"best_estimator_ of a search, or {MULTI_INDEX}."
        )
    return Predictor(estimator, groups)


def fit_params(estimator: Any, groups: ArrayLike | None) -> dict[str, Any]:
    """Return the parameters of ``fit`` that pass ``groups`` to the estimator inside wrappers.

    Parameters
    ----------
    estimator : estimator
        Possibly a ``Pipeline`` or a ``TransformedTargetRegressor``.

    groups : array-like of shape (n_rows,) or None
        Series of each row.

    Returns
    -------
    params : dict
        Empty if ``groups`` is None.
    """
    if groups is None:
        return {}
    if get_config()["enable_metadata_routing"]:
        return {"groups": groups}
    if hasattr(estimator, "steps"):
        name, last = estimator.steps[-1]
        return {f"{name}__{key}": value for key, value in fit_params(last, groups).items()}
    if hasattr(estimator, "regressor"):
        return fit_params(estimator.regressor, groups)
    # A search passes groups to its splitter only.
    if hasattr(estimator, "cv") or "groups" not in inspect.signature(estimator.fit).parameters:
        raise ValueError(
            "With groups, estimator must have fit(X, y, groups=...), as AttentionLSTMRegressor "
            f"and a Pipeline of it have. Got {type(estimator).__name__} instead, which does not "
            f"pass them to the estimator inside; {MULTI_INDEX}, or enable metadata routing."
        )
    return {"groups": groups}


def needs_cutting(X: Any) -> bool:
    """Return whether ``X`` holds rows, or is a list of windows of unequal length."""
    return is_list_of_tables(X) or np.ndim(X) == 2


def cut_windows(
    estimator: Any, X: Any, groups: ArrayLike | None
) -> tuple[Any, NDArray[Any], NDArray[np.intp]]:
    """Cut rows, or pad a list of windows, to the windows that a fitted estimator predicts from.

    Parameters
    ----------
    estimator : object
        An ``AttentionLSTMRegressor``, or a ``Pipeline`` or search of one.

    X : array-like or DataFrame of shape (n_rows, n_features), or list of them
        Rows of one or several series, or a list of windows of unequal length.

    groups : array-like of shape (n_rows,) or None
        Series of each row.

    Returns
    -------
    found : AttentionLSTMRegressor
        The estimator, or the one inside.

    windows : ndarray of shape (n_windows, n_timesteps, n_features)
        The complete windows, in the units of the input of ``found``.

    rows : int ndarray of shape (n_windows,)
        Position in ``X`` of the newest row of each window.
    """
    # A TransformedTargetRegressor has a transformer_: the estimator inside predicts other units.
    found, X = find(estimator, X, ["_lay_out", "transformer_"])
    if not hasattr(found, "_lay_out"):
        raise ValueError(
            "Rows of a series need an AttentionLSTMRegressor with lookback, or a Pipeline or "
            f"search of one, to be cut into windows. Got {type(estimator).__name__} instead; cut "
            "windows of shape (n_samples, n_timesteps, n_features) with make_windows and fit on "
            "those."
        )
    with without_history_warnings():  # short windows are left out
        windows = found._lay_out(X, groups)
    rows = np.flatnonzero(windows.complete())
    values, _ = windows.take(rows, np.arange(1 - windows.lookback, 1))
    return found, values, rows


@contextmanager
def without_history_warnings() -> Iterator[None]:
    """Ignore a HistoryWarning that does not apply, or was given before in the same call."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HistoryWarning)
        yield
