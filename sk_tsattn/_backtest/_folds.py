"""Folds in time order: where each training set ends and each test set begins."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import TimeSeriesSplit, check_cv

from .._data._checks import is_int
from ._labels import Labels, Positions
from ._targets import Targets


def split(
    cv: Any, labels: Labels, X: Any, y: Any, n_ahead: int | None
) -> list[tuple[Positions, Positions]]:
    """Return the positions among ``labels.times`` of each fold's training and test sets.

    ``n_ahead`` is how many rows ahead the last target is, if that is known.
    """
    if cv is None or is_int(cv, 2):
        cv = TimeSeriesSplit(5 if cv is None else cv, gap=(n_ahead or 1) - 1)
    elif isinstance(cv, str) or not (hasattr(cv, "split") or hasattr(cv, "__iter__")):
        raise ValueError(
            "cv must be a splitter, an int >= 2 or an iterable of (train, test). "
            f"Got {cv!r} instead."
        )
    if labels.series.any():
        X, y = np.empty((len(labels.times), 1)), None
    folds = [(_positions(train), _positions(test)) for train, test in check_cv(cv).split(X, y)]
    for i, fold in enumerate(folds):
        for rows, name in zip(fold, ("training", "test"), strict=True):
            if not len(rows):
                raise ValueError(f"Fold {i} must have {name} rows. Got none instead.")
            if rows[0] < 0 or rows[-1] >= len(labels.times):
                raise ValueError(
                    f"The positions of the {name} rows of fold {i} must be from 0 to "
                    f"{len(labels.times) - 1}. Got {rows[0]} to {rows[-1]} instead."
                )
    if not folds:
        raise ValueError(f"cv must yield at least one fold. Got none from {cv!r}.")
    return folds


def _positions(selected: ArrayLike) -> Positions:
    """Return positions, in order, from positions or a boolean mask."""
    array = np.asarray(selected)
    return np.flatnonzero(array) if array.dtype == bool else np.sort(array).astype(np.intp)


def check_order_of_folds(
    folds: list[tuple[Positions, Positions]],
    fitted_in: NDArray[np.int_],
    labels: Labels,
    n_columns: int,
    n_ahead: int | None,
) -> None:
    """Raise where a training set has rows later than its test set, warn where targets overlap."""
    gaps = []
    for i, first in enumerate(fitted_in):
        train_end, test_start = folds[first][0][-1], folds[i][1][0]
        if train_end >= test_start:
            of = "" if first == i else f" (which is predicted by the fit of fold {first})"
            raise ValueError(
                f"All training rows of a fold must precede its test rows. In fold {i}{of} the "
                f"training set ends at {labels.times[train_end]}, and the test set begins at "
                f"{labels.times[test_start]}; use TimeSeriesSplit, or another splitter in time "
                "order."
            )
        gaps.append(test_start - train_end - 1)
    least = (n_columns if n_ahead is None else n_ahead) - 1
    if min(gaps) < least:
        horizons, condition = f"targets up to {n_ahead} rows ahead", ""
        if n_ahead is None:
            horizons, condition = f"{n_columns} columns", "If the columns are horizons, "
        warnings.warn(
            f"y has {horizons}, and a test set begins after a gap of {min(gaps)} rows. {condition}"
            f"{'the' if condition else 'The'} last targets of the training set lie in the test "
            f"set; use TimeSeriesSplit(gap={least}).",
            UserWarning,
            stacklevel=3,
        )


def check_targets_of_folds(
    folds: list[tuple[Positions, Positions]], labels: Labels, targets: Targets
) -> None:
    """Raise if a test set has no known target of a horizon, so that it cannot be scored."""
    for i, (_, test) in enumerate(folds):
        known = ~np.isnan(targets.values[labels.rows(test)]).all(axis=0)
        if not known.all():
            horizon = targets.horizons[int(np.argmin(known))]
            raise ValueError(
                f"Each test set must have a known target of each horizon. Got none of horizon "
                f"{horizon} in fold {i} instead; choose larger test sets."
            )


def check_classes_of_folds(
    folds: list[tuple[Positions, Positions]],
    fitted_in: NDArray[np.int_],
    labels: Labels,
    targets: Targets,
) -> None:
    """Raise if a training set has one class, warn where it lacks classes of a test set."""
    if targets.classes is None:
        return
    lacking, unseen = set(), set()
    for i, first in enumerate(fitted_in):
        train, test = (targets.values[labels.rows(part)] for part in (folds[first][0], folds[i][1]))
        for horizon, learnt, tested in zip(targets.horizons, train.T, test.T, strict=True):
            learnt, tested = (set(part[~np.isnan(part)]) for part in (learnt, tested))
            if len(learnt) < 2:
                raise ValueError(
                    "Each training set must hold at least 2 classes of each horizon. Got "
                    f"{len(learnt)} of horizon {horizon} in fold {first} instead; begin the test "
                    "sets later."
                )
            if tested - learnt:
                lacking.add(i)
                unseen |= tested - learnt
    if lacking:
        names = targets.decode(np.array(sorted(unseen))).tolist()
        warnings.warn(
            f"The training sets of {len(lacking)} of {len(folds)} folds (first: fold "
            f"{min(lacking)}) have no row of some classes of their test sets: {names}. These "
            "cannot be predicted there, and have probability 0; begin the test sets later.",
            UserWarning,
            stacklevel=3,
        )


def summarise_folds(
    folds: list[tuple[Positions, Positions]], fitted_in: NDArray[np.int_], labels: Labels
) -> pd.DataFrame:
    """Return where each fold is cut."""
    summary = []
    for first, (_, test) in zip(fitted_in, folds, strict=True):
        train = folds[first][0]
        summary.append(
            {
                "train_end": labels.times[train[-1]],
                "test_start": labels.times[test[0]],
                "test_end": labels.times[test[-1]],
                "n_train": len(labels.rows(train)),
                "n_test": len(labels.rows(test)),
            }
        )
    return pd.DataFrame(summary).rename_axis("fold")
