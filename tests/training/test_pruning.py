"""Which gates, features and inputs of the gating network are pruned."""

from functools import partial

import pytest
import torch
from torch import nn

from sk_tsattn._training._averaging import Average
from sk_tsattn._training._evaluation import Evaluation
from sk_tsattn._training._penalty import penalty_range


def test_pruning_is_evaluated_at_the_selected_weights(fake_network, schedule_of):
    network = nn.Linear(1, 1, bias=False)
    network.gate, network.tolerance = fake_network().gate, 0.01
    network.slow_skip_connection = lambda: None
    path, evaluated = [], []

    def evaluate():
        if schedule.phase == "warm-up":
            return Evaluation(torch.ones(2), torch.ones(2), density=1.0)
        (path if network.gate.active.all() else evaluated).append(network.weight.item())
        return Evaluation(
            torch.ones(2), torch.ones(2), 0.1 * len(path)
        )  # the first is the sparsest

    def close(name, kept):
        getattr(network.gate, name).logical_and_(kept)

    schedule = schedule_of(
        network,
        evaluate=evaluate,
        gate_usage=lambda: {"active": (torch.zeros(1),) * 2, "input_active": (torch.zeros(1),) * 2},
        close_gates=close,
        make_average=partial(Average, network),
    )
    for step, _ in enumerate(schedule.steps()):
        nn.init.constant_(network.weight, float(step))  # after this step
    assert len(path) > 1
    assert evaluated[0] == path[0]


@pytest.mark.parametrize(
    ("costs", "spread", "screened"),
    [
        ((-0.02, -0.02, 0.5), 0.0, [0, 1]),
        ((0.0, 0.02, 0.5), 0.0, []),
        ((-0.01, -0.2, 0.5), 0.3, [1]),  # the other improves by less than a standard error, 0.017
        # Significant, but the standard error exceeds the tolerance, 0.02.
        ((-0.2, -0.2, 0.5), 0.5, []),
    ],
)
def test_features_without_which_the_loss_is_significantly_lower_are_screened_out(
    fake_network, schedule_with_open_gates, run_warm_up, costs, spread, screened
):
    network = fake_network(n_gates=3, tolerance=0.01)
    windows = torch.linspace(-1, 1, 100)

    def evaluate():
        closed = ~network.gate.active
        loss = 2 + (torch.tensor(costs) * closed).sum() + spread * closed.sum() * windows
        return Evaluation(loss, torch.ones(100), density=1.0)

    run_warm_up(schedule_with_open_gates(network, evaluate))
    assert sorted(network.screened) == screened
    assert network.gate.active.all()  # closed, not pruned


@pytest.mark.parametrize(
    ("loss", "gain", "n_screened"),
    [
        # Once during the warm-up, once after it, and twice after it is resumed.
        (0.24, 0.06, 4),
        (0.24, 0.04, 3),  # the resumed warm-up has not improved the loss
        (0.26, 0.06, 2),  # the loss may be mostly noise; phases are shorter, too
    ],
)
def test_the_warm_up_is_resumed_without_screened_features_while_that_improves_a_low_loss(
    fake_network, schedule_with_open_gates, loss, gain, n_screened
):
    network = fake_network(n_gates=2)

    def evaluate():
        n_gains = max(
            0, min(len(network.screened) - 1, 1)
        )  # screening for the first time has no benefit
        improved = loss * (1 - gain) ** n_gains - 0.02 * loss * (~network.gate.active[1])
        density = 1.0 if schedule.phase == "warm-up" else 0.1
        return Evaluation(improved * torch.ones(2), torch.ones(2), density)

    schedule = schedule_with_open_gates(network, evaluate)
    n_ramp = 0
    for _ in schedule.steps():
        n_ramp += schedule.phase == "penalty ramp"
        if schedule.phase == "path":
            break
    assert network.screened == [1] * n_screened
    assert schedule.warmed_up.loss == pytest.approx(loss * (1 - gain if n_screened == 4 else 1))
    assert n_ramp == 4 * 50 / 2  # half of the four evaluations before it was resumed
    assert schedule.interval == (50 if loss < 0.25 else 40)


def test_harmful_features_are_screened_out_during_the_warm_up(schedule_of, fake_network):
    network, screened, evaluated = nn.Linear(1, 1, bias=False), [], []
    network.slow_skip_connection = lambda: None
    network.tolerance, network.gate = 0.01, type(fake_network().gate)()
    for name in ("active", "input_active"):
        network.gate.register_buffer(name, torch.ones(2, dtype=torch.bool))
    network.gate.close_features = screened.extend

    def evaluate():
        needed, harms = network.gate.active.tolist()
        if not (needed and harms):
            evaluated.append(network.weight.item())
        return Evaluation(
            0.5 + 0.1 * harms - 0.2 * needed * torch.ones(2), torch.ones(2), density=1.0
        )

    schedule = schedule_of(
        network,
        evaluate=evaluate,
        gate_usage=lambda: {
            name: (torch.ones(2), torch.ones(2)) for name in ("active", "input_active")
        },
        close_gates=lambda name, kept: getattr(network.gate, name).logical_and_(kept),
        make_average=partial(Average, network),
    )
    for step, _ in enumerate(schedule.steps()):
        if screened:
            break
        nn.init.constant_(network.weight, float(step))  # after this step
    assert schedule.phase == "warm-up"
    assert screened == [1]
    # The averaged weights are evaluated; training continues from the last ones, with open gates.
    assert set(evaluated) == {schedule.incumbent.state["weight"].item()} != {step - 1.0}
    assert network.weight.item() == step - 1
    assert network.gate.active.all()


