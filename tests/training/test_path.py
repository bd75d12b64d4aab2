"""The path of penalties on a fake network with prescribed losses."""

from collections import Counter
from itertools import groupby

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sk_tsattn._training._path import PHASES, REFIT_STEP_SIZE, STATIC_LOSS, time_fraction
from sk_tsattn._training._selection import NEGLIGIBLE, lowest_penalty

GROUP = [True, True, False, False]
FIRST = [True, False, True, False]


def of_phases(**values):
    """Return a measure that depends on the phase only; ``path`` may be a list of evaluations.

    The last evaluation of the list closes all gates, and is repeated.
    """
    counts, index = Counter(), {}

    def measure(weights):
        value = values[weights.phase.replace("-", "_").replace(" ", "_")]
        if not isinstance(value, list):
            return value
        key = weights.phase, weights.step
        if key not in index:  # weights that are evaluated again have the loss that they had
            index[key] = min(counts[weights.phase], len(value) - 1)
            counts[weights.phase] += 1
        return value[index[key]]

    return measure


CLOSED = (0.9, 0.0)
TYPICAL = {"warm_up": (0.3, 1.0), "path": [(0.25, 0.8), (0.2, 0.5), CLOSED], "refit": (0.15, 0.5)}


def phases_of(taken):
    """Return the phases in their order, each once for each stretch of steps."""
    return [p for n, (p, *_) in enumerate(taken) if n == 0 or taken[n - 1].phase != p]


# ------------------------------------------------------------------------------ the stages


@given(
    st.integers(1, 20),
    st.integers(1, 10),
    st.integers(1, 10**6),
    st.booleans(),
    st.booleans(),
    st.integers(0, 99),
)
def test_a_path_never_exceeds_its_steps_whatever_the_losses(
    run, n_epochs, n_batches, n_samples, validated, can_be_static, seed
):
    numbers = np.random.default_rng(seed)
    path, taken = run(
        lambda weights: (numbers.uniform(0.1, 1), numbers.uniform(), numbers.uniform(0, 0.1)),
        n_epochs=n_epochs,
        n_batches=n_batches,
        n_samples=n_samples,
        validated=validated,
        can_be_static=can_be_static,
        usage=lambda weights: numbers.uniform(size=4).tolist(),
        group=lambda weights: GROUP if seed % 2 else [False] * 4,
    )
    assert len(taken) <= n_epochs * n_batches
    assert len(taken) % n_batches == 0
    assert all(step.penalty >= 0 for step in taken)
    assert all(0 < step.size <= 1 for step in taken)
    stages = [min(PHASES.index(step.phase), PHASES.index("refit")) for step in taken]
    # A refit may follow a group expansion, and a second path the refit of static gates.
    assert stages == sorted(stages) or can_be_static
    assert path.gate.sampled
    assert path.gate.bias.requires_grad
    assert sum(row["selected"] for row in path.table()) <= 1


def test_the_stages_are_in_order_and_the_last_weights_are_refit(run):
    path, taken = run(of_phases(**TYPICAL))
    assert phases_of(taken) == ["warm-up", "path", "refit"]
    assert path.done
    assert path.incumbent.loss == pytest.approx(0.15)
    assert path.network.weights().phase == "refit"


def test_gates_are_sampled_until_the_refit_which_has_no_penalty_and_decreasing_steps(run):
    path, taken = run(of_phases(**TYPICAL))
    before = [step for step in taken if step.phase in ("warm-up", "path")]
    refit = [step for step in taken if step.phase == "refit"]
    assert all(step.sampled and step.size == 1 for step in before)
    assert all(step.penalty == 0 for step in taken if step.phase == "warm-up")
    assert all(not step.sampled and step.penalty == 0 for step in refit)
    assert refit[0].size == REFIT_STEP_SIZE
    assert all(np.diff([step.size for step in refit]) < 0)
    assert all(step.trains_gates for step in taken)
    assert path.incumbent.penalty == 0


