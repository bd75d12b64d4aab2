"""Reporting a fit to scikit-learn's callbacks, where the installed scikit-learn (1.9) has them."""

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn < 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing to support."""

    def with_callbacks(method):
        """Leave the method as it is."""
        return method


class FitReport:
    """Tell scikit-learn's callbacks where a fit stands.

    Parameters
    ----------
    estimator : estimator
        Being fitted; whatever it has learnt so far is on it.

    n_epochs : int
        Epochs at most.

    X, y : array-like
        The training data.

    fitted : callable
        Gives a dict of the attributes with which a copy of the estimator could predict now.
    """

    def __init__(self, estimator, n_epochs, X, y, fitted):
        self.estimator = estimator
        self.data = {"estimator": estimator, "X": X, "y": y}
        self.fitted = fitted
        self.context = None
        if hasattr(estimator, "_init_callback_context"):
            self.context = estimator._init_callback_context(max_subtasks=n_epochs)
            self.context.call_on_fit_task_begin(**self.data)
        self.epoch = None

    def begin_epoch(self):
        """Open the task of an epoch."""
        if self.context is not None:
            self.epoch = self.context.subcontext(task_name="epoch")
            self.epoch.call_on_fit_task_begin(**self.data)

    def end_epoch(self):
        """Close the task of an epoch; return whether a callback wants to stop."""
        if self.epoch is None:
            return False
        return self.epoch.call_on_fit_task_end(**self.data, reconstruction_attributes=self.fitted)

    def end_fit(self):
        """Close the task of the fit."""
        if self.context is not None:
            self.context.call_on_fit_task_end(**self.data, reconstruction_attributes=self.fitted)
