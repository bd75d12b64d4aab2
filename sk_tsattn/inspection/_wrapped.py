"""The attention inside a ``Pipeline``, a search or a ``TransformedTargetRegressor``."""


def find(estimator, X, names):
    """Follow fitted wrappers inwards to an estimator that has one of the attributes.

    Parameters
    ----------
    estimator : object
        Perhaps a wrapper: a search (``best_estimator_``), a ``TransformedTargetRegressor``
        (``regressor_``) or a ``Pipeline``.

    X : array or None
        Is passed through the transformers on the way.

    names : sequence of str
        The attributes wanted.

    Returns
    -------
    found : object or None
        The estimator; None where there is none.

    X : array or None
        As that estimator sees it.
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