@pytest.mark.parametrize("n_iter_no_change", [5, 10])
def test_the_warm_up_ends_when_the_loss_stalls_and_keeps_the_best_weights(run, n_iter_no_change):
    # The loss falls for 10 evaluations, and then no more.
    def measure(weights):
        n = weights.step / path_interval
        return (0.9 if n > 10 else 1.0 - 0.02 * n, 1.0) if weights.phase == "warm-up" else CLOSED

    path_interval = 50
    path, taken = run(measure, n_epochs=1000, n_iter_no_change=n_iter_no_change)
    assert path.interval == path_interval
    n_steps = sum(step.phase == "warm-up" for step in taken)
    best = path.candidates[0]
    assert best.loss < 0.95
    assert n_steps == best.step + n_iter_no_change * path_interval


def test_the_warm_up_ends_with_its_last_weights_if_none_are_better_than_the_null_model(run):
    measure = of_phases(warm_up=(1.3, 1.0), path=(1.2, 0.0))
    path, taken = run(measure)
    n_steps = sum(step.phase == "warm-up" for step in taken)
    assert path.candidates[0].step == n_steps > path.interval


def test_the_skip_connection_is_slowed_once_something_is_learnt_or_else_after_the_warm_up(run):
    slowed = {}
    for loss in (0.1, 0.99):
        path, _ = run(of_phases(**TYPICAL | {"warm_up": (loss, 1.0)}))
        slowed[loss] = path.network.slowed[0], path.interval, path.candidates[0].step
    assert slowed[0.1][0] == slowed[0.1][1]
    assert slowed[0.99][0] == slowed[0.99][2]


# ------------------------------------------------------------------------------ the path


def test_the_penalty_is_geometric_from_the_lowest_one_on(run):
    n_rows = 12
    rows = [(0.2, 0.9 - 0.05 * n) for n in range(n_rows)]
    _, taken = run(of_phases(**TYPICAL | {"warm_up": (0.2, 1.0), "path": [*rows, CLOSED]}))
    penalties = [step.penalty for step in taken if step.phase == "path"]
    assert penalties[0] == lowest_penalty(640, 4)
    ratios = np.array(penalties[1:]) / penalties[:-1]
    np.testing.assert_allclose(ratios, ratios[0])
    assert ratios[0] > 1


def test_the_penalty_stays_while_the_loss_falls(run):
    losses = [0.5, 0.25, 0.12, *[0.12] * 4]
    path, _ = run(
        of_phases(
            **TYPICAL | {"warm_up": (0.9, 1.0), "path": [*((x, 0.9) for x in losses), CLOSED]}
        )
    )
    # Each entry is the penalty at the end of a candidate's steps; that of the warm-up is 0.
    penalty = [row["penalty"] for row in path.table()][1:]
    falls = [losses[n + 1] < losses[n] for n in range(len(losses) - 1)]
    rises = np.diff(penalty)[1 : len(falls)] > 1e-3 * np.array(penalty[1 : len(falls)])
    # The steps of candidate n + 2 have a rising penalty unless the loss fell at candidate n + 1.
    assert rises.tolist() == [not fell for fell in falls[: len(rises)]]


@pytest.mark.parametrize("n_open", [3, 8])
def test_the_path_ends_when_less_than_one_gate_is_open(run, n_open):
    rows = [(0.2, 0.5)] * n_open + [(0.3, 0.2)]  # 0.8 of 4 gates
    path, _ = run(of_phases(**TYPICAL | {"path": rows}))
    assert len(path.candidates) == 1 + n_open + 1


def test_the_table_has_a_row_for_each_candidate_of_which_one_is_selected(run):
    path, _ = run(of_phases(**TYPICAL))
    table = path.table()
    assert list(table[0]) == ["penalty", "valid_loss", "standard_error", "density", "selected"]
    rows = [TYPICAL["warm_up"], *TYPICAL["path"]]
    assert [(row["valid_loss"], row["density"]) for row in table] == [
        (pytest.approx(loss), density) for loss, density in rows
    ]
    assert [row["selected"] for row in table] == [False, False, True, False]
    assert table[0]["penalty"] == 0
    assert table[2]["standard_error"] == 0  # of the difference from the best, which it is


