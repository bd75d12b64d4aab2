"""AttentionLSTMRegressor: predictions and attention weights of windows of time series."""

import copy

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import Bunch, check_random_state
from sklearn.utils.validation import check_is_fitted

from . import _training as training
from ._data._batches import WindowDataset
from ._data._checks import warn_user
from ._data._history import History, describe_short
from ._data._holes import warn_history
from ._data._input import check_target, check_weight
from ._data._r2 import r2
from ._data._rows import check_labels_of_target, check_rows, check_same_labels
from ._data._scaling import Standardizer
from ._data._split import hold_out
from ._data._windows import Windows
from ._param_validation import check_parameters
from ._training._sklearn_callbacks import CallbackSupportMixin, FitReport, with_callbacks
from .attention._kinds import ATTENTION_KINDS, GATE_ATTRIBUTES
from .attention._registry import training_options

# Cells (windows x steps x features) up to which the network computes in double precision. It
# costs nothing noticeable at that size, and makes results independent of how samples are batched.
FLOAT64_CELLS = 100_000
# Windows from which early_stopping="auto" sets a validation part aside.
EARLY_STOPPING_WINDOWS = 500


class AttentionLSTMRegressor(CallbackSupportMixin, RegressorMixin, BaseEstimator):
    """Regression on windows of a multivariate time series, with attention weights.

    An LSTM [Hochreiter1997]_ reads each window, with attention over its features, its time steps, or
    both. Inputs are windows of shape (n_samples, n_timesteps, n_features), oldest step first, or the rows of
    one or several series (a 2-D array or a time-indexed DataFrame) together with ``lookback``.
    ``X`` and ``y`` are standardised internally.

    By default the attention is an information bottleneck: a gate for every cell (time step,
    feature) of the window, every step, or every feature, with an L0 penalty. The gate of a cell
    that does not improve the prediction closes, and the network does not receive its value.
    Attention is on cells with an open gate, and on those that open and close the gates of others.
    Training takes about three times as long as that of a plain LSTM.

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
        increase of the validation loss accepted in exchange for sparser attention.
        Interchangeable inputs receive equal attention. For the others, such as
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

    max_epochs : int, default=100
        Upper bound of the number of epochs. The bottleneck divides it among its stages; with fewer
        than about 30 epochs the gates may not converge.

    lr : float, default=0.005
        Step size of the optimizer (AdamW). Smaller is slower and steadier.

    batch_size : int, default=64
        Number of windows in an optimisation step. More is faster on large data, with fewer steps
        an epoch. With a few hundred windows choose less, such as 16: ``"bottleneck"`` needs about
        1,500 steps in total.

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
        Epochs without improvement after which early stopping stops (with ``"bottleneck"``: the
        patience of its warm-up).

    warm_start : bool, default=False
        If True, ``fit`` continues from the weights and the scaling of the last fit, for up to
        ``max_epochs`` more epochs, with the present ``lr`` and ``batch_size``; the network and its
        other options stay the same. The stages of ``"bottleneck"`` begin again.

    device : str, default="auto"
        Device to compute on, as torch names it (``"cpu"``, ``"cuda:1"``). ``"auto"`` is CUDA if
        available.

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
        ``{"criterion": torch.nn.HuberLoss}``.

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
        ``seconds``. Losses are mean squared errors of the standardised target: 1 is the loss of
        predicting the training mean. With ``"bottleneck"`` also the ``phase`` of the training
        ("warm-up", "penalty ramp", "path", "candidate refit", "group expansion", "refit",
        "pruning"; see :class:`sk_tsattn.attention.BottleneckLSTM`) and the ``penalty`` of an open
        gate: the relative decrease of the loss that justifies it. With ``"bottleneck"``,
        ``valid_loss`` is that of the current weights, whereas averages over the last steps are
        compared and kept.

    n_iter_ : int
        Number of epochs after which the present weights were reached.

    context_ : DataFrame of shape (up to lookback - 1 rows of each series, n_features)
        The last rows of the training data, or of ``update_context``; empty for windows.

    net_ : skorch.NeuralNet
        The fitted net; ``net_.module_`` is the torch module, which takes standardised windows.

    See Also
    --------
    make_windows : Cut a series into windows and targets.
    sk_tsattn.exceptions.HistoryWarning : Issued if history is missing.

    Notes
    -----
    *Shapes.* Axes are always (samples, time, features), oldest step first. Turn channels-first
    windows with ``X.transpose(0, 2, 1)``. ``X`` may be a list, a numpy array (also read-only or a
    memory map), a torch tensor, a pandas or polars DataFrame. Batches are cut from ``X`` as it is:
    neither windows nor converted copies of large data are ever written out.

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

    *Precision.* Up to 100,000 cells (windows x steps x features) the network computes in double
    precision, above in single precision.

    References
    ----------
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
    >>> round(float(model.attention_.sum()), 6)
    1.0
    """

    def __init__(
        self,
        *,
        attention_mode="both",
        attention="bottleneck",
        attention_params=None,
        hidden_size=32,
        num_layers=1,
        dropout=0.0,
        position_embedding=True,
        lookback=None,
        context="auto",
        standardize=True,
        max_epochs=100,
        lr=0.005,
        batch_size=64,
        weight_decay=0.0,
        early_stopping="auto",
        validation_fraction=0.1,
        n_iter_no_change=10,
        warm_start=False,
        device="auto",
        random_state=None,
        verbose=0,
        callbacks=None,
        net_params=None,
    ):
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
        self.max_epochs = max_epochs
        self.lr = lr
        self.batch_size = batch_size
        self.weight_decay = weight_decay
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.device = device
        self.random_state = random_state
        self.verbose = verbose
        self.callbacks = callbacks
        self.net_params = net_params

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.target_tags.multi_output = True
        return tags

    def __getattr__(self, name):
        """Raise an AttributeError that names the modes that have the attribute."""
        attention_modes = dict(ATTENTION_KINDS.values())
        if name in attention_modes:
            modes = attention_modes[name]
            allowed = " or ".join(f"attention_mode={mode!r}" for mode in modes)
            mode = self.__dict__.get("attention_mode")
            why = f"attention_mode={mode!r} has none; use {allowed}"
            if mode in modes:
                why = "it is not fitted yet; call fit"
            raise AttributeError(f"{type(self).__name__} has no {name}: {why}.")
        if name in GATE_ATTRIBUTES.values():
            raise AttributeError(
                f"{type(self).__name__} has no {name}: gates that can close are those of "
                f"attention='bottleneck', in a fitted estimator with an attention_mode. Got "
                f"attention={self.__dict__.get('attention')!r} and "
                f"attention_mode={self.__dict__.get('attention_mode')!r}."
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @with_callbacks
    def fit(
        self,
        X,
        y,
        sample_weight=None,
        *,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
        groups=None,
        groups_val=None,
    ):
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
            row of weight 0 is only history; its target may be NaN.
            A row with weight 0 serves as history alone; its target may be NaN.

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
        self : AttentionLSTMRegressor
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

    @with_callbacks
    def partial_fit(self, X, y, sample_weight=None, *, groups=None):
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

    def update_context(self, X, *, groups=None):
        """Take in new rows, without training: the history of the rows that come after them.

        ``predict`` of new rows and ``update_context`` with the same rows, one after the other,
        predict what ``predict`` of all rows in one frame does.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Rows that come after those of ``context_``, oldest first.

        groups : array-like of shape (n_rows,) or None, default=None
            Series of each row, if the estimator was fitted on several. A new series is taken in.

        Returns
        -------
        self : AttentionLSTMRegressor
            With a new ``context_``.

        Raises
        ------
        ValueError
            If the rows are not later than those that are known.
        """
        check_is_fitted(self, "net_")
        rows = check_rows(self, X, lookback=self.lookback, groups=groups, reset=False)
        if rows.values.ndim == 3:
            raise ValueError(
                "update_context needs the rows of a series, of shape (n_rows, n_features). Got "
                f"windows of shape {rows.values.shape} instead; windows need no context."
            )
        self._history.check_series(rows, type(self).__name__)
        history, joined, n_known = self._history.extended(rows)
        used = np.ones(len(joined), dtype=bool)
        warn_history([history.holes(joined, used, "X", n_known)])
        self._history, self.context_ = history, history.context
        return self

    def _fit(self, X, y, sample_weight, *, groups, val, n_epochs, stopping, resume, go_on=False):
        """Fit a copy, and take over what it has learnt when nothing can fail any more."""
        check_parameters(self)
        training.check_net_params(self.net_params)
        fitted = copy.copy(self)
        if resume:
            fitted.net_ = copy.deepcopy(self.net_)
        training_set, validation_set, weight = fitted._prepare(
            X,
            y,
            sample_weight,
            groups=groups,
            val=val,
            resume=resume,
            go_on=go_on,
            stopping=stopping,
        )
        if stopping == "auto":
            stopping = validation_set is not None
        report = FitReport(self, n_epochs, X, y, fitted=fitted._fitted_attributes)
        result = training.train(
            fitted.net_,
            training_set,
            validation_set,
            n_epochs=n_epochs,
            patience=self.n_iter_no_change,
            stopping=stopping,
            listener=report,
            bar=type(self).__name__ if self.verbose else None,
            seed=fitted._seed + len(fitted.net_.history),
            phases=not go_on,
            **training_options(self.attention, self.attention_params),
        )
        fitted.n_iter_ = result.best_epoch
        fitted.history_ = pd.DataFrame(training.history(fitted.net_))
        if self.attention_mode is not None:
            fitted._summarise_attention(training_set, weight)
        report.end_fit()
        for name in set(self._fitted_attributes()) - set(fitted._fitted_attributes()):
            delattr(self, name)
        self.__dict__.update(fitted._fitted_attributes())
        if result.interrupted is not None:
            raise result.interrupted
        return self

    def _fitted_attributes(self):
        """Return everything that fit has set, by name."""
        parameters = self.get_params(deep=False)
        return {
            name: value
            for name, value in vars(self).items()
            if name not in parameters and "callback" not in name  # scikit-learn's own
        }

    def _prepare(self, X, y, sample_weight, *, groups, val, resume, go_on, stopping):
        """Check everything and make the net.

        Returns
        -------
        training_set : WindowDataset
            Windows to train on.

        validation_set : WindowDataset or None
            Windows to stop early by.

        weight : ndarray of shape (n_training,)
            Weights of the training windows.
        """
        device = training.resolve_device(self.device)
        rows = check_rows(self, X, lookback=self.lookback, groups=groups, reset=not resume)
        check_labels_of_target(X, y, rows, self.lookback)
        if isinstance(X, pd.DataFrame):
            check_same_labels(X.index, sample_weight, "sample_weight")
        weight = check_weight(sample_weight, len(rows))
        y, y_ndim = check_target(y, len(rows), weight)
        if resume:
            self._history.check_series(rows, type(self).__name__)
        history, rows, n_known = self._known_rows(rows, resume and go_on)
        windows = self._training_windows(rows)
        usable = windows.complete() | (self.context == "mask")
        usable, windows = usable[n_known:], windows.select(slice(n_known, None))
        learnt = np.flatnonzero(usable & (weight > 0))
        if not len(learnt):
            raise ValueError(
                "X must have at least one complete window whose sample_weight is not zero. Got "
                "none instead; lower lookback or weigh later rows."
            )
        shape = windows.lookback, y.shape[1], y_ndim
        if resume:
            self._check_resumed(shape)
        self.n_timesteps_in_, self.n_outputs_, self._y_ndim = shape
        self._history, self.context_ = history, history.context
        is_used = np.zeros(len(rows), dtype=bool)
        is_used[n_known + learnt] = True
        findings = [history.holes(rows, is_used, "X", n_known)]
        val_data = self._check_validation(*val, findings)
        warn_history(findings)
        if stopping == "auto":
            stopping = val_data is not None or len(learnt) >= EARLY_STOPPING_WINDOWS
        kept = learnt
        if stopping and val_data is None:
            codes = rows.series_codes()[n_known:][learnt]
            is_kept, is_held = hold_out(windows.select(learnt), codes, self.validation_fraction)
            kept, held = learnt[is_kept], learnt[is_held]
            val_data = windows.select(held), y[held], weight[held]

        if not resume:
            n_cells = len(kept) * self.n_timesteps_in_ * self.n_features_in_
            double = n_cells <= FLOAT64_CELLS and not device.startswith("mps")
            self._dtype = "float64" if double else "float32"
            self._seed = self._draw_seed()
            self._learn_scales(windows.select(kept), y[kept], weight[kept])
            for name in (*dict(ATTENTION_KINDS.values()), *GATE_ATTRIBUTES.values()):
                self.__dict__.pop(name, None)
            self.net_ = self._make_net(device)
        else:
            training.change_net(self.net_, lr=self.lr, batch_size=self.batch_size)
            self._x_scaler.warn_if_no_longer_constant(rows.values)
        training_set = self._dataset(windows.select(kept), y[kept], weight[kept])
        validation_set = None if val_data is None else self._dataset(*val_data)
        return training_set, validation_set, weight[kept]

    def _known_rows(self, rows, go_on):
        """Put the known rows before those to train on.

        Returns
        -------
        history : History
            What is known after these rows.

        rows : Rows
            Known rows first.

        n_known : int
            Number of known rows.
        """
        lookback = self.lookback or 1
        if rows.values.ndim == 3:
            return History.of(rows, rows.values.shape[1]), rows, 0
        if not go_on or lookback == 1 or not self._history.follows(rows, self.context):
            history = History.of(rows, lookback)
            if go_on and rows.times is not None and lookback > 1:
                history = self._history  # earlier rows do not replace later ones
            return history, rows, 0
        history, joined, n_known = self._history.extended(rows)
        return (history, rows, 0) if self.context == "mask" else (history, joined, n_known)

    def _draw_seed(self):
        """Draw the seed of this fit.

        Without a random state it comes from fresh entropy: the global generator, which
        scikit-learn would use, is to be left alone.
        """
        if self.random_state is None:
            return int(np.random.default_rng().integers(2**31 - 1))
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _training_windows(self, rows):
        """Lay out the windows of the training rows."""
        if rows.values.ndim == 3:
            return Windows.of_windows(rows.values)
        if self.lookback is None and isinstance(rows.labels, pd.DatetimeIndex):
            warn_user(
                "X is indexed by time, but lookback=None uses each row alone, without history. "
                "Set lookback to the number of rows of a window, or to 1 if this is meant.",
                UserWarning,
            )
        lookback = self.lookback or 1
        sizes = np.bincount(rows.series_codes())
        if lookback > sizes.min() and self.context != "mask":
            which = "" if rows.codes is None else f" (series {rows.series[sizes.argmin()]!r})"
            raise ValueError(
                f"A series must have at least lookback={lookback} rows. Got a series of n_samples="
                f"{sizes.min()} rows instead{which}; lower lookback, drop the series, or set "
                'context="mask" to learn from short windows.'
            )
        return Windows.of_rows(rows.values, lookback, rows.codes)

    def _check_resumed(self, shape):
        """Raise where training cannot go on with data of this shape."""
        fitted = self.n_timesteps_in_, self.n_outputs_, self._y_ndim
        if shape != fitted:
            raise ValueError(
                "Training goes on with windows of {} steps and {} outputs in a y of {} "
                "dimension(s), as before. Got {}, {} and {} instead; call fit with "
                "warm_start=False to start anew.".format(*fitted, *shape)
            )

    def _check_validation(self, X_val, y_val, weight_val, groups_val, findings):
        """Check the user's validation set; return its windows, targets and weights, or None."""
        if X_val is None:
            if not all(value is None for value in (y_val, weight_val, groups_val)):
                raise ValueError(
                    "y_val, sample_weight_val and groups_val need X_val, which is None."
                )
            return None
        if y_val is None:
            raise ValueError("X_val needs y_val, which is None.")
        rows, windows, n_known = self._place(X_val, groups_val, groups_name="groups_val")[:3]
        if isinstance(X_val, pd.DataFrame):
            check_same_labels(X_val.index, y_val, "y_val")
            check_same_labels(X_val.index, weight_val, "sample_weight_val")
        weight_val = check_weight(weight_val, len(windows))
        y_val, ndim = check_target(y_val, len(windows), weight_val)
        if (y_val.shape[1], ndim) != (self.n_outputs_, self._y_ndim):
            raise ValueError(
                f"y_val must have the columns of y, {self.n_outputs_} in {self._y_ndim} "
                f"dimension(s). Got {y_val.shape[1]} in {ndim} instead."
            )
        use = (windows.complete() | (self.context == "mask")) & (weight_val > 0)
        if not use.any():
            raise ValueError(
                f"X_val must have a complete window of {self.n_timesteps_in_} rows with a weight. "
                f"Got {len(windows)} rows and none instead; begin it with the rows before it, "
                "giving them weight 0 in sample_weight_val."
            )
        is_used = np.concatenate([np.zeros(n_known, dtype=bool), use])
        findings.append(self._history.holes(rows, is_used, "X_val", n_known))
        return windows.select(use), y_val[use], weight_val[use]

    def _learn_scales(self, windows, y, weight):
        """Learn what X and y are scaled by, from the training part alone."""
        self._x_scaler = Standardizer.for_features(
            windows.values,
            windows.n_uses(weight),
            standardize=self.standardize,
            columns=list(getattr(self, "feature_names_in_", range(self.n_features_in_))),
        )
        self._y_scaler = Standardizer.for_targets(y, weight, standardize=self.standardize)

    def _dataset(self, windows, y=None, weight=None):
        return WindowDataset(
            windows,
            self._x_scaler,
            dtype=self._dtype,
            device=self.net_.device,
            y=None if y is None else self._y_scaler.transform(y),
            weight=weight,
        )

    def _make_net(self, device):
        return training.make_net(
            module={
                "dtype": self._dtype,
                "attention": self.attention,
                "attention_mode": self.attention_mode,
                "attention_params": self.attention_params,
                "n_timesteps": self.n_timesteps_in_,
                "n_features": self.n_features_in_,
                "n_outputs": self.n_outputs_,
                "hidden_size": self.hidden_size,
                "num_layers": self.num_layers,
                "dropout": self.dropout,
                "position_embedding": self.position_embedding,
            },
            seed=self._seed,
            lr=self.lr,
            weight_decay=self.weight_decay,
            batch_size=self.batch_size,
            device=device,
            callbacks=self.callbacks,
            verbose=self.verbose,
            net_params=self.net_params,
        )

    def _summarise_attention(self, dataset, weight):
        """Average the attention over the training windows."""
        sums: dict[str, np.ndarray] = {}
        done = 0
        for weights in training.attend(self.net_, dataset):
            for axes, values in weights.items():
                part = weight[done : done + len(values)]
                sums[axes] = sums.get(axes, 0.0) + np.tensordot(part, values, axes=1)
            done += len(values)
        for kind, (name, _) in ATTENTION_KINDS.items():
            if kind in sums:
                setattr(self, name, sums[kind] / sums[kind].sum())
        for kind, name in GATE_ATTRIBUTES.items():
            if kind in sums:
                setattr(self, name, sums[kind] / weight.sum())

    def predict(self, X, *, groups=None):
        """Predict the target of each window or row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_timesteps, n_features) or (n_rows, n_features)
            Windows; or rows in time order, with ``lookback`` set. See the parameter ``context``
            for the first ``lookback - 1`` rows.

        groups : array-like of shape (n_samples,) or None, default=None
            Series of each row.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            One prediction for each row of ``X``, in the units and the shape of the training's
            ``y``.

        Warns
        -----
        HistoryWarning
            If rows are predicted from short windows, or windows reach across missing time stamps.
        """
        check_is_fitted(self, "net_")
        y = training.predict(self.net_, self._dataset(self._lay_out(X, groups)))
        y = self._y_scaler.inverse_transform(y)
        return y[:, 0] if self._y_ndim == 1 else y

    def attention_weights(self, X, *, groups=None):
        """Compute the attention on each window, or on the window of each row.

        Parameters
        ----------
        X, groups
            As in :meth:`predict`.

        Returns
        -------
        weights : Bunch
            As the attention mode defines them, non-negative and of sum 1 for each sample:

            - ``time``, ndarray of shape (n_samples, n_timesteps), in ``"time"`` and ``"both"``;
            - ``feature``, ndarray of shape (n_samples, n_features), in ``"feature"`` and
              ``"both"``;
            - ``cell``, ndarray of shape (n_samples, n_timesteps, n_features), in ``"both"``; the
              other two are its margins.

            Steps that a short window lacks have weight 0. With ``"bottleneck"`` there are also
            ``gate`` and ``gate_sensitivity``, of the shape of the mode's own weights (those of
            ``cell`` in ``"both"``) and between 0 and 1. See ``gates_`` and ``gate_sensitivity_``.

        Raises
        ------
        ValueError
            If ``attention_mode=None``.
        """
        check_is_fitted(self, "net_")
        dataset = self._dataset(self._lay_out(X, groups))
        if self.attention_mode is None:
            raise ValueError(
                "attention_mode=None is the plain LSTM, which has no attention weights; fit with "
                "attention_mode='time', 'feature' or 'both'."
            )
        batches = list(training.attend(self.net_, dataset))
        return Bunch(**{axes: np.concatenate([b[axes] for b in batches]) for axes in batches[0]})

    def score(self, X, y, sample_weight=None, *, groups=None):
        """Compute R² of the predictions, as scikit-learn's regressors do.

        Parameters
        ----------
        X, groups
            As in :meth:`predict`.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True values.

        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights.

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

    def _lay_out(self, X, groups):
        """Check ``X`` and return one window for each of its rows, with one warning at most."""
        rows, windows, n_known, causes = self._place(X, groups)
        if rows.values.ndim == 2 and self.n_timesteps_in_ > 1:
            used = np.ones(len(rows), dtype=bool)
            findings = [self._history.holes(rows, used, "X", n_known)]
            if self.context != "mask":
                findings.append(describe_short(rows, windows, causes, n_known))
            warn_history(findings)
        return windows

    def _place(self, X, groups, groups_name="groups"):
        """Check ``X`` and put the known rows before those that go on from them.

        Returns
        -------
        rows : Rows
            Known rows first.

        windows : Windows
            One for each row of ``X``.

        n_known : int
            Number of known rows.

        causes : dict
            Why the windows of a series are short, by its label.
        """
        rows = check_rows(self, X, lookback=self.lookback, groups=groups, reset=False)
        if rows.values.ndim == 3:
            return rows, Windows.of_windows(rows.values), 0, {}
        if self.lookback is None and self.n_timesteps_in_ > 1:
            raise ValueError(
                f"X must have shape (n_samples, {self.n_timesteps_in_}, {self.n_features_in_}), "
                f"as {type(self).__name__} was fitted on windows. Got an array of shape "
                f"{rows.values.shape} instead; cut it with make_windows, or fit on rows with "
                "lookback set."
            )
        self._history.check_series(rows, type(self).__name__, groups_name)
        n_known, causes = 0, {}
        if self.context != "mask" and self.n_timesteps_in_ > 1:
            if self.context == "auto":
                self._history.check_times(rows)
            always = self.context == "train_tail"
            rows, n_known, causes = self._history.precede(rows, always=always)
        windows = Windows.of_rows(rows.values, self.n_timesteps_in_, rows.codes)
        return rows, windows.select(slice(n_known, None)), n_known, causes

    def _window_of(self, X, position, groups=None):
        """Return the window of one sample in the units of ``X``, with its labels.

        Parameters
        ----------
        X, groups
            As in :meth:`predict`.

        position : int
            Position of the sample in ``X``, from 0 on.

        Returns
        -------
        values : ndarray of shape (n_timesteps, n_features)
            The window, oldest step first; NaN at the steps that a short window lacks.

        labels : pandas.Index or None
            Label of each step; None if ``X`` has no index or the window is short.
        """
        rows, windows, *_ = self._place(X, groups)
        offsets = np.arange(1 - windows.lookback, 1)
        values, mask = windows.take(np.array([position]), offsets)
        values = np.array(values[0], dtype=float)
        if mask is not None:
            values[~mask[0]] = np.nan
        if rows.labels is None or rows.values.ndim == 3 or (mask is not None and not mask.all()):
            return values, None
        steps = windows.last[position] + offsets
        return values, rows.labels[steps if windows.order is None else windows.order[steps]]
