"""Weight averaging over the last steps of training."""

import pytest
from torch import nn

from sk_tsattn._training._averaging import Average


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


def test_training_ends_with_averaged_weights(run):
    path, taken = run(lambda weights: (0.5, 0.5))
    assert path.incumbent.step == len(taken)
    # After odd steps the fake network's weight is 1, after even steps 0.
    assert path.network.weight.item() == pytest.approx(0.5, abs=0.05)
