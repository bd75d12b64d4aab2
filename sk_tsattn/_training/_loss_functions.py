"""The losses by name: what the outputs of a network predict, and how a prediction is rated.

A loss function is a module with

- ``forward(outputs, y)``: the loss of each sample, (B,), from the network's outputs and the target,
  whose unknown values are NaN;
- ``predict(outputs)``: what they predict of the target, such as probabilities;
- ``predict_point(outputs)``: the same as one value for each column of the target, for metrics;
- ``n_outputs(n_targets)``: how many outputs a network needs for a target of ``n_targets`` columns;
- ``null_prediction(y, weight)``: the constant outputs of lowest weighted loss: the null model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

# Steps of the golden-section search: 2e-10 of the target's range is left.
N_SEARCH_STEPS = 46
GOLDEN = (5**0.5 - 1) / 2
# Known targets of a validation set from which corrections may make intervals narrower.
MIN_NARROWING = 1000
# The lowest frequency of a class in the null model.
MIN_FREQUENCY = 1e-3


class PointLoss(nn.Module):
    """A loss of torch between a number and its prediction, averaged over the known columns.

    Parameters
    ----------
    loss : type
        Takes ``reduction="none"``.
    **options : Any
        Other arguments of the loss.
    """

    def __init__(self, loss: type[nn.Module], **options: Any) -> None:
        super().__init__()
        self.loss = loss(reduction="none", **options)

    def forward(self, outputs: Tensor, y: Tensor) -> Tensor:
        known = ~y.isnan()
        loss = self.loss(outputs, torch.where(known, y, outputs.detach()))
        if loss.shape != y.shape:
            raise ValueError(
                "the criterion must have a loss for each target with reduction='none', of shape "
                f"{tuple(y.shape)}, but has {tuple(loss.shape)}"
            )
        return _mean_of_known(loss, known)

    def predict(self, outputs: Tensor) -> Tensor:
        """Return the outputs (B, O): they predict the target itself."""
        return outputs

    def predict_point(self, outputs: Tensor) -> Tensor:
        """Return the outputs."""
        return outputs

    def n_outputs(self, n_targets: int) -> int:
        """Return the number of columns."""
        return n_targets

    def null_prediction(self, y: Tensor, weight: Tensor) -> Tensor:
        """Return the best constants (O,): for squares the mean, for absolute errors a median."""
        return _best_constants(lambda c: self.loss(c.expand_as(y), y), y, weight, y.shape[1:])


class QuantileLoss(nn.Module):
    r"""The pinball loss of several quantiles, averaged over them and the known columns.

    .. math:: \max(\tau (y - q_\tau),\ (\tau - 1)(y - q_\tau))

    The quantiles that are predicted are the sorted outputs, so that they cannot cross. Sorting
    never increases the loss (Chernozhukov, Fernández-Val and Galichon 2010). The loss is that of
    the outputs as they are: sorted ones could exchange their places in training.

    Parameters
    ----------
    quantiles : sequence of float
        τ, increasing.

    **Shape**: outputs (B, O Q), y (B, O) → (B,)

    **Source**: Koenker and Bassett 1978, eq. 3.1
    """

    def __init__(self, quantiles: Sequence[float]) -> None:
        super().__init__()
        self.quantiles = tuple(float(quantile) for quantile in quantiles)

    def forward(self, outputs: Tensor, y: Tensor) -> Tensor:
        known = ~y.isnan()
        predicted, y = self._by_target(outputs), torch.where(known, y, 0.0)[:, :, None]
        loss = _pinball(predicted, y, predicted.new_tensor(self.quantiles))
        return _mean_of_known(loss.mean(dim=2), known)

    def predict(self, outputs: Tensor) -> Tensor:
        """Return the quantiles (B, O, Q), in increasing order."""
        return self._by_target(outputs).sort(dim=2).values

    def predict_point(self, outputs: Tensor) -> Tensor:
        """Return the median (B, O), or the first quantile if it is not among them."""
        column = self.quantiles.index(0.5) if 0.5 in self.quantiles else 0
        return self.predict(outputs)[:, :, column]

    def n_outputs(self, n_targets: int) -> int:
        """Return the number of columns times quantiles."""
        return n_targets * len(self.quantiles)

    def null_prediction(self, y: Tensor, weight: Tensor) -> Tensor:
        """Return the quantiles of each column, (O Q,)."""
        shape = (y.shape[1], len(self.quantiles))
        y, levels = y[:, :, None], y.new_tensor(self.quantiles)
        return _best_constants(lambda c: _pinball(c, y, levels), y, weight, shape).flatten()

    def corrections(self, outputs: Tensor, y: Tensor, weight: Tensor) -> Tensor:
        """Return what to add to each quantile so that it holds on y, (O Q,); 0 for the median.

        It is the quantile of the errors, at a level that is further out by a factor of 1 + 1/n of
        the probability inside (split conformal prediction). Few targets, which are seldom of all
        kinds that will come, do not make an interval narrower.
        """
        levels = outputs.new_tensor(self.quantiles)
        outward = (levels - 0.5).sign()
        n_known = (~y.isnan()).sum(dim=0)[:, None]  # (O, 1)
        inside = torch.maximum(levels, 1 - levels) * (1 + 1 / n_known)
        raised = torch.where(outward > 0, inside, 1 - inside).clamp(0, 1)  # (O, Q)
        errors = y[:, :, None] - self.predict(outputs)
        best = outward * _best_constants(
            lambda c: _pinball(c, errors, raised), errors, weight, errors.shape[1:]
        )
        return (outward * torch.where(n_known < MIN_NARROWING, best.clamp_min(0), best)).flatten()

    def _by_target(self, outputs: Tensor) -> Tensor:
        shape = (-1, len(self.quantiles))
        by_target: Tensor = outputs.unflatten(1, shape)  # type: ignore[no-untyped-call] # torch's
        return by_target  # (B, O, Q)


class LogLoss(nn.Module):
    """The cross-entropy between the softmax of the outputs and the class.

    **Shape**: outputs (B, C), y (B, C) with a 1 at the class and 0 elsewhere → (B,)
    """

    def forward(self, outputs: Tensor, y: Tensor) -> Tensor:
        return -(y * outputs.log_softmax(dim=1)).sum(dim=1)

    def predict(self, outputs: Tensor) -> Tensor:
        """Return the probabilities of the classes, (B, C)."""
        return outputs.softmax(dim=1)

    def predict_point(self, outputs: Tensor) -> Tensor:
        """Return 1 at the most probable class and 0 elsewhere, (B, C)."""
        return nn.functional.one_hot(outputs.argmax(dim=1), outputs.shape[1])

    def n_outputs(self, n_targets: int) -> int:
        """Return the number of classes."""
        return n_targets

    def null_prediction(self, y: Tensor, weight: Tensor) -> Tensor:
        """Return the logarithm of the frequencies of the classes, (C,).

        That of an absent class is not 0, so that its loss is finite.
        """
        frequencies = (y * weight[:, None]).sum(dim=0) / weight.sum()
        return frequencies.clamp_min(MIN_FREQUENCY).log()


# The values of the regressor's parameter ``loss``.
REGRESSION_LOSSES: dict[str, Callable[..., nn.Module]] = {
    "squared_error": partial(PointLoss, nn.MSELoss),
    "absolute_error": partial(PointLoss, nn.L1Loss),
    "huber": partial(PointLoss, nn.HuberLoss),
    "quantile": QuantileLoss,
}
LOSSES = REGRESSION_LOSSES | {"log_loss": LogLoss}


def _pinball(predicted: Tensor, y: Tensor, levels: Tensor) -> Tensor:
    """Return the pinball losses (B, O, Q) of quantiles, with levels (Q,) or (O, Q)."""
    error = y - predicted
    return torch.maximum(levels * error, (levels - 1) * error)


def _mean_of_known(loss: Tensor, known: Tensor) -> Tensor:
    """Average losses (B, O) over the known targets: (B,)."""
    if loss.shape[1] == 1:  # nothing to average; a step of a small network takes 3 % less
        return (loss * known)[:, 0]
    return (loss * known).sum(dim=1) / known.sum(dim=1).clamp_min(1)


def _best_constants(
    loss: Callable[[Tensor], Tensor], y: Tensor, weight: Tensor, shape: Sequence[int]
) -> Tensor:
    """Minimise the weighted loss over constants, each by itself; the loss is convex in them.

    Parameters
    ----------
    loss : callable
        Constants of ``shape`` → losses (n, *shape).
    y : Tensor of shape (n, O), (n, O, 1) or (n, O, Q)
        The target, between whose extremes the constants are; NaN where it is unknown.
    weight : Tensor of shape (n,)
        Weights.
    shape : sequence of int
        (O,) or (O, Q).
    """
    unknown = y.isnan()
    lowest, highest = (y.masked_fill(unknown, sign * torch.inf) for sign in (1, -1))
    low, high = lowest.amin(dim=0).expand(shape), highest.amax(dim=0).expand(shape)

    def total(constants: Tensor) -> Tensor:
        losses = loss(constants).masked_fill(unknown, 0.0)
        return torch.einsum("n,n...->...", weight, losses)

    for _ in range(N_SEARCH_STEPS):
        step = GOLDEN * (high - low)
        left, right = high - step, low + step
        is_left = total(left) <= total(right)
        low, high = torch.where(is_left, low, left), torch.where(is_left, right, high)
    return (low + high) / 2
