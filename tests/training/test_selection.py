"""Selection of a candidate of a path of penalties: tables of losses, no network."""

import dataclasses
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sk_tsattn._training._selection import (
    ERRORS,
    NEGLIGIBLE,
    NULL_ERRORS,
    Evaluation,
    is_better_than_null,
    lowest_penalty,
    mean_evaluation,
    select,
    select_negligibly_worse,
)


def losses_of(*losses, weight=None, density=0.5):
    """Return an evaluation with these losses of single windows."""
    weight = [1.0] * len(losses) if weight is None else weight
    losses, weight = (torch.tensor(values, dtype=torch.float64) for values in (losses, weight))
    return Evaluation(losses, weight, density)


@st.composite
def paths(draw):
    """Draw 2 to 6 candidates on common windows, and their weights."""
    n = draw(st.integers(2, 8))
    weight = draw(st.lists(st.floats(0.1, 10), min_size=n, max_size=n))
    losses = st.lists(st.floats(0.01, 10), min_size=n, max_size=n)
    candidate = st.builds(
        lambda losses, density: losses_of(*losses, weight=weight, density=density),
        losses,
        st.floats(0, 1),
    )
    return draw(st.lists(candidate, min_size=2, max_size=6))


def transformed(candidates, *, shift=0.0, scale=1.0, weight_scale=1.0):
    return [
        dataclasses.replace(c, losses=scale * c.losses + shift, weight=weight_scale * c.weight)
        for c in candidates
    ]


def index(candidates, selected):
    return [candidate is selected for candidate in candidates].index(True)


# ------------------------------------------------------------------------------ differences


def test_the_loss_is_the_weighted_mean():
    assert losses_of(1.0, 2.0, 6.0, weight=[3.0, 2.0, 1.0]).loss == pytest.approx(13 / 6)


def test_differences_are_paired():
    one, other = losses_of(1.0, 5.0, 9.0), losses_of(0.9, 4.9, 8.9)
    assert one.difference(other) == (pytest.approx(0.1), pytest.approx(0.0, abs=1e-12))
    assert not one.is_not_worse(other, tolerance=0.0)  # surely worse, though the losses vary a lot


def test_the_standard_error_of_a_difference_is_that_of_a_weighted_mean():
    one, other = losses_of(1.0, 2.0, 3.0, 6.0), losses_of(1.0, 1.0, 1.0, 1.0)
    mean, error = one.difference(other)  # 0, 1, 2, 5
    assert mean == pytest.approx(2.0)
    assert error == pytest.approx(math.sqrt(4 + 1 + 0 + 9) / 4)
    weight = [1.0, 2.0, 3.0, 4.0]
    weighted = losses_of(1.0, 2.0, 3.0, 6.0, weight=weight)
    mean, error = weighted.difference(losses_of(1.0, 1.0, 1.0, 1.0, weight=weight))
    assert mean == pytest.approx(2.8)
    squares = [(w * (d - 2.8)) ** 2 for w, d in zip(weight, (0, 1, 2, 5), strict=True)]
    assert error == pytest.approx(math.sqrt(sum(squares)) / 10)


def test_windows_of_weight_zero_have_no_influence():
    one = losses_of(1.0, 2.0, 99.0, weight=[1.0, 2.0, 0.0])
    other = losses_of(2.0, 1.0, 0.0, weight=[1.0, 2.0, 0.0])
    kept = losses_of(1.0, 2.0, weight=[1.0, 2.0]), losses_of(2.0, 1.0, weight=[1.0, 2.0])
    assert one.difference(other) == pytest.approx(kept[0].difference(kept[1]))


def test_a_mean_evaluation_has_the_mean_loss_of_each_window():
    mean = mean_evaluation([losses_of(1.0, 2.0), losses_of(3.0, 8.0)])
    assert mean.losses.tolist() == [2.0, 5.0]
    assert mean.loss == 3.5


# ------------------------------------------------------------------------------ selection


