"""The kinds of weights: the estimator's fitted attribute of each, and the modes that define it."""

from __future__ import annotations

from typing import NamedTuple


class AttentionKind(NamedTuple):
    """The fitted attribute of a kind of attention, and the attention modes that define it."""

    attribute: str
    modes: tuple[str, ...]


# Distributions over steps, features and cells.
ATTENTION_KINDS = {
    "time": AttentionKind("time_attention_", ("time", "both")),
    "feature": AttentionKind("feature_attention_", ("feature", "both")),
    "cell": AttentionKind("attention_", ("both",)),
}
# Values in [0, 1] of the mechanisms whose gates can close, of the shape of the mode's own weights.
GATE_ATTRIBUTES = {"gate": "gates_", "gate_sensitivity": "gate_sensitivity_"}
