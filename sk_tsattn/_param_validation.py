"""What each parameter of the estimator may be: one dict, read by validation and by tests."""

from numbers import Integral, Real

import numpy as np

from .attention import ATTENTION_MECHANISMS, ATTENTION_MODES


def _an_int(minimum):
    def check(value):
        return not isinstance(value, bool) and isinstance(value, Integral) and value >= minimum

    return check, f"an int >= {minimum}"


def _a_number(holds, text):
    def check(value):
        return not isinstance(value, bool) and isinstance(value, Real) and holds(value)

    return check, text


def _one_of(*values):
    def check(value):
        return any(value is v or (isinstance(value, str) and value == v) for v in values)

    return check, "one of " + ", ".join(map(repr, values))


def _a(*types, text):
    return lambda value: isinstance(value, types), text


def _or_none(constraint):
    check, text = constraint
    return lambda value: value is None or check(value), f"{text}, or None"


CONSTRAINTS = {
    "attention_mode": _one_of(*ATTENTION_MODES, None),
    "attention": _one_of(*ATTENTION_MECHANISMS),
    "attention_params": _or_none(_a(dict, text="a dict")),
    "hidden_size": _an_int(1),
    "num_layers": _an_int(1),
    "dropout": _a_number(lambda v: 0 <= v < 1, "a number in [0, 1)"),
    "position_embedding": _one_of(True, False),
    "lookback": _or_none(_an_int(1)),
    "context": _one_of("auto", "train_tail", "mask"),
    "standardize": _one_of(True, False),
    "max_epochs": _an_int(1),
    "lr": _a_number(lambda v: v > 0, "a number > 0"),
    "batch_size": _an_int(1),
    "weight_decay": _a_number(lambda v: v >= 0, "a number >= 0"),
    "early_stopping": _one_of("auto", True, False),
    "validation_fraction": _a_number(lambda v: 0 < v < 1, "a number in (0, 1)"),
    "n_iter_no_change": _an_int(1),
    "warm_start": _one_of(True, False),
    "random_state": _or_none(
        (
            lambda value: isinstance(value, np.random.RandomState) or _an_int(0)[0](value),
            "an int >= 0 or a RandomState instance",
        )
    ),
    "verbose": _one_of(True, False, 0, 1, 2),
    "callbacks": _or_none(_a(list, tuple, text="a list of skorch callbacks")),
    "net_params": _or_none(_a(dict, text="a dict of skorch options")),
}


def check_parameters(estimator):
    """Raise a ValueError for the first parameter that is not what it may be."""
    for name, (check, text) in CONSTRAINTS.items():
        value = getattr(estimator, name)
        if not check(value):
            raise ValueError(
                f"The {name!r} parameter of {type(estimator).__name__} must be {text}. "
                f"Got {value!r} instead."
            )
