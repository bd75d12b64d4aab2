"""Faithfulness: estimators that read known cells, with attention on these or other cells."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joblib import parallel_config
from sklearn.compose import TransformedTargetRegressor
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn.inspection import faithfulness
from sk_tsattn.inspection._bootstrap import resamples
from sk_tsattn.inspection._importances import as_importances, ranks

N, T, F = 150, 5, 4
CELLS = ((1, 0), (3, 2))
CURVES = ["order", "kind", "fraction", "error", "low", "high"]
AREAS = ["area", "low", "high", "difference", "difference_low", "difference_high"]


def windows(n=N):
    return np.random.default_rng(0).normal(size=(n, T, F))


def true_cells(cells=CELLS):
    attention = np.zeros((T, F))
    attention[tuple(np.transpose(cells))] = 1.0
    return attention


def measure(estimator, X, y, **options):
    options = {"random_state": 0, "n_repeats": 3, "n_bootstrap": 200} | options
    return faithfulness(estimator, X, y, **options)


def curve(result, order, kind):
    curves = result.curves
    return curves[(curves["order"] == order) & (curves["kind"] == kind)].set_index("fraction")


@pytest.mark.parametrize("baseline", ["permute", "mean"])
def test_attention_on_the_true_cells_is_faithful_and_its_reverse_is_not(baseline, Reads):
    X, estimator = windows(), Reads(*CELLS)
    y = estimator.predict(X)
    right = measure(estimator, X, y, attention=true_cells(), baseline=baseline).areas
    wrong = measure(estimator, X, y, attention=-true_cells(), baseline=baseline).areas
    for kind, sign in {"comprehensiveness": 1, "sufficiency": -1}.items():
        of_right, of_wrong = (sign * areas.loc[("attention", kind)] for areas in (right, wrong))
        assert of_right["difference"] > 0
        assert min(of_right["difference_low"], of_right["difference_high"]) > 0
        assert max(of_wrong["difference_low"], of_wrong["difference_high"]) < 0
        assert of_right["area"] > sign * right.loc[("random", kind), "area"] > of_wrong["area"]


def test_permutation_importance_finds_the_order_of_the_true_cells(Reads):
    X, estimator = windows(), Reads(*CELLS)
    result = measure(estimator, X, estimator.predict(X), attention=true_cells())
    for kind in ("comprehensiveness", "sufficiency"):
        for column in ("area", "difference"):
            # Both rank the two cells first; the others have no effect.
            found = result.areas.loc[("permutation", kind), column]
            assert found == pytest.approx(result.areas.loc[("attention", kind), column], rel=0.05)


def test_errors_are_those_of_removing_the_true_cells_by_hand(Reads):
    X, estimator = windows(), Reads(*CELLS)
    y = X[:, 1, 0] + X[:, 3, 2]
    result = measure(estimator, X, y, attention=true_cells(), baseline="mean", n_steps=T * F)
    means = X.mean(axis=0)
    removed = ((means[1, 0] + means[3, 2] - y) ** 2).mean()
    deletion = curve(result, "attention", "comprehensiveness")["error"]
    kept = curve(result, "attention", "sufficiency")["error"]
    assert deletion[0.0] == result.error == kept[1.0] == 0
    np.testing.assert_allclose(deletion[deletion.index >= 0.1], removed)
    assert kept[0.0] == pytest.approx(removed)
    assert (kept[kept.index >= 0.1] == 0).all()
    # The error changes within the first two cells, and is constant after them.
    assert 0.9 * removed < result.areas.loc[("attention", "comprehensiveness"), "area"] < removed
    assert 0 < result.areas.loc[("attention", "sufficiency"), "area"] < 0.1 * removed


def test_removed_cells_are_filled_with_the_same_cells_of_another_sample(Reads):
    X = windows()
    X[:] = np.arange(N)[:, None, None] + np.arange(T * F).reshape(T, F) / 1000
    seen = []

    class Watches(Reads):
        def predict(self, X):
            seen.append(X.copy())
            return super().predict(X)

    measure(Watches(*CELLS), X, np.zeros(N), attention=true_cells(), permutation=False)
    whole, *rest = seen
    np.testing.assert_array_equal(whole, X)
    counts = []
    for changed in rest:
        np.testing.assert_allclose(changed % 1, X % 1, atol=1e-9)  # the same cell
        donors = np.floor(changed).reshape(N, -1)
        own = np.arange(N)[:, None]
        assert all(len(set(row[row != i])) <= 1 for i, row in enumerate(donors))  # of one sample
        (count,) = set((donors != own).sum(axis=1))  # as many cells of each, never its own
        counts.append(count)
    assert set(counts) == set(range(2, 21, 2))


@pytest.mark.parametrize("kind", ["comprehensiveness", "sufficiency"])
def test_uniform_attention_equals_the_random_order(kind, Reads):
    X, estimator = windows(), Reads(*CELLS)
    attention = np.full((N, T, F), 1 / (T * F))
    areas = measure(estimator, X, estimator.predict(X), attention=attention).areas
    assert (areas.loc[("attention", kind), AREAS[3:]] == 0).all()
    assert areas.loc[("attention", kind), "area"] == areas.loc[("random", kind), "area"] > 0


def test_attention_of_each_sample_is_followed_sample_by_sample():
    class Switch:
        def predict(self, X):
            return np.where(X[:, 0, 0] > 0, 3 * X[:, 2, 1], 3 * X[:, 4, 3])

    X = windows()
    attention = np.zeros((N, T, F))
    attention[:, 0, 0] = 1
    attention[X[:, 0, 0] > 0, 2, 1] = attention[X[:, 0, 0] <= 0, 4, 3] = 2
    areas = measure(Switch(), X, Switch().predict(X), attention=attention).areas["area"]
    assert areas["attention", "comprehensiveness"] > areas["permutation", "comprehensiveness"]
    assert areas["attention", "sufficiency"] < areas["permutation", "sufficiency"]


@pytest.mark.parametrize(
    ("shape", "over", "n_points"),
    [
        ((N, T, F), "cell", 11),
        ((T, F), "cell", 11),
        ((N, T), "time", T + 1),
        ((T,), "time", T + 1),
        ((N, F), "feature", F + 1),
        ((F,), "feature", F + 1),
        ((1, T, 1), "time", T + 1),
        ((N, 1, F), "feature", F + 1),
    ],
)
def test_importances_of_every_shape_are_accepted(shape, over, n_points, Reads):
    X, estimator = windows(), Reads(*CELLS)
    attention = np.random.default_rng(1).normal(size=shape)
    result = measure(estimator, X, estimator.predict(X), attention=attention)
    assert result.over == over
    assert result.curves.columns.tolist() == CURVES
    assert result.areas.columns.tolist() == AREAS
    assert result.areas.index.names == ["order", "kind"]
    assert len(result.curves) == 3 * 2 * n_points
    assert set(result.curves["order"]) == {"attention", "random", "permutation"}
    assert set(result.curves["kind"]) == {"comprehensiveness", "sufficiency"}
    assert result.curves["fraction"].between(0, 1).all()
    assert (result.curves["low"] <= result.curves["high"]).all()


@given(
    n=st.integers(2, 9),
    t=st.integers(1, 9),
    f=st.integers(1, 9),
    axes=st.sampled_from([(0, 1, 2), (1, 2), (0, 1), (0, 2), (1,), (2,)]),
)
def test_the_axes_of_importances_are_recognised_or_an_error(n, t, f, axes):
    full = (n, t, f)
    values = np.arange(np.prod([full[a] for a in axes]), dtype=float).reshape(
        [full[a] for a in axes]
    )
    expected = values.reshape([full[a] if a in axes else 1 for a in range(3)])
    np.testing.assert_array_equal(as_importances(expected, full), expected)
    try:
        found = as_importances(values, full)
    except ValueError as error:
        assert "may be" in str(error)  # noqa: PT017
        assert len({n, t, f}) < 3
    else:
        np.testing.assert_array_equal(found, expected)


@given(st.integers(1, 6), st.integers(1, 12), st.integers(0, 1000), st.booleans())
def test_ranks_are_a_permutation_with_the_highest_first(n, n_items, seed, tied):
    rng = np.random.default_rng(seed)
    values = rng.integers(2, size=(n, n_items)) if tied else rng.normal(size=(n, n_items))
    found = ranks(values, rng.random((n, n_items)))
    assert (np.sort(found, axis=1) == np.arange(n_items)).all()
    ordered = np.take_along_axis(values, found.argsort(axis=1), axis=1)
    assert (np.diff(ordered, axis=1) <= 0).all()


@given(st.integers(1, 30), st.integers(1, 40), st.integers(0, 1000))
def test_resamples_consist_of_blocks_of_neighbours(n_samples, block_length, seed):
    rng = np.random.default_rng(seed)
    (index,) = resamples(n_samples, 1, block_length, rng)
    assert index.shape == (n_samples,)
    together = np.arange(1, n_samples) % block_length != 0
    assert (np.diff(index)[together] % n_samples == 1 % n_samples).all()


def test_intervals_of_overlapping_windows_are_wider_in_blocks(Reads):
    # Each sample is repeated 10 times, so that there are only 15 independent ones.
    X = np.repeat(windows(15), 10, axis=0)
    estimator = Reads(*CELLS)
    y = estimator.predict(X)
    options = {
        "attention": true_cells(),
        "baseline": "mean",
        "permutation": False,
        "n_bootstrap": 1000,
    }
    alone, blocks = (
        measure(estimator, X, y, block_length=length, **options).areas.loc[
            ("attention", "comprehensiveness")
        ]
        for length in (1, 10)
    )
    assert blocks["high"] - blocks["low"] > 1.5 * (alone["high"] - alone["low"])


def test_the_error_is_minus_the_score(Reads):
    X, estimator = windows(60), Reads(*CELLS)
    y = estimator.predict(X)
    options = {"attention": true_cells(), "n_steps": 4, "n_bootstrap": 20}
    squared = measure(estimator, X, y, **options)
    by_name = measure(estimator, X, y, scoring="neg_mean_squared_error", **options)
    pd.testing.assert_frame_equal(squared.curves, by_name.curves)
    pd.testing.assert_frame_equal(squared.areas, by_name.areas)
    r2 = measure(estimator, X, y, scoring="r2", **options)
    assert r2.error == -1.0
    assert curve(r2, "attention", "comprehensiveness")["error"].iloc[-1] > 0


def test_several_outputs_are_averaged():
    class Both:
        def predict(self, X):
            return np.stack([X[:, 1, 0], X[:, 3, 2]], axis=1)

    X = windows()
    result = measure(Both(), X, Both().predict(X), attention=true_cells())
    assert result.areas.loc[("attention", "comprehensiveness"), "difference_low"] > 0
    assert result.areas.loc[("attention", "sufficiency"), "difference_high"] < 0
    scored = measure(
        Both(),
        X,
        Both().predict(X),
        attention=true_cells(),
        scoring="r2",
        n_steps=2,
        n_bootstrap=10,
    )
    assert scored.error == -1.0


@pytest.mark.parametrize(
    ("mode", "over"), [("both", "cell"), ("time", "time"), ("feature", "feature")]
)
def test_the_attention_is_that_which_the_mode_defines(mode, over):
    X = windows(40)
    y = X[:, -1, 0]
    model = AttentionLSTMRegressor(attention_mode=mode, max_epochs=1, random_state=0).fit(X, y)
    options = {"n_steps": 2, "n_repeats": 1, "n_bootstrap": 10}
    own = measure(model, X, y, **options)
    given_ = measure(model, X, y, attention=model.attention_weights(X)[over], **options)
    assert own.over == over
    pd.testing.assert_frame_equal(own.curves, given_.curves)


def test_attention_is_found_in_pipelines_searches_and_transformed_targets():
    X = windows(40)
    y = X[:, -1, 0]
    model = AttentionLSTMRegressor(max_epochs=1, random_state=0)
    pipeline = Pipeline([("tanh", FunctionTransformer(np.tanh)), ("lstm", model)])
    search = GridSearchCV(pipeline, {"lstm__hidden_size": [4]}, cv=TimeSeriesSplit(2))
    wrapped = TransformedTargetRegressor(search, func=np.arcsinh, inverse_func=np.sinh).fit(X, y)
    inner = wrapped.regressor_.best_estimator_
    attention = inner.named_steps["lstm"].attention_weights(np.tanh(X)).cell
    options = {"n_steps": 2, "n_repeats": 1, "n_bootstrap": 10, "permutation": False}
    found = measure(wrapped, X, y, **options)
    expected = measure(wrapped, X, y, attention=attention, **options)
    pd.testing.assert_frame_equal(found.areas, expected.areas)
    assert found.areas.index.get_level_values("order").unique().tolist() == ["attention", "random"]


def test_results_with_the_same_seed_are_identical_in_parallel(Reads):
    X, estimator = windows(), Reads(*CELLS)
    y = estimator.predict(X)
    X.setflags(write=False)
    with parallel_config(backend="threading"):
        first, again = (
            measure(estimator, X, y, attention=true_cells(), n_jobs=n_jobs) for n_jobs in (None, 2)
        )
    pd.testing.assert_frame_equal(first.curves, again.curves)
    pd.testing.assert_frame_equal(first.areas, again.areas)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "estimator must have attention_weights"),
        ({"attention": np.zeros((2, 2))}, r"shapes \(n, T, F\), .* n=150, T=5, F=4"),
        ({"attention": np.zeros((2, T, F))}, r"Got an array of shape \(2, 5, 4\)"),
        ({"attention": np.full(T, np.nan)}, "attention must be finite"),
        ({"baseline": "zero"}, "baseline must be one of 'permute', 'mean'. Got 'zero'"),
        ({"n_steps": 0}, "n_steps must be an int >= 1"),
        ({"n_repeats": 0}, "n_repeats must be an int >= 1"),
        ({"n_bootstrap": 1.5}, "n_bootstrap must be an int >= 1"),
        ({"block_length": 0}, "block_length must be an int >= 1"),
        ({"confidence": 95}, r"confidence must be a number in \(0, 1\), such as 0.95. Got 95"),
        ({"scoring": ["r2"]}, "call the function once for each scorer"),
    ],
)
def test_a_wrong_parameter_is_an_error_that_lists_valid_values(options, message, Reads):
    with pytest.raises(ValueError, match=message):
        measure(Reads((0, 0)), windows(), np.zeros(N), **options)


def test_an_ambiguous_shape_is_an_error_with_the_unambiguous_one(Reads):
    X = np.zeros((8, 3, 3))
    message = r"may be \(n, T\) or \(n, F\) .* values\[:, :, None\]"
    with pytest.raises(ValueError, match=message):
        measure(Reads((0, 0)), X, np.zeros(8), attention=np.zeros((8, 3)))


def test_rows_without_an_estimator_of_rows_are_an_error_that_names_make_windows(Reads):
    with pytest.raises(ValueError, match="make_windows"):
        measure(Reads((0, 0)), np.zeros((20, 2)), np.zeros(20))


def test_a_target_of_another_length_is_an_error(Reads):
    with pytest.raises(ValueError, match=r"y must have shape \(150,\)"):
        measure(Reads((0, 0)), windows(), np.zeros(3), attention=np.zeros(T))


def test_attention_on_fewer_steps_than_the_windows_is_an_error_with_advice():
    X = windows(30)
    model = AttentionLSTMRegressor(lookback=3, max_epochs=1).fit(X, X[:, -1, 0])
    with pytest.raises(ValueError, match="Cut X to the newest steps"):
        measure(model, X, X[:, -1, 0])
