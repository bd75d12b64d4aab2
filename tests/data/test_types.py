"""Types: the right numbers, or one ValueError with the expected type, the given one, and advice."""

import datetime
import decimal
import fractions
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning

from sk_tsattn import AttentionLSTMRegressor, make_windows

polars = pytest.importorskip("polars")

N = 30
rng = np.random.default_rng(0)
ROWS = rng.integers(-50, 50, size=(N, 2)).astype(np.float64)
TARGET = rng.integers(-50, 50, size=N).astype(np.float64)
TIMES = pd.date_range("2024-01-01", periods=N, freq="h")
FRAME = pd.DataFrame(ROWS, columns=["u", "v"], index=TIMES)

# One epoch may be worse than the null model.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def quick(**changes):
    options = {"lookback": 3, "context": "mask", "hidden_size": 2, "max_epochs": 1}
    options |= {"attention_mode": None, "random_state": 0}
    return AttentionLSTMRegressor(**options | changes)


# ------------------------------------------------------------------------------ cells of objects

NO_NUMBERS = {
    "date": datetime.date(2024, 1, 1),
    "Timestamp": pd.Timestamp("2024-01-01"),
    "datetime64": np.datetime64("2024-01-01"),
    "timedelta": datetime.timedelta(hours=1),
    "timedelta64": np.timedelta64(1, "h"),
    "Period": pd.Period("2024-01"),
    "time": datetime.time(12),
    "text": "warm",
    "text that is a number": "1.5",
    "bytes": b"1",
    "list": [1.0, 2.0],
    "complex": 1j,
    "too large": 10**400,
    "any object": object(),
}
MISSING = {"None": None, "NA": pd.NA, "NaN": float("nan"), "NaT": pd.NaT}
NUMBERS = {
    "int": 3,
    "bool": True,
    "Decimal": decimal.Decimal("1.5"),
    "Fraction": fractions.Fraction(3, 2),
    "numpy": np.float32(1.5),
    "large int": 2**70,
}


def column_of(cell):
    cells = np.empty(N, dtype=object)
    cells[:] = list(TARGET)
    cells[4] = cell
    return cells


@pytest.mark.parametrize("cell", NO_NUMBERS.values(), ids=NO_NUMBERS)
def test_a_cell_that_is_not_a_number_is_an_error_with_its_position(cell):
    column = column_of(cell)
    with pytest.raises(ValueError, match=r"X must hold numbers\. Got .* \(row 4, column 'c'\)"):
        quick().fit(FRAME.assign(c=pd.Series(column, index=TIMES, dtype=object)), TARGET)
    with pytest.raises(ValueError, match=r"X must hold numbers\. Got .*column 1\) instead; drop"):
        quick().fit(np.column_stack([ROWS[:, :1], column]), TARGET)
    with pytest.raises(ValueError, match=r"y must hold numbers\. Got .* \(row 4\) instead; enc"):
        quick().fit(FRAME, column)


@pytest.mark.parametrize("cell", MISSING.values(), ids=MISSING)
def test_a_missing_cell_is_NaN_in_X_and_an_error_with_its_position_in_y(cell):
    column = pd.Series(column_of(cell), index=TIMES, dtype=object)
    Z, same = FRAME.assign(c=column), FRAME.assign(c=np.where(np.arange(N) == 4, np.nan, TARGET))
    by_object = quick().fit(Z, TARGET).predict(Z)
    np.testing.assert_array_equal(by_object, quick().fit(same, TARGET).predict(same))
    with pytest.raises(ValueError, match=r"y contains NaN.*in 1 of 30 rows \(4; labelled 2024"):
        quick().fit(FRAME, column)


@pytest.mark.filterwarnings("ignore:.* has a few values:UserWarning")  # 2**70
@pytest.mark.parametrize("cell", NUMBERS.values(), ids=NUMBERS)
def test_a_cell_of_any_numeric_type_is_accepted(cell):
    column = column_of(cell)
    numbers = column.astype(np.float64)
    by_objects = quick().fit(np.column_stack([ROWS, column]), column)
    by_numbers = quick().fit(np.column_stack([ROWS, numbers]), numbers)
    predicted = by_objects.predict(np.column_stack([ROWS, column]))
    np.testing.assert_array_equal(predicted, by_numbers.predict(np.column_stack([ROWS, numbers])))


