"""POSIX timers: ``Timer``.

Law: times come in as Python numbers and go to C as exact nanoseconds, rounded up, so that a tiny
positive time never disarms; what cannot be represented is refused before a timer is touched. C
knows which timers exist, in this process and in its parent.

Source: timer_create(2), timer_settime(2), timer_getoverrun(2), POSIX.1-2008.
"""

from __future__ import annotations

import atexit
import errno
import os
import sys
import time
from _operator import attrgetter
from _thread import get_native_id
from signal import SIGALRM

from sigcffi._core.arguments import index, nanoseconds, signal_number
from sigcffi._core.exits import exit_of
from sigcffi._core.ffi import check, itimer_error, lib
from sigcffi._core.scope import Single, warn_unclosed
from sigcffi._dispatch.sections import undisturbed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import SupportsIndex

    from sigcffi._core.arguments import Number
    from sigcffi._core.scope import Exit

__all__: list[str] = []

_VALID = lib.sigcffi_masks_valid_signals()
_CLOSED = -1
_ULONG_MAX = 2 * sys.maxsize + 1  # idents of C threads may look negative
# The handles of timers that were not closed. A timer adds and discards its own handle, by one step
# each. _close_all copies the set, and may find a handle that another thread is just closing: C
# knows that one no more, and refuses it.
_open: set[int] = set()
_REASONS = {
    errno.EBADF: "the timer is closed",
    errno.ECHILD: "the timer belongs to the parent process: a forked child has none",
}


def _refusal(error: int) -> Exception:
    """The exception for an errno that stands in place of a time."""
    if error in _REASONS:
        return ValueError(_REASONS[error])
    return itimer_error(error)


def _kernels_number(thread_id: SupportsIndex) -> int:
    """The thread with this ident as the kernel knows it."""
    ident = index(thread_id)
    if known := lib.sigcffi_timers_tid_of(ident & _ULONG_MAX):
        return known
    # Slow to import; if the program has not imported it, it knows no other thread.
    threading = sys.modules.get("threading")
    if threading is not None:
        if ident == threading.get_ident():  # others may have given it idents of their own
            return get_native_id()
        for thread in threading.enumerate():
            if thread.ident == ident and thread.native_id is not None:
                return int(thread.native_id)
    raise ProcessLookupError(errno.ESRCH, f"no running thread of this process is {ident}")


