"""Which gates could stand for one another: inputs that say the same, each with noise of its own.

Of many cells that say a little of the same a few suffice, and which of them are open is chance.
"""

import math

import torch

from .._data._batches import INFERENCE_BATCH, Batches
from ..attention._padding import zero_padding
from ._evaluation import Look, evenly_spaced

# Of the greatest likeness to the open gates' inputs, what makes an input one of them.
ALIKE = 0.8
# So many standard errors above that of inputs which say nothing of each other is no chance.
CHANCE = 4
# So many exchanges are tried, at most.
EXCHANGES = 8


@torch.no_grad()
def interchange(net, training, windows):
    """Find gates whose inputs are alike, and try to exchange them. Nothing may steer the gates.

    An input is like the open ones by the mean size of its correlations with them, but for its own
    with itself, over training windows (evenly spaced, if many).

    Returns
    -------
    places : Tensor of bool, of the shape of the mode's gates
        Those, open and closed, whose inputs are about as like the open ones as any of these is.
        All False if less than two of them are open, if they are all that is, and wholly, or if they
        may be alike by chance.
    looks : iterator of Look
        At ``windows``, where the open ones of these let each other's inputs or those of closed ones
        through: all of the closed ones' in turn, but for every so many if they are many.
    """
    net.module_.eval()
    gate = net.module_.gate
    batch = evenly_spaced(training, INFERENCE_BATCH)
    gates = gate.group_by_gate(net.module_.predict_with_gates(**batch)[1]).amax(dim=(0, 2))
    is_open = gates > 0
    nothing = torch.zeros_like(gate.active), iter(())
    if is_open.sum() < 2:
        return nothing
    inputs = gate.group_by_gate(zero_padding(batch["X"], batch.get("mask")))
    inputs = inputs - inputs.mean(dim=0)
    inputs = inputs / inputs.square().sum(dim=(0, 2)).clamp_min(1e-12).sqrt()[:, None]
    correlation = torch.einsum("bnd,bmd->nm", inputs, inputs[:, is_open])
    itself = is_open.to(correlation.dtype)
    likeness = (correlation.abs().sum(dim=1) - itself) / (itself.sum() - itself)
    greatest = likeness[is_open].max()
    by_chance = _likeness_by_chance(len(inputs), int(is_open.sum()) - 1)
    is_alike = (likeness >= ALIKE * greatest) & (greatest > by_chance)
    n_open = int((is_alike & is_open).sum())
    shares_already = bool((gates == is_alike).all())
    if n_open < 2 or shares_already:
        return nothing
    alike = torch.cat([(is_alike & which).nonzero()[:, 0] for which in (is_open, ~is_open)])
    signs = correlation[alike][:, is_alike[is_open]].sign()
    looks = _exchanged(net, windows, alike, n_open, signs)
    return is_alike.reshape(gate.active.shape), looks


def _likeness_by_chance(n_windows, n_others):
    """Give the most that the mean size of correlations with others is where all are independent.

    A correlation is about normal then, of variance 1 / n: its size is half-normal.
    """
    mean, spread = math.sqrt(2 / math.pi), math.sqrt(1 - 2 / math.pi)
    return (mean + CHANCE * spread / math.sqrt(n_others)) / math.sqrt(n_windows)


@torch.no_grad()
def _exchanged(net, windows, alike, n_open, signs):
    """Look at the network with other inputs behind its open gates, the first of those alike."""
    n_closed = len(alike) - n_open
    shifts = range(n_open, len(alike), n_open) if n_closed >= n_open else [max(n_closed, 1)]
    for shift in shifts[:: -(-len(shifts) // EXCHANGES)]:
        now = torch.arange(n_open, device=alike.device)
        instead = (now + shift) % len(alike)
        exchange = {"gates": alike[:n_open], "inputs": alike[instead], "signs": signs[instead, now]}
        losses = [
            net.criterion_.per_sample(net.module_.predict_exchanged(**batch, **exchange), y)
            for batch, (y, _) in Batches(windows, INFERENCE_BATCH)
        ]
        yield Look(torch.cat(losses), windows.weight, openness=0.0)
