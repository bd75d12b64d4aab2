"""The sensitivity of the gates without branches on values, for export."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .._padding import zero_padding
from ._gate import BottleneckGate
from ._sensitivity import NEGLIGIBLE_CHANGE


class ExportableSensitivity(nn.Module):
    """Compute :func:`gate_sensitivity` of a trained gate with a fixed sequence of operations.

    All groups of cells that the search may reach are replaced in all windows at once, and those
    that it would not have reached are left out afterwards. It takes up to 4 T F evaluations of
    the gating network for a window, fewer if few of its inputs are open; none if all are closed.

    Parameters
    ----------
    gate : BottleneckGate
        Trained: its input gates choose the groups.

    **Shape**: as :func:`gate_sensitivity`.
    """

    replaced: Tensor
    own: Tensor

    def __init__(self, gate: BottleneckGate) -> None:
        super().__init__()
        T, F = gate.input_logits.shape
        S, K = gate.active.shape
        is_open = gate.input_gates() > 0
        columns = [slice(None)] if K == 1 else [slice(f, f + 1) for f in range(F)]
        # (first step, end, column, position of the parent in the level above), level by level
        level = [(0, T, column, 0) for column in range(len(columns))]
        replaced, own = [], []
        self.parents: list[list[int]] = []  # of each level
        self.leaves: list[list[bool]] = []
        while level:
            level = [g for g in level if is_open[g[0] : g[1], columns[g[2]]].any()]
            self.parents.append([parent for *_, parent in level])
            self.leaves.append([end - first == 1 or S == 1 for first, end, *_ in level])
            below = []
            for position, (first, end, column, _) in enumerate(level):
                cells = torch.zeros(T, F, dtype=torch.bool)
                cells[first:end, columns[column]] = True
                replaced.append(cells)
                gates = torch.zeros(S, K, dtype=torch.bool)
                if self.leaves[-1][position]:
                    gates[first if S > 1 else 0, column if K > 1 else 0] = True
                else:
                    middle = end - 2 ** ((end - first - 1).bit_length() - 1)
                    below += [(first, middle, column, position), (middle, end, column, position)]
                own.append(gates)
            level = below
        empty = torch.zeros(0, T, F, dtype=torch.bool), torch.zeros(0, S, K, dtype=torch.bool)
        self.register_buffer("replaced", torch.stack(replaced) if replaced else empty[0])
        self.register_buffer("own", torch.stack(own) if own else empty[1])

    def forward(self, gate: BottleneckGate, X: Tensor, mask: Tensor | None = None) -> Tensor:
        B = X.shape[0]
        S, K = gate.active.shape
        sensitivity = X.new_zeros(B, S, K)
        if not len(self.replaced):
            return sensitivity
        changes = self._changes(gate, X, mask)  # (B, groups, S, K)
        reached, start = torch.ones(B, 1, dtype=torch.bool, device=X.device), 0
        for parents, leaves in zip(self.parents, self.leaves, strict=True):
            if not parents:
                break
            groups = slice(start, start + len(parents))
            start = groups.stop
            reached = reached[:, parents]
            change = changes[:, groups]
            own = self.own[groups]
            of_others = change.masked_fill(own, 0.0).flatten(2).amax(dim=2)  # (B, groups)
            is_leaf = torch.tensor(leaves, device=X.device)
            exceeds = reached & (of_others > NEGLIGIBLE_CHANGE)
            found = torch.where(exceeds & is_leaf, of_others.square(), 0.0)
            sensitivity = sensitivity + torch.einsum("bg,gsk->bsk", found, own.to(found.dtype))
            reached = exceeds & ~is_leaf
        return sensitivity

    def _changes(self, gate: BottleneckGate, X: Tensor, mask: Tensor | None) -> Tensor:
        """Return the greatest change of each gate by the replacement of each group."""
        S, K = gate.active.shape
        n_groups = len(self.replaced)
        input_gates = gate.input_gates()
        X = zero_padding(X, mask)
        bias = gate.window_bias(X, mask).expand(X.shape[0], S, K)
        X = X * input_gates
        before = gate.gates_from_logits(gate.gating_network(X, mask, bias), mask)
        biases = bias[:, None].expand(-1, n_groups, -1, -1).flatten(0, 1)
        masks = None if mask is None else mask[:, None].expand(-1, n_groups, -1).flatten(0, 1)
        change = torch.zeros_like(before)[:, None]
        for baseline in (gate.baselines[0] * input_gates, gate.baselines[1] * input_gates):
            replaced = torch.where(self.replaced, baseline, X[:, None])  # (B, groups, T, F)
            replaced = zero_padding(replaced.flatten(0, 1), masks)
            logits = gate.gating_network(replaced, masks, biases)
            after = gate.gates_from_logits(logits, masks).reshape(-1, n_groups, S, K)
            change = torch.maximum(change, (after - before[:, None]).abs())
        return change
