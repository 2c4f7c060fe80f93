"""Blocks with a deadline, and the interruption of those whose time is over: ``Limit``.

Law: the handler of the timer's signal decides whether to raise, and raises only where the exception
is sure to reach the end of the block whose time is over: not while the block begins or ends, not in
a generator's consumer, not beside the block. Elsewhere it tries again soon, and the block's end
looks at the clock in any case: so no block is interrupted after its end, and none whose time is
over ends as if it were not.

The timer expires again and again until no block is due. So an exception that got lost (in an
``except: pass``, say) is raised anew, and a handler that was itself interrupted runs again. In
a ``__del__``, in what the collector calls, and where an exception has got lost before, the
handler does not raise: it marks its signal as due again (``interrupt_main``), so that the
interpreter calls it between the next bytecodes, until the program is out of there; after some
time it pauses. What is swallowed time and again is raised there less and less often, and a
warning says where.

Main thread only.

Rejected: SIGALRM and an interval timer, which belong to the program. Raising where the signal
happens to come: between the last bytecode of a block and its ``__exit__`` the exception would leave
the function beside the block.
"""

from __future__ import annotations

import gc
import sys
from _thread import interrupt_main
from time import monotonic_ns

from sigcffi._attached.dead_man import unwatch
from sigcffi._core.arguments import nanoseconds
from sigcffi._core.ffi import lib, words
from sigcffi._core.forking import in_child
from sigcffi._core.scope import Single, warn
from sigcffi._handlers.signal import getsignal, signal
from sigcffi._time.places import PLUGINS, Place, module_of, shielded, shields, stage_of
from sigcffi._time.schedule import AGAIN, NEVER, in_range, require_main_thread, schedule
from sigcffi._time.unwinding import opens_block

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, FrameType

    from sigcffi._core.arguments import Number

__all__ = ["Limit", "choose", "prepare", "use_signal"]

_SOON = 50_000  # where a few bytecodes are in the way
_LATER = 100_000_000  # at the latest, where there is no telling
_TRIES = 200  # before an exception passes by handlers: most loops are elsewhere, too
_PATIENCE = 1000  # looks for a place where exceptions do not get lost, then a pause: milliseconds
_PAUSE = 3 * AGAIN
_SWALLOWED = 10  # exceptions, before there are fewer

_MAIN_THREAD = lib.SIGCFFI_WORD_MAIN_THREAD
# Modules that run a block's beginning or end, which an exception must not meet.
_MACHINERY = (
    *(__name__, "sigcffi._time.places", "sigcffi._time.schedule", "sigcffi._time.shielding"),
    *("sigcffi._time.timeouts", "sigcffi._time.timers", "sigcffi._time.unwinding"),
    *("sigcffi._attached.dead_man", "sigcffi._shutdown.shutdown", "sigcffi._shutdown.stages"),
    *("contextlib", "heapq"),
    *PLUGINS,
)


class Limit(Place, Single):
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
        self._frame = self._entry = self._kill = self._lost = self._stage = self._wait = None
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

    def _becomes_due(self) -> None:
        """Python has seen that its time is over."""
        if self._kill is not None:
            unwatch(self)

    def _schedule(self, now: int) -> None:
        soon_enough = self._deadline == NEVER or now < schedule.armed <= self._deadline
        if not soon_enough:
            _require_handler()
        schedule.add(self)
        if not soon_enough:
            schedule.arm_for_next(now + AGAIN)

    def _leave(self) -> None:
        """Nothing is to come of it any more."""
        self._frame = self._stage = None
        self._generators = ()
        if self._entry is not None:
            schedule.remove(self)

    def _is_on_its_way(self, handled: BaseException | None, frame: FrameType) -> bool:
        """Whether it was interrupted and *handled*, what is being handled now, comes from that; or
        pytest has caught the interruption, and goes on to the end of the fixture with the block.
        """
        if not self._raised:
            return False
        if self._stage is not None and stage_of(frame) is not self._stage:
            return True
        for _ in range(1000):
            if handled is None:
                return False
            if self._comes_from_it(handled):
                return True
            handled = handled.__context__
        return True

    def _is_entered_anew(self) -> bool:
        """Whether the block's ``with`` statement has begun once more: then this block is over."""
        frame, begin, number = self._frame, self._begin, self._number
        assert frame is not None
        return opens_block(frame.f_code, begin) and any(
            other._frame is frame and other._begin == begin and other._number > number
            for other in schedule.blocks()
        )


