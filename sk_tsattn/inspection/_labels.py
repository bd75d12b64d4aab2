"""Names of features and of time steps for the DataFrames of an inspection."""

import numpy as np
import pandas as pd


def feature_index(n_features, feature_names=None, *sources):
    """Name the features: as the user does, as a fitted estimator or a DataFrame does, or 0, 1, ….

    Parameters
    ----------
    n_features : int
        How many there are.

    feature_names : sequence of str or None, default=None
        The user's names.

    *sources : objects
        Whose ``feature_names_in_`` or ``columns`` serve otherwise; the first of that length.

    Returns
    -------
    names : pandas.Index
        Named ``"feature"``.
    """
    if feature_names is not None:
        names = list(feature_names)
        if len(names) != n_features or len(set(names)) != n_features:
            raise ValueError(
                f"feature_names must be {n_features} different names, one for each feature. Got "
                f"{names!r} instead."
            )
        return pd.Index(names, name="feature")
    for source in sources:
        found = getattr(source, "feature_names_in_", getattr(source, "columns", None))
        if found is not None and len(found) == n_features:
            return pd.Index(list(found), name="feature")
    return pd.RangeIndex(n_features, name="feature")


def time_index(n_timesteps):
    """Label time steps, oldest first, as steps before the prediction: T-1, …, 1, 0."""
    return pd.Index(np.arange(n_timesteps)[::-1], name="steps_before")


def joined(labels):
    """Label a block by its first and last label; a block of one keeps its own."""
    return labels[0] if len(labels) == 1 else f"{labels[0]} to {labels[-1]}"
