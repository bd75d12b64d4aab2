"""AttentionDisplay: the figure shows the attention of the estimator."""

import inspect
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
from sk_tsattn._plot._attention_display import KINDS
from sk_tsattn._plot._map import BLANK_BELOW
from sk_tsattn.inspection import refit_agreement

MODES = ("time", "feature", "both")
FIRST_KIND = {"time": "time", "feature": "feature", "both": "map"}
T, F = 6, 4


def heights(ax):
    return [bar.get_height() for bar in ax.patches]


def lengths(ax):
    return [bar.get_width() for bar in ax.patches]


def tick_texts(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def refits(n_refits=5, n_features=F, n_timesteps=T):
    rng = np.random.default_rng(0)
    names = [f"name {i}" for i in range(n_features)]
    return Bunch(
        feature=pd.DataFrame(rng.dirichlet(np.ones(n_features), n_refits).T, index=names),
        time=pd.DataFrame(rng.dirichlet(np.ones(n_timesteps), n_refits).T),
    )


# The numbers


def test_bars_over_time_are_the_attention_oldest_first(fitted):
    model = fitted["time"]
    display = AttentionDisplay.from_estimator(model)
    np.testing.assert_allclose(heights(display.ax_), model.time_attention_)
    centres = [bar.get_x() + bar.get_width() / 2 for bar in display.ax_.patches]
    np.testing.assert_allclose(centres, np.arange(1 - T, 1), atol=1e-12)
    assert list(display.axes_) == ["time"]


def test_steps_are_numbered_backwards_from_the_newest(arguments):
    display = AttentionDisplay(**arguments()).plot(kind="time")
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
    # In units of uniform attention, features downwards and time to the right.
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


def test_cells_below_the_threshold_are_white_and_those_above_are_coloured():
    cell = np.full((T, F), 2 * BLANK_BELOW / (T * F))
    cell[1, 2], cell[3, 0] = 0.9 * BLANK_BELOW / (T * F), 1.0
    display = AttentionDisplay(cell=cell).plot()
    (image,) = display.axes_["map"].images
    colors = image.to_rgba(image.get_array())[..., :3]
    np.testing.assert_allclose(colors[2, 1], 1)
    assert colors[0, 0].min() < 0.8  # pale
    color_bar = display.ax_.child_axes[-1]
    assert color_bar.get_title().endswith(f"(white: < {BLANK_BELOW:g})")


@pytest.mark.parametrize("mode", MODES)
def test_uniform_attention_is_marked(fitted, mode):
    display = AttentionDisplay.from_estimator(fitted[mode])
    for over in {"time", "feature"} & set(display.axes_):
        (line,) = display.axes_[over].lines
        level = line.get_ydata() if over == "time" else line.get_xdata()
        np.testing.assert_allclose(level, 1 / {"time": T, "feature": F}[over])


@pytest.mark.parametrize("mode", MODES)
def test_from_X_shows_the_mean_over_these_windows(fitted, windows, mode):
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


@pytest.mark.filterwarnings("ignore::sk_tsattn.exceptions.HistoryWarning")
def test_from_X_of_several_series_takes_groups():
    rng = np.random.default_rng(0)
    X, y, groups = rng.normal(size=(60, 2)), rng.normal(size=60), np.repeat(["a", "b"], 30)
    model = AttentionLSTMRegressor(lookback=5, attention="dense", max_epochs=1, random_state=0)
    model.fit(X, y, groups=groups)
    display = AttentionDisplay.from_estimator(model, X, groups=groups)
    expected = model.attention_weights(X, groups=groups).time.mean(axis=0)
    np.testing.assert_allclose(heights(display.axes_["time"]), expected)


@pytest.mark.parametrize("over", ["time", "feature"])
def test_the_spread_over_samples_runs_between_its_quantiles(over, arguments):
    parts = arguments()
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


def test_the_result_of_refit_agreement_is_drawn(windows):
    model = AttentionLSTMRegressor(attention="dense", max_epochs=2)
    result = refit_agreement(model, windows, windows[:, -1, 0], n_refits=2, random_state=0)
    display = AttentionDisplay.from_refits(result, kind="time")
    np.testing.assert_allclose(heights(display.ax_), result.time.mean(axis=1))


@pytest.mark.parametrize("kind", ["map", "feature"])
def test_max_features_keeps_the_most_attended(kind, arguments):
    parts = arguments()
    display = AttentionDisplay(**parts).plot(kind=kind, max_features=2)
    names = {parts["feature_names"][i] for i in np.argsort(-parts["feature"])[:2]}
    assert set(tick_texts(display.axes_.get("map", display.ax_).yaxis)) == names
    assert "2 of 4" in display.ax_.get_title()


def test_other_weights_of_an_estimator_are_ignored(fitted, windows, monkeypatch):
    model = fitted["both"]
    weights = model.attention_weights(windows)
    more = Bunch(**weights, gate=weights.cell * 7)
    monkeypatch.setattr(model, "attention_weights", lambda X, groups=None: more)
    display = AttentionDisplay.from_estimator(model, windows, kind="time")
    np.testing.assert_allclose(heights(display.ax_), weights.time.mean(axis=0))


# The figure


@pytest.mark.parametrize("mode", MODES)
def test_the_display_is_drawn_on_given_axes(fitted, windows, plt, mode):
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
def test_every_kind_is_legible(kind, n_timesteps, n_features, arguments, assert_legible):
    parts = arguments(n_timesteps, n_features)
    display = AttentionDisplay(**parts).plot(kind=kind)
    assert_legible(display.figure_)
    if kind in ("map", "feature"):
        names = tick_texts(display.axes_[kind].yaxis)
        assert sorted(names) == sorted(parts["feature_names"])


@pytest.mark.parametrize("size", [(6.4, 3.6, 10), (12, 6.75, 16)], ids=["readme", "talk"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_legible_on_axes_for_a_page_and_for_a_talk(
    plt, kind, size, arguments, assert_legible
):
    width, height, font = size
    with plt.rc_context({"font.size": font}):
        _, ax = plt.subplots(figsize=(width, height), layout="constrained")
        AttentionDisplay(**arguments(24, 5)).plot(ax, kind=kind)
        assert_legible(ax.figure)


@pytest.mark.parametrize("over", ["time", "feature"])
@pytest.mark.parametrize("n_timesteps", [6, 168])
def test_refits_are_legible(over, n_timesteps, assert_legible):
    result = refits(n_features=30, n_timesteps=n_timesteps)
    assert_legible(AttentionDisplay.from_refits(result, kind=over).figure_)


# Kinds and errors


@pytest.mark.parametrize("mode", MODES)
def test_without_a_kind_the_first_that_the_mode_has_is_drawn(fitted, mode):
    display = AttentionDisplay.from_estimator(fitted[mode])
    assert FIRST_KIND[mode] in display.axes_


@pytest.mark.parametrize("kind", KINDS)
def test_the_documentation_lists_every_kind(kind):
    assert f'- ``"{kind}"``: ' in inspect.getdoc(AttentionDisplay)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", MODES)
def test_each_kind_is_drawn_in_each_mode_or_is_an_error_with_advice(fitted, plt, mode, kind):
    can = {"time": ["time"], "feature": ["feature"], "both": ["map", "time", "feature"]}[mode]
    if kind in can:
        assert kind in AttentionDisplay.from_estimator(fitted[mode], kind=kind).axes_
        return
    advice = {"sample": "give X"}.get(kind, "fit with attention_mode='.*'")
    with pytest.raises(
        ValueError, match=rf"kind='{kind}' needs .* Got .* instead; {advice}.*kind='{can[0]}'"
    ):
        AttentionDisplay.from_estimator(fitted[mode], kind=kind)
    assert plt.get_fignums() == []


def test_an_unknown_kind_is_an_error_that_lists_them(fitted, plt):
    with pytest.raises(ValueError, match=r"kind must be one of 'map', 'feature', .* Got 'maps'"):
        AttentionDisplay.from_estimator(fitted["both"], kind="maps")
    assert plt.get_fignums() == []


@pytest.mark.parametrize("max_features", [0, 1.5, True, "all"])
def test_a_wrong_max_features_is_an_error(fitted, plt, max_features):
    with pytest.raises(ValueError, match="max_features must be an int >= 1 or None"):
        AttentionDisplay.from_estimator(fitted["both"], max_features=max_features)
    assert plt.get_fignums() == []


def test_an_estimator_without_attention_is_an_error_that_names_what_to_fit(fitted, windows):
    for X in (None, windows):
        with pytest.raises(ValueError, match=r"attention_mode=None .* attention_mode='time'"):
            AttentionDisplay.from_estimator(fitted[None], X)


def test_a_pipeline_is_an_error_that_names_its_last_step(hourly):
    model, frame, _ = hourly
    pipeline = make_pipeline(StandardScaler().set_output(transform="pandas").fit(frame), model)
    with pytest.raises(ValueError, match=r"Got Pipeline instead; .* pipeline\[-1\]"):
        AttentionDisplay.from_estimator(pipeline)


def test_an_unfitted_estimator_is_an_error(plt):
    with pytest.raises(NotFittedError, match="fit"):
        AttentionDisplay.from_estimator(AttentionLSTMRegressor())
    assert plt.get_fignums() == []


def test_a_result_without_refits_is_an_error_that_names_the_source():
    with pytest.raises(ValueError, match=r"Got \['time'\] instead; .*refit_agreement"):
        AttentionDisplay.from_refits(Bunch(time=None))


def test_importing_the_package_does_not_import_matplotlib():
    code = "import sys, sk_tsattn; print('matplotlib' in sys.modules, 'sk_tsattn' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "True"]
