"""Blocks with a deadline, and the interruption of those whose time is over: ``Limit``.

Law: one kernel timer of our own serves all; it is armed for the earliest deadline, and left armed
when a block ends in time, so that blocks cost no system call. When it expires its handler decides
whether to raise. It raises only where the exception is sure to reach the end of the block whose
time is over: not while the block begins or ends, not in a generator's consumer, not beside the
block. Where it may not, it tries again, and the block's end looks at the clock in any case: so no
block is interrupted after its end, and none whose time is over ends as if it were not.

The timer goes on at an interval until nothing is due: an exception that got lost (in an ``except:
pass``, say) is raised anew, and a handler that was itself interrupted runs again. Where all
exceptions get lost, in a ``__del__`` and where one has got lost before, it waits: the interpreter
is told at once that the signal has come again, and looks at its next bytecodes, until it is out of
there, with pauses. What is swallowed time and again is raised there less and less often, and a
warning says where.

Main thread only.

Rejected: SIGALRM and an interval timer, which belong to the program. Raising where the signal
happens to come: between the last bytecode of a block and its ``__exit__`` the exception would meet
somebody else.

Source: timer_create(2).
"""

from __future__ import annotations

import os
import sys
from _thread import interrupt_main
from heapq import heapify, heappop, heappush
from signal import SIGRTMAX
from time import CLOCK_MONOTONIC, monotonic_ns

from sigcffi._attached.dead_man import unwatch, watch
from sigcffi._core.arguments import nanoseconds
from sigcffi._core.ffi import lib, words
from sigcffi._core.scope import warn
from sigcffi._handlers.signal import getsignal, signal
from sigcffi._time.places import Place
from sigcffi._time.timers import Timer
from sigcffi._time.unwinding import UNDERSTOOD, opens_block

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, FrameType

    from sigcffi._core.arguments import Number

__all__ = [
    *("AGAIN", "NEVER", "Limit", "arm_for_next", "at", "choose", "due", "heap", "in_range"),
    *("look_at_the_clock", "require_main_thread", "shields", "use_signal"),
]

NEVER = 2**63 - 1  # nanoseconds of the monotonic clock
_SOON = 50_000  # where a few bytecodes are in the way
AGAIN = 10_000_000
_LATER = 100_000_000  # at the latest, where there is no telling
_TRIES = 200  # before an exception passes by handlers: most loops are elsewhere, too
_PATIENCE = 1000  # looks for a place where exceptions do not get lost, then a pause: milliseconds
_PAUSE = 3 * AGAIN
_SWALLOWED = 10  # exceptions, before there are fewer

_MAIN_THREAD = lib.SIGCFFI_WORD_MAIN_THREAD
# Modules that run a block's beginning or end, which an exception must not meet.
_MACHINERY = (
    *(__name__, "sigcffi._time.timeouts", "sigcffi._time.places", "sigcffi._time.unwinding"),
    *("sigcffi._attached.dead_man", "sigcffi._time.timers", "contextlib", "heapq"),
)


class _Position:
    """What there is one of. An object: its slots are found faster than globals."""

    __slots__ = ("armed", "dead", "opened", "signum", "thread", "timer", "warned")

    def __init__(self) -> None:
        self.armed = NEVER  # the timer expires then or before, and from then on at an interval
        self.timer: Timer | None = None
        self.thread = 0  # the main thread, once it has been in a block
        self.signum = int(SIGRTMAX) - 1
        self.opened = 0  # how many blocks have begun
        self.dead = 0  # entries of the heap that are no block's any more
        self.warned = UNDERSTOOD


at = _Position()
heap: list[tuple[int, int, Limit]] = []  # deadline, number, block; of all that are open, or due
due: dict[Limit, None] = {}  # whose deadlines are over, and that have not ended
shields: list[tuple[int, Place]] = []  # how many blocks had begun when it did, and where it is