def test_a_training_without_a_path_has_no_table(run):
    path, _ = run(of_phases(**TYPICAL))
    path.candidates = []
    assert path.table() == []


# ------------------------------------------------------------------------------ the null model


@pytest.mark.parametrize(
    ("path_row", "is_better"),
    [((0.9, 0.5, 0.01), True), ((0.9, 0.5, 0.09), False), ((1.0, 0.5, 0.0), False)],
)
def test_all_gates_are_closed_if_no_candidate_is_significantly_better_than_a_constant(
    run, path_row, is_better
):
    rows = {"warm_up": (1.0, 1.0), "path": [path_row, (1.0, 0.0)], "refit": (0.8, 0.5)}
    path, taken = run(of_phases(**rows))
    assert any(path.gate.active.tolist()) == is_better
    assert (phases_of(taken)[-1] == "refit") == is_better
    assert sum(row["selected"] for row in path.table()) == is_better
    assert (path.selected is not None) == is_better


# ------------------------------------------------------------------------------ thresholding


def run_with_use(run, usage, costs, *, refit=(0.2, 0.5), **options):
    """Run with a use of the gates; closing a gate increases the loss by its cost."""

    def measure(weights):
        closed = [cost for cost, active in zip(costs, weights.active, strict=True) if not active]
        loss, density = {"warm-up": (0.3, 1.0), "path": (0.2, 0.5), "refit": refit}[weights.phase]
        is_late = weights.phase == "path" and weights.penalty > 0.5
        loss, density = CLOSED if is_late else (loss, density)
        return loss + sum(closed), density * sum(weights.active) / 4

    return run(measure, usage=lambda weights: usage, **options)[0].gate.active.tolist()


@pytest.mark.parametrize(
    ("usage", "costs", "kept"),
    [
        ((0.9, 0.004, 0.9, 0.0), (1, 0, 1, 0), [True, False, True, False]),
        ((0.9, 0.4, 0.9, 0.0), (1, 0, 1, 0), [True, False, True, False]),  # used, for nothing
        ((0.9, 0.4, 0.9, 0.0), (1, 0.1, 1, 0), [True, True, True, False]),
        ((0.9, 0.004, 0.9, 0.0), (1, 0.1, 1, 0), [True, True, True, True]),
        ((0.9, 0.9, 0.9, 0.9), (0, 0, 0, 0), [True, True, True, True]),
        ((0.0, 0.0, 0.0, 0.0), (0, 0, 0, 0), [True, True, True, True]),  # never all of them
    ],
)
def test_little_used_gates_are_closed_if_that_does_not_increase_the_loss(run, usage, costs, kept):
    assert run_with_use(run, usage, costs) == kept


@pytest.mark.parametrize(("tolerance", "is_closed"), [(0.04, False), (0.06, True)])
def test_thresholding_may_increase_the_loss_by_the_tolerance(run, tolerance, is_closed):
    kept = run_with_use(run, (0.9, 0.3, 0.9, 0.9), (1, 0.01, 1, 1), tolerance=tolerance)
    assert kept == [True, not is_closed, True, True]  # 0.01 is 5 % of the loss


# ------------------------------------------------------------------------------ the refit


@pytest.mark.parametrize(
    ("refit", "kept"),
    [
        ((0.15, 0.5), "refit"),
        ((0.2, 0.5), "refit"),  # as good, and free of noise and penalty
        ((0.25, 0.5, 0.1), "refit"),  # not significantly worse
        ((0.25, 0.5), "path"),
    ],
)
def test_a_refit_is_kept_unless_it_is_worse(run, refit, kept):
    path, _ = run(of_phases(**TYPICAL | {"refit": refit}))
    assert path.network.weights().phase == kept


