"""How a bottleneck is trained: learn, squeeze, relax, choose, refit."""

import copy
from dataclasses import dataclass
from typing import Any

from torch import Tensor

# Optimisation steps between two looks at the validation part: at least these, at least a share of
# an epoch, and at most a share of the whole training.
LOOK_STEPS, LOOK_EPOCHS, LOOK_SHARE = 50, 1 / 4, 1 / 40
# Of the whole training, what the phases may take. Without a validation part they take it.
LEARN_SHARE, RISE_SHARE, FALL_SHARE, REFIT_SHARE = 0.4, 0.1, 0.35, 0.15
# Learning takes at least as many steps, the falling price and the refit too.
LEARN_STEPS, FALL_STEPS, REFIT_STEPS = 200, 600, 200
# A look is a better one if the error has fallen by this share.
GAIN = 0.05
# Looks without a better one after which learning ends, in shares of n_iter_no_change: where half
# of the variance is explained, or the error rises; and elsewhere.
PATIENCE, LONG_PATIENCE = 0.4, 1.2
# The relative fall of the loss for which an open gate must be worth: at the peak, and at the end.
HIGH_PRICE, LOW_PRICE = 0.15, 0.004
# The end of the price's fall is no lower than this over the number of windows: a cell that means
# nothing lowers the error of n windows by about 1/n of it, and some of many cells by more.
PRICE_WINDOWS = 11
# The falling price has had its effect where the best of this many looks is not better than those
# before by this share.
STALE_LOOKS, STALE_GAIN = 6, 0.01
# It stays at its low end while the best of so many looks is better than those before by that.
LAST_LOOKS, LAST_GAIN, LAST_TIMES = 4, 0.03, 3
# While the price falls, the step size falls to this share of the optimizer's own.
LOW_STEP_SIZE = 1.0
# The refit may open gates by no more than this factor.
WIDER = 1.02
# Of the error of predicting the mean: nothing is left to learn.
NOTHING_LEFT = 0.002


def is_priced(network):
    """Say whether a network's gates have a price."""
    return hasattr(getattr(network, "gate", None), "price")


def low_price(n_samples):
    """Give the lowest price that gates shall have with so many training windows."""
    return min(max(LOW_PRICE, PRICE_WINDOWS / n_samples), HIGH_PRICE)


@dataclass
class Look:
    """The network at a step of its training."""

    losses: Tensor  # of each validation window
    weight: Tensor  # of each validation window
    openness: float  # mean gate
    step: int = 0
    epoch: int = 0
    state: Any = None

    def __post_init__(self):
        self.loss = float((self.losses * self.weight).sum() / self.weight.sum())

    def excess(self, other):
        """Give the mean of the paired differences to another look, and its standard error."""
        differences = self.losses - other.losses
        weight = self.weight / self.weight.sum()
        mean = (differences * weight).sum()
        variance = ((differences - mean) ** 2 * weight**2).sum()
        return float(mean), float(variance.sqrt())


