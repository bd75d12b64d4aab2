"""Importances of cells, steps or features, in whichever shape they come, as ranks per sample."""

import numpy as np

from ._wrapped import find

# Which axes of (n_samples, n_timesteps, n_features) the importances of an item differ along.
ITEM_AXES = {"cell": (1, 2), "time": (1,), "feature": (2,)}
SHAPES = "(n, T, F), (T, F), (n, T), (T,), (n, F) or (F,)"


def attention_of(estimator, X):
    """Ask a fitted estimator, perhaps in a wrapper, for its finest attention on ``X``.

    Returns
    -------
    weights : ndarray of shape (n_samples, n_timesteps or 1, n_features or 1)
        Of cells where the mode defines them, else of steps or features.
    """
    found, X_inside = find(estimator, X, ["attention_weights"])
    if found is None:
        raise ValueError(
            "estimator must have attention_weights(X), or attention must be given. Got "
            f"{type(estimator).__name__} without it instead; pass an array of importances of shape "
            f"{SHAPES} as attention."
        )
    weights = found.attention_weights(X_inside)
    for over in ITEM_AXES:
        if over in weights:
            values = np.asarray(weights[over])
            break
    else:
        raise ValueError(
            "attention_weights(X) must give 'cell', 'time' or 'feature'. Got "
            f"{sorted(weights)} instead; pass an array as attention."
        )
    n, T, F = X.shape
    expected = {"cell": (n, T, F), "time": (n, T), "feature": (n, F)}[over]
    if values.shape != expected:
        raise ValueError(
            f"Attention of kind {over!r} must have shape {expected}, as X has. Got "
            f"{values.shape} instead: the estimator sees other windows than X. Cut X to the "
            "newest steps that it uses, or transform it before, or pass attention."
        )
    return values.reshape({"cell": (n, T, F), "time": (n, T, 1), "feature": (n, 1, F)}[over])


def as_importances(values, shape):
    """Tell which axes an array of importances has.

    Parameters
    ----------
    values : array-like
        Of shape (n, T, F), (T, F), (n, T), (T,), (n, F) or (F,). In three dimensions any axis may
        have length 1, which tells two meanings apart: (n, T, 1), (n, 1, F), (1, T, F), ….

    shape : tuple
        n, T and F.

    Returns
    -------
    values : ndarray of shape (n or 1, T or 1, F or 1)
    """
    values = np.asarray(values, dtype=float)
    n, T, F = shape
    if not np.isfinite(values).all():
        raise ValueError(
            "attention must be finite. Got NaN or infinite values instead; a cell that has no "
            "importance is to have the lowest."
        )
    if values.ndim == 3:
        if all(size in (1, full) for size, full in zip(values.shape, shape, strict=True)):
            return values
        meanings = []
    else:
        layouts = {
            "(T, F)": (1, T, F),
            "(n, T)": (n, T, 1),
            "(n, F)": (n, 1, F),
            "(T,)": (1, T, 1),
            "(F,)": (1, 1, F),
        }
        meanings = [
            (name, layout)
            for name, layout in layouts.items()
            if values.ndim == name.count(",") + (not name.endswith(",)"))
            and values.size == np.prod(layout)
            and tuple(size for size, letter in zip(layout, "nTF", strict=True) if letter in name)
            == values.shape
        ]
    if not meanings:
        raise ValueError(
            f"attention must have one of the shapes {SHAPES}, with n={n}, T={T}, F={F}. Got an "
            f"array of shape {values.shape} instead."
        )
    if len(meanings) > 1:
        raise ValueError(
            f"attention must tell its axes. Got an array of shape {values.shape} instead, which "
            f"may be {' or '.join(name for name, _ in meanings)} with n={n}, T={T}, F={F}; give "
            "it three dimensions with length 1 where it is the same for all, such as "
            "values[:, :, None] for (n, T) or values[None] for (T, F)."
        )
    return values.reshape(meanings[0][1])


def kind_of(importances, shape):
    """Name what an array of shape (n or 1, T or 1, F or 1) ranks: cells, steps or features."""
    _, T, F = shape
    over_time, over_features = importances.shape[1] == T, importances.shape[2] == F
    if over_time and over_features:
        return "cell"
    return "time" if over_time else "feature"


def ranks(importances, ties):
    """Rank the items of each sample, 0 for the most important; ties as ``ties`` orders them.

    Parameters
    ----------
    importances : ndarray of shape (n_samples or 1, ...)
        Higher is more important.

    ties : ndarray of shape (n_samples, ...)
        Random numbers.

    Returns
    -------
    ranks : int ndarray of the shape of ``ties``
    """
    flat = np.broadcast_to(importances, ties.shape).reshape(len(ties), -1)
    order = np.lexsort((ties.reshape(len(ties), -1), -flat), axis=1)
    return order.argsort(axis=1).reshape(ties.shape)
