"""What stands: the best look at a network so far, and what takes its place without training."""

import copy
from typing import Any

from ._evaluation import mean_of

# Gates that are open by less than this on average are closed for good, the most that cost nothing.
PRUNED = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01)
# Gates are wider where they are open by more than the first factor. Where less steers or fewer are
# open instead, they may be wider by the second.
WIDER, WIDEST = 1.02, 2
# Gates that alone move the prediction by less than this share of what is allowed are idle: by the
# first share at which the error bears to be without all of them.
IDLE = (1, 0.3, 0.1)
# Going without steering is tried where that forgets no more than this share of what was learnt.
FORGOTTEN = 0.25
# Inputs say the same if exchanging them raises the error by no more than this share of it, and of
# what was learnt; or than this share of the error of predicting the mean.
EXCHANGED, LEAST_EXCHANGED = 0.15, 0.001
# Standard errors by which a look of the way up must be better than closed gates. There are several
# such looks, and it is the luckiest that would count.
CREDIBLE = 3
# Standard errors that make sure what exchanging, sharing and more open gates do to the error.
SURELY = 2
# Of the error of predicting the mean: nothing is left to learn.
NOTHING_LEFT = 0.0002


class Standing:
    """The look that stands, and what can take its place without a step of training.

    Parameters
    ----------
    network : BottleneckLSTM
        What is trained.
    n_batches : int
        Steps of an epoch.
    look : callable
        Gives a :class:`Look` at the validation part, or else at the training windows.
    usage : callable
        Gives, by the name of the gate's buffer that keeps them open, how far the gates, and what
        steers them, are in use on average, and how much of their price they cost.
    moves : callable
        Gives how far each gate alone moves the prediction, and how far it is open, on average.
    close : callable
        Takes such a name, and which of them to keep; it closes the others.
    average : Average
        Of the weights: what looks see, and training goes back to.
    reference : float
        The loss, there, of predicting 0.

    Attributes
    ----------
    best : Look or None
        That which stands.

    learnt : Look or None
        That which learning ended with.
    """

    def __init__(
        self, network, *, n_batches, tolerance, look, usage, moves, close, average, reference
    ):
        self.network = network
        self.n_batches = n_batches
        self.tolerance = tolerance
        self.look_at = look
        self.usage = usage
        self.moves = moves
        self.close = close
        self.average = average
        self.reference = reference
        self.best: Any = None
        self.learnt: Any = None

    def look(self, step):
        """Look at the network, at its averaged weights, which are those of a step."""
        with self.average.applied():
            look = self.look_at()
            look.state = copy.deepcopy(self.network.state_dict())
        look.step = step
        look.epoch = -(-step // self.n_batches)
        return look

    def go_back_to(self, look):
        """Let a look stand, and give the network its weights."""
        self.average.reset()
        self.best = look
        self.network.load_state_dict(look.state)

    def nothing_is_left(self, look):
        """Say whether a look's error is next to none."""
        return look.loss < NOTHING_LEFT * self.reference

    def is_closed(self, look):
        """Say whether less than one gate is open in all."""
        return look.openness * self.network.gate.active.numel() < 1

    def tolerated(self, look):
        """Give the error above a look's that does not count."""
        return self.tolerance * max(look.loss, NOTHING_LEFT * self.reference)

    def does_as_well(self, look, other, n_errors=1):
        """Say whether a look's error is not above another's, by more than counts."""
        excess, error = look.excess(other)
        return excess <= max(n_errors * error, self.tolerated(other))

    def in_doubt(self):
        """Give the error that there is doubt about, as a validation part hardly tells it."""
        return self.tolerance * self.reference

    def credible(self, up, down, n_errors):
        """Leave out looks of the way up that may be better, but by chance, than less open ones.

        They must be better than the best of the way down by ``n_errors`` standard errors, and by
        more than the tolerance.
        """
        closed = [look for look in up + down if self.is_closed(look)]
        rivals = [
            (min(looks, key=lambda look: look.loss), n)
            for looks, n in ((closed, CREDIBLE), (down, n_errors))
            if looks
        ]
        # Where learning was never better than the mean, all that is open may be by chance.
        trusted, judged = (down, up) if self.learnt.loss < self.reference else ([], up + down)
        return trusted + [
            look
            for look in judged
            if self.is_closed(look)
            or not any(
                rival.openness < look.openness and self.does_as_well(rival, look, n)
                for rival, n in rivals
            )
        ]

    def take_sparsest(self, path):
        """Let the sparsest look within the tolerance stand, and prune it; give the best look."""
        best = min(path, key=lambda look: look.loss)
        good = [look for look in path if look.loss - best.loss <= self.tolerated(best)]
        self.go_back_to(min(good, key=lambda look: look.openness, default=best))
        self.prune(self.usage(), best.loss + self.tolerated(best))
        return best

    def closes(self, name, kept, allowed, wider=WIDER, *, doubted=False):
        """Close for good what is not kept, if the error then is no more than allowed.

        What is no longer read may leave gates open that it has closed: they may be wider by a
        factor, but no more. Whether anything matters at all is not for a doubt to settle.
        """
        if not (getattr(self.network.gate, name) & ~kept).any():
            return True
        self.close(name, kept)
        best = self.best
        look = self.look(best.step)
        if (
            look.loss > allowed
            or look.openness > wider * best.openness
            or (doubted and look.openness == 0)
        ):
            self.go_back_to(best)
            return False
        self.best = look
        return True

    def screen(self):
        """Shut features, the worst first, without which the error is surely lower; say if any.

        The best look is judged; shut are the gates of the weights that training goes on with.
        """
        n_features = self.network.gate.active.shape[-1]
        if n_features == 1:  # the only one, or gates on steps
            return False
        training = copy.deepcopy(self.network.state_dict())
        self.network.load_state_dict(self.best.state)
        alone = {feature: self._without([feature]) for feature in range(n_features)}
        shut: list[int] = []
        now = self.best
        for feature in sorted(alone, key=lambda feature: alone[feature].loss):
            if alone[feature].loss >= self.best.loss:
                break
            look = self._without([*shut, feature]) if shut else alone[feature]
            excess, error = look.excess(now)
            if excess < -error and error <= self.tolerated(now):
                shut.append(feature)
                now = look
        self.network.load_state_dict(training)
        if shut:
            self.network.gate.close_features(shut)
            self.average.reset()
        return bool(shut)

    def _without(self, features):
        """Look at the best weights with all gates of some features closed."""
        self.close("active", self._all_but("active", features))
        look = self.look_at()
        self.network.load_state_dict(self.best.state)
        return look

    def prune(self, usage, allowed, *, doubted=False):
        """Close for good what is used in few windows, while the error is no more than allowed.

        So are all gates of features that are not needed, but not of those there is doubt about.
        """
        for name, (used, _) in usage.items():
            for threshold in PRUNED:
                if self.closes(name, used >= threshold, allowed, doubted=doubted):
                    break
        if not doubted:
            self._prune_features(allowed)
        gate, (steering, _) = self.network.gate, usage["input_active"]
        for feature in steering.reshape(-1, steering.shape[-1]).sum(dim=0).argsort().tolist():
            if gate.input_gates().any():
                kept = self._all_but("input_active", feature)
                self.closes("input_active", kept, allowed, doubted=doubted)

    def _prune_features(self, allowed):
        """Close all gates of some features, the least first, while the error is not above that.

        Those without which alone it is stay, whatever else is closed.
        """
        gate = self.network.gate
        if gate.active.shape[-1] == 1:  # the only one, or gates on steps
            return
        in_use = gate.active.reshape(-1, gate.active.shape[-1]).any(dim=0).nonzero()[:, 0].tolist()
        alone = {feature: self._without([feature]).loss for feature in in_use}
        for feature in sorted(in_use, key=lambda feature: alone[feature]):
            if alone[feature] > allowed:
                break
            self.closes("active", self._all_but("active", feature), allowed)

    def _all_but(self, name, features):
        """Say what is kept but for some features; ``name`` as in :meth:`closes`."""
        kept = getattr(self.network.gate, name).clone()
        kept[..., features] = False
        return kept

    def prune_what_is_not_worth_its_price(self):
        """Close for good what is used in few windows, while the error rises less than the price."""
        gate = self.network.gate
        price = {"active": gate.penalty, "input_active": gate.gating_penalty}
        loss = self.look_at().loss
        for name, (used, cost) in self.usage().items():
            kept = getattr(gate, name)
            for threshold in reversed(PRUNED):
                before = kept.clone()
                kept &= used >= threshold
                saved = price[name] * float(cost[before & ~kept].sum())
                after = self.look_at().loss
                if after > (1 + saved) * loss:
                    kept.copy_(before)
                    break
                loss = after

    def forgets_little_without_steering(self):
        """Close all steering, if that leaves most of what was learnt."""
        gate, best = self.network.gate, self.best
        allowed = best.loss + FORGOTTEN * max(0.0, self.reference - best.loss)
        return self.closes("input_active", gate.input_active & False, allowed, WIDEST)

    def bears(self, exchanges):
        """Say whether the error surely rises by little where inputs are exchanged."""
        best = self.best
        little = EXCHANGED * min(best.loss, self.reference - best.loss)
        little = max(little, LEAST_EXCHANGED * self.reference)
        looks = []
        for look in exchanges:
            looks.append(look)
            excess, error = mean_of(looks).excess(best)
            if excess > little:
                return False
        return excess + SURELY * error <= little

    def close_what_does_not_share(self, places):
        """Close for good all but some gates, if that costs no more than is tolerated."""
        allowed = self.best.loss + self.tolerated(self.best)
        self.closes("active", places, max(allowed, NOTHING_LEFT * self.reference))

    def close_what_is_idle(self, allowed):
        """Close for good the gates that are open, but that the network has learnt to ignore."""
        self.go_back_to(self.best)
        moved, used = self.moves()
        for share in IDLE:
            little = share * allowed
            if self.closes("active", moved >= little * used, self.best.loss + little, doubted=True):
                break

    def narrowed(self, look):
        """Put the best look's gates in the place of wider ones that are not worth it."""
        if not self._is_wider(look) or self.is_worth(look):
            return look
        now = copy.deepcopy(self.network.state_dict())
        own = {name: own for name, own in self.best.state.items() if name.startswith("gate.")}
        self.network.load_state_dict(look.state | own)
        narrow = self.look_at()
        narrow.state, narrow.step, narrow.epoch = look.state | own, look.step, look.epoch
        self.network.load_state_dict(now)
        return narrow

    def _is_wider(self, look):
        return look.openness > WIDER * self.best.openness

    def is_worth(self, look):
        """Say whether a look is better than the best, and surely and much better if it is wider."""
        excess, error = look.excess(self.best)
        if self._is_wider(look):
            return excess < -max(error, self.tolerated(self.best))
        return excess < 0
