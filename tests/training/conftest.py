"""Schedules of a training, run on fake networks whose losses are given."""

from functools import partial

import pytest
import torch
from torch import nn

from sk_tsattn._training._averaging import Average
from sk_tsattn._training._evaluation import Evaluation
from sk_tsattn._training._schedule import Schedule

BUFFERS = ("active", "input_active")
ALIKE = torch.tensor([True, True, False, False])


class FakeGate(nn.Module):
    """The part of a gate that a schedule uses."""

    def __init__(self):
        super().__init__()
        self.set_penalty(0.0, 0.0)
        self.set_sampled(True)

    def set_penalty(self, penalty, gating_penalty):
        self.penalty, self.gating_penalty = penalty, gating_penalty

    def set_sampled(self, sampled):
        self.sampled = sampled

    def set_active(self, name, active):
        setattr(self, name, active.clone())


class FakeNetwork:
    """The part of a network that a schedule uses."""

    def __init__(self, *, tolerance=0.01, n_gates=1, has_inputs=False):
        self.tolerance = tolerance
        self.gate = FakeGate()
        self.gate.active = torch.ones(n_gates, dtype=torch.bool)
        self.gate.input_active = torch.tensor([has_inputs])
        self.gate.input_gates = lambda: self.gate.input_active.float()
        self.shut = []
        self.gate.close_features = self.shut.extend
        self.shares = False
        self.slow_skip_connection = lambda: None
        self.gate.weights = self.weights = 0

    def trained(self, weights):
        """Change all weights, as a step of the optimizer does."""
        self.gate.weights = self.weights = weights

    def state_dict(self):
        gate = {f"gate.{name}": getattr(self.gate, name) for name in ("weights", *BUFFERS)}
        return {"weights": self.weights, **gate}

    def load_state_dict(self, state):
        self.weights, self.gate.weights = state["weights"], state["gate.weights"]
        for name in BUFFERS:
            setattr(self.gate, name, state[f"gate.{name}"].clone())

    def close(self, name, kept):
        setattr(self.gate, name, getattr(self.gate, name) & kept)

    def expand(self, places):
        self.gate.active = self.gate.active | places
        self.shares = True


def schedule_of(network, **options):
    """Make a schedule; ``options`` replace the arguments that these tests have in common."""
    shared = {
        "n_steps": 3000,
        "n_batches": 10,
        "n_samples": 640,
        "n_iter_no_change": 10,
        "tolerance": network.tolerance,
        "reset_optimizer": lambda: None,
        "validated": True,
        "make_average": partial(Average, nn.Linear(1, 1)),
        "gate_effects": lambda: (torch.ones_like(network.gate.active), 1.0),
        "find_interchangeable": lambda: (torch.zeros_like(network.gate.active), iter(())),
        "null_loss": 1.0,
        "linear_loss": lambda: 1.0,
        "evaluate_training": lambda: Evaluation(torch.ones(2), torch.ones(2), density=1.0),
    }
    return Schedule(network, **shared | options)


def learning(network, evaluate):
    """Make a schedule of a network whose gates are all in use."""
    return schedule_of(
        network,
        evaluate=evaluate,
        gate_usage=lambda: {name: (torch.ones(1), torch.ones(1)) for name in BUFFERS},
        close_gates=network.close,
    )


def learn(schedule):
    """Run a schedule until the warm-up is over."""
    for _ in schedule.steps():
        if schedule.phase == "penalty ramp":
            break


def run(
    measure=None,
    *,
    n_epochs=40,
    n_batches=10,
    n_samples=640,
    tolerance=0.01,
    has_inputs=False,
    alike=False,
    linear=1.0,
    known=lambda density: 1.0,
):
    """Run a schedule as training does; return it and a record of (phase, penalty, step size).

    ``measure`` returns the validation loss and the density of a phase, and the spread of the
    losses over the windows; None is no validation set. Restored gates have their former density.
    With ``has_inputs``, the gating network has an input, without which the loss is greater by 1.
    With ``alike``, the gate can be exchanged at no cost. ``linear`` is the loss of a linear model,
    ``known`` returns the training loss for a density.
    """
    network = FakeNetwork(tolerance=tolerance, has_inputs=has_inputs)
    measured = {}

    def evaluate():
        loss, density, spread = (*(measure(schedule.phase) if measure else (1.0, 1.0)), 0.01)[:3]
        if network.gate.weights == network.weights:
            measured[network.weights] = density
        density = measured[network.gate.weights]
        loss += has_inputs and not network.gate.input_active.any()
        return Evaluation(loss + spread * torch.tensor([-1.0, 0.0, 1.0]), torch.ones(3), density)

    schedule = schedule_of(
        network,
        evaluate=evaluate,
        gate_usage=lambda: {name: (one := torch.ones(1), one * has_inputs) for name in BUFFERS},
        close_gates=network.close,
        find_interchangeable=lambda: (network.gate.active & alike, iter([schedule.incumbent])),
        n_steps=n_epochs * n_batches,
        n_batches=n_batches,
        n_samples=n_samples,
        validated=measure is not None,
        linear_loss=lambda: linear,
        evaluate_training=lambda: Evaluation(
            torch.full((2,), known(measured[network.gate.weights])), torch.ones(2), density=1.0
        ),
    )
    record = []
    steps = schedule.steps()
    next(steps)
    for step in range(1, n_epochs * n_batches + 1):
        network.trained(step)
        record.append((schedule.phase, network.gate.penalty, schedule.step_size))
        next(steps, None)
        if step % n_batches == 0 and schedule.done:
            break
    schedule.finish()
    return schedule, record


