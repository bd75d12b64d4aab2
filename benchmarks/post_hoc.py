"""Post-hoc attribution methods, to which attention is compared.

Each takes a fitted estimator, windows X (n, T, F) and their targets, and returns non-negative
importances (n, T, F). Integrated gradients and occlusion are those of captum; they call the torch
module on standardized windows, and their baseline is the mean, 0. Of several outputs, they explain
the largest: the predicted class. Permutation importance is that of scikit-learn; it calls
``predict`` only, and is the same for every window.
"""

import numpy as np
import torch
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.inspection import permutation_importance

# Largest number of predictions for an explanation. Each cell needs one, so that the number of
# explained windows decreases with their size.
EVALUATIONS = {"explained": 100_000, "permuted": 400_000}
FEWEST, MOST = 50, 2000
N_STEPS = 50  # of the path of integrated gradients


def n_windows(n_cells, use):
    """Return the number of windows to explain."""
    return int(np.clip(EVALUATIONS[use] // n_cells, FEWEST, MOST))


def integrated_gradients(model, X, y, seed):
    """Average the gradients on the path from the mean window to each window (Sundararajan 2017)."""
    from captum.attr import IntegratedGradients

    X = X[: n_windows(X[0].size, "explained")]
    module, inputs = module_and_inputs(model, X)
    attributed = IntegratedGradients(module).attribute(
        inputs, target=largest_output(model, X), n_steps=N_STEPS, internal_batch_size=5000
    )
    return attributed.abs().detach().cpu().numpy()


def occlusion(model, X, y, seed):
    """Return the change of the prediction if a cell is replaced by its mean."""
    from captum.attr import Occlusion

    X = X[: n_windows(X[0].size, "explained")]
    module, inputs = module_and_inputs(model, X)
    with torch.no_grad():
        attributed = Occlusion(module).attribute(
            inputs,
            sliding_window_shapes=(1, 1),
            target=largest_output(model, X),
            perturbations_per_eval=4,
        )
    return attributed.abs().cpu().numpy()


def permuted_cells(model, X, y, seed):
    """Return the increase of the squared error if a cell is permuted (Breiman 2001)."""
    n, (_, T, F) = n_windows(X[0].size, "permuted"), X.shape
    X, y = X[:n], y[:n]
    found = permutation_importance(
        Flattened(model, (T, F)),
        X.reshape(len(X), -1),
        y,
        scoring="neg_mean_squared_error",
        n_repeats=1,
        random_state=seed,
    )
    # A decrease of the error is due to chance.
    importance = found.importances_mean.clip(min=0).reshape(T, F)
    return np.broadcast_to(importance, X.shape)


METHODS = {
    "integrated gradients": integrated_gradients,
    "occlusion": occlusion,
    "permutation importance": permuted_cells,
}
NEED_CAPTUM = {"integrated gradients", "occlusion"}


class Flattened(RegressorMixin, BaseEstimator):
    """A fitted model of windows, for scikit-learn's tools that accept rows only."""

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
    """Return the torch module of an estimator, and its standardized inputs."""
    module = model.net_.module_.eval()
    parameter = next(module.parameters())
    scaled = model._x_scaler.transform(X)
    return module, torch.as_tensor(scaled, dtype=parameter.dtype, device=parameter.device)


def largest_output(model, X):
    """Return the index of the largest prediction of each window: 0 if there is one output."""
    return torch.as_tensor(model.predict(X).reshape(len(X), -1).argmax(axis=1))
