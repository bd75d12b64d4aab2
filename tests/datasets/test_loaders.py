import gzip
import hashlib
from importlib import resources

import numpy as np
import pandas as pd
import pytest

from sk_tsattn import datasets
from sk_tsattn.datasets import (
    load_appliances_energy,
    load_beijing_pm25,
    load_bike_sharing,
    load_gas_furnace,
)

DATA = resources.files("sk_tsattn.datasets") / "data"

# loader: rows that can be a target or have one, features, target column, step
LOADERS = {
    load_beijing_pm25: (43_800, 11, "pm2.5", "1h"),
    load_appliances_energy: (19_735, 28, "Appliances", "10min"),
    load_bike_sharing: (17_544, 13, "users", "1h"),
    load_gas_furnace: (296, 2, "CO2", "9s"),
}

all_loaders = pytest.mark.parametrize("load", LOADERS, ids=lambda load: load.__name__)


def test_every_loader_is_tested_here():
    public = {name for name in datasets.__all__ if name.startswith("load_")}
    assert {load.__name__ for load in LOADERS} == public


@all_loaders
@pytest.mark.parametrize("horizon", [1, 5, np.uint8(24)])
def test_target_is_the_target_column_horizon_rows_later(load, horizon):
    n_rows, n_features, column, _ = LOADERS[load]
    bunch = load(horizon=horizon)
    horizon = int(horizon)
    own = bunch.data[:, bunch.feature_names.index(column)]
    assert bunch.data.shape == (n_rows - horizon, n_features)
    assert bunch.target.shape == (n_rows - horizon,)
    assert bunch.target_names == [f"{column}_t+{horizon}"]
    np.testing.assert_array_equal(bunch.target[:-horizon], own[horizon:])


@pytest.mark.parametrize(
    ("load", "rmse", "mae"),
    [
        (load_beijing_pm25, 22.01, 11.82),
        (load_appliances_energy, 66.44, 26.65),
        (load_bike_sharing, 128.8, 84.1),
        (load_gas_furnace, 0.791, 0.625),
    ],
)
def test_persistence_on_the_last_fifth_has_its_known_error(load, rmse, mae):
    bunch = load()
    own = bunch.data[:, bunch.feature_names.index(LOADERS[load][2])]
    error = (bunch.target - own)[int(0.8 * len(own)) :]
    assert np.sqrt(np.mean(error**2)) == pytest.approx(rmse, rel=1e-3)
    assert np.abs(error).mean() == pytest.approx(mae, rel=1e-3)


@all_loaders
def test_index_is_regular_and_increasing_and_labels_the_row_of_data(load):
    n_rows, _, _, step = LOADERS[load]
    near, far = load(horizon=1).index, load(horizon=7).index
    assert len(near) == n_rows - 1
    assert near.freq == pd.tseries.frequencies.to_offset(step)
    assert (np.diff(near) == pd.Timedelta(step)).all()
    assert near.name == "time"
    pd.testing.assert_index_equal(near[:-6], far)


@all_loaders
def test_arrays_are_float64_writable_and_not_shared_between_calls(load):
    first, second = load(), load()
    for array in (first.data, first.target):
        assert array.dtype == np.float64
        assert np.isfinite(array).all()
        array[:] = 0.0
    assert second.data.any()
    assert second.target.any()


@all_loaders
def test_frame_holds_the_same_numbers_under_the_same_names_and_times(load):
    bunch, framed = load(horizon=3), load(horizon=3, as_frame=True)
    assert bunch.frame is None
    assert list(framed.frame.columns) == bunch.feature_names + bunch.target_names
    np.testing.assert_array_equal(framed.frame.to_numpy()[:, :-1], bunch.data)
    np.testing.assert_array_equal(framed.frame.to_numpy()[:, -1], bunch.target)
    for table in (framed.data, framed.target, framed.frame):
        pd.testing.assert_index_equal(table.index, bunch.index)
    pd.testing.assert_frame_equal(framed.frame[bunch.feature_names], framed.data)
    assert framed.target.name == bunch.target_names[0]


@all_loaders
@pytest.mark.parametrize("as_frame", [False, True])
def test_return_X_y_returns_data_and_target_of_the_bunch(load, as_frame):
    bunch = load(horizon=2, as_frame=as_frame)
    X, y = load(horizon=2, return_X_y=True, as_frame=as_frame)
    assert type(X) is type(bunch.data)
    assert type(y) is type(bunch.target)
    np.testing.assert_array_equal(X, bunch.data)
    np.testing.assert_array_equal(y, bunch.target)


