"""The dispatcher: from the ring to the handlers, in the order of arrival.

Law: the only reader of the main channel; runs in the main thread only, which alone touches what is
kept here, but for ``account``, which tells what it sees. The interpreter calls ``dispatch`` in the
place of a handler, for every signal that has an entry in the registry, and that call says no more
than "look": it hands over all that is there.

An exception may strike between any two bytecodes. So a delivery moves in single steps that no
bytecode divides: it is in ``_waiting`` before its place in the ring is given back, and one step of
the interpreter's own code takes it out and begins its handler's call. What has several calls keeps
account of those that have begun. An exception may leave the rest where it is, and loses nothing.

While the dispatcher thinks it keeps every signal out (``running`` has all bits), and while a
handler runs, the signals that the handler keeps out. A dispatcher that has set this, and is not on
the stack any more, does not count: an exception has ended it, or a greenlet was switched away. C is
told the same for the signals that the dispatcher is not called for, but not on the short way: while
that thinks their handlers may run, and its own handler keeps out none of them.

It makes no compiled call where nothing special has happened: each would give up the GIL, and beside
a busy thread it could take milliseconds to get it back. So it looks into the channel's memory by
itself. A word of that costs as much as ten variables: the short way reads two.

Rejected: leaving the rest of the records to the next call when a handler has raised. Nothing can
make the interpreter call again later: from Python it would do so at once, inside of this call.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from itertools import count, starmap
from operator import call, length_hint
from signal import NSIG
from struct import Struct
from types import SimpleNamespace

from sigcffi._ffi import lib, memory, words
from sigcffi._mainthread import LOOKS_LATE, run_due_handlers
from sigcffi._siginfo import SigInfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import Any

    from sigcffi._registry import Entry

__all__ = ["account", "dispatch", "entries", "expect", "gather", "take_back"]

# By signal. The main thread alone changes it; any thread may look an entry up.
entries: dict[int, Entry] = {}

TAIL = lib.SIGCFFI_WORD_TAIL
HEAD = lib.SIGCFFI_WORD_HEAD
DEFERRED = lib.SIGCFFI_WORD_DEFERRED
RUNNING = lib.SIGCFFI_WORD_RUNNING
PENDING = lib.SIGCFFI_WORD_PENDING
PRESSURE = lib.SIGCFFI_WORD_BACKPRESSURE
FOREIGN = lib.SIGCFFI_WORD_BY_URGENT
COUNTED = lib.SIGCFFI_ON_ITS_WAY - 1
CAPACITY = lib.SIGCFFI_CAPACITY
LAST = CAPACITY - 1
FOR_SUBSCRIBERS = lib.SIGCFFI_FOR_SUBSCRIBERS
FOR_HANDLER = lib.SIGCFFI_FOR_HANDLER
_SIGNUM = FOR_SUBSCRIBERS - 1  # the bits of a record's signo below
RECORDS = lib.SIGCFFI_WORDS * 8
SIZE = lib.SIGCFFI_RECORD_SIZE

# Where records come one by one, their places are given back only after so many and one more.
SOME = CAPACITY // 16 - 1

ALL = 2**64 - 1  # no handler keeps SIGKILL out, so this says that the dispatcher thinks

# An exception waits for no more deliveries than this: much more than there can be at once, so that
# only in a flood that does not end it leaves before the queue is empty.
LIMIT = 16 * CAPACITY

_unpack = Struct("=Qi68s").unpack_from

if lib.SIGCFFI_STORES_IN_ORDER and sys.implementation.name == "cpython":
    unpack: Any = _unpack
else:
    # PyPy's compiler, and other processors, may read the record before its sequence, and behind the
    # store by which its place is given back.
    def unpack_published(memory: Any, offset: int) -> tuple[Any, ...]:
        sequence = lib.sigcffi_channel_sequence(offset)
        record = _unpack(memory, offset)
        lib.sigcffi_channel_has_read()
        return (sequence, *record[1:])

    unpack = unpack_published


class _Calls:
    """The calls for one delivery, if they are not one."""

    __slots__ = ("calls", "left", "steps")
    calls: tuple[tuple[Any, ...], ...]  # what to call, and with what; the last removes the delivery
    left: Iterator[tuple[Any, ...]]  # of them those that have not begun
    steps: Iterator[object]  # makes one of them, as it is asked

    def __init__(self, entry: Entry | None, number: int, frame: FrameType | None) -> None:
        info = _waiting[number]
        handlers = () if entry is None else entry.calls
        if entry is not None and number in _apart:
            is_handlers = _apart[number] == FOR_HANDLER
            handlers = tuple(
                each for each in handlers if (each is entry.interpreters) == is_handlers
            )
        self.calls = (
            *((each, info._signo if plain else info, frame) for each, plain in handlers),
            (_remove, number),
        )
        self.left = iter(self.calls)
        self.steps = starmap(call, self.left)

    def last(self) -> object:
        """What was called last."""
        return self.calls[len(self.calls) - length_hint(self.left) - 1][0]


_waiting: dict[int, SigInfo] = {}  # by number, in the order of arrival
_begun: dict[int, _Calls] = {}  # of them those that some have got
_apart: dict[int, int] = {}  # of them those that are not for all, and whom they are for
_remove = _waiting.pop
_ready: deque[tuple[SigInfo, FrameType | None]] = deque()  # what the short way has in hand
_append, _take = _ready.append, _ready.popleft
_new = object.__new__
_unrecorded = count(-1, -1)  # numbers of what is not from the ring
_explained = [0] * NSIG  # how many of C's calls to the interpreter the dispatcher has heard of
_late: set[int] = set()  # signals for which the interpreter may call once more for one of these


class _Position:
    """What there is one of."""

    __slots__ = ("again", "lost", "running", "tail")

    def __init__(self) -> None:
        self.tail: int = words[TAIL]  # the number of the next record
        self.running = 0  # what is kept out, or ALL
        self.again = False  # a call has come while one was at work: that looks again
        self.lost = 0  # records that no handler got


_at = _Position()


def dispatch(signum: int, frame: FrameType | None) -> None:
    """Call the handlers of all signals that have arrived. The interpreter calls this.

    Here stands what is common: one record, of this signal, for one handler. It is what ``_drain``
    does, without asking what cannot be otherwise.
    """
    at = _at
    former = at.running
    explained = _explained[signum]  # first: a call that comes in between explains more, not less
    calls = words[signum]
    if not former and calls - explained == 1 and not _waiting and not _ready and not _late:
        try:
            at.running = ALL
            if _explained[signum] == explained:
                _explained[signum] = calls
            tail = at.tail
            number, signo, payload = unpack(memory, RECORDS + (tail & LAST) * SIZE)
            # There is one, of this signal, that has not come within a critical section. Of what
            # comes from here on there is another call.
            if (
                number == words[HEAD]
                and number > tail
                and (signo == signum or signo - signum == FOR_SUBSCRIBERS)
            ):
                entry = entries[signum]
                only = entry.only
                if only is not None and (signo == signum or entry.interpreters is None):
                    info = _new(SigInfo)  # without a call of its __init__, which takes as long
                    info._signo = signum
                    info._fields = payload
                    info._number = number
                    _append((info, frame))
                    at.tail = number
                    if not number & SOME:
                        words[TAIL] = number
                    run = entry.run
                    if run[0] is not only:
                        run = _prepare(entry, only)
                    at.running = entry.keeps_out
                    next(run[1])
                    at.running = 0
                    if not at.again and not _waiting:
                        return
        except BaseException as error:
            _drain(signum, frame, 0, error)
        _drain(signum, frame, 0, None)
        return
    # Whether the call is explained is decided before the interpreter looks for signals again.
    if calls == explained:
        if signum not in _late or words[FOREIGN] >> (signum - 1) & 1:
            # The interpreter calls by itself: for ``_thread.interrupt_main``, for a signal that
            # came while its handler was installed, and where others have called its C handler.
            _add(signum)
        elif LOOKS_LATE:  # and no call interrupts another
            _late.discard(signum)
    elif calls - explained > 1:  # or one is on its way
        _late.add(signum)  # before they are explained: another call may come in between
    if _explained[signum] == explained:
        _explained[signum] = calls & COUNTED
    if former and not _is_inside(frame):
        former = 0
    if former:
        at.again = True
    if former != ALL:  # else the call outside of this one looks again before it leaves
        _drain(signum, frame, former, None)


def _prepare(entry: Entry, only: Any) -> tuple[Any, Any]:
    """What takes a delivery out of hand and calls its handler, in one step; and for whom."""
    entry.run = run = only, starmap(only, iter(_take, None))
    return run


def _drain(signum: int, frame: FrameType | None, former: int, first: BaseException | None) -> None:
    """Hand over all that is there, but what *former* and ``deferred`` keep out. *first* is an
    exception that is going to leave. It is being handled meanwhile: a timeout sees by that that it
    need not raise it again.
    """
    at = _at
    left, stuck = LIMIT, False
    number, what = 0, dispatch  # for whom an exception is: the delivery, or what was called
    while True:
        try:
            at.running = words[RUNNING] = ALL
            if words[TAIL] < at.tail:
                words[TAIL] = at.tail
            if _late:
                stuck = _call_late(frame)
            while left:
                if _ready:  # each time: a handler's call of the dispatcher may have been struck
                    _put_back()
                _read()
                if not _waiting:
                    _begun.clear()  # an exception may have struck before one was taken out
                    _apart.clear()
                    break
                number = _first_but(former | words[DEFERRED])
                if not number:
                    if not _read():
                        break
                    while _read():  # all, before the next look, which goes through all that waits
                        pass
                    continue
                if first is not None:
                    left -= 1
                entry = entries.get(_waiting[number]._signo)
                only = entry.only if entry is not None else None
                if only is not None and number not in _begun and number not in _apart:
                    # In one step it leaves _waiting and its handler begins.
                    what = only
                    step = map(only, map(_remove, (number,)), (frame,))
                    keeps_out = former | entry.keeps_out  # type: ignore[union-attr]
                    at.running = words[RUNNING] = keeps_out
                    if words[PENDING] & ~(words[DEFERRED] | keeps_out):
                        # It came while the dispatcher thought, and the handler may wait for it.
                        lib.sigcffi_deferral_settle()
                        at.running = words[RUNNING] = ALL
                        continue
                    next(step)
                else:
                    _hand_over(entry, number, former, frame)
                at.running = words[RUNNING] = ALL
            number, what = 0, dispatch
            if (
                words[PRESSURE]
                and len(_waiting) < CAPACITY
                and lib.sigcffi_resume_main_channel()
                and left
            ):
                continue
            if not left and lib.sigcffi_deferral_nudge() < 0:
                left = LIMIT
                continue
            at.again = former != 0  # and one that comes now is seen below
            at.running = words[RUNNING] = former
            if _waiting:
                _leave_to_lifting(former)
            if words[PENDING] & ~(words[DEFERRED] | former):
                lib.sigcffi_deferral_settle()
            if not left or not (_next() or (_late and not stuck)):
                break
        except BaseException as error:
            at.running = words[RUNNING] = ALL
            if first is None:
                _drain(signum, frame, former, error)
            calls = _begun.get(number)
            _report(error, what if calls is None else calls.last())
    if first is not None:
        try:
            raise first
        finally:
            first = None  # or the traceback would hold itself


def _hand_over(entry: Entry | None, number: int, former: int, frame: FrameType | None) -> None:
    """Make the calls for a delivery that were not made yet."""
    calls = _begun.get(number)
    if calls is None:
        if entry is None:
            _at.lost += number > 0
        calls = _begun[number] = _Calls(entry, number, frame)
    if entry is not None:
        _at.running = words[RUNNING] = former | entry.keeps_out
    while number in _waiting:
        next(calls.steps)
    _begun.pop(number, None)


def _set_apart(number: int, signo: int) -> int:
    """A record may not be for all that the signal has. Its signal."""
    signum = signo & _SIGNUM
    whom = signo & (FOR_SUBSCRIBERS | FOR_HANDLER)
    entry = entries.get(signum)
    if whom and (whom == FOR_HANDLER or (entry is not None and entry.interpreters is not None)):
        _apart[number] = whom
    return signum


def _next(most: int = CAPACITY) -> tuple[int, int, bytes] | None:
    """The next record; None if it cannot be read yet, or as many as *most* wait already: then it
    stays in the ring, whose pressure holds back what comes.
    """
    if _at.tail < words[TAIL]:  # a child that was forked in C: it begins behind what had come
        _at.tail = words[TAIL]
    tail = _at.tail
    full = len(_waiting) >= most and tail + 1 not in _waiting
    if words[HEAD] == tail or full:
        return None
    record: tuple[int, int, bytes] = unpack(memory, RECORDS + (tail & LAST) * SIZE)
    return record if record[0] == tail + 1 else None  # a thread is just writing it, and tells later


def _read(most: int = CAPACITY) -> bool:
    """Move the next record from the ring to what waits; whether there was one."""
    record = _next(most)
    if record is None:
        return False
    number, signo, payload = record
    if number not in _waiting:  # an exception may have struck behind the store
        if signo > _SIGNUM:
            signo = _set_apart(number, signo)
        _waiting[number] = SigInfo(signo, payload, number)
    _at.tail = words[TAIL] = number
    return True


def _put_back() -> None:
    """An exception has struck the short way before the handler's call."""
    for info, _ in _ready:
        _waiting[info._number] = info
        if _at.tail < info._number:
            _at.tail = info._number
    _ready.clear()


