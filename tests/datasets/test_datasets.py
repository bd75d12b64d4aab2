import gzip
import hashlib
import inspect
from importlib import resources

import numpy as np
import pandas as pd
import pytest

from sk_tsattn import datasets
from sk_tsattn.datasets import _signals as signals
from sk_tsattn.datasets import (
    load_appliances_energy,
    load_beijing_pm25,
    load_bike_sharing,
    load_gas_furnace,
    make_adding,
    make_boxes,
    make_decoys,
    make_different_times,
    make_fixed_cells,
    make_marked_cell,
    make_switch,
)

DATA = resources.files("sk_tsattn.datasets") / "data"

# loader: rows that can be a target or have one, features, target column, step
LOADERS = {
    load_beijing_pm25: (43_800, 11, "pm2.5", "1h"),
    load_appliances_energy: (19_735, 28, "Appliances", "10min"),
    load_bike_sharing: (17_544, 13, "users", "1h"),
    load_gas_furnace: (296, 2, "CO2", "9s"),
}

# generator, its options: X -> (noise-free y, drivers, with the cells that tell where to look)
TASKS = {
    "fixed cells": (
        make_fixed_cells,
        {},
        lambda X: signals.cells_signal(X, {(6, 2): 1.0, (6, 5): -1.0}),
    ),
    "chosen cells": (
        make_fixed_cells,
        {"cells": {(5, 2): 1.0, (0, 0): 0.5}},
        lambda X: signals.cells_signal(X, {(5, 2): 1.0, (0, 0): 0.5}),
    ),
    "different times": (
        make_different_times,
        {},
        lambda X: signals.cells_signal(X, {(4, 1): 1.0, (10, 3): 1.0, (16, 6): -1.0}),
    ),
    "marked cell": (make_marked_cell, {}, lambda X: signals.marked_signal(X, True)),
    "adding": (make_adding, {}, lambda X: signals.marked_signal(X, True)),
    "adding after zeros": (
        make_adding,
        {"marker": "zero"},
        lambda X: signals.announced_signal(X, True),
    ),
    "decoys": (make_decoys, {}, signals.decoys_signal),
    "switch": (make_switch, {}, lambda X: signals.switch_signal(X, True)),
    "early box": (make_boxes, {}, lambda X: signals.boxes_signal(X, "early")),
    "middle box": (
        make_boxes,
        {"position": "middle"},
        lambda X: signals.boxes_signal(X, "middle"),
    ),
    "late box": (make_boxes, {"position": "late"}, lambda X: signals.boxes_signal(X, "late")),
}
GENERATORS = [getattr(datasets, name) for name in datasets.__all__ if name.startswith("make_")]

all_loaders = pytest.mark.parametrize("load", LOADERS, ids=lambda load: load.__name__)
all_tasks = pytest.mark.parametrize("task", TASKS)
all_generators = pytest.mark.parametrize("make", GENERATORS, ids=lambda make: make.__name__)


def make(task, **params):
    generator, options, _ = TASKS[task]
    return generator(**options, **params)


def signal(task, X):
    return TASKS[task][2](X)


def test_every_public_name_is_tested_here():
    tested = set(LOADERS) | {generator for generator, _, _ in TASKS.values()}
    assert {load.__name__ for load in tested} == set(datasets.__all__)


# Loaders


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
def test_return_X_y_gives_data_and_target_of_the_bunch(load, as_frame):
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
    for word in ("Columns", "unit", "Traps", "Source, citation, licence", "https://"):
        assert word in bunch.DESCR, word
    assert ("CC BY 4.0" in bunch.DESCR) != ("Apache License 2.0" in bunch.DESCR)
    assert bunch.filename.endswith(".csv.gz")


@all_loaders
@pytest.mark.parametrize("horizon", [0, -1, 1.0, True, "1", None, 10**6])
def test_bad_horizon_says_what_was_expected_what_came_and_what_to_do(load, horizon):
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
def test_beijing_filling_does_not_look_ahead(horizon):
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


def test_appliances_has_two_random_columns_that_are_equal_and_tell_nothing():
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


# Generators


@all_generators
def test_shared_parameters_have_the_same_names_and_order(make):
    shared = ["n_timesteps", "n_features", "noise", "autocorrelation", "random_state"]
    parameters = inspect.signature(make).parameters
    names = list(parameters)
    assert names[0] == "n_samples"
    assert [name for name in names if name in shared] == shared
    assert all(parameters[name].kind is inspect.Parameter.KEYWORD_ONLY for name in names[1:])
    defaults = [parameters[name].default for name in ("n_samples", "n_timesteps", "n_features")]
    assert defaults == [3000, 20, 10]


