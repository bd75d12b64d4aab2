"""Fitted attributes and weights of attention, over the registry of mechanisms."""

import joblib
import numpy as np
import pytest

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn.attention import ATTENTION_MECHANISMS, ATTENTION_MODES
from sk_tsattn.attention._kinds import ATTENTION_KINDS
from sk_tsattn.datasets import make_fixed_cells

# Arrays have no time labels: their first rows are predicted from short windows.
pytestmark = pytest.mark.filterwarnings("ignore::sk_tsattn.exceptions.HistoryWarning")

N, T, F = 60, 5, 3
rng = np.random.default_rng(0)
WINDOWS = rng.normal(size=(N, T, F))
TARGET = WINDOWS[:, 2, 1] + 0.1 * rng.normal(size=N)
AXES = {None: [], "time": ["time"], "feature": ["feature"], "both": ["time", "feature", "cell"]}
SHAPES = {"time": (T,), "feature": (F,), "cell": (T, F)}
ATTRIBUTES = {name: kind.attribute for name, kind in ATTENTION_KINDS.items()}
PAIRS = [(name, mode) for name, modes in ATTENTION_MECHANISMS.items() for mode in modes]
every_mechanism = pytest.mark.parametrize(("attention", "mode"), PAIRS)
every_mode = pytest.mark.parametrize("mode", ATTENTION_MODES)


def quick(**changes):
    return AttentionLSTMRegressor(
        **{"hidden_size": 4, "max_epochs": 5, "lr": 0.02, "random_state": 0} | changes
    )


# ------------------------------------------------------------------------------ every sample


@every_mechanism
def test_weights_of_every_sample_are_distributions_of_the_documented_shapes(attention, mode):
    model = quick(attention=attention, attention_mode=mode).fit(WINDOWS, TARGET)
    weights = model.attention_weights(WINDOWS)
    assert sorted(set(weights) - {"gate", "gate_sensitivity"}) == sorted(AXES[mode])
    for axes in AXES[mode]:
        values = weights[axes]
        assert values.shape == (N, *SHAPES[axes])
        assert values.dtype == np.float64
        assert (values >= 0).all()
        np.testing.assert_allclose(values.reshape(N, -1).sum(axis=1), 1)
    if mode == "both":
        np.testing.assert_allclose(weights.cell.sum(axis=2), weights.time)
        np.testing.assert_allclose(weights.cell.sum(axis=1), weights.feature)


@every_mechanism
def test_fitted_attributes_are_means_over_the_training_windows(attention, mode):
    model = quick(attention=attention, attention_mode=mode).fit(WINDOWS, TARGET)
    weights = model.attention_weights(WINDOWS)
    for axes in AXES[mode]:
        values = getattr(model, ATTRIBUTES[axes])
        np.testing.assert_allclose(values, weights[axes].mean(axis=0))
        assert values.shape == SHAPES[axes]
        assert (values >= 0).all()
        assert values.sum() == pytest.approx(1)
    if mode == "both":
        np.testing.assert_allclose(model.attention_.sum(axis=1), model.time_attention_)
        np.testing.assert_allclose(model.attention_.sum(axis=0), model.feature_attention_)


@every_mechanism
def test_rows_with_lookback_have_attention_of_their_windows(attention, mode):
    model = quick(attention=attention, attention_mode=mode, lookback=4, max_epochs=2)
    model.fit(WINDOWS[:, 0], TARGET)
    weights = model.attention_weights(WINDOWS[:, 0])
    for axes in AXES[mode]:
        shape = {"time": (4,), "feature": (F,), "cell": (4, F)}[axes]
        assert weights[axes].shape == (N, *shape)
        # Rows without a complete window were not trained on.
        np.testing.assert_allclose(getattr(model, ATTRIBUTES[axes]), weights[axes][3:].mean(axis=0))


