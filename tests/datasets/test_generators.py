import inspect

import numpy as np
import pytest

from sk_tsattn import datasets
from sk_tsattn.datasets import (
    make_adding,
    make_boxes,
    make_decoys,
    make_different_times,
    make_event,
    make_fixed_cells,
    make_marked_cell,
    make_switch,
)
from sk_tsattn.datasets._boxes import boxes_signal
from sk_tsattn.datasets._decoys import decoys_signal
from sk_tsattn.datasets._fixed_cells import cells_signal
from sk_tsattn.datasets._marked_cells import marked_signal, preceded_signal
from sk_tsattn.datasets._switch import switch_signal

# generator, its options: X -> (noise-free y, drivers, including markers)
TASKS = {
    "fixed cells": (
        make_fixed_cells,
        {},
        lambda X: cells_signal(X, {(6, 2): 1.0, (6, 5): -1.0}),
    ),
    "chosen cells": (
        make_fixed_cells,
        {"cells": {(5, 2): 1.0, (0, 0): 0.5}},
        lambda X: cells_signal(X, {(5, 2): 1.0, (0, 0): 0.5}),
    ),
    "different times": (
        make_different_times,
        {},
        lambda X: cells_signal(X, {(4, 1): 1.0, (10, 3): 1.0, (16, 6): -1.0}),
    ),
    "marked cell": (make_marked_cell, {}, lambda X: marked_signal(X, True)),
    "adding": (make_adding, {}, lambda X: marked_signal(X, True)),
    "adding after zeros": (
        make_adding,
        {"marker": "zero"},
        lambda X: preceded_signal(X, True),
    ),
    "decoys": (make_decoys, {}, decoys_signal),
    "switch": (make_switch, {}, lambda X: switch_signal(X, True)),
    "early box": (make_boxes, {}, lambda X: boxes_signal(X, "early")),
    "middle box": (
        make_boxes,
        {"position": "middle"},
        lambda X: boxes_signal(X, "middle"),
    ),
    "late box": (make_boxes, {"position": "late"}, lambda X: boxes_signal(X, "late")),
}
GENERATORS = [getattr(datasets, name) for name in datasets.__all__ if name.startswith("make_")]


def has(make, parameter):
    return parameter in inspect.signature(make).parameters


# The others generate classes, from inputs of their own.
OF_NUMBERS = [make for make in GENERATORS if has(make, "noise")]

all_tasks = pytest.mark.parametrize("task", TASKS)
all_generators = pytest.mark.parametrize("make", GENERATORS, ids=lambda make: make.__name__)
generators_of_numbers = pytest.mark.parametrize("make", OF_NUMBERS, ids=lambda make: make.__name__)


def make(task, **params):
    generator, options, _ = TASKS[task]
    return generator(**options, **params)


def signal(task, X):
    return TASKS[task][2](X)


def test_every_generator_of_numbers_is_tested_here_but_that_of_events():
    assert {generator for generator, _, _ in TASKS.values()} == set(OF_NUMBERS) - {make_event}


@all_generators
def test_shared_parameters_have_the_same_names_and_order(make):
    shared = ["n_timesteps", "n_features", "noise", "autocorrelation", "random_state"]
    parameters = inspect.signature(make).parameters
    names = list(parameters)
    assert names[0] == "n_samples"
    assert [name for name in names if name in shared] == [name for name in shared if name in names]
    assert has(make, "noise") == has(make, "autocorrelation")
    assert all(parameters[name].kind is inspect.Parameter.KEYWORD_ONLY for name in names[1:])
    defaults = [parameters[name].default for name in ("n_samples", "n_timesteps", "n_features")]
    assert make not in OF_NUMBERS or defaults == [3000, 20, 10]


@all_tasks
def test_arrays_have_the_documented_shapes_and_types(task):
    X, y, drivers = make(task, n_samples=7, n_timesteps=24, n_features=12, random_state=0)
    assert X.shape == drivers.shape == (7, 24, 12)
    assert y.shape == (7,)
    assert X.dtype == y.dtype == np.float64
    assert drivers.dtype == bool
    assert drivers.any(axis=(1, 2)).all()


@all_tasks
def test_random_state_determines_the_arrays(task):
    first = make(task, n_samples=50, random_state=3)
    again = make(task, n_samples=50, random_state=3)
    other = make(task, n_samples=50, random_state=4)
    for array, same in zip(first, again, strict=True):
        np.testing.assert_array_equal(array, same)
    assert not np.array_equal(first[0], other[0])
    assert not np.array_equal(first[1], other[1])


@pytest.mark.parametrize("kind", [np.random.RandomState, np.random.default_rng])
@all_generators
def test_a_numpy_generator_as_random_state_is_advanced(make, kind):
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
def test_markers_count_as_drivers_only_with_count_markers(task, n_drivers, n_markers):
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
def test_boxes_of_the_size_in_the_paper_have_its_positions(position, steps, features):
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
def test_adding_positions_are_never_adjacent_and_uniform_over_the_window(marker, n_timesteps):
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


def test_decoys_correlate_with_the_feature_they_copy_and_others_do_not():
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
def test_noise_is_relative_to_the_standard_deviation_of_the_noise_free_target(task, noise):
    X, clean, _ = make(task, noise=0.0, random_state=0)
    same, noisy, _ = make(task, noise=noise, random_state=0)
    np.testing.assert_array_equal(X, same)
    error = noisy - clean
    assert error.std() == pytest.approx(noise * clean.std(), rel=0.05)
    assert abs(np.corrcoef(error, clean)[0, 1]) < 0.06


@generators_of_numbers
@pytest.mark.parametrize("autocorrelation", [0.0, 0.7, -0.5, 0.95])
def test_inputs_have_the_requested_autocorrelation_and_unit_variance(make, autocorrelation):
    X, _, _ = make(20_000, n_timesteps=10, autocorrelation=autocorrelation, random_state=0)
    series = X[:, :, 9]  # neither a marker nor inside a box nor with a bump
    # Mapping normal to uniform values turns a correlation r into 6 / pi * arcsin(r / 2).
    uniform = make is make_adding
    expected = 6 / np.pi * np.arcsin(autocorrelation / 2) if uniform else autocorrelation
    for t in (1, 9):
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
def test_driving_cells_stay_distinct_in_every_window_size(task):
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
def test_windows_too_small_for_the_task_are_refused_with_the_smallest_size(task):
    least = dict(zip(("n_timesteps", "n_features"), SMALLEST[task], strict=True))
    for name, size in least.items():
        message = f"{name} .* at least {size} for make_.*Got {size - 1} instead; pass {size} or"
        with pytest.raises(ValueError, match=message):
            make(task, n_samples=5, **{**least, name: size - 1})


BAD_ARGUMENTS = [
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
]


@pytest.mark.parametrize(
    ("make", "params", "message"),
    [
        (make, params, message)
        for make in GENERATORS
        for params, message in BAD_ARGUMENTS
        if all(has(make, name) for name in params)
    ],
)
def test_bad_arguments_are_refused_with_the_valid_range(make, params, message):
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
def test_bad_options_of_one_task_are_refused_with_the_valid_values(generator, params, message):
    with pytest.raises(ValueError, match=message):
        generator(5, **params)
