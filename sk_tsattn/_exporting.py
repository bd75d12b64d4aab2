"""Exporting a fitted estimator: to a torch module, and to a file for ONNX Runtime."""

from __future__ import annotations

import json
from os import PathLike
from typing import Any

from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from ._data._scaling import Standardizer
from ._export._onnx import write_onnx
from ._export._predictor import WindowPredictor
from ._version import __version__


class ExportMixin:
    """The fitted network without the estimator, with the scaling, in original units."""

    attention_mode: str | None

    n_features_in_: int
    n_timesteps_in_: int
    net_: Any
    _x_scaler: Standardizer
    _y_scaler: Standardizer
    _y_ndim: int

    def to_torch(self) -> WindowPredictor:
        """Return the fitted network with its scaling as a torch module.

        The module takes complete windows in the units of ``X``, a tensor of shape (n_samples,
        n_timesteps, n_features), and returns what ``predict`` does, in the units of ``y`` and in
        double precision. With ``loss="quantile"`` all fitted quantiles are the last axis. The
        module of a classifier returns the probabilities, as ``predict_proba`` does. Its method
        ``attend`` also returns the attention weights. A missing cell is NaN; a window with too
        little history begins with steps that are NaN throughout.

        Returns
        -------
        module : torch.nn.Module
            In evaluation mode, on the device of the fit. It is a copy: it can be trained,
            compiled, or given to tools such as captum.

        See Also
        --------
        to_onnx : Write it to a file that needs no python.

        Examples
        --------
        >>> import numpy as np
        >>> import torch
        >>> from sk_tsattn import AttentionLSTMRegressor
        >>> X = np.random.default_rng(0).normal(size=(50, 10, 3))
        >>> model = AttentionLSTMRegressor(attention="dense", max_epochs=2, random_state=0)
        >>> module = model.fit(X, X[:, 3, 1]).to_torch()
        >>> bool(np.allclose(module(torch.tensor(X)).detach(), model.predict(X)))
        True
        """
        check_is_fitted(self, "net_")
        predictor = WindowPredictor(
            self.net_.module_,
            self.net_.criterion_.loss,
            self._x_scaler,
            self._y_scaler,
            is_vector=self._y_ndim == 1 and not is_classifier(self),
        )
        return predictor.to(self.net_.device).eval()

    def to_onnx(self, path: str | PathLike[str], *, attention: bool = True) -> None:
        """Write the fitted network with its scaling to an ONNX file.

        The file has the input ``X``, windows in their own units: double precision, of shape
        (n_samples, n_timesteps, n_features) with any number of samples, and NaN at missing cells.
        Its outputs are ``prediction``, as :meth:`to_torch` describes it, and ``attention``, the
        weights of the mode for each sample: of shape (n_samples, n_timesteps, n_features) in mode
        ``"both"``, (n_samples, n_timesteps) in ``"time"``, (n_samples, n_features) in
        ``"feature"``. The network is computed in single precision, so that both differ from those
        of the estimator by about 1e-6 standard deviations of ``y``.

        Parameters
        ----------
        path : str or path
            The file to write.

        attention : bool, default=True
            Whether the file has the second output. There is none with ``attention_mode=None``.

        Raises
        ------
        ImportError
            If onnx or onnxscript is not installed: ``pip install 'sk-tsattn[onnx]'``.

        Notes
        -----
        The properties of the file hold the names of the features (``feature_names``, JSON) and the
        version of sk_tsattn. Cut the windows of a series with :func:`make_windows`; history across
        calls (``context``) is kept by the estimator, not by the file.
        """
        names = getattr(self, "feature_names_in_", None)
        metadata = {"sk_tsattn_version": __version__}
        if names is not None:
            metadata["feature_names"] = json.dumps(list(names))
        write_onnx(
            self.to_torch(),
            path,
            window_shape=(self.n_timesteps_in_, self.n_features_in_),
            attention_mode=self.attention_mode if attention else None,
            metadata=metadata,
        )
