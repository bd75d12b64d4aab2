"""The sensitivity of the gates: how much each cell of a window decides about the gates of others.

It is measured by occlusion. A cell is replaced by values that are common for its feature, and the
greatest change of another gate is recorded.
"""

from __future__ import annotations

from itertools import repeat

import torch
from torch import Tensor

from .._padding import zero_padding
from .._tanh import tanh
from ._gate import BottleneckGate

# Smaller changes of a gate count as none.
NEGLIGIBLE_CHANGE = 0.03
# Cells of the windows that are computed at a time: each takes about 200 bytes.
MAX_CELLS = 2**19


def gate_sensitivity(gate: BottleneckGate, X: Tensor, mask: Tensor | None = None) -> Tensor:
    """Compute how much each cell, step or feature of a window changes the gates of others.

    A marker or a switch that decides which cells are used is relevant to the prediction even if
    its own gate is closed. The cell is replaced, in the input of the gating network, by each of
    two common values of its feature (``gate.baselines``). Its sensitivity is the square of the
    greatest change of another gate: 1 if that gate opens or closes.

    All steps of a feature are replaced together first, and then ever smaller halves of them where
    some gate has changed. Steps whose effects cancel exactly are missed.

    Parameters
    ----------
    gate : BottleneckGate
    X : Tensor of shape (B, T, F)
    mask : Tensor of shape (B, T) or None, default=None

    Returns
    -------
    sensitivity : Tensor of shape (B, T, F), (B, T, 1) or (B, 1, F), by the mode of the gate
        In [0, 1]; 0 where no gate changes by more than 0.03.

    Examples
    --------
    >>> import torch
    >>> gate_sensitivity(BottleneckGate(10, 3), torch.randn(4, 10, 3)).shape
    torch.Size([4, 10, 3])
    """
    T, F = gate.input_logits.shape
    n_windows = max(1, MAX_CELLS // (T * F))
    if len(X) > n_windows:
        masks = repeat(None) if mask is None else mask.split(n_windows)  # type: ignore[no-untyped-call] # torch's
        parts = zip(X.split(n_windows), masks, strict=False)  # type: ignore[no-untyped-call] # torch's
        return torch.cat([gate_sensitivity(gate, *part) for part in parts])
    input_gates = gate.input_gates()
    if not (gate.active.any() and input_gates.any()):
        return X.new_zeros(len(X), *gate.active.shape)
    X = zero_padding(X, mask)
    bias = gate.window_bias(X, mask, all_gates=False)
    X, baselines = X * input_gates, gate.baselines[:, None] * input_gates
    occlusion = _Occlusion(gate, X, bias, mask)
    sensitivity = X.new_zeros(len(X), *gate.active.shape)
    n_steps, n_features = sensitivity.shape[1:]
    features = [slice(None)] if n_features == 1 else [slice(f, f + 1) for f in range(F)]
    # What is replaced together: steps [first, last) of a feature, in some of the windows.
    groups = [(0, T, f, torch.arange(len(X), device=X.device)) for f in features]
    while groups:
        first, last, feature, windows = groups.pop()
        if not input_gates[first:last, feature].any():
            continue
        values = torch.unique(baselines[:, first:last, feature], dim=0)
        # Windows that hold these values already are not changed by them.
        differs = X[windows, None, first:last, feature] != values
        windows = windows[differs.flatten(1).any(dim=1)]
        change = occlusion.change(windows, slice(first, last), feature, values)
        if last - first == 1 or n_steps == 1:
            own = slice(first, last if n_steps > 1 else 1), feature
            change[:, *own] = 0.0
            change = change.flatten(1).amax(dim=1)
            change = change.masked_fill(change <= NEGLIGIBLE_CHANGE, 0.0)
            sensitivity[windows, *own] = change.square()[:, None, None]
            continue
        windows = windows[(change > NEGLIGIBLE_CHANGE).flatten(1).any(dim=1)]
        if len(windows):
            # The newest steps form groups of a power of two, whatever the number of padded steps.
            middle = last - 2 ** ((last - first - 1).bit_length() - 1)
            groups += [(first, middle, feature, windows), (middle, last, feature, windows)]
    return sensitivity


class _Occlusion:
    """The gates of windows, and their change when cells are replaced.

    Gates of steps at which all are pruned do not change, and are not computed.

    Parameters
    ----------
    gate : BottleneckGate
    X : Tensor of shape (B, T, F)
        The gated inputs of the gating network.
    bias : Tensor of shape (B, T, F), (B, T, 1), (T, F), (T, 1) or (1, F)
        The bias of the gates with the evidence of their own cells, which is not replaced.
    mask : Tensor of shape (B, T) or None
    """

    def __init__(self, gate: BottleneckGate, X: Tensor, bias: Tensor, mask: Tensor | None) -> None:
        self.gate, self.X, self.mask = gate, X, mask
        self.bias = bias.expand(len(X), *gate.active.shape)
        network = gate.gating_network
        self.steps: slice | Tensor = slice(None)
        if network.over_time:
            self.steps = gate.active.any(dim=1).nonzero()[:, 0]
        self.preactivation = network.preactivation(X)
        self.pooled = network.pooled(tanh(self.preactivation), mask)
        self.gates = self._gates(self.preactivation, self.pooled, X[:, -1], self.bias, mask)

    def change(self, windows: Tensor, steps: slice, feature: slice, values: Tensor) -> Tensor:
        """Return the greatest change of each gate when cells are replaced by any of the values.

        Only the steps next to the replaced ones are computed anew.
        """
        network = self.gate.gating_network
        near = slice(max(0, steps.start - 1), steps.stop + 1)
        mask = None if self.mask is None else self.mask[windows]
        preactivation, gates = self.preactivation[windows], self.gates[windows]
        elsewhere = self.pooled[windows] - network.pooled(tanh(preactivation[:, near]), mask, near)
        change = torch.zeros_like(gates)
        for value in values:
            X = self.X[windows]
            X[:, steps, feature] = value
            X = zero_padding(X, mask)
            preactivation[:, near] = changed = network.preactivation(X, near)
            pooled = elsewhere + network.pooled(tanh(changed), mask, near)
            bias = self.bias[windows]
            replaced = self._gates(preactivation, pooled, X[:, -1], bias, mask)
            change = torch.maximum(change, (replaced - gates).abs())
        of_all = change.new_zeros(len(windows), *self.gate.active.shape)
        of_all[:, self.steps] = change
        return of_all

    def _gates(
        self,
        preactivation: Tensor,
        pooled: Tensor,
        newest: Tensor,
        bias: Tensor,
        mask: Tensor | None,
    ) -> Tensor:
        network, steps = self.gate.gating_network, self.steps
        if network.over_time:
            preactivation, bias = preactivation[:, steps], bias[:, steps]
            mask = None if mask is None else mask[:, steps]
        outer = network.outer(preactivation, pooled, newest)
        logits = network.logits(outer, mask, bias)
        return self.gate.gates_from_logits(logits, mask, steps)
