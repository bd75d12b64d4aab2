"""Scores of any object that predicts, and of predictions that were made before."""

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.metrics import check_scoring


class Predictor(RegressorMixin, BaseEstimator):
    """Give an object that just predicts what scikit-learn's scorers ask of an estimator.

    Without a ``score`` of its own the object gets that of a regressor, R².

    Parameters
    ----------
    fitted : object
        Has ``predict`` or ``score``.
    """

    def __init__(self, fitted):
        self.fitted = fitted

    def __getattr__(self, name):
        if name.startswith("__") or name == "fitted":  # not there yet while unpickling
            raise AttributeError(name)
        return getattr(self.fitted, name)

    def __sklearn_is_fitted__(self):
        return True

    def fit(self, X, y):
        """Do nothing: what is inspected is fitted."""
        return self

    def predict(self, X):
        """Predict as the object does."""
        return self.fitted.predict(X)

    def score(self, X, y, sample_weight=None):
        """Score as the object does; by R² if it does not."""
        own = getattr(self.fitted, "score", None)
        if own is None:
            return super().score(X, y, sample_weight)
        return own(X, y) if sample_weight is None else own(X, y, sample_weight=sample_weight)


class Predictions(RegressorMixin, BaseEstimator):
    """Predictions made before, as an estimator whose samples are row numbers.

    Parameters
    ----------
    values : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        The predictions.
    """

    def __init__(self, values):
        self.values = values

    def __sklearn_is_fitted__(self):
        return True

    def fit(self, X, y):
        """Do nothing."""
        return self

    def predict(self, X):
        """Look the rows up; ``X`` is int of shape (n_rows, 1)."""
        return self.values[X[:, 0]]


def scorer_of(estimator, scoring):
    """Find the scorer, and the estimator as it is to be handed to it.

    Parameters
    ----------
    estimator : object
        Has ``predict`` or ``score``.

    scoring : str, callable, list, tuple, dict or None
        As in scikit-learn; None is the estimator's ``score``, or R² if it has none.

    Returns
    -------
    estimator : object
        The same, or wrapped in a :class:`Predictor`.

    scorer : callable
        ``scorer(estimator, X, y)``, a float or a dict of floats.
    """
    if not hasattr(estimator, "predict") and not hasattr(estimator, "score"):
        raise TypeError(
            f"estimator must be fitted and have a predict or a score method. Got {estimator!r} "
            "instead; fit a regressor of windows and pass it."
        )
    if not (hasattr(estimator, "fit") and hasattr(estimator, "__sklearn_tags__")):
        estimator = Predictor(estimator)
    return estimator, check_scoring(estimator, scoring)


def score_predictions(scoring):
    """Make ``score(y, prediction)`` out of a scorer; None is R².

    The scorer sees the predictions, and in place of ``X`` the numbers of the rows.
    """
    scorer = check_scoring(Predictions(np.zeros(1)), scoring)

    def score(y, prediction):
        return float(scorer(Predictions(prediction), np.arange(len(y))[:, None], y))

    return score
