"""ImportanceDisplay: the figure shows attention and importance of the result."""

import numpy as np
import pandas as pd
import pytest
from sklearn.utils import Bunch

from sk_tsattn import ImportanceDisplay


def result(n_items=5, over="feature", **changes):
    """Return a result of fixed numbers, with an increasing importance."""
    fraction = np.arange(1.0, n_items + 1)
    attention = np.random.default_rng(0).dirichlet(np.ones(n_items))
    columns = {"attention": attention, "importance_fraction": fraction / fraction.sum()}
    index = [f"a rather long name {i}" for i in range(n_items)]
    frame = pd.DataFrame(columns, index=index if over == "feature" else range(n_items)[::-1])
    return Bunch(**{"frame": frame, "over": over, "overlap": 0.52} | changes)


def test_features_are_sorted_by_importance_and_have_two_bars():
    drawn = result()
    display = ImportanceDisplay.from_result(drawn)
    attention, importance = ([bar.get_width() for bar in bars] for bars in display.ax_.containers)
    np.testing.assert_allclose(importance, drawn.frame["importance_fraction"][::-1])
    np.testing.assert_allclose(attention, drawn.frame["attention"][::-1])
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert labels == list(drawn.frame.index[::-1])
    assert "overlap 0.52" in display.ax_.get_title()


def test_steps_are_in_the_order_of_time():
    drawn = result(over="time")
    display = ImportanceDisplay.from_result(drawn)
    attention, importance = ([bar.get_height() for bar in bars] for bars in display.ax_.containers)
    np.testing.assert_allclose(attention, drawn.frame["attention"])
    np.testing.assert_allclose(importance, drawn.frame["importance_fraction"])
    newest = display.ax_.containers[1][-1]
    assert newest.get_x() == pytest.approx(0)


def test_max_features_keeps_the_most_important():
    display = ImportanceDisplay.from_result(result(), max_features=2)
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert labels == ["a rather long name 4", "a rather long name 3"]
    with pytest.raises(ValueError, match="max_features must be an int >= 1 or None"):
        display.plot(max_features=0)


@pytest.mark.parametrize("over", ["feature", "time"])
@pytest.mark.parametrize("n_items", [1, 8, 30])
def test_it_is_drawn_legibly_on_given_axes_or_on_its_own(plt, assert_legible, over, n_items):
    assert_legible(ImportanceDisplay.from_result(result(n_items, over)).figure_)
    figure, ax = plt.subplots(figsize=(6.4, 7), layout="constrained")
    display = ImportanceDisplay.from_result(result(n_items, over), ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert_legible(figure)


def test_a_frame_without_a_column_is_an_error_that_names_the_source(plt):
    frame = result().frame.drop(columns="attention")
    with pytest.raises(ValueError, match="Got one without attention instead; compute it with"):
        ImportanceDisplay(frame).plot()
    assert plt.get_fignums() == []
