"""Attention over the time steps and the features of a window, as torch modules."""

from ._bahdanau import BahdanauScore
from ._bottleneck._evidence import CellEvidence
from ._bottleneck._gate import BottleneckGate
from ._bottleneck._network import BottleneckLSTM
from ._bottleneck._sensitivity import gate_sensitivity
from ._darnn import DARNN
from ._dense import DenseCellGate, DenseFeatureGate, DenseTimeGate
from ._encoder import PositionEmbedding, WindowLSTM
from ._han import HANReadout, HANScore
from ._imv import IMVLSTM, VariableLSTM
from ._input_attention import InputAttentionEncoder
from ._luong import LuongScore
from ._registry import ATTENTION_MECHANISMS, ATTENTION_MODES, attention_options
from ._retain import RETAIN
from ._self import SelfAttention, SelfFeatureGate, SelfReadout
from ._stacked import StackedFeatureGate
from ._temporal_decoder import TemporalAttentionDecoder
from ._wrappers import ScoreFeatureGate, ScoreReadout

__all__ = [
    "ATTENTION_MECHANISMS",
    "ATTENTION_MODES",
    "DARNN",
    "IMVLSTM",
    "RETAIN",
    "BahdanauScore",
    "BottleneckGate",
    "BottleneckLSTM",
    "CellEvidence",
    "DenseCellGate",
    "DenseFeatureGate",
    "DenseTimeGate",
    "HANReadout",
    "HANScore",
    "InputAttentionEncoder",
    "LuongScore",
    "PositionEmbedding",
    "ScoreFeatureGate",
    "ScoreReadout",
    "SelfAttention",
    "SelfFeatureGate",
    "SelfReadout",
    "StackedFeatureGate",
    "TemporalAttentionDecoder",
    "VariableLSTM",
    "WindowLSTM",
    "attention_options",
    "gate_sensitivity",
]
