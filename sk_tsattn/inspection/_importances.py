"""Importances of cells, steps or features as ranks within each sample."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._wrapped import find

# The axes of (n_samples, n_timesteps, n_features) that each kind of item has.
ITEM_AXES = {"cell": (1, 2), "time": (1,), "feature": (2,)}
SHAPES = "(n, T, F), (T, F), (n, T), (T,), (n, F) or (F,)"
LAYOUTS = {
    "(T, F)": (1, 2),
    "(n, T)": (0, 1),
    "(n, F)": (0, 2),
    "(T,)": (1,),
    "(F,)": (2,),
}


def attention_of(estimator: Any, X: NDArray[Any], over: str | None = None) -> NDArray[np.float64]:
    """Return the attention of a fitted estimator, or of the one inside a wrapper.

    Parameters
    ----------
    estimator : object
        A fitted estimator.

    X : ndarray of shape (n_samples, n_timesteps, n_features)
        Windows.

    over : {"cell", "time", "feature"} or None, default=None
        The kind of attention. None is the first of these that the attention mode defines.

    Returns
    -------
    weights : ndarray of shape (n_samples, n_timesteps or 1, n_features or 1)
        Attention on cells, steps or features.
    """
    found, X_inside = find(estimator, X, ["attention_weights"])
    if found is None:
        raise ValueError(
            "estimator must have attention_weights(X), or attention must be given. Got "
            f"{type(estimator).__name__} without it instead; pass an array of importances of shape "
            f"{SHAPES} as attention."
        )
    weights = found.attention_weights(X_inside)
    kinds = [over] if over is not None else list(ITEM_AXES)
    over = next((kind for kind in kinds if kind in weights), None)
    if over is None:
        raise ValueError(
            f"attention_weights(X) must return {' or '.join(map(repr, kinds))}. Got "
            f"{sorted(weights)} instead; fit with another attention_mode, or pass an array of "
            "importances."
        )
    values = np.asarray(weights[over])
    layout = item_shape(X.shape, over)
    expected = tuple(X.shape[axis] for axis in (0, *ITEM_AXES[over]))
    if values.shape != expected:
        raise ValueError(
            f"Attention of kind {over!r} must have shape {expected}, as X has. Got "
            f"{values.shape} instead: the estimator sees other windows than X. Cut X to the "
            "newest steps that it uses, or transform it before, or pass attention."
        )
    return values.reshape(layout)


def item_shape(shape: tuple[int, ...], over: str) -> tuple[int, int, int]:
    """Return the shape of the items of windows: (n_samples, n_timesteps or 1, n_features or 1)."""
    n, T, F = shape
    return n, T if 1 in ITEM_AXES[over] else 1, F if 2 in ITEM_AXES[over] else 1


def as_importances(values: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return an array of importances with three axes, of length 1 where it has none.

    Parameters
    ----------
    values : array-like
        Of shape (n, T, F), (T, F), (n, T), (T,), (n, F) or (F,). With three dimensions, any axis
        may have length 1, which resolves ambiguous shapes: (n, T, 1), (n, 1, F), (1, T, F), ....

    shape : tuple
        n, T and F.

    Returns
    -------
    values : ndarray of shape (n or 1, T or 1, F or 1)
        The importances.
    """
    values = np.asarray(values, dtype=float)
    n, T, F = shape
    if not np.isfinite(values).all():
        raise ValueError(
            "attention must be finite. Got NaN or infinite values instead; give a cell without "
            "importance the lowest value."
        )
    if values.ndim == 3 and all(
        size in (1, full) for size, full in zip(values.shape, shape, strict=True)
    ):
        return values
    matches = [
        name
        for name, axes in LAYOUTS.items()
        if values.shape == tuple(shape[axis] for axis in axes)
    ]
    if not matches:
        raise ValueError(
            f"attention must have one of the shapes {SHAPES}, with n={n}, T={T}, F={F}. Got an "
            f"array of shape {values.shape} instead."
        )
    if len(matches) > 1:
        raise ValueError(
            f"attention must have unambiguous axes. Got an array of shape {values.shape} instead, "
            f"which may be {' or '.join(matches)} with n={n}, T={T}, F={F}; give it three "
            "dimensions, with length 1 along the axis that it lacks, such as values[:, :, None] "
            "for (n, T) or values[None] for (T, F)."
        )
    axes = LAYOUTS[matches[0]]
    return values.reshape([shape[axis] if axis in axes else 1 for axis in range(3)])


def kind_of(importances: NDArray[np.float64], shape: tuple[int, ...]) -> str:
    """Return what importances of shape (n or 1, T or 1, F or 1) rank: a key of ``ITEM_AXES``."""
    _, T, F = shape
    over_time, over_features = importances.shape[1] == T, importances.shape[2] == F
    if over_time and over_features:
        return "cell"
    return "time" if over_time else "feature"


def ranks(importances: NDArray[np.float64], ties: NDArray[np.float64]) -> NDArray[np.intp]:
    """Rank the items of each sample.

    Parameters
    ----------
    importances : ndarray of shape (n_samples or 1, ...)
        Higher is more important.

    ties : ndarray of shape (n_samples, ...)
        Random numbers, which order the items of the same importance.

    Returns
    -------
    ranks : int ndarray of the shape of ``ties``
        0 for the most important item of the sample.
    """
    flat = np.broadcast_to(importances, ties.shape).reshape(len(ties), -1)
    order = np.lexsort((ties.reshape(len(ties), -1), -flat), axis=1)
    return order.argsort(axis=1).reshape(ties.shape)
