"""The dispatcher: from the ring to the handlers, in the order of arrival.

Law: the only reader of the main channel; runs in the main thread only, which alone touches what is
kept here, but for ``account``, which tells what it sees. A record is handed over at
most once, and none is passed by: one whose signal is kept out, by a critical section or a handler
that runs, is kept here until it may.

The interpreter calls ``dispatch`` in the place of a handler, for every signal that has an entry in
the registry. It makes no compiled call where nothing special has happened: each would give up the
GIL, and beside a busy thread it could take milliseconds to get it back. So it looks into the
channel's memory by itself.

Rejected: leaving the rest of the records to the next call when a handler has raised. Nothing can
make the interpreter call again later: from Python it would do so at once, inside of this call.
"""

from __future__ import annotations

import os
import sys
from _thread import start_new_thread
from signal import NSIG, SIG_SETMASK
from struct import Struct
from types import SimpleNamespace

from sigcffi._ffi import lib, memory, words
from sigcffi._mainthread import run_due_handlers
from sigcffi._siginfo import SigInfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

    from sigcffi._registry import Entry

__all__ = ["account", "dispatch", "entries", "expect", "take_back"]

# By signal. The main thread alone changes it; any thread may look an entry up.
entries: dict[int, Entry] = {}

TAIL = lib.SIGCFFI_WORD_TAIL
HEAD = lib.SIGCFFI_WORD_HEAD
NEWS = lib.SIGCFFI_WORD_NEWS
MAIN_THREAD = lib.SIGCFFI_WORD_MAIN_THREAD
DEFERRED = lib.SIGCFFI_WORD_DEFERRED
RUNNING = lib.SIGCFFI_WORD_RUNNING
HELD_BACK = lib.SIGCFFI_WORD_HELD_BACK
PRESSURE = lib.SIGCFFI_WORD_PRESSURE
TRIPS = lib.SIGCFFI_WORD_TRIPS
BEGUN = lib.SIGCFFI_WORD_BEGUN
MADE = lib.SIGCFFI_WORD_MADE
CAPACITY = lib.SIGCFFI_CAPACITY
LAST = CAPACITY - 1
RECORDS = lib.SIGCFFI_WORDS * 8
SIZE = lib.SIGCFFI_RECORD_SIZE

ALL = 2**64 - 1
NEVER = 0  # no news has this number

# Where records come one by one, they are given back by so many and one: that costs less.
SOME = CAPACITY // 16 - 1

# An exception waits for no more records than this: much more than there can be at once, so that
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


# By signal, the news of the last of the interpreter's calls that was explained; see _Position.
_seen = [0] * NSIG
_elsewhere = [0] * NSIG  # and of those that other threads make, how many

_held: list[SigInfo] = []  # read, but kept out, in order
_raised: list[BaseException] = []  # while looking for calls that are due
_settling: list[int] = []  # signals for which another call is no news


class _Position:
    """Where the dispatcher is. An object: its slots are found faster than globals."""

    __slots__ = (
        "again",
        "busy",
        "drains",
        "expected",
        "handed",
        "lost",
        "news",
        "quiet",
        "running",
        "tail",
        "thread",
    )

    def __init__(self) -> None:
        self.tail: int = words[TAIL]  # the number of the next record
        self.news: int = words[NEWS]  # all up to that has been seen to
        self.quiet = self.news  # for all up to that the interpreter has made its calls, too
        self.running = 0  # what the handlers that run keep out, a word
        self.thread: int = words[MAIN_THREAD]  # where they run
        # The news of a call that finds nothing but its own record: nothing runs, nothing is kept
        # out, no other call is still to come.
        self.expected = self.news + 1
        self.busy = False  # the dispatcher runs, and none of its handlers
        self.again = False  # it was called meanwhile, and that call left the work to it
        self.drains = 0  # how often it has begun to look for all that is there
        self.handed = 0  # records that handlers got
        self.lost = 0  # records that no handler got


_at = _Position()


