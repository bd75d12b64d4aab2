"""Selection: which evaluation of a training becomes the incumbent."""

import pytest


@pytest.mark.parametrize(
    ("tolerance", "chosen"), [(0.0, 0.5), (0.01, 0.35), (0.1, 0.3), (2.0, 0.1)]
)
def test_the_sparsest_candidate_within_the_tolerance_is_selected(run, tolerance, chosen):
    path = iter([(0.5, 0.1), (0.2, 0.5), (0.21, 0.3), (0.201, 0.35), *[(0.25, 0.8)] * 1000])

    def measure(phase):
        return next(path) if phase == "path" else (0.6, 1.0)

    schedule, _ = run(measure, n_epochs=200, tolerance=tolerance)
    assert schedule.incumbent.density == chosen


@pytest.mark.parametrize(
    ("warm_up_loss", "ramp", "path", "chosen"),
    [
        (0.6, (0.2, 0.5), (0.3, 0.1), 0.5),  # much worse, though sparser
        (0.6, (0.2, 0.5), (0.201, 0.1), 0.1),
        (0.6, (0.2, 0.5), (0.1, 0.9), 0.9),
        # Worse by 1.6 standard errors: not significant.
        (0.6, (0.2, 2.0, 0.0233), (0.21, 1.5), 1.5),
        (0.6, (0.2, 2.0, 0.0185), (0.21, 1.5), 2.0),  # by 2.5 standard errors
        # A sparser candidate need not be significantly better.
        (0.6, (0.2, 1.5, 0.0233), (0.21, 2.0), 1.5),
        (0.24, (0.2, 2.0, 0.0233), (0.21, 1.5), 2.0),  # at a low loss, one standard error suffices
        (0.24, (0.2, 2.0, 0.05), (0.21, 1.5), 1.5),  # half a standard error does not
    ],
)
def test_candidates_of_the_ramp_and_of_the_path_compete(run, warm_up_loss, ramp, path, chosen):
    phases = {"warm-up": (warm_up_loss, 1.0), "penalty ramp": ramp, "path": path}
    schedule, _ = run(lambda phase: phases.get(phase, (0.5, 1.0)), n_epochs=200)
    assert schedule.incumbent.density == chosen


@pytest.mark.parametrize(
    ("ramp", "path", "chosen"),
    [
        ((0.9, 2.0, 0.4), (1.0, 0.0), 0.0),  # not significant
        # By 2.5 standard errors: not significant among several.
        ((0.9, 2.0, 0.095), (1.0, 0.0), 0.0),
        ((0.9, 2.0, 0.01), (1.0, 0.0), 2.0),
        ((0.9, 2.0, 0.4), (1.0, 2.5), 2.0),  # there is no candidate with closed gates
        ((0.9, 0.5, 0.4), (1.0, 0.0), 0.5),  # both count as closed
    ],
)
def test_a_candidate_of_the_ramp_must_be_significantly_better_than_closed_gates(
    run, ramp, path, chosen
):
    phases = {"warm-up": (1.0, 3.0), "penalty ramp": ramp, "path": path}
    schedule, _ = run(lambda phase: phases.get(phase, (2.0, 3.0)), n_epochs=200)
    assert schedule.incumbent.density == chosen


@pytest.mark.parametrize(
    (
        "warm_up_loss",
        "ramp",
        "dense_training_loss",
        "refit_loss",
        "incumbent_refit_loss",
        "is_tried",
        "chosen",
    ),
    [
        # Better by 1.6 standard errors, and after the refit.
        (0.6, (0.2, 2.0, 0.0233), 0.9, 0.15, 0.21, True, 2.0),
        (0.6, (0.2, 2.0, 0.0233), 0.9, 0.195, 0.21, True, 1.5),  # not significantly after the refit
        # The refit improves the incumbent as much.
        (0.6, (0.2, 2.0, 0.0233), 0.9, 0.15, 0.15, True, 1.5),
        (0.6, (0.2, 2.0, 0.0233), 1.009, 0.15, 0.21, True, 2.0),
        # On the training set worse by more than 1 % of the loss of the null model.
        (0.6, (0.2, 2.0, 0.0233), 1.011, 0.15, 0.21, True, 1.5),
        (0.6, (0.2, 2.0, 0.05), 0.9, 0.15, 0.21, True, 2.0),  # better by half a standard error
        (0.6, (0.209, 2.0, 0.0233), 0.9, 0.15, 0.21, False, 1.5),  # by less than the tolerance
        (0.2, (0.6, 1.0), 0.9, 0.15, 0.21, True, 2.0),  # the candidate of the warm-up
        (0.24, (0.2, 2.0, 0.05), 0.9, 0.195, 0.21, True, 2.0),  # significant enough at a low loss
    ],
)
def test_a_promising_candidate_is_refit_and_kept_if_it_is_then_significantly_better(
    run,
    warm_up_loss,
    ramp,
    dense_training_loss,
    refit_loss,
    incumbent_refit_loss,
    is_tried,
    chosen,
):
    densities = []

    def training_loss(density):
        densities.append(density)
        return dense_training_loss if density == 2 else 1.0

    def measure(phase):
        if phase == "candidate refit" and densities[-1] == 2:  # the incumbent is refit second
            return incumbent_refit_loss, 1.5
        phases = {"warm-up": (warm_up_loss, 2.0), "penalty ramp": ramp, "path": (0.21, 1.5)}
        return {**phases, "candidate refit": (refit_loss, 2.0, 0.03)}.get(phase, (0.5, 1.0))

    schedule, record = run(measure, n_epochs=200, training_loss=training_loss)
    assert any(phase == "candidate refit" for phase, _, _ in record) == is_tried
    assert schedule.incumbent.density == chosen
