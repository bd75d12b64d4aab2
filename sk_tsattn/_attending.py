"""The attention of a fitted estimator: its attributes, and the weights of each sample."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import Bunch
from sklearn.utils.validation import check_is_fitted

from . import _training as training
from ._data._batches import WindowDataset
from ._placing import PlacingMixin
from .attention._kinds import ATTENTION_KINDS, GATE_ATTRIBUTES


class AttentionMixin(PlacingMixin):
    """Attention weights of samples, and their averages as attributes."""

    attention_mode: str | None

    def __getattr__(self, name: str) -> Any:
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
                f"{type(self).__name__} has no {name}: only a fitted estimator with "
                f"attention='bottleneck' and an attention_mode has gates. Got "
                f"attention={self.__dict__.get('attention')!r} and "
                f"attention_mode={self.__dict__.get('attention_mode')!r}."
            )
        if name == "path_":
            raise AttributeError(
                f"{type(self).__name__} has no path_: only fit with attention='bottleneck' and an "
                f"attention_mode leaves one, and partial_fit removes it. Got "
                f"attention={self.__dict__.get('attention')!r} and "
                f"attention_mode={self.__dict__.get('attention_mode')!r}."
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def attention_weights(self, X: ArrayLike, *, groups: ArrayLike | None = None) -> Bunch:
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

    def _summarise_attention(self, dataset: WindowDataset, weight: NDArray[Any]) -> None:
        """Average the attention over the training windows."""
        sums: dict[str, Any] = {}
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
