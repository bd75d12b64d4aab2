"""The values allowed for each parameter of the estimators, in one dict."""

from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np

from ._data._checks import is_int
from ._training._loss_functions import REGRESSION_LOSSES
from ._training._precision import PRECISIONS
from .attention import ATTENTION_MECHANISMS, ATTENTION_MODES

# The check of a value, and its description: "must be ...".
Constraint = tuple[Callable[[Any], bool], str]


def _integer(minimum: int) -> Constraint:
    return lambda value: is_int(value, minimum), f"an int >= {minimum}"


def _number(holds: Callable[[Any], bool], text: str) -> Constraint:
    def check(value: Any) -> bool:
        return not isinstance(value, bool) and isinstance(value, Real) and holds(value)

    return check, text


def _one_of(*values: object) -> Constraint:
    def check(value: Any) -> bool:
        return any(value is v or (isinstance(value, str) and value == v) for v in values)

    return check, "one of " + ", ".join(map(repr, values))


def _instance(*types: type, text: str) -> Constraint:
    return lambda value: isinstance(value, types), text


def _or_none(constraint: Constraint) -> Constraint:
    check, text = constraint
    return lambda value: value is None or check(value), f"{text}, or None"


def _or_auto(constraint: Constraint) -> Constraint:
    check, text = constraint
    return lambda value: _one_of("auto")[0](value) or check(value), f"{text}, or 'auto'"


def _are_weights(value: Any) -> bool:
    """Return whether this is a dict of weights."""
    check, _ = _number(lambda v: 0 <= v < np.inf, "")
    return isinstance(value, dict) and all(map(check, value.values())) and any(value.values())


def _are_quantiles(value: Any) -> bool:
    """Return whether these are increasing quantiles, with the median if there are several."""
    if not isinstance(value, list | tuple | np.ndarray) or not len(value):
        return False
    check, _ = _number(lambda v: 0 < v < 1, "")
    is_increasing = all(map(check, value)) and all(np.diff(value) > 0)
    return is_increasing and (len(value) == 1 or 0.5 in value)


CONSTRAINTS: dict[str, Constraint] = {
    "attention_mode": _one_of(*ATTENTION_MODES, None),
    "attention": _one_of(*ATTENTION_MECHANISMS),
    "attention_params": _or_none(_instance(dict, text="a dict")),
    "hidden_size": _integer(1),
    "num_layers": _integer(1),
    "dropout": _number(lambda v: 0 <= v < 1, "a number in [0, 1)"),
    "position_embedding": _one_of(True, False),
    "lookback": _or_none(_integer(1)),
    "context": _one_of("auto", "train_tail", "mask"),
    "loss": _one_of(*REGRESSION_LOSSES),
    "quantiles": (
        _are_quantiles,
        "an increasing sequence of numbers in (0, 1), with 0.5 among them if there are several",
    ),
    "class_weight": _or_none(
        (
            lambda value: _are_weights(value) or _one_of("balanced")[0](value),
            "a dict of weights by class (numbers >= 0, not all 0), or 'balanced'",
        )
    ),
    "standardize": _one_of(True, False),
    "max_epochs": _integer(1),
    "lr": _number(lambda v: v > 0, "a number > 0"),
    "batch_size": _or_auto(_integer(1)),
    "weight_decay": _number(lambda v: v >= 0, "a number >= 0"),
    "early_stopping": _one_of("auto", True, False),
    "validation_fraction": _number(lambda v: 0 < v < 1, "a number in (0, 1)"),
    "n_iter_no_change": _integer(1),
    "warm_start": _one_of(True, False),
    "precision": _one_of("auto", *PRECISIONS),
    "compile": _one_of(True, False),
    "random_state": _or_none(
        (
            lambda value: isinstance(value, np.random.RandomState) or is_int(value, 0),
            "an int >= 0 or a RandomState instance",
        )
    ),
    "verbose": _one_of(True, False, 0, 1, 2),
    "callbacks": _or_none(_instance(list, tuple, text="a list of skorch callbacks")),
    "net_params": _or_none(_instance(dict, text="a dict of skorch options")),
}

# Of parameters that others check: the device (torch) and those of a subclass.
ANYTHING: Constraint = (lambda value: True, "anything")


def check_parameters(estimator: Any) -> None:
    """Raise a ValueError for the first parameter whose value is not allowed."""
    for name, value in estimator.get_params(deep=False).items():
        check, text = CONSTRAINTS.get(name, ANYTHING)
        if not check(value):
            raise ValueError(
                f"The {name!r} parameter of {type(estimator).__name__} must be {text}. "
                f"Got {value!r} instead."
            )