def test_a_dict_in_a_cell_is_the_type_error_of_scikit_learn():
    with pytest.raises(TypeError, match=r"argument must be .* string.* number"):
        quick().fit(np.column_stack([ROWS, column_of({"a": 1})]), TARGET)


# ------------------------------------------------------------------------------ dtypes of arrays


@pytest.mark.parametrize(
    ("dtype", "message"),
    [
        ("M8[s]", r"must hold numbers\. Got an array of datetime64\[s\]"),
        ("m8[s]", r"must hold numbers\. Got an array of timedelta64\[s\]"),
        ("M8[ns]", r"must hold numbers\. Got an array of datetime64\[ns\]"),
        (np.longdouble, r"must hold numbers of at most 64 bits.*astype\(np\.float64\)"),
        (complex, r"Complex data not supported.* must hold real numbers"),
        (str, r"must hold numbers\. Got an array of <U32 instead"),
        (bytes, r"must hold numbers\. Got an array of \|S"),
    ],
)
def test_an_array_of_a_non_numeric_dtype_is_an_error(dtype, message):
    with pytest.raises(ValueError, match=message):
        quick().fit(ROWS.astype(dtype), TARGET)
    with pytest.raises(ValueError, match=message):
        quick().fit(ROWS, TARGET.astype(dtype))
    fitted = quick().fit(ROWS, TARGET)
    with pytest.raises(ValueError, match=message):
        fitted.predict(ROWS.astype(dtype))


def test_structured_arrays_are_an_error():
    with pytest.raises(ValueError, match=r"X must hold numbers\. Got an array of \[\('a'"):
        quick().fit(ROWS.view([("a", float), ("b", float)]), TARGET)


def test_masked_values_are_missing_values():
    masked = np.ma.masked_equal(ROWS, ROWS[4, 1])
    expected = quick().fit(masked.filled(np.nan), TARGET).predict(masked.filled(np.nan))
    np.testing.assert_array_equal(quick().fit(masked, TARGET).predict(masked), expected)
    with pytest.raises(ValueError, match=r"Input y contains NaN"):
        quick().fit(ROWS, np.ma.masked_equal(TARGET, TARGET[4]))


def test_half_precision_tensors_are_accepted():
    tensor = torch.as_tensor(ROWS).to(torch.bfloat16)
    assert np.isfinite(quick().fit(tensor, TARGET).predict(tensor)).all()


# ------------------------------------------------------------------------------ frames

TIME_AND_TEXT = {
    "Timestamp": list(TIMES),
    "date": [time.date() for time in TIMES],
    "timedelta": [datetime.timedelta(hours=i) for i in range(N)],
    "time": [datetime.time(i % 24) for i in range(N)],
    "text": ["warm"] * N,
    "text that is a number": ["1.5"] * N,
    "list": [[1, 2]] * N,
    "struct": [{"a": 1}] * N,
}


@pytest.mark.parametrize("cells", TIME_AND_TEXT.values(), ids=TIME_AND_TEXT)
def test_a_non_numeric_polars_column_is_an_error_that_names_it(cells):
    frame = polars.DataFrame({"u": ROWS[:, 0], "when": cells})
    message = r"must hold numbers\. Got the column 'when' \(\w+.*\) instead; "
    with pytest.raises(ValueError, match=f"X {message}"):
        quick().fit(frame, TARGET)
    with pytest.raises(ValueError, match=f"y {message}"):
        quick().fit(ROWS, frame)
    fitted = quick().fit(polars.DataFrame({"u": ROWS[:, 0], "when": TARGET}), TARGET)
    with pytest.raises(ValueError, match=f"X {message}"):
        fitted.predict(frame)


@pytest.mark.parametrize("kind", ["int", "float", "Decimal", "bool"])
def test_a_numeric_polars_column_is_accepted(kind):
    cells = (TARGET > 0) if kind == "bool" else TARGET
    convert = {"int": int, "float": float, "Decimal": lambda v: decimal.Decimal(int(v))}
    column = polars.Series("c", [convert.get(kind, bool)(v) for v in cells])
    frame = polars.DataFrame({"u": ROWS[:, 0]}).with_columns(column)
    array = np.column_stack([ROWS[:, 0], cells])
    by_frame = quick().fit(frame, column).predict(frame)
    np.testing.assert_array_equal(by_frame, quick().fit(array, cells).predict(array))


