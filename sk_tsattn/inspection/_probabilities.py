"""A classifier as a predictor of probabilities, so that its errors are numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._data._classes import as_columns, check_labels_of_classes


class Probabilities:
    """A classifier whose ``predict`` returns the probability of each class.

    Parameters
    ----------
    fitted : classifier
        Has ``predict_proba``.
    """

    def __init__(self, fitted: Any) -> None:
        self.fitted = fitted

    def predict(self, X: Any, **params: Any) -> NDArray[np.float64]:
        """Predict the probabilities, of shape (n_samples, n_classes)."""
        probabilities: NDArray[np.float64] = self.fitted.predict_proba(X, **params)
        return probabilities


def with_probabilities(estimator: Any, y: ArrayLike) -> tuple[Any, Any]:
    """Return a predictor of probabilities and a column of ``y`` for each class, of a classifier.

    Parameters
    ----------
    estimator : object
        Fitted.

    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Its target.

    Returns
    -------
    predictor : object
        Of estimators that are no classifiers, the estimator itself.

    y : array-like
        Of shape (n_samples, n_classes), 1 in the column of the class; or ``y`` itself.
    """
    if not (hasattr(estimator, "predict_proba") and hasattr(estimator, "classes_")):
        return estimator, y
    weight = np.ones(len(np.asarray(y)))
    labels = check_labels_of_classes(y, len(weight), weight)
    return Probabilities(estimator), as_columns(labels, np.asarray(estimator.classes_), weight)
