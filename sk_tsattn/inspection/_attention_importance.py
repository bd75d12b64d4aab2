"""Attention beside permutation importance, for features or time steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import rankdata
from sklearn.utils import Bunch

from ._checks import check_option, check_windows, take
from ._correlation import correlation, without_rounding
from ._groups import cut_windows, needs_cutting
from ._importances import attention_of
from ._permutation_importance import permutation_importance
from ._remarks import remarks_on


def attention_importance(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    over: str = "feature",
    scoring: Any = None,
    n_repeats: int = 5,
    n_jobs: int | None = None,
    random_state: Any = None,
    feature_names: Sequence[str] | None = None,
) -> Bunch:
    """Compare the attention on features or steps with their permutation importance.

    Attention is the weight that a network gives to an input, importance how much its score
    depends on that input. The notes list reasons why they differ.

    Parameters
    ----------
    estimator : object
        Fitted, with ``attention_weights``: an ``AttentionLSTMRegressor``, or a ``Pipeline`` or
        search of one.

    X : array-like of shape (n_samples, n_timesteps, n_features) or (n_rows, n_features)
        Windows, oldest step first; or the rows of one or several series, which are cut into the
        windows of the estimator. Rows without a complete window are left out.

    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        True targets.

    groups : array-like of shape (n_rows,) or None, default=None
        Series of each row of ``X``, for an estimator that was fitted with them. Not needed if
        ``X`` has a MultiIndex (series, time).

    over : {"feature", "time"}, default="feature"
        What is compared. The attention mode of the estimator must define it.

    scoring : str, callable or None, default=None
        As in :func:`permutation_importance`, but a single scorer. None is the estimator's
        ``score``.

    n_repeats : int, default=5
        Number of permutations of each feature or step.

    n_jobs : int or None, default=None
        Number of features or steps measured in parallel, as in joblib.

    random_state : int, RandomState instance or None, default=None
        Source of the permutations. None draws fresh entropy.

    feature_names : sequence of str or None, default=None
        Names of the features. None takes those of the estimator or of ``X``, else numbers.

    Returns
    -------
    result : Bunch
        - ``frame``, DataFrame indexed by feature, or by the number of steps before the
          prediction: ``attention``, its mean over the windows, of sum 1; ``importance`` and
          ``importance_std``, in units of the score; ``importance_fraction``, the positive part of
          ``importance`` divided by its sum; ``difference``, ``attention`` minus
          ``importance_fraction``;
        - ``overlap``, float: sum of the smaller of ``attention`` and ``importance_fraction``. 1
          if they are the same, 0 if they are on different items;
        - ``spearman``, float: rank correlation of ``attention`` and ``importance``. NaN if one is
          constant;
        - ``remarks``, list of str: the differences of more than 0.1, the greatest first, with
          their likely reasons; and advice on columns of the calendar;
        - ``over``, str: as given.

    Raises
    ------
    ValueError
        If the estimator has no attention of this kind, or a parameter is not as described here.

    See Also
    --------
    permutation_importance : Importance of cells and blocks, by several scorers.
    faithfulness : Whether the error follows the attention, window by window.
    ImportanceDisplay : Draw the result.

    Notes
    -----
    Reasons why attention and importance differ:

    - An input that is used at a single step, such as a flag of a holiday or a promotion, may have
      the attention of one cell only, however much the forecast depends on it.
    - Each of several correlated features has little importance, as the others replace it, but
      may have attention.
    - Calendar columns of the same period (sine and cosine of the hour, hour and weekend) replace
      or complete one another. Permute them together, with ``blocks`` of
      :func:`permutation_importance`, and add up their attention.
    - Attention on inputs without importance may have no effect on the prediction at all: see
      :func:`faithfulness` and :func:`refit_agreement`.

    Examples
    --------
    >>> from sk_tsattn import AttentionLSTMRegressor
    >>> from sk_tsattn.datasets import make_fixed_cells
    >>> from sk_tsattn.inspection import attention_importance
    >>> X, y, _ = make_fixed_cells(n_samples=100, n_timesteps=5, n_features=3, random_state=0)
    >>> model = AttentionLSTMRegressor(attention="dense", max_epochs=5, random_state=0).fit(X, y)
    >>> result = attention_importance(model, X, y, random_state=0)
    >>> result.frame.columns.tolist()
    ['attention', 'importance', 'importance_std', 'importance_fraction', 'difference']
    >>> bool(0 <= result.overlap <= 1)
    True
    """
    check_option("over", over, ("feature", "time"))
    if needs_cutting(X):
        estimator, X, rows = cut_windows(estimator, X, groups)
        y = take(y, rows)
    X = check_windows(X)
    attention = attention_of(estimator, X, over).mean(axis=0).ravel()
    importance = permutation_importance(
        estimator,
        X,
        y,
        over=over,
        scoring=scoring,
        n_repeats=n_repeats,
        n_jobs=n_jobs,
        random_state=random_state,
        feature_names=feature_names,
    )
    mean = importance.importances_mean
    positive = np.maximum(mean, 0.0)
    fraction = positive / positive.sum() if positive.any() else np.full_like(mean, np.nan)
    frame = pd.DataFrame(
        {
            "attention": attention,
            "importance": mean,
            "importance_std": importance.importances_std,
            "importance_fraction": fraction,
            "difference": attention - fraction,
        },
        index=importance.frame.index,
    )
    return Bunch(
        frame=frame,
        overlap=float(np.minimum(attention, fraction).sum()),
        spearman=correlation(rankdata(without_rounding(attention)), rankdata(mean)),
        remarks=remarks_on(frame, over),
        over=over,
    )