def test_make_windows_does_not_convert_time_stamps_to_numbers():
    frame = polars.DataFrame({"when": list(TIMES), "u": ROWS[:, 0]})
    with pytest.raises(ValueError, match=r"series must hold numbers\. Got the column 'when'"):
        make_windows(frame, lookback=3)
    with pytest.raises(ValueError, match=r"series must hold numbers\. Got the column 'when'"):
        make_windows(FRAME.assign(when=TIMES), "u", lookback=3)
    with pytest.raises(ValueError, match=r"y must hold numbers\. Got an array of datetime64"):
        make_windows(FRAME, TIMES, lookback=3)
    with pytest.raises(ValueError, match=r"series must be one table\. Got a list of 2 DataFrames"):
        make_windows([FRAME, FRAME], lookback=3)


def test_missing_values_of_polars_are_NaN():
    frame = polars.DataFrame({"u": ROWS[:, 0], "v": [None, *ROWS[1:, 1]]})
    same = frame.with_columns(frame["v"].fill_null(np.nan))
    expected = quick().fit(same, TARGET).predict(same)
    np.testing.assert_array_equal(quick().fit(frame, TARGET).predict(frame), expected)


def test_a_lazy_frame_is_an_error_that_advises_collect():
    with pytest.raises(ValueError, match=r"Got an object of type LazyFrame.*collect\(\)"):
        quick().fit(polars.LazyFrame({"u": ROWS[:, 0]}), TARGET)


@pytest.mark.parametrize(
    "dtype", ["datetime64[s]", "datetime64[ns, UTC]", "timedelta64[s]", "category", "string"]
)
def test_a_non_numeric_pandas_column_is_an_error_that_names_it(dtype):
    column = pd.Series(np.arange(N), index=TIMES)
    column = column.astype(str).astype(dtype) if dtype == "string" else column.astype(dtype)
    with pytest.raises(ValueError, match=r"X must hold numbers\. Got the column 'c' \(.*\) ins"):
        quick().fit(FRAME.assign(c=column), TARGET)
    with pytest.raises(ValueError, match=r"y must hold numbers\. Got a Series of .* instead"):
        quick().fit(FRAME, column)
    with pytest.raises(ValueError, match=r"y must hold numbers\. Got the column 'c'"):
        quick().fit(FRAME, FRAME.assign(c=column))


def test_names_of_several_types_are_a_value_error():
    with pytest.raises(ValueError, match=r"only supported if all input features have string"):
        quick().fit(FRAME.set_axis(["u", 3], axis=1), TARGET)


# ------------------------------------------------------------------------------ containers

NO_TABLES = {
    "list of frames": (
        [FRAME, FRAME],
        r"A list of 2 tables is a list of windows.*Got lookback=3.*pd\.concat.*groups",
    ),
    "tuple of frames": ((FRAME, FRAME[:9]), r"list of windows.*Got lookback=3 instead"),
    "list of polars frames": ([polars.DataFrame(ROWS)] * 2, r"list of windows.*Got lookback=3"),
    "dict": ({"u": TARGET}, r"X must be an array or a DataFrame\. Got an object of type dict"),
    "iterator": (iter(ROWS), r"X must be an array or a DataFrame\. Got an object of type"),
    "None": (None, r"X must be an array or a DataFrame\. Got an object of type NoneType"),
    "ragged rows": ([[1.0, 2.0], [3.0]] * 15, r"different lengths instead \(2, 1, .*groups"),
    "ragged series": ([ROWS[:10], ROWS[10:]], r"list of windows.*Got lookback=3.*groups"),
    "ragged tensors": ([torch.zeros(2, 2), torch.zeros(3, 2)], r"list of windows.*lookback=3"),
}


@pytest.mark.parametrize("case", NO_TABLES)
def test_an_X_that_is_not_a_table_is_an_error_with_advice(case):
    X, message = NO_TABLES[case]
    with pytest.raises(ValueError, match=f"(?s){message}"):
        quick().fit(X, TARGET)


NO_TARGETS = {
    "three axes": (np.zeros((N, 3, 1)), r"\(30, 3, 1\) instead; reshape it with y\.reshape\(len"),
    "list of columns": ([ROWS[:, :1], ROWS[:, 1:]], r"y must have shape.*\(2, 30, 1\) instead"),
    "list of frames": ([FRAME[["u"]]] * 2, r"y must be one table\. Got a list of 2 DataFrames"),
    "ragged": ([[1.0, 2.0], [3.0]] * 15, r"y must have one length along each axis"),
    "times": (TIMES, r"y must hold numbers\. Got an array of datetime64.*number of hours"),
    "list of times": (list(TIMES), r"y must hold numbers\. Got Timestamp.*\(row 0\) instead"),
    "periods": (TIMES.to_period("h"), r"y must hold numbers\. Got Period.*\(row 0\) instead"),
    "durations": (TIMES - TIMES[0], r"y must hold numbers\. Got an array of timedelta64"),
    "dict": ({"y": TARGET}, r"y must be an array or a DataFrame"),
    "a number": (3.0, r"y must be an array or a DataFrame\. Got an object of type float"),
}