@all_loaders
def test_description_names_every_column_its_unit_source_and_licence(load):
    bunch = load()
    for name in bunch.feature_names:
        # rooms share a line of the table: T1, RH_1
        assert name in bunch.DESCR, name
    for word in ("Columns", "unit", "Pitfalls", "Source, citation, licence", "https://"):
        assert word in bunch.DESCR, word
    assert ("CC BY 4.0" in bunch.DESCR) != ("Apache License 2.0" in bunch.DESCR)
    assert bunch.filename.endswith(".csv.gz")


@all_loaders
@pytest.mark.parametrize("horizon", [0, -1, 1.0, True, "1", None, 10**6])
def test_a_bad_horizon_is_refused_with_the_valid_range(load, horizon):
    last = LOADERS[load][0] - 1
    with pytest.raises(ValueError, match=f"an integer from 1 to {last}.*Got .* instead; use 1"):
        load(horizon=horizon)


def test_files_are_the_published_ones_small_and_listed_with_their_licence():
    table = (DATA / "DATA-LICENSES.md").read_text(encoding="utf-8")
    packed = [path for path in DATA.iterdir() if path.name.endswith(".gz")]
    assert len(packed) == len(LOADERS)
    for path in packed:
        content = path.read_bytes()
        (line,) = [line for line in table.splitlines() if f"`{path.name}`" in line]
        assert any(licence in line for licence in ("CC BY 4.0", "Apache-2.0", "BSD-3-Clause"))
        assert hashlib.sha256(gzip.decompress(content)).hexdigest() in line
        assert content[4:8] == bytes(4)  # no time stamp: packing again gives the same bytes
    assert sum(len(path.read_bytes()) for path in packed) < 3e6


def test_beijing_pm25_has_the_published_values():
    frame = load_beijing_pm25(as_frame=True).frame
    assert str(frame.index[0]) == "2010-01-02 00:00:00"
    assert str(frame.index[-1]) == "2014-12-31 22:00:00"
    # hour 2010-01-02 00:00: 129, -16, -4, 1020, SE, 1.79, 0, 0; the hour after has 148
    assert frame.iloc[0].tolist() == [129, -16, -4, 1020, 0, 0, 1, 0, 1.79, 0, 0, 148]
    # 2014-12-31 22:00: 8, -22, -4, 1034, NW, 246.72, 0, 0; the hour after has 12
    assert frame.iloc[-1].tolist() == [8, -22, -4, 1034, 0, 1, 0, 0, 246.72, 0, 0, 12]


def test_beijing_wind_direction_is_exactly_one_of_four():
    X = load_beijing_pm25(as_frame=True).data
    directions = X[["cbwd_NE", "cbwd_NW", "cbwd_SE", "cbwd_cv"]]
    assert set(np.unique(directions)) == {0.0, 1.0}
    assert (directions.sum(axis=1) == 1).all()
    # The file has 4997, 14150, 15290 and 9387; its first 24 hours, which are dropped, have 1, 20,
    # 0 and 3 of them, and its last hour, which has no target, is north-west.
    assert directions.sum().tolist() == [4996, 14129, 15290, 9384]


def test_beijing_gaps_are_filled_with_the_last_value_and_marked():
    raw = load_beijing_pm25(impute=False)
    filled = load_beijing_pm25()
    pm25 = filled.data[:, 0]
    assert filled.imputed.dtype == bool
    assert filled.imputed.sum() == 2043
    assert not filled.imputed[0]
    np.testing.assert_array_equal(filled.imputed, np.isnan(raw.data[:, 0]))
    np.testing.assert_array_equal(filled.target_imputed, np.isnan(raw.target))
    np.testing.assert_array_equal(raw.imputed, filled.imputed)
    np.testing.assert_array_equal(pm25[~filled.imputed], raw.data[~filled.imputed, 0])
    (gaps,) = np.nonzero(filled.imputed)
    np.testing.assert_array_equal(pm25[gaps], pm25[gaps - 1])

    framed = load_beijing_pm25(as_frame=True)
    # The longest gap, 155 hours, follows 4 µg/m³ at 2010-09-21 04:00.
    gap = framed.data.loc["2010-09-21 05:00":, "pm2.5"].iloc[:155]
    assert (gap == 4).all()


@pytest.mark.parametrize("horizon", [1, 6])
def test_beijing_imputation_uses_no_future_value(horizon):
    raw = load_beijing_pm25(horizon=horizon, impute=False).data[:2000, 0]
    filled = load_beijing_pm25(horizon=horizon).data[:2000, 0]
    for end in (545, 600, 1999):
        past = pd.Series(raw[:end]).ffill().to_numpy()
        np.testing.assert_array_equal(filled[:end], past)


