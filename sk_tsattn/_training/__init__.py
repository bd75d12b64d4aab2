"""Training and running the network: the only package that knows skorch."""

from ._devices import resolve_device
from ._fit import TrainingResult, train
from ._inference import attend, predict
from ._net import change_net, check_net_params, history, make_net

__all__ = [
    "TrainingResult",
    "attend",
    "change_net",
    "check_net_params",
    "history",
    "make_net",
    "predict",
    "resolve_device",
    "train",
]
