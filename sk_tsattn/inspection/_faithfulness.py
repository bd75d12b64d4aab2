"""Faithfulness: the error when cells are removed in the order of their attention."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import Bunch
from sklearn.utils.parallel import Parallel, delayed

from .._data._checks import check_int
from .._data._input import check_target
from .._data._scaling import extreme_exponent
from ._bootstrap import interval, resamples
from ._checks import (
    check_confidence,
    check_one_scorer,
    check_option,
    check_predicts,
    check_windows,
    draw_seed,
    take,
)
from ._groups import cut_windows, needs_cutting
from ._importances import as_importances, attention_of, item_shape, kind_of, ranks
from ._permutation_importance import permutation_importance
from ._probabilities import with_probabilities
from ._scoring import score_predictions

KINDS = ("comprehensiveness", "sufficiency")


def faithfulness(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    attention: ArrayLike | None = None,
    n_steps: int = 10,
    baseline: str = "permute",
    scoring: Any = None,
    n_repeats: int = 5,
    permutation: bool = True,
    n_bootstrap: int = 1000,
    block_length: int = 1,
    confidence: float = 0.95,
    n_jobs: int | None = None,
    random_state: Any = None,
) -> Bunch:
    """Measure the error when cells are removed in the order of their attention. [DeYoung2020]_

    - *Comprehensiveness*: the most important fraction of the cells of each window is removed. The
      error rises fast if the prediction rests on them.
    - *Sufficiency*: only the most important fraction is kept. The error falls fast if it suffices.

    Both are measured in the order of the attention, in a random order, and in the order of
    permutation importance on the same data. Attention that is no better than the random order is
    not faithful. Permutation importance shows about how well a single order for all windows can
    do; it has seen ``y``, which attention has not.

    Parameters
    ----------
    estimator : object
        Fitted; has ``predict``. Without ``attention``, it (or what a ``Pipeline``, a search or a
        ``TransformedTargetRegressor`` wraps) has ``attention_weights`` too.

    X : array-like of shape (n_samples, n_timesteps, n_features) or (n_rows, n_features)
        Windows, oldest step first; at least two. Preferably not those of the training. Rows of
        one or several series are cut into the windows of the estimator, which must be an
        ``AttentionLSTMRegressor`` or a ``Pipeline`` or search of one; rows without a complete
        window are left out.

    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        True targets. Those of a classifier are classes, and its predictions probabilities: each
        class is an output, and the mean squared error is the Brier score divided by their number.

    groups : array-like of shape (n_rows,) or None, default=None
        Series of each row of ``X``, for an estimator that was fitted with them. Not needed if
        ``X`` has a MultiIndex (series, time).

    attention : array-like or None, default=None
        Importances, higher is more important; only their order counts, ties are ordered at random.
        Of shape (n_samples, n_timesteps, n_features), (n_timesteps, n_features) (the same for all
        windows), (n_samples, n_timesteps), (n_timesteps,), (n_samples, n_features) or
        (n_features,); with three dimensions any axis may have length 1. None asks the estimator:
        its attention on cells if its mode defines it, else on steps or features. Steps and features
        are removed whole.

    n_steps : int, default=10
        Number of points of a curve, besides the one where nothing is removed (or kept). There are
        at most as many as items.

    baseline : {"permute", "mean"}, default="permute"
        What replaces removed cells: the values of another sample, drawn anew in each repeat, in
        the same cells, or the mean of each cell over the samples. The mean is faster and has less
        variance, but gives the estimator windows unlike those of its training.

    scoring : str, callable or None, default=None
        The error is minus this score. None is the mean squared error. It gets the predictions
        (those of the repeats one after the other) and row numbers as ``X``. A scorer makes the
        bootstrap slow; lower ``n_bootstrap``.

    n_repeats : int, default=5
        Number of draws of the random order, of the order of ties and of the replacing samples,
        over which errors are averaged.

    permutation : bool, default=True
        Whether to measure the order of permutation importance, too. It costs ``n_repeats`` more
        predictions for each cell (step, feature).

    n_bootstrap : int, default=1000
        Number of bootstrap resamples for the confidence intervals.

    block_length : int, default=1
        Number of consecutive samples that are resampled together. Windows of a series overlap
        and are not independent: set it to the length of a window or more, or the intervals are
        too narrow.

    confidence : float, default=0.95
        Coverage of the confidence intervals.

    n_jobs : int or None, default=None
        Number of orders and repeats measured in parallel, as in joblib.

    random_state : int, RandomState instance or None, default=None
        Source of randomness. None draws fresh entropy.

    Returns
    -------
    result : Bunch
        Errors are in the squared units of ``y`` (or in units of the score).

        - ``curves``, DataFrame with the columns ``order`` (``"attention"``, ``"random"``,
          ``"permutation"``), ``kind`` (``"comprehensiveness"``, ``"sufficiency"``), ``fraction``
          (removed, or kept, from 0 to 1), ``error``, and its bootstrap interval ``low``, ``high``;
        - ``areas``, DataFrame indexed by (order, kind): ``area`` between the curve and ``error``,
          the mean excess error over all fractions, with its interval ``low``, ``high``; and its
          ``difference`` to the random order with ``difference_low``, ``difference_high``, from
          resamples that both orders share. Attention is faithful if the difference is above
          zero for comprehensiveness, and below zero for sufficiency, including its interval;
        - ``error``, float: the error where nothing is removed;
        - ``over``, ``"cell"``, ``"time"`` or ``"feature"``: what is removed.

    Raises
    ------
    ValueError
        If ``X`` holds neither windows nor rows that can be cut into them, the estimator was
        fitted on several series and ``groups`` is missing, ``attention`` has none of the shapes
        or two of them, or a parameter is not as described here.
    TypeError
        If ``estimator`` has no ``predict``.

    Notes
    -----
    DeYoung et al. measure how much the probability of the predicted class falls. Regressors have
    no such probability, so here it is how much the error rises, that of classifiers too. The area
    is their area over the perturbation curve, by the trapezoidal rule over all fractions instead of
    five of them.

    The intervals are those of resampling the samples for this fitted estimator. Another fit can
    differ, see :func:`refit_agreement`.

    References
    ----------
    .. [DeYoung2020] J. DeYoung et al., "ERASER: A Benchmark to Evaluate Rationalized NLP Models",
       ACL 2020, section 4.2. https://arxiv.org/abs/1911.03429

    Examples
    --------
    An object that predicts from one cell, and attention on that cell:

    >>> import numpy as np
    >>> from sk_tsattn.inspection import faithfulness
    >>> class OneCell:
    ...     def predict(self, X):
    ...         return X[:, 1, 0]
    >>> X = np.random.default_rng(0).normal(size=(200, 4, 3))
    >>> attention = np.zeros((4, 3))
    >>> attention[1, 0] = 1.0
    >>> result = faithfulness(
    ...     OneCell(), X, X[:, 1, 0], attention=attention, n_steps=4, random_state=0
    ... )
    >>> result.areas.loc["attention", ["area", "difference"]].round(1)
                       area  difference
    kind
    comprehensiveness   1.9         0.8
    sufficiency         0.3        -0.8
    """
    check_predicts(estimator)
    check_option("baseline", baseline, ("permute", "mean"))
    check_one_scorer(scoring)
    check_int(n_steps, "n_steps", 1)
    check_int(n_repeats, "n_repeats", 1)
    check_int(n_bootstrap, "n_bootstrap", 1)
    check_int(block_length, "block_length", 1)
    check_confidence(confidence)
    if needs_cutting(X):
        n_rows = len(X)
        estimator, X, rows = cut_windows(estimator, X, groups)
        y = take(y, rows)
        if attention is not None and np.shape(attention)[0] == n_rows:  # of each row
            attention = take(attention, rows)
    X = check_windows(X)
    if X.ndim != 3 or len(X) < 2:
        raise ValueError(
            "X must hold at least two windows, shape (n_samples, n_timesteps, n_features). Got an "
            f"array of shape {X.shape} instead; cut windows with make_windows, and fit on those."
        )
    predictor, y = with_probabilities(estimator, y)
    targets, y_ndim = check_target(y, len(X))
    if scoring is None and extreme_exponent(np.abs(targets).max(axis=0)).any():
        raise ValueError(
            "y must hold numbers between 1e-120 and 1e120 in size, so that their squared errors "
            f"neither overflow nor underflow. Got {np.abs(targets).max():.3g} instead; divide or "
            "multiply y by a power of 10, and fit again."
        )
    if attention is None:
        importances = attention_of(estimator, X)
    else:
        importances = as_importances(attention, X.shape)
    over = kind_of(importances, X.shape)
    seed = draw_seed(random_state)
    orders = {"attention": importances, "random": np.zeros((1, 1, 1))}
    if permutation:
        result = permutation_importance(
            predictor,
            X,
            y,
            over=over,
            scoring="neg_mean_squared_error" if scoring is None else scoring,
            n_repeats=n_repeats,
            n_jobs=n_jobs,
            random_state=seed,
        )
        orders["permutation"] = result.importances_mean.reshape(item_shape((1, *X.shape[1:]), over))
    n_items = int(np.prod(item_shape(X.shape, over)[1:]))
    counts = np.unique(np.round(np.linspace(0, n_items, n_steps + 1)).astype(int))

    whole = np.asarray(predictor.predict(X), dtype=float).reshape(targets.shape)
    repeats = [np.random.SeedSequence([seed, repeat]) for repeat in range(n_repeats)]
    removed = Parallel(n_jobs=n_jobs)(
        delayed(_predict_removed)(predictor, X, whole, order, over, counts, baseline, repeat)
        for order in orders.values()
        for repeat in repeats
    )
    size = (len(orders), len(KINDS), len(counts))
    predictions = np.array(removed).reshape(len(orders), n_repeats, *size[1:], *targets.shape)
    predictions = np.moveaxis(predictions, 1, 3)  # (order, kind, count, repeat, n, n_outputs)
    errors, resampled = _errors(
        predictions.reshape(-1, n_repeats, *targets.shape),
        targets if y_ndim == 2 else targets[:, 0],
        scoring,
        resamples(len(X), n_bootstrap, block_length, np.random.default_rng(seed)),
    )
    fractions = counts / n_items
    errors, resampled = errors.reshape(size), resampled.reshape(-1, *size)
    return Bunch(
        curves=_curves(list(orders), fractions, errors, resampled, confidence),
        areas=_areas(list(orders), fractions, errors, resampled, confidence),
        error=float(errors[0, 0, 0]),
        over=over,
    )


def _predict_removed(
    estimator: Any,
    X: NDArray[Any],
    whole: NDArray[np.float64],
    importances: NDArray[np.float64],
    over: str,
    counts: NDArray[np.intp],
    baseline: str,
    seed: np.random.SeedSequence,
) -> NDArray[np.float64]:
    """Predict with the most important items removed, and with the others removed.

    Parameters
    ----------
    estimator : object
        Has ``predict``.

    X : ndarray of shape (n_samples, n_timesteps, n_features)
        Windows.

    whole : ndarray of shape (n_samples, n_outputs)
        Predictions with nothing removed.

    importances : ndarray of shape (n_samples or 1, n_timesteps or 1, n_features or 1)
        The order in which items are removed.

    over : {"cell", "time", "feature"}
        What an item is.

    counts : int ndarray of shape (n_counts,)
        Numbers of items to be removed (or kept). The last is that of all items.

    baseline : {"permute", "mean"}
        What replaces removed items.

    seed : SeedSequence
        Determines the replacing samples and the order of ties, which all orders therefore share.

    Returns
    -------
    predictions : ndarray of shape (2, n_counts, n_samples, n_outputs)
        One row for each of ``KINDS``.
    """
    rng = np.random.default_rng(seed)
    n = len(X)
    if baseline == "mean":
        mean = np.ma.masked_invalid(X).mean(axis=0).filled(np.nan)  # NaN if never known
        other = np.broadcast_to(mean, X.shape)
    else:  # another sample, never the same
        order = rng.permutation(n)
        donor = np.empty(n, dtype=np.intp)
        donor[order] = np.roll(order, 1)
        other = X[donor]
    rank = ranks(importances, rng.random(item_shape(X.shape, over)))
    n_items = counts[-1]
    predictions = np.empty((len(KINDS), len(counts), *whole.shape))
    for number, count in enumerate(counts):
        for kind, removed in enumerate((rank < count, rank >= count)):
            n_removed = count if kind == 0 else n_items - count
            if n_removed == 0:
                predictions[kind, number] = whole
            else:
                predicted = np.asarray(estimator.predict(np.where(removed, other, X)))
                predictions[kind, number] = predicted.reshape(whole.shape)
    return predictions


def _errors(
    predictions: NDArray[np.float64],
    y: NDArray[np.float64],
    scoring: Any,
    indices: Iterable[NDArray[np.intp]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute the error of each condition, over all samples and over each resample.

    Parameters
    ----------
    predictions : ndarray of shape (n_conditions, n_repeats, n_samples, n_outputs)
        Predictions under each condition.

    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        True targets.

    scoring : str, callable or None
        The error is minus this score. None is the mean squared error.

    indices : iterable of index arrays of shape (n_samples,)
        The resamples.

    Returns
    -------
    errors : ndarray of shape (n_conditions,)
        Errors over all samples.

    resampled : ndarray of shape (n_bootstrap, n_conditions)
        Errors over each resample.
    """
    n = len(y)
    if scoring is None:
        target = y.reshape(n, -1)
        losses = ((predictions - target) ** 2).mean(axis=(1, 3))  # (n_conditions, n_samples)
        counts = (np.bincount(index, minlength=n) for index in indices)
        return losses.mean(axis=1), np.array([losses @ count / n for count in counts])
    score = score_predictions(scoring)
    n_repeats = predictions.shape[1]

    def errors_of(rows: NDArray[np.intp]) -> list[float]:
        truth = np.concatenate([y[rows]] * n_repeats)
        return [-score(truth, of_one[:, rows].reshape(truth.shape)) for of_one in predictions]

    return np.array(errors_of(np.arange(n))), np.array([errors_of(index) for index in indices])


