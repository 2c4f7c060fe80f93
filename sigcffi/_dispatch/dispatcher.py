"""The dispatcher: from the ring to the handlers, in the order of arrival.

Law: runs in the main thread only. The interpreter calls ``dispatch`` in the place of a handler, for
every signal that has an entry in the registry, and that call says no more than "look": it hands
over all that is there.

An exception may strike between any two bytecodes. So one step of the interpreter's own code takes a
delivery out of ``waiting`` and begins its handler's call. What has several calls keeps account of
those that have begun. An exception may leave the rest where it is, and loses nothing.

While the dispatcher thinks it keeps every signal out (``running`` has all bits), and while a
handler runs, the signals that the handler keeps out. A dispatcher that has set this, and is not on
the stack any more, does not count: an exception has ended it, or a greenlet was switched away. C is
told the same for the signals that the dispatcher is not called for, but not on the short way: while
that thinks their handlers may run, and its own handler keeps out none of them.

It makes no compiled call where nothing special has happened. A word of the channel costs as much as
ten variables: the short way reads two.

Rejected: leaving the rest of the records to the next call when a handler has raised. Nothing can
make the interpreter call again later: from Python it would do so at once, inside of this call.
"""

from __future__ import annotations

import sys
from itertools import starmap
from signal import NSIG

from sigcffi._core.ffi import lib, memory, words
from sigcffi._core.forking import in_child
from sigcffi._core.mainthread import LOOKS_LATE, run_due_handlers
from sigcffi._core.siginfo import SigInfo
from sigcffi._dispatch.calls import Calls, report
from sigcffi._dispatch.deliveries import (
    CAPACITY,
    FOR_SUBSCRIBERS,
    HEAD,
    LAST,
    RECORDS,
    SIZE,
    SOME,
    TAIL,
    add,
    allowed,
    apart,
    begun,
    forget,
    gather,
    kept_by_sections,
    leave_to_lifting,
    next_record,
    position,
    put_back,
    read,
    ready,
    remove,
    take_out,
    unpack,
    waiting,
)
from sigcffi._dispatch.registry import entries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

    from sigcffi._dispatch.registry import Entry

__all__ = ["dispatch", "expect", "take_back"]

DEFERRED = lib.SIGCFFI_WORD_DEFERRED
RUNNING = lib.SIGCFFI_WORD_RUNNING
PENDING = lib.SIGCFFI_WORD_PENDING
BACK_PRESSURE = lib.SIGCFFI_WORD_BACKPRESSURE
FOREIGN = lib.SIGCFFI_WORD_BY_URGENT
COUNTED = lib.SIGCFFI_ON_ITS_WAY - 1

ALL = 2**64 - 1  # no handler keeps SIGKILL out, so this says that the dispatcher thinks

# An exception waits for no more deliveries than this: much more than there can be at once, so that
# only in a flood that does not end it leaves before the queue is empty.
LIMIT = 16 * CAPACITY

_append, _take = ready.append, ready.popleft
_new = object.__new__
_explained = [0] * NSIG  # how many of C's calls to the interpreter the dispatcher has heard of
_late: set[int] = set()  # signals for which the interpreter may call once more for one of these


