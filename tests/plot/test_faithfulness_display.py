"""FaithfulnessDisplay: the figure shows the curves and areas of the result."""

import numpy as np
import pandas as pd
import pytest
from sklearn.utils import Bunch

from sk_tsattn import AttentionLSTMRegressor, FaithfulnessDisplay
from sk_tsattn.inspection import faithfulness

ORDERS = ("attention", "random", "permutation")


def result(**changes):
    """Return a result of fixed numbers, different in each curve."""
    rows = [
        (order, kind, fraction, level * fraction, level * fraction - 0.1, level * fraction + 0.1)
        for level, order in enumerate(ORDERS, start=1)
        for kind in ("comprehensiveness", "sufficiency")
        for fraction in (0.0, 0.5, 1.0)
    ]
    curves = pd.DataFrame(rows, columns=["order", "kind", "fraction", "error", "low", "high"])
    areas = curves.groupby(["order", "kind"])[["error", "low", "high"]].mean()
    areas = areas.rename(columns={"error": "area"})
    return Bunch(**{"curves": curves, "areas": areas} | changes)


def test_each_kind_has_a_panel_with_the_curves_their_intervals_and_areas():
    drawn = result()
    display = FaithfulnessDisplay.from_result(drawn)
    assert list(display.axes_) == ["comprehensiveness", "sufficiency"]
    for kind, ax in display.axes_.items():
        assert len(ax.lines) == len(ax.collections) == 3
        for order, line, band in zip(ORDERS, ax.lines, ax.collections, strict=True):
            curve = drawn.curves.query("kind == @kind and order == @order")
            np.testing.assert_allclose(line.get_xdata(), curve["fraction"])
            np.testing.assert_allclose(line.get_ydata(), curve["error"])
            low, high = band.get_paths()[0].get_extents().intervaly
            np.testing.assert_allclose([low, high], [curve["low"].min(), curve["high"].max()])
            area, low, high = drawn.areas.loc[(order, kind)]
            assert line.get_label() == f"{order}: area {area:.3g} [{low:.3g}, {high:.3g}]"


def test_without_areas_the_legend_has_the_orders_alone():
    display = FaithfulnessDisplay.from_result(result(areas=None))
    labels = [line.get_label() for line in display.axes_["sufficiency"].lines]
    assert labels == list(ORDERS)


def test_the_result_of_the_inspection_is_drawn(windows, assert_legible):
    y = windows[:, -1, 0]
    model = AttentionLSTMRegressor(attention="dense", max_epochs=2, random_state=0).fit(windows, y)
    measured = faithfulness(
        model, windows, y, n_steps=3, n_repeats=1, n_bootstrap=10, random_state=0
    )
    display = FaithfulnessDisplay.from_result(measured)
    line = display.axes_["comprehensiveness"].lines[0]
    expected = measured.curves.query("kind == 'comprehensiveness' and order == 'attention'")
    np.testing.assert_array_equal(line.get_ydata(), expected["error"])
    assert_legible(display.figure_)


@pytest.mark.parametrize("size", [(6.4, 3.6, 10), (12, 6.75, 16)], ids=["readme", "talk"])
def test_it_is_drawn_legibly_on_given_axes(plt, assert_legible, size):
    width, height, font = size
    with plt.rc_context({"font.size": font}):
        figure, ax = plt.subplots(figsize=(width, height), layout="constrained")
        display = FaithfulnessDisplay.from_result(result(), ax=ax)
        assert display.ax_ is ax
        assert display.figure_ is figure
        assert_legible(figure)
    assert plt.get_fignums() == [figure.number]


def test_curves_without_a_column_are_an_error_that_names_the_source(plt):
    curves = result().curves.drop(columns="low")
    with pytest.raises(ValueError, match=r"Got one without low instead; .*inspection\.faith"):
        FaithfulnessDisplay.from_result(result(curves=curves))
    assert plt.get_fignums() == []


def test_a_result_without_curves_is_an_error_that_names_the_source():
    with pytest.raises(ValueError, match=r"Got one without error, .*inspection\.faithfulness"):
        FaithfulnessDisplay.from_result(Bunch())