def dispatch(signum: int, frame: FrameType | None, at: _Position = _at) -> None:
    """Call the handlers of all signals that have arrived. The interpreter calls this.

    Here stands what is common: one record, of this signal, for one handler.
    """
    drains = at.drains
    news = words[NEWS]
    if news == at.expected:
        try:
            at.busy = True  # another call within this one leaves the work to it
            sequence, number, payload = unpack(memory, RECORDS + (at.tail & LAST) * SIZE)
            entry = entries.get(signum)
            call = None if entry is None else entry.only
            if call is not None and number == signum and sequence == at.tail + 1:
                at.expected = NEVER
                at.news = at.quiet = news
                at.running = entry.keeps_out  # type: ignore[union-attr]
                at.handed += 1
                at.tail = sequence
                if not sequence & SOME:
                    words[TAIL] = sequence
                at.busy = False
                call(SigInfo(signum, payload), frame)
                at.running = 0
                # A call that another thread has made comes without news, and may have kept things.
                if words[NEWS] == news and not at.again and not _held:
                    at.expected = news + 1
                else:
                    _drain(signum, frame, None)
                return
            at.busy = False
        except BaseException as error:
            at.busy = False
            at.running = 0
            _drain(signum, frame, error)
    # What this call is for, claimed before anything else can run.
    trip, seen = words[TRIPS + signum], _seen[signum]
    _seen[signum] = trip
    first = None
    try:
        _settling.append(signum)
        look = _is_news(signum, frame, news, drains, trip > seen and trip > at.quiet)
    except BaseException as error:
        first, look = error, True
    finally:
        if _settling and _settling[-1] == signum:
            _settling.pop()
    if look:
        _drain(signum, frame, first)


def _drain(signum: int, frame: FrameType | None, first: BaseException | None) -> None:
    """Hand over all that is there. *first* is an exception that is going to leave."""
    at = _at
    if at.busy:
        at.again = True
        if first is not None:
            raise first
        return
    at.busy = True
    at.drains += 1
    at.expected = NEVER
    words[TAIL] = at.tail
    former = at.running
    kept_out = words[RUNNING]  # less, if this call has come within one that took the short way
    left = LIMIT
    while True:
        try:
            at.news = words[NEWS]
            while left:
                if first is not None:
                    left -= 1
                if _held and (info := _may_run()) is not None:
                    number = info._signo
                else:
                    tail = at.tail
                    sequence, number, payload = unpack(memory, RECORDS + (tail & LAST) * SIZE)
                    if sequence != tail + 1:
                        break
                    words[TAIL] = at.tail = sequence
                    info = SigInfo(number, payload)
                    deferred = former | words[DEFERRED]
                    if deferred and deferred >> (number - 1) & 1:
                        _held.append(info)
                        continue
                entry = entries.get(number)
                if entry is None:
                    at.lost += 1
                    continue
                at.handed += info._fields is not None
                words[RUNNING] = at.running = former | entry.keeps_out
                at.busy = False
                for call, takes_number in entry.calls:
                    try:
                        call(number if takes_number else info, frame)
                    except BaseException as error:
                        first = _keep(first, error, call)
                at.busy = True
                at.running = former
                words[RUNNING] = kept_out
            if (words[HELD_BACK] or words[PRESSURE]) and _let_in() and left:
                continue
        except BaseException as error:
            # Raised by a handler that the interpreter has run between two of ours.
            at.busy = True
            at.running = former
            words[RUNNING] = kept_out
            first = _keep(first, error, dispatch)
            continue
        if _raised:
            first = _keep(first, _raised.pop(0), dispatch)
            continue
        if left == 0:
            at.again = False
            if not _nudge(signum):
                at.again = True
        # From here on another call does its own work, so one that has not must be seen: also the
        # one that the nudge has led to.
        at.busy = False
        if not at.again:
            break
        at.busy, at.again = True, False
        left = left or LIMIT
    if first is None:
        _rest(at, former)
        return
    try:
        _rest(at, former)
    except BaseException as error:
        _report(error, dispatch)
    try:
        raise first
    finally:
        first = None  # or the traceback would hold itself


def _rest(at: _Position, reason_not_to: int) -> None:
    """The dispatcher leaves: whether the next call may take the short way."""
    news = at.news  # as it is now: another call may come in between
    if not reason_not_to and not _held and all(map(_is_explained, entries)):
        at.quiet = news
        at.expected = news + 1


def _is_explained(signum: int) -> bool:
    """Whether the interpreter has made the call that the trampoline's last call leads to."""
    trip: int = words[TRIPS + signum]
    return trip <= _seen[signum] or trip <= _at.quiet


