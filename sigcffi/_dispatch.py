"""The dispatcher: from the ring to the handlers, in the order of arrival.

Law: the only reader of the main channel; runs in the main thread only. A record is handed over at
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
from signal import NSIG
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

__all__ = ["account", "dispatch", "entries", "take_back"]

entries: dict[int, Entry] = {}

TAIL = lib.SIGCFFI_WORD_TAIL
HEAD = lib.SIGCFFI_WORD_HEAD
DEFERRED = lib.SIGCFFI_WORD_DEFERRED
RUNNING = lib.SIGCFFI_WORD_RUNNING
HELD_BACK = lib.SIGCFFI_WORD_HELD_BACK
PRESSURE = lib.SIGCFFI_WORD_PRESSURE
TRIPS = lib.SIGCFFI_WORD_TRIPS
CAPACITY = lib.SIGCFFI_CAPACITY
LAST = CAPACITY - 1
RECORDS = lib.SIGCFFI_WORDS * 8
SIZE = lib.SIGCFFI_RECORD_SIZE

# One call hands over no more than this: then the program itself gets a chance.
LIMIT = 2 * CAPACITY

_unpack = Struct("=Qi68s").unpack_from

if lib.SIGCFFI_STORES_IN_ORDER and sys.implementation.name == "cpython":
    unpack = _unpack
else:
    # PyPy's compiler, and other processors, may read the record before its sequence.
    def unpack(memory: Any, offset: int) -> tuple[Any, ...]:
        sequence = lib.sigcffi_sequence(offset)
        return (sequence, *_unpack(memory, offset)[1:])


# How many calls of the trampoline to the interpreter the dispatcher has been called for.
_seen = [0] * NSIG

_held: list[SigInfo] = []  # read, but kept out, in order
_raised: list[BaseException] = []  # while looking for calls that are due
_settling: set[int] = set()  # signals for which another call is no news
_running = 0  # what the handlers that run keep out, a word
_busy = False  # the dispatcher runs, and none of its handlers
_again = False  # it was called meanwhile, and that call left the work to it
_handed = 0  # records that went to handlers


def dispatch(signum: int, frame: FrameType | None) -> None:
    """Call the handlers of all signals that have arrived. The interpreter calls this."""
    global _again, _busy, _handed, _running
    trips = words[TRIPS + signum]
    if trips - _seen[signum] != 1 and not _is_news(signum, trips, frame):
        return
    _seen[signum] = trips
    if _busy:
        _again = True
        return
    _busy = True
    former = _running
    first = None
    left = LIMIT
    while True:
        try:
            while left:
                left -= 1
                if _held and (info := _may_run()) is not None:
                    entry = entries.get(info._signo)
                else:
                    tail = words[TAIL]
                    sequence, number, payload = unpack(memory, RECORDS + (tail & LAST) * SIZE)
                    if sequence != tail + 1:
                        break
                    words[TAIL] = tail + 1
                    info = SigInfo(number, payload)
                    deferred = former | words[DEFERRED]
                    if deferred and deferred >> (number - 1) & 1:
                        _held.append(info)
                        continue
                    _handed += 1
                    entry = entries.get(number)
                if entry is None:
                    continue
                words[RUNNING] = _running = former | entry.keeps_out
                _busy = False
                for call, takes_number in entry.calls:
                    try:
                        call(info._signo if takes_number else info, frame)
                    except BaseException as error:
                        first = _keep(first, error, call)
                _busy = True
                words[RUNNING] = _running = former
            if words[HELD_BACK] or words[PRESSURE]:
                _let_in()
        except BaseException as error:
            # Raised by a handler that the interpreter has run between two of ours.
            _busy = True
            words[RUNNING] = _running = former
            first = _keep(first, error, dispatch)
            continue
        if _raised:
            first = _keep(first, _raised.pop(0), dispatch)
            continue
        # From here on another call does its own work, so one that has not must be seen.
        _busy = False
        if not _again:
            break
        _again = False
        if left or not _nudge(signum):
            _busy = True
            left = left or LIMIT
            continue
        break
    if first is not None:
        try:
            raise first
        finally:
            first = None  # or the traceback would hold itself


def _is_news(signum: int, trips: int, frame: FrameType | None) -> bool:
    """A call that is not the one that the trampoline's next call to the interpreter has led to:
    whether there is something to do. The interpreter calls once for many; and by itself, for
    ``_thread.interrupt_main`` and for a signal that came while its handler was installed.
    """
    global _again
    if trips < _seen[signum] or signum in _settling:
        return trips > _seen[signum]
    if trips == _seen[signum]:
        _held.append(SigInfo(signum, None))
        return True
    inside = frame is not None and frame.f_code is dispatch.__code__
    if inside and "trips" not in frame.f_locals:  # type: ignore[union-attr]
        return False  # that call has not begun to look, and will see it all
    # For the last of these the interpreter may be about to call again: let it, now.
    _seen[signum] = trips
    _settling.add(signum)
    try:
        run_due_handlers()
    except BaseException as error:
        _raised.append(error)
    finally:
        _settling.discard(signum)
    return True


def _may_run() -> SigInfo | None:
    """The first record that was kept out and need not wait any longer."""
    global _handed
    kept_out = _running | words[DEFERRED]
    for number, info in enumerate(_held):
        if not kept_out >> (info._signo - 1) & 1:
            del _held[number]
            if info._fields is not None:
                _handed += 1
            return info
    return None


def _let_in() -> None:
    """Make the calls that the handlers which have run kept out; let in what the kernel keeps."""
    if words[HELD_BACK] & ~(words[DEFERRED] | _running):
        lib.sigcffi_settle_held()
    # While the rest of the ring waits here the kernel should not send more.
    if words[PRESSURE] and len(_held) < CAPACITY:
        lib.sigcffi_relieve()


def _nudge(signum: int) -> bool:
    """See to it that the dispatcher is called again soon; whether that was possible."""
    try:
        start_new_thread(lib.sigcffi_nudge, (signum,))
    except RuntimeError:
        return False
    return True


def _keep(first: BaseException | None, error: BaseException, call: object) -> BaseException:
    """The first exception is going to leave the dispatcher; the others are reported at once."""
    if first is None:
        return error
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
    return first


def take_back(signum: int) -> None:
    """A signal leaves the dispatcher: records of it that were not handed over are owed again, to
    whatever handles it from now on.
    """
    global _again, _busy, _handed
    nested, _busy = _busy, True
    try:
        while True:
            tail = words[TAIL]
            sequence, number, payload = unpack(memory, RECORDS + (tail & LAST) * SIZE)
            if sequence != tail + 1:
                break
            words[TAIL] = tail + 1
            _held.append(SigInfo(number, payload))
        taken = [info for info in _held if info._signo == signum]
        if taken:
            _held[:] = [info for info in _held if info._signo != signum]
            known = sum(info._fields is not None for info in taken)
            _handed += known
            lib.sigcffi_owe_again(signum, len(taken))
    finally:
        _busy = nested
    if _again or _held:
        look()


def look() -> None:
    """Hand over what has arrived, without having been called for it."""
    global _again
    _again = False
    _seen[0] = words[TRIPS] - 1
    dispatch(0, None)


def account() -> tuple[int, int, int, int]:
    """Deliveries to the main channel; of them those that were handed to handlers, that were
    dropped, and that are still queued. The first is the sum of the others, when no other thread is
    just taking a signal.
    """
    dropped = sum(map(lib.sigcffi_dropped, range(1, NSIG)))
    queued = words[HEAD] - words[TAIL] + sum(info._fields is not None for info in _held)
    return lib.sigcffi_offered(), _handed, dropped, queued


def _in_child() -> None:
    """The records were the parent's."""
    global _handed
    _held.clear()
    _handed = 0


os.register_at_fork(after_in_child=_in_child)
