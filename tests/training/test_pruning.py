"""Which gates, features and inputs of the gating network are pruned."""

from functools import partial

import pytest
import torch
from torch import nn

from sk_tsattn._training._averaging import Average
from sk_tsattn._training._evaluation import Look
from sk_tsattn._training._penalty import prices


def test_what_is_closed_is_judged_at_the_weights_that_were_chosen(fake_network, schedule_of):
    network = nn.Linear(1, 1, bias=False)
    network.gate, network.tolerance = fake_network().gate, 0.01
    network.slow_skip_connection = lambda: None
    path, judged = [], []

    def look():
        if schedule.phase == "warm-up":
            return Look(torch.ones(2), torch.ones(2), openness=1.0)
        (path if network.gate.active.all() else judged).append(network.weight.item())
        return Look(torch.ones(2), torch.ones(2), 0.1 * len(path))  # the first is the sparsest

    def close(name, kept):
        getattr(network.gate, name).logical_and_(kept)

    schedule = schedule_of(
        network,
        look=look,
        usage=lambda: {"active": (torch.zeros(1),) * 2, "input_active": (torch.zeros(1),) * 2},
        close=close,
        average=partial(Average, network),
    )
    for step, _ in enumerate(schedule.steps()):
        nn.init.constant_(network.weight, float(step))  # behind this step
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
def test_features_without_which_the_error_is_surely_lower_are_shut_behind_learning(
    fake_network, learning, learn, costs, spread, shut
):
    network = fake_network(n_gates=3, tolerance=0.01)
    windows = torch.linspace(-1, 1, 100)

    def look():
        closed = ~network.gate.active
        loss = 2 + (torch.tensor(costs) * closed).sum() + spread * closed.sum() * windows
        return Look(loss, torch.ones(100), openness=1.0)

    learn(learning(network, look))
    assert sorted(network.shut) == shut
    assert network.gate.active.all()  # not for good


@pytest.mark.parametrize(
    ("left", "gain", "n_screened"),
    [
        (0.24, 0.06, 4),  # at its first look, behind learning, and twice behind going on
        (0.24, 0.04, 3),  # going on brought nothing better
        (0.26, 0.06, 2),  # most of that may be noise: phases are shorter, too
    ],
)
def test_learning_goes_on_without_what_was_shut_while_that_is_better_and_little_is_left(
    fake_network, learning, left, gain, n_screened
):
    network = fake_network(n_gates=2)

    def look():
        n_gains = max(0, min(len(network.shut) - 1, 1))  # the first to be shut does no good
        loss = left * (1 - gain) ** n_gains - 0.02 * left * (~network.gate.active[1])
        openness = 1.0 if schedule.phase == "warm-up" else 0.1
        return Look(loss * torch.ones(2), torch.ones(2), openness)

    schedule = learning(network, look)
    n_squeezed = 0
    for _ in schedule.steps():
        n_squeezed += schedule.phase == "penalty ramp"
        if schedule.phase == "path":
            break
    assert network.shut == [1] * n_screened
    assert schedule.learnt.loss == pytest.approx(left * (1 - gain if n_screened == 4 else 1))
    assert n_squeezed == 4 * 50 / 2  # half of the four looks of learning, without what went on
    assert schedule.every == (50 if left < 0.25 else 40)


def test_features_that_do_harm_are_shut_while_much_is_left_to_learn(schedule_of):
    network, shut, judged = nn.Linear(1, 1, bias=False), [], []
    network.slow_skip_connection = lambda: None
    network.tolerance, network.gate = 0.01, nn.Module()
    for name in ("active", "input_active"):
        network.gate.register_buffer(name, torch.ones(2, dtype=torch.bool))
    network.gate.close_features = shut.extend

    def look():
        needed, harms = network.gate.active.tolist()
        if not (needed and harms):
            judged.append(network.weight.item())
        return Look(0.5 + 0.1 * harms - 0.2 * needed * torch.ones(2), torch.ones(2), openness=1.0)

    schedule = schedule_of(
        network,
        look=look,
        usage=lambda: {name: (torch.ones(2), torch.ones(2)) for name in ("active", "input_active")},
        close=lambda name, kept: getattr(network.gate, name).logical_and_(kept),
        average=partial(Average, network),
    )
    for step, _ in enumerate(schedule.steps()):
        if shut:
            break
        nn.init.constant_(network.weight, float(step))  # behind this step
    assert schedule.phase == "warm-up"
    assert shut == [1]
    # What is judged is the averaged weights, what goes on learning is the last: with open gates.
    assert set(judged) == {schedule.best.state["weight"].item()} != {step - 1.0}
    assert network.weight.item() == step - 1
    assert network.gate.active.all()


