"""Checks of single values: ints and numbers within bounds."""

from numbers import Integral
from typing import Any


def is_int(value: Any, minimum: int) -> bool:
    """Return whether ``value`` is an int of at least ``minimum``; a bool is not an int."""
    return not isinstance(value, bool) and isinstance(value, Integral) and int(value) >= minimum


def check_int(value: Any, name: str, minimum: int, *, otherwise: str = "") -> None:
    """Raise a ValueError unless ``value`` is an int of at least ``minimum``.

    Parameters
    ----------
    value : object
        The value.

    name : str
        Name of the argument, for the message.

    minimum : int
        Smallest value allowed.

    otherwise : str, default=""
        What else is allowed, for the message: ``" or None"``.
    """
    if not is_int(value, minimum):
        raise ValueError(f"{name} must be an int >= {minimum}{otherwise}. Got {value!r} instead.")
