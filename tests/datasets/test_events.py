"""Generators of events at random places: the driving cells contain the answer, others do not."""

import numpy as np
import pytest

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn.datasets import (
    make_event,
    make_low_variance,
    make_periodic_spikes,
    make_trends,
)
from sk_tsattn.datasets._inputs import narma_inputs
from sk_tsattn.datasets._segments import steps_in_segment


def runs(cells):
    """Return the runs of true steps of a window (T, F): (first step, length, feature), in order."""
    edges = np.diff(cells.astype(int), axis=0, prepend=0, append=0)
    features, starts = np.nonzero((edges == 1).T)
    _, ends = np.nonzero((edges == -1).T)
    return sorted(zip(starts.tolist(), (ends - starts).tolist(), features.tolist(), strict=True))


def class_of_spikes(window, cells):
    """Read the class from the values of the driving cells alone."""
    starts = [start for start, _, _ in runs(cells)]
    assert len(set(np.diff(starts))) == 1
    return {10: 0, 17: 2}[starts[1] - starts[0]] + int(window[cells].mean() > 0)


def class_of_trends(window, cells):
    """Read the class from the values of the driving cells alone."""
    found = runs(cells)
    # Two trends without a step between them are one run, at whose middle the direction may change.
    rising = [np.polyfit(range(n), window[t : t + n, f], 1)[0] > 0 for t, n, f in found]
    return {(): 0, (False, False): 1, (True, True): 2, (True, False): 3}[tuple(rising)]


def class_of_segment(window, cells):
    """Read the class from the values of the driving cells alone."""
    ((_, _, feature),) = runs(cells)
    return 2 * feature + int(window[cells].mean() > 0)


CLASSES = {
    "spikes": (make_periodic_spikes, {}, class_of_spikes),
    "spikes among noise": (make_periodic_spikes, {"n_features": 3}, class_of_spikes),
    "trends in one feature": (make_trends, {}, class_of_trends),
    "trends in several features": (make_trends, {"n_features": 4}, class_of_trends),
    "low variance": (make_low_variance, {}, class_of_segment),
    "low variance among noise": (make_low_variance, {"n_features": 5}, class_of_segment),
}
all_classes = pytest.mark.parametrize("task", CLASSES)


def make(task, n_samples=400, **params):
    generator, options, _ = CLASSES[task]
    return generator(n_samples, **options, **params)


@all_classes
def test_classes_have_the_documented_shapes_and_types(task):
    X, y, drivers = make(task, n_timesteps=60, random_state=0)
    assert X.shape == drivers.shape == (400, 60, CLASSES[task][1].get("n_features", X.shape[2]))
    assert y.shape == (400,)
    assert (X.dtype, drivers.dtype) == (np.float64, bool)
    assert y.dtype.kind == "i"


@all_classes
def test_the_class_can_be_read_from_the_driving_cells_alone(task):
    X, y, drivers = make(task, random_state=0)
    hidden = np.where(drivers, X, np.nan)
    read = CLASSES[task][2]
    for window, label, cells in zip(hidden, y, drivers, strict=True):
        if task.startswith("trends in one") and len(runs(cells)) == 1:
            continue  # the second trend follows at once
        assert read(window, cells) == label


@all_classes
def test_cells_that_are_not_drivers_are_alike_in_every_class(task):
    X, y, drivers = make(task, n_samples=4000, random_state=0)
    others = [X[y == k][~drivers[y == k]] for k in range(4)]
    for q in (0.1, 0.5, 0.9):
        found = [np.quantile(values, q) for values in others]
        assert np.ptp(found) < 0.02 * X[~drivers].std()


@all_classes
def test_classes_are_equally_likely(task):
    _, y, _ = make(task, n_samples=8000, random_state=0)
    np.testing.assert_allclose(np.bincount(y), 2000, atol=150)


@all_classes
def test_the_same_seed_returns_the_same_classes_and_cells(task):
    first, again, other = (make(task, random_state=seed) for seed in (0, 0, 1))
    for array, same, different in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(array, same)
        assert not np.array_equal(array, different)


