"""Schedules of a training, run on fake networks whose losses are given."""

from functools import partial

import pytest
import torch
from torch import nn

from sk_tsattn._training._averaging import Average
from sk_tsattn._training._evaluation import Look
from sk_tsattn._training._schedule import Schedule

BUFFERS = ("active", "input_active")
ALIKE = torch.tensor([True, True, False, False])


class FakeNetwork:
    """As much of a network as a schedule needs."""

    def __init__(self, *, tolerance=0.01, n_gates=1, steers=False):
        self.tolerance = tolerance
        self.gate = torch.nn.Identity()
        self.gate.penalty, self.gate.sampled = 0.0, True
        self.gate.active = torch.ones(n_gates, dtype=torch.bool)
        self.gate.input_active = torch.tensor([steers])
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
    """Make a schedule with what these tests share, where they say nothing else."""
    shared = {
        "n_steps": 3000,
        "n_batches": 10,
        "n_samples": 640,
        "n_iter_no_change": 10,
        "tolerance": network.tolerance,
        "reset_optimizer": lambda: None,
        "checked": True,
        "average": partial(Average, nn.Linear(1, 1)),
        "moves": lambda: (torch.ones_like(network.gate.active), 1.0),
        "interchange": lambda: (torch.zeros_like(network.gate.active), iter(())),
        "reference": 1.0,
        "linear": lambda: 1.0,
        "look_back": lambda: Look(torch.ones(2), torch.ones(2), openness=1.0),
    }
    return Schedule(network, **shared | options)


def learning(network, look):
    """Make a schedule of a network whose gates are all in use."""
    return schedule_of(
        network,
        look=look,
        usage=lambda: {name: (torch.ones(1), torch.ones(1)) for name in BUFFERS},
        close=network.close,
    )


def learn(schedule):
    """Run a schedule until learning is over."""
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
    steers=False,
    alike=False,
    linear=1.0,
    known=lambda openness: 1.0,
):
    """Run a schedule as training does; return it and a record of (phase, price, step size).

    ``measure`` gives the validation loss and the openness in a phase, and how much the losses of
    the windows differ; None is no validation part. Gates that are put back have the openness that
    they had. With ``steers``, a cell steers the gates, and the loss is greater by 1 without it.
    With ``alike``, the gate can be exchanged at no cost. ``linear`` is the loss of a linear map,
    ``known`` gives that of the training windows by how far the gates are open.
    """
    network = FakeNetwork(tolerance=tolerance, steers=steers)
    measured = {}

    def look():
        loss, openness, spread = (*(measure(schedule.phase) if measure else (1.0, 1.0)), 0.01)[:3]
        if network.gate.weights == network.weights:
            measured[network.weights] = openness
        openness = measured[network.gate.weights]
        loss += steers and not network.gate.input_active.any()
        return Look(loss + spread * torch.tensor([-1.0, 0.0, 1.0]), torch.ones(3), openness)

    schedule = schedule_of(
        network,
        look=look,
        usage=lambda: {name: (one := torch.ones(1), one * steers) for name in BUFFERS},
        close=network.close,
        interchange=lambda: (network.gate.active & alike, iter([schedule.best])),
        n_steps=n_epochs * n_batches,
        n_batches=n_batches,
        n_samples=n_samples,
        checked=measure is not None,
        linear=lambda: linear,
        look_back=lambda: Look(
            torch.full((2,), known(measured[network.gate.weights])), torch.ones(2), openness=1.0
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
    checked=True,
    steers=False,
    known=lambda phase, kept: 1.0,
):
    """Run a schedule with three gates; return it and which are kept.

    On average gates are open by ``used``, refit by ``used_refit`` if that is given, and without
    them the prediction changes by ``moved``, in units of the loss.

    ``measure`` gives the loss and the openness of weights from a phase, with the gates that are
    kept and, with ``steers``, whether they are steered; ``checked`` says whether on a validation
    part. Which are kept are those gates and, with ``steers``, the steering. ``known`` gives the
    loss in the training windows.
    """
    network = FakeNetwork(n_gates=3, steers=steers)
    network.trained("warm-up")

    def kept():
        read = network.gate.input_active.tolist() if steers else []
        return network.gate.active.tolist() + read

    def look():
        loss, openness = measure(network.weights, kept())
        return Look(torch.full((2,), loss), torch.ones(2), openness)

    def usage():
        read = network.gate.input_active * 1.0
        is_refit = used_refit is not None and network.weights == "refit"
        opened = torch.tensor(used_refit if is_refit else used)
        return {"active": (opened, opened), "input_active": (read, read)}

    schedule = schedule_of(
        network,
        look=look,
        usage=usage,
        moves=lambda: (torch.tensor(moved), 1.0),
        close=network.close,
        checked=checked,
        look_back=lambda: Look(
            torch.full((2,), known(network.weights, kept())), torch.ones(2), openness=0.5
        ),
    )
    for _ in schedule.steps():
        network.trained(schedule.phase)  # behind this step
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
    """Run a schedule with four gates, of which it opens the first and the third; return it.

    The inputs of the first two are alike (behind the price, of ``alike``): exchanged, they raise
    the error by ``excess``, which differs between windows by ``spread``; behind learning, by
    ``excess_then``, if that is given. The error is ``learnt`` behind learning, 0.2 behind the
    price, and ``shared`` where the two share. Gates are steered, unless ``forgotten`` is None:
    without that, the error is higher by as much, or behind learning by ``forgotten_then``. The
    third, which the price closes, is ``needed`` by those that share, or not. Return the phases of
    all steps too.
    """
    steers = forgotten is not None
    network = FakeNetwork(n_gates=4, steers=steers)
    network.trained("warm-up")
    network.gate.active = torch.tensor([True, False, True, False])

    def of(loss, openness=0.5, spread=0.0):
        losses = loss + spread * torch.linspace(-1, 1, 400) * 3**0.5
        return Look(losses, torch.ones(400), openness)

    def look():
        is_unsteered = steers and not network.gate.input_active.any()
        if network.shares and network.gate.active[1]:
            is_missing = needed and not network.gate.active[2]
            return of((shared if network.weights == "group expansion" else 0.3) + is_missing)
        if network.weights in ("warm-up", "penalty ramp"):
            return of(learnt + forgotten_then * is_unsteered)
        return of(0.2 + (forgotten or 0) * is_unsteered)

    def interchange():
        is_learnt = network.weights in ("warm-up", "penalty ramp")
        costs = excess_then if is_learnt and excess_then is not None else excess
        looks = [of(schedule.best.loss + costs, spread=spread)] * 2
        return ALIKE if is_learnt else alike, iter(looks)

    one = torch.ones(4)
    schedule = schedule_of(
        network,
        look=look,
        usage=lambda: {
            "active": (one, one),
            "input_active": (network.gate.input_active * 1.0,) * 2,
        },
        moves=lambda: (torch.zeros(4), one),  # all are idle, unless they share
        close=network.close,
        interchange=interchange,
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
