"""The network of a fitted estimator with its scaling, as one torch module."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .._data._missing import fill_unobserved
from .._data._scaling import Standardizer
from ..attention._missing import attention_of_observed


class WindowPredictor(nn.Module):
    """Predict from windows in their own units, as the fitted estimator does.

    ``forward`` is a function of the window alone: it can be differentiated, compiled and exported.
    The network and the scaling are copies: training this module does not change the estimator.

    Parameters
    ----------
    network : nn.Module
        Standardised windows (B, T, F), mask → outputs (B, P); with ``attend``.
    loss : nn.Module
        Its ``predict`` makes the prediction of the outputs.
    X_scaler, y_scaler : Standardizer
        The scaling of the features and of the target.
    is_vector : bool
        Whether the target has one column, which the prediction is then without.

    **Shape**: X (B, T, F), with NaN at missing cells → the prediction, in double precision: (B,) or
    (B, O), with ``loss="quantile"`` (B, Q) or (B, O, Q), and the probabilities (B, C) of classes.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: nn.Module,
        X_scaler: Standardizer,
        y_scaler: Standardizer,
        *,
        is_vector: bool,
    ) -> None:
        super().__init__()
        self.network: Any = copy.deepcopy(network)
        self.loss: Any = copy.deepcopy(loss)
        self.X_scaling = Scaling(X_scaler)
        self.y_scaling = Scaling(y_scaler)
        self.is_vector = is_vector

    def forward(self, X: Tensor) -> Tensor:
        """Predict in the units of the target."""
        standardised, mask, _ = self._prepare(X)
        return self._in_units(self.network(standardised, mask))

    def attend(self, X: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Predict, and return the weights as ``attention_weights`` of the estimator does."""
        standardised, mask, observed = self._prepare(X)
        outputs, weights = self.network.attend(standardised, mask)
        if weights:
            weights = attention_of_observed(weights, observed)
        return self._in_units(outputs), weights

    def _prepare(self, X: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return standardised windows, their mask and which cells are observed."""
        observed = ~X.isnan()  # (B, T, F)
        dtype = next(self.network.parameters()).dtype
        X, mask = fill_unobserved(self.X_scaling.standardise(X).to(dtype), observed)
        return X, mask, observed

    def _in_units(self, outputs: Tensor) -> Tensor:
        prediction: Tensor = self.loss.predict(outputs).double()
        if prediction.ndim == 3:  # quantiles: (B, O, Q)
            prediction = self.y_scaling.in_units(prediction.transpose(1, 2)).transpose(1, 2)
        else:
            prediction = self.y_scaling.in_units(prediction)
        return prediction[:, 0] if self.is_vector else prediction


class Scaling(nn.Module):
    """The scaling of columns, in double precision: see :class:`Standardizer`.

    Parameters
    ----------
    scaler : Standardizer
        Fitted.
    """

    mean: Tensor
    scale: Tensor
    unit: Tensor

    def __init__(self, scaler: Standardizer) -> None:
        super().__init__()
        self.register_buffer("mean", _double(scaler.mean))
        self.register_buffer("scale", _double(scaler.scale))
        # Two factors, since their product may overflow.
        half = np.asarray(scaler.exponent) // 2
        factors = np.ldexp(1.0, np.stack([half, np.asarray(scaler.exponent) - half]))
        self.register_buffer("unit", _double(factors))

    def standardise(self, values: Tensor) -> Tensor:
        """Scale (..., n_columns)."""
        values = values.double() / self.unit[0] / self.unit[1]
        return (values - self.mean) / self.scale

    def in_units(self, values: Tensor) -> Tensor:
        """Undo :meth:`standardise`."""
        return (values * self.scale + self.mean) * self.unit[0] * self.unit[1]


def _double(values: NDArray[Any] | float) -> Tensor:
    return torch.as_tensor(np.array(values, dtype=np.float64))
