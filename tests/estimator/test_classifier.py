"""The classifier: labels, probabilities, weights of classes, and the tools that take it."""

import warnings

import numpy as np
import pandas as pd
import pytest
import skorch
import torch
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier
from sklearn.exceptions import DataConversionWarning
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import GridSearchCV, KFold, TimeSeriesSplit, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_tsattn import (
    AttentionDisplay,
    AttentionLSTMClassifier,
    AttentionLSTMRegressor,
    LossCurveDisplay,
)
from sk_tsattn.attention import ATTENTION_MECHANISMS
from sk_tsattn.exceptions import HistoryWarning
from sk_tsattn.inspection import (
    attention_importance,
    faithfulness,
    permutation_importance,
    refit_agreement,
    uniform_attention_check,
)

N, T, F = 120, 5, 3
WINDOWS = np.random.default_rng(0).normal(size=(N, T, F))
# The class is decided by one cell, (2, 1).
CODES = np.digitize(WINDOWS[:, 2, 1], [-0.5, 0.5])
LABELS = np.array(["low", "middle", "top"])[CODES]
ROWS = pd.DataFrame(
    WINDOWS[:, 0], columns=["u", "v", "w"], index=pd.date_range("2024", periods=N, freq="h")
)
MECHANISMS = [(name, mode) for name, modes in ATTENTION_MECHANISMS.items() for mode in modes]


def quick(**changes):
    options = {"attention": "dense", "hidden_size": 4, "max_epochs": 3, "random_state": 0}
    return AttentionLSTMClassifier(**options | changes)


def learnt(**changes):
    return quick(hidden_size=16, max_epochs=40, lr=0.02, **changes)


def assert_same(first, second):
    np.testing.assert_allclose(first.predict_proba(WINDOWS), second.predict_proba(WINDOWS))


# ------------------------------------------------------------------------------ predictions


def test_the_prediction_is_the_most_probable_class():
    model = learnt().fit(WINDOWS[:80], LABELS[:80])
    probabilities = model.predict_proba(WINDOWS)
    assert probabilities.shape == (N, 3)
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert model.classes_.tolist() == ["low", "middle", "top"]
    predicted = model.predict(WINDOWS)
    np.testing.assert_array_equal(predicted, model.classes_[probabilities.argmax(axis=1)])
    assert model.score(WINDOWS[80:], LABELS[80:]) > 0.8
    assert model.score(WINDOWS, LABELS) == accuracy_score(LABELS, predicted)


def test_the_default_finds_the_cell_that_decides_the_class():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, T, F))
    y = X[:, 2, 1] + 0.5 * rng.normal(size=600) > 0
    model = AttentionLSTMClassifier(random_state=0).fit(X, y)
    assert model.attention_[2, 1] > 0.99
    # A gate may close in the windows in which its cell says little about the class.
    assert model.gates_[2, 1] > 0.8
    assert model.gates_.sum() < 1.01
    assert model.score(X, y) > 0.8


def test_the_loss_of_the_history_is_the_cross_entropy_of_the_probabilities():
    model = quick(max_epochs=20)
    model.fit(WINDOWS[:80], LABELS[:80], X_val=WINDOWS[80:], y_val=LABELS[80:])
    expected = log_loss(LABELS[80:], model.predict_proba(WINDOWS[80:]), labels=model.classes_)
    assert model.history_.valid_loss[model.n_iter_ - 1] == pytest.approx(expected)


@pytest.mark.parametrize(("attention", "mode"), MECHANISMS)
def test_every_mechanism_classifies_with_attention_that_is_a_distribution(attention, mode):
    model = quick(attention=attention, attention_mode=mode).fit(WINDOWS, LABELS)
    assert model.predict_proba(WINDOWS).shape == (N, 3)
    weights = model.attention_weights(WINDOWS)
    for axes in {"time", "feature", "cell"} & set(weights):
        np.testing.assert_allclose(weights[axes].reshape(N, -1).sum(axis=1), 1)


def test_two_classes_have_a_column_of_probabilities_each():
    model = learnt().fit(WINDOWS, WINDOWS[:, 2, 1] > 0)
    assert model.classes_.tolist() == [False, True]
    assert model.predict(WINDOWS).dtype == bool
    assert model.predict_proba(WINDOWS).shape == (N, 2)
    assert model.score(WINDOWS, WINDOWS[:, 2, 1] > 0) > 0.9


# ------------------------------------------------------------------------------ labels


