"""Training and running the network: the only file that knows skorch."""

import copy
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping
from skorch.helper import predefined_split
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

# skorch brings tqdm along and draws its own progress with it.
from tqdm import tqdm

from .._data._batches import INFERENCE_BATCH, Batches
from ..attention._network import build_network
from ._evaluation import Average, close, linear_reference, look, moves, quartiles, reference, usage
from ._interchange import interchange
from ._penalty import is_priced, prices, set_prices
from ._schedule import Schedule

# A price is in units of the loss, but of no smaller one than this share of the target's variance:
# where nothing is left to explain, what explains nothing would be free otherwise.
LEAST_LOSS = 0.0001
# Skorch's options that net_params must leave alone: what serves instead.
RESERVED = {
    "batch_size": "set the parameter batch_size",
    "callbacks": "set the parameter callbacks",
    "dataset": "X is cut into batches by the estimator",
    "device": "set the parameter device",
    "iterator_train": "X is cut into batches by the estimator",
    "iterator_valid": "X is cut into batches by the estimator",
    "lr": "set the parameter lr",
    "max_epochs": "set the parameter max_epochs",
    "module": "set attention, attention_mode and attention_params",
    "optimizer__lr": "set the parameter lr",
    "optimizer__weight_decay": "set the parameter weight_decay",
    "train_split": "set validation_fraction and early_stopping, or give X_val to fit",
    "verbose": "set the parameter verbose",
}
HISTORY = {
    "epoch": "epoch",
    "train_loss": "train_loss",
    "valid_loss": "valid_loss",
    "lr": "lr",
    "dur": "seconds",
    "phase": "phase",
    "price": "price",
}


class WeightedLoss(nn.Module):
    r"""Mean over the batch of each sample's loss times its weight.

    Weights are scaled to a mean of 1 over the data set, so that unit weights change nothing.

    Parameters
    ----------
    loss : type, default=torch.nn.MSELoss
        A loss that takes ``reduction="none"``.

    Shape
    -----
    prediction and target (B, O), price and weight (B,) -> scalar
    """

    def __init__(self, loss=nn.MSELoss, **options):
        super().__init__()
        self.loss = loss(reduction="none", **options)

    def forward(
        self, prediction: Tensor | tuple[Tensor, Tensor], target: tuple[Tensor, Tensor]
    ) -> Tensor:
        """Weigh the losses of a batch.

        A network in training may give a price (B,) beside its prediction. Prices are in units of
        the loss itself (or of the least that counts), and are learnt from without being counted:
        the value stays the loss.
        """
        price = None
        if isinstance(prediction, tuple):
            prediction, price = prediction
        y, weight = target
        loss = (self.per_sample(prediction, y) * weight).mean()
        return loss if price is None else _Priced.apply(loss, price, weight)

    def per_sample(self, prediction: Tensor, y: Tensor) -> Tensor:
        """Average the loss over the outputs, (B,)."""
        return self.loss(prediction, y).mean(dim=1)


class _Priced(torch.autograd.Function):
    """The loss, with the gradient of its sum with the mean price, in units of the loss."""

    @staticmethod
    def forward(ctx, loss, price, weight):
        ctx.save_for_backward(loss, weight)
        return loss.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        loss, weight = ctx.saved_tensors
        return grad, weight * (grad * loss.clamp(min=LEAST_LOSS) / len(weight)), None


class EpochReport(Callback):
    """Record the learning rate, draw the progress bar, and tell a listener of each epoch.

    Parameters
    ----------
    n_epochs : int
        Epochs of this call, at most.

    listener : object
        Has ``epoch_begins()`` and ``epoch_ends()``; where the latter returns True, training stops.

    bar : str or None
        Title of the progress bar; None for no bar.
    """

    def __init__(self, n_epochs, listener, bar):
        self.n_epochs = n_epochs
        self.listener = listener
        self.bar = bar

    def on_train_begin(self, net, **kwargs):
        """Open the bar."""
        self.bar_ = self.bar and tqdm(total=self.n_epochs, desc=self.bar, unit="epoch")

    def on_epoch_begin(self, net, **kwargs):
        """Tell the listener."""
        self.listener.epoch_begins()

    def on_epoch_end(self, net, **kwargs):
        """Record, draw, tell, and stop if asked to."""
        net.history.record("lr", net.optimizer_.param_groups[0]["lr"])
        if self.bar_:
            row = net.history[-1]
            losses = [k for k in ("train_loss", "valid_loss") if k in row]
            self.bar_.set_postfix({k: f"{row[k]:.4g}" for k in losses}, refresh=False)
            self.bar_.update()
        if self.listener.epoch_ends():
            raise KeyboardInterrupt  # skorch's way to end training

    def on_train_end(self, net, **kwargs):
        """Close the bar."""
        if self.bar_:
            self.bar_.close()
        self.bar_ = None


