"""Timeouts that nest: ``timeout``, ``timeout_at``.

Law: one kernel timer of our own serves all blocks; it is armed for the earliest deadline, and left
armed when a block ends in time, so that blocks cost no system call. When it expires its handler
decides whether to raise. It raises only where the exception is sure to reach the end of the block
whose time is over: not while the block begins or ends, not in a generator's consumer, not beside
the block. Where it may not, it tries again, and the block's end looks at the clock in any case: so
no block is interrupted after its end, and none whose time is over ends as if it were not.

The timer goes on at an interval until nothing is due: an exception that got lost (in a ``__del__``,
say, or an ``except: pass``) is raised anew, and a handler that was itself interrupted runs again.

Rejected: SIGALRM and an interval timer, which belong to the program. Raising where the signal
happens to come: between the last bytecode of a block and its ``__exit__`` the exception would meet
somebody else.

Source: timer_create(2); "with" in the reference of the language.
"""

from __future__ import annotations

import os
import sys
from _thread import get_ident
from heapq import heapify, heappop, heappush
from opcode import opname
from signal import SIGRTMAX
from time import CLOCK_MONOTONIC, monotonic_ns

from sigcffi._arguments import nanoseconds, signal_number
from sigcffi._dead_man import unwatch, watch
from sigcffi._ffi import lib, words
from sigcffi._handlers import getsignal, signal
from sigcffi._timers import Timer
from sigcffi._unwinding import opens_block, passes_by, reaches

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType, TracebackType
    from typing import Any, Callable, TypeVar

    from sigcffi._arguments import Number

    F = TypeVar("F", bound=Callable[..., Any])

__all__ = ["TimedOut", "TimeoutInterrupt", "set_timeout_signal", "timeout", "timeout_at"]

_NEVER = 2**63 - 1  # nanoseconds of the monotonic clock
_SOON = 50_000  # where a few bytecodes are in the way
_AGAIN = 10_000_000
_TRIES = 200  # before an exception passes by handlers: most loops are elsewhere, too
_LATER = 100_000_000  # at the latest, where there is no telling

_MAIN_THREAD = lib.SIGCFFI_WORD_MAIN_THREAD
_MACHINERY = (__name__, "sigcffi._dead_man", "sigcffi._timers", "contextlib", "heapq")
_GENERATOR = 0x20  # CO_* of the module inspect
_ASYNCHRONOUS = 0x80 | 0x100 | 0x200
_UNUSUAL = _GENERATOR | _ASYNCHRONOUS
# Before CPython 3.11 handlers of signals may run between a bytecode that raises and the one that
# its exception is sent to. PyPy tells where it has got to.
_JUMPS_UNSEEN = sys.version_info < (3, 11) and sys.implementation.name != "pypy"


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


class _Position:
    """What there is one of. An object: its slots are found faster than globals."""

    __slots__ = ("armed", "dead", "opened", "put_off", "signum", "thread", "timer")

    def __init__(self) -> None:
        self.armed = _NEVER  # the timer expires then, and from then on at an interval
        self.timer: Timer | None = None
        self.thread = 0  # the main thread, once it has been in a block
        self.signum = int(SIGRTMAX) - 1
        self.opened = 0  # how many blocks have begun
        self.put_off = 0  # how often, for a better place
        self.dead = 0  # entries of the heap that are no block's any more


_at = _Position()
_heap: list[tuple[int, int, timeout]] = []  # deadline, number, block
_due: dict[timeout, None] = {}  # whose deadlines are over, and that have not ended
# How many blocks had begun when it did, and where it begins.
_shields: list[tuple[int, FrameType, int]] = []


# ---- The timer ----


def _arm(when: int) -> None:
    timer = _at.timer
    if timer is None:
        timer = _at.timer = Timer(_at.signum, clock=CLOCK_MONOTONIC, thread_id=get_ident())
    timer.settime_ns(max(when, 1), _AGAIN, absolute=True)
    _at.armed = when


def _disarm() -> None:
    if _at.timer is not None:
        _at.timer.settime_ns(0)
    _at.armed = _NEVER


def _require_handler() -> None:
    handler = getsignal(_at.signum)
    if handler is not _expire:
        if callable(handler) or handler is None:
            raise RuntimeError(
                f"signal {_at.signum} has a handler already: choose another for timeouts with "
                "set_timeout_signal"
            )
        signal(_at.signum, _expire)


