"""How a bottleneck is trained: in phases, by what looks at its error say."""

from functools import partial

from ._candidates import NOTHING_LEFT, SURELY, WIDEST, Standing
from ._evaluation import Look
from ._penalty import HIGH_PRICE, prices, set_prices

# Optimisation steps between two looks at the validation part: at least these, at least a share of
# an epoch, and at most a share of the whole training. Behind learning they are at least the second
# number where much error is left: the phases, which take so many looks, are shorter then. Noisy
# targets lose nothing by it, but where little is left, to hurry leaves gates open.
LOOK_STEPS, NOISY_LOOK_STEPS, LOOK_EPOCHS, LOOK_SHARE = 50, 40, 1, 1 / 40
# Where little is left, there are so many times as many while the price rises to its peak: gates
# close within a few steps, and what is best is often in between. Noise would make one of many seem
# the best.
SQUEEZE_LOOKS = 2
# Weights are averaged over so many steps, or this share of those between two looks if fewer.
AVERAGED_STEPS, AVERAGED_SHARE = 25, 0.5
# Of the whole training, what the phases may take. Without a validation part they take it.
LEARN_SHARE, RISE_SHARE, FALL_SHARE, REFIT_SHARE = 0.4, 0.1, 0.35, 0.15
# Learning takes at least as many steps, the falling price and the refit too.
LEARN_LOOKS, FALL_LOOKS, REFIT_LOOKS = 4, 8, 4
# A look is a better one if the error has fallen by this share.
GAIN = 0.05
# Looks without a better one after which learning ends, in shares of n_iter_no_change: where the
# error is below this share of that of predicting the mean; where it is not, and rises; and
# elsewhere. Once it is below, features are screened.
LEARNT = 0.75
PATIENCE, RISE_PATIENCE, LONG_PATIENCE = 0.3, 0.6, 1.2
# It ends as well where the error is below this share of that of a linear map: what matters is known
# by then, and is learnt on in all phases. Not of that of predicting the mean: what is linear is
# learnt in no time, and what else there is may be little, and need long.
ENOUGH = 0.02
# Behind the second screening it goes on where the error is below this share of that of predicting
# the mean. Where more is left, most of that is likely to be noise: to go on would gain nothing, and
# the phases that follow are shorter.
KNOWN = 0.25
# Above its peak of many windows the price rises only where that leaves open more than this share of
# what learning left open: what it closes without need may not reopen.
SQUEEZED = 0.25
# The falling price has had its effect where the best of this many looks is not better than those
# before by this share, and the error is not above that of learning.
STALE_LOOKS, STALE_GAIN = 3, 0.01
# It stays at its low end while the best of so many looks is better than those before by that.
LAST_LOOKS, LAST_GAIN, LAST_TIMES = 4, 0.03, 3
# While less than one gate is open in all, the price falls so many times as fast.
HASTE = 3
# While the price falls, the step size falls to this share of the optimizer's own.
LOW_STEP_SIZE = 0.6
# The first step size of a refit, with a validation part; and where gates share: many inputs that
# say the same are read a little each, and great steps would learn their noise.
REFIT_STEP_SIZE, SHARE_STEP_SIZE = 0.5, 0.1


