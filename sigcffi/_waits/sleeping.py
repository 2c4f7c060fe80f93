"""Sleeping until something has happened in C.

Law: a wait releases the interpreter to other threads, and in the main thread lets Python handlers
run and goes on (PEP 475) until an absolute deadline. What is waited for, or a handler that is due,
cannot be slept through: C looks once more when it is sure to be woken.

Source: futex(2).
"""

from __future__ import annotations

import time

from sigcffi._core.arguments import nanoseconds
from sigcffi._core.ffi import lib
from sigcffi._core.mainthread import looking, run_due_handlers
from sigcffi._handlers.signal import cover_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from sigcffi._core.arguments import Number

__all__ = ["sleep_until"]


def _deadline(timeout: Number | None) -> int | None:
    """The end of a wait, in nanoseconds of the monotonic clock; None: there is none."""
    if timeout is None:
        return None
    wait = nanoseconds(timeout)
    if not -(2**63) <= wait < 2**63:
        raise OverflowError("timeout is too large")
    if wait < 0:
        raise ValueError("timeout must be non-negative")
    return time.monotonic_ns() + wait


def sleep_until(
    ready: Callable[[], Any], sleep: Callable[[int, int], object], timeout: Number | None
) -> Any:
    """What *ready* returns as soon as that is not None; None after *timeout* seconds.

    *sleep* takes what ``sigcffi_trampoline_arrivals`` returned and the nanoseconds that are left
    (-1: for ever), and sleeps until there may be something.
    """
    deadline = _deadline(timeout)
    covered = False
    while True:
        arrivals = lib.sigcffi_trampoline_arrivals()
        found = ready()
        if found is not None:
            return found
        left = -1
        if deadline is not None:
            left = deadline - time.monotonic_ns()
            if left <= 0:
                return None
        if not covered:
            cover_all()  # what the trampoline does not see does not wake
            covered = True
        sleep(arrivals, left)
        if looking.late:
            run_due_handlers()
