"""The L0 penalty of the gates and of their gating network, over a training."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sk_tsattn._training._penalty import HIGH_PRICE, prices, set_prices


def test_the_price_rises_linearly_and_falls_geometrically_to_its_low_end(run):
    _, record = run(n_samples=640)
    low, high = prices(640, checked=False)
    rise = [price for phase, price, _ in record if phase == "penalty ramp"]
    fall = [price for phase, price, _ in record if phase == "path"]
    np.testing.assert_allclose(np.diff(rise), np.diff(rise)[0])
    np.testing.assert_allclose(fall, high * (low / high) ** (np.arange(len(fall)) / len(fall)))
    assert all(
        price == 0
        for phase, price, _ in record
        if phase in ("warm-up", "group expansion", "refit", "pruning")
    )


@given(st.integers(1, 10**9))
def test_the_low_price_is_never_above_the_high_one(n_samples):
    low, high = prices(n_samples, checked=False)
    assert 0 < low <= high <= HIGH_PRICE
    assert low >= min(11 / n_samples, HIGH_PRICE)
    assert prices(n_samples, checked=True)[0] <= low


@pytest.mark.parametrize(("left_open", "peak"), [(0.2, 400 / 20_000), (0.3, HIGH_PRICE)])
def test_the_price_rises_higher_with_many_windows_only_while_much_stays_open(run, left_open, peak):
    def measure(phase):
        return 0.5, 1.0 if phase == "warm-up" else left_open

    _, record = run(measure, n_samples=20_000, n_epochs=100)
    assert max(price for phase, price, _ in record if phase == "path") == pytest.approx(peak)
    prices_before = [price for phase, price, _ in record if phase == "penalty ramp"]
    assert (np.diff(prices_before) > 0).all()


@pytest.mark.parametrize(("learnt", "is_low"), [(0.6, False), (0.4, True)])
def test_the_price_falls_to_its_low_end_where_what_was_learnt_is_not_yet_back(run, learnt, is_low):
    phases = {
        "warm-up": (learnt, 1.0),
        "penalty ramp": (1.0, 1.0),
        "path": (0.5, 1.0),
        "candidate refit": (0.5, 1.0),
        "refit": (0.5, 1.0),
    }
    _, record = run(phases.get, n_epochs=200)
    last = [price for phase, price, _ in record if phase == "path"][-1]
    assert (last < 1.1 * prices(640, checked=True)[0]) == is_low


def test_the_price_falls_faster_while_less_than_one_gate_is_open(run):
    low, _ = prices(640, checked=True)
    n_steps = {}
    for openness in (1.0, 0.9):
        phases = {
            "warm-up": (0.4, 1.0),
            "penalty ramp": (1.0, 1.0),
            "path": (0.5, openness),
            "candidate refit": (0.5, openness),
            "refit": (0.5, openness),
        }
        _, record = run(phases.get, n_epochs=200)
        fall = [price for phase, price, _ in record if phase == "path"]
        assert fall[-1] < 1.1 * low
        n_steps[openness] = sum(price > 2 * low for price in fall)
    assert 0 < n_steps[0.9] < 0.6 * n_steps[1.0]


def test_the_price_of_reading_falls_slower_and_never_below_the_low_price():
    gate = torch.nn.Identity()
    for n_samples in (300, 3000, 30_000):
        low, high = prices(n_samples, checked=True)
        set_prices(gate, 0.0, low, high)
        assert (gate.penalty, gate.gating_penalty) == (0.0, 0.0)
        shares = []
        for price in np.geomspace(high, low, 9):
            set_prices(gate, price, low, high)
            assert gate.penalty == price
            assert gate.gating_penalty >= low
            shares.append(gate.gating_penalty / price)
        assert (np.diff(shares) >= 0).all()