@all_tasks
def test_arrays_have_the_promised_shapes_and_types(task):
    X, y, drivers = make(task, n_samples=7, n_timesteps=24, n_features=12, random_state=0)
    assert X.shape == drivers.shape == (7, 24, 12)
    assert y.shape == (7,)
    assert X.dtype == y.dtype == np.float64
    assert drivers.dtype == bool
    assert drivers.any(axis=(1, 2)).all()


@all_tasks
def test_same_random_state_gives_the_same_bits_and_another_does_not(task):
    first = make(task, n_samples=50, random_state=3)
    again = make(task, n_samples=50, random_state=3)
    other = make(task, n_samples=50, random_state=4)
    for array, same in zip(first, again, strict=True):
        np.testing.assert_array_equal(array, same)
    assert not np.array_equal(first[0], other[0])
    assert not np.array_equal(first[1], other[1])


@pytest.mark.parametrize("kind", [np.random.RandomState, np.random.default_rng])
@all_generators
def test_random_state_may_be_a_numpy_generator_which_moves_on(make, kind):
    source = kind(0)
    first, second = make(20, random_state=source), make(20, random_state=source)
    again = make(20, random_state=kind(0))
    np.testing.assert_array_equal(first[0], again[0])
    assert not np.array_equal(first[0], second[0])


@all_generators
@pytest.mark.parametrize("random_state", [None, 0])
def test_global_random_state_is_left_alone(make, random_state):
    np.random.seed(0)  # noqa: NPY002 (the global state is what is tested)
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    make(20, random_state=random_state)
    assert np.random.random() == expected  # noqa: NPY002


@all_tasks
def test_target_without_noise_is_a_function_of_the_inputs_alone(task):
    X, y, _ = make(task, n_samples=500, noise=0.0, random_state=1)
    np.testing.assert_allclose(y, signal(task, X)[0], rtol=1e-12)


@all_tasks
def test_cells_that_are_not_drivers_can_change_without_changing_the_target(task):
    X, y, _ = make(task, n_samples=200, noise=0.0, random_state=0)
    _, cells = signal(task, X)
    rng = np.random.default_rng(1)
    changed = np.where(cells, X, rng.normal(scale=10, size=X.shape))
    np.testing.assert_allclose(signal(task, changed)[0], y, rtol=1e-12)


@all_tasks
def test_negating_the_drivers_negates_the_target(task):
    X, y, drivers = make(task, n_samples=200, noise=0.0, random_state=0)
    negated = np.where(drivers, -X, X)
    np.testing.assert_allclose(signal(task, negated)[0], -y, rtol=1e-12)


@all_tasks
def test_each_single_driver_moves_the_target(task):
    X, y, drivers = make(task, n_samples=20, noise=0.0, random_state=0)
    for sample, timestep, feature in np.argwhere(drivers):
        window = X[[sample]].copy()
        # Against the sign of the target, so that a box turns over.
        window[0, timestep, feature] -= 1e4 * np.sign(y[sample])
        assert signal(task, window)[0] != y[sample]


@pytest.mark.parametrize(
    ("task", "n_drivers", "n_markers"),
    [("marked cell", 1, 1), ("adding", 2, 2), ("adding after zeros", 2, 2), ("switch", 5, 1)],
)
def test_markers_count_as_drivers_only_when_asked_for(task, n_drivers, n_markers):
    X, _, drivers = make(task, n_samples=300, random_state=0)
    again, _, counted = make(task, n_samples=300, random_state=0, count_markers=True)
    np.testing.assert_array_equal(X, again)
    assert (drivers.sum(axis=(1, 2)) == n_drivers).all()
    assert not (drivers & ~counted).any()
    markers = counted & ~drivers
    assert (markers.sum(axis=(1, 2)) == n_markers).all()
    if task == "switch":
        assert markers[:, -1, 0].all()
    else:
        mark = 0.0 if task == "adding after zeros" else 1.0
        np.testing.assert_array_equal(markers, mark == X)


def test_default_cells_are_those_of_the_documentation():
    _, _, drivers = make_fixed_cells(2, random_state=0)
    assert np.argwhere(drivers[0]).tolist() == [[6, 2], [6, 5]]
    _, _, drivers = make_different_times(2, random_state=0)
    assert np.argwhere(drivers[0]).tolist() == [[4, 1], [10, 3], [16, 6]]
    _, _, drivers = make_marked_cell(200, count_markers=True, random_state=0)
    assert np.flatnonzero(drivers.any(axis=(0, 1))).tolist() == [3, 7]
    assert drivers.any(axis=(0, 2)).all()  # every step is marked in some sample
    _, _, drivers = make_decoys(2, random_state=0)
    assert np.argwhere(drivers[0]).tolist() == [[t, f] for t in (17, 18, 19) for f in (0, 1)]
    X, _, drivers = make_switch(200, count_markers=True, random_state=0)
    on = X[:, -1, 0] > 0
    assert 50 < on.sum() < 150
    assert drivers[on][:, 15:, 1].all()
    assert drivers[~on][:, 15:, 2].all()


