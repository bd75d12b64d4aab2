"""The stages of the training of sparse gates, and how long they take."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sk_tsattn._training._evaluation import Evaluation
from sk_tsattn._training._penalty import MAX_PENALTY


def random_measure(seed):
    numbers = np.random.default_rng(seed)
    return lambda phase: (numbers.uniform(0.1, 1), numbers.uniform())


@given(st.integers(1, 40), st.integers(1, 30), st.integers(1, 10**6), st.integers(0, 99))
def test_a_schedule_never_exceeds_its_epochs_whatever_the_losses(
    run, n_epochs, n_batches, n_samples, seed
):
    sizes = {"n_epochs": n_epochs, "n_batches": n_batches, "n_samples": n_samples}
    for measure, has_inputs, interchangeable in (
        (None, False, False),
        (random_measure(seed), False, False),
        (random_measure(seed), True, False),
        (random_measure(seed), False, True),
        (random_measure(seed), True, True),
    ):
        schedule, record = run(
            measure, has_inputs=has_inputs, interchangeable=interchangeable, **sizes
        )
        assert len(record) <= n_epochs * n_batches
        assert len(record) % n_batches == 0
        assert all(0 <= penalty <= MAX_PENALTY for _, penalty, _ in record)
        assert all(0 < size <= 1 for _, _, size in record)
        order = [
            "warm-up",
            "penalty ramp",
            "path",
            "candidate refit",
            "group expansion",
            "refit",
            "pruning",
        ]
        assert sorted((phase for phase, _, _ in record), key=order.index) == [r[0] for r in record]
        assert schedule.network.gate.sampled
        if measure is not None:
            assert schedule.network.weights == schedule.incumbent.step


@pytest.mark.parametrize(
    ("loss", "slowed_at"),
    [
        (0.74, 1),  # a quarter of the loss is explained: at the first evaluation
        (0.76, None),  # it is not: at the end of the warm-up
    ],
)
def test_the_skip_connection_is_slowed_once_a_quarter_of_the_loss_is_explained(
    fake_network, schedule_with_open_gates, run_warm_up, loss, slowed_at
):
    network, phases, slowed = fake_network(), [], []
    network.slow_skip_connection = lambda: slowed.append((schedule.phase, len(phases)))

    def evaluate():
        phases.append(schedule.phase)
        return Evaluation(torch.full((2,), loss), torch.ones(2), density=1.0)

    schedule = schedule_with_open_gates(network, evaluate)
    run_warm_up(schedule)
    assert slowed[0] == ("warm-up", slowed_at or phases.count("warm-up"))


@pytest.mark.parametrize(
    ("losses", "lowest"),
    [
        ([0.99, *[1.3] * 5, 1.2, 1.1, 1.0, 0.9, 0.5, *[0.6] * 99], 0.5),  # falls when patience ends
        ([0.99, *[1.3] * 6, 1.1, 1.0, 0.9, 0.5, *[0.6] * 99], 0.99),  # does not fall yet
        # A quarter is explained at once.
        ([0.70, *[1.3] * 2, 1.2, 1.1, 1.0, 0.9, 0.5, *[0.6] * 99], 0.7),
    ],
)
def test_the_warm_up_continues_while_the_loss_falls_until_a_quarter_of_it_is_explained(
    run, losses, lowest
):
    path = iter(losses)
    warm_up_losses = []

    def measure(phase):
        if phase == "warm-up":
            warm_up_losses.append(next(path))
        return warm_up_losses[-1], 1.0

    run(measure, n_epochs=200)
    assert min(warm_up_losses) == lowest


@pytest.mark.parametrize(("first", "ends_with"), [(0.99, 0), (1.0, -1)])  # the null model has 1
def test_the_warm_up_ends_with_its_last_evaluation_if_none_is_better_than_the_null_model(
    run, first, ends_with
):
    warm_up_losses = []

    def measure(phase):
        if phase == "warm-up":
            warm_up_losses.append(1.3 if warm_up_losses else first)
        return warm_up_losses[-1], 1.0

    schedule, record = run(measure)
    steps = [step for step, (phase, _, _) in enumerate(record, start=1) if phase == "warm-up"]
    assert len(warm_up_losses) > 1
    assert schedule.warmed_up.loss == pytest.approx(warm_up_losses[ends_with])
    assert schedule.warmed_up.step == (steps[-1] if ends_with else steps[-1] // len(warm_up_losses))


@pytest.mark.parametrize(("linear_loss", "n_evaluations"), [(1.0, 4), (0.6, 6), (0.01, 9)])
def test_the_warm_up_ends_once_the_loss_is_a_small_fraction_of_that_of_a_linear_model(
    run, linear_loss, n_evaluations
):
    path = iter([0.9, 0.5, 0.1, 0.019, 0.015, 0.0119, 0.01, 0.005, 0.0001])
    warm_up_losses = []

    def measure(phase):
        if phase == "warm-up":
            warm_up_losses.append(next(path))
        return warm_up_losses[-1], 1.0

    run(measure, n_epochs=200, linear_loss=linear_loss)
    assert len(warm_up_losses) == n_evaluations


@pytest.mark.parametrize(("loss", "times"), [(0.24, 2), (0.26, 1)])
def test_the_ramp_is_evaluated_twice_as_often_if_the_loss_is_low(run, loss, times):
    evaluations = Counter()

    def measure(phase):
        evaluations[phase] += 1
        return loss, 1.0

    schedule, record = run(measure, n_epochs=200)
    steps = Counter(phase for phase, _, _ in record)
    assert steps["path"] == evaluations["path"] * schedule.interval
    n_evaluations = -(-steps["penalty ramp"] // (schedule.interval // times))
    assert evaluations["penalty ramp"] == n_evaluations > times


def test_no_gate_stays_open_for_a_negligible_loss(run):
    path = iter([(2e-6, 0.2), (1e-6, 0.5), *[(1e-4, 0.8)] * 1000])

    def measure(phase):
        return (*next(path), 0.0) if phase == "path" else (0.6, 1.0)

    schedule, _ = run(measure, n_epochs=200)
    assert schedule.incumbent.density == 0.2


@pytest.mark.parametrize(("gain", "n_evaluations"), [(0.06, 8), (0.04, 4)])
def test_a_refit_whose_first_evaluation_is_much_better_is_doubled(run, gain, n_evaluations):
    losses = {"warm-up": lambda: 0.9, "penalty ramp": lambda: 0.9, "path": lambda: 0.5}
    refit = iter(0.5 * (1 - gain) * 0.99**n for n in range(1000))
    losses["refit"] = lambda: next(refit)
    schedule, record = run(lambda phase: (losses[phase](), 0.5), n_epochs=300, n_batches=10)
    n_refit = sum(phase == "refit" for phase, *_ in record)
    assert n_refit == n_evaluations * schedule.interval


def test_closed_gates_are_not_refitted(run):
    phases = {
        "warm-up": (0.6, 1.0),
        "penalty ramp": (1.0, 1.0),
        "path": (0.5, 0.0),
        "refit": (0.1, 0.0),
    }
    schedule, record = run(phases.get, n_epochs=200)
    assert record[-1][0] == "path"
    assert schedule.incumbent.loss == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("refit", "loss", "density"),
    [
        ((0.19, 0.5, 0.01), 0.19, 0.5),
        ((0.3, 0.5, 0.01), 0.2, 0.5),  # worse than the incumbent
        ((0.1, 0.6, 0.01), 0.1, 0.6),  # denser, and significantly better by more than the tolerance
        ((0.1, 0.6, 1.0), 0.1, 0.5),  # denser, and better by less than a standard error
        ((0.199, 0.6, 0.01), 0.199, 0.5),  # denser, and better by less than the tolerance
        ((0.201, 0.6, 1.0), 0.201, 0.5),  # not significantly worse
    ],
)
def test_gates_reopen_in_the_refit_only_if_that_is_significantly_better(run, refit, loss, density):
    phases = {
        "warm-up": (0.6, 1.0),
        "penalty ramp": (1.0, 1.0),
        "path": (0.2, 0.5),
        "refit": refit,
    }
    schedule, record = run(phases.get, n_epochs=200, has_inputs=True)
    assert record[-1][0] == "refit"
    assert (schedule.incumbent.loss, schedule.incumbent.density) == (pytest.approx(loss), density)