def check_net_params(net_params):
    """Raise a ValueError where ``net_params`` has an option that the estimator sets itself."""
    for name in net_params or {}:
        if name in RESERVED or name.startswith("module__"):
            instead = RESERVED.get(name, RESERVED["module"])
            raise ValueError(
                f"net_params must leave skorch's {name!r} to the estimator. Got "
                f"{net_params[name]!r} for it; {instead}."
            )


class StopWhen(Callback):
    """Stop behind the first epoch that meets a condition.

    Parameters
    ----------
    condition : callable
        Says whether it is time.
    """

    def __init__(self, condition):
        self.condition = condition

    def on_epoch_end(self, net, **kwargs):
        """Stop if it is time."""
        if self.condition():
            raise KeyboardInterrupt


class Scheduled(Callback):
    """Train by a :class:`Schedule`.

    Parameters
    ----------
    schedule : Schedule
        Says what each step costs, and when training ends.
    """

    def __init__(self, schedule):
        self.schedule = schedule

    def on_train_begin(self, net, **kwargs):
        """Prepare the first step."""
        self.step_size_ = 1.0
        self.steps_ = self.schedule.steps()
        next(self.steps_)

    def on_batch_end(self, net, training, **kwargs):
        """Prepare the next step."""
        if not training:
            return
        next(self.steps_, None)
        self._scale(net, self.schedule.step_size)

    def on_epoch_end(self, net, **kwargs):
        """Record where the schedule is."""
        net.history.record("phase", self.schedule.phase)
        net.history.record("price", self.schedule.network.gate.price)

    def on_train_end(self, net, **kwargs):
        """Leave the optimizer as it was."""
        self._scale(net, 1.0)

    def _scale(self, net, step_size):
        """Change the learning rate by a factor, whatever else changes it."""
        if step_size != self.step_size_:
            for group in net.optimizer_.param_groups:
                group["lr"] *= step_size / self.step_size_
            self.step_size_ = step_size


def make_network(*, dtype, **sizes):
    """Build the network in the given precision."""
    return build_network(**sizes).to(getattr(torch, dtype))