@pytest.mark.parametrize(
    ("difference", "error", "tolerance", "is_not_worse"),
    [
        (0.9 * ERRORS, 1.0, 0.0, True),
        (1.1 * ERRORS, 1.0, 0.0, False),
        (1.1 * ERRORS, 1.0, 0.5, True),  # half of the loss 10
        (0.09, 0.0, 0.01, True),
        (0.11, 0.0, 0.01, False),
        (-5.0, 0.0, 0.0, True),
    ],
)
def test_a_candidate_is_not_worse_within_a_standard_error_or_within_the_tolerance(
    evaluation_of, difference, error, tolerance, is_not_worse
):
    best = evaluation_of(10.0, 0.9)
    candidate = evaluation_of(10.0 + difference, 0.1, error)
    assert candidate.is_not_worse(best, tolerance) == is_not_worse
    selected = select([best, candidate], tolerance)
    assert selected is (candidate if is_not_worse else best)


@pytest.mark.parametrize(("n_errors", "is_not_worse"), [(1.9, False), (2.1, True)])
def test_the_number_of_standard_errors_can_be_chosen(evaluation_of, n_errors, is_not_worse):
    candidate = evaluation_of(1.2, error=0.1)
    assert candidate.is_not_worse(evaluation_of(1.0), 0.0, n_errors) == is_not_worse


@pytest.mark.parametrize(
    ("tolerance", "density"), [(0.0, 0.5), (0.01, 0.35), (0.1, 0.3), (2.0, 0.1)]
)
def test_the_sparsest_candidate_within_the_tolerance_is_selected(evaluation_of, tolerance, density):
    table = [(0.5, 0.1), (0.2, 0.5), (0.21, 0.3), (0.201, 0.35), (0.25, 0.8)]
    candidates = [evaluation_of(*row) for row in table]
    assert select(candidates, tolerance).density == density


@given(paths(), st.floats(0, 0.5))
def test_the_selected_candidate_is_not_worse_and_never_denser_than_the_best(candidates, tolerance):
    selected = select(candidates, tolerance)
    best = min(candidates, key=lambda candidate: candidate.loss)
    not_worse = [c for c in candidates if c.is_not_worse(best, tolerance)]
    assert any(selected is candidate for candidate in not_worse)
    assert selected.density == min(candidate.density for candidate in not_worse)
    assert selected.density <= best.density


@given(paths(), st.floats(0, 0.2), st.floats(0, 0.3))
def test_a_greater_tolerance_never_selects_a_denser_candidate(candidates, tolerance, more):
    assert select(candidates, tolerance + more).density <= select(candidates, tolerance).density


# Powers of two: the results are the same to the last bit.
scales = st.sampled_from([2.0**-10, 0.5, 4.0, 2.0**10])


@given(paths(), st.floats(0, 0.5), scales, scales)
def test_units_of_losses_and_weights_have_no_influence(candidates, tolerance, scale, weight_scale):
    others = transformed(candidates, scale=scale, weight_scale=weight_scale)
    selected = [index(c, select(c, tolerance)) for c in (candidates, others)]
    assert selected[0] == selected[1]
    negligible = [
        index(c, select_negligibly_worse(c, c[0], c[1]))
        for c in (candidates, transformed(candidates, scale=scale, weight_scale=weight_scale))
    ]
    assert negligible[0] == negligible[1]
    assert is_better_than_null(*candidates[:2]) == is_better_than_null(*others[:2])


@given(st.integers(-20, 20), st.integers(0, 20), st.integers(-30, 30))
def test_a_loss_that_all_candidates_share_has_no_influence_without_a_tolerance(
    difference, spread, shift
):
    # Integers: the results are the same to the last bit.
    candidates = [
        losses_of(40.0, 40.0, 40.0, 40.0, density=0.9),
        losses_of(*(40.0 + difference + s * spread for s in (-1, 1, -1, 1)), density=0.1),
    ]
    others = transformed(candidates, shift=float(shift))
    assert index(candidates, select(candidates, 0.0)) == index(others, select(others, 0.0))
    assert is_better_than_null(*candidates) == is_better_than_null(*others)


