"""The scores of the benchmarks are right, and their commands run."""

import importlib
import json
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score, roc_auc_score

from sk_tsattn._data._scaling import Standardizer
from sk_tsattn.attention import ATTENTION_MECHANISMS

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
pytestmark = [
    pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="a source distribution has no benchmarks"),
    # The fits of one epoch have not converged.
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]


@pytest.fixture
def load(monkeypatch):
    """Import a file of the benchmarks; they import each other as scripts."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module


@pytest.fixture
def scores(load):
    return load("scores")


@pytest.fixture
def believability(load):
    return load("believability")


@pytest.fixture
def events(load):
    return load("events")


@pytest.fixture
def real_data(load):
    return load("real_data")


def tables(printed):
    """Read the markdown tables: a list of lists of rows, each a list of cells."""
    found = [[]]
    for line in printed.splitlines():
        if line.startswith("|"):
            found[-1].append([cell.strip() for cell in line.strip("|").split("|")])
        elif found[-1]:
            found.append([])
    return [table for table in found if table]


def arguments(options):
    """Write options as on the command line."""
    return [text for name, value in options.items() for text in (f"--{name}", str(value))]


# Scores


def test_auroc_is_the_fraction_of_pairs_ranked_correctly_and_ties_count_half(scores):
    weights = np.array([[0.1, 0.6, 0.2, 0.1], [0.4, 0.3, 0.2, 0.1], [0.25, 0.25, 0.25, 0.25]])
    truth = np.array([[0, 1, 1, 0], [0, 1, 0, 1], [1, 0, 0, 0]], dtype=bool)
    # Second sample: 0.3 loses to 0.4 and beats 0.2; 0.1 loses twice.
    np.testing.assert_allclose(scores.auroc(weights, truth), [1.0, 0.25, 0.5])


def test_auroc_without_a_true_or_a_false_item_is_not_defined(scores):
    truth = np.array([[True, True], [False, False]])
    assert np.isnan(scores.auroc(np.full((2, 2), 0.5), truth)).all()


def test_auroc_and_average_precision_are_those_of_scikit_learn_ties_included(scores):
    rng = np.random.default_rng(0)
    weights = rng.integers(4, size=(50, 12)) / 4.0
    truth = rng.random((50, 12)) < 0.3
    truth[:, 0], truth[:, 1] = True, False
    for own, reference in (
        (scores.auroc, roc_auc_score),
        (scores.average_precision, average_precision_score),
    ):
        expected = [reference(t, w) for t, w in zip(truth, weights, strict=True)]
        np.testing.assert_allclose(own(weights, truth), expected)


def test_average_precision_of_uniform_weights_is_the_fraction_of_relevant_items(scores):
    truth = np.array([[True, False, False, False], [True, True, False, False]])
    found = scores.average_precision(np.full((2, 4), 0.25), truth)
    np.testing.assert_allclose(found, [0.25, 0.5])


def test_relevance_mass_is_the_fraction_of_the_weight_on_relevant_items(scores):
    weights = np.array([[0.1, 0.9], [2.0, 6.0], [0.0, 0.0]])
    truth = np.array([[False, True], [True, False], [True, False]])
    np.testing.assert_allclose(scores.relevance_mass(weights, truth), [0.9, 0.25, np.nan])


def test_items_excluded_count_neither_way(scores):
    rng = np.random.default_rng(0)
    weights = rng.integers(4, size=(30, 9)) / 4.0
    truth = np.zeros((30, 9), dtype=bool)
    truth[:, :3] = True
    excluded = np.zeros((30, 9), dtype=bool)
    excluded[:, 7:] = True
    for score in (scores.auroc, scores.average_precision, scores.relevance_mass):
        expected = score(weights[:, :7], truth[:, :7])
        np.testing.assert_allclose(score(weights, truth, excluded), expected)


def test_agreement_is_the_mean_spearman_correlation_of_all_pairs(scores):
    rng = np.random.default_rng(0)
    vectors = list(rng.integers(5, size=(3, 10)) / 5.0)
    expected = [spearmanr(vectors[i], vectors[j]).statistic for i, j in ((0, 1), (0, 2), (1, 2))]
    assert scores.stability(vectors) == pytest.approx(np.mean(expected))
    expected = np.corrcoef(vectors)[np.triu_indices(3, 1)].mean()
    assert scores.stability(vectors, ranks=False) == pytest.approx(expected)


def test_stability_is_high_for_exact_zeros_and_low_for_small_unequal_weights(scores):
    exact = [np.array([0.0, 0.0, 0.0, 1.0]), np.array([0.0, 0.0, 0.0, 0.7])]
    assert scores.stability(exact) == pytest.approx(1.0)
    small = [np.array([1e-6, 2e-6, 3e-6, 1.0]), np.array([3e-6, 2e-6, 1e-6, 0.7])]
    assert scores.stability(small) == pytest.approx(0.2)
    assert scores.stability(small, ranks=False) == pytest.approx(1.0)


def test_stability_needs_two_vectors_that_vary(scores):
    assert np.isnan(scores.stability([np.arange(3.0)]))
    assert np.isnan(scores.stability([np.arange(3.0), np.ones(3)]))


# Post-hoc methods


@pytest.fixture
def linear():
    """Return a fitted estimator that predicts a weighted sum of a window's standardized cells."""
    weights = torch.tensor([[[1.0, 0.0], [0.0, -2.0], [0.0, 0.0]]])  # (1, T, F)
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(6, 1, bias=False)).double()
    module[1].weight.data = weights.reshape(1, 6).double()
    scaler = Standardizer(mean=np.array([1.0, 2.0]), scale=np.array([2.0, 0.5]))

    def predict(X):
        with torch.no_grad():
            return module(torch.as_tensor(scaler.transform(X)))[:, 0].numpy()

    return types.SimpleNamespace(
        net_=types.SimpleNamespace(module_=module), _x_scaler=scaler, predict=predict
    )