class Schedule:
    """Price and step size of every step of a training, and the weights it ends with.

    1. *Learn* with sampled gates that are free, until the validation error falls no more.
    2. *Squeeze*: the price of an open gate rises until only what is worth a lot stays open.
    3. *Relax*: the price falls geometrically, and gates reopen in the order of their worth. The
       price is in shares of the loss, so that it means the same on any data: at price ν a gate
       stays open if the loss without it were more than ν higher (relatively).
    4. *Choose* the sparsest look of 3 whose validation error is within ``tolerance`` standard
       errors of the lowest.
    5. *Refit* without noise and without price, the step size falling to 0, as long as the gates
       stay as sparse as they are.

    From strong to weak, since from weak to strong the network overfits before the gates close.
    Without a validation part the phases have fixed shares of the training, and 4 takes the end.

    Parameters
    ----------
    network : BottleneckLSTM
        What is trained.
    n_steps : int
        Steps of the whole training, at most; a multiple of ``n_batches``.
    n_batches : int
        Steps of an epoch.
    n_samples : int
        Training windows.
    n_iter_no_change : int
        The estimator's parameter.
    reset_optimizer : callable
        Lets the optimizer forget its moments.
    look : callable or None, default=None
        Gives a :class:`Look` at the validation part; None if there is none.
    reference : float or None, default=None
        Validation loss of predicting 0.
    """

    def __init__(
        self,
        network,
        *,
        n_steps,
        n_batches,
        n_samples,
        n_iter_no_change,
        reset_optimizer,
        look=None,
        reference=None,
    ):
        self.network = network
        self.n_steps = n_steps
        self.n_batches = n_batches
        self.look_at = look
        self.reference = reference
        self.n_iter_no_change = n_iter_no_change
        longest = max(1, int(LOOK_SHARE * n_steps))
        self.every = min(max(LOOK_STEPS, int(LOOK_EPOCHS * n_batches)), longest)
        self.low_price = low_price(n_samples)
        self.step = 0
        self.phase = "learn"
        self.step_size = 1.0  # share of the optimizer's own
        self.reset_optimizer = reset_optimizer
        self.done = False
        self.best: Any = None

    def steps(self):
        """Run the schedule: a generator, advanced before the first step and after each."""
        n_learnt = yield from self._learn()
        n_refit = max(n_learnt // 2, min(REFIT_STEPS, int(REFIT_SHARE * self.n_steps)))
        path = yield from self._squeeze_and_relax(n_learnt, n_refit)
        if path:
            self._go_back_to(self._choose(path))
        yield from self._refit(n_refit)
        self.done = True

    def finish(self):
        """Leave the network with its best weights, wherever training stopped."""
        if self.best is not None:
            self.network.load_state_dict(self.best.state)
        self.network.gate.sampled = True
        self.network.gate.requires_grad_(True)

    def _take(self, n_steps, price=lambda share: 0.0, step_size=lambda share: 1.0):
        for k in range(n_steps):
            self.network.gate.price = price(k / n_steps)
            self.step_size = step_size(k / n_steps)
            self.step += 1
            yield

    def _look(self):
        look = self.look_at()
        look.step = self.step
        look.epoch = -(-self.step // self.n_batches)
        look.state = copy.deepcopy(self.network.state_dict())
        return look

    def _go_back_to(self, look):
        self.best = look
        self.network.load_state_dict(look.state)

    def _learn(self):
        self.phase = "learn"
        longest = max(1, int(LEARN_SHARE * self.n_steps))
        if self.look_at is None:
            yield from self._take(longest)
            return longest
        shortest = min(LEARN_STEPS, longest)
        n_stale = 0
        while self.step < longest:
            yield from self._take(min(self.every, longest - self.step))
            look = self._look()
            if self.best is None or look.loss < (1 - GAIN) * self.best.loss:
                self.best, n_stale = look, 0
            else:
                n_stale += 1
            learnt = self.best.loss < 0.9 * self.reference
            overfits = look.loss > (1 + GAIN) * self.best.loss
            patience = PATIENCE if learnt or overfits else LONG_PATIENCE
            is_stale = n_stale >= patience * self.n_iter_no_change
            if self._nothing_left(self.best) or (self.step >= shortest and is_stale):
                break
        self._go_back_to(self.best)
        return max(self.best.step, shortest)

    def _nothing_left(self, look):
        return look.loss < NOTHING_LEFT * self.reference

    def _squeeze_and_relax(self, n_learnt, n_refit):
        left = max(2, self.n_steps - self.step - n_refit)
        if self.look_at is None:
            n_rise = int(left * RISE_SHARE / (RISE_SHARE + FALL_SHARE))
            n_fall = left - n_rise
        else:
            n_rise, n_fall = n_learnt // 2, max(int(1.5 * n_learnt), FALL_STEPS)
            if n_rise + n_fall > left:
                n_rise = int(left * n_rise / (n_rise + n_fall))
                n_fall = left - n_rise
        self.phase = "squeeze"
        yield from self._take(n_rise, lambda share: HIGH_PRICE * share)
        self.phase = "relax"
        if self.look_at is None:
            yield from self._relax_between(0, 1, n_fall)
            return []
        return (yield from self._relax(n_fall, left - n_rise))

    def _relax_between(self, start, end, n_fall):
        """Take the part of the price's fall between two shares of it."""

        def fallen(low, share):
            return low ** (start + share * (end - start))

        yield from self._take(
            round((end - start) * n_fall),
            lambda share: HIGH_PRICE * fallen(self.low_price / HIGH_PRICE, share),
            lambda share: fallen(LOW_STEP_SIZE, share),
        )

    def _relax(self, n_fall, left):
        path = []
        done = 0
        while done < n_fall:
            before, done = done, min(done + self.every, n_fall)
            yield from self._relax_between(before / n_fall, done / n_fall, n_fall)
            path.append(self._look())
            if not _improves(path, STALE_LOOKS, STALE_GAIN):
                break
        longest = min(left, (1 + LAST_TIMES) * done)
        while (
            done < longest
            and _improves(path, LAST_LOOKS, LAST_GAIN)
            and not self._nothing_left(path[-1])
        ):
            n = min(self.every, longest - done)
            yield from self._take(n, lambda share: self.low_price, lambda share: LOW_STEP_SIZE)
            done += n
            path.append(self._look())
        return path

    def _choose(self, path):
        best = min(path, key=lambda look: look.loss)
        tolerance = self.network.tolerance

        def is_good(look):
            excess, error = look.excess(best)
            return excess <= tolerance * error

        return min(filter(is_good, path), key=lambda look: look.openness)

    def _refit(self, n_steps):
        self.phase = "refit"
        self.network.gate.sampled = False
        # Without a look nothing would keep them from opening.
        self.network.gate.requires_grad_(self.look_at is not None)
        self.reset_optimizer()
        end = self.step + n_steps
        end = min(end + -end % self.n_batches, self.n_steps)  # at the end of an epoch
        n_steps = end - self.step
        widest = None if self.best is None else WIDER * self.best.openness
        done = 0
        while done < n_steps:
            before, n = done, min(self.every, n_steps - done)
            yield from self._take(
                n, step_size=lambda share, before=before, n=n: 1 - (before + share * n) / n_steps
            )
            done += n
            if self.look_at is not None:
                look = self._look()
                if look.loss < self.best.loss and look.openness <= widest:
                    self.best = look


def _improves(path, n_looks, gain):
    """Say whether the last looks brought the loss down by a share (or are too few to tell)."""
    if len(path) <= n_looks:
        return True
    before = min(look.loss for look in path[:-n_looks])
    return min(look.loss for look in path[-n_looks:]) < (1 - gain) * before