# ------------------------------------------------------------------------------ the null model


@pytest.mark.parametrize(
    ("difference", "error", "is_better"),
    [
        (-1.1 * NULL_ERRORS, 1.0, True),
        (-0.9 * NULL_ERRORS, 1.0, False),
        (1.1 * NULL_ERRORS, 1.0, False),
        (-0.001, 0.0, True),
        (0.0, 0.0, False),
        (0.0, 1.0, False),
    ],
)
def test_a_candidate_must_be_significantly_better_than_the_null_model(
    evaluation_of, difference, error, is_better
):
    null = evaluation_of(100.0, 0.0)
    assert is_better_than_null(evaluation_of(100.0 + difference, error=error), null) == is_better


def test_the_null_test_is_weighted():
    better_in_the_first = (0.1, 0.1, 0.1, 2.9), (1.0, 1.1, 0.9, 1.0)
    for weight, is_better in (([1, 1, 1, 1e-3], True), ([1e-3, 1e-3, 1e-3, 1], False)):
        candidate, null = (losses_of(*losses, weight=weight) for losses in better_in_the_first)
        assert is_better_than_null(candidate, null) == is_better


# ------------------------------------------------------------------------------ a sparser one


@pytest.mark.parametrize(("fraction", "is_negligible"), [(0.9, True), (1.1, False)])
@pytest.mark.parametrize("null_loss", [1.0, 20.0])
def test_a_negligible_difference_is_a_fraction_of_the_null_loss(
    evaluation_of, fraction, is_negligible, null_loss
):
    null, selected = evaluation_of(null_loss, 0.0), evaluation_of(0.2, 0.5)
    sparser = evaluation_of(0.2 + fraction * NEGLIGIBLE * null_loss, 0.3)
    chosen = select_negligibly_worse([selected, sparser], selected, null)
    assert chosen is (sparser if is_negligible else selected)


def test_the_negligibly_worse_candidate_is_the_selected_one_if_no_other_is_sparser(evaluation_of):
    selected = evaluation_of(0.3, 0.2, 0.2)  # within a standard error, not negligibly worse
    candidates = [evaluation_of(0.2, 0.5), selected, evaluation_of(0.2001, 0.4)]
    assert select(candidates, 0.0) is selected
    assert select_negligibly_worse(candidates, selected, evaluation_of(1.0, 0.0)) is selected


@given(paths(), st.floats(0, 0.5), st.floats(0.1, 10))
def test_the_negligibly_worse_candidate_is_never_denser(evaluation_of, candidates, tolerance, null):
    selected = select(candidates, tolerance)
    other = select_negligibly_worse(candidates, selected, evaluation_of(null, 0.0))
    assert other.density <= selected.density
    lowest = min(candidate.loss for candidate in candidates)
    assert other is selected or other.loss <= lowest + NEGLIGIBLE * null


# ------------------------------------------------------------------------------ extended BIC


def test_the_lowest_penalty_is_that_of_the_extended_bic():
    n, p, gamma = 500, 40, 0.5
    ebic = [k * math.log(n) + 2 * gamma * k * math.log(p) for k in (3, 4)]
    assert lowest_penalty(n, p) == pytest.approx((ebic[1] - ebic[0]) / n)


@given(st.integers(0, 10**7), st.integers(1, 10**5))
def test_the_lowest_penalty_is_a_fraction_that_falls_with_the_number_of_windows(n, p):
    assert 0 <= lowest_penalty(n, p) <= 1
    assert lowest_penalty(n, p) <= lowest_penalty(n, 2 * p)
    if n > 2:  # log n / n rises before e
        assert lowest_penalty(2 * n, p) <= lowest_penalty(n, p)
