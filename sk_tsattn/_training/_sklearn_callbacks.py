"""Reporting a fit to scikit-learn's callbacks, where the installed scikit-learn (1.9) has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["CallbackSupportMixin", "FitReport", "with_callbacks"]

Method = TypeVar("Method", bound=Callable[..., Any])

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn < 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing to support."""

    def with_callbacks(method: Method) -> Method:
        """Return the method as it is."""
        return method


class FitReport:
    """Report the progress of a fit to scikit-learn's callbacks.

    Parameters
    ----------
    estimator : estimator
        The estimator that is fitted.

    n_epochs : int
        Maximum number of epochs.

    X, y : array-like
        The training data.

    fitted : callable
        Returns a dict of the attributes with which a copy of the estimator could predict now.
    """

    def __init__(
        self, estimator: Any, n_epochs: int, X: Any, y: Any, fitted: Callable[[], dict[str, Any]]
    ) -> None:
        self.data = {"estimator": estimator, "X": X, "y": y}
        self.fitted = fitted
        self.context: Any = None
        if hasattr(estimator, "_init_callback_context"):
            self.context = estimator._init_callback_context(max_subtasks=n_epochs)
            self.context.call_on_fit_task_begin(**self.data)
        self.epoch: Any = None

    def begin_epoch(self) -> None:
        """Open the task of an epoch."""
        if self.context is not None:
            self.epoch = self.context.subcontext(task_name="epoch")
            self.epoch.call_on_fit_task_begin(**self.data)

    def end_epoch(self) -> bool:
        """Close the task of an epoch; return whether a callback wants to stop."""
        if self.epoch is None:
            return False
        return bool(
            self.epoch.call_on_fit_task_end(**self.data, reconstruction_attributes=self.fitted)
        )

    def end_fit(self) -> None:
        """Close the task of the fit."""
        if self.context is not None:
            self.context.call_on_fit_task_end(**self.data, reconstruction_attributes=self.fitted)
