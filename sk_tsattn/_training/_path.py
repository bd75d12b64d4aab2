"""The training of gates with an L0 penalty: a path of penalties, selection and refit."""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import Any

from torch import Tensor, nn

from ..attention import BottleneckGate
from ._averaging import Average
from ._interchange import are_interchangeable
from ._selection import (
    NEGLIGIBLE,
    Evaluation,
    is_better_than_null,
    lowest_penalty,
    select,
    select_negligibly_worse,
)

# The stages of training that take optimisation steps.
PHASES = ("warm-up", "path", "refit", "group expansion")
# Optimisation steps between two evaluations: at least this number and an epoch, at most this
# fraction of the whole training. On the path they are half as many.
EVALUATION_STEPS, MAX_EVALUATION_FRACTION = 50, 1 / 40
# Weights are averaged over this number of steps.
AVERAGE_STEPS = 50
# The warm-up takes this fraction of the training at most, and at least this number of evaluations.
WARM_UP_FRACTION, MIN_EVALUATIONS = 0.4, 4
# Without a validation set it takes this fraction. It would fit the noise of few windows.
UNVALIDATED_WARM_UP_FRACTION = 0.1
# It ends after n_iter_no_change evaluations without an improvement of the loss by this fraction.
IMPROVEMENT = 0.05
# Once the loss is below this fraction of the null loss, after this fraction of n_iter_no_change.
LEARNT, LEARNT_PATIENCE = 0.75, 0.3
# The penalty grows by this factor from one evaluation to the next, or by a greater one if few
# steps are left. A gate is not worth more than the whole loss.
PENALTY_FACTOR, MAX_PENALTY = 1.2, 1.0
# Without a validation set the penalty falls from this one to the lowest.
UNVALIDATED_PENALTY = 0.15
# Gates with a smaller mean are closed permanently: the greatest threshold that costs nothing.
THRESHOLDS = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01)
# Steps of a refit, as a fraction of those of the warm-up; and its first step size.
REFIT_FRACTION, REFIT_STEP_SIZE = 0.5, 0.5
# The first step size after a group expansion: large steps would fit the noise of similar inputs.
# Its result must not be worse by more than this number of standard errors.
GROUP_STEP_SIZE, GROUP_ERRORS = 0.1, 2
# Making gates static may lose this fraction of the improvement over the null model.
STATIC_LOSS = 0.25
# Static gates say where relevant cells are if they are open at less than this fraction of the
# steps, in the features that they use. Otherwise those that are preferred must be sparser by this
# factor.
STATIC_TIME_FRACTION, SPARSER = 0.5, 2.0
# Static gates may be denser by this factor than those they replace; after other changes that close
# gates, by the second one.
STATIC_DENSIFICATION, DENSIFICATION = 2.0, 1.02

Steps = Generator[None, None, None]


def has_penalty(network: nn.Module) -> bool:
    """Return whether the gates of a network have an L0 penalty."""
    return isinstance(getattr(network, "gate", None), BottleneckGate)