@pytest.mark.parametrize(
    ("position", "steps", "features"),
    [("early", (0, 30), (10, 90)), ("middle", (20, 80), (20, 80)), ("late", (70, 100), (10, 90))],
)
def test_boxes_of_the_papers_size_lie_where_the_paper_has_them(position, steps, features):
    X, y, drivers = make_boxes(
        20, n_timesteps=100, n_features=100, position=position, random_state=0
    )
    expected = np.zeros((100, 100), dtype=bool)
    expected[slice(*steps), slice(*features)] = True
    assert (drivers == expected).all()
    assert set(y) == {-1.0, 1.0}
    np.testing.assert_allclose(X[:, expected].mean(axis=1), y, atol=0.1)
    np.testing.assert_allclose(X[:, ~expected].mean(axis=1), 0, atol=0.1)
    np.testing.assert_allclose(X[:, expected].std(axis=1), 1, atol=0.1)


@pytest.mark.parametrize("marker", ["feature", "zero"])
@pytest.mark.parametrize("n_timesteps", [4, 5, 20])
def test_adding_positions_are_never_adjacent_and_reach_the_whole_window(marker, n_timesteps):
    n_samples = 20_000
    X, y, drivers = make_adding(
        n_samples, n_timesteps=n_timesteps, marker=marker, noise=0.0, random_state=0
    )
    positions = np.argwhere(drivers.any(axis=2))[:, 1].reshape(n_samples, 2)
    assert np.diff(positions).min() == 2
    first = 0 if marker == "feature" else 1  # no zero can come before step 0
    assert positions.min() == first
    assert positions.max() == n_timesteps - 1
    values = X[np.arange(n_samples)[:, None], positions, 3]
    np.testing.assert_allclose(y, values.sum(axis=1))

    pairs, counts = np.unique(positions, axis=0, return_counts=True)
    n_pairs = (n_timesteps - first - 1) * (n_timesteps - first - 2) // 2
    assert len(pairs) == n_pairs
    np.testing.assert_allclose(counts, n_samples / n_pairs, rtol=0.4)  # each as likely


def test_adding_inputs_are_uniform_whether_or_not_they_are_autocorrelated():
    for autocorrelation in (0.0, 0.9):
        X, _, _ = make_adding(5000, autocorrelation=autocorrelation, random_state=0)
        counts, _ = np.histogram(X[:, 5, 0], bins=5, range=(0, 1))
        assert counts.sum() == 5000
        np.testing.assert_allclose(counts, 1000, atol=120)


def test_decoys_correlate_with_what_they_imitate_and_others_do_not():
    X, y, drivers = make_decoys(20_000, random_state=0)
    assert not drivers[:, :, 2:].any()
    correlation = np.corrcoef(X[:, -1].T)
    np.testing.assert_allclose(correlation[0, [5, 7, 9]], 0.9, atol=0.01)
    np.testing.assert_allclose(correlation[1, [6, 8]], 0.9, atol=0.01)
    np.testing.assert_allclose(correlation[0, [1, 2, 3, 4, 6, 8]], 0, atol=0.03)
    np.testing.assert_allclose(X.std(axis=0), 1, atol=0.03)
    assert abs(np.corrcoef(X[:, -1, 5], y)[0, 1]) > 0.3


@all_tasks
@pytest.mark.parametrize("noise", [0.1, 1.0])
def test_noise_is_in_units_of_the_noise_free_targets_deviation(task, noise):
    X, clean, _ = make(task, noise=0.0, random_state=0)
    same, noisy, _ = make(task, noise=noise, random_state=0)
    np.testing.assert_array_equal(X, same)
    error = noisy - clean
    assert error.std() == pytest.approx(noise * clean.std(), rel=0.05)
    assert abs(np.corrcoef(error, clean)[0, 1]) < 0.06


