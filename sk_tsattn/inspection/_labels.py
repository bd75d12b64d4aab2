"""Labels of features and time steps for the DataFrames of an inspection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pandas as pd


def feature_index(
    n_features: int, feature_names: Sequence[Any] | None = None, *sources: Any
) -> pd.Index[Any]:
    """Return the names of the features.

    Parameters
    ----------
    n_features : int
        Number of features.

    feature_names : sequence of str or None, default=None
        The user's names.

    *sources : objects
        Objects whose ``feature_names_in_`` or ``columns`` are taken if ``feature_names`` is None;
        the first with ``n_features`` names. Without any, features are numbered.

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
        return cast("pd.Index[Any]", pd.Index(names, name="feature"))
    for source in sources:
        found = getattr(source, "feature_names_in_", getattr(source, "columns", None))
        if found is not None and len(found) == n_features:
            return cast("pd.Index[Any]", pd.Index(list(found), name="feature"))
    return pd.RangeIndex(n_features, name="feature")


def time_index(n_timesteps: int) -> pd.Index[Any]:
    """Return the number of steps before the prediction, oldest first: T-1, ..., 1, 0."""
    return pd.Index(np.arange(n_timesteps)[::-1], name="steps_before")


def block_label(labels: Sequence[Any]) -> Any:
    """Return the label of a block: its first and last label, or its only one."""
    return labels[0] if len(labels) == 1 else f"{labels[0]} to {labels[-1]}"