@pytest.mark.parametrize(
    ("sparser_refit", "is_kept"),
    [
        ((0.014, 0.3), True),
        ((0.0151, 0.3), True),  # within the tolerance
        ((0.019, 0.3), False),
        ((0.019, 0.3, 0.01), True),  # within a standard error
    ],
)
def test_a_sparser_candidate_is_kept_if_it_is_not_worse_after_a_refit(run, sparser_refit, is_kept):
    sparser = 0.02 + 0.5 * NEGLIGIBLE, 0.3  # significantly worse than the best one, negligibly so
    rows = {"warm_up": (0.5, 1.0), "path": [(0.02, 0.5), sparser, CLOSED], "refit": (0.015, 0.5)}
    _, taken = run(of_phases(**rows))
    refits = [
        n for n, step in enumerate(taken) if step.phase == "refit" and step.size == REFIT_STEP_SIZE
    ]
    assert len(refits) == 2
    known = of_phases(**rows)
    path, _ = run(lambda weights: sparser_refit if weights.step > refits[1] else known(weights))
    assert path.selected.density == (0.3 if is_kept else 0.5)
    assert path.incumbent.density == path.selected.density
    assert [row["density"] for row in path.table() if row["selected"]] == [path.selected.density]


# ------------------------------------------------------------------------------ static gates


def run_with_static(run, *, used, static=(0.2, 0.8), other=(0.2, 0.4), **options):
    """Run with these refits of static gates and others; static ones are ``used`` so much."""

    def measure(weights):
        if weights.phase == "warm-up":
            return 0.3, 1.0
        if weights.phase == "path" and weights.penalty > 0.5:
            return CLOSED
        return static if weights.static else other

    path, taken = run(measure, can_be_static=True, usage=lambda weights: [used] * 4, **options)
    return path, phases_of(taken)


def test_static_gates_that_are_open_at_few_steps_are_kept_whatever_others_may_reach(run):
    path, phases = run_with_static(run, used=0.4, other=(0.1, 0.1))
    assert phases == ["warm-up", "path", "refit"]
    assert path.gate.static
    assert path.incumbent.loss == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("other", "is_static"),
    [
        ((0.2, 0.4), False),
        ((0.19, 0.1), False),
        ((0.2, 0.41), True),
        ((0.1, 0.41), True),
        ((0.201, 0.1), True),
    ],
    ids=["half", "better", "not half", "better but not half", "worse"],
)
def test_gates_that_depend_on_the_window_replace_dense_static_ones_if_half_suffice(
    run, other, is_static
):
    path, phases = run_with_static(run, used=0.6, other=other)
    assert phases == ["warm-up", "path", "refit", "path", "refit"]
    assert bool(path.gate.static) == is_static
    assert path.incumbent.density == (0.8 if is_static else other[1])
    selected = [row["density"] for row in path.table() if row["selected"]]
    assert selected == [path.incumbent.density]


def test_if_the_warm_up_cannot_be_made_static_the_gates_depend_on_the_window(run):
    path, taken = run(of_phases(**TYPICAL))
    assert phases_of(taken) == ["warm-up", "path", "refit"]
    assert not path.gate.static


@pytest.mark.parametrize(
    ("gates", "fraction"),
    [
        ([[1, 0], [1, 0], [1, 0], [1, 0]], 1.0),  # one feature at all steps
        ([[1, 0], [0, 0], [0, 0], [0, 1]], 0.25),  # two features, each at a step
        ([[1, 1], [1, 0], [1, 0], [1, 0]], (4 * 1 + 1 * 0.25) / 5),
        ([[0, 0], [0, 0], [0, 0], [0, 0]], 0.0),
        ([[1, 0, 1]], 0.0),  # gates of features
    ],
)
def test_the_fraction_of_steps_is_that_of_the_features_in_use(gates, fraction):
    assert time_fraction(torch.tensor(gates, dtype=torch.float32)) == pytest.approx(fraction)