def test_inputs_of_the_gating_network_are_pruned_by_feature_where_that_costs_nothing(
    fake_network, schedule_of
):
    network = fake_network()
    network.gate.input_active = torch.ones(3, dtype=torch.bool)
    needed = torch.tensor([False, True, False])

    def evaluate():
        if schedule.phase in ("warm-up", "penalty ramp"):
            return Evaluation(torch.ones(2), torch.ones(2), density=1.0)
        missing = (needed & ~network.gate.input_active).any()
        return Evaluation(0.2 + 0.7 * missing * torch.ones(2), torch.ones(2), density=0.5)

    schedule = schedule_of(
        network,
        evaluate=evaluate,
        # No threshold separates the needed one: all have the same sensitivity.
        gate_usage=lambda: {
            "active": (torch.ones(1),) * 2,
            "input_active": (torch.full((3,), 0.9),) * 2,
        },
        close_gates=network.close,
    )
    for _ in schedule.steps():
        pass
    assert network.gate.input_active.tolist() == needed.tolist()
    assert schedule.incumbent.loss == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("costs", "kept"),
    [
        ((0.0, 0.7, 0.0), [False, True, False]),
        ((0.0015, 0.7, 0.001), [True, True, False]),  # together more than the tolerance, 0.002
        # The last one alone costs more than the tolerance.
        ((-0.01, 0.7, 0.0025), [False, True, True]),
    ],
)
def test_features_that_are_not_needed_are_pruned(
    fake_network, schedule_with_open_gates, costs, kept
):
    network = fake_network(n_gates=3)

    def evaluate():
        if schedule.phase in ("warm-up", "penalty ramp"):
            return Evaluation(torch.ones(2), torch.ones(2), density=1.0)
        loss = 0.2 + (torch.tensor(costs) * ~network.gate.active).sum()
        return Evaluation(loss * torch.ones(2), torch.ones(2), density=0.5)

    # No threshold separates the needed ones: all gates have the same mean.
    for _ in (schedule := schedule_with_open_gates(network, evaluate)).steps():
        if schedule.phase == "refit":
            break
    assert network.gate.active.tolist() == kept


@pytest.mark.parametrize(
    ("cost_of_rare", "density", "pruned"),
    [(0.0, 0.4, True), (0.5, 0.4, False), (0.0, 0.6, False)],
)
def test_rarely_open_gates_are_pruned_if_neither_loss_nor_density_increases(
    run_pruning, cost_of_rare, density, pruned
):
    def measure(phase, kept):
        if phase in ("warm-up", "penalty ramp"):
            return 1.0, 1.0
        loss = 0.2 + cost_of_rare * (not kept[1]) + 0.7 * (not kept[0])
        return loss, 0.5 if kept[1] else density

    schedule, kept = run_pruning(measure)
    assert kept == [True, not pruned, False]
    assert schedule.incumbent.loss == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("cost", "cost_after", "pruned"),
    [
        (0.008, 0.0, True),  # more than the tolerance, but the refit compensates for it
        (0.008, 0.003, False),  # it does not
        (0.02, 0.0, False),  # more than 1 % of the loss of the null model: not tried
    ],
)
def test_gates_of_small_effect_are_pruned_if_the_refit_compensates_for_them(
    run_pruning, cost, cost_after, pruned
):
    def measure(phase, kept):
        if phase in ("warm-up", "penalty ramp"):
            return 1.0, 1.0
        if phase == "path":
            return 0.2 + cost * (not kept[1]) + 0.7 * (not kept[0]), 0.5
        return 0.1 + (cost_after if phase == "pruning" else cost) * (not kept[1]), 0.5

    schedule, kept = run_pruning(measure)
    assert kept == [True, not pruned, False]
    assert schedule.incumbent.loss == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("cost", "cost_after", "pruned"),
    [
        (0.009, 0.009, True),
        (0.009, 0.011, False),  # more than 1 % of the loss of the null model
        (0.011, 0.0, False),  # not tried
    ],
)
def test_the_training_loss_decides_on_pruning_that_the_validation_set_cannot_resolve(
    run_pruning, cost, cost_after, pruned
):
    def measure(phase, kept):
        if phase in ("warm-up", "penalty ramp"):
            return 1.0, 1.0
        if phase == "path":
            return 0.2 + 0.008 * (not kept[1]) + 0.7 * (not kept[0]), 0.5
        return 0.1 + 0.008 * (not kept[1]) * (phase != "pruning"), 0.5

    def training_loss(phase, kept):
        return 0.2 + (cost_after if phase == "pruning" else cost) * (not kept[1])

    schedule, kept = run_pruning(measure, training_loss=training_loss)
    assert kept == [True, not pruned, False]
    assert schedule.incumbent.loss == pytest.approx(0.1)


