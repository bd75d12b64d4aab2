"""Threads of torch in forked processes."""

from __future__ import annotations

import os

import torch

_process = os.getpid()


def use_one_thread_after_fork() -> None:
    """Let torch use one thread in a process that was forked from one that imported this library.

    The threads of OpenMP do not survive a fork, and a forked process that uses them waits for
    them without end.
    """
    global _process
    if os.getpid() != _process:
        torch.set_num_threads(1)
        _process = os.getpid()
