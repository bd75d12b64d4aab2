"""Faithfulness: does removing what attention points at hurt more than removing anything else?"""

import numpy as np
import pandas as pd
from sklearn.utils import Bunch
from sklearn.utils.parallel import Parallel, delayed

from ._bootstrap import interval, resamples
from ._checks import (
    check_confidence,
    check_int,
    check_one_of,
    check_one_scorer,
    check_predicts,
    check_target,
    check_windows,
    draw_seed,
)
from ._importances import ITEM_AXES, as_importances, attention_of, kind_of, ranks
from ._permutation_importance import permutation_importance
from ._scoring import score_predictions

KINDS = ("comprehensiveness", "sufficiency")


def faithfulness(
    estimator,
    X,
    y,
    *,
    attention=None,
    n_steps=10,
    baseline="permute",
    scoring=None,
    n_repeats=5,
    permutation=True,
    n_bootstrap=1000,
    block_length=1,
    confidence=0.95,
    n_jobs=None,
    random_state=None,
):
    """Measure the error when cells are removed in the order of their attention. [DeYoung2020]_

    - *Comprehensiveness*: the most important fraction of the cells of each window is removed. The
      error rises fast if they are what the prediction rests on.
    - *Sufficiency*: only the most important fraction is kept. The error falls fast if it suffices.

    Both are measured along the attention, along a random order, and along an order by permutation
    importance on the same data. Attention that is no better than the random order points at
    nothing; permutation importance shows about how well one order for all windows can do (it has
    seen ``y``, which attention has not).

    Parameters
    ----------
    estimator : object
        Fitted; has ``predict``. Without ``attention``, it (or what a ``Pipeline``, a search or a
        ``TransformedTargetRegressor`` wraps) has ``attention_weights`` too.

    X : array-like of shape (n_samples, n_timesteps, n_features)
        Windows, oldest step first; at least two. Best those that were not trained on.

    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        True targets.

    attention : array-like or None, default=None
        Importances, higher is more important; only their order counts, ties are ordered at random.
        Of shape (n_samples, n_timesteps, n_features), (n_timesteps, n_features) (the same for all
        windows), (n_samples, n_timesteps), (n_timesteps,), (n_samples, n_features) or
        (n_features,); with three dimensions any axis may have length 1. None asks the estimator:
        its attention on cells where its mode has it, else on steps or features. Steps and features
        are removed whole.

    n_steps : int, default=10
        Points of a curve, beside the one where nothing is removed (or kept). Never more than there
        are items.

    baseline : {"permute", "mean"}, default="permute"
        What stands in the place of removed cells: the values that another sample, drawn anew in
        each repeat, has in the same cells, or each cell's mean over the samples. The mean is
        quicker and steadier, and gives the estimator windows unlike any that it knows.

    scoring : str, callable or None, default=None
        The error is minus this score. None is the mean squared error. It sees the predictions
        (those of the repeats one after the other) and, in place of ``X``, the numbers of the rows.
        A scorer makes the bootstrap slow; lower ``n_bootstrap``.

    n_repeats : int, default=5
        Draws of the random order, the ties and the samples put in, over which is averaged.

    permutation : bool, default=True
        Measure the order by permutation importance too. It costs ``n_repeats`` predictions for
        each cell (step, feature) in addition.

    n_bootstrap : int, default=1000
        Resamples of the samples for the intervals.

    block_length : int, default=1
        Samples that are resampled together. Windows of a series overlap and are not independent:
        set it to the length of a window or more, or the intervals are too narrow.

    confidence : float, default=0.95
        Share of the intervals that would hold the true value.

    n_jobs : int or None, default=None
        Orders and repeats that are measured at the same time, as in joblib.

    random_state : int, RandomState instance or None, default=None
        Source of all draws. None draws fresh entropy.

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
          resamples that both orders share. Attention is faithful where the difference is above
          zero for comprehensiveness, and below zero for sufficiency, with its whole interval;
        - ``error``, float: the error where nothing is removed;
        - ``over``, ``"cell"``, ``"time"`` or ``"feature"``: what is removed.

    Raises
    ------
    ValueError
        If ``X`` holds no windows, ``attention`` has none of the shapes or two of them, or a
        parameter is not as described here.
    TypeError
        If ``estimator`` has no ``predict``.

    Notes
    -----
    DeYoung et al. take the fall of the probability of the predicted class; here it is the rise of
    the error, since regressors have no such probability. The area is their area over the
    perturbation curve, by the trapezoidal rule over all fractions instead of five of them.

    Intervals are of the samples at hand, for this fitted estimator; another fit can differ, see
    :func:`refit_agreement`.

    References
    ----------
    .. [DeYoung2020] J. DeYoung et al., "ERASER: A Benchmark to Evaluate Rationalized NLP Models",
       ACL 2020, section 4.2. https://arxiv.org/abs/1911.03429

    Examples
    --------
    An object that predicts from one cell, and attention that knows it:

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
    check_one_of("baseline", baseline, ("permute", "mean"))
    check_one_scorer(scoring)
    check_int("n_steps", n_steps, 1)
    check_int("n_repeats", n_repeats, 1)
    check_int("n_bootstrap", n_bootstrap, 1)
    check_int("block_length", block_length, 1)
    check_confidence(confidence)
    X = check_windows(X)
    if X.ndim != 3 or len(X) < 2:
        raise ValueError(
            "X must hold at least two windows, shape (n_samples, n_timesteps, n_features). Got an "
            f"array of shape {X.shape} instead; cut windows with make_windows, and fit on those."
        )
    targets = check_target(y, len(X))
    if attention is None:
        importances = attention_of(estimator, X)
    else:
        importances = as_importances(attention, X.shape)
    over = kind_of(importances, X.shape)
    seed = draw_seed(random_state)
    orders = {"attention": importances, "random": np.zeros((1, 1, 1))}
    if permutation:
        result = permutation_importance(
            estimator,
            X,
            y,
            over=over,
            scoring="neg_mean_squared_error" if scoring is None else scoring,
            n_repeats=n_repeats,
            n_jobs=n_jobs,
            random_state=seed,
        )
        orders["permutation"] = result.importances_mean.reshape(_items(1, X, over))
    n_items = int(np.prod(_items(1, X, over)))
    counts = np.unique(np.round(np.linspace(0, n_items, n_steps + 1)).astype(int))

    whole = np.asarray(estimator.predict(X), dtype=float).reshape(targets.shape)
    repeats = [np.random.SeedSequence([seed, repeat]) for repeat in range(n_repeats)]
    predictions = Parallel(n_jobs=n_jobs)(
        delayed(_predict_removed)(estimator, X, whole, order, over, counts, baseline, repeat)
        for order in orders.values()
        for repeat in repeats
    )
    shape = (len(orders), n_repeats, len(KINDS), len(counts), *targets.shape)
    predictions = np.array(predictions).reshape(shape).swapaxes(1, 2).swapaxes(2, 3)
    errors, draws = _errors(
        predictions.reshape(-1, *predictions.shape[3:]),
        targets if np.ndim(y) == 2 else targets[:, 0],
        scoring,
        resamples(len(X), n_bootstrap, block_length, np.random.default_rng(seed)),
    )
    size = (len(orders), len(KINDS), len(counts))
    fractions = counts / n_items
    errors, draws = errors.reshape(size), draws.reshape(-1, *size)
    return Bunch(
        curves=_curves(list(orders), fractions, errors, draws, confidence),
        areas=_areas(list(orders), fractions, errors, draws, confidence),
        error=float(errors[0, 0, 0]),
        over=over,
    )


def _items(n, X, over):
    """Give the shape of the items of n samples: (n, n_timesteps or 1, n_features or 1)."""
    return (n, *(X.shape[axis] if axis in ITEM_AXES[over] else 1 for axis in (1, 2)))


def _predict_removed(estimator, X, whole, importances, over, counts, baseline, seed):
    """Predict with the top items removed, and with the others removed: (2, n_counts, n, n_outputs).

    The samples put in and the order of ties depend on the seed alone, so that all orders share
    them.
    """
    rng = np.random.default_rng(seed)
    n = len(X)
    if baseline == "mean":
        other = np.broadcast_to(np.nanmean(X, axis=0), X.shape)
    else:  # each sample gets another one, never itself
        order = rng.permutation(n)
        donor = np.empty(n, dtype=np.intp)
        donor[order] = np.roll(order, 1)
        other = X[donor]
    rank = ranks(importances, rng.random(_items(n, X, over)))
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


def _errors(predictions, y, scoring, indices):
    """Compute the error of each condition, and of each resample of it.

    Parameters
    ----------
    predictions : ndarray of shape (n_conditions, n_repeats, n_samples, n_outputs)
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
    scoring : str, callable or None
    indices : iterable of index arrays of shape (n_samples,)

    Returns
    -------
    errors : ndarray of shape (n_conditions,)
    draws : ndarray of shape (n_bootstrap, n_conditions)
    """
    n = len(y)
    if scoring is None:
        target = y.reshape(n, -1)
        losses = ((predictions - target) ** 2).mean(axis=(1, 3))  # (n_conditions, n_samples)
        counts = (np.bincount(index, minlength=n) for index in indices)
        return losses.mean(axis=1), np.array([losses @ count / n for count in counts])
    score = score_predictions(scoring)
    n_repeats = predictions.shape[1]

    def errors_of(rows):
        truth = np.concatenate([y[rows]] * n_repeats)
        return [-score(truth, of_one[:, rows].reshape(truth.shape)) for of_one in predictions]

    return np.array(errors_of(np.arange(n))), np.array([errors_of(index) for index in indices])


def _curves(orders, fractions, errors, draws, confidence):
    """Lay out the errors (order, kind, fraction) as a long DataFrame."""
    low, high = interval(draws, confidence)
    index = pd.MultiIndex.from_product(
        [orders, KINDS, fractions], names=["order", "kind", "fraction"]
    )
    columns = {"error": errors.ravel(), "low": low.ravel(), "high": high.ravel()}
    return pd.DataFrame(columns, index=index).reset_index()


def _areas(orders, fractions, errors, draws, confidence):
    """Integrate the excess over the error where nothing is removed; compare with random order."""
    widths = np.diff(fractions)
    weights = (np.r_[widths, 0.0] + np.r_[0.0, widths]) / 2  # the trapezoidal rule
    areas = errors @ weights - errors[0, 0, 0]  # (order, kind)
    area_draws = draws @ weights - draws[:, :1, :1, 0]  # (n_bootstrap, order, kind)
    random = orders.index("random")
    differences = areas - areas[random]
    found = {
        "area": areas,
        **dict(zip(("low", "high"), interval(area_draws, confidence), strict=True)),
        "difference": differences,
        **dict(
            zip(
                ("difference_low", "difference_high"),
                interval(area_draws - area_draws[:, [random]], confidence),
                strict=True,
            )
        ),
    }
    index = pd.MultiIndex.from_product([orders, KINDS], names=["order", "kind"])
    return pd.DataFrame({name: values.ravel() for name, values in found.items()}, index=index)