@every_mode
def test_fitted_attributes_are_weighted_by_sample_weight(mode):
    weight = rng.integers(0, 4, size=N)
    model = quick(attention_mode=mode).fit(WINDOWS, TARGET, sample_weight=weight)
    weights = model.attention_weights(WINDOWS)
    for axes in AXES[mode]:
        expected = np.average(weights[axes], axis=0, weights=weight)
        np.testing.assert_allclose(getattr(model, ATTRIBUTES[axes]), expected)


@every_mode
def test_fitted_attributes_exclude_the_validation_set(mode):
    # A mechanism whose weights vary between windows even after little training.
    options = {"early_stopping": True, "validation_fraction": 0.5}
    model = quick(attention_mode=mode, attention="bahdanau", **options).fit(WINDOWS, TARGET)
    weights = model.attention_weights(WINDOWS)
    for axes in AXES[mode]:
        values = getattr(model, ATTRIBUTES[axes])
        np.testing.assert_allclose(values, weights[axes][:30].mean(axis=0))
        assert not np.allclose(values, weights[axes].mean(axis=0), rtol=1e-6)


@every_mode
def test_the_attention_of_a_sample_does_not_depend_on_the_number_of_samples(mode):
    model = quick(attention_mode=mode).fit(WINDOWS, TARGET)
    many = rng.normal(size=(1300, T, F))  # more than two batches
    weights = model.attention_weights(many)
    prediction = model.predict(many)
    for part in (slice(0, 1), slice(500, 530), slice(1290, 1300)):
        few = model.attention_weights(many[part])
        np.testing.assert_allclose(model.predict(many[part]), prediction[part], rtol=1e-9)
        for axes in AXES[mode]:
            np.testing.assert_allclose(few[axes], weights[axes][part], rtol=1e-9)


@every_mode
def test_weights_are_computed_without_dropout(mode):
    model = quick(attention_mode=mode, dropout=0.5, num_layers=2).fit(WINDOWS, TARGET)
    first, second = (model.attention_weights(WINDOWS) for _ in range(2))
    for axes in AXES[mode]:
        np.testing.assert_array_equal(first[axes], second[axes])
    np.testing.assert_array_equal(model.predict(WINDOWS), model.predict(WINDOWS))


@pytest.mark.parametrize("mode", [None, *ATTENTION_MODES])
def test_prediction_and_inspection_do_not_change_the_estimator(mode):
    # On the CPU: hashes depend on the address of a CUDA tensor, which prediction may change.
    model = quick(attention_mode=mode, dropout=0.2, device="cpu").fit(WINDOWS, TARGET)
    before, names = joblib.hash(model), sorted(vars(model))
    model.predict(WINDOWS)
    model.score(WINDOWS, TARGET)
    if mode is not None:
        model.attention_weights(WINDOWS)
    repr(model), model._repr_html_(), dir(model)
    assert sorted(vars(model)) == names
    assert joblib.hash(model) == before


# ------------------------------------------------------------------------------ absent ones


@pytest.mark.parametrize("mode", [None, *ATTENTION_MODES])
def test_an_attribute_that_the_mode_does_not_define_is_an_error_that_names_the_modes(mode):
    model = quick(attention_mode=mode).fit(WINDOWS, TARGET)
    for axes, name in ATTRIBUTES.items():
        if axes in AXES[mode]:
            assert hasattr(model, name)
            continue
        assert not hasattr(model, name)
        assert name not in dir(model)
        with pytest.raises(AttributeError, match=f"no {name}") as caught:
            getattr(model, name)
        assert f"attention_mode={mode!r} has none" in str(caught.value)
        for other, kinds in AXES.items():
            assert (
                f"use attention_mode={other!r}" in str(caught.value).replace(" or ", " use ")
            ) == (axes in kinds)


@pytest.mark.parametrize("name", ATTRIBUTES.values())
def test_before_fit_there_are_no_attention_attributes(name):
    assert not hasattr(AttentionLSTMRegressor(), name)
    with pytest.raises(AttributeError, match=f"no {name}.*not fitted yet; call fit"):
        getattr(AttentionLSTMRegressor(), name)


