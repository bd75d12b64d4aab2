"""backtest: the forecasts that an estimator would have made, fold after fold in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import clone, is_classifier
from sklearn.utils import Bunch, indexable
from sklearn.utils.parallel import Parallel, delayed

from .._data._checks import is_int
from .._data._forecasting import rows_ahead
from .._data._holes import warn_history
from ._blocks import Block, fit_and_predict, lookback_of, takes, takes_or_passes_on
from ._folds import (
    check_classes_of_folds,
    check_order_of_folds,
    check_targets_of_folds,
    split,
    summarise_folds,
)
from ._labels import Labels, Positions
from ._scores import Scorer, Scoring
from ._targets import Targets, check_data

# The columns of ``predictions``, before those of quantiles or classes.
COLUMNS = ("fold", "horizon", "y_true", "y_pred")
METHODS = ("predict", "predict_proba")


def backtest(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    cv: Any = None,
    groups: ArrayLike | None = None,
    scoring: Scoring = None,
    method: Literal["predict", "predict_proba"] = "predict",
    quantiles: Sequence[float] = (),
    refit: int | Literal["never"] = 1,
    params: Mapping[str, Any] | None = None,
    return_estimator: bool = False,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> Bunch:
    """Fit on the past and predict the block after it, fold by fold.

    This is :func:`sklearn.model_selection.cross_val_predict` for splitters in time order, which
    that function refuses since their test sets do not cover all rows.

    Parameters
    ----------
    estimator : estimator
        Any regressor or classifier of scikit-learn's interface: a ``Pipeline``, a
        ``TransformedTargetRegressor``, a search, :class:`AttentionLSTMRegressor`,
        :class:`AttentionLSTMClassifier`. It is cloned, not fitted.

    X : array-like of shape (n_rows, n_features) or (n_samples, n_timesteps, n_features)
        Rows in time order, oldest first, or windows. A DataFrame with the MultiIndex
        (series, time) holds several series.

    y : array-like of shape (n_rows,) or (n_rows, n_horizons)
        The target of each row, or its class. The columns are horizons, nearest first, as
        :func:`make_rows` pairs them with the rows.

    cv : splitter, int, iterable of (train, test) or None, default=None
        How to split. None is ``TimeSeriesSplit(5)``, an int that number of splits; with a ``y`` of
        :func:`make_rows`, with the gap that its horizons need. A splitter is used as it is. It
        splits the distinct time labels in their order: those of all series together, so that
        every series is cut at the same time. (The rows, if there is one series.) All training
        labels of a fold must precede its test labels. See *Gap* in the notes.

    groups : array-like of shape (n_rows,) or None, default=None
        The series of each row, if no MultiIndex tells it. Without time labels (an array, a frame
        with a default index) the series must have equal lengths, and begin at the same time. The
        estimator's ``fit`` and ``predict`` are passed ``groups`` if they have this parameter.

    scoring : str, callable, list, tuple, dict or None, default=None
        Metrics, as in :func:`sklearn.model_selection.cross_validate`: greater is better. None is
        the negative RMSE and the negative MAE; for classes the accuracy, and with probabilities
        the negative log loss. A callable has the signature ``scorer(estimator, X, y)``, and is
        passed an estimator whose ``predict(X)`` (and ``predict_proba(X)``) returns the forecasts.

    method : {"predict", "predict_proba"}, default="predict"
        What to predict, as in :func:`sklearn.model_selection.cross_val_predict`. With
        ``"predict_proba"``, for classifiers, the probabilities of the classes are predicted as
        well.

    quantiles : list of float, default=()
        Quantiles to predict as well, such as ``(0.1, 0.9)``, by an estimator whose ``predict`` has
        this parameter (or that passes it on, as a pipeline does).

    refit : int or "never", default=1
        Fit anew every ``refit`` folds. ``"never"`` fits once, on the first training set. The
        blocks without a fit of their own are predicted by the last one before them, from the true
        rows that precede them.

    params : dict or None, default=None
        Parameters of ``fit``, such as ``{"sample_weight": w}``. Arrays with a value for each row
        are cut to the training rows. Scores are not weighted. Targets of weight 0 may be NaN:
        ``{"sample_weight": y.notna()}`` leaves unknown targets out of the fits and of the scores.

    return_estimator : bool, default=False
        Whether to return the fitted estimators.

    n_jobs : int or None, default=None
        Number of fits to run at a time, as in scikit-learn.

    verbose : int, default=0
        Verbosity of :class:`joblib.Parallel`: with 1 or more it reports the progress.

    Returns
    -------
    result : Bunch
        With the keys

        - ``predictions``, DataFrame: a row for each test row and horizon, in the order of the
          index. The index is the time label of the row, or (series, time label): the time at
          which the forecast is made. Labels are those of ``X``, else those of ``y``, else row
          numbers. The columns are ``fold`` (from 0), ``horizon`` (the column name of a DataFrame
          ``y``, else 1, 2, ...), ``y_true``, ``y_pred`` and the ``quantiles``, or a column for
          the probability of each class. Classes are categories (a ``CategoricalDtype``).
        - ``scores``, DataFrame: the index is (fold, horizon), the columns are the metrics, over
          all series together.
        - ``folds``, DataFrame: a row for each fold, with the columns ``train_end``, ``test_start``
          and ``test_end`` (time labels), ``n_train`` and ``n_test`` (rows). The training set is
          that of the estimator which predicts the fold.
        - ``estimators``, list of the fitted estimator of each fold, with
          ``return_estimator=True``.

    Raises
    ------
    ValueError
        Before the first fit, if an argument is not as described here, rows are not in time order,
        or a training set has rows later than its test set.

    Warns
    -----
    HistoryWarning
        If test rows have fewer than ``lookback`` rows of history, or windows reach across missing
        time stamps: once for all folds, not for each fit.
    UserWarning
        If a test set begins less than h rows after its training set, where h is the largest
        horizon in the columns of a ``y`` of :func:`make_rows`, else the number of columns. If a
        training set lacks classes of its test sets.

    See Also
    --------
    BacktestDisplay : Draw forecasts against the truth, or the error by horizon.
    make_rows : Pair the rows of a series with targets several steps ahead.
    make_windows : The same with windows.

    Notes
    -----
    *Context.* An estimator with a parameter ``lookback`` (on its own, or inside a pipeline, a
    search or another meta-estimator) predicts a row from that row and the ``lookback - 1`` rows
    before it. Each test block is therefore predicted together with the rows of ``X`` before it,
    from the training set and the gap, and with the rows between test rows, if there are any. Their
    own predictions are discarded. Windows have their history already.

    *Gap.* The target of a row may lie ahead of the row: with ``horizon`` rows ahead, the last
    ``horizon - 1`` targets of the training set are not known yet when the first test row is
    predicted. Leave these rows out with ``TimeSeriesSplit(gap=horizon - 1)`` (in general
    ``gap + horizon - 1``, with the ``gap`` of :func:`make_windows`). With the number of splits and
    a ``y`` of :func:`make_rows` they are left out already.

    *Searches.* A search splits each training set itself; give it ``cv=TimeSeriesSplit()``.

    *Several series in a pipeline.* A step that returns an array drops the index, and with it the
    series; use ``pipeline.set_output(transform="pandas")``.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.model_selection import TimeSeriesSplit
    >>> from sk_tsattn import backtest
    >>> from sk_tsattn.datasets import load_gas_furnace
    >>> X, y = load_gas_furnace(return_X_y=True, as_frame=True)
    >>> result = backtest(Ridge(), X, y, cv=TimeSeriesSplit(3))
    >>> result.predictions.head(2).round(1)
                     fold  horizon  y_true  y_pred
    time
    0 days 00:11:24     0        1    56.9    56.3
    0 days 00:11:33     0        1    57.5    56.9
    >>> result.scores.round(2)
                  neg_root_mean_squared_error  neg_mean_absolute_error
    fold horizon
    0    1                              -0.48                    -0.38
    1    1                              -0.58                    -0.48
    2    1                              -0.79                    -0.59
    """
    _check_arguments(estimator, refit, method, quantiles)
    params = dict(params or {})
    labels, y, targets = check_data(
        X, y, groups, params.get("sample_weight"), classify=is_classifier(estimator)
    )
    details = list(quantiles)
    if method == "predict_proba":
        details = _class_columns(targets)
    X, y = indexable(X, y)
    scorer = Scorer(scoring, targets, with_probabilities=method == "predict_proba")
    n_ahead = rows_ahead(y)
    folds = split(cv, labels, X, y, n_ahead)
    n_folds = len(folds)
    fitted_in = np.zeros(n_folds, dtype=int)
    if refit != "never":
        fitted_in = np.arange(n_folds) // refit * refit
    check_targets_of_folds(folds, labels, targets)
    check_order_of_folds(folds, fitted_in, labels, len(targets.horizons), n_ahead)
    check_classes_of_folds(folds, fitted_in, labels, targets)
    n_context = 0 if np.ndim(X) == 3 else lookback_of(estimator) - 1
    if groups is not None:
        groups = np.asarray(groups)
        if n_context and not takes(estimator.predict, "groups"):
            raise ValueError(
                "groups must reach the estimator, whose windows would cross from one series into "
                f"the next. Got {type(estimator).__name__}, whose predict has no parameter groups; "
                "give X as a DataFrame with the MultiIndex (series, time)."
            )

    parallel = Parallel(n_jobs=n_jobs, verbose=verbose)
    results = parallel(
        delayed(fit_and_predict)(
            clone(estimator),
            X,
            y,
            labels,
            groups,
            params,
            train=labels.rows(folds[first][0]),
            tests=[labels.rows(folds[fold][1]) for fold in np.flatnonzero(fitted_in == first)],
            targets=targets,
            method=method,
            quantiles=list(quantiles),
            keep=return_estimator,
        )
        for first in np.unique(fitted_in)
    )
    blocks = [block for result in results for block in result]
    _warn_of_history(blocks, labels, folds)
    result = Bunch(
        predictions=_predictions(blocks, targets, labels, details),
        scores=scorer.frame(blocks),
        folds=summarise_folds(folds, fitted_in, labels),
    )
    if return_estimator:
        result.estimators = [block.estimator for block in blocks]
    return result


def _check_arguments(estimator: Any, refit: Any, method: Any, quantiles: Any) -> None:
    if not (hasattr(estimator, "fit") and hasattr(estimator, "predict")):
        raise ValueError(
            "estimator must be a regressor or a classifier with fit and predict. Got "
            f"{estimator!r} instead; of a search, set refit=True."
        )
    if method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}. Got {method!r} instead.")
    if method == "predict_proba" and not (
        is_classifier(estimator) and hasattr(estimator, "predict_proba")
    ):
        raise ValueError(
            "method='predict_proba' needs a classifier with predict_proba. Got "
            f"{type(estimator).__name__} instead; set method='predict'."
        )
    if not is_int(refit, 1) and not (isinstance(refit, str) and refit == "never"):
        raise ValueError(f"refit must be an int >= 1 or 'never'. Got {refit!r} instead.")
    if np.ndim(quantiles) != 1 or not all(0 < quantile < 1 for quantile in quantiles):
        raise ValueError(
            f"quantiles must be a list of numbers between 0 and 1. Got {quantiles!r} instead."
        )
    if len(quantiles) and (
        is_classifier(estimator) or not takes_or_passes_on(estimator.predict, "quantiles")
    ):
        raise ValueError(
            f"quantiles need an estimator whose predict has this parameter. Got "
            f"{type(estimator).__name__} instead; leave quantiles out, or use "
            'AttentionLSTMRegressor(loss="quantile").'
        )


def _warn_of_history(
    blocks: list[Block], labels: Labels, folds: list[tuple[Positions, Positions]]
) -> None:
    """Warn once of test rows with too little history, and of windows across missing labels."""
    lookback = max(block.lookback for block in blocks)
    findings = []
    short = np.unique(np.concatenate([block.short for block in blocks]))
    if len(short):
        findings.append(
            f"{len(short)} test rows were predicted from fewer than lookback={lookback} rows "
            f"(first: {labels.index[short[0]]}), since X has no earlier rows of their series. They "
            "are predicted less well; put their past in front of them, or leave them out."
        )
    if lookback > 1:
        used = np.isin(labels.time, np.concatenate([rows for fold in folds for rows in fold]))
        findings.append(labels.describe_holes(used, lookback))
    warn_history(findings)


def _class_columns(targets: Targets) -> list[Any]:
    """Return the names of the columns of probabilities: the classes."""
    assert targets.classes is not None
    classes: list[Any] = targets.classes.tolist()
    taken = [name for name in COLUMNS if name in classes]
    if taken:
        raise ValueError(
            f"Classes must not be named as other columns of the predictions: {', '.join(COLUMNS)}. "
            f"Got {', '.join(taken)}; rename them, or set method='predict'."
        )
    return classes


def _predictions(
    blocks: list[Block], targets: Targets, labels: Labels, details: list[Any]
) -> pd.DataFrame:
    """Return the predictions of all blocks in long form."""
    rows = np.concatenate([block.rows for block in blocks])
    fold = np.repeat(np.arange(len(blocks)), [len(block.rows) for block in blocks])
    order = np.lexsort((fold, labels.time[rows], labels.series[rows]))
    rows, fold = rows[order], fold[order]
    n = len(targets.horizons)
    horizons = pd.Index(targets.horizons, tupleize_cols=False)
    y_pred = np.concatenate([block.y_pred for block in blocks])[order]
    values = [
        np.repeat(fold, n),
        horizons[np.tile(np.arange(n), len(rows))],
        targets.as_column(targets.values[rows].ravel()),
        targets.as_column(y_pred.ravel()),
    ]
    columns: dict[Any, Any] = dict(zip(COLUMNS, values, strict=True))
    of_rows = np.concatenate([block.details for block in blocks])[order]
    columns |= {name: of_rows[..., i].ravel() for i, name in enumerate(details)}
    return pd.DataFrame(columns, index=labels.index[np.repeat(rows, n)])