@pytest.fixture
def two_classes():
    """Return a fitted estimator of two outputs, the standardized values of the first two cells."""
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(6, 2, bias=False)).double()
    module[1].weight.data = torch.eye(2, 6).double()
    scaler = Standardizer(mean=np.zeros(2), scale=np.ones(2))

    def predict(X):
        return X[:, 0, :]

    return types.SimpleNamespace(
        net_=types.SimpleNamespace(module_=module), _x_scaler=scaler, predict=predict
    )


def test_of_several_outputs_the_largest_prediction_of_each_window_is_explained(load, two_classes):
    X = np.random.default_rng(0).normal(size=(20, 3, 2))
    found = load("post_hoc").largest_output(two_classes, X)
    assert found.tolist() == (X[:, 0, 1] > X[:, 0, 0]).astype(int).tolist()
    two_classes.predict = lambda X: X[:, 0, 0]
    assert load("post_hoc").largest_output(two_classes, X).tolist() == [0] * 20


@pytest.mark.filterwarnings("ignore:Input Tensor:UserWarning")
@pytest.mark.parametrize("method", ["integrated gradients", "occlusion"])
def test_attributions_of_a_class_are_those_of_its_output(load, two_classes, method):
    pytest.importorskip("captum", reason="captum comes with the benchmark extra")
    X = np.random.default_rng(0).normal(size=(20, 3, 2))
    found = load("post_hoc").METHODS[method](two_classes, X, None, 0)
    expected = np.zeros_like(X)
    expected[np.arange(20), 0, X[:, 0, :].argmax(axis=1)] = np.abs(X[:, 0, :].max(axis=1))
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.filterwarnings("ignore:Input Tensor:UserWarning")
@pytest.mark.parametrize("method", ["integrated gradients", "occlusion"])
def test_attributions_of_a_linear_model_are_its_terms(load, linear, method):
    pytest.importorskip("captum", reason="captum comes with the benchmark extra")
    X = np.random.default_rng(0).normal(size=(5, 3, 2))
    found = load("post_hoc").METHODS[method](linear, X, None, 0)
    scaled = linear._x_scaler.transform(X)
    expected = np.abs(scaled * np.array([[1.0, 0.0], [0.0, -2.0], [0.0, 0.0]]))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_permutation_importance_finds_the_cells_that_a_model_uses(load, linear):
    X = np.random.default_rng(0).normal(size=(200, 3, 2))
    found = load("post_hoc").METHODS["permutation importance"](linear, X, linear.predict(X), 0)
    assert found.shape == (200, 3, 2)
    np.testing.assert_array_equal(found[0], found[-1])  # the same of every window
    assert sorted(map(tuple, np.argwhere(found[0] > 0))) == [(0, 0), (1, 1)]


# Believability


