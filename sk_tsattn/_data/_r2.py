"""R² of predictions of any size, also where some targets are unknown."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import r2_score

from ._input import check_target, check_weight
from ._scaling import extreme_exponent, in_units


def r2(y: Any, prediction: NDArray[np.float64], sample_weight: Any) -> float:
    """Compute R², averaged over the outputs, as :func:`sklearn.metrics.r2_score` does.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        True values. Those of samples with weight 0 may be missing.

    prediction : ndarray of the shape of ``y``
        Predictions.

    sample_weight : array-like of shape (n_samples,) or (n_samples, n_outputs) or None
        Weights; or booleans, which say of each target whether it is known. Each output is then
        scored on its known targets.

    Returns
    -------
    score : float
        1 is perfect, 0 is as good as the mean of ``y``.
    """
    weight = check_weight(sample_weight, len(prediction))
    true, _ = check_target(y, len(prediction), weight)
    predicted = prediction.reshape(len(prediction), -1)
    if weight.ndim == 2:
        known = zip(true.T, predicted.T, (weight > 0).T, strict=True)
        return float(np.mean([r2(y[used], p[used], None) for y, p, used in known]))
    used = weight > 0
    true, predicted = true[used], predicted[used]
    exponent = extreme_exponent(np.abs(true).max(axis=0))  # squares overflow or underflow
    if true.shape == predicted.shape:  # else scikit-learn's error
        true, predicted = in_units(true, exponent), in_units(predicted, exponent)
    return float(
        r2_score(true, predicted, sample_weight=None if sample_weight is None else weight[used])
    )
