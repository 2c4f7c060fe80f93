"""Timeouts that nest: ``timeout``, ``timeout_at``.

Law: an interrupted block ends with ``TimedOut``, whatever the interruption has become on its way (C
code makes exceptions of its own of it); so does a block whose time is over at its end, if no other
exception leaves it.

Source: "with" in the reference of the language.
"""

from __future__ import annotations

import sys
from heapq import heappop, heappush
from time import monotonic_ns

from sigcffi._core.arguments import nanoseconds, signal_number
from sigcffi._core.ffi import lib
from sigcffi._time.limits import Limit, use_signal
from sigcffi._time.places import ASYNCHRONOUS, GENERATOR
from sigcffi._time.schedule import AGAIN, NEVER, in_range, require_main_thread, schedule
from sigcffi._time.shielding import Shield

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any, TypeVar

    from sigcffi._core.arguments import Number

    F = TypeVar("F", bound=Callable[..., Any])

__all__ = ["TimedOut", "TimeoutInterrupt", "set_timeout_signal", "timeout", "timeout_at"]


class TimeoutInterrupt(BaseException):
    """Interrupts a block whose time is over, and becomes ``TimedOut`` at its end. Not an Exception,
    so that ``except Exception`` in the block does not stop it. ``timeout`` is whose time it is.
    """

    timeout: timeout | None = None


class TimedOut(TimeoutError):  # noqa: N818
    """The time of a block is over. ``timeout`` is whose time it was, None in another process."""

    timeout: timeout | None = None

    def __reduce__(self) -> tuple[type[TimedOut], tuple[Any, ...]]:
        return type(self), self.args


