"""Interchangeable inputs: their gates are opened together."""

import pytest
import torch

ALIKE = torch.tensor([True, True, False, False])


def check_shared(schedule, phases, loss):
    gate = schedule.network.gate
    assert gate.active.tolist() == ALIKE.tolist()
    assert phases[-1] == "group expansion"
    assert not gate.input_active.any()
    assert schedule.incumbent.loss == pytest.approx(loss)


def check_unshared(schedule, phases):
    assert not schedule.network.gate.active[1]
    assert phases[-1] in ("refit", "pruning")
    assert schedule.incumbent.loss == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("excess", "spread", "shared", "shares"),
    [
        (0.02, 0.0, 0.2, True),
        (0.05, 0.0, 0.2, False),  # more than 15 % of the error
        (0.02, 0.5, 0.2, False),  # perhaps as much: the standard error is 0.025
        (0.02, 0.0, 0.21, False),  # the network does worse
        (0.02, 0.0, 0.1, True),
    ],
)
@pytest.mark.parametrize("forgotten", [None, 0.1])
def test_a_group_is_expanded_if_exchanging_its_inputs_costs_significantly_little(
    sharing, excess, spread, shared, shares, forgotten
):
    found = sharing(excess=excess, spread=spread, shared=shared, forgotten=forgotten)
    if shares:
        check_shared(*found, shared)
    else:
        check_unshared(*found)


@pytest.mark.parametrize(
    ("learnt", "forgotten_then", "shares"),
    [
        (0.4, 0.1, True),
        (
            0.4,
            0.2,
            False,
        ),  # a quarter of what was learnt, 0.15, was by gating
        (1.0, 0.0, False),  # nothing was learnt that could bear an exchange
    ],
)
def test_a_group_is_expanded_from_the_warm_up_if_the_gating_network_is_needed_later(
    sharing, learnt, forgotten_then, shares
):
    found = sharing(excess=0.02, forgotten=0.3, learnt=learnt, forgotten_then=forgotten_then)
    if shares:
        check_shared(*found, 0.2)
    else:
        check_unshared(*found)


@pytest.mark.parametrize("needed", [True, False])
def test_a_group_expansion_opens_no_gates_outside_the_group(sharing, needed):
    found = sharing(excess=0.02, forgotten=0.3, learnt=0.4, needed=needed)
    if needed:
        check_unshared(*found)
    else:
        check_shared(*found, 0.2)


@pytest.mark.parametrize("forgotten", [None, 0.1])
@pytest.mark.parametrize("are_the_same", [True, False])
def test_a_group_is_expanded_from_the_warm_up_if_it_cannot_be_exchanged_later(
    sharing, are_the_same, forgotten
):
    alike = ALIKE if are_the_same else ~ALIKE
    found = sharing(excess=0.1, excess_then=0.02, forgotten=forgotten, learnt=0.4, alike=alike)
    if are_the_same:
        check_shared(*found, 0.2)
    else:
        check_unshared(*found)
