"""Stability of the attention across seeds: agreement between refits."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import combinations
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from sklearn.base import clone
from sklearn.model_selection import TimeSeriesSplit, check_cv
from sklearn.utils import Bunch
from sklearn.utils.parallel import Parallel, delayed

from .._data._checks import check_int
from ..attention._kinds import ATTENTION_KINDS
from ._checks import draw_seed, take
from ._correlation import correlation, without_rounding
from ._groups import fit_params
from ._labels import feature_index, time_index
from ._wrapped import find

ATTRIBUTES = {kind: ATTENTION_KINDS[kind].attribute for kind in ("feature", "time", "cell")}


def refit_agreement(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    n_refits: int = 5,
    cv: Any = None,
    top_k: int | None = None,
    n_jobs: int | None = None,
    random_state: Any = None,
    feature_names: Sequence[str] | None = None,
) -> Bunch:
    """Measure the stability of the attention across seeds. [Jain2019]_

    The estimator is fitted several times with different random states, and the attention of the
    refits is compared. Attention that changes with the seed explains nothing else. Attention that
    is stable is not necessarily right: see :func:`faithfulness`.

    Parameters
    ----------
    estimator : estimator
        Is cloned and need not be fitted. It (or the estimator inside a ``Pipeline``, a search or
        a ``TransformedTargetRegressor``) sets ``feature_attention_``, ``time_attention_`` or
        ``attention_`` in ``fit``.

    X : array-like of shape (n_samples, n_timesteps, n_features) or (n_rows, n_features)
        Input of its ``fit``.

    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets.

    groups : array-like of shape (n_rows,) or None, default=None
        Series of each row of ``X``, passed to ``fit`` and to the splitter. Not needed if ``X``
        has a MultiIndex (series, time).

    n_refits : int, default=5
        Number of refits, at least 2. All pairs of them are compared.

    cv : int, splitter, iterable or None, default=None
        None fits on all of ``X`` each time, so that refits differ by their random state only.
        Otherwise refit i is fitted on the training set of split i, starting again after the last
        split, so that refits differ by their data, too. An int is a ``TimeSeriesSplit``.

    top_k : int or None, default=None
        Number of highest features (steps, cells) whose overlap is measured. None is a tenth of
        them, at least one.

    n_jobs : int or None, default=None
        Number of refits in parallel, as in joblib.

    random_state : int, RandomState instance or None, default=None
        Source of the random states of the refits. None draws fresh entropy.

    feature_names : sequence of str or None, default=None
        Names of the features. None takes those of the estimator or of ``X``, else numbers.

    Returns
    -------
    result : Bunch
        Attention on features, steps and cells; what the attention mode does not define is None.

        - ``feature``, DataFrame indexed by feature, with a column for each refit (``"refit 0"``,
          …): ``feature_attention_``, whose sum is 1;
        - ``time``, DataFrame indexed by ``steps_before``, the number of steps before the
          prediction: ``time_attention_``, oldest first;
        - ``cell``, DataFrame indexed by (``steps_before``, ``feature``): ``attention_``;
        - ``feature_spread``, ``time_spread``, ``cell_spread``: DataFrames with the same index and
          the columns ``mean``, ``std`` (over refits, ``ddof=1``), ``min``, ``max``;
        - ``pairs``, DataFrame, a row for each pair of refits: ``over``, ``refit_a``, ``refit_b``,
          ``pearson`` and ``spearman`` (from -1 to 1; NaN if attention is constant), and
          ``top_k_overlap``, the fraction of the ``top_k`` that both have (from 0 to 1; by chance
          ``top_k`` divided by the number of items; ties are resolved by the expectation of a
          random choice among them);
        - ``agreement``, DataFrame indexed by ``over``, with mean and minimum of each of the three
          over the pairs (``spearman_mean``, ``spearman_min``, …), ``top_k`` and ``n_items``.

    Raises
    ------
    ValueError
        If the estimator has no random state and ``cv`` is None, fits set no attention, or a
        parameter is not as described here.

    Notes
    -----
    With few features, correlations are coarse: with two, each is 1 or -1.

    References
    ----------
    .. [Jain2019] S. Jain and B. C. Wallace, "Attention is not Explanation", NAACL 2019, on
       different weights with the same predictions. https://arxiv.org/abs/1902.10186

    Examples
    --------
    >>> from sk_tsattn import AttentionLSTMRegressor
    >>> from sk_tsattn.datasets import make_fixed_cells
    >>> from sk_tsattn.inspection import refit_agreement
    >>> X, y, _ = make_fixed_cells(n_samples=100, n_timesteps=5, n_features=3, random_state=0)
    >>> model = AttentionLSTMRegressor(attention="dense", max_epochs=2)
    >>> result = refit_agreement(model, X, y, n_refits=2, random_state=0)
    >>> result.feature.columns.tolist()
    ['refit 0', 'refit 1']
    >>> result.time.index.tolist()
    [4, 3, 2, 1, 0]
    >>> result.agreement.index.tolist()
    ['feature', 'time', 'cell']
    """
    check_int(n_refits, "n_refits", 2)
    if top_k is not None:
        check_int(top_k, "top_k", 1, otherwise=" or None")
    rng = np.random.RandomState(draw_seed(random_state))
    refits = [clone(estimator) for _ in range(n_refits)]
    seeded = [_set_random_states(refit, rng) for refit in refits]
    if cv is None and not all(seeded):
        raise ValueError(
            "estimator must have a random_state, so that refits can differ. Got "
            f"{type(estimator).__name__} without one instead; give cv to refit on other data."
        )
    training_sets: list[Any] = [None] * n_refits
    if cv is not None:
        splitter = TimeSeriesSplit(cv) if isinstance(cv, Integral) else check_cv(cv)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The groups parameter is ignored", UserWarning)
            splits = [rows for rows, _ in splitter.split(X, y, groups)]
        training_sets = [splits[i % len(splits)] for i in range(n_refits)]
    fitted = Parallel(n_jobs=n_jobs)(
        delayed(_fit)(refit, X, y, groups, rows)
        for refit, rows in zip(refits, training_sets, strict=True)
    )
    inside = [find(refit, None, list(ATTRIBUTES.values()))[0] for refit in fitted]
    attention = _attention_of(inside, fitted)
    result = Bunch(**dict.fromkeys(ATTRIBUTES), **{f"{over}_spread": None for over in ATTRIBUTES})
    pairs = []
    for over, values in attention.items():  # (n_refits, ...)
        index = _index(over, values.shape[1:], feature_names, inside[0], fitted[0], X)
        columns = [f"refit {i}" for i in range(n_refits)]
        frame = pd.DataFrame(values.reshape(n_refits, -1).T, index=index, columns=columns)
        spread = frame.agg(["mean", "std", "min", "max"], axis=1)
        result.update({over: frame, f"{over}_spread": spread})
        k = min(top_k or max(1, len(frame) // 10), len(frame))
        pairs += _compare(frame, over, k)
    frame = pd.DataFrame(pairs)
    result.update(pairs=frame.drop(columns=["top_k", "n_items"]), agreement=_summarise(frame))
    return result


def _set_random_states(estimator: Any, rng: np.random.RandomState) -> bool:
    """Set every ``random_state`` among the parameters; return whether there was one."""
    names = [
        name
        for name in sorted(estimator.get_params(deep=True))
        if name == "random_state" or name.endswith("__random_state")
    ]
    estimator.set_params(**{name: int(rng.randint(np.iinfo(np.int32).max)) for name in names})
    return bool(names)


def _fit(estimator: Any, X: Any, y: Any, groups: Any, rows: NDArray[np.intp] | None) -> Any:
    """Fit on these rows, or on all."""
    if rows is not None:
        X, y = take(X, rows), take(y, rows)
        groups = None if groups is None else take(groups, rows)
    return estimator.fit(X, y, **fit_params(estimator, groups))


def _attention_of(inside: list[Any], fitted: list[Any]) -> dict[str, NDArray[np.float64]]:
    """Return the attention of the refits, of shape (n_refits, ...), by what it is over."""
    found = {
        over: np.array([getattr(estimator, name) for estimator in inside])
        for over, name in ATTRIBUTES.items()
        if all(hasattr(estimator, name) for estimator in inside)
    }
    if not found:
        raise ValueError(
            "fit must set feature_attention_, time_attention_ or attention_. Got none from "
            f"{type(fitted[0]).__name__} instead; refit an AttentionLSTMRegressor with "
            "attention_mode='time', 'feature' or 'both'."
        )
    return found


def _index(over: str, shape: tuple[int, ...], feature_names: Any, *sources: Any) -> pd.Index[Any]:
    """Label the features, the steps, or the cells."""
    if over == "time":
        return time_index(shape[0])
    features = feature_index(shape[-1], feature_names, *sources)
    if over == "feature":
        return features
    return pd.MultiIndex.from_product([time_index(shape[0]), features])


def _compare(frame: pd.DataFrame, over: str, top_k: int) -> list[dict[str, Any]]:
    """Compare each pair of columns."""
    values = [without_rounding(column) for column in frame.to_numpy().T]
    return [
        {
            "over": over,
            "refit_a": a,
            "refit_b": b,
            "pearson": correlation(values[a], values[b]),
            "spearman": correlation(rankdata(values[a]), rankdata(values[b])),
            "top_k_overlap": float(_in_top(values[a], top_k) @ _in_top(values[b], top_k) / top_k),
            "top_k": top_k,
            "n_items": len(frame),
        }
        for a, b in combinations(range(len(values)), 2)
    ]


def _summarise(pairs: pd.DataFrame) -> pd.DataFrame:
    """Compute mean and minimum over the pairs."""
    summary = {}
    for over, of_kind in pairs.groupby("over", sort=False):
        row = {}
        for measure in ("pearson", "spearman", "top_k_overlap"):
            row[f"{measure}_mean"] = of_kind[measure].mean()
            row[f"{measure}_min"] = of_kind[measure].min()
        summary[over] = row | of_kind[["top_k", "n_items"]].iloc[0].to_dict()
    return pd.DataFrame.from_dict(summary, orient="index").rename_axis("over")


def _in_top(values: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Return the probability that each item is among the ``k`` highest, with random ties."""
    threshold = np.sort(values)[-k]
    above, at = values > threshold, values == threshold
    return np.asarray(above + at * ((k - above.sum()) / at.sum()))