class timeout(Limit):
    """A block that must end in *seconds* (int or float; None: it need not): context manager and
    decorator, for synchronous code in the main thread. As a decorator it gives each call a block.

    When the time is over a ``TimeoutInterrupt``, which is no Exception, is raised in the block, and
    at the block's end it becomes a ``TimedOut``, which is a TimeoutError. A block whose time is
    over at its end raises ``TimedOut`` also if it got that far; another exception that leaves it
    then is left alone, unless the block was interrupted: then ``TimedOut`` is raised from an
    Exception, which may be what C code has made of the interruption. In an ExceptionGroup with
    others ``TimedOut`` takes the interruption's place. With 0 or a negative time it is over at
    once. Blocks nest to any depth; of several whose time is over the outermost is interrupted. If
    the interruption is swallowed in the block it is raised anew, as long as the block lasts; after
    ten times less and less often, and a RuntimeWarning says where. Destructors (``__del__``) and
    ``gc.callbacks``, where all exceptions get lost, are not interrupted: what comes behind them is.

    *kill_after*: if Python does not get to run within so many seconds after the deadline, because C
    code does not return, or its handlers are held back (``deferred``), the process is ended by
    SIGABRT, as by ``kill_after``, with a traceback.

    What can be interrupted: Python code, and system calls that Python makes. What cannot: C code
    that runs on without looking for signals, until it returns; then the interruption follows. Code
    in ``shield()`` blocks and ``deferred`` sections is interrupted when they end. A generator that
    yields within a block is interrupted while it runs, and what it yields to is not, unless it is
    made a context manager by contextlib, or is a hook wrapper or a fixture of pytest; of others a
    RuntimeWarning says so once. What pytest catches in a test it does not pass on to the fixture:
    there the interruption fails the test, and ``TimedOut`` the fixture's end.

    The program's alarm, interval timers and handlers are left alone: the timer is a POSIX timer of
    its own, with a real-time signal of which ``set_timeout_signal`` tells. After a block has ended
    the timer may expire once more, with nothing to do, and end a system call of C code early
    (EINTR; Python's own are retried).

    Raises when it is made: ValueError for NaN, OverflowError for an infinity or a time that is too
    large, TypeError for what is not a number; ValueError if *kill_after* is not positive. When it
    is entered: ValueError outside the main thread of the main interpreter, RuntimeError in a
    coroutine, if it was entered before, and if the signal has a handler already;
    BlockingIOError (EAGAIN) if the kernel has no room for the first block's timer
    (RLIMIT_SIGPENDING).

    Threads: it is entered in the main thread; what it tells, any may ask.

    Race conditions: none that end a block of its own wrongly. Another exception (KeyboardInterrupt,
    or the interruption of a block around it) that strikes in the instant in which the block begins
    or ends may leave it open; it is then known by the bytecode that it has ended.

    fork: a child of the main thread goes on with the blocks that it is in, without *kill_after*.
    """

    __slots__ = ()

    # ---- The block ----

    def __enter__(self) -> timeout:
        if not (schedule.thread and lib.sigcffi_main_thread_is_current()):
            require_main_thread()
        if self._number:
            raise RuntimeError("a timeout can be entered once")
        # Before anything can expire: a block without a place has ended.
        self._stand(sys._getframe(1))
        schedule.opened = self._number = schedule.opened + 1
        try:
            now = monotonic_ns()
            if self._wait is not None:
                self._deadline = now + self._wait
            if self._kill is None and now < schedule.armed <= self._deadline:
                entry = self._entry = (self._deadline, self._number, self)
                heappush(schedule.heap, entry)
            else:
                self._schedule(now)
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        self._frame = None
        self._generators = ()
        entry = self._entry
        heap = schedule.heap
        is_first = entry is not None and heap and heap[0] is entry
        if is_first and self._kill is None and not schedule.is_ending:
            self._entry = None  # the innermost is mostly the first
            heappop(heap)
        else:
            self._leave()
        now = monotonic_ns()
        if self._deadline <= now:
            interrupted = self._raised > 0
            self._stage = None
            self._raised = schedule.opened
            if not schedule.due:
                schedule.arm_for_next(now + AGAIN)  # it would expire again soon
            if error is None:
                raise self._timed_out()
            if self._comes_from_it(error):
                others = self._others_in(error)
                if others is not None:
                    raise others.derive([self._timed_out(), *others.exceptions]) from error
                raise self._timed_out() from error
            if interrupted and isinstance(error, Exception) and not self._is_outer(error):
                raise self._timed_out() from error

    def _is_outer(self, error: Exception) -> bool:
        """Whether this ends a block around this one, and only passes by."""
        if not isinstance(error, TimedOut) or error.timeout is None:
            return False
        return error.timeout._number < self._number

    def _interruption(self, passes_by: bool) -> BaseException:
        self._raised = schedule.opened
        if passes_by:
            self._leave()
            return self._timed_out()
        interrupt = TimeoutInterrupt(f"{self._time_is_over()}, and its block has not ended yet")
        interrupt.timeout = self
        return interrupt

    def _comes_from_it(self, error: BaseException) -> bool:
        if isinstance(error, BaseExceptionGroup):  # early 3.11s make one in every "except*"
            return any(map(self._comes_from_it, error.exceptions))
        return isinstance(error, TimeoutInterrupt) and error.timeout is self

    def _others_in(self, error: BaseException) -> BaseExceptionGroup[BaseException] | None:
        """What leaves the block together with its interruption."""
        if not isinstance(error, BaseExceptionGroup):
            return None
        return error.split(
            lambda each: not isinstance(each, BaseExceptionGroup) and self._comes_from_it(each)
        )[1]

    def _timed_out(self) -> TimedOut:
        error = TimedOut(self._time_is_over())
        error.timeout = self
        return error

    # ---- What the program asks and wants ----

    @property
    def deadline(self) -> float | None:
        """When its time is over, in seconds of ``time.monotonic()``; None: never, or it has not
        begun.
        """
        return None if self._deadline == NEVER else self._deadline / 1e9

    @property
    def expired(self) -> bool:
        """Whether its time was over before it ended."""
        return self._raised > 0

    def remaining(self) -> float | None:
        """Seconds that are left, 0.0 if none are; None if there is no deadline, or it has not
        begun.
        """
        if self._deadline == NEVER:
            return None
        return max(self._deadline - monotonic_ns(), 0) / 1e9

    def reschedule(self, when: Number | None) -> None:
        """Have its time over at *when*, in seconds of ``time.monotonic()``; None: never.

        RuntimeError if the block is not open, or has been interrupted already. Main thread only.
        """
        deadline = NEVER if when is None else in_range(nanoseconds(when))
        require_main_thread()
        if self._frame is None:
            raise RuntimeError("the block is not open")
        if self._raised:
            raise RuntimeError("the block has been interrupted already")
        self._deadline = deadline
        if self._entry is not None:
            schedule.remove(self)
        self._schedule(monotonic_ns())

    def shield(self) -> Shield:
        """A block, for what must finish: neither this timeout nor any other that is open when it
        begins interrupts it. If the time is over at its end, the interruption comes there.

        To enter it: ValueError outside the main thread, RuntimeError in a coroutine.
        """
        return Shield()

    def _time_is_over(self) -> str:
        return "the time is over" if self._seconds is None else f"{self._seconds} seconds are over"

    def __repr__(self) -> str:
        if self._frame is not None:
            left = self.remaining()
            state = "open" if left is None else f"open, {left:.3f} s left"
        else:
            state = "ended" if self._number else "new"
        if self._raised:
            state += ", expired"
        return f"<timeout of {self._seconds} s, {state}>"

    # ---- As a decorator ----

    def _another(self) -> timeout:
        fresh = timeout(None)
        fresh._wait, fresh._seconds, fresh._kill = self._wait, self._seconds, self._kill
        fresh._deadline = self._deadline if self._wait is None else NEVER
        return fresh

    def __call__(self, function: F, /) -> F:
        """Decorate: every call is a block of its own. TypeError for a generator or coroutine
        function, of which a call only makes an object.
        """
        from functools import wraps  # which takes long to import

        flags = getattr(getattr(function, "__code__", None), "co_flags", 0)
        if flags & (GENERATOR | ASYNCHRONOUS):
            raise TypeError("timeout decorates functions: not generators, nor coroutines")

        @wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with self._another():
                return function(*args, **kwargs)

        return inside  # type: ignore[return-value]


def timeout_at(when: Number | None, *, kill_after: Number | None = None) -> timeout:
    """``timeout`` with the time at which it is over: *when*, in seconds of ``time.monotonic()``
    (int or float; None: never). As a decorator all calls have the same deadline. *kill_after* and
    what is raised are as for ``timeout``. Threads: it is entered in the main thread.
    """
    deadline = NEVER if when is None else in_range(nanoseconds(when))
    block = timeout(None, kill_after=kill_after)
    block._deadline = deadline
    return block


def set_timeout_signal(signum: int) -> None:
    """Choose the signal by which timeouts work: a real-time signal that nothing else uses.
    Without this it is the last but one.

    Raises ValueError for a number that is not a signal's and outside the main thread, RuntimeError
    while a ``timeout`` block is open, and if the signal has a handler. Threads: the main thread's.
    """
    number = signal_number(signum)
    require_main_thread()
    use_signal(number)