@pytest.mark.parametrize("n_timesteps", [20, 21, 50, 200])
def test_every_window_shows_the_period_of_its_spikes(n_timesteps):
    X, y, drivers = make_periodic_spikes(500, n_timesteps=n_timesteps, random_state=0)
    height = np.where(y % 2 == 1, 1.0, -1.0)
    for window, cells, label, sign in zip(X, drivers, y, height, strict=True):
        found = runs(cells)
        assert len(found) >= 2
        assert {length for _, length, _ in found} == {3}
        assert set(np.diff([start for start, _, _ in found])) == {10 if label < 2 else 17}
        spikes = sign * window[cells].reshape(-1, 3).mean(axis=0)
        np.testing.assert_allclose(spikes, [1.75, 2.0, 1.75], atol=0.25 * 5 / np.sqrt(len(found)))


def test_noise_of_spikes_has_the_standard_deviation_of_the_papers():
    X, y, drivers = make_periodic_spikes(4000, random_state=0)
    assert X[~drivers].std() == pytest.approx(0.25, rel=0.02)
    assert X[~drivers].mean() == pytest.approx(0.0, abs=0.01)
    assert drivers[y < 2].mean() > 1.3 * drivers[y >= 2].mean()  # shorter period, more spikes


@pytest.mark.parametrize(("n_features", "lengths"), [(1, (10, 19)), (4, (15, 29))])
def test_trends_have_the_lengths_and_places_of_the_papers(n_features, lengths):
    _, y, drivers = make_trends(4000, n_features=n_features, random_state=0)
    assert not drivers[y == 0].any()
    found = [runs(cells) for cells in drivers[y > 0]]
    pairs = [pair for pair in found if len(pair) == 2]
    assert len(pairs) > 0.98 * len(found)  # else the second follows the first at once
    first, second = np.array(pairs).swapaxes(0, 1)
    for trend in (first, second):
        assert (trend[:, 1].min(), trend[:, 1].max()) == lengths
    assert first[:, 0].max() == 99
    assert (second[:, 0] >= first[:, 0] + first[:, 1]).all()
    assert second[:, 0].max() > 175
    if n_features > 1:
        assert (first[:, 2] != second[:, 2]).all()
        used = np.bincount(np.concatenate([first[:, 2], second[:, 2]]), minlength=4)
        np.testing.assert_allclose(used, 2 * len(pairs) / 4, rtol=0.1)


def test_trends_are_much_steeper_than_the_series():
    X, _, drivers = make_trends(500, random_state=0)
    series, trends = np.where(drivers, np.nan, X), np.where(drivers, X, np.nan)
    both = drivers.any(axis=(1, 2))
    assert (np.nanmin(trends[both], axis=(1, 2)) < np.nanmin(series[both], axis=(1, 2))).all()
    assert (np.nanmax(trends[both], axis=(1, 2)) > np.nanmax(series[both], axis=(1, 2))).all()


def test_low_variance_is_what_differs_inside_the_segment():
    X, y, drivers = make_low_variance(2000, random_state=0)
    for label, (feature, mean) in enumerate([(0, -1.5), (0, 1.5), (1, -1.5), (1, 1.5)]):
        inside = X[y == label][drivers[y == label]]
        assert inside.mean() == pytest.approx(mean, abs=0.02)
        assert inside.std() == pytest.approx(0.1, rel=0.05)
        assert drivers[y == label].any(axis=(0, 1)).tolist() == [feature == 0, feature == 1]
    outside = X[~drivers]
    assert outside.std() == pytest.approx(1.0, rel=0.03)
    assert (outside < -1.5).sum() > drivers.sum() / 2  # a single value tells little
    starts, lengths, _ = np.array([runs(cells)[0] for cells in drivers]).T
    assert (starts.min(), starts.max()) == (20, 159)
    assert (lengths.min(), lengths.max()) == (10, 19)


def test_narma_series_follow_their_equation_in_expectation():
    x = narma_inputs(np.random.default_rng(0), (2000, 60, 2))
    assert x.shape == (2000, 60, 2)
    older, now, newer = x[:, :-2], x[:, 1:-1], x[:, 2:]
    shock = newer - 0.3 * now - 0.05 * now * (now + older) - 0.1  # 1.5 u[t - 1] u[t]
    assert shock.min() >= 0
    assert shock.max() <= 1.5 * 0.5**2
    assert shock.mean() == pytest.approx(1.5 * 0.25**2, rel=0.01)
    assert x[:, 0].mean() == pytest.approx(x[:, -1].mean(), rel=0.02)  # stationary