def _add(signum: int) -> None:
    """A delivery of which nothing was recorded: where a C library's handler has it first, that has
    called the interpreter's, and not the trampoline.
    """
    number = next(_unrecorded)
    if words[FOREIGN] >> (signum - 1) & 1:
        _apart[number] = FOR_HANDLER
    _waiting[number] = SigInfo(signum, None)


def _call_late(frame: FrameType | None) -> bool:
    """The interpreter may be about to call again for what is explained: let it, now. If it has not,
    and C has not called it either, it will not. Whether that cannot be known now: it has begun to,
    further out, or C has, in another thread.
    """
    before = [(signum, words[signum], _explained[signum]) for signum in list(_late)]
    run_due_handlers()
    if LOOKS_LATE:
        return True
    while frame is not None:
        if frame.f_code is _SHORT and "calls" not in frame.f_locals:
            return True
        frame = frame.f_back
    stuck = False
    for signum, calls, explained in before:
        if words[signum] == calls and _explained[signum] == explained:
            if calls == explained:
                _late.discard(signum)
            else:
                stuck = True
    return stuck


def _is_inside(frame: FrameType | None) -> bool:
    """Whether the dispatcher is on the stack of *frame*."""
    while frame is not None:
        if frame.f_code is _SHORT or frame.f_code is _LONG:
            return True
        frame = frame.f_back
    return False