def _is_news(signum: int, frame: FrameType | None, news: int, drains: int, called: bool) -> bool:
    """Whether there may be something to do for a call that began with *news* and after so many
    *drains*, which the trampoline has *called* for or not. The interpreter calls once for several
    signals, but then it may call again; and it calls by itself, for ``_thread.interrupt_main`` and
    for a signal that came while its handler was installed.
    """
    if frame is not None and frame.f_code is dispatch.__code__ and "news" not in frame.f_locals:
        # That call has not begun to look, and will see it all.
        if called:
            _seen[signum] = 0
        _at.again = True
        return False
    begun = words[BEGUN + signum]
    elsewhere = begun != _elsewhere[signum]
    if elsewhere and words[MADE + signum] == begun:
        _elsewhere[signum] = begun
    # As it is now: what has come since *news* was read has been claimed, too.
    if elsewhere or (called and words[NEWS] - _at.quiet > 1):
        _call_now()
    elif (
        not called
        and not _at.again
        # Else another call has run since this one began, and seen to it.
        and drains == _at.drains
        and _at.news <= news
        and _settling.count(signum) == 1
    ):
        _held.append(SigInfo(signum, None))
    return True


def _call_now() -> None:
    """For the last of several signals the interpreter may be about to call again: let it, now."""
    try:
        run_due_handlers()
    except BaseException as error:
        _raised.append(error)


def _may_run() -> SigInfo | None:
    """The first record that was kept out and need not wait any longer."""
    kept_out = _at.running | words[DEFERRED]
    for number, info in enumerate(_held):
        if not kept_out >> (info._signo - 1) & 1:
            del _held[number]
            return info
    return None


def _let_in() -> bool:
    """Make the calls that the handlers which have run kept out; let in what the kernel keeps.
    Whether there is more to read first.
    """
    if words[HELD_BACK] & ~(words[DEFERRED] | _at.running):
        lib.sigcffi_settle_held()
    # While the rest of the ring waits here the kernel should not send more.
    return bool(words[PRESSURE] and len(_held) < CAPACITY and lib.sigcffi_relieve())


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


def take_back(signum: int) -> None:
    """A signal leaves the dispatcher: records of it that were not handed over are owed again, to
    whatever handles it from now on.
    """
    at = _at
    if not _held and words[HEAD] == at.tail:
        return
    nested, at.busy, at.expected = at.busy, True, NEVER
    try:
        while at.tail != words[HEAD]:
            sequence, number, payload = unpack(memory, RECORDS + (at.tail & LAST) * SIZE)
            if sequence != at.tail + 1:
                os.sched_yield()  # a thread is just writing it
                continue
            words[TAIL] = at.tail = sequence
            _held.append(SigInfo(number, payload))
        waiting = [info for info in _held if info._signo == signum]
        taken, recorded = len(waiting), sum(info._fields is not None for info in waiting)
        if taken:
            _held[:] = [info for info in _held if info._signo != signum]
            at.handed += recorded
            lib.sigcffi_owe_at_least(signum, taken)
    finally:
        at.busy = nested
        _rest(at, nested or at.running)
    if at.again and not nested:
        at.again = False
        _drain(signum, None, None)


def expect(signum: int, calls: int) -> None:
    """A signal comes to the dispatcher for which so many calls are owed: of deliveries that were
    kept out and not recorded, so that nobody knows any more what they carried.
    """
    _at.expected = NEVER
    _held.extend(SigInfo(signum, None) for _ in range(calls))
    lib.sigcffi_owe_again(signum, calls)


def account() -> tuple[int, int, int, int]:
    """Deliveries to the main channel; of them those that were handed to handlers, that were
    dropped, and that are still queued. The first is the sum of the others, when no other thread is
    just taking a signal.
    """
    kept = sum(info._fields is not None for info in _held)
    dropped = sum(map(lib.sigcffi_dropped, range(1, NSIG))) + _at.lost
    queued = words[HEAD] - _at.tail + kept
    return lib.sigcffi_offered(), _at.handed, dropped, queued


def _in_child() -> None:
    """The records were the parent's."""
    _held.clear()
    _at.tail = words[TAIL]
    _at.handed = _at.lost = 0
    _seen[:] = [words[TRIPS + signum] for signum in range(NSIG)]  # for what the child forgets
    _elsewhere[:] = [words[BEGUN + signum] for signum in range(NSIG)]
    if _at.thread != words[MAIN_THREAD]:  # the handlers that ran have not come along
        _at.thread = words[MAIN_THREAD]
        _at.running = 0
        _at.busy = _at.again = False
    if not _at.busy:
        _rest(_at, _at.running)


os.register_at_fork(after_in_child=_in_child)
