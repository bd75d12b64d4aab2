"""The selection of a candidate of a path of penalties, from the losses of single windows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

# The best candidate must be better than a constant prediction by this number of standard errors.
# There are many candidates, of which the best is taken.
NULL_ERRORS = 3
# A candidate is not worse than another if its loss is higher by at most this number of standard
# errors (the one-standard-error rule: Breiman, Friedman, Olshen and Stone 1984, section 3.4.3).
ERRORS = 1
# A difference below this fraction of the null loss is negligible if a refit may close it.
NEGLIGIBLE = 0.003
# The weight of the number of possible inputs in the extended BIC (Chen and Chen 2008).
EBIC_GAMMA = 0.5


@dataclass
class Evaluation:
    """Losses and gate density of a network at a step of its training."""

    losses: Tensor  # of each window
    weight: Tensor  # of each window
    density: float  # mean gate
    penalty: float = 0.0
    step: int = 0
    epoch: int = 0
    state: Any = None
    loss: float = field(init=False)  # weighted mean

    def __post_init__(self) -> None:
        self.loss = float((self.losses * self.weight).sum() / self.weight.sum())

    def difference(self, other: Evaluation) -> tuple[float, float]:
        """Return the mean paired difference of the losses, and its standard error."""
        differences = self.losses - other.losses
        weight = self.weight / self.weight.sum()
        mean = (differences * weight).sum()
        variance = ((differences - mean) ** 2 * weight**2).sum()
        return float(mean), float(variance.sqrt())

    def is_not_worse(self, other: Evaluation, tolerance: float, n_errors: float = ERRORS) -> bool:
        """Return whether the loss is within ``n_errors`` standard errors or the tolerance."""
        difference, error = self.difference(other)
        return difference <= max(n_errors * error, tolerance * other.loss)


def mean_evaluation(evaluations: Sequence[Evaluation]) -> Evaluation:
    """Average the losses of several evaluations on the same windows."""
    losses = torch.stack([evaluation.losses for evaluation in evaluations]).mean(dim=0)
    return Evaluation(losses, evaluations[0].weight, evaluations[0].density)


def lowest_penalty(n_samples: int, n_gates: int) -> float:
    """Return the relative decrease of the loss that justifies one more gate, for n windows.

    It is that of the extended BIC, (log n + 2 γ log p) / n, for one of p inputs (Chen and Chen,
    "Extended Bayesian Information Criteria for Model Selection with Large Model Spaces",
    Biometrika 2008, eq. 1, divided by n), and at most 1.
    """
    n = max(n_samples, 1)
    return min(1.0, (math.log(n) + 2 * EBIC_GAMMA * math.log(n_gates)) / n)


def is_better_than_null(candidate: Evaluation, null: Evaluation) -> bool:
    """Return whether a candidate is significantly better than a constant prediction."""
    difference, error = candidate.difference(null)
    return difference < -NULL_ERRORS * error


def select(candidates: Sequence[Evaluation], tolerance: float) -> Evaluation:
    """Return the sparsest candidate that is not worse than the one of lowest loss."""
    best = min(candidates, key=lambda candidate: candidate.loss)
    return min(
        (c for c in candidates if c.is_not_worse(best, tolerance)),
        key=lambda candidate: candidate.density,
    )


def select_negligibly_worse(
    candidates: Sequence[Evaluation], selected: Evaluation, null: Evaluation
) -> Evaluation:
    """Return the sparsest candidate whose loss is higher by a negligible difference.

    The penalty shrinks open gates, and the more so the higher it is. Without it such a candidate
    may be as good as the selected one (the relaxed lasso: Meinshausen 2007).
    """
    highest = min(candidate.loss for candidate in candidates) + NEGLIGIBLE * null.loss
    return min(
        (c for c in candidates if c is selected or c.loss <= highest),
        key=lambda candidate: candidate.density,
    )