_SHORT, _LONG = dispatch.__code__, _drain.__code__


def _first_but(kept_out: int) -> int:
    """The number of the first delivery that may be handed over; 0 if there is none."""
    if not kept_out:
        return next(iter(_waiting))
    for number, info in list(_waiting.items()):
        if not kept_out >> (info._signo - 1) & 1:
            return number
    return 0


def _leave_to_lifting(former: int) -> None:
    """What critical sections keep out is pending, for who lifts them. Whether one still does is
    looked at behind that: another thread may have lifted it since the dispatcher looked.
    """
    for info in list(_waiting.values()):
        bit = 1 << info._signo - 1
        if not (former | words[PENDING]) & bit:
            lib.sigcffi_deferral_pend_again(info._signo, 1)


def _report(error: BaseException, call: object) -> None:
    """Say that an exception of *call* goes nowhere: another one is going to leave."""
    if sys.unraisablehook is sys.__unraisablehook__:  # which takes an object of its own only
        print(f"Exception ignored in: {call!r}", file=sys.stderr)
        sys.__excepthook__(type(error), error, error.__traceback__)
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


def gather() -> None:
    """Whom a record is for is seen by who is installed when it is read: so what has come is read
    before somebody else is. Called where no handler starts.
    """
    while words[HEAD] != _at.tail:
        if not _read(2 * CAPACITY):
            os.sched_yield()  # a thread is just writing it


