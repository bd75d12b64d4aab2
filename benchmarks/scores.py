"""How well weights agree with the truth, and with each other.

Weights and truth have the shape (n_samples, n_items), an item being a cell, a step or a feature;
every score of a sample lies in [0, 1], and is NaN where it is not defined. Items that are neither
true nor false may be ``left_out``: a boolean array of the same shape, False at true items.
"""

import itertools

import numpy as np
from scipy.stats import rankdata


def auroc(weights, truth, left_out=None):
    """Probability that a true item outweighs a false one, in each sample; ties count one half.

    NaN where all items of a sample are true, or none.
    """
    n_true = truth.sum(axis=1)
    n_left_out = 0 if left_out is None else left_out.sum(axis=1)
    n_pairs = n_true * (truth.shape[1] - n_true - n_left_out)
    ranks = rankdata(_lightest(weights, left_out), axis=1)  # midranks
    n_won = np.where(truth, ranks, 0.0).sum(axis=1) - n_true * (n_true + 1) / 2
    return _divide(n_won - n_true * n_left_out, n_pairs)


def average_precision(weights, truth, left_out=None):
    """Mean precision at the true items of each sample, tied items being taken together.

    As scikit-learn's ``average_precision_score`` of each sample. NaN where no item is true.
    """
    weights = _lightest(weights, left_out)
    # Of each item, how many are at least as heavy: the size of the list that ends with its ties.
    n_listed = truth.shape[1] - rankdata(weights, method="min", axis=1).astype(int) + 1
    heaviest_first = np.argsort(-weights, axis=1)
    n_found = np.take_along_axis(truth, heaviest_first, axis=1).cumsum(axis=1)
    precision = np.take_along_axis(n_found, n_listed - 1, axis=1) / n_listed
    return _divide(np.where(truth, precision, 0.0).sum(axis=1), truth.sum(axis=1))


def mass(weights, truth, left_out=None):
    """Share of the weight that lies on true items, in each sample. NaN without any weight."""
    if left_out is not None:
        weights = np.where(left_out, 0.0, weights)
    return _divide(np.where(truth, weights, 0.0).sum(axis=1), weights.sum(axis=1))


def _lightest(weights, left_out):
    """Put items behind all others, where every true item wins against them."""
    return weights if left_out is None else np.where(left_out, -np.inf, weights)


def agreement(vectors, *, ranks=True):
    """Mean correlation of all pairs of vectors: do refits tell the same story?

    Parameters
    ----------
    vectors : list of ndarray, all of the same shape

    ranks : bool, default=True
        Spearman's correlation; equal entries share the mean of their ranks, so that many exact
        zeros agree with each other. Entries that are small but not equal are ordered by chance:
        False is Pearson's correlation, which does not mind.

    Returns
    -------
    agreement : float
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