def test_two_paths_share_the_steps(run):
    _, taken = run(
        lambda weights: (0.3 if weights.phase == "warm-up" else 0.2, 1.0),
        can_be_static=True,
        n_epochs=30,
    )
    lengths = [
        (phase, len(list(steps))) for phase, steps in groupby(taken, lambda step: step.phase)
    ]
    first, second = (n for phase, n in lengths if phase == "path")
    assert 0.5 < first / second < 2


# ------------------------------------------------------------------------------ groups


def run_with_group(run, *, increase=0.02, error=0.0, expanded=0.2, static_cost=0.0):
    """Run with two interchangeable gates, of which one is closed by thresholding."""

    def measure(weights):
        density = sum(weights.active) / 8
        if weights.phase == "path" and weights.penalty > 0.5:
            return CLOSED
        cost = static_cost if weights.static else 0.0
        if weights.is_expanded:
            return expanded, density
        return {"warm-up": 0.4, "path": 0.2, "refit": 0.19}[weights.phase] + cost, density

    path, taken = run(
        measure,
        can_be_static=True,
        usage=lambda weights: [float(is_open) for is_open in FIRST],
        group=lambda weights: GROUP,
        exchange=lambda weights: (increase, error),
    )
    return path, phases_of(taken)


@pytest.mark.parametrize(
    "options", [{}, {"expanded": 0.1}, {"static_cost": 0.01}], ids=["same", "better", "static"]
)
def test_a_group_is_expanded_if_exchanging_its_inputs_costs_little(run, options):
    path, phases = run_with_group(run, **options)
    assert path.gate.active.tolist() == GROUP
    assert phases == ["warm-up", "path", "group expansion"]
    assert path.gate.static
    assert path.network.weights().is_expanded


@pytest.mark.parametrize(
    "options",
    [{"increase": 0.3}, {"error": 0.1}, {"expanded": 0.25}, {"static_cost": 1.1 * STATIC_LOSS}],
    ids=["an exchange costs much", "uncertain", "worse after it", "static gates cost much"],
)
def test_a_group_is_not_expanded_otherwise_and_the_selected_candidate_is_refit(run, options):
    path, phases = run_with_group(run, **options)
    assert path.gate.active.tolist() == FIRST
    assert phases[-1] == "refit"
    assert bool(path.gate.static) == ("static_cost" not in options)
    assert not path.network.weights().is_expanded
    assert path.incumbent.loss == pytest.approx(0.19)


# ------------------------------------------------------------------------------ no validation set


def test_without_a_validation_set_all_steps_are_used_in_fixed_fractions(run):
    measures = of_phases(**TYPICAL), of_phases(**TYPICAL | {"warm_up": (0.001, 1.0)})
    counts = []
    for measure in measures:
        _, taken = run(measure, validated=False, n_epochs=60)
        assert len(taken) == 60 * 10
        counts.append(sum(step.phase == "warm-up" for step in taken))
    assert counts[0] == counts[1] < 300


def test_without_a_validation_set_gates_do_not_change_in_the_refit_whose_last_weights_are_kept(run):
    path, taken = run(of_phases(**TYPICAL | {"refit": (0.9, 0.5)}), validated=False)
    assert {step.trains_gates for step in taken if step.phase == "refit"} == {False}
    assert {step.trains_gates for step in taken if step.phase != "refit"} == {True}
    assert path.incumbent.step == len(taken)
    assert path.gate.bias.requires_grad


def test_without_a_validation_set_the_penalty_falls_and_the_last_candidate_is_selected(run):
    rows = [CLOSED, (0.5, 0.5), (0.9, 1.0)]
    path, _ = run(of_phases(**TYPICAL | {"path": rows}), validated=False)
    penalties = [candidate.penalty for candidate in path.candidates[1:]]
    assert penalties == sorted(penalties, reverse=True)
    assert penalties[-1] >= lowest_penalty(640, 4)
    assert path.selected is path.candidates[-1]
