"""``alarm`` and the interval timers.

Law: times come in as Python numbers and go to C as exact nanoseconds; what cannot be represented
is refused here, before a timer is touched.

Source: alarm(2), setitimer(2), POSIX.1-2008.
"""

from __future__ import annotations

from sigcffi._core.arguments import index, nanoseconds
from sigcffi._core.ffi import itimer_error, lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import SupportsIndex

    from sigcffi._core.arguments import Number

__all__ = ["alarm", "getitimer", "setitimer"]

_alarm = lib.alarm
_setitimer = lib.sigcffi_itimers_set
_getitimer = lib.sigcffi_itimers_get

_ONCE = 0.0


def alarm(seconds: SupportsIndex, /) -> int:
    """Arrange for SIGALRM to be sent to the process in *seconds* (an int); 0 cancels.

    Returns the seconds that were left of the former alarm, rounded to the nearest, 0 if there was
    none. There is one alarm, and it is the timer ``ITIMER_REAL``.

    Raises TypeError for anything but an integer, OverflowError if it does not fit a C int. A
    negative number is a very long time, as in the standard module.

    Threads: any may call it; the handler runs in the main thread.

    Source: alarm(2), POSIX.1-2008.
    """
    return _alarm(seconds if type(seconds) is int else index(seconds))


def setitimer(
    which: SupportsIndex, seconds: Number, interval: Number = _ONCE, /
) -> tuple[float, float]:
    """Arm an interval timer, or disarm it with 0 *seconds*.

    *which* is ``ITIMER_REAL``, ``ITIMER_VIRTUAL`` or ``ITIMER_PROF``; the timer sends SIGALRM,
    SIGVTALRM or SIGPROF after *seconds* and then, if *interval* is not zero, every *interval*
    seconds. Times are rounded up to whole microseconds, so that a tiny positive time never disarms.
    They are ints or floats, and from CPython 3.15 on, as in the standard module, any real numbers:
    Decimal, Fraction, whatever has ``__index__`` or ``__float__``. So it is with all times here.

    Returns the former setting, ``(delay, interval)`` in seconds as floats.

    Raises ItimerError (an OSError, EINVAL) for an unknown timer or a negative time, ValueError for
    NaN, OverflowError for an infinity or more than 2**63 nanoseconds, TypeError for what is not a
    number. Nothing is changed then.

    Threads: any may call it; the timers belong to the process.

    Source: setitimer(2), POSIX.1-2008.
    """
    # Exact types first: this is called in loops, and a Python call costs as much as the C one.
    former = _setitimer(
        which if type(which) is int else index(which),
        seconds * 1_000_000_000 if type(seconds) is int else nanoseconds(seconds),
        0 if interval is _ONCE else nanoseconds(interval),
    )
    value, repeat = former.value, former.interval
    if value != value:
        raise itimer_error(repeat)
    return value, repeat


def getitimer(which: SupportsIndex, /) -> tuple[float, float]:
    """The state of an interval timer: ``(delay, interval)`` in seconds as floats.

    *which* is ``ITIMER_REAL``, ``ITIMER_VIRTUAL`` or ``ITIMER_PROF``. ``delay`` is the time left,
    0.0 if the timer is not armed.

    Raises ItimerError (EINVAL) for an unknown timer, TypeError or OverflowError for what is not a C
    int.

    Threads: any may call it; the timers belong to the process.

    Source: getitimer(2), POSIX.1-2008.
    """
    setting = _getitimer(which if type(which) is int else index(which))
    value, repeat = setting.value, setting.interval
    if value != value:
        raise itimer_error(repeat)
    return value, repeat
