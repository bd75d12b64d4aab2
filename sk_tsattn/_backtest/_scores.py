"""Scores of the forecasts of each fold and horizon, by scikit-learn's scorers."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import check_scoring, log_loss, make_scorer

from ._blocks import Block
from ._targets import Targets

Array = NDArray[Any]
Scoring = str | Callable[..., float] | Sequence[str] | Mapping[str, Any] | None
DEFAULT_SCORING = {
    "numbers": ("neg_root_mean_squared_error", "neg_mean_absolute_error"),
    "classes": ("accuracy",),
    "probabilities": ("accuracy", "neg_log_loss"),
}


class _Numbers(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # sklearn is untyped
    """Return the forecasts that are passed as ``X``, so that scorers can be used on them."""

    def fit(self, X: Array, y: Array) -> _Numbers:
        return self

    def predict(self, X: Array) -> Array:
        return X[:, 0]


class _Classes(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """The same for classes: ``X`` has their positions, and a column of probabilities for each."""

    def __init__(self, classes: Array) -> None:
        self.classes = classes

    @property
    def classes_(self) -> Array:
        return self.classes

    def fit(self, X: Array, y: Array) -> _Classes:
        return self

    def predict(self, X: Array) -> Array:
        predicted: Array = self.classes[X[:, 0].astype(np.intp)]
        return predicted

    def predict_proba(self, X: Array) -> Array:
        if X.shape[1] == 1:
            raise ValueError(
                "scoring needs probabilities of classes. Got method='predict' instead; set "
                "method='predict_proba'."
            )
        return X[:, 1:]


class Scorer:
    """Score forecasts by one or several metrics.

    Parameters
    ----------
    scoring : str, callable, list, tuple, dict or None
        As in :func:`backtest`.

    targets : Targets
        The truth.

    with_probabilities : bool
        Whether forecasts have probabilities of classes.

    Raises
    ------
    ValueError
        If there is no such metric, or if it cannot rate forecasts of this kind.
    """

    def __init__(self, scoring: Scoring, targets: Targets, *, with_probabilities: bool) -> None:
        self.targets = targets
        kind = "numbers" if targets.classes is None else "classes"
        metrics = _by_name(scoring, "probabilities" if with_probabilities else kind)
        self.forecaster: BaseEstimator = _Numbers()
        if targets.classes is not None:
            self.forecaster = _Classes(targets.classes)
            metrics = {name: _with_all_classes(m, targets.classes) for name, m in metrics.items()}
        self.score: Callable[..., dict[str, float]] = check_scoring(
            self.forecaster, scoring=metrics
        )
        if targets.classes is not None:
            self._try(len(targets.classes), with_probabilities)

    def frame(self, blocks: list[Block]) -> pd.DataFrame:
        """Return a row for each fold and horizon, with a column for each metric."""
        targets, scores = self.targets, []
        for block in blocks:
            for column in range(len(targets.horizons)):
                true = targets.values[block.rows, column]
                known = ~np.isnan(true)
                X = block.y_pred[known, column, None]
                if targets.classes is not None:
                    X = np.concatenate([X, block.details[known, column]], axis=1)
                scores.append(self.score(self.forecaster, X, targets.decode(true[known])))
        horizons = pd.Index(targets.horizons, tupleize_cols=False)
        index = pd.MultiIndex.from_product(
            [range(len(blocks)), horizons], names=["fold", "horizon"]
        )
        return pd.DataFrame(scores, index=index)

    def _try(self, n_classes: int, with_probabilities: bool) -> None:
        """Score right forecasts of each class: an unsuitable metric raises before the first fit."""
        positions = np.arange(n_classes, dtype=np.float64)
        probabilities = np.eye(n_classes) if with_probabilities else np.empty((n_classes, 0))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            X = np.column_stack([positions, probabilities])
            self.score(self.forecaster, X, self.targets.decode(positions))


def _by_name(scoring: Scoring, kind: str) -> dict[str, Any]:
    """Return the metrics by name, as :func:`sklearn.model_selection.cross_validate` has them."""
    if scoring is None:
        scoring = DEFAULT_SCORING[kind]
    if isinstance(scoring, str):
        scoring = (scoring,)
    if callable(scoring):
        return {"score": scoring}
    return dict(scoring) if isinstance(scoring, Mapping) else {name: name for name in scoring}


def _with_all_classes(metric: Any, classes: Array) -> Any:
    """Return a metric that holds for test sets without some of the classes."""
    if isinstance(metric, str) and metric == "neg_log_loss":
        return make_scorer(
            log_loss, greater_is_better=False, response_method="predict_proba", labels=classes
        )
    return metric
