"""AttentionDisplay: the picture shows the numbers that the estimator has."""

import itertools
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from sk_tsattn import AttentionDisplay, AttentionLSTMRegressor

MODES = ("time", "feature", "both")
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


def heights(ax):
    return [bar.get_height() for bar in ax.patches]


def lengths(ax):
    return [bar.get_width() for bar in ax.patches]


def tick_texts(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def tick_labels(figure):
    """Draw; give the labels of each axis as [(text, its box in pixels)]."""
    figure.canvas.draw()
    axes = figure.axes + [inset for ax in figure.axes for inset in ax.child_axes]
    for axis in [axis for ax in axes for axis in (ax.xaxis, ax.yaxis)]:
        low, high = sorted(axis.get_view_interval())
        # Ticks out of view are not drawn.
        ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
        labels = [label for tick in ticks for label in (tick.label1, tick.label2)]
        drawn = [label for label in labels if label.get_visible() and label.get_text()]
        yield [(label.get_text(), label.get_window_extent()) for label in drawn]


def assert_legible(figure):
    for labels in tick_labels(figure):
        for (one, box), (other, other_box) in itertools.combinations(labels, 2):
            assert not box.overlaps(other_box), f"{one!r} and {other!r} overlap"
        for text, box in labels:
            # A text's box has a pixel around the ink.
            assert min(box.x0, box.y0) >= -1, f"{text!r} is cut off"
            assert box.x1 <= figure.bbox.x1 + 1, f"{text!r} is cut off"
            assert box.y1 <= figure.bbox.y1 + 1, f"{text!r} is cut off"


def test_bars_over_time_are_the_attention_oldest_first(fitted):
    model = fitted["time"]
    display = AttentionDisplay.from_estimator(model)
    np.testing.assert_allclose(heights(display.ax_), model.time_attention_)
    centres = [bar.get_x() + bar.get_width() / 2 for bar in display.ax_.patches]
    np.testing.assert_allclose(centres, np.arange(1 - T, 1), atol=1e-12)
    assert display.margins_ == {}


def test_bars_over_features_are_the_attention_beside_its_name(fitted):
    model = fitted["feature"]
    display = AttentionDisplay.from_estimator(model, feature_names=["a", "b", "c", "d"])
    np.testing.assert_allclose(lengths(display.ax_), model.feature_attention_)
    display.figure_.canvas.draw()
    assert tick_texts(display.ax_.yaxis) == ["a", "b", "c", "d"]
    centres = [bar.get_y() + bar.get_height() / 2 for bar in display.ax_.patches]
    np.testing.assert_allclose(centres, display.ax_.get_yticks())
    top, bottom = display.ax_.transData.transform([(0, 0), (0, F - 1)])[:, 1]
    assert top > bottom  # the first feature is the uppermost
    assert display.margins_ == {}


def test_the_map_and_its_margins_are_the_attention(fitted):
    model = fitted["both"]
    display = AttentionDisplay.from_estimator(model)
    (image,) = display.ax_.images
    # In shares of uniform attention, features downwards and time to the right.
    np.testing.assert_allclose(image.get_array(), model.attention_.T * T * F)
    np.testing.assert_allclose(heights(display.margins_["time"]), model.time_attention_)
    np.testing.assert_allclose(lengths(display.margins_["feature"]), model.feature_attention_)


def test_a_cell_of_the_map_lies_at_its_step_and_its_feature():
    cell = np.zeros((T, F))
    cell[1, 2] = 1.0
    display = AttentionDisplay(cell=cell, time=cell.sum(axis=1), feature=cell.sum(axis=0)).plot()
    (image,) = display.ax_.images
    left, right, bottom, top = image.get_extent()
    column = int((1 - (T - 1) - left) / (right - left) * T)  # where step 1 is drawn
    row = int((2 - top) / (bottom - top) * F)  # where feature 2 is
    assert image.origin == "upper"
    assert image.get_array()[row, column] == T * F
    assert (image.get_array() > 0).sum() == 1


@pytest.mark.parametrize("mode", MODES)
def test_uniform_attention_is_marked(fitted, mode):
    display = AttentionDisplay.from_estimator(fitted[mode])
    axes = display.margins_ or {mode: display.ax_}
    for over, ax in axes.items():
        (line,) = ax.lines
        level = line.get_ydata() if over == "time" else line.get_xdata()
        np.testing.assert_allclose(level, 1 / {"time": T, "feature": F}[over])


@pytest.mark.parametrize("mode", MODES)
def test_from_X_draws_the_mean_over_these_windows(fitted, windows, mode):
    weights = fitted[mode].attention_weights(windows[:7])
    display = AttentionDisplay.from_estimator(fitted[mode], windows[:7])
    if mode == "both":
        mean = weights.cell.mean(axis=0).T * T * F
        np.testing.assert_allclose(display.ax_.images[0].get_array(), mean)
    drawn = {"time": heights, "feature": lengths}
    for over, ax in (display.margins_ or {mode: display.ax_}).items():
        np.testing.assert_allclose(drawn[over](ax), weights[over].mean(axis=0))


def test_from_X_of_several_series_takes_groups():
    rng = np.random.default_rng(0)
    X, y, groups = rng.normal(size=(60, 2)), rng.normal(size=60), np.repeat(["a", "b"], 30)
    model = AttentionLSTMRegressor(lookback=5, max_epochs=1, random_state=0)
    model.fit(X, y, groups=groups)
    display = AttentionDisplay.from_estimator(model, X, groups=groups)
    expected = model.attention_weights(X, groups=groups).time.mean(axis=0)
    np.testing.assert_allclose(heights(display.margins_["time"]), expected)


@pytest.mark.parametrize("mode", MODES)
def test_it_draws_on_the_axes_that_are_given(fitted, plt, mode):
    figure, (left, right) = plt.subplots(1, 2)
    display = AttentionDisplay.from_estimator(fitted[mode], ax=right)
    assert display.ax_ is right
    assert display.figure_ is figure
    assert not left.has_data()
    assert plt.get_fignums() == [figure.number]
    display.plot(ax=left)
    assert display.ax_ is left
    assert left.has_data()


def test_names_come_from_the_data_frame(windows):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(40, 3)), columns=["wind", "rain", "sun"])
    model = AttentionLSTMRegressor(lookback=3, max_epochs=1).fit(frame, frame["wind"])
    display = AttentionDisplay.from_estimator(model)
    assert tick_texts(display.ax_.yaxis) == ["wind", "rain", "sun"]


