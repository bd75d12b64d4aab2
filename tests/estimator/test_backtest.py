"""backtest: predictions of rows from the rows before them."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import GridSearchCV, KFold, TimeSeriesSplit
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_tsattn import AttentionLSTMRegressor, backtest, make_rows, make_windows
from sk_tsattn.exceptions import HistoryWarning

N, LOOKBACK = 60, 4
HOURS = pd.date_range("2024-03-01", periods=N, freq="h", name="hour")


class LastRows(RegressorMixin, BaseEstimator):
    """Predict the sum of the newest ``lookback`` rows of a series: fewer if fewer are known."""

    def __init__(self, lookback=LOOKBACK, context="auto"):
        self.lookback = lookback
        self.context = context

    def fit(self, X, y, groups=None):
        self.n_fitted_ = len(X)
        return self

    def predict(self, X, groups=None):
        if groups is None and isinstance(X.index, pd.MultiIndex):
            groups = X.index.get_level_values(0)
        groups = np.zeros(len(X)) if groups is None else groups
        sums = pd.DataFrame(np.asarray(X)).sum(axis=1)
        rolling = sums.groupby(np.asarray(groups)).rolling(self.lookback, min_periods=1).sum()
        if len(X) >= self.lookback:
            warnings.warn("short windows", HistoryWarning, stacklevel=2)
        return rolling.droplevel(0).sort_index().to_numpy()


def lstm(**params):
    params = {"lookback": LOOKBACK, "max_epochs": 2, "batch_size": 16, "random_state": 0} | params
    return AttentionLSTMRegressor(attention_mode=None, hidden_size=4, **params)


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.normal(size=(N, 2)), index=HOURS, columns=["a", "b"])


@pytest.fixture
def target(frame):
    return (frame["a"] - frame["b"].shift(2, fill_value=0.0)).rename("next")


@pytest.fixture
def two_horizons(frame):
    return pd.DataFrame({"+1": frame["a"], "+2": frame["b"]})


@pytest.fixture
def panel():
    """Two series of which the second begins later and misses hours."""
    rng = np.random.default_rng(1)
    rows = {
        "south": pd.DataFrame(rng.normal(size=(N, 2)), index=HOURS),
        "north": pd.DataFrame(rng.normal(size=(N - 10, 2)), index=HOURS[10:]).drop(HOURS[[30, 41]]),
    }
    return pd.concat(rows, names=["place"]).set_axis(["a", "b"], axis=1)


ESTIMATORS = {
    "ridge": Ridge(),
    "lstm": lstm(),
    "pipeline": make_pipeline(StandardScaler(), lstm()),
    "target transformed": TransformedTargetRegressor(lstm(), transformer=StandardScaler()),
}


def by_hand(estimator, X, y, splitter, lookback=1):
    """Return the predictions of each test set from the rows before it, by an explicit loop."""
    found = []
    for train, test in splitter.split(X):
        model = estimator.fit(X.iloc[train], y.iloc[train])
        first = test[0] - lookback + 1
        found.append(model.predict(X.iloc[first : test[-1] + 1])[lookback - 1 :])
    return np.concatenate(found)


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("gap", [0, 2])
def test_predictions_equal_those_of_an_explicit_loop(frame, target, name, gap):
    splitter = TimeSeriesSplit(3, gap=gap)
    lookback = 1 if name == "ridge" else LOOKBACK
    result = backtest(ESTIMATORS[name], frame, target, cv=splitter)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HistoryWarning)
        expected = by_hand(ESTIMATORS[name], frame, target, splitter, lookback)
    predictions = result.predictions
    np.testing.assert_array_equal(predictions["y_pred"], expected)
    np.testing.assert_array_equal(predictions["y_true"], target[predictions.index])
    assert predictions.index.equals(HOURS[-45:])
    assert predictions["fold"].tolist() == [0] * 15 + [1] * 15 + [2] * 15


@pytest.mark.parametrize("name", ["ridge", "lstm"])
@pytest.mark.parametrize("refit", [1, 2, "never"])
def test_later_rows_do_not_change_a_prediction(frame, two_horizons, name, refit):
    cv = TimeSeriesSplit(3, gap=1)
    before = backtest(ESTIMATORS[name], frame, two_horizons, cv=cv, refit=refit).predictions
    for changed in (HOURS[30], HOURS[37], HOURS[-1]):
        X, y = frame.copy(), two_horizons.copy()
        X.loc[changed:] += 100.0
        y.loc[changed:] -= 100.0
        after = backtest(ESTIMATORS[name], X, y, cv=cv, refit=refit).predictions
        is_past = before.index < changed
        np.testing.assert_allclose(
            after["y_pred"][is_past], before["y_pred"][is_past], rtol=1e-12, atol=1e-12
        )
        assert (after["y_pred"][~is_past] != before["y_pred"][~is_past]).any()


@pytest.mark.parametrize("name", ["ridge", "lstm"])
def test_two_jobs_have_the_same_result_as_one(frame, two_horizons, name):
    results = [
        backtest(ESTIMATORS[name], frame, two_horizons, cv=TimeSeriesSplit(3, gap=1), n_jobs=n)
        for n in (1, 2)
    ]
    for key in ("predictions", "scores", "folds"):
        pd.testing.assert_frame_equal(results[0][key], results[1][key])


def test_frames_arrays_and_polars_have_the_same_predictions(frame, two_horizons):
    cv = TimeSeriesSplit(3, gap=1)
    expected = backtest(lstm(), frame, two_horizons, cv=cv).predictions
    polars = pl.from_pandas(frame.reset_index(drop=True))
    for X, y in (
        (frame.to_numpy(), two_horizons.to_numpy()),
        (frame.to_numpy().tolist(), two_horizons.to_numpy().tolist()),
        (polars, pl.from_pandas(two_horizons.reset_index(drop=True))),
    ):
        found = backtest(lstm(), X, y, cv=cv).predictions
        np.testing.assert_allclose(found["y_pred"], expected["y_pred"], rtol=1e-12)
        assert found.index.tolist() == np.arange(N - 45, N).repeat(2).tolist()
    assert found["horizon"].tolist() == ["+1", "+2"] * 45  # the columns of polars


def test_windows_are_predicted_as_they_are(frame, target):
    X, y, index = make_windows(frame, target, lookback=LOOKBACK)
    y = pd.Series(y, index=index)
    found = backtest(lstm(lookback=LOOKBACK - 1), X, y, cv=3).predictions
    expected = []
    for train, test in TimeSeriesSplit(3).split(X):
        expected.extend(lstm(lookback=LOOKBACK - 1).fit(X[train], y.iloc[train]).predict(X[test]))
    np.testing.assert_allclose(found["y_pred"], expected, rtol=1e-12)
    assert found.index.equals(index[-len(found) :])


def test_the_context_of_the_estimator_does_not_replace_the_true_rows(frame, target):
    cv = TimeSeriesSplit(3, gap=6)
    auto = backtest(lstm(), frame, target, cv=cv, refit=2).predictions
    tail = backtest(lstm(context="train_tail"), frame, target, cv=cv, refit=2).predictions
    np.testing.assert_allclose(tail["y_pred"], auto["y_pred"], rtol=1e-12)


def test_the_label_of_a_prediction_is_that_of_its_row_and_its_horizon_that_of_its_column(
    frame, two_horizons
):
    result = backtest(Ridge(), frame, two_horizons, cv=TimeSeriesSplit(2, gap=1))
    predictions = result.predictions
    assert predictions.index.name == "hour"
    assert predictions.index.is_monotonic_increasing
    assert list(predictions.columns) == ["fold", "horizon", "y_true", "y_pred"]
    for label, row in predictions.iterrows():
        assert row["y_true"] == two_horizons.loc[label, row["horizon"]]
    numbered = backtest(Ridge(), frame, two_horizons.to_numpy(), cv=TimeSeriesSplit(2, gap=1))
    assert numbered.predictions["horizon"].tolist() == [1, 2] * 40


def test_scores_are_those_of_the_predictions_of_the_fold_and_horizon(frame, two_horizons):
    scoring = {"r2": "r2", "rmse": "neg_root_mean_squared_error"}
    result = backtest(Ridge(), frame, two_horizons, cv=TimeSeriesSplit(2, gap=1), scoring=scoring)
    assert list(result.scores.columns) == ["r2", "rmse"]
    for (fold, horizon), part in result.predictions.groupby(["fold", "horizon"]):
        error = root_mean_squared_error(part["y_true"], part["y_pred"])
        assert result.scores.loc[(fold, horizon), "rmse"] == pytest.approx(-error)
    assert len(result.scores) == 4


@pytest.mark.parametrize(
    ("scoring", "names"),
    [
        (None, ["neg_root_mean_squared_error", "neg_mean_absolute_error"]),
        ("r2", ["r2"]),
        (("r2", "neg_max_error"), ["r2", "neg_max_error"]),
        (lambda model, X, y: float(np.abs(model.predict(X) - y).max()), ["score"]),
    ],
)
def test_scoring_is_that_of_cross_validate(frame, target, scoring, names):
    scores = backtest(Ridge(), frame, target, cv=2, scoring=scoring).scores
    assert list(scores.columns) == names
    assert scores.index.tolist() == [(0, 1), (1, 1)]


@pytest.mark.parametrize(
    ("refit", "fits"), [(1, [0, 1, 2, 3, 4]), (2, [0, 0, 2, 2, 4]), ("never", [0] * 5)]
)
def test_refit_every_few_folds_uses_the_true_history(frame, target, refit, fits):
    result = backtest(LastRows(), frame, target, refit=refit, return_estimator=True)
    assert [model.n_fitted_ for model in result.estimators] == [10 * (1 + fold) for fold in fits]
    assert result.folds["n_train"].tolist() == [10 * (1 + fold) for fold in fits]
    assert len({id(model) for model in result.estimators}) == len(set(fits))
    expected = frame.sum(axis=1).rolling(LOOKBACK).sum()[result.predictions.index]
    np.testing.assert_allclose(result.predictions["y_pred"], expected)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda model: model,
        lambda model: make_pipeline("passthrough", model),
        lambda model: TransformedTargetRegressor(model, check_inverse=False),
        lambda model: GridSearchCV(model, {"lookback": [LOOKBACK]}, cv=2),
        lambda model: make_pipeline(GridSearchCV(model, {"lookback": [LOOKBACK]}, cv=2)),
        lambda model: MultiOutputRegressor(model),
    ],
    ids=["plain", "pipeline", "target", "search", "search in pipeline", "multi-output"],
)
@pytest.mark.filterwarnings("ignore:short windows")  # of the searches' own predictions
def test_the_lookback_is_found_within_wrappers(frame, two_horizons, wrap):
    y = two_horizons[["+1"]]
    result = backtest(wrap(LastRows(lookback=LOOKBACK)), frame, y, cv=3)
    expected = frame.sum(axis=1).rolling(LOOKBACK).sum()[result.predictions.index]
    np.testing.assert_allclose(result.predictions["y_pred"], expected)


def test_rows_between_test_rows_are_history_and_are_not_predicted(frame, target):
    folds = [(np.arange(20), [25, 27, 30]), (np.arange(30), np.arange(N) >= 50)]
    result = backtest(LastRows(), frame, target, cv=folds)
    rows = [25, 27, 30, *range(50, 60)]
    assert result.predictions.index.equals(HOURS[rows])
    expected = frame.sum(axis=1).rolling(LOOKBACK).sum().iloc[rows]
    np.testing.assert_allclose(result.predictions["y_pred"], expected)


# Several series.


def test_all_series_are_cut_at_the_same_time(panel):
    result = backtest(Ridge(), panel, panel["a"], cv=TimeSeriesSplit(3))
    times = result.predictions.index.get_level_values("hour")
    for fold, part in result.predictions.groupby("fold"):
        cut = result.folds.loc[fold]
        labels = part.index.get_level_values("hour")
        assert cut["train_end"] < cut["test_start"] == labels.min() <= cut["test_end"]
        assert set(part.index.get_level_values("place")) == {"north", "south"}
        known = panel.index.get_level_values("hour") <= cut["train_end"]
        assert cut["n_train"] == known.sum()
        assert cut["n_test"] == len(part)
    assert times.nunique() == 45
    assert result.predictions.index.is_monotonic_increasing


def test_a_panel_is_predicted_as_each_series_alone(panel):
    # Columns of its own for each series: a joint least-squares fit consists of separate ones.
    places = panel.index.get_level_values("place").to_numpy()
    blocks = {p: panel.mul(places == p, axis=0).add_prefix(p) for p in ("north", "south")}
    X, y = pd.concat(blocks.values(), axis=1), panel["a"] ** 2
    model = LinearRegression(fit_intercept=False)
    folds = [(np.arange(n), np.arange(n, n + 15)) for n in (20, 35)]
    together = backtest(model, X, y, cv=folds).predictions
    for place, block in blocks.items():
        alone, hours = block.xs(place), y.xs(place)
        labels = alone.index
        own = [tuple(np.flatnonzero(labels.isin(HOURS[rows])) for rows in fold) for fold in folds]
        found = backtest(model, alone, hours, cv=own).predictions
        pd.testing.assert_frame_equal(found, together.xs(place))


@pytest.mark.filterwarnings("ignore::sk_tsattn.exceptions.HistoryWarning")
@pytest.mark.parametrize("how", ["index", "groups", "interleaved", "arrays"])
def test_history_stays_within_its_series(panel, how):
    X, groups = panel, None
    if how == "interleaved":
        X = panel.sort_index(level="hour", kind="stable")
    elif how != "index":
        X = panel if how == "groups" else panel.loc[panel.index.isin(HOURS[12:30], level="hour")]
        groups = X.index.get_level_values("place")
        X = X.droplevel("place")
    y = X["a"].to_numpy()
    if how == "arrays":
        X = X.to_numpy()
    found = backtest(LastRows(), X, y, groups=groups, cv=TimeSeriesSplit(3)).predictions
    for place, part in found.groupby(level=0):
        own = panel.xs(place).sum(axis=1)
        if how == "arrays":
            own = own[HOURS[12:30]].reset_index(drop=True)
        expected = own.rolling(LOOKBACK).sum()
        labels = part.index.get_level_values(1)
        np.testing.assert_allclose(part["y_pred"], expected[labels])


@pytest.mark.filterwarnings("ignore::sk_tsattn.exceptions.HistoryWarning")  # of missing hours
def test_the_attention_lstm_predicts_panels_with_an_index_or_with_groups(panel):
    y = panel["a"].to_numpy()
    indexed = backtest(lstm(), panel, y, cv=2).predictions
    groups = panel.index.get_level_values("place")
    grouped = backtest(lstm(), panel.droplevel("place"), y, groups=groups, cv=2).predictions
    np.testing.assert_allclose(grouped["y_pred"], indexed["y_pred"], rtol=1e-12)


@pytest.mark.filterwarnings("ignore::sk_tsattn.exceptions.HistoryWarning")
def test_a_pipeline_that_drops_the_series_is_an_error_and_one_that_keeps_them_is_not(panel):
    pipeline = make_pipeline(StandardScaler(), lstm())
    with pytest.raises(ValueError, match=r"set_output\(transform=.pandas.\)"):
        backtest(pipeline, panel, panel["a"], cv=2)
    found = backtest(pipeline.set_output(transform="pandas"), panel, panel["a"], cv=2)
    assert np.isfinite(found.predictions["y_pred"]).all()


# Warnings.


def test_rows_whose_predictions_are_discarded_do_not_warn(frame, target, recwarn):
    backtest(LastRows(), frame, target, cv=3)
    backtest(lstm(), frame, target, cv=TimeSeriesSplit(3, gap=5))
    assert not recwarn.list


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("estimator", [LastRows(), lstm()], ids=["last rows", "lstm"])
def test_a_warning_counts_the_test_rows_without_history(panel, estimator, n_jobs):
    late = panel.loc[["north"]].iloc[35:]
    X = pd.concat([panel.loc[["south"]], late])
    folds = [(np.arange(20), np.arange(20, 60))]
    with pytest.warns(HistoryWarning, match=r"^3 test rows .* lookback=4 rows \(first") as caught:
        backtest(estimator, X, X["a"], cv=folds, n_jobs=n_jobs)
    assert len(caught) == 1
    assert str(X.loc["north"].index[0]) in str(caught[0].message)


def test_a_warning_counts_the_windows_across_missing_labels_once_for_all_folds(frame, target):
    kept = np.delete(np.arange(N), [20, 50])  # the second lies in the last test set
    with pytest.warns(HistoryWarning, match="^6 of 58 windows of X reach across missing") as caught:
        backtest(lstm(), frame.iloc[kept], target.iloc[kept], cv=3)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        backtest(Ridge(), frame.iloc[kept], target.iloc[kept], cv=3)


def test_an_estimator_that_was_fitted_on_short_windows_does_not_warn(panel, recwarn):
    X = pd.concat([panel.loc[["south"]], panel.loc[["north"]].iloc[30:]])
    folds = [(np.arange(20), np.arange(20, 60))]
    backtest(LastRows(context="mask"), X, X["a"], cv=folds)
    assert not recwarn.list


@pytest.mark.parametrize("gap", [0, 1])
def test_too_small_a_gap_for_the_horizons_is_a_warning_with_the_right_one(frame, gap):
    y = np.column_stack([frame["a"]] * 3)
    with pytest.warns(UserWarning, match=rf"gap of {gap} rows.*TimeSeriesSplit\(gap=2\)"):
        backtest(Ridge(), frame, y, cv=TimeSeriesSplit(3, gap=gap))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        backtest(Ridge(), frame, y, cv=TimeSeriesSplit(3, gap=2))


@pytest.mark.parametrize("cv", [None, 4])
def test_the_gap_of_a_number_of_splits_is_that_of_the_horizons_of_make_rows(frame, cv):
    X, y = make_rows(frame, "a", horizon=[1, 6])
    result = backtest(Ridge(), X, y, cv=cv)
    assert len(result.folds) == (cv or 5)
    for fold in result.folds.itertuples():  # the training targets are known at the first test row
        assert fold.test_start - fold.train_end == pd.Timedelta(hours=6)
    predictions = result.predictions
    later = predictions.index + pd.to_timedelta(predictions["horizon"], unit="h")
    np.testing.assert_array_equal(predictions["y_true"], frame["a"][later])
    assert result.scores.index.get_level_values("horizon").unique().tolist() == [1, 6]


def test_too_small_a_gap_for_the_horizons_of_make_rows_is_a_warning(frame):
    X, y = make_rows(frame, "a", horizon=[6])
    with pytest.warns(UserWarning, match=r"up to 6 rows ahead.*\. The last.*gap=5\)"):
        backtest(Ridge(), X, y, cv=TimeSeriesSplit(3, gap=4))


def test_horizons_of_several_outputs_are_labelled_by_both(frame):
    X, y = make_rows(frame, ["a", "b"], horizon=[1, 3])
    predictions = backtest(Ridge(), X, y, cv=2).predictions
    assert predictions["horizon"].tolist()[:4] == [(1, "a"), (1, "b"), (3, "a"), (3, "b")]


def test_each_horizon_has_an_attention_of_its_own_with_a_model_for_each(frame):
    X, y = make_rows(frame, "a", horizon=[1, 3])
    one_each = MultiOutputRegressor(AttentionLSTMRegressor(lookback=LOOKBACK, max_epochs=2))
    result = backtest(one_each, X, y, cv=2, return_estimator=True)
    models = result.estimators[0].estimators_
    assert len(models) == 2
    for model in models:
        assert model.attention_.shape == (LOOKBACK, X.shape[1])
        assert model.feature_names_in_.tolist() == X.columns.tolist()


# Quantiles.


@pytest.mark.parametrize("wrap", [lambda model: model, make_pipeline], ids=["plain", "pipeline"])
def test_quantiles_are_columns_beside_the_prediction(frame, wrap):
    X, y = make_rows(frame, "a", horizon=[1, 3])
    model = wrap(lstm(loss="quantile", quantiles=[0.1, 0.5, 0.9]))
    result = backtest(model, X, y, cv=2, quantiles=(0.1, 0.9), return_estimator=True)
    predictions = result.predictions
    assert list(predictions.columns) == ["fold", "horizon", "y_true", "y_pred", 0.1, 0.9]
    assert (predictions[0.1] <= predictions["y_pred"]).all()
    assert (predictions["y_pred"] <= predictions[0.9]).all()
    last = predictions[predictions["fold"] == 1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HistoryWarning)
        expected = result.estimators[1].predict(X, quantiles=[0.1, 0.9])  # (rows, horizons, 2)
    expected = expected[X.index.isin(last.index)]
    np.testing.assert_allclose(last[[0.1, 0.9]], expected.reshape(-1, 2), rtol=1e-9)


# Errors: all of them before the first fit.


class NeverFitted(RegressorMixin, BaseEstimator):
    def __init__(self, lookback=LOOKBACK):
        self.lookback = lookback

    def fit(self, X, y):
        raise AssertionError("it was fitted")

    def predict(self, X):
        raise AssertionError("it predicts")


def shuffled(frame):
    return frame.sample(frac=1, random_state=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"estimator": 3}, "must be a regressor or a classifier with fit and predict. Got 3"),
        ({"method": "transform"}, r"method must be one of \('predict', .*Got 'transform'"),
        ({"method": "predict_proba"}, "needs a classifier with predict_proba. Got NeverFitted"),
        ({"refit": 0}, "refit must be an int >= 1 or 'never'. Got 0"),
        ({"refit": "always"}, "Got 'always'"),
        ({"quantiles": 0.5}, r"a list of numbers between 0 and 1\. Got 0\.5"),
        ({"quantiles": [5, 95]}, r"between 0 and 1\. Got \[5, 95\]"),
        ({"quantiles": [0.5]}, r"whose predict has this parameter\. Got NeverFitted"),
        ({"scoring": "no such metric"}, "no such metric"),
        ({"cv": 1}, "cv must be a splitter, an int >= 2"),
        ({"cv": "5"}, "Got '5' instead"),
        ({"cv": []}, "at least one fold"),
        ({"cv": KFold(3)}, "In fold 0 the training set ends at 2024-03-03 11:00:00"),
        ({"cv": KFold(3, shuffle=True, random_state=0)}, "In fold 0"),
        ({"cv": [(range(9), range(9, 12)), (range(20), range(15, 30))]}, "In fold 1 the training"),
        (
            {"cv": [(range(20), range(20, 30)), (range(9), range(9, 12))], "refit": 2},
            r"In fold 1 \(which is predicted by the fit of fold 0\)",
        ),
        ({"cv": [(range(9), [])]}, "Fold 0 must have test rows"),
        ({"cv": [(range(9), [60])]}, "test rows of fold 0 must be from 0 to 59. Got 60 to 60"),
        ({"cv": 70}, "(?i)number of folds"),
        ({"y": np.zeros(9)}, r"y must have shape \(60,\)"),
        ({"y": np.full(N, "a")}, "y must hold numbers"),
        (
            {"y": pd.Series(1.0, HOURS).shift(-2)},
            "2 rows instead, the first labelled 2024-03-03 10",
        ),
        ({"y": pd.Series(1.0, HOURS[::-1])}, "(?s)labels of X, row by row.*row 0"),
        ({"y": pd.DataFrame(np.zeros((N, 2)), HOURS, ["a", "a"])}, "distinct names"),
        ({"X": shuffled}, "must be in time order"),
        ({"X": lambda frame: frame[::-1]}, "oldest first"),
        ({"X": lambda frame: frame.set_index(HOURS.repeat(2)[:N])}, "MultiIndex"),
        ({"groups": np.zeros(7)}, r"groups must have shape \(60,\)"),
        ({"groups": np.where(np.arange(N) < 9, None, "a")}, "whose series is missing"),
        ({"groups": np.arange(N) < 30}, "NeverFitted, whose predict has no parameter groups"),
        (
            {"X": lambda frame: frame.to_numpy(), "groups": np.arange(N) < 20},
            "row numbers and series of 20 to 40 rows",
        ),
        (
            {"X": lambda frame: frame.set_axis(list("abc") * 20), "groups": np.arange(N) // 3},
            "must be dates, periods or numbers. Got 'a'",
        ),
        (
            {"X": lambda f: f.set_axis(pd.MultiIndex.from_product([HOURS[:30], list("ab")]))},
            "swaplevel",
        ),
    ],
)
def test_a_wrong_argument_is_an_error_before_the_first_fit(frame, target, change, message):
    X = change.get("X", lambda frame: frame)(frame)
    y = change.get("y", target.to_numpy())
    arguments = {"estimator": NeverFitted(), "cv": 3} | change | {"X": X, "y": y}
    with pytest.raises(ValueError, match=message):
        backtest(**arguments)


def test_predictions_of_another_shape_are_an_error(frame, two_horizons):
    with pytest.raises(ValueError, match=r"must return 2 finite columns\. Got 1 columns"):
        backtest(LastRows(), frame, two_horizons, cv=TimeSeriesSplit(3, gap=1))


def test_parameters_of_fit_are_cut_to_the_training_rows(frame, target):
    weight = np.where(np.arange(N) % 2, 1.0, 0.0)
    weighted = backtest(Ridge(), frame, target, cv=3, params={"sample_weight": weight})
    folds = [(train[train % 2 == 1], test) for train, test in TimeSeriesSplit(3).split(frame)]
    odd = backtest(Ridge(), frame, target, cv=folds)
    np.testing.assert_allclose(weighted.predictions["y_pred"], odd.predictions["y_pred"])


def test_unknown_targets_of_weight_0_are_left_out_of_fits_and_scores(frame):
    X, y = make_rows(frame, "a", horizon=[1, 3])
    y.iloc[[5, 40], 0] = np.nan
    y.iloc[[8, 50], 1] = np.nan
    weight = {"sample_weight": y.notna()}
    result = backtest(lstm(), X, y, cv=3, params=weight)
    changed = backtest(lstm(), X, y.fillna(1e3), cv=3, params=weight)
    predictions = result.predictions
    np.testing.assert_allclose(predictions["y_pred"], changed.predictions["y_pred"], rtol=1e-9)
    assert predictions["y_true"].isna().sum() == 2
    for (fold, horizon), part in predictions.dropna().groupby(["fold", "horizon"]):
        error = root_mean_squared_error(part["y_true"], part["y_pred"])
        assert result.scores.loc[(fold, horizon)].iloc[0] == pytest.approx(-error)
    y.iloc[10:, 1] = np.nan
    with pytest.raises(ValueError, match="Got none of horizon 3 in fold 0"):
        backtest(NeverFitted(), X, y, cv=3, params={"sample_weight": y.notna()})


def test_the_estimator_is_not_fitted_itself(frame, target):
    model = Ridge()
    result = backtest(model, frame, target, cv=2)
    assert not hasattr(model, "coef_")
    assert "estimators" not in result
