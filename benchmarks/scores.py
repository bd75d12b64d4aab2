"""Agreement of weights with the truth, and their stability across seeds.

Weights and truth have the shape (n_samples, n_items), where an item is a cell, a step or a feature.
The score of a sample lies in [0, 1], and is NaN where it is undefined. Items that are neither
relevant nor irrelevant are ``excluded``: a boolean array of the same shape, False at relevant
items.
"""

import itertools

import numpy as np
from scipy.stats import rankdata


def auroc(weights, truth, excluded=None):
    """Return the area under the ROC curve of each sample; ties count one half.

    It is the probability that a relevant item has a larger weight than an irrelevant one. NaN where
    all items of a sample are relevant, or none.
    """
    n_true = truth.sum(axis=1)
    n_excluded = 0 if excluded is None else excluded.sum(axis=1)
    n_pairs = n_true * (truth.shape[1] - n_true - n_excluded)
    ranks = rankdata(_ranked_last(weights, excluded), axis=1)  # midranks
    n_won = np.where(truth, ranks, 0.0).sum(axis=1) - n_true * (n_true + 1) / 2
    return _divide(n_won - n_true * n_excluded, n_pairs)


def average_precision(weights, truth, excluded=None):
    """Return the average precision of each sample, tied items being ranked together.

    As ``sklearn.metrics.average_precision_score`` of each sample. NaN where no item is relevant.
    """
    weights = _ranked_last(weights, excluded)
    # For each item, the number of items with at least its weight: its rank, last among ties.
    n_listed = truth.shape[1] - rankdata(weights, method="min", axis=1).astype(int) + 1
    heaviest_first = np.argsort(-weights, axis=1)
    n_found = np.take_along_axis(truth, heaviest_first, axis=1).cumsum(axis=1)
    precision = np.take_along_axis(n_found, n_listed - 1, axis=1) / n_listed
    return _divide(np.where(truth, precision, 0.0).sum(axis=1), truth.sum(axis=1))


def relevance_mass(weights, truth, excluded=None):
    """Return the fraction of the weight on relevant items of each sample (Arras et al. 2022).

    NaN where all weights are 0.
    """
    if excluded is not None:
        weights = np.where(excluded, 0.0, weights)
    return _divide(np.where(truth, weights, 0.0).sum(axis=1), weights.sum(axis=1))


def _ranked_last(weights, excluded):
    """Rank the excluded items after all others, where every relevant item precedes them."""
    return weights if excluded is None else np.where(excluded, -np.inf, weights)


def stability(vectors, *, ranks=True):
    """Return the mean correlation of all pairs of vectors, such as attention across seeds.

    Parameters
    ----------
    vectors : list of ndarray, all of the same shape

    ranks : bool, default=True
        Spearman's correlation; ties have the mean of their ranks, so that exact zeros agree with
        each other. The order of small unequal entries is due to chance: False is Pearson's
        correlation, which is insensitive to it.

    Returns
    -------
    stability : float
        From -1 to 1. NaN for fewer than two vectors, or where one is constant.
    """
    flat = [np.ravel(v) for v in vectors]
    if ranks:
        flat = [rankdata(v) for v in flat]
    centred = [v - v.mean() for v in flat]
    pairs = [
        _divide(a @ b, np.sqrt((a @ a) * (b @ b))) for a, b in itertools.combinations(centred, 2)
    ]
    return float(np.mean(pairs)) if pairs else float("nan")


def _divide(a, b):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(b == 0, np.nan, np.divide(a, b))
