"""The estimator inside a ``Pipeline``, a search or a ``TransformedTargetRegressor``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def find(estimator: Any, X: Any, names: Sequence[str]) -> tuple[Any, Any]:
    """Return the first estimator, from the outermost inwards, with one of the attributes.

    Parameters
    ----------
    estimator : object
        Possibly a wrapper: a search (``best_estimator_``), a ``TransformedTargetRegressor``
        (``regressor_``) or a ``Pipeline``.

    X : array-like or None
        The input of ``estimator``.

    names : sequence of str
        The attributes.

    Returns
    -------
    found : object or None
        The estimator. None if there is none.

    X : array-like or None
        The input of ``found``: transformed by the steps of a pipeline before it.
    """
    while not any(hasattr(estimator, name) for name in names):
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "regressor_"):
            estimator = estimator.regressor_
        elif hasattr(estimator, "steps"):
            if X is not None and len(estimator.steps) > 1:
                X = estimator[:-1].transform(X)
            estimator = estimator.steps[-1][1]
        else:
            return None, X
    return estimator, X
