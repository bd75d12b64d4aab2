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
    path, judged = [], []

    def evaluate():
        if schedule.phase == "warm-up":
            return Evaluation(torch.ones(2), torch.ones(2), density=1.0)
        (path if network.gate.active.all() else judged).append(network.weight.item())
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
    assert judged[0] == path[0]


@pytest.mark.parametrize(
    ("costs", "spread", "shut"),
    [
        ((-0.02, -0.02, 0.5), 0.0, [0, 1]),
        ((0.0, 0.02, 0.5), 0.0, []),
        ((-0.01, -0.2, 0.5), 0.3, [1]),  # the other is within a standard error, 0.017
        ((-0.2, -0.2, 0.5), 0.5, []),  # surely, but nobody could tell a hundredth of 2
    ],
)
def test_features_without_which_the_loss_is_significantly_lower_are_screened_out(
    fake_network, learning, learn, costs, spread, shut
):
    network = fake_network(n_gates=3, tolerance=0.01)
    windows = torch.linspace(-1, 1, 100)

    def evaluate():
        closed = ~network.gate.active
        loss = 2 + (torch.tensor(costs) * closed).sum() + spread * closed.sum() * windows
        return Evaluation(loss, torch.ones(100), density=1.0)

    learn(learning(network, evaluate))
    assert sorted(network.shut) == shut
    assert network.gate.active.all()  # not for good


@pytest.mark.parametrize(
    ("left", "gain", "n_screened"),
    [
        (
            0.24,
            0.06,
            4,
        ),  # when learnt, after the warm-up, and twice after it is resumed
        (0.24, 0.04, 3),  # going on brought nothing better
        (0.26, 0.06, 2),  # most of that may be noise: phases are shorter, too
    ],
)
def test_the_warm_up_is_resumed_without_screened_features_while_that_improves_a_low_loss(
    fake_network, learning, left, gain, n_screened
):
    network = fake_network(n_gates=2)

    def evaluate():
        n_gains = max(0, min(len(network.shut) - 1, 1))  # the first to be shut does no good
        loss = left * (1 - gain) ** n_gains - 0.02 * left * (~network.gate.active[1])
        density = 1.0 if schedule.phase == "warm-up" else 0.1
        return Evaluation(loss * torch.ones(2), torch.ones(2), density)

    schedule = learning(network, evaluate)
    n_ramp = 0
    for _ in schedule.steps():
        n_ramp += schedule.phase == "penalty ramp"
        if schedule.phase == "path":
            break
    assert network.shut == [1] * n_screened
    assert schedule.warmed_up.loss == pytest.approx(left * (1 - gain if n_screened == 4 else 1))
    assert n_ramp == 4 * 50 / 2  # half of the four evaluations before it was resumed
    assert schedule.interval == (50 if left < 0.25 else 40)


def test_harmful_features_are_screened_out_during_the_warm_up(schedule_of, fake_network):
    network, shut, judged = nn.Linear(1, 1, bias=False), [], []
    network.slow_skip_connection = lambda: None
    network.tolerance, network.gate = 0.01, type(fake_network().gate)()
    for name in ("active", "input_active"):
        network.gate.register_buffer(name, torch.ones(2, dtype=torch.bool))
    network.gate.close_features = shut.extend

    def evaluate():
        needed, harms = network.gate.active.tolist()
        if not (needed and harms):
            judged.append(network.weight.item())
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
        if shut:
            break
        nn.init.constant_(network.weight, float(step))  # after this step
    assert schedule.phase == "warm-up"
    assert shut == [1]
    # What is judged is the averaged weights, what goes on learning is the last: with open gates.
    assert set(judged) == {schedule.incumbent.state["weight"].item()} != {step - 1.0}
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
        # No threshold tells which is needed: all have the same sensitivity.
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
        ((0.0015, 0.7, 0.001), [True, True, False]),  # together more than a hundredth of 0.2
        ((-0.01, 0.7, 0.0025), [False, True, True]),  # alone it costs more, whatever else is closed
    ],
)
def test_features_that_are_not_needed_are_closed(fake_network, learning, costs, kept):
    network = fake_network(n_gates=3)

    def evaluate():
        if schedule.phase in ("warm-up", "penalty ramp"):
            return Evaluation(torch.ones(2), torch.ones(2), density=1.0)
        loss = 0.2 + (torch.tensor(costs) * ~network.gate.active).sum()
        return Evaluation(loss * torch.ones(2), torch.ones(2), density=0.5)

    # No threshold tells which are needed: all gates have the same mean.
    for _ in (schedule := learning(network, evaluate)).steps():
        if schedule.phase == "refit":
            break
    assert network.gate.active.tolist() == kept


