"""An array of finite numbers from what the user passed, or an error that names what is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse
from numpy.typing import NDArray
from sklearn.utils.validation import check_array

from ._stored import StoredArray, is_stored

# Columns, rows or cells named in a message.
N_NAMED = 5
# What to do with data that are no numbers, and with missing ones, by the name of the argument.
NO_FEATURE = (
    "drop what is no feature; encode categories, for example with OneHotEncoder or "
    "pandas.get_dummies; a column of time stamps belongs in the index"
)
ADVICE = {
    "X": NO_FEATURE,
    "series": NO_FEATURE,
    "y": "encode classes as numbers, or use AttentionLSTMClassifier; a time is predicted as the "
    "number of hours (days, ...) from a fixed start",
}
MISSING_ADVICE = {
    "X": "if it stands for a missing value, replace it by NaN, which X may hold",
    "y": "drop these rows from X and y, or give them sample_weight 0, so that they serve as "
    "history alone. The last h rows of a target made with shift(-h) are always unknown",
}


def as_numbers(
    data: Any,
    name: str,
    *,
    ensure_2d: bool = True,
    finite: bool | str = True,
    estimator: Any = None,
    stored: bool = False,
) -> Any:
    """Return ``data`` as an array of numbers, without a copy if it is one.

    Parameters
    ----------
    data : array-like, DataFrame, Series or tensor
        Pandas, polars and torch included.

    name : str
        Name of the argument, for the messages.

    ensure_2d : bool, default=True
        Whether to refuse vectors.

    finite : bool or "allow-nan", default=True
        Whether to refuse NaN and infinities, or infinities alone.

    estimator : estimator or None, default=None
        Named in scikit-learn's messages.

    stored : bool, default=False
        Whether an array that is read in parts may stay so, see :class:`StoredArray`. Otherwise it
        is read into memory.

    Returns
    -------
    values : ndarray or StoredArray
        Of a dtype of bool, integers or floats of at most 64 bits.

    Raises
    ------
    ValueError
        If ``data`` holds anything else: names the columns, or the first cells.

    TypeError
        If ``data`` is sparse or a cell is a dict, as scikit-learn's checks of estimators require.
    """
    if stored and is_stored(data):
        return _check_stored(StoredArray(data), name, ensure_2d, finite, estimator)
    columns = check_columns(data, name)
    original, data = data, to_array(data, name)
    if not data.ndim and not ensure_2d:
        raise ValueError(_not_an_array(original, name))
    if data.dtype.kind == "O":
        data = _convert_cells(data, name, columns)
    values: NDArray[Any] = check_array(
        data,
        allow_nd=True,
        dtype=None,
        ensure_2d=ensure_2d,
        ensure_all_finite=False,
        estimator=estimator,
        input_name=name,
    )
    _check_finite(values, name, finite, columns)
    return values


def _check_stored(
    values: StoredArray, name: str, ensure_2d: bool, finite: bool | str, estimator: Any
) -> StoredArray:
    """Check an array that is read in parts."""
    as_numbers(values[:1], name, ensure_2d=ensure_2d, finite=False, estimator=estimator)
    if finite:
        for first, block in values.blocks():
            _check_finite(block, name, finite, None, first)
    return values


def _check_finite(
    values: NDArray[Any],
    name: str,
    finite: bool | str,
    columns: list[Any] | None,
    first_row: int = 0,
) -> None:
    """Raise a ValueError that names the cells that are not finite; NaN may be allowed."""
    if not finite:
        return
    try:  # quicker than np.isfinite, and without a copy
        with np.errstate(over="ignore", invalid="ignore"):  # its sum of large numbers
            check_array(values, allow_nd=True, ensure_2d=False, ensure_all_finite=finite)
    except ValueError:
        wrong = np.isinf(values) if finite == "allow-nan" else ~np.isfinite(values)
        refuse_missing(wrong, values, name, columns, first_row=first_row)


def check_columns(data: Any, name: str) -> list[Any] | None:
    """Raise a ValueError that names the columns of a DataFrame (or Series) without numbers.

    An array made of the frame would hide their names, and may turn time stamps into numbers.

    Returns
    -------
    columns : list or None
        The names of the columns; None if ``data`` is no frame.
    """
    if isinstance(data, pd.DataFrame):
        types = list(data.dtypes.items())
        numbers = [_is_numeric(dtype) for _, dtype in types]
    elif isinstance(data, pd.Series):
        types, numbers = [(data.name, data.dtype)], [_is_numeric(data.dtype)]
    elif type(data).__module__.partition(".")[0] == "polars":
        if not hasattr(data, "to_numpy"):
            raise ValueError(
                f"{name} must be a DataFrame. Got an object of type {type(data).__name__} instead; "
                "call collect() first."
            )
        schema = data.schema if hasattr(data, "schema") else {data.name: data.dtype}
        types = list(schema.items())
        others = {"Boolean", "Null", "Object"}
        numbers = [dtype.is_numeric() or str(dtype) in others for _, dtype in types]
    else:
        return None
    if isinstance(data, pd.Series) and not all(numbers):
        raise ValueError(
            f"{name} must hold numbers. Got a Series of {data.dtype} instead; {_advice(name)}."
        )
    wrong = [
        f"{column!r} ({dtype})"
        for (column, dtype), right in zip(types, numbers, strict=True)
        if not right
    ]
    if wrong:
        raise ValueError(
            f"{name} must hold numbers. Got the column{'s' * (len(wrong) > 1)} "
            f"{_listed(wrong)} instead; {_advice(name)}."
        )
    return [column for column, _ in types]


def _is_numeric(dtype: Any) -> bool:
    """Return whether a pandas dtype holds numbers, or objects that may be numbers."""
    return bool(pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_object_dtype(dtype))


def to_array(data: Any, name: str) -> NDArray[Any]:
    """Return ``data`` as an array of numbers or objects, without a copy if it is one.

    Parameters
    ----------
    data : array-like, DataFrame, Series or tensor
        Columns of a DataFrame must be checked before, with :func:`check_columns`.

    name : str
        Name of the argument, for the messages.

    Returns
    -------
    array : ndarray
        Objects are not checked.

    Raises
    ------
    ValueError
        If ``data`` is no table of one length along each axis, or has a dtype that is no number.

    TypeError
        If ``data`` is sparse.
    """
    if scipy.sparse.issparse(data):
        raise TypeError(
            f"{name} must be dense. Sparse data was passed instead; convert it with toarray()."
        )
    if isinstance(data, list | tuple) and any(hasattr(part, "columns") for part in data):
        raise ValueError(
            f"{name} must be one table. Got a {type(data).__name__} of {len(data)} DataFrames "
            "instead; join those of several series with pd.concat(frames, keys=names), which "
            "makes a MultiIndex (series, time), or pd.concat(frames) and name the series of each "
            "row in groups."
        )
    if hasattr(data, "detach"):  # a torch tensor
        data = data.detach().cpu()
        if data.dtype.itemsize == 2 and data.is_floating_point():  # numpy has no bfloat16
            data = data.float()
        data = data.numpy()
    elif isinstance(data, np.ma.MaskedArray) and np.ma.is_masked(data):
        data = np.ma.filled(data.astype(np.float64), np.nan)  # np.asarray would drop the mask
    elif isinstance(data, pd.DataFrame | pd.Series) and not _has_objects(data):
        # Scikit-learn knows the missing values of pandas' own types of numbers.
        data = check_array(
            data,
            dtype="numeric",
            ensure_2d=False,
            ensure_all_finite=False,
            ensure_min_samples=0,
            ensure_min_features=0,
        )
    elif type(data).__module__.partition(".")[0] == "polars":
        data = _without_large_integers(data)
    try:
        array = StoredArray(data)[:] if is_stored(data) else np.asarray(data)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} must have one length along each axis. Got a {type(data).__name__} of parts "
            f"of different lengths instead ({_listed([_length(part) for part in data])}); put "
            "series of different lengths into one table and name the series of each row in "
            "groups, or give windows as a list of 2-D arrays."
        ) from error
    kind = array.dtype.kind
    if kind == "O" and not array.ndim:
        raise ValueError(_not_an_array(data, name))
    if kind == "c":
        raise ValueError(
            f"Complex data not supported. {name} must hold real numbers. Got an array of "
            f"{array.dtype} instead; give the real and the imaginary part as two columns."
        )
    if kind not in "biufO":
        raise ValueError(
            f"{name} must hold numbers. Got an array of {array.dtype} instead "
            f"({_listed([_shortened(cell) for cell in array.ravel()[:1].tolist()])}, ...); "
            f"{_advice(name)}."
        )
    if kind == "f" and array.dtype.itemsize > 8:
        raise ValueError(
            f"{name} must hold numbers of at most 64 bits. Got an array of {array.dtype} instead; "
            "convert it with astype(np.float64)."
        )
    return array


def _not_an_array(data: Any, name: str) -> str:
    """Return the message for a container that numpy does not read as an array."""
    return (
        f"{name} must be an array or a DataFrame. Got an object of type {type(data).__name__} "
        "instead; convert it, for example with np.array or pd.DataFrame."
    )


def _without_large_integers(data: Any) -> Any:
    """Convert integers of 128 bits, which numpy has not, in a polars object."""
    if not hasattr(data, "schema"):  # a Series
        return data.cast(float) if str(data.dtype).endswith("Int128") else data
    large = [name for name, dtype in data.schema.items() if str(dtype).endswith("Int128")]
    return data.cast(dict.fromkeys(large, float))


def _has_objects(data: pd.DataFrame | pd.Series[Any]) -> bool:
    """Return whether a pandas object holds Python objects."""
    dtypes = data.dtypes if isinstance(data, pd.DataFrame) else [data.dtype]
    return any(pd.api.types.is_object_dtype(dtype) for dtype in dtypes)


def _convert_cells(
    cells: NDArray[Any], name: str, columns: list[Any] | None
) -> NDArray[np.float64]:
    """Convert objects one by one, so that an error names the cell; what is missing becomes NaN."""
    values = np.empty(cells.size)
    for i, cell in enumerate(cells.ravel().tolist()):
        if pd.api.types.is_scalar(cell) and pd.isna(cell):
            values[i] = np.nan
            continue
        try:
            if isinstance(cell, str | bytes | np.datetime64 | np.timedelta64):
                raise TypeError("float() would read text and dates as numbers")
            values[i] = float(cell)
        except (TypeError, ValueError, OverflowError) as error:
            if isinstance(cell, dict):
                raise
            at = np.unravel_index(i, cells.shape)
            where = f"row {at[0]}"
            if len(at) > 1:
                where += f", column {_names(columns, cells.shape)[at[-1]]!r}"
            raise ValueError(
                f"{name} must hold numbers. Got {_shortened(cell)} ({where}) instead; "
                f"{_advice(name)}."
            ) from error
    return values.reshape(cells.shape)


def refuse_missing(
    missing: NDArray[np.bool_],
    values: NDArray[Any],
    name: str,
    columns: list[Any] | None,
    labels: Any = None,
    first_row: int = 0,
) -> None:
    """Raise a ValueError that names the columns and rows of cells that are not finite.

    Parameters
    ----------
    missing : bool ndarray of shape (n_rows, ..., n_columns) or (n_rows,)
        The cells.

    values : ndarray of the same shape
        Tells NaN from infinities.

    name : str
        Name of the argument.

    columns : list or None
        Names of the columns; None for their numbers.

    labels : pandas.Index or None, default=None
        Labels of the rows.

    first_row : int, default=0
        Number of the first of these rows, which may be a part of all.
    """
    if not missing.any():
        return
    is_nan = bool(np.isnan(values[missing]).any())
    rows = np.flatnonzero(missing.reshape(len(missing), -1).any(axis=1))
    where = f"{len(rows)} of {len(missing)} rows" + f" from row {first_row} on" * (first_row > 0)
    where += f" ({_listed([str(row + first_row) for row in rows])}"
    if labels is not None:
        where += f"; labelled {_listed([str(labels[row]) for row in rows])}"
    where += ")"
    if missing.ndim > 1:
        names = _names(columns, missing.shape)
        wrong = np.flatnonzero(missing.reshape(-1, missing.shape[-1]).any(axis=0))
        where = (
            f"the column{'s' * (len(wrong) > 1)} {_listed([repr(names[i]) for i in wrong])}, in "
            + where
        )
    what = "NaN" if is_nan else "infinity or a value too large for dtype('float64')"
    raise ValueError(
        f"Input {name} contains {what}. {name} must hold finite numbers. Got "
        f"{'NaN' if is_nan else 'infinity'} in {where} instead; "
        f"{MISSING_ADVICE.get(name, 'replace them or drop these rows')}."
    )


def _names(columns: list[Any] | None, shape: tuple[int, ...]) -> list[Any]:
    """Return the names of the columns, or their numbers."""
    return list(range(shape[-1])) if columns is None else columns


def _advice(name: str) -> str:
    """Return what to do with data that are no numbers."""
    return ADVICE.get(name, "convert them to numbers")


def _listed(names: list[str]) -> str:
    """Join the first names."""
    return ", ".join(names[:N_NAMED]) + (", ..." if len(names) > N_NAMED else "")


def _length(part: Any) -> str:
    """Return the length or the shape of an element of a list."""
    if hasattr(part, "shape"):
        return str(tuple(part.shape))
    return str(len(part)) if hasattr(part, "__len__") else "a number"


def _shortened(cell: Any) -> str:
    """Return how a cell is written, in at most 60 characters."""
    text = repr(cell)
    return text if len(text) <= 60 else f"{text[:57]}..."
