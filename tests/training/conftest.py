"""Training schedules that run on fake networks with prescribed losses."""

from functools import partial

import pytest
import torch
from torch import nn

from sk_tsattn._training._averaging import Average
from sk_tsattn._training._evaluation import Evaluation
from sk_tsattn._training._schedule import Schedule

BUFFERS = ("active", "input_active")
INTERCHANGEABLE = torch.tensor([True, True, False, False])


class FakeGate(nn.Module):
    """The interface of a gate that a schedule uses."""

    def __init__(self):
        super().__init__()
        self.set_penalty(0.0, 0.0)
        self.set_sampled(True)
        self.evidence = None

    def set_penalty(self, penalty, gating_penalty):
        self.penalty, self.gating_penalty = penalty, gating_penalty

    def set_sampled(self, sampled):
        self.sampled = sampled

    def set_active(self, name, active):
        setattr(self, name, active.clone())


class FakeNetwork:
    """The interface of a network that a schedule uses."""

    def __init__(self, *, tolerance=0.01, n_gates=1, has_inputs=False):
        self.tolerance = tolerance
        self.gate = FakeGate()
        self.gate.active = torch.ones(n_gates, dtype=torch.bool)
        self.gate.input_active = torch.tensor([has_inputs])
        self.gate.input_gates = lambda: self.gate.input_active.float()
        self.screened = []
        self.gate.close_features = self.screened.extend
        self.is_expanded = False
        self.slow_skip_connection = lambda: None
        self.gate.weights = self.weights = 0

    def set_weights(self, weights):
        """Change all weights, as an optimizer step does."""
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
        self.is_expanded = True


def schedule_of(network, **options):
    """Return a schedule; ``options`` replace the default arguments of these tests."""
    defaults = {
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
    return Schedule(network, **defaults | options)


def schedule_with_open_gates(network, evaluate):
    """Return a schedule of a network whose gates are all open."""
    return schedule_of(
        network,
        evaluate=evaluate,
        gate_usage=lambda: {name: (torch.ones(1), torch.ones(1)) for name in BUFFERS},
        close_gates=network.close,
    )


def run_warm_up(schedule):
    """Run a schedule until the end of the warm-up."""
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
    interchangeable=False,
    linear_loss=1.0,
    training_loss=lambda density: 1.0,
):
    """Run a schedule as training does; return it and a record of (phase, penalty, step size).

    ``measure`` returns the validation loss and the density of a phase, and optionally the spread
    of the losses over the windows; None means that there is no validation set. Restored gates have
    the density that they had. With ``has_inputs``, the gating network has one input, and closing
    it increases the loss by 1. With ``interchangeable``, exchanging the input of the gate does not
    change the loss. ``linear_loss`` is the loss of a linear model; ``training_loss`` returns the
    training loss for a density.
    """
    network = FakeNetwork(tolerance=tolerance, has_inputs=has_inputs)
    densities = {}

    def evaluate():
        loss, density, spread = (*(measure(schedule.phase) if measure else (1.0, 1.0)), 0.01)[:3]
        if network.gate.weights == network.weights:
            densities[network.weights] = density
        density = densities[network.gate.weights]
        loss += has_inputs and not network.gate.input_active.any()
        return Evaluation(loss + spread * torch.tensor([-1.0, 0.0, 1.0]), torch.ones(3), density)

    schedule = schedule_of(
        network,
        evaluate=evaluate,
        gate_usage=lambda: {name: (one := torch.ones(1), one * has_inputs) for name in BUFFERS},
        close_gates=network.close,
        find_interchangeable=lambda: (
            network.gate.active & interchangeable,
            iter([schedule.incumbent]),
        ),
        n_steps=n_epochs * n_batches,
        n_batches=n_batches,
        n_samples=n_samples,
        validated=measure is not None,
        linear_loss=lambda: linear_loss,
        evaluate_training=lambda: Evaluation(
            torch.full((2,), training_loss(densities[network.gate.weights])),
            torch.ones(2),
            density=1.0,
        ),
    )
    record = []
    steps = schedule.steps()
    next(steps)
    for step in range(1, n_epochs * n_batches + 1):
        network.set_weights(step)
        record.append((schedule.phase, network.gate.penalty, schedule.step_size))
        next(steps, None)
        if step % n_batches == 0 and schedule.done:
            break
    schedule.finish()
    return schedule, record