def test_steps_in_a_segment_count_from_its_start():
    positions, inside = steps_in_segment(np.array([0, 2]), np.array([1, 2]), 4)
    np.testing.assert_array_equal(positions, [[0, 1, 2, 3], [-2, -1, 0, 1]])
    np.testing.assert_array_equal(inside, np.array([[1, 0, 0, 0], [0, 0, 1, 1]], dtype=bool))


@pytest.mark.parametrize("autocorrelation", [0.0, 0.8])
def test_the_target_of_an_event_is_the_mean_of_its_cells(autocorrelation):
    X, y, drivers = make_event(noise=0.0, autocorrelation=autocorrelation, random_state=0)
    means = [window[cells].mean() for window, cells in zip(X, drivers, strict=True)]
    np.testing.assert_allclose(y, means)
    # A tenth to a quarter of the window, in feature 0 only, at any step.
    (event,) = np.array([runs(cells) for cells in drivers]).swapaxes(0, 1)
    assert sorted(set(event[:, 1])) == [2, 3, 4, 5]
    assert not event[:, 2].any()
    assert drivers[:, :, 0].any(axis=0).all()


def test_every_cell_of_an_event_has_the_same_weight_in_the_target():
    X, y, drivers = make_event(noise=0.0, random_state=0)
    shifted = X + drivers  # each driving cell one higher
    means = np.where(drivers, shifted, 0).sum(axis=(1, 2)) / drivers.sum(axis=(1, 2))
    np.testing.assert_allclose(means - y, 1.0)
    cell = np.array([w[c][0] for w, c in zip(X, drivers, strict=True)])
    assert np.corrcoef(cell, y)[0, 1] ** 2 == pytest.approx(0.9, abs=0.02)


def test_the_decoy_is_a_bump_like_that_of_the_event_and_independent_of_the_target():
    X, y, drivers = make_event(5000, noise=0.0, random_state=0)
    event, decoy = X[:, :, 0], X[:, :, 1]
    for statistic in (np.mean, np.std, np.max):
        assert statistic(event, axis=1).mean() == pytest.approx(
            statistic(decoy, axis=1).mean(), rel=0.05
        )
    assert np.corrcoef(event.max(axis=1), y)[0, 1] > 0.8
    assert abs(np.corrcoef(decoy.max(axis=1), y)[0, 1]) < 0.05
    # Heights from 4 to 12, of which few are as low as the highest of the other inputs.
    assert y.mean() == pytest.approx(8.0, abs=0.1)
    np.testing.assert_allclose(np.quantile(y, [0.1, 0.9]), [4.8, 11.2], atol=0.2)
    assert (y > X[:, :, 2:].max()).mean() > 0.75
    assert not drivers[:, :, 1:].any()


@pytest.mark.parametrize("noise", [0.1, 1.0])
def test_noise_of_an_event_is_relative_to_its_height(noise):
    X, clean, _ = make_event(noise=0.0, random_state=0)
    same, noisy, _ = make_event(noise=noise, random_state=0)
    np.testing.assert_array_equal(X, same)
    assert (noisy - clean).std() == pytest.approx(noise * clean.std(), rel=0.05)


SMALLEST = {
    make_event: (10, 2),
    make_periodic_spikes: (20, 1),
    make_trends: (40, 1),
    make_low_variance: (40, 2),
}


@pytest.mark.parametrize("generator", SMALLEST, ids=lambda make: make.__name__)
def test_the_smallest_windows_contain_their_events_and_smaller_ones_are_refused(generator):
    least = dict(zip(("n_timesteps", "n_features"), SMALLEST[generator], strict=True))
    X, y, drivers = generator(500, **least, random_state=0)
    assert np.isfinite(X).all()
    without = ~drivers.any(axis=(1, 2))
    assert (without == ((y == 0) if generator is make_trends else np.zeros(500, bool))).all()
    for name, size in least.items():
        message = f"{name} .* at least {size} for make_.*Got {size - 1} instead; pass {size} or"
        with pytest.raises(ValueError, match=message):
            generator(5, **{**least, name: size - 1})


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_classes_can_be_predicted_one_column_for_each():
    X, y, _ = make_periodic_spikes(800, n_timesteps=20, random_state=0)
    model = AttentionLSTMRegressor(attention_mode=None, max_epochs=15, random_state=0)
    predicted = model.fit(X[:600], np.eye(4)[y[:600]]).predict(X[600:])
    assert predicted.shape == (200, 4)
    assert (predicted.argmax(axis=1) == y[600:]).mean() > 0.5  # 0.25 is chance
