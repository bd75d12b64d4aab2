"""Interchangeable gates: their inputs are noisy copies of one signal.

A few of many such inputs suffice for the prediction, and which of them are open is arbitrary.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import torch
from skorch import NeuralNet
from torch import Tensor

from .._data._batches import INFERENCE_BATCH, Batches, WindowDataset
from ..attention._padding import zero_padding
from ._evaluation import evenly_spaced
from ._selection import NEGLIGIBLE, Evaluation, mean_evaluation

# Inputs are interchangeable if exchanging them increases the loss by at most this fraction of it,
# and of the improvement over the null model; significantly so, by this number of standard errors.
EXCHANGE_LOSS, EXCHANGE_ERRORS = 0.15, 2
# An input is similar if its mean absolute correlation is at least this fraction of the greatest.
SIMILARITY = 0.8
# Within a group the mean absolute correlation must be at least this. Copies have more, events at
# several steps less.
MIN_SIMILARITY = 0.3
# Standard errors by which the greatest must exceed what independent inputs would have.
CHANCE_ERRORS = 4
# The number of exchanges that are evaluated, at most.
MAX_EXCHANGES = 8


@torch.no_grad()
def find_interchangeable(
    net: NeuralNet, training: WindowDataset, windows: WindowDataset
) -> tuple[Tensor, Iterator[Evaluation]]:
    """Find gates with similar inputs, and evaluate the network with these exchanged.

    The gates must be static. The similarity of an input is its mean absolute
    correlation with the inputs of the other open gates, on a subsample of the training set.

    Returns
    -------
    group : Tensor of bool, of the shape of the mode's gates
        The gates, open and closed, whose inputs are about as similar as the most similar one. All
        False if fewer than two of them are open, if exactly these gates are fully open already,
        or if the similarity may be due to chance.

    exchanges : iterator of Evaluation
        On ``windows``, with the inputs of the open gates of the group replaced by others of the
        group. Each closed gate's input is used once, or evenly spaced ones if there are many.
    """
    net.module_.eval()
    gate = net.module_.gate
    batch = evenly_spaced(training, INFERENCE_BATCH)
    gates = gate.group_by_gate(net.module_.predict_with_gates(**batch)[1]).amax(dim=(0, 2))
    is_open = gates > 0
    none: tuple[Tensor, Iterator[Evaluation]] = torch.zeros_like(gate.active), iter(())
    if is_open.sum() < 2:
        return none
    inputs = gate.group_by_gate(zero_padding(batch["X"], batch.get("mask")))
    inputs = inputs - inputs.mean(dim=0)
    inputs = inputs / inputs.square().sum(dim=(0, 2)).clamp_min(1e-12).sqrt()[:, None]
    correlation = torch.einsum("bnd,bmd->nm", inputs, inputs[:, is_open])
    self_correlation = is_open.to(correlation.dtype)
    n_others = self_correlation.sum() - self_correlation
    similarity = (correlation.abs().sum(dim=1) - self_correlation) / n_others
    greatest = similarity[is_open].max()
    by_chance = _similarity_by_chance(len(inputs), int(is_open.sum()) - 1)
    in_group = (similarity >= SIMILARITY * greatest) & (greatest > by_chance)
    n_open = int((in_group & is_open).sum())
    is_expanded = bool((gates == in_group).all())
    if n_open < 2 or is_expanded:
        return none
    within = correlation[in_group][:, in_group[is_open]].abs()
    if (within.sum() - n_open) / (within.numel() - n_open) < MIN_SIMILARITY:
        return none
    members = torch.cat([(in_group & which).nonzero()[:, 0] for which in (is_open, ~is_open)])
    signs = correlation[members][:, in_group[is_open]].sign()
    exchanges = _evaluate_exchanges(net, windows, members, n_open, signs)
    return in_group.reshape(gate.active.shape), exchanges


def _similarity_by_chance(n_windows: int, n_others: int) -> float:
    """Return an upper bound of the mean absolute correlation of independent inputs.

    A correlation is then about normal with variance 1 / n, and its absolute value half-normal.
    """
    mean, deviation = math.sqrt(2 / math.pi), math.sqrt(1 - 2 / math.pi)
    return (mean + CHANCE_ERRORS * deviation / math.sqrt(n_others)) / math.sqrt(n_windows)


@torch.no_grad()
def _evaluate_exchanges(
    net: NeuralNet, windows: WindowDataset, members: Tensor, n_open: int, signs: Tensor
) -> Iterator[Evaluation]:
    """Evaluate the network with other inputs at its open gates, the first of the members."""
    n_closed = len(members) - n_open
    shifts: range | list[int] = [max(n_closed, 1)]
    if n_closed >= n_open:
        shifts = range(n_open, len(members), n_open)
    for shift in shifts[:: -(-len(shifts) // MAX_EXCHANGES)]:
        own = torch.arange(n_open, device=members.device)
        other = (own + shift) % len(members)
        exchange = {
            "gates": members[:n_open],
            "inputs": members[other],
            "signs": signs[other, own],
        }
        losses = [
            net.criterion_.per_sample(net.module_.predict_exchanged(**batch, **exchange), y)
            for batch, (y, _) in Batches(windows, INFERENCE_BATCH)
        ]
        yield Evaluation(torch.cat(losses), windows.weight, density=0.0)


def are_interchangeable(
    evaluation: Evaluation, null: Evaluation, exchanges: Iterable[Evaluation]
) -> bool:
    """Return whether exchanging inputs increases the loss by little, significantly so."""
    little = EXCHANGE_LOSS * min(evaluation.loss, null.loss - evaluation.loss)
    little = max(little, NEGLIGIBLE * null.loss)
    evaluations: list[Evaluation] = []
    increase = error = 0.0
    for exchange in exchanges:
        evaluations.append(exchange)
        increase, error = mean_evaluation(evaluations).difference(evaluation)
        if increase > little:
            return False
    return increase + EXCHANGE_ERRORS * error <= little
