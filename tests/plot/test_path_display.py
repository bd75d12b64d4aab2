"""PathDisplay: the figure shows the candidates of the estimator's path."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_tsattn import AttentionLSTMRegressor, PathDisplay


def path(n=20, selected=12, first=0.01, factor=1.12, **columns):
    """Return a path whose loss is lowest at 0.2, with 0.02 more for each candidate off it."""
    row = np.arange(n)
    table = {
        "penalty": np.r_[0.0, first * factor ** np.arange(n - 1)],
        "valid_loss": 0.2 + 0.02 * abs(row - n // 2),
        "standard_error": 0.01 * abs(row - n // 2),
        "density": 0.8 ** (row + 1),
        "selected": row == selected,
    }
    return pd.DataFrame(table | columns)


def labels(panel):
    """Return the labels of the penalties by their place."""
    panel.figure.canvas.draw()
    ticks = panel.get_xticks(), panel.get_xticklabels()
    return {place: label.get_text() for place, label in zip(*ticks, strict=True)}


def test_the_losses_are_drawn_with_a_band_of_one_standard_error():
    frame = path()
    panel = PathDisplay(frame).plot().axes_["loss"]
    np.testing.assert_array_equal(panel.lines[0].get_ydata(), frame["valid_loss"])
    corners = panel.collections[0].get_paths()[0].vertices[:, 1]
    for edge in (frame.valid_loss - frame.standard_error, frame.valid_loss + frame.standard_error):
        assert set(edge) <= set(corners)
    np.testing.assert_allclose(panel.lines[1].get_ydata(), frame["valid_loss"].min())


def test_falling_penalties_are_drawn_as_growing_ones():
    rising = path()
    falling = pd.concat([rising[:1], rising[:0:-1]], ignore_index=True)
    for name in ("loss", "density"):
        lines = [PathDisplay(frame).plot().axes_[name].lines[0] for frame in (rising, falling)]
        np.testing.assert_array_equal(lines[1].get_xydata(), lines[0].get_xydata())


def test_the_density_has_a_scale_of_its_own():
    frame = path()
    display = PathDisplay(frame).plot()
    (line,) = display.axes_["density"].lines
    np.testing.assert_array_equal(line.get_ydata(), frame["density"])
    places = display.axes_["loss"].lines[0].get_xdata()
    np.testing.assert_array_equal(line.get_xdata(), places)


def test_the_path_of_an_estimator_is_drawn(windows):
    model = AttentionLSTMRegressor(max_epochs=4, early_stopping=True, random_state=0)
    model.fit(windows, windows[:, 5, 3])
    panel = PathDisplay.from_estimator(model).axes_["loss"]
    np.testing.assert_array_equal(panel.lines[0].get_ydata(), model.path_["valid_loss"])


def test_penalties_are_at_their_place_and_0_is_labelled_left_of_them():
    frame = path()
    panel = PathDisplay(frame).plot().axes_["loss"]
    assert panel.get_xscale() == "log"
    places = panel.lines[0].get_xdata()
    np.testing.assert_array_equal(places[1:], frame["penalty"][1:])
    assert 0 < places[0] < places[1]
    found = labels(panel)
    assert found.pop(places[0]) == "0"
    assert found
    for place, label in found.items():
        assert float(label) == pytest.approx(place)


def test_the_selected_candidate_is_marked_and_named():
    frame = path(selected=12)
    display = PathDisplay(frame).plot()
    point, line = display.axes_["loss"].lines[-2:]
    np.testing.assert_allclose(point.get_ydata(), [frame["valid_loss"][12]])
    np.testing.assert_allclose(line.get_xdata(), frame["penalty"][12])
    assert f"penalty {frame['penalty'][12]:.3g}, density 5.5" in display.ax_.get_title()


def test_the_candidate_without_penalty_is_marked_at_the_left_edge():
    display = PathDisplay(path(selected=0)).plot()
    curve, _, point, line = display.axes_["loss"].lines
    assert point.get_xdata() == curve.get_xdata()[0] == line.get_xdata()[0]
    assert "penalty 0, density 80" in display.ax_.get_title()


def test_a_path_without_a_selected_candidate_has_no_mark():
    display = PathDisplay(path(selected=-1)).plot()
    assert "none selected" in display.ax_.get_title()
    assert not any(len(line.get_xdata()) == 1 for line in display.axes_["loss"].lines)


@pytest.mark.parametrize("size", [(6.4, 3.6, 10), (12, 6.75, 16)], ids=["readme", "talk"])
def test_the_display_is_drawn_on_given_axes(plt, size, assert_legible):
    width, height, font = size
    with plt.rc_context({"font.size": font}):
        figure, (left, right) = plt.subplots(1, 2, figsize=(width, height), layout="constrained")
        display = PathDisplay(path()).plot(right)
        left.set_axis_off()
        assert display.ax_ is right
        assert display.figure_ is figure
        assert not left.child_axes
        assert_legible(figure)
    assert plt.get_fignums() == [figure.number]


@pytest.mark.parametrize(
    ("n", "first", "factor"),
    [(1, 0.01, 1), (2, 0.3, 1), (3, 0.013, 1.12), (12, 0.0136, 1.12), (60, 1e-4, 1.2)],
)
def test_any_range_of_penalties_is_legible(n, first, factor, assert_legible):
    assert_legible(PathDisplay(path(n, n - 1, first, factor)).plot().figure_)


def test_closed_gates_and_large_losses_are_legible(assert_legible):
    frame = path(density=np.r_[np.geomspace(1, 1e-3, 18), 1e-7, 0.0])
    frame["valid_loss"] = np.geomspace(1e-4, 1, 20)
    display = PathDisplay(frame).plot()
    assert display.axes_["loss"].get_yscale() == "log"
    assert display.axes_["density"].get_ylim()[0] > 1e-4
    assert_legible(display.figure_)


@pytest.mark.parametrize(
    ("frame", "got"),
    [
        (path().drop(columns="density"), r"Got \['penalty', .* and 20 rows instead"),
        (pd.DataFrame(), r"Got \[\] and 0 rows instead"),
        (path()[:0], "0 rows instead"),
    ],
)
def test_a_path_without_candidates_or_columns_is_an_error_with_advice(frame, got, plt):
    with pytest.raises(ValueError, match=rf"^path must have the columns .* {got}; pass the path_"):
        PathDisplay(frame).plot()
    assert plt.get_fignums() == []


def test_other_mechanisms_have_no_path_and_the_error_names_the_one_that_has(fitted):
    with pytest.raises(ValueError, match=r"path_, as .* without one .* attention='bottleneck'"):
        PathDisplay.from_estimator(fitted["both"])


def test_a_pipeline_is_an_error_that_names_its_last_step(fitted):
    with pytest.raises(ValueError, match=r"Got Pipeline without one instead; .* pipeline\[-1\]"):
        PathDisplay.from_estimator(make_pipeline(StandardScaler(), fitted["both"]))


@pytest.mark.parametrize("estimator", [AttentionLSTMRegressor(), LinearRegression()])
def test_an_unfitted_estimator_is_an_error(estimator):
    with pytest.raises(NotFittedError, match="fit"):
        PathDisplay.from_estimator(estimator)
