"""Training a net: early stopping, the schedule of the gates, and the best state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from skorch import NeuralNet
from skorch.callbacks import EarlyStopping

from .._data._batches import WindowDataset
from .._processes import n_processes, process_number
from .._random import random_numbers
from .._threads import threads_that_help
from ._callbacks import EpochListener, EpochReport, PathCallback, StopWhen
from ._compilation import CompiledSteps
from ._convergence import DivergenceCheck, check_convergence
from ._epochs import run_epochs
from ._evaluation import (
    close_gates,
    evaluate,
    evaluate_null_model,
    feature_quartiles,
    gate_usage,
    make_static,
)
from ._inference import flatten_recurrent_weights
from ._interchange import find_interchangeable
from ._path import PenaltyPath, has_penalty
from ._precision import PRECISIONS, MixedPrecision
from ._selection import lowest_penalty
from ._shared_steps import SharedSteps, check_same_fit, check_same_weights
from ._stopping import StopTraining, is_raised_by_callback
from ._user_callbacks import check_monitors


@dataclass(frozen=True)
class TrainingResult:
    """The end of a training.

    Parameters
    ----------
    best_epoch : int
        The epoch of the weights that the net now has, counted from 1 over the net's whole life.

    interrupted : KeyboardInterrupt or None
        The user's interruption, to be raised again. The net has the best weights so far.

    path : list of dict
        A row for each candidate, see :meth:`.PenaltyPath.table`; empty for other networks.
    """

    best_epoch: int
    interrupted: KeyboardInterrupt | None
    path: list[dict[str, Any]]


def train(
    net: NeuralNet,
    training: WindowDataset,
    validation: WindowDataset | None,
    *,
    n_epochs: int,
    patience: int,
    stopping: bool,
    listener: EpochListener,
    bar: str | None,
    seed: int,
    phases: bool = True,
    tolerance: float = 0.0,
    precision: str = "float32",
    compiled: bool = False,
) -> TrainingResult:
    """Train for at most ``n_epochs`` more epochs, and restore the best state.

    Parameters
    ----------
    net : skorch.NeuralNet
        Made by :func:`make_net`; trained in place.

    training : WindowDataset
        The training set.

    validation : WindowDataset or None
        The validation set.

    n_epochs : int
        Maximum number of epochs.

    patience : int
        Epochs without a lower validation loss after which training stops.

    stopping : bool
        Whether to stop early and to restore the weights of the best epoch. Otherwise the net is
        trained for all epochs and keeps the last weights.

    listener, bar
        See :class:`EpochReport`.

    seed : int
        Seed of the order of the batches, of dropout and of sampled gates.

    phases : bool, default=True
        Whether gates with an L0 penalty are trained by a :class:`.PenaltyPath`. Otherwise the
        penalty has its lowest weight throughout.

    tolerance : float, default=0.0
        Relative increase of the validation loss accepted in exchange for sparser gates. Has no
        effect on networks without an L0 penalty.

    precision : str, default="float32"
        A key of :data:`PRECISIONS`: whether the steps use autocast.

    compiled : bool, default=False
        Whether the forward and backward passes are compiled.

    Returns
    -------
    result : TrainingResult

    Raises
    ------
    ValueError
        If the loss is not finite. The weights of the net are then of no use.

    KeyboardInterrupt
        If the user interrupts training before the end of its first epoch.

    Warns
    -----
    ConvergenceWarning
        If the net is worse than predicting the mean, at the end of a training in phases.
    """
    check_monitors(net, validated=validation is not None)
    callbacks = net.callbacks_
    n_before = len(net.history)
    # Directly after skorch's record of the losses: if a later callback stops training, the report
    # and the best epoch have seen the epoch.
    position = 1 + [name for name, _ in callbacks].index("valid_loss")
    report = EpochReport(n_epochs, listener, bar)
    first = [("divergence", DivergenceCheck()), ("epoch_report", report)]
    last = []
    path = best = None
    if has_penalty(net.module_):
        gate = net.module_.gate
        gate.reset(baselines=feature_quartiles(training))
        low = lowest_penalty(len(training), gate.active.numel())
        gate.set_penalty(low, low)
        if phases:
            path = _make_path(
                net, training, validation if stopping else None, n_epochs, patience, tolerance
            )
            first.insert(1, ("path", PathCallback(path)))
            last.append(("done", StopWhen(lambda: path.done)))
    elif stopping:
        best = EarlyStopping("valid_loss", patience=-1, threshold=0, load_best=True)
        best.sink = _silent
        first.insert(1, ("best_epoch", best))
        last.append(("patience", StopWhen(lambda: best.misses_ >= patience)))
    autocast = PRECISIONS[precision][1]
    steps: list[MixedPrecision | CompiledSteps] = []
    if autocast is not None:
        steps.append(MixedPrecision(autocast))
    if compiled:
        steps.append(CompiledSteps())
    first = [*((type(step).__name__, step) for step in steps), *first]
    net.callbacks_ = [*callbacks[:position], *first, *callbacks[position:], *last]
    if n_processes() > 1:
        check_same_fit(net, training, validation, n_epochs)
        net.callbacks_.insert(0, ("shared_steps", SharedSteps()))
    flatten_recurrent_weights(net.module_)
    try:
        n_units = min(net.batch_size, len(training)) * net.module__hidden_size
        with random_numbers(seed, process_number()), threads_that_help(n_units):
            interrupted = _run_epochs(net, training, validation, n_epochs, report)
    finally:
        report.close()
        for step in steps:
            step.close(net)
        net.callbacks_ = callbacks
        if path is not None:
            path.finish()
        net.module_.eval()
        for row in net.history:  # the losses of all batches would outweigh the net in a pickle
            row["batches"] = []
    if n_processes() > 1:
        check_same_weights(net)
    if phases and interrupted is None:
        check_convergence(net, training, validation)
    best_epoch = n_before + report.n_complete
    if best is not None:
        best_epoch = best.best_epoch_
    elif path is not None and path.incumbent is not None:
        best_epoch = n_before + path.incumbent.epoch
    return TrainingResult(best_epoch, interrupted, [] if path is None else path.table())


def _run_epochs(
    net: NeuralNet,
    training: WindowDataset,
    validation: WindowDataset | None,
    n_epochs: int,
    report: EpochReport,
) -> KeyboardInterrupt | None:
    """Run all epochs; return the user's interruption, if there is one.

    In place of skorch's ``partial_fit``, which ignores an interruption.
    """
    n_before = len(net.history)
    interrupted = None
    net.notify("on_train_begin", X=training, y=None)
    try:
        run_epochs(net, training, validation, n_epochs)
    except StopTraining:
        pass
    except KeyboardInterrupt as error:
        interrupted = None if is_raised_by_callback(error) else error
        if not report.n_complete:
            raise
        del net.history[n_before + report.n_complete :]  # an epoch that is not complete
    net.notify("on_train_end", X=training, y=None)
    return interrupted


def _make_path(
    net: NeuralNet,
    training: WindowDataset,
    validation: WindowDataset | None,
    n_epochs: int,
    n_iter_no_change: int,
    tolerance: float,
) -> PenaltyPath:
    """Make the training of a network whose gates have a penalty."""
    n_batches = -(-len(training) // net.batch_size)
    seen = training if validation is None else validation
    return PenaltyPath(
        net.module_,
        n_steps=n_epochs * n_batches,
        n_batches=n_batches,
        n_samples=len(training),
        n_iter_no_change=n_iter_no_change,
        tolerance=tolerance,
        validated=validation is not None,
        null=evaluate_null_model(net, training, seen),
        evaluate=lambda: evaluate(net, seen),
        gate_usage=lambda: gate_usage(net, seen),
        close_gates=lambda name, kept: close_gates(net, seen, name, kept),
        make_static=lambda: make_static(net, seen),
        find_interchangeable=lambda: find_interchangeable(net, training, seen),
        reset_optimizer=net.optimizer_.state.clear,
    )


def _silent(text: str) -> None:
    """Drop a message of skorch: the epoch is in ``n_iter_``."""