def test_pruning_never_closes_all_gates(run_pruning):
    def measure(phase, kept):
        if phase in ("warm-up", "penalty ramp"):
            return 1.0, 1.0
        return 0.2 + 0.008 * (not kept[0] and phase != "pruning"), 0.5 * kept[0]

    schedule, kept = run_pruning(measure, mean_gates=(0.4, 0.04, 0.0))
    assert kept == [True, False, False]
    assert schedule.incumbent.density == 0.5


@pytest.mark.parametrize(
    ("static_cost", "static_loss", "static_density", "refit_loss", "mean_gate", "is_kept"),
    [
        # Much better than before: no refit of the dynamic gates.
        (0.19, 0.15, 0.5, 0.1, 0.9, False),
        (0.19, 0.1995, 0.5, 0.199, 0.9, False),  # as good as the refit of the dynamic gates
        (0.19, 0.1995, 0.5, 0.19, 0.9, True),  # worse
        # Static gates lose a quarter of the improvement: not tried.
        (0.21, 0.15, 0.5, 0.05, 0.9, True),
        # Denser than twice the mean gates: dynamic gates are refit.
        (0.19, 0.15, 4.0, 0.1, 0.9, True),
        (0.19, 0.1995, 4.0, 0.199, 0.9, True),  # also than twice those of that refit
        (0.19, 0.1995, 4.0, 0.199, 1.1, False),  # not than twice those of that refit
        (0.19, 0.15, 4.0, 0.152, 0.9, False),  # denser, but much better
    ],
)
def test_gates_depend_on_the_window_only_if_static_gates_do_worse(
    run_pruning, static_cost, static_loss, static_density, refit_loss, mean_gate, is_kept
):
    def measure(phase, kept):
        if phase in ("warm-up", "penalty ramp"):
            return 1.0, 1.0
        if phase == "path":
            return 0.2 + static_cost * (not kept[-1]), 0.5
        return (refit_loss, 0.5) if kept[-1] else (static_loss, static_density)

    schedule, kept = run_pruning(
        measure, mean_gates=(0.9,) * 3, mean_gates_refit=(mean_gate,) * 3, has_inputs=True
    )
    assert kept[-1] == is_kept
    assert schedule.incumbent.loss == pytest.approx(refit_loss if is_kept else static_loss)


@pytest.mark.parametrize(
    ("effects", "needed", "closed"),
    [
        ((1.0, 0.0005, 0.001), (), (False, True, True)),  # less than 1 % of the loss: 0.002
        ((1.0, 0.004, 0.001), (), (False, False, True)),
        ((1.0, 0.0005, 0.0001), (1,), (False, False, True)),  # closing both increases the loss
        ((0.0001, 0.0001, 0.0001), (), (False, False, False)),  # all, and one must be kept
    ],
)
@pytest.mark.parametrize("validated", [True, False])
def test_gates_that_do_not_change_the_prediction_are_pruned_after_the_refit(
    run_pruning, effects, needed, closed, validated
):
    def measure(phase, kept):
        if phase in ("warm-up", "penalty ramp"):
            return 1.0, 1.0
        if phase == "path":  # before the refit all are needed
            return 0.3 + 0.7 * (not all(kept)), 0.5
        return 0.2 + 0.1 * sum(not kept[gate] for gate in needed), 0.5 * any(kept)

    mean_gates = (0.9, 0.9, 0.9)
    schedule, kept = run_pruning(
        measure, mean_gates=mean_gates, effects=effects, validated=validated
    )
    assert kept == [not gate for gate in closed]
    assert schedule.incumbent.loss == pytest.approx(0.2)


@pytest.mark.parametrize(("loss_per_penalty", "pruned"), [(0.5, True), (2.0, False)])
def test_without_a_validation_set_gates_that_reduce_the_loss_less_than_their_penalty_are_pruned(
    run_pruning, loss_per_penalty, pruned
):
    low, _ = penalty_range(640, validated=False)

    def measure(phase, kept):
        # The penalty of a gate of mean 0.04 is 0.04 of the L0 penalty.
        cost = loss_per_penalty * low * 0.04 * (not kept[1]) + 5 * (not kept[0])
        return 0.2 * (1 + cost), 1.0

    _, kept = run_pruning(measure, validated=False)
    assert kept == [True, not pruned, False]