def take_back(signum: int, *, called: bool = False) -> None:
    """A signal leaves the dispatcher: what was not handed over goes to whatever handles the signal
    from now on. Not if that has been *called* already, in the place of the dispatcher.
    """
    at = _at
    former = at.running
    if former and not _is_inside(sys._getframe()):
        former = at.running = 0  # what a handler has kept out that has gone: no call may follow
    if former != ALL:
        words[RUNNING] = former  # the handler keeps it out of C, too, from now on
        at.again = at.again or former != 0
    if not _waiting and words[HEAD] == at.tail:
        return
    at.running = ALL
    try:
        gather()
        taken = 0
        for number, info in list(_waiting.items()):
            if info._signo == signum and number not in _begun:
                del _waiting[number]
                # What stood above the handler has had its call.
                taken += _apart.pop(number, None) != FOR_SUBSCRIBERS
        if taken and not called:
            lib.sigcffi_deferral_pend_again(signum, taken)
    finally:
        at.running = former


def expect(signum: int, deliveries: int) -> None:
    """A signal comes to the dispatcher. Calls that C has made for it were another handler's; the
    one that may be pending stands for so many *deliveries* that were kept out and not recorded, so
    that nobody knows any more what they carried.
    """
    _explained[signum] = words[signum] & COUNTED
    for _ in range(deliveries):
        _add(signum)
    if deliveries:
        lib.sigcffi_deferral_pend_again(signum, 1)


def account() -> tuple[int, int, int, int]:
    """Deliveries to the main channel; of them those that were handed to handlers, that were
    dropped, and that are still queued. The first is the sum of the others, when no other thread is
    just taking a signal.
    """
    kept = sum(number > 0 and number not in _begun for number in list(_waiting))
    offered = lib.sigcffi_channel_offered()
    dropped = sum(map(lib.sigcffi_channel_dropped, range(1, NSIG)))
    queued = words[HEAD] - _at.tail + kept
    return offered, offered - dropped - queued - _at.lost, dropped + _at.lost, queued


def _in_child() -> None:
    """What had arrived was the parent's."""
    _waiting.clear()
    _begun.clear()
    _apart.clear()
    _ready.clear()
    _late.clear()
    _at.lost = 0
    _at.tail = words[TAIL]
    _explained[:] = [words[signum] for signum in range(NSIG)]  # for what the child forgets


os.register_at_fork(after_in_child=_in_child)
