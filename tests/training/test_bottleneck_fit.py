"""The default attention, fitted to synthetic data with known drivers."""

import numpy as np
import pytest
from sklearn.metrics import mean_squared_error

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn._training import _path
from sk_tsattn._training._path import PHASES, PenaltyPath
from sk_tsattn._training._selection import lowest_penalty
from sk_tsattn.datasets import make_fixed_cells, make_marked_cell, make_switch

rng = np.random.default_rng(0)


def fitted(generator=make_fixed_cells, *, n_samples=600, noise=0.1, seed=0, **options):
    X, y, drivers = generator(
        n_samples, n_timesteps=8, n_features=4, noise=noise, random_state=seed
    )
    model = AttentionLSTMRegressor(hidden_size=16, random_state=seed, **options).fit(X, y)
    return model, X, y, drivers


@pytest.mark.parametrize("early_stopping", [True, False])
def test_attention_is_on_the_cells_that_drive_the_target(early_stopping):
    model, X, y, drivers = fitted(early_stopping=early_stopping)
    cell = model.attention_weights(X).cell
    assert (cell * drivers).sum(axis=(1, 2)).mean() > 0.75  # uniform would be .06
    assert model.gates_[~drivers[0]].mean() < 0.05
    assert model.gates_[drivers[0]].min() > 0.9
    assert model.score(X, y) > 0.9


def test_irrelevant_gates_close_if_the_target_has_no_noise():
    model, X, y, drivers = fitted(noise=0.0)
    assert model.score(X, y) > 0.99
    assert model.gates_[~drivers[0]].mean() < 0.05
    assert model.gates_[drivers[0]].min() > 0.9


@pytest.mark.parametrize(("mode", "axis"), [("time", 1), ("feature", 0)])
def test_steps_and_features_that_drive_the_target_are_found(mode, axis):
    model, _, _, drivers = fitted(attention_mode=mode, n_samples=2000)
    true = drivers[0].any(axis=axis)
    attention = getattr(model, f"{mode}_attention_")
    assert attention[true].sum() > 0.9
    assert model.gates_.shape == attention.shape


def test_attention_follows_the_cell_that_another_feature_marks():
    model, X, y, drivers = fitted(make_marked_cell, n_samples=1500)
    weights = model.attention_weights(X)
    _, _, with_markers = make_marked_cell(
        1500, n_timesteps=8, n_features=4, random_state=0, count_markers=True
    )
    assert (weights.cell * with_markers).sum(axis=(1, 2)).mean() > 0.8
    # Feature 2 is the marker, and receives attention too.
    assert (weights.cell * (with_markers & ~drivers)).sum(axis=(1, 2)).mean() > 0.3
    assert (
        np.delete(model.gate_sensitivity_, 2, axis=1).sum()
        < 0.1 * model.gate_sensitivity_[:, 2].sum()
    )
    chance = 1 / 8
    assert (weights.gate * drivers).sum(axis=(1, 2)).mean() > 4 * chance
    assert model.score(X, y) > 0.8


def test_a_switch_has_attention_though_its_own_gate_is_closed():
    model, X, y, _ = fitted(make_switch, n_samples=2000)
    weights = model.attention_weights(X)
    assert model.score(X, y) > 0.8
    assert model.gate_sensitivity_[-1, 0] > 0.5
    assert weights.cell[:, -1, 0].mean() > 0.1  # one of six relevant cells
    assert np.unravel_index(model.gate_sensitivity_.argmax(), (8, 4)) == (7, 0)
    # Flipping the switch moves the attention to the other feature.
    flipped = X.copy()
    flipped[:, -1, 0] *= -1
    other = model.attention_weights(flipped)
    certain = np.abs(X[:, -1, 0]) > 0.3
    is_on = X[certain, -1, 0] > 0
    for feature, chosen in ((1, is_on), (2, ~is_on)):
        before, after = (w.feature[certain, feature] for w in (weights, other))
        assert (before > after)[chosen].mean() > 0.9
        assert (before < after)[~chosen].mean() > 0.9


def test_where_nothing_can_be_learnt_the_gates_are_closed():
    X, noise = rng.normal(size=(600, 8, 4)), rng.normal(size=600)
    model = AttentionLSTMRegressor(hidden_size=16, random_state=0).fit(X, noise)
    assert model.gates_.sum() < 1
    predictable = fitted()[0]
    assert predictable.gates_.sum() > 1.9


def test_a_noisy_target_is_predicted_better_than_by_the_plain_lstm():
    options = {"n_timesteps": 12, "n_features": 6, "noise": 1.0, "random_state": 3}
    X, y, _ = make_fixed_cells(2000, **options)
    scores = {
        mode: AttentionLSTMRegressor(attention_mode=mode, random_state=0)
        .fit(X[:800], y[:800])
        .score(X[800:], y[800:])
        for mode in ("both", None)
    }
    assert scores["both"] > scores[None] + 0.05


def test_feature_attention_is_stable_across_seeds():
    importances = [fitted(seed=0, n_samples=600)[0].feature_attention_]
    X, y, _ = make_fixed_cells(600, n_timesteps=8, n_features=4, random_state=0)
    importances += [
        AttentionLSTMRegressor(hidden_size=16, random_state=seed).fit(X, y).feature_attention_
        for seed in (1, 2)
    ]
    for other in importances[1:]:
        np.testing.assert_allclose(other, importances[0], atol=0.05)


