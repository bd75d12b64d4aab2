"""Targets of a backtest: numbers, or classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.multiclass import check_classification_targets

from ._labels import Labels, label_rows

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Targets:
    """The true target of each row and horizon.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_horizons)
        Numbers, or the positions of classes in ``classes``; NaN where the target is not known.

    horizons : list
        Name of each column.

    classes : ndarray of shape (n_classes,) or None
        The classes, sorted; None if targets are numbers.
    """

    values: Values
    horizons: list[Any]
    classes: NDArray[Any] | None

    def decode(self, values: Values) -> NDArray[Any]:
        """Return the targets that known ``values`` stand for."""
        return values if self.classes is None else self.classes[values.astype(np.intp)]

    def as_column(self, values: Values) -> Values | pd.Categorical:
        """Return ``values`` as a column of a frame: numbers, or categories."""
        if self.classes is None:
            return values
        codes = np.where(np.isnan(values), -1, values).astype(np.intp)
        return pd.Categorical.from_codes(codes, categories=self.classes.tolist())


def positions_of_classes(labels: ArrayLike, classes: NDArray[Any]) -> Values:
    """Return the position of each label in ``classes``.

    Raises
    ------
    ValueError
        If a label is not one of the classes.
    """
    array = np.asarray(labels)
    positions = np.searchsorted(classes, array).clip(max=len(classes) - 1)
    unknown = classes[positions] != array
    if np.any(unknown):
        raise ValueError(
            f"Predictions must be some of the classes of y, {classes.tolist()}. Got "
            f"{np.unique(array[unknown]).tolist()[:5]} instead."
        )
    return positions.astype(np.float64)


def check_data(
    X: Any, y: Any, groups: ArrayLike | None, sample_weight: Any, *, classify: bool
) -> tuple[Labels, Any, Targets]:
    """Return the labels of the rows, ``y`` as it is passed to the estimator, and the targets.

    A target may be missing where the weight of the row, or of the target, is 0.
    """
    if not hasattr(y, "shape"):
        y = np.asarray(y)
    n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
    if len(y.shape) not in (1, 2) or y.shape[0] != n_rows:
        raise ValueError(
            f"y must have shape ({n_rows},) or ({n_rows}, n_horizons), one target for each row of "
            f"X. Got an array of shape {tuple(y.shape)} instead."
        )
    horizons = list(y.columns) if hasattr(y, "columns") else []
    if len(set(horizons)) < len(horizons):
        raise ValueError(f"The columns of y must have distinct names. Got {horizons} instead.")
    array = np.asarray(y).reshape(n_rows, -1)
    classes, values = _classes(array) if classify else (None, _numbers(array))
    labels = label_rows(X, y, groups, n_rows)
    unknown = ~np.isfinite(values)
    if sample_weight is not None and len(sample_weight) == n_rows:
        weight = np.asarray(sample_weight, dtype=np.float64).reshape(n_rows, -1)
        unknown = np.isinf(values) | (np.isnan(values) & (weight != 0))
    rows = np.flatnonzero(unknown.any(axis=1))
    if len(rows):
        raise ValueError(
            f"y must be finite. Got NaN or infinity in {len(rows)} rows instead, the first "
            f"labelled {labels.index[rows[0]]}; drop these rows, such as the last ones of a target "
            "that was shifted, or give them weight 0 with "
            'params={"sample_weight": y.notna()}.'
        )
    horizons = horizons or list(range(1, values.shape[1] + 1))
    return labels, y, Targets(values, horizons, classes)


def _numbers(array: NDArray[Any]) -> Values:
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"y must hold numbers. Got something else instead ({error}).") from error


def _classes(array: NDArray[Any]) -> tuple[NDArray[Any], Values]:
    """Return the distinct labels, sorted, and the position of each label; NaN where it misses."""
    known = ~np.asarray(pd.isna(array))
    try:
        check_classification_targets(array[known])
        classes, positions = np.unique(array[known], return_inverse=True)
    except TypeError as error:  # numbers and text cannot be sorted
        raise ValueError(
            f"y must hold classes of one type. Got several instead ({error}); convert them, for "
            "example with astype(str)."
        ) from error
    if len(classes) < 2:
        raise ValueError(f"y must hold at least 2 classes. Got {classes.tolist()} instead.")
    values = np.full(array.shape, np.nan)
    values[known] = positions
    return classes, values
