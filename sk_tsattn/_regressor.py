"""AttentionLSTMRegressor: predictions and attention weights of windows of time series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted

from . import _training as training
from ._base import BaseAttentionLSTM
from ._data._input import check_target
from ._data._r2 import r2
from ._data._rows import check_same_labels
from ._data._scaling import Standardizer
from ._training._sklearn_callbacks import with_callbacks


class AttentionLSTMRegressor(RegressorMixin, BaseAttentionLSTM):  # type: ignore[misc]
    """Regression on windows of a multivariate time series, with attention weights.

    An LSTM [Hochreiter1997]_ reads each window, with attention over its features, its time steps,
    or both. Inputs are windows of shape (n_samples, n_timesteps, n_features), oldest step first, or
    the rows of one or several series (a 2-D array or a time-indexed DataFrame) together with
    ``lookback``. ``X`` and ``y`` are standardised internally.

    By default the attention is an information bottleneck: a gate for every cell (time step,
    feature) of the window, every step, or every feature, with an L0 penalty. The gate of a cell
    that does not improve the prediction closes, and the network does not receive its value.
    Attention is on cells with an open gate, and on those that open and close the gates of others.
    Training takes three to six times as long as that of a plain LSTM.

    The other mechanisms are those of the literature. Their weights are part of the model, and often
    do not show what drives the prediction: compare them with
    :func:`sk_tsattn.inspection.permutation_importance` before you report them.

    Parameters
    ----------
    attention_mode : {"time", "feature", "both"} or None, default="both"
        What attention weighs. None is the plain LSTM, for comparison.

    attention : str, default="bottleneck"
        The mechanism, a key of :data:`sk_tsattn.attention.ATTENTION_MECHANISMS`:
        ``"bottleneck"``, ``"dense"``, ``"luong"``, ``"bahdanau"``, ``"han"``, ``"darnn"``,
        ``"stacked"`` (only in mode ``"both"``), ``"self"``, ``"retain"`` or ``"imv"``.

    attention_params : dict or None, default=None
        Options of the mechanism. For ``"bottleneck"``: ``{"tolerance": 0.01}``, the relative
        increase of the validation loss accepted in exchange for sparser attention, with
        interchangeable inputs receiving equal attention; and ``{"cell_evidence": True}``, which
        finds events that may happen at any step of a window. For the others, such as
        ``{"score": "dot"}`` for ``"luong"``: see the classes in :mod:`sk_tsattn.attention`.

    hidden_size : int, default=32
        Width of the LSTM. A wider one represents more and overfits sooner.

    num_layers : int, default=1
        Number of LSTM layers.

    dropout : float, default=0.0
        Fraction of values dropped in training, between LSTM layers and before the linear head.

    position_embedding : bool, default=True
        Add a learned vector of each step's position to the input of the LSTM. Without it an LSTM
        can hardly find a fixed step of the window.

    lookback : int or None, default=None
        Number of steps of a window. For 2-D ``X``, whose rows are observations in time order: row
        ``t`` is predicted from the rows ``t - lookback + 1, ..., t``. None makes each row a
        window of one step. For 3-D ``X``: only the newest ``lookback`` steps are used.

    context : {"auto", "train_tail", "mask"}, default="auto"
        History of the first ``lookback - 1`` rows of a 2-D ``X`` at predict. The last rows of
        ``fit``, kept in ``context_``, are put before ``X``

        - ``"auto"``: if ``X`` is a DataFrame whose index goes on where that of ``fit`` ended
          (series by series, see *History* below);
        - ``"train_tail"``: always, for arrays too. Right for test sets that directly follow the
          training set, as in ``TimeSeriesSplit`` without a gap; wrong for any other ``X``,
          including the training set;
        - ``"mask"``: never. Training uses short windows as well.

        A row with too little history is predicted from a short window: missing steps are masked,
        get zero attention and have no influence. ``fit`` uses only complete windows, unless
        ``"mask"`` is set.

    standardize : bool, default=True
        Scale each feature of ``X`` and each column of ``y`` to mean 0 and standard deviation 1,
        with (weighted) statistics of the training set. Predictions keep the units of ``y``. If
        False, the data must already be of order 1. A feature that is constant in the training set
        becomes 0 in either case: it has no influence, whatever its values at predict.

    loss : {"squared_error", "absolute_error", "huber", "quantile"}, default="squared_error"
        What training minimises, and with it what is predicted: the mean of the target, its median
        (absolute errors: outliers count less), something in between (squared errors up to one
        standard deviation of ``y``, absolute ones above), or ``quantiles``.

    quantiles : sequence of float, default=(0.025, 0.1, 0.5, 0.9, 0.975)
        Only with ``loss="quantile"``: the quantiles to predict [Koenker1978]_, in increasing order.
        ``predict(X)`` returns the median, which must be one of several, or else the only quantile;
        ``predict(X, quantiles=(0.1, 0.9))`` returns an interval. Quantiles do not cross, since the
        outputs are sorted [Chernozhukov2010]_. With a validation set of 100 windows or more, all
        but the median are shifted after the training, so that they hold there [Romano2019]_.

    max_epochs : int, default=100
        Upper bound of the number of epochs. The bottleneck divides it among its stages; with fewer
        than about 30 epochs the gates may not converge.

    lr : float, default=0.005
        Step size of the optimizer (AdamW). Smaller is slower and steadier.

    batch_size : int or "auto", default=64
        Number of windows in an optimisation step. ``"auto"`` is 64 up to 19,200 training windows,
        and doubles as often as an epoch would have more than 300 steps, up to 512. More is faster,
        with fewer steps an epoch. With a few hundred windows choose less, such as 16:
        ``"bottleneck"`` needs about 1,500 steps in total.

    weight_decay : float, default=0.0
        Decoupled weight decay (Loshchilov and Hutter 2019); more is smoother.

    early_stopping : "auto" or bool, default="auto"
        Hold out a validation set, stop when its loss no longer decreases, and restore the weights
        of the best epoch. ``"auto"`` does so from 500 windows on, or if ``X_val`` is given.
        ``"bottleneck"`` uses the validation set to end its stages and to select gates; without
        one, its stages take fixed fractions of ``max_epochs``.

    validation_fraction : float, default=0.1
        Fraction of the windows held out as the validation set: the newest ones of each series. No
        training window overlaps them.

    n_iter_no_change : int, default=10
        Epochs without improvement after which early stopping stops. With ``"bottleneck"``,
        evaluations (of an epoch or 50 steps) without improvement after which its warm-up ends.

    warm_start : bool, default=False
        If True, ``fit`` continues from the weights and the scaling of the last fit, for up to
        ``max_epochs`` more epochs, with the present ``lr`` and ``batch_size``; the network and its
        other options stay the same. The stages of ``"bottleneck"`` begin again.

    device : str, default="auto"
        Device to compute on, as torch names it (``"cpu"``, ``"cuda:1"``). ``"auto"`` is CUDA if
        available, else MPS (Apple), else the CPU.

    precision : {"auto", "float64", "float32", "bf16"}, default="auto"
        Numbers that the network computes with. ``"auto"`` is double precision up to 100,000 cells
        (windows x steps x features), above single precision. ``"bf16"`` trains with torch's
        autocast: the products of the training steps have 8 significant bits, which some devices
        compute faster; weights, validation, predictions and attention have single precision.

    compile : bool, default=False
        Compile the training steps with ``torch.compile``. It takes up to a minute before the first
        step. The page on speed says what it gains.

    random_state : int, RandomState instance or None, default=None
        Determines initial weights, the order of batches, dropout and sampled gates. An int gives
        the same bits on the same machine each time; None draws fresh entropy. The global random
        states of numpy and torch are neither read nor written.

    verbose : int, default=0
        1 draws a progress bar, 2 also prints a line per epoch.

    callbacks : list of skorch.callbacks.Callback or None, default=None
        Callbacks of the training, which are copied. (Set scikit-learn's own callbacks, from its
        version 1.9 on, with ``set_callbacks``.)

    net_params : dict or None, default=None
        Other options of :class:`skorch.NeuralNet`, such as
        ``{"optimizer": torch.optim.SGD, "optimizer__momentum": 0.9}`` or
        ``{"criterion__delta": 0.5}`` for ``loss="huber"``. A loss of torch that ``loss`` does not
        name is set with ``{"criterion": torch.nn.SmoothL1Loss}``.

    Attributes
    ----------
    feature_attention_ : ndarray of shape (n_features,)
        Attention on each feature, averaged over the training windows (by weight). Non-negative,
        sums to 1. Only in the modes ``"feature"`` and ``"both"``.

    time_attention_ : ndarray of shape (n_timesteps,)
        The same for each time step, oldest first. Only in the modes ``"time"`` and ``"both"``.

    attention_ : ndarray of shape (n_timesteps, n_features)
        The same for each cell; the other two are its margins. Only in the mode ``"both"``.

    gates_ : ndarray of shape (n_timesteps, n_features), (n_timesteps,) or (n_features,)
        Only with ``"bottleneck"``: the gates of the cells, steps or features, averaged over the
        training windows. 1 is open; 0 is closed: the network does not receive the value. If all
        are 0, no input was found that predicts: the prediction is a constant, and the uniform
        attention has no meaning.

    gate_sensitivity_ : ndarray of the shape of ``gates_``
        Only with ``"bottleneck"``: how much each input changes the gates of others, averaged over
        the training windows. It is high for markers and switches, whether or not their own gates
        are open. 1 if another gate would open or close without the input; 0 throughout if every
        window has the same gates. Attention is the normalised maximum of gate and sensitivity.

    n_features_in_ : int
        Number of features, for windows too.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features. Only if ``X`` was a DataFrame with string columns.

    n_timesteps_in_ : int
        Number of steps of a window.

    n_outputs_ : int
        Number of columns of ``y``.

    history_ : DataFrame
        A row per epoch: ``epoch``, ``train_loss``, ``valid_loss`` (with a validation set), ``lr``,
        ``seconds``. Losses are those of the standardised target: 1 is the squared error of
        predicting the training mean. With ``"bottleneck"`` also the ``phase`` of the training
        ("warm-up", "path", "refit", "group expansion") and the ``penalty`` of an open gate: the
        relative decrease of the loss that justifies it. ``valid_loss`` is then that of the current
        weights, whereas averages over the last steps are compared and kept.

    path_ : DataFrame
        Only with ``"bottleneck"``, of the last ``fit``: a row for each candidate, with ``penalty``,
        ``valid_loss`` (without a validation set the training loss), its ``standard_error``,
        ``density`` (mean gate) and ``selected``. See :class:`PathDisplay`.

    n_iter_ : int
        Number of epochs after which the present weights were reached.

    context_ : DataFrame of shape (up to lookback - 1 rows of each series, n_features)
        The last rows of the training data, or of ``update_context``; empty for windows.

    net_ : skorch.NeuralNet
        The fitted net; ``net_.module_`` is the torch module, which takes standardised windows.

    See Also
    --------
    make_rows : Pair the rows of a series with targets ahead, and with inputs known in advance.
    make_windows : Cut a series into windows and targets.
    sk_tsattn.exceptions.HistoryWarning : Issued if history is missing.

    Notes
    -----
    *Shapes.* Axes are always (samples, time, features), oldest step first. Turn channels-first
    windows with ``X.transpose(0, 2, 1)``. ``X`` may be a list, a numpy array, a torch tensor, a
    pandas or polars DataFrame, or an array on disk: a memory map, HDF5, zarr, anything with
    ``shape``, ``dtype`` and slices. Neither windows nor converted copies of large data are ever
    written out; above 64 MB, blocks of rows are read, and the order of training is drawn within 16
    of them at a time, see the page on large data. A list of arrays or DataFrames of unequal length
    is a list of windows, which lack their oldest steps.

    *Missing values.* ``X`` may hold NaN. A missing cell is read as the newest earlier value of its
    feature in the window (or as the mean), is left out of statistics, and has no attention.

    *Time labels.* The labels of each series must increase strictly: time stamps, periods, numbers,
    dates or ISO 8601 text. Labels of ``y``, ``sample_weight`` and ``groups`` must be those of
    ``X``. A window is ``lookback`` consecutive rows; if windows reach across missing time stamps
    of a regular index, a :class:`~sk_tsattn.exceptions.HistoryWarning` says how many.

    *History.* With ``context="auto"``, ``X`` follows the known rows if its first label is later
    than the last known one by no more than a usual step: the longest that at least 5 % of the steps
    reach, and in daily data without weekends up to three public holidays. Rows that are predicted
    from shorter windows than any in ``fit`` are reported in a HistoryWarning. In production, call
    ``predict`` and then ``update_context`` with new rows; ``partial_fit`` also takes them in.

    *Several series.* Give a DataFrame with a MultiIndex (series, time), or ``groups``, the series
    of each row, in every method, and ``groups_val`` with ``X_val``. No window crosses from one
    series into another. A series that was not in ``fit`` has no history.

    *Cross-validation.* Use ``TimeSeriesSplit``. With ``lookback``, a time-indexed DataFrame keeps
    the history of a test block; for arrays set ``context="train_tail"``. The default ``cv=5``,
    shuffled folds and ``HalvingGridSearchCV`` over samples leave holes in time, and a gap between
    training and test set cuts off the history: both are warned about if the rows have an index
    and invisible in arrays, for which :func:`make_windows` comes before the split. ``groups``
    given to scikit-learn's tools reach only the splitter, unless ``set_fit_request(groups=True)``
    and ``set_score_request(groups=True)`` request them with metadata routing. Transformers keep
    the index only with ``set_output(transform="pandas")``.

    *Failures.* A fit that fails leaves the estimator as it was. After a keyboard interrupt the best
    weights so far are kept, and the interrupt is raised again.

    References
    ----------
    .. [Chernozhukov2010] V. Chernozhukov, I. Fernández-Val and A. Galichon, "Quantile and
       probability curves without crossing", Econometrica 78, 2010.

    .. [Koenker1978] R. Koenker and G. Bassett, "Regression quantiles", Econometrica 46, 1978.

    .. [Romano2019] Y. Romano et al., "Conformalized quantile regression", NeurIPS 2019.

    .. [Hochreiter1997] S. Hochreiter and J. Schmidhuber, "Long short-term memory", Neural
       Computation 9, 1997.

    Examples
    --------
    >>> from sk_tsattn import AttentionLSTMRegressor
    >>> from sk_tsattn.datasets import load_gas_furnace
    >>> X, y = load_gas_furnace(return_X_y=True, as_frame=True)
    >>> model = AttentionLSTMRegressor(lookback=8, max_epochs=60, random_state=0)
    >>> model.fit(X[:240], y[:240]).predict(X[240:]).shape
    (55,)
    >>> model.time_attention_.shape, model.feature_attention_.shape
    ((8,), (2,))
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
        loss: str = "squared_error",
        quantiles: Sequence[float] = (0.025, 0.1, 0.5, 0.9, 0.975),
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
        self.loss = loss
        self.quantiles = quantiles
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

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    @with_callbacks  # type: ignore[untyped-decorator]  # scikit-learn has no types
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Train for one more epoch, on these data.

        The first call fixes the scaling, as ``fit`` does. A feature that is constant in its data
        has no influence later either, which is warned about. There is no validation set.

        Parameters
        ----------
        X, y, sample_weight, groups
            As in :meth:`fit`.

        Returns
        -------
        self : AttentionLSTMRegressor
            The fitted estimator.
        """
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
        )

    def predict(
        self,
        X: ArrayLike,
        *,
        quantiles: float | Sequence[float] | None = None,
        groups: ArrayLike | None = None,
    ) -> NDArray[np.float64]:
        """Predict the target of each window or row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_timesteps, n_features) or (n_rows, n_features)
            Windows; or rows in time order, with ``lookback`` set. See the parameter ``context``
            for the first ``lookback - 1`` rows.

        quantiles : float, sequence of float or None, default=None
            Only with ``loss="quantile"``: which of the fitted quantiles to return, such as
            ``(0.1, 0.9)`` for an interval. None is the median (or the only quantile).

        groups : array-like of shape (n_samples,) or None, default=None
            Series of each row.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            One prediction for each row of ``X``, in the units and the shape of the training's
            ``y``. With several ``quantiles`` these are the last axis:
            (n_samples, n_quantiles) or (n_samples, n_outputs, n_quantiles).

        Raises
        ------
        ValueError
            If the estimator was not fitted on a quantile.

        Warns
        -----
        HistoryWarning
            If rows are predicted from short windows, or windows reach across missing time stamps.
        """
        check_is_fitted(self, "net_")
        columns = self._columns_of_quantiles(quantiles)
        y = training.predict(self.net_, self._dataset(self._lay_out(X, groups)))
        if self._quantiles:
            y = np.stack(
                [self._y_scaler.inverse_transform(y[..., column]) for column in columns], axis=2
            )
            y = y[..., 0] if quantiles is None or np.ndim(quantiles) == 0 else y
        else:
            y = self._y_scaler.inverse_transform(y)
        return y[:, 0] if self._y_ndim == 1 else y

    def score(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
    ) -> float:
        """Compute R² of the predictions, as scikit-learn's regressors do.

        Parameters
        ----------
        X, groups
            As in :meth:`predict`.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True values.

        sample_weight : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Weights, or which targets are known, as in :meth:`fit`.

        Returns
        -------
        score : float
            1 is perfect, 0 as good as the mean of ``y``; averaged over outputs.
        """
        if isinstance(X, pd.DataFrame):
            check_same_labels(X.index, y, "y")
            check_same_labels(X.index, sample_weight, "sample_weight")
        prediction = self.predict(X, groups=groups)
        return r2(y, prediction, sample_weight)

    def _check_target(
        self, y: Any, weight: NDArray[Any], *, resume: bool, classes: Any = None, name: str = "y"
    ) -> tuple[NDArray[Any], int, NDArray[Any]]:
        y, ndim = check_target(y, len(weight), weight)
        return y, ndim, weight.reshape(len(y), -1).mean(axis=1)

    def _prepare_target(self, y: NDArray[Any], weight: NDArray[Any]) -> None:
        self._y_scaler = Standardizer.for_targets(y, weight, standardize=self.standardize)
        self._quantiles = tuple(self._loss_and_options()[1].get("quantiles", ()))

    def _loss_and_options(self) -> tuple[str, dict[str, Any]]:
        return self.loss, {"quantiles": self.quantiles} if self.loss == "quantile" else {}

    def _columns_of_quantiles(self, quantiles: float | Sequence[float] | None) -> list[int]:
        """Return the positions of quantiles among the fitted ones."""
        fitted = list(self._quantiles)
        if quantiles is None:
            return [fitted.index(0.5) if 0.5 in fitted else 0]
        asked = np.ravel(quantiles).tolist()
        if not asked or not set(asked) <= set(fitted):
            what = f"was fitted on the quantiles {fitted}" if fitted else "has no quantiles"
            raise ValueError(
                f"quantiles must be some of the fitted ones: this {type(self).__name__} {what}. "
                f"Got {quantiles!r} instead; set loss='quantile' and the parameter quantiles "
                "before fit."
            )
        return [fitted.index(quantile) for quantile in asked]
