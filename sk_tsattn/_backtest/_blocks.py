"""Blocks: fit on a training set, and predict the test blocks after it with their history."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _check_method_params, _num_samples

from .._data._checks import is_int
from ..exceptions import HistoryWarning
from ._labels import Labels, Positions
from ._targets import Targets, positions_of_classes


class Block(NamedTuple):
    """The predictions of a test block.

    ``y_pred`` has the shape (n_rows, n_horizons): numbers, or positions of classes. ``details``
    (n_rows, n_horizons, n_details) are quantiles or probabilities. ``short`` are the rows that were
    predicted from fewer than ``lookback`` rows, unless the estimator was fitted on such windows.
    ``estimator`` is None if it is not wanted.
    """

    rows: Positions
    y_pred: NDArray[np.float64]
    details: NDArray[np.float64]
    short: Positions
    lookback: int
    estimator: Any


def _parts(estimator: Any) -> Iterator[Any]:
    """Yield the estimator and those inside it, in their fitted state if they have one."""
    yield estimator
    if hasattr(estimator, "best_estimator_"):
        inner = [estimator.best_estimator_]
    elif hasattr(estimator, "steps"):
        inner = [step for _, step in estimator.steps]
    else:
        names = ("regressor_", "estimator_")
        inner = [getattr(estimator, name) for name in names if hasattr(estimator, name)]
        inner += list(getattr(estimator, "estimators_", ()))
        inner = inner or list(estimator.get_params(deep=False).values())
    for part in inner:
        if hasattr(part, "get_params") and not isinstance(part, type):
            yield from _parts(part)


def lookback_of(estimator: Any) -> int:
    """Return the longest ``lookback`` in the estimator; 1 if there is none."""
    found: list[Any] = [getattr(part, "lookback", None) for part in _parts(estimator)]
    return max([1, *(int(lookback) for lookback in found if is_int(lookback, 1))])


def _learnt_short_windows(estimator: Any) -> bool:
    """Return whether every part with a lookback was fitted on short windows too."""
    parts = [part for part in _parts(estimator) if (getattr(part, "lookback", None) or 1) > 1]
    return all(getattr(part, "context", None) == "mask" for part in parts)


def _check_series_arrived(estimator: Any) -> None:
    """Raise a ValueError if a part cut windows from rows without knowing their series."""
    for part in _parts(estimator):
        context = getattr(part, "context_", None)
        if isinstance(context, pd.DataFrame) and len(context):
            if isinstance(context.index, pd.MultiIndex):
                continue
            raise ValueError(
                f"The rows of several series must reach {type(part).__name__} with their index, "
                "(series, time), or its windows cross from one series into the next. A step "
                "before it dropped the index; use "
                'pipeline.set_output(transform="pandas").'
            )


def takes(method: Callable[..., Any], name: str) -> bool:
    """Return whether a method has this parameter."""
    return name in inspect.signature(method).parameters


def takes_or_passes_on(method: Callable[..., Any], name: str) -> bool:
    """Return whether a method has this parameter, or any: a pipeline passes it to its last step."""
    parameters = inspect.signature(method).parameters.values()
    return takes(method, name) or any(p.kind is p.VAR_KEYWORD for p in parameters)


@contextmanager
def _without_history_warnings() -> Iterator[None]:
    """Leave these warnings to :func:`backtest`, which issues one for all folds.

    Those of predict would concern rows whose predictions are discarded.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HistoryWarning)
        yield