def test_attention_does_not_depend_on_the_units_of_the_inputs():
    X, y, _ = make_fixed_cells(600, n_timesteps=8, n_features=4, random_state=0)
    raw = X * np.array([1e-4, 1.0, 1e3, 1e5]) + np.array([0, 5, -100, 1e6])
    options = {"hidden_size": 16, "random_state": 0}
    one = AttentionLSTMRegressor(**options).fit(X, y)
    other = AttentionLSTMRegressor(**options).fit(raw, 1000 * y + 7)
    np.testing.assert_allclose(other.attention_, one.attention_, atol=0.02)


def test_history_has_the_phase_and_the_penalty_of_every_epoch():
    model, _, _, _ = fitted()
    history = model.history_
    phases = list(history.phase.unique())
    assert phases == list(PHASES[:3])
    assert (history.penalty[history.phase == "warm-up"] == 0).all()
    assert (history.penalty[history.phase == "path"] > 0).all()
    plain = AttentionLSTMRegressor(attention_mode=None, max_epochs=2).fit(
        rng.normal(size=(60, 4, 2)), rng.normal(size=60)
    )
    assert "phase" not in plain.history_


def test_the_weights_are_those_of_the_incumbent(monkeypatch):
    X, y, _ = make_fixed_cells(800, n_timesteps=8, n_features=4, random_state=0)
    paths = []

    def finish(path, finish=PenaltyPath.finish):
        paths.append(path)
        finish(path)

    monkeypatch.setattr(PenaltyPath, "finish", finish)
    monkeypatch.setattr(_path, "AVERAGE_STEPS", 1)
    # One batch an epoch: an evaluation is then at the end of an epoch, whose loss is recorded.
    model = AttentionLSTMRegressor(hidden_size=16, random_state=0, batch_size=600)
    model.fit(X[:600], y[:600], X_val=X[600:], y_val=y[600:])
    incumbent = paths[0].incumbent
    error = mean_squared_error(y[600:], model.predict(X[600:])) / y[:600].var()
    assert error == pytest.approx(incumbent.loss, rel=1e-3)
    assert model.n_iter_ == incumbent.epoch
    candidates = paths[0].candidates[:-1]  # after the last one, weights are restored
    assert len(candidates) > 5
    recorded = model.history_.valid_loss[[candidate.epoch - 1 for candidate in candidates]]
    np.testing.assert_allclose(recorded, [other.loss for other in candidates], rtol=1e-3)


def test_a_greater_tolerance_never_yields_denser_gates():
    options = {"generator": make_marked_cell, "noise": 1.0, "early_stopping": True}
    totals = [
        fitted(attention_params={"tolerance": tolerance}, **options)[0].gates_.sum()
        for tolerance in (0.0, 0.1)
    ]
    assert totals[1] <= totals[0] * 1.02


def test_a_weight_of_k_equals_k_copies_in_distribution():
    n_windows, n_seeds = 100, 16  # of fewer windows, all gates are closed
    X = np.random.default_rng(0).normal(size=(n_windows, 3, 2))  # independent of the tests before
    weight = np.repeat([1, 3], n_windows // 2)
    # The weights decide which of the two is fitted.
    y = np.where(weight == 1, X[:, 1, 0], -X[:, 1, 0])
    predictions = {"weighted": [], "copied": [], "unweighted": []}
    for seed in range(n_seeds):
        model = AttentionLSTMRegressor(
            hidden_size=4, max_epochs=30, lr=0.02, batch_size=500, random_state=seed
        )
        predictions["weighted"].append(model.fit(X, y, sample_weight=weight).predict(X))
        copied = model.fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
        predictions["copied"].append(copied.predict(X))
        predictions["unweighted"].append(model.fit(X, y).predict(X))
    means = {name: np.mean(p, axis=0) for name, p in predictions.items()}
    difference = np.array(predictions["weighted"]) - predictions["copied"]
    error = difference.std(axis=0, ddof=1) / np.sqrt(n_seeds)  # of the mean
    z = (means["weighted"] - means["copied"]) / error
    assert np.sqrt((z**2).mean()) < 2.5
    # The test has power: without the weights the predictions differ.
    other = means["unweighted"] - means["copied"]
    assert np.sqrt((other**2).mean()) > 2 * np.sqrt(
        ((means["weighted"] - means["copied"]) ** 2).mean()
    )


def test_partial_fit_samples_gates_at_the_lowest_penalty_and_learns():
    X, y, _ = make_fixed_cells(600, n_timesteps=8, n_features=4, random_state=0)
    model = AttentionLSTMRegressor(hidden_size=16, random_state=0, lr=0.01)
    for _ in range(60):
        model.partial_fit(X, y)
    assert model.score(X, y) > 0.8
    assert model.net_.module_.gate.penalty == lowest_penalty(600, 32)
    assert "phase" not in model.history_


def test_warm_start_runs_the_phases_again():
    X, y, _ = make_fixed_cells(300, n_timesteps=8, n_features=4, random_state=0)
    model = AttentionLSTMRegressor(max_epochs=20, warm_start=True, random_state=0).fit(X, y)
    model.fit(X, y)
    phases = model.history_.phase
    assert len(phases) == model.n_iter_ == 40
    assert list(phases[:20]) == list(phases[20:])


def test_other_mechanisms_have_no_gate_attributes():
    X, y = rng.normal(size=(30, 4, 2)), rng.normal(size=30)
    for options in ({"attention": "bahdanau"}, {"attention_mode": None}):
        model = AttentionLSTMRegressor(max_epochs=1, **options).fit(X, y)
        for name in ("gates_", "gate_sensitivity_"):
            with pytest.raises(AttributeError, match=rf"has no {name}: .*attention='bottleneck'"):
                getattr(model, name)