@pytest.mark.parametrize(
    ("cost_of_rare", "density", "pruned"),
    [(0.0, 0.4, True), (0.5, 0.4, False), (0.0, 0.6, False)],
)
def test_gates_used_in_few_windows_are_closed_if_that_costs_and_opens_nothing(
    pruning, cost_of_rare, density, pruned
):
    def measure(phase, kept):
        if phase in ("warm-up", "penalty ramp"):
            return 1.0, 1.0
        loss = 0.2 + cost_of_rare * (not kept[1]) + 0.7 * (not kept[0])
        return loss, 0.5 if kept[1] else density

    schedule, kept = pruning(measure)
    assert kept == [True, not pruned, False]
    assert schedule.incumbent.loss == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("cost", "left", "pruned"),
    [
        (0.008, 0.0, True),  # more than a hundredth of the error, but that is mended
        (0.008, 0.003, False),  # it is not
        (0.02, 0.0, False),  # more than a hundredth of the error of predicting the mean: not tried
    ],
)
def test_gates_that_cost_a_little_are_closed_if_the_refit_makes_up_for_it(
    pruning, cost, left, pruned
):
    def measure(phase, kept):
        if phase in ("warm-up", "penalty ramp"):
            return 1.0, 1.0
        if phase == "path":
            return 0.2 + cost * (not kept[1]) + 0.7 * (not kept[0]), 0.5
        return 0.1 + (left if phase == "pruning" else cost) * (not kept[1]), 0.5

    schedule, kept = pruning(measure)
    assert kept == [True, not pruned, False]
    assert schedule.incumbent.loss == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("cost", "left", "pruned"),
    [
        (0.009, 0.009, True),
        (0.009, 0.011, False),  # more than a hundredth of the error of predicting the mean
        (0.011, 0.0, False),  # not tried
    ],
)
def test_what_the_validation_set_cannot_resolve_is_decided_by_the_training_set(
    pruning, cost, left, pruned
):
    def measure(phase, kept):
        if phase in ("warm-up", "penalty ramp"):
            return 1.0, 1.0
        if phase == "path":
            return 0.2 + 0.008 * (not kept[1]) + 0.7 * (not kept[0]), 0.5
        return 0.1 + 0.008 * (not kept[1]) * (phase != "pruning"), 0.5

    def known(phase, kept):
        return 0.2 + (left if phase == "pruning" else cost) * (not kept[1])

    schedule, kept = pruning(measure, known=known)
    assert kept == [True, not pruned, False]
    assert schedule.incumbent.loss == pytest.approx(0.1)


def test_pruning_never_closes_all_gates(pruning):
    def measure(phase, kept):
        if phase in ("warm-up", "penalty ramp"):
            return 1.0, 1.0
        return 0.2 + 0.008 * (not kept[0] and phase != "pruning"), 0.5 * kept[0]

    schedule, kept = pruning(measure, used=(0.4, 0.04, 0.0))
    assert kept == [True, False, False]
    assert schedule.incumbent.density == 0.5


@pytest.mark.parametrize(
    ("forgotten", "settled", "density", "refitted", "used", "stays"),
    [
        (0.19, 0.15, 0.5, 0.1, 0.9, False),  # much better than before: there is no other refit
        (0.19, 0.1995, 0.5, 0.199, 0.9, False),  # as good as the other refit
        (0.19, 0.1995, 0.5, 0.19, 0.9, True),  # worse
        (0.21, 0.15, 0.5, 0.05, 0.9, True),  # a quarter of what was learnt is forgotten: not tried
        (0.19, 0.15, 4.0, 0.1, 0.9, True),  # wider than twice what was in use: there is another
        (0.19, 0.1995, 4.0, 0.199, 0.9, True),  # and than twice what is in use in that
        (0.19, 0.1995, 4.0, 0.199, 1.1, False),  # not than that
        (0.19, 0.15, 4.0, 0.152, 0.9, False),  # but much better
    ],
)
def test_gates_depend_on_the_window_only_if_static_gates_do_worse(
    pruning, forgotten, settled, density, refitted, used, stays
):
    def measure(phase, kept):
        if phase in ("warm-up", "penalty ramp"):
            return 1.0, 1.0
        if phase == "path":
            return 0.2 + forgotten * (not kept[-1]), 0.5
        return (refitted, 0.5) if kept[-1] else (settled, density)

    schedule, kept = pruning(measure, used=(0.9,) * 3, used_refit=(used,) * 3, has_inputs=True)
    assert kept[-1] == stays
    assert schedule.incumbent.loss == pytest.approx(refitted if stays else settled)


@pytest.mark.parametrize(
    ("moved", "needed", "closed"),
    [
        ((1.0, 0.0005, 0.001), (), (False, True, True)),  # not by a hundredth of the error, 0.002
        ((1.0, 0.004, 0.001), (), (False, False, True)),
        ((1.0, 0.0005, 0.0001), (1,), (False, False, True)),  # both are not idle together
        ((0.0001, 0.0001, 0.0001), (), (False, False, False)),  # all: nothing would be left
    ],
)
@pytest.mark.parametrize("validated", [True, False])
def test_gates_that_do_not_change_the_prediction_are_closed_in_the_end(
    pruning, moved, needed, closed, validated
):
    def measure(phase, kept):
        if phase in ("warm-up", "penalty ramp"):
            return 1.0, 1.0
        if phase == "path":  # only the refit lets go of them
            return 0.3 + 0.7 * (not all(kept)), 0.5
        return 0.2 + 0.1 * sum(not kept[gate] for gate in needed), 0.5 * any(kept)

    used = (0.9, 0.9, 0.9)
    schedule, kept = pruning(measure, used=used, moved=moved, validated=validated)
    assert kept == [not gate for gate in closed]
    assert schedule.incumbent.loss == pytest.approx(0.2)


@pytest.mark.parametrize(("worth", "pruned"), [(0.5, True), (2.0, False)])
def test_without_a_validation_set_gates_not_worth_their_penalty_are_closed(pruning, worth, pruned):
    low, _ = penalty_range(640, validated=False)

    def measure(phase, kept):
        # A gate that is open by 0.04 on average pays that fraction of the penalty.
        return 0.2 * (1 + worth * low * 0.04 * (not kept[1]) + 5 * (not kept[0])), 1.0

    _, kept = pruning(measure, validated=False)
    assert kept == [True, not pruned, False]
