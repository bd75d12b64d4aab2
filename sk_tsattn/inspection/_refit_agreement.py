"""Does another fit attend to the same: agreement of the attention between refits."""

from itertools import combinations
from numbers import Integral

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.base import clone
from sklearn.model_selection import TimeSeriesSplit, check_cv
from sklearn.utils import Bunch
from sklearn.utils.parallel import Parallel, delayed

from ._checks import check_int, draw_seed, take
from ._labels import feature_index, time_index
from ._wrapped import find

ATTRIBUTES = {"feature": "feature_attention_", "time": "time_attention_", "cell": "attention_"}


def refit_agreement(
    estimator,
    X,
    y,
    *,
    n_refits=5,
    cv=None,
    top_k=None,
    n_jobs=None,
    random_state=None,
    feature_names=None,
):
    """Refit with other random states, and compare what the refits attend to. [Jain2019]_

    Attention that changes with the seed tells about the seed. That refits agree does not show that
    they are right: see :func:`faithfulness`.

    Parameters
    ----------
    estimator : estimator
        Is cloned, and need not be fitted. It (or what a ``Pipeline``, a search or a
        ``TransformedTargetRegressor`` wraps) sets ``feature_attention_``, ``time_attention_`` or
        ``attention_`` in ``fit``.

    X : array-like of shape (n_samples, n_timesteps, n_features) or (n_rows, n_features)
        Whatever its ``fit`` takes.

    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets.

    n_refits : int, default=5
        Fits, at least 2. Agreement is of all their pairs.

    cv : int, splitter, iterable or None, default=None
        None fits all of ``X`` each time, so that refits differ by their random state alone.
        Otherwise refit number i is fitted on the training part of split i, beginning again after
        the last split: they differ by their data too. An int is a ``TimeSeriesSplit``.

    top_k : int or None, default=None
        How many of the highest features (steps, cells) are compared. None is a tenth of them, at
        least one.

    n_jobs : int or None, default=None
        Refits at the same time, as in joblib.

    random_state : int, RandomState instance or None, default=None
        Source of the random states of the refits. None draws fresh entropy.

    feature_names : sequence of str or None, default=None
        Names of the features, where neither the estimator nor ``X`` has them.

    Returns
    -------
    result : Bunch
        Of what the estimator's mode defines among features, steps and cells; the others are None.

        - ``feature``, DataFrame indexed by feature, with a column for each refit (``"refit 0"``,
          …): ``feature_attention_``, whose sum is 1;
        - ``time``, DataFrame indexed by ``steps_before``, how many steps a step lies before the
          prediction, 0 newest: ``time_attention_``, oldest first;
        - ``cell``, DataFrame indexed by (``steps_before``, ``feature``): ``attention_``;
        - ``feature_spread``, ``time_spread``, ``cell_spread``: DataFrames with the same index and
          the columns ``mean``, ``std`` (over refits, ``ddof=1``), ``min``, ``max``;
        - ``pairs``, DataFrame, a row for each pair of refits: ``over``, ``refit_a``, ``refit_b``,
          ``pearson`` and ``spearman`` (from -1 to 1; NaN where attention is constant), and
          ``top_k_overlap``, the share of the ``top_k`` that both have (0 to 1; by chance it is
          ``top_k`` divided by the number of items, and where attention ties it counts what a
          random choice among the ties would give);
        - ``agreement``, DataFrame indexed by ``over``, with mean and minimum of each of the three
          over the pairs (``spearman_mean``, ``spearman_min``, …), ``top_k`` and ``n_items``.

    Raises
    ------
    ValueError
        If the estimator has no random state and ``cv`` is None, fits set no attention, or a
        parameter is not as described here.

    Notes
    -----
    With few features, correlations are coarse: with two, they are 1 or -1.

    References
    ----------
    .. [Jain2019] S. Jain and B. C. Wallace, "Attention is not Explanation", NAACL 2019, on what
       other weights go with the same predictions. https://arxiv.org/abs/1902.10186

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
    check_int("n_refits", n_refits, 2)
    if top_k is not None:
        check_int("top_k", top_k, 1)
    rng = np.random.RandomState(draw_seed(random_state))
    refits = [clone(estimator) for _ in range(n_refits)]
    seeded = [_set_random_states(refit, rng) for refit in refits]
    if cv is None and not all(seeded):
        raise ValueError(
            f"estimator must have a random_state, so that refits can differ. Got "
            f"{type(estimator).__name__} without one instead; give cv to refit on other data."
        )
    parts = [None] * n_refits
    if cv is not None:
        splitter = TimeSeriesSplit(cv) if isinstance(cv, Integral) else check_cv(cv)
        training = [rows for rows, _ in splitter.split(X, y)]
        parts = [training[number % len(training)] for number in range(n_refits)]
    fitted = Parallel(n_jobs=n_jobs)(
        delayed(_fit)(refit, X, y, rows) for refit, rows in zip(refits, parts, strict=True)
    )
    attention, sources = _collect(fitted)
    result = Bunch(feature=None, time=None, cell=None)
    result.update(feature_spread=None, time_spread=None, cell_spread=None)
    pairs, agreement = [], {}
    for over, values in attention.items():  # (n_refits, ...)
        index = _index(over, values.shape[1:], feature_names, *sources, X)
        flat = values.reshape(n_refits, -1)
        frame = pd.DataFrame(flat.T, index=index, columns=[f"refit {i}" for i in range(n_refits)])
        result[over] = frame
        result[f"{over}_spread"] = frame.agg(["mean", "std", "min", "max"], axis=1)
        n_items = flat.shape[1]
        flat = np.array([_without_rounding(of_refit) for of_refit in flat])
        k = min(top_k or max(1, n_items // 10), n_items)
        compared = [
            {
                "over": over,
                "refit_a": a,
                "refit_b": b,
                "pearson": _correlation(flat[a], flat[b]),
                "spearman": _correlation(rankdata(flat[a]), rankdata(flat[b])),
                "top_k_overlap": float(_in_top(flat[a], k) @ _in_top(flat[b], k) / k),
            }
            for a, b in combinations(range(n_refits), 2)
        ]
        pairs += compared
        of_pairs = pd.DataFrame(compared)[["pearson", "spearman", "top_k_overlap"]]
        agreement[over] = {
            f"{name}_{what}": getattr(of_pairs[name], what)()
            for name in of_pairs
            for what in ("mean", "min")
        } | {"top_k": k, "n_items": n_items}
    result.pairs = pd.DataFrame(pairs)
    result.agreement = pd.DataFrame.from_dict(agreement, orient="index").rename_axis("over")
    return result


def _set_random_states(estimator, rng):
    """Set every ``random_state`` among the parameters; tell whether there was one."""
    names = [
        name
        for name in sorted(estimator.get_params(deep=True))
        if name == "random_state" or name.endswith("__random_state")
    ]
    estimator.set_params(**{name: int(rng.randint(np.iinfo(np.int32).max)) for name in names})
    return bool(names)


def _fit(estimator, X, y, rows):
    """Fit on the rows, or on all."""
    if rows is None:
        return estimator.fit(X, y)
    return estimator.fit(take(X, rows), take(y, rows))


def _collect(fitted):
    """Collect the attention of the refits, {over: (n_refits, ...)}, and who may name features."""
    inside = [find(estimator, None, list(ATTRIBUTES.values()))[0] for estimator in fitted]
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
    return found, (inside[0], fitted[0])


def _index(over, shape, feature_names, *sources):
    """Label the features, the steps, or the cells."""
    if over == "time":
        return time_index(shape[0])
    features = feature_index(shape[-1], feature_names, *sources)
    if over == "feature":
        return features
    return pd.MultiIndex.from_product([time_index(shape[0]), features])


def _without_rounding(values):
    """Make attention that is uniform up to rounding exactly so: rounding has no order."""
    return np.full_like(values, values.mean()) if np.ptp(values) <= 1e-9 * values.max() else values


def _correlation(a, b):
    """Pearson's correlation; NaN where one of them is constant."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return np.nan
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def _in_top(values, k):
    """Give the probability of each item to be among the ``k`` highest, ties taken at random."""
    threshold = np.sort(values)[-k]
    above, at = values > threshold, values == threshold
    return above + at * ((k - above.sum()) / at.sum())
