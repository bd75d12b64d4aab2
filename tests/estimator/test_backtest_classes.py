"""backtest of classifiers: classes, probabilities and their scores."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV, TimeSeriesSplit
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from sk_tsattn import AttentionLSTMClassifier, AttentionLSTMRegressor, backtest, make_rows
from sk_tsattn.exceptions import HistoryWarning

N, LOOKBACK = 60, 4
HOURS = pd.date_range("2024-03-01", periods=N, freq="h", name="hour")
COLUMNS = ["fold", "horizon", "y_true", "y_pred"]


def lstm(**params):
    params = {"lookback": LOOKBACK, "max_epochs": 2, "batch_size": 16, "random_state": 0} | params
    return AttentionLSTMClassifier(attention_mode=None, hidden_size=4, **params)


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.normal(size=(N, 2)), index=HOURS, columns=["a", "b"])


@pytest.fixture
def target(frame):
    labels = np.where(frame["a"] > 0.4, "up", np.where(frame["a"] < -0.4, "down", "even"))
    return pd.Series(labels, HOURS, name="next")


ESTIMATORS = {
    "logistic": LogisticRegression(),
    "lstm": lstm(),
    "pipeline": make_pipeline(StandardScaler(), lstm()),
    "search": GridSearchCV(lstm(), {"lookback": [LOOKBACK]}, cv=[(range(16), range(16, 20))]),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_predictions_and_probabilities_equal_those_of_an_explicit_loop(frame, target, name):
    model, splitter = ESTIMATORS[name], TimeSeriesSplit(2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HistoryWarning)  # of the search's own predictions
        result = backtest(model, frame, target, cv=splitter, method="predict_proba")
        labels, probabilities = [], []
        for train, test in splitter.split(frame):
            fitted = model.fit(frame.iloc[train], target.iloc[train])
            rows = frame.iloc[test[0] - LOOKBACK + 1 :]
            tested = slice(LOOKBACK - 1, LOOKBACK - 1 + len(test))
            labels.extend(fitted.predict(rows)[tested])
            probabilities.extend(fitted.predict_proba(rows)[tested])
    predictions = result.predictions
    assert list(predictions.columns) == [*COLUMNS, "down", "even", "up"]
    assert predictions["y_pred"].tolist() == labels
    assert predictions["y_true"].tolist() == target[-40:].tolist()
    np.testing.assert_allclose(predictions[["down", "even", "up"]], probabilities, rtol=1e-12)
    assert predictions.index.equals(HOURS[-40:])


@pytest.mark.parametrize(
    "convert",
    [
        lambda y: y,
        lambda y: y.to_numpy(),
        lambda y: y.tolist(),
        lambda y: y.astype("category"),
        lambda y: y == "up",
        lambda y: y.map({"up": 3, "down": -1, "even": 0}),
        lambda y: y.map({"up": 3.0, "down": -1.0, "even": 0.0}),
    ],
    ids=["text", "array", "list", "categories", "booleans", "integers", "floats"],
)
def test_classes_of_each_type_are_categories(frame, target, convert):
    y = convert(target)
    predictions = backtest(RandomForestClassifier(5, random_state=0), frame, y, cv=2).predictions
    assert list(predictions.columns) == COLUMNS
    classes = np.unique(np.asarray(y))
    for name in ("y_true", "y_pred"):
        assert predictions[name].cat.categories.tolist() == classes.tolist()
    assert predictions["y_true"].tolist() == np.ravel(y)[-40:].tolist()


@pytest.mark.parametrize(
    ("method", "names"),
    [("predict", ["accuracy"]), ("predict_proba", ["accuracy", "neg_log_loss"])],
)
def test_scores_are_those_of_the_predictions_of_the_fold(frame, target, method, names):
    result = backtest(LogisticRegression(), frame, target, cv=2, method=method)
    assert list(result.scores.columns) == names
    for fold, part in result.predictions.groupby("fold"):
        scores = result.scores.loc[(fold, 1)]
        assert scores["accuracy"] == accuracy_score(part["y_true"], part["y_pred"])
        if method == "predict_proba":
            loss = log_loss(part["y_true"], part[["down", "even", "up"]])
            assert scores["neg_log_loss"] == pytest.approx(-loss)


@pytest.mark.parametrize(
    ("scoring", "names"),
    [
        ("f1_macro", ["f1_macro"]),
        (["balanced_accuracy", "roc_auc_ovr"], ["balanced_accuracy", "roc_auc_ovr"]),
        (lambda model, X, y: float(np.mean(model.predict(X) == y)), ["score"]),
    ],
    ids=["one", "two", "callable"],
)
def test_scoring_is_that_of_cross_validate(frame, target, scoring, names):
    model = LogisticRegression()
    scores = backtest(model, frame, target, cv=2, method="predict_proba", scoring=scoring).scores
    assert list(scores.columns) == names
    assert scores.index.tolist() == [(0, 1), (1, 1)]


def test_the_log_loss_of_a_test_set_without_some_of_the_classes_is_that_of_all(frame, target):
    y = target.copy()
    y.iloc[40:] = np.where(y.iloc[40:] == "even", "up", y.iloc[40:])
    result = backtest(LogisticRegression(), frame, y, cv=2, method="predict_proba")
    part = result.predictions.query("fold == 1")
    of_truth = [row[row["y_true"]] for _, row in part.iterrows()]
    loss = result.scores.loc[(1, 1), "neg_log_loss"]
    assert loss == pytest.approx(np.mean(np.log(of_truth)))


def test_a_class_that_a_training_set_lacks_has_probability_0_and_is_warned_about(frame, target):
    y = target.copy()
    y.iloc[:30] = np.where(y.iloc[:30] == "even", "up", y.iloc[:30])
    with pytest.warns(UserWarning, match=r"sets of 1 of 2 folds \(first: fold 0\).*\['even'\]"):
        result = backtest(LogisticRegression(), frame, y, cv=2, method="predict_proba")
    first = result.predictions.query("fold == 0")
    assert (first["even"] == 0).all()
    np.testing.assert_allclose(first[["down", "up"]].sum(axis=1), 1)
    assert (result.predictions.query("fold == 1")["even"] > 0).all()


def test_the_threshold_of_a_classifier_decides_its_classes(frame, target):
    model = FixedThresholdClassifier(LogisticRegression(), threshold=0.9, pos_label=True)
    rows = backtest(model, frame, target == "up", cv=2, method="predict_proba").predictions
    assert ((rows[True] >= 0.9) == rows["y_pred"].astype(bool)).all()
    assert rows[True].between(0.5, 0.9).any()


def test_horizons_have_classes_and_scores_of_their_own(frame):
    frame = frame.assign(rises=(frame["a"].diff() > 0).astype(float))
    X, y = make_rows(frame, "rises", horizon=[1, 3])
    model = MultiOutputClassifier(lstm())
    result = backtest(model, X, y, cv=2, method="predict_proba", return_estimator=True)
    assert result.scores.index.tolist() == [(0, 1), (0, 3), (1, 1), (1, 3)]
    last = result.predictions.query("fold == 1 and horizon == 3")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HistoryWarning)
        expected = result.estimators[1].predict_proba(X)[1][X.index.isin(last.index)]
    np.testing.assert_allclose(last[[0.0, 1.0]], expected, rtol=1e-9)
    assert last["y_true"].tolist() == y.loc[last.index, 3].tolist()


def test_later_rows_do_not_change_a_prediction(frame, target):
    before = backtest(lstm(), frame, target, cv=3, method="predict_proba").predictions
    X, y = frame.copy(), target.copy()
    X.loc[HOURS[37] :] += 100.0
    y.loc[HOURS[37] :] = "up"
    after = backtest(lstm(), X, y, cv=3, method="predict_proba").predictions
    is_past = before.index < HOURS[37]
    names = ["down", "even", "up"]
    np.testing.assert_allclose(after[is_past][names], before[is_past][names], rtol=1e-9)
    assert not np.allclose(after[~is_past][names], before[~is_past][names])


def test_series_are_predicted_together_with_an_index_or_with_groups(frame, target):
    panel = pd.concat({"south": frame, "north": -frame}, names=["place"])
    y = pd.concat({"south": target, "north": target}, names=["place"])
    indexed = backtest(lstm(), panel, y, cv=2, method="predict_proba").predictions
    assert indexed.loc["north"]["y_true"].tolist() == target[-40:].tolist()
    groups = panel.index.get_level_values("place")
    rows, labels = panel.droplevel("place"), y.to_numpy()
    grouped = backtest(lstm(), rows, labels, groups=groups, cv=2, method="predict_proba")
    np.testing.assert_allclose(grouped.predictions["up"], indexed["up"], rtol=1e-9)


def test_unknown_classes_of_weight_0_are_left_out_of_fits_and_scores(frame, target):
    y = target.astype(object)
    y.iloc[[3, 50]] = None
    weight = {"sample_weight": y.notna().astype(float)}
    result = backtest(lstm(), frame, y, cv=2, params=weight)
    changed = backtest(lstm(), frame, y.fillna("up"), cv=2, params=weight)
    rows = result.predictions
    assert rows["y_pred"].tolist() == changed.predictions["y_pred"].tolist()
    assert rows["y_true"].isna().sum() == 1
    known = rows.query("fold == 1").dropna()
    accuracy = (known["y_true"] == known["y_pred"]).mean()
    assert result.scores.loc[(1, 1), "accuracy"] == pytest.approx(accuracy)


class NeverFitted(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        raise AssertionError("it was fitted")

    def predict(self, X):
        raise AssertionError("it predicts")

    def predict_proba(self, X):
        raise AssertionError("it predicts")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "decision_function"}, "method must be one of .* Got 'decision_function'"),
        ({"estimator": LinearSVC(), "method": "predict_proba"}, r"proba\. Got LinearSVC instead"),
        ({"quantiles": [0.5]}, r"whose predict has this parameter\. Got NeverFitted"),
        ({"scoring": "neg_log_loss"}, "Got method='predict' instead; set method='predict_proba'"),
        ({"scoring": "f1"}, "multiclass|pos_label=1"),
        ({"scoring": "no such metric"}, "no such metric"),
        ({"y": np.linspace(0, 1, N)}, "continuous"),
        ({"y": np.repeat("up", N)}, r"at least 2 classes\. Got \['up'\]"),
        ({"y": np.repeat(["up", "down"], 30)}, "Got 1 of horizon 1 in fold 0 instead; begin the"),
        (
            {"y": pd.Series(["up", None, "down"] * 20)},
            "y must be finite. Got NaN or infinity in 20 rows",
        ),
        (
            {"y": np.tile(["fold", "other"], 30), "method": "predict_proba"},
            "Got fold; rename them, or set method='predict'",
        ),
        (
            {"estimator": AttentionLSTMRegressor(), "method": "predict_proba"},
            r"needs a classifier with predict_proba\. Got AttentionLSTMRegressor",
        ),
    ],
)
def test_a_wrong_argument_is_an_error_before_the_first_fit(frame, target, change, message):
    arguments = {"estimator": NeverFitted(), "X": frame, "y": target.to_numpy(), "cv": 2} | change
    with pytest.raises(ValueError, match=message):
        backtest(**arguments)


class Constant(DummyClassifier):
    def predict(self, X):
        return np.repeat("sideways", len(X))


def test_a_prediction_that_is_no_class_is_an_error(frame, target):
    with pytest.raises(ValueError, match=r"\['down', 'even', 'up'\]\. Got \['sideways'\]"):
        backtest(Constant(), frame, target, cv=2)