def test_no_suite_hides_a_task_of_its_name(believability):
    for name, suite in believability.SUITES.items():
        assert name not in believability.TASKS or list(suite) == [name]
    assert len(believability.TASKS) == sum(map(len, believability.SUITES.values()))


def test_every_task_has_a_training_and_a_test_set(believability):
    for name, task in believability.TASKS.items():
        small = task._replace(n_samples=30)
        train, test = believability.sample(small, 30, 20, seed=0)
        assert [len(part[0]) for part in (train, test)] == [30, 20], name
        for X, y, drivers, marked in (train, test):
            assert y.shape == X.shape[:1]
            assert drivers.shape == marked.shape == X.shape
            assert (marked & ~drivers).any() == task.has_markers


def test_markers_are_scored_as_false_excluded_and_as_true(believability):
    cell = np.array([[[0.0, 0.6], [0.3, 0.1]]])
    drivers = np.array([[[False, True], [False, False]]])
    marked = np.array([[[False, True], [True, False]]])
    weights = {"cell": cell, "feature": cell.sum(axis=1)}
    found = believability.scores_of(weights, drivers, marked)
    assert found["cell mass"] == pytest.approx([0.6, 6 / 7, 0.9])
    assert found["cell AUROC"] == [1.0, 1.0, 1.0]
    assert found["feature mass"] == pytest.approx([0.7, 1.0, 1.0])
    assert found["feature AUROC"][0] == 1.0
    assert np.isnan(found["feature AUROC"][1:]).all()  # no feature is false


def test_a_window_with_all_weight_on_markers_has_no_relevance_mass_if_they_are_excluded(
    believability,
):
    cell = np.array([[[0.0, 0.5], [0.4, 0.1]], [[0.0, 0.0], [1.0, 0.0]]])
    drivers = np.array([[[False, True], [False, False]]] * 2)
    marked = np.array([[[False, True], [True, False]]] * 2)
    found = believability.scores_of({"cell": cell}, drivers, marked)
    assert found["cell mass"] == pytest.approx([0.25, 5 / 6, 0.95])


def test_believability_prints_a_row_for_each_mechanism_and_a_verdict_for_each_threshold(
    believability, capsys, tmp_path
):
    default = believability.AttentionLSTMRegressor().attention
    options = {"n-seeds": 2, "n-samples": 60, "n-test": 30, "max-epochs": 1, "seed": 5}
    options |= {"post-hoc": "permutation importance", "out": tmp_path / "fits.jsonl"}
    tasks = ["--tasks", "c", "fn", "noise"]
    mechanisms = ["--attention", *dict.fromkeys(["dense", default])]
    believability.main([*tasks, *mechanisms, "--check", *arguments(options)])
    printed = capsys.readouterr().out
    assert "--seed 5" in printed
    results, verdicts = tables(printed)
    assert len({len(row) for row in results}) == 1
    rows = [row[:3] for row in results[2:]]
    n_mechanisms = len({"dense", default})
    for name, n_modes in (("c", 1), ("fn", 3), ("noise", 3)):
        assert [name, "plain LSTM", "-"] in rows
        assert [name, "permutation importance", "post hoc"] in rows
        assert sum(row[0] == name for row in rows) == 2 + n_modes * n_mechanisms
    assert {row[0] for row in verdicts[2:]} == {"c", "fn", "noise"}
    (threshold,) = [row[1] for row in verdicts[2:] if row[0] == "noise"]  # no driving cells
    assert threshold.startswith("time")
    assert {row[-1] for row in verdicts[2:]} <= {"PASS", "MISS"}

    records = [json.loads(line) for line in (tmp_path / "fits.jsonl").read_text().splitlines()]
    assert len(records) == 2 * len(rows)
    assert all(r["ratio"] > 0 for r in records if r["mode"] != "post hoc")


def perfect_records(believability, task, **changes):
    """Return the records of a default mechanism that meets every threshold."""
    default = believability.AttentionLSTMRegressor().attention
    good = {"R2": 0.98, "ratio": 3.0, "cell AUROC": [1.0] * 3, "cell mass": [0.95] * 3}
    summary = {"cell": [0, 0, 1.0, 0], "feature": [0, 1.0]}
    own = {"task": task, "attention": default, "mode": "both", **good, "summary": summary}
    plain = {"task": task, "attention": "plain LSTM", "mode": "-", "R2": 0.97, "ratio": 1.0}
    rival = {"attention": "occlusion", "mode": "post hoc", "R2": 0.97}
    rival |= {"task": task, "cell AUROC": [0.999] * 3, "summary": summary}
    return [record for seed in (0, 1) for record in (plain, rival, own | changes)]


