"""The weight of the L0 penalty on open gates, relative to the loss."""

from __future__ import annotations

from torch import nn

from ..attention import BottleneckGate

# The relative decrease of the loss that justifies an open gate, at the highest and at the lowest
# weight of the penalty.
MAX_PENALTY, MIN_PENALTY = 0.15, 0.0005
# Both decrease with the number of windows n. An irrelevant cell lowers the training loss of n
# windows by about 1 / n, and the best of many such cells by several times that. The penalty is
# therefore at least UNVALIDATED_WINDOWS / n, or VALIDATED_WINDOWS / n with a validation set.
UNVALIDATED_WINDOWS, VALIDATED_WINDOWS = 11, 5
# The highest weight is PEAK_WINDOWS / n, unless the schedule raises it further.
PEAK_WINDOWS = 400
# The penalty of an input of the gating network: this fraction of that of an open gate at the
# highest weight. It decreases with this power of it, and not below the lowest weight; a faster
# decrease would leave irrelevant inputs open.
GATING_FRACTION, GATING_POWER = 0.15, 0.4


def has_penalty(network: nn.Module) -> bool:
    """Return whether the gates of a network have an L0 penalty."""
    return isinstance(getattr(network, "gate", None), BottleneckGate)


def penalty_range(n_samples: int, *, validated: bool) -> tuple[float, float]:
    """Return the lowest and the highest penalty of an open gate for a number of training windows.

    ``validated`` says whether there is a validation set.
    """
    n_windows = VALIDATED_WINDOWS if validated else UNVALIDATED_WINDOWS
    low = min(max(MIN_PENALTY, n_windows / n_samples), MAX_PENALTY)
    return low, max(low, min(MAX_PENALTY, PEAK_WINDOWS / n_samples))


def gating_penalty(penalty: float, low: float, high: float) -> float:
    """Return the penalty of an input of the gating network, given that of an open gate.

    ``low`` and ``high`` are the lowest and the highest penalty of an open gate.
    """
    decreasing: float = GATING_FRACTION * high ** (1 - GATING_POWER) * penalty**GATING_POWER
    return max(decreasing, min(penalty, low))