@pytest.mark.parametrize("case", NO_TARGETS)
def test_a_y_that_is_not_a_target_is_an_error_with_advice(case):
    y, message = NO_TARGETS[case]
    with pytest.raises(ValueError, match=f"(?s){message}"):
        quick().fit(ROWS, y)
    with pytest.raises(ValueError, match=f"(?s){message}"):
        quick().fit(ROWS, TARGET).score(ROWS, y)


@pytest.mark.parametrize("kind", ["M8[s]", "m8[s]", "text", "missing", "ragged"])
def test_non_numeric_weights_are_an_error(kind):
    weight = {
        "text": np.full(N, "1"),
        "missing": [pd.NA] * N,
        "ragged": [[1.0], [1.0, 2.0]] * 15,
    }.get(kind)
    weight = np.ones(N).astype(kind) if weight is None else weight
    with pytest.raises(ValueError, match=r"sample_weight (must|contains)"):
        quick().fit(ROWS, TARGET, weight)


# ------------------------------------------------------------------------------ any of them

cells = st.sampled_from(
    [*NO_NUMBERS.values(), *MISSING.values(), *NUMBERS.values(), *map(float, range(5))]
)
CONTAINERS = [
    lambda columns: pd.DataFrame(dict(enumerate(columns)), dtype=object),
    lambda columns: pd.DataFrame({str(i): list(c) for i, c in enumerate(columns)}),
    lambda columns: pd.DataFrame({str(i): list(c) for i, c in enumerate(columns)}, index=TIMES),
    lambda columns: np.array([list(column) for column in columns], dtype=object).T,
    lambda columns: [list(row) for row in zip(*columns, strict=True)],
    lambda columns: polars.DataFrame(
        {str(i): polars.Series(list(c), strict=False) for i, c in enumerate(columns)}
    ),
]
NUMBER_DTYPES = ["?", "i1", "u1", "i8", "u8", "f2", "f4", "f8", ">f8", ">i4", "O"]
dtypes = st.sampled_from([*NUMBER_DTYPES, "g", "c8", "M8[D]", "m8[D]", "U3", "S3"])


def outcome(X, y):
    """Fit and predict; return the message of a ValueError, or an empty text."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "Features without values", UserWarning)
        try:
            assert np.isfinite(quick().fit(X, y).predict(X)).all()
        except ValueError as error:
            return str(error)
    return ""


def is_missing(cell):
    return any(cell is value for value in MISSING.values())


def is_a_number(cell):
    return any(cell is number for number in NUMBERS.values()) or isinstance(cell, float)


@given(
    pairs=st.lists(st.tuples(cells, cells), min_size=1, max_size=3),
    to=st.sampled_from(CONTAINERS),
)
def test_objects_are_numbers_or_one_error_of_this_package(pairs, to):
    columns = [list(pair) * (N // 2) for pair in pairs]
    try:
        X = to(columns)
    except (TypeError, ValueError, OverflowError, polars.exceptions.PolarsError):
        return  # there is no such table
    message = outcome(X, TARGET)
    cells = [cell for pair in pairs for cell in pair]
    missing = any(is_missing(cell) for cell in cells)  # a column of NaT alone holds times
    right = all(is_a_number(cell) or is_missing(cell) for cell in cells)
    if right and not missing:
        assert not message
    elif message or not right:
        assert "must hold" in message or "must have one length" in message


@given(dtype=dtypes, y_dtype=dtypes, shape=st.sampled_from([(N, 2), (N, 3, 2)]))
def test_arrays_of_every_dtype_are_accepted_or_an_error(dtype, y_dtype, shape):
    values = np.random.default_rng(0).integers(0, 2, size=shape)
    message = outcome(values.astype(dtype), (TARGET > 0).astype(y_dtype))
    right = {dtype, y_dtype} <= set(NUMBER_DTYPES)
    assert not message if right else "must hold" in message