class Schedule(Standing):
    """Price and step size of every step of a training, and the weights it ends with.

    1. *Learn* with sampled gates that are free, until the validation error falls no more: below
       what it was at best or, before a quarter of that of predicting the mean is gone, from look to
       look; or until it is next to none beside that of a linear map. It ends with the best look or,
       where none is better than predicting the mean, with the last: few windows may have been
       learnt by heart, but the gates know more by then. Once that quarter is gone, and again behind
       learning, *screen*: features without which that error is surely lower (by a standard error,
       which is within the tolerance) are shut, before more is learnt from them. They reopen where
       they help. Where less than a quarter is left, it learns on from the best look, without what
       the second screening shut, and screens once more, as long as that brings a better one; where
       more is left, most of it is likely to be noise, and all that follows is shorter.
       From the first screening on, and behind learning at the latest, the linear map is slowed:
       what is linear is known then.
    2. *Squeeze*: the price of an open gate rises until only what is worth a lot stays open.
    3. *Relax*: the price falls geometrically, and gates reopen in the order of their worth. The
       price is in shares of the loss, so that it means the same on any data: at price ν a gate
       stays open if the loss without it were more than ν higher (relatively). While next to
       nothing is open, it falls faster.
    4. *Choose* the sparsest look of 2 and 3 whose validation error is at most the share
       ``tolerance`` above the lowest. A look of 2 counts only if its error is surely below that of
       the best look of 3, by two standard errors (one where less than a quarter is left), and below
       that of the best look at which less than one gate was open in all, by three, where these are
       less open: many open gates tell the validation part something by chance. So must one of 3
       where no look of 1 was better than predicting the mean. *Try* a look of 2, or that of 1,
       that is below the best of 3 by more than the tolerance, but not surely: it is pruned as in 5
       and refit as in 7, and stands if it then is surely below what was chosen, refit likewise, and
       at the training windows not above it by more than 8 allows.
    5. *Prune*: cells whose gates are next to closed in all windows, and those that steer next to
       nothing, are closed for good, as many as the tolerance allows; and so are all gates of a
       feature, the least first, and all its steering: a little in many cells is told by all of
       them together.
    6. *Share*: of many inputs that say the same, each with noise of its own, a few suffice, and
       which of them are open is chance. All whose inputs are like each other, by their
       correlations and not by chance, are opened wholly if these can be exchanged: the error surely
       rises by at most 15 % of it, and of what was learnt (with two standard errors). The rest is
       closed where that costs nothing, as is all steering before, and the network refit in small
       steps. Where that steering is needed, as it may tell of many inputs what they all say, or
       these cannot be exchanged, what learning ended with is tried instead, in the second case only
       if the same are alike there. It stands unless its error is surely above that of before, or
       gates are open that neither share nor were open before; then there is no 7 to 9.
    7. *Refit* network and gates, without noise and price, the step size falling to 0. Gates become
       wider only where that lowers the error by more than ``tolerance``, and surely so (by a
       standard error); else those of before are put back. What is refit stands if its error is
       lower, or if that of its end is higher by no more than a standard error. Where all are
       closed, there is nothing to refit. Where the same gates for all windows would do for most of
       what was learnt, they are refit first: they stand if their error is lower by the share
       ``tolerance`` than before, or else not above that of the other refit, and if they are open by
       no more than twice of what was in use before, or else is in the other refit; or if that
       refit's error is surely higher by more than ``tolerance``. A refit whose first better look
       is better by a twentieth takes twice as long.
    8. *Doubt*: what the error hardly tells, by at most the share ``tolerance`` of that of
       predicting the mean, is closed as well, and the rest refit; it stays closed if the error
       then is not above that of 7. Nor may the training error rise, before or behind that refit, by
       more than that share of the same error: of many more windows, it tells what a small
       validation part does not.
    9. *Idle* gates are closed: those without which, one at a time, the prediction changes by less
       than the share ``tolerance`` of the error in the windows in which they are open, if the error
       without all of them rises by no more. No target, and so no noise, enters the change.

    Not above is: by at most a standard error, or the share ``tolerance``. Neither 8 nor 9 closes
    all.

    From strong to weak, since from weak to strong the network overfits before the gates close. Not
    so where many cells say a little each: then a look on the way up may be the best.
    Without a validation part the phases have fixed shares of the training, nothing is screened, 4
    takes the end, 5 asks of what it closes whether it lowers the training error by less than its
    price, but of no feature's whole steering, gates stay as they are in 7, since nothing would keep
    them from opening, there is no 6 and no 8, and 9 takes the low price instead of ``tolerance``,
    since the training error is too low.

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
    checked : bool
        Whether there is a validation part.
    look, usage, moves, close, reference
        See :class:`Standing`.
    interchange : callable
        Gives gates whose inputs are alike, and looks with these exchanged.
    average : callable
        Gives an :class:`Average` of the weights over so many steps.
    linear : callable
        Gives the loss, there, of a linear map of the window.
    look_back : callable
        Gives a :class:`Look` at the training windows.
    """

    def __init__(
        self,
        network,
        *,
        n_steps,
        n_batches,
        n_samples,
        n_iter_no_change,
        tolerance,
        reset_optimizer,
        checked,
        look,
        usage,
        moves,
        close,
        interchange,
        average,
        reference,
        linear,
        look_back,
    ):
        self.every = _between_looks(LOOK_STEPS, n_batches, n_steps)
        super().__init__(
            network,
            n_batches=n_batches,
            tolerance=tolerance,
            look=look,
            usage=usage,
            moves=moves,
            close=close,
            average=average(max(1, min(AVERAGED_STEPS, int(AVERAGED_SHARE * self.every)))),
            reference=reference,
        )
        self.n_steps = n_steps
        self.n_iter_no_change = n_iter_no_change
        self.checked = checked
        self.interchange = interchange
        self.linear = linear
        self.look_back = look_back
        self.low_price, self.high_price = prices(n_samples, checked=checked)
        self.step = 0
        self.phase = "warm-up"
        self.step_size = 1.0  # share of the optimizer's own
        self.reset_optimizer = reset_optimizer
        self.done = False

    def steps(self):
        """Run the schedule: a generator, advanced before the first step and after each."""
        n_learnt = yield from self._learn()
        self.network.slow_skip_connection()
        if self.checked and not self._is_known(self.learnt):
            self.every = _between_looks(NOISY_LOOK_STEPS, self.n_batches, self.n_steps)
        n_refit = max(n_learnt // 2, min(REFIT_LOOKS * self.every, int(REFIT_SHARE * self.n_steps)))
        left = max(2, self.n_steps - self.step - n_refit)
        if not self.checked:
            n_rise = int(left * RISE_SHARE / (RISE_SHARE + FALL_SHARE))
            n_fall = left - n_rise
        else:
            n_rise = n_learnt // 2
            n_fall = max(int(1.5 * n_learnt), FALL_LOOKS * self.every)
            shrink = min(1, left / (n_rise + n_fall))
            n_rise, n_fall = int(shrink * n_rise), int(shrink * n_fall)
        up = yield from self._squeeze(n_rise, max(0, left - n_rise - n_fall))
        left = self.n_steps - self.step - n_refit
        down = yield from self._relax(n_fall, min(left, (1 + LAST_TIMES) * n_fall))
        shares = False
        if not self.checked:
            self.prune_what_is_not_worth_its_price()
            yield from self._descend("refit", n_refit)
            self.best = self.look(self.step)
        else:
            if path := self.credible(up, down, self._surely()):
                best = self.take_sparsest(path)
                hoped = self.credible([self.learnt, *up], down, 0)
                if min(look.loss for look in hoped) < best.loss:
                    yield from self._try(hoped, n_refit)
            if self.best.openness > 0:
                shares = yield from self._share(n_refit)
                if not shares:
                    yield from self._settle(n_refit)
        if self.best.openness > 0 and not shares:
            little = self.low_price * self.best.loss
            self.close_what_is_idle(self.tolerated(self.best) if self.checked else little)
        self.done = True

    def finish(self):
        """Leave the network with its best weights, wherever training stopped."""
        if self.best is not None:
            self.network.load_state_dict(self.best.state)
        self.network.gate.sampled = True
        self.network.gate.requires_grad_(True)

    def _take(
        self,
        n_steps,
        price=lambda share: 0.0,
        step_size=lambda share: 1.0,
        *,
        start=0,
        total=None,
    ):
        """Take steps; price and step size follow the share of the phase that is over."""
        for k in range(start, start + n_steps):
            share = min(1, k / (total or n_steps))
            set_prices(self.network.gate, price(share), self.low_price, self.high_price)
            self.step_size = step_size(share)
            self.step += 1
            yield
            if self.checked:
                self.average.update()

    def _learn(self):
        self.phase = "warm-up"
        longest = max(1, int(LEARN_SHARE * self.n_steps))
        if not self.checked:
            yield from self._take(longest)
            return longest
        shortest = min(LEARN_LOOKS * self.every, longest)
        enough = max(ENOUGH * self.linear(), NOTHING_LEFT * self.reference)
        end = yield from self._learn_until_stale(longest, shortest, enough)
        if self.best.loss >= self.reference:
            # The best look is that at which it had hardly begun; it knows more of gates by now.
            self.best = end
        n_learnt, is_new = max(self.best.step, shortest), True
        # Whatever follows goes on from the best look, without what is harmful there.
        while (
            self._has_shut() and is_new and self.best.loss >= enough and self._is_known(self.best)
        ):
            before = self.best
            yield from self._learn_until_stale(longest, shortest, enough)
            is_new = self.best is not before
        self.learnt = self.best
        return n_learnt

    def _is_known(self, look):
        """Say whether little is left, beside the error of predicting the mean."""
        return look.loss < KNOWN * self.reference

    def _surely(self):
        """Say how many standard errors make a look of the way up surely better.

        Where little is left, little of that is noise.
        """
        return 1 if self._is_known(self.learnt) else SURELY

    def _has_shut(self):
        """Go back to the best look, and say whether features are shut there."""
        self.go_back_to(self.best)
        return self.screen()

    def _learn_until_stale(self, longest, shortest, enough):
        """Learn until it is enough, or until the best look is old; give the last look."""
        learnt = self.best is not None
        n_stale, before, look = 0, float("inf"), self.best
        while self.step < longest:
            yield from self._take(min(self.every, longest - self.step))
            look = self.look(self.step)
            if self.best is None or look.loss < (1 - GAIN) * self.best.loss:
                self.best, n_stale = look, 0
            else:
                n_stale += 1
            if not learnt and self.best.loss < LEARNT * self.reference:
                learnt = True
                self.screen()
                self.network.slow_skip_connection()
                self.average.reset()  # it is of weights in other units
            # What few windows tell by chance is learnt first: the error rises, and falls behind it.
            rises = look.loss > (1 + GAIN) * self.best.loss
            patience = PATIENCE if learnt else RISE_PATIENCE if rises else LONG_PATIENCE
            still_falls = not learnt and look.loss < (1 - GAIN) * before
            before = look.loss
            is_stale = n_stale >= patience * self.n_iter_no_change and not still_falls
            if self.best.loss < enough or (self.step >= shortest and is_stale):
                break
        return look

    def _squeeze(self, n_steps, n_spare):
        """Let the price rise, higher while that leaves much open, and look at what it leaves."""
        self.phase = "penalty ramp"
        path: list[Look] = []
        every, done = self.every, 0
        if self.checked and self._is_known(self.learnt):
            every = max(1, every // SQUEEZE_LOOKS)
        while done < n_steps:
            n_next = min(every, n_steps - done)
            yield from self._take(
                n_next, lambda share: self.high_price * share, start=done, total=n_steps
            )
            done += n_next
            if self.checked:
                path.append(self.look(self.step))
        start, rise = self.high_price, HIGH_PRICE / self.high_price
        n_more = min(int(min(1, rise - 1) * n_steps), n_spare)
        done = 0
        while done < n_more and path and path[-1].openness > SQUEEZED * self.best.openness:
            n_next = min(self.every, n_more - done)
            yield from self._take(
                n_next, lambda share: start * rise**share, start=done, total=n_more
            )
            done += n_next
            self.high_price = start * rise ** (done / n_more)
            path.append(self.look(self.step))
        return path

    def _relax(self, n_steps, n_most):
        """Let the price fall geometrically to the low one, and look at what reopens."""
        self.phase = "path"
        low = self.low_price / self.high_price
        path: list[Look] = []
        done = 0
        while done < n_steps or (done < n_most and self._goes_on(path)):
            yield from self._take(
                min(self.every, (n_steps if done < n_steps else n_most) - done),
                lambda share: self.high_price * low**share,
                lambda share: 1.0 if not self.checked else LOW_STEP_SIZE**share,
                start=done,
                total=n_steps,
            )
            done += self.every
            if self.checked:
                path.append(self.look(self.step))
                if done < n_steps and self._has_settled(path):
                    break
                if self.is_closed(path[-1]):
                    done = max(done, min(done + (HASTE - 1) * self.every, n_steps - self.every))
        return path

    def _has_settled(self, path):
        """Say whether a lower price would do nothing: all that was learnt is there again."""
        is_back = min(look.loss for look in path) <= self.best.loss
        return is_back and not _improves(path, STALE_LOOKS, STALE_GAIN)

    def _goes_on(self, path):
        """Say whether the low price still pays."""
        return (
            self.checked
            and _improves(path, LAST_LOOKS, LAST_GAIN)
            and not self.nothing_is_left(path[-1])
        )

    def _try(self, path, n_steps):
        """Refit what may be better by chance: it stands if it surely is better then.

        The training windows are more: there it may be worse by next to nothing.
        """
        chosen = self.best
        allowed = self.look_back().loss + self.in_doubt()
        self.take_sparsest(path)
        yield from self._descend("candidate refit", n_steps)
        self.go_back_to(self.best)
        tried, is_by_chance = self.best, self.look_back().loss > allowed
        self.go_back_to(chosen)
        if is_by_chance or self.does_as_well(chosen, tried, self._surely()):
            return
        yield from self._descend("candidate refit", n_steps)  # as fair to what was chosen
        self.go_back_to(chosen if self.does_as_well(self.best, tried, self._surely()) else tried)

    def _share(self, n_steps):
        """Let gates share whose inputs can be exchanged, if that does as well; say whether so."""
        chosen, gate, found = self.best, self.network.gate, []
        for start in (chosen, self.learnt):
            self.go_back_to(start)
            if gate.input_gates().any() and not self.forgets_little_without_steering():
                continue
            places, exchanges = self.interchange()
            found.append(places)
            is_same = bool((places == found[0]).all())
            if is_same and places.any() and self.bears(exchanges):
                break
        else:
            self.go_back_to(chosen)
            return False
        self.network.expand(places)
        self.best = self.look(chosen.step)
        self.close_what_does_not_share(places)
        yield from self._descend("group expansion", n_steps, SHARE_STEP_SIZE, gates=False)
        self.go_back_to(self.best)
        self.close_what_does_not_share(places)
        opens_others = bool((gate.active & ~places & ~chosen.state["gate.active"]).any())
        does_as_well = self.does_as_well(self.best, chosen, SURELY)
        if not opens_others and (self.nothing_is_left(self.best) or does_as_well):
            return True
        self.go_back_to(chosen)
        return False

    def _settle(self, n_steps):
        """Refit what is left, without what there is doubt about if that does as well."""
        unsteered = yield from self._without_steering(n_steps)
        much_better = (1 - self.tolerance) * self.best.loss
        is_much_better = unsteered is not None and unsteered.loss <= much_better
        if is_much_better and self._is_narrow(unsteered):
            self.go_back_to(unsteered)
            return
        yield from self._descend("refit", n_steps)
        self.go_back_to(self.best)
        if unsteered is not None and (
            self.is_worth(unsteered)
            or (self._is_narrow(unsteered) and self.does_as_well(unsteered, self.best))
        ):
            self.go_back_to(unsteered)
        else:
            yield from self._doubt(n_steps)

    def _without_steering(self, n_steps):
        """Look at the same gates for all windows, settled, if they keep most of what was learnt."""
        chosen, gate = self.best, self.network.gate
        if not (gate.input_gates().any() and self.forgets_little_without_steering()):
            return None
        yield from self._descend("refit", n_steps)
        unsteered = self.best
        self.go_back_to(chosen)
        return unsteered

    def _is_narrow(self, unsteered):
        """Say whether gates that nothing steers are not much wider than what is in use now."""
        return unsteered.openness <= WIDEST * _in_use(self.usage())

    def _doubt(self, n_steps):
        """Close what there is doubt about, if what is left then does as well."""
        refit, usage = self.best, self.usage()
        doubt = self.in_doubt()
        learnt = self.look_back().loss
        self.prune(usage, refit.loss + self.tolerated(refit) + doubt, doubted=True)
        if self.best is refit:
            return
        if self.look_back().loss <= learnt + doubt:
            yield from self._descend("pruning", n_steps)
            self.go_back_to(self.best)
            is_narrow = self.best.openness <= WIDEST * _in_use(usage)
            does_as_well = self.does_as_well(self.best, refit)
            if is_narrow and does_as_well and self.look_back().loss <= learnt + doubt:
                return
        self.go_back_to(refit)

    def _descend(self, phase, n_steps, step_size=REFIT_STEP_SIZE, *, gates=True):
        """Train without noise, the step size falling to 0: sooner where looks are not better.

        It falls from ``step_size``, or 1 without a validation part. ``gates`` says if they move.
        Where the first better look is much better, there is much to mend: it takes twice as long.

        Weights at its end are free of what noise, the price and pruning have done to them: they
        stand where the error cannot tell them from those of before.
        """
        self.phase = phase
        self.network.gate.sampled = False
        self.network.gate.requires_grad_(self.checked and gates)
        self.reset_optimizer()
        before = look = self.best
        if not self.checked:
            step_size = 1.0
        end = self.step + n_steps
        left = min(end + -end % self.n_batches, self.n_steps) - self.step  # to the end of an epoch
        while left > 0:
            n_next = min(self.every, left)
            first, last = step_size, step_size * (1 - n_next / left)
            yield from self._take(n_next, step_size=partial(_between, first, last))
            step_size, left = last, left - n_next
            if not self.checked:
                continue
            look = self.narrowed(self.look(self.step))
            if self.is_worth(look):
                is_first = self.best is before and left > 0
                if is_first and look.loss < (1 - GAIN) * before.loss:
                    left = min(left + n_steps, self.n_steps - self.step)
                self.best = look
            else:
                left //= 2
        if self.best is before and self.checked:
            excess, error = look.excess(before)
            if excess <= error:
                self.best = look


def _between_looks(n_least, n_batches, n_steps):
    """Say how many steps there are from one look to the next, in a training of ``n_steps``."""
    return min(max(n_least, int(LOOK_EPOCHS * n_batches)), max(1, int(LOOK_SHARE * n_steps)))


def _between(first, last, share):
    return first + (last - first) * share


def _in_use(usage):
    """Say how far gates are open, and steered, on average."""
    return float(sum(used.mean() for used, _ in usage.values()))


def _improves(path, n_looks, gain):
    """Say whether the last looks brought the loss down by a share (or are too few to tell)."""
    if len(path) <= n_looks:
        return True
    before = min(look.loss for look in path[:-n_looks])
    return min(look.loss for look in path[-n_looks:]) < (1 - gain) * before
