"""Methods that explain a fitted model from outside: what attention has to be held against.

Each takes a fitted estimator, windows X (n, T, F) and their targets, and gives non-negative
importances (n, T, F). Integrated gradients and occlusion come from captum and read the torch module
on standardised windows, whose mean, 0, is what they replace a cell by; permutation importance comes
from scikit-learn, reads ``predict`` alone, and says the same of every window.
"""

import numpy as np
import torch
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.inspection import permutation_importance

# Windows that are predicted, at most, for an explanation: each cell needs its own. Windows of more
# cells leave room for fewer of them.
EVALUATIONS = {"explained": 100_000, "permuted": 400_000}
FEWEST, MOST = 50, 2000
N_STEPS = 50  # of the path of integrated gradients


def n_windows(n_cells, use):
    """Say on how many windows a method can afford to run."""
    return int(np.clip(EVALUATIONS[use] // n_cells, FEWEST, MOST))


def integrated_gradients(model, X, y, seed):
    """Average the gradients on the way from the mean window to the window (Sundararajan 2017)."""
    from captum.attr import IntegratedGradients

    module, inputs = module_and_inputs(model, X[: n_windows(X[0].size, "explained")])
    method = IntegratedGradients(module)
    attributed = method.attribute(inputs, target=0, n_steps=N_STEPS, internal_batch_size=5000)
    return attributed.abs().detach().cpu().numpy()


def occlusion(model, X, y, seed):
    """Replace a cell by its mean, and see how far the prediction moves."""
    from captum.attr import Occlusion

    module, inputs = module_and_inputs(model, X[: n_windows(X[0].size, "explained")])
    with torch.no_grad():
        attributed = Occlusion(module).attribute(
            inputs, sliding_window_shapes=(1, 1), target=0, perturbations_per_eval=4
        )
    return attributed.abs().cpu().numpy()


def permuted_cells(model, X, y, seed):
    """Swap a cell between windows, and see how much the squared error grows (Breiman 2001)."""
    n, (_, T, F) = n_windows(X[0].size, "permuted"), X.shape
    X, y = X[:n], y[:n]  # fewer, where there are fewer
    found = permutation_importance(
        Flattened(model, (T, F)),
        X.reshape(len(X), -1),
        y,
        scoring="neg_mean_squared_error",
        n_repeats=1,
        random_state=seed,
    )
    # Where the error shrinks, it does so by chance.
    importance = found.importances_mean.clip(min=0).reshape(T, F)
    return np.broadcast_to(importance, X.shape)


METHODS = {
    "integrated gradients": integrated_gradients,
    "occlusion": occlusion,
    "permutation importance": permuted_cells,
}
NEED_CAPTUM = {"integrated gradients", "occlusion"}


class Flattened(RegressorMixin, BaseEstimator):
    """A fitted model of windows, for scikit-learn's tools that know rows alone."""

    def __init__(self, model, shape):
        self.model = model
        self.shape = shape

    def fit(self, X, y):
        """Do nothing: the model is fitted."""
        return self

    def predict(self, X):
        """Predict from flattened windows."""
        return self.model.predict(X.reshape(len(X), *self.shape))


def module_and_inputs(model, X):
    """Give the torch module of an estimator, and windows as it wants them."""
    module = model.net_.module_.eval()
    parameter = next(module.parameters())
    scaled = model._x_scaler.transform(X)
    return module, torch.as_tensor(scaled, dtype=parameter.dtype, device=parameter.device)
