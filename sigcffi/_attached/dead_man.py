"""The dead man's switch: ``kill_after``.

Law: the earliest of all deadlines is told to C, whose thread ends the process when it has passed;
it needs neither the GIL nor the main thread.

Source: faulthandler of Python's documentation, for the traceback.
"""

from __future__ import annotations

import faulthandler
import time
from _operator import attrgetter

from sigcffi._core.arguments import nanoseconds
from sigcffi._core.exits import exit_of, made
from sigcffi._core.ffi import check, lib
from sigcffi._core.forking import in_child
from sigcffi._core.scope import Single

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sigcffi._core.arguments import Number
    from sigcffi._core.scope import Exit

__all__ = ["DeadMansSwitch", "kill_after", "unwatch", "watch"]

# Deadlines in nanoseconds of the monotonic clock, by what they are for. Two threads may change two
# of them at once, each by one step. If the first to look for the earliest were the last to tell C,
# C would go by an older answer: so each takes a turn number before it looks, and C ignores a turn
# that is older than the one it goes by.
_deadlines: dict[object, int] = {}


def _publish() -> None:
    turn = lib.sigcffi_deadman_turn()
    check(lib.sigcffi_deadman_end_at(turn, min(_deadlines.copy().values(), default=0)))


def watch(what: object, when: int) -> None:
    """The process ends at *when*, in nanoseconds of the monotonic clock, unless *what* is given
    another time, or no more watched, before.
    """
    if not _deadlines:
        _show_tracebacks()
    _deadlines[what] = when
    _publish()


def unwatch(what: object) -> None:
    """*what* has shown a sign of life; also if it was not watched."""
    _deadlines.pop(what, None)
    _publish()  # in any case: an exception may have struck here after the former line, last time


class DeadMansSwitch(Single):
    """Ends the process unless it is put off, or cancelled, in time; a context manager. Made by
    ``kill_after``.

    ``seconds`` is the time that each ``pet`` gives.

    Threads: any may call everything.
    """

    __slots__ = ("_cancelled", "_wait", "seconds")

    def __init__(self, seconds: Number) -> None:
        wait = nanoseconds(seconds)
        if wait <= 0:
            raise ValueError("the time must be positive")
        if wait >= 2**62:
            raise OverflowError("the time is too large")
        self.seconds: Number = seconds
        self._wait = wait
        self._cancelled = False
        _show_tracebacks()
        try:
            self.pet()
        except BaseException:
            self.cancel()  # the caller gets no object to cancel
            raise

    def pet(self) -> None:
        """Begin anew: the process has all the time again. No system call.

        ValueError if it was cancelled, or belongs to the parent process. Any thread may call it.
        """
        _deadlines[self] = time.monotonic_ns() + self._wait
        if self._cancelled:  # looked at last: another thread may be just cancelling it
            self.cancel()
            raise ValueError("it was cancelled")
        _publish()

    def cancel(self) -> None:
        """Do nothing any more; a second time changes nothing. Any thread may call it."""
        self._cancelled = True
        _deadlines.pop(self, None)
        _publish()

    def remaining(self) -> float | None:
        """Seconds that are left; None if it was cancelled."""
        when = _deadlines.get(self)
        return None if when is None else (when - time.monotonic_ns()) / 1e9

    def __enter__(self) -> DeadMansSwitch:
        return self

    __exit__: Exit = exit_of(attrgetter("cancel"))

    def __repr__(self) -> str:
        left = self.remaining()
        state = "cancelled" if left is None else f"{left:.3f} s left"
        return f"<DeadMansSwitch of {self.seconds} s, {state}>"


def kill_after(seconds: Number) -> DeadMansSwitch:
    """End the process in *seconds* (a number, more than 0) from now, unless that is put off
    with ``pet()`` or cancelled: for programs that must not hang.

    It is done in C, by a thread that needs nothing of Python: the process dies of SIGABRT (with a
    core dump where that is usual) whatever its threads are doing. The tracebacks of all threads are
    printed before by ``faulthandler``, which is enabled if it was not and if standard error is a
    file; should it stumble over what other threads are doing, the process dies of that. A Python
    handler of SIGABRT is called only if ``faulthandler`` was enabled after it was installed and the
    main thread is not stuck; the process dies all the same. If standard error takes nothing for two
    seconds the process dies of SIGALRM. The first process of a PID namespace, which does not die of
    what it sends to itself, exits with status 128 plus the signal's number.

    The clock is the monotonic one: time during which the machine sleeps does not count, time during
    which the process is stopped does. The switch stays on until it is cancelled, whether or not
    the program keeps it; in a forked child it is cancelled.

    Returns a ``DeadMansSwitch``. Raises ValueError for a time that is not positive and for NaN,
    OverflowError if it is too large, TypeError if it is not a number; OSError (EAGAIN) if the first
    one's thread cannot be started.

    Threads: any may call it.
    """
    return made(DeadMansSwitch, DeadMansSwitch.cancel, seconds)


def _show_tracebacks() -> None:
    try:
        if not faulthandler.is_enabled():
            faulthandler.enable()
    except (AttributeError, OSError, RuntimeError, ValueError):
        return  # sys.stderr is None, or no file


def _cancel_in_child() -> None:
    for what in _deadlines:
        if isinstance(what, DeadMansSwitch):
            what._cancelled = True
    _deadlines.clear()


in_child(_cancel_in_child)