class Limit(Place):
    # _number is its place among all, from 1 on, _raised how many had begun when it was interrupted,
    # or ended too late, _put_off how often its interruption was, for a better place, _swallowed how
    # many interruptions got lost, _lost the code that was interrupted last, and _again when it may
    # be interrupted there again.
    __slots__ = (
        *("_again", "_deadline", "_entry", "_kill", "_lost", "_number", "_put_off", "_raised"),
        *("_seconds", "_swallowed", "_wait"),
    )
    _deadline: int
    _entry: tuple[int, int, Limit] | None
    _kill: int | None
    _lost: CodeType | None
    _wait: int | None

    def __init__(self, seconds: Number | None, *, kill_after: Number | None = None) -> None:
        self._frame = self._entry = self._kill = self._lost = self._wait = None
        self._generators = ()
        self._again = self._number = self._put_off = self._raised = self._swallowed = 0
        self._deadline = NEVER
        self._seconds = seconds
        if seconds is not None:
            wait = seconds * 1_000_000_000 if type(seconds) is int else nanoseconds(seconds)
            self._wait = wait if -NEVER < wait < NEVER else in_range(wait)
        if kill_after is not None:
            self._kill = in_range(nanoseconds(kill_after))
            if self._kill <= 0:
                raise ValueError("kill_after must be positive")

    def _interruption(self, passes_by: bool) -> BaseException:
        """What interrupts it, or leaves it at once if that passes its end by."""
        raise NotImplementedError

    def _comes_from_it(self, error: BaseException) -> bool:
        """Whether this interrupts it."""
        raise NotImplementedError

    def _schedule(self, now: int) -> None:
        soon_enough = self._deadline == NEVER or now < at.armed <= self._deadline
        if not soon_enough:
            _require_handler()
        entry = self._entry = (self._deadline, self._number, self)
        heappush(heap, entry)
        if self._kill is not None and self._deadline != NEVER:
            watch(self, self._deadline + self._kill)
        if not soon_enough:
            arm_for_next(now + AGAIN)

    def _leave(self) -> None:
        """Nothing is to come of it any more."""
        self._frame = None
        self._generators = ()
        if self._entry is not None:
            self._unschedule()

    def _unschedule(self) -> None:
        if self._kill is not None:
            unwatch(self)  # first: who is in the heap is seen to, whatever strikes here
        entry, self._entry = self._entry, None
        if heap and heap[0] is entry:
            heappop(heap)
        elif heap and heap[-1] is entry:
            heap.pop()
        elif self not in due:
            at.dead += 1
            if at.dead > 64 and at.dead > len(heap) // 2:
                heap[:] = filter(_is_current, heap)
                heapify(heap)
                at.dead = 0
        due.pop(self, None)

    def _is_on_its_way(self, handled: BaseException | None) -> bool:
        """Whether it was interrupted and *handled*, what is being handled now, comes from that."""
        if not self._raised:
            return False
        for _ in range(1000):
            if handled is None:
                return False
            if self._comes_from_it(handled):
                return True
            handled = handled.__context__
        return True

    def _is_entered_anew(self) -> bool:
        """Whether the same ``with`` has begun once more, so that this one is over."""
        frame, begin, number = self._frame, self._begin, self._number
        assert frame is not None
        return opens_block(frame.f_code, begin) and any(
            other._frame is frame and other._begin == begin and other._number > number
            for other in [*(entry[2] for entry in heap), *due]
        )


def in_range(time: int) -> int:
    if not -NEVER < time < NEVER:
        raise OverflowError("the time is too large")
    return time


# ---- The timer ----


def _arm(when: int) -> None:
    at.armed = 0  # not known, whatever strikes here
    timer = at.timer
    if when != NEVER:
        if timer is None:
            timer = at.timer = Timer(at.signum, clock=CLOCK_MONOTONIC, thread_id=at.thread)
        timer.settime_ns(max(when, 1), AGAIN, absolute=True)
    elif timer is not None:
        timer.settime_ns(0)
    at.armed = when


def arm_for_next(again: int) -> None:
    """For the next deadline, and *again* at the latest if something is due already."""
    while heap and not _is_current(heap[0]):
        heappop(heap)
        at.dead -= 1
    when = heap[0][0] if heap else NEVER
    _arm(min(when, again) if due else when)


def _require_handler() -> None:
    handler = getsignal(at.signum)
    if handler is not _expire:
        if callable(handler) or handler is None:
            raise RuntimeError(
                f"signal {at.signum} has a handler already: choose another for timeouts with "
                "set_timeout_signal"
            )
        signal(at.signum, _expire)


def use_signal(number: int) -> None:
    """From now on. RuntimeError while a block is open, and if the signal has a handler."""
    if due or any(map(_is_current, heap)):
        raise RuntimeError("a timeout is open")
    former = at.signum
    if number == former:
        return
    at.signum = number
    try:
        _require_handler()
    except BaseException:
        at.signum = former
        raise
    if at.timer is not None:
        at.timer.close()
        at.timer = None
        at.armed = NEVER


def require_main_thread() -> None:
    if not lib.sigcffi_main_thread_is_current():
        raise ValueError("timeout only works in main thread of the main interpreter")
    if not at.warned:
        import warnings

        warnings.warn(
            "sigcffi does not understand the exception tables of this Python: what interrupts a "
            "timeout may come out beside its block",
            RuntimeWarning,
            stacklevel=3,
        )
        at.warned = True
    at.thread = words[_MAIN_THREAD]


