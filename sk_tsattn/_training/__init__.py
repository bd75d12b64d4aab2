"""Training and running the network: the only package that knows skorch."""

from ._batch_size import resolve_batch_size
from ._calibration import calibrate_quantiles
from ._compilation import check_compiler
from ._devices import resolve_device
from ._fit import TrainingResult, train
from ._inference import attend, predict
from ._initial_weights import start_at_null_model
from ._net import change_net, check_net_params, history, make_net
from ._precision import PRECISIONS, resolve_precision
from ._state import get_state, set_state

__all__ = [
    "PRECISIONS",
    "TrainingResult",
    "attend",
    "calibrate_quantiles",
    "change_net",
    "check_compiler",
    "check_net_params",
    "get_state",
    "history",
    "make_net",
    "predict",
    "resolve_batch_size",
    "resolve_device",
    "resolve_precision",
    "set_state",
    "start_at_null_model",
    "train",
]