def _curves(
    orders: list[str],
    fractions: NDArray[np.float64],
    errors: NDArray[np.float64],
    resampled: NDArray[np.float64],
    confidence: float,
) -> pd.DataFrame:
    """Return the errors (order, kind, fraction) as a DataFrame with a row for each."""
    low, high = interval(resampled, confidence)
    index = pd.MultiIndex.from_product(
        [orders, KINDS, fractions], names=["order", "kind", "fraction"]
    )
    columns = {"error": errors.ravel(), "low": low.ravel(), "high": high.ravel()}
    return pd.DataFrame(columns, index=index).reset_index()


def _areas(
    orders: list[str],
    fractions: NDArray[np.float64],
    errors: NDArray[np.float64],
    resampled: NDArray[np.float64],
    confidence: float,
) -> pd.DataFrame:
    """Integrate the error in excess of that with nothing removed; compare with random order."""
    widths = np.diff(fractions)
    weights = (np.r_[widths, 0.0] + np.r_[0.0, widths]) / 2  # the trapezoidal rule
    areas = errors @ weights - errors[0, 0, 0]  # (order, kind)
    resampled_areas = resampled @ weights - resampled[:, :1, :1, 0]  # (n_bootstrap, order, kind)
    random = orders.index("random")
    low, high = interval(resampled_areas, confidence)
    difference_low, difference_high = interval(
        resampled_areas - resampled_areas[:, [random]], confidence
    )
    columns = {
        "area": areas,
        "low": low,
        "high": high,
        "difference": areas - areas[random],
        "difference_low": difference_low,
        "difference_high": difference_high,
    }
    index = pd.MultiIndex.from_product([orders, KINDS], names=["order", "kind"])
    return pd.DataFrame({name: values.ravel() for name, values in columns.items()}, index=index)
