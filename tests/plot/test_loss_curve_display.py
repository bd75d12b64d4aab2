"""LossCurveDisplay: the figure shows the history of the estimator."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_tsattn import AttentionLSTMRegressor, LossCurveDisplay


@pytest.fixture(scope="module")
def trained():
    X = np.random.default_rng(0).normal(size=(60, 6, 4))
    model = AttentionLSTMRegressor(
        attention="dense", max_epochs=6, early_stopping=True, random_state=0
    )
    return model.fit(X, X[:, 5, 3])


def history(n_epochs=30, **columns):
    epoch = np.arange(1, n_epochs + 1)
    table = {"epoch": epoch, "train_loss": 1 / epoch, "valid_loss": 1.2 / np.sqrt(epoch)}
    return pd.DataFrame(table | {name: list(values) for name, values in columns.items()})


def test_the_curves_are_the_history_and_the_kept_epoch_is_marked(trained):
    display = LossCurveDisplay.from_estimator(trained)
    assert list(display.axes_) == ["loss"]
    train, valid, kept = display.axes_["loss"].lines
    for line, column in ((train, "train_loss"), (valid, "valid_loss")):
        np.testing.assert_array_equal(line.get_xdata(), trained.history_["epoch"])
        np.testing.assert_array_equal(line.get_ydata(), trained.history_[column])
    np.testing.assert_array_equal(kept.get_xdata(), trained.n_iter_)
    assert f"epoch {trained.n_iter_}" in display.ax_.get_title()


def test_without_a_validation_set_there_is_one_curve(assert_legible):
    display = LossCurveDisplay(history().drop(columns="valid_loss")).plot()
    (line,) = display.axes_["loss"].lines
    assert line.get_label() == "training"
    assert_legible(display.figure_)


@pytest.mark.parametrize(("factor", "scale"), [(5, "linear"), (20, "log")])
def test_the_scale_is_logarithmic_if_losses_decrease_by_a_large_factor(factor, scale):
    frame = pd.DataFrame({"epoch": [1, 2], "train_loss": [1.0, 1.0 / factor]})
    assert LossCurveDisplay(frame).plot().axes_["loss"].get_yscale() == scale


def test_a_loss_of_zero_or_none_keeps_the_scale_linear():
    frame = pd.DataFrame({"epoch": [1, 2, 3], "train_loss": [1.0, 0.0, np.nan]})
    assert LossCurveDisplay(frame).plot().axes_["loss"].get_yscale() == "linear"


def test_phases_are_shaded_from_their_first_epoch_to_their_last():
    display = LossCurveDisplay(
        history(phase=["warm-up"] * 10 + ["path"] * 15 + ["warm-up"] * 5)
    ).plot()
    ax = display.axes_["loss"]
    spans = [patch.get_extents().transformed(ax.transData.inverted()) for patch in ax.patches]
    np.testing.assert_allclose([span.x0 for span in spans], [0.5, 10.5, 25.5])
    np.testing.assert_allclose([span.x1 for span in spans], [10.5, 25.5, 30.5])
    assert [text.get_text() for text in ax.texts] == ["warm-up", "path", "warm-up"]


@pytest.mark.parametrize("n_epochs", [6, 30, 300])
def test_short_phases_have_labels_that_do_not_overlap(n_epochs, assert_legible):
    third = n_epochs // 3
    phases = ["warm-up"] * (n_epochs - third - 2) + ["path", "refit"]
    phases += ["group expansion"] * third
    frame = history(n_epochs, phase=phases)
    display = LossCurveDisplay(frame, n_iter=n_epochs).plot()
    assert_legible(display.figure_)
    labels = [text.get_window_extent() for text in display.axes_["loss"].texts]
    labels.append(display.ax_.title.get_window_extent())
    for i, one in enumerate(labels):
        assert not any(one.padded(-1).overlaps(other) for other in labels[i + 1 :])


@pytest.mark.parametrize("size", [(6.4, 3.6, 10), (12, 6.75, 16)], ids=["readme", "talk"])
def test_the_display_is_drawn_on_given_axes(trained, plt, size, assert_legible):
    width, height, font = size
    with plt.rc_context({"font.size": font}):
        figure, (left, right) = plt.subplots(1, 2, figsize=(width, height), layout="constrained")
        display = LossCurveDisplay.from_estimator(trained, ax=right)
        left.set_axis_off()
        assert display.ax_ is right
        assert display.figure_ is figure
        assert not left.child_axes
        assert_legible(figure)
    assert plt.get_fignums() == [figure.number]


@pytest.mark.parametrize("n_epochs", [1, 2, 1000])
def test_any_number_of_epochs_is_legible(n_epochs, assert_legible):
    assert_legible(LossCurveDisplay(history(n_epochs), n_iter=1).plot().figure_)


def test_a_history_without_losses_is_an_error_with_advice(plt):
    with pytest.raises(ValueError, match=r"'epoch' and 'train_loss'. Got \['epoch'\] instead"):
        LossCurveDisplay(history()[["epoch"]]).plot()
    assert plt.get_fignums() == []


def test_a_pipeline_is_an_error_that_names_its_last_step(trained):
    with pytest.raises(ValueError, match=r"Got Pipeline instead; .* pipeline\[-1\]"):
        LossCurveDisplay.from_estimator(make_pipeline(StandardScaler(), trained))


def test_an_unfitted_estimator_is_an_error():
    with pytest.raises(NotFittedError, match="fit"):
        LossCurveDisplay.from_estimator(AttentionLSTMRegressor())
