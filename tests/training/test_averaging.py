"""Weight averaging over the last steps of training."""

from functools import partial

import pytest
import torch
from torch import nn

from sk_tsattn._training._averaging import Average
from sk_tsattn._training._evaluation import Evaluation


def averaged(*steps):
    """Set a weight step by step; return the network and its average."""
    network = nn.Linear(1, 1, bias=False)
    average = Average(network, n_max=25)
    for value in steps:
        nn.init.constant_(network.weight, value)
        average.update()
    return network, average


def test_the_average_of_few_steps_is_their_mean_and_is_applied_temporarily():
    network, average = averaged(1.0, 2.0, 6.0)
    with average.applied():
        assert network.weight.item() == pytest.approx(3.0)
    assert network.weight.item() == 6.0


def test_a_reset_restarts_the_average():
    network, average = averaged(1.0, 2.0, 6.0)
    average.reset()
    with average.applied():
        assert network.weight.item() == 6.0
    average.update()
    with average.applied():
        assert network.weight.item() == 6.0


def test_the_average_discounts_early_steps():
    network, average = averaged(*[-1.0] * 25, *[1.0] * 100)
    with average.applied():
        assert 0.9 < network.weight.item() < 1.0


def test_training_ends_with_averaged_weights(fake_network, schedule_of):
    network = nn.Linear(1, 1, bias=False)
    network.gate, network.tolerance = fake_network().gate, 0.01
    network.slow_skip_connection = lambda: None
    schedule = schedule_of(
        network,
        evaluate=lambda: Evaluation(torch.ones(2), torch.ones(2), density=0.0),
        gate_usage=lambda: {
            name: (torch.ones(1), torch.zeros(1)) for name in ("active", "input_active")
        },
        close_gates=lambda name, kept: None,
        make_average=partial(Average, network),
    )
    for step, _ in enumerate(schedule.steps()):
        nn.init.constant_(network.weight, float(step % 2))  # after this step: 0 and 1 in turn
    schedule.finish()
    assert network.weight.item() == pytest.approx(0.5, abs=0.05)
