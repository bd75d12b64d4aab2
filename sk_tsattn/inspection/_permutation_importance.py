"""Permutation importance of features, time steps and blocks of cells of windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils import Bunch
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.random import sample_without_replacement

from .._data._checks import check_int
from .._data._ragged import is_list_of_tables
from ._checks import check_option, check_windows, draw_seed, take
from ._groups import cut_windows, with_groups, without_history_warnings
from ._labels import block_label, feature_index, time_index
from ._scoring import scorer_of


def permutation_importance(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    over: str = "feature",
    blocks: int | tuple[int, int] | None = None,
    scoring: Any = None,
    n_repeats: int = 5,
    n_jobs: int | None = None,
    random_state: Any = None,
    sample_weight: ArrayLike | None = None,
    max_samples: float = 1.0,
    feature_names: Sequence[str] | None = None,
) -> Any:
    """Measure how much a score falls when a block of the windows is permuted. [Breiman2001]_

    The block (a feature's whole series, a time step, or cells) is permuted across samples: each
    window keeps everything else and gets that block from another window. Names and results are
    those of :func:`sklearn.inspection.permutation_importance`, which takes rows only; with windows
    of one step both return the same numbers.

    A block that others can replace (a correlated feature, the step before) has a low importance
    even if the estimator uses it. Importance in the training data shows what was learnt, in new
    data what helps to predict.

    Parameters
    ----------
    estimator : object
        Fitted; has ``predict`` or ``score``. ``Pipeline`` and ``GridSearchCV`` too.

    X : array-like of shape (n_samples, n_timesteps, n_features) or (n_rows, n_features)
        Windows, oldest step first; or the rows of one or several series, array or DataFrame.
        With rows and ``over="feature"``, the values of a feature are permuted among all rows,
        under an unchanged index, so that its history within each window is permuted, too. With
        ``over="time"`` or ``"cell"``, rows are cut into the windows of the estimator, which must
        be an ``AttentionLSTMRegressor`` or a ``Pipeline`` or search of one; rows without a
        complete window are left out.

    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        True targets.

    groups : array-like of shape (n_rows,) or None, default=None
        Series of each row of ``X``, for an estimator that was fitted with them. Not needed if
        ``X`` has a MultiIndex (series, time).

    over : {"feature", "time", "cell"}, default="feature"
        What is permuted together: all steps of a feature, all features of a step, or cells.

    blocks : int, tuple of two ints or None, default=None
        Size of the blocks. None permutes each feature, step or cell by itself. An int is a number
        of consecutive features or steps; a tuple (of steps, of features) is for ``over="cell"``.
        Larger blocks are faster, and reveal information that cells have only jointly. Steps are
        grouped from the newest backwards, features from the first on; the last block may be
        smaller.

    scoring : str, callable, list, tuple, dict or None, default=None
        As in scikit-learn. None is the estimator's ``score``, or R² if it has none. Several
        scorers give a dict of results.

    n_repeats : int, default=5
        Number of permutations of each block. More has less variance.

    n_jobs : int or None, default=None
        Number of blocks measured in parallel, as in joblib.

    random_state : int, RandomState instance or None, default=None
        Source of the permutations, which are the same for all blocks. None draws fresh entropy.

    sample_weight : array-like of shape (n_samples,) or None, default=None
        Weights of the samples in the score.

    max_samples : int or float, default=1.0
        Number or fraction of samples that are drawn once and measured (with the baseline score).
        Fewer is faster and noisier. Must be 1.0 for rows of a series.

    feature_names : sequence of str or None, default=None
        Names for the frame. None takes those of the estimator or of ``X``, else numbers.

    Returns
    -------
    result : Bunch, or dict of Bunches with several scorers
        In units of the score, positive where the score falls:

        - ``importances_mean`` and ``importances_std``, ndarrays of shape (n_features,),
          (n_timesteps,) or (n_timesteps, n_features) (with ``blocks``: as many as there are
          blocks), oldest step first, over the repeats;
        - ``importances``, ndarray with the repeats as a last axis;
        - ``frame``, DataFrame: of features or steps with the columns ``mean`` and ``std``; of
          cells the means, a row for each step and a column for each feature. Steps are labelled
          by the number of steps before the prediction; 0 is the newest.

    Raises
    ------
    ValueError
        If rows cannot be cut into windows, the estimator was fitted on several series and
        ``groups`` is missing, or a parameter is not as described here.
    TypeError
        If ``estimator`` neither predicts nor scores.

    References
    ----------
    .. [Breiman2001] L. Breiman, "Random Forests", Machine Learning 45(1), 5-32, 2001.
       https://doi.org/10.1023/A:1010933404324

    Examples
    --------
    Any object with a ``predict`` method is accepted:

    >>> import numpy as np
    >>> from sk_tsattn.inspection import permutation_importance
    >>> class Second:
    ...     def predict(self, X):
    ...         return X[:, -1, 1]
    >>> X = np.random.default_rng(0).normal(size=(200, 3, 2))
    >>> result = permutation_importance(Second(), X, X[:, -1, 1], over="time", random_state=0)
    >>> result.importances.shape
    (3, 5)
    >>> result.frame.round(1)
                  mean  std
    steps_before
    2              0.0  0.0
    1              0.0  0.0
    0              2.1  0.1
    """
    check_option("over", over, ("feature", "time", "cell"))
    check_int(n_repeats, "n_repeats", 1)
    if hasattr(X, "columns") and not hasattr(X, "iloc"):  # a polars frame
        X = pd.DataFrame(check_windows(X), columns=list(X.columns))
    names_of = [estimator, X]
    is_ragged = is_list_of_tables(X)
    data = X if hasattr(X, "iloc") or is_ragged else check_windows(X)
    if is_ragged or (over != "feature" and data.ndim == 2):
        estimator, data, rows = cut_windows(estimator, X, groups)
        names_of = [estimator, *names_of]
        y = take(y, rows)
        sample_weight = None if sample_weight is None else take(sample_weight, rows)
    groups = groups if data.ndim == 2 else None
    n_drawn = _n_drawn(max_samples, len(data))
    if data.ndim == 2 and n_drawn < len(data):
        raise ValueError(
            "max_samples must be 1.0 for rows of a series, as windows of some of the rows would "
            f"have gaps. Got {n_drawn} of {len(data)} rows instead; cut windows with "
            "make_windows."
        )
    names = feature_index(data.shape[-1], feature_names, *names_of)
    parts, axes = _blocks(data.shape, over, blocks, names)
    estimator, scorer = scorer_of(with_groups(estimator, groups), scoring)

    seed = draw_seed(random_state)
    if n_drawn < len(data):
        rows = sample_without_replacement(len(data), n_drawn, random_state=seed)
        data, y = take(data, rows), take(y, rows)
        sample_weight = None if sample_weight is None else take(sample_weight, rows)
    baseline = _score(scorer, estimator, data, y, sample_weight)
    scores = Parallel(n_jobs=n_jobs)(
        delayed(_permuted_scores)(estimator, data, y, sample_weight, part, seed, n_repeats, scorer)
        for part in parts
    )
    if isinstance(baseline, dict):
        return {
            name: _result(value, [[s[name] for s in of_block] for of_block in scores], axes)
            for name, value in baseline.items()
        }
    return _result(baseline, scores, axes)


Block = tuple[slice, slice]  # of steps and of features


def _blocks(
    shape: tuple[int, ...], over: str, blocks: Any, names: pd.Index[Any]
) -> tuple[list[Block], tuple[pd.Index[Any], ...]]:
    """Return the blocks that are permuted, and the labels of the axes of the result."""
    if over == "cell":
        sizes = (1, 1) if blocks is None else blocks
        if not isinstance(sizes, tuple | list) or len(sizes) != 2:
            raise ValueError(
                "blocks must be a tuple of two ints, (of steps, of features), with over='cell'. "
                f"Got {blocks!r} instead."
            )
        for size in sizes:
            check_int(size, "Each of blocks", 1)
    else:
        if blocks is not None:
            check_int(blocks, "blocks", 1)
        sizes = (blocks or 1, blocks or 1)
    of_steps, of_features = map(int, sizes)
    n_features = len(names)
    features = [
        slice(start, min(start + of_features, n_features))
        for start in range(0, n_features, of_features)
    ]
    feature_labels = pd.Index([block_label(list(names[part])) for part in features], name="feature")
    if over == "feature":
        return [(slice(None), part) for part in features], (feature_labels,)
    n_timesteps = shape[1]
    steps = [slice(max(0, end - of_steps), end) for end in range(n_timesteps, 0, -of_steps)][::-1]
    times = time_index(n_timesteps)
    time_labels = pd.Index([block_label(times[part].tolist()) for part in steps], name=times.name)
    if over == "time":
        return [(part, slice(None)) for part in steps], (time_labels,)
    return [(step, part) for step in steps for part in features], (time_labels, feature_labels)


def _n_drawn(max_samples: Any, n_samples: int) -> int:
    """Return ``max_samples`` as a number of samples."""
    n_drawn = 0
    if isinstance(max_samples, bool):
        pass
    elif isinstance(max_samples, Integral):
        n_drawn = int(max_samples)
    elif isinstance(max_samples, Real) and 0 < float(max_samples) <= 1:
        n_drawn = int(float(max_samples) * n_samples)
    if not 1 <= n_drawn <= n_samples:
        raise ValueError(
            f"max_samples must be an int from 1 to n_samples={n_samples}, or a fraction in (0, 1] "
            f"that is at least one sample. Got {max_samples!r} instead."
        )
    return n_drawn


def _permuted_scores(
    estimator: Any,
    X: Any,
    y: Any,
    sample_weight: Any,
    block: Block,
    seed: int,
    n_repeats: int,
    scorer: Callable[..., Any],
) -> list[Any]:
    """Score ``n_repeats`` times with a block permuted across samples."""
    rng = np.random.RandomState(seed)
    X = X.copy()
    order = np.arange(len(X))
    steps, features = block
    scores = []
    for _ in range(n_repeats):
        rng.shuffle(order)
        if hasattr(X, "iloc"):
            for column in range(*features.indices(X.shape[1])):
                X.isetitem(column, X.iloc[order, column].array)
        elif X.ndim == 2:
            X[:, features] = X[order, features]
        else:
            X[:, steps, features] = X[order, steps, features]
        with without_history_warnings():  # the baseline score has warned
            scores.append(_score(scorer, estimator, X, y, sample_weight))
    return scores


def _score(scorer: Callable[..., Any], estimator: Any, X: Any, y: Any, sample_weight: Any) -> Any:
    """Apply the scorer, with weights if there are any."""
    if sample_weight is None:
        return scorer(estimator, X, y)
    return scorer(estimator, X, y, sample_weight=sample_weight)


def _result(baseline: float, scores: Any, axes: tuple[pd.Index[Any], ...]) -> Bunch:
    """Return the fall of the scores (n_blocks, n_repeats) in the form of scikit-learn."""
    importances = baseline - np.array(scores, dtype=float)
    importances = importances.reshape(*map(len, axes), -1)
    mean, std = importances.mean(axis=-1), importances.std(axis=-1)
    if len(axes) == 2:
        frame = pd.DataFrame(mean, index=axes[0], columns=axes[1])
    else:
        frame = pd.DataFrame({"mean": mean, "std": std}, index=axes[0])
    return Bunch(importances_mean=mean, importances_std=std, importances=importances, frame=frame)