def test_other_missing_attributes_raise_the_error_of_python():
    with pytest.raises(AttributeError, match=r"'AttentionLSTMRegressor' object has no .* 'colour'"):
        _ = AttentionLSTMRegressor().colour


def test_a_fit_in_another_mode_removes_the_attention_of_the_last_fit():
    model = quick(attention_mode="both").fit(WINDOWS, TARGET)
    model.set_params(attention_mode="time").fit(WINDOWS, TARGET)
    assert hasattr(model, "time_attention_")
    assert not hasattr(model, "attention_")
    assert not hasattr(model, "feature_attention_")
    model.set_params(attention_mode=None).fit(WINDOWS, TARGET)
    assert not hasattr(model, "time_attention_")


def test_attention_weights_of_the_plain_lstm_are_an_error_that_lists_the_modes():
    model = quick(attention_mode=None).fit(WINDOWS, TARGET)
    with pytest.raises(ValueError, match=r"attention_mode=None is the plain LSTM") as caught:
        model.attention_weights(WINDOWS)
    assert all(repr(mode) in str(caught.value) for mode in ATTENTION_MODES)


# ------------------------------------------------------------------------------ wiring


@every_mode
def test_untrained_gates_predict_like_the_plain_lstm(mode):
    # Dense gates start uniform, and are scaled such that uniform attention is the identity.
    options = {"max_epochs": 1, "lr": 1e-300, "attention": "dense", "random_state": 0}
    model = AttentionLSTMRegressor(attention_mode=mode, **options).fit(WINDOWS, TARGET)
    plain = AttentionLSTMRegressor(attention_mode=None, **options).fit(WINDOWS, TARGET)
    for axes in AXES[mode]:
        uniform = np.full(SHAPES[axes], 1 / np.prod(SHAPES[axes]))
        np.testing.assert_allclose(getattr(model, ATTRIBUTES[axes]), uniform)
    state = {
        name: value
        for name, value in model.net_.module_.state_dict().items()
        if not name.startswith("gate")
    }
    plain.net_.module_.load_state_dict(state)
    np.testing.assert_allclose(plain.predict(WINDOWS), model.predict(WINDOWS))


@pytest.mark.parametrize("attention", ["dense", "luong", "bahdanau"])
def test_the_basic_mechanisms_support_every_mode(attention):
    assert set(ATTENTION_MECHANISMS[attention]) == set(ATTENTION_MODES)


def test_position_embedding_is_on_by_default_and_can_be_turned_off():
    on, off = (quick(**o).fit(WINDOWS, TARGET) for o in ({}, {"position_embedding": False}))
    sizes = [sum(p.numel() for p in m.net_.module_.encoder.parameters()) for m in (on, off)]
    assert sizes[0] > sizes[1]
    assert AttentionLSTMRegressor().position_embedding is True


def test_feature_attention_is_highest_on_the_driving_feature():
    X, y, drivers = make_fixed_cells(
        400, n_timesteps=6, n_features=4, cells={(2, 1): 1.0}, random_state=0
    )
    model = quick(attention="dense", attention_mode="feature", hidden_size=16, max_epochs=60).fit(
        X, y
    )
    assert model.feature_attention_.argmax() == 1
    assert np.asarray(drivers).reshape(-1, 6, 4)[0].any(axis=0).argmax() == 1


@pytest.mark.parametrize("option", ["dot", "general"])
def test_attention_params_reach_the_mechanism(option):
    model = quick(attention="luong", attention_params={"score": option}).fit(WINDOWS, TARGET)
    other = {"dot": "general", "general": "dot"}[option]
    different = quick(attention="luong", attention_params={"score": other}).fit(WINDOWS, TARGET)
    assert not np.allclose(model.predict(WINDOWS), different.predict(WINDOWS))
