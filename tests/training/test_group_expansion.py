"""Group expansion: the gates of interchangeable inputs are opened together."""

import pytest
import torch

INTERCHANGEABLE = torch.tensor([True, True, False, False])


def check_expanded(schedule, phases, loss):
    gate = schedule.network.gate
    assert gate.active.tolist() == INTERCHANGEABLE.tolist()
    assert phases[-1] == "group expansion"
    assert not gate.input_active.any()
    assert schedule.incumbent.loss == pytest.approx(loss)


def check_not_expanded(schedule, phases):
    assert not schedule.network.gate.active[1]
    assert phases[-1] in ("refit", "pruning")
    assert schedule.incumbent.loss == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("exchange_cost", "spread", "expanded_loss", "is_expanded"),
    [
        (0.02, 0.0, 0.2, True),
        (0.05, 0.0, 0.2, False),  # more than 15 % of the loss
        (0.02, 0.5, 0.2, False),  # not significantly less: the standard error is 0.025
        (0.02, 0.0, 0.21, False),  # worse after the expansion
        (0.02, 0.0, 0.1, True),
    ],
)
@pytest.mark.parametrize("static_cost", [None, 0.1])
def test_a_group_is_expanded_if_exchanging_its_inputs_costs_significantly_little(
    run_group_expansion, exchange_cost, spread, expanded_loss, is_expanded, static_cost
):
    result = run_group_expansion(
        exchange_cost=exchange_cost,
        spread=spread,
        expanded_loss=expanded_loss,
        static_cost=static_cost,
    )
    if is_expanded:
        check_expanded(*result, expanded_loss)
    else:
        check_not_expanded(*result)


@pytest.mark.parametrize(
    ("warm_up_loss", "warm_up_static_cost", "is_expanded"),
    [
        (0.4, 0.1, True),
        (0.4, 0.2, False),  # static gates lose more than a quarter of the improvement: 0.15
        (1.0, 0.0, False),  # no improvement over the null model: any exchange costs too much
    ],
)
def test_a_group_is_expanded_from_the_warm_up_if_the_gating_network_is_needed_later(
    run_group_expansion, warm_up_loss, warm_up_static_cost, is_expanded
):
    result = run_group_expansion(
        exchange_cost=0.02,
        static_cost=0.3,
        warm_up_loss=warm_up_loss,
        warm_up_static_cost=warm_up_static_cost,
    )
    if is_expanded:
        check_expanded(*result, 0.2)
    else:
        check_not_expanded(*result)


@pytest.mark.parametrize("needs_other_gate", [True, False])
def test_a_group_expansion_opens_no_gates_outside_the_group(run_group_expansion, needs_other_gate):
    result = run_group_expansion(
        exchange_cost=0.02, static_cost=0.3, warm_up_loss=0.4, needs_other_gate=needs_other_gate
    )
    if needs_other_gate:
        check_not_expanded(*result)
    else:
        check_expanded(*result, 0.2)


@pytest.mark.parametrize("static_cost", [None, 0.1])
@pytest.mark.parametrize("is_same_group", [True, False])
def test_a_group_is_expanded_from_the_warm_up_if_exchanges_cost_too_much_later(
    run_group_expansion, is_same_group, static_cost
):
    result = run_group_expansion(
        exchange_cost=0.1,
        warm_up_exchange_cost=0.02,
        static_cost=static_cost,
        warm_up_loss=0.4,
        interchangeable=INTERCHANGEABLE if is_same_group else ~INTERCHANGEABLE,
    )
    if is_same_group:
        check_expanded(*result, 0.2)
    else:
        check_not_expanded(*result)
