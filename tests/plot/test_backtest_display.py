"""BacktestDisplay: the figure shows the predictions of a backtest."""

import numpy as np
import pandas as pd
import pytest
from sklearn.utils import Bunch

from sk_tsattn import BacktestDisplay

N = 48
INDICES = {
    "dates": pd.date_range("2024-02-27", periods=N, freq="h", name="hour"),
    "zone": pd.date_range("2024-02-27", periods=N, freq="h", tz="Europe/Berlin"),
    "periods": pd.period_range("2020-01", periods=N, freq="M", name="month"),
    "time deltas": pd.timedelta_range("0s", periods=N, freq="9s"),
    "numbers": pd.RangeIndex(100, 100 + N),
    "text": pd.Index([f"row {i:02}" for i in range(N)]),
}
HOLE = INDICES["dates"][17]


def backtest_result(index=INDICES["dates"], n_folds=4, horizons=(1, 2), series=None):
    """Return predictions that are wrong by the number of the horizon and of the fold."""
    rows = pd.DataFrame({"y_true": 50 + 5 * np.sin(np.arange(len(index)) / 5)}, index=index)
    rows["fold"] = np.arange(len(index)) * n_folds // len(index)
    parts = [
        rows.assign(horizon=[h] * len(rows), y_pred=rows["y_true"] + i)
        for i, h in enumerate(horizons, 1)
    ]
    frame = pd.concat(parts).sort_index(kind="stable")
    frame["y_pred"] += frame["fold"]
    if series is not None:
        frame = pd.concat(
            {name: frame.assign(y_true=frame["y_true"] + i) for i, name in enumerate(series)}
        )
    return Bunch(predictions=frame[["fold", "horizon", "y_true", "y_pred"]])


@pytest.mark.parametrize("horizon", [None, 1, 2])
def test_forecasts_and_truth_are_those_of_the_horizon(horizon):
    result = backtest_result()
    ax = BacktestDisplay.from_backtest(result, horizon=horizon).axes_["forecast"]
    truth, *folds = ax.lines
    expected = result.predictions.query("horizon == @horizon" if horizon else "horizon == 1")
    np.testing.assert_array_equal(truth.get_ydata(), expected["y_true"])
    assert len(folds) == 4
    drawn = np.concatenate([line.get_ydata() for line in folds])
    np.testing.assert_array_equal(drawn, expected["y_pred"])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["truth", "forecast"]


def test_a_horizon_of_one_of_several_outputs_is_a_pair():
    result = backtest_result(horizons=[(1, "load"), (1, "wind")])
    display = BacktestDisplay.from_backtest(result, horizon=(1, "wind"))
    rows = result.predictions
    expected = rows[[horizon == (1, "wind") for horizon in rows["horizon"]]]
    forecast = np.concatenate([line.get_ydata() for line in display.axes_["forecast"].lines[1:]])
    np.testing.assert_array_equal(forecast, expected["y_pred"])


def test_the_range_of_the_quantiles_is_drawn_fold_by_fold(assert_legible):
    result = backtest_result()
    for quantile in (0.9, 0.5, 0.1):
        result.predictions[quantile] = result.predictions["y_pred"] + quantile - 0.5
    display = BacktestDisplay.from_backtest(result)
    ax = display.axes_["forecast"]
    assert len(ax.collections) == 4
    rows = result.predictions.query("horizon == 1")
    for band, (_, fold) in zip(ax.collections, rows.groupby("fold"), strict=True):
        _, y = band.get_paths()[0].vertices.T
        assert y.min() == fold[0.1].min()
        assert y.max() == fold[0.9].max()
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["truth", "quantiles 0.1 to 0.9", "forecast"]
    assert_legible(display.figure_)


@pytest.mark.parametrize("name", INDICES)
def test_folds_are_shaded_from_their_first_row_to_the_next_ones(name, assert_legible):
    display = BacktestDisplay.from_backtest(backtest_result(INDICES[name]))
    ax = display.axes_["forecast"]
    truth, *folds = ax.lines
    assert (np.diff(truth.get_xdata()) > 0).all()
    starts = [line.get_xdata()[0] for line in folds]
    spans = [patch.get_extents().transformed(ax.transData.inverted()) for patch in ax.patches]
    np.testing.assert_allclose([span.x0 for span in spans], starts)
    np.testing.assert_allclose([span.x1 for span in spans], [*starts[1:], truth.get_xdata()[-1]])
    assert [text.get_text() for text in ax.texts] == [f"fold {i}" for i in range(4)]
    assert_legible(display.figure_)


@pytest.mark.parametrize("n_folds", [1, 12, 48])
@pytest.mark.parametrize("width", [5, 12])
def test_names_of_folds_do_not_overlap(plt, n_folds, width, assert_legible):
    figure, ax = plt.subplots(figsize=(width, 4), layout="constrained")
    display = BacktestDisplay.from_backtest(backtest_result(n_folds=n_folds), ax=ax)
    assert display.ax_ is ax
    assert_legible(figure)
    boxes = [text.get_window_extent() for text in display.axes_["forecast"].texts]
    boxes.append(ax.title.get_window_extent())
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])
    assert plt.get_fignums() == [figure.number]


def test_one_series_of_several_is_drawn_and_named():
    result = backtest_result(series=["Elbe", "Rhine"])
    for series, shown in ((None, "Elbe"), ("Rhine", "Rhine")):
        display = BacktestDisplay.from_backtest(result, series=series)
        expected = result.predictions.loc[shown].query("horizon == 1")["y_true"]
        np.testing.assert_array_equal(display.axes_["forecast"].lines[0].get_ydata(), expected)
        assert f"series {shown}" in display.ax_.get_title()