def fit_and_predict(
    estimator: Any,
    X: Any,
    y: Any,
    labels: Labels,
    groups: NDArray[Any] | None,
    params: dict[str, Any],
    *,
    train: Positions,
    tests: list[Positions],
    targets: Targets,
    method: str,
    quantiles: list[float],
    keep: bool,
) -> list[Block]:
    """Fit on a training set, and predict the test blocks after it.

    Parameters
    ----------
    estimator : estimator
        Is fitted.

    X, y : array-like
        All rows.

    labels : Labels
        Their series.

    groups : ndarray of shape (n_rows,) or None
        The series of each row, for estimators with a parameter ``groups``.

    params : dict
        Parameters of ``fit``.

    train : ndarray of int
        Training rows.

    tests : list of ndarray of int
        Positions of each test block.

    targets : Targets
        Their horizons and classes.

    method : {"predict", "predict_proba"}
        Whether to predict probabilities of the classes as well.

    quantiles : list of float
        To be predicted as well.

    keep : bool
        Whether to return the estimator in the blocks.

    Returns
    -------
    blocks : list of Block
    """
    of_training = {} if groups is None else {"groups": groups[train]}
    params = _check_method_params(X, params, indices=train) | _taken(estimator.fit, of_training)
    with _without_history_warnings():
        estimator.fit(_safe_indexing(X, train), _safe_indexing(y, train), **params)
    lookback = 1 if np.ndim(X) == 3 else lookback_of(estimator)
    if isinstance(labels.index, pd.MultiIndex):
        _check_series_arrived(estimator)
    kept = estimator if keep else None
    blocks = []
    for test in tests:
        rows, short = _with_history(test, labels.series, lookback)
        if _learnt_short_windows(estimator):
            short = short[:0]
        of_rows = {} if groups is None else {"groups": groups[rows]}
        X_rows, tested = _safe_indexing(X, rows), np.isin(rows, test)
        with _without_history_warnings():
            y_pred = _predict(estimator, X_rows, of_rows, targets)
            details = _predict_details(estimator, X_rows, of_rows, targets, method, quantiles)
        blocks.append(Block(test, y_pred[tested], details[tested], short, lookback, kept))
    return blocks


def _taken(method: Callable[..., Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """Return those of the arguments that a method has."""
    return {name: value for name, value in arguments.items() if takes(method, name)}


def _predict(
    estimator: Any, X: Any, groups: dict[str, Any], targets: Targets
) -> NDArray[np.float64]:
    """Return the predictions of each row and horizon: numbers, or positions of classes."""
    y_pred = estimator.predict(X, **_taken(estimator.predict, groups))
    if targets.classes is not None:
        y_pred = positions_of_classes(y_pred, targets.classes)
    return _finite(
        y_pred, (_num_samples(X), len(targets.horizons)), f"{type(estimator).__name__}.predict"
    )


def _predict_details(
    estimator: Any,
    X: Any,
    groups: dict[str, Any],
    targets: Targets,
    method: str,
    quantiles: list[float],
) -> NDArray[np.float64]:
    """Return quantiles or probabilities of each row and horizon as the last axis."""
    shape = _num_samples(X), len(targets.horizons)
    name = f"{type(estimator).__name__}.{method}"
    if quantiles:
        taken = _taken(estimator.predict, groups)
        details = estimator.predict(X, quantiles=quantiles, **taken)
        return _finite(details, (*shape, len(quantiles)), name)
    if method == "predict" or targets.classes is None:
        return np.empty((*shape, 0))
    found = estimator.predict_proba(X, **_taken(estimator.predict_proba, groups))
    # Scikit-learn's estimators of several outputs return lists.
    parts, classes = found, estimator.classes_
    if not isinstance(found, list):
        parts, classes = [found], [classes]
    probabilities = np.zeros((*shape, len(targets.classes)))  # 0: not in the training set
    for column, (part, own) in enumerate(zip(parts, classes, strict=True)):
        at = positions_of_classes(own, targets.classes).astype(np.intp)
        probabilities[:, column, at] = _finite(part, (shape[0], len(at)), name)
    return probabilities


def _finite(y_pred: Any, shape: tuple[int, ...], name: str) -> NDArray[np.float64]:
    """Return predictions in this shape; raise unless they are of this size and finite."""
    n_columns = int(np.prod(shape[1:]))
    found = np.asarray(y_pred, dtype=np.float64)
    found = found.reshape(shape[0], int(np.prod(found.shape[1:])))
    if found.shape[1] != n_columns or not np.isfinite(found).all():
        raise ValueError(
            f"{name} must return {n_columns} finite columns. Got {found.shape[1]} columns, "
            f"{np.isfinite(found).mean():.0%} of them finite."
        )
    return found.reshape(shape)


def _with_history(test: Positions, series: Positions, lookback: int) -> tuple[Positions, Positions]:
    """Return the rows of the windows that end in test rows, and the test rows that lack some."""
    if lookback == 1:
        return test, test[:0]
    rows, short = [], []
    for code in np.unique(series[test]):
        own = np.flatnonzero(series == code)
        at = np.searchsorted(own, test[series[test] == code])
        rows.append(own[max(0, at[0] - lookback + 1) : at[-1] + 1])
        short.append(own[at[at < lookback - 1]])
    return np.sort(np.concatenate(rows)), np.sort(np.concatenate(short))
