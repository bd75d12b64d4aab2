"""Ways in which training ends before its last epoch."""

from __future__ import annotations

import dis
import signal
from types import CodeType, TracebackType

from skorch import NeuralNet


class StopTraining(Exception):
    """Raised by callbacks of this library after the last epoch of a training."""


def is_raised_by_callback(error: KeyboardInterrupt) -> bool:
    """Return whether a callback ended training, as skorch's ``EarlyStopping`` does.

    skorch's callbacks raise KeyboardInterrupt for that. A user's Ctrl-C raises it too: between any
    two instructions, or in a signal handler.
    """
    traceback = error.__traceback__
    in_callback = False
    last: TracebackType | None = None
    handlers = _signal_handlers()
    while traceback is not None:
        code = traceback.tb_frame.f_code
        in_callback |= code is NeuralNet.notify.__code__
        if code in handlers:
            return False
        last, traceback = traceback, traceback.tb_next
    if last is None or not in_callback:
        return False
    instruction = last.tb_frame.f_code.co_code[last.tb_lasti]
    return instruction == dis.opmap["RAISE_VARARGS"]


def _signal_handlers() -> set[CodeType]:
    """Return the code of all signal handlers that are written in Python."""
    handlers = (signal.getsignal(number) for number in signal.valid_signals())
    functions = (getattr(handler, "__func__", handler) for handler in handlers)
    codes = (getattr(function, "__code__", None) for function in functions)
    return {code for code in codes if code is not None}
