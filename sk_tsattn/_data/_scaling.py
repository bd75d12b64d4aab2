"""Standardisation of features and targets, with weighted moments that cannot overflow."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._checks import warn_user

# Values read at a time: 8 MB in double precision.
CHUNK_VALUES = 1_000_000
# Squares of numbers between 2^-400 and 2^400, and sums of many, neither overflow nor underflow.
MAX_EXPONENT = 400
# Standardised values are at most 2^52 = 4.5e15 in size. Beside greater ones, double precision loses
# values of order 1; and their squares are safe in single precision.
MAX_STANDARDISED = 2.0**52
# A column that varies by less than its last digits counts as constant.
CONSTANT_TOLERANCE = 10 * float(np.finfo(np.float64).eps)
# Values that differ by less than this many standard deviations from each other are lost to the
# network. They are looked for in a sample of rows of this many values.
RESOLUTION, SAMPLE_VALUES = 1e-9, 100_000
# Targets are at most 2^997 = 1.3e300 in size, so that predictions beyond them do not overflow.
MAX_TARGET_EXPONENT = 997


@dataclass(frozen=True)
class Standardizer:
    """Scale columns to mean 0 and standard deviation 1.

    Parameters
    ----------
    mean, scale : ndarray of shape (n_columns,) or float
        Subtracted from each column, which is then divided by the scale. The default is the
        identity. An infinite scale makes a column 0.

    exponent : int ndarray of shape (n_columns,) or int, default=0
        Mean and scale are in units of ``2**exponent``. Not 0 only for columns of extreme size.

    name : str, default="X"
        Name of the data, for messages.

    columns : list or None, default=None
        Names of the columns, for messages; None for their numbers.

    constant : dict, default={}
        Value of each constant feature, by its number; NaN for a feature without values.
    """

    mean: NDArray[np.float64] | float = 0.0
    scale: NDArray[np.float64] | float = 1.0
    exponent: NDArray[np.int_] | int = 0
    name: str = "X"
    columns: list[Any] | None = None
    constant: dict[int, float] = field(default_factory=dict)

    @classmethod
    def for_features(
        cls,
        values: NDArray[Any],
        weight: NDArray[np.float64],
        *,
        standardize: bool,
        columns: list[Any] | None = None,
    ) -> Standardizer:
        """Fit the scaling of features.

        A feature that is constant in these data becomes 0, whatever its values later: nothing can
        be learnt about them. So does a feature without any values, which is warned about.

        Parameters
        ----------
        values, weight
            See :func:`moments`.

        standardize : bool
            Whether to scale the other features.

        columns : list or None, default=None
            Names of the features.
        """
        mean, std, exponent = moments(values, weight)
        _warn_if_empty(np.isnan(mean), columns)
        constant = std == 0
        in_own_units = in_units(mean, -exponent)
        values_of_constant = {int(i): float(in_own_units[i]) for i in np.flatnonzero(constant)}
        if standardize:
            _warn_if_dominated(values, weight, std, exponent, "X", columns)
            scale = np.where(constant, np.inf, std)
        else:
            scale = np.where(constant, np.inf, 1.0)
            mean, exponent = np.zeros_like(mean), np.zeros_like(exponent)
        # Infinity divided by an infinite scale would be NaN.
        mean, exponent = np.where(constant, 0.0, mean), np.where(constant, 0, exponent)
        return cls(mean, scale, exponent, "X", columns, values_of_constant)

    @classmethod
    def for_targets(
        cls, values: NDArray[Any], weight: NDArray[np.float64], *, standardize: bool
    ) -> Standardizer:
        """Fit the scaling of targets; see :meth:`for_features` for the parameters.

        A constant target has scale 1, or its own size if that is smaller.

        Raises
        ------
        ValueError
            If predictions could overflow, or a column has no known target.
        """
        unknown = np.isnan(values[weight > 0]).all(axis=0)
        if unknown.any():
            raise ValueError(
                "y must have a known target in each column of the training set. Got none in column "
                f"{int(np.argmax(unknown))} instead; leave the column out."
            )
        if not standardize:
            return cls(name="y")
        mean, std, exponent = moments(values, weight)
        if (exponent > MAX_TARGET_EXPONENT).any():
            column = int(np.argmax(exponent))
            size = float(np.nanmax(np.abs(values[weight > 0, column])))
            raise ValueError(
                f"y must hold numbers of at most {2.0**MAX_TARGET_EXPONENT:.1e} in size, so that "
                f"predictions do not overflow. Got {size:.3g} in column {column} instead; divide "
                "it by a power of 10."
            )
        _warn_if_dominated(values, weight, std, exponent, "y", None)
        with np.errstate(over="ignore"):
            one = np.minimum(np.ldexp(1.0, -exponent), np.where(mean == 0, 1.0, np.abs(mean)))
        return cls(mean, np.where(std == 0, one, std), exponent, "y")

    def transform(
        self, values: NDArray[Any], used: NDArray[np.bool_] | None = None
    ) -> NDArray[Any]:
        """Standardise columns, in the precision of the data.

        Single precision would lose the small changes of a large value, such as a pressure in Pa.

        Parameters
        ----------
        values : ndarray of shape (n, ..., n_columns)
            Finite numbers, or NaN, which stays NaN.

        used : bool ndarray of shape (n,) or None, default=None
            Rows that are used. The size of others is not checked.

        Returns
        -------
        standardised : ndarray of shape (n, ..., n_columns)

        Raises
        ------
        ValueError
            If a standardised value is larger than the network can compute with.
        """
        with np.errstate(over="ignore"):
            standardised: NDArray[Any] = (in_units(values, self.exponent) - self.mean) / self.scale
        if _is_too_large(standardised):
            if used is None:
                self._refuse(values, standardised)
            elif _is_too_large(standardised[used]):
                self._refuse(values[used], standardised[used])
        return standardised

    def _refuse(self, values: NDArray[Any], standardised: NDArray[Any]) -> None:
        """Raise a ValueError that names the column of the largest standardised value."""
        at = np.unravel_index(np.nanargmax(np.abs(standardised)), standardised.shape)
        column = int(at[-1]) if self.columns is None else self.columns[at[-1]]
        raise ValueError(
            f"{self.name} must hold numbers within {MAX_STANDARDISED:.1e} standard deviations of "
            "the training mean of their column; with standardize=False, of at most that size. Got "
            f"{float(values[at]):.3g} in column {column!r} instead; if it stands for a missing "
            "value, impute it or drop the row, else change the unit."
        )

    def warn_if_no_longer_constant(self, values: NDArray[Any]) -> None:
        """Warn if a feature that was constant in the data of the fit varies in further data.

        Parameters
        ----------
        values : ndarray of shape (n, ..., n_columns)
            Features to go on training with.
        """
        with np.errstate(over="ignore"):
            varying = [
                repr(i if self.columns is None else self.columns[i])
                for i, value in self.constant.items()
                if _varies(values[..., i], value)
            ]
        if varying:
            warnings.warn(
                f"Features that were constant in the first training data have no influence. Got "
                f"other values of {', '.join(varying)} to go on with; call fit with "
                "warm_start=False on data in which they vary.",
                UserWarning,
                stacklevel=2,
            )

    def inverse_transform(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return standardised predictions in the units of the targets.

        Parameters
        ----------
        values : ndarray of shape (n, n_columns)
            What the network predicts.

        Returns
        -------
        predictions : ndarray of shape (n, n_columns)
            Finite numbers.

        Raises
        ------
        ValueError
            If a prediction is not finite.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            predictions = in_units(values * self.scale + self.mean, -self.exponent)
        finite = np.isfinite(predictions)
        if not finite.all():
            wrong = np.flatnonzero(~finite.all(axis=1))
            raise ValueError(
                f"Predictions must be finite numbers. Got NaN or infinity for {len(wrong)} of "
                f"{len(values)} samples (first {wrong[0]}) instead; fit again with a smaller lr, "
                "and check X and y for values of extreme size."
            )
        return predictions


def _varies(values: NDArray[Any], constant: float) -> bool:
    """Return whether any value differs from a constant, which is NaN if there was no value."""
    observed = values[~np.isnan(values)]
    return not (np.abs(observed - constant) <= CONSTANT_TOLERANCE * abs(constant)).all()


def _warn_if_empty(empty: NDArray[np.bool_], columns: list[Any] | None) -> None:
    """Warn of features that are missing in all training data."""
    if empty.any():
        names = [repr(i if columns is None else columns[i]) for i in np.flatnonzero(empty)]
        warn_user(
            f"Features without values have no influence. X is NaN throughout in the "
            f"column{'s' * (len(names) > 1)} {', '.join(names)} of the training data; drop what is "
            "never known.",
            UserWarning,
        )


def moments(
    values: NDArray[Any], weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int_]]:
    """Compute the weighted mean and standard deviation of each column, of its values but NaN.

    Parameters
    ----------
    values : ndarray of shape (n, ..., n_columns)
        Rows, or windows whose steps have one weight. Read in pieces: a memory map is never loaded
        as a whole.

    weight : ndarray of shape (n,)
        Non-negative weights, not all zero. A weight of k counts as k copies.

    Returns
    -------
    mean, std : ndarray of shape (n_columns,), float64
        In units of ``2**exponent``. The standard deviation of a constant column is 0; a column
        that varies by less than its last digits counts as constant. The mean of a column without
        values is NaN, and its standard deviation 0.

    exponent : int ndarray of shape (n_columns,)
        0, except for columns whose squares would overflow or underflow.
    """
    n_columns = values.shape[-1]
    step = max(1, CHUNK_VALUES // max(1, int(np.prod(values.shape[1:]))))
    used = np.unique(np.flatnonzero(weight) // step) * step  # start of each piece with a weight
    n_steps = int(np.prod(values.shape[1:-1]))

    def pieces() -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        for i in used:
            part = weight[i : i + step]
            rows = np.asarray(values[i : i + step][part > 0], dtype=np.float64)
            yield rows.reshape(-1, n_columns), np.repeat(part[part > 0], n_steps)

    largest = np.full(n_columns, np.nan)
    origin = np.full(n_columns, np.nan)  # one of the values
    total = np.full(n_columns, weight.sum() * n_steps)
    for rows, part in pieces():
        largest = np.fmax(largest, np.fmax.reduce(np.abs(rows), axis=0))
        total -= part @ np.isnan(rows)
        if np.isnan(origin).any():
            first = np.take_along_axis(rows, np.argmin(np.isnan(rows), axis=0)[None], axis=0)[0]
            origin = np.where(np.isnan(origin), first, origin)
    is_empty = np.isnan(largest)
    exponent = extreme_exponent(np.where(is_empty, 0.0, largest))
    total[is_empty] = np.nan

    def average(
        transform: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    ) -> NDArray[np.float64]:
        summed = np.zeros(n_columns)
        for rows, part in pieces():
            transformed = transform(in_units(rows, exponent))
            transformed[np.isnan(transformed)] = 0.0
            summed += part @ transformed
        averaged: NDArray[np.float64] = summed / total
        return averaged

    # Measured from one of its values, a constant column is 0 throughout, whatever the rounding.
    origin = in_units(origin, exponent)
    mean = origin + average(lambda rows: rows - origin)
    std = np.sqrt(average(lambda rows: (rows - mean) ** 2))
    constant = is_empty | (std <= CONSTANT_TOLERANCE * np.abs(mean))
    return mean, np.where(constant, 0.0, std), exponent


def _warn_if_dominated(
    values: NDArray[Any],
    weight: NDArray[np.float64],
    std: NDArray[np.float64],
    exponent: NDArray[np.int_],
    name: str,
    columns: list[Any] | None,
) -> None:
    """Warn if a few extreme values make the standard deviation, beside which most others are lost.

    Most often, they stand for missing values.
    """
    used = np.flatnonzero(weight > 0)
    n_sampled = max(1, SAMPLE_VALUES // max(1, int(np.prod(values.shape[1:]))))
    sample = np.asarray(values[used[:: -(-len(used) // n_sampled)]], dtype=np.float64)
    sample = in_units(sample.reshape(-1, values.shape[-1]), exponent)
    for i, column in enumerate(range(len(std)) if columns is None else columns):
        observed = sample[~np.isnan(sample[:, i]), i]
        deviation = np.abs(observed - np.median(observed)) if len(observed) else observed
        varying = deviation[deviation > 0]
        typical = np.median(varying) if len(varying) else np.inf
        if typical < RESOLUTION * std[i]:
            warnings.warn(
                f"{name} has a few values in column {column!r} that are so large that the "
                f"differences between most others are lost: less than {RESOLUTION:.0e} standard "
                "deviations. If they stand for missing values, impute them or drop the rows; "
                "else take logarithms.",
                UserWarning,
                stacklevel=3,
            )


def extreme_exponent(largest: NDArray[np.float64]) -> NDArray[np.int_]:
    """Return the binary exponent of numbers of extreme size, and 0 for all others.

    Parameters
    ----------
    largest : ndarray of shape (n_columns,)
        The largest absolute value of each column.

    Returns
    -------
    exponent : int ndarray of shape (n_columns,)
        Column divided by ``2**exponent`` has values of order 1, if the exponent is not 0.
    """
    exponent = np.frexp(largest)[1].astype(np.int_)
    return np.where(np.abs(exponent) > MAX_EXPONENT, exponent, 0)


def in_units(values: NDArray[Any], exponent: NDArray[np.int_] | int) -> NDArray[Any]:
    """Divide columns by ``2**exponent``, which is exact; return them as they are if it is 0."""
    if not np.any(exponent):
        return values
    divided: NDArray[Any] = np.ldexp(np.asarray(values, dtype=np.float64), -np.asarray(exponent))
    return divided


def _is_too_large(standardised: NDArray[Any]) -> bool:
    """Return whether a value is beyond the limit, without a copy."""
    if not standardised.size:
        return False
    largest = np.fmax.reduce(standardised, axis=None)
    smallest = np.fmin.reduce(standardised, axis=None)
    return bool(max(largest, -smallest) > MAX_STANDARDISED)