def resolve_device(device):
    """Turn ``"auto"`` into a CUDA device where there is one, else the CPU."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return str(torch.device(device))
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            "The 'device' parameter must be \"auto\" or a device as torch names it, such as "
            f'"cpu" or "cuda:0". Got {device!r} instead.'
        ) from error


def make_net(*, module, seed, lr, weight_decay, batch_size, device, callbacks, verbose, net_params):
    """Assemble and initialise the skorch net.

    Parameters
    ----------
    module : dict
        Arguments of :func:`make_network`.

    seed : int
        Of the initial weights.

    lr, weight_decay, batch_size, device, callbacks, verbose, net_params
        The estimator's parameters.

    Returns
    -------
    net : skorch.NeuralNet
        Initialised, in evaluation mode.
    """
    options = dict(net_params or {})
    loss = options.pop("criterion", nn.MSELoss)
    if "optimizer" not in options:
        options["optimizer"] = torch.optim.AdamW
        options.setdefault("optimizer__weight_decay", weight_decay)  # AdamW's own is 0.01
        options.setdefault("optimizer__fused", True)  # one kernel: a step takes an eighth less
    elif weight_decay:
        options.setdefault("optimizer__weight_decay", weight_decay)
    net = NeuralNet(
        make_network,
        criterion=WeightedLoss,
        criterion__loss=loss,
        lr=lr,
        batch_size=batch_size,
        device=device,
        # Callbacks keep their state on themselves: a copy leaves the user's parameter as it was.
        callbacks=[_copy_callback(callback) for callback in callbacks or []],
        iterator_train=Batches,
        iterator_train__shuffle=True,
        iterator_valid=Batches,
        iterator_valid__batch_size=max(batch_size, INFERENCE_BATCH),
        verbose=int(verbose >= 2),
        **{f"module__{key}": value for key, value in module.items()},
        **options,
    )
    try:
        with seeded(seed, device):
            net.initialize()
    except (TypeError, ValueError) as error:
        if "unexpected argument" not in str(error) or not net_params:
            raise
        raise ValueError(
            "net_params must hold options of skorch.NeuralNet or, with a prefix, of its parts. "
            f"Got {sorted(net_params)} instead, of which skorch says: {error}"
        ) from error
    net.module_.eval()
    return net


def _copy_callback(callback):
    if isinstance(callback, tuple):
        name, callback = callback
        return name, _copy_callback(callback)
    return callback if isinstance(callback, type) else copy.copy(callback)


@contextmanager
def seeded(seed, device):
    """Seed torch inside a ``with`` block and put its random state back behind it."""
    cuda = torch.device(device).type == "cuda"
    with torch.random.fork_rng(devices=range(torch.cuda.device_count()) if cuda else []):
        torch.manual_seed(seed)
        yield


def change_net(net, **options):
    """Hand options that have changed since the last training to the net, which keeps the rest."""
    changed = {name: value for name, value in options.items() if getattr(net, name) != value}
    if changed:
        net.set_params(**changed)


def train(
    net, training, validation, *, n_epochs, patience, stopping, listener, bar, seed, phases=True
):
    """Train for ``n_epochs`` more epochs, at most, and restore the best state.

    Parameters
    ----------
    net : skorch.NeuralNet
        As :func:`make_net` gave it; trained in place.

    training : WindowDataset
        What is learnt.

    validation : WindowDataset or None
        What is watched.

    n_epochs : int
        Epochs at most.

    patience : int
        Epochs without a better validation loss after which training stops.

    stopping : bool
        Whether training stops, and restores the best epoch's weights. Otherwise it trains all
        epochs and keeps the last.

    listener, bar
        See :class:`EpochReport`.

    seed : int
        Of the batches' order, of dropout and of sampled gates.

    phases : bool, default=True
        Whether gates that have a price are trained by a :class:`Schedule`; else the price is the
        low one throughout.

    Returns
    -------
    best_epoch : int
        The epoch whose weights the net now has, counted from 1 over the net's whole life.
    """
    standing = net.callbacks_
    n_before = len(net.history)
    # Right behind skorch's record of the losses: whatever stops training later, the report and
    # the best epoch have seen the epoch.
    place = 1 + [name for name, _ in standing].index("valid_loss")
    first = [("epoch_report", EpochReport(n_epochs, listener, bar))]
    last = []
    schedule = best = None
    if is_priced(net.module_):
        gate = net.module_.gate
        low, high = prices(len(training), checked=False)
        set_prices(gate, low, low, high)
        gate.typical.copy_(quartiles(training))
        gate.kept.fill_(True)
        gate.read_kept.fill_(True)
        if phases:
            schedule = _make_schedule(
                net, training, validation if stopping else None, n_epochs, patience
            )
            first.insert(0, ("schedule", Scheduled(schedule)))
            last.append(("done", StopWhen(lambda: schedule.done)))
    elif stopping:
        best = EarlyStopping("valid_loss", patience=-1, threshold=0, load_best=True)
        best.sink = _silent
        first.insert(0, ("best_epoch", best))
        last.append(("patience", StopWhen(lambda: best.misses_ >= patience)))
    net.callbacks_ = [*standing[:place], *first, *standing[place:], *last]
    net.train_split = None if validation is None else predefined_split(validation)
    _compact(net.module_)
    try:
        with seeded(seed, net.device):
            net.partial_fit(training, y=None, epochs=n_epochs)
    finally:
        net.callbacks_ = standing
        net.train_split = None
        if schedule is not None:
            schedule.finish()
        net.module_.eval()
        for epoch in net.history:  # the loss of every batch would outweigh the net in a pickle
            epoch["batches"] = []
    if schedule is not None and schedule.best is not None:
        return n_before + schedule.best.epoch
    return net.history[-1, "epoch"] if best is None else best.best_epoch_


def _make_schedule(net, training, validation, n_epochs, n_iter_no_change):
    """Plan the training of gates that have a price."""
    n_batches = -(-len(training) // net.batch_size)
    seen = training if validation is None else validation
    return Schedule(
        net.module_,
        n_steps=n_epochs * n_batches,
        n_batches=n_batches,
        n_samples=len(training),
        n_iter_no_change=n_iter_no_change,
        reset_optimizer=net.optimizer_.state.clear,
        checked=validation is not None,
        look=lambda: look(net, seen),
        usage=lambda: usage(net, seen),
        moves=lambda: moves(net, seen),
        close=lambda name, kept: close(net, seen, name, kept),
        interchange=lambda: interchange(net, training, seen),
        average=partial(Average, net.module_),
        reference=reference(net, seen),
        linear=lambda: linear_reference(net, training, seen),
        look_back=lambda: look(net, training),
    )


def _silent(text):
    """Take skorch's message and say nothing: the epoch is in ``n_iter_``."""


def predict(net, dataset):
    """Predict every window.

    Returns
    -------
    prediction : ndarray of shape (n, n_outputs), float64
    """
    return np.concatenate([y.numpy() for y in _run(net, dataset, net.module_)]).astype(np.float64)


def attend(net, dataset):
    """Yield the attention of the windows, batch after batch, as dicts of float64 arrays."""
    for _, weights in _run(net, dataset, net.module_.attend):
        yield {axes: w.numpy().astype(np.float64) for axes, w in weights.items()}


def _run(net, dataset, method):
    """Call ``method`` on all batches without gradients; yield its results on the CPU."""
    net.module_.eval()  # a callback may predict in the middle of training
    _compact(net.module_)
    for which in torch.arange(len(dataset)).split(INFERENCE_BATCH):
        with torch.inference_mode():
            out = method(**dataset.batch(which))
            if isinstance(out, tuple):
                yield out[0].cpu(), {axes: w.cpu() for axes, w in out[1].items()}
            else:
                yield out.cpu()


def _compact(network):
    """Put the weights of recurrent layers in one piece, as cuDNN wants them: copies are not."""
    for layer in network.modules():
        if isinstance(layer, nn.RNNBase):
            layer.flatten_parameters()


def history(net):
    """List what skorch recorded of each epoch, as rows for a DataFrame."""
    return [{HISTORY[k]: row[k] for k in HISTORY if k in row} for row in net.history]
