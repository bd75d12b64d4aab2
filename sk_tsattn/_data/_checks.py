"""Checks of ints, and warnings at the line of the user's call."""

import sys
import warnings
from numbers import Integral
from pathlib import Path
from typing import Any

PACKAGE = str(Path(__file__).parents[1])


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


def warn_user(message: str, category: type[Warning]) -> None:
    """Warn at the line outside this package and scikit-learn that led here."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and _is_inside(frame.f_code.co_filename):
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level)


def _is_inside(filename: str) -> bool:
    return filename.startswith(PACKAGE) or bool({"sklearn", "joblib"} & set(Path(filename).parts))
