"""Attention over the time steps and the features of a window, as torch modules."""

from ._bahdanau import BahdanauScore
from ._dense import DenseCellGate, DenseFeatureGate, DenseTimeGate
from ._encoder import PositionEmbedding, WindowLSTM
from ._luong import LuongScore
from ._places import ScoreFeatureGate, ScoreReadout
from ._registry import ATTENTION_MECHANISMS, ATTENTION_MODES, attention_options

__all__ = [
    "ATTENTION_MECHANISMS",
    "ATTENTION_MODES",
    "BahdanauScore",
    "DenseCellGate",
    "DenseFeatureGate",
    "DenseTimeGate",
    "LuongScore",
    "PositionEmbedding",
    "ScoreFeatureGate",
    "ScoreReadout",
    "WindowLSTM",
    "attention_options",
]
