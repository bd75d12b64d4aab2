"""Refitting the incumbent: without noise and penalty, with fewer gates, or with a group of them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from typing import Any

from torch import Tensor

from ._candidates import MUCH_DENSER, SIGNIFICANT, Candidates
from ._evaluation import Evaluation
from ._penalty import gating_penalty

# The relative decrease of the loss that counts as an improvement.
IMPROVEMENT = 0.05
# A loss above this fraction of the null loss is regarded as mostly noise.
NOISY = 0.25
# The first relative step size of a refit with a validation set; and after a group expansion, where
# large steps would fit the noise of many similar inputs.
REFIT_STEP_SIZE, GROUP_STEP_SIZE = 0.5, 0.1

Steps = Generator[None, None, None]


class Refinement(Candidates):
    """Candidates that take optimisation steps to replace the incumbent.

    Each method that optimises is a generator, advanced before the first step and after each step.

    Parameters
    ----------
    network : BottleneckLSTM
        The network in training.
    n_steps : int
        Maximum number of optimisation steps; a multiple of ``n_batches``.
    interval : int
        Steps between two evaluations.
    validated : bool
        Whether there is a validation set.
    reset_optimizer : callable
        Clears the moments of the optimizer.
    find_interchangeable : callable
        Returns a group of gates, and evaluations with their inputs exchanged.
    evaluate_training : callable
        Returns an :class:`.Evaluation` on the training set.
    penalties : tuple of (float, float)
        The lowest and the highest penalty of an open gate.
    **options : Any
        Parameters of :class:`.Candidates`.

    Attributes
    ----------
    phase : str
        The phase of the present step.
    step : int
        Number of the present step, from 1 on.
    step_size : float
        Step size of the present step, relative to the optimizer's own.
    """

    def __init__(
        self,
        network: Any,
        *,
        n_steps: int,
        interval: int,
        validated: bool,
        reset_optimizer: Callable[[], None],
        find_interchangeable: Callable[[], tuple[Tensor, Iterator[Evaluation]]],
        evaluate_training: Callable[[], Evaluation],
        penalties: tuple[float, float],
        **options: Any,
    ) -> None:
        super().__init__(network, **options)
        self.n_steps = n_steps
        self.interval = interval
        self.validated = validated
        self.reset_optimizer = reset_optimizer
        self.find_interchangeable = find_interchangeable
        self.evaluate_training = evaluate_training
        self.low_penalty, self.high_penalty = penalties
        self.phase = "warm-up"
        self.step = 0
        self.step_size = 1.0

    def _run_steps(
        self,
        n_steps: int,
        penalty: Callable[[float], float] = lambda progress: 0.0,
        step_size: Callable[[float], float] = lambda progress: 1.0,
        *,
        start: int = 0,
        total: int | None = None,
    ) -> Steps:
        """Run steps; penalty and step size are functions of the progress of the phase."""
        for k in range(start, start + n_steps):
            progress = min(1, k / (total or n_steps))
            of_gates = penalty(progress)
            of_inputs = gating_penalty(of_gates, self.low_penalty, self.high_penalty)
            self.network.gate.set_penalty(of_gates, of_inputs)
            self.step_size = step_size(progress)
            self.step += 1
            yield
            if self.validated:
                self.average.update()

    def _is_noisy(self, evaluation: Evaluation) -> bool:
        """Return whether the loss is high beside that of the null model."""
        return evaluation.loss >= NOISY * self.null_loss

    def _n_errors(self) -> float:
        """Return the standard errors of a significant difference: fewer if the loss is low."""
        return SIGNIFICANT if self._is_noisy(self.warmed_up) else 1

    def _refit_candidate(self, candidates: Sequence[Evaluation], n_steps: int) -> Steps:
        """Refit a promising candidate; it becomes the incumbent if significantly better then.

        Its training loss must not be higher by more than the validation set can resolve.
        """
        selected = self.incumbent
        max_loss = self.evaluate_training().loss + self.resolvable_increase()
        self.select_sparsest(candidates)
        yield from self._anneal("candidate refit", n_steps)
        self.restore(self.incumbent)
        candidate, is_by_chance = self.incumbent, self.evaluate_training().loss > max_loss
        self.restore(selected)
        if is_by_chance or self.is_not_worse(selected, candidate, self._n_errors()):
            return
        yield from self._anneal("candidate refit", n_steps)  # the same for the selected one
        keeps = self.is_not_worse(self.incumbent, candidate, self._n_errors())
        self.restore(selected if keeps else candidate)

    def _expand_group(self, n_steps: int) -> Generator[None, None, bool]:
        """Open all gates of an interchangeable group; return whether the result is kept."""
        selected, gate = self.incumbent, self.network.gate
        if gate.evidence is not None:  # the cells that are open differ between windows
            return False
        found: list[Tensor] = []
        for start in (selected, self.warmed_up):
            self.restore(start)
            if gate.input_gates().any() and not self.try_static_gates():
                continue
            group, exchanges = self.find_interchangeable()
            found.append(group)
            is_same = bool((group == found[0]).all())
            if is_same and group.any() and self.are_interchangeable(exchanges):
                break
        else:
            self.restore(selected)
            return False
        self.network.expand(group)
        self.incumbent = self.evaluate(selected.step)
        self.close_others(group)
        yield from self._anneal("group expansion", n_steps, GROUP_STEP_SIZE, train_gates=False)
        self.restore(self.incumbent)
        self.close_others(group)
        opens_others = bool((gate.active & ~group & ~selected.state["gate.active"]).any())
        is_not_worse = self.is_not_worse(self.incumbent, selected, SIGNIFICANT)
        if not opens_others and (self.is_negligible(self.incumbent) or is_not_worse):
            return True
        self.restore(selected)
        return False

    def _refit(self, n_steps: int) -> Steps:
        """Refit the incumbent, with static gates if they are as good, and prune it."""
        static = yield from self._refit_static(n_steps)
        much_better = (1 - self.tolerance) * self.incumbent.loss
        if static is not None and static.loss <= much_better and self._is_sparse(static):
            self.restore(static)
            return
        yield from self._anneal("refit", n_steps)
        self.restore(self.incumbent)
        if static is not None and (
            self.is_improvement(static)
            or (self._is_sparse(static) and self.is_not_worse(static, self.incumbent))
        ):
            self.restore(static)
        else:
            yield from self._prune_and_refit(n_steps)

    def _refit_static(self, n_steps: int) -> Generator[None, None, Evaluation | None]:
        """Return the incumbent refit with static gates, or None if these lose too much."""
        selected, gate = self.incumbent, self.network.gate
        if not (gate.input_gates().any() and self.try_static_gates()):
            return None
        yield from self._anneal("refit", n_steps)
        static: Evaluation = self.incumbent
        self.restore(selected)
        return static

    def _is_sparse(self, static: Evaluation) -> bool:
        """Return whether static gates are at most twice as dense as the gates in use now."""
        return static.density <= MUCH_DENSER * _total_use(self.gate_usage())

    def _prune_and_refit(self, n_steps: int) -> Steps:
        """Close what the validation set cannot resolve; keep it if the refit is not worse."""
        before, usage = self.incumbent, self.gate_usage()
        unresolved = self.resolvable_increase()
        training_loss = self.evaluate_training().loss
        max_loss = before.loss + self.tolerated_increase(before) + unresolved
        self.prune(usage, max_loss, unresolved=True)
        if self.incumbent is before:
            return
        if self.evaluate_training().loss <= training_loss + unresolved:
            yield from self._anneal("pruning", n_steps)
            self.restore(self.incumbent)
            is_sparse = self.incumbent.density <= MUCH_DENSER * _total_use(usage)
            is_not_worse = self.is_not_worse(self.incumbent, before)
            if (
                is_sparse
                and is_not_worse
                and self.evaluate_training().loss <= training_loss + unresolved
            ):
                return
        self.restore(before)

    def _anneal(
        self,
        phase: str,
        n_steps: int,
        step_size: float = REFIT_STEP_SIZE,
        *,
        train_gates: bool = True,
    ) -> Steps:
        """Train without noise and penalty, the step size decreasing to 0.

        It starts at ``step_size``, or at 1 without a validation set, and decreases faster after an
        evaluation that is not better. If the first one is much better, twice as many steps are run.

        The last weights become the incumbent if their loss is within a standard error of the
        previous one: they are free of the effects of noise, penalty and pruning.
        """
        self.phase = phase
        self.network.gate.set_sampled(False)
        self.network.gate.requires_grad_(self.validated and train_gates)
        self.reset_optimizer()
        before = candidate = self.incumbent
        if not self.validated:
            step_size = 1.0
        end = self.step + n_steps
        end += -end % self.n_batches  # a whole epoch
        n_left = min(end, self.n_steps) - self.step
        while n_left > 0:
            n_next = min(self.interval, n_left)
            first, last = step_size, step_size * (1 - n_next / n_left)
            yield from self._run_steps(n_next, step_size=partial(_interpolate, first, last))
            step_size, n_left = last, n_left - n_next
            if not self.validated:
                continue
            candidate = self.with_sparser_gates(self.evaluate(self.step))
            if self.is_improvement(candidate):
                is_first = self.incumbent is before and n_left > 0
                if is_first and candidate.loss < (1 - IMPROVEMENT) * before.loss:
                    n_left = min(n_left + n_steps, self.n_steps - self.step)
                self.incumbent = candidate
            else:
                n_left //= 2
        if self.incumbent is before and self.validated:
            difference, error = candidate.difference(before)
            if difference <= error:
                self.incumbent = candidate


def _interpolate(first: float, last: float, progress: float) -> float:
    return first + (last - first) * progress


def _total_use(usage: dict[str, tuple[Tensor, Tensor]]) -> float:
    """Return the mean use of the gates plus that of the inputs of the gating network."""
    return float(sum(used.mean() for used, _ in usage.values()))
