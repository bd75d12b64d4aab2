"""AttentionDisplay of one sample: its series, its attention, its time stamps and its title."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from sk_tsattn import AttentionDisplay, AttentionLSTMRegressor
from sk_tsattn._plot._sample import MAX_FEATURES

T, F = 6, 4


@pytest.mark.filterwarnings("ignore::sk_tsattn.exceptions.HistoryWarning")
def test_a_sample_shows_its_series_in_their_units_shaded_by_attention(hourly):
    model, frame, _ = hourly
    display = AttentionDisplay.from_estimator(model, frame[:40], kind="sample", sample=20)
    cell = model.attention_weights(frame[:40]).cell[20]
    order = np.argsort(-cell.sum(axis=0))
    assert list(display.axes_) == list(frame.columns[order])
    for name, ax in display.axes_.items():
        (line,) = ax.lines
        np.testing.assert_allclose(line.get_ydata(), frame[name].iloc[16:21])
        np.testing.assert_array_equal(line.get_xdata(), frame.index[16:21].to_numpy())
        (shade,) = ax.collections
        expected = cell[:, frame.columns.get_loc(name)]
        np.testing.assert_allclose(shade.get_array().ravel(), expected)
        assert shade.get_clim() == (0, cell.max())  # one scale for all panels


@pytest.mark.parametrize("mode", ["time", "feature", "both"])
def test_a_sample_is_shown_in_every_mode(fitted, windows, mode):
    weights = fitted[mode].attention_weights(windows)
    display = AttentionDisplay.from_estimator(fitted[mode], windows, kind="sample", sample=7)
    shades = [ax.collections[0].get_array().ravel() for ax in display.axes_.values()]
    if mode == "time":
        assert list(display.axes_) == [f"feature {i}" for i in range(F)]
        np.testing.assert_allclose(shades, np.tile(weights.time[7], (F, 1)))
    else:
        order = np.argsort(-weights.feature[7])
        assert list(display.axes_) == [f"feature {i}" for i in order]
        expected = np.repeat(weights.feature[7][order], T).reshape(F, T)
        if mode == "both":
            expected = weights.cell[7].T[order]
        np.testing.assert_allclose(shades, expected)


@pytest.mark.parametrize("mode", ["time", "feature", "both"])
def test_missing_values_are_gaps_without_shade(fitted, windows, mode):
    X = windows.copy()
    X[7, 1:3] = np.nan
    X[7, 4, 0] = np.nan
    display = AttentionDisplay.from_estimator(fitted[mode], X, kind="sample", sample=7)
    for name, ax in display.axes_.items():
        missing = np.isnan(X[7, :, int(name.removeprefix("feature "))])
        np.testing.assert_array_equal(np.isnan(ax.lines[0].get_ydata()), missing)
        shade = ax.collections[0].get_array().ravel()
        assert np.ma.getmaskarray(shade)[missing].all()
        assert not np.ma.getmaskarray(shade)[~missing].any()


def test_the_title_of_a_sample_has_its_time_its_prediction_and_the_truth(hourly):
    model, frame, y = hourly
    display = AttentionDisplay.from_estimator(model, frame[40:], y[40:], kind="sample", sample=-3)
    title = display.ax_.get_title()
    assert title.startswith(str(frame.index[-3]))
    assert f"predicted {model.predict(frame[40:])[-3]:.4g}" in title
    assert f"true {y.iloc[-3]:.4g}" in title


def test_the_title_of_a_sample_has_all_outputs(windows):
    y = windows[:, -1, :2]
    model = AttentionLSTMRegressor(attention="dense", max_epochs=1, random_state=0).fit(windows, y)
    display = AttentionDisplay.from_estimator(model, windows, y, kind="sample", sample=5)
    first, second = model.predict(windows)[5]
    expected = f"Sample 5: predicted {first:.4g}, {second:.4g}, true {y[5, 0]:.4g}, {y[5, 1]:.4g}"
    assert display.ax_.get_title().startswith(expected)


def test_a_sample_after_the_training_set_has_its_last_rows_as_history(hourly):
    model, frame, _ = hourly
    display = AttentionDisplay.from_estimator(model, frame[40:], kind="sample", sample=1)
    for name, ax in display.axes_.items():
        (line,) = ax.lines
        np.testing.assert_allclose(line.get_ydata(), frame[name].iloc[37:42])
        np.testing.assert_array_equal(line.get_xdata(), frame.index[37:42].to_numpy())


@pytest.mark.filterwarnings("ignore::sk_tsattn.exceptions.HistoryWarning")
def test_missing_history_of_a_sample_is_a_gap(hourly):
    model, frame, _ = hourly
    display = AttentionDisplay.from_estimator(model, frame[:40], kind="sample", sample=1)
    for name, ax in display.axes_.items():
        (line,) = ax.lines
        expected = [np.nan, np.nan, np.nan, *frame[name].iloc[:2]]
        np.testing.assert_allclose(line.get_ydata(), expected)
        np.testing.assert_array_equal(line.get_xdata(), np.arange(-4, 1))


@pytest.mark.filterwarnings("ignore::sk_tsattn.exceptions.HistoryWarning")
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_time_stamps_are_in_their_time_zone(hourly, zone):
    model, frame, y = hourly
    frame = frame.tz_localize(zone)
    model = clone(model).fit(frame, y.to_numpy())
    display = AttentionDisplay.from_estimator(model, frame, kind="sample", sample=20)
    line = next(iter(display.axes_.values())).lines[0]
    np.testing.assert_array_equal(line.get_xdata(), frame.index[16:21].tz_localize(None).to_numpy())


@pytest.mark.filterwarnings("ignore::sk_tsattn.exceptions.HistoryWarning")
def test_a_sample_of_a_panel_has_the_times_of_its_own_series():
    rng = np.random.default_rng(0)
    times = pd.date_range("2024-01-01", periods=20, freq="D")
    index = pd.MultiIndex.from_product([times, ["a", "b"]]).swaplevel()  # interleaved
    frame = pd.DataFrame(rng.normal(size=(40, 2)), index=index, columns=["wind", "rain"])
    model = AttentionLSTMRegressor(lookback=4, attention="dense", max_epochs=1, random_state=0)
    model.fit(frame, frame["wind"])
    display = AttentionDisplay.from_estimator(model, frame, kind="sample", sample=31)
    for name, ax in display.axes_.items():
        (line,) = ax.lines
        np.testing.assert_allclose(line.get_ydata(), frame.loc["b", name].iloc[12:16])
        np.testing.assert_array_equal(line.get_xdata(), times[12:16].to_numpy())
    assert display.ax_.get_title().startswith("b, 2024-01-16")


def test_a_sample_has_its_most_attended_features_and_the_attention_of_the_others(arguments):
    parts = arguments(n_features=10)
    display = AttentionDisplay(**parts).plot(kind="sample")
    order = np.argsort(-parts["sample"].feature)
    assert list(display.axes_) == [parts["feature_names"][i] for i in order[:MAX_FEATURES]]
    rest = 100 * parts["sample"].feature[order[MAX_FEATURES:]].sum()
    title = display.ax_.get_title().replace("\n", " ")
    assert f"6 of 10 features, the others have {rest:.0f}" in title
    assert len(display.plot(kind="sample", max_features=2).axes_) == 2


@pytest.mark.parametrize("fraction", [0.0, 0.0009])
def test_features_of_negligible_attention_are_left_out_of_a_sample(fraction, arguments):
    parts = arguments()
    parts["sample"].feature[1] = fraction
    display = AttentionDisplay(**parts).plot(kind="sample")
    assert sorted(display.axes_) == [parts["feature_names"][i] for i in (0, 2, 3)]


@pytest.mark.parametrize("n_timesteps", [10, 24, 168])
def test_time_stamps_are_legible(n_timesteps, arguments, assert_legible):
    parts = arguments(n_timesteps)
    parts["sample"].times = pd.date_range("2024-02-27 21:00", periods=n_timesteps, freq="h")
    assert_legible(AttentionDisplay(**parts).plot(kind="sample").figure_)


@pytest.mark.parametrize("sample", [60, -61, "2024-01-01", 1.0])
def test_a_sample_out_of_range_is_an_error(fitted, windows, sample):
    with pytest.raises(ValueError, match=rf"one of the 60 samples of X\. Got {sample!r} instead"):
        AttentionDisplay.from_estimator(fitted["both"], windows, kind="sample", sample=sample)


def test_a_y_of_another_length_is_an_error(fitted, windows):
    with pytest.raises(ValueError, match=r"each of the 60 samples of X\. Got 5 instead"):
        AttentionDisplay.from_estimator(fitted["both"], windows, np.zeros(5))