# ---- Whether and where to raise ----


def _is_current(entry: tuple[int, int, Limit]) -> bool:
    return entry[2]._entry is entry


def look_at_the_clock(now: int) -> None:
    """Find out who is due."""
    while heap and (heap[0][0] <= now or not _is_current(heap[0])):
        entry = heap[0]
        block = entry[2]
        if _is_current(entry):
            due[block] = None  # before it leaves the heap: it may not get lost
            if block._kill is not None:
                unwatch(block)
        elif at.dead:
            at.dead -= 1
        heappop(heap)
    for block in list(due):
        if block._entry is None or block._deadline > now:
            del due[block]


def _expire(signum: int, frame: FrameType | None) -> None:
    """The timer has expired. The interpreter calls this."""
    now = monotonic_ns()
    if frame is None or _is_machinery(frame):
        _arm(now + _SOON)
        return
    look_at_the_clock(now)
    block = choose(frame)
    if block is not None:
        passes_by = block._passes_by(frame)
        if passes_by and block._put_off < _TRIES:
            block._put_off += 1
            _arm(now + _SOON)
            return
        lost = _gets_lost(block, frame)
        if lost and block._put_off < _PATIENCE:
            block._put_off += 1
            # Unpacked, because behind a call the interpreter would look here, where it is too soon.
            (_,) = map(interrupt_main, (signum,))  # type: ignore[arg-type]
            return
        if now < block._again and (lost or frame.f_code is block._lost):
            block._put_off = 0
            _arm(min(block._again, now + _PAUSE))
            return
        if block._raised:
            _say_that_it_was_swallowed(block, now)
        block._put_off = 0
        block._lost = frame.f_code
        raise block._interruption(passes_by)
    oldest = min((block._deadline for block in due), default=now)
    arm_for_next(now + min(max((now - oldest) // 8, AGAIN), _LATER))


def _gets_lost(block: Limit, frame: FrameType) -> bool:
    """Whether what is raised where *frame* is now may go nowhere: in a finalizer, or in what was
    interrupted the last time, and that came to nothing.
    """
    lost = block._lost if block._raised else None
    now: FrameType | None = frame
    while now is not None and now is not block._frame:
        if now.f_code is lost or now.f_code.co_name == "__del__":
            return True
        now = now.f_back
    return False


def _say_that_it_was_swallowed(block: Limit, now: int) -> None:
    block._swallowed += 1
    if block._swallowed >= _SWALLOWED:
        block._again = now + (AGAIN << min(block._swallowed - _SWALLOWED, 10))
    if block._swallowed == _SWALLOWED:
        warn(
            f"what interrupts a timeout block was swallowed {_SWALLOWED} times, the last time "
            "where it is raised now; it will be raised less often",
            RuntimeWarning,
            stacklevel=3,
        )


def _is_machinery(frame: FrameType) -> bool:
    return frame.f_globals.get("__name__") in _MACHINERY


def choose(frame: FrameType) -> Limit | None:
    """The outermost block that is due and that an exception, raised where *frame* is now, would
    reach; None if there is none, or it is on its way already.
    """
    if not due:
        return None
    unwinding = _shielded(frame)
    handled = sys.exc_info()[1]
    for block in sorted(due, key=_number_of):
        if block._frame is None:
            block._leave()
        elif block._number <= unwinding:
            continue
        elif block._is_entered_anew() or block._was_left():
            block._leave()
        elif block._is_on_its_way(handled):
            unwinding = max(unwinding, block._raised)  # what was open then is being left
        elif block._is_around(frame):
            return block
    return None


def _shielded(frame: FrameType) -> int:
    """How many blocks, of all that have begun, are not to be interrupted where *frame* is now."""
    number = 0
    for shield in list(shields):
        begun, place = shield
        if place._may_be_around(frame):
            number = max(number, begun)
        elif place._was_left() and shield in shields:
            shields.remove(shield)
    return number


def _number_of(block: Limit) -> int:
    return block._number


def _in_child() -> None:
    """A forked child has no timers, and of all blocks those of the thread that forked."""
    at.timer = None
    at.armed = NEVER
    if at.thread != words[_MAIN_THREAD]:
        at.thread = 0
        heap.clear()
        due.clear()
        shields.clear()
        at.dead = 0
    else:
        arm_for_next(monotonic_ns() + _SOON)


os.register_at_fork(after_in_child=_in_child)
