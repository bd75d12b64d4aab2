"""Sparse gates on the input with an L0 penalty, and the network after them."""

from ._gate import BottleneckGate
from ._network import BottleneckLSTM

__all__ = ["BottleneckGate", "BottleneckLSTM"]