class Timer(Single):
    """A timer of one's own, on any clock: it sends *signum* when it expires.

    *clock* is one of ``time.CLOCK_*``: CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME (also while
    the machine sleeps), CLOCK_PROCESS_CPUTIME_ID or CLOCK_THREAD_CPUTIME_ID (the processor time of
    the process, or of the calling thread), ``CLOCK_REALTIME_ALARM`` and ``CLOCK_BOOTTIME_ALARM``
    (which wake the machine), or one of ``time.pthread_getcpuclockid``. *value*, a C int, arrives
    with the signal as ``si_value``. *thread_id*, a ``threading.Thread.ident``, has the signal sent
    to that thread, else it goes to the process.

    A new timer is not armed: ``settime`` starts it. A handler of ``sigaction`` and a receiver find
    in the ``SigInfo`` SI_TIMER, the timer's ``timerid`` as ``si_timerid``, *value*, and in
    ``si_overrun`` how often it has expired once more before the signal was delivered: a timer has
    at most one signal under way. ``signum``, ``clock``, ``value``, ``thread_id`` and ``timerid``
    are attributes. It is a context manager, which closes it; one that was not closed is closed
    when it is collected, with a ResourceWarning, and without one when the program ends.

    Raises ValueError for a number that is no signal's, OSError for a clock that there is not
    (EINVAL) or that cannot have timers (ENOTSUP), PermissionError for the clocks that wake the
    machine without the right to do so, BlockingIOError (EAGAIN) if the process's user has too many
    timers and signals pending (RLIMIT_SIGPENDING), ProcessLookupError for a thread that the module
    ``threading`` does not know, OverflowError for what does not fit a C int, TypeError for what is
    not an integer.

    Threads: any may call everything, also while another closes it. After *thread_id* has ended its
    timer sends nothing.

    fork: a child has no timers. There the methods raise ValueError and say so, but for ``close``;
    the parent's go on.

    Source: timer_create(2), POSIX.1-2008; *thread_id* is Linux's SIGEV_THREAD_ID.
    """

    __slots__ = ("_handle", "clock", "signum", "thread_id", "timerid", "value")

    def __init__(
        self,
        signum: SupportsIndex = SIGALRM,
        *,
        clock: SupportsIndex = time.CLOCK_MONOTONIC,
        value: SupportsIndex = 0,
        thread_id: SupportsIndex | None = None,
    ) -> None:
        self._handle = _CLOSED
        number, which, sent = signal_number(signum), index(clock), index(value)
        if not _VALID >> (number - 1) & 1:
            raise ValueError(f"signal {number} belongs to the C library")
        tid = 0 if thread_id is None else _kernels_number(thread_id)
        self.signum: int = number
        self.clock: int = which
        self.value: int = sent
        self.thread_id: SupportsIndex | None = thread_id
        with undisturbed:
            handle = lib.sigcffi_timers_create(which, number, sent, tid)
            if handle in (-errno.EINVAL, -errno.ENOTSUP):
                raise OSError(-handle, f"clock {which}: {os.strerror(-handle)}")
            self.timerid: int = check(handle) & 0x7FFFFFFF
            self._handle = handle
            _open.add(handle)

    # ---- Times ----

    def settime(
        self, seconds: Number, interval: Number = 0, *, absolute: bool = False
    ) -> tuple[float, float]:
        """Arm it, or disarm it with 0 *seconds*: it expires after *seconds*, or when its clock
        shows *seconds* if *absolute*, and then, unless *interval* is 0, every *interval* seconds.

        Times are rounded up to whole nanoseconds. An absolute time that is over is
        now. (A float has not all nanoseconds of the time of day: ``settime_ns`` has.)

        Returns the former setting, ``(value, interval)`` in seconds as floats; ``value`` is what
        was left, 0.0 if it was not armed.

        Raises ItimerError (an OSError, EINVAL) for a negative time, ValueError for NaN and for a
        timer that is closed or the parent's, OverflowError for an infinity or more than 2**63
        nanoseconds, TypeError for what is not a number. Nothing is changed then.
        """
        value, repeat = self.settime_ns(
            nanoseconds(seconds), nanoseconds(interval), absolute=absolute
        )
        return value / 1e9, repeat / 1e9

    def settime_ns(
        self, value: SupportsIndex, interval: SupportsIndex = 0, *, absolute: bool = False
    ) -> tuple[int, int]:
        """``settime`` in nanoseconds: *value*, *interval* and what it returns are ints; *absolute*
        as there.
        """
        former = lib.sigcffi_timers_settime(
            self._handle, index(value), index(interval), bool(absolute)
        )
        left = former.value
        if left < 0:
            raise _refusal(former.interval)
        return left, former.interval

    def gettime(self) -> tuple[float, float]:
        """The state: ``(value, interval)`` in seconds as floats. ``value`` is the time left, 0.0 if
        it is not armed. ValueError if it is closed or the parent's.
        """
        value, interval = self.gettime_ns()
        return value / 1e9, interval / 1e9

    def gettime_ns(self) -> tuple[int, int]:
        """``gettime`` in nanoseconds, as ints."""
        setting = lib.sigcffi_timers_gettime(self._handle)
        left = setting.value
        if left < 0:
            raise _refusal(setting.interval)
        return left, setting.interval

    @property
    def overrun(self) -> int:
        """How often it expired once more between its last signal's being sent and being delivered.
        ValueError if it is closed or the parent's.
        """
        count = lib.sigcffi_timers_overrun(self._handle)
        if count < 0:
            raise _refusal(-count)
        return count

    # ---- The end ----

    @property
    def closed(self) -> bool:
        """Whether it was closed; also in a forked child, which has no timers."""
        return lib.sigcffi_timers_overrun(self._handle) < 0

    def close(self) -> None:
        """Disarm it and give it up; a second time changes nothing. A signal that it has sent and
        that is still pending may come. Any thread may call it.
        """
        handle = self._handle
        lib.sigcffi_timers_delete(handle)  # first: nothing is left undone, whatever strikes here
        _open.discard(handle)
        self._handle = _CLOSED

    def __enter__(self) -> Timer:
        return self

    __exit__: Exit = exit_of(attrgetter("close"))

    def __del__(self) -> None:
        # No lib: the interpreter has ended, and emptied its modules.
        if lib and getattr(self, "_handle", _CLOSED) != _CLOSED and not self.closed:
            text = repr(self)
            self.close()  # first: the warning may be an error
            warn_unclosed(self, text)

    def __repr__(self) -> str:
        if self._handle == _CLOSED or self.closed:
            return "<Timer, closed>"
        value, interval = self.gettime()
        state = f"expires in {value:.6f} s" if value else "not armed"
        if value and interval:
            state += f", every {interval:.6f} s"
        return f"<Timer {self.timerid} on clock {self.clock}: signal {self.signum}, {state}>"


# The interpreter gives its signals back to their default actions when it ends: no timer is to end
# the program by one.
@atexit.register
def _close_all() -> None:
    for handle in _open.copy():
        lib.sigcffi_timers_delete(handle)


if lib.SIGCFFI_HAS_POSIX_TIMERS:
    __all__ += ["Timer"]
    CLOCK_REALTIME_ALARM = lib.CLOCK_REALTIME_ALARM
    CLOCK_BOOTTIME_ALARM = lib.CLOCK_BOOTTIME_ALARM
    __all__ += ["CLOCK_BOOTTIME_ALARM", "CLOCK_REALTIME_ALARM"]
