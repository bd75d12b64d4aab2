"""skorch callbacks of the library's own: progress, stopping, and the path of penalties."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from skorch import NeuralNet
from skorch.callbacks import Callback

# skorch depends on tqdm, and draws its own progress bar with it.
from tqdm import tqdm

from ._path import PHASES, PenaltyPath
from ._stopping import StopTraining


class EpochListener(Protocol):
    """Follows the epochs of a fit."""

    def begin_epoch(self) -> None:
        """Called before each epoch."""

    def end_epoch(self) -> bool:
        """Called after each epoch; return True to stop training."""


class EpochReport(Callback):  # type: ignore[misc] # skorch is untyped
    """Record the learning rate, draw the progress bar, and notify a listener of each epoch.

    Parameters
    ----------
    n_epochs : int
        Maximum number of epochs of this call.

    listener : EpochListener
        Is notified of each epoch and may stop training.

    bar : str or None
        Title of the progress bar; None for no bar.

    Attributes
    ----------
    n_complete : int
        Number of epochs so far.
    """

    def __init__(self, n_epochs: int, listener: EpochListener, bar: str | None) -> None:
        self.n_epochs = n_epochs
        self.listener = listener
        self.bar = bar
        self.n_complete = 0
        self.bar_: Any = None

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Open the progress bar."""
        self.bar_ = self.bar and tqdm(total=self.n_epochs, desc=self.bar, unit="epoch")

    def on_epoch_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Notify the listener; drop the losses of the batches of the epoch before."""
        if len(net.history) > 1:
            net.history[-2]["batches"] = []
        self.listener.begin_epoch()

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Record the learning rate, draw the bar, notify the listener, and stop if it asks to."""
        self.n_complete += 1
        net.history.record("lr", net.optimizer_.param_groups[0]["lr"])
        if self.bar_:
            row = net.history[-1]
            losses = [k for k in ("train_loss", "valid_loss") if k in row]
            self.bar_.set_postfix({k: f"{row[k]:.4g}" for k in losses}, refresh=False)
            self.bar_.update()
        if self.listener.end_epoch():
            raise StopTraining

    def close(self) -> None:
        """Close the progress bar."""
        if self.bar_:
            self.bar_.close()
        self.bar_ = None


class StopWhen(Callback):  # type: ignore[misc] # skorch is untyped
    """Stop after the first epoch that meets a condition.

    Parameters
    ----------
    condition : callable
        Returns True when training is to stop.
    """

    def __init__(self, condition: Callable[[], bool]) -> None:
        self.condition = condition

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Stop if the condition holds."""
        if self.condition():
            raise StopTraining


class PathCallback(Callback):  # type: ignore[misc] # skorch is untyped
    """Advance a :class:`.PenaltyPath` with each optimisation step.

    Parameters
    ----------
    path : PenaltyPath
        Sets the L0 penalty and the step size of each step.
    """

    def __init__(self, path: PenaltyPath) -> None:
        self.path = path

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Prepare the first step."""
        self.step_size_ = 1.0
        self.steps_ = self.path.steps()
        next(self.steps_)

    def on_batch_end(self, net: NeuralNet, training: bool, **kwargs: Any) -> None:
        """Prepare the next step."""
        if not training:
            return
        next(self.steps_, None)
        self._scale_lr(net, self.path.step_size)

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Record the phase, as a number, which all of skorch's loggers take, and the penalty."""
        net.history.record("phase", PHASES.index(self.path.phase))
        net.history.record("penalty", self.path.network.gate.penalty)

    def on_train_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Restore the optimizer's own learning rate."""
        self._scale_lr(net, 1.0)

    def _scale_lr(self, net: NeuralNet, step_size: float) -> None:
        """Multiply the learning rate, which callbacks may change too, by a factor."""
        if step_size != self.step_size_:
            for group in net.optimizer_.param_groups:
                group["lr"] *= step_size / self.step_size_
            self.step_size_ = step_size
