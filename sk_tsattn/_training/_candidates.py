"""The incumbent of a training, and the candidates that can replace it without optimisation."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from torch import Tensor

from ._averaging import Average
from ._evaluation import Evaluation, mean_evaluation

# Gates with a smaller mean are closed permanently: the greatest threshold that costs nothing.
PRUNING_THRESHOLDS = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01)
# A candidate is denser than another if its density is greater by the first factor. Closing inputs
# of the gating network may increase the density by the second at most.
DENSER, MUCH_DENSER = 1.02, 2
# A gate is unused if it changes the prediction by less than this fraction of the tolerated
# increase. The fractions are tried in turn until the loss stays within the tolerance.
UNUSED_FRACTIONS = (1, 0.3, 0.1)
# Static gates are tried if they lose at most this fraction of the improvement over the null model.
STATIC_LOSS = 0.25
# Inputs are interchangeable if exchanging them increases the loss by at most the first fraction of
# it, and of the improvement over the null model; or by the second fraction of the null loss.
EXCHANGE_LOSS, MIN_EXCHANGE_LOSS = 0.15, 0.001
# Standard errors by which a candidate of the penalty ramp must be better than closed gates. There
# are several such candidates, of which the best is taken.
CLOSED_ERRORS = 3
# Standard errors of a significant difference.
SIGNIFICANT = 2
# A loss below this fraction of the null loss is negligible.
NEGLIGIBLE = 0.0002


class Candidates:
    """The incumbent, and candidates that can replace it without an optimisation step.

    Parameters
    ----------
    network : BottleneckLSTM
        The network in training.
    n_batches : int
        Steps of an epoch.
    tolerance : float
        Relative increase of the loss accepted in exchange for sparser gates.
    evaluate : callable
        Returns an :class:`Evaluation` on the validation set, or else on the training set.
    gate_usage, gate_effects, close_gates : callable
        The functions of :mod:`._evaluation`, without their first two arguments.
    average : Average
        Average of the weights, which is evaluated and kept.
    null_loss : float
        Loss of predicting 0 on the same windows.

    Attributes
    ----------
    incumbent : Evaluation or None
        The best evaluation so far.
    warmed_up : Evaluation or None
        The evaluation that ended the warm-up.
    """

    def __init__(
        self,
        network: Any,
        *,
        n_batches: int,
        tolerance: float,
        evaluate: Callable[[], Evaluation],
        gate_usage: Callable[[], dict[str, tuple[Tensor, Tensor]]],
        gate_effects: Callable[[], tuple[Tensor, Tensor]],
        close_gates: Callable[[str, Tensor], None],
        average: Average,
        null_loss: float,
    ) -> None:
        self.network = network
        self.n_batches = n_batches
        self.tolerance = tolerance
        self.evaluate_weights = evaluate
        self.gate_usage = gate_usage
        self.gate_effects = gate_effects
        self.close_gates = close_gates
        self.average = average
        self.null_loss = null_loss
        self.incumbent: Any = None
        self.warmed_up: Any = None

    def evaluate(self, step: int) -> Evaluation:
        """Evaluate the averaged weights of a step, and keep a copy of them."""
        with self.average.applied():
            evaluation = self.evaluate_weights()
            evaluation.state = copy.deepcopy(self.network.state_dict())
        evaluation.step = step
        evaluation.epoch = -(-step // self.n_batches)
        return evaluation

    def restore(self, evaluation: Evaluation) -> None:
        """Make an evaluation the incumbent, and load its weights."""
        self.average.reset()
        self.incumbent = evaluation
        self.network.load_state_dict(evaluation.state)

    def is_negligible(self, evaluation: Evaluation) -> bool:
        """Return whether the loss is negligible beside that of the null model."""
        return evaluation.loss < NEGLIGIBLE * self.null_loss

    def is_closed(self, evaluation: Evaluation) -> bool:
        """Return whether the gates sum to less than one."""
        n_gates: int = self.network.gate.active.numel()
        return evaluation.density * n_gates < 1

    def tolerated_increase(self, evaluation: Evaluation) -> float:
        """Return the increase of the loss that is within the tolerance."""
        return self.tolerance * max(evaluation.loss, NEGLIGIBLE * self.null_loss)

    def is_not_worse(self, candidate: Evaluation, other: Evaluation, n_errors: float = 1) -> bool:
        """Return whether the loss is within ``n_errors`` standard errors or the tolerance."""
        difference, error = candidate.difference(other)
        return difference <= max(n_errors * error, self.tolerated_increase(other))

    def resolvable_increase(self) -> float:
        """Return the smallest increase of the loss that the validation set can resolve."""
        return self.tolerance * self.null_loss

    def eligible(
        self, ramp: Sequence[Evaluation], path: Sequence[Evaluation], n_errors: float
    ) -> list[Evaluation]:
        """Drop dense candidates that are not significantly better than sparser ones.

        A candidate of the ramp must be better than the best of the path by ``n_errors`` standard
        errors, and by more than the tolerance; and likewise than the best with closed gates.
        """
        closed = [candidate for candidate in (*ramp, *path) if self.is_closed(candidate)]
        rivals = [
            (min(candidates, key=lambda candidate: candidate.loss), n)
            for candidates, n in ((closed, CLOSED_ERRORS), (path, n_errors))
            if candidates
        ]
        # If the warm-up was never better than the null model, no open gate is taken for granted.
        trusted, tested = list(path), list(ramp)
        if self.warmed_up.loss >= self.null_loss:
            trusted, tested = [], [*ramp, *path]
        return trusted + [
            candidate
            for candidate in tested
            if self.is_closed(candidate)
            or not any(
                rival.density < candidate.density and self.is_not_worse(rival, candidate, n)
                for rival, n in rivals
            )
        ]

    def select_sparsest(self, candidates: Sequence[Evaluation]) -> Evaluation:
        """Make the sparsest candidate within the tolerance the incumbent, and prune it.

        Returns the candidate of lowest loss.
        """
        best = min(candidates, key=lambda candidate: candidate.loss)
        allowed = self.tolerated_increase(best)
        within = [candidate for candidate in candidates if candidate.loss - best.loss <= allowed]
        self.restore(min(within, key=lambda candidate: candidate.density, default=best))
        self.prune(self.gate_usage(), best.loss + allowed)
        return best

    def try_closing(
        self,
        name: str,
        kept: Tensor,
        max_loss: float,
        max_densification: float = DENSER,
        *,
        keep_one: bool = False,
    ) -> bool:
        """Close permanently what is not kept, if the loss is then at most ``max_loss``.

        Closed inputs of the gating network may open gates: the density may increase by the factor
        ``max_densification``. With ``keep_one``, closing all gates is rejected.
        """
        if not (getattr(self.network.gate, name) & ~kept).any():
            return True
        self.close_gates(name, kept)
        incumbent = self.incumbent
        candidate = self.evaluate(incumbent.step)
        if (
            candidate.loss > max_loss
            or candidate.density > max_densification * incumbent.density
            or (keep_one and candidate.density == 0)
        ):
            self.restore(incumbent)
            return False
        self.incumbent = candidate
        return True

    def screen_features(self) -> bool:
        """Close the gates of features without which the loss is significantly lower.

        The incumbent is evaluated, the current weights are changed, and training may reopen the
        gates. The most harmful feature is closed first. Returns whether any was.
        """
        n_features = self.network.gate.active.shape[-1]
        if n_features == 1:  # the only one, or gates on steps
            return False
        current_state = copy.deepcopy(self.network.state_dict())
        self.network.load_state_dict(self.incumbent.state)
        alone = {feature: self._evaluate_without([feature]) for feature in range(n_features)}
        closed: list[int] = []
        current = self.incumbent
        for feature in sorted(alone, key=lambda feature: alone[feature].loss):
            if alone[feature].loss >= self.incumbent.loss:
                break
            candidate = alone[feature] if not closed else self._evaluate_without([*closed, feature])
            difference, error = candidate.difference(current)
            if difference < -error and error <= self.tolerated_increase(current):
                closed.append(feature)
                current = candidate
        self.network.load_state_dict(current_state)
        if closed:
            self.network.gate.close_features(closed)
            self.average.reset()
        return bool(closed)

    def _evaluate_without(self, features: list[int]) -> Evaluation:
        """Evaluate the incumbent with all gates of some features closed."""
        self.close_gates("active", self._all_but("active", features))
        evaluation = self.evaluate_weights()
        self.network.load_state_dict(self.incumbent.state)
        return evaluation

    def prune(
        self,
        usage: dict[str, tuple[Tensor, Tensor]],
        max_loss: float,
        *,
        unresolved: bool = False,
    ) -> None:
        """Close little-used gates and inputs permanently, while the loss is at most ``max_loss``.

        So are all gates of features that are not needed, unless ``unresolved``: ``max_loss`` then
        exceeds the incumbent's loss by what the validation set cannot resolve, and one gate is
        kept.
        """
        for name, (used, _) in usage.items():
            for threshold in PRUNING_THRESHOLDS:
                if self.try_closing(name, used >= threshold, max_loss, keep_one=unresolved):
                    break
        if not unresolved:
            self._prune_features(max_loss)
        gate, (sensitivity, _) = self.network.gate, usage["input_active"]
        by_feature = sensitivity.reshape(-1, sensitivity.shape[-1]).sum(dim=0)
        for feature in by_feature.argsort().tolist():
            if gate.input_gates().any():
                kept = self._all_but("input_active", feature)
                self.try_closing("input_active", kept, max_loss, keep_one=unresolved)

    def _prune_features(self, max_loss: float) -> None:
        """Close all gates of some features, the least needed first.

        A feature without which alone the loss exceeds ``max_loss`` is kept.
        """
        active = self.network.gate.active
        if active.shape[-1] == 1:  # the only one, or gates on steps
            return
        in_use = active.reshape(-1, active.shape[-1]).any(dim=0).nonzero()[:, 0].tolist()
        alone = {feature: self._evaluate_without([feature]).loss for feature in in_use}
        for feature in sorted(in_use, key=lambda feature: alone[feature]):
            if alone[feature] > max_loss:
                break
            self.try_closing("active", self._all_but("active", feature), max_loss)

    def _all_but(self, name: str, features: int | list[int]) -> Tensor:
        """Return the active gates or inputs but for those of some features."""
        kept: Tensor = getattr(self.network.gate, name).clone()
        kept[..., features] = False
        return kept

    def prune_by_penalty(self) -> None:
        """Close little-used gates permanently, while the loss increases less than the penalty."""
        gate = self.network.gate
        penalties = {"active": gate.penalty, "input_active": gate.gating_penalty}
        loss = self.evaluate_weights().loss
        for name, (used, paid) in self.gate_usage().items():
            for threshold in reversed(PRUNING_THRESHOLDS):
                before = getattr(gate, name).clone()
                kept = before & (used >= threshold)
                gate.set_active(name, kept)
                saved = penalties[name] * float(paid[before & ~kept].sum())
                pruned = self.evaluate_weights().loss
                if pruned > (1 + saved) * loss:
                    gate.set_active(name, before)
                    break
                loss = pruned

    def try_static_gates(self) -> bool:
        """Close all inputs of the gating network, if most of what was learnt is kept."""
        gate, incumbent = self.network.gate, self.incumbent
        max_loss = incumbent.loss + STATIC_LOSS * max(0.0, self.null_loss - incumbent.loss)
        return self.try_closing("input_active", gate.input_active & False, max_loss, MUCH_DENSER)

    def are_interchangeable(self, exchanges: Iterable[Evaluation]) -> bool:
        """Return whether exchanging inputs increases the loss by little, significantly so."""
        incumbent = self.incumbent
        little = EXCHANGE_LOSS * min(incumbent.loss, self.null_loss - incumbent.loss)
        little = max(little, MIN_EXCHANGE_LOSS * self.null_loss)
        evaluations: list[Evaluation] = []
        increase = error = 0.0
        for exchange in exchanges:
            evaluations.append(exchange)
            increase, error = mean_evaluation(evaluations).difference(incumbent)
            if increase > little:
                return False
        return bool(increase + SIGNIFICANT * error <= little)

    def close_others(self, group: Tensor) -> None:
        """Close all gates outside a group permanently, if the loss stays within the tolerance."""
        max_loss = self.incumbent.loss + self.tolerated_increase(self.incumbent)
        self.try_closing("active", group, max(max_loss, NEGLIGIBLE * self.null_loss))

    def close_unused(self, max_increase: float) -> None:
        """Close gates that are open but do not change the prediction, permanently."""
        self.restore(self.incumbent)
        effect, density = self.gate_effects()
        for fraction in UNUSED_FRACTIONS:
            little = fraction * max_increase
            kept = effect >= little * density
            if self.try_closing("active", kept, self.incumbent.loss + little, keep_one=True):
                break

    def with_sparser_gates(self, candidate: Evaluation) -> Evaluation:
        """Return a candidate with the incumbent's gates, if its own are denser for no benefit."""
        if not self._is_denser(candidate) or self.is_improvement(candidate):
            return candidate
        current_state = copy.deepcopy(self.network.state_dict())
        state = self.incumbent.state
        gates = {name: value for name, value in state.items() if name.startswith("gate.")}
        self.network.load_state_dict(candidate.state | gates)
        sparser = self.evaluate_weights()
        sparser.state = candidate.state | gates
        sparser.step, sparser.epoch = candidate.step, candidate.epoch
        self.network.load_state_dict(current_state)
        return sparser

    def _is_denser(self, candidate: Evaluation) -> bool:
        return bool(candidate.density > DENSER * self.incumbent.density)

    def is_improvement(self, candidate: Evaluation) -> bool:
        """Return whether a candidate is better; if denser, by an error and the tolerance."""
        difference, error = candidate.difference(self.incumbent)
        if self._is_denser(candidate):
            return difference < -max(error, self.tolerated_increase(self.incumbent))
        return difference < 0
