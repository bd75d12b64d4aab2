"""AttentionDisplay: the attention of a fitted estimator as a picture."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ._regressor import ATTENTION_ATTRIBUTES

BAR_COLOR = "#31688e"  # of viridis, so that bars and map belong together in any eye
UNIFORM_COLOR = "#d55e00"  # vermilion, which stands out from it for colour-blind eyes too


class AttentionDisplay:
    """Draw attention over time steps, over features, or over both.

    Create it with :meth:`from_estimator`. A dashed line marks what each step or feature would get
    if attention were uniform; a map is in units of that.

    Parameters
    ----------
    time : ndarray of shape (n_timesteps,) or None, default=None
        Attention on each step, oldest first.

    feature : ndarray of shape (n_features,) or None, default=None
        Attention on each feature.

    cell : ndarray of shape (n_timesteps, n_features) or None, default=None
        Attention on each cell; ``time`` and ``feature`` are then its margins.

    feature_names : list of str or None, default=None
        Names of the features.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The map, or the bars where there is no map.

    margins_ : dict
        The axes of the bars beside a map, under ``"time"`` and ``"feature"``; else empty.

    figure_ : matplotlib Figure
        The figure.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sk_tsattn import AttentionDisplay, AttentionLSTMRegressor
    >>> from sk_tsattn.datasets import make_fixed_cells
    >>> X, y, _ = make_fixed_cells(n_samples=200, n_timesteps=12, n_features=6, random_state=0)
    >>> model = AttentionLSTMRegressor(max_epochs=5, random_state=0).fit(X, y)
    >>> display = AttentionDisplay.from_estimator(model)
    >>> sorted(display.margins_)
    ['feature', 'time']
    """

    def __init__(self, *, time=None, feature=None, cell=None, feature_names=None):
        self.time = time
        self.feature = feature
        self.cell = cell
        self.feature_names = feature_names

    @classmethod
    def from_estimator(cls, estimator, X=None, *, groups=None, feature_names=None, ax=None):
        """Draw the attention of a fitted estimator.

        Parameters
        ----------
        estimator : AttentionLSTMRegressor
            Fitted, with an ``attention_mode``.

        X : array-like or None, default=None
            Draw the mean attention on these windows or rows; None draws that on the training
            windows.

        groups : array-like of shape (n_samples,) or None, default=None
            Series of each row of ``X``.

        feature_names : list of str or None, default=None
            Names; None takes ``feature_names_in_``, else numbers.

        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : AttentionDisplay
            Drawn.
        """
        check_is_fitted(estimator)
        if X is None:
            drawn = {
                axes: getattr(estimator, name)
                for name, (axes, _) in ATTENTION_ATTRIBUTES.items()
                if hasattr(estimator, name)
            }
            if not drawn:
                raise ValueError(
                    "The estimator must have attention. Got one with attention_mode=None instead; "
                    "fit with attention_mode='time', 'feature' or 'both'."
                )
        else:
            weights = estimator.attention_weights(X, groups=groups)
            drawn = {axes: values.mean(axis=0) for axes, values in weights.items()}
        if feature_names is None:
            numbers = [f"feature {i}" for i in range(estimator.n_features_in_)]
            feature_names = list(getattr(estimator, "feature_names_in_", numbers))
        return cls(**drawn, feature_names=feature_names).plot(ax=ax)

    def plot(self, ax=None):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where; None makes a figure of a fitting size.

        Returns
        -------
        self : AttentionDisplay
            With ``ax_``, ``margins_`` and ``figure_``.
        """
        import matplotlib.pyplot as plt

        names = self.feature_names
        if names is None and self.feature is not None:
            names = [f"feature {i}" for i in range(len(self.feature))]
        if ax is None:
            rows = 0 if self.feature is None else len(self.feature)
            height = 1.6 + 0.24 * max(rows, 8)
            _, ax = plt.subplots(figsize=(8, height), layout="constrained")
        self.ax_, self.figure_, self.margins_ = ax, ax.figure, {}
        if self.cell is not None:
            self._map(ax, names)
        elif self.time is not None:
            self._time_bars(ax)
        else:
            self._feature_bars(ax)
            ax.set_yticks(range(len(names)), names)
            ax.invert_yaxis()
        return self

    def _map(self, ax, names):
        n_timesteps, n_features = self.cell.shape
        edges = (0.5 - n_timesteps, 0.5, n_features - 0.5, -0.5)
        # The map in shares of uniform attention: 1 is what a cell would get by chance.
        ax.xaxis.get_major_locator().set_params(integer=True)
        image = ax.imshow(
            self.cell.T * self.cell.size,
            aspect="auto",
            cmap="viridis",
            vmin=0,
            extent=edges,
            interpolation="nearest",
        )
        ax.set_xlabel("steps before the prediction")
        ax.set_yticks(range(n_features), names)
        top = self.margins_["time"] = ax.inset_axes((0, 1.03, 1, 0.25), sharex=ax)
        right = self.margins_["feature"] = ax.inset_axes((1.015, 0, 0.2, 1), sharey=ax)
        self._time_bars(top)
        self._feature_bars(right)
        top.tick_params(labelbottom=False)
        top.set_xlabel("")
        right.tick_params(labelleft=False)
        right.locator_params(axis="x", nbins=2, prune="lower")
        corner = ax.inset_axes((1.015, 1.05, 0.2, 0.05))
        self.figure_.colorbar(image, cax=corner, orientation="horizontal")
        corner.xaxis.set_ticks_position("top")
        corner.set_title("times uniform", fontsize="medium")

    def _time_bars(self, ax):
        steps = np.arange(1 - len(self.time), 1)
        ax.bar(steps, self.time, color=BAR_COLOR)
        ax.axhline(1 / len(self.time), color=UNIFORM_COLOR, linestyle="--")
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.set_xlabel("steps before the prediction")
        ax.set_ylabel("attention")

    def _feature_bars(self, ax):
        ax.barh(range(len(self.feature)), self.feature, color=BAR_COLOR)
        ax.axvline(1 / len(self.feature), color=UNIFORM_COLOR, linestyle="--")
        ax.set_xlabel("attention")
