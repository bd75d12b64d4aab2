"""Scores of any object that predicts, and of predictions made before."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.metrics import check_scoring

from .._data._r2 import r2


class Predictor(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # sklearn is untyped
    """An object that predicts, as an estimator that scikit-learn's scorers accept.

    If the object has no ``score``, this has that of a regressor, R².

    Parameters
    ----------
    fitted : object
        Has ``predict`` or ``score``.

    groups : array-like of shape (n_rows,) or None, default=None
        Series of each row, passed to the object's ``predict`` and ``score``. An object whose
        ``score`` does not take them has R².
    """

    def __init__(self, fitted: Any, groups: ArrayLike | None = None) -> None:
        self.fitted = fitted
        self.groups = groups

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("fitted", "groups"):  # not set yet during unpickling
            raise AttributeError(name)
        return getattr(self.fitted, name)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def fit(self, X: Any, y: Any) -> Predictor:
        """Do nothing: the object is fitted."""
        return self

    def predict(self, X: Any) -> Any:
        """Predict as the object does."""
        return self.fitted.predict(X, **self._params())

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Score as the object does, or compute R²."""
        own = getattr(self.fitted, "score", None)
        params = self._params()
        if own is None or (params and "groups" not in inspect.signature(own).parameters):
            return r2(y, np.asarray(self.predict(X)), sample_weight)
        if sample_weight is not None:
            params["sample_weight"] = sample_weight
        return float(own(X, y, **params))

    def _params(self) -> dict[str, Any]:
        return {} if self.groups is None else {"groups": self.groups}


class Predictions(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # sklearn is untyped
    """Predictions made before, as an estimator whose ``X`` holds row numbers.

    Parameters
    ----------
    values : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        The predictions.
    """

    def __init__(self, values: NDArray[Any]) -> None:
        self.values = values

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def fit(self, X: Any, y: Any) -> Predictions:
        """Do nothing: the predictions are made."""
        return self

    def predict(self, X: NDArray[np.intp]) -> NDArray[Any]:
        """Return the predictions of the rows in ``X``, of shape (n_rows, 1)."""
        return self.values[X[:, 0]]

    def score(self, X: NDArray[np.intp], y: Any, sample_weight: Any = None) -> float:
        """Compute R²."""
        return r2(y, self.predict(X), sample_weight)


def scorer_of(estimator: Any, scoring: Any) -> tuple[Any, Callable[..., Any]]:
    """Return the scorer, and the estimator in the form that the scorer takes.

    Parameters
    ----------
    estimator : object
        Has ``predict`` or ``score``.

    scoring : str, callable, list, tuple, dict or None
        As in scikit-learn. None is the estimator's ``score``, or R² if it has none.

    Returns
    -------
    estimator : object
        The same, or wrapped in a :class:`Predictor`.

    scorer : callable
        ``scorer(estimator, X, y)`` returns a float, or a dict of floats.
    """
    if not hasattr(estimator, "predict") and not hasattr(estimator, "score"):
        raise TypeError(
            f"estimator must be fitted and have a predict or a score method. Got {estimator!r} "
            "instead; fit a regressor of windows and pass it."
        )
    if not (hasattr(estimator, "fit") and hasattr(estimator, "__sklearn_tags__")):
        estimator = Predictor(estimator)
    return estimator, check_scoring(estimator, scoring)


def score_predictions(scoring: Any) -> Callable[[NDArray[Any], NDArray[Any]], float]:
    """Return a function ``score(y, prediction)`` that applies a scorer; None is R².

    The scorer gets the row numbers as ``X``.
    """
    scorer = check_scoring(Predictions(np.zeros(1)), scoring)

    def score(y: NDArray[Any], prediction: NDArray[Any]) -> float:
        return float(scorer(Predictions(prediction), np.arange(len(y))[:, None], y))

    return score
