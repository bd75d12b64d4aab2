"""Threads of torch: as many as help in fits, and one in forked processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits

_process = os.getpid()
# The number that torch takes if nobody sets one.
_default = torch.get_num_threads()
# Environment variables that set it by hand.
VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
# Hidden units (windows of a batch x hidden_size) for each thread. With fewer, threads wait for each
# other longer than they compute: a step of an LSTM of 32 units on 64 windows takes 1.4 times as
# long on two threads as on one.
UNITS_OF_A_THREAD = 4096


def use_one_thread_after_fork() -> None:
    """Let torch use one thread in a process that was forked from one that imported this library.

    The threads of OpenMP do not survive a fork, and a forked process that uses them waits for
    them without end.
    """
    global _process
    if os.getpid() != _process:
        torch.set_num_threads(1)
        _process = os.getpid()


@contextmanager
def threads_that_help(n_units: int) -> Iterator[None]:
    """Let torch use no more threads than help inside a ``with`` block.

    A number that was set by hand, in the environment or with ``torch.set_num_threads``, is kept.
    The limit holds for the present thread alone.

    Parameters
    ----------
    n_units : int
        Hidden units that are computed in one step.
    """
    n_threads = max(1, n_units // UNITS_OF_A_THREAD)
    is_set = torch.get_num_threads() != _default or any(name in os.environ for name in VARIABLES)
    if is_set or n_threads >= _default:
        yield
        return
    with threadpool_limits(n_threads, user_api="openmp"):
        yield
