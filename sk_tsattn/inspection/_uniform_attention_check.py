"""Predictions with the learnt attention weights, and with uniform ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import Bunch

from .._data._checks import check_int
from .._data._input import check_target
from ..attention._uniform import uniform_attention
from ._bootstrap import interval, resamples
from ._checks import check_confidence, check_one_scorer, check_predicts, draw_seed
from ._groups import with_groups, without_history_warnings
from ._probabilities import with_probabilities
from ._scoring import score_predictions


def uniform_attention_check(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    scoring: Any = None,
    n_bootstrap: int = 1000,
    block_length: int = 1,
    confidence: float = 0.95,
    random_state: Any = None,
) -> Bunch:
    """Compare the predictions of a fitted estimator with those it makes with uniform attention.

    [Wiegreffe2019]_ train a network with uniform weights, and ask whether the task needs
    attention. Here nothing is trained: the fitted network predicts once as it is and once inside
    :func:`uniform_attention`, to see whether its predictions depend on its weights. If they do not
    change, the weights explain nothing. If they change, the weights need not explain them: see
    :func:`faithfulness`.

    Parameters
    ----------
    estimator : estimator
        Fitted, with the attention of this library inside: an ``AttentionLSTMRegressor``, or a
        ``Pipeline``, search or other wrapper of one that predicts in the thread it is called in.

    X : array-like of shape (n_samples, n_timesteps, n_features) or (n_rows, n_features)
        Input of its ``predict``.

    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        True targets. Those of a classifier are classes, and its predictions probabilities: each
        class is an output.

    groups : array-like of shape (n_rows,) or None, default=None
        Series of each row of ``X``, for an estimator that was fitted with them. Not needed if
        ``X`` has a MultiIndex (series, time).

    scoring : str, callable or None, default=None
        As in scikit-learn. None is R². It gets the predictions, and row numbers as ``X``.

    n_bootstrap : int, default=1000
        Number of bootstrap resamples for the confidence interval. More is more precise and
        slower.

    block_length : int, default=1
        Number of consecutive samples that are resampled together. Windows of a series overlap
        and are not independent: set it to the length of a window or more, or the interval is too
        narrow.

    confidence : float, default=0.95
        Coverage of the confidence interval.

    random_state : int, RandomState instance or None, default=None
        Source of randomness. None draws fresh entropy.

    Returns
    -------
    result : Bunch
        - ``score_learned``, ``score_uniform``, floats: the scores, higher is better;
        - ``difference``, float: the first minus the second. Positive if the learnt weights help,
          0 if they have no effect;
        - ``low``, ``high``, floats: its bootstrap percentile interval, from both scores on the
          same resamples;
        - ``mean_absolute_change``, float, or ndarray of shape (n_outputs,) for a 2-D ``y``: mean
          of the absolute difference of the predictions, in the units of ``y``;
        - ``prediction_learned``, ``prediction_uniform``, ndarrays of the shape of ``y``.

    Raises
    ------
    ValueError
        If no attention is computed in ``predict`` (``attention_mode=None``, or another kind of
        estimator), or a parameter is not as described here.

    See Also
    --------
    uniform_attention : Context manager that makes attention uniform in any prediction.

    References
    ----------
    .. [Wiegreffe2019] S. Wiegreffe and Y. Pinter, "Attention is not not Explanation", EMNLP 2019,
       section 3.2. https://arxiv.org/abs/1908.04626

    Examples
    --------
    >>> from sk_tsattn import AttentionLSTMRegressor
    >>> from sk_tsattn.datasets import make_fixed_cells
    >>> from sk_tsattn.inspection import uniform_attention_check
    >>> X, y, _ = make_fixed_cells(n_samples=100, n_timesteps=5, n_features=3, random_state=0)
    >>> model = AttentionLSTMRegressor(attention="dense", max_epochs=5, random_state=0).fit(X, y)
    >>> result = uniform_attention_check(model, X, y, n_bootstrap=100, random_state=0)
    >>> bool(result.low <= result.difference <= result.high)
    True
    >>> bool(result.mean_absolute_change > 0)
    True
    """
    check_predicts(estimator)
    check_one_scorer(scoring)
    check_int(n_bootstrap, "n_bootstrap", 1)
    check_int(block_length, "block_length", 1)
    check_confidence(confidence)
    predictor, y = with_probabilities(estimator, y)
    targets, y_ndim = check_target(y, len(X))
    y = targets if y_ndim == 2 else targets[:, 0]
    predictor = with_groups(predictor, groups)
    learned = np.asarray(predictor.predict(X))
    with uniform_attention() as use, without_history_warnings():
        uniform = np.asarray(predictor.predict(X))
    if not use.n_uses:
        raise ValueError(
            "estimator must compute attention of this library in predict, in the calling thread. "
            f"Got none from {type(estimator).__name__} instead; fit an AttentionLSTMRegressor "
            "with attention_mode='time', 'feature' or 'both', and leave n_jobs of wrappers None."
        )
    score = score_predictions(scoring)
    rng = np.random.default_rng(draw_seed(random_state))
    differences = [
        score(y[rows], learned[rows]) - score(y[rows], uniform[rows])
        for rows in resamples(len(y), n_bootstrap, block_length, rng)
    ]
    low, high = interval(np.array(differences), confidence)
    score_learned, score_uniform = score(y, learned), score(y, uniform)
    change = np.abs(learned - uniform).mean(axis=0)
    return Bunch(
        score_learned=score_learned,
        score_uniform=score_uniform,
        difference=score_learned - score_uniform,
        low=float(low),
        high=float(high),
        mean_absolute_change=float(change) if learned.ndim == 1 else change,
        prediction_learned=learned,
        prediction_uniform=uniform,
    )
