"""The dispatcher: from the ring to the handlers, in the order of arrival.

Law: the only reader of the main channel; runs in the main thread only. The interpreter calls
``dispatch`` in the place of a handler, for every signal that has an entry in the registry, and that
call says no more than "look": it hands over all that is there. An exception may strike between any
two bytecodes, so a delivery moves in single steps that no bytecode divides: it is consumed in the
ring after it is in ``_waiting``, and leaves that by the step behind its last handler's call. What an
exception interrupts goes on where it was.

While the dispatcher thinks it keeps every signal out (``running`` has all bits), and while a handler
runs those that the handler keeps out. Who has set that and has gone, by an exception or a greenlet
that was switched away, is not on the stack any more: then it does not count.

It makes no compiled call where nothing special has happened: each would give up the GIL, and beside
a busy thread it could take milliseconds to get it back. So it looks into the channel's memory by
itself.

Rejected: leaving the rest of the records to the next call when a handler has raised. Nothing can
make the interpreter call again later: from Python it would do so at once, inside of this call.
"""

from __future__ import annotations

import os
import sys
from _thread import start_new_thread
from itertools import count, starmap
from operator import call, length_hint
from signal import NSIG, SIG_SETMASK
from struct import Struct
from types import SimpleNamespace

from sigcffi._ffi import lib, memory, words
from sigcffi._mainthread import LOOKS_LATE, run_due_handlers
from sigcffi._siginfo import SigInfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType
    from typing import Any

    from sigcffi._registry import Entry

__all__ = ["account", "dispatch", "entries", "expect", "take_back"]

entries: dict[int, Entry] = {}

TAIL = lib.SIGCFFI_WORD_TAIL
HEAD = lib.SIGCFFI_WORD_HEAD
DEFERRED = lib.SIGCFFI_WORD_DEFERRED
RUNNING = lib.SIGCFFI_WORD_RUNNING
PENDING = lib.SIGCFFI_WORD_PENDING
PRESSURE = lib.SIGCFFI_WORD_PRESSURE
CALLS = lib.SIGCFFI_WORD_CALLS
ELSEWHERE = lib.SIGCFFI_WORD_ELSEWHERE
CAPACITY = lib.SIGCFFI_CAPACITY
LAST = CAPACITY - 1
RECORDS = lib.SIGCFFI_WORDS * 8
SIZE = lib.SIGCFFI_RECORD_SIZE

ALL = 2**64 - 1  # no handler keeps SIGKILL out, so this says that the dispatcher thinks

# An exception waits for no more deliveries than this: much more than there can be at once, so that
# only in a flood that does not end it leaves before the queue is empty.
LIMIT = 16 * CAPACITY

_unpack = Struct("=Qi68s").unpack_from

if lib.SIGCFFI_STORES_IN_ORDER and sys.implementation.name == "cpython":
    unpack: Any = _unpack
else:
    # PyPy's compiler, and other processors, may read the record before its sequence.
    def unpack_published(memory: Any, offset: int) -> tuple[Any, ...]:
        sequence = lib.sigcffi_sequence(offset)
        return (sequence, *_unpack(memory, offset)[1:])

    unpack = unpack_published


class _Delivery:
    """What has arrived and was not handed over yet, or not to all."""

    __slots__ = ("calls", "info", "keeps_out", "left", "step")
    calls: list[tuple[Any, ...]]  # for each step what to call, and with what; the last removes it
    left: Iterator[tuple[Any, ...]]  # of them those that have not begun
    keeps_out: int  # while they run, a word

    def __init__(self, info: SigInfo) -> None:
        self.info = info
        self.step: Callable[[], object] | None = None  # makes the next one

    def begin(self, number: int, frame: FrameType | None) -> None:
        """Its handlers are those of now."""
        info = self.info
        entry = entries.get(info._signo)
        self.keeps_out = 0
        self.calls = []
        if entry is not None:
            self.keeps_out = entry.keeps_out
            self.calls += [
                (handler, info._signo if takes_number else info, frame)
                for handler, takes_number in entry.calls
            ]
        self.calls.append((_waiting.pop, number, None))
        if number > 0:
            _tally.handed += entry is not None
            _tally.lost += entry is None
        self.left = iter(self.calls)
        self.step = starmap(call, self.left).__next__

    def last(self) -> object:
        """What was called last."""
        return self.calls[len(self.calls) - length_hint(self.left) - 1][0] if self.step else None