def test_errors_by_horizon_are_those_of_the_folds_and_their_mean(assert_legible):
    display = BacktestDisplay.from_backtest(backtest_result(), kind="error")
    points, mean = display.axes_["error"].lines
    found = sorted(zip(points.get_xdata(), points.get_ydata(), strict=True))
    np.testing.assert_allclose(found, [(h, 1 + h + fold) for h in (0, 1) for fold in range(4)])
    np.testing.assert_allclose(mean.get_ydata(), [2.5, 3.5])
    ticks = display.axes_["error"].get_xticklabels()
    assert [tick.get_text() for tick in ticks] == ["1", "2"]
    assert_legible(display.figure_)


@pytest.mark.parametrize("chosen", [{"horizon": 2}, {"horizon": 2, "series": "b"}])
def test_the_error_of_one_horizon_is_by_fold(chosen):
    result = backtest_result(series=["a", "b"] if "series" in chosen else None)
    display = BacktestDisplay.from_backtest(result, kind="error", **chosen)
    points, mean = display.axes_["error"].lines
    np.testing.assert_allclose(points.get_xdata(), range(4))
    np.testing.assert_allclose(points.get_ydata(), np.arange(4) + 2 - (len(chosen) == 2))
    np.testing.assert_allclose(mean.get_ydata(), 3.5 - (len(chosen) == 2))


def test_many_horizons_are_legible(assert_legible):
    result = backtest_result(horizons=[f"in {h} hours" for h in range(1, 25)])
    for kind in ("forecast", "error"):
        assert_legible(BacktestDisplay.from_backtest(result, kind=kind).figure_)


def classes_result(with_probabilities=True):
    """Return predictions of three classes of which every fourth row is wrong."""
    names = np.array(["down", "even", "up"])
    codes = np.arange(N) // 8 % 3
    wrong = np.arange(N) % 4 == 0
    columns = {
        "fold": np.arange(N) // 12,
        "horizon": 1,
        "y_true": pd.Categorical(names[codes], categories=names),
        "y_pred": pd.Categorical(names[(codes + wrong) % 3], categories=names),
    }
    if with_probabilities:
        columns |= {name: np.linspace(i / 3, 0.3, N) for i, name in enumerate(names)}
    return Bunch(predictions=pd.DataFrame(columns, index=INDICES["dates"]))


@pytest.mark.parametrize("with_probabilities", [False, True])
def test_true_and_predicted_classes_are_drawn_at_their_names(with_probabilities, assert_legible):
    result = classes_result(with_probabilities)
    display = BacktestDisplay.from_backtest(result)
    ax = display.axes_["forecast"]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["down", "even", "up"]
    truth, *folds = ax.lines
    np.testing.assert_array_equal(truth.get_ydata(), result.predictions["y_true"].cat.codes)
    drawn = np.concatenate([line.get_ydata() for line in folds])
    np.testing.assert_array_equal(drawn, result.predictions["y_pred"].cat.codes)
    assert not ax.collections  # probabilities are no quantiles
    assert "error rate 0.25 over all rows" in display.ax_.get_title()
    assert_legible(display.figure_)


def test_the_probability_of_a_class_is_drawn_beside_its_truth(assert_legible):
    result = classes_result()
    result.predictions.loc[HOLE, "y_true"] = np.nan
    display = BacktestDisplay.from_backtest(result, label="even")
    ax = display.axes_["forecast"]
    truth, *folds = ax.lines
    expected = (result.predictions["y_true"] == "even").astype(float)
    expected[HOLE] = np.nan
    np.testing.assert_array_equal(truth.get_ydata(), expected)
    drawn = np.concatenate([line.get_ydata() for line in folds])
    np.testing.assert_array_equal(drawn, result.predictions["even"])
    assert ax.get_ylabel() == "probability of even"
    assert_legible(display.figure_)


def test_the_error_of_classes_is_their_error_rate():
    display = BacktestDisplay.from_backtest(classes_result(), kind="error")
    panel = display.axes_["error"]
    np.testing.assert_allclose(panel.lines[0].get_ydata(), 0.25)
    assert panel.get_ylabel() == "error rate"


@pytest.mark.parametrize(
    ("result", "arguments", "message"),
    [
        (classes_result(), {"label": "left"}, "down, even, up, with .* Got 'left' and"),
        (classes_result(), {"label": "up", "kind": "error"}, "Got 'up' and kind='error'"),
        (classes_result(False), {"label": "up"}, "predicted, none, .*method='predict_proba'"),
        (backtest_result(), {"label": 1}, "predicted, none, .* Got 1 and"),
    ],
)
def test_a_probability_that_was_not_predicted_is_an_error(plt, result, arguments, message):
    with pytest.raises(ValueError, match=message):
        BacktestDisplay.from_backtest(result, **arguments)
    assert plt.get_fignums() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "truth"}, "kind must be 'forecast' or 'error'. Got 'truth'"),
        ({"horizon": 3}, "horizon must be one of those predicted, 1, 2. Got 3"),
        ({"series": "Oder"}, "series must be one of those predicted, none. Got 'Oder'"),
        ({"result": Bunch()}, r"Got one without fold, horizon, y_true, y_pred"),
        ({"result": Bunch(predictions=pd.DataFrame({"fold": [0]}))}, "without horizon"),
    ],
)
def test_what_cannot_be_drawn_is_an_error_without_a_figure(plt, arguments, message):
    with pytest.raises(ValueError, match=message):
        BacktestDisplay.from_backtest(**({"result": backtest_result()} | arguments))
    assert plt.get_fignums() == []
