"""AttentionLSTMClassifier: classes and attention weights of windows of time series."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_is_fitted

from . import _training as training
from ._base import BaseAttentionLSTM
from ._data._checks import warn_user
from ._data._classes import as_columns, check_labels_of_classes, find_classes, weights_of_classes
from ._data._input import check_weight
from ._data._rows import check_same_labels
from ._data._scaling import Standardizer
from ._docstrings import described_as
from ._regressor import AttentionLSTMRegressor
from ._training._sklearn_callbacks import with_callbacks


@described_as(AttentionLSTMRegressor)
class AttentionLSTMClassifier(ClassifierMixin, BaseAttentionLSTM):  # type: ignore[misc]
    """Classification of windows of a multivariate time series, with attention weights.

    The same network as that of :class:`AttentionLSTMRegressor`, with a softmax over classes. It is
    trained with the cross-entropy. Inputs are windows of shape (n_samples, n_timesteps,
    n_features), oldest step first, or the rows of one or several series together with
    ``lookback``: each row has a class. ``X`` is standardised internally.

    Parameters
    ----------
    attention_mode : {"time", "feature", "both"} or None, default="both"

    attention : str, default="bottleneck"

    attention_params : dict or None, default=None

    hidden_size : int, default=32

    num_layers : int, default=1

    dropout : float, default=0.0

    position_embedding : bool, default=True

    lookback : int or None, default=None

    context : {"auto", "train_tail", "mask"}, default="auto"

    standardize : bool, default=True
        Scale each feature of ``X`` to mean 0 and standard deviation 1, with (weighted) statistics
        of the training set. If False, the data must already be of order 1. A feature that is
        constant in the training set becomes 0 in either case: it has no influence, whatever its
        values at predict.

    class_weight : dict, "balanced" or None, default=None
        Factors of the sample weights of each class, ``{class: weight}``. ``"balanced"`` gives all
        classes the same total weight in ``fit``, so that rare ones count as much as others.
        Probabilities are then those of classes that are equally frequent.

    max_epochs : int, default=100

    lr : float, default=0.005

    batch_size : int or "auto", default=64

    weight_decay : float, default=0.0

    early_stopping : "auto" or bool, default="auto"

    validation_fraction : float, default=0.1
        Fraction of the windows held out as the validation set: the newest ones of each series. No
        training window overlaps them. They are not stratified, since neighbours in time are alike:
        a class that has no windows in the training set is warned about, and hardly ever predicted;
        one that has none in the validation set does not count in its loss.

    n_iter_no_change : int, default=10

    warm_start : bool, default=False

    device : str, default="auto"

    precision : {"auto", "float64", "float32", "bf16"}, default="auto"

    compile : bool, default=False

    random_state : int, RandomState instance or None, default=None

    verbose : int, default=0

    callbacks : list of skorch.callbacks.Callback or None, default=None

    net_params : dict or None, default=None
        Other options of :class:`skorch.NeuralNet`, such as
        ``{"optimizer": torch.optim.SGD, "optimizer__momentum": 0.9}``.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted: those of the rows that have a weight.

    feature_attention_ : ndarray of shape (n_features,)

    time_attention_ : ndarray of shape (n_timesteps,)

    attention_ : ndarray of shape (n_timesteps, n_features)

    gates_ : ndarray of shape (n_timesteps, n_features), (n_timesteps,) or (n_features,)

    gate_sensitivity_ : ndarray of the shape of ``gates_``

    n_features_in_ : int

    feature_names_in_ : ndarray of shape (n_features,)

    n_timesteps_in_ : int

    n_outputs_ : int
        Number of classes.

    history_ : DataFrame
        A row per epoch: ``epoch``, ``train_loss``, ``valid_loss`` (with a validation set), ``lr``,
        ``seconds``. Losses are cross-entropies: about ln(n_classes) is the loss of guessing. With
        ``"bottleneck"`` also ``phase`` and ``penalty``, see :class:`AttentionLSTMRegressor`.

    path_ : DataFrame

    n_iter_ : int

    context_ : DataFrame of shape (up to lookback - 1 rows of each series, n_features)

    net_ : skorch.NeuralNet
        The fitted net. ``net_.module_`` is the torch module, which takes standardised windows and
        returns the logits of the classes.

    See Also
    --------
    AttentionLSTMRegressor : The same for numbers. Its notes hold here too.
    make_windows : Cut a series into windows and targets.

    Notes
    -----
    *Labels* may be numbers, text or booleans. Rows with weight 0 are history alone, and their
    labels may be missing.

    *Attention* is on what the network uses to tell the classes apart, all of them together. It is
    not the evidence for one class against the others.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_tsattn import AttentionLSTMClassifier
    >>> from sk_tsattn.datasets import make_fixed_cells
    >>> X, y, _ = make_fixed_cells(300, n_timesteps=6, n_features=4, random_state=0)
    >>> sign = np.where(y > 0, "up", "down")
    >>> model = AttentionLSTMClassifier(attention="dense", max_epochs=20, random_state=0)
    >>> model.fit(X[:240], sign[:240]).predict_proba(X[240:]).shape
    (60, 2)
    >>> model.attention_.shape
    (6, 4)
    """

    def __init__(
        self,
        *,
        attention_mode: str | None = "both",
        attention: str = "bottleneck",
        attention_params: dict[str, Any] | None = None,
        hidden_size: int = 32,
        num_layers: int = 1,
        dropout: float = 0.0,
        position_embedding: bool = True,
        lookback: int | None = None,
        context: str = "auto",
        standardize: bool = True,
        class_weight: dict[Any, float] | str | None = None,
        max_epochs: int = 100,
        lr: float = 0.005,
        batch_size: int | str = 64,
        weight_decay: float = 0.0,
        early_stopping: bool | str = "auto",
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        warm_start: bool = False,
        device: str = "auto",
        precision: str = "auto",
        compile: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
        callbacks: list[Any] | None = None,
        net_params: dict[str, Any] | None = None,
    ) -> None:
        self.attention_mode = attention_mode
        self.attention = attention
        self.attention_params = attention_params
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.dropout = dropout
        self.position_embedding = position_embedding
        self.lookback = lookback
        self.context = context
        self.standardize = standardize
        self.class_weight = class_weight
        self.max_epochs = max_epochs
        self.lr = lr
        self.batch_size = batch_size
        self.weight_decay = weight_decay
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.device = device
        self.precision = precision
        self.compile = compile
        self.random_state = random_state
        self.verbose = verbose
        self.callbacks = callbacks
        self.net_params = net_params

    @with_callbacks  # type: ignore[untyped-decorator]  # scikit-learn has no types
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Train for one more epoch, on these data.

        The first call fixes the scaling and the classes, as ``fit`` does. A feature that is
        constant in its data has no influence later either, which is warned about. There is no
        validation set.

        Parameters
        ----------
        X, y, sample_weight, groups
            As in :meth:`fit`.

        classes : array-like of shape (n_classes,) or None, default=None
            All classes, in the first call. None takes those of ``y``.

        Returns
        -------
        self : AttentionLSTMClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            Also if ``class_weight="balanced"``, since later data are not known; or if ``y`` or
            ``classes`` hold others than those of the first call.
        """
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' needs all data at once, which partial_fit does not have. "
                "Give a dict instead: {class: weight}."
            )
        return self._fit(
            X,
            y,
            sample_weight,
            groups=groups,
            val=(None, None, None, None),
            n_epochs=1,
            stopping=False,
            resume=hasattr(self, "net_"),
            go_on=True,
            classes=classes,
        )

    def predict_proba(
        self, X: ArrayLike, *, groups: ArrayLike | None = None
    ) -> NDArray[np.float64]:
        """Predict the probability of each class.

        Parameters
        ----------
        X, groups
            As in :meth:`predict`.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``; they sum to 1.
        """
        check_is_fitted(self, "net_")
        probabilities = training.predict(self.net_, self._dataset(self._lay_out(X, groups)))
        probabilities /= probabilities.sum(axis=1, keepdims=True)  # 1 in double precision too
        return probabilities

    def predict(self, X: ArrayLike, *, groups: ArrayLike | None = None) -> NDArray[Any]:
        """Predict the class of each window or row: the most probable one.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_timesteps, n_features) or (n_rows, n_features)
            Windows; or rows in time order, with ``lookback`` set. See the parameter ``context``
            for the first ``lookback - 1`` rows.

        groups : array-like of shape (n_samples,) or None, default=None
            Series of each row.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            One of ``classes_`` for each row of ``X``.

        Warns
        -----
        HistoryWarning
            If rows are predicted from short windows, or windows reach across missing time stamps.
        """
        probabilities = self.predict_proba(X, groups=groups)
        predicted: NDArray[Any] = self.classes_[probabilities.argmax(axis=1)]
        return predicted

    def score(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
    ) -> float:
        """Compute the accuracy: the fraction of samples whose class is predicted.

        Parameters
        ----------
        X, groups
            As in :meth:`predict`.

        y : array-like of shape (n_samples,)
            True classes. Those of samples with weight 0 may be missing.

        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights.

        Returns
        -------
        score : float
            From 0 to 1.
        """
        if isinstance(X, pd.DataFrame):
            check_same_labels(X.index, y, "y")
            check_same_labels(X.index, sample_weight, "sample_weight")
        predicted = self.predict(X, groups=groups)
        weight = check_weight(sample_weight, len(predicted))
        labels, used = check_labels_of_classes(y, len(predicted), weight), weight > 0
        return float(accuracy_score(labels[used], predicted[used], sample_weight=weight[used]))

    def _check_target(
        self, y: Any, weight: NDArray[Any], *, resume: bool, classes: Any = None, name: str = "y"
    ) -> tuple[NDArray[Any], int, NDArray[Any]]:
        labels = check_labels_of_classes(y, len(weight), weight)
        if not resume:
            named = (labels[weight > 0], "y") if classes is None else (classes, "classes")
            self.classes_ = find_classes(*named)
        elif classes is not None:
            as_columns(np.asarray(classes), self.classes_, np.ones(len(classes)), "classes")
        columns = as_columns(labels, self.classes_, weight, name)
        if name == "y":
            self._class_weights = weights_of_classes(
                self.class_weight, self.classes_, columns, weight
            )
        return columns, 1, weight * (columns @ self._class_weights)

    def _prepare_target(self, y: NDArray[Any], weight: NDArray[Any]) -> None:
        self._y_scaler = Standardizer(name="y")
        absent = self.classes_[weight @ y == 0]
        if len(absent):
            warn_user(
                f"The training set has no window of {len(absent)} of {len(self.classes_)} classes: "
                f"{absent.tolist()}. They are hardly ever predicted; give more windows of them, "
                "X_val and y_val, or set early_stopping=False if the newest windows, which are the "
                "validation set, hold them.",
                UserWarning,
            )

    def _loss_and_options(self) -> tuple[str, dict[str, Any]]:
        return "log_loss", {}
