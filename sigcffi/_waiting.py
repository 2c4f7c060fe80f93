"""Waiting for a signal: ``pause``, ``sigwait``, ``sigwaitinfo``, ``sigtimedwait``.

Law: a wait releases the interpreter to other threads, lets handlers of other signals run and then
goes on (PEP 475) until an absolute deadline.

Source: pause(2), sigwaitinfo(2), POSIX.1-2008.
"""

from __future__ import annotations

import errno
import time

from sigcffi._arguments import nanoseconds
from sigcffi._constants import struct_siginfo
from sigcffi._ffi import check, lib
from sigcffi._handlers import cover_all
from sigcffi._mainthread import LOOKS_LATE, run_due_handlers
from sigcffi._masks import word_of
from sigcffi._names import member

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from signal import Signals
    from typing import Any, SupportsIndex

    from sigcffi._arguments import Number

__all__ = ["pause", "sigtimedwait", "sigwait", "sigwaitinfo"]


def pause() -> None:
    """Sleep until a signal has been handled in the calling thread; its Python handler has run by
    then if that is the main thread.

    Race conditions: none for a signal with a Python handler. One that arrives after ``pause`` was
    called, but before it slept, makes it return. A signal that arrived before is no reason to wake:
    where a condition is awaited, block the signal, test the condition, and only then wait.
    """
    arrivals = lib.sigcffi_arrivals()
    cover_all()
    lib.sigcffi_pause(arrivals)
    if LOOKS_LATE:
        run_due_handlers()


def _wait(word: int, deadline: int | None) -> Any:
    """One of the signals in *word*, or None at the *deadline* (monotonic, in nanoseconds)."""
    left = -1
    while True:
        if deadline is not None:
            left = max(deadline - time.monotonic_ns(), 0)
        info = lib.sigcffi_sigtimedwait(word, left)
        if info.signo == -errno.EAGAIN:
            return None
        if info.signo != -errno.EINTR:
            check(info.signo)
            return info
        if LOOKS_LATE:
            run_due_handlers()


def _struct(info: Any) -> struct_siginfo:
    return struct_siginfo(
        (info.signo, info.code, info.error, info.pid, info.uid, info.status, info.band)
    )


def sigwait(sigset: Iterable[SupportsIndex]) -> Signals:
    """Wait for one of the signals in *sigset*, which should be blocked; accept and return it.

    Its handler does not run. Handlers of other signals run meanwhile.
    """
    return member(_wait(word_of(sigset), None).signo)


def sigwaitinfo(sigset: Iterable[SupportsIndex], /) -> struct_siginfo:
    """Wait like ``sigwait`` and return a ``struct_siginfo``: si_signo, si_code, si_errno, si_pid,
    si_uid, si_status, si_band. If a handler of another signal raises, its exception ends the wait.
    """
    return _struct(_wait(word_of(sigset), None))


def sigtimedwait(sigset: Iterable[SupportsIndex], timeout: Number, /) -> struct_siginfo | None:
    """Like ``sigwaitinfo``, for at most *timeout* seconds (int or float, rounded up to nanoseconds;
    0: do not wait). None when the time is over.

    ValueError for a negative timeout or NaN, OverflowError if it is too large, TypeError if it is
    not a number.
    """
    word, wait = word_of(sigset), nanoseconds(timeout)
    if not -(2**63) <= wait < 2**63:
        raise OverflowError("timestamp too large to convert to C PyTime_t")
    if wait < 0:
        raise ValueError("timeout must be non-negative")
    info = _wait(word, time.monotonic_ns() + wait)
    return None if info is None else _struct(info)