@pytest.mark.parametrize("mode", ["feature", "both"])
def test_without_names_features_are_numbered(fitted, mode):
    display = AttentionDisplay.from_estimator(fitted[mode])
    assert tick_texts(display.ax_.yaxis) == [f"feature {i}" for i in range(F)]


@pytest.mark.parametrize("n_timesteps", [8, 168])
@pytest.mark.parametrize("n_features", [1, 2, 30])
@pytest.mark.parametrize("mode", MODES)
def test_names_and_numbers_are_legible(mode, n_timesteps, n_features):
    rng = np.random.default_rng(0)
    cell = rng.dirichlet(np.ones(n_timesteps * n_features)).reshape(n_timesteps, n_features)
    given = {"time": cell.sum(axis=1), "feature": cell.sum(axis=0)}
    if mode == "both":
        given["cell"] = cell
    else:
        given = {mode: given[mode]}
    names = [f"a rather long name {i}" for i in range(n_features)]
    display = AttentionDisplay(**given, feature_names=names).plot()
    assert_legible(display.figure_)
    if mode != "time":
        assert tick_texts(display.ax_.yaxis) == names


def test_without_attention_the_error_says_what_to_fit(fitted, windows):
    for X in (None, windows):
        with pytest.raises(ValueError, match=r"attention_mode=None .* attention_mode='time'"):
            AttentionDisplay.from_estimator(fitted[None], X)


def test_an_unfitted_estimator_is_not_drawn(plt):
    with pytest.raises(NotFittedError, match="fit"):
        AttentionDisplay.from_estimator(AttentionLSTMRegressor())
    assert plt.get_fignums() == []


def test_importing_the_package_does_not_import_matplotlib():
    code = "import sys, sk_tsattn; print('matplotlib' in sys.modules, 'sk_tsattn' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "True"]