# ---- The signal ----


def prepare() -> None:
    """Whatever a deadline needs is there from now on: for a handler that sets one."""
    require_main_thread()
    _require_handler()
    schedule.prepare()


def _require_handler() -> None:
    handler = getsignal(schedule.signum)
    if handler is not _expire:
        if callable(handler) or handler is None:
            raise RuntimeError(
                f"signal {schedule.signum} has a handler already: choose another for timeouts with "
                "set_timeout_signal"
            )
        signal(schedule.signum, _expire)


def use_signal(number: int) -> None:
    """From now on. RuntimeError while a block is open, and if the signal has a handler."""
    if not schedule.is_empty():
        raise RuntimeError("a timeout is open")
    former = schedule.signum
    if number == former:
        return
    schedule.signum = number
    try:
        _require_handler()
    except BaseException:
        schedule.signum = former
        raise
    schedule.close_timer()


# ---- Whether and where to raise ----


def _expire(signum: int, frame: FrameType | None) -> None:
    """The timer has expired. The interpreter calls this."""
    now = monotonic_ns()
    if frame is None or _is_machinery(frame):
        schedule.arm(now + _SOON)
        return
    schedule.look(now)
    block = choose(frame)
    if block is not None:
        passes_by = block._passes_by(frame)
        if passes_by and block._put_off < _TRIES:
            block._put_off += 1
            schedule.arm(now + _SOON)
            return
        lost = _gets_lost(block, frame)
        if lost and block._put_off < _PATIENCE:
            block._put_off += 1
            # Unpacked, because behind a call the interpreter would look here, where it is too soon.
            (_,) = map(interrupt_main, (signum,))  # type: ignore[arg-type]
            return
        if now < block._again and (lost or frame.f_code is block._lost):
            block._put_off = 0
            schedule.arm(min(block._again, now + _PAUSE))
            return
        if block._raised:
            _say_that_it_was_swallowed(block, now)
        block._put_off = 0
        block._lost = frame.f_code
        raise block._interruption(passes_by)
    oldest = min((block._deadline for block in schedule.due), default=now)
    schedule.arm_for_next(now + min(max((now - oldest) // 8, AGAIN), _LATER))


def _gets_lost(block: Limit, frame: FrameType) -> bool:
    """Whether what is raised where *frame* is now may go nowhere: in a finalizer, in what the
    collector calls, or in what was interrupted the last time, and that came to nothing.
    """
    lost = [getattr(callback, "__code__", None) for callback in getattr(gc, "callbacks", ())]
    if block._raised:
        lost.append(block._lost)
    now: FrameType | None = frame
    while now is not None and now is not block._frame:
        if now.f_code in lost or now.f_code.co_name == "__del__":
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
    return module_of(frame) in _MACHINERY


def choose(frame: FrameType) -> Limit | None:
    """The outermost block that is due and that an exception, raised where *frame* is now, would
    reach; None if there is none, or it is on its way already.
    """
    if not schedule.due:
        return None
    unwinding = shielded(frame)
    handled = sys.exc_info()[1]
    block: Limit
    for block in sorted(schedule.due, key=_number_of):
        if block._frame is None:
            block._leave()
        elif block._number <= unwinding:
            continue
        elif block._is_entered_anew() or block._was_left():
            block._leave()
        elif block._is_on_its_way(handled, frame):
            unwinding = max(unwinding, block._raised)  # what was open then is being left
        elif block._is_around(frame):
            return block
    return None


def _number_of(block: Limit) -> int:
    return block._number


def _in_child() -> None:
    """A forked child has no timers, and of all blocks those of the thread that forked."""
    schedule.forget_timer()
    if schedule.thread != words[_MAIN_THREAD]:
        schedule.thread = 0
        schedule.clear()
        shields.clear()
    else:
        schedule.arm_for_next(monotonic_ns() + _SOON)


in_child(_in_child)