def dispatch(signum: int, frame: FrameType | None) -> None:
    """Call the handlers of all signals that have arrived. The interpreter calls this.

    Here stands what is common: one record, of this signal, for one handler. It is what ``_drain``
    does, without asking what cannot be otherwise.
    """
    at = position
    former = at.running
    explained = _explained[signum]  # first: a call that comes in between explains more, not less
    calls = words[signum]
    if not former and calls - explained == 1 and not waiting and not ready and not _late:
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
                    if not at.again and not waiting:
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
            add(signum)
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
    at = position
    left, stuck = LIMIT, False
    number, what = 0, dispatch  # for whom an exception is: the delivery, or what was called
    while True:
        try:
            at.running = words[RUNNING] = ALL
            if words[TAIL] < at.tail:
                words[TAIL] = at.tail
            if _late:
                stuck = _call_late(frame)
            while True:  # a loop with a condition jumps back without the "except" below, in 3.13
                if not left:
                    break
                if ready:  # a handler's call of the dispatcher may have been struck
                    put_back()
                read()
                if not waiting:
                    begun.clear()  # an exception may have struck before one was taken out
                    apart.clear()
                    break
                kept_out = former | words[DEFERRED]
                batch = allowed(kept_out)
                if not batch:
                    break
                told = ALL  # what C keeps out: while one handler follows the other, as they do
                for number in batch:
                    # What was not allowed may be now, and has come before the rest.
                    if ready or not left or former | words[DEFERRED] != kept_out:
                        break
                    info = waiting.get(number)
                    if info is None:
                        continue  # a handler has called the dispatcher
                    if first is not None:
                        left -= 1
                    entry = entries.get(info._signo)
                    only = entry.only if entry is not None else None
                    if only is not None and number not in begun and number not in apart:
                        # In one step it leaves waiting and its handler begins.
                        what = only
                        step = map(only, map(remove, (number,)), (frame,))
                        at.running = keeps_out = former | entry.keeps_out  # type: ignore[union-attr]
                        if keeps_out != told:
                            words[RUNNING] = told = keeps_out
                            if words[PENDING] & ~(words[DEFERRED] | keeps_out):
                                # It came while the dispatcher thought; the handler may wait for it.
                                lib.sigcffi_deferral_settle()
                                break
                        next(step)
                        at.running = ALL
                    else:
                        _hand_over(entry, number, former, frame)
                        at.running = words[RUNNING] = told = ALL
                at.running = words[RUNNING] = ALL
            number, what = 0, dispatch
            if (
                words[BACK_PRESSURE]
                and len(waiting) < CAPACITY
                and lib.sigcffi_resume_main_channel()
                and left
            ):
                continue
            if not left and lib.sigcffi_deferral_nudge() < 0:
                left = LIMIT
                continue
            kept = kept_by_sections(former) if waiting else None
            at.again = former != 0  # and one that comes now is seen below
            at.running = words[RUNNING] = former
            if kept:
                leave_to_lifting(kept)
            if words[PENDING] & ~(words[DEFERRED] | former):
                lib.sigcffi_deferral_settle()
            if not left or not (next_record() or (_late and not stuck)):
                break
        except BaseException as error:
            at.running = words[RUNNING] = ALL
            if first is None:
                _drain(signum, frame, former, error)
            calls = begun.get(number)
            report(error, what if calls is None else calls.last())
    if first is not None:
        try:
            raise first
        finally:
            first = None  # or the traceback would hold itself


def _hand_over(entry: Entry | None, number: int, former: int, frame: FrameType | None) -> None:
    """Make the calls for a delivery that were not made yet."""
    calls = begun.get(number)
    if calls is None:
        if entry is None:
            position.lost += number > 0
        calls = begun[number] = Calls(entry, number, frame)
    if entry is not None:
        position.running = words[RUNNING] = former | entry.keeps_out
    while number in waiting:
        next(calls.steps)
    begun.pop(number, None)


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


def take_back(signum: int, *, called: bool = False) -> None:
    """A signal leaves the dispatcher: what was not handed over goes to whatever handles the signal
    from now on. Not if that has been *called* already, in the place of the dispatcher.
    """
    at = position
    former = at.running
    if former and not _is_inside(sys._getframe()):
        former = at.running = 0  # what a handler has kept out that has gone: no call may follow
    if former != ALL:
        words[RUNNING] = former  # the handler keeps it out of C, too, from now on
        at.again = at.again or former != 0
    if not waiting and words[HEAD] == at.tail:
        return
    at.running = ALL
    try:
        gather()
        taken = take_out(signum)
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
    _late.discard(signum)
    for _ in range(deliveries):
        add(signum)
    if deliveries:
        lib.sigcffi_deferral_pend_again(signum, 1)


def _in_child() -> None:
    """What had arrived was the parent's."""
    forget()
    _late.clear()
    _explained[:] = [words[signum] for signum in range(NSIG)]  # for what the child forgets


in_child(_in_child)
