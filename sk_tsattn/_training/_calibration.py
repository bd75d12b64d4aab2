"""Calibration of quantiles: they are shifted so that they hold on the validation set."""

from __future__ import annotations

import torch
from skorch import NeuralNet

from .._data._batches import WindowDataset
from ._inference import outputs_of
from ._initial_weights import shift_outputs
from ._loss_functions import QuantileLoss

# Windows of the validation set that the outer quantiles of errors need, at least. Neighbours in
# time are alike, so that they count as fewer: with 50 the pinball loss grew by 4 %.
MIN_WINDOWS = 100


@torch.no_grad()
def calibrate_quantiles(net: NeuralNet, validation: WindowDataset) -> None:
    """Shift each quantile but the median by the quantile of its errors on the validation set.

    A network is too certain on the data that it was trained on. This is conformalized quantile
    regression with one correction for each quantile (Romano, Patterson and Candès 2019, theorem 2),
    without a set of its own for the correction. It does nothing with fewer than 100 windows, and
    makes no interval narrower with fewer than 1,000.
    """
    loss = net.criterion_.loss
    if not isinstance(loss, QuantileLoss) or len(validation) < MIN_WINDOWS:
        return
    outputs = torch.cat(list(outputs_of(net, validation)))
    shift_outputs(net.module_, loss.corrections(outputs, validation.y, validation.weight))
