"""The L0 penalty of the gates and of the gating network during training."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sk_tsattn._training._penalty import MAX_PENALTY, gating_penalty, penalty_range


def test_the_penalty_rises_linearly_and_decreases_geometrically_to_its_lowest_value(run):
    _, record = run(n_samples=640)
    low, high = penalty_range(640, validated=False)
    ramp = [penalty for phase, penalty, _ in record if phase == "penalty ramp"]
    path = [penalty for phase, penalty, _ in record if phase == "path"]
    np.testing.assert_allclose(np.diff(ramp), np.diff(ramp)[0])
    np.testing.assert_allclose(path, high * (low / high) ** (np.arange(len(path)) / len(path)))
    assert all(
        penalty == 0
        for phase, penalty, _ in record
        if phase in ("warm-up", "group expansion", "refit", "pruning")
    )


@given(st.integers(1, 10**9))
def test_the_lowest_penalty_is_never_above_the_highest(n_samples):
    low, high = penalty_range(n_samples, validated=False)
    assert 0 < low <= high <= MAX_PENALTY
    assert low >= min(11 / n_samples, MAX_PENALTY)
    assert penalty_range(n_samples, validated=True)[0] <= low


@pytest.mark.parametrize(("density", "peak"), [(0.2, 400 / 20_000), (0.3, MAX_PENALTY)])
def test_the_penalty_rises_further_only_while_gates_stay_dense(run, density, peak):
    def measure(phase):
        return 0.5, 1.0 if phase == "warm-up" else density

    _, record = run(measure, n_samples=20_000, n_epochs=100)
    assert max(penalty for phase, penalty, _ in record if phase == "path") == pytest.approx(peak)
    ramp = [penalty for phase, penalty, _ in record if phase == "penalty ramp"]
    assert (np.diff(ramp) > 0).all()


@pytest.mark.parametrize(("warm_up_loss", "is_low"), [(0.6, False), (0.4, True)])
def test_the_path_ends_early_only_if_the_loss_of_the_warm_up_is_reached(run, warm_up_loss, is_low):
    phases = {
        "warm-up": (warm_up_loss, 1.0),
        "penalty ramp": (1.0, 1.0),
        "path": (0.5, 1.0),
        "candidate refit": (0.5, 1.0),
        "refit": (0.5, 1.0),
    }
    _, record = run(phases.get, n_epochs=200)
    last = [penalty for phase, penalty, _ in record if phase == "path"][-1]
    assert (last < 1.1 * penalty_range(640, validated=True)[0]) == is_low


def test_the_penalty_decreases_faster_while_the_gates_sum_to_less_than_one(run):
    low, _ = penalty_range(640, validated=True)
    n_steps = {}
    for density in (1.0, 0.9):
        phases = {
            "warm-up": (0.4, 1.0),
            "penalty ramp": (1.0, 1.0),
            "path": (0.5, density),
            "candidate refit": (0.5, density),
            "refit": (0.5, density),
        }
        _, record = run(phases.get, n_epochs=200)
        path = [penalty for phase, penalty, _ in record if phase == "path"]
        assert path[-1] < 1.1 * low
        n_steps[density] = sum(penalty > 2 * low for penalty in path)
    assert 0 < n_steps[0.9] < 0.6 * n_steps[1.0]


def test_the_penalty_of_inputs_decreases_more_slowly_and_not_below_the_lowest():
    for n_samples in (300, 3000, 30_000):
        low, high = penalty_range(n_samples, validated=True)
        assert gating_penalty(0.0, low, high) == 0.0
        ratios = []
        for penalty in np.geomspace(high, low, 9):
            of_input = gating_penalty(penalty, low, high)
            assert of_input >= low
            ratios.append(of_input / penalty)
        assert (np.diff(ratios) >= 0).all()