def verdicts_of(believability, task, **changes):
    groups = believability.grouped(perfect_records(believability, task, **changes))
    default = believability.AttentionLSTMRegressor().attention
    return {
        threshold: passed
        for threshold, _, _, passed in believability.thresholds(task, groups, default)
    }


@pytest.mark.parametrize("task", ["a", "an", "b", "bn"])
def test_a_mechanism_that_meets_all_thresholds_passes(believability, task):
    verdicts = verdicts_of(believability, task)
    assert all(verdicts.values())
    has_markers = task.startswith("b")
    assert len(verdicts) == 3 * (1 + has_markers) + 3


@pytest.mark.parametrize(
    ("task", "changes", "missed"),
    [
        ("a", {"cell AUROC": [0.9895] * 3}, 2),  # the absolute threshold, and that of occlusion
        ("an", {"cell AUROC": [0.96] * 3}, 1),  # occlusion has .999
        ("a", {"cell mass": [0.89] * 3}, 1),
        ("an", {"cell mass": [0.89] * 3}, 0),
        ("b", {"cell mass": [0.5, 1.0, 1.0]}, 0),  # the rest is on the marker
        ("b", {"cell mass": [0.5, 0.5, 1.0]}, 1),
        ("a", {"R2": 0.961}, 0),
        ("a", {"R2": 0.959}, 1),
        ("an", {"R2": 0.97}, 1),  # above, not equal
        ("a", {"ratio": 4.1}, 1),
        ("a", {"cell AUROC": [float("nan")] * 3}, 2),
    ],
)
def test_a_threshold_that_is_not_met_is_missed(believability, task, changes, missed):
    assert sum(not passed for passed in verdicts_of(believability, task, **changes).values()) == (
        missed
    )


# Events


def test_every_task_of_events_has_a_training_and_a_test_set(events):
    for name, task in events.TASKS.items():
        train, test = events.sample(task, 30, 20, seed=0)
        assert [len(part[0]) for part in (train, test)] == [30, 20], name
        for X, y, drivers in (train, test):
            assert y.shape == (len(X), task.n_classes) if task.n_classes else y.shape == (len(X),)
            assert drivers.shape == X.shape
    _, clean, _ = events.sample(events.TASKS["event"], 5000, 1, seed=0)[0]
    _, noisy, _ = events.sample(events.TASKS["event-noise"], 5000, 1, seed=0)[0]
    assert (noisy - clean).var() == pytest.approx(clean.var(), rel=0.05)


def test_the_score_of_classes_is_accuracy_and_that_of_numbers_is_r2(events):
    y = np.eye(4)[[0, 1, 2, 3]]
    predicted = np.eye(4)[[0, 1, 2, 0]] * 0.3
    assert events.score_of(events.TASKS["LowVar"], y, predicted) == 0.75
    numbers = np.array([0.0, 1.0, 2.0])
    assert events.score_of(events.TASKS["event"], numbers, numbers) == 1.0
    assert events.score_of(events.TASKS["event"], numbers, np.full(3, 1.0)) == 0.0


def test_windows_without_true_cells_are_left_out_of_the_scores_of_events(events):
    weights = np.array([[[0.6], [0.3], [0.1]], [[0.2], [0.2], [0.6]], [[1.0], [0.0], [0.0]]])
    drivers = np.array([[[True], [False], [True]], [[False], [False], [True]], [[False]] * 3])
    found = events.attention_scores(weights, drivers)
    # First window: 1 of 1 and 2 of 3 cells are true.
    assert found["AUPRC"] == pytest.approx(np.mean([(1 + 2 / 3) / 2, 1.0]))
    assert found["mass"] == pytest.approx(np.mean([0.7, 0.6]))
    explained = events.attention_scores(weights[:1], drivers)  # post hoc: of the first windows
    assert explained["mass"] == pytest.approx(0.7)


