"""The training of gates with an L0 penalty: its phases, and the selection of the final state."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

from torch import Tensor

from ._averaging import Average
from ._candidates import NEGLIGIBLE
from ._evaluation import Evaluation
from ._penalty import MAX_PENALTY, penalty_range
from ._refinement import IMPROVEMENT, Refinement, Steps

# In the order of training, from the second on as far as there is something to do.
PHASES = (
    "warm-up",
    "penalty ramp",
    "path",
    "candidate refit",
    "group expansion",
    "refit",
    "pruning",
)
# Optimisation steps between two evaluations: at least the first number and a number of epochs, at
# most a fraction of the whole training. After a warm-up that leaves a high loss, the second number
# is the least, which makes the later phases shorter; with a low loss, shorter phases leave gates
# open that are not needed.
INTERVAL_STEPS, NOISY_INTERVAL_STEPS, INTERVAL_EPOCHS, INTERVAL_FRACTION = 50, 40, 1, 1 / 40
# The penalty ramp is evaluated this much more often after a warm-up that leaves a low loss: gates
# close within a few steps, and the best state is often in between. With a high loss, the best of
# more evaluations would more often be so by chance.
RAMP_EVALUATIONS = 2
# Weights are averaged over this number of steps, or this fraction of the interval if less.
AVERAGE_STEPS, AVERAGE_FRACTION = 25, 0.5
# Fractions of the whole training that the phases take at most; and exactly, if not validated.
WARM_UP_FRACTION, RAMP_FRACTION, PATH_FRACTION, REFIT_FRACTION = 0.4, 0.1, 0.35, 0.15
# Evaluations that a phase takes at least.
WARM_UP_EVALUATIONS, PATH_EVALUATIONS, REFIT_EVALUATIONS = 4, 8, 4
# The warm-up has learnt something once the loss is below this fraction of the null loss.
LEARNT = 0.75
# The warm-up ends after this number of evaluations without improvement, in units of
# n_iter_no_change: once something is learnt; before that, while the loss increases; and else.
PATIENCE, RISING_PATIENCE, LONG_PATIENCE = 0.3, 0.6, 1.2
# It also ends once the loss is below this fraction of that of a linear model. (Not of the null
# loss: a linear part is learnt at once, and the rest may be small and slow.)
LINEAR_FRACTION = 0.02
# The penalty rises above its peak for many windows while the density is above this fraction of
# that after the warm-up.
RAMP_DENSITY = 0.25
# The path ends where the best of the last evaluations is not better by this fraction, and not
# worse than after the warm-up.
STALL_EVALUATIONS, STALL_IMPROVEMENT = 3, 0.01
# The lowest penalty is kept while the best of the last evaluations is better by this fraction, for
# at most this multiple of the path's length.
TAIL_EVALUATIONS, TAIL_IMPROVEMENT, MAX_TAIL = 4, 0.03, 3
# The penalty decreases this much faster while the gates sum to less than one.
CLOSED_SPEEDUP = 3
# The relative step size at the end of the path.
PATH_STEP_SIZE = 0.6


class Schedule(Refinement):
    """Penalty and step size of each optimisation step, and the weights that are kept.

    With a validation set, training has these phases:

    1. *Warm-up*. Sampled gates without a penalty are trained until the validation loss stalls, or
       is small beside that of a linear model. The phase ends with its best evaluation; or with the
       last, if none is better than the null model. Once a quarter of the null loss is explained,
       and again at the end, features without which the loss is significantly lower are screened
       out: their gates are closed, and may reopen. If less than a quarter of the null loss is left,
       the warm-up is resumed from the best evaluation, without the harmful features, while that
       brings an improvement. From the first screening on the linear skip connection is slowed.
    2. *Penalty ramp*. The penalty rises linearly, until only the most valuable gates are open.
    3. *Path*. The penalty decreases geometrically, and gates reopen in the order of their value.
       The penalty is relative to the loss: at penalty ν a gate stays open if the loss without it
       were more than ν higher, relatively. It decreases faster while nearly all gates are closed.
    4. *Selection*. The sparsest candidate of 2 and 3 whose validation loss is within
       ``tolerance`` of the lowest becomes the incumbent. A dense candidate of 2 must be
       significantly better than the best sparser one of 3, and than the best one with closed gates,
       since with many open gates some are good by chance; so must one of 3 if the warm-up was never
       better than the null model. *Candidate refit*: a candidate of 2 or the end of 1 that is
       better than the tolerance allows, but not significantly, is pruned and refit; it replaces
       the incumbent if it is then significantly better than the incumbent, refit likewise, and
       its training loss is not higher by more than the validation set can resolve. Gates that are
       nearly closed in all windows, inputs of the gating network with little influence, and
       features that are not needed are closed permanently, within the tolerance.
    5. *Group expansion*. If the inputs of several gates are interchangeable (noisy copies of one
       signal), any subset of them would do. All gates of the group are opened fully, the others
       are closed where that costs nothing, and the network is refit in small steps with static
       gates (the same for all windows). If the static gates lose too much, or their inputs are
       not interchangeable, the same is tried from the end of the warm-up. The result is kept if it
       is not significantly worse and opens no gate outside the group; phases 6 and 7 are then
       skipped.
    6. *Refit*. Network and gates are trained without noise and penalty, the step size decreasing
       to 0. Denser gates are accepted only if they lower the loss significantly and by more than
       the tolerance; otherwise the previous gates are restored. If static gates keep most of what
       was learnt, they are refit first. They are kept if they are better by more than the
       tolerance, or not worse than the other refit and at most twice as dense.
    7. *Pruning*. Gates are closed while the loss increases by less than the validation set can
       resolve, and the rest is refit. The result is kept if it is not worse than that of 6, and
       the training loss, of many more windows, does not increase by more than that either.
    8. Open gates that do not change the prediction by more than the tolerance are closed.

    A loss is not worse than another if it exceeds it by at most a standard error, or by the
    tolerance. Neither 7 nor 8 closes all gates.

    The penalty decreases along the path since the reverse, from dense to sparse, overfits before
    the gates close. If many cells each contribute a little, a candidate of the ramp may be best.

    Without a validation set the phases take fixed fractions of the training, and nothing is
    screened. The last state is selected. Gates are closed permanently if that increases the
    training loss by less than their penalty, and do not change in the refit. There is no group
    expansion and no pruning, and the lowest penalty takes the place of ``tolerance`` in 8.

    Parameters
    ----------
    n_samples : int
        Number of training windows.
    n_iter_no_change : int
        The estimator's parameter.
    make_average : callable
        Returns an :class:`.Average` of the weights over a number of steps.
    linear_loss : callable
        Returns the loss of a linear model.
    network, n_batches, tolerance, evaluate, gate_usage, gate_effects, close_gates, null_loss
        See :class:`.Candidates`.
    n_steps, validated, reset_optimizer, find_interchangeable, evaluate_training
        See :class:`.Refinement`.
    """

    def __init__(
        self,
        network: Any,
        *,
        n_steps: int,
        n_batches: int,
        n_samples: int,
        n_iter_no_change: int,
        tolerance: float,
        reset_optimizer: Callable[[], None],
        validated: bool,
        evaluate: Callable[[], Evaluation],
        gate_usage: Callable[[], dict[str, tuple[Tensor, Tensor]]],
        gate_effects: Callable[[], tuple[Tensor, Tensor]],
        close_gates: Callable[[str, Tensor], None],
        find_interchangeable: Callable[[], tuple[Tensor, Iterator[Evaluation]]],
        make_average: Callable[[int], Average],
        null_loss: float,
        linear_loss: Callable[[], float],
        evaluate_training: Callable[[], Evaluation],
    ) -> None:
        interval = _interval(INTERVAL_STEPS, n_batches, n_steps)
        super().__init__(
            network,
            n_batches=n_batches,
            tolerance=tolerance,
            evaluate=evaluate,
            gate_usage=gate_usage,
            gate_effects=gate_effects,
            close_gates=close_gates,
            average=make_average(max(1, min(AVERAGE_STEPS, int(AVERAGE_FRACTION * interval)))),
            null_loss=null_loss,
            n_steps=n_steps,
            interval=interval,
            validated=validated,
            reset_optimizer=reset_optimizer,
            find_interchangeable=find_interchangeable,
            evaluate_training=evaluate_training,
            penalties=penalty_range(n_samples, validated=validated),
        )
        self.n_iter_no_change = n_iter_no_change
        self.linear_loss = linear_loss
        self.done = False

    def steps(self) -> Steps:
        """Run the schedule: a generator, advanced before the first step and after each step."""
        n_warm_up = yield from self._warm_up()
        self.network.slow_skip_connection()
        if self.validated and self._is_noisy(self.warmed_up):
            self.interval = _interval(NOISY_INTERVAL_STEPS, self.n_batches, self.n_steps)
        n_refit = min(REFIT_EVALUATIONS * self.interval, int(REFIT_FRACTION * self.n_steps))
        n_refit = max(n_warm_up // 2, n_refit)
        n_left = max(2, self.n_steps - self.step - n_refit)
        if not self.validated:
            n_ramp = int(n_left * RAMP_FRACTION / (RAMP_FRACTION + PATH_FRACTION))
            n_path = n_left - n_ramp
        else:
            n_ramp = n_warm_up // 2
            n_path = max(int(1.5 * n_warm_up), PATH_EVALUATIONS * self.interval)
            shrinkage = min(1, n_left / (n_ramp + n_path))
            n_ramp, n_path = int(shrinkage * n_ramp), int(shrinkage * n_path)
        ramp = yield from self._ramp_penalty(n_ramp, max(0, n_left - n_ramp - n_path))
        n_left = self.n_steps - self.step - n_refit
        path = yield from self._follow_path(n_path, min(n_left, (1 + MAX_TAIL) * n_path))
        is_expanded = False
        if not self.validated:
            self.prune_by_penalty()
            yield from self._anneal("refit", n_refit)
            self.incumbent = self.evaluate(self.step)
        else:
            if candidates := self.eligible(ramp, path, self._n_errors()):
                best = self.select_sparsest(candidates)
                promising = self.eligible([self.warmed_up, *ramp], path, 0)
                if min(candidate.loss for candidate in promising) < best.loss:
                    yield from self._refit_candidate(promising, n_refit)
            if self.incumbent.density > 0:
                is_expanded = yield from self._expand_group(n_refit)
                if not is_expanded:
                    yield from self._refit(n_refit)
        if self.incumbent.density > 0 and not is_expanded:
            by_penalty = self.low_penalty * self.incumbent.loss
            by_tolerance = self.tolerated_increase(self.incumbent)
            self.close_unused(by_tolerance if self.validated else by_penalty)
        self.done = True

    def finish(self) -> None:
        """Load the weights of the incumbent, whenever training has stopped."""
        if self.incumbent is not None:
            self.network.load_state_dict(self.incumbent.state)
        self.network.gate.set_sampled(True)
        self.network.gate.requires_grad_(True)

    def _warm_up(self) -> Generator[None, None, int]:
        """Train without penalty; return the number of steps that the later phases are based on."""
        self.phase = "warm-up"
        n_max = max(1, int(WARM_UP_FRACTION * self.n_steps))
        if not self.validated:
            yield from self._run_steps(n_max)
            return n_max
        n_min = min(WARM_UP_EVALUATIONS * self.interval, n_max)
        target = max(LINEAR_FRACTION * self.linear_loss(), NEGLIGIBLE * self.null_loss)
        last = yield from self._train_until_stalled(n_max, n_min, target)
        if self.incumbent.loss >= self.null_loss:
            # The best evaluation is one of nearly untrained weights; the last knows more.
            self.incumbent = last
        n_steps: int = max(self.incumbent.step, n_min)
        is_improved = True
        # All that follows goes on from the best evaluation, without harmful features.
        while (
            self._screen_incumbent()
            and is_improved
            and self.incumbent.loss >= target
            and not self._is_noisy(self.incumbent)
        ):
            before = self.incumbent
            yield from self._train_until_stalled(n_max, n_min, target)
            is_improved = self.incumbent is not before
        self.warmed_up = self.incumbent
        return n_steps

    def _screen_incumbent(self) -> bool:
        """Load the incumbent, and return whether harmful features were closed."""
        self.restore(self.incumbent)
        return self.screen_features()

    def _train_until_stalled(
        self, n_max: int, n_min: int, target: float
    ) -> Generator[None, None, Evaluation]:
        """Train until the loss is below the target or stalls; return the last evaluation."""
        has_learnt = self.incumbent is not None
        n_stalled, previous_loss = 0, float("inf")
        evaluation: Evaluation = self.incumbent
        while self.step < n_max:
            yield from self._run_steps(min(self.interval, n_max - self.step))
            evaluation = self.evaluate(self.step)
            if self.incumbent is None or evaluation.loss < (1 - IMPROVEMENT) * self.incumbent.loss:
                self.incumbent, n_stalled = evaluation, 0
            else:
                n_stalled += 1
            if not has_learnt and self.incumbent.loss < LEARNT * self.null_loss:
                has_learnt = True
                self.screen_features()
                self.network.slow_skip_connection()
                self.average.reset()  # the skip connection is now scaled differently
            # Chance patterns of few windows are learnt first: the loss rises, and falls later.
            is_rising = evaluation.loss > (1 + IMPROVEMENT) * self.incumbent.loss
            patience = PATIENCE if has_learnt else RISING_PATIENCE if is_rising else LONG_PATIENCE
            is_falling = not has_learnt and evaluation.loss < (1 - IMPROVEMENT) * previous_loss
            previous_loss = evaluation.loss
            is_stalled = n_stalled >= patience * self.n_iter_no_change and not is_falling
            if self.incumbent.loss < target or (self.step >= n_min and is_stalled):
                break
        return evaluation

    def _ramp_penalty(self, n_steps: int, n_spare: int) -> Generator[None, None, list[Evaluation]]:
        """Raise the penalty, further while the gates stay dense; return the evaluations."""
        self.phase = "penalty ramp"
        evaluations: list[Evaluation] = []
        interval, n_done = self.interval, 0
        if self.validated and not self._is_noisy(self.warmed_up):
            interval = max(1, interval // RAMP_EVALUATIONS)
        while n_done < n_steps:
            n_next = min(interval, n_steps - n_done)
            yield from self._run_steps(
                n_next,
                lambda progress: self.high_penalty * progress,
                start=n_done,
                total=n_steps,
            )
            n_done += n_next
            if self.validated:
                evaluations.append(self.evaluate(self.step))
        peak, factor = self.high_penalty, MAX_PENALTY / self.high_penalty
        n_more = min(int(min(1, factor - 1) * n_steps), n_spare)
        max_density = RAMP_DENSITY * self.incumbent.density if self.validated else 0.0
        n_done = 0
        while n_done < n_more and evaluations and evaluations[-1].density > max_density:
            n_next = min(self.interval, n_more - n_done)
            yield from self._run_steps(
                n_next, lambda progress: peak * factor**progress, start=n_done, total=n_more
            )
            n_done += n_next
            self.high_penalty = peak * factor ** (n_done / n_more)
            evaluations.append(self.evaluate(self.step))
        return evaluations

    def _follow_path(self, n_steps: int, n_max: int) -> Generator[None, None, list[Evaluation]]:
        """Lower the penalty geometrically; return the evaluations."""
        self.phase = "path"
        factor = self.low_penalty / self.high_penalty
        evaluations: list[Evaluation] = []
        n_done = 0
        while n_done < n_steps or (n_done < n_max and self._tail_improves(evaluations)):
            yield from self._run_steps(
                min(self.interval, (n_steps if n_done < n_steps else n_max) - n_done),
                lambda progress: self.high_penalty * factor**progress,
                lambda progress: PATH_STEP_SIZE**progress if self.validated else 1.0,
                start=n_done,
                total=n_steps,
            )
            n_done += self.interval
            if self.validated:
                evaluations.append(self.evaluate(self.step))
                if n_done < n_steps and self._path_stalls(evaluations):
                    break
                if self.is_closed(evaluations[-1]):
                    skipped = n_done + (CLOSED_SPEEDUP - 1) * self.interval
                    n_done = max(n_done, min(skipped, n_steps - self.interval))
        return evaluations

    def _path_stalls(self, evaluations: Sequence[Evaluation]) -> bool:
        """Return whether the loss of the warm-up is reached and no longer falls."""
        is_reached = min(e.loss for e in evaluations) <= self.incumbent.loss
        return bool(is_reached) and not _improves(evaluations, STALL_EVALUATIONS, STALL_IMPROVEMENT)

    def _tail_improves(self, evaluations: Sequence[Evaluation]) -> bool:
        """Return whether training at the lowest penalty is still worthwhile."""
        return (
            self.validated
            and _improves(evaluations, TAIL_EVALUATIONS, TAIL_IMPROVEMENT)
            and not self.is_negligible(evaluations[-1])
        )


def _interval(n_min: int, n_batches: int, n_steps: int) -> int:
    """Return the number of steps between evaluations, in a training of ``n_steps``."""
    n_max = max(1, int(INTERVAL_FRACTION * n_steps))
    return min(max(n_min, int(INTERVAL_EPOCHS * n_batches)), n_max)


def _improves(evaluations: Sequence[Evaluation], n_last: int, fraction: float) -> bool:
    """Return whether the last evaluations lowered the loss, or are too few to tell."""
    if len(evaluations) <= n_last:
        return True
    before = min(evaluation.loss for evaluation in evaluations[:-n_last])
    return min(evaluation.loss for evaluation in evaluations[-n_last:]) < (1 - fraction) * before