def pruning(
    measure,
    *,
    used=(0.9, 0.04, 0.0),
    used_refit=None,
    moved=(1.0, 1.0, 1.0),
    validated=True,
    has_inputs=False,
    known=lambda phase, kept: 1.0,
):
    """Run a schedule with three gates; return it and which are kept.

    The mean gates are ``used``, or ``used_refit`` after the refit; without them the prediction
    changes by ``moved``, in units of the loss.

    ``measure`` returns the loss and the density of the weights of a phase, given which gates are
    kept and, with ``has_inputs``, whether the input of the gating network is. ``validated`` says
    whether there is a validation set. ``known`` returns the training loss.
    """
    network = FakeNetwork(n_gates=3, has_inputs=has_inputs)
    network.trained("warm-up")

    def kept():
        read = network.gate.input_active.tolist() if has_inputs else []
        return network.gate.active.tolist() + read

    def evaluate():
        loss, density = measure(network.weights, kept())
        return Evaluation(torch.full((2,), loss), torch.ones(2), density)

    def usage():
        read = network.gate.input_active * 1.0
        is_refit = used_refit is not None and network.weights == "refit"
        opened = torch.tensor(used_refit if is_refit else used)
        return {"active": (opened, opened), "input_active": (read, read)}

    schedule = schedule_of(
        network,
        evaluate=evaluate,
        gate_usage=usage,
        gate_effects=lambda: (torch.tensor(moved), 1.0),
        close_gates=network.close,
        validated=validated,
        evaluate_training=lambda: Evaluation(
            torch.full((2,), known(network.weights, kept())), torch.ones(2), density=0.5
        ),
    )
    for _ in schedule.steps():
        network.trained(schedule.phase)  # after this step
    schedule.finish()
    return schedule, kept()


def sharing(
    *,
    excess=0.0,
    spread=0.0,
    shared=0.2,
    forgotten=None,
    learnt=1.0,
    forgotten_then=0.0,
    excess_then=None,
    alike=ALIKE,
    needed=False,
):
    """Run a schedule with four gates, of which the first and third are open; return it.

    The inputs of the first two are interchangeable (after the path, those of ``alike``). Exchanged,
    they increase the loss by ``excess``, with a ``spread`` over the windows; after the warm-up by
    ``excess_then``, if given. The loss is ``learnt`` after the warm-up, 0.2 after the path, and
    ``shared`` after the expansion. Static gates increase the loss by ``forgotten`` (None: gates are
    static), after the warm-up by ``forgotten_then``. ``needed`` says whether the group needs the
    third gate. Returns the phases of all steps too.
    """
    has_inputs = forgotten is not None
    network = FakeNetwork(n_gates=4, has_inputs=has_inputs)
    network.trained("warm-up")
    network.gate.active = torch.tensor([True, False, True, False])

    def of(loss, density=0.5, spread=0.0):
        losses = loss + spread * torch.linspace(-1, 1, 400) * 3**0.5
        return Evaluation(losses, torch.ones(400), density)

    def evaluate():
        is_static = has_inputs and not network.gate.input_active.any()
        if network.shares and network.gate.active[1]:
            is_missing = needed and not network.gate.active[2]
            return of((shared if network.weights == "group expansion" else 0.3) + is_missing)
        if network.weights in ("warm-up", "penalty ramp"):
            return of(learnt + forgotten_then * is_static)
        return of(0.2 + (forgotten or 0) * is_static)

    def find_interchangeable():
        is_learnt = network.weights in ("warm-up", "penalty ramp")
        costs = excess_then if is_learnt and excess_then is not None else excess
        exchanges = [of(schedule.incumbent.loss + costs, spread=spread)] * 2
        return ALIKE if is_learnt else alike, iter(exchanges)

    one = torch.ones(4)
    schedule = schedule_of(
        network,
        evaluate=evaluate,
        gate_usage=lambda: {
            "active": (one, one),
            "input_active": (network.gate.input_active * 1.0,) * 2,
        },
        gate_effects=lambda: (torch.zeros(4), one),  # all are unused, unless expanded
        close_gates=network.close,
        find_interchangeable=find_interchangeable,
    )
    phases = []
    for _ in schedule.steps():
        network.trained(schedule.phase)
        phases.append(schedule.phase)
    schedule.finish()
    return schedule, phases


@pytest.fixture(scope="session", name="fake_network")
def _fake_network():
    return FakeNetwork


@pytest.fixture(scope="session", name="schedule_of")
def _schedule_of():
    return schedule_of


@pytest.fixture(scope="session", name="learning")
def _learning():
    return learning


@pytest.fixture(scope="session", name="learn")
def _learn():
    return learn


@pytest.fixture(scope="session", name="run")
def _run():
    return run


@pytest.fixture(scope="session", name="pruning")
def _pruning():
    return pruning


@pytest.fixture(scope="session", name="sharing")
def _sharing():
    return sharing
