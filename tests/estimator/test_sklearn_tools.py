"""The tools of scikit-learn with the estimator, on windows and on rows with lookback."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy.stats import loguniform
from sklearn.base import clone, is_regressor
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import StackingRegressor, VotingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    KFold,
    RandomizedSearchCV,
    TimeSeriesSplit,
    cross_validate,
    learning_curve,
)
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.fixes import parse_version

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn.attention import ATTENTION_MODES

# Arrays have no time labels: their first rows are predicted from short windows.
pytestmark = pytest.mark.filterwarnings("ignore::sk_tsattn.exceptions.HistoryWarning")

N, T, F = 80, 5, 3
rng = np.random.default_rng(0)
TIMES = pd.date_range("2020-01-01", periods=N, freq="h")
FRAME = pd.DataFrame(rng.normal(size=(N, F)) * [1, 10, 100], columns=list("abc"), index=TIMES)
WINDOWS = rng.normal(size=(N, T, F))
SPLIT = TimeSeriesSplit(2)


def quick(**changes):
    options = {"hidden_size": 4, "max_epochs": 2, "batch_size": 32, "random_state": 0}
    return AttentionLSTMRegressor(**options | changes)


@pytest.fixture(params=["windows", "rows"])
def layout(request):
    """Return an estimator, X and a target that is 5 steps old in X."""
    if request.param == "windows":
        return quick(), WINDOWS, WINDOWS[:, 0, 0]
    y = FRAME["a"].shift(T - 1, fill_value=0.0).rename("old a")
    return quick(lookback=T), FRAME, y


@pytest.fixture
def routing():
    """Switch metadata routing on."""
    with sklearn.config_context(enable_metadata_routing=True):
        yield


needs_metadata_of_scorers = pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.7"),
    reason="scikit-learn 1.6 loses the scorer's metadata on the way through a Pipeline",
)


def scaler_for(X):
    """Return a scaler of frames for rows, or one of windows, which StandardScaler refuses."""
    if X is FRAME:
        return StandardScaler().set_output(transform="pandas")
    return FunctionTransformer(np.negative)


# ------------------------------------------------------------------------------ pipelines


def test_a_pipeline_equals_its_steps_in_sequence(layout):
    model, X, y = layout
    pipe = make_pipeline(scaler_for(X), clone(model)).fit(X[:60], y[:60])
    scaler = scaler_for(X).fit(X[:60])
    model.fit(scaler.transform(X[:60]), y[:60])
    np.testing.assert_array_equal(pipe.predict(X[60:]), model.predict(scaler.transform(X[60:])))
    assert pipe.score(X[60:], y[60:]) == model.score(scaler.transform(X[60:]), y[60:])
    assert pipe[-1].n_features_in_ == F
    if X is FRAME:
        assert pipe[-1].feature_names_in_.tolist() == list("abc")


def test_after_a_scaler_of_frames_new_rows_have_their_history():
    y = FRAME["a"]
    pipe = make_pipeline(StandardScaler().set_output(transform="pandas"), quick(lookback=T))
    pipe.fit(FRAME[:60], y[:60])
    np.testing.assert_allclose(pipe.predict(FRAME[60:]), pipe.predict(FRAME)[60:], rtol=1e-9)
    scaled = pipe[0].transform(FRAME[:60])
    pd.testing.assert_frame_equal(pipe[-1].context_, scaled[-(T - 1) :], check_freq=False)


def test_the_validation_set_is_transformed_by_the_steps_before(layout, routing):
    model, X, y = layout
    model.set_params(early_stopping=True, max_epochs=6)
    request = clone(model).set_fit_request(X_val=True, y_val=True)
    pipe = Pipeline([("scale", scaler_for(X)), ("model", request)], transform_input=["X_val"])
    pipe.fit(X[:60], y[:60], X_val=X[60:], y_val=y[60:])
    scaler = scaler_for(X).fit(X[:60])
    model.fit(scaler.transform(X[:60]), y[:60], X_val=scaler.transform(X[60:]), y_val=y[60:])
    history = pipe["model"].history_
    np.testing.assert_array_equal(history.valid_loss, model.history_.valid_loss)
    np.testing.assert_array_equal(pipe.predict(X), model.predict(scaler.transform(X)))


@needs_metadata_of_scorers
def test_groups_are_routed_to_fit_and_score(routing):
    groups = np.tile([0, 1], N // 2)
    X, y = FRAME.to_numpy(), FRAME["a"].to_numpy()
    model = quick(lookback=3, context="train_tail")
    request = clone(model).set_fit_request(groups=True).set_score_request(groups=True)
    pipe = make_pipeline(StandardScaler(), request)
    result = cross_validate(
        pipe, X, y, params={"groups": groups}, cv=SPLIT, return_estimator=True, error_score="raise"
    )
    for (train, test), fitted, score in zip(
        SPLIT.split(X), result["estimator"], result["test_score"], strict=True
    ):
        scaler = StandardScaler().fit(X[train])
        model.fit(scaler.transform(X[train]), y[train], groups=groups[train])
        assert len(fitted[-1].context_) == 2 * (3 - 1)
        expected = model.score(scaler.transform(X[test]), y[test], groups=groups[test])
        assert score == pytest.approx(expected)


@needs_metadata_of_scorers
def test_groups_are_routed_through_a_search_and_to_predict(routing):
    groups = np.repeat([0, 1, 2, 3], N // 4)
    X, y = FRAME.to_numpy(), FRAME["a"].to_numpy()
    request = (
        quick()
        .set_fit_request(groups=True)
        .set_score_request(groups=True)
        .set_predict_request(groups=True)
    )
    pipe = make_pipeline(StandardScaler(), request)
    grid = {"attentionlstmregressor__lookback": [2, 3]}
    search = GridSearchCV(pipe, grid, cv=GroupKFold(2), error_score="raise")
    search.fit(X, y, groups=groups)
    best = search.best_estimator_
    lookback = search.best_params_["attentionlstmregressor__lookback"]
    assert len(best[-1].context_) == 4 * (lookback - 1)
    alone = best.predict(X[:20], groups=groups[:20])
    np.testing.assert_allclose(best.predict(X, groups=groups)[:20], alone)


def test_sample_weights_are_routed(layout, routing):
    model, X, y = layout
    weight = np.linspace(0, 1, N)
    request = clone(model).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
    result = cross_validate(
        request, X, y, params={"sample_weight": weight}, cv=SPLIT, error_score="raise"
    )
    train, test = list(SPLIT.split(X))[1]
    at = (lambda data, rows: data.iloc[rows]) if X is FRAME else (lambda data, rows: data[rows])
    model.fit(at(X, train), at(y, train), sample_weight=weight[train])
    expected = model.score(at(X, test), at(y, test), sample_weight=weight[test])
    assert result["test_score"][1] == pytest.approx(expected)


def test_what_is_not_requested_is_not_routed(routing):
    with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError, match="sample_weight"):
        cross_validate(
            quick(), WINDOWS, WINDOWS[:, 0, 0], params={"sample_weight": np.ones(N)}, cv=SPLIT
        )


# ------------------------------------------------------------------------------ searches


def test_a_grid_search_in_two_processes_finds_the_lookback(layout):
    model, X, y = layout
    grid = {
        "attention_mode": [None, "time", "both"],
        "attention": ["dense", "luong"],
        "lookback": [2, T],  # the target is T - 1 steps old
    }
    model.set_params(max_epochs=20, lr=0.03, hidden_size=8)
    search = GridSearchCV(
        model, grid, cv=SPLIT, n_jobs=2, error_score="raise", return_train_score=True
    ).fit(X, y)
    results = pd.DataFrame(search.cv_results_)
    assert len(results) == 12
    assert np.isfinite(results.filter(like="score")).all(axis=None)
    assert search.best_params_["lookback"] == T
    by_lookback = results.groupby("param_lookback").mean_test_score
    assert by_lookback.max()[T] > by_lookback.max()[2] + 0.2
    assert search.best_estimator_.n_timesteps_in_ == T
    assert search.predict(X).shape == (N,)


def test_a_randomized_search_samples_parameters(layout):
    model, X, y = layout
    space = {
        "hidden_size": [2, 4, 8],
        "lr": loguniform(1e-4, 1e-1),
        "attention_mode": [*ATTENTION_MODES],
    }
    search = RandomizedSearchCV(
        model, space, n_iter=4, cv=SPLIT, random_state=0, error_score="raise"
    )
    search.fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.get_params().items() >= search.best_params_.items()
    assert search.best_estimator_.history_.lr[0] == search.best_params_["lr"]


def test_the_resource_of_a_halving_search_may_be_max_epochs(layout):
    model, X, y = layout
    search = HalvingGridSearchCV(
        model,
        {"hidden_size": [2, 4], "attention_mode": [None, "both"]},
        resource="max_epochs",
        min_resources=2,
        max_resources=8,
        factor=2,
        cv=SPLIT,
        error_score="raise",
    ).fit(X, y)
    assert search.n_resources_ == [2, 4, 8]
    assert search.n_candidates_ == [4, 2, 1]
    assert search.best_params_["max_epochs"] == 8
    assert search.best_estimator_.n_iter_ == len(search.best_estimator_.history_) == 8


# ------------------------------------------------------------------------------ validation


def test_cross_validation_scores_equal_those_of_fit_and_predict(layout):
    model, X, y = layout
    result = cross_validate(
        model,
        X,
        y,
        cv=SPLIT,
        scoring=["r2", "neg_mean_absolute_error"],
        return_estimator=True,
        return_train_score=True,
        error_score="raise",
    )
    at = (lambda data, rows: data.iloc[rows]) if X is FRAME else (lambda data, rows: data[rows])
    for i, (train, test) in enumerate(SPLIT.split(X)):
        fitted = clone(model).fit(at(X, train), at(y, train))
        prediction = result["estimator"][i].predict(at(X, test))
        np.testing.assert_array_equal(prediction, fitted.predict(at(X, test)))
        assert result["test_r2"][i] == pytest.approx(fitted.score(at(X, test), at(y, test)))
        error = np.abs(prediction - np.asarray(at(y, test))).mean()
        assert result["test_neg_mean_absolute_error"][i] == pytest.approx(-error)
    if X is FRAME:  # a test block has the training rows before it as history
        whole = result["estimator"][1].predict(FRAME)
        np.testing.assert_allclose(prediction, whole[test], rtol=1e-9)


def test_a_learning_curve_has_a_score_for_each_training_size(layout):
    model, X, y = layout
    sizes, train, test = learning_curve(
        model, X, y, cv=SPLIT, train_sizes=[0.5, 1.0], error_score="raise"
    )
    assert sizes.tolist() == [14, 28]
    assert train.shape == test.shape == (2, 2)
    assert np.isfinite(train).all()
    assert np.isfinite(test).all()


# ------------------------------------------------------------------------------ meta-estimators


def test_a_transformed_target_is_transformed_back(layout):
    model, X, y = layout
    y = np.exp(y)
    meta = TransformedTargetRegressor(clone(model), func=np.log, inverse_func=np.exp).fit(X, y)
    model.fit(X, np.log(y))
    np.testing.assert_allclose(meta.predict(X), np.exp(model.predict(X)), rtol=1e-9)


def test_a_voting_regressor_is_the_mean_of_its_members(layout):
    model, X, y = layout
    members = [("one", clone(model)), ("other", clone(model).set_params(attention_mode="time"))]
    vote = VotingRegressor(members).fit(X, y)
    expected = np.mean([clone(member).fit(X, y).predict(X) for _, member in members], axis=0)
    np.testing.assert_allclose(vote.predict(X), expected)


def test_a_stacking_regressor_combines_its_members(layout):
    model, X, y = layout
    members = [("one", clone(model)), ("plain", clone(model).set_params(attention_mode=None))]
    stack = StackingRegressor(members, final_estimator=LinearRegression(), cv=KFold(2)).fit(X, y)
    of_members = np.column_stack([clone(m).fit(X, y).predict(X) for _, m in members])
    np.testing.assert_allclose(stack.transform(X), of_members)
    np.testing.assert_allclose(stack.predict(X), stack.final_estimator_.predict(of_members))


def test_a_multi_output_regressor_equals_one_model_per_output(layout):
    model, X, y = layout
    both = np.column_stack([y, -2 * np.asarray(y) + 1])
    meta = MultiOutputRegressor(clone(model)).fit(X, both)
    expected = [clone(model).fit(X, column).predict(X) for column in both.T]
    np.testing.assert_allclose(meta.predict(X), np.column_stack(expected))


# ------------------------------------------------------------------------------ copies


def test_a_clone_has_the_parameters_and_is_not_fitted(layout):
    model, X, y = layout
    model.set_params(attention_params={}, net_params={}).fit(X, y)
    other = clone(model)
    assert other.get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        other.predict(X)
    np.testing.assert_array_equal(other.fit(X, y).predict(X), model.predict(X))


@pytest.mark.parametrize(
    "copied", [lambda m: pickle.loads(pickle.dumps(m)), copy.deepcopy, copy.copy]
)
@pytest.mark.parametrize("mode", [None, "both"])
def test_a_copy_has_the_same_predictions_attention_and_further_training(layout, copied, mode):
    model, X, y = layout
    model.set_params(attention_mode=mode, warm_start=True).fit(X[:60], y[:60])
    other = copied(model)
    np.testing.assert_array_equal(other.predict(X[60:]), model.predict(X[60:]))
    pd.testing.assert_frame_equal(other.history_, model.history_)
    if mode is not None:
        np.testing.assert_array_equal(
            other.attention_weights(X).cell, model.attention_weights(X).cell
        )
    if copied is not copy.copy:
        before = model.predict(X)
        other.partial_fit(X[:60], y[:60])
        np.testing.assert_array_equal(model.predict(X), before)  # the copies are independent
        model.partial_fit(X[:60], y[:60])
        np.testing.assert_array_equal(other.predict(X), model.predict(X))


def test_parameters_are_set_by_name():
    model = quick().set_params(hidden_size=7, attention_mode="time")
    assert model.fit(WINDOWS, WINDOWS[:, 0, 0]).net_.module_.encoder.lstm.hidden_size == 7
    with pytest.raises(ValueError, match="Invalid parameter 'hiden_size'"):
        model.set_params(hiden_size=3)
    pipe = Pipeline([("model", model)]).set_params(model__hidden_size=5)
    assert pipe["model"].hidden_size == 5


def test_the_estimator_has_an_html_representation(layout):
    model, X, y = layout
    model.set_params(hidden_size=5)
    assert "AttentionLSTMRegressor" in model._repr_html_()
    html = model.fit(X, y)._repr_html_()
    assert "AttentionLSTMRegressor" in html
    assert "hidden_size" in html
    assert "hidden_size=5" in repr(model)
    bundle = make_pipeline(scaler_for(X), model)._repr_mimebundle_()
    assert "AttentionLSTMRegressor" in bundle["text/html"]


def test_the_estimator_is_a_regressor():
    assert is_regressor(AttentionLSTMRegressor())
    assert type(AttentionLSTMRegressor()).__mro__.index(sklearn.base.RegressorMixin) < type(
        AttentionLSTMRegressor()
    ).__mro__.index(sklearn.base.BaseEstimator)


# ------------------------------------------------------------------------------ callbacks

try:
    import sklearn.callback as callback
except ImportError:
    callback = None
needs_callbacks = pytest.mark.skipif(
    callback is None, reason="scikit-learn has callbacks from version 1.9 on"
)


class Recording:
    """Record the hooks that are called, and whether a copy can predict at the end of each task."""

    def __init__(self, stop_after=None):
        self.stop_after = stop_after
        self.hooks = []
        self.predictions = []

    def setup(self, estimator, context):
        self.hooks.append("setup")

    def teardown(self, estimator, context):
        self.hooks.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.hooks.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        self.hooks.append(f"end {context.task_name}")
        self.predictions.append(fitted_estimator.predict(X))
        assert len(y) == len(X)
        return self.stop_after is not None and self.n_epochs >= self.stop_after

    @property
    def n_epochs(self):
        return self.hooks.count("end epoch")


class Propagated:
    """Count the epochs of all fits of a search."""

    max_propagation_depth = None

    def __init__(self):
        self.epochs = []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        if context.task_name == "epoch":
            self.epochs.append(context.estimator_name)


@needs_callbacks
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_callbacks_see_every_epoch_and_can_predict_with_it(layout, method):
    model, X, y = layout
    recording = Recording()
    # A mechanism whose training does not depend on max_epochs.
    model.set_params(attention="bahdanau").set_callbacks(recording)
    getattr(model, method)(X, y)
    n_epochs = len(model.history_)
    assert recording.n_epochs == n_epochs == (2 if method == "fit" else 1)
    fit_task = recording.hooks[1].removeprefix("begin ")
    assert recording.hooks == [
        "setup",
        f"begin {fit_task}",
        *(["begin epoch", "end epoch"] * n_epochs),
        f"end {fit_task}",
        "teardown",
    ]
    np.testing.assert_array_equal(recording.predictions[-1], model.predict(X))
    if method == "fit":
        assert not np.array_equal(recording.predictions[0], recording.predictions[1])
        shorter = clone(model).set_params(max_epochs=1).fit(X, y)
        np.testing.assert_allclose(recording.predictions[0], shorter.predict(X), rtol=1e-9)


@needs_callbacks
def test_a_callback_stops_the_training_by_returning_true(layout):
    model, X, y = layout
    model.set_params(max_epochs=20, attention="bahdanau")
    model.set_callbacks(Recording(stop_after=3)).fit(X, y)
    assert model.n_iter_ == len(model.history_) == 3
    same = clone(model).set_params(max_epochs=3).set_callbacks().fit(X, y)
    np.testing.assert_allclose(model.predict(X), same.predict(X), rtol=1e-9)


@needs_callbacks
@pytest.mark.parametrize("stop_after", [1, 4])
def test_a_callback_that_stops_early_stopping_keeps_the_best_epoch(layout, stop_after):
    model, X, y = layout
    model.set_params(max_epochs=20, early_stopping=True, n_iter_no_change=20, attention="bahdanau")
    model.set_callbacks(Recording(stop_after=stop_after)).fit(X, y)
    assert len(model.history_) == stop_after
    assert model.n_iter_ == model.history_.valid_loss.idxmin() + 1


@needs_callbacks
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_callbacks_pass_through_a_search(n_jobs):
    propagated = Propagated()
    search = GridSearchCV(
        Pipeline([("model", quick(max_epochs=3))]),
        {"model__hidden_size": [2, 3]},
        cv=SPLIT,
        n_jobs=n_jobs,
        error_score="raise",
    ).set_callbacks(propagated)
    search.fit(WINDOWS, WINDOWS[:, 0, 0])
    in_this_process = propagated.epochs
    n_refit, n_search = 3, 2 * 2 * 3
    assert len(in_this_process) == (n_refit + n_search if n_jobs == 1 else n_refit)
    assert set(in_this_process) == {"AttentionLSTMRegressor"}


@needs_callbacks
def test_scikit_learns_progress_bar_shows_the_fits_of_a_search(capsys, monkeypatch):
    pytest.importorskip("rich")
    monkeypatch.setenv("COLUMNS", "200")
    search = GridSearchCV(
        quick(max_epochs=3), {"hidden_size": [2, 3]}, cv=SPLIT, error_score="raise"
    ).set_callbacks(callback.ProgressBar())
    search.fit(WINDOWS, WINDOWS[:, 0, 0])
    lines = capsys.readouterr().out.splitlines()
    fits = [line for line in lines if "AttentionLSTMRegressor - fit" in line]
    assert len(fits) == 2 * 2 + 1
    assert all("100%" in line for line in fits)
