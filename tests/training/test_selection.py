"""Which evaluation of a training is selected."""

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
    ("learnt", "rising", "falling", "chosen"),
    [
        (0.6, (0.2, 0.5), (0.3, 0.1), 0.5),  # much worse, however sparse
        (0.6, (0.2, 0.5), (0.201, 0.1), 0.1),
        (0.6, (0.2, 0.5), (0.1, 0.9), 0.9),
        (0.6, (0.2, 2.0, 0.0233), (0.21, 1.5), 1.5),  # worse by 1.6 standard errors: by chance
        (0.6, (0.2, 2.0, 0.0185), (0.21, 1.5), 2.0),  # by 2.5
        (0.6, (0.2, 1.5, 0.0233), (0.21, 2.0), 1.5),  # what is less open need not be surely better
        (0.24, (0.2, 2.0, 0.0233), (0.21, 1.5), 2.0),  # where little is left, one will do
        (0.24, (0.2, 2.0, 0.05), (0.21, 1.5), 1.5),  # half a one will not
    ],
)
def test_candidates_of_the_ramp_and_of_the_path_compete(run, learnt, rising, falling, chosen):
    phases = {"warm-up": (learnt, 1.0), "penalty ramp": rising, "path": falling}
    schedule, _ = run(lambda phase: phases.get(phase, (0.5, 1.0)), n_epochs=200)
    assert schedule.incumbent.density == chosen


@pytest.mark.parametrize(
    ("rising", "falling", "chosen"),
    [
        ((0.9, 2.0, 0.4), (1.0, 0.0), 0.0),  # by chance
        ((0.9, 2.0, 0.095), (1.0, 0.0), 0.0),  # by 2.5 standard errors: by chance, of several
        ((0.9, 2.0, 0.01), (1.0, 0.0), 2.0),
        ((0.9, 2.0, 0.4), (1.0, 2.5), 2.0),  # gates were open throughout
        ((0.9, 0.5, 0.4), (1.0, 0.0), 0.5),  # next to nothing is open there too
    ],
)
def test_a_candidate_of_the_ramp_must_be_significantly_better_than_closed_gates(
    run, rising, falling, chosen
):
    phases = {"warm-up": (1.0, 3.0), "penalty ramp": rising, "path": falling}
    schedule, _ = run(lambda phase: phases.get(phase, (2.0, 3.0)), n_epochs=200)
    assert schedule.incumbent.density == chosen


@pytest.mark.parametrize(
    ("learnt", "rising", "of_training", "refit", "fair", "is_tried", "chosen"),
    [
        (0.6, (0.2, 2.0, 0.0233), 0.9, 0.15, 0.21, True, 2.0),  # by 1.6 standard errors, and then
        (0.6, (0.2, 2.0, 0.0233), 0.9, 0.195, 0.21, True, 1.5),  # not surely then
        (0.6, (0.2, 2.0, 0.0233), 0.9, 0.15, 0.15, True, 1.5),  # what was chosen is mended, too
        (0.6, (0.2, 2.0, 0.0233), 1.009, 0.15, 0.21, True, 2.0),
        # By a hundredth of the error of predicting the mean worse at the training windows.
        (0.6, (0.2, 2.0, 0.0233), 1.011, 0.15, 0.21, True, 1.5),
        (0.6, (0.2, 2.0, 0.05), 0.9, 0.15, 0.21, True, 2.0),  # better by half a standard error
        (0.6, (0.209, 2.0, 0.0233), 0.9, 0.15, 0.21, False, 1.5),  # by less than the tolerance
        (0.2, (0.6, 1.0), 0.9, 0.15, 0.21, True, 2.0),  # what learning ended with
        (0.24, (0.2, 2.0, 0.05), 0.9, 0.195, 0.21, True, 2.0),  # surely enough if little is left
    ],
)
def test_a_promising_candidate_is_refit_and_kept_if_it_is_then_significantly_better(
    run, learnt, rising, of_training, refit, fair, is_tried, chosen
):
    judged = []

    def known(density):
        judged.append(density)
        return of_training if density == 2 else 1.0

    def measure(phase):
        if (
            phase == "candidate refit" and judged[-1] == 2
        ):  # the incumbent, refit after the candidate
            return fair, 1.5
        phases = {"warm-up": (learnt, 2.0), "penalty ramp": rising, "path": (0.21, 1.5)}
        return {**phases, "candidate refit": (refit, 2.0, 0.03)}.get(phase, (0.5, 1.0))

    schedule, record = run(measure, n_epochs=200, known=known)
    assert any(phase == "candidate refit" for phase, _, _ in record) == is_tried
    assert schedule.incumbent.density == chosen