@all_generators
@pytest.mark.parametrize("autocorrelation", [0.0, 0.7, -0.5, 0.95])
def test_inputs_have_the_autocorrelation_and_variance_that_were_asked_for(make, autocorrelation):
    X, _, _ = make(20_000, n_timesteps=8, autocorrelation=autocorrelation, random_state=0)
    series = X[:, :, 9]  # neither a marker nor inside a box
    # Mapping normal to uniform values turns a correlation r into 6 / pi * arcsin(r / 2).
    uniform = make is make_adding
    expected = 6 / np.pi * np.arcsin(autocorrelation / 2) if uniform else autocorrelation
    for t in (1, 7):
        measured = np.corrcoef(series[:, t - 1], series[:, t])[0, 1]
        assert measured == pytest.approx(expected, abs=0.02)
    np.testing.assert_allclose(series.var(axis=0), 1 / 12 if uniform else 1, rtol=0.05)


SMALLEST = {
    "fixed cells": (1, 2),
    "different times": (3, 4),
    "marked cell": (2, 2),
    "adding": (3, 2),
    "adding after zeros": (4, 1),
    "decoys": (3, 4),
    "switch": (5, 3),
    "early box": (4, 2),
    "middle box": (4, 2),
    "late box": (4, 2),
}


@pytest.mark.parametrize("task", SMALLEST)
def test_cells_fit_every_size_from_the_smallest_on(task):
    least_timesteps, least_features = SMALLEST[task]
    for n_timesteps in (least_timesteps, least_timesteps + 1, 33, 168):
        for n_features in (least_features, least_features + 1, 5, 9, 50):
            size = {"n_timesteps": n_timesteps, "n_features": n_features}
            _, y, drivers = make(task, n_samples=4, **size, random_state=0)
            assert np.isfinite(y).all()
            # No two cells of the task fall together in a small window.
            if "box" not in task:
                cells = {"fixed cells": 2, "different times": 3, "marked cell": 1}
                cells |= {"adding": 2, "adding after zeros": 2, "decoys": 6, "switch": 5}
                assert (drivers.sum(axis=(1, 2)) == cells[task]).all()
            else:
                assert drivers.any(axis=(1, 2)).all()


@pytest.mark.parametrize("task", SMALLEST)
def test_windows_too_small_for_the_task_are_refused_with_the_least_size(task):
    least = dict(zip(("n_timesteps", "n_features"), SMALLEST[task], strict=True))
    for name, size in least.items():
        message = f"{name} .* at least {size} for make_.*Got {size - 1} instead; pass {size} or"
        with pytest.raises(ValueError, match=message):
            make(task, n_samples=5, **{**least, name: size - 1})


@all_generators
@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_samples": 0}, r"n_samples must be an integer of at least 1 .*Got 0 instead; pass 1"),
        ({"n_samples": 2.5}, r"n_samples must be an integer .*Got 2\.5 instead"),
        ({"n_timesteps": True}, r"n_timesteps must be an integer .*Got True instead"),
        ({"n_features": "3"}, r"n_features must be an integer .*Got '3' instead"),
        ({"noise": -0.1}, r"noise must be a finite number.*Got -0\.1 instead; use 0"),
        ({"noise": np.inf}, r"noise must be a finite number.*Got inf instead"),
        ({"noise": np.nan}, r"noise must be a finite number.*Got nan instead"),
        ({"noise": "low"}, r"noise must be a finite number.*Got 'low' instead"),
        ({"autocorrelation": 1.0}, r"autocorrelation must be .*Got 1\.0 instead; 0 makes"),
        ({"autocorrelation": None}, r"autocorrelation must be .*Got None instead"),
    ],
)
def test_bad_arguments_say_what_was_expected_what_came_and_what_to_do(make, params, message):
    with pytest.raises(ValueError, match=message):
        make(**{"n_samples": 5, **params})


@pytest.mark.parametrize(
    ("generator", "params", "message"),
    [
        (make_adding, {"marker": "one"}, "marker must be 'feature' or 'zero'. Got 'one'"),
        (make_boxes, {"position": "top"}, "one of .*'early', 'middle', 'late'.* Got 'top'"),
        (make_decoys, {"correlation": 1.1}, "correlation must be .*Got 1.1 instead; 0 makes"),
        (make_fixed_cells, {"cells": {}}, "at least one .*Got {} instead; use None"),
        (make_fixed_cells, {"cells": {(20, 0): 1.0}}, r"to \(19, 9\).*Got \(20, 0\) instead"),
        (make_fixed_cells, {"cells": {(-1, 0): 1.0}}, r"from \(0, 0\).*Got \(-1, 0\) instead"),
        (make_fixed_cells, {"cells": {(0, 0): 0.0}}, r"not 0. Got 0.0 for \(0, 0\) instead"),
    ],
)
def test_bad_options_of_one_task_say_what_to_do(generator, params, message):
    with pytest.raises(ValueError, match=message):
        generator(5, **params)
