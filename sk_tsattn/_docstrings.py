"""Descriptions that estimators share are written once, in the docstring of one of them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import TypeVar

Class = TypeVar("Class", bound=type)
# An entry of a numpydoc section: its line "name : type", and the indented lines after it.
ENTRY = re.compile(r"^(\w[\w, ]*) : .+\n((?:(?: .*)?\n)*)", re.MULTILINE)


def described_as(source: type) -> Callable[[Class], Class]:
    """Return a decorator: entries without a description get that of another class.

    Parameters
    ----------
    source : type
        Has descriptions of parameters and attributes of the same names.
    """

    def describe(cls: Class) -> Class:
        if cls.__doc__ is None:  # python -OO
            return cls
        known = {entry[1]: entry[2] for entry in ENTRY.finditer(f"{inspect.getdoc(source)}\n")}

        def complete(entry: re.Match[str]) -> str:
            if entry[2].strip() or not known.get(entry[1], "").strip():
                return entry[0]
            return entry[0].rstrip() + "\n" + known[entry[1]]

        cls.__doc__ = ENTRY.sub(complete, f"{inspect.getdoc(cls)}\n")
        return cls

    return describe