LAYOUTS = {
    "list": list,
    "object": lambda y: y.astype(object),
    "Series": lambda y: pd.Series(y),
    "categories": lambda y: pd.Series(y, dtype="category"),
    "pandas text": lambda y: pd.Series(y, dtype="string"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_labels_may_come_in_any_container(layout):
    assert_same(quick().fit(WINDOWS, LAYOUTS[layout](LABELS)), quick().fit(WINDOWS, LABELS))


@pytest.mark.parametrize(
    "codes", [CODES, CODES - 7.0, torch.as_tensor(CODES), CODES.astype(np.uint8)]
)
def test_labels_may_be_numbers(codes):
    model = quick().fit(WINDOWS, codes)
    assert_same(model, quick().fit(WINDOWS, LABELS))
    np.testing.assert_array_equal(model.classes_, np.unique(np.asarray(codes)))


def test_a_column_is_a_vector_with_a_warning():
    with pytest.warns(DataConversionWarning):
        model = quick().fit(WINDOWS, LABELS[:, None])
    assert model.predict(WINDOWS).shape == (N,)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "requires y to be passed"),
        (LABELS[:-1], r"y must have shape \(120,\), one class for each row"),
        (np.full(N, "a"), r"y must hold at least 2 classes .* one class instead: \['a'\]"),
        (WINDOWS[:, 0, 0], "Unknown label type: continuous"),
        (np.where(CODES == 1, np.nan, CODES), "Input y contains NaN"),
        (pd.Series(LABELS).where(CODES != 1), "Input y contains NaN"),
        (np.where(CODES == 1, np.inf, CODES), "Input y contains infinity"),
        (np.array(["a", 1] * (N // 2), dtype=object), "type|mix"),
        (np.eye(3)[CODES], "should be a 1d array"),
    ],
)
def test_labels_that_cannot_be_classes_are_an_error(y, message):
    model = quick()
    with pytest.raises(ValueError, match=message):
        model.fit(WINDOWS, y)
    assert not hasattr(model, "classes_")


def test_a_label_of_the_validation_set_that_fit_has_not_seen_is_an_error():
    other = np.where(CODES == 1, "new", LABELS)
    with pytest.raises(ValueError, match=r"y_val must hold the classes .* Got \['new'\] instead"):
        quick().fit(WINDOWS, LABELS, X_val=WINDOWS, y_val=other)


# ------------------------------------------------------------------------------ weights


@pytest.mark.parametrize("dtype", [object, "string"])
def test_rows_without_weight_may_lack_labels_and_have_no_class_of_their_own(dtype):
    y = pd.Series(LABELS, dtype=dtype)
    y[:10], y[10:20] = None, "unused"
    weight = np.r_[np.zeros(20), np.ones(N - 20)]
    model = quick().fit(WINDOWS, y, sample_weight=weight)
    assert model.classes_.tolist() == ["low", "middle", "top"]
    alone = quick().fit(WINDOWS[20:], LABELS[20:])
    np.testing.assert_allclose(model.predict_proba(WINDOWS), alone.predict_proba(WINDOWS))
    score = model.score(WINDOWS, y, sample_weight=weight)
    assert score == model.score(WINDOWS[20:], LABELS[20:])


def test_class_weights_are_sample_weights_by_class():
    weight = np.random.default_rng(1).integers(1, 3, size=N)
    by_class = {"low": 1.0, "middle": 3.0, "top": 0.5}
    model = quick(class_weight=by_class).fit(WINDOWS, LABELS, sample_weight=weight)
    factors = np.array([by_class[label] for label in LABELS])
    assert_same(model, quick().fit(WINDOWS, LABELS, sample_weight=weight * factors))


def test_balanced_classes_have_the_same_total_weight():
    weight = np.random.default_rng(1).integers(1, 3, size=N)
    balanced = quick(class_weight="balanced").fit(WINDOWS, LABELS, sample_weight=weight)
    totals = {label: weight[label == LABELS].sum() for label in np.unique(LABELS)}
    by_class = {label: weight.sum() / (3 * total) for label, total in totals.items()}
    explicit = quick(class_weight=by_class).fit(WINDOWS, LABELS, sample_weight=weight)
    assert_same(balanced, explicit)


@pytest.mark.parametrize(
    "weights", [{"low": -1.0}, {"low": "1"}, {"low": np.inf}, {"low": 0.0}, "equal", 2.0]
)
def test_other_class_weights_are_an_error(weights):
    with pytest.raises(ValueError, match=r"'class_weight' parameter .*numbers >= 0"):
        quick(class_weight=weights).fit(WINDOWS, LABELS)


def test_classes_are_weighed_in_the_validation_set_too():
    by_class = {"low": 1.0, "middle": 3.0, "top": 0.5}
    factors = np.array([by_class[label] for label in LABELS])
    validation = {"X_val": WINDOWS[80:], "y_val": LABELS[80:]}
    model = quick(class_weight=by_class).fit(WINDOWS[:80], LABELS[:80], **validation)
    weighted = quick().fit(
        WINDOWS[:80],
        LABELS[:80],
        sample_weight=factors[:80],
        sample_weight_val=factors[80:],
        **validation,
    )
    np.testing.assert_allclose(model.history_.valid_loss, weighted.history_.valid_loss)


# ------------------------------------------------------------------------------ absent classes


def test_a_class_of_the_validation_set_alone_warns_and_does_not_fail():
    y = LABELS.copy()
    y[: N - 12][CODES[: N - 12] == 2] = "low"  # the newest tenth is held out
    model = quick(early_stopping=True)
    with pytest.warns(UserWarning, match=r"no window of 1 of 3 classes: \['top'\].*X_val"):
        model.fit(WINDOWS, y)
    assert model.classes_.tolist() == ["low", "middle", "top"]
    assert np.isfinite(model.predict_proba(WINDOWS)).all()
    assert np.isfinite(model.history_.valid_loss).all()


def test_a_class_that_the_validation_set_lacks_is_learnt():
    y = LABELS.copy()
    y[-12:][CODES[-12:] == 2] = "low"
    model = learnt(early_stopping=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(WINDOWS, y)
    assert (model.predict(WINDOWS[:-12]) == "top").any()


# ------------------------------------------------------------------------------ further training


@pytest.mark.filterwarnings("ignore:The training set has no window")
def test_partial_fit_knows_the_classes_that_come_later():
    first, later = CODES < 2, CODES == 2
    model = quick(lr=0.02).partial_fit(WINDOWS[first], LABELS[first], classes=np.unique(LABELS))
    assert model.predict_proba(WINDOWS).shape == (N, 3)
    for _ in range(40):
        model.partial_fit(WINDOWS, LABELS)
    assert (model.predict(WINDOWS[later]) == "top").mean() > 0.5


@pytest.mark.filterwarnings("ignore:The training set has no window")
def test_a_class_that_the_first_partial_fit_did_not_name_is_an_error():
    first = CODES < 2
    model = quick().partial_fit(WINDOWS[first], LABELS[first])
    model.set_params(warm_start=True)
    for call in (
        lambda: model.partial_fit(WINDOWS, LABELS),
        lambda: model.partial_fit(WINDOWS[first], LABELS[first], classes=["top", "low"]),
        lambda: model.fit(WINDOWS, LABELS),
    ):
        with pytest.raises(ValueError, match=r"classes \['low', 'middle'\].*Got \['top'\]"):
            call()
    assert model.classes_.tolist() == ["low", "middle"]


def test_partial_fit_needs_two_classes():
    with pytest.raises(ValueError, match=r"^classes must hold at least 2 classes. Got one"):
        quick().partial_fit(WINDOWS, LABELS, classes=["low"])


def test_balanced_partial_fit_is_an_error_that_suggests_a_dict():
    with pytest.raises(ValueError, match=r"class_weight='balanced'.*dict"):
        quick(class_weight="balanced").partial_fit(WINDOWS, LABELS)


def test_a_warm_start_goes_on():
    model = quick(warm_start=True, lr=0.02).fit(WINDOWS, LABELS)
    before = model.history_.train_loss.iloc[-1]
    model.fit(WINDOWS, LABELS)
    assert len(model.history_) == 6
    assert model.history_.train_loss.iloc[-1] < before


def test_a_callback_scores_the_classes():
    scoring = skorch.callbacks.EpochScoring("accuracy", lower_is_better=False, name="accuracy")
    model = quick(callbacks=[scoring])
    model.fit(WINDOWS[:80], LABELS[:80], X_val=WINDOWS[80:], y_val=LABELS[80:])
    recorded = model.net_.history[model.n_iter_ - 1, "accuracy"]
    assert recorded == pytest.approx(model.score(WINDOWS[80:], LABELS[80:]))


def test_a_criterion_is_refused():
    with pytest.raises(ValueError, match=r"loss is 'log_loss'.*drop 'criterion'"):
        quick(net_params={"criterion": torch.nn.NLLLoss}).fit(WINDOWS, LABELS)


# ------------------------------------------------------------------------------ rows and series


@pytest.mark.filterwarnings("ignore::sk_tsattn.exceptions.HistoryWarning")  # the first rows
def test_rows_are_classified_with_their_history():
    model = quick(lookback=4).fit(ROWS[:80], LABELS[:80])
    cut = np.lib.stride_tricks.sliding_window_view(ROWS.to_numpy(), 4, axis=0).transpose(0, 2, 1)
    np.testing.assert_allclose(
        model.predict_proba(ROWS[80:]), model.predict_proba(ROWS)[80:], rtol=1e-9
    )
    windows = quick().fit(cut[:77], LABELS[3:80])
    np.testing.assert_allclose(
        windows.predict_proba(cut[77:]), model.predict_proba(ROWS[80:]), rtol=1e-6
    )


def test_series_do_not_cross():
    groups = np.repeat(["a", "b"], N // 2)
    model = quick(lookback=4).fit(ROWS.to_numpy(), LABELS, groups=groups)
    with pytest.warns(HistoryWarning):
        both = model.predict_proba(ROWS.to_numpy(), groups=groups)
    with pytest.warns(HistoryWarning):
        alone = model.predict_proba(ROWS.to_numpy()[60:], groups=groups[60:])
    np.testing.assert_allclose(both[60:], alone)
    with pytest.warns(HistoryWarning):
        assert 0 <= model.score(ROWS.to_numpy(), LABELS, groups=groups) <= 1


# ------------------------------------------------------------------------------ tools


def test_cross_validation_in_time_scores_the_probabilities():
    pipe = make_pipeline(StandardScaler().set_output(transform="pandas"), quick(lookback=4))
    result = cross_validate(
        pipe,
        ROWS,
        LABELS,
        cv=TimeSeriesSplit(2),
        scoring=["accuracy", "neg_log_loss", "roc_auc_ovr", "f1_macro"],
        error_score="raise",
    )
    assert all(np.isfinite(values).all() for values in result.values())


def test_a_search_and_meta_classifiers_take_it():
    search = GridSearchCV(quick(), {"hidden_size": [2, 4]}, cv=KFold(2), error_score="raise")
    assert search.fit(WINDOWS, LABELS).predict(WINDOWS).shape == (N,)
    vote = VotingClassifier([("one", quick()), ("two", quick(hidden_size=3))], voting="soft")
    members = [quick(hidden_size=size).fit(WINDOWS, LABELS) for size in (4, 3)]
    np.testing.assert_allclose(
        vote.fit(WINDOWS, LABELS).predict_proba(WINDOWS),
        np.mean([member.predict_proba(WINDOWS) for member in members], axis=0),
    )
    calibrated = CalibratedClassifierCV(quick(), cv=KFold(2)).fit(WINDOWS, LABELS)
    np.testing.assert_allclose(calibrated.predict_proba(WINDOWS).sum(axis=1), 1)


def test_inspection_takes_a_classifier():
    model = learnt().fit(WINDOWS, LABELS)
    importance = permutation_importance(model, WINDOWS, LABELS, over="cell", random_state=0)
    assert np.unravel_index(importance.importances_mean.argmax(), (T, F)) == (2, 1)
    compared = attention_importance(model, WINDOWS, LABELS, n_repeats=1, random_state=0)
    assert compared.frame.importance.argmax() == 1
    agreement = refit_agreement(quick(), WINDOWS, LABELS, n_refits=2)
    assert agreement.cell.shape == (T * F, 2)


def test_the_errors_of_a_classifier_are_those_of_its_probabilities():
    model = learnt().fit(WINDOWS, LABELS)
    brier = np.mean((model.predict_proba(WINDOWS) - np.eye(3)[CODES]) ** 2)
    result = faithfulness(model, WINDOWS, LABELS, n_repeats=1, n_bootstrap=20, random_state=0)
    assert result.error == pytest.approx(brier)
    areas = result.areas.area
    assert areas["permutation", "comprehensiveness"] > 1.5 * areas["random", "comprehensiveness"]
    check = uniform_attention_check(model, WINDOWS, LABELS, n_bootstrap=20, random_state=0)
    np.testing.assert_allclose(check.prediction_learned, model.predict_proba(WINDOWS))
    assert check.mean_absolute_change.shape == (3,)


def test_displays_take_a_classifier():
    pytest.importorskip("matplotlib").use("agg")
    model = quick().fit(WINDOWS, LABELS)
    display = AttentionDisplay.from_estimator(model, WINDOWS, LABELS, sample=3)
    assert f"predicted {model.predict(WINDOWS)[3]}, true {LABELS[3]}" in display.sample.title
    AttentionDisplay.from_estimator(model, WINDOWS).plot()
    LossCurveDisplay.from_estimator(model)


def test_the_parameters_are_those_of_the_regressor_except_the_loss():
    of_classifier, of_regressor = (
        list(estimator().get_params(deep=False))
        for estimator in (AttentionLSTMClassifier, AttentionLSTMRegressor)
    )
    assert set(of_classifier) - set(of_regressor) == {"class_weight"}
    assert set(of_regressor) - set(of_classifier) == {"loss", "quantiles"}
    for name in set(of_classifier) & set(of_regressor):
        assert getattr(AttentionLSTMClassifier(), name) == getattr(AttentionLSTMRegressor(), name)
