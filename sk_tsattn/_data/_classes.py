"""Checks of class labels: each class becomes a column of numbers, and gets its weight."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from ._numbers import refuse_missing
from ._stored import StoredArray, is_stored

Array = NDArray[Any]


def check_labels_of_classes(y: Any, n_rows: int, weight: NDArray[np.float64]) -> Array:
    """Check class labels.

    Parameters
    ----------
    y : array-like of shape (n_rows,)
        Numbers, text or booleans.

    n_rows : int
        Rows of ``X``.

    weight : ndarray of shape (n_rows,)
        Weights. The label of a row with weight 0 may be missing.

    Returns
    -------
    labels : ndarray of shape (n_rows,)
        The labels; any other one in place of a missing one.

    Raises
    ------
    ValueError
        If ``y`` does not hold one label for each row of ``X``, all of one type.
    """
    if weight.ndim == 2:
        raise ValueError(
            f"sample_weight must have shape ({n_rows},), one weight for each row (or window) of X. "
            f"Got an array of shape {weight.shape} instead."
        )
    if y is None:
        raise ValueError(
            "This estimator requires y to be passed, but the target y is None; give one class for "
            "each row of X."
        )
    if hasattr(y, "detach"):  # a torch tensor
        y = y.detach().cpu().numpy()
    elif is_stored(y):
        y = StoredArray(y)[:]
    labels: Array = column_or_1d(np.asarray(y), warn=True)
    if len(labels) != n_rows:
        raise ValueError(
            f"y must have shape ({n_rows},), one class for each row (or window) of X. Got an array "
            f"of shape {np.shape(y)} instead; make_windows cuts X and y together."
        )
    missing = np.asarray(pd.isna(labels))
    if labels.dtype.kind == "f":
        missing |= ~np.isfinite(labels)
    needed = missing & (weight > 0)
    values = labels if labels.dtype.kind == "f" else np.where(needed, np.nan, 0.0)
    refuse_missing(needed, values, "y", None, _row_labels(y))
    labels = np.where(missing, labels[~missing][:1], labels)
    try:
        check_classification_targets(labels[weight > 0])
    except TypeError as error:  # numbers and text cannot be sorted
        raise ValueError(
            f"y must hold classes of one type. Got several instead ({error}); convert them, for "
            "example with astype(str)."
        ) from error
    return labels


def find_classes(labels: Any, name: str = "y") -> Array:
    """Return the distinct labels, sorted; raise a ValueError if there is one class only."""
    classes: Array = np.unique(labels)
    if len(classes) < 2:
        raise ValueError(
            f"{name} must hold at least 2 classes{' in rows that have a weight' * (name == 'y')}. "
            f"Got one class instead: {classes.tolist()}."
        )
    return classes


def as_columns(
    labels: Array, classes: Array, weight: NDArray[np.float64], name: str = "y"
) -> NDArray[np.float64]:
    """Return a column for each class: 1 in its rows, 0 in the others.

    Parameters
    ----------
    labels : ndarray of shape (n_rows,)
        Labels. Those of rows with weight 0 may be unknown.

    classes : ndarray of shape (n_classes,)
        Sorted.

    weight : ndarray of shape (n_rows,)
        Weights.

    name : str, default="y"
        Name of the labels, for the message.

    Raises
    ------
    ValueError
        If a label is not one of the classes.
    """
    columns = np.equal.outer(labels, classes).astype(np.float64)
    unknown = (weight > 0) & (columns.sum(axis=1) == 0)
    if unknown.any():
        found = list(dict.fromkeys(labels[unknown].tolist()))
        raise ValueError(
            f"{name} must hold the classes {classes.tolist()} that fit has seen. Got {found[:5]} "
            "instead; fit on rows of all classes, or name them at the first partial_fit(classes=)."
        )
    return columns


def weights_of_classes(
    class_weight: dict[Any, float] | str | None,
    classes: Array,
    columns: NDArray[np.float64],
    weight: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the factor of the sample weights of each class.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
        The estimator's parameter. "balanced" gives all classes the same total weight, and does not
        change the sum of the weights.

    classes, columns, weight
        See :func:`as_columns`.

    Returns
    -------
    factors : ndarray of shape (n_classes,)
    """
    if class_weight == "balanced":
        totals = weight @ columns
        n_present = np.count_nonzero(totals)
        factors: NDArray[np.float64] = totals.sum() / (n_present * np.where(totals, totals, np.inf))
    else:
        factors = compute_class_weight(class_weight, classes=classes, y=classes)
    return factors


def _row_labels(y: Any) -> Any:
    """Return the index of a Series that has one of its own."""
    labels = getattr(y, "index", None)  # a method of a list
    is_own = isinstance(labels, pd.Index) and not isinstance(labels, pd.RangeIndex)
    return labels if is_own else None
