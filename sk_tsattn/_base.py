"""What the attention LSTMs of all kinds of targets have in common: their inputs and fit."""

from __future__ import annotations

from typing import Any, Self

from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from ._exporting import ExportMixin
from ._fitting import FittingMixin
from ._saving import SavingMixin
from ._training._sklearn_callbacks import CallbackSupportMixin, with_callbacks


class BaseAttentionLSTM(
    FittingMixin,
    ExportMixin,
    SavingMixin,
    CallbackSupportMixin,  # type: ignore[misc]
    BaseEstimator,  # type: ignore[misc]
):
    """An estimator that is fitted on windows, or on rows with ``lookback``."""

    max_epochs: int
    early_stopping: bool | str
    warm_start: bool

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        return tags

    @with_callbacks  # type: ignore[untyped-decorator]  # scikit-learn has no types
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        groups_val: ArrayLike | None = None,
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_timesteps, n_features) or (n_rows, n_features)
            Windows; or rows in time order, with ``lookback`` set.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The target of each window or row.

        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the windows (of those that end in each row). A weight of k equals k copies:
            exactly if the data fit into one batch and no gates are sampled, else on average. A
            row of weight 0 serves as history alone; its target may be NaN. A regressor takes a
            boolean array of the shape of ``y`` too, such as ``y.notna()``: which targets are known.
            The others are left out of the loss.

        X_val, y_val, sample_weight_val : as X, y and sample_weight, default=None
            Your own validation set, instead of the newest ``validation_fraction``. Rows that
            follow ``X`` have its last rows as their history. With ``early_stopping=False`` its
            loss is only recorded in ``history_``.

        groups : array-like of shape (n_samples,) or None, default=None
            Series of each row (or window).

        groups_val : array-like of shape (n_samples_val,) or None, default=None
            Series of each row of ``X_val``.

        Returns
        -------
        self : estimator
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or an array is not as described here, before any training; or if the
            loss does not stay finite. The estimator is then as it was before.

        Warns
        -----
        HistoryWarning
            If windows reach across missing time stamps of a regular index.
        """
        return self._fit(
            X,
            y,
            sample_weight,
            groups=groups,
            val=(X_val, y_val, sample_weight_val, groups_val),
            n_epochs=self.max_epochs,
            stopping=self.early_stopping,
            resume=self.warm_start and hasattr(self, "net_"),
        )