def test_events_prints_a_row_for_each_method_and_a_verdict_for_each_threshold(
    events, capsys, tmp_path
):
    default = events.AttentionLSTMRegressor().attention
    options = {"n-seeds": 2, "n-samples": 60, "n-test": 30, "max-epochs": 1, "seed": 5}
    tasks = ["--tasks", "FreqShapes", "event-noise"]
    out = {"out": tmp_path / "fits.jsonl"}
    events.main([*tasks, "--post-hoc", "--check", *arguments(options | out)])
    results, verdicts = tables(capsys.readouterr().out)
    assert len({len(row) for row in results}) == 1
    methods = [["plain LSTM", "-"], [default, "both"], ["retain", "both"]]
    names = ["FreqShapes", "event-noise"]
    assert [row[:3] for row in results[2:]] == [[name, *m] for name in names for m in methods]
    assert default in verdicts[0][1]
    assert [row[0] for row in verdicts[2:]] == [name for name in names for _ in range(4)]
    assert {row[-1] for row in verdicts[2:]} <= {"PASS", "MISS"}
    records = [json.loads(line) for line in out["out"].read_text().splitlines()]
    assert len(records) == 2 * (len(results) - 2)
    for record in records:
        if record["attention"] != "plain LSTM":
            assert 0 <= record["AUPRC"] <= 1
            assert 0 <= record["mass"] <= 1
        if record["attention"] == default:
            n_cells = 50 if record["task"] == "FreqShapes" else 300
            assert 0 <= record["open gates"] <= n_cells


@pytest.mark.parametrize(
    ("task", "changes", "missed"),
    [
        ("FreqShapes", {}, []),
        ("FreqShapes", {"AUPRC": 0.88}, ["AUPRC"]),
        ("SeqComb-MV", {"AUPRC": 0.77}, []),
        ("event", {"AUPRC": 0.94}, ["AUPRC"]),
        ("event-noise", {"AUPRC": 0.94, "mass": 0.89}, ["mass"]),
        ("LowVar", {"score": 0.955}, []),
        ("LowVar", {"score": 0.945}, ["score"]),
        ("LowVar", {"ratio": 4.1}, ["time"]),
        ("SeqComb-UV", {"AUPRC": float("nan"), "mass": float("nan")}, ["AUPRC", "mass"]),
    ],
)
def test_a_threshold_of_events_is_missed_where_the_median_is_on_its_wrong_side(
    events, task, changes, missed
):
    plain = {"task": task, "score": 0.96}
    own = {**plain, "AUPRC": 0.96, "mass": 0.95, "ratio": 3.0} | changes
    groups = {("plain LSTM", "-"): [plain] * 2, ("bottleneck", "both"): [own] * 2}
    verdicts = list(events.thresholds(task, groups, "bottleneck"))
    assert [v[0].split()[0] for v in verdicts] == ["AUPRC", "mass", "score", "time"]
    assert [threshold.split()[0] for threshold, *_, passed in verdicts if not passed] == missed


# Real data


@pytest.mark.parametrize("name", ["appliances", "pm2.5", "bike sharing + copies"])
def test_windows_of_real_data_hold_the_steps_before_their_target(real_data, name):
    data = real_data.Forecasts(name, seed=0, n_rows=300)
    X, y = data.test
    assert X.shape[1:] == (24, len(data.names))
    # The newest value of the target is the target of the previous window.
    np.testing.assert_array_equal(data.last[1:], y[:-1])
    np.testing.assert_array_equal(X[1:, :-1], X[:-1, 1:])
    assert len(X) == 300 - 23 - int(0.8 * 277)


def test_irrelevant_features_are_the_random_columns_or_permuted_copies(real_data):
    data = real_data.Forecasts("appliances", seed=0, n_rows=100)
    assert [n for n, is_irrelevant in zip(data.names, data.irrelevant, strict=True)
            if is_irrelevant] == ["rv1", "rv2"]  # fmt: skip
    data = real_data.Forecasts("pm2.5 + copies", seed=0, n_rows=200)
    assert data.irrelevant.tolist() == [False] * 11 + [True] * 11
    assert data.names[11] == "pm2.5, permuted"
    plain = real_data.Forecasts("pm2.5", seed=0, n_rows=200)
    np.testing.assert_array_equal(data.test[0][:, :, :11], plain.test[0])
    again = real_data.Forecasts("pm2.5 + copies", seed=0, n_rows=200)
    other = real_data.Forecasts("pm2.5 + copies", seed=1, n_rows=200)
    np.testing.assert_array_equal(data.test[0], again.test[0])
    assert not np.array_equal(data.test[0], other.test[0])


