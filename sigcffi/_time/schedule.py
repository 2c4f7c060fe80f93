"""When blocks with a deadline are over: ``schedule``.

Law: knows deadlines and the kernel timer that serves all of them, and no frames. The timer is armed
for the earliest deadline, and left armed when a block ends in time, so that blocks cost no system
call (but when the interpreter ends). Once it has expired it goes on at an interval until nothing is
due. Main thread only, but for ``ask``; an exception of a handler may strike between any two
bytecodes, and leaves a schedule that is right.

Source: timer_create(2).
"""

from __future__ import annotations

import atexit
from collections import deque
from heapq import heapify, heappop, heappush
from signal import SIGRTMAX
from time import CLOCK_MONOTONIC, monotonic_ns

from sigcffi._attached.dead_man import unwatch, watch
from sigcffi._core.ffi import lib, words
from sigcffi._time.timers import Timer
from sigcffi._time.unwinding import UNDERSTOOD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    # Deadline, number, block. A block has ``_deadline`` and ``_number``; ``_kill``, how much later
    # the process is to end, or None; and in ``_entry`` its item in the heap while it is open.
    Entry = tuple[int, int, Any]

__all__ = ["AGAIN", "NEVER", "in_range", "require_main_thread", "schedule"]

_MAIN_THREAD = lib.SIGCFFI_WORD_MAIN_THREAD

NEVER = 2**63 - 1  # nanoseconds of the monotonic clock
AGAIN = 10_000_000  # the interval


def in_range(time: int) -> int:
    """Pass on a number of nanoseconds, unless it is too large: then raise OverflowError."""
    if not -NEVER < time < NEVER:
        raise OverflowError("the time is too large")
    return time


def is_current(entry: Entry) -> bool:
    """Whether this entry of the heap is still its block's."""
    return entry[2]._entry is entry


class Schedule:
    """``heap`` holds an entry for every open block that is not due, and entries of blocks that have
    ended, of which ``dead`` counts some; ``due`` holds the blocks whose deadline is over and that
    have not ended. The timer expires at ``armed`` or before.
    """

    __slots__ = (
        *("armed", "asked", "dead", "due", "heap", "is_ending", "opened", "signum", "thread"),
        "timer",
    )

    def __init__(self) -> None:
        self.heap: list[Entry] = []
        self.due: dict[Any, None] = {}
        self.asked: deque[Callable[[], object]] = deque()
        self.dead = 0
        self.armed = NEVER
        self.timer: Timer | None = None
        self.signum = int(SIGRTMAX) - 1
        self.thread = 0  # the main thread, once it has been in a block
        self.opened = 0  # how many blocks have begun
        self.is_ending = False  # the interpreter is

    # ---- Blocks ----

    def add(self, block: Any) -> None:
        entry = block._entry = (block._deadline, block._number, block)
        heappush(self.heap, entry)
        if block._kill is not None and block._deadline != NEVER:
            watch(block, block._deadline + block._kill)

    def remove(self, block: Any) -> None:
        if block._kill is not None:
            unwatch(block)  # first: a block in the heap is looked at again, whatever strikes here
        entry, block._entry = block._entry, None
        heap = self.heap
        if heap and heap[0] is entry:
            heappop(heap)
        elif heap and heap[-1] is entry:
            heap.pop()
        elif block not in self.due:
            self.dead += 1
            if self.dead > 64 and self.dead > len(heap) // 2:
                heap[:] = filter(is_current, heap)
                heapify(heap)
                self.dead = 0
        self.due.pop(block, None)
        if self.is_ending:
            self.arm_for_next(monotonic_ns() + AGAIN)

    def look(self, now: int) -> None:
        """Find out which blocks are due."""
        heap, due, asked = self.heap, self.due, self.asked
        # What is done is taken away behind it: what an exception ends is done again. The timer may
        # expire within a call, and what looks there may have taken it away already.
        while asked:
            call = asked[0]
            call()
            if asked and asked[0] is call:
                asked.popleft()
        while heap and (heap[0][0] <= now or not is_current(heap[0])):
            entry = heap[0]
            block = entry[2]
            if is_current(entry):
                due[block] = None  # before it leaves the heap: it may not get lost
                block._becomes_due()
            elif self.dead:
                self.dead -= 1
            if heap and heap[0] is entry:
                heappop(heap)
        for block in list(due):
            if block._entry is None or block._deadline > now:
                del due[block]

    def blocks(self) -> list[Any]:
        """All that are open, and perhaps some that are not."""
        return [*(entry[2] for entry in self.heap), *self.due]

    def is_empty(self) -> bool:
        return not self.due and not any(map(is_current, self.heap))

    def clear(self) -> None:
        self.heap.clear()
        self.due.clear()
        self.dead = 0

    def ask(self, function: Callable[[], object]) -> None:
        """Have the main thread call *function* between two bytecodes, whatever system call it waits
        in. The timer goes on at its interval until it does. Any thread may call it; *function* may
        be called twice.

        Race condition: while this asks, the main thread arms the timer for a later time. It looks
        behind that whether it was asked.
        """
        self.asked.append(function)
        self.prepare().settime_ns(1, AGAIN, absolute=True)

    # ---- The timer ----

    def prepare(self) -> Timer:
        """There is a timer from now on. BlockingIOError (EAGAIN) if the kernel has no room."""
        if self.timer is None:
            self.timer = Timer(self.signum, clock=CLOCK_MONOTONIC, thread_id=self.thread)
        return self.timer

    def arm(self, when: int) -> None:
        self.armed = 0  # not known, whatever strikes here
        if when != NEVER:
            self.prepare().settime_ns(max(when, 1), AGAIN, absolute=True)
        elif self.is_ending:
            self.close_timer()
        elif self.timer is not None:
            self.timer.settime_ns(0)
        self.armed = when
        if self.asked:
            soon = monotonic_ns() + AGAIN
            if when > soon:
                self.prepare().settime_ns(soon, AGAIN, absolute=True)

    def arm_for_next(self, again: int) -> None:
        """For the next deadline, and *again* at the latest if something is due already."""
        heap = self.heap
        while heap and not is_current(heap[0]):
            heappop(heap)
            self.dead -= 1
        when = heap[0][0] if heap else NEVER
        self.arm(min(when, again) if self.due else when)

    def close_timer(self) -> None:
        if self.timer is not None:
            self.timer.close()
        self.forget_timer()

    def forget_timer(self) -> None:
        """It was closed, or is the parent's, which a forked child does not have."""
        self.timer = None
        self.armed = NEVER

    def end(self) -> None:
        """The interpreter is going to give the timer's signal its default action, which ends the
        process. Functions of atexit that come later may have blocks: from now on there is a timer
        while there are blocks.
        """
        self.is_ending = True
        self.close_timer()


schedule = Schedule()
atexit.register(schedule.end)

_unsaid = not UNDERSTOOD  # that this interpreter's tables are not


def require_main_thread() -> None:
    global _unsaid
    if not lib.sigcffi_main_thread_is_current():
        raise ValueError("timeout only works in main thread of the main interpreter")
    if _unsaid:
        import warnings

        warnings.warn(
            "sigcffi does not understand the exception tables of this Python: what interrupts a "
            "timeout may come out beside its block",
            RuntimeWarning,
            stacklevel=3,
        )
        _unsaid = False
    schedule.thread = words[_MAIN_THREAD]