def _arm_for_next() -> None:
    while _heap and not _is_current(_heap[0]):
        heappop(_heap)
        _at.dead -= 1
    if _heap:
        _arm(_heap[0][0])
    else:
        _disarm()


def _is_current(entry: tuple[int, int, timeout]) -> bool:
    return entry[2]._entry is entry


# ---- Whether and where to raise ----


def _expire(signum: int, frame: FrameType | None) -> None:
    """The timer has expired. The interpreter calls this."""
    now = monotonic_ns()
    if frame is None or _is_machinery(frame) or (_JUMPS_UNSEEN and _is_jumping(frame)):
        _arm(now + _SOON)
        return
    while _heap and (_heap[0][0] <= now or not _is_current(_heap[0])):
        entry = _heap[0]
        if _is_current(entry):
            _due[entry[2]] = None  # before it leaves the heap: it may not get lost
            unwatch(entry[2])
        elif _at.dead:
            _at.dead -= 1
        heappop(_heap)
    for due in list(_due):
        if due._entry is None or due._deadline > now:
            del _due[due]
    if not _due:
        _arm_for_next()
        return
    block = _choose(frame)
    if block is not None:
        if block._passes_by(frame) and _at.put_off < _TRIES:
            _at.put_off += 1
            _arm(now + _SOON)
            return
        _at.put_off = 0
        raise block._interrupt(frame)
    if not _due:  # they had been left
        _arm_for_next()
        return
    oldest = min(block._deadline for block in _due)
    wait = min(max((now - oldest) // 8, _AGAIN), _LATER)
    _arm(min(now + wait, _heap[0][0] if _heap else _NEVER))


def _is_machinery(frame: FrameType) -> bool:
    """Whether this runs a block's beginning or end, which an exception must not meet."""
    return frame.f_globals.get("__name__") in _MACHINERY


def _is_jumping(frame: FrameType) -> bool:
    """Whether the bytecode that *frame* is at has raised: what comes next is not what follows it,
    but a handler, which may be the end of a block.
    """
    if opname[frame.f_code.co_code[frame.f_lasti]] in ("RAISE_VARARGS", "RERAISE"):
        return True
    handled = sys.exc_info()[1]
    trace = None if handled is None else handled.__traceback__
    return trace is not None and trace.tb_frame is frame and trace.tb_lasti == frame.f_lasti


def _choose(frame: FrameType) -> timeout | None:
    """The outermost block that is due and that an exception, raised where *frame* is now, would
    reach; None if there is none, or it is on its way already.
    """
    shielded = max((shield[0] for shield in _shields if _is_in_force(shield, frame)), default=0)
    unwinding = 0
    handled = sys.exc_info()[1]
    for block in sorted(_due, key=_number_of):
        if block._frame is None:
            block._leave()
            continue
        if block._number <= max(shielded, unwinding):
            continue
        if block._is_on_its_way(handled):
            unwinding = block._raised  # what was open then is being left
        elif not block._is_around(frame):
            if block._was_left():
                block._leave()
        else:
            return block
    return None


def _is_in_force(shield: tuple[int, FrameType, int], top: FrameType) -> bool:
    """Told by the bytecode: an exception may have struck just where the shield begins or ends."""
    _, owner, begin = shield
    frame: FrameType | None = top
    while frame is not None and frame is not owner:
        frame = frame.f_back
    if frame is None:
        return False
    return reaches(owner.f_code, begin, owner.f_lasti) or (
        owner is not top and owner.f_lasti == begin
    )


def _number_of(block: timeout) -> int:
    return block._number


def _owner_of(frame: FrameType) -> tuple[FrameType, tuple[tuple[FrameType, int], ...]]:
    """The frame with the ``with`` statement. Between it and *frame*, which has entered a block, may
    stand the ``__enter__`` of somebody else, and contextlib: for an ExitStack, or for a context
    manager that is written as a generator, which then is told, with its offset, too.
    """
    generators = []
    while frame.f_back is not None and _enters_for(frame, frame.f_back):
        if frame.f_code.co_flags & _GENERATOR:
            generators.append((frame, frame.f_lasti))
        frame = frame.f_back
    if frame.f_code.co_flags & _ASYNCHRONOUS:
        raise RuntimeError(
            "timeout is for synchronous code: in a coroutine, what the event loop offers, as "
            "asyncio.timeout or trio.fail_after, lets the loop run on"
        )
    return frame, tuple(generators)


def _enters_for(frame: FrameType, back: FrameType) -> bool:
    code = frame.f_code
    if code.co_name == "__enter__":
        return not opens_block(code, frame.f_lasti)
    return "contextlib" in (
        frame.f_globals.get("__name__"),
        code.co_flags & _GENERATOR and back.f_globals.get("__name__"),
    )


def _require_main_thread() -> None:
    thread = get_ident()
    if words[_MAIN_THREAD] != thread:
        raise ValueError("timeout only works in main thread of the main interpreter")
    _at.thread = thread


class timeout:
    """A block that must end in *seconds* (int or float; None: it need not): context manager and
    decorator, for synchronous code in the main thread.

    When the time is over a ``TimeoutInterrupt``, which is no Exception, is raised in the block, and
    at the block's end it becomes a ``TimedOut``, which is a TimeoutError. A block whose time is
    over at its end raises ``TimedOut`` also if it got that far; another exception that leaves it
    then is left alone. With 0 or a negative time it is over at once. Blocks nest to any depth; of
    several whose time is over the outermost is interrupted. If the interruption is swallowed in the
    block it is raised anew, as long as the block lasts.

    *kill_after*: if Python does not get to run within so many seconds after the deadline, because C
    code does not return, the process is ended by SIGABRT, as by ``kill_after``, with a traceback.

    What can be interrupted: Python code, and system calls that Python makes. What cannot: C code
    that runs on without looking for signals, until it returns; then the interruption follows. Code
    in ``shield()`` blocks and ``deferred`` sections is interrupted when they end. A generator that
    yields within a block is interrupted while it runs, and what it yields to is not, unless it is
    made a context manager by contextlib.

    As a decorator it gives each call a block of its own.

    The program's alarm, interval timers and handlers are left alone: the timer is a POSIX timer of
    its own, with a real-time signal of which ``set_timeout_signal`` tells. After a block has ended
    the timer may expire once more, with nothing to do, and end a system call of C code early
    (EINTR; Python's own are retried).

    Raises when it is made: ValueError for NaN, OverflowError for an infinity or a time that is too
    large, TypeError for what is not a number; ValueError if *kill_after* is not positive. When it
    is entered: ValueError outside the main thread of the main interpreter, RuntimeError in a
    coroutine, if it was entered before, and if the signal has a handler of somebody else's.

    Race conditions: none that end a block of its own wrongly. Another exception (KeyboardInterrupt,
    or the interruption of a block around it) that strikes in the instant in which the block begins
    or ends may leave it open; it is then known by the bytecode that it has ended.

    fork: a child of the main thread goes on with the blocks that it is in.
    """

    # _frame is that of the block as long as it is open, and _begin its offset there, _generators
    # the same of those by which it was entered, _number its place among all, from 1 on, _raised how
    # many had begun when it was interrupted, or ended too late.
    __slots__ = (
        *("_begin", "_deadline", "_entry", "_frame", "_generators", "_kill", "_number", "_raised"),
        *("_seconds", "_wait"),
    )
    _deadline: int
    _entry: tuple[int, int, timeout] | None
    _frame: FrameType | None
    _generators: tuple[tuple[FrameType, int], ...]
    _kill: int | None
    _wait: int | None

    def __init__(self, seconds: Number | None, *, kill_after: Number | None = None) -> None:
        self._seconds = seconds
        self._wait = self._kill = self._frame = self._entry = None
        self._number = self._raised = 0
        self._generators = ()
        self._deadline = _NEVER
        if seconds is not None:
            wait = seconds * 1_000_000_000 if type(seconds) is int else nanoseconds(seconds)
            self._wait = wait if -_NEVER < wait < _NEVER else _in_range(wait)
        if kill_after is not None:
            self._kill = _positive(nanoseconds(kill_after))

    # ---- The block ----

    def __enter__(self) -> timeout:
        at = _at
        if at.thread != get_ident():
            _require_main_thread()
        if self._number:
            raise RuntimeError("a timeout can be entered once")
        frame = sys._getframe(1)
        code = frame.f_code
        if (
            code.co_flags & _UNUSUAL
            or code.co_name == "__enter__"
            or frame.f_globals.get("__name__") == "contextlib"
        ):
            frame, self._generators = _owner_of(frame)
        self._begin = frame.f_lasti
        at.opened = self._number = at.opened + 1
        self._frame = frame  # before anything can expire: who is due and has none has ended
        try:
            if self._wait is not None:
                now = monotonic_ns()
                self._deadline = deadline = now + self._wait
                if self._kill is None and now < at.armed <= deadline:
                    entry = self._entry = (deadline, self._number, self)
                    heappush(_heap, entry)
                else:
                    self._schedule(now)
            elif self._deadline != _NEVER:
                self._schedule(monotonic_ns())
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
        if entry is not None and _heap and _heap[0] is entry and self._kill is None:
            self._entry = None  # the innermost is mostly the first
            heappop(_heap)
        else:
            self._leave()
        if self._deadline <= monotonic_ns():
            self._raised = _at.opened
            if not _due:
                _arm_for_next()  # it would expire again soon
            if error is None:
                raise self._timed_out()
            if isinstance(error, TimeoutInterrupt) and error.timeout is self:
                raise self._timed_out() from error

    def _leave(self) -> None:
        """Nothing is to come of it any more."""
        self._frame = None
        self._generators = ()
        if self._entry is not None:
            self._unschedule()

    def _schedule(self, now: int) -> None:
        deadline = self._deadline
        soon_enough = now < _at.armed <= deadline
        if not soon_enough:
            _require_handler()
        entry = self._entry = (deadline, self._number, self)
        heappush(_heap, entry)
        if self._kill is not None:
            watch(self, deadline + self._kill)
        if not soon_enough:
            _arm(deadline)

    def _unschedule(self) -> None:
        entry, self._entry = self._entry, None
        if _heap and _heap[0] is entry:
            heappop(_heap)
        elif _heap and _heap[-1] is entry:
            _heap.pop()
        elif self not in _due:
            _at.dead += 1
            if _at.dead > 64 and _at.dead > len(_heap) // 2:
                _heap[:] = filter(_is_current, _heap)
                heapify(_heap)
                _at.dead = 0
        _due.pop(self, None)
        if self._kill is not None:
            unwatch(self)

    # ---- Interrupting ----

    def _is_on_its_way(self, handled: BaseException | None) -> bool:
        """Whether it was interrupted and *handled*, what is being handled now, comes from that."""
        if not self._raised:
            return False
        for _ in range(1000):
            if handled is None:
                return False
            if type(handled) is TimeoutInterrupt and handled.timeout is self:
                return True
            handled = handled.__context__
        return True

    def _begin_in(self, frame: FrameType) -> int | None:
        """Where it begins in this frame, if it is one of those with the block."""
        if frame is self._frame:
            return self._begin
        return next((begin for each, begin in self._generators if each is frame), None)

    def _is_around(self, top: FrameType) -> bool:
        """Whether what is raised where the frame *top* is now would reach its end, or pass it by
        only because the compiler has forgotten to tell.
        """
        frame: FrameType | None = top
        while frame is not None:
            begin = self._begin_in(frame)
            if begin is not None:
                break
            frame = frame.f_back
        else:
            return False
        if frame is not top and frame.f_lasti == begin:
            return False  # what has entered it does something more
        where = frame.f_code, begin, frame.f_lasti
        return (reaches(*where) and not self._is_entered_anew()) or self._passes_by(top)

    def _passes_by(self, frame: FrameType) -> bool:
        begin = self._begin_in(frame)
        return begin is not None and passes_by(frame.f_code, begin, frame.f_lasti)

    def _is_entered_anew(self) -> bool:
        """Whether the same ``with`` has begun once more, so that this one is over."""
        frame, begin, number = self._frame, self._begin, self._number
        assert frame is not None
        return opens_block(frame.f_code, begin) and any(
            other._frame is frame and other._begin == begin and other._number > number
            for _, _, other in _heap
        )

    def _was_left(self) -> bool:
        """Whether its end has come and nobody told, because an exception of another handler struck
        just there. A generator may be still to go on.
        """
        frame = self._frame
        if frame is None or frame.f_code.co_flags & _GENERATOR:
            return frame is None
        now: FrameType | None = sys._getframe()
        while now is not None and now is not frame:
            now = now.f_back
        return now is None or self._is_entered_anew()

    def _interrupt(self, frame: FrameType) -> BaseException:
        self._raised = _at.opened
        if self._passes_by(frame):
            self._leave()
            return self._timed_out()
        interrupt = TimeoutInterrupt(f"{self._time_is_over()}, and its block has not ended yet")
        interrupt.timeout = self
        return interrupt

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
        return None if self._deadline == _NEVER else self._deadline / 1e9

    @property
    def expired(self) -> bool:
        """Whether its time was over before it ended."""
        return self._raised > 0

    def remaining(self) -> float | None:
        """Seconds that are left, 0.0 if none are; None if there is no deadline, or it has not
        begun.
        """
        if self._deadline == _NEVER:
            return None
        return max(self._deadline - monotonic_ns(), 0) / 1e9

    def reschedule(self, when: Number | None) -> None:
        """Have its time over at *when*, in seconds of ``time.monotonic()``; None: never.

        RuntimeError if the block is not open, or has been interrupted already. Main thread only.
        """
        deadline = _NEVER if when is None else _in_range(nanoseconds(when))
        _require_main_thread()
        if self._frame is None:
            raise RuntimeError("the block is not open")
        if self._raised:
            raise RuntimeError("the block has been interrupted already")
        self._deadline = deadline
        if self._entry is not None:
            self._unschedule()
        if deadline != _NEVER:
            self._schedule(monotonic_ns())

    def shield(self) -> _Shield:
        """A block, for what must finish: neither this timeout nor any other that is open when it
        begins interrupts it. If the time is over at its end, the interruption comes there.
        """
        return _Shield()

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
        fresh._deadline = self._deadline if self._wait is None else _NEVER
        return fresh

    def __call__(self, function: F, /) -> F:
        """Decorate: every call is a block of its own. TypeError for a generator or coroutine
        function, of which a call only makes an object.
        """
        from functools import wraps  # which takes long to import

        flags = getattr(getattr(function, "__code__", None), "co_flags", 0)
        if flags & (_GENERATOR | _ASYNCHRONOUS):
            raise TypeError("timeout decorates functions: not generators, nor coroutines")

        @wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with self._another():
                return function(*args, **kwargs)

        return inside  # type: ignore[return-value]


class _Shield:
    __slots__ = ("_entered",)

    def __init__(self) -> None:
        self._entered: list[tuple[int, FrameType, int]] = []

    def __enter__(self) -> None:
        owner, _ = _owner_of(sys._getframe(1))
        entry = (_at.opened, owner, owner.f_lasti)
        self._entered.append(entry)
        _shields.append(entry)

    def __exit__(self, kind: Any, error: Any, trace: Any, /) -> None:
        _shields.remove(self._entered.pop())
        if error is None and _due:
            frame = sys._getframe(1)
            block = _choose(frame)
            if block is not None:
                raise block._interrupt(frame)


def timeout_at(when: Number | None, *, kill_after: Number | None = None) -> timeout:
    """``timeout`` with the time at which it is over: *when*, in seconds of ``time.monotonic()``
    (int or float; None: never). As a decorator all calls have the same deadline.
    """
    deadline = _NEVER if when is None else _in_range(nanoseconds(when))
    block = timeout(None, kill_after=kill_after)
    block._deadline = deadline
    return block


def set_timeout_signal(signum: int) -> None:
    """Choose the signal by which timeouts work: a real-time signal that nothing else uses.
    Without this it is the last but one.

    Raises ValueError for a number that is not a signal's and outside the main thread, RuntimeError
    while a ``timeout`` block is open, and if the signal has a handler.
    """
    number = signal_number(signum)
    _require_main_thread()
    if any(map(_is_current, _heap)) or _due:
        raise RuntimeError("a timeout is open")
    former = _at.signum
    if number == former:
        return
    _at.signum = number
    try:
        _require_handler()
    except BaseException:
        _at.signum = former
        raise
    if _at.timer is not None:
        _at.timer.close()
        _at.timer = None
        _at.armed = _NEVER


def _in_range(time: int) -> int:
    if not -_NEVER < time < _NEVER:
        raise OverflowError("the time is too large")
    return time


def _positive(time: int) -> int:
    if _in_range(time) <= 0:
        raise ValueError("kill_after must be positive")
    return time


def _in_child() -> None:
    """A forked child has no timers, and of all blocks those of the thread that forked."""
    _at.timer = None
    _at.armed = _NEVER
    if _at.thread != get_ident():
        _at.thread = 0
        _heap.clear()
        _due.clear()
        _shields.clear()
        _at.dead = 0
    elif _heap or _due:
        _arm(monotonic_ns() + _SOON)


os.register_at_fork(after_in_child=_in_child)