class PenaltyPath:
    """Penalty and step size of each optimisation step, and the weights that are kept.

    1. *Warm-up*: sampled gates without a penalty are trained until the validation loss stalls.
    2. *Path*: from the best evaluation on, with static gates, an L0 penalty grows geometrically
       until all gates are closed or it is as high as the loss. While the loss is falling, it
       stays. Each evaluation of the averaged weights is a candidate. (A warm-started path from
       dense to sparse, as in Lemhadri, Ruan, Abraham and Tibshirani, "LassoNet", JMLR 2021,
       algorithm 1.)
    3. *Selection*: the sparsest candidate that is not significantly worse than the best one; or
       none, and all gates are closed, if the best one is not significantly better than a constant
       prediction. Little-used gates and inputs are closed permanently (thresholding).
    4. *Refit* without noise and penalty. A sparser candidate that is negligibly worse is refit
       too, and replaces the first if it is not worse then.
    5. *Group expansion* in place of 4, if the inputs of several gates are interchangeable (noisy
       copies of one signal), so that any subset of them would do: all gates of the group are
       opened fully, and the network is refit. The result is kept if it is not significantly worse.

    Static gates are the same for all windows. If making them static would lose much of what the
    warm-up has learnt, or if they stay open at most steps of the features that they use, stages 2
    to 4 are run with gates that depend on the window. Their result is preferred if it is at most
    half as dense, and not worse.

    Without a validation set the stages take fixed fractions of the training, gates have no
    evidence of their cells, the penalty falls instead, down to the price of an input in the
    extended BIC, the last candidate is selected, and gates do not change in the refit.

    Parameters
    ----------
    network : BottleneckLSTM
        The network in training.
    n_steps : int
        Maximum number of optimisation steps; a multiple of ``n_batches``.
    n_batches : int
        Steps of an epoch.
    n_samples : int
        Number of training windows.
    n_iter_no_change, tolerance : int, float
        The estimator's parameters.
    validated : bool
        Whether there is a validation set.
    null : Evaluation
        Of a constant prediction.
    evaluate : callable
        Returns an :class:`.Evaluation` on the validation set, or else on the training set.
    gate_usage, close_gates, make_static : callable
        The functions of :mod:`._evaluation`, without their first two arguments.
    find_interchangeable : callable
        Returns a group of gates, and evaluations with their inputs exchanged.
    reset_optimizer : callable
        Clears the moments of the optimizer.

    Attributes
    ----------
    phase : str
        The phase of the present step.
    step : int
        Number of the present step, from 1 on.
    step_size : float
        Step size of the present step, relative to the optimizer's own.
    incumbent : Evaluation or None
        What is kept if training ends now.
    candidates : list of Evaluation
        The evaluations of the path. The first is that of the warm-up.
    selected : Evaluation or None
        One of the candidates.
    done : bool
        Whether training has ended.
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
        validated: bool,
        null: Evaluation,
        evaluate: Callable[[], Evaluation],
        gate_usage: Callable[[], dict[str, Tensor]],
        close_gates: Callable[[str, Tensor], None],
        make_static: Callable[[], None],
        find_interchangeable: Callable[[], tuple[Tensor, Iterator[Evaluation]]],
        reset_optimizer: Callable[[], None],
    ) -> None:
        self.network, self.gate = network, network.gate
        self.n_steps, self.n_batches = n_steps, n_batches
        self.n_iter_no_change = n_iter_no_change
        self.tolerance = tolerance
        self.validated = validated
        self.null = null
        self.evaluate_weights = evaluate
        self.gate_usage = gate_usage
        self.close_gates = close_gates
        self.make_static = make_static
        self.find_interchangeable = find_interchangeable
        self.reset_optimizer = reset_optimizer
        longest = max(1, int(MAX_EVALUATION_FRACTION * n_steps))
        self.interval = min(max(EVALUATION_STEPS, n_batches), longest)
        self.average = Average(network, max(1, min(AVERAGE_STEPS, self.interval)))
        self.n_gates: int = self.gate.active.numel()
        self.low_penalty = lowest_penalty(n_samples, self.n_gates)
        self.phase, self.step, self.step_size = PHASES[0], 0, 1.0
        self.incumbent: Any = None
        self.candidates: list[Evaluation] = []
        self.selected: Evaluation | None = None
        self.done = False

    def steps(self) -> Steps:
        """Run all stages: a generator, advanced before the first step and after each step."""
        n_warm_up = yield from self._warm_up()
        n_refit = max(int(REFIT_FRACTION * n_warm_up), MIN_EVALUATIONS * self.interval)
        if not self.validated:
            n_left = self.n_steps - self.step
            yield from self._follow_path(n_left - min(n_refit, n_left // 3))
            self.selected = self.candidates[-1]
            self._threshold(self.selected)
            yield from self._refit(self.n_steps - self.step, train_gates=False)
        else:
            yield from self._compare_paths(n_refit)
        self.done = True

    def _compare_paths(self, n_refit: int) -> Steps:
        """Run stages 2 to 5 with static gates; if these say little, with others too."""
        warm_up, static = self.incumbent, None
        if self._try_static():
            n_half = (self.n_steps - self.step) // 2
            is_expanded = yield from self._path_to_refit(n_half, n_refit)
            if is_expanded or time_fraction(self.gate_usage()["active"]) < STATIC_TIME_FRACTION:
                return
            static = self.incumbent, self.candidates, self.selected
        self._restore(warm_up)
        yield from self._path_to_refit(self.n_steps - self.step, n_refit)
        if static is not None and not self._is_better(static[0]):
            self._restore(static[0])
            _, self.candidates, self.selected = static

    def _is_better(self, static: Evaluation) -> bool:
        """Return whether the incumbent is much sparser than static gates, and not worse."""
        incumbent: Evaluation = self.incumbent
        is_sparser = SPARSER * incumbent.density <= static.density
        return is_sparser and incumbent.loss <= max(static.loss, NEGLIGIBLE * self.null.loss)

    def _path_to_refit(self, n_max: int, n_refit: int) -> Generator[None, None, bool]:
        """Run stages 2 to 5 from the incumbent; return whether a group was expanded."""
        n_refit = min(n_refit, n_max // 3)
        self.gate.set_sampled(True)
        self.gate.requires_grad_(True)
        self.reset_optimizer()
        yield from self._follow_path(n_max - n_refit)
        best = min(self.candidates, key=lambda candidate: candidate.loss)
        if not is_better_than_null(best, self.null):
            self._restore(best)
            self.selected = None
            self.gate.set_active("active", self.gate.active & False)
            self.incumbent = self._evaluate()
            return False
        self.selected = select(self.candidates, self.tolerance)
        self._threshold(self.selected)
        if self.gate.static:
            is_expanded = yield from self._expand_group(n_refit)
            if is_expanded:
                return True
        yield from self._refit(n_refit)
        sparser = select_negligibly_worse(self.candidates, self.selected, self.null)
        if sparser is not self.selected:
            yield from self._try_sparser(sparser, n_refit)
        return False

    def finish(self) -> None:
        """Load the weights of the incumbent, whenever training has stopped."""
        if self.incumbent is not None:
            self.network.load_state_dict(self.incumbent.state)
        self.gate.set_sampled(True)
        self.gate.requires_grad_(True)

    def table(self) -> list[dict[str, Any]]:
        """Return a row for each candidate: the estimator's ``path_``."""
        if not self.candidates:
            return []
        best = min(self.candidates, key=lambda candidate: candidate.loss)
        return [
            {
                "penalty": candidate.penalty,
                "valid_loss": candidate.loss,
                "standard_error": candidate.difference(best)[1],
                "density": candidate.density,
                "selected": candidate is self.selected,
            }
            for candidate in self.candidates
        ]

    def _warm_up(self) -> Generator[None, None, int]:
        """Train without penalty; return the number of steps until the best evaluation.

        If no evaluation is better than the null model, the last one is kept: the first is that of
        nearly untrained weights.
        """
        fraction = WARM_UP_FRACTION if self.validated else UNVALIDATED_WARM_UP_FRACTION
        n_max = max(1, int(fraction * self.n_steps))
        if not self.validated and self.gate.evidence is not None:
            self.gate.evidence.requires_grad_(False)  # it is 0, and would fit noise
        n_min = min(MIN_EVALUATIONS * self.interval, n_max)
        n_stalled, has_learnt, is_stalled = 0, False, False
        evaluation: Any = None
        while self.step < n_max and not is_stalled:
            yield from self._run(min(self.interval, n_max - self.step))
            evaluation = self._evaluate()
            if self.incumbent is None or evaluation.loss < (1 - IMPROVEMENT) * self.incumbent.loss:
                self.incumbent, n_stalled = evaluation, 0
            else:
                n_stalled += 1
            if not has_learnt and self.incumbent.loss < LEARNT * self.null.loss:
                has_learnt = True
                self.network.slow_skip_connection()
                self.average.reset()  # the skip connection is now scaled differently
            patience = (LEARNT_PATIENCE if has_learnt else 1) * self.n_iter_no_change
            is_learnt = self.incumbent.loss < NEGLIGIBLE * self.null.loss
            is_stalled = is_learnt or (self.step >= n_min and n_stalled >= patience)
            is_stalled &= self.validated
        if not self.validated or self.incumbent.loss >= self.null.loss:
            self.incumbent = evaluation
        self._restore(self.incumbent)
        self.network.slow_skip_connection()
        n_steps: int = max(self.incumbent.step, n_min)
        return n_steps

    def _follow_path(self, n_max: int) -> Steps:
        """Change the penalty from one evaluation to the next, for at most ``n_max`` steps.

        With a validation set it rises. Without one it falls to the lowest, from a penalty that
        closes most gates: gates that were open long would have fitted the noise.
        """
        self.phase = "path"
        n_next = max(1, self.interval // 2)
        n_evaluations = max(1, n_max // n_next)
        penalty = self.low_penalty
        factor = max((MAX_PENALTY / penalty) ** (1 / n_evaluations), PENALTY_FACTOR)
        if not self.validated:
            penalty = max(UNVALIDATED_PENALTY, self.low_penalty)
            factor = (self.low_penalty / penalty) ** (1 / n_evaluations)
        is_falling = False
        self.candidates = [self.incumbent]
        end = self.step + n_max
        while self.step + n_next <= end and (penalty < MAX_PENALTY or not self.validated):
            change = 1.0 if is_falling else min(factor, MAX_PENALTY / penalty)
            yield from self._run(n_next, partial(_geometric, penalty, change))
            penalty *= change
            last, candidate = self.candidates[-1], self._evaluate()
            self.candidates.append(candidate)
            if not self.validated:
                continue
            is_falling = (
                NEGLIGIBLE * self.null.loss < candidate.loss < (1 - IMPROVEMENT) * last.loss
            )
            if candidate.density * self.n_gates < 1:
                break

    def _threshold(self, candidate: Evaluation) -> None:
        """Make a candidate the incumbent, and close little-used gates and inputs permanently.

        Its loss may then be higher by the tolerance.
        """
        self._restore(candidate)
        max_loss = (1 + self.tolerance) * candidate.loss
        for name, used in self.gate_usage().items():
            for threshold in THRESHOLDS:
                if self._try_closing(name, used >= threshold, max_loss):
                    break

    def _refit(
        self,
        n_steps: int,
        phase: str = "refit",
        step_size: float = REFIT_STEP_SIZE,
        *,
        train_gates: bool = True,
    ) -> Steps:
        """Train without noise and penalty, the step size decreasing to 0; keep the best weights.

        The last weights are kept if none are better and they are within a standard error: they are
        free of the effects of noise, penalty and thresholding.
        """
        self.phase = phase
        self.gate.set_sampled(False)
        self.gate.requires_grad_(train_gates)
        self.reset_optimizer()
        before = last = self.incumbent
        end = self.step + n_steps
        end = min(end - end % -self.n_batches, self.n_steps)  # a whole epoch
        first, n_steps = self.step, end - self.step
        while self.step < end:
            yield from self._run(
                min(self.interval, end - self.step),
                step_size=lambda _: step_size * (end - self.step) / n_steps,
            )
            last = self._evaluate()
            if last.loss < self.incumbent.loss:
                self.incumbent = last
        if self.incumbent is before and self.step > first and last.is_not_worse(before, 0.0):
            self.incumbent = last
        if not self.validated:
            self.incumbent = last
        self._restore(self.incumbent)

    def _try_sparser(self, candidate: Evaluation, n_steps: int) -> Steps:
        """Refit a candidate; keep the result if it is not worse."""
        before = self.incumbent
        self._threshold(candidate)
        yield from self._refit(n_steps)
        if self.incumbent.is_not_worse(before, self.tolerance):
            self.selected = candidate
        else:
            self._restore(before)

    def _try_static(self) -> bool:
        """Make the gates of the incumbent static, if it does not lose much; return whether."""
        room = STATIC_LOSS * max(0.0, self.null.loss - self.incumbent.loss)
        max_loss = self.incumbent.loss + max(room, NEGLIGIBLE * self.null.loss)
        return self._try(self.make_static, max_loss, STATIC_DENSIFICATION)

    def _expand_group(self, n_steps: int) -> Generator[None, None, bool]:
        """Open all gates of an interchangeable group; return whether the result is kept.

        The gates must be static.
        """
        selected, gate = self.incumbent, self.gate
        group, exchanges = self.find_interchangeable()
        if not group.any() or not are_interchangeable(selected, self.null, exchanges):
            return False
        self.network.expand(group)
        self.incumbent = self._evaluate(self.incumbent)
        self._close_others(group)
        yield from self._refit(n_steps, "group expansion", GROUP_STEP_SIZE, train_gates=False)
        self._close_others(group)
        opens_others = bool((gate.active & ~group & ~selected.state["gate.active"]).any())
        is_negligible = self.incumbent.loss < NEGLIGIBLE * self.null.loss
        is_not_worse = self.incumbent.is_not_worse(selected, self.tolerance, GROUP_ERRORS)
        if not opens_others and (is_negligible or is_not_worse):
            return True
        self._restore(selected)
        return False

    def _close_others(self, group: Tensor) -> None:
        """Close all gates outside a group permanently, if the loss stays within the tolerance."""
        max_loss = (1 + self.tolerance) * self.incumbent.loss
        self._try_closing("active", group, max(max_loss, NEGLIGIBLE * self.null.loss))

    def _run(
        self,
        n_steps: int,
        penalty: Callable[[float], float] = lambda progress: 0.0,
        step_size: Callable[[float], float] = lambda progress: 1.0,
    ) -> Steps:
        """Run steps; penalty and step size are functions of their progress from 0 to 1.

        The price of an input of the gating network grows more slowly than that of a gate.
        """
        for k in range(n_steps):
            of_gates = penalty(k / n_steps)
            self.gate.set_penalty(of_gates, (self.low_penalty * of_gates) ** 0.5)
            self.step_size = step_size(k / n_steps)
            self.step += 1
            yield
            self.average.update()

    def _evaluate(self, changed: Evaluation | None = None) -> Evaluation:
        """Evaluate the averaged weights, and keep a copy of them.

        The step is the present one, or that of the evaluation whose weights were ``changed``.
        """
        with self.average.applied():
            evaluation = self.evaluate_weights()
            evaluation.state = copy.deepcopy(self.network.state_dict())
        evaluation.step = self.step if changed is None else changed.step
        evaluation.epoch = -(-evaluation.step // self.n_batches)
        evaluation.penalty = self.gate.penalty
        return evaluation

    def _restore(self, evaluation: Evaluation) -> None:
        """Make an evaluation the incumbent, and load its weights."""
        self.average.reset()
        self.incumbent = evaluation
        self.network.load_state_dict(evaluation.state)

    def _try_closing(self, name: str, kept: Tensor, max_loss: float) -> bool:
        """Close permanently what is not kept, if the loss is then at most ``max_loss``."""
        if not (getattr(self.gate, name) & ~kept).any():
            return True
        return self._try(lambda: self.close_gates(name, kept), max_loss)

    def _try(
        self, change: Callable[[], None], max_loss: float, max_densification: float = DENSIFICATION
    ) -> bool:
        """Change the incumbent, if its loss is then at most ``max_loss``; return whether it is.

        Closed inputs of the gating network may open gates: the density may increase by the factor
        ``max_densification``. Not all gates are closed.
        """
        before = self.incumbent
        change()
        candidate = self._evaluate(before)
        is_denser = candidate.density > max_densification * before.density
        if candidate.loss > max_loss or is_denser or candidate.density == 0:
            self._restore(before)
            return False
        self.incumbent = candidate
        return True


def _geometric(first: float, factor: float, progress: float) -> float:
    penalty: float = first * factor**progress
    return penalty


def time_fraction(gates: Tensor) -> float:
    """Return the fraction of the steps at which a feature is open, weighted by open gates.

    It is 0 for gates of features, which have no steps.
    """
    if len(gates) == 1:
        return 0.0
    n_open = gates.sum(dim=0)
    return float((n_open**2).sum() / n_open.sum().clamp_min(1e-12)) / len(gates)