def test_steering_by_a_feature_is_pruned_as_a_whole_where_that_costs_nothing(
    fake_network, schedule_of
):
    network = fake_network()
    network.gate.input_active = torch.ones(3, dtype=torch.bool)
    needed = torch.tensor([False, True, False])

    def look():
        if schedule.phase in ("warm-up", "penalty ramp"):
            return Look(torch.ones(2), torch.ones(2), openness=1.0)
        missing = (needed & ~network.gate.input_active).any()
        return Look(0.2 + 0.7 * missing * torch.ones(2), torch.ones(2), openness=0.5)

    schedule = schedule_of(
        network,
        look=look,
        # No threshold tells which is needed: all steer by the same.
        usage=lambda: {
            "active": (torch.ones(1),) * 2,
            "input_active": (torch.full((3,), 0.9),) * 2,
        },
        close=network.close,
    )
    for _ in schedule.steps():
        pass
    assert network.gate.input_active.tolist() == needed.tolist()
    assert schedule.best.loss == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("costs", "kept"),
    [
        ((0.0, 0.7, 0.0), [False, True, False]),
        ((0.0015, 0.7, 0.001), [True, True, False]),  # together more than a hundredth of 0.2
        ((-0.01, 0.7, 0.0025), [False, True, True]),  # alone it costs more, whatever else is closed
    ],
)
def test_features_that_are_not_needed_are_closed_as_a_whole(fake_network, learning, costs, kept):
    network = fake_network(n_gates=3)

    def look():
        if schedule.phase in ("warm-up", "penalty ramp"):
            return Look(torch.ones(2), torch.ones(2), openness=1.0)
        loss = 0.2 + (torch.tensor(costs) * ~network.gate.active).sum()
        return Look(loss * torch.ones(2), torch.ones(2), openness=0.5)

    # No threshold tells which are needed: all are open by the same.
    for _ in (schedule := learning(network, look)).steps():
        if schedule.phase == "refit":
            break
    assert network.gate.active.tolist() == kept


@pytest.mark.parametrize(
    ("price_of_rare", "openness", "pruned"),
    [(0.0, 0.4, True), (0.5, 0.4, False), (0.0, 0.6, False)],
)
def test_what_is_used_in_few_windows_is_closed_for_good_where_that_costs_and_opens_nothing(
    pruning, price_of_rare, openness, pruned
):
    def measure(phase, kept):
        if phase in ("warm-up", "penalty ramp"):
            return 1.0, 1.0
        loss = 0.2 + price_of_rare * (not kept[1]) + 0.7 * (not kept[0])
        return loss, 0.5 if kept[1] else openness

    schedule, kept = pruning(measure)
    assert kept == [True, not pruned, False]
    assert schedule.best.loss == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("cost", "left", "pruned"),
    [
        (0.008, 0.0, True),  # more than a hundredth of the error, but that is mended
        (0.008, 0.003, False),  # it is not
        (0.02, 0.0, False),  # more than a hundredth of the error of predicting the mean: not tried
    ],
)
def test_what_costs_a_little_more_is_closed_where_gates_that_move_mend_it(
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
    assert schedule.best.loss == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("cost", "left", "pruned"),
    [
        (0.009, 0.009, True),
        (0.009, 0.011, False),  # more than a hundredth of the error of predicting the mean
        (0.011, 0.0, False),  # not tried
    ],
)
def test_what_a_small_validation_part_does_not_tell_apart_the_training_windows_do(
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
    assert schedule.best.loss == pytest.approx(0.1)


def test_a_doubt_never_closes_all(pruning):
    def measure(phase, kept):
        if phase in ("warm-up", "penalty ramp"):
            return 1.0, 1.0
        return 0.2 + 0.008 * (not kept[0] and phase != "pruning"), 0.5 * kept[0]

    schedule, kept = pruning(measure, used=(0.4, 0.04, 0.0))
    assert kept == [True, False, False]
    assert schedule.best.openness == 0.5


@pytest.mark.parametrize(
    ("forgotten", "settled", "openness", "refitted", "used", "stays"),
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
def test_gates_are_steered_only_where_the_same_gates_for_all_windows_do_worse(
    pruning, forgotten, settled, openness, refitted, used, stays
):
    def measure(phase, kept):
        if phase in ("warm-up", "penalty ramp"):
            return 1.0, 1.0
        if phase == "path":
            return 0.2 + forgotten * (not kept[-1]), 0.5
        return (refitted, 0.5) if kept[-1] else (settled, openness)

    schedule, kept = pruning(measure, used=(0.9,) * 3, used_refit=(used,) * 3, steers=True)
    assert kept[-1] == stays
    assert schedule.best.loss == pytest.approx(refitted if stays else settled)


@pytest.mark.parametrize(
    ("moved", "needed", "closed"),
    [
        ((1.0, 0.0005, 0.001), (), (False, True, True)),  # not by a hundredth of the error, 0.002
        ((1.0, 0.004, 0.001), (), (False, False, True)),
        ((1.0, 0.0005, 0.0001), (1,), (False, False, True)),  # both are not idle together
        ((0.0001, 0.0001, 0.0001), (), (False, False, False)),  # all: nothing would be left
    ],
)
@pytest.mark.parametrize("checked", [True, False])
def test_gates_that_do_not_move_the_prediction_are_closed_in_the_end(
    pruning, moved, needed, closed, checked
):
    def measure(phase, kept):
        if phase in ("warm-up", "penalty ramp"):
            return 1.0, 1.0
        if phase == "path":  # only the refit lets go of them
            return 0.3 + 0.7 * (not all(kept)), 0.5
        return 0.2 + 0.1 * sum(not kept[gate] for gate in needed), 0.5 * any(kept)

    used = (0.9, 0.9, 0.9)
    schedule, kept = pruning(measure, used=used, moved=moved, checked=checked)
    assert kept == [not gate for gate in closed]
    assert schedule.best.loss == pytest.approx(0.2)


@pytest.mark.parametrize(("worth", "pruned"), [(0.5, True), (2.0, False)])
def test_without_a_validation_part_what_is_not_worth_its_price_is_closed_for_good(
    pruning, worth, pruned
):
    low, _ = prices(640, checked=False)

    def measure(phase, kept):
        # A gate that is open by 0.04 on average costs that share of the price.
        return 0.2 * (1 + worth * low * 0.04 * (not kept[1]) + 5 * (not kept[0])), 1.0

    _, kept = pruning(measure, checked=False)
    assert kept == [True, not pruned, False]