def test_real_data_prints_a_row_for_each_model_and_a_verdict_for_each_threshold(real_data, capsys):
    default = real_data.AttentionLSTMRegressor().attention
    options = {"n-seeds": 2, "n-rows": 400, "max-epochs": 1, "seed": 5}
    sets = ["appliances", "pm2.5", "pm2.5 + copies"]
    mechanisms = ["--attention", *dict.fromkeys(["dense", default])]
    real_data.main(["--sets", *sets, *mechanisms, "--check", *arguments(options)])
    results, verdicts = tables(capsys.readouterr().out)
    assert len({len(row) for row in results}) == 1
    models = ["persistence", "ridge on window", "plain LSTM", *dict.fromkeys(["dense", default])]
    assert [row[:2] for row in results[2:]] == [[name, m] for name in sets for m in models]
    assert [row[0] for row in verdicts[2:]] == [sets[0]] * 3 + [sets[1]] + [sets[2]] * 3
    assert {row[-1] for row in verdicts[2:]} <= {"PASS", "MISS"}


@pytest.mark.parametrize("attention", ATTENTION_MECHANISMS)
def test_a_training_step_of_every_mechanism_can_be_timed(load, attention, monkeypatch):
    mechanisms = load("mechanisms")
    for size in "BTFH":
        monkeypatch.setattr(mechanisms, size, 4)
    for mode in ATTENTION_MECHANISMS[attention]:
        n_parameters, ratio = mechanisms.cost(attention, mode, repeats=1)
        assert n_parameters > 0
        assert ratio > 0


# Skill


@pytest.fixture
def skill(load):
    return load("skill")


@pytest.fixture
def hours(tmp_path):
    """Return the path of a csv file of 400 hours; ``load`` is the number of the hour."""
    frame = pd.DataFrame(
        {"load": np.arange(400.0), "kind": ["a", "b"] * 200, "noise": np.sin(np.arange(400) ** 2)},
        index=pd.date_range("2024-01-01", periods=400, freq="h", name="time"),
    )
    frame.loc[frame.index[[30, 300]], ["load", "noise"]] = np.nan
    frame.to_csv(tmp_path / "hours.csv")
    return tmp_path / "hours.csv"


@pytest.mark.parametrize("horizon", [0, 1, 6, 24])
def test_sets_are_in_time_order_and_hold_no_later_target(skill, hours, horizon):
    options = skill.parse(["--target", "load", "--lookback", "5"])
    data = skill.Forecasts(hours, horizon, options)
    assert data.train[0].shape[1:] == (5, 4)  # load, noise and two kinds
    ends = []
    for X, y, last in (data.train, data.valid, data.test):
        newest = last + (horizon == 0)  # the row of a nowcast has the previous value
        filled = np.isin(newest, [29 + (horizon == 0), 299 + (horizon == 0)])
        np.testing.assert_array_equal(last, X[:, -1, 0])
        assert set((y - newest)[~filled]) == {horizon}
        assert not np.isin(y, [30, 300]).any()  # unknown
        # Forecasts of a set are made when the targets of the sets before it are known.
        assert not ends or newest.min() >= max(ends) - (horizon == 0)
        ends.append(y.max())
    assert ends[0] < 240 <= data.valid[1].min()
    assert ends[1] < 320 <= data.test[1].min()
    assert data.step == 1.0


def test_the_season_is_the_one_of_the_validation_set(skill, hours):
    options = skill.parse(["--target", "load", "--lookback", "5"])
    data = skill.Forecasts(hours, 30, options)
    assert set(data.seasonal) == {24, 168}
    np.testing.assert_array_equal(data.seasonal[24][1], data.test[1] - 48)
    np.testing.assert_array_equal(data.seasonal[168][1], data.test[1] - 168)
    # Persistence is 30 hours old, a day's season 48.
    np.testing.assert_array_equal(skill.BASELINES["seasonal"](data, 0, options), data.test[2])


