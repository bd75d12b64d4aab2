"""Does the attention matter: predictions with the learnt weights, and with uniform ones."""

import numpy as np
from sklearn.utils import Bunch

from ..attention._uniform import uniform_attention
from ._bootstrap import interval, resamples
from ._checks import (
    check_confidence,
    check_int,
    check_one_scorer,
    check_predicts,
    check_target,
    draw_seed,
)
from ._scoring import score_predictions


def uniform_attention_check(
    estimator,
    X,
    y,
    *,
    scoring=None,
    n_bootstrap=1000,
    block_length=1,
    confidence=0.95,
    random_state=None,
):
    """Compare the predictions of a fitted estimator with those it makes with uniform attention.

    [Wiegreffe2019]_ train a network with uniform weights, and ask whether the task needs
    attention. Here nothing is trained: the fitted network predicts once as it is and once inside
    :func:`uniform_attention`, which asks whether *its* predictions need *its* weights. Where they
    do not change, the weights explain nothing. That they change does not show that they explain:
    see :func:`faithfulness`.

    Parameters
    ----------
    estimator : estimator
        Fitted, with the attention of this library inside: an ``AttentionLSTMRegressor``, or a
        ``Pipeline``, search or other wrapper of one that predicts in the thread it is called in.

    X : array-like of shape (n_samples, n_timesteps, n_features) or (n_rows, n_features)
        Whatever its ``predict`` takes.

    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        True targets.

    scoring : str, callable or None, default=None
        As in scikit-learn; None is R². It sees the predictions and, in place of ``X``, the numbers
        of the rows.

    n_bootstrap : int, default=1000
        Resamples for the confidence interval. More is steadier and slower.

    block_length : int, default=1
        Samples that are resampled together. Windows of a series overlap and are not independent:
        set it to the length of a window or more, or the interval is too narrow.

    confidence : float, default=0.95
        Share of the intervals that would hold the true difference.

    random_state : int, RandomState instance or None, default=None
        Source of the resamples. None draws fresh entropy.

    Returns
    -------
    result : Bunch
        - ``score_learned``, ``score_uniform``, floats: the scores, higher is better;
        - ``difference``, float: the first less the second. Positive where the learnt weights
          help, 0 where attention is dead;
        - ``low``, ``high``, floats: its bootstrap percentile interval, both scores being taken on
          the same resample;
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
    uniform_attention : Make any prediction with uniform attention; says what is made uniform.

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
    check_int("n_bootstrap", n_bootstrap, 1)
    check_int("block_length", block_length, 1)
    check_confidence(confidence)
    y = np.asarray(y)
    check_target(y, len(X))
    learned = np.asarray(estimator.predict(X))
    with uniform_attention() as use:
        uniform = np.asarray(estimator.predict(X))
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