def run_pruning(
    measure,
    *,
    mean_gates=(0.9, 0.04, 0.0),
    mean_gates_refit=None,
    effects=(1.0, 1.0, 1.0),
    validated=True,
    has_inputs=False,
    training_loss=lambda phase, kept: 1.0,
):
    """Run a schedule with three gates; return it and which are kept.

    The means of the gates are ``mean_gates``, after the refit ``mean_gates_refit`` if that is not
    None. Closing a gate changes the prediction by its value in ``effects``, in units of the loss.
    ``measure`` returns the loss and the density of the weights of a phase, given which gates are
    kept and, with ``has_inputs``, whether the input of the gating network is kept. ``validated``:
    whether there is a validation set. ``training_loss`` returns the loss on the training set.
    """
    network = FakeNetwork(n_gates=3, has_inputs=has_inputs)
    network.set_weights("warm-up")

    def kept():
        inputs = network.gate.input_active.tolist() if has_inputs else []
        return network.gate.active.tolist() + inputs

    def evaluate():
        loss, density = measure(network.weights, kept())
        return Evaluation(torch.full((2,), loss), torch.ones(2), density)

    def usage():
        inputs = network.gate.input_active * 1.0
        is_refit = mean_gates_refit is not None and network.weights == "refit"
        gates = torch.tensor(mean_gates_refit if is_refit else mean_gates)
        return {"active": (gates, gates), "input_active": (inputs, inputs)}

    schedule = schedule_of(
        network,
        evaluate=evaluate,
        gate_usage=usage,
        gate_effects=lambda: (torch.tensor(effects), 1.0),
        close_gates=network.close,
        validated=validated,
        evaluate_training=lambda: Evaluation(
            torch.full((2,), training_loss(network.weights, kept())), torch.ones(2), density=0.5
        ),
    )
    for _ in schedule.steps():
        network.set_weights(schedule.phase)  # after this step
    schedule.finish()
    return schedule, kept()


def run_group_expansion(
    *,
    exchange_cost=0.0,
    spread=0.0,
    expanded_loss=0.2,
    static_cost=None,
    warm_up_loss=1.0,
    warm_up_static_cost=0.0,
    warm_up_exchange_cost=None,
    interchangeable=INTERCHANGEABLE,
    needs_other_gate=False,
):
    """Run a schedule with four gates, of which the first and third are open.

    The inputs of the first two gates are interchangeable (after the path, those of
    ``interchangeable``). Exchanging them increases the loss by ``exchange_cost``, with a standard
    deviation of ``spread`` over the windows; after the warm-up by ``warm_up_exchange_cost``, if
    that is not None. The loss is ``warm_up_loss`` after the warm-up, 0.2 after the path, and
    ``expanded_loss`` after the group expansion. Static gates increase the loss by ``static_cost``
    (None: all gates are static), after the warm-up by ``warm_up_static_cost``. With
    ``needs_other_gate``, closing the third gate increases the loss of the expanded group.

    Returns the schedule and the phase of each step.
    """
    has_inputs = static_cost is not None
    network = FakeNetwork(n_gates=4, has_inputs=has_inputs)
    network.set_weights("warm-up")
    network.gate.active = torch.tensor([True, False, True, False])

    def evaluation_of(loss, density=0.5, spread=0.0):
        losses = loss + spread * torch.linspace(-1, 1, 400) * 3**0.5
        return Evaluation(losses, torch.ones(400), density)

    def evaluate():
        is_static = has_inputs and not network.gate.input_active.any()
        if network.is_expanded and network.gate.active[1]:
            is_missing = needs_other_gate and not network.gate.active[2]
            loss = expanded_loss if network.weights == "group expansion" else 0.3
            return evaluation_of(loss + is_missing)
        if network.weights in ("warm-up", "penalty ramp"):
            return evaluation_of(warm_up_loss + warm_up_static_cost * is_static)
        return evaluation_of(0.2 + (static_cost or 0) * is_static)

    def find_interchangeable():
        is_warm_up = network.weights in ("warm-up", "penalty ramp")
        has_own_cost = is_warm_up and warm_up_exchange_cost is not None
        cost = warm_up_exchange_cost if has_own_cost else exchange_cost
        exchanges = [evaluation_of(schedule.incumbent.loss + cost, spread=spread)] * 2
        return INTERCHANGEABLE if is_warm_up else interchangeable, iter(exchanges)

    one = torch.ones(4)
    schedule = schedule_of(
        network,
        evaluate=evaluate,
        gate_usage=lambda: {
            "active": (one, one),
            "input_active": (network.gate.input_active * 1.0,) * 2,
        },
        gate_effects=lambda: (torch.zeros(4), one),  # no effect: all are unused, unless expanded
        close_gates=network.close,
        find_interchangeable=find_interchangeable,
    )
    phases = []
    for _ in schedule.steps():
        network.set_weights(schedule.phase)
        phases.append(schedule.phase)
    schedule.finish()
    return schedule, phases


@pytest.fixture(scope="session", name="fake_network")
def _fake_network():
    return FakeNetwork


@pytest.fixture(scope="session", name="schedule_of")
def _schedule_of():
    return schedule_of


@pytest.fixture(scope="session", name="schedule_with_open_gates")
def _schedule_with_open_gates():
    return schedule_with_open_gates


@pytest.fixture(scope="session", name="run_warm_up")
def _run_warm_up():
    return run_warm_up


@pytest.fixture(scope="session", name="run")
def _run():
    return run


@pytest.fixture(scope="session", name="run_pruning")
def _run_pruning():
    return run_pruning


@pytest.fixture(scope="session", name="run_group_expansion")
def _run_group_expansion():
    return run_group_expansion