def test_skill_prints_a_row_for_each_model_and_its_skill_against_the_best_baseline(
    skill, hours, capsys
):
    options = {"seeds": 2, "seed": 5, "max-epochs": 1, "lookback": 5, "csv": hours.parent}
    models = ["persistence", "seasonal", "ridge", "boosting", "plain", "both"]
    chosen = ["--sets", "--target", "load", "--horizons", "1", "6", "--models", *models]
    skill.main([*chosen, "--check", *arguments(options)])
    results, verdicts = tables(capsys.readouterr().out)
    rows = [row[:3] for row in results[2:]]
    assert [[r[0], r[1], r[2].strip("*")] for r in rows] == [
        ["hours", horizon, model] for horizon in ("1", "6") for model in models
    ]
    for block in (results[2:8], results[8:]):
        (best,) = [row for row in block if row[2].startswith("**")]
        assert best[2] in ("**ridge**", "**boosting**")  # the target is a line
        assert float(best[6]) == 0.0
        assert float(block[0][5]) == pytest.approx(1.0 if block[0][1] == "1" else 6.0, abs=0.2)
        assert "±" in block[-1][3]
    assert len(verdicts) == 2 + 4
    assert {row[-1] for row in verdicts[2:]} <= {"PASS", "MISS"}


# Missing values


@pytest.fixture
def missing(load):
    return load("missing")


@pytest.mark.parametrize("pattern", ["cells", "gaps"])
@pytest.mark.parametrize("fraction", [0.1, 0.3, 0.6])
def test_the_stated_fraction_of_the_cells_is_deleted_in_gaps_of_the_stated_length(
    missing, pattern, fraction
):
    deleted = missing.deleted((20_000, 3), fraction, pattern, np.random.default_rng(0))
    np.testing.assert_allclose(deleted.mean(axis=0), fraction, atol=0.03)
    ends = deleted[:-1] & ~deleted[1:]
    length = {"cells": 1 / (1 - fraction), "gaps": missing.MEAN_GAP}[pattern]
    np.testing.assert_allclose(deleted.sum() / ends.sum(), length, rtol=0.1)


def test_imputation_knows_the_training_set_alone(missing):
    X = pd.DataFrame({"a": [1.0, np.nan, 3.0, np.nan], "b": [np.nan, 5.0, np.nan, 7.0]})
    by_mean, filled = (missing.TREATMENTS[how](X, 2) for how in ("mean", "forward fill"))
    assert by_mean["a"].tolist() == [1, 1, 3, 1]
    assert filled["a"].tolist() == [1, 1, 3, 3]
    assert filled["b"].tolist() == [5, 5, 5, 7]


def test_missing_prints_a_row_for_each_fraction_and_a_verdict_for_each_imputation(missing, capsys):
    options = {"n-seeds": 1, "n-rows": 300, "max-epochs": 1, "seed": 5, "attention": "dense"}
    missing.main(["--sets", "pm2.5", "--fractions", "0.2", "0.5", "--check", *arguments(options)])
    results, verdicts = tables(capsys.readouterr().out)
    expected = [["pm2.5", p, f] for p in ("cells", "gaps") for f in ("20%", "50%")]
    assert [row[:3] for row in results[2:]] == expected
    assert [row[0] for row in verdicts[2:]] == ["mean", "forward fill"]
    assert {row[-1] for row in verdicts[2:]} <= {"PASS", "MISS"}


# Intervals


def test_intervals_prints_a_row_for_each_model_and_its_coverage(load, capsys):
    intervals = load("intervals")
    options = {"seeds": 2, "seed": 5, "max-epochs": 1, "lookback": 5, "n-rows": 290}
    intervals.main(["--sets", "gas furnace", "--check", *arguments(options)])
    rows, verdicts = tables(capsys.readouterr().out)
    assert [row[2] for row in rows[2:]] == list(intervals.MODELS)
    of_constant = rows[2]
    assert [float(cell) for cell in of_constant[5:7]] == [1.0, 1.0]
    assert all(
        0 <= float(row[3].split(" ± ")[0]) <= float(row[4].split(" ± ")[0]) <= 1 for row in rows[2:]
    )
    assert {row[-1] for row in verdicts[2:]} <= {"PASS", "MISS"}
    assert len(verdicts) == 2 + 2


def test_the_measures_of_intervals_are_right(load):
    intervals = load("intervals")
    y = np.arange(100.0)
    predicted = np.tile([10.0, 20.0, 50.0, 80.0, 90.0], (100, 1))
    found = intervals.measure(y, predicted)
    assert found["inside 80"] == pytest.approx(0.61)
    assert found["inside 95"] == pytest.approx(0.81)
    assert found["width"] == 60.0
    levels = np.array(intervals.QUANTILES)
    error = y[:, None] - predicted
    assert found["pinball"] == pytest.approx(
        np.maximum(levels * error, (levels - 1) * error).mean()
    )