class _Tally:
    """What has become of the records."""

    __slots__ = ("handed", "lost")

    def __init__(self) -> None:
        self.handed = self.lost = 0


_tally = _Tally()
_waiting: dict[int, _Delivery] = {}  # by number, in the order of arrival
_unrecorded = count(-1, -1)  # numbers of what is not from the ring
_explained = [0] * NSIG  # how many of C's calls to the interpreter the dispatcher has heard of
_late: set[int] = set()  # signals for which one more call may come that says nothing new


def dispatch(signum: int, frame: FrameType | None) -> None:
    """Call the handlers of all signals that have arrived. The interpreter calls this."""
    running = words[RUNNING]
    if running and not _is_inside(frame):
        words[RUNNING] = running = 0
    calls = words[CALLS + signum]
    news = calls - _explained[signum]
    if news:
        _explained[signum] = calls
        if news > 1:
            _late.add(signum)
    elif signum in _late:
        _late.discard(signum)
    elif not words[ELSEWHERE]:
        # The interpreter calls by itself: for ``_thread.interrupt_main``, and for a signal that came
        # while its handler was installed.
        _waiting[next(_unrecorded)] = _Delivery(SigInfo(signum, None))
    if running != ALL:  # else the outer call looks again before it leaves
        _drain(signum, frame, running)


def _is_inside(frame: FrameType | None) -> bool:
    """Whether the dispatcher is on the stack of *frame*."""
    while frame is not None:
        if frame.f_code is _DRAIN:
            return True
        frame = frame.f_back
    return False


def _drain(signum: int, frame: FrameType | None, former: int) -> None:
    """Hand over all that is there, but what *former* and ``deferred`` keep out."""
    first = delivery = None
    left = LIMIT
    while True:
        try:
            words[RUNNING] = ALL
            if signum in _late:
                run_due_handlers()  # for the last of several calls the interpreter may call again
                if not LOOKS_LATE:
                    _late.discard(signum)
            while left:
                number, delivery = _next(former) if _waiting else (0, None)
                if delivery is None:
                    if _read():
                        continue
                    break
                if first is not None:
                    left -= 1
                if delivery.step is None:
                    delivery.begin(number, frame)
                words[RUNNING] = former | delivery.keeps_out
                while number in _waiting:
                    delivery.step()  # type: ignore[misc]
                words[RUNNING] = ALL
            delivery = None
            if words[PRESSURE] and len(_waiting) < CAPACITY and lib.sigcffi_relieve() and left:
                continue
            if not left and not _nudge(signum):
                left = LIMIT
                continue
            words[RUNNING] = former
            if _waiting:
                _leave_to_lifting()
            if words[PENDING] & ~(words[DEFERRED] | former):
                lib.sigcffi_settle()
            if not left or not _is_filled():
                break
        except BaseException as error:
            words[RUNNING] = ALL
            first = _keep(first, error, delivery.last() if delivery is not None else dispatch)
    if first is not None:
        try:
            raise first
        finally:
            first = None  # or the traceback would hold itself


_DRAIN = _drain.__code__


def _is_filled() -> bool:
    """Whether there is a record to be read."""
    tail = words[TAIL]
    filled: bool = unpack(memory, RECORDS + (tail & LAST) * SIZE)[0] == tail + 1
    return filled


def _read() -> bool:
    """Take one record in hand, and give its place in the ring back; whether there was one."""
    tail = words[TAIL]
    sequence, number, payload = unpack(memory, RECORDS + (tail & LAST) * SIZE)
    if sequence != tail + 1:
        return False
    if sequence not in _waiting:  # else an exception has struck behind the next line
        _waiting[sequence] = _Delivery(SigInfo(number, payload))
    words[TAIL] = sequence
    return True


