"""Fitting the estimator: everything is checked and made first, trained, and then taken over."""

from __future__ import annotations

import copy
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from . import _training as training
from ._attending import AttentionMixin
from ._data._batches import WindowDataset
from ._data._checks import warn_user
from ._data._holes import warn_history
from ._data._input import check_weight
from ._data._rows import Rows, check_labels_of_target, check_rows, check_same_labels
from ._data._scaling import Standardizer
from ._data._split import hold_out
from ._data._windows import Windows
from ._param_validation import check_parameters
from ._processes import first_value
from ._training._sklearn_callbacks import FitReport
from .attention._kinds import ATTENTION_KINDS, GATE_ATTRIBUTES
from .attention._registry import training_options

Array = NDArray[Any]

# Windows from which early_stopping="auto" holds out a validation set.
EARLY_STOPPING_WINDOWS = 500


class FittingMixin(AttentionMixin):
    """The steps of ``fit`` and ``partial_fit``.

    A kind of target adds ``_check_target``, ``_prepare_target`` and ``_loss_and_options``.
    """

    attention: str
    attention_params: dict[str, Any] | None
    hidden_size: int
    num_layers: int
    dropout: float
    position_embedding: bool
    standardize: bool
    lr: float
    batch_size: int | str
    weight_decay: float
    validation_fraction: float
    n_iter_no_change: int
    device: str
    precision: str
    compile: bool
    random_state: Any
    verbose: int
    callbacks: Any
    net_params: dict[str, Any] | None

    n_outputs_: int
    n_iter_: int
    history_: pd.DataFrame
    path_: pd.DataFrame
    _precision: str
    _y_ndim: int
    _seed: int

    def _check_target(
        self, y: Any, weight: Array, *, resume: bool, classes: Any = None, name: str = "y"
    ) -> tuple[Array, int, Array]:
        """Check the target.

        Parameters
        ----------
        y : array-like of shape (n,) or (n, n_outputs)
            The target.

        weight : ndarray of shape (n,)
            Weights; where they are 0 the target may be missing.

        resume : bool
            Whether the estimator knows the target already.

        classes : array-like or None, default=None
            All classes, in ``partial_fit`` of a classifier.

        name : str, default="y"
            For messages.

        Returns
        -------
        y : ndarray of shape (n, n_columns)
            Numbers.

        ndim : int
            1 if the target is a vector, else 2.

        weight : ndarray of shape (n,)
            Weights, with those of classes.
        """
        raise NotImplementedError

    def _prepare_target(self, y: Array, weight: Array) -> None:
        """Learn from the targets of the training set what training and prediction need."""
        raise NotImplementedError

    def _loss_and_options(self) -> tuple[str, dict[str, Any]]:
        """Return the name of the loss, and its arguments."""
        raise NotImplementedError

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        groups: Any,
        val: tuple[Any, Any, Any, Any],
        n_epochs: int,
        stopping: bool | str,
        resume: bool,
        go_on: bool = False,
        classes: Any = None,
    ) -> Self:
        """Fit a copy, and take over what it has learnt when nothing can fail any more."""
        check_parameters(self)
        training.check_net_params(self.net_params, self._loss_and_options()[0])
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
            classes=classes,
        )
        if stopping == "auto":
            stopping = validation_set is not None
        assert isinstance(stopping, bool)
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
            precision=fitted._precision,
            compiled=self.compile,
            **training_options(self.attention, self.attention_params),
        )
        if validation_set is not None:
            training.calibrate_quantiles(fitted.net_, validation_set)
        fitted.n_iter_ = result.best_epoch
        fitted.history_ = pd.DataFrame(training.history(fitted.net_))
        fitted.__dict__.pop("path_", None)  # of an earlier fit
        if result.path:
            fitted.path_ = pd.DataFrame(result.path)
        if self.attention_mode is not None:
            fitted._summarise_attention(training_set, weight)
        report.end_fit()
        for name in set(self._fitted_attributes()) - set(fitted._fitted_attributes()):
            delattr(self, name)
        self.__dict__.update(fitted._fitted_attributes())
        if result.interrupted is not None:
            raise result.interrupted
        return self

    def _fitted_attributes(self) -> dict[str, Any]:
        """Return everything that fit has set, by name."""
        parameters = self.get_params(deep=False)
        return {
            name: value
            for name, value in vars(self).items()
            if name not in parameters and "callback" not in name  # scikit-learn's own
        }

    def _prepare(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        groups: Any,
        val: tuple[Any, Any, Any, Any],
        resume: bool,
        go_on: bool,
        stopping: bool | str,
        classes: Any,
    ) -> tuple[WindowDataset, WindowDataset | None, Array]:
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
        if self.compile:
            training.check_compiler(device)
        if resume:
            rows = self._check_rows(X, groups)
        else:
            rows = check_rows(self, X, lookback=self.lookback, groups=groups, reset=True)
        check_labels_of_target(X, y, rows, self.lookback)
        if isinstance(X, pd.DataFrame):
            check_same_labels(X.index, sample_weight, "sample_weight")
        weight = check_weight(sample_weight, len(rows))
        y, y_ndim, weight = self._check_target(y, weight, resume=resume, classes=classes)
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
        self._saw_short = self.context == "mask" or (resume and self._saw_short)
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

        batch_size = training.resolve_batch_size(self.batch_size, len(kept))
        if not resume:
            n_cells = len(kept) * self.n_timesteps_in_ * self.n_features_in_
            self._precision = training.resolve_precision(self.precision, device, n_cells)
            self._dtype = training.PRECISIONS[self._precision][0]
            self._seed = first_value(self._draw_seed())
            self._learn_scales(windows.select(kept), weight[kept])
            self._prepare_target(y[kept], weight[kept])
            for name in (*dict(ATTENTION_KINDS.values()), *GATE_ATTRIBUTES.values()):
                self.__dict__.pop(name, None)
            self.net_ = self._make_net(device, batch_size)
        else:
            training.change_net(self.net_, lr=self.lr, batch_size=batch_size)
            self._x_scaler.warn_if_no_longer_constant(rows.values)
        training_set = self._dataset(windows.select(kept), y[kept], weight[kept])
        if not resume:
            training.start_at_null_model(self.net_, training_set)
        validation_set = None if val_data is None else self._dataset(*val_data)
        return training_set, validation_set, weight[kept]

    def _draw_seed(self) -> int:
        """Draw the seed of this fit.

        Without a random state it comes from fresh entropy: the global generator, which
        scikit-learn would use, is not read.
        """
        if self.random_state is None:
            return int(np.random.default_rng().integers(2**31 - 1))
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _training_windows(self, rows: Rows) -> Windows:
        """Return one window for each training row."""
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
            which = "" if rows.codes is None else f" (series {rows.series[int(sizes.argmin())]!r})"
            raise ValueError(
                f"A series must have at least lookback={lookback} rows. Got a series of n_samples="
                f"{sizes.min()} rows instead{which}; lower lookback, drop the series, or set "
                'context="mask" to learn from short windows.'
            )
        return Windows.of_rows(rows.values, lookback, rows.codes)

    def _check_resumed(self, shape: tuple[int, int, int]) -> None:
        """Raise unless the data have the shape of those of the last fit."""
        fitted = self.n_timesteps_in_, self.n_outputs_, self._y_ndim
        if shape != fitted:
            raise ValueError(
                "warm_start and partial_fit need data of the same shape: fitted on windows of {} "
                "steps and {} outputs in a y of {} dimension(s). Got {}, {} and {} instead; call "
                "fit with warm_start=False.".format(*fitted, *shape)
            )

    def _check_validation(
        self, X_val: Any, y_val: Any, weight_val: Any, groups_val: Any, findings: list[str]
    ) -> tuple[Windows, Array, Array] | None:
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
        y_val, ndim, weight_val = self._check_target(y_val, weight_val, resume=True, name="y_val")
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

    def _learn_scales(self, windows: Windows, weight: Array) -> None:
        """Compute the scaling of X from the training set."""
        self._x_scaler = Standardizer.for_features(
            windows.values,
            windows.n_uses(weight),
            standardize=self.standardize,
            columns=list(getattr(self, "feature_names_in_", range(self.n_features_in_))),
        )

    def _make_net(self, device: str, batch_size: int) -> Any:
        """Make the net, and keep what it is made from: that is saved in its place."""
        loss, loss_options = self._loss_and_options()
        self._net_arguments = {
            "module": {
                "dtype": self._dtype,
                "attention": self.attention,
                "attention_mode": self.attention_mode,
                "attention_params": self.attention_params,
                "n_timesteps": self.n_timesteps_in_,
                "n_features": self.n_features_in_,
                "hidden_size": self.hidden_size,
                "num_layers": self.num_layers,
                "dropout": self.dropout,
                "position_embedding": self.position_embedding,
            },
            "n_targets": self.n_outputs_,
            "loss": loss,
            "loss_options": loss_options,
            "seed": self._seed,
            "lr": self.lr,
            "weight_decay": self.weight_decay,
            "batch_size": batch_size,
            "callbacks": self.callbacks,
            "verbose": self.verbose,
            "net_params": self.net_params,
        }
        return training.make_net(**self._net_arguments, device=device)