def test_appliances_has_the_published_values():
    X, y = load_appliances_energy(return_X_y=True, as_frame=True)
    assert str(X.index[0]) == "2016-01-11 17:00:00"
    first, thousandth = X.iloc[0], X.iloc[1000]
    assert first[["Appliances", "lights", "T1", "T_out"]].tolist() == [60, 30, 19.89, 6.6]
    assert first["rv1"] == pytest.approx(13.275433157104999, rel=1e-14)
    assert str(X.index[1000]) == "2016-01-18 15:40:00"
    assert thousandth["Appliances"] == 30
    assert thousandth["T_out"] == pytest.approx(-0.466666666666667, rel=1e-12)
    assert y.iloc[-1] == 430


def test_appliances_has_two_identical_random_columns_uncorrelated_with_the_target():
    X, y = load_appliances_energy(return_X_y=True, as_frame=True)
    assert (X["rv1"] == X["rv2"]).all()
    assert X["rv1"].between(0, 50).all()
    assert abs(np.corrcoef(X["rv1"], y)[0, 1]) < 3 / np.sqrt(len(y))


def test_appliances_airport_columns_are_straight_lines_within_an_hour():
    X = load_appliances_energy(as_frame=True).data
    airport = X[["T_out", "Press_mm_hg", "RH_out", "Windspeed", "Visibility", "Tdewpoint"]]
    bends = airport.diff().diff().shift(-1).iloc[1:-1].abs()
    within = bends.index.minute != 0
    assert (bends[within] < 1e-9).all(axis=None)
    assert (bends[~within] > 1e-9).mean().min() > 0.5


def test_bike_sharing_has_the_published_values():
    frame = load_bike_sharing(as_frame=True).frame
    assert str(frame.index[0]) == "2011-01-01 00:00:00"
    assert str(frame.index[-1]) == "2012-12-31 22:00:00"
    # a Saturday, clear, 9.84, 14.395, 81, 0; 16 users, and 40 the hour after
    assert frame.iloc[0].tolist() == [0, 0, 1, 0, 0, 9.84, 14.395, 81, 0, 16, 1, 0, 5, 40]
    # a Monday, clear, 10.66, 13.635, 56, 8.9981; 61 users, and 49 the hour after
    last = [0, 1, 1, 0, 0, 10.66, 13.635, 56, 8.9981, 61, 12, 22, 0, 49]
    assert frame.iloc[-1].tolist() == pytest.approx(last, rel=1e-12)


def test_bike_sharing_weather_is_exactly_one_of_three():
    X = load_bike_sharing(as_frame=True).data
    weather = X[["weather_clear", "weather_mist", "weather_rain"]]
    assert set(np.unique(weather)) == {0.0, 1.0}
    assert (weather.sum(axis=1) == 1).all()
    # The file has 11455, 4563 and 1526; its last hour, which has no target, is clear.
    assert weather.sum().tolist() == [11454, 4563, 1526]


def test_bike_sharing_calendar_is_that_of_the_index():
    X = load_bike_sharing(as_frame=True).data
    np.testing.assert_array_equal(X["month"], X.index.month)
    np.testing.assert_array_equal(X["hour"], X.index.hour)
    np.testing.assert_array_equal(X["weekday"], X.index.day_of_week)
    # workingday is neither a holiday nor a weekend
    expected = (X["holiday"] == 0) & (X.index.day_of_week < 5)
    np.testing.assert_array_equal(X["workingday"] == 1, expected)


def test_bike_sharing_has_the_repeated_hours_that_its_description_warns_of():
    X = load_bike_sharing(as_frame=True).data
    assert (X.loc["2012-10-29", "users"] == 22).all()
    measured = ["temp", "atemp", "hum", "windspeed", "users"]
    assert (X[measured].diff() == 0).all(axis=1).sum() > 165


def test_licence_of_the_bike_data_is_shipped_beside_them():
    assert "Joaquín Amat Rodrigo" in (DATA / "bike_sharing.LICENSE").read_text(encoding="utf-8")
    assert "BSD-3-Clause" in load_bike_sharing().DESCR


def test_gas_furnace_has_the_published_values():
    frame = load_gas_furnace(as_frame=True).frame
    assert list(frame.columns) == ["InputGasRate", "CO2", "CO2_t+1"]
    assert frame.iloc[0].tolist() == [-0.109, 53.8, 53.6]
    assert frame.iloc[-1].tolist() == [-0.182, 57.3, 57.0]
    assert frame.index[-1] == pd.Timedelta(seconds=9 * 294)
