"""AttentionDisplay: the picture shows the numbers that the estimator has."""

import inspect
import itertools
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Bunch

from sk_tsattn import AttentionDisplay, AttentionLSTMRegressor
from sk_tsattn._plot._kinds import BLANK, KINDS, SAMPLE_FEATURES
from sk_tsattn.inspection import faithfulness as inspect_faithfulness
from sk_tsattn.inspection import refit_agreement

MODES = ("time", "feature", "both")
FIRST_KIND = {"time": "time", "feature": "feature", "both": "map"}
T, F = 6, 4


@pytest.fixture(autouse=True)
def plt():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")


@pytest.fixture(scope="module")
def windows():
    return np.random.default_rng(0).normal(size=(60, T, F))


@pytest.fixture(scope="module")
def fitted(windows):
    """A model per mode, trained enough that no two bars are of the same height."""
    y = windows[:, 2, 1] - windows[:, 5, 3]
    return {
        mode: AttentionLSTMRegressor(
            attention_mode=mode, attention="dense", max_epochs=5, random_state=0
        ).fit(windows, y)
        for mode in (*MODES, None)
    }


@pytest.fixture(scope="module")
def hourly():
    """A model of a time-indexed frame in units far from 0 and 1, and its frame and target."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        rng.normal(1000, 20, size=(60, 3)),
        index=pd.date_range("2024-01-31 12:00", periods=60, freq="h"),
        columns=["wind", "rain", "sun"],
    )
    y = frame["sun"].shift(1).bfill()
    model = AttentionLSTMRegressor(attention="dense", lookback=5, max_epochs=3, random_state=0)
    return model.fit(frame[:40], y[:40]), frame, y


def heights(ax):
    return [bar.get_height() for bar in ax.patches]


def lengths(ax):
    return [bar.get_width() for bar in ax.patches]


def tick_texts(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def given(n_timesteps=T, n_features=F, mode="both", n_samples=30):
    """What a display of every kind is made from: fixed numbers, no fit."""
    rng = np.random.default_rng(0)
    cell = rng.dirichlet(np.full(n_timesteps * n_features, 0.5), size=n_samples)
    cell = cell.reshape(n_samples, n_timesteps, n_features)
    weights = {"cell": cell, "time": cell.sum(axis=2), "feature": cell.sum(axis=1)}
    if mode != "both":
        weights = {mode: weights[mode]}
    curves = [
        (order, kind, fraction, level * fraction, level * fraction - 0.1, level * fraction + 0.1)
        for level, order in enumerate(["attention", "random", "permutation"], start=1)
        for kind in ("comprehensiveness", "sufficiency")
        for fraction in (0.0, 0.5, 1.0)
    ]
    columns = ["order", "kind", "fraction", "error", "low", "high"]
    curves = pd.DataFrame(curves, columns=columns)
    areas = curves.groupby(["order", "kind"])[["error", "low", "high"]].mean()
    series = rng.normal(1e3, 30, size=(n_timesteps, n_features))
    own = {axes: values[0] for axes, values in weights.items()}
    return {
        **{axes: values.mean(axis=0) for axes, values in weights.items()},
        **{f"{axes}_spread": weights.get(axes) for axes in ("time", "feature")},
        "feature_names": [f"a rather long name {i}" for i in range(n_features)],
        "sample": Bunch(series=series, times=None, title="Sample 3: predicted 57.12", **own),
        "curves": curves,
        "areas": areas.rename(columns={"error": "area"}),
    }


def faithfulness(**changes):
    parts = given()
    return Bunch(**{"curves": parts["curves"], "areas": parts["areas"]} | changes)


def refits(n_refits=5, n_features=F, n_timesteps=T):
    rng = np.random.default_rng(0)
    names = [f"name {i}" for i in range(n_features)]
    return Bunch(
        feature=pd.DataFrame(rng.dirichlet(np.ones(n_features), n_refits).T, index=names),
        time=pd.DataFrame(rng.dirichlet(np.ones(n_timesteps), n_refits).T),
    )


def all_axes(figure):
    return [one for ax in figure.axes for one in (ax, *ax.child_axes)]


def texts_around(ax):
    """The texts around axes: tick labels in view, labels of the axes, titles."""
    found = [ax.title, ax._left_title, ax._right_title]
    for axis in (ax.xaxis, ax.yaxis) if ax.axison else ():
        low, high = sorted(axis.get_view_interval())
        ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
        found += [label for tick in ticks for label in (tick.label1, tick.label2)]
        found += [axis.label, axis.get_offset_text()]
    legend = ax.get_legend()
    found += [] if legend is None else legend.get_texts()
    return [text for text in found if text.get_visible() and text.get_text().strip()]


def assert_legible(figure):
    """No text overlaps another or a panel, and none is cut off."""
    figure.canvas.draw()
    axes = all_axes(figure)
    found = [
        (text.get_text(), ax, text.get_window_extent().padded(-1))  # there is air around the ink
        for ax in axes
        for text in texts_around(ax)
    ]
    for (one, _, box), (other, _, other_box) in itertools.combinations(found, 2):
        assert not box.overlaps(other_box), f"{one!r} and {other!r} overlap"
    panels = {ax: ax.get_window_extent().padded(-1) for ax in axes if ax.axison}
    for text, own, box in found:
        # A legend may lie in its own panel.
        legend = own.get_legend()
        inside = legend is not None and text in [label.get_text() for label in legend.get_texts()]
        crossed = [ax for ax, panel in panels.items() if box.overlaps(panel)]
        assert crossed in ([], [own] * inside), f"{text!r} lies on a panel"
        assert min(box.x0, box.y0) >= 0, f"{text!r} is cut off"
        assert box.x1 <= figure.bbox.x1, f"{text!r} is cut off"
        assert box.y1 <= figure.bbox.y1, f"{text!r} is cut off"


# The numbers


def test_bars_over_time_are_the_attention_oldest_first(fitted):
    model = fitted["time"]
    display = AttentionDisplay.from_estimator(model)
    np.testing.assert_allclose(heights(display.ax_), model.time_attention_)
    centres = [bar.get_x() + bar.get_width() / 2 for bar in display.ax_.patches]
    np.testing.assert_allclose(centres, np.arange(1 - T, 1), atol=1e-12)
    assert list(display.axes_) == ["time"]


def test_steps_are_numbered_backwards_from_the_newest(plt):
    display = AttentionDisplay(**given()).plot(kind="time")
    display.figure_.canvas.draw()
    numbers = dict(zip(display.ax_.get_xticks(), tick_texts(display.ax_.xaxis), strict=True))
    assert numbers[0] == "0"
    assert numbers[-4] == "4"
    assert "0: the newest" in display.ax_.get_xlabel()


def test_bars_over_features_are_the_attention_beside_its_name_and_sorted(fitted):
    model = fitted["feature"]
    names = np.array(["a", "b", "c", "d"])
    display = AttentionDisplay.from_estimator(model, feature_names=names)
    order = np.argsort(-model.feature_attention_)
    np.testing.assert_allclose(lengths(display.ax_), model.feature_attention_[order])
    display.figure_.canvas.draw()
    assert tick_texts(display.ax_.yaxis) == list(names[order])
    centres = [bar.get_y() + bar.get_height() / 2 for bar in display.ax_.patches]
    np.testing.assert_allclose(centres, display.ax_.get_yticks())
    top, bottom = display.ax_.transData.transform([(0, 0), (0, F - 1)])[:, 1]
    assert top > bottom  # the most attended is the uppermost


def test_the_map_and_its_margins_are_the_attention(fitted):
    model = fitted["both"]
    display = AttentionDisplay.from_estimator(model)
    (image,) = display.axes_["map"].images
    # In shares of uniform attention, features downwards and time to the right.
    np.testing.assert_allclose(image.get_array(), model.attention_.T * T * F)
    np.testing.assert_allclose(heights(display.axes_["time"]), model.time_attention_)
    np.testing.assert_allclose(lengths(display.axes_["feature"]), model.feature_attention_)


def test_a_cell_of_the_map_lies_at_its_step_and_its_feature():
    cell = np.zeros((T, F))
    cell[1, 2] = 1.0
    display = AttentionDisplay(cell=cell).plot()
    (image,) = display.axes_["map"].images
    left, right, bottom, top = image.get_extent()
    column = int((1 - (T - 1) - left) / (right - left) * T)  # where step 1 is drawn
    row = int((2 - top) / (bottom - top) * F)  # where feature 2 is
    assert image.origin == "upper"
    assert image.get_array()[row, column] == T * F
    assert image.get_array().count() == 1  # the others are masked


def test_next_to_no_attention_is_white_and_little_attention_is_not():
    cell = np.full((T, F), 2 * BLANK / (T * F))
    cell[1, 2], cell[3, 0] = 0.9 * BLANK / (T * F), 1.0
    display = AttentionDisplay(cell=cell).plot()
    (image,) = display.axes_["map"].images
    colors = image.to_rgba(image.get_array())[..., :3]
    np.testing.assert_allclose(colors[2, 1], 1)
    assert colors[0, 0].min() < 0.8  # pale, but no white
    assert display.figure_.axes[0].child_axes[-1].get_title().endswith(f"(white: < {BLANK:g})")


@pytest.mark.parametrize("mode", MODES)
def test_uniform_attention_is_marked(fitted, mode):
    display = AttentionDisplay.from_estimator(fitted[mode])
    for over in {"time", "feature"} & set(display.axes_):
        (line,) = display.axes_[over].lines
        level = line.get_ydata() if over == "time" else line.get_xdata()
        np.testing.assert_allclose(level, 1 / {"time": T, "feature": F}[over])


@pytest.mark.parametrize("mode", MODES)
def test_from_X_draws_the_mean_over_these_windows(fitted, windows, mode):
    weights = fitted[mode].attention_weights(windows[:7])
    display = AttentionDisplay.from_estimator(fitted[mode], windows[:7])
    if mode == "both":
        mean = weights.cell.mean(axis=0).T * T * F
        np.testing.assert_allclose(display.axes_["map"].images[0].get_array(), mean)
        display.plot(kind="time")
    if mode != "feature":
        np.testing.assert_allclose(heights(display.ax_), weights.time.mean(axis=0))
    else:
        mean = np.sort(weights.feature.mean(axis=0))[::-1]
        np.testing.assert_allclose(lengths(display.ax_), mean)


def test_from_X_of_several_series_takes_groups():
    rng = np.random.default_rng(0)
    X, y, groups = rng.normal(size=(60, 2)), rng.normal(size=60), np.repeat(["a", "b"], 30)
    model = AttentionLSTMRegressor(lookback=5, attention="dense", max_epochs=1, random_state=0)
    model.fit(X, y, groups=groups)
    display = AttentionDisplay.from_estimator(model, X, groups=groups)
    expected = model.attention_weights(X, groups=groups).time.mean(axis=0)
    np.testing.assert_allclose(heights(display.axes_["time"]), expected)


@pytest.mark.parametrize("over", ["time", "feature"])
def test_the_spread_over_samples_runs_between_its_quantiles(over):
    parts = given()
    display = AttentionDisplay(**parts).plot(kind=over)
    (lines,) = display.ax_.collections
    along = {"time": 1, "feature": 0}[over]
    ends = np.array([segment[:, along] for segment in lines.get_segments()])
    rows = parts[f"{over}_spread"]
    if over == "feature":
        rows = rows[:, np.argsort(-parts["feature"])]
    np.testing.assert_allclose(ends.T, np.quantile(rows, (0.1, 0.9), axis=0))
    assert "30 samples" in display.ax_.get_title()


def test_refits_are_dots_about_their_mean():
    result = refits()
    display = AttentionDisplay.from_refits(result)
    mean = result.feature.mean(axis=1).sort_values(ascending=False)
    np.testing.assert_allclose(lengths(display.ax_), mean)
    assert tick_texts(display.ax_.yaxis) == list(mean.index)
    _, *dots = display.ax_.lines
    drawn = np.array([line.get_xdata() for line in dots])
    np.testing.assert_allclose(drawn, result.feature.loc[mean.index].T)
    assert "5 refits" in display.ax_.get_title()
    display.plot(kind="time")
    np.testing.assert_allclose(heights(display.ax_), result.time.mean(axis=1))


def test_a_sample_is_its_series_in_their_units_shaded_by_its_attention(hourly):
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


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_has_its_sample(fitted, windows, mode):
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


def test_a_sample_whose_history_is_the_training_set_s_end_shows_it(hourly):
    model, frame, _ = hourly
    display = AttentionDisplay.from_estimator(model, frame[40:], kind="sample", sample=1)
    for name, ax in display.axes_.items():
        (line,) = ax.lines
        np.testing.assert_allclose(line.get_ydata(), frame[name].iloc[37:42])
        np.testing.assert_array_equal(line.get_xdata(), frame.index[37:42].to_numpy())


def test_a_sample_with_too_short_a_history_leaves_a_gap(hourly):
    model, frame, _ = hourly
    display = AttentionDisplay.from_estimator(model, frame[:40], kind="sample", sample=1)
    for name, ax in display.axes_.items():
        (line,) = ax.lines
        expected = [np.nan, np.nan, np.nan, *frame[name].iloc[:2]]
        np.testing.assert_allclose(line.get_ydata(), expected)
        np.testing.assert_array_equal(line.get_xdata(), np.arange(-4, 1))


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_time_stamps_with_a_zone_are_those_of_its_clock(hourly, zone):
    model, frame, _ = hourly
    frame = frame.tz_localize(zone)
    display = AttentionDisplay.from_estimator(model, frame, kind="sample", sample=20)
    line = next(iter(display.axes_.values())).lines[0]
    np.testing.assert_array_equal(line.get_xdata(), frame.index[16:21].tz_localize(None).to_numpy())


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


def test_a_sample_has_its_most_attended_features_and_says_what_the_others_have():
    parts = given(n_features=10)
    display = AttentionDisplay(**parts).plot(kind="sample")
    order = np.argsort(-parts["sample"].feature)
    assert list(display.axes_) == [parts["feature_names"][i] for i in order[:SAMPLE_FEATURES]]
    rest = 100 * parts["sample"].feature[order[SAMPLE_FEATURES:]].sum()
    title = display.ax_.get_title().replace("\n", " ")
    assert f"6 of 10 features, the others have {rest:.0f}" in title
    assert len(display.plot(kind="sample", max_features=2).axes_) == 2


@pytest.mark.parametrize("share", [0.0, 0.0009])
def test_features_without_attention_worth_speaking_of_are_left_out_of_a_sample(share):
    parts = given()
    parts["sample"].feature[1] = share
    display = AttentionDisplay(**parts).plot(kind="sample")
    assert sorted(display.axes_) == [parts["feature_names"][i] for i in (0, 2, 3)]


@pytest.mark.parametrize("kind", ["map", "feature"])
def test_max_features_keeps_the_most_attended(kind):
    parts = given()
    display = AttentionDisplay(**parts).plot(kind=kind, max_features=2)
    names = {parts["feature_names"][i] for i in np.argsort(-parts["feature"])[:2]}
    assert set(tick_texts(display.axes_.get("map", display.ax_).yaxis)) == names
    assert "2 of 4" in display.ax_.get_title()


def test_the_curves_of_faithfulness_their_bands_and_areas():
    result = faithfulness()
    display = AttentionDisplay.from_faithfulness(result)
    assert list(display.axes_) == ["comprehensiveness", "sufficiency"]
    for kind, ax in display.axes_.items():
        assert len(ax.lines) == len(ax.collections) == 3
        for order, line, band in zip(
            ("attention", "random", "permutation"), ax.lines, ax.collections, strict=True
        ):
            part = result.curves.query("kind == @kind and order == @order")
            np.testing.assert_allclose(line.get_xdata(), part["fraction"])
            np.testing.assert_allclose(line.get_ydata(), part["error"])
            low, high = band.get_paths()[0].get_extents().intervaly
            np.testing.assert_allclose([low, high], [part["low"].min(), part["high"].max()])
            area, low, high = result.areas.loc[(order, kind)]
            assert line.get_label() == f"{order}: area {area:.3g} [{low:.3g}, {high:.3g}]"


def test_curves_without_areas_are_drawn_too():
    display = AttentionDisplay.from_faithfulness(faithfulness(areas=None))
    labels = [line.get_label() for line in display.axes_["sufficiency"].lines]
    assert labels == ["attention", "random", "permutation"]


def test_the_results_of_the_inspection_are_drawn(windows):
    y = windows[:, -1, 0]
    model = AttentionLSTMRegressor(attention="dense", max_epochs=2, random_state=0)
    agreement = refit_agreement(model, windows, y, n_refits=2, random_state=0)
    display = AttentionDisplay.from_refits(agreement, kind="time")
    np.testing.assert_allclose(heights(display.ax_), agreement.time.mean(axis=1))
    result = inspect_faithfulness(
        model.fit(windows, y), windows, y, n_steps=3, n_repeats=1, n_bootstrap=10, random_state=0
    )
    display = AttentionDisplay.from_faithfulness(result)
    assert list(display.axes_) == ["comprehensiveness", "sufficiency"]
    assert_legible(display.figure_)


def test_attention_of_other_kinds_that_an_estimator_has_is_left_alone(fitted, windows, monkeypatch):
    model = fitted["both"]
    weights = model.attention_weights(windows)
    more = Bunch(**weights, gate=weights.cell * 7)
    monkeypatch.setattr(model, "attention_weights", lambda X, groups=None: more)
    display = AttentionDisplay.from_estimator(model, windows, kind="time")
    np.testing.assert_allclose(heights(display.ax_), weights.time.mean(axis=0))


# The picture


@pytest.mark.parametrize("mode", MODES)
def test_it_draws_on_the_axes_that_are_given(fitted, windows, plt, mode):
    figure, (left, right) = plt.subplots(1, 2)
    display = AttentionDisplay.from_estimator(fitted[mode], windows, ax=right)
    assert display.ax_ is right
    assert display.figure_ is figure
    assert not left.has_data()
    assert not left.child_axes
    assert plt.get_fignums() == [figure.number]
    display.plot(left, kind="sample")
    assert display.ax_ is left
    assert len(left.child_axes) == F + 1  # the panels and the colour bar
    assert plt.get_fignums() == [figure.number]


def test_names_come_from_the_data_frame(hourly):
    model, frame, _ = hourly
    display = AttentionDisplay.from_estimator(model)
    assert tick_texts(display.axes_["map"].yaxis) == list(frame.columns)


def test_without_names_features_are_numbered(fitted):
    display = AttentionDisplay.from_estimator(fitted["both"])
    assert tick_texts(display.axes_["map"].yaxis) == [f"feature {i}" for i in range(F)]


@pytest.mark.parametrize(
    ("n_timesteps", "n_features"),
    [(1, 1), (10, 2), (168, 2), (24, 8), (168, 8), (10, 30), (168, 30)],
)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_legible(kind, n_timesteps, n_features):
    parts = given(n_timesteps, n_features)
    display = AttentionDisplay(**parts).plot(kind=kind)
    assert_legible(display.figure_)
    if kind in ("map", "feature"):
        names = tick_texts(display.axes_[kind].yaxis)
        assert sorted(names) == sorted(parts["feature_names"])


@pytest.mark.parametrize("size", [(6.4, 3.6, 10), (12, 6.75, 16)], ids=["readme", "talk"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_legible_on_axes_for_a_page_and_for_a_talk(plt, kind, size):
    width, height, font = size
    with plt.rc_context({"font.size": font}):
        _, ax = plt.subplots(figsize=(width, height), layout="constrained")
        AttentionDisplay(**given(24, 5)).plot(ax, kind=kind)
        assert_legible(ax.figure)


@pytest.mark.parametrize("n_timesteps", [10, 24, 168])
def test_time_stamps_are_legible(n_timesteps):
    parts = given(n_timesteps)
    parts["sample"].times = pd.date_range("2024-02-27 21:00", periods=n_timesteps, freq="h")
    assert_legible(AttentionDisplay(**parts).plot(kind="sample").figure_)


@pytest.mark.parametrize("over", ["time", "feature"])
@pytest.mark.parametrize("n_timesteps", [6, 168])
def test_refits_are_legible(over, n_timesteps):
    result = refits(n_features=30, n_timesteps=n_timesteps)
    assert_legible(AttentionDisplay.from_refits(result, kind=over).figure_)


# The words


@pytest.mark.parametrize("mode", MODES)
def test_without_a_kind_the_first_that_the_mode_has_is_drawn(fitted, mode):
    display = AttentionDisplay.from_estimator(fitted[mode])
    assert FIRST_KIND[mode] in display.axes_


@pytest.mark.parametrize("kind", KINDS)
def test_the_documentation_tells_every_kind(kind):
    assert f'- ``"{kind}"``: ' in inspect.getdoc(AttentionDisplay)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", MODES)
def test_a_kind_is_drawn_in_every_mode_or_the_error_says_what_to_do(fitted, plt, mode, kind):
    can = {"time": ["time"], "feature": ["feature"], "both": ["map", "time", "feature"]}[mode]
    if kind in can:
        assert kind in AttentionDisplay.from_estimator(fitted[mode], kind=kind).axes_
        return
    way_out = {
        "sample": "give X",
        "faithfulness": "AttentionDisplay.from_faithfulness",
    }.get(kind, f"fit with attention_mode='.*', or draw kind='{mode}'")
    with pytest.raises(ValueError, match=rf"kind='{kind}' needs .* Got .* instead.*{way_out}"):
        AttentionDisplay.from_estimator(fitted[mode], kind=kind)
    assert plt.get_fignums() == []


def test_an_unknown_kind_is_an_error_that_lists_them(fitted, plt):
    with pytest.raises(ValueError, match=r"kind must be one of 'map', 'sample', .* Got 'maps'"):
        AttentionDisplay.from_estimator(fitted["both"], kind="maps")
    assert plt.get_fignums() == []


@pytest.mark.parametrize("max_features", [0, 1.5, True, "all"])
def test_a_wrong_max_features_is_an_error(fitted, plt, max_features):
    with pytest.raises(ValueError, match="max_features must be a whole number > 0, or None"):
        AttentionDisplay.from_estimator(fitted["both"], max_features=max_features)
    assert plt.get_fignums() == []


@pytest.mark.parametrize("sample", [60, -61, "2024-01-01", 1.0])
def test_a_sample_that_is_not_there_is_an_error(fitted, windows, sample):
    with pytest.raises(ValueError, match=rf"one of the 60 samples of X\. Got {sample!r} instead"):
        AttentionDisplay.from_estimator(fitted["both"], windows, kind="sample", sample=sample)


def test_a_y_of_another_length_is_an_error(fitted, windows):
    with pytest.raises(ValueError, match=r"each of the 60 samples of X\. Got 5 instead"):
        AttentionDisplay.from_estimator(fitted["both"], windows, np.zeros(5))


def test_without_attention_the_error_says_what_to_fit(fitted, windows):
    for X in (None, windows):
        with pytest.raises(ValueError, match=r"attention_mode=None .* attention_mode='time'"):
            AttentionDisplay.from_estimator(fitted[None], X)


def test_of_a_pipeline_the_error_says_what_to_draw(hourly):
    model, frame, _ = hourly
    pipeline = make_pipeline(StandardScaler().set_output(transform="pandas").fit(frame), model)
    with pytest.raises(ValueError, match=r"Got Pipeline instead; .* pipeline\[-1\]"):
        AttentionDisplay.from_estimator(pipeline)


def test_an_unfitted_estimator_is_not_drawn(plt):
    with pytest.raises(NotFittedError, match="fit"):
        AttentionDisplay.from_estimator(AttentionLSTMRegressor())
    assert plt.get_fignums() == []


def test_a_result_without_curves_is_an_error_that_says_where_they_come_from():
    curves = faithfulness().curves.drop(columns="low")
    with pytest.raises(ValueError, match=r"Got one without low instead; .*inspection\.faith"):
        AttentionDisplay.from_faithfulness(faithfulness(curves=curves))


def test_a_result_without_refits_is_an_error_that_says_where_they_come_from():
    with pytest.raises(ValueError, match=r"Got \['time'\] instead; .*refit_agreement"):
        AttentionDisplay.from_refits(Bunch(time=None))


def test_importing_the_package_does_not_import_matplotlib():
    code = "import sys, sk_tsattn; print('matplotlib' in sys.modules, 'sk_tsattn' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "True"]