def _next(former: int) -> tuple[int, _Delivery | None]:
    """The first delivery that may be handed over, and its number."""
    kept_out = former | words[DEFERRED]
    if not kept_out:
        return next(iter(_waiting.items()))
    for number, delivery in list(_waiting.items()):
        if not kept_out >> (delivery.info._signo - 1) & 1:
            return number, delivery
    return 0, None


def _leave_to_lifting() -> None:
    """What critical sections keep out is pending, for who lifts them."""
    for delivery in list(_waiting.values()):
        signum = delivery.info._signo
        if words[DEFERRED] >> (signum - 1) & 1 and not words[PENDING] >> (signum - 1) & 1:
            lib.sigcffi_pend_again(signum, 1)


def _nudge(signum: int) -> bool:
    """See to it that the dispatcher is called again soon; whether that was possible."""
    former = lib.sigcffi_sigmask(SIG_SETMASK, ALL)  # the thread is to take no signals
    try:
        start_new_thread(lib.sigcffi_nudge, (signum,))
    except RuntimeError:
        return False
    finally:
        lib.sigcffi_sigmask(SIG_SETMASK, former)
    return True


def _keep(first: BaseException | None, error: BaseException, call: object) -> BaseException:
    """The first exception is going to leave the dispatcher; the others are reported at once."""
    if first is None:
        return error
    _report(error, call)
    return first


def _report(error: BaseException, call: object) -> None:
    """Say that an exception of *call* goes nowhere."""
    if sys.unraisablehook is sys.__unraisablehook__:  # which takes an object of its own only
        import traceback

        print(f"Exception ignored in: {call!r}", file=sys.stderr)
        traceback.print_exception(type(error), error, error.__traceback__)
    else:
        sys.unraisablehook(
            SimpleNamespace(
                exc_type=type(error),
                exc_value=error,
                exc_traceback=error.__traceback__,
                err_msg=None,
                object=call,
            )
        )


def take_back(signum: int) -> None:
    """A signal leaves the dispatcher: what was not handed over goes to whatever handles the signal
    from now on.
    """
    if not _waiting and words[HEAD] == words[TAIL]:
        return
    former, words[RUNNING] = words[RUNNING], ALL
    try:
        while words[TAIL] != words[HEAD]:
            if not _read():
                os.sched_yield()  # a thread is just writing it
        taken = 0
        for number, delivery in list(_waiting.items()):
            if delivery.info._signo == signum and delivery.step is None:
                del _waiting[number]
                _tally.handed += number > 0
                taken += 1
        if taken:
            lib.sigcffi_pend_again(signum, taken)
    finally:
        words[RUNNING] = former


def expect(signum: int) -> None:
    """A signal comes to the dispatcher for which a call is pending: of deliveries that were kept
    out and not recorded, so that nobody knows any more what they carried.
    """
    _waiting[next(_unrecorded)] = _Delivery(SigInfo(signum, None))
    lib.sigcffi_pend_again(signum, 1)


def account() -> tuple[int, int, int, int]:
    """Deliveries to the main channel; of them those that were handed to handlers, that were
    dropped, and that are still queued. The first is the sum of the others, when no other thread is
    just taking a signal.
    """
    kept = sum(
        number > 0 and delivery.step is None for number, delivery in list(_waiting.items())
    )
    dropped = sum(map(lib.sigcffi_dropped, range(1, NSIG))) + _tally.lost
    queued = words[HEAD] - words[TAIL] + kept
    return lib.sigcffi_offered(), _tally.handed, dropped, queued


def _in_child() -> None:
    """What had arrived was the parent's."""
    _waiting.clear()
    _late.clear()
    _tally.handed = _tally.lost = 0
    _explained[:] = [words[CALLS + signum] for signum in range(NSIG)]  # for what the child forgets


os.register_at_fork(after_in_child=_in_child)
