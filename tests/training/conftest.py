"""A path of penalties that runs on a fake network with prescribed losses."""

from typing import NamedTuple

import pytest
import torch
from torch import nn

from sk_tsattn._training._path import PHASES, PenaltyPath
from sk_tsattn._training._selection import Evaluation

N_WINDOWS = 400
SPREAD = torch.linspace(-1, 1, N_WINDOWS) * 3**0.5  # mean 0, standard deviation 1


class Step(NamedTuple):
    """A step of training."""

    phase: str
    penalty: float
    size: float
    sampled: bool  # whether gates are sampled
    trains_gates: bool


class Weights(NamedTuple):
    """What the prescribed loss may depend on."""

    phase: str  # of the last step
    step: int
    penalty: float
    active: list[bool]
    static: bool
    is_expanded: bool


class FakeGate(nn.Module):
    """The interface of a gate that a path uses."""

    def __init__(self, n_gates):
        super().__init__()
        self.evidence, self.sampled = None, True
        self.bias = nn.Parameter(torch.zeros(1))
        self.register_buffer("active", torch.ones(n_gates, dtype=torch.bool))
        self.register_buffer("static", torch.tensor(False))
        self.set_penalty(0.0, 0.0)

    def set_penalty(self, penalty, gating_penalty):
        self.penalty, self.gating_penalty = penalty, gating_penalty

    def set_sampled(self, sampled):
        self.sampled = sampled

    def set_active(self, name, active):
        self.get_buffer(name).copy_(active)


class FakeNetwork(nn.Module):
    """The interface of a network that a path uses. Its weights record the step of training."""

    def __init__(self, n_gates):
        super().__init__()
        self.gate = FakeGate(n_gates)
        self.weight = nn.Parameter(torch.zeros(1))
        self.register_buffer("made_at", torch.zeros(3, dtype=torch.float64))
        self.register_buffer("is_expanded", torch.tensor([False]))
        self.slowed = []  # the steps at which the skip connection was slowed

    def train_step(self, phase, step):
        nn.init.constant_(self.weight, step % 2)
        self.made_at.copy_(torch.tensor([PHASES.index(phase), step, self.gate.penalty]))

    def weights(self):
        phase, step, penalty = self.made_at.tolist()
        active, static = self.gate.active.tolist(), bool(self.gate.static)
        expanded = bool(self.is_expanded)
        return Weights(PHASES[int(phase)], int(step), penalty, active, static, expanded)

    def slow_skip_connection(self):
        self.slowed.append(int(self.made_at[1]))

    def expand(self, group):
        self.gate.active |= group
        self.is_expanded.fill_(True)


def evaluation_of(loss, density=0.5, error=0.0):
    """Return an evaluation whose loss has this standard error, on windows of equal weight."""
    losses = loss + error * N_WINDOWS**0.5 * SPREAD
    return Evaluation(losses.double(), torch.ones(N_WINDOWS).double(), density)


def run(
    measure,
    *,
    n_epochs=200,
    n_batches=10,
    n_samples=640,
    n_gates=4,
    tolerance=0.01,
    n_iter_no_change=10,
    validated=True,
    usage=None,
    can_be_static=False,
    group=None,
    exchange=lambda weights: (0.0, 0.0),
):
    """Run a path as training does; return it and its steps.

    ``measure`` returns the loss and the density of weights, and optionally a standard error; the
    loss of the null model is 1. ``usage`` is the use of the gates, as a function of the weights:
    by default all gates are used fully, and none can be closed. Unless it ``can_be_static``, a
    static network has a loss of 2. ``group`` is that of the interchangeable gates, as a function
    of the weights, and ``exchange`` the increase of the loss by an exchange, and its error.
    """
    network = FakeNetwork(n_gates)
    gate = network.gate

    def gate_usage():
        used = torch.ones(n_gates) if usage is None else torch.tensor(usage(network.weights()))
        return {"active": used}

    def find_interchangeable():
        if group is None:
            return gate.active & False, iter(())
        increase, error = exchange(network.weights())
        exchanges = [evaluation_of(path.incumbent.loss + increase, error=error)]
        return torch.tensor(group(network.weights())), iter(exchanges)

    def evaluate():
        weights = network.weights()
        return evaluation_of(
            *((2.0,) if weights.static and not can_be_static else measure(weights))
        )

    path = PenaltyPath(
        network,
        n_steps=n_epochs * n_batches,
        n_batches=n_batches,
        n_samples=n_samples,
        n_iter_no_change=n_iter_no_change,
        tolerance=tolerance,
        validated=validated,
        null=evaluation_of(1.0, 0.0),
        evaluate=evaluate,
        gate_usage=gate_usage,
        close_gates=lambda name, kept: gate.set_active(name, gate.get_buffer(name) & kept),
        make_static=lambda: gate.static.fill_(True),
        find_interchangeable=find_interchangeable,
        reset_optimizer=lambda: None,
    )
    taken = []
    steps = path.steps()
    next(steps)
    for step in range(1, n_epochs * n_batches + 1):
        network.train_step(path.phase, step)
        trains_gates = gate.bias.requires_grad
        taken.append(Step(path.phase, gate.penalty, path.step_size, gate.sampled, trains_gates))
        next(steps, None)
        if step % n_batches == 0 and path.done:
            break
    path.finish()
    return path, taken


@pytest.fixture(scope="session", name="run")
def _run():
    return run


@pytest.fixture(scope="session", name="evaluation_of")
def _evaluation_of():
    return evaluation_of
